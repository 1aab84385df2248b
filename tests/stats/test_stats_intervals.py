from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from snapdrift.stats.intervals import (
    clopper_pearson_interval,
    newcombe_interval,
    t_interval,
    tango_interval,
    tango_test,
    wilson_interval,
)

# Published and recomputed values: (successes, n), Wilson, Clopper-Pearson at 95%.
RATES = [
    ((0, 10), (0, 0.2775328), (0, 0.30849711)),
    ((10, 10), (0.7224672, 1), (0.69150289, 1)),
    ((5, 10), (0.23659309, 0.76340691), (0.18708603, 0.81291397)),
    ((17, 20), (0.63958114, 0.94763125), (0.62107317, 0.96792906)),
    ((81, 263), (0.25528852, 0.36620958), (0.25273675, 0.36762192)),
    ((15, 148), (0.0623864, 0.16048724), (0.05784401, 0.16165049)),
    ((1, 29), (0.00611321, 0.17175522), (0.00087265, 0.1776443)),
    ((50, 50), (0.9286524, 1), (0.92887826, 1)),
    ((850, 1000), (0.82653134, 0.87078993), (0.82634187, 0.87157519)),
]

# (both, only first, only second, neither), Newcombe 10 and Tango for first minus second at 95%.
PAIRED = [
    ((59, 6, 16, 80), (-0.118621, -0.004625), (-0.124023, -0.005433)),
    ((1, 1, 7, 12), (-0.506920, -0.025559), (-0.517232, -0.026003)),
    ((1, 0, 0, 1), (-0.573419, 0.573419), None),
    ((14, 5, 0, 22), (0.011483, 0.226493), (0.025836, 0.255442)),
    ((40, 5, 1, 4), (-0.026030, 0.194203), (-0.021287, 0.198014)),
    ((50, 0, 0, 0), (-0.071348, 0.071348), (-0.071348, 0.071348)),
    ((45, 0, 0, 5), (-0.068446, 0.068446), (-0.071348, 0.071348)),
    ((850, 60, 40, 50), (0.000285, 0.040000), (0.000407, 0.040106)),
]

tables = st.tuples(*[st.integers(0, 60)] * 4).filter(lambda table: sum(table) > 0)


@pytest.mark.parametrize(("counts", "wilson", "exact"), RATES)
def test_wilson_agrees_with_the_published_digits(
    counts: tuple[int, int], wilson: tuple[float, float], exact: tuple[float, float]
) -> None:
    found = wilson_interval(*counts, 0.95)
    assert (found.low, found.high) == pytest.approx(wilson, abs=1e-8)


@pytest.mark.parametrize(("counts", "wilson", "exact"), RATES)
def test_clopper_pearson_agrees_with_the_published_digits(
    counts: tuple[int, int], wilson: tuple[float, float], exact: tuple[float, float]
) -> None:
    found = clopper_pearson_interval(*counts, 0.95)
    assert (found.low, found.high) == pytest.approx(exact, abs=1e-8)


# The candidate is the first of the two rates, so the only-first count is the candidate's.
@pytest.mark.parametrize(("table", "newcombe", "tango"), PAIRED)
def test_newcombe_10_agrees_with_the_published_digits(
    table: tuple[int, int, int, int], newcombe: tuple[float, float], tango: tuple[float, float] | None
) -> None:
    both, first, second, neither = table
    found = newcombe_interval(both, second, first, neither, 0.95)
    assert (found.low, found.high) == pytest.approx(newcombe, abs=1e-6)


@pytest.mark.parametrize(("table", "tango"), [(table, tango) for table, _, tango in PAIRED if tango])
def test_tango_interval_agrees_with_the_published_digits(
    table: tuple[int, int, int, int], tango: tuple[float, float]
) -> None:
    _, first, second, _ = table
    found = tango_interval(second, first, sum(table), 0.95)
    assert (found.low, found.high) == pytest.approx(tango, abs=1e-6)


@pytest.mark.parametrize(
    ("only_baseline", "only_candidate", "n", "z", "p"),
    [
        (10, 8, 200, 1.749271, 0.040122),
        (5, 5, 100, 1.465399, 0.071406),
        (0, 0, 60, 1.777047, 0.037780),
        (0, 0, 52, 1.654340, 0.049029),
        (30, 25, 1000, 5.070926, 1.98e-07),
    ],
)
def test_tango_margin_test_agrees_with_the_published_digits(
    only_baseline: int, only_candidate: int, n: int, z: float, p: float
) -> None:
    found = tango_test(only_baseline, only_candidate, n, -0.05)
    assert found.z == pytest.approx(z, abs=1e-6)
    assert found.p_greater == pytest.approx(p, abs=5e-7)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.99))
def test_one_arm_intervals_agree_with_statsmodels(counts: tuple[int, int], confidence: float) -> None:
    for method, name in ((wilson_interval, "wilson"), (clopper_pearson_interval, "beta")):
        found = method(*counts, confidence)
        expected = proportion_confint(*counts, alpha=1 - confidence, method=name)
        assert (found.low, found.high) == pytest.approx(expected, abs=1e-9)


@given(tables)
def test_swapping_the_arms_mirrors_the_paired_intervals(table: tuple[int, int, int, int]) -> None:
    both, first, second, neither = table
    for one, other in (
        (newcombe_interval(both, first, second, neither, 0.9), newcombe_interval(both, second, first, neither, 0.9)),
        (tango_interval(first, second, sum(table), 0.9), tango_interval(second, first, sum(table), 0.9)),
    ):
        assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-9)


@given(tables)
def test_paired_intervals_hold_the_difference_and_stay_within_the_possible(table: tuple[int, int, int, int]) -> None:
    both, first, second, neither = table
    difference = (second - first) / sum(table)
    for found in (newcombe_interval(both, first, second, neither, 0.9), tango_interval(first, second, sum(table), 0.9)):
        assert -1 - 1e-9 <= found.low <= difference + 1e-9
        assert difference - 1e-9 <= found.high <= 1 + 1e-9


@given(tables, st.floats(0.01, 0.5))
def test_the_margin_test_rejects_exactly_where_the_tango_interval_ends(
    table: tuple[int, int, int, int], margin: float
) -> None:
    _, first, second, _ = table
    low = tango_interval(first, second, sum(table), 0.9).low
    p = tango_test(first, second, sum(table), -margin).p_greater
    if abs(low + margin) > 1e-6:
        assert (p < 0.05) == (low > -margin)


def test_a_t_interval_without_variance_is_refused() -> None:
    with pytest.raises(ValueError, match="betting"):
        t_interval(0.0, 0.0, 9, 0.9)


def test_a_t_interval_agrees_with_its_textbook_form() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0])
    found = t_interval(2.5, float(values.std(ddof=1)) / 2, 3, 0.95)
    assert (found.low, found.high) == pytest.approx((0.4457397, 4.5542603), abs=1e-6)


@pytest.mark.parametrize("counts", [(3, 2), (-1, 2), (0, 0)])
def test_counts_that_are_no_rate_are_refused(counts: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="successes"):
        wilson_interval(*counts, 0.95)


@pytest.mark.parametrize("pairs", [(3, 2, 4), (-1, 0, 4), (0, 0, 0)])
def test_counts_that_are_no_paired_table_are_refused(pairs: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="paired table"):
        tango_interval(*pairs, 0.95)


def test_a_null_difference_beyond_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\[-1, 1\]"):
        tango_test(1, 1, 4, -1.5)
