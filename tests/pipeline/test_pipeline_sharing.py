"""Time and money are shared so that what is paid for is judged, and reported in time."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.pipeline.sharing import JudgeShare, Schedule, _took, judge_share, schedule

seconds = st.floats(0, 1e5)


def test_without_a_deadline_nothing_ends() -> None:
    assert schedule(None, 10.0, 0.5, 0.0) == Schedule()


@given(seconds, seconds, st.floats(0, 1), seconds)
def test_windows_follow_one_another_and_leave_the_time_that_finishing_takes(
    left: float, finishing: float, judges: float, now: float
) -> None:
    found = schedule(now + left, finishing, judges, now)
    times = (
        *(now, found.answers.starts_until, found.answers.waits_until),
        *(found.judges.starts_until, found.judges.waits_until, now + left),
    )
    known = [time for time in times if time is not None]
    assert len(known) == len(times)
    assert all(before <= after + 1e-6 for before, after in pairwise(known))
    assert known[-1] - known[-2] >= min(finishing, left / 2) - 1e-6
    assert known[2] - known[1] <= 30.0 + 1e-6


def test_twenty_minutes_with_judges_of_a_third_of_the_requests() -> None:
    found = schedule(1200.0, 60.0, 1 / 3, 0.0)
    assert (found.answers.starts_until, found.answers.waits_until) == pytest.approx((730.0, 760.0))
    assert (found.judges.starts_until, found.judges.waits_until) == pytest.approx((1110.0, 1140.0))


def plan(answers: list[tuple[float | None, int]], judges: list[tuple[float | None, int]]) -> Any:
    return SimpleNamespace(
        variants=[SimpleNamespace(usd=usd, calls=calls) for usd, calls in answers],
        judges=[SimpleNamespace(usd=usd, estimate=SimpleNamespace(requests=calls)) for usd, calls in judges],
    )


def test_judges_get_the_part_of_money_and_time_that_the_plan_says() -> None:
    assert judge_share(plan([(2.0, 100), (1.0, 100)], [(1.0, 200)])) == JudgeShare(0.25, 0.5)
    assert judge_share(plan([(None, 100), (1.0, 100)], [(1.0, 200)])) == JudgeShare(0.5, 0.5)
    assert judge_share(plan([(0.0, 0)], [])) == JudgeShare()


@pytest.mark.parametrize("kept", ["nonsense", "[]", '{"usd": "x"}', '{"usd": 7}', "null"])
def test_a_share_in_somebody_elses_file_is_within_bounds(kept: str) -> None:
    stored: Any = SimpleNamespace(meta=lambda _: kept)
    found = JudgeShare.of(stored)
    assert 0.0 <= found.usd <= 1.0
    assert found.seconds == 0.0


@pytest.mark.parametrize("kept", ["nonsense", "[" * 100_000, '["x", 1]', "[1.0, null]", "[NaN, 4]", "7"])
def test_how_long_finishing_took_is_not_known_where_somebody_elses_file_says_nothing_sensible(kept: str) -> None:
    stored: Any = SimpleNamespace(meta=lambda _: kept)
    assert _took(stored) is None
