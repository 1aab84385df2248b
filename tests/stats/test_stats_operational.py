from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binomtest, permutation_test, skew, ttest_1samp
from scipy.stats import t as student
from statsmodels.regression.linear_model import OLS

from snapdrift.stats.betting import log_e_of_agreement
from snapdrift.stats.operational import RelativeChange, RelativeQuestion, quantile_change, relative_change
from snapdrift.stats.ratio_scores import Quantity

QUESTION = RelativeQuestion(confidence=0.95, max_increase=0.2, seed=1)
MEANS = (Quantity.GEOMETRIC_MEAN, Quantity.MEAN, Quantity.BALANCED)
Values = NDArray[np.float64]
positive = st.lists(st.tuples(st.floats(0.01, 100), st.floats(0.01, 100)), min_size=1, max_size=15)


def latencies(n: int, seed: int, factor: float = 1.0) -> tuple[Values, Values]:
    """Skewed, correlated times of both sides, of one distribution but for the factor."""
    generator = np.random.default_rng(seed)
    length = generator.lognormal(0, 0.8, n)
    return length * generator.lognormal(0, 0.4, n), factor * length * generator.lognormal(0, 0.4, n)


def hall(differences: Values) -> tuple[float, float]:
    """Hall's corrected t (1992) of a mean of 0, both tails, by way of scipy's t and skewness."""
    n, plain = differences.size, ttest_1samp(differences, 0).statistic
    lean = skew(differences) / np.sqrt(n)
    corrected = plain + lean * plain**2 / 3 + lean**2 * plain**3 / 27 + lean / 6
    return float(student.cdf(corrected, n - 1)), float(student.sf(corrected, n - 1))


def steady_costs(n: int, seed: int, factor: float = 1.0) -> tuple[Values, Values]:
    """Skewed, correlated costs of both sides, none of which outweighs the others."""
    generator = np.random.default_rng(seed)
    length = generator.lognormal(0, 0.4, n)
    return length * generator.lognormal(0, 0.15, n), factor * length * generator.lognormal(0, 0.15, n)


def test_geometric_means_are_compared_by_halls_t_of_logarithms() -> None:
    baseline, candidate = latencies(80, seed=1, factor=1.1)
    found = relative_change(baseline, candidate, Quantity.GEOMETRIC_MEAN, QUESTION)
    logs = np.log(candidate / baseline)
    assert (found.method, found.interval_method) == ("adjusted_t", "adjusted_t")
    assert found.ratio == pytest.approx(math.exp(logs.mean()))
    assert (found.p_less, found.p_more) == pytest.approx(hall(logs))
    assert (found.p_within, found.p_over) == pytest.approx(hall(logs - math.log(1.2)))
    # At the ends of the interval the test is exactly significant.
    low, high = found.interval.low, found.interval.high
    assert hall(logs - math.log(low))[1] == pytest.approx(0.05)
    assert hall(logs - math.log(high))[0] == pytest.approx(0.05)


def test_means_are_compared_by_fiellers_method_with_halls_t() -> None:
    baseline, candidate = steady_costs(150, seed=2, factor=1.1)
    found = relative_change(baseline, candidate, Quantity.MEAN, QUESTION)
    assert found.quantity is Quantity.MEAN
    assert found.ratio == pytest.approx(candidate.mean() / baseline.mean())
    assert (found.p_less, found.p_more) == pytest.approx(hall(candidate - baseline))
    assert (found.p_within, found.p_over) == pytest.approx(hall(candidate / 1.2 - baseline))
    low, high = found.interval.low, found.interval.high
    assert hall(candidate / low - baseline)[1] == pytest.approx(0.05, rel=1e-5)
    assert hall(candidate / high - baseline)[0] == pytest.approx(0.05, rel=1e-5)


def test_halls_correction_of_symmetric_scores_is_none() -> None:
    logs = np.concatenate([np.linspace(0.01, 1.1, 40), -np.linspace(0.01, 1.1, 40)]) + 0.05
    found = relative_change(np.ones(80), np.exp(logs), Quantity.GEOMETRIC_MEAN, QUESTION)
    expected = ttest_1samp(logs, 0).confidence_interval(0.9)
    assert (found.interval.low, found.interval.high) == pytest.approx((math.exp(expected.low), math.exp(expected.high)))


