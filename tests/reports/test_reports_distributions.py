"""How latency and length are spread: percentiles, who is in them, where they stand; and the drawing of a matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.reports.held import changed

from snapdrift.conclusions import VariantSummary
from snapdrift.model import CallKey, Endpoint, Outcome, Response, Usage
from snapdrift.reports import build_view
from snapdrift.reports.axis import axis_over
from snapdrift.reports.distributions import DistributionTally, DistributionView, percentile
from snapdrift.reports.html import render_html
from snapdrift.reports.matrices import plot_matrix

values = st.lists(st.floats(0, 1e6, allow_subnormal=False), min_size=1, max_size=40)


def summary(planned: int, **outcomes: int) -> VariantSummary:
    return VariantSummary(
        name="old", model="gpt-4o", endpoint=Endpoint.RESPONSES, resolved_models={}, planned=planned, requests=planned,
        sources={}, outcomes=outcomes, coverage=1.0, usage=Usage(), usd=0.0, judge_usd=0.0, latency_p50=None,
        latency_p95=None,
    )  # fmt: skip


def answer(number: int, milliseconds: float | None, tokens: int | None = 10, **more: Any) -> Response:
    usage = None if tokens is None else Usage(output_tokens=tokens)
    given = {"outcome": Outcome.OK, "usage": usage, "latency_ms": milliseconds, **more}
    return Response(CallKey(f"c{number}", "old", 0), requested_model="gpt-4o", **given)


def views_of(responses: Iterable[Response], variants: Sequence[VariantSummary]) -> tuple[DistributionView, ...]:
    tally = DistributionTally()
    for response in responses:
        tally.add(response)
    return tally.views(variants)


def latency(*responses: Response, planned: int | None = None, **outcomes: int) -> DistributionView:
    return views_of(responses, [summary(planned or len(responses), **outcomes)])[0]


@given(values, st.integers(0, 100))
def test_percentiles_are_those_of_the_variants_table(found: list[float], share: int) -> None:
    assert percentile(sorted(found), share) == pytest.approx(float(np.percentile(found, share)), abs=1e-6)


def test_five_answers_have_their_percentiles_in_words_and_in_a_sentence() -> None:
    (spread,) = latency(*(answer(n, 100.0 * n) for n in range(1, 6))).spreads

    assert (spread.n, spread.left_out, spread.why) == (5, 0, "")
    assert spread.figures == ("0.12 s", "0.20 s", "0.30 s", "0.40 s", "0.48 s", "0.50 s")
    assert spread.sentence == (
        "Latency of old: 5 answers, median 0.30 s, the middle half from 0.20 s to 0.40 s, nine in ten from 0.12 s to "
        "0.48 s, at most 0.50 s."
    )


def test_who_is_not_in_a_latency_is_counted_with_the_reason() -> None:
    told = latency(
        answer(1, 100.0),
        answer(2, 90_000.0, batched=True),
        answer(3, None),
        answer(4, 50.0, outcome=Outcome.API_ERROR),
        replace(answer(5, 70.0), call=CallKey("c5", "old", 0, grader="helpful")),
        planned=7,
        not_needed=1,
    )

    (spread,) = told.spreads
    assert (spread.n, spread.left_out) == (1, 6)
    assert spread.why == "3 not measured, 1 by batch, where a wait is no latency, 1 not told, 1 not needed"
    assert spread.sentence == "Latency of old: one answer, 0.10 s."


def test_an_answer_by_batch_has_a_length() -> None:
    views = views_of([answer(1, 9e6, batched=True)], [summary(1)])

    assert [(view.name, view.spreads[0].n) for view in views] == [("Output length", 1)]


def test_a_variant_that_answered_nothing_is_in_the_table_without_a_place() -> None:
    other = replace(summary(2), name="new")
    view = views_of([answer(1, 100.0)], [summary(1), other])[0]

    assert (view.spreads[1].places, view.spreads[1].figures[0]) == (None, "–")
    assert view.spreads[1].sentence == "Latency of new: no answer tells it."
    assert views_of([], [summary(1)]) == ()


@given(values)
def test_every_value_has_its_place_on_the_axis_in_its_order(found: list[float]) -> None:
    axis = axis_over(found, str)

    places = [axis.place(value) for value in sorted(found)]
    assert places == sorted(places)
    assert all(0 <= place <= 100 for place in places)
    assert 1 <= len(axis.ticks) <= 7
    assert all(0 <= tick.x <= 100 for tick in axis.ticks)


@pytest.mark.parametrize(
    ("found", "logarithmic", "labels"),
    [
        ([700.0, 1180.0], False, ["600", "800", "1000", "1200"]),
        ([3.0, 90.0], False, ["0", "50", "100"]),
        ([20.0, 60_000.0], True, ["100", "1000", "10000", "100000"]),
        ([0.0, 400.0], True, ["1", "10", "100"]),
        ([13.0, 13.0], False, ["13", "14"]),
        ([0.0], False, ["0", "1"]),
    ],
)
def test_axes_have_round_ends_and_few_marks(found: list[float], logarithmic: bool, labels: list[str]) -> None:
    axis = axis_over(found, lambda value: f"{value:g}")

    assert (axis.logarithmic, [tick.label for tick in axis.ticks]) == (logarithmic, labels)


def test_the_page_draws_each_variant_and_has_a_table_behind(make_run: Callable[..., Any]) -> None:
    data = make_run(cases=12).build()
    page = render_html(build_view(data))

    assert page.count('role="img" aria-label="Latency of ') == 3
    assert page.count('role="img" aria-label="Output length of november: 11 answers') == 1
    assert "<td>1 not measured</td>" in page
    unanswered = changed(data, responses=(), scores=())
    assert 'id="distributions"' not in render_html(build_view(unanswered))


# ------------------------------------------------------------------------------------------------------------- matrices


def test_a_matrix_is_drawn_with_its_counts_and_said_in_a_sentence() -> None:
    plot = plot_matrix("new", ["billing", "sales"], ["no answer"], [[9, 1, 0], [3, 6, 2]])

    assert [(cell.text, cell.right) for cell in plot.cells] == [
        ("9", True), ("1", False), ("3", False), ("6", True), ("2", False),
    ]  # fmt: skip
    assert [label.text for label in plot.columns] == ["billing", "sales", "no answer"]
    assert plot.sentence == (
        "Labels of new: 15 of 21 answers name the label that was expected; most often billing was found where sales "
        "was expected, 3 times."
    )


@given(st.lists(st.lists(st.integers(0, 5000), min_size=7, max_size=7), min_size=7, max_size=7))
def test_cells_lie_in_the_drawing_and_never_hide_their_number(counts: list[list[int]]) -> None:
    plot = plot_matrix("v", [f"label {n}" for n in range(7)], [], counts)

    assert len(plot.cells) == sum(number > 0 for row in counts for number in row)
    assert all(plot.left <= c.x <= plot.width - plot.cell_width for c in plot.cells)
    assert all(plot.top - 0.1 <= c.y <= plot.height - plot.cell_height for c in plot.cells)
    assert all(0 < cell.opacity <= 0.45 for cell in plot.cells)


def test_long_labels_are_cut_and_kept_whole_beside_it() -> None:
    plot = plot_matrix("v", ["x" * 300, "y"], [], [[1, 0], [0, 1]])

    assert (plot.rows[0].text, plot.rows[0].whole) == ("x" * 19 + "…", "x" * 300)
    assert plot.width < 500


def test_a_matrix_of_many_labels_leaves_its_numbers_to_the_table() -> None:
    labels = [str(number) for number in range(60)]
    plot = plot_matrix("v", labels, [], [[int(r == c) for c in range(60)] for r in range(60)])

    assert {cell.text for cell in plot.cells} == {""}
    assert plot.width < 1360
