from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from snapdrift.stats.betting import betting_interval
from snapdrift.stats.judges import JudgeBias, PairedJudgements, judge_bias, paired_judgements
from snapdrift.stats.paired import sign_flip

seeds = st.integers(0, 10_000)


def _labelled(seed: int, n: int, fails_passed: tuple[float, float], *, passes_failed: float = 0.05) -> PairedJudgements:
    """Pairs that people pass in 80% of each arm; the judge passes these shares of the fails, baseline and candidate."""
    generator = np.random.default_rng(seed)
    human = generator.random((2, n)) < 0.8
    wrong = np.array(fails_passed)[:, None]
    judge = np.where(human, generator.random((2, n)) >= passes_failed, generator.random((2, n)) < wrong)
    return paired_judgements(*judge, *human)


def test_a_judge_that_flatters_the_candidate_has_a_bias_above_zero() -> None:
    nothing, everything = np.zeros(60), np.ones(60)
    found = judge_bias(paired_judgements(nothing, everything, nothing, nothing), 0.9)
    assert found.bias == 1
    assert found.interval.low > 0.9
    assert found.p_value < 1e-9
    assert (found.labelled, found.differing) == (60, 60)


def test_a_judge_that_errs_alike_on_both_arms_has_no_bias() -> None:
    human, judge = np.zeros(60), np.ones(60)
    found = judge_bias(paired_judgements(judge, judge, human, human), 0.9)
    assert (found.bias, found.p_value, found.differing) == (0, 1, 0)


def test_complete_agreement_shows_a_bias_within_a_stated_distance_only() -> None:
    judgement = np.ones(100)
    found = judge_bias(paired_judgements(*[judgement] * 4), 0.9)
    assert (found.interval.low, found.interval.high) == pytest.approx((-0.0372542, 0.0372542), abs=1e-6)
    assert found.shown_within(0.05)
    assert not found.shown_within(0.03)


def test_pairs_without_labels_do_not_count_for_the_bias() -> None:
    judgements = _labelled(1, 120, (0.1, 0.4))
    human = np.stack([judgements.human_baseline, judgements.human_candidate])
    more = np.concatenate([human, np.full((2, 500), np.nan)], axis=1)
    judge = np.stack([judgements.judge_baseline, judgements.judge_candidate])
    extended = paired_judgements(*np.concatenate([judge, np.ones((2, 500))], axis=1), *more)
    assert judge_bias(extended, 0.9) == judge_bias(judgements, 0.9)


def test_many_differing_pairs_are_tested_by_t() -> None:
    judgements = _labelled(2, 200, (0.1, 0.5))
    found = judge_bias(judgements, 0.9)
    errors = judgements.judge - judgements.human
    assert found.p_value == pytest.approx(ttest_1samp(errors, 0).pvalue, rel=1e-9)


def test_few_differing_pairs_are_tested_by_sign_flips() -> None:
    human = np.ones(80)
    judge = np.where(np.arange(80) < 6, 0.0, 1.0)
    found = judge_bias(paired_judgements(human, judge, human, human), 0.9)
    assert found.bias == pytest.approx(-6 / 80)
    assert found.p_value == pytest.approx(2 * 0.5**6)


def test_graded_scores_that_hardly_differ_get_the_betting_interval() -> None:
    generator = np.random.default_rng(0)
    human = np.round(generator.random((2, 60)), 2)
    judge = human.copy()
    judge[1, :4] = np.clip(judge[1, :4] - 0.3, 0, 1)
    judgements = paired_judgements(*judge, *human)
    errors = judgements.judge - judgements.human
    found = judge_bias(judgements, 0.9)
    bet = betting_interval(errors, 0.9, low=-2, high=2)
    assert (found.interval.low, found.interval.high) == pytest.approx((bet.low, bet.high), abs=1e-9)
    assert found.p_value == pytest.approx(sign_flip(errors, 0).p.two_sided)


