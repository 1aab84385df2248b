from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from snapdrift.stats.paired import (
    cluster_standard_error,
    cluster_sums,
    cluster_t,
    mcnemar,
    paired_t,
    sign_flip,
)

counts = st.integers(0, 300)
SPARSE = [-1.0] * 5 + [1.0] + [0.0] * 14
GRADED = [-0.2, -0.1, 0.05, -0.3, 0.0, -0.15, 0.1, -0.25]
differences = st.lists(st.sampled_from([-1.0, -2 / 3, -1 / 3, 0.0, 1 / 3, 2 / 3, 1.0]), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("only_baseline", "only_candidate", "exact", "mid"),
    [
        (1, 7, 0.0703125, 0.0390625),
        (6, 16, 0.0524787903, 0.0346896648),
        (2, 9, 0.0654296875, 0.0385742188),
        (10, 25, 0.0166738478, 0.0113309842),
        (86, 150, 3.71593614e-05, 2.89338952e-05),
        (59, 121, 4.43444926e-06, 3.2666468e-06),
        (8, 8, 1.0, 0.9018096924),
        (0, 0, 1.0, 1.0),
    ],
)
def test_two_sided_mcnemar_agrees_with_the_published_digits(
    only_baseline: int, only_candidate: int, exact: float, mid: float
) -> None:
    found = mcnemar(only_baseline, only_candidate)
    assert found.exact.two_sided == pytest.approx(exact, rel=1e-8)
    assert found.mid.two_sided == pytest.approx(mid, rel=1e-7)


# The published one-sided values ask whether the second count is the larger one: our "better".
@pytest.mark.parametrize(
    ("pair", "exact", "mid"),
    [
        ((0, 5), 0.03125, 0.015625),
        ((0, 4), 0.0625, 0.03125),
        ((1, 7), 0.03515625, 0.01953125),
        ((3, 10), 0.0461425781, 0.0286865234),
    ],
)
def test_one_sided_mcnemar_agrees_with_the_published_digits(pair: tuple[int, int], exact: float, mid: float) -> None:
    found = mcnemar(*pair)
    assert found.exact.better == pytest.approx(exact, abs=1e-10)
    assert found.mid.better == pytest.approx(mid, abs=1e-10)


@pytest.mark.parametrize(("pair", "two_sided"), [((40, 14), 0.000535), ((22, 11), 0.0801)])
def test_recorded_gsm_tables_have_the_two_sided_p_that_is_known(pair: tuple[int, int], two_sided: float) -> None:
    assert mcnemar(*pair).exact.two_sided == pytest.approx(two_sided, rel=1e-3)


@given(counts, counts)
def test_exact_mcnemar_agrees_with_statsmodels(only_baseline: int, only_candidate: int) -> None:
    if only_baseline + only_candidate:
        expected = statsmodels_mcnemar([[1, only_baseline], [only_candidate, 1]], exact=True).pvalue
        assert mcnemar(only_baseline, only_candidate).exact.two_sided == pytest.approx(expected, rel=1e-8)


@given(counts, counts)
def test_swapping_the_arms_swaps_worse_and_better(only_baseline: int, only_candidate: int) -> None:
    one, other = mcnemar(only_baseline, only_candidate), mcnemar(only_candidate, only_baseline)
    assert (one.exact.worse, one.mid.worse) == (other.exact.better, other.mid.better)
    assert (one.exact.two_sided, one.mid.two_sided) == (other.exact.two_sided, other.mid.two_sided)


@given(counts, counts)
def test_mcnemar_p_values_are_probabilities_and_mid_p_is_never_the_larger(a: int, b: int) -> None:
    found = mcnemar(a, b)
    for exact, mid in (
        (found.exact.worse, found.mid.worse),
        (found.exact.better, found.mid.better),
        (found.exact.two_sided, found.mid.two_sided),
    ):
        assert 0 <= mid <= exact <= 1


@given(st.integers(0, 100), st.integers(0, 100))
def test_one_more_regression_never_weakens_the_evidence_for_worse(only_baseline: int, only_candidate: int) -> None:
    before, after = mcnemar(only_baseline, only_candidate), mcnemar(only_baseline + 1, only_candidate)
    assert after.exact.worse <= before.exact.worse + 1e-12


def test_sparse_differences_have_the_published_sign_flip_p() -> None:
    found = sign_flip(SPARSE, seed=0)
    assert found.exact
    assert found.p.worse == pytest.approx(0.109375, abs=1e-12)


def test_sparse_differences_have_the_published_t() -> None:
    found = paired_t(SPARSE)
    assert (found.t, found.p.worse) == pytest.approx((-1.7097008, 0.0518015796), abs=1e-7)


def test_graded_differences_have_the_published_sign_flip_p() -> None:
    assert sign_flip(GRADED, seed=0).p.worse == pytest.approx(0.0546875, abs=1e-12)


