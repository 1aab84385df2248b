from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.stats.betting import Claim
from snapdrift.stats.betting_power import (
    betting_cases_for_drop,
    betting_detectable,
    betting_power,
    betting_sees,
)
from snapdrift.stats.power import mcnemar_power
from snapdrift.stats.sequential import Wealth

ALPHA = 0.05


def enumerated(n: int, discordance: float, difference: float, alpha: float) -> float:
    """The same chance by walking every path of `n` cases, with the wealth that runs are concluded from."""
    chances = {-1.0: (discordance - difference) / 2, 0.0: 1 - discordance, 1.0: (discordance + difference) / 2}
    paths = [(Wealth.start(Claim.BELOW), 1.0)]
    shown = 0.0
    for _ in range(n):
        paths = [(wealth.after([value]), mass * chance) for wealth, mass in paths for value, chance in chances.items()]
        shown += sum(mass for wealth, mass in paths if wealth.p_value <= alpha)
        paths = [(wealth, mass) for wealth, mass in paths if wealth.p_value > alpha]
    return shown


@pytest.mark.parametrize(("discordance", "difference"), [(0.5, -0.4), (0.9, -0.9), (0.6, 0.0)])
def test_the_power_is_that_of_every_path_added_up(discordance: float, difference: float) -> None:
    found = betting_power(7, discordance, difference, 0.2)
    assert found == pytest.approx(enumerated(7, discordance, difference, 0.2), abs=1e-12)


@pytest.mark.parametrize(
    ("discordance", "difference", "simulated"),
    [(0.05, -0.02, 0.631), (0.10, -0.02, 0.307), (0.15, -0.02, 0.185), (0.10, -0.05, 0.992), (0.15, -0.05, 0.910)],
)
def test_the_power_lies_a_little_above_what_looking_every_25_cases_was_simulated_to_have(
    discordance: float, difference: float, simulated: float
) -> None:
    """`docs/design/early_stopping.md`: the highest wealth counts, also that between two looks."""
    found = betting_power(1000, discordance, difference, ALPHA)
    assert simulated - 0.015 < found < simulated + 0.04


@given(st.integers(0, 400), st.floats(0.01, 1.0))
def test_false_alarms_stay_below_alpha_and_below_those_of_no_stopping_rule(n: int, discordance: float) -> None:
    assert betting_power(n, discordance, 0.0, ALPHA) <= ALPHA


@given(st.integers(10, 400), st.floats(0.05, 0.5))
def test_more_cases_see_more_and_betting_never_much_more_than_the_fixed_test(n: int, drop: float) -> None:
    power = betting_power(n, max(drop, 0.15), -drop, ALPHA)
    assert power <= betting_power(n + 25, max(drop, 0.15), -drop, ALPHA) + 1e-12
    assert power <= mcnemar_power(n, max(drop, 0.15), -drop, ALPHA) + 0.05


def test_detectable_drops_and_cases_for_a_drop_agree() -> None:
    needed = betting_cases_for_drop(0.1, 0.15, ALPHA)
    assert needed == 145
    assert betting_sees(145, 0.1, 0.15, ALPHA)
    assert not betting_sees(144, 0.1, 0.15, ALPHA)
    detectable = betting_detectable(145, 0.15, ALPHA)
    assert detectable is not None
    assert math.isclose(detectable, 0.1, abs_tol=0.003)


def test_what_too_few_cases_see_is_nothing_and_what_takes_too_many_is_not_reckoned() -> None:
    assert betting_detectable(5, 0.15, ALPHA) is None
    assert betting_cases_for_drop(0.0005, 0.15, ALPHA) is None
    assert betting_power(0, 0.15, -0.1, ALPHA) == betting_power(10, 0.0, 0.0, ALPHA) == 0.0


@pytest.mark.parametrize(("n", "discordance", "difference"), [(-1, 0.1, 0.0), (10, 1.5, 0.0), (10, 0.1, -0.2)])
def test_what_is_no_table_is_refused(n: int, discordance: float, difference: float) -> None:
    with pytest.raises(ValueError, match="no paired table"):
        betting_power(n, discordance, difference, ALPHA)


def test_a_drop_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="a drop lies in"):
        betting_cases_for_drop(0.0, 0.15, ALPHA)


def test_the_power_agrees_with_simulated_runs() -> None:
    rng, n, discordance, difference = np.random.default_rng(3), 300, 0.2, -0.08
    worse = (discordance - difference) / 2
    draws = rng.random((400, n))
    values = np.where(draws < worse, -1.0, np.where(draws < discordance, 1.0, 0.0))
    shown = np.mean([Wealth.start(Claim.BELOW).after(row).p_value <= ALPHA for row in values])
    expected = betting_power(n, discordance, difference, ALPHA)
    assert abs(shown - expected) < 4 * math.sqrt(expected * (1 - expected) / 400)
