from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from snapdrift.stats.intervals import t_interval
from snapdrift.stats.paired import cluster_standard_error, cluster_sums
from snapdrift.stats.variance import Remedy, Target, VarianceSplit, advise, split_variance

FloatArray = NDArray[np.float64]
GONE = math.nan
LIKE, THESE = Target.CASES_LIKE_THESE, Target.THESE_CASES


@st.composite
def both_sides(draw: st.DrawFn) -> tuple[FloatArray, FloatArray]:
    """Scores of 2 to 12 cases with 2 to 5 repeats on both sides, passes and fails or graded."""
    cases, repeats = draw(st.integers(2, 12)), draw(st.integers(2, 5))
    score = draw(st.sampled_from([st.sampled_from([0.0, 1.0]), st.floats(0, 1)]))
    sides = st.lists(st.lists(score, min_size=repeats, max_size=repeats), min_size=cases, max_size=cases)
    return np.array(draw(sides)), np.array(draw(sides))


def drawn(
    generator: np.random.Generator, cases: int, repeats: int, spread: float, flaky: float
) -> tuple[FloatArray, FloatArray, float]:
    """Answers of cases that differ in their rates by `spread` between the sides, and the true mean difference."""
    rates = generator.choice([flaky, 1 - flaky], size=cases)
    moved = np.clip(rates + generator.choice([-spread, spread], size=cases), 0, 1)
    sides = [(generator.random((cases, repeats)) < chance[:, None]).astype(float) for chance in (rates, moved)]
    return sides[0], sides[1], float((moved - rates).mean())


def test_a_split_worked_out_by_hand() -> None:
    found = split_variance([[1, 1], [1, 0], [1, 1], [0, 1]], [[1, 1], [0, 0], [1, 0], [0, 0]])
    # Differences 0, -1/2, -1/2, -1/2; two of four baseline cases and one candidate case vary, each by 1/2.
    assert found.difference == pytest.approx(-0.375)
    assert found.total == pytest.approx(0.0625)
    assert (found.within_baseline, found.within_candidate) == (0.25, 0.125)
    assert found.noise == pytest.approx(0.1875)
    assert (found.between, found.floored) == (0.0, True)
    assert found.these_cases_error == pytest.approx(math.sqrt(0.1875 / 4))
    assert found.degrees == pytest.approx(3.0)
    assert (found.cases, found.repeats, found.single) == (4, 2.0, 0)


@settings(max_examples=50)
@given(both_sides())
def test_the_error_on_these_cases_is_the_sum_of_each_cases_own_variance(sides: tuple[FloatArray, FloatArray]) -> None:
    # The definition for passes and fails: s2 = p(1 - p) k / (k - 1), error = sqrt(sum of s2 / k of both sides) / n.
    passed = [np.rint(side) for side in sides]
    n, k = passed[0].shape
    rates = [side.mean(axis=1) for side in passed]
    summed = sum(float((p * (1 - p) * k / (k - 1) / k).sum()) for p in rates)
    found = split_variance(passed[0], passed[1])
    assert found.these_cases_error == pytest.approx(math.sqrt(summed) / n)


@settings(max_examples=50)
@given(both_sides())
def test_between_and_noise_add_up_to_the_variance_of_the_case_differences(
    sides: tuple[FloatArray, FloatArray],
) -> None:
    found = split_variance(*sides)
    k = sides[0].shape[1]
    assert found.total == pytest.approx(np.var(sides[1].mean(axis=1) - sides[0].mean(axis=1), ddof=1))
    assert found.noise == pytest.approx(found.within / k, abs=1e-12)
    assert found.between == pytest.approx(max(0.0, found.total - found.within / k), abs=1e-12)


@settings(max_examples=50)
@given(both_sides())
def test_a_claim_about_cases_like_these_is_never_surer_than_one_about_these(
    sides: tuple[FloatArray, FloatArray],
) -> None:
    found = split_variance(*sides)
    assert found.like_these_error >= found.these_cases_error
    assert 0 <= found.noise_share <= 1


@settings(max_examples=50)
@given(both_sides())
def test_swapping_the_sides_turns_the_difference_and_leaves_the_variances(
    sides: tuple[FloatArray, FloatArray],
) -> None:
    one, other = split_variance(*sides), split_variance(sides[1], sides[0])
    assert other.difference == pytest.approx(-one.difference, abs=1e-12)
    assert (other.total, other.between, other.noise) == pytest.approx((one.total, one.between, one.noise), abs=1e-12)
    assert (other.within_baseline, other.within_candidate) == (one.within_candidate, one.within_baseline)


