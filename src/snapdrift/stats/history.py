"""What many runs of one suite say together: levels with intervals, steps, flaky cases, and the noise of A/A runs.

Steps are for display: they show where a series seems to have moved and claim nothing. A claim over time is made by
the canary (`stats.canary`), whose error rate holds however often it is looked at. `confidence` is two-sided.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from snapdrift.stats.betting import betting_interval
from snapdrift.stats.intervals import (
    Interval,
    clopper_pearson_interval,
    normal_quantile,
    t_interval,
    wilson_interval,
)
from snapdrift.stats.paired import ClusterSums, FloatArray, cluster_standard_error, cluster_sums

FEW_CASES = 50
FEW_CHANGES = 10
"""Below the first, or with fewer values than the second away from the commonest one, a mean is bet on: t would lie."""
MOST_SEGMENTS = 20
_STEP_PENALTY = 2.5
_NOISE_SHARE = 0.5
_LEAST_NOISE = 0.1


@dataclass(frozen=True, slots=True)
class Level:
    """The mean of a metric over the cases of one run, with its interval; `n` cases were scored."""

    mean: float
    interval: Interval
    n: int


@dataclass(frozen=True, slots=True)
class Segment:
    """The runs from `start` up to, not including, `stop` lie around one level."""

    start: int
    stop: int
    level: float


@dataclass(frozen=True, slots=True)
class Flakiness:
    """How often one case passes within one variant of a run.

    `case` is its row. `interval` is Wilson's; `at_least` is the lower end of the exact interval: 5 of 5 passes show a
    rate of 0.549 or more at 90% two-sided, and no more than that.
    """

    case: int
    passes: int
    repeats: int
    interval: Interval
    at_least: float

    @property
    def rate(self) -> float:
        """The share of repeats that passed."""
        return self.passes / self.repeats

    @property
    def flaky(self) -> bool:
        """Whether it both passed and failed."""
        return 0 < self.passes < self.repeats


@dataclass(frozen=True, slots=True)
class NoiseFloor:
    """How far apart two runs of the same thing are, measured on comparisons in which nothing had changed.

    `mean` is the mean difference over all. `discordance` is the mean squared difference of a case (for one pass or
    fail the share of cases that differ) with its interval. `standard_error` is what that makes of the difference of
    two runs if cases err independently; `spread` is what the differences of the comparisons measured, the root of
    their mean square, with its interval. `p_excess` is small where runs differ by more than their cases explain:
    then something besides the answers to single cases varies. `floor` is the difference that two runs of the same
    thing exceed, either way, with probability 1 - confidence.
    """

    comparisons: int
    cases: int
    mean: float
    discordance: float
    discordance_interval: Interval
    standard_error: float
    spread: float
    spread_interval: Interval
    p_excess: float
    floor: float


def level(values: ArrayLike, confidence: float, *, clusters: Sequence[Hashable] | None = None) -> Level:
    """The mean of case means in [0, 1] with its interval; NaN is a case without a score.

    Single passes and fails: Wilson. Else t, or betting with few cases or few that differ. With shared clusters the
    same on clusters, by CR1 errors. Raises `ValueError` without a score or outside [0, 1].
    """
    data = np.asarray(values, dtype=np.float64)
    if clusters is not None and len(clusters) != data.size:
        raise ValueError(f"{data.size} values have {len(clusters)} cluster labels")
    scored = ~np.isnan(data)
    labels = None if clusters is None else [label for label, kept in zip(clusters, scored, strict=True) if kept]
    data = data[scored]
    if data.size == 0:
        raise ValueError("no case was scored")
    if data.min() < 0 or data.max() > 1:
        raise ValueError(f"scores lie in [0, 1], found [{data.min()}, {data.max()}]")
    if labels is None or len(set(labels)) == data.size:
        if np.isin(data, (0.0, 1.0)).all():
            return Level(float(data.mean()), wilson_interval(int(data.sum()), data.size, confidence), data.size)
        units = ClusterSums(data, np.ones_like(data))
    else:
        units = cluster_sums(data, labels)
    return Level(float(data.mean()), _interval(units, confidence), data.size)


def segments(values: ArrayLike, *, weights: ArrayLike | None = None, noise: float = 0.0) -> tuple[Segment, ...]:
    """The series cut where it seems to step, by least absolute deviations (an L1 Potts fit; asv's step detection).

    With k segments and mean absolute deviation r over n runs, the k of least 2.5 k log(n) / n + log(r + s) is taken. s
    keeps a finer fit than the noise from earning anything: half of `noise` (the standard error of a value) or of what
    the changes from run to run make of it, or a tenth of the deviation without a step, whichever is largest. Measured
    on 6 to 40 runs of normal noise: at most 3% of the series show a step, and one of five standard errors half way is
    found in 67% of the series of 6 runs, 95% of 10. One odd run does not drag the levels beside it. `weights`,
    above 0, say how much a run counts (its cases). At most 20 segments.
    Raises `ValueError` for values that are not finite, or none.
    """
    data = np.asarray(values, dtype=np.float64)
    mass = np.ones_like(data) if weights is None else np.asarray(weights, dtype=np.float64)
    if data.ndim != 1 or data.size == 0 or not np.isfinite(data).all():
        raise ValueError("a series needs at least one value, all of them finite")
    if mass.shape != data.shape or not (np.isfinite(mass).all() and mass.min() > 0):
        raise ValueError("each value needs one weight above 0")
    if not noise >= 0:
        raise ValueError(f"noise cannot be negative, found {noise}")
    fits = _fits(data, mass / mass.mean())
    beta = _STEP_PENALTY * math.log(data.size) / data.size if data.size > 1 else 0.0

    residuals = [_residual(data, mass, fit) for fit in fits]
    of_a_value = _NOISE_SHARE * max(noise, _noise_between(data))
    scale = max(of_a_value, _LEAST_NOISE * residuals[0], float(np.finfo(float).tiny))

    def objective(fit: tuple[Segment, ...]) -> float:
        return beta * len(fit) + math.log(residuals[len(fit) - 1] + scale)

    # A fit that repeats a level across a cut is the one with fewer segments, priced too high.
    return min((fit for fit in fits if _steps(fit)), key=objective)


def flakiness(passed: ArrayLike, confidence: float) -> tuple[Flakiness, ...]:
    """Each case that was measured at all, in order: `passed` is (cases, repeats) of 0 and 1, NaN where unmeasured.

    To be read, and for a declared quarantine from an earlier run: cases dropped because they flickered in the very
    comparison they are dropped from bias it. Raises `ValueError` for other values.
    """
    table = np.asarray(passed, dtype=np.float64)
    measured = ~np.isnan(table)
    if table.ndim != 2 or not np.isin(table[measured], (0.0, 1.0)).all():
        raise ValueError("passes are a table of cases by repeats, of 0, 1 and NaN")
    totals = measured.sum(axis=1)
    passes = np.where(measured, table, 0.0).sum(axis=1).astype(int)
    return tuple(
        Flakiness(
            case,
            int(passes[case]),
            int(totals[case]),
            wilson_interval(int(passes[case]), int(totals[case]), confidence),
            clopper_pearson_interval(int(passes[case]), int(totals[case]), confidence).low,
        )
        for case in np.flatnonzero(totals).tolist()
    )


def noise_floor(differences: ArrayLike, confidence: float) -> NoiseFloor:
    """The noise between two runs of the same thing, from A/A comparisons that share no run.

    `differences` is (comparisons, cases) of case means, one run less the other, in [-1, 1]; NaN where a case was not
    scored in both. The discordance behind `standard_error` is drawn towards caution by one case that differs and one
    that does not, so that full agreement is no certainty. The floor is normal on that; where the comparisons vary by
    more (`p_excess` at most 1 - confidence) it is their spread times t with as many degrees of freedom as there are
    comparisons. Raises `ValueError` for a comparison without cases.
    """
    table = np.asarray(differences, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] == 0 or np.isnan(table).all(axis=1).any():
        raise ValueError("each A/A comparison needs a case that was scored in both runs")
    table = table[:, ~np.isnan(table).all(axis=0)]
    squares = np.nanmean(np.square(table), axis=0)
    interval = betting_interval(squares, confidence, low=0.0)
    cautious = (float(squares.sum()) + 1) / (squares.size + 2)
    sizes = (~np.isnan(table)).sum(axis=1)
    means = np.nanmean(table, axis=1)
    count = means.size
    spread = math.sqrt(float(np.square(means).mean()))
    p_excess = float(special.chdtrc(count, float((np.square(means) * sizes).sum()) / cautious))
    error = math.sqrt(cautious / float(sizes.mean()))
    tail = (1 - confidence) / 2
    ends = [math.sqrt(count / float(special.chdtri(count, upper))) for upper in (tail, 1 - tail)]
    measured = float(special.stdtrit(count, 1 - tail)) * spread
    return NoiseFloor(
        comparisons=count,
        cases=squares.size,
        mean=float(np.average(means, weights=sizes)),
        discordance=float(squares.mean()),
        discordance_interval=interval,
        standard_error=error,
        spread=spread,
        spread_interval=Interval(ends[0] * spread, ends[1] * spread),
        p_excess=p_excess,
        floor=min(1.0, measured if p_excess <= 1 - confidence else normal_quantile(confidence) * error),
    )


def _interval(units: ClusterSums, confidence: float) -> Interval:
    means = units.sums / units.sizes
    _, counts = np.unique(np.round(means, 9), return_counts=True)
    clustered = units.sizes.max() > 1
    if means.size - int(counts.max()) < FEW_CHANGES or (means.size < FEW_CASES and not clustered):
        return betting_interval(means, confidence, low=0.0, weights=units.sizes)
    mean = float(units.sums.sum() / units.sizes.sum())
    found = t_interval(mean, cluster_standard_error(units), means.size - 1, confidence)
    return Interval(max(0.0, found.low), min(1.0, found.high))


def _fits(data: FloatArray, mass: FloatArray) -> list[tuple[Segment, ...]]:
    """The best fit with 1, 2, ... segments, by dynamic programming over the end of the last segment."""
    n = data.size
    candidates = np.unique(data)
    deviations = np.abs(data[None, :] - candidates[:, None]) * mass
    summed = np.concatenate([np.zeros((candidates.size, 1)), np.cumsum(deviations, axis=1)], axis=1)
    cost = np.full((n + 1, n + 1), np.inf)
    for start in range(n):
        # The best level of a segment is one of the values: a weighted median of its own.
        cost[start, start + 1 :] = (summed[:, start + 1 :] - summed[:, [start]]).min(axis=0)
    best = cost[0]
    origins: list[list[int]] = []
    fits = [_traced(summed, candidates, origins, n)]
    for _ in range(1, min(n, MOST_SEGMENTS)):
        totals = best[:, None] + cost
        origins.append(totals.argmin(axis=0).tolist())
        best = totals.min(axis=0)
        fits.append(_traced(summed, candidates, origins, n))
    return fits


def _residual(data: FloatArray, mass: FloatArray, fit: tuple[Segment, ...]) -> float:
    """The weighted mean absolute deviation from the levels."""
    levels = np.repeat([part.level for part in fit], [part.stop - part.start for part in fit])
    return float(np.average(np.abs(data - levels), weights=mass))


def _noise_between(data: FloatArray) -> float:
    """The standard deviation that the changes from run to run suggest; a few steps hardly move their median."""
    if data.size < 2:
        return 0.0
    return float(np.median(np.abs(np.diff(data)))) / (math.sqrt(2) * float(special.ndtri(0.75)))


def _traced(summed: FloatArray, candidates: FloatArray, origins: list[list[int]], n: int) -> tuple[Segment, ...]:
    cuts = [n]
    for origin in reversed(origins):
        cuts.append(origin[cuts[-1]])
    bounds = pairwise([0, *reversed(cuts)])
    return tuple(
        Segment(start, stop, float(candidates[(summed[:, stop] - summed[:, start]).argmin()])) for start, stop in bounds
    )


def _steps(fit: tuple[Segment, ...]) -> bool:
    return all(after.level != before.level for before, after in pairwise(fit))