def test_clusters_get_the_errors_of_statsmodels() -> None:
    generator = np.random.default_rng(3)
    clusters = np.repeat(np.arange(60), 3)
    # Symmetric about their mean, so that there is no skewness to correct.
    half = generator.normal(0, 0.2, 30)[:, None] + generator.normal(0, 0.1, (30, 3))
    logs = 0.05 + np.concatenate([half, -half]).ravel()
    found = relative_change(np.ones(180), np.exp(logs), Quantity.GEOMETRIC_MEAN, QUESTION, clusters=clusters.tolist())
    fit = OLS(logs, np.ones(180)).fit(
        cov_type="cluster", cov_kwds={"groups": clusters, "df_correction": True}, use_t=True
    )
    # statsmodels also scales by (n - 1) / (n - k), which is 1 for a mean.
    low, high = np.exp(fit.conf_int(0.1)[0])
    assert (found.method, found.units, found.cases) == ("cluster_adjusted_t", 60, 180)
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high))
    assert found.p_more == pytest.approx(fit.pvalues[0] / 2)


def test_few_cases_are_tested_by_all_flips_of_sign() -> None:
    baseline, candidate = latencies(12, seed=4, factor=1.3)
    scores = (candidate - baseline) / (candidate + baseline)
    expected = permutation_test((scores,), np.mean, permutation_type="samples", alternative="greater")
    found = relative_change(baseline, candidate, Quantity.GEOMETRIC_MEAN, QUESTION)
    assert (found.quantity, found.method, found.interval_method) == (Quantity.BALANCED, "sign_flip_exact", "betting")
    assert found.p_more == pytest.approx(expected.pvalue)


def test_a_quantile_of_single_calls_is_compared_by_mcnemar_at_the_common_quantile() -> None:
    baseline, candidate = latencies(200, seed=5, factor=1.5)
    found = quantile_change(baseline, candidate, 0.95, QUESTION)
    cut = np.sort(np.concatenate([baseline, candidate]))[379]
    more = int(((candidate > cut) & (baseline <= cut)).sum())
    less = int(((candidate <= cut) & (baseline > cut)).sum())
    assert found.method == "sign_flip_exact"
    assert found.p_more == pytest.approx(binomtest(more, more + less, 0.5, alternative="greater").pvalue)
    assert (found.baseline, found.candidate) == (np.sort(baseline)[189], np.sort(candidate)[189])
    assert found.ratio == found.candidate / found.baseline


def test_a_quantile_interval_ends_where_mcnemar_begins_to_reject() -> None:
    baseline, candidate = latencies(120, seed=6)
    interval = quantile_change(baseline, candidate, 0.9, QUESTION).interval

    def p_more(ratio: float) -> float:
        return quantile_change(baseline, candidate / ratio, 0.9, QUESTION).p_more

    assert p_more(interval.low * (1 - 1e-6)) <= 0.05 < p_more(interval.low * (1 + 1e-6))


def test_repeats_are_averaged_within_their_case_first() -> None:
    generator = np.random.default_rng(7)
    baseline, candidate = generator.lognormal(0, 0.5, (60, 5)), generator.lognormal(0.1, 0.5, (60, 5))
    for quantity in MEANS:
        found = relative_change(baseline, candidate, quantity, QUESTION)
        of_means = relative_change(baseline.mean(axis=1), candidate.mean(axis=1), quantity, QUESTION)
        assert (found.p_more, found.p_within) == pytest.approx((of_means.p_more, of_means.p_within))
        assert found.interval.low == pytest.approx(of_means.interval.low)
        assert found.cases == 60


def test_repeats_of_one_case_that_are_slow_together_count_once_at_the_quantile() -> None:
    baseline = np.ones((100, 5)) + np.arange(500).reshape(100, 5) / 1e6
    candidate = baseline.copy()
    candidate[:4] *= 9
    found = quantile_change(baseline, candidate, 0.95, QUESTION)
    # 20 calls became slow and crowd out those of five baseline cases, but only four cases did.
    assert found.p_more > 0.01


def test_only_calls_measured_on_both_sides_count() -> None:
    baseline = np.array([[1.0, np.nan], [2.0, 2.0], [np.nan, np.nan], [4.0, 4.0]])
    candidate = np.array([[2.0, 900.0], [4.0, np.nan], [1.0, 1.0], [8.0, 8.0]])
    found = relative_change(baseline, candidate, Quantity.MEAN, QUESTION)
    assert (found.cases, found.left_out) == (3, 1)
    assert found.ratio == pytest.approx(2.0)


