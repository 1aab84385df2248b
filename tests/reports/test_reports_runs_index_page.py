"""The list of all runs in a real Chromium: filters and their addresses, links, without script, no request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.reports.accessibility import violations
from tests.reports.browsing import SCREEN, Opened
from tests.reports.listed_runs import NOVEMBER, index, listed_run, run_id

from snapdrift.model import DecisionWord, Source
from snapdrift.reports.runs_html import write_index

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

pytestmark = pytest.mark.browser
BAD = "<b>x</b>&amp;\"'\u202e"


@pytest.fixture(scope="module")
def page_path(make_run: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list of two suites; the newest run of the first has a report, the second has a hostile name."""
    evaluation = make_run(cases=20).build().evaluation
    folder = tmp_path_factory.mktemp("reports")
    report = folder / "triage" / run_id(6) / "index.html"
    report.parent.mkdir(parents=True)
    report.write_text("<title>its report</title>")
    runs = [listed_run(evaluation, day) for day in (1, 2)]
    runs += [listed_run(evaluation, 3, answered=NOVEMBER, decision=DecisionWord.REGRESSION)]
    runs += [listed_run(evaluation, day, Source.SIMULATED) for day in (4, 5, 6)]
    runs += [replace(listed_run(evaluation, 7), suite=BAD, finished=None, decision=None, run_id=BAD)]
    write_index(index(*runs, reports={run_id(6): f"triage/{run_id(6)}/index.html"}), folder / "index.html")
    return folder / "index.html"


def opened_at(context: BrowserContext, path: Path, fragment: str = "") -> Opened:
    opened = Opened(context.new_page())
    opened.page.on("console", lambda message: opened.complaints.append(message.text))
    opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.page.on("request", lambda request: opened.requests.append(request.url))
    opened.page.goto(path.as_uri() + fragment)
    opened.page.wait_for_selector("html[data-ready]")
    return opened


def shown_rows(opened: Opened) -> int:
    return opened.page.locator("tr[data-decision]:visible").count()


def test_filters_hide_rows_and_suites_and_have_an_address_that_back_undoes(
    page_path: Path, context: BrowserContext
) -> None:
    opened = opened_at(context, page_path)
    assert shown_rows(opened) == 7
    opened.page.select_option("#decision", "regression")
    assert (shown_rows(opened), opened.text("#shown")) == (1, "1 shown")
    assert opened.page.locator(".of-suite:visible").count() == 1
    opened.page.select_option("#suite", "triage")
    assert opened.page.locator(".of-suite:visible").count() == 1
    assert opened.page.url.endswith("#suite=triage&decision=regression")
    opened.page.go_back()
    assert opened.page.url.endswith("#decision=regression")
    opened.page.go_back()
    assert (shown_rows(opened), opened.page.locator(".of-suite:visible").count()) == (7, 2)

    again = opened_at(context, page_path, "#suite=triage&decision=passed")
    assert (shown_rows(again), again.page.input_value("#decision")) == (5, "passed")
    nothing = opened_at(context, page_path, "#suite=triage&decision=unfinished")
    assert (shown_rows(nothing), nothing.page.locator(".lines:visible").count()) == (0, 0)
    assert nothing.text("#shown") == "no run was decided so"
    unknown = opened_at(context, page_path, "#suite=nobody")
    assert shown_rows(unknown) == 7
    assert opened.complaints == again.complaints == unknown.complaints == []


def test_the_page_asks_for_nothing_and_its_policy_lets_nothing_in(page_path: Path, context: BrowserContext) -> None:
    opened = opened_at(context, page_path)
    assert opened.requests == [page_path.as_uri()]
    assert opened.complaints == []
    refused = opened.page.evaluate("""() => new Promise((done) => {
        const found = [];
        document.addEventListener("securitypolicyviolation", (event) => {
            if (found.push(event.effectiveDirective) === 2) done(found.sort());
        });
        document.body.append(Object.assign(document.createElement("img"), { src: "https://example.invalid/x.png" }));
        document.body.append(Object.assign(document.createElement("iframe"), { src: "https://example.invalid/" }));
    })""")
    assert refused == ["frame-src", "img-src"]
    assert opened.page.title() == "All runs"


def test_lines_are_labelled_and_marked_and_their_table_and_the_report_can_be_reached_by_keys(
    page_path: Path, context: BrowserContext
) -> None:
    opened = opened_at(context, page_path)
    moved = opened.page.get_by_role("img", name="queue of alias: ").first
    assert "the alias moved on 2026-11-03" in str(moved.get_attribute("aria-label"))
    assert moved.locator("path.moved").count() == 1
    simulated = opened.page.get_by_role("img", name="queue of alias (simulated)")
    assert simulated.count() == 1
    assert simulated.locator("path.moved").count() == 0

    summary = opened.page.locator(".behind-line summary").first
    summary.focus()
    opened.press("Enter")
    assert opened.page.locator(".behind:visible tbody tr").count() == 3
    boxes = opened.page.locator("summary:visible, select:visible").evaluate_all(
        "all => all.map((one) => one.getBoundingClientRect().height)"
    )
    assert min(boxes) >= 24
    link = opened.page.locator(".runs a").first
    link.focus()
    opened.press("Enter")
    opened.page.wait_for_url("**/triage/**")
    assert opened.page.title() == "its report"
    assert opened.complaints == []


def test_without_script_every_run_can_be_read_and_filters_are_not_there(page_path: Path, chromium: Browser) -> None:
    context = chromium.new_context(viewport=SCREEN, java_script_enabled=False)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(page_path.as_uri())
    assert page.locator("tr[data-decision]:visible").count() == 7
    assert page.locator("#filters:visible").count() == 0
    assert page.locator("h2", has_text="<b>x</b>&amp;").count() == 1
    context.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 1400), ("light", 390)])
def test_the_list_of_runs_can_be_used_by_everybody(
    page_path: Path, context: BrowserContext, scheme: Any, width: int
) -> None:
    opened = opened_at(context, page_path)
    opened.page.emulate_media(color_scheme=scheme)
    opened.page.set_viewport_size({"width": width, "height": 900})
    assert violations(opened.page) == []
    for told in (".num.strong", ".interval", ".cases-of"):
        box = opened.page.locator(f".lines > tbody > tr > {told}").first.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= width
