"""The page in a real Chromium, opened from disk: nothing is fetched, nothing complains, and every path works."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.reports.browsing import Open
from tests.reports.hostile import HOSTILE, HUGE

if TYPE_CHECKING:
    from playwright.sync_api import Browser

from tests.reports.held import held

from snapdrift.model import Source
from snapdrift.reports import RunData, build_view, write_reports

pytestmark = pytest.mark.browser
MakeRun = Callable[..., Any]


def test_the_page_opens_without_a_complaint(open_page: Open) -> None:
    assert open_page().complaints == []


def test_the_page_asks_for_nothing_but_itself(open_page: Open) -> None:
    opened = open_page()
    for key in ("j", "j", "d", "v", "p", "?"):
        opened.press(key)
    assert [url for url in opened.requests if not url.startswith("file:")] == []
    assert len(opened.requests) == 1


def test_a_large_run_opens_without_a_complaint(make_run: MakeRun, open_page: Open) -> None:
    opened = open_page(make_run(cases=1319, answer_length=700).build())
    assert (opened.complaints, opened.count_of("error")) == ([], 1)


def test_the_list_draws_only_the_rows_in_sight(make_run: MakeRun, open_page: Open) -> None:
    opened = open_page(make_run(cases=1319).build())
    opened.page.locator("button.group.newly_passing, [data-kind=unchanged]").first.click()
    assert opened.page.locator("#rows .item").count() < 80


@pytest.mark.parametrize(
    "attack",
    [
        "const s = document.createElement('script'); s.textContent = 'window.owned = 1'; document.body.append(s);",
        "document.body.setAttribute('onclick', 'window.owned = 1'); document.body.click();",
        "setTimeout('window.owned = 1', 0);",
        """const rule = { createHTML: () => '<img src=x onerror="window.owned = 1">' };
           for (const name of ['mine', 'snapdrift-search'])
               try { document.body.innerHTML = trustedTypes.createPolicy(name, rule).createHTML(''); } catch {}""",
    ],
)
def test_the_policy_stops_code_that_is_not_the_pages_own(open_page: Open, attack: str) -> None:
    opened = open_page()
    opened.page.evaluate(f"() => {{ try {{ {attack} }} catch {{}} }}")
    opened.page.evaluate("() => new Promise((done) => setTimeout(done, 20))")
    assert opened.page.evaluate("() => window.owned === undefined")


def test_the_policy_stops_markup_made_from_strings(open_page: Open) -> None:
    blocked = "() => { try { document.body.innerHTML = '<p>'; return false; } catch { return true; } }"
    assert open_page().page.evaluate(blocked)


def test_the_policy_stops_requests(open_page: Open) -> None:
    asked = "() => fetch('https://example.com/').then(() => 'sent', () => 'stopped')"
    opened = open_page()
    assert opened.page.evaluate(asked) == "stopped"
    assert any("Content Security Policy" in complaint for complaint in opened.complaints)


def test_it_opens_on_the_first_newly_failing_case(open_page: Open) -> None:
    opened = open_page()
    assert opened.selected == "delivery-002"
    assert "newly fails" in opened.text(".case-head .said")


def test_the_groups_are_counted(make_run: MakeRun, open_page: Open) -> None:
    data = make_run(cases=60).build()
    counts = {group.value: number for group, number in build_view(data).counts.items()}
    opened = open_page()
    assert {group: opened.count_of(group) for group in counts} == counts


def test_what_is_unchanged_is_folded_until_it_is_opened(open_page: Open) -> None:
    opened = open_page(fragment="#variant=alias&tag=reply")
    folded = opened.page.locator("button.group.unchanged").get_attribute("aria-expanded")
    opened.page.locator("button.group.unchanged").click()
    assert folded == "false"
    assert opened.page.locator("button.group.unchanged").get_attribute("aria-expanded") == "true"


def test_j_and_k_walk_through_the_list(open_page: Open) -> None:
    opened = open_page()
    opened.press("j")
    opened.wait("document.querySelector('.case-head h3').textContent === 'returns-004'")
    opened.press("k")
    opened.wait("document.querySelector('.case-head h3').textContent === 'delivery-002'")
    assert opened.text(".walk .place").startswith("1 of ")


def test_every_case_has_an_address(open_page: Open) -> None:
    opened = open_page(fragment="#case=billing-009")
    assert opened.selected == "billing-009"
    assert opened.page.locator("a.row[aria-current]").inner_text().startswith("billing-009")


def test_an_address_of_a_folded_case_unfolds_its_group(open_page: Open) -> None:
    opened = open_page(fragment="#case=billing-001")
    assert opened.page.locator("a.row[aria-current]").inner_text().startswith("billing-001")


def test_an_address_of_no_case_says_so(open_page: Open) -> None:
    assert "No case of this run" in open_page(fragment="#case=nobody").text("#case")


def test_back_returns_to_the_case_before(open_page: Open) -> None:
    opened = open_page()
    opened.page.locator("a.row", has_text="returns-004").click()
    opened.wait("document.querySelector('.case-head h3').textContent === 'returns-004'")
    opened.page.go_back()
    opened.wait("document.querySelector('.case-head h3').textContent === 'delivery-002'")
    assert opened.page.locator("a.row[aria-current]").inner_text().startswith("delivery-002")


def test_back_takes_a_filter_away_again(open_page: Open) -> None:
    opened = open_page()
    before = opened.text("#shown")
    opened.page.select_option("#tag", "golden")
    opened.wait(f"document.getElementById('shown').textContent !== '{before}'")
    opened.page.go_back()
    opened.wait(f"document.getElementById('shown').textContent === '{before}'")
    assert opened.page.locator("#tag").input_value() == ""


def test_a_run_of_key_presses_is_one_step_back(open_page: Open) -> None:
    opened = open_page()
    for _ in range(3):
        opened.press("j")
    opened.page.go_back()
    opened.wait("document.querySelector('.case-head h3').textContent === 'delivery-002'")
    assert "case=delivery-002" in opened.page.url


def test_filters_stand_in_the_address_and_are_read_from_it(open_page: Open) -> None:
    opened = open_page(fragment="#metric=queue&variant=november&tag=reply&why=wrong")
    values = [opened.page.locator(f"#{name}").input_value() for name in ("metric", "variant", "tag", "why")]
    assert values == ["queue", "november", "reply", "wrong"]


@pytest.mark.parametrize(("metric", "variant"), [("valid", "november"), ("queue", "november"), ("queue", "alias")])
def test_a_metric_and_a_candidate_show_the_cases_of_their_comparison(
    make_run: MakeRun, open_page: Open, metric: str, variant: str
) -> None:
    data: RunData = make_run(cases=60).build()
    comparison = next(c for c in data.evaluation.comparisons if (c.metric, c.candidate) == (metric, variant))
    opened = open_page(data)
    opened.page.select_option("#metric", metric)
    opened.page.select_option("#variant", variant)
    counted = (opened.count_of("newly_failing"), opened.count_of("newly_passing"))
    assert counted == (len(comparison.newly_failing), len(comparison.newly_passing))


def test_a_group_can_be_shown_alone(open_page: Open) -> None:
    opened = open_page()
    opened.page.locator("[data-kind=newly_passing]").click()
    assert opened.page.locator("button.group").count() == 1
    assert "group=newly_passing" in opened.page.url


def test_cases_are_filtered_by_outcome(open_page: Open) -> None:
    opened = open_page()
    opened.page.select_option("#outcome", "api_error")
    assert opened.text("#shown") == "1 of 60"


def test_clear_takes_all_filters_away(open_page: Open) -> None:
    opened = open_page(fragment="#tag=golden&metric=queue")
    opened.page.locator("#clear").click()
    assert opened.text("#shown") == "60"


def test_search_looks_through_answers(open_page: Open) -> None:
    opened = open_page()
    opened.page.fill("#q", "WE ARE SORRY")
    opened.wait("document.getElementById('shown').textContent === '59 of 60'")
    assert "q=WE%20ARE%20SORRY" in opened.page.url


def test_search_takes_a_regular_expression(open_page: Open) -> None:
    opened = open_page()
    opened.page.fill("#q", "/^(billing|returns)-00[1-4]/")
    opened.wait("document.getElementById('shown').textContent === '2 of 60'")
    assert opened.page.locator("a.row").count() == 2


def test_a_broken_regular_expression_says_so(open_page: Open) -> None:
    opened = open_page()
    opened.page.fill("#q", "/(/")
    opened.wait("document.getElementById('note').textContent.startsWith('not a regular expression')")
    assert opened.complaints == []


def test_a_search_without_a_hit_says_so(open_page: Open) -> None:
    opened = open_page()
    opened.page.fill("#q", "no such words anywhere")
    opened.wait("document.getElementById('shown').textContent === '0 of 60'")
    assert "No case passes these filters" in opened.text("#rows")


def test_slash_goes_to_the_search_and_letters_there_are_letters(open_page: Open) -> None:
    opened = open_page()
    opened.press("/")
    opened.page.keyboard.type("jk")
    assert (opened.page.locator("#q").input_value(), opened.selected) == ("jk", "delivery-002")


def test_differing_words_are_marked_on_both_sides(open_page: Open) -> None:
    opened = open_page(fragment="#case=delivery-002&mode=words")
    sides = [opened.page.locator(f".answer:nth-child({place}) mark").all_text_contents() for place in (1, 2)]
    assert sides == [["Sorry"], ["```json\n", "We are sorry", "\n```"]]


def test_the_two_sides_without_their_marks_are_what_they_share(open_page: Open) -> None:
    opened = open_page(fragment="#case=delivery-002&mode=words")
    unmarked = """(place) => {
        const pre = document.querySelectorAll('.answer pre')[place].cloneNode(true);
        pre.querySelectorAll('mark').forEach((mark) => mark.remove()); return pre.textContent.replace(/\\s+/g, ''); }"""
    assert opened.page.evaluate(unmarked, 0) == opened.page.evaluate(unmarked, 1)


def test_d_takes_the_marks_away_and_brings_them_back(open_page: Open) -> None:
    opened = open_page(fragment="#case=delivery-002&mode=words")
    opened.press("d")
    opened.wait("document.querySelectorAll('.answer mark').length === 0")
    opened.press("d")
    opened.wait("document.querySelectorAll('.answer mark').length > 0")
    assert opened.complaints == []


def test_an_answer_is_shown_as_it_was_given(make_run: MakeRun, open_page: Open) -> None:
    data: RunData = make_run(cases=60).build()
    given = next(
        r.text for r in held(data).responses if (r.call.case_id, r.call.variant) == ("delivery-002", "november")
    )
    opened = open_page(data, fragment="#case=delivery-002&mode=plain")
    assert opened.page.locator(".answer pre").nth(1).text_content() == given


def test_v_changes_the_variant_in_the_last_column(open_page: Open) -> None:
    opened = open_page(fragment="#case=delivery-002")
    opened.press("v")
    opened.wait("new URLSearchParams(location.hash.slice(1)).get('sides') === 'august,alias'")
    assert opened.page.locator(".answer select").nth(1).locator("option:checked").inner_text() == "alias"


def test_any_two_variants_can_stand_side_by_side(open_page: Open) -> None:
    opened = open_page(fragment="#case=delivery-002")
    opened.page.locator(".answer select").first.select_option(label="alias")
    opened.wait("location.hash.includes('sides=alias%2Cnovember')")
    assert opened.page.locator(".answer select").first.locator("option:checked").inner_text() == "alias"


def test_each_repeat_can_be_read(make_run: MakeRun, open_page: Open) -> None:
    opened = open_page(make_run(cases=12, repeats=3).build(), fragment="#case=billing-005")
    opened.page.locator(".repeats button").nth(1).click()
    opened.wait("location.hash.includes('repeat=1')")
    assert "fails" in opened.page.locator(".pairwise", has_text="Scores").inner_text()


def test_a_case_shows_why_it_failed_and_how_to_run_it_again(open_page: Open) -> None:
    text = open_page(fragment="#case=delivery-002").page.locator("#case").inner_text()
    assert "not JSON as asked: one code fence around the answer" in text
    assert "snapdrift run evals/ticket-triage.yaml --gate default --case=delivery-002 --standin" in text
    assert re.search(r"request id\s+req_[0-9a-f]{16}", text)


def test_the_rerun_command_quotes_what_a_shell_would_take(make_run: MakeRun, open_page: Open) -> None:
    opened = open_page(make_run(ids=["a'; rm -rf $HOME #"]).build(), fragment="#case=a'%3B%20rm%20-rf%20%24HOME%20%23")
    assert opened.text(".rerun code").endswith("""--case='a'\\''; rm -rf $HOME #' --standin""")


