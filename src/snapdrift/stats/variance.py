"""Where the uncertainty of a difference comes from: cases that differ among themselves, or a model that varies.

Scores are arrays [case, repeat], NaN where a call was not measured; repeats of a call, and the two sides of a case, are
independent draws. Two questions can be asked of them. About **cases like these** (the default) the cases are a sample,
and both parts count. About **these cases** they are given, only the model's variation is random, and without two
repeats it cannot be told from anything.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from snapdrift.stats.paired import cluster_standard_error, cluster_sums
from snapdrift.stats.power import POWER

_NOTHING = 1e-12
_MOSTLY = 0.5
_NEAR_BOUNDARY = 0.5

FloatArray = NDArray[np.float64]


class Target(StrEnum):
    """What a difference is claimed of."""

    CASES_LIKE_THESE = "cases_like_these"
    THESE_CASES = "these_cases"


class Remedy(StrEnum):
    """What would make a difference known better: more cases, either of both, more repeats, or neither."""

    CASES = "cases"
    EITHER = "either"
    REPEATS = "repeats"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class VarianceSplit:
    """The variance of the differences of cases, divided. Variances are in squared score units.

    `total` is the sample variance of the case differences and estimates `between` + `noise`; for clustered cases it is
    n times the CR1 variance of their mean, so that what cases of a cluster share counts as between. `between` is the
    variance of the true differences of cases (0 where the estimate is negative, which `floored` says). `noise` is what
    the model's variation adds to one case difference at the repeats there are. `within_baseline` and `within_candidate`
    are the variances of one answer's score about its case's own mean, averaged over cases. `repeats` is the number of
    repeats that would give this noise if all cases had it, `single` how many case sides have one measured repeat and
    take the average variance of their side. `degrees` are those of `these_cases_error`.
    """

    cases: int
    repeats: float
    difference: float
    total: float
    between: float
    noise: float
    within_baseline: float
    within_candidate: float
    floored: bool
    single: int
    degrees: float

    @property
    def within(self) -> float:
        """The variance of a case difference at one repeat that is due to the model: both sides' added up."""
        return self.within_baseline + self.within_candidate

    @property
    def noise_share(self) -> float:
        """The part of a case difference's variance that more repeats reduce, in [0, 1]; 0 where nothing varies."""
        whole = self.between + self.noise
        return self.noise / whole if whole > _NOTHING else 0.0

    @property
    def these_cases_error(self) -> float:
        """The standard error of the mean difference on these very cases: sqrt(sum of (s2_a/k + s2_b/k)) / n.

        0 where no answer ever varied, which shows no certainty: then only an interval with width can be trusted.
        """
        return math.sqrt(self.noise / self.cases)

    @property
    def like_these_error(self) -> float:
        """The standard error of the mean difference on cases like these: never under that on these cases."""
        return math.sqrt((self.between + self.noise) / self.cases)

    @property
    def pooled_error(self) -> float:
        """What the standard error would be if every repeat were a case of its own. For explaining, never for claims."""
        return math.sqrt((self.between + self.within) / (self.cases * self.repeats))

    def error(self, target: Target, *, cases: float = 1.0, repeats: float = 1.0) -> float:
        """The standard error with `cases` times the cases and `repeats` times the repeats that there are."""
        between = self.between if target is Target.CASES_LIKE_THESE else 0.0
        return math.sqrt((between + self.noise / repeats) / (self.cases * cases))

    def cases_needed(
        self, difference: float, alpha: float, *, repeats: float | None = None, power: float = POWER
    ) -> int:
        """How many cases, each with `repeats` (as now), see the difference one-sided with the power asked for.

        n = (z_alpha + z_power)^2 (between + within / repeats) / difference^2, at least 2 (after Miller 2024, arXiv
        2411.00640). Raises `ValueError` for no difference and for repeats under 1.
        """
        taken = self.repeats if repeats is None else repeats
        if difference == 0 or taken < 1:
            raise ValueError(f"a number of cases needs a difference and repeats, found {difference} and {taken}")
        noise = self.noise * self.repeats / taken
        reach = float(special.ndtri(1 - alpha) + special.ndtri(power))
        return max(2, math.ceil(reach**2 * (self.between + noise) / difference**2 - 1e-9))


@dataclass(frozen=True, slots=True)
class Advice:
    """What would help, and the standard errors that say so; those of a remedy that is none for the target are None.

    `twice_the_cases` and `twice_the_repeats` cost the same number of calls. `most_repeats` is what no number of
    repeats comes below.
    """

    remedy: Remedy
    noise_share: float
    now: float
    twice_the_cases: float | None
    twice_the_repeats: float
    most_repeats: float


@dataclass(frozen=True, slots=True)
class _Side:
    """One side's repeats by case: means, how many were measured, and the variances of one answer (NaN under two)."""

    means: FloatArray
    counts: FloatArray
    variances: FloatArray

    @property
    def average(self) -> float:
        """The variance of one answer, averaged over the cases that have two."""
        return float(np.nanmean(self.variances))

    @property
    def noise(self) -> FloatArray:
        """The variance of each case's mean that is due to the model."""
        filled = np.where(np.isnan(self.variances), self.average, self.variances)
        return filled / self.counts


