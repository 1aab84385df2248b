from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from snapdrift.stats.betting import Claim, log_e_value
from snapdrift.stats.canary import Canary, canary_from_json, new_canary, next_night

WHAT = "tickets, queue, gpt-4o against gpt-4o-2024-08-06"
nights_of_differences = st.lists(st.lists(st.floats(-1, 1), min_size=1, max_size=6), min_size=1, max_size=6)


def watched(nights: list[list[float]], alpha: float = 0.05) -> Canary:
    canary = new_canary(WHAT, alpha)
    for night in nights:
        canary = next_night(canary, night)
    return canary


def answered(generator: np.random.Generator, chances: NDArray[np.float64]) -> NDArray[np.float64]:
    return (generator.random(chances.size) < chances).astype(np.float64)


def test_nothing_is_won_or_lost_before_the_first_night() -> None:
    canary = new_canary(WHAT, 0.05)
    assert canary.log_wealth == pytest.approx(0.0, abs=1e-12)
    assert canary.p_value == 1.0
    assert not canary.alarmed


def test_the_first_night_wins_what_half_the_money_wins_on_the_published_table() -> None:
    # Nine regressions and two improvements are worth 6.08666 to a bet on "lower", by the grid of 32.
    night = [-1.0] * 9 + [1.0] * 2
    higher = math.exp(log_e_value(night, 0.0, Claim.ABOVE))
    canary = watched([night])
    assert math.exp(canary.log_wealth) == pytest.approx(1 / 2 + (6.08666 + higher) / 4, abs=5e-6)
    assert canary.leaning is Claim.BELOW


@given(nights_of_differences)
def test_the_wealth_is_the_mixture_of_bets_begun_on_each_night(nights: list[list[float]]) -> None:
    expected = 1 / (len(nights) + 1)
    for start in range(1, len(nights) + 1):
        since = [value for night in nights[start - 1 :] for value in night]
        both = [math.exp(log_e_value(since, 0.0, claim)) for claim in Claim]
        expected += sum(both) / 2 / (start * (start + 1))
    assert math.exp(watched(nights).log_wealth) == pytest.approx(expected)


@given(nights_of_differences)
def test_the_state_survives_its_file_to_the_last_bit(nights: list[list[float]]) -> None:
    canary = watched(nights)
    assert canary_from_json(json.loads(json.dumps(canary.to_json(), allow_nan=False)), WHAT) == canary


@given(nights_of_differences)
def test_better_is_watched_as_closely_as_worse(nights: list[list[float]]) -> None:
    one, other = watched(nights), watched([[-value for value in night] for night in nights])
    assert one.log_wealth == pytest.approx(other.log_wealth)
    assert (one.log_lower, one.log_higher) == (other.log_higher, other.log_lower)


@given(nights_of_differences, st.randoms())
def test_the_order_of_answers_within_a_night_does_not_matter(nights: list[list[float]], random: Any) -> None:
    shuffled = [random.sample(night, len(night)) for night in nights]
    assert watched(shuffled).log_wealth == pytest.approx(watched(nights).log_wealth)


def test_a_night_without_a_measured_case_changes_nothing() -> None:
    canary = watched([[-1.0, 0.0]])
    assert next_night(canary, [math.nan]) is canary
    assert next_night(canary, []) is canary


def test_an_alarm_stays_raised_and_names_its_night() -> None:
    canary = watched([[0.0] * 10, [-1.0] * 12, [1.0] * 12])
    assert canary.alarmed_on == 2
    assert canary.p_value <= 0.05
    assert watched([[0.0] * 10, [-1.0] * 12]).p_value == canary.p_value


def test_wealth_beyond_all_floats_is_still_a_number() -> None:
    canary = watched([[-1.0] * 1000] * 4)
    assert math.isfinite(canary.log_wealth)
    assert canary.p_value == 0.0
    json.dumps(canary.to_json(), allow_nan=False)


def test_false_alarms_over_many_nights_stay_at_the_stated_rate() -> None:
    generator = np.random.default_rng(1)
    lives, alarms = 200, 0
    for _ in range(lives):
        # The same flickering cases night after night, both sides asked afresh.
        chances = generator.beta(0.8, 0.4, 20)
        canary = new_canary(WHAT, 0.1)
        for _ in range(30):
            canary = next_night(canary, answered(generator, chances) - answered(generator, chances))
        alarms += canary.alarmed
    assert alarms / lives <= 0.1 + 3 * math.sqrt(0.1 * 0.9 / lives)


def test_a_cached_baseline_would_break_the_promise() -> None:
    generator = np.random.default_rng(2)
    lives, alarms = 40, 0
    for _ in range(lives):
        chances = np.full(20, 0.5)
        cached = answered(generator, chances)
        canary = new_canary(WHAT, 0.1)
        for _ in range(60):
            canary = next_night(canary, answered(generator, chances) - cached)
        alarms += canary.alarmed
    assert alarms / lives > 0.3


def test_a_move_after_quiet_months_is_found_in_the_week_that_one_at_the_start_is() -> None:
    generator = np.random.default_rng(3)
    before, after = np.full(30, 0.95), np.full(30, 0.75)

    def nights_to_alarm(quiet: int) -> int:
        canary = new_canary(WHAT, 0.05)
        for _ in range(quiet):
            canary = next_night(canary, answered(generator, before) - answered(generator, before))
        while canary.alarmed_on is None:
            canary = next_night(canary, answered(generator, after) - answered(generator, before))
        return canary.alarmed_on - quiet

    at_once, late = (float(np.median([nights_to_alarm(quiet) for _ in range(15)])) for quiet in (0, 120))
    assert at_once <= 4
    assert late <= 7


@pytest.mark.parametrize("alpha", [0.0, 1.0, math.nan])
def test_a_false_alarm_rate_that_is_none_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="false-alarm rate"):
        new_canary(WHAT, alpha)


def test_differences_outside_their_bounds_are_refused() -> None:
    with pytest.raises(ValueError, match="lie in"):
        next_night(new_canary(WHAT, 0.05), [1.5])


def test_evidence_about_something_else_is_not_carried_over() -> None:
    state = watched([[0.0]]).to_json()
    with pytest.raises(ValueError, match="start a new one"):
        canary_from_json(state, "another suite")


@pytest.mark.parametrize(
    "damage",
    [
        {"format": "snapdrift.canary/0"},
        {"log_lower": [0.0]},
        {"log_higher": None},
        {"log_peak": math.nan},
        {"alpha": 2.0},
        {"nights": 7, "values": 3},
        {"values": "many"},
    ],
)
def test_a_damaged_state_is_refused(damage: dict[str, object]) -> None:
    state = {**watched([[0.0]]).to_json(), **damage}
    with pytest.raises(ValueError, match="canary's state"):
        canary_from_json(state, WHAT)