def test_a_command_is_copied(open_page: Open) -> None:
    opened = open_page(fragment="#case=delivery-002")
    opened.page.locator(".rerun button").click()
    opened.wait("document.querySelector('.rerun button').textContent === 'copied'")
    assert opened.page.evaluate("() => navigator.clipboard.readText()").endswith("--case=delivery-002 --standin")


def test_the_prompt_opens_by_a_key(open_page: Open) -> None:
    opened = open_page(fragment="#case=delivery-002")
    opened.press("p")
    assert "Answer only with the JSON asked for." in opened.text("details.prompt pre")


@pytest.mark.parametrize("source", [Source.SIMULATED, Source.RECORDED])
def test_every_answer_that_no_model_gave_bears_its_label(make_run: MakeRun, open_page: Open, source: Source) -> None:
    opened = open_page(make_run(source=source).build())
    labels = [opened.page.locator(f"{place} .label", has_text=source.value).count() for place in (".top", ".variants")]
    assert labels == [1, 3]
    assert opened.page.locator(".answer > header .label", has_text=source.value).count() == 2


def test_a_comparison_opens_its_cases(open_page: Open) -> None:
    opened = open_page()
    opened.page.locator(".forest a.opens", has_text="queue").first.click()
    opened.wait("document.getElementById('metric').value === 'queue'")
    assert opened.page.locator("#variant").input_value() == "november"


