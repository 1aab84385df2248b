"""Means of skewed values: Student's t with Hall's correction, and when even that is not to be trusted.

Where a few values weigh much, the mean and its error rise and fall together, and t takes a sample that happened to
miss the large values for a sure sign that the mean is small: with one case in ten at six times the cost, 400 cases
were wrongly shown to be within a limit in 7% of simulated runs, not 5%. Hall (1992, JRSS B 54:221-228) corrects t for
the skewness that is seen. What is not seen he cannot correct, so the tails are asked first whether they are light
enough for so many units.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from snapdrift.stats.intervals import Interval
from snapdrift.stats.paired import ClusterSums, FloatArray, SidedP, cluster_standard_error

STEADY_UNITS = 25
"""So many units are needed for each unit of kurtosis above 2 (the normal distribution has 3), and 20 in any case.

Simulated with 25 to 1,000 units of log-normal, Pareto and two-point costs, at least 10 of them unlike the commonest, no
tail of the corrected t errs in more than 5.5% of cases at 5 (2,000 to 20,000 draws each); with 5,000 units of Pareto
costs of infinite skewness (shape 2.5) it is 6.4%."""
MIN_UNITS = 20
_TIE = 1e-12


def adjusted_t(units: ClusterSums) -> SidedP:
    """Both tails of t for a mean of 0 over cases, corrected for skewness; CR1 error.

    Degrees of freedom are Kish's effective number of units less one, G - 1 where they are of one size: a unit that
    holds most cases decides the error alone. With T the plain t, G units and g their skewness, the corrected one is
    T + a T^2 + a^2 T^3 / 3 + a / 2 for a = g / (3 sqrt G), which rises with T. Without variance the scores are what
    they are.
    """
    mean, error = _mean(units), cluster_standard_error(units)
    if error <= _TIE:
        return SidedP.of_tails(1.0 if mean > -_TIE else 0.0, 1.0 if mean < _TIE else 0.0)
    a, t, degrees = _lean(units), mean / error, units.effective - 1
    corrected = t + a * t**2 + a**2 * t**3 / 3 + a / 2
    return SidedP.of_tails(float(special.stdtr(degrees, corrected)), float(special.stdtr(degrees, -corrected)))


def adjusted_t_interval(units: ClusterSums, confidence: float) -> Interval:
    """All means over cases that `adjusted_t` rejects on neither side at (1 - confidence) / 2."""
    mean, error, a = _mean(units), cluster_standard_error(units), _lean(units)
    quantile = float(special.stdtrit(units.effective - 1, (1 + confidence) / 2))

    def plain(corrected: float) -> float:
        # 3 a (corrected - a / 2) = (1 + a T)^3 - 1
        if abs(a) < _TIE:
            return corrected
        return (float(np.cbrt(1 + 3 * a * (corrected - a / 2))) - 1) / a

    return Interval(mean - plain(quantile) * error, mean - plain(-quantile) * error)


def steady(units: ClusterSums) -> bool:
    """Whether the mean of so many units of such tails can be told by `adjusted_t`."""
    count = units.sums.size
    squares = np.square(_centred(units))
    spread = float(squares.mean())
    if count < MIN_UNITS or spread <= _TIE**2:
        return False
    kurtosis = float(np.square(squares).mean()) / spread**2
    return count >= STEADY_UNITS * (kurtosis - 2)


def _mean(units: ClusterSums) -> float:
    return float(units.sums.sum() / units.sizes.sum())


def _lean(units: ClusterSums) -> float:
    """a of the correction: the skewness of the units about their mean over 3 sqrt G; 0 without variance."""
    centred = _centred(units)
    squares = np.square(centred)
    spread = float(squares.mean())
    if spread <= _TIE**2:
        return 0.0
    skewness = float((centred * squares).mean()) / math.pow(spread, 1.5)
    return skewness / (3 * math.sqrt(units.sums.size))


def _centred(units: ClusterSums) -> FloatArray:
    centred: FloatArray = units.sums - units.sizes * _mean(units)
    return centred
