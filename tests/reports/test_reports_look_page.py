"""How the page looks and is used: order, sections, paper, narrow screens, keyboard, and what axe-core finds."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.reports.accessibility import violations
from tests.reports.browsing import SCREEN, Open
from tests.reports.test_reports_calibration import calibration
from tests.reports.test_reports_confusions import confusion

from snapdrift.calibrations import JudgeStatus
from snapdrift.gradings import Gradings
from snapdrift.reports import RunData

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
MakeRun = Callable[..., Any]
PAPER = {"width": 688, "height": 1000}
"""The width of A4 between the margins of the page, in CSS pixels."""
UNFOLD = "() => document.querySelectorAll('details').forEach((one) => { one.open = true; })"


def judged_run(make_run: MakeRun, **more: Any) -> RunData:
    """A run with labels that are taken for each other and judges of which something is known."""
    data: RunData = make_run(**more).build()
    labels = [f"label {number}" for number in range(7)]
    evaluation = replace(
        data.evaluation,
        calibrations=(calibration(), calibration("alias", JudgeStatus.UNCALIBRATED, arms=(), drawn=0)),
        gradings=Gradings(confusions=(confusion("august", 9, labels), confusion("november", 7, labels))),
    )
    return replace(data, evaluation=evaluation, warnings=tuple(f"note {number}" for number in range(8)))


def sideways(page: Page) -> list[str]:
    """What is wider than the page, as far as it does not scroll in a place of its own."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("body *")].filter((one) => one.getClientRects().length
            && !one.closest(".scroll, .visually-hidden, .skip, svg")
            && one.getBoundingClientRect().right > innerWidth + 1)
            .map((one) => `${one.tagName} ${one.className}`)"""
    )
    return found


def test_axe_finds_nothing_on_the_usual_page_light_dark_narrow_and_with_its_keys_open(open_page: Open) -> None:
    opened = open_page()
    opened.page.evaluate(UNFOLD)
    assert violations(opened.page) == []
    opened.page.emulate_media(color_scheme="dark")
    assert violations(opened.page) == []
    opened.page.set_viewport_size({"width": 390, "height": 800})
    opened.wait("document.querySelector('#variants .scroll').tabIndex === 0")
    assert violations(opened.page) == []
    opened.page.set_viewport_size(SCREEN)  # type: ignore[arg-type]
    opened.wait("document.querySelector('#variants .scroll').tabIndex === -1")
    opened.press("?")
    assert violations(opened.page) == []
    assert opened.complaints == []


def test_axe_finds_nothing_on_a_run_with_repeats_judges_and_labels(make_run: MakeRun, open_page: Open) -> None:
    opened = open_page(judged_run(make_run, cases=12, repeats=3))
    opened.page.evaluate(UNFOLD)
    assert violations(opened.page) == []
    assert opened.complaints == []


def test_axe_would_find_a_control_without_a_name(open_page: Open) -> None:
    opened = open_page()
    opened.page.evaluate("() => document.querySelector('main').append(document.createElement('button'))")
    assert any("critical: button-name" in line for line in violations(opened.page))


def test_a_link_to_a_section_goes_there_unfolds_it_and_leaves_the_address(open_page: Open) -> None:
    opened = open_page(fragment="#case=billing-009&tag=reply")
    before = opened.page.url
    assert not opened.page.locator("#levels table").is_visible()
    opened.page.locator("a.goes", has_text="Levels").focus()
    opened.press("Enter")
    opened.wait("document.activeElement.id === 'levels'")
    assert opened.page.locator("#levels table").is_visible()
    assert opened.page.evaluate("document.getElementById('levels').getBoundingClientRect().top < innerHeight")
    assert (opened.page.url, opened.selected) == (before, "billing-009")
    assert opened.complaints == []


def test_the_address_of_a_section_opens_the_page_there(open_page: Open) -> None:
    opened = open_page(fragment="#provenance")
    opened.wait("document.getElementById('provenance').getBoundingClientRect().top < innerHeight")
    assert opened.page.locator("#provenance dl").first.is_visible()
    assert opened.selected == "delivery-002"


def test_nothing_moves_on_the_first_screen_while_the_page_loads(open_page: Open) -> None:
    shifts = """() => new Promise((done) => {
        const found = [];
        const take = (entries) => found.push(...entries.map((one) => one.value));
        const observer = new PerformanceObserver((list) => take(list.getEntries()));
        observer.observe({ type: "layout-shift", buffered: true });
        requestAnimationFrame(() => requestAnimationFrame(() => { take(observer.takeRecords()); done(found); }));
    })"""
    page = open_page().page
    # On a slow machine a page is parsed in several portions, and what is drawn of the first must not move.
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": 6})
    for _ in range(3):
        page.reload()
        assert page.evaluate(shifts) == []


def test_verdicts_of_judged_metrics_are_whole_at_1280_and_tables_scroll_alone_on_a_phone(
    make_run: MakeRun, open_page: Open
) -> None:
    opened = open_page(judged_run(make_run, cases=30))
    opened.page.evaluate(UNFOLD)
    cut = "() => document.querySelector('.comparisons .scroll').scrollWidth > document.querySelector('.comparisons .scroll').clientWidth"  # noqa: E501
    for width in (1280, 1024, 700, 390):
        opened.page.set_viewport_size({"width": width, "height": 800})
        assert (width, opened.page.evaluate(cut)) == (width, False)
        assert (width, sideways(opened.page)) == (width, [])
    gap = """() => document.querySelector('.comparisons .scroll + p').getBoundingClientRect().top
        - document.querySelector('.forest').getBoundingClientRect().bottom"""
    assert opened.page.evaluate(gap) >= 6
    assert opened.complaints == []


def test_paper_has_the_first_screen_and_the_changed_cases_and_nothing_is_cut_off(
    make_run: MakeRun, open_page: Open
) -> None:
    opened = open_page(judged_run(make_run, cases=60), media="print", color_scheme="dark")
    opened.page.set_viewport_size(PAPER)  # type: ignore[arg-type]
    sections = "() => [...document.querySelectorAll('main > section')].filter((one) => one.getClientRects().length).map((one) => one.classList[0])"  # noqa: E501
    assert opened.page.evaluate(sections) == ["comparisons", "operations", "changed"]
    assert sideways(opened.page) == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= PAPER["width"]
    assert opened.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    told = opened.page.locator("body").inner_text()
    for words in ("regression, exit 1", "uncalibrated judge", "delivery-002", "valid, november: unextracted", "note 7"):
        assert words in told
    assert not opened.page.locator("nav, .side, #theme").first.is_visible()
    assert opened.complaints == []


def test_a_pdf_has_the_pages_that_it_takes_and_no_more(open_page: Open, tmp_path: Path) -> None:
    opened = open_page()
    printed = opened.page.pdf(format="A4")
    assert printed.startswith(b"%PDF-")
    assert 2 <= len(re.findall(rb"/Type /Page\b(?!s)", printed)) <= 4


def test_what_is_selected_is_outlined_where_colours_are_forced(open_page: Open) -> None:
    opened = open_page(forced_colors="active")
    style = "() => getComputedStyle(document.querySelector('.row[aria-current]')).outlineStyle"
    assert opened.page.evaluate(style) == "solid"
    assert opened.page.evaluate("matchMedia('(forced-colors: active)').matches")


def test_the_keyboard_reaches_the_sections_and_shows_where_it_is(open_page: Open) -> None:
    opened = open_page()
    visited = []
    for _ in range(8):
        opened.press("Tab")
        visited.append(
            opened.page.evaluate(
                "() => [document.activeElement.className || document.activeElement.id, getComputedStyle(document.activeElement).outlineWidth]"  # noqa: E501
            )
        )
    assert visited[0][0] == "skip"
    assert "goes" in [name for name, _ in visited]
    assert {outline for _, outline in visited} == {"2px"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_must_be_seen_to_use_a_control_stands_out_from_every_ground(open_page: Open, scheme: str) -> None:
    names = ["--line", "--paper", "--raised", "--band"]
    read = "(names) => names.map((name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim())"
    line, *grounds = map(_luminance, open_page(color_scheme=scheme).page.evaluate(read, names))
    ratios = [(max(line, ground) + 0.05) / (min(line, ground) + 0.05) for ground in grounds]
    assert min(ratios) >= 3


def _luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` (WCAG 2.2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