def test_the_keys_are_explained(open_page: Open) -> None:
    opened = open_page()
    opened.press("?")
    assert opened.page.locator("#keys").is_visible()
    opened.press("Escape")
    assert not opened.page.locator("#keys").is_visible()


def test_it_is_dark_where_the_system_is_dark(open_page: Open) -> None:
    opened = open_page(color_scheme="dark")
    assert opened.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 27)"


def test_the_theme_can_be_chosen_and_is_kept(open_page: Open) -> None:
    opened = open_page(color_scheme="light")
    opened.page.locator("#theme").click()
    opened.page.locator("#theme").click()
    opened.page.reload()
    opened.page.wait_for_selector("html[data-ready]")
    assert opened.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 27)"


def test_print_has_the_changed_cases_and_not_the_browser_of_cases(open_page: Open) -> None:
    opened = open_page(media="print")
    assert (opened.page.locator(".changed").is_visible(), opened.page.locator("#cases").is_visible()) == (True, False)


def test_without_script_the_changed_cases_can_still_be_read(
    make_run: MakeRun, tmp_path: Path, chromium: Browser
) -> None:
    path = write_reports(build_view(make_run().build()), tmp_path).html
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.locator(".changed").is_visible()
    context.close()


@pytest.mark.parametrize("width", [390, 768, 1024, 1400])
def test_the_page_never_scrolls_sideways(open_page: Open, width: int) -> None:
    opened = open_page()
    opened.page.set_viewport_size({"width": width, "height": 800})
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_control_has_a_name(open_page: Open) -> None:
    nameless = """() => [...document.querySelectorAll('button, select, input, a')].filter((each) =>
        !(each.textContent.trim() || each.getAttribute('aria-label'))).map((each) => each.outerHTML)"""
    assert open_page().page.evaluate(nameless) == []


