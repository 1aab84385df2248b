"""What pure betting sees: the exact power of "worse" where a comparison is looked at without end.

Of single passes and fails, cases that agree leave the wealth as it is, so it is a function of two counts: regressions
and improvements. The chance that it ever reaches 1/alpha is then summed exactly over the walk of those counts. As for
the fixed test (`power`), `discordance` is the share of cases whose result differs, raised to the drop where that is
larger, and `alpha` is one-sided.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from snapdrift.stats.betting import GRID
from snapdrift.stats.power import POWER, detectable_difference

MOST_DISCORDANT = 20_000
"""Discordant cases up to which power is reckoned: beyond it a drop is called not seen."""
_SHARES = (np.arange(GRID) + 0.5) / GRID
_UP, _DOWN = np.log1p(_SHARES), np.log1p(-_SHARES)
_PRECISION = 0.002
"""How closely a detectable drop is bracketed, as a share of it."""
_SPREAD = 9.0
FloatArray = NDArray[np.float64]


def betting_power(n: int, discordance: float, difference: float, alpha: float) -> float:
    """The chance that the wealth bet on "worse" reaches 1/alpha within n cases.

    `difference` is candidate minus baseline. Raises `ValueError` when its size exceeds the discordance.
    """
    if n < 0 or not 0 <= discordance <= 1 or abs(difference) > discordance + 1e-12:
        raise ValueError(f"no paired table has n={n}, discordance={discordance}, difference={difference}")
    if n == 0 or discordance == 0:
        return 0.0
    regression = min(1.0, (discordance - difference) / (2 * discordance))
    centre, spread = n * discordance, math.sqrt(n * discordance * (1 - discordance))
    most = min(n, math.ceil(centre + _SPREAD * spread + 40), MOST_DISCORDANT)
    shown = _chance_by_discordant(most, regression, alpha)
    m = np.arange(most + 1, dtype=np.float64)
    log_choose = special.gammaln(n + 1) - special.gammaln(m + 1) - special.gammaln(n - m + 1)
    mass = np.exp(log_choose + special.xlogy(m, discordance) + special.xlog1py(n - m, -discordance))
    return min(1.0, float(np.dot(mass, shown)))


@lru_cache(maxsize=1024)
def betting_detectable(n: int, discordance: float, alpha: float, power: float = POWER) -> float | None:
    """The smallest drop that n cases show by betting with the power asked for; None when even a drop of 1 is not."""
    fixed = detectable_difference(n, discordance, alpha, power)
    if fixed is None:  # betting sees less than the fixed test
        return None
    # Drops near that of the fixed test are quickly reckoned with; large ones make every case a discordant one.
    seen, unseen = min(1.0, 2 * fixed), fixed / 2
    while not betting_sees(n, seen, discordance, alpha, power):
        if seen >= 1:
            return None
        seen, unseen = min(1.0, 2 * seen), seen
    while seen - unseen > _PRECISION * seen:
        middle = (seen + unseen) / 2
        if betting_sees(n, middle, discordance, alpha, power):
            seen = middle
        else:
            unseen = middle
    return seen


def betting_sees(n: int, drop: float, discordance: float, alpha: float, power: float = POWER) -> bool:
    """Whether n cases show the drop by betting with the power asked for."""
    return betting_power(n, max(discordance, drop), -drop, alpha) >= power


@lru_cache(maxsize=1024)
def betting_cases_for_drop(drop: float, discordance: float, alpha: float, power: float = POWER) -> int | None:
    """The fewest cases that show the drop by betting; None beyond `MOST_DISCORDANT` discordant ones."""
    if not 0 < drop <= 1:
        raise ValueError(f"a drop lies in (0, 1], found {drop}")
    high = 1
    while not betting_sees(high, drop, discordance, alpha, power):
        high *= 2
        if high * max(discordance, drop) > MOST_DISCORDANT:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if betting_sees(middle, drop, discordance, alpha, power) else (middle, high)
    return high


def _chance_by_discordant(most: int, regression: float, alpha: float) -> FloatArray:
    """For 0 to `most` discordant cases: the chance that the wealth has reached 1/alpha by then."""
    bounds = _bounds(1 << most.bit_length(), alpha)
    below = np.zeros(most + 2)  # by the number of regressions: the chance of being there, never having reached it
    below[0] = 1.0
    shown = np.zeros(most + 1)
    for m in range(1, most + 1):
        top = min(bounds[m - 1], m)
        below[1 : top + 1] = below[1 : top + 1] * (1 - regression) + below[:top] * regression
        below[0] *= 1 - regression
        below[bounds[m] :] = 0.0
        shown[m] = 1.0 - below.sum()
    return np.clip(shown, 0.0, 1.0)


@lru_cache(maxsize=8)
def _bounds(most: int, alpha: float) -> list[int]:
    """For 0 to `most` discordant cases the fewest regressions at which the wealth is 1/alpha; one more where none is.

    One further case raises it by at most one: a regression more always raises the wealth, an improvement lowers it.
    """
    threshold = -math.log(alpha) - 1e-12
    bounds = [1]
    for m in range(1, most + 1):
        count = min(bounds[-1], m)
        wealth = count * _UP + (m - count) * _DOWN
        bounds.append(count if np.logaddexp.reduce(wealth) - math.log(GRID) >= threshold else count + 1)
    return bounds
