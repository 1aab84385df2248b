"""Makes the list of all runs: what each came to, and how its metrics went from run to run.

Runs without a whole verdict (partial, not gated, not finished) are listed and feed no line.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from snapdrift.conclusions import Decision
from snapdrift.model import DecisionWord
from snapdrift.reports.figures import percent, typeset, usd
from snapdrift.reports.labels import STOPPED_EARLY
from snapdrift.reports.runs_index import (
    UNFINISHED,
    IndexData,
    IndexedRun,
    IndexView,
    LevelRow,
    MetricLine,
    RunRow,
    SuiteIndex,
)
from snapdrift.reports.sparkline import Level, lay_out_sparkline
from snapdrift.reports.view import SOURCE_LABELS
from snapdrift.reports.words import DECISION_WORDS, badge
from snapdrift.verdicts.history import FinishedRun, Move, Point, Series, build_series, find_moves

DRAWN_POINTS = 60
"""How many runs a line shows; a series that is longer says of how many they are the newest."""
_DELETED = "run file deleted"
_PARTIAL = "partial run"
_COMMIT = 10
_CHANGED = {
    "cases": "other cases: a new line",
    "graders": "another grader version: a new line",
    "suite": "the suite was changed",
    "model": "other models answered",
}


def build_index(data: IndexData, now: datetime) -> IndexView:
    """The view model. Suites are in the order of their newest runs."""
    runs = sorted(data.runs, key=lambda run: (run.started_at, run.run_id), reverse=True)
    feeding = sorted((*runs, *data.drawn), key=lambda run: (run.started_at, run.run_id), reverse=True)
    finished = [run.finished for run in feeding if run.finished is not None]
    moves, series = find_moves(finished), build_series(finished)
    by_suite: dict[str, list[IndexedRun]] = defaultdict(list)
    for run in runs:
        by_suite[run.suite].append(run)
    roles = _roles(finished)
    suites = []
    for suite, of_suite in by_suite.items():
        moved = [move for move in moves if move.suite == suite]
        current, ended = _split([one for one in series if one.suite == suite])
        suites.append(
            SuiteIndex(
                suite=suite,
                rows=tuple(_row(run, moved, data.reports) for run in of_suite),
                unlisted=data.unlisted.get(suite, 0),
                lines=_lines(current, moved, roles, data.reports),
                ended=_lines(ended, moved, roles, data.reports),
                moves=tuple(_move_text(move) for move in reversed(moved)),
            )
        )
    return IndexView(
        written_at=now.strftime("%Y-%m-%d %H:%M"),
        suites=tuple(suites),
        decisions=_decisions(runs),
        unreadable=data.unreadable,
    )


# --------------------------------------------------------------------------------------------------------------- runs


def _row(run: IndexedRun, moves: Iterable[Move], reports: Mapping[str, str]) -> RunRow:
    return RunRow(
        run_id=run.run_id,
        suite=run.suite,
        gate=run.gate,
        when=_when(run.started_at),
        started_at=run.started_at,
        decision=run.decision.value if run.decision else UNFINISHED,
        badge=_badge(run),
        said=typeset(run.said),
        more=max(run.reasons - 1, 0),
        labels=_labels(run, moved=any(move.run_id == run.run_id for move in moves)),
        models=run.models,
        commit=run.commit[:_COMMIT] + ("+" if run.commit and run.dirty else ""),
        cost=_cost(run),
        attempt=run.attempt,
        report=reports.get(run.run_id),
    )


def _badge(run: IndexedRun) -> str:
    if run.decision is None:
        return "not finished"
    return badge(Decision(run.decision))


def _labels(run: IndexedRun, *, moved: bool) -> tuple[str, ...]:
    """What must be known of a run before it is compared with another."""
    return (
        *[SOURCE_LABELS[source] for source in run.sources if source in SOURCE_LABELS],
        *([_PARTIAL] if run.partial else []),
        *([STOPPED_EARLY] if run.stopped_early else []),
        *(["alias moved"] if moved else []),
        *([_DELETED] if run.deleted else []),
    )


def _cost(run: IndexedRun) -> str:
    if run.deleted or run.decision is None:
        return ""
    return usd(run.usd) + ("" if run.paid or run.usd is None else " (not paid)")


def _when(moment: str) -> str:
    return moment[:16].replace("T", " ")


def _decisions(runs: Iterable[IndexedRun]) -> tuple[tuple[str, str], ...]:
    found = {run.decision for run in runs}
    known = [(word.value, DECISION_WORDS[word]) for word in DecisionWord if word in found]
    return (*known, *([(UNFINISHED, "not finished")] if None in found else []))


# --------------------------------------------------------------------------------------------------------------- lines

_Roles = Mapping[tuple[str, str, str], str]


def _roles(finished: Iterable[FinishedRun]) -> _Roles:
    """By suite, gate and variant what it was in the newest run: `baseline` or `candidate`."""
    roles: dict[tuple[str, str, str], str] = {}
    for run in finished:
        gate = run.evaluation.gate
        for candidate in (*(pair.candidate for pair in gate.pairs), *(one.candidate for one in gate.alone)):
            roles.setdefault((run.suite, run.gate, candidate), "candidate")
        for pair in gate.pairs:
            roles.setdefault((run.suite, run.gate, pair.baseline), "baseline")
    return roles


def _split(series: Sequence[Series]) -> tuple[list[Series], list[Series]]:
    """The series that go on, and those in whose place others have come: of other cases, or another grader version."""
    newest: dict[tuple[str, ...], Series] = {}
    for one in series:
        key = _key(one)
        if key not in newest or newest[key].points[-1].started_at <= one.points[-1].started_at:
            newest[key] = one
    current = [one for one in series if newest[_key(one)] is one]
    ended = [one for one in series if newest[_key(one)] is not one]
    return current, ended


def _key(series: Series) -> tuple[str, ...]:
    return (series.gate, series.metric, series.variant, series.model, series.source.value)


def _lines(
    series: Iterable[Series], moves: Sequence[Move], roles: _Roles, reports: Mapping[str, str]
) -> tuple[MetricLine, ...]:
    """The lines by gate and metric, candidates before their baseline."""
    lines = [_line(one, moves, roles, reports) for one in sorted(series, key=_key)]
    return tuple(sorted(lines, key=lambda line: (line.gate, line.metric, line.role == "baseline")))


def _line(series: Series, moves: Sequence[Move], roles: _Roles, reports: Mapping[str, str]) -> MetricLine:
    moved = {
        move.run_id
        for move in moves
        if not move.judge and (move.variant, move.source) == (series.variant, series.source)
    }
    points = series.points[-DRAWN_POINTS:]
    last = points[-1]
    levels = [Level(point.mean, point.low, point.high, point.run_id in moved) for point in points]
    return MetricLine(
        gate=series.gate,
        metric=series.metric,
        variant=series.variant,
        model=series.model,
        role=roles.get((series.suite, series.gate, series.variant), ""),
        label=SOURCE_LABELS.get(series.source, ""),
        level=percent(last.mean),
        interval=_interval(last),
        n=last.n,
        drawing=lay_out_sparkline(levels),
        described=_described(series, points, levels),
        shown=len(points),
        total=len(series.points),
        rows=tuple(_level_row(point, point.run_id in moved, reports) for point in reversed(points)),
    )


def _level_row(point: Point, moved: bool, reports: Mapping[str, str]) -> LevelRow:  # noqa: FBT001
    told = [_CHANGED[what] for what in point.changed if not (moved and what == "model")]
    return LevelRow(
        run_id=point.run_id,
        when=_when(point.started_at),
        level=percent(point.mean),
        interval=_interval(point),
        n=point.n,
        models=point.resolved,
        told=(*(["alias moved"] if moved else []), *told),
        report=reports.get(point.run_id),
    )


def _described(series: Series, points: Sequence[Point], levels: Sequence[Level]) -> str:
    """A line in words, for those who do not see it."""
    first, last = points[0], points[-1]
    label = SOURCE_LABELS.get(series.source)
    what = f"{series.metric} of {series.variant}{f' ({label})' if label else ''}"
    now = f"{percent(last.mean)} {_interval(last)} on {last.started_at[:10]}"
    if len(points) == 1:
        return f"{what}: {now}, one run"
    means = [point.mean for point in points]
    moves = [
        f"; the alias moved on {point.started_at[:10]}"
        for point, level in zip(points, levels, strict=True)
        if level.moved
    ]
    span = f"between {percent(min(means))} and {percent(max(means))}"
    return f"{what}: {now}, {percent(first.mean)} on {first.started_at[:10]}, {len(points)} runs {span}{''.join(moves)}"


def _interval(point: Point) -> str:
    return f"[{percent(point.low).rstrip('%')}, {percent(point.high).rstrip('%')}]"


def _move_text(move: Move) -> str:
    label = SOURCE_LABELS.get(move.source)
    who = f"the judge of `{move.judge}`" if move.judge else f"`{move.variant}`"
    return (
        f"{move.started_at[:10]}: the alias {move.requested} of {who}{f' ({label})' if label else ''} moved from "
        f"{', '.join(move.before)} to {', '.join(move.now)}, first in run {move.run_id}"
    )
