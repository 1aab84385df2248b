"""Watching that has silently ended is told from an alias that does not move."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from snapdrift.pipeline import LastReport, RunOptions, last_reports
from snapdrift.store.watch_state import WatchState, locked_state, watch_path

DAY = 86_400.0
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.fixture
def suite(workspace) -> Path:
    root: Path = workspace(cases=20, max_blind=0.5)
    return root / "evals" / "capitals.yaml"


def report(suite: Path, **state: object) -> LastReport:
    root = suite.parents[1] / ".snapdrift"
    if state:
        with locked_state(watch_path(root, "capitals", "default"), "capitals", "default") as file:
            file.write(WatchState("capitals", "default", **state))  # type: ignore[arg-type]
    (found,) = last_reports([suite], RunOptions(), 3 * DAY, NOW)
    return found


def test_a_suite_that_was_never_watched_is_not_overdue(suite: Path) -> None:
    found = report(suite)
    assert (found.overdue, found.since, found.silent_s) == (False, "", 0.0)


def test_a_night_is_overdue_once_it_is_longer_ago_than_it_may_be(suite: Path) -> None:
    assert not report(suite, nights=4, last_night="2026-11-24T12:00:00+00:00").overdue
    found = report(suite, nights=5, last_night="2026-11-24T11:59:00+00:00")
    assert (found.overdue, found.reported_at, found.nights) == (True, "2026-11-24T11:59:00+00:00", 5)


def test_nights_that_begin_and_never_count_are_overdue_by_the_first(suite: Path) -> None:
    found = report(suite, nights=4, first_night="2026-11-23T02:00:00+00:00")
    assert (found.overdue, found.reported_at, found.since) == (True, "", "2026-11-23T02:00:00+00:00")
