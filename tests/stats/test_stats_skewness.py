from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import skew, ttest_1samp
from scipy.stats import t as student

from snapdrift.stats.paired import ClusterSums, cluster_sums, cluster_t
from snapdrift.stats.skewness import MIN_UNITS, adjusted_t, adjusted_t_interval, steady

Values = NDArray[np.float64]
varying = st.lists(st.floats(-1, 1), min_size=5, max_size=60).filter(lambda values: np.ptp(values) > 1e-3)


def each(values: Values) -> ClusterSums:
    return ClusterSums(values, np.ones_like(values))


def test_the_correction_is_halls() -> None:
    values = np.random.default_rng(1).exponential(1.0, 40) - 0.9
    found, n = adjusted_t(each(values)), values.size
    plain = ttest_1samp(values, 0).statistic
    lean = skew(values) / math.sqrt(n)
    corrected = plain + lean * plain**2 / 3 + lean**2 * plain**3 / 27 + lean / 6
    assert (found.worse, found.better) == pytest.approx((student.cdf(corrected, n - 1), student.sf(corrected, n - 1)))


def test_without_skewness_it_is_students_t() -> None:
    half = np.random.default_rng(2).normal(0, 1, 30)
    values = 0.2 + np.concatenate([half, -half])
    found, expected = adjusted_t(each(values)), ttest_1samp(values, 0)
    assert found.two_sided == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval(0.9)
    shown = adjusted_t_interval(each(values), 0.9)
    assert (shown.low, shown.high) == pytest.approx((interval.low, interval.high))


def test_clusters_have_the_cr1_error() -> None:
    # Symmetric about the mean, so that nothing is corrected.
    half = np.random.default_rng(3).normal(0, 1, (15, 4))
    values = 0.3 + np.concatenate([half, -half]).ravel()
    sums = cluster_sums(values, np.repeat(np.arange(30), 4).tolist())
    assert adjusted_t(sums).better == pytest.approx(cluster_t(sums).p.better)


def test_values_that_do_not_vary_are_what_they_are() -> None:
    above, at = adjusted_t(each(np.full(9, 0.25))), adjusted_t(each(np.zeros(9)))
    assert (above.worse, above.better) == (1.0, 0.0)
    assert (at.worse, at.better) == (1.0, 1.0)


@given(varying)
@settings(max_examples=50, deadline=None)
def test_turning_the_values_round_turns_tails_and_interval(values: list[float]) -> None:
    one, other = each(np.array(values)), each(-np.array(values))
    assert (adjusted_t(one).worse, adjusted_t(one).better) == pytest.approx(
        (adjusted_t(other).better, adjusted_t(other).worse), abs=1e-9
    )
    here, there = adjusted_t_interval(one, 0.9), adjusted_t_interval(other, 0.9)
    assert (here.low, here.high) == pytest.approx((-there.high, -there.low), abs=1e-9)


@given(varying)
@settings(max_examples=50, deadline=None)
def test_the_interval_ends_where_the_test_is_just_significant(values: list[float]) -> None:
    data = np.array(values)
    interval = adjusted_t_interval(each(data), 0.9)
    assert adjusted_t(each(data - interval.low)).better == pytest.approx(0.05, abs=1e-6)
    assert adjusted_t(each(data - interval.high)).worse == pytest.approx(0.05, abs=1e-6)


def two_point(n: int, share: float) -> ClusterSums:
    return each((np.arange(n) < round(n * share)).astype(np.float64))


def test_many_units_are_needed_where_few_weigh_most() -> None:
    # One in ten: a kurtosis of 8.1, so 25 x 6.1 = 153 units.
    assert [steady(two_point(n, 0.1)) for n in (150, 160)] == [False, True]


def test_light_tails_need_only_the_least_number_of_units() -> None:
    assert [steady(two_point(n, 0.5)) for n in (MIN_UNITS - 2, MIN_UNITS)] == [False, True]


def test_units_that_do_not_vary_tell_no_mean() -> None:
    assert not steady(each(np.ones(500)))