def test_unequal_numbers_of_repeats_leave_cases_of_equal_weight_at_the_quantile() -> None:
    baseline = np.full((4, 3), np.nan)
    baseline[:, 0] = [1, 2, 3, 4]
    baseline[3] = 4
    found = quantile_change(baseline, 2 * baseline, 0.5, QUESTION)
    assert (found.baseline, found.ratio) == (2.0, 2.0)


# The published cases of pure agreement that take evidence to 20: 43 for a margin of 0.10, 88 for 0.05, 148 for 0.03.
@pytest.mark.parametrize(("margin", "cases"), [(0.10, 43), (0.05, 88), (0.03, 148), (0.02, 224)])
def test_identical_calls_show_the_limit_after_the_published_number_of_cases(margin: float, cases: int) -> None:
    # Each case scores (ratio - 1) / (ratio + 1) below the limit's ratio; a margin loses margin / (1 - margin).
    limit = 1 / (1 - 2 * margin)
    question = RelativeQuestion(0.95, limit - 1, 1)
    shown = [relative_change(np.ones(n), np.ones(n), Quantity.MEAN, question) for n in (cases - 1, cases)]
    assert [change.p_within is not None and change.p_within <= 0.05 for change in shown] == [False, True]
    assert shown[1].p_within == pytest.approx(math.exp(-log_e_of_agreement(cases, margin)))


def test_calls_that_do_not_vary_get_an_interval_with_width() -> None:
    found = relative_change(np.ones(300), np.ones(300), Quantity.GEOMETRIC_MEAN, QUESTION)
    assert found.quantity is Quantity.BALANCED
    assert (found.ratio, found.p_more, found.p_less) == (1.0, 1.0, 1.0)
    assert 0.9 < found.interval.low < 0.99 < 1.01 < found.interval.high < 1.1


def test_a_single_case_leaves_every_ratio_open() -> None:
    found = relative_change([1.0], [50.0], Quantity.GEOMETRIC_MEAN, QUESTION)
    assert found.ratio == pytest.approx(50)
    assert (found.interval.low, found.interval.high) == (0.0, math.inf)
    assert not found.could_show_more


def test_a_zero_on_one_side_is_compared_by_the_balanced_ratio() -> None:
    baseline, candidate = latencies(80, seed=8, factor=1.5)
    candidate[0] = 0.0
    found = relative_change(baseline, candidate, Quantity.GEOMETRIC_MEAN, QUESTION)
    assert found.quantity is Quantity.BALANCED
    assert found.interval.low < found.ratio < found.interval.high
    assert found.p_more < 0.05


def test_cases_that_are_zero_on_both_sides_say_nothing_of_a_ratio() -> None:
    baseline, candidate = latencies(80, seed=9, factor=1.5)
    alone = relative_change(baseline, candidate, Quantity.GEOMETRIC_MEAN, QUESTION)
    padded = relative_change(
        np.append(baseline, np.zeros(40)), np.append(candidate, np.zeros(40)), Quantity.GEOMETRIC_MEAN, QUESTION
    )
    assert padded.both_zero == 40
    assert (padded.ratio, padded.p_more, padded.interval) == (alone.ratio, alone.p_more, alone.interval)


def test_nothing_but_zeros_shows_nothing() -> None:
    found = relative_change(np.zeros(90), np.zeros(90), Quantity.MEAN, QUESTION)
    assert (found.ratio, found.p_more, found.p_within) == (1.0, 1.0, 1.0)
    assert (found.interval.low, found.interval.high) == (0.0, math.inf)
    assert not found.could_show_more


def test_a_cost_that_appears_from_nothing_is_more_without_end() -> None:
    found = relative_change(np.zeros(6), np.ones(6), Quantity.MEAN, QUESTION)
    assert found.ratio == math.inf
    assert found.interval.high == math.inf
    assert found.p_more == pytest.approx(0.5**6)


def test_a_95th_percentile_of_fewer_than_fifty_calls_could_never_show_more() -> None:
    quantiles = [quantile_change(*latencies(n, seed=10), 0.95, QUESTION) for n in (49, 50)]
    assert [found.could_show_more for found in quantiles] == [False, True]
    assert (quantiles[0].interval.low, quantiles[0].interval.high) == (0.0, math.inf)


