"""What the top of the page says, and the words that stand beside verdicts."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from snapdrift.model import Verdict
from snapdrift.reports import build_view
from snapdrift.reports.html import render_html
from snapdrift.reports.operations import strips_of
from snapdrift.reports.top import sections, top_of
from snapdrift.reports.view import View
from snapdrift.reports.words import disagreement_sentence, standing_note


@pytest.fixture(scope="module")
def view(make_run: Callable[..., Any]) -> View:
    return build_view(make_run(cases=60).build())


def test_the_top_says_why_what_regressed_or_improved_did_so(view: View) -> None:
    top = top_of(view)

    assert [why.row.comparison.verdict for why in top.whys] == [Verdict.REGRESSED, Verdict.IMPROVED]
    assert "format −20.3 points [−30.6, −12.5] (code fence in 12 cases)" in top.whys[0].sentence
    assert view.headline not in top.reasons
    assert [note.kind for note in top.notes] == ["Note"] * len(view.notes)


def test_what_stands_in_brackets_at_the_top_is_named_where_there_is_any(view: View) -> None:
    assert top_of(view).interval == "In brackets: 90% intervals."
    plain = replace(view, headline="Nothing was compared.", reasons=(), explanations=())
    assert top_of(plain).interval == ""


def test_long_lists_of_notes_fold_after_the_first_few_with_their_count(view: View) -> None:
    page = render_html(replace(view, notes=tuple(f"note {number}" for number in range(9))))

    assert "<summary>5 more notes</summary>" in page
    assert "more notes" not in render_html(replace(view, notes=tuple(f"note {number}" for number in range(5))))


def test_every_section_that_is_named_is_on_the_page_and_in_that_order(view: View) -> None:
    page = render_html(view)

    named = re.findall(r'<a class="goes" href="#([\w-]+)"', page)
    found = re.findall(r'<section class="[\w -]+" id="([\w-]+)"', page)
    assert named == found
    assert named[:4] == ["comparisons", "operations", "cases", "why-it-moved"]


def test_a_run_that_compares_nothing_names_no_section_that_is_not_there(make_run: Callable[..., Any]) -> None:
    data = make_run(cases=4).build()
    evaluation = replace(
        data.evaluation, gate=replace(data.evaluation.gate, pairs=()), comparisons=(), operational=(), attributions=()
    )
    alone = build_view(replace(data, evaluation=evaluation))

    assert next(name for name, _ in sections(alone, endings=False)) == "cases"
    named = re.findall(r'<a class="goes" href="#([\w-]+)"', render_html(alone))
    assert all(f'id="{name}"' in render_html(alone) for name in named)


def test_one_line_a_candidate_says_what_it_costs_takes_and_writes(view: View) -> None:
    first = strips_of(view)[0]

    assert (first.baseline, first.candidate) == ("august", "november")
    assert [item.name for item in first.items] == ["cost", "latency p50", "output tokens", "coverage"]
    assert first.items[-1].values == "100% → 98.3%"
    assert re.fullmatch(r"\d\.\d\d s → \d\.\d\d s", first.items[1].values)


def test_a_broken_limit_is_said_in_that_line(view: View) -> None:
    over = tuple(
        replace(one, limit="limit +20%: over it, shown", broken=one.operational.metric == "latency_p95")
        for one in view.operational
    )

    (broken,) = [item for item in strips_of(replace(view, operational=over))[0].items if item.broken]
    assert (broken.name, broken.broken) == ("p95 latency", "limit +20%: over it, shown")


def test_a_verdict_that_decides_nothing_says_so_beside_it(view: View) -> None:
    first = next(row.comparison for row in view.comparisons if row.comparison.gating)

    assert standing_note(first) == ""
    assert standing_note(replace(first, gating=False)) == "(warns only)"
    assert standing_note(replace(first, margin=None, gating=False)) == "(no margin asked)"
    assert "(warns only)" in render_html(view)


@pytest.mark.parametrize(
    ("verdict", "ci", "seems"),
    [
        (Verdict.NO_WORSE, (0.01, 0.1), True),
        (Verdict.INCONCLUSIVE, (-0.1, -0.01), True),
        (Verdict.REGRESSED, (-0.1, 0.01), True),
        (Verdict.IMPROVED, (0.0, 0.1), True),
        (Verdict.NO_WORSE, (-0.1, 0.1), False),
        (Verdict.REGRESSED, (-0.2, -0.1), False),
        (Verdict.INSUFFICIENT, None, False),
    ],
)
def test_it_is_said_which_decides_where_interval_and_verdict_seem_to_disagree(
    view: View, verdict: Verdict, ci: tuple[float, float] | None, seems: bool
) -> None:
    one = replace(view.comparisons[0].comparison, verdict=verdict, ci=ci)
    told = disagreement_sentence([one])

    assert bool(told) is seems
    assert (f"seem to disagree on {one.metric} of {one.candidate}: " in told) is seems