def test_graded_differences_have_the_published_t_test_p() -> None:
    assert paired_t(GRADED).p.worse == pytest.approx(0.0384680556, abs=1e-9)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=9))
def test_sign_flip_agrees_with_flipping_every_sign(values: list[float]) -> None:
    rounded = np.round(values, 2)
    sums = np.array([np.dot(signs, np.abs(rounded)) for signs in itertools.product((-1, 1), repeat=len(rounded))])
    found = sign_flip(rounded, seed=0)
    assert found.exact
    assert found.p.worse == pytest.approx((sums <= rounded.sum() + 1e-9).mean())
    assert found.p.better == pytest.approx((sums >= rounded.sum() - 1e-9).mean())


@given(differences)
def test_means_of_repeats_are_flipped_exactly_at_any_number_of_cases(values: list[float]) -> None:
    assert sign_flip(values, seed=0).exact


@given(differences)
def test_swapping_the_arms_swaps_the_sides_of_a_sign_flip(values: list[float]) -> None:
    one, other = sign_flip(values, seed=0).p, sign_flip([-value for value in values], seed=0).p
    assert one.worse == pytest.approx(other.better)
    assert one.better == pytest.approx(other.worse)


@given(differences)
def test_cases_without_a_difference_do_not_change_a_sign_flip(values: list[float]) -> None:
    assert sign_flip(values, seed=0) == sign_flip([*values, 0.0, 0.0], seed=0)


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=1, max_size=60))
def test_a_sign_flip_of_pass_fail_differences_is_exact_mcnemar(values: list[float]) -> None:
    assert sign_flip(values, seed=0).p == mcnemar(values.count(-1.0), values.count(1.0)).exact


def test_irrational_differences_are_flipped_by_seeded_draws() -> None:
    values = np.random.default_rng(3).normal(-0.1, 0.3, 45).clip(-1, 1)
    one, again = sign_flip(values, seed=11), sign_flip(values, seed=11)
    assert not one.exact
    assert one == again
    assert one.p.worse == pytest.approx(paired_t(values).p.worse, abs=0.01)


def test_drawn_flips_never_give_a_p_of_zero() -> None:
    assert sign_flip(-np.sqrt(np.arange(2, 42)) / 10, seed=0).p.worse > 0


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=50).filter(lambda v: float(np.ptp(v)) > 0.01))
def test_paired_t_agrees_with_scipy(values: list[float]) -> None:
    found = paired_t(values)
    assert found.p.worse == pytest.approx(ttest_1samp(values, 0, alternative="less").pvalue, abs=1e-9)
    assert found.p.two_sided == pytest.approx(ttest_1samp(values, 0).pvalue, abs=1e-9)


@pytest.mark.parametrize("values", [[0.1, 0.1, 0.1], [0.0] * 9, [0.3]])
def test_a_t_test_without_variance_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="t test"):
        paired_t(values)


def test_clustered_standard_error_agrees_with_the_published_digits() -> None:
    sums = cluster_sums([1, 1, 1, 0, 0, 0, 1, 0, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3])
    assert cluster_standard_error(sums) == pytest.approx(0.2357022604, abs=1e-10)


@given(st.lists(st.tuples(st.floats(-1, 1), st.integers(0, 5)), min_size=8, max_size=40))
def test_clustered_standard_error_agrees_with_statsmodels(rows: list[tuple[float, int]]) -> None:
    values, groups = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    if len(set(groups.tolist())) > 1:
        fit = OLS(values, np.ones(len(rows))).fit(
            cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}
        )
        clusters = len(set(groups.tolist()))
        expected = float(np.sqrt(fit.cov_params()[0, 0])) * math.sqrt(clusters / (clusters - 1))
        assert cluster_standard_error(cluster_sums(values, groups.tolist())) == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.floats(-1, 1), min_size=5, max_size=30).filter(lambda v: float(np.ptp(v)) > 0.01))
def test_clusters_of_one_case_are_the_paired_t_test(values: list[float]) -> None:
    clustered, plain = cluster_t(cluster_sums(values, list(range(len(values))))), paired_t(values)
    assert clustered.p.worse == pytest.approx(plain.p.worse, abs=1e-9)
    assert clustered.degrees == plain.degrees


def test_effective_clusters_discount_unequal_sizes() -> None:
    sums = cluster_sums([0.0] * 10, ["a"] * 6 + ["b", "c", "d", "e"])
    assert sums.effective == pytest.approx(100 / 40)


def test_each_value_needs_a_cluster_label() -> None:
    with pytest.raises(ValueError, match="labels"):
        cluster_sums([0.0, 1.0], ["a"])


def test_one_cluster_has_no_standard_error() -> None:
    with pytest.raises(ValueError, match="two clusters"):
        cluster_standard_error(cluster_sums([0.0, 1.0], ["a", "a"]))


def test_negative_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        mcnemar(-1, 0)
