"""Whether a judge errs in favour of one of two variants, by people's labels of some of the pairs it scored.

A judge errs, and may err more in favour of one variant than of the other; then its difference is wrong however many
cases it judges. `judge_bias` measures that: the judge's difference minus people's, on pairs of which *both* answers
were labelled. `prediction_powered` corrects for it.

The labelled pairs must be a *random* sample of the pairs, labelled without sight of the variant and of the judge's
verdict: nothing here can see whether that holds. A difference is candidate minus baseline in scores in [0, 1]. For a
metric of which less is better, swap the arms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snapdrift.stats.betting import betting_interval
from snapdrift.stats.intervals import Interval, t_interval, tango_interval
from snapdrift.stats.paired import (
    ClusterSums,
    FloatArray,
    cluster_standard_error,
    cluster_sums,
    cluster_t,
    sign_flip,
)

MIN_PAIRS = 50
"""With fewer labelled pairs no t statistic is trusted, and the judge's help is not used."""
FEW_CHANGES = 10
"""The same where fewer labelled pairs (or clusters) than this hold any difference."""


@dataclass(frozen=True, slots=True)
class PairedJudgements:
    """Scores in [0, 1] by pair and arm, as the judge gave them and as people did. Arrays of one length.

    Labels are NaN where people did not label the pair. Pairs that share a number in `clusters` are not independent.
    Made by `paired_judgements`, which checks them.
    """

    judge_baseline: FloatArray
    judge_candidate: FloatArray
    human_baseline: FloatArray
    human_candidate: FloatArray
    clusters: NDArray[np.int64]

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Which pairs people labelled."""
        return ~np.isnan(self.human_baseline)

    @property
    def judge(self) -> FloatArray:
        """Candidate minus baseline by the judge; rounded, so that equal means of repeats differ by exactly 0."""
        difference: FloatArray = np.round(self.judge_candidate - self.judge_baseline, 12) + 0.0
        return difference

    @property
    def human(self) -> FloatArray:
        """Candidate minus baseline by people; NaN where unlabelled."""
        difference: FloatArray = np.round(self.human_candidate - self.human_baseline, 12) + 0.0
        return difference

    @property
    def labels_clustered(self) -> bool:
        """Whether some of the labelled pairs share a cluster."""
        groups = self.clusters[self.labelled]
        return len(np.unique(groups)) < groups.size

    @property
    def labels_pass_fail(self) -> bool:
        """Whether each label is one pass or fail."""
        return _binary(self.human_baseline[self.labelled]) and _binary(self.human_candidate[self.labelled])

    @property
    def judge_pass_fail(self) -> bool:
        """Whether each of the judge's scores is one pass or fail."""
        return _binary(self.judge_baseline) and _binary(self.judge_candidate)


@dataclass(frozen=True, slots=True)
class JudgeBias:
    """The judge's difference minus people's: above 0 it flatters the candidate. `p_value` is two-sided, against 0.

    `differing` counts the labelled pairs on which the two differences are not the same.
    """

    bias: float
    interval: Interval
    p_value: float
    labelled: int
    differing: int

    def shown_within(self, margin: float) -> bool:
        """Whether the whole interval lies inside (-margin, margin): at 1 - 2 alpha, two one-sided tests at alpha."""
        return -margin < self.interval.low and self.interval.high < margin


