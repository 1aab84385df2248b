"""Scores that test a ratio of candidate to baseline, case by case, for costs, tokens and times.

A ratio has one score a case that is 0 on average if the ratio is true, falls as the stated ratio grows, and changes
its sign when the arms are swapped (the candidate divided by the ratio first):

- geometric mean: log candidate - log baseline - log ratio;
- mean: candidate / ratio - baseline, in units of the overall mean (its t interval is Fieller's, 1954);
- quantile: is the candidate / ratio above the quantile of both arms taken together, less the same of the baseline
  (the median test for pairs, at another quantile; single calls give McNemar's exact test);
- balanced: (candidate - ratio x baseline) / (candidate + ratio x baseline), which lies in [-1, 1] for any calls.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snapdrift.stats.paired import ClusterSums, FloatArray

WIDEST = math.log(1e9)
"""A log ratio beyond this counts as 0 or infinite."""
_BISECTIONS = 48
_TIE = 1e-12


class Quantity(StrEnum):
    """What the ratio is a ratio of. `BALANCED` is the ratio at which the balanced scores add up to 0."""

    GEOMETRIC_MEAN = "geometric_mean"
    MEAN = "mean"
    QUANTILE = "quantile"
    BALANCED = "balanced"


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls measured on both sides, flat: their values, the number of their case, and 1 / calls of that case.

    `clusters` has the number of the cluster of each case.
    """

    baseline: FloatArray
    candidate: FloatArray
    case: NDArray[np.intp]
    weight: FloatArray
    clusters: NDArray[np.intp] | None
    left_out: int

    @property
    def cases(self) -> int:
        """How many cases have such a call."""
        return int(self.case[-1]) + 1

    def by_case(self, values: FloatArray) -> FloatArray:
        """The mean of the calls of each case."""
        return np.bincount(self.case, weights=values * self.weight, minlength=self.cases).astype(np.float64)

    def units(self, scores: FloatArray) -> ClusterSums:
        """Scores added up by cluster."""
        return _grouped(scores, self.clusters)


@dataclass(frozen=True, slots=True)
class CaseMeans:
    """The mean of each case on both sides, and its cluster."""

    baseline: FloatArray
    candidate: FloatArray
    clusters: NDArray[np.intp] | None

    @property
    def informative(self) -> CaseMeans:
        """Without the cases that are 0 on both sides, which say nothing of a ratio; all, where all are."""
        kept = np.flatnonzero((self.baseline > 0) | (self.candidate > 0))
        if kept.size == 0:
            return self
        clusters = None if self.clusters is None else _numbered(self.clusters[kept])
        return CaseMeans(self.baseline[kept], self.candidate[kept], clusters)

    @property
    def positive(self) -> bool:
        """Whether every mean has a logarithm."""
        return bool((self.baseline > 0).all() and (self.candidate > 0).all())

    def units(self, scores: FloatArray) -> ClusterSums:
        """Scores added up by cluster."""
        return _grouped(scores, self.clusters)


@dataclass(frozen=True, slots=True)
class RatioScores:
    """One quantity: its level on both sides, the estimated ratio, and the scores by cluster at a stated ratio."""

    quantity: Quantity
    baseline: float
    candidate: float
    ratio: float
    scores: Callable[[float], ClusterSums]


def measured_calls(baseline: ArrayLike, candidate: ArrayLike, clusters: Sequence[Hashable] | None) -> Calls:
    """The calls that both sides have, in the order of their cases; arrays are (cases,) or (cases, repeats) with NaN.

    Raises `ValueError` for other shapes, negative or infinite values, or no case measured on both sides.
    """
    one, other = (np.asarray(side, dtype=np.float64) for side in (baseline, candidate))
    if one.shape != other.shape or one.ndim not in (1, 2):
        raise ValueError(
            f"both sides need one shape, (cases,) or (cases, repeats): found {one.shape} and {other.shape}"
        )
    if clusters is not None and len(clusters) != one.shape[0]:
        raise ValueError(f"{one.shape[0]} cases have {len(clusters)} cluster labels")
    one, other = one.reshape(one.shape[0], -1), other.reshape(one.shape[0], -1)
    known = ~(np.isnan(one) | np.isnan(other))
    counts = known.sum(axis=1)
    present = counts > 0
    if not present.any():
        raise ValueError("no case was measured on both sides")
    values = one[known], other[known]
    if min(side.min() for side in values) < 0 or not all(np.isfinite(side).all() for side in values):
        raise ValueError("costs, tokens and times are finite and not negative")
    case = np.repeat(np.arange(int(present.sum())), counts[present])
    numbers = None
    if clusters is not None:
        # Numbered once: scores are added up by cluster again and again.
        seen: dict[Hashable, int] = {}
        numbers = _numbered(np.array([seen.setdefault(label, len(seen)) for label in clusters], dtype=np.intp)[present])
    return Calls(*values, case, 1.0 / counts[present][case], numbers, int((~present).sum()))


