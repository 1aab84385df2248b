"""The list of cases in a real Chromium: filters, orders, search, keys, addresses, and reports split into pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.reports.browsing import Open, Opened, open_in
from tests.reports.held import changed, held

from snapdrift.model import Outcome, Reason
from snapdrift.reports import RunData, View, build_view, write_reports
from snapdrift.reports.case_views import AnswerView, CaseGroup, CaseView

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

pytestmark = pytest.mark.browser
MakeRun = Callable[..., Any]
SETTLED = "document.getElementById('rows').dataset.settled === 'true'"
CATASTROPHE = r"/^(\s|.)*(\w|.)*(\d|.)*!!!$/"


def _shows(opened: Opened, text: str) -> None:
    opened.wait(f"document.getElementById('shown').textContent === {text!r} && {SETTLED}")


def _arrives(opened: Opened, file: str, shows: str) -> None:
    opened.page.wait_for_url(f"**/{file}**")
    opened.page.wait_for_selector(f"html[data-ready] {shows}")


def _ids(opened: Opened) -> list[str]:
    return opened.page.locator("a.row .name").all_inner_texts()


def _answers(case: CaseView, variant: str) -> list[AnswerView]:
    return [answer for answer in case.answers if answer.variant == variant]


def _texts(case: CaseView, variant: str) -> set[str]:
    return {a.response.text for a in _answers(case, variant) if a.response is not None and a.outcome.measured}


def _differs(case: CaseView) -> bool:
    said = [_texts(case, name) for name in ("august", "november", "alias")]
    return any(said[0] != other for other in said[1:] if said[0] and other)


def _failed(case: CaseView, reason: Reason) -> bool:
    return any(score.reason is reason for answer in case.answers for score in answer.scores)


@pytest.fixture(scope="module")
def usual(make_run: MakeRun) -> View:
    return build_view(make_run(cases=60).build())


@pytest.mark.parametrize(
    ("key", "value", "has"),
    [
        ("tag", "golden", lambda case: "golden" in case.case.tags),
        ("why", "wrong", lambda case: _failed(case, Reason.WRONG)),
        ("outcome", "api_error", lambda case: any(a.outcome is Outcome.API_ERROR for a in case.answers)),
        ("differs", "1", _differs),
    ],
)
def test_a_filter_leaves_the_cases_that_have_it_and_back_takes_it_away(
    usual: View, open_page: Open, key: str, value: str, has: Callable[[CaseView], bool]
) -> None:
    opened = open_page()
    wanted = sum(map(has, usual.cases))
    field = opened.page.locator(f"#{key}")
    field.check() if key == "differs" else field.select_option(value)
    _shows(opened, f"{wanted} of 60")
    assert 0 < wanted < 60
    assert f"{key}={value}" in opened.page.url
    opened.page.go_back()
    _shows(opened, "60")
    assert not field.is_checked() if key == "differs" else field.input_value() == ""
    assert opened.complaints == []


def test_filters_narrow_each_other_and_one_button_takes_all_of_them_away(usual: View, open_page: Open) -> None:
    opened = open_page(fragment="#variant=alias&metric=queue&tag=reply&differs=1&sort=id")
    among = [case for case in usual.cases if "reply" in case.case.tags]
    differing = [c for c in among if _texts(c, "august") != _texts(c, "alias")]
    assert 0 < len(differing) < len(among)
    assert opened.text("#shown") == f"{len(differing)} of 60"
    assert opened.page.locator("#differs").is_checked()
    opened.page.locator("#outcome").select_option("api_error")
    _shows(opened, "0 of 60")
    assert "No case passes these filters" in opened.text("#rows")
    opened.page.locator("#clear-here").click()
    _shows(opened, "60")
    assert (opened.page.locator("#differs").is_checked(), opened.page.locator("#sort").input_value()) == (False, "id")
    assert opened.complaints == []


def test_alike_answers_are_told_from_different_ones_between_the_variants_looked_at(
    make_run: MakeRun, open_page: Open
) -> None:
    data: RunData = make_run(cases=20).build()
    same = tuple(replace(r, text="the same") if r.outcome is Outcome.OK else r for r in held(data).responses)
    only = tuple(
        replace(r, text="other") if (r.call.case_id, r.call.variant) == ("billing-001", "alias") else r for r in same
    )
    opened = open_page(changed(data, responses=only), fragment="#differs=1")
    assert opened.text("#shown") == "1 of 20"
    assert "billing-001" in opened.text("#rows")
    opened.page.locator("#variant").select_option("november")
    _shows(opened, "0 of 20")
    assert opened.complaints == []


def test_the_list_can_be_ordered_by_what_it_says_and_the_order_is_in_the_address(usual: View, open_page: Open) -> None:
    def called(case: CaseView, read: Callable[[Any], float]) -> float:
        return max(read(a.response) for a in case.answers if a.response is not None)

    def difference(case: CaseView) -> float:
        values = {(a.variant, s.metric): s.value for a in case.answers for s in a.scores}
        pairs = [
            (values.get(("august", m)), values.get((v, m)))
            for v in ("november", "alias")
            for m in ("valid", "queue", "tone")
        ]
        return max((round(abs(b - a), 4) for a, b in pairs if a is not None and b is not None), default=-1)

    measures: dict[str, Callable[[CaseView], float]] = {
        "latency": lambda case: called(case, lambda r: round(r.latency_ms or 0)),
        "usd": lambda case: called(case, lambda r: round((r.usd or 0) * 1e6)),
        "length": lambda case: called(case, lambda r: len(r.text)),
        "difference": difference,
    }
    opened = open_page()
    for name, measure in measures.items():
        opened.page.locator("#sort").select_option(name)
        opened.wait(
            f"document.querySelector('a.row.flat .moved')?.textContent && {SETTLED}"
            f" && location.hash.includes('sort={name}')"
        )
        opened.page.evaluate("document.getElementById('list').scrollTop = 0")
        opened.wait("document.querySelector('.item').style.top === '0px'")
        ordered = sorted(usual.cases, key=lambda case: -measure(case))
        assert _ids(opened)[:12] == [case.case.id for case in ordered][:12], name
    opened.page.locator("#sort").select_option("id")
    opened.wait("document.querySelector('a.row.flat .name').textContent === 'account-003'")
    opened.page.locator("#sort").select_option("")
    opened.wait("document.querySelector('button.group')")
    assert "sort=" not in opened.page.url
    assert opened.complaints == []


def test_a_row_that_fails_on_one_metric_and_passes_on_another_says_both_and_is_counted_once(
    make_run: MakeRun, open_page: Open
) -> None:
    data = make_run(cases=140).build()
    view = build_view(data)
    mixed = next(
        case
        for case in view.cases
        if {change.group for change in case.changes} == {CaseGroup.NEWLY_FAILING, CaseGroup.NEWLY_PASSING}
    )
    opened = open_page(data, fragment=f"#case={mixed.case.id}")
    row = opened.page.locator("a.row[aria-current]")
    passing = {change.metric for change in mixed.changes if change.group is CaseGroup.NEWLY_PASSING}
    assert row.locator(".also").get_attribute("title") == f"newly passing: {', '.join(passing)}"
    assert (
        row.locator(".moved").inner_text().startswith(tuple(c.metric for c in mixed.changes if c.metric not in passing))
    )
    counted = {group: opened.count_of(group.value) for group in CaseGroup}
    assert counted == dict(view.counts)
    assert opened.complaints == []


def test_a_case_whose_repeats_disagree_says_how_many_passed(make_run: MakeRun, open_page: Open) -> None:
    data = make_run(cases=12, repeats=3).build()
    opened = open_page(data, fragment="#group=flaky")
    assert "3 of 3 → 2 of 3" in opened.page.locator("a.row .moved").first.inner_text()
    assert opened.complaints == []


def test_the_keys_lead_through_the_list_into_the_case_and_back(open_page: Open) -> None:
    opened = open_page()
    focused = "() => document.activeElement.id || document.activeElement.className"
    opened.press("j")
    opened.wait("document.querySelector('.case-head h3').textContent === 'returns-004'")
    opened.press("Enter")
    assert opened.page.evaluate(focused) == "case"
    opened.press("Escape")
    assert opened.page.evaluate(focused) == "row"
    opened.press("ArrowDown")
    opened.press("Enter")
    opened.wait("document.querySelector('.case-head h3').textContent === 'account-007'")
    assert opened.page.evaluate(focused) == "case"
    opened.press("k")
    opened.wait("document.querySelector('.case-head h3').textContent === 'returns-004'")
    opened.press("/")
    opened.page.keyboard.type("returns")
    _shows(opened, "15 of 60")
    opened.press("Escape")
    assert (opened.page.evaluate(focused), opened.page.locator("#q").input_value()) == ("row", "returns")
    opened.press("?")
    assert opened.page.locator("#keys").is_visible()
    opened.press("j")
    assert opened.selected == "returns-004"
    opened.press("Escape")
    opened.page.locator("button.group").first.focus()
    opened.press("Enter")
    assert opened.page.locator("button.group").first.get_attribute("aria-expanded") == "false"
    assert opened.complaints == []


def test_an_address_is_followed_when_it_is_edited_and_shows_a_case_that_its_filters_hide(open_page: Open) -> None:
    opened = open_page(fragment="#case=returns-012&tag=golden&metric=queue")
    assert opened.selected == "returns-012"
    assert opened.text(".walk .place") == "not in this list"
    opened.page.evaluate("location.hash = '#case=billing-001&q=billing&sort=id'")
    opened.wait("document.querySelector('.case-head h3').textContent === 'billing-001'")
    _shows(opened, "15 of 60")
    assert [opened.page.locator(f"#{name}").input_value() for name in ("tag", "q", "sort")] == ["", "billing", "id"]
    opened.page.go_back()
    opened.wait("document.querySelector('.case-head h3').textContent === 'returns-012'")
    assert opened.page.locator("#q").input_value() == ""
    assert opened.complaints == []


def test_a_search_says_what_is_wrong_with_an_expression_and_where_and_counts_nothing_by_it(open_page: Open) -> None:
    opened = open_page()
    opened.page.fill("#q", "/returns-(0[1-3]/")
    opened.wait("document.getElementById('note').textContent")
    assert opened.text("#note") == "not a regular expression: unterminated group, at character 9: (0[1-3]"
    assert (opened.text("#shown"), opened.count_of("unchanged") > 0) == ("not searched", True)
    assert opened.page.locator("#q").get_attribute("aria-invalid") == "true"
    opened.page.fill("#q", "/returns-(0[1-3])/")
    _shows(opened, "7 of 60")
    assert (opened.text("#note"), opened.page.locator("#q").get_attribute("aria-invalid")) == ("", "false")
    opened.page.fill("#q", "/^We are sorry/")
    _shows(opened, "0 of 60")
    opened.page.fill("#q", "/^golden$/")
    _shows(opened, "6 of 60")
    assert opened.complaints == []


def test_an_expression_that_takes_for_ever_is_ended_and_the_page_goes_on(make_run: MakeRun, open_page: Open) -> None:
    opened = open_page(make_run(texts=["a " * 80_000]).build())
    opened.page.fill("#q", CATASTROPHE)
    opened.wait("document.getElementById('rows').dataset.settled === 'false'")
    opened.press("Escape")
    opened.press("p")
    opened.wait("document.querySelector('details.prompt').open")
    opened.wait("document.getElementById('note').textContent.includes('takes too long')")
    opened.page.fill("#q", "a a a")
    _shows(opened, "1 of 30")
    assert opened.text("#note") == "of 1 very long text, the first 100,000 characters are searched"
    assert opened.complaints == []


def test_two_thousand_cases_are_searched_and_scrolled_with_only_the_rows_in_sight(
    make_run: MakeRun, open_page: Open
) -> None:
    opened = open_page(make_run(cases=2000).build(), fragment="#sort=id")
    opened.wait(f"document.querySelector('a.row.flat') && {SETTLED}")
    assert opened.page.locator("#rows .item").count() < 60
    opened.page.evaluate("document.getElementById('list').scrollTop = 1e9")
    opened.wait("document.querySelector('[data-row=\"1999\"]')")
    assert opened.page.locator("#rows .item").count() < 60
    assert opened.page.locator("[data-row='1999']").locator(".name").inner_text() == "returns-2000"
    opened.page.fill("#q", "/we are sorry/i")
    opened.wait(f"{SETTLED} && document.getElementById('shown').textContent.includes(' of 2,000')")
    assert opened.text("#shown") == "1,999 of 2,000"
    assert opened.complaints == []


def test_thousands_of_tags_are_typed_into_a_field_that_offers_them(make_run: MakeRun, open_page: Open) -> None:
    data: RunData = make_run(cases=30).build()
    tagged = tuple(
        replace(case, tags=tuple(f"tag-{place}-{n}" for n in range(100))) for place, case in enumerate(held(data).cases)
    )
    opened = open_page(changed(data, cases=tagged))
    assert opened.page.locator("#tag-names option").count() == 3000
    opened.page.fill("#tag", "tag-3-99")
    opened.press("Enter")
    _shows(opened, "1 of 30")
    assert "tag=tag-3-99" in opened.page.url
    assert opened.complaints == []


def test_a_report_that_is_split_leads_from_its_list_through_its_pages_and_back(
    make_run: MakeRun, tmp_path: Path, context: BrowserContext
) -> None:
    view = build_view(make_run(cases=400, answer_length=700).build())
    paths = write_reports(view, tmp_path, split_mb=0.2)
    assert len(paths.case_pages) > 2
    opened = open_in(context, paths.html)
    assert opened.text("#shown") == "400"
    opened.page.fill("#q", "returns")
    _shows(opened, "100 of 400")
    assert "only ids and tags are searched here" in opened.text("#note")
    opened.page.locator("#q").press("Enter")
    opened.wait("document.activeElement.matches('a.row[aria-current]')")
    opened.press("Enter")
    _arrives(opened, "cases/0001.html", ".rerun")
    assert "cases/0001.html#case=returns-" in opened.page.url
    assert opened.page.locator("#q").input_value() == "returns"
    opened.page.locator("#turning .next").click()
    _arrives(opened, "cases/0002.html", ".rerun")
    first = opened.selected
    assert first.startswith("returns")
    opened.press("k")
    _arrives(opened, "cases/0001.html", ".rerun")
    assert opened.page.locator("a.row").last.get_attribute("aria-current") == "true"
    opened.press("j")
    _arrives(opened, "cases/0002.html", ".rerun")
    assert opened.selected == first
    opened.page.locator("#turning .all").click()
    _arrives(opened, "index.html", ".elsewhere")
    assert (opened.selected, opened.page.locator("#q").input_value()) == (first, "returns")
    assert opened.complaints == []
