from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from snapdrift.stats.betting import Claim, betting_interval, betting_p_value
from snapdrift.stats.intervals import tango_interval, tango_test
from snapdrift.stats.judges import PairedJudgements, paired_judgements
from snapdrift.stats.paired import mcnemar, sign_flip
from snapdrift.stats.prediction_powered import DifferenceMethod, estimate_difference

ALPHA = 0.05
INTERVAL = 1 - 2 * ALPHA


@dataclass(frozen=True)
class World:
    """Pairs of which people pass 80% of the baseline's answers; what the judge makes of them, by arm."""

    discordance: float
    difference: float
    sensitivity: tuple[float, float] = (0.95, 0.95)
    specificity: tuple[float, float] = (0.8, 0.8)

    def draw(self, seed: int, pairs: int, labelled: int, cluster: int = 1) -> PairedJudgements:
        """A sample; with `cluster` above 1 half of the clusters of that size have one outcome in all their pairs."""
        generator = np.random.default_rng(seed)
        place = generator.random(pairs)
        if cluster > 1:
            shared = np.repeat(generator.random(pairs // cluster), cluster)
            place = np.where(np.repeat(generator.random(pairs // cluster) < 0.5, cluster), shared, place)
        only_baseline = (self.discordance - self.difference) / 2
        both = 0.8 - only_baseline
        human = np.stack(
            [place < 0.8, (place < both) | ((place >= 0.8) & (place < 0.8 + self.discordance - only_baseline))]
        )
        right = np.where(human, np.array(self.sensitivity)[:, None], np.array(self.specificity)[:, None])
        judge = np.where(generator.random((2, pairs)) < right, human, ~human)
        labels = np.where(np.isin(np.arange(pairs), generator.permutation(pairs)[:labelled]), human, np.nan)
        return paired_judgements(*judge, *labels, clusters=np.arange(pairs) // cluster)


ALIKE = World(0.1, -0.05)
DRIFTED = World(0.1, -0.05, specificity=(0.85, 0.6))
WORLDS = {
    "errs alike": ALIKE,
    "flatters an unchanged candidate": World(0.1, 0.0, specificity=(0.85, 0.6)),
    "hides a drop": DRIFTED,
    "hardly errs": World(0.1, -0.05, (0.99, 0.99), (0.99, 0.9)),
    "changes are rare": World(0.05, -0.05, (0.99, 0.97), (0.95, 0.95)),
}


def _interval(judgements: PairedJudgements) -> tuple[float, float]:
    found = estimate_difference(judgements, INTERVAL)
    return found.interval.low, found.interval.high


def test_each_pair_is_corrected_with_the_weight_that_the_others_give() -> None:
    judgements = ALIKE.draw(1, 400, 80)
    human, judge = judgements.human[judgements.labelled], judgements.judge[judgements.labelled]
    unlabelled = judgements.judge[~judgements.labelled]
    weights = []
    for left_out in range(80):
        rest = np.arange(80) != left_out
        covariance = np.cov(human[rest], judge[rest])[0, 1]
        weights.append(np.clip(covariance / ((1 + 80 / 320) * judgements.judge.var(ddof=1)), 0, 1))
    corrected = human - np.array(weights) * judge
    weight = np.mean(weights)
    estimate = weight * unlabelled.mean() + corrected.mean()
    residual = human - np.array(weights) * (judge - unlabelled.mean())
    error = math.sqrt(weight**2 * unlabelled.var(ddof=1) / 320 + residual.var(ddof=1) / 80 + 2 / 80**2)
    found = estimate_difference(judgements, INTERVAL, margin=0.05)
    assert found.method is DifferenceMethod.PPI_PAIRED
    assert found.judge_weight == pytest.approx(weight)
    assert found.difference == pytest.approx(estimate)
    reach = stats.t(79).ppf(0.95) * error
    assert (found.interval.low, found.interval.high) == pytest.approx((estimate - reach, estimate + reach))
    assert found.p.worse == pytest.approx(stats.t(79).cdf(estimate / error))
    assert found.p_no_worse == pytest.approx(stats.t(79).sf((estimate + 0.05) / error))
    assert (found.pairs, found.labelled) == (400, 80)


def test_with_many_labels_it_is_the_published_estimate() -> None:
    judgements = DRIFTED.draw(3, 20_000, 4_000)
    labelled = judgements.labelled
    human, judge, unlabelled = judgements.human[labelled], judgements.judge[labelled], judgements.judge[~labelled]
    weight = np.cov(human, judge)[0, 1] / ((1 + 4_000 / 16_000) * judgements.judge.var(ddof=1))
    estimate = weight * unlabelled.mean() + (human - weight * judge).mean()
    error = math.sqrt(weight**2 * unlabelled.var(ddof=1) / 16_000 + (human - weight * judge).var(ddof=1) / 4_000)
    found = estimate_difference(judgements, INTERVAL)
    assert found.judge_weight == pytest.approx(weight, abs=1e-4)
    assert found.difference == pytest.approx(estimate, abs=1e-4)
    assert found.interval.high - found.interval.low == pytest.approx(2 * 1.6452 * error, rel=0.01)


@pytest.mark.parametrize("world", WORLDS.values(), ids=list(WORLDS))
def test_each_side_misses_the_true_difference_no_oftener_than_claimed(world: World) -> None:
    runs = 300
    bounds = np.array([_interval(world.draw(seed, 500, 80)) for seed in range(runs)])
    allowed = ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / runs)
    assert (bounds[:, 0] > world.difference + 1e-9).mean() <= allowed
    assert (bounds[:, 1] < world.difference - 1e-9).mean() <= allowed


def test_pairs_that_share_clusters_do_not_make_it_miss_oftener() -> None:
    runs = 200
    bounds = np.array([_interval(ALIKE.draw(seed, 500, 120, cluster=10)) for seed in range(runs)])
    allowed = ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / runs)
    assert (bounds[:, 0] > ALIKE.difference).mean() <= allowed
    assert (bounds[:, 1] < ALIKE.difference).mean() <= allowed


def test_a_judge_that_hides_a_drop_is_corrected_on_average() -> None:
    runs = 200
    samples = [DRIFTED.draw(seed, 500, 120) for seed in range(runs)]
    estimates = np.array([estimate_difference(sample, INTERVAL).difference for sample in samples])
    naive = np.array([sample.judge.mean() for sample in samples])
    assert naive.mean() > 0
    assert estimates.mean() == pytest.approx(-0.05, abs=3 * estimates.std(ddof=1) / math.sqrt(runs))


def test_a_drop_of_exactly_the_margin_is_called_no_worse_no_oftener_than_claimed() -> None:
    runs = 300
    samples = (DRIFTED.draw(seed, 500, 100) for seed in range(runs))
    wrong = sum((estimate_difference(sample, INTERVAL, margin=0.05).p_no_worse or 0) <= ALPHA for sample in samples)
    assert wrong / runs <= ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / runs)


def test_a_good_judge_is_worth_labels_and_a_coin_is_worth_none() -> None:
    good = estimate_difference(World(0.2, 0.0, (0.98, 0.98), (0.98, 0.98)).draw(4, 2_000, 200), INTERVAL)
    coin = estimate_difference(World(0.2, 0.0, (0.5, 0.5), (0.5, 0.5)).draw(4, 2_000, 200), INTERVAL)
    assert good.judge_weight > 0.5
    assert good.labels_gained > 200
    assert coin.judge_weight < 0.1
    assert -10 < coin.labels_gained < 10


def test_a_judge_that_sees_no_difference_anywhere_leaves_the_labels_alone() -> None:
    judgements = ALIKE.draw(5, 1_000, 300)
    blind = np.ones(1_000)
    found = estimate_difference(
        paired_judgements(blind, blind, judgements.human_baseline, judgements.human_candidate), INTERVAL
    )
    assert found.judge_weight == 0
    assert found.labels_gained == pytest.approx(0)
    assert found.difference == pytest.approx(np.nanmean(judgements.human))


def test_a_judge_right_on_every_label_is_still_not_taken_for_people() -> None:
    judgements = World(0.2, -0.05, (1, 1), (1, 1)).draw(6, 1_000, 100)
    found = estimate_difference(judgements, INTERVAL)
    of_all = stats.ttest_1samp(judgements.judge, 0).confidence_interval(INTERVAL)
    assert found.method is DifferenceMethod.PPI_PAIRED
    assert found.difference == pytest.approx(judgements.judge.mean(), abs=0.01)
    assert found.interval.high - found.interval.low > 1.2 * (of_all.high - of_all.low)


@pytest.mark.parametrize(
    "judgements",
    [
        pytest.param(World(0.4, -0.1).draw(7, 600, 49), id="fewer than 50 labels"),
        pytest.param(World(0.02, -0.01, (1, 1), (1, 1)).draw(7, 600, 60), id="hardly anything differs"),
        pytest.param(World(0.4, -0.1).draw(7, 600, 599), id="hardly anything unlabelled"),
        pytest.param(World(0.4, -0.1).draw(7, 30, 30), id="everything labelled"),
        pytest.param(World(0.4, -0.1).draw(7, 30, 1), id="one label"),
    ],
)
def test_without_enough_to_go_by_labels_alone_are_weighed_exactly(judgements: PairedJudgements) -> None:
    human = judgements.human[judgements.labelled]
    worse, better = int((human < 0).sum()), int((human > 0).sum())
    found = estimate_difference(judgements, INTERVAL, margin=0.05)
    assert found.method is DifferenceMethod.HUMAN_ONLY
    assert found.difference == human.mean()
    assert found.p == mcnemar(worse, better).exact
    assert found.interval == tango_interval(worse, better, human.size, INTERVAL)
    assert found.p_no_worse == tango_test(worse, better, human.size, -0.05).p_greater
    assert (found.judge_weight, found.labels_gained) == (0, 0)


def test_few_graded_labels_are_weighed_by_sign_flips_and_betting() -> None:
    generator = np.random.default_rng(8)
    judge = generator.random((2, 200))
    human = np.where(np.arange(200) < 30, np.clip(judge + generator.normal(0, 0.1, (2, 200)), 0, 1), np.nan)
    judgements = paired_judgements(*judge, *human)
    labels = judgements.human[:30]
    found = estimate_difference(judgements, INTERVAL, margin=0.1, seed=3)
    assert found.method is DifferenceMethod.HUMAN_ONLY
    assert found.p == sign_flip(labels, 3).p
    bet = betting_interval(labels, INTERVAL)
    assert (found.interval.low, found.interval.high) == pytest.approx((bet.low, bet.high))
    assert found.p_no_worse == pytest.approx(betting_p_value(labels, -0.1, Claim.ABOVE))


def test_few_labels_of_few_clusters_cannot_show_anything_by_their_number() -> None:
    nothing, everything = np.zeros(200), np.ones(200)
    labels = np.where(np.arange(200) < 40, 1.0, np.nan)
    clusters = np.arange(200) // 10
    found = estimate_difference(
        paired_judgements(everything, nothing, labels, labels - labels, clusters=clusters), INTERVAL
    )
    assert found.method is DifferenceMethod.HUMAN_ONLY
    assert found.difference == -1
    assert found.p.worse == pytest.approx(0.5**4)


def test_graded_scores_are_estimated_from_labels_and_judge_together() -> None:
    generator = np.random.default_rng(9)
    truth = np.clip(generator.normal([[0.7], [0.65]], 0.15, (2, 1_000)), 0, 1)
    judge = np.clip(truth + generator.normal([[0.0], [0.08]], 0.05, (2, 1_000)), 0, 1)
    found = estimate_difference(
        paired_judgements(*judge, *np.where(np.arange(1_000) < 150, truth, np.nan)), INTERVAL, margin=0.02
    )
    assert found.method is DifferenceMethod.PPI_PAIRED
    assert judge[1].mean() > judge[0].mean()
    assert found.interval.low < (truth[1] - truth[0]).mean() < found.interval.high < 0
    by_people = stats.ttest_1samp(truth[1, :150] - truth[0, :150], 0).confidence_interval(INTERVAL)
    assert found.interval.high - found.interval.low < 0.7 * (by_people.high - by_people.low)
    assert found.p_no_worse is not None
    assert found.p_no_worse > 0.5


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from([30, 70]))
def test_swapping_the_arms_turns_everything_round(seed: int, labelled: int) -> None:
    judgements = DRIFTED.draw(seed, 300, labelled)
    swapped = paired_judgements(
        judgements.judge_candidate, judgements.judge_baseline, judgements.human_candidate, judgements.human_baseline
    )
    one, other = estimate_difference(judgements, INTERVAL), estimate_difference(swapped, INTERVAL)
    assert other.difference == pytest.approx(-one.difference)
    assert (other.interval.low, other.interval.high) == pytest.approx((-one.interval.high, -one.interval.low))
    assert (other.p.worse, other.p.better) == pytest.approx((one.p.better, one.p.worse))
    assert other.effective_labels == pytest.approx(one.effective_labels)


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_the_order_of_the_pairs_does_not_matter(seed: int) -> None:
    judgements = DRIFTED.draw(seed, 300, 70, cluster=3)
    order = np.random.default_rng(seed).permutation(300)
    arms = (
        judgements.judge_baseline,
        judgements.judge_candidate,
        judgements.human_baseline,
        judgements.human_candidate,
    )
    shuffled = paired_judgements(*(arm[order] for arm in arms), clusters=judgements.clusters[order])
    one, other = estimate_difference(judgements, INTERVAL), estimate_difference(shuffled, INTERVAL)
    assert (other.difference, other.interval.low) == pytest.approx((one.difference, one.interval.low))


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from([30, 70]), st.floats(0.01, 0.3))
def test_the_claims_hold_exactly_where_the_interval_says(seed: int, labelled: int, margin: float) -> None:
    found = estimate_difference(ALIKE.draw(seed, 300, labelled), INTERVAL, margin=margin)
    assert found.p_no_worse is not None
    if abs(found.interval.low + margin) > 1e-6:
        assert (found.p_no_worse < ALPHA) == (found.interval.low > -margin)
    if found.method is DifferenceMethod.PPI_PAIRED:
        assert (found.p.worse < ALPHA) == (found.interval.high < 0)


def test_without_a_margin_no_claim_about_one_is_made() -> None:
    assert estimate_difference(ALIKE.draw(0, 300, 70), INTERVAL).p_no_worse is None
    assert estimate_difference(ALIKE.draw(0, 300, 30), INTERVAL).p_no_worse is None
