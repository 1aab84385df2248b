"""Whether `watch` still reports: a schedule that has silently ended looks like an alias that never moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from snapdrift.pipeline.options import RunOptions
from snapdrift.pipeline.prepare import prepare_all
from snapdrift.store.watch_state import locked_state, watch_path


@dataclass(frozen=True, slots=True)
class LastReport:
    """When a suite's watch last reported, under the gate that watches it.

    `nights` were begun; `reported_at` is when the last one ended that counted for something, `since` when the waiting
    began (that night, or the first one if none has counted yet). Both are ISO 8601, empty where nothing was begun.
    `silent_s` are the seconds since then, 0 where nothing was begun.
    """

    suite: str
    gate: str
    nights: int
    reported_at: str
    since: str
    silent_s: float
    overdue: bool


def last_reports(
    paths: Sequence[Path], options: RunOptions, within_s: float, now: datetime | None = None
) -> tuple[LastReport, ...]:
    """When each suite's watch last reported, by the state folder; overdue is what is longer ago than `within_s`.

    A suite that was never watched is not overdue: its first night is still to come. Nothing is asked and nothing is
    written. Raises `SnapdriftError`.
    """
    reports = []
    for one in prepare_all(paths, options):
        state_dir = options.output.state_dir or one.workspace.state_dir
        path = watch_path(state_dir, one.suite.name, one.gate.name)
        with locked_state(path, one.suite.name, one.gate.name) as file:
            state = file.read()
        since = state.last_night or state.first_night
        silent = _seconds_since(since, now or datetime.now(UTC))
        late = bool(since) and silent > within_s
        reports.append(LastReport(state.suite, state.gate, state.nights, state.last_night, since, silent, late))
    return tuple(reports)


def _seconds_since(moment: str, now: datetime) -> float:
    try:
        then = datetime.fromisoformat(moment)
    except ValueError:
        return 0.0
    return max(0.0, (now - (then if then.tzinfo else then.replace(tzinfo=UTC))).total_seconds())