def test_graded_scores_that_differ_get_the_interval_of_t() -> None:
    generator = np.random.default_rng(1)
    human = generator.random((2, 90))
    judge = np.clip(human + generator.normal([[0.0], [0.05]], 0.1, (2, 90)), 0, 1)
    judgements = paired_judgements(*judge, *human)
    found = judge_bias(judgements, 0.9)
    expected = ttest_1samp(judgements.judge - judgements.human, 0).confidence_interval(0.9)
    assert (found.interval.low, found.interval.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_pairs_of_one_cluster_are_not_taken_for_independent() -> None:
    judgements = _labelled(5, 40, (0.0, 0.6))
    arms = (
        judgements.judge_baseline,
        judgements.judge_candidate,
        judgements.human_baseline,
        judgements.human_candidate,
    )
    copied = [np.repeat(arm, 5) for arm in arms]
    naive = judge_bias(paired_judgements(*copied), 0.9)
    clustered = judge_bias(paired_judgements(*copied, clusters=np.repeat(np.arange(40), 5)), 0.9)
    assert clustered.bias == pytest.approx(naive.bias)
    assert clustered.interval.high - clustered.interval.low > 1.8 * (naive.interval.high - naive.interval.low)
    assert clustered.p_value > naive.p_value


@given(seeds, st.floats(0, 0.5), st.floats(0, 0.5))
def test_swapping_the_arms_mirrors_the_bias(seed: int, baseline: float, candidate: float) -> None:
    judgements = _labelled(seed, 70, (baseline, candidate))
    one = judge_bias(judgements, 0.9)
    other = judge_bias(
        paired_judgements(
            judgements.judge_candidate, judgements.judge_baseline, judgements.human_candidate, judgements.human_baseline
        ),
        0.9,
    )
    assert (other.bias, other.p_value) == pytest.approx((-one.bias, one.p_value))
    assert (other.interval.low, other.interval.high) == pytest.approx((-one.interval.high, -one.interval.low))


@given(seeds, st.floats(0, 1), st.floats(0, 1))
def test_the_interval_holds_the_bias_and_always_has_width(seed: int, baseline: float, candidate: float) -> None:
    found = judge_bias(_labelled(seed, 55, (baseline, candidate)), 0.9)
    assert found.interval.low < found.bias < found.interval.high


@pytest.mark.parametrize("flattery", [0.1, 0.25, 0.5])
def test_a_bias_at_the_margin_is_shown_inside_it_no_oftener_than_claimed(flattery: float) -> None:
    # 20% of the answers fail, so this is the true bias.
    margin, runs = 0.2 * flattery, 300
    shown = 0
    outside = 0
    for seed in range(runs):
        found = judge_bias(_labelled(seed, 100, (0.02, 0.02 + flattery)), 0.9)
        shown += found.interval.high < margin
        outside += not found.interval.low <= margin <= found.interval.high
    assert shown / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
    assert outside / runs <= 0.10 + 3 * math.sqrt(0.10 * 0.90 / runs)


def test_inside_the_margin_means_the_whole_interval() -> None:
    judgements = _labelled(3, 300, (0.1, 0.1))
    found = judge_bias(judgements, 0.9)
    reach = max(-found.interval.low, found.interval.high)
    assert isinstance(found, JudgeBias)
    assert found.shown_within(reach + 1e-9)
    assert not found.shown_within(reach)


LABELS = [1.0, 0.0, math.nan]


@pytest.mark.parametrize(
    ("arms", "word"),
    [
        (([1, 0, 1], [1, 1, 1], LABELS, [1.0, math.nan, math.nan]), "1 pairs are labelled in one arm only"),
        (([1, 0, 1], [1, 1, 1], LABELS, [math.nan] * 3), "2 pairs are labelled in one arm only"),
        (([1, 0, 1], [1, 1, 1], [math.nan] * 3, [math.nan] * 3), "no pair is labelled"),
        (([], [], [], []), "no pair is labelled"),
        (([1, 0, 1], [1, math.nan, 1], LABELS, LABELS), "scored both answers"),
        (([1, 0, 1], [1, 4, 1], LABELS, LABELS), r"judge's scores must lie in \[0, 1\]"),
        (([1, 0, 1], [1, 0, 1], LABELS, [1.0, -1.0, math.nan]), r"labels must lie in \[0, 1\]"),
        (([1, 0, 1], [1, 0], LABELS, LABELS), "one value a pair"),
    ],
)
def test_what_cannot_calibrate_a_judge_is_refused(arms: tuple[list[float], ...], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        paired_judgements(*arms)


def test_each_pair_needs_a_cluster_label() -> None:
    with pytest.raises(ValueError, match="cluster labels"):
        paired_judgements([1, 0], [1, 0], [1, 0], [1, 0], clusters=["a"])