def paired_judgements(
    judge_baseline: ArrayLike,
    judge_candidate: ArrayLike,
    human_baseline: ArrayLike,
    human_candidate: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
) -> PairedJudgements:
    """Pairs one value a case and arm, each in [0, 1] (repeats averaged); NaN is an answer that people did not label.

    Raises `ValueError` for arrays that do not match, a judge's score that is missing, values outside [0, 1], no label
    at all, and pairs of which one answer only is labelled: labels of one arm cannot correct a difference.
    """
    arms = [np.asarray(arm, dtype=np.float64) for arm in (judge_baseline, judge_candidate)]
    labels = [np.asarray(arm, dtype=np.float64) for arm in (human_baseline, human_candidate)]
    n = arms[0].size
    if any(arm.shape != (n,) for arm in (*arms, *labels)):
        raise ValueError(f"judge and labels need one value a pair and arm, found {[a.shape for a in (*arms, *labels)]}")
    for name, values in (("the judge's scores", np.concatenate(arms)), ("labels", np.concatenate(labels))):
        known = values[~np.isnan(values)]
        if known.size and not (known.min() >= 0 and known.max() <= 1):
            raise ValueError(f"{name} must lie in [0, 1], found [{known.min()}, {known.max()}]")
    if np.isnan(arms).any():
        raise ValueError("the judge must have scored both answers of every pair; leave the other pairs out")
    one_arm = int((np.isnan(labels[0]) != np.isnan(labels[1])).sum())
    if one_arm:
        raise ValueError(f"{one_arm} pairs are labelled in one arm only: a difference needs labels of both answers")
    if np.isnan(labels[0]).all():
        raise ValueError("no pair is labelled: a judge cannot be calibrated without labels")
    groups = np.arange(n) if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1].ravel()
    if groups.size != n:
        raise ValueError(f"{n} pairs have {groups.size} cluster labels")
    return PairedJudgements(arms[0], arms[1], labels[0], labels[1], groups.astype(np.int64))


def judge_bias(judgements: PairedJudgements, confidence: float, *, seed: int = 0) -> JudgeBias:
    """Whether the judge errs differently on the two variants, with an interval at a two-sided `confidence`.

    Passes and fails of unclustered pairs: the two arms' Tango intervals joined (Newcombe's square-and-add), which has
    width even where the judge is right on every pair (0.037 either way at 100 pairs and 0.9). Else CR1 errors and t
    where enough pairs differ, and betting where not. Signs are flipped (`seed`) wherever t is not to be trusted.
    """
    labelled = judgements.labelled
    errors = np.round(judgements.judge[labelled] - judgements.human[labelled], 12) + 0.0
    groups = cluster_sums(errors, judgements.clusters[labelled].tolist())
    trusted = errors.size >= MIN_PAIRS and _differing_groups(groups) >= FEW_CHANGES
    mean = float(errors.mean())
    if judgements.judge_pass_fail and judgements.labels_pass_fail and not judgements.labels_clustered:
        interval = _of_two_arms(judgements, confidence)
    elif trusted:
        interval = t_interval(mean, cluster_standard_error(groups), groups.sums.size - 1, confidence)
    else:
        interval = betting_interval(groups.sums / groups.sizes, confidence, low=-2.0, high=2.0, weights=groups.sizes)
    p = cluster_t(groups).p if trusted else sign_flip(groups.sums, seed).p
    differing = int((errors != 0).sum())
    return JudgeBias(mean, within_bound(interval, 2.0), p.two_sided, errors.size, differing)


def within_bound(interval: Interval, bound: float) -> Interval:
    """The part of an interval inside [-bound, bound]."""
    low, high = np.clip((interval.low, interval.high), -bound, bound).tolist()
    return Interval(low, high)


def _differing_groups(groups: ClusterSums) -> int:
    """How many groups are away from the commonest mean."""
    _, counts = np.unique(np.round(groups.sums / groups.sizes, 9), return_counts=True)
    return groups.sums.size - int(counts.max())


def _of_two_arms(judgements: PairedJudgements, confidence: float) -> Interval:
    """Newcombe's square-and-add of the two arms' Tango intervals of judge minus people (Newcombe 1998; MOVER)."""
    labelled = judgements.labelled
    bounds = []
    for judge, human in (
        (judgements.judge_baseline[labelled], judgements.human_baseline[labelled]),
        (judgements.judge_candidate[labelled], judgements.human_candidate[labelled]),
    ):
        interval = tango_interval(int((judge < human).sum()), int((judge > human).sum()), judge.size, confidence)
        bounds.append((float((judge - human).mean()), interval))
    (baseline, of_baseline), (candidate, of_candidate) = bounds
    bias = candidate - baseline
    low = bias - math.hypot(candidate - of_candidate.low, of_baseline.high - baseline)
    high = bias + math.hypot(of_candidate.high - candidate, baseline - of_baseline.low)
    return Interval(low, high)


def _binary(values: FloatArray) -> bool:
    return bool(np.isin(values, (0.0, 1.0)).all())
