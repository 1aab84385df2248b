"""Confidence intervals for one rate and for the difference of two paired rates, and the score test of a margin.

A paired pass/fail result is four counts: `both` pass, `only_baseline` passes, `only_candidate` passes, `neither`.
Differences are candidate minus baseline: (only_candidate - only_baseline) / n.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import special

_BISECTIONS = 80


@dataclass(frozen=True, slots=True)
class Interval:
    """A two-sided confidence interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ScoreTest:
    """A score test at a stated difference: `z`, and the one-sided p-values for a difference above and below it."""

    z: float
    p_greater: float
    p_less: float


def normal_quantile(confidence: float) -> float:
    """The two-sided standard normal critical value: 1.96 for 0.95."""
    return float(special.ndtri(0.5 + confidence / 2))


def wilson_interval(successes: int, n: int, confidence: float) -> Interval:
    """Wilson's score interval of a rate (Wilson 1927). Raises `ValueError` unless 0 <= successes <= n and n > 0."""
    _check_counts(successes, n)
    z = normal_quantile(confidence)
    rate = successes / n
    centre = rate + z * z / (2 * n)
    spread = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if successes == 0 else (centre - spread) / scale
    high = 1.0 if successes == n else (centre + spread) / scale
    return Interval(low, high)


def clopper_pearson_interval(successes: int, n: int, confidence: float) -> Interval:
    """The exact interval of a rate (Clopper and Pearson 1934): covers at least as often as it says."""
    _check_counts(successes, n)
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else float(special.betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(special.betaincinv(successes + 1, n - successes, 1 - tail))
    return Interval(low, high)


def tango_test(only_baseline: int, only_candidate: int, n: int, null: float) -> ScoreTest:
    """Tango's score test that the paired difference is `null` (Tango 1998, Statistics in Medicine 17:891-908).

    `p_greater` at `null = -margin` is the test of "no worse than the margin". Raises `ValueError` for counts that
    are no table or a `null` outside [-1, 1].
    """
    _check_pairs(only_baseline, only_candidate, n)
    if not -1 <= null <= 1:
        raise ValueError(f"a difference of rates lies in [-1, 1], found {null}")
    z = _tango_z(only_baseline, only_candidate, n, null)
    return ScoreTest(z, float(special.ndtr(-z)), float(special.ndtr(z)))


def tango_interval(only_baseline: int, only_candidate: int, n: int, confidence: float) -> Interval:
    """All differences that Tango's score test does not reject: about +-0.07 at n = 50 without any discordant pair."""
    _check_pairs(only_baseline, only_candidate, n)
    critical = normal_quantile(confidence)
    estimate = (only_candidate - only_baseline) / n

    def bound(edge: float, sign: float) -> float:
        inside, outside = estimate, edge
        for _ in range(_BISECTIONS):
            middle = (inside + outside) / 2
            if sign * _tango_z(only_baseline, only_candidate, n, middle) < critical:
                inside = middle
            else:
                outside = middle
        return outside

    return Interval(bound(-1.0, 1.0), bound(1.0, -1.0))


def newcombe_interval(both: int, only_baseline: int, only_candidate: int, neither: int, confidence: float) -> Interval:
    """Newcombe's hybrid score interval of the paired difference, method 10 (Newcombe 1998, Stat. Med. 17:2635-2650).

    The two Wilson intervals joined by the correlation phi, whose numerator is corrected for continuity.
    """
    n = both + only_baseline + only_candidate + neither
    _check_pairs(only_baseline, only_candidate, n)
    baseline, candidate = (both + only_baseline) / n, (both + only_candidate) / n
    of_baseline = wilson_interval(both + only_baseline, n, confidence)
    of_candidate = wilson_interval(both + only_candidate, n, confidence)
    phi = _corrected_phi(both, only_baseline, only_candidate, neither)

    def joined(candidate_arm: float, baseline_arm: float) -> float:
        return math.sqrt(max(0.0, candidate_arm**2 - 2 * phi * candidate_arm * baseline_arm + baseline_arm**2))

    difference = candidate - baseline
    low = difference - joined(candidate - of_candidate.low, of_baseline.high - baseline)
    high = difference + joined(of_candidate.high - candidate, baseline - of_baseline.low)
    return Interval(low, high)


def t_interval(mean: float, standard_error: float, degrees: int, confidence: float) -> Interval:
    """Student's interval of a mean. Raises `ValueError` at no variance: its width would claim certainty."""
    if not standard_error > 0:
        raise ValueError("a t interval needs variance; use the betting interval")
    reach = float(special.stdtrit(degrees, 0.5 + confidence / 2)) * standard_error
    return Interval(mean - reach, mean + reach)


def _tango_z(only_baseline: int, only_candidate: int, n: int, null: float) -> float:
    """The score statistic, with the probability of a regression estimated under the null difference."""
    a = 2.0 * n
    b = -only_candidate - only_baseline + (2 * n - only_candidate + only_baseline) * null
    c = -only_baseline * null * (1 - null)
    worse = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    variance = n * (2 * worse + null * (1 - null))
    excess = only_candidate - only_baseline - n * null
    if variance <= 0:
        return 0.0 if excess == 0 else math.copysign(math.inf, excess)
    return excess / math.sqrt(variance)


def _corrected_phi(both: int, only_baseline: int, only_candidate: int, neither: int) -> float:
    """The correlation of a 2x2 table; a positive numerator is brought n/2 nearer to 0 (never past it)."""
    n = both + only_baseline + only_candidate + neither
    margins = (both + only_baseline) * (only_candidate + neither) * (both + only_candidate) * (only_baseline + neither)
    if margins == 0:
        return 0.0
    numerator: float = both * neither - only_baseline * only_candidate
    if numerator > 0:
        numerator = max(0.0, numerator - n / 2)
    return numerator / math.sqrt(margins)


def _check_counts(successes: int, n: int) -> None:
    if not (n > 0 and 0 <= successes <= n):
        raise ValueError(f"a rate needs 0 <= successes <= n and n > 0, found {successes} of {n}")


def _check_pairs(only_baseline: int, only_candidate: int, n: int) -> None:
    if n <= 0 or only_baseline < 0 or only_candidate < 0 or only_baseline + only_candidate > n:
        raise ValueError(f"not a paired table: {only_baseline} and {only_candidate} discordant of {n}")
