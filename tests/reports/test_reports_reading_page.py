"""What a reviewer reads first, in a real Chromium: margins, a case's own question, where answers differ, what fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.reports.accessibility import violations
from tests.reports.browsing import Opened, open_in
from tests.reports.held import changed

from snapdrift.model import (
    CallKey,
    CallResult,
    Case,
    Gate,
    MetricGate,
    MetricSpec,
    Outcome,
    Pair,
    Reason,
    Response,
    Results,
    Score,
    ScoreKind,
    Source,
)
from snapdrift.reports import RunData, View, build_view, write_reports
from snapdrift.reports.asked import PromptView
from snapdrift.verdicts import RunFacts, evaluate

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

pytestmark = pytest.mark.browser

PARTS = ("vendor", "net", "tax", "number", "due_date", "total", "invented")
SAME = "The parcel is late. " * 2_000
FAMILIES = ("\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f468\u200d\U0001f469\u200d\U0001f466")
THUMBS = ("\U0001f44d\U0001f3fd", "\U0001f44d\U0001f3ff")
WRITTEN = ("\u0643\u064e\u062a\u064e\u0628", "\u0643\u064f\u062a\u064e\u0628")
ANSWERS = {
    "family": (f"Great {FAMILIES[0]} day\u00a0one", f"Great {FAMILIES[1]} day one"),
    "thumbs": (f"Well {THUMBS[0]} done {WRITTEN[0]}", f"Well {THUMBS[1]} done {WRITTEN[1]}"),
    "long": (f"{SAME}It is here.{SAME}", f"{SAME}It is gone.{SAME}"),
    "invoice": ("total 5", "total 6"),
}
EXPECTED = dict.fromkeys(PARTS, "as it stands on the paper")


def metric(name: str, **more: Any) -> MetricSpec:
    return MetricSpec(name, name.split(".")[0], more.pop("kind", ScoreKind.PASS_FAIL), **more)


METRICS = (
    *(metric(f"fields.{part}", higher_is_better=part != "invented") for part in PARTS),
    metric("tone", kind=ScoreKind.GRADED, scale=(1.0, 5.0), judged=True, has_pass_mark=False),
)


def scores(key: CallKey) -> list[Score]:
    """`fields.due_date` of the candidate is wrong, it invents something, and its tone is a step lower."""
    candidate, at = key.variant == "november", (key.case_id, key.variant, key.repeat)
    found = []
    for part in PARTS:
        value = float(candidate) if part == "invented" else float(not candidate or part != "due_date")
        passed = (value == 0) if part == "invented" else value == 1
        reason = Reason.PASSED if passed else Reason.WRONG
        found.append(Score(*at, f"fields.{part}", value, passed, reason, "", {"read": key.variant}, 0))
    return [*found, Score(*at, "tone", 0.5 if candidate else 0.75, False, Reason.WRONG, "a word")]


@pytest.fixture(scope="module")
def data(make_run: Callable[..., Any]) -> RunData:
    """Four cases asked of two variants that say neither what they took nor what they cost."""
    usual: RunData = make_run(cases=4).build()
    variants = usual.variants[:2]
    cases = tuple(Case(name, {}, EXPECTED, ()) for name in ANSWERS)
    keys = [CallKey(case.id, variant.name, 0) for case in cases for variant in variants]
    responses = tuple(
        Response(key, Outcome.OK, "gpt-4o", ANSWERS[key.case_id][key.variant == "november"], source=Source.OUTPUTS)
        for key in keys
    )
    graded = tuple(score for key in keys for score in scores(key))
    gate = Gate("default", (Pair("august", "november"),), tuple(MetricGate(one.name, 0.05) for one in METRICS))
    calls = {key: CallResult(Outcome.OK, None, None, None, None, Source.OUTPUTS) for key in keys}
    everywhere = {one.name: frozenset(ANSWERS) for one in METRICS}
    results = Results(cases, variants, 1, METRICS, calls, graded, everywhere)
    return changed(
        usual,
        variants=variants,
        metrics=METRICS,
        cases=cases,
        responses=responses,
        scores=graded,
        evaluation=evaluate(results, gate, RunFacts(seed=7)),
        prompt=lambda case, _: PromptView(f"[instructions]\nBe brief.\n\n[user]\nAbout {case}?", said=f"About {case}?"),
    )


@pytest.fixture(scope="module")
def view(data: RunData) -> View:
    return build_view(data)


@pytest.fixture(scope="module")
def page_path(view: View, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reports(view, tmp_path_factory.mktemp("reading")).html


@pytest.fixture
def at(page_path: Path, context: BrowserContext) -> Callable[[str], Opened]:
    return lambda case: open_in(context, page_path, f"#case={case}")


def marks(opened: Opened, side: int) -> list[str]:
    return opened.page.locator(".answer").nth(side).locator("mark").all_text_contents()


def test_the_plot_says_margins_less_is_better_and_cuts_no_name_inside_a_word(at: Callable[[str], Opened]) -> None:
    opened = at("invoice")
    assert all(
        not text.startswith(("+", "−")) for text in opened.page.locator(".forest .axis text").all_text_contents()
    )
    assert opened.text(".forest .unit").split() == ["points", "margin"]
    told = opened.page.locator(".forest tbody tr", has_text="invented")
    assert "less is better" in told.locator("th").inner_text()
    assert told.locator(".interval .under").inner_text() == "margin 5.0"
    assert opened.page.locator(".forest tbody th", has_text="less is better").count() == 1
    cut = """() => [...document.querySelectorAll(".forest tbody th a")].flatMap((link) => [...link.childNodes])
        .filter((one) => one.nodeType === 3).filter((one) => {
            const range = document.createRange(); range.selectNodeContents(one);
            return range.getClientRects().length > 1;
        }).map((one) => one.textContent)"""
    for width in (1440, 1024, 390):
        opened.page.set_viewport_size({"width": width, "height": 900})
        assert opened.page.evaluate(cut) == []
    assert violations(opened.page) == []
    assert opened.complaints == []


def test_a_case_shows_its_own_question_and_what_was_expected_without_pushing_the_answers_away(
    at: Callable[[str], Opened],
) -> None:
    opened = at("invoice")
    assert opened.text(".prompt .preview") == "About invoice?"
    expected = opened.page.locator("details.expected")
    heights = expected.evaluate(
        "one => [one.getBoundingClientRect().height, parseFloat(getComputedStyle(one).lineHeight)]"
    )
    assert heights[0] <= 6 * heights[1]
    assert '"vendor": "as it stands on the paper"' in expected.locator(".preview").inner_text()
    assert not expected.locator("pre").is_visible()
    expected.locator("summary").focus()
    opened.press("Enter")
    assert expected.locator("pre").inner_text().count("\n") == len(PARTS) + 1
    opened.press("j")
    opened.press("k")
    opened.wait("document.querySelector('details.expected').open")
    assert opened.complaints == []


def test_scores_that_fail_or_differ_stand_first_and_an_extraction_is_told_once(at: Callable[[str], Opened]) -> None:
    opened = at("invoice")
    table = opened.page.locator(".pairwise", has_text="Scores")
    rows = table.locator("tbody th").all_inner_texts()
    assert [row.removesuffix("uncalibrated judge") for row in rows] == ["fields.due_date", "fields.invented", "tone"]
    assert opened.page.locator("#case").inner_text().count("extracted") == 2
    assert opened.text(".passing summary") == "5 pass on both"
    opened.page.locator(".passing summary").click()
    assert opened.page.locator(".passing tbody tr:visible").count() == 5
    assert opened.complaints == []


def test_a_scale_on_which_nothing_was_said_to_pass_has_levels_and_worse_and_better(
    view: View, at: Callable[[str], Opened]
) -> None:
    opened = at("invoice")
    tone = opened.page.locator(".pairwise tbody tr", has_text="tone").first.locator("td")
    assert [text.split("\n")[0].strip() for text in tone.all_inner_texts()] == ["4 of 5", "3 of 5"]
    assert opened.page.locator(".answer footer .level").all_inner_texts() == ["tone 4 of 5", "tone 3 of 5"]
    assert "worse: tone" in opened.text(".case-head")
    assert "On tone, 4 cases are worse, none better." in view.change_sentences[0][1]
    assert "newly failing or worse" in opened.text("[data-kind=newly_failing]")
    worse = next(row.comparison for row in view.comparisons if row.comparison.metric == "tone")
    assert worse.newly_failing == tuple(ANSWERS)
    assert opened.complaints == []


def test_orders_by_what_was_not_measured_are_not_offered(at: Callable[[str], Opened]) -> None:
    opened = at("invoice&sort=latency")
    offered = opened.page.locator("#sort option").all_inner_texts()
    assert offered == ["changed cases first", "by id", "largest difference", "longest answer"]
    assert opened.page.locator(".group").count() > 0
    assert opened.complaints == []


def test_a_word_that_differs_in_a_long_answer_is_found_and_the_rest_is_there_when_it_is_wanted(
    at: Callable[[str], Opened],
) -> None:
    opened = at("long")
    assert (marks(opened, 0), marks(opened, 1)) == (["here"], ["gone"])
    assert f"first differ at character {len(SAME) + 7:,}" in opened.text(".note")
    first = opened.page.locator(".answer pre").first
    assert len(first.inner_text()) < 2_000
    while opened.page.locator(".answer .more").count():
        opened.page.locator(".answer .more").first.click()
    assert first.text_content() == ANSWERS["long"][0]
    assert opened.complaints == []


def test_marks_hold_whole_characters_and_spell_out_what_does_not_show(at: Callable[[str], Opened]) -> None:
    opened = at("family")
    assert marks(opened, 0) == [FAMILIES[0], "U+00A0"]
    assert marks(opened, 1) == [FAMILIES[1], " "]
    opened.press("j")
    opened.wait("document.querySelector('.case-head h3').textContent === 'thumbs'")
    assert marks(opened, 0) == [THUMBS[0], WRITTEN[0]]
    assert opened.complaints == []


def test_without_script_there_is_no_hole_where_the_case_would_be(page_path: Path, chromium: Browser) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(page_path.as_uri())
    assert page.locator("#case").evaluate("one => one.getBoundingClientRect().height") < 200
    context.close()
