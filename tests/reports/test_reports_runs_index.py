"""The list of all runs as a value: rows, lines, labels, and the geometry of a line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.reports.listed_runs import AUGUST, NOVEMBER, index, listed_run, run_id

from snapdrift.model import DecisionWord, Source
from snapdrift.reports import RunData
from snapdrift.reports.runs_build import DRAWN_POINTS
from snapdrift.reports.runs_html import render_index
from snapdrift.reports.runs_index import UNFINISHED, IndexedRun, IndexView, MetricLine
from snapdrift.reports.sparkline import HEIGHT, WIDTH, Level, lay_out_sparkline

MakeRun = Callable[..., Any]


@pytest.fixture(scope="module")
def data(make_run: MakeRun) -> RunData:
    found: RunData = make_run(cases=20).build()
    return found


@pytest.fixture
def run(data: RunData) -> Callable[..., IndexedRun]:
    return partial(listed_run, data.evaluation)


def lines_of(view: IndexView, variant: str = "alias", metric: str = "queue") -> list[MetricLine]:
    return [line for line in view.suites[0].lines if (line.variant, line.metric) == (variant, metric)]


def test_a_row_says_what_was_decided_when_of_which_commit_by_which_models_and_for_how_much(
    run: Callable[..., IndexedRun],
) -> None:
    (row,) = index(run(5, dirty=True), reports={run_id(5): "triage/x/index.html"}).suites[0].rows

    assert (row.badge, row.decision, row.when) == ("passed, exit 0", "passed", "2026-11-05 02:00")
    assert (row.commit, row.models, row.cost) == ("4e1c4e1c4e+", (AUGUST, "gpt-4o"), "$1.50")
    assert (row.more, row.report, row.labels) == (2, "triage/x/index.html", ())
    assert "\N{MINUS SIGN}0.4 points" in row.said


@pytest.mark.parametrize(
    ("fields", "badge", "labels", "cost"),
    [
        ({"decision": DecisionWord.REGRESSION}, "regression, exit 1", (), "$1.50"),
        ({"decision": None, "finished": None}, "not finished", (), ""),
        ({"sources": (Source.SIMULATED,), "paid": False}, "passed, exit 0", ("simulated",), "$1.50 (not paid)"),
        ({"sources": (Source.RECORDED, Source.OPENAI), "usd": None}, "passed, exit 0", ("recorded",), "price unknown"),
        ({"decision": DecisionWord.NOT_GATED, "partial": True}, "not gated, exit 5", ("partial run",), "$1.50"),
        ({"stopped_early": True}, "passed, exit 0", ("stopped early",), "$1.50"),
        ({"deleted": True, "models": ()}, "passed, exit 0", ("run file deleted",), ""),
    ],
)
def test_a_row_bears_the_labels_that_its_run_needs(
    run: Callable[..., IndexedRun], fields: dict[str, Any], badge: str, labels: tuple[str, ...], cost: str
) -> None:
    (row,) = index(run(5, **fields)).suites[0].rows
    assert (row.badge, row.labels, row.cost) == (badge, labels, cost)


def test_runs_are_newest_first_and_suites_in_the_order_of_their_newest_run(run: Callable[..., IndexedRun]) -> None:
    older = replace(run(3), suite="other", finished=None)
    view = index(run(2), older, run(7), run(4), unlisted={"triage": 12}, unreadable=("x.db",))

    assert [suite.suite for suite in view.suites] == ["triage", "other"]
    assert [row.run_id for row in view.suites[0].rows] == [run_id(7), run_id(4), run_id(2)]
    assert (view.suites[0].unlisted, view.listed, view.unreadable) == (12, 4, ("x.db",))


def test_the_decisions_to_filter_by_are_those_that_occur(run: Callable[..., IndexedRun]) -> None:
    view = index(run(1), run(2, decision=DecisionWord.REGRESSION), run(3, decision=None, finished=None))
    assert view.decisions == (("passed", "passed"), ("regression", "regression"), (UNFINISHED, "not finished"))


# --------------------------------------------------------------------------------------------------------------- lines


def test_a_line_has_the_level_of_each_run_with_its_interval(run: Callable[..., IndexedRun], data: RunData) -> None:
    (line,) = lines_of(index(run(1), run(2), run(3)))
    (level,) = [one for one in data.evaluation.metrics if (one.variant, one.metric) == ("alias", "queue")]

    assert level.mean is not None
    assert (line.total, line.shown, line.n, line.role) == (3, 3, level.n, "candidate")
    assert line.level == f"{level.mean * 100:.1f}%"
    assert [row.run_id for row in line.rows] == [run_id(3), run_id(2), run_id(1)]
    assert "queue of alias: " in line.described
    assert "3 runs between" in line.described


def test_candidates_come_before_their_baseline(run: Callable[..., IndexedRun]) -> None:
    lines = [line.variant for line in index(run(1)).suites[0].lines if line.metric == "queue"]
    assert lines == ["alias", "november", "august"]


def test_simulated_and_measured_answers_are_never_on_one_line(run: Callable[..., IndexedRun]) -> None:
    view = index(run(1), run(2, Source.SIMULATED), run(3), run(4, Source.SIMULATED), run(5, Source.RECORDED))
    lines = {line.label: [row.run_id for row in line.rows] for line in lines_of(view)}

    assert lines == {"": [run_id(3), run_id(1)], "simulated": [run_id(4), run_id(2)], "recorded": [run_id(5)]}
    assert "queue of alias (simulated)" in next(one.described for one in lines_of(view) if one.label == "simulated")


def test_a_moved_alias_is_marked_in_the_line_named_in_words_and_labels_its_run(run: Callable[..., IndexedRun]) -> None:
    view = index(run(1), run(2), run(3, answered=NOVEMBER), run(4, answered=NOVEMBER))
    (line,), (other,) = lines_of(view), lines_of(view, "august")
    (told,) = view.suites[0].moves

    assert len(line.drawing.moves) == 1
    assert other.drawing.moves == ()
    assert "; the alias moved on 2026-11-03" in line.described
    assert [row.told for row in line.rows] == [(), ("alias moved",), (), ()]
    assert f"the alias gpt-4o of `alias` moved from {AUGUST} to {NOVEMBER}, first in run {run_id(3)}" in told
    assert [row.labels for row in view.suites[0].rows] == [(), ("alias moved",), (), ()]


def test_a_run_that_was_not_gated_or_whole_is_listed_and_feeds_no_line(run: Callable[..., IndexedRun]) -> None:
    view = index(run(1), run(2, finished=None, decision=DecisionWord.NOT_GATED, partial=True))
    (line,) = lines_of(view)

    assert len(view.suites[0].rows) == 2
    assert [row.run_id for row in line.rows] == [run_id(1)]


def test_a_line_of_other_cases_ends_and_a_new_one_says_why_it_begins(run: Callable[..., IndexedRun]) -> None:
    view = index(run(1), run(2), run(3, cases="others"))
    (line,) = lines_of(view)

    assert [row.told for row in line.rows] == [("other cases: a new line",)]
    ended = [one for one in view.suites[0].ended if (one.variant, one.metric) == ("alias", "queue")]
    assert [row.run_id for row in ended[0].rows] == [run_id(2), run_id(1)]


def test_a_long_line_shows_the_newest_runs_and_says_of_how_many(run: Callable[..., IndexedRun]) -> None:
    first = run(1)
    assert first.finished is not None
    many = []
    for number in range(DRAWN_POINTS + 5):
        started = f"2026-10-01T00:{number // 60:02d}:{number % 60:02d}+00:00"
        finished = replace(first.finished, run_id=f"r{number:03d}", started_at=started)
        many.append(replace(first, run_id=f"r{number:03d}", started_at=started, finished=finished))
    (line,) = lines_of(index(*many))

    assert (line.shown, line.total) == (DRAWN_POINTS, DRAWN_POINTS + 5)
    assert line.rows[0].run_id == f"r{DRAWN_POINTS + 4:03d}"


# ------------------------------------------------------------------------------------------------------------ geometry


def points(text: str) -> list[tuple[float, ...]]:
    return [tuple(map(float, pair.split(","))) for pair in text.split()]


def test_a_line_goes_from_left_to_right_up_for_more_inside_its_band() -> None:
    drawing = lay_out_sparkline([Level(0.5, 0.4, 0.6), Level(0.7, 0.6, 0.8, moved=True), Level(0.6, 0.5, 0.7)])
    line, band = points(drawing.line), points(drawing.band)

    assert [x for x, _ in line] == [4, WIDTH / 2, WIDTH - 4]
    assert line[1][1] < line[2][1] < line[0][1]
    upper, lower = band[:3], band[:2:-1]
    assert all(up[1] < at[1] < low[1] for up, at, low in zip(upper, line, lower, strict=True))
    assert drawing.moves == (WIDTH / 2,)
    assert drawing.last == line[-1]


def test_one_level_is_a_dot_with_its_interval_and_no_line() -> None:
    drawing = lay_out_sparkline([Level(0.5, 0.25, 1.0)])

    assert (drawing.line, drawing.band) == ("", "")
    assert drawing.last[0] == WIDTH / 2
    assert drawing.last_interval == (4, HEIGHT - 4)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)).map(sorted), min_size=1, max_size=70))
def test_whatever_the_levels_the_drawing_stays_inside_its_size(levels: list[list[float]]) -> None:
    drawing = lay_out_sparkline([Level(mean, low, high) for low, mean, high in levels])
    drawn = [*points(drawing.line), *points(drawing.band), drawing.last]

    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in drawn)


# ---------------------------------------------------------------------------------------------------------------- page


def test_hostile_names_are_text_on_the_page(run: Callable[..., IndexedRun]) -> None:
    bad = '"><script>alert(1)</script>\u202e{{ 7 * 7 }}'
    page = render_index(
        index(
            replace(run(1), gate=bad, said=bad, models=(bad,), commit=bad),
            replace(run(2), suite=bad, run_id=bad, finished=None),
            reports={bad: "a%22b/index.html"},
            unreadable=(bad,),
        )
    )

    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert r"&lt;script&gt;alert(1)&lt;/script&gt;\u202e{{ 7 * 7 }}" in page
    assert page.count("<script>") == 1
    assert "require-trusted-types-for" in page


def test_without_any_run_the_page_says_so() -> None:
    page = render_index(index())
    assert "There are no runs yet." in page
