"""Labels taken for each other, as the page, the terminal and `verdict.json` show them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from snapdrift.gradings import Confusion, Gradings
from snapdrift.model import MetricSpec, Reason, Score, ScoreKind
from snapdrift.reports import RunData, build_view, render_terminal, verdict_document, write_reports
from snapdrift.reports.html import render_html
from snapdrift.verdicts.confusions import confusion_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MakeRun = Callable[..., Any]
LABELS = ("billing", "sales")


def confusion(variant: str, right: int, labels: Sequence[str] = LABELS, ungraded: int = 0) -> Confusion:
    """Of ten answers to each label's cases, `right` are right, and the rest name the next label."""
    metric = MetricSpec("queue", "queue", ScoreKind.PASS_FAIL, labels=tuple(labels))
    scores = [
        Score("c", variant, 0, "queue", float(n < right), n < right, Reason.WRONG, facts={"expected": e, "found": f})
        for place, e in enumerate(labels)
        for n in range(10)
        for f in [e if n < right else labels[(place + 1) % len(labels)]]
    ]
    return confusion_of(metric, variant, scores, ungraded)


def run_with(make_run: MakeRun, *confusions: Confusion) -> RunData:
    data: RunData = make_run(cases=4).build()
    return replace(data, evaluation=replace(data.evaluation, gradings=Gradings(confusions=confusions)))


def test_each_candidate_stands_beside_its_baseline_with_the_difference(make_run: MakeRun) -> None:
    view = build_view(run_with(make_run, confusion("august", 9), confusion("november", 7), confusion("alias", 9)))

    assert [(one.baseline, one.candidate, one.macro) for one in view.confusions] == [
        ("august", "november", "−0.200"),
        ("august", "alias", "0.000"),
    ]
    assert view.confusions[0].rows[0].baseline == ("0.900", "0.900", "0.900")
    assert view.confusions[0].rows[0].candidate == ("0.700", "0.700", "0.700")


def test_a_variant_without_its_pair_stands_alone(make_run: MakeRun) -> None:
    (one,) = build_view(run_with(make_run, confusion("november", 7, ungraded=3))).confusions

    assert (one.baseline, one.macro, len(one.matrices)) == (None, "–", 1)
    assert one.notes == ("3 answers of `november` have no score and are left out",)


def test_the_terminal_says_macro_f1(make_run: MakeRun) -> None:
    text = render_terminal(build_view(run_with(make_run, confusion("august", 9), confusion("november", 7))))

    assert "queue: macro-F1 of `november` 0.700, of `august` 0.900 (−0.200)" in text


def test_verdict_json_has_the_counts(make_run: MakeRun) -> None:
    (one,) = verdict_document(build_view(run_with(make_run, confusion("august", 9))))["confusions"]

    assert one["counts"] == [[9, 1], [1, 9]]
    assert one["by_label"][0] == {
        "label": "billing", "expected": 10, "found": 10, "precision": 0.9, "recall": 0.9, "f1": 0.9,
    }  # fmt: skip


def test_the_diagonal_of_the_page_is_what_is_right(make_run: MakeRun) -> None:
    page = render_html(build_view(run_with(make_run, confusion("august", 9), confusion("november", 10))))

    right = re.findall(r'<td class="num right[^"]*">([^<]*)</td>', page)
    assert right == ["9", "9", "10", "10"]


def test_a_run_without_choices_has_no_such_section(make_run: MakeRun) -> None:
    assert 'id="confusions"' not in render_html(build_view(make_run(cases=4).build()))


def test_hostile_labels_are_text(make_run: MakeRun) -> None:
    labels = ("<script>alert(1)</script>", "`x` {{ 7 * 7 }}")

    page = render_html(build_view(run_with(make_run, confusion("august", 9, labels))))

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "{{ 7 * 7 }}" in page


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1400])
def test_twelve_labels_do_not_make_the_page_scroll_sideways(
    make_run: MakeRun, chromium: Browser, tmp_path: Path, width: int
) -> None:
    labels = [f"a rather long label {number}" for number in range(12)]
    data = run_with(make_run, confusion("august", 9, labels), confusion("november", 7, labels))
    page = chromium.new_page(viewport={"width": width, "height": 900})
    page.goto(write_reports(build_view(data), tmp_path).html.as_uri())
    page.wait_for_selector("html[data-ready]")
    page.locator(".confusion > summary").first.click()

    assert page.locator(".confusion-plot").first.is_visible()
    page.locator(".confusion details > summary").first.click()
    assert page.locator(".matrix").first.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()
