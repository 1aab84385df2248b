from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.stats.betting import (
    Claim,
    betting_interval,
    betting_p_value,
    log_e_of_agreement,
    log_e_value,
)

differences = st.lists(st.floats(-1, 1), min_size=1, max_size=30)


def test_the_grid_of_32_gives_the_published_e_value_of_nine_regressions_and_two_improvements() -> None:
    found = log_e_value([-1] * 9 + [1] * 2, 0.0, Claim.BELOW)
    assert math.exp(found) == pytest.approx(6.08666, abs=5e-6)


def test_fifty_concordant_cases_give_the_published_evidence_for_a_margin_of_five_points() -> None:
    assert log_e_value([0] * 50, -0.05, Claim.ABOVE) == pytest.approx(1.552407, abs=5e-7)


def test_evidence_of_agreement_is_that_of_so_many_zeros() -> None:
    assert log_e_of_agreement(37, 0.04) == pytest.approx(log_e_value([0] * 37, -0.04, Claim.ABOVE))


@given(differences)
def test_the_interval_holds_the_mean_and_stays_within_the_bounds(values: list[float]) -> None:
    found = betting_interval(values, 0.9)
    assert -1 <= found.low <= np.mean(values) + 1e-9
    assert np.mean(values) - 1e-9 <= found.high <= 1


@given(differences)
def test_swapping_the_arms_mirrors_the_interval(values: list[float]) -> None:
    one, other = betting_interval(values, 0.9), betting_interval([-value for value in values], 0.9)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-9)


@given(differences, st.randoms())
def test_the_order_of_the_cases_does_not_matter(values: list[float], random: object) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = betting_interval(values, 0.9), betting_interval(shuffled, 0.9)
    assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=1e-9)


@given(differences, st.floats(0.02, 0.9))
def test_the_margin_is_shown_exactly_where_the_interval_ends(values: list[float], margin: float) -> None:
    low = betting_interval(values, 0.9).low
    p = betting_p_value(values, -margin, Claim.ABOVE)
    if abs(low + margin) > 1e-6:
        assert (p < 0.05) == (low > -margin)


@given(differences, st.integers(1, 5))
def test_equal_weights_are_no_weights(values: list[float], weight: int) -> None:
    assert betting_interval(values, 0.9) == betting_interval(values, 0.9, weights=[weight] * len(values))


def test_identical_differences_get_an_interval_with_width() -> None:
    found = betting_interval([0.0] * 200, 0.9)
    assert found.low < -0.01 < 0.01 < found.high


def test_a_rate_that_never_fails_reaches_its_upper_bound_only() -> None:
    found = betting_interval([1.0] * 60, 0.9, low=0.0)
    assert 0.85 < found.low < 1
    assert found.high == 1.0


def test_weighted_interval_covers_the_mean_over_cases_of_unequal_clusters() -> None:
    generator = np.random.default_rng(5)
    sizes = np.array([1.0, 2.0, 5.0, 12.0] * 8)
    truth = 0.1
    misses = 0
    for _ in range(200):
        # One answer a cluster: the whole cluster stands or falls, the worst dependence there is.
        means = np.where(generator.random(sizes.size) < truth, 1.0, 0.0)
        found = betting_interval(means, 0.9, weights=sizes)
        misses += not found.low <= truth <= found.high
    assert misses / 200 <= 0.10 + 3 * math.sqrt(0.1 * 0.9 / 200)


def test_false_claims_of_no_worse_stay_below_the_level_at_few_cases() -> None:
    generator = np.random.default_rng(6)
    false = sum(
        betting_p_value(-(generator.random(45) < 0.1).astype(float), -0.1, Claim.ABOVE) <= 0.05 for _ in range(1000)
    )
    assert false / 1000 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1000)


def test_a_margin_of_everything_is_always_kept() -> None:
    assert betting_p_value([0.0], -1.0, Claim.ABOVE) == 0.0


def test_nothing_beyond_the_upper_bound_can_be_claimed() -> None:
    assert betting_p_value([1.0], 1.0, Claim.ABOVE) == 1.0


@pytest.mark.parametrize(
    ("values", "weights", "message"),
    [([], None, "no values"), ([1.5], None, "lie in"), ([0.1, 0.2], [1.0], "weight"), ([0.1], [0.0], "weight")],
)
def test_values_that_cannot_be_bet_on_are_refused(
    values: list[float], weights: list[float] | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        betting_interval(values, 0.9, weights=weights)


def test_a_null_mean_at_the_bound_is_refused() -> None:
    with pytest.raises(ValueError, match="inside"):
        log_e_value([0.0], -1.0, Claim.ABOVE)
