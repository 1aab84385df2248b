from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.stats.paired import mcnemar
from snapdrift.stats.power import (
    agreement_p_value,
    cases_for_drop,
    cases_for_no_worse,
    cases_of_agreement,
    cases_to_resolve,
    cases_to_show_difference,
    cases_to_show_no_worse,
    detectable_difference,
    mcnemar_power,
    sees_drop,
)


@pytest.mark.parametrize(
    ("n", "difference", "power"),
    [
        (50, -0.05, 0.127),
        (50, -0.10, 0.569),
        (100, -0.05, 0.348),
        (100, -0.10, 0.976),
        (200, -0.05, 0.674),
        (200, -0.02, 0.169),
        (500, -0.05, 0.970),
        (500, -0.02, 0.359),
        (1000, -0.02, 0.603),
    ],
)
def test_power_at_a_discordance_of_ten_percent_has_the_published_values(
    n: int, difference: float, power: float
) -> None:
    assert mcnemar_power(n, 0.1, difference, 0.05) == pytest.approx(power, abs=5e-4)


def test_power_agrees_with_simulation() -> None:
    generator = np.random.default_rng(1)
    tables = generator.multinomial(80, [0.15, 0.05, 0.8], size=4000)
    rejected = np.mean([mcnemar(int(b), int(c)).exact.worse <= 0.05 for b, c, _ in tables])
    assert mcnemar_power(80, 0.2, -0.1, 0.05) == pytest.approx(rejected, abs=4 * 0.008)


@pytest.mark.parametrize("discordance", [0.05, 0.1, 0.15, 0.4, 1.0])
def test_without_a_difference_the_power_is_at_most_the_level(discordance: float) -> None:
    assert mcnemar_power(300, discordance, 0.0, 0.05) <= 0.05


def test_one_hundred_cases_see_the_default_drop_of_ten_points() -> None:
    assert cases_for_drop(0.10, 0.15, 0.05) == 100


@given(st.integers(1, 400), st.floats(0.02, 0.5))
def test_more_cases_never_see_less(n: int, discordance: float) -> None:
    fewer, more = detectable_difference(n, discordance, 0.05), detectable_difference(n + 25, discordance, 0.05)
    assert fewer is None or (more is not None and more <= fewer + 1e-9)


@given(st.floats(0.03, 0.9))
def test_the_fewest_cases_for_a_drop_see_it_and_one_less_does_not(drop: float) -> None:
    n = cases_for_drop(drop, 0.15, 0.05)
    assert n is not None
    assert sees_drop(n, drop, 0.15, 0.05)
    assert not sees_drop(n - 1, drop, 0.15, 0.05)


@given(st.integers(5, 2000))
def test_the_detectable_difference_is_seen_and_a_smaller_one_is_not(n: int) -> None:
    drop = detectable_difference(n, 0.15, 0.05)
    assert drop is not None
    assert sees_drop(n, drop, 0.15, 0.05)
    assert not sees_drop(n, drop * 0.999, 0.15, 0.05)


@pytest.mark.parametrize("n", [0, 1, 4])
def test_fewer_than_five_cases_see_no_drop_at_all(n: int) -> None:
    assert detectable_difference(n, 0.15, 0.05) is None


def test_a_drop_too_small_for_ten_million_cases_is_not_counted() -> None:
    assert cases_for_drop(1e-4, 0.15, 0.05) is None


@pytest.mark.parametrize(("margin", "n"), [(0.05, 52), (0.02, 133)])
def test_cases_for_no_worse_by_agreement_are_the_published_ones(margin: float, n: int) -> None:
    assert cases_for_no_worse(margin, 0.05) == n


@pytest.mark.parametrize(("margin", "n"), [(0.10, 43), (0.05, 88), (0.03, 148), (0.02, 224)])
def test_cases_of_agreement_for_a_bet_are_the_published_ones(margin: float, n: int) -> None:
    assert cases_of_agreement(margin, 0.05) == n


@given(st.integers(1, 300), st.floats(0.01, 0.6))
def test_agreeing_clusters_of_one_case_need_as_many_as_agreeing_cases(n: int, margin: float) -> None:
    needed = cases_of_agreement(margin, 0.05)
    assert needed is not None
    assert (agreement_p_value(margin, np.ones(n)) <= 0.05) == (n >= needed)


@pytest.mark.parametrize(("margin", "n"), [(0.05, 248), (0.03, 687), (0.02, 1546)])
def test_realistic_cases_for_no_worse_are_the_published_ones(margin: float, n: int) -> None:
    assert cases_to_show_no_worse(0.1, 0.0, margin, 0.05) == pytest.approx(n, abs=1)


@pytest.mark.parametrize(
    ("discordance", "difference", "n"),
    [(0.1, -0.1, 60), (0.1, -0.05, 246), (0.1, -0.02, 1544), (0.15, -0.1, 91), (0.15, -0.05, 369)],
)
def test_realistic_cases_for_a_drop_are_the_published_ones(discordance: float, difference: float, n: int) -> None:
    assert cases_to_show_difference(discordance, difference, 0.05) == n


def test_the_cheaper_of_the_two_claims_counts_for_resolving() -> None:
    few = cases_to_resolve(100, 0.0, 0.10, 0.05, 0.05)
    more = cases_to_resolve(100, 0.0, 0.10, 0.03, 0.05)
    assert few is not None
    assert more is not None
    assert 100 < few < more


def test_resolving_takes_the_number_of_cases_that_the_cheaper_claim_takes_in_all() -> None:
    discordance = (100 * 0.10 + 1) / 102
    assert cases_to_resolve(100, 0.0, 0.10, 0.05, 0.05) == cases_to_show_no_worse(discordance, 0.0, 0.05, 0.05)


def test_an_estimate_on_every_boundary_is_not_resolvable() -> None:
    assert cases_to_resolve(100, -0.005, 0.15, 0.005, 0.05) is None


def test_without_a_margin_an_estimate_at_zero_is_not_resolvable() -> None:
    assert cases_to_resolve(100, 0.0, 0.15, None, 0.05) is None


def test_at_least_one_more_case_is_asked_for() -> None:
    assert cases_to_resolve(1000, -0.5, 0.5, 0.01, 0.05) == 1001


def test_a_difference_beyond_the_margin_is_never_shown_to_be_within_it() -> None:
    assert cases_to_show_no_worse(0.1, -0.05, 0.05, 0.05) is None


def test_no_difference_is_never_shown_to_be_one() -> None:
    assert cases_to_show_difference(0.1, 0.0, 0.05) is None


@pytest.mark.parametrize(("n", "discordance", "difference"), [(-1, 0.1, 0.0), (10, 1.1, 0.0), (10, 0.1, -0.2)])
def test_impossible_assumptions_are_refused(n: int, discordance: float, difference: float) -> None:
    with pytest.raises(ValueError, match="no paired table"):
        mcnemar_power(n, discordance, difference, 0.05)


@pytest.mark.parametrize("n", [0, 50])
def test_nothing_is_seen_where_nothing_differs(n: int) -> None:
    assert mcnemar_power(n, 0.0, 0.0, 0.05) == 0.0


def test_a_margin_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="margin"):
        cases_for_no_worse(0.0, 0.05)


def test_a_drop_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="drop"):
        cases_for_drop(0.0, 0.15, 0.05)


def test_a_margin_of_everything_takes_one_case() -> None:
    assert (cases_of_agreement(1.0, 0.05), cases_for_no_worse(1.0, 0.05)) == (1, 1)
