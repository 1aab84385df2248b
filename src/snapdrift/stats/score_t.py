"""A t statistic whose variance is taken at the difference that is asked about, where the two hang together.

Where most differences are 0 and some are not, a mean further from 0 comes of more of those that are not, and so does
a larger variance. A sample that happened to have few of them looks both better and surer than it is: of 200 cases of
which one in ten fell, a plain t test called a drop of just the margin "no worse" in 9.3% of 1,500 samples, at a nominal
5%. So the variance is taken where the null says that the mean is, as a score test does: larger by `slope` for each unit
of distance (3.4% of 1,000 samples).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import special

from snapdrift.stats.intervals import Interval


@dataclass(frozen=True, slots=True)
class ScoreT:
    """A mean `difference` with the `variance` of that mean, its degrees of freedom, and the `slope` of its variance."""

    difference: float
    variance: float
    degrees: float
    slope: float = 0.0

    def p_above(self, null: float) -> float:
        """The one-sided p-value of a difference above `null`."""
        return float(special.stdtr(self.degrees, -self._t(null)))

    def p_below(self, null: float) -> float:
        """The one-sided p-value of a difference below `null`."""
        return float(special.stdtr(self.degrees, self._t(null)))

    def interval(self, confidence: float) -> Interval:
        """All differences that neither test rejects: those with distance^2 < t^2 (variance + slope distance)."""
        critical = float(special.stdtrit(self.degrees, 0.5 + confidence / 2))
        steep = critical**2 * self.slope
        reach = (steep + math.sqrt(steep**2 + 4 * critical**2 * self.variance)) / 2
        return Interval(self.difference - reach, self.difference + reach)

    def _t(self, null: float) -> float:
        distance = self.difference - null
        return distance / math.sqrt(self.variance + abs(distance) * self.slope)