def test_four_clusters_could_never_show_more() -> None:
    baseline, candidate = latencies(40, seed=11, factor=3.0)
    found = relative_change(
        baseline, candidate, Quantity.GEOMETRIC_MEAN, QUESTION, clusters=[case % 4 for case in range(40)]
    )
    assert not found.could_show_more
    assert found.p_more == 0.5**4


@given(positive, st.sampled_from(MEANS))
@settings(max_examples=25, deadline=None)
def test_swapping_the_arms_turns_the_ratio_round(pairs: list[tuple[float, float]], quantity: Quantity) -> None:
    baseline, candidate = np.array(pairs).T
    one = relative_change(baseline, candidate, quantity, QUESTION)
    other = relative_change(candidate, baseline, quantity, QUESTION)
    assert one.ratio == pytest.approx(1 / other.ratio, rel=1e-6)
    assert (one.p_more, one.p_less) == pytest.approx((other.p_less, other.p_more), abs=1e-9)
    inverse = [1 / end if end > 0 else math.inf for end in (other.interval.high, other.interval.low)]
    assert (one.interval.low, one.interval.high) == pytest.approx(tuple(inverse), rel=1e-5)


@given(positive, st.sampled_from(MEANS), st.sampled_from([1 / 1024, 4096.0]))
@settings(max_examples=25, deadline=None)
def test_the_unit_does_not_matter(pairs: list[tuple[float, float]], quantity: Quantity, unit: float) -> None:
    baseline, candidate = np.array(pairs).T
    one = relative_change(baseline, candidate, quantity, QUESTION)
    other = relative_change(unit * baseline, unit * candidate, quantity, QUESTION)
    assert (one.p_more, one.p_within) == pytest.approx((other.p_more, other.p_within), abs=1e-9)
    assert one.interval.high == pytest.approx(other.interval.high, rel=1e-6)


@given(positive, st.floats(0.5, 0.99))
@settings(max_examples=25, deadline=None)
def test_a_looser_limit_is_never_harder_to_keep(pairs: list[tuple[float, float]], share: float) -> None:
    baseline, candidate = np.array(pairs).T
    questions = [RelativeQuestion(0.95, limit, 1) for limit in (0.1, 0.5, 3.0)]
    changes: list[list[RelativeChange]] = [
        [relative_change(baseline, candidate, Quantity.BALANCED, question) for question in questions],
        [quantile_change(baseline, candidate, share, question) for question in questions],
    ]
    for found in changes:
        p = [change.p_within for change in found if change.p_within is not None]
        assert len(p) == 3
        assert p == sorted(p, reverse=True) or np.ptp(p) < 1e-9


Compare = Callable[[Values, Values], RelativeChange]
COMPARISONS: dict[str, tuple[Compare, int]] = {
    "geometric mean": (lambda one, other: relative_change(one, other, Quantity.GEOMETRIC_MEAN, QUESTION), 60),
    "mean": (lambda one, other: relative_change(one, other, Quantity.MEAN, QUESTION), 60),
    "few cases": (lambda one, other: relative_change(one, other, Quantity.GEOMETRIC_MEAN, QUESTION), 12),
    "quantile": (lambda one, other: quantile_change(one, other, 0.9, QUESTION), 100),
}


@pytest.mark.parametrize("name", COMPARISONS)
def test_false_alarms_false_assurances_and_misses_stay_at_their_rates(name: str) -> None:
    compare, n = COMPARISONS[name]
    rounds = 80
    more = within = missed = 0
    for seed in range(rounds):
        unchanged, at_the_limit = compare(*latencies(n, seed)), compare(*latencies(n, seed + rounds, factor=1.2))
        more += unchanged.p_more <= 0.05
        within += at_the_limit.p_within is not None and at_the_limit.p_within <= 0.05
        missed += not unchanged.interval.low <= 1.0 <= unchanged.interval.high
    allowed = 0.05 + 3 * math.sqrt(0.05 * 0.95 / rounds)
    assert more / rounds <= allowed
    assert within / rounds <= allowed
    assert missed / rounds <= 0.10 + 3 * math.sqrt(0.1 * 0.9 / rounds)