def _luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` (WCAG 2.2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_contrasts_with_its_background(open_page: Open, scheme: str) -> None:
    opened = open_page(color_scheme=scheme)
    colours = ["--ink", "--muted", "--accent", "--worse", "--better", "--paper", "--raised", "--selected"]
    read = "(names) => names.map((name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim())"
    light = dict(zip(colours, map(_luminance, opened.page.evaluate(read, colours)), strict=True))
    ratios = [
        (max(light[text], light[back]) + 0.05) / (min(light[text], light[back]) + 0.05)
        for text in colours[:5]
        for back in colours[5:]
    ]
    assert min(ratios) >= 4.5


def test_a_hostile_answer_is_text_and_does_nothing(make_run: MakeRun, open_page: Open) -> None:
    data: RunData = make_run(texts=HOSTILE).build()
    opened = open_page(data, fragment="#right=november")
    letters = re.compile(r"[a-z]+")
    for case, hostile in zip(held(data).cases, HOSTILE, strict=False):
        opened.page.evaluate("hash => { location.hash = hash; }", f"#case={case.id}&right=november")
        opened.page.locator(".case-head h3", has_text=case.id).wait_for()
        opened.press("d")
        shown = opened.page.locator(".answer").nth(1).locator("pre").text_content() or ""
        assert letters.findall(shown) == letters.findall(hostile)
    assert opened.page.title().startswith("ticket-triage")
    assert opened.complaints == []


def test_five_megabytes_of_hostile_text_are_text_and_do_nothing(make_run: MakeRun, open_page: Open) -> None:
    opened = open_page(make_run(texts=[HUGE]).build(), fragment="#case=billing-001&right=november")
    opened.page.locator(".answer:nth-child(2) pre").wait_for()
    assert len(opened.text(".answer:nth-child(2) pre")) < 60_000
    assert opened.page.locator(".answer:nth-child(2) pre b").count() == 0
    assert opened.complaints == []


def test_hostile_names_are_text_and_do_nothing(make_run: MakeRun, open_page: Open) -> None:
    opened = open_page(make_run(ids=HOSTILE).build())
    for _ in HOSTILE:
        opened.press("j")
    opened.page.fill("#q", "script")
    opened.wait("document.getElementById('shown').textContent.includes(' of ')")
    assert opened.page.title().startswith("ticket-triage")
    assert opened.complaints == []


def test_characters_that_do_not_show_are_spelled_out(make_run: MakeRun, open_page: Open) -> None:
    opened = open_page(make_run(texts=HOSTILE).build(), fragment="#case=delivery-006&right=november")
    assert opened.page.locator(".answer").nth(1).locator(".acting").all_inner_texts() == [
        "U+2028", "U+2029", "U+202E", "U+202C",
    ]  # fmt: skip


def test_a_very_long_answer_is_cut_until_it_is_asked_for(make_run: MakeRun, open_page: Open) -> None:
    opened = open_page(make_run(texts=["word " * 200_000]).build(), fragment="#case=billing-001&right=november")
    assert len(opened.text(".answer:nth-child(2) pre")) < 30_000
    opened.page.locator(".more").click()
    assert len(opened.page.locator(".answer:nth-child(2) pre").text_content() or "") == 1_000_000


def test_two_long_answers_that_share_nothing_do_not_hang_the_page(make_run: MakeRun, open_page: Open) -> None:
    long = " ".join(f"word{number}" for number in range(1_500))
    opened = open_page(
        make_run(texts=[long], answer_length=12_000).build(), fragment="#case=billing-001&right=november"
    )
    opened.wait("document.querySelectorAll('.answer mark').length > 0")
    assert opened.complaints == []


# -------------------------------------------------------------------------------------------------------- why it moved


def test_the_facet_shows_the_cases_that_a_fence_made_worse(open_page: Open) -> None:
    opened = open_page(fragment="#metric=valid&variant=november&cause=code_fence")
    part = opened.page.locator(".explained.regressed .causes tbody tr").first
    assert part.locator("th").inner_text() == "format: code fence"
    worse = int(part.locator("td").nth(1).inner_text())
    assert worse > 0
    assert opened.count_of("newly_failing") == worse
    assert opened.text("#shown") == f"{worse} of 60"
    assert opened.page.locator("#cause").input_value() == "code_fence"
    assert opened.complaints == []


def test_any_format_and_content_are_facets_of_their_own_and_are_cleared_with_the_rest(open_page: Open) -> None:
    opened = open_page(fragment="#metric=queue&variant=november")
    counts = {}
    for cause in ("format", "content", "content+"):
        opened.page.locator("#cause").select_option(cause)
        counts[cause] = opened.text("#shown")
    assert len(set(counts.values())) == 3
    assert "cause=content%2B" in opened.page.url
    opened.page.locator("#clear").click()
    assert opened.text("#shown") == "60"
    assert opened.page.locator("#cause").input_value() == ""


def test_a_number_of_the_section_opens_the_cases_that_it_counts(open_page: Open) -> None:
    opened = open_page()
    link = opened.page.locator(".explained.regressed .causes a").first
    counted = link.inner_text()
    link.click()
    opened.wait("new URLSearchParams(location.hash.slice(1)).get('cause') === 'code_fence'")
    assert opened.text("#shown") == f"{counted} of 60"


def test_the_case_says_what_is_the_matter_with_its_form(open_page: Open) -> None:
    opened = open_page(fragment="#metric=valid&variant=november&cause=code_fence")
    said = "one code fence around it; the same answer passes when the fence goes."
    assert said in opened.text(".why-moved")


def test_a_case_beside_another_variant_is_not_explained_by_what_moved_this_one(open_page: Open) -> None:
    opened = open_page(fragment="#metric=valid&variant=november&cause=code_fence")
    opened.press("v")
    opened.wait("new URLSearchParams(location.hash.slice(1)).get('sides') === 'august,alias'")
    assert opened.page.locator(".why-moved").count() == 0


def test_hostile_wording_of_graders_is_shown_as_text(make_run: MakeRun, open_page: Open) -> None:
    data = make_run(cases=60).build()
    told = tuple(
        replace(one, groups=tuple(replace(group, pattern=text) for group in one.groups for text in HOSTILE[:8]))
        for one in data.evaluation.attributions
    )
    opened = open_page(replace(data, evaluation=replace(data.evaluation, attributions=told)))
    assert opened.page.title() == "ticket-triage: regression, exit 1"
    assert opened.page.locator(".alike .pattern").first.inner_text() == HOSTILE[0]
    assert opened.complaints == []