def split_variance(
    baseline: ArrayLike, candidate: ArrayLike, clusters: Sequence[Hashable] | None = None
) -> VarianceSplit:
    """Divides the variance of the case differences into between cases and within them.

    `baseline` and `candidate` are scores [case, repeat], NaN where unmeasured, the same cases in the same order; their
    numbers of repeats may differ. Cases without a score on a side are left out. `clusters` has the cluster of each
    case, where some share one. Raises `ValueError` for fewer than two cases (or clusters), and where no case of a side
    has two measured repeats: then the model's variation cannot be told from that between cases.
    """
    sides = [np.asarray(scores, dtype=np.float64) for scores in (baseline, candidate)]
    if any(side.ndim != 2 for side in sides) or len(sides[0]) != len(sides[1]):
        raise ValueError(f"scores are [case, repeat] of the same cases, found {sides[0].shape} and {sides[1].shape}")
    unscored = np.stack([np.isnan(side).all(axis=1) for side in sides])
    paired = np.flatnonzero(~unscored.any(axis=0))
    if paired.size < 2:
        raise ValueError(f"a split of the variance needs two cases scored on both sides, found {paired.size}")
    old, new = _side(sides[0][paired], "baseline"), _side(sides[1][paired], "candidate")
    differences = new.means - old.means
    if clusters is None:
        total = float(differences.var(ddof=1))
    else:
        if len(clusters) != len(unscored[0]):
            raise ValueError(f"{len(unscored[0])} cases have {len(clusters)} cluster labels")
        sums = cluster_sums(differences, [clusters[case] for case in paired.tolist()])
        total = cluster_standard_error(sums) ** 2 * differences.size
    noise = float((old.noise + new.noise).mean())
    within = old.average + new.average
    counts = np.concatenate([old.counts, new.counts])
    return VarianceSplit(
        cases=differences.size,
        repeats=within / noise if noise > _NOTHING else float(counts.size / (1 / counts).sum()),
        difference=float(differences.mean()),
        total=total,
        between=max(0.0, total - noise),
        noise=noise,
        within_baseline=old.average,
        within_candidate=new.average,
        floored=total < noise - _NOTHING,
        single=int((counts == 1).sum()),
        degrees=_degrees(np.concatenate([old.variances, new.variances]), counts),
    )


def advise(split: VarianceSplit, target: Target) -> Advice:
    """Whether more cases or more repeats would make the difference known better, for what is claimed.

    About these cases only repeats can help. About cases like these, twice the cases halve the variance; twice the
    repeats cost as much and take off `noise_share` of that: with half of it or more, repeats are worth asking where
    there are no more cases.
    """
    now = split.error(target)
    like_these = target is Target.CASES_LIKE_THESE
    if now**2 * split.cases <= _NOTHING:
        remedy = Remedy.NEITHER
    elif not like_these:
        remedy = Remedy.REPEATS
    else:
        remedy = Remedy.EITHER if split.noise_share >= _MOSTLY else Remedy.CASES
    return Advice(
        remedy=remedy,
        noise_share=split.noise_share,
        now=now,
        twice_the_cases=split.error(target, cases=2.0) if like_these else None,
        twice_the_repeats=split.error(target, repeats=2.0),
        most_repeats=split.error(target, repeats=math.inf),
    )


def repeats_to_resolve(split: VarianceSplit, margin: float | None, alpha: float) -> int | None:
    """About how many repeats of each case in all would settle an inconclusive comparison of these cases, if it stays.

    The cheaper of "there is a difference" and "no worse than the margin", each with 80% power (normal approximation,
    after Miller 2024, arXiv 2411.00640). None where nothing varied, and where the difference lies within half a
    standard error of every boundary. A difference below 0 is worse.
    """
    error = split.these_cases_error
    distances = [abs(split.difference), *([] if margin is None else [split.difference + margin])]
    told = [distance for distance in distances if distance > _NEAR_BOUNDARY * error]
    if not told or error <= _NOTHING:
        return None
    reach = float(special.ndtri(1 - alpha) + special.ndtri(POWER))
    needed = math.ceil(split.repeats * (reach * error / max(told)) ** 2 - 1e-9)
    return max(math.floor(split.repeats) + 1, needed)


def _side(scores: FloatArray, name: str) -> _Side:
    counts = (~np.isnan(scores)).sum(axis=1).astype(np.float64)
    if counts.max() < 2:
        raise ValueError(
            f"the {name} has one measured repeat of each case: what the model varies by itself cannot be told from "
            f"what differs between cases. Ask at least two repeats"
        )
    means = np.nansum(scores, axis=1) / counts
    squares = np.nansum(np.square(scores - means[:, None]), axis=1)
    variances = np.divide(squares, counts - 1, out=np.full(counts.size, np.nan), where=counts > 1)
    return _Side(means, counts, variances)


def _degrees(variances: FloatArray, counts: FloatArray) -> float:
    """Degrees of freedom of the sum of all variances / counts (Welch-Satterthwaite), from those that were measured."""
    measured = counts > 1
    parts, free = variances[measured] / counts[measured], counts[measured] - 1
    squares = float((np.square(parts) / free).sum())
    return float(parts.sum()) ** 2 / squares if squares > _NOTHING**2 else float(free.sum())