def test_few_large_changes_give_no_false_assurance() -> None:
    generator = np.random.default_rng(13)
    rounds = within = 0
    for share in (0.1, 0.25):
        # Few cases cost several times as much, so that the geometric mean lies at the limit.
        dear = 1.2 ** (1 / share)
        for _ in range(60):
            candidate = np.where(generator.random(100) < share, dear, 1.0)
            found = relative_change(np.ones(100), candidate, Quantity.GEOMETRIC_MEAN, QUESTION)
            within += found.p_within is not None and found.p_within <= 0.05
            rounds += 1
    assert within / rounds <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / rounds)


def dear(n: int, share: float, times: float, seed: int) -> tuple[Values, Values]:
    """A candidate that is as dear as the baseline but for a share of cases at so many times the cost."""
    return np.ones(n), np.where(np.random.default_rng(seed).random(n) < share, times, 1.0)


def test_a_mean_that_hangs_on_few_cases_is_not_told() -> None:
    # 400 cases with one in ten at six times the cost tell a mean, 100 do not, nor do 400 with one in fifty at 50.
    sizes = [(400, 0.1, 6.0), (100, 0.1, 6.0), (400, 0.02, 50.0)]
    found = [relative_change(*dear(n, share, times, 3), Quantity.MEAN, QUESTION).quantity for n, share, times in sizes]
    assert found == [Quantity.MEAN, Quantity.BALANCED, Quantity.BALANCED]


def test_one_case_in_ten_at_six_times_the_cost_gives_no_false_assurance() -> None:
    # Its mean is 1.5 times the baseline's: plain t takes that for less in 7% of such runs.
    question, rounds = RelativeQuestion(0.95, 0.5, 1), 120
    wrong = plain = 0
    for seed in range(rounds):
        baseline, candidate = dear(300, 0.1, 6.0, seed)
        found = relative_change(baseline, candidate, Quantity.MEAN, question)
        wrong += found.quantity is Quantity.MEAN and found.p_within is not None and found.p_within <= 0.05
        plain += ttest_1samp(candidate / 1.5 - baseline, 0, alternative="less").pvalue <= 0.05
    assert plain > wrong
    assert wrong / rounds <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / rounds)


def test_a_shared_shock_of_clusters_raises_no_false_alarms() -> None:
    generator = np.random.default_rng(12)
    clusters = np.repeat(np.arange(16), 5).tolist()
    rounds, alarms = 80, 0
    for _ in range(rounds):
        logs = np.repeat(generator.normal(0, 0.3, 16), 5) + generator.normal(0, 0.1, 80)
        found = relative_change(np.ones(80), np.exp(logs), Quantity.GEOMETRIC_MEAN, QUESTION, clusters=clusters)
        alarms += not found.interval.low <= 1.0 <= found.interval.high
    assert alarms / rounds <= 0.10 + 3 * math.sqrt(0.1 * 0.9 / rounds)


@pytest.mark.parametrize(
    ("baseline", "candidate", "message"),
    [
        ([1.0], [1.0, 2.0], "one shape"),
        ([1.0], [-1.0], "not negative"),
        ([1.0], [math.inf], "finite"),
        ([math.nan], [1.0], "both sides"),
    ],
)
def test_what_is_no_cost_is_refused(baseline: list[float], candidate: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        relative_change(baseline, candidate, Quantity.MEAN, QUESTION)


def test_labels_that_do_not_match_the_cases_are_refused() -> None:
    with pytest.raises(ValueError, match="cluster labels"):
        quantile_change([1.0, 2.0], [1.0, 2.0], 0.5, QUESTION, clusters=["a"])


def test_a_quantile_needs_to_be_named() -> None:
    with pytest.raises(ValueError, match="quantile_change"):
        relative_change([1.0], [1.0], Quantity.QUANTILE, QUESTION)
    with pytest.raises(ValueError, match="share"):
        quantile_change([1.0], [1.0], 95, QUESTION)


@pytest.mark.parametrize(("confidence", "limit"), [(0.5, 0.1), (1.0, 0.1), (0.95, -0.1), (0.95, math.nan)])
def test_a_question_without_an_answer_is_refused(confidence: float, limit: float) -> None:
    with pytest.raises(ValueError):
        RelativeQuestion(confidence, limit, 1)