@settings(max_examples=50)
@given(both_sides(), st.randoms(use_true_random=False))
def test_the_order_of_repeats_and_places_without_a_score_change_nothing(
    sides: tuple[FloatArray, FloatArray], random: np.random.Generator
) -> None:
    rows = [[*row, GONE] for row in sides[0].tolist()]
    for row in rows:
        random.shuffle(row)
    one, other = split_variance(*sides), split_variance(rows, sides[1])
    for name in VarianceSplit.__slots__:
        assert getattr(other, name) == pytest.approx(getattr(one, name), abs=1e-9)


def test_the_parts_are_estimated_without_bias() -> None:
    generator = np.random.default_rng(11)
    found = [split_variance(*drawn(generator, 60, 4, 0.2, 0.3)[:2]) for _ in range(400)]
    # Rates .3 and .7 move by .2 up or down: differences of +-.2 have variance .04; W is that of the rates' answers.
    within_candidate = np.mean([p * (1 - p) for p in (0.1, 0.5, 0.5, 0.9)])
    assert np.mean([split.within_baseline for split in found]) == pytest.approx(0.21, abs=0.003)
    assert np.mean([split.within_candidate for split in found]) == pytest.approx(within_candidate, abs=0.003)
    assert np.mean([split.total - split.noise for split in found]) == pytest.approx(0.04, abs=0.004)


@pytest.mark.parametrize(("cases", "repeats"), [(20, 2), (50, 5), (200, 2)])
def test_the_interval_on_these_cases_covers_as_often_as_it_says(cases: int, repeats: int) -> None:
    generator = np.random.default_rng(cases + repeats)
    draws, covered = 500, 0
    for _ in range(draws):
        baseline, candidate, truth = drawn(generator, cases, repeats, 0.1, 0.2)
        split = split_variance(baseline, candidate)
        found = t_interval(split.difference, split.these_cases_error, math.floor(split.degrees), 0.9)
        covered += found.low <= truth <= found.high
    assert abs(covered / draws - 0.9) <= 4 * math.sqrt(0.09 / draws) + 0.01


def test_unequal_repeats_count_by_what_each_case_has() -> None:
    baseline = np.array([[1, 0, GONE, GONE], [1, 0, 1, 0], [1, 1, 1, 1]])
    found = split_variance(baseline, np.ones((3, 4)))
    assert found.noise == pytest.approx((0.5 / 2 + (1 / 3) / 4) / 3)
    assert found.repeats == pytest.approx(found.within / found.noise)


def test_a_case_with_one_measured_repeat_takes_the_average_variance_of_its_side() -> None:
    found = split_variance(np.array([[1, 0], [1, 1], [1, GONE]]), np.ones((3, 2)))
    assert found.within_baseline == pytest.approx(0.25)
    assert found.noise == pytest.approx((0.5 / 2 + 0 + 0.25 / 1) / 3)
    assert found.single == 1


def test_cases_without_a_score_on_a_side_are_left_out() -> None:
    baseline = np.array([[1, 0], [GONE, GONE], [1, 1], [0, 1], [1, 1]])
    candidate = np.array([[1, 1], [0, 0], [0, 1], [0, 1], [GONE, GONE]])
    both = [0, 2, 3]
    assert split_variance(baseline, candidate) == split_variance(baseline[both], candidate[both])


def test_what_cases_of_a_cluster_share_counts_as_between_cases() -> None:
    generator = np.random.default_rng(3)
    shock = np.repeat(generator.random(20) < 0.5, 5)
    baseline = (generator.random((100, 3)) < 0.9).astype(float)
    candidate = np.where(shock[:, None], 0.0, baseline)
    labels = np.repeat(np.arange(20), 5).tolist()
    found, plain = split_variance(baseline, candidate, labels), split_variance(baseline, candidate)
    differences = candidate.mean(axis=1) - baseline.mean(axis=1)
    assert found.like_these_error == pytest.approx(cluster_standard_error(cluster_sums(differences, labels)))
    assert found.like_these_error > 1.5 * plain.like_these_error
    assert found.these_cases_error == plain.these_cases_error


def test_labels_of_clusters_for_other_cases_are_refused() -> None:
    with pytest.raises(ValueError, match="3 cases have 2 cluster labels"):
        split_variance([[1, 0]] * 3, [[1, 1]] * 3, ["a", "b"])


def test_repeats_taken_for_cases_look_surer_than_they_are() -> None:
    generator = np.random.default_rng(8)
    found = split_variance(*drawn(generator, 100, 5, 0.4, 0.5)[:2])
    # (k between + within) / (between + within), under the root.
    ratio = (5 * found.between + found.within) / (found.between + found.within)
    assert found.like_these_error / found.pooled_error == pytest.approx(math.sqrt(ratio))
    assert ratio > 1.2