def ratio_of_means(cases: CaseMeans) -> RatioScores:
    """Arithmetic means of case means."""
    levels = float(cases.baseline.mean()), float(cases.candidate.mean())

    def scores(ratio: float) -> ClusterSums:
        # In units of the mean, so that a cost of a millionth of a dollar is not taken for a tie.
        return cases.units((cases.candidate / ratio - cases.baseline) / (levels[0] + levels[1]))

    return RatioScores(Quantity.MEAN, *levels, _ratio(levels[1], levels[0]), scores)


def ratio_of_geometric_means(cases: CaseMeans) -> RatioScores:
    """Geometric means of case means, all of them above 0."""
    logs = np.log(cases.baseline), np.log(cases.candidate)
    difference = logs[1] - logs[0]

    def scores(ratio: float) -> ClusterSums:
        return cases.units(difference - math.log(ratio))

    levels = float(np.exp(logs[0].mean())), float(np.exp(logs[1].mean()))
    return RatioScores(Quantity.GEOMETRIC_MEAN, *levels, float(np.exp(difference.mean())), scores)


def balanced_ratio(cases: CaseMeans) -> RatioScores:
    """The ratio at which the balanced scores add up to 0; its levels are arithmetic means."""
    one, other = cases.baseline, cases.candidate

    def scores(ratio: float) -> ClusterSums:
        total = other + ratio * one
        return cases.units(np.divide(other - ratio * one, total, out=np.zeros_like(total), where=total > 0))

    low, high = -WIDEST, WIDEST
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        excess = float(scores(math.exp(middle)).sums.sum())
        if abs(excess) <= _TIE * one.size:
            low = high = middle
            break
        low, high = (middle, high) if excess > 0 else (low, middle)
    ratio = opened((low + high) / 2)
    return RatioScores(Quantity.BALANCED, float(one.mean()), float(other.mean()), ratio, scores)


def ratio_of_quantiles(calls: Calls, share: float) -> RatioScores:
    """The smallest values that at least `share` of the calls do not exceed, with cases of equal weight.

    A score is the share of a case's candidate calls beyond the common quantile, less that of its baseline calls.
    """
    both = np.tile(calls.weight, 2)

    def scores(ratio: float) -> ClusterSums:
        candidate = calls.candidate / ratio
        cut = _quantile(np.concatenate([calls.baseline, candidate]), both, share)
        beyond = calls.by_case((candidate > cut).astype(np.float64) - (calls.baseline > cut))
        # Rounded, so that thirds and fifths of repeats stay multiples of one unit.
        return calls.units(np.round(beyond, 12))

    one, other = (_quantile(values, calls.weight, share) for values in (calls.baseline, calls.candidate))
    return RatioScores(Quantity.QUANTILE, one, other, _ratio(other, one), scores)


def opened(log_ratio: float) -> float:
    """The ratio of a logarithm; at the ends of the search 0 or infinity."""
    if abs(log_ratio) > WIDEST - 1e-6:
        return math.inf if log_ratio > 0 else 0.0
    return math.exp(log_ratio)


def _grouped(scores: FloatArray, clusters: NDArray[np.intp] | None) -> ClusterSums:
    """Scores added up by cluster; each case is its own where there are none."""
    if clusters is None:
        return ClusterSums(scores, np.ones_like(scores))
    sums, sizes = np.bincount(clusters, weights=scores), np.bincount(clusters)
    return ClusterSums(sums.astype(np.float64), sizes.astype(np.float64))


def _numbered(clusters: NDArray[np.intp]) -> NDArray[np.intp]:
    """The same clusters, numbered from 0 without gaps."""
    numbers: NDArray[np.intp] = np.unique(clusters, return_inverse=True)[1]
    return numbers


def _quantile(values: FloatArray, weights: FloatArray, share: float) -> float:
    """The smallest value whose weighted share at or below it reaches `share`."""
    if np.ptp(weights) > 0:
        return float(np.quantile(values, share, weights=weights, method="inverted_cdf"))
    place = max(0, math.ceil(share * values.size - 1e-9) - 1)
    return float(np.partition(values, place)[place])


def _ratio(candidate: float, baseline: float) -> float:
    if baseline == 0:
        return 1.0 if candidate == 0 else math.inf
    return candidate / baseline