# --- advice ---------------------------------------------------------------------------------------------------------


def test_where_cases_differ_more_cases_are_advised() -> None:
    generator = np.random.default_rng(1)
    split = split_variance(*drawn(generator, 200, 5, 0.45, 0.05)[:2])
    found = advise(split, LIKE)
    assert found.remedy is Remedy.CASES
    assert found.twice_the_cases == pytest.approx(found.now / math.sqrt(2))
    assert found.now / math.sqrt(2) < found.most_repeats < found.twice_the_repeats < found.now


def test_where_the_model_varies_repeats_help_nearly_as_much() -> None:
    split = split_variance([[1, 0], [0, 1]] * 50, [[0, 1], [1, 1]] * 50)
    found = advise(split, LIKE)
    assert found.remedy is Remedy.EITHER
    assert found.noise_share >= 0.5


def test_about_these_cases_only_repeats_help() -> None:
    found = advise(split_variance([[1, 0], [0, 1]] * 50, [[0, 1], [1, 1]] * 50), THESE)
    assert (found.remedy, found.twice_the_cases, found.most_repeats) == (Remedy.REPEATS, None, 0.0)
    assert found.twice_the_repeats == pytest.approx(found.now / math.sqrt(2))


@pytest.mark.parametrize("target", list(Target))
def test_where_nothing_varied_nothing_is_advised(target: Target) -> None:
    found = advise(split_variance([[1, 1]] * 5, [[1, 1]] * 5), target)
    assert (found.remedy, found.now, found.noise_share) == (Remedy.NEITHER, 0.0, 0.0)


def test_cases_that_differ_but_never_vary_leave_repeats_nothing_to_do() -> None:
    split = split_variance([[1, 1], [1, 1], [1, 1]], [[1, 1], [0, 0], [1, 1]])
    assert advise(split, LIKE).remedy is Remedy.CASES
    assert advise(split, THESE).remedy is Remedy.NEITHER
    assert split.degrees == 6


@settings(max_examples=50)
@given(both_sides(), st.integers(1, 9))
def test_more_cases_never_help_less_than_as_many_more_calls_for_repeats(
    sides: tuple[FloatArray, FloatArray], times: int
) -> None:
    found = split_variance(*sides)
    cases, repeats = found.error(LIKE, cases=times), found.error(LIKE, repeats=times)
    assert found.like_these_error + 1e-12 >= repeats >= cases - 1e-12


def test_the_cases_needed_are_those_of_the_formula() -> None:
    # Without repeats' noise and with a variance of .1 - .05^2 the published 247.3 cases show a margin of 5 points.
    split = VarianceSplit(100, 1.0, 0.0, 0.1, 0.1, 0.0, 0.0, 0.0, floored=False, single=0, degrees=100.0)
    assert split.cases_needed(0.05, 0.05) == 248


def test_more_repeats_need_fewer_cases_down_to_what_cases_differ() -> None:
    split = VarianceSplit(100, 2.0, 0.0, 0.15, 0.05, 0.1, 0.1, 0.1, floored=False, single=0, degrees=100.0)
    needed = [split.cases_needed(-0.05, 0.05, repeats=repeats) for repeats in (1, 2, 4, 10_000)]
    assert needed == [math.ceil(6.182557 * (0.05 + 0.2 / repeats) / 0.0025) for repeats in (1, 2, 4, 10_000)]
    assert split.cases_needed(-0.05, 0.05) == needed[1]


@pytest.mark.parametrize(("difference", "repeats"), [(0.0, 1.0), (0.1, 0.5)])
def test_no_difference_and_less_than_one_repeat_need_no_number_of_cases(difference: float, repeats: float) -> None:
    split = split_variance([[1, 0], [0, 1]], [[0, 1], [1, 1]])
    with pytest.raises(ValueError, match="needs a difference and repeats"):
        split.cases_needed(difference, 0.05, repeats=repeats)


@pytest.mark.parametrize(
    ("baseline", "candidate", "message"),
    [
        ([[1], [0]], [[1, 1], [0, 1]], "the baseline has one measured repeat.*at least two repeats"),
        ([[1, 1], [0, 1]], [[1, GONE], [GONE, 0]], "the candidate has one measured repeat"),
        ([[1, 1]], [[1, 1]], "two cases scored on both sides, found 1"),
        ([[GONE, GONE], [1, 1]], [[1, 1], [1, 1]], "two cases scored on both sides, found 1"),
        ([[1, 1], [1, 1]], [[1, 1]], "of the same cases"),
        ([1, 1], [1, 1], "of the same cases"),
    ],
)
def test_scores_that_cannot_be_split_are_refused(baseline: object, candidate: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        split_variance(baseline, candidate)  # type: ignore[arg-type]
