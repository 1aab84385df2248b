"""What a number of cases can show: power of the exact McNemar test, and how many cases a claim takes.

`discordance` is the share of cases whose result differs between the two variants; a drop can never exceed it, so it
is raised to the drop where it is smaller. `alpha` is one-sided.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy import special

from snapdrift.stats.betting import Claim, betting_p_value, log_e_of_agreement
from snapdrift.stats.paired import FloatArray, binomial_tail

POWER = 0.8
"""The chance of seeing a drop at which it is called detectable."""
MOST_CASES = 10_000_000
_SPREAD = 9.0
_DROP_BISECTIONS = 40
_NEAR_BOUNDARY = 0.5
_TABLED = 1 << 16


def mcnemar_power(n: int, discordance: float, difference: float, alpha: float) -> float:
    """The chance that the exact one-sided McNemar test for "worse" rejects, with n cases.

    `difference` is candidate minus baseline, so a drop is negative; each discordant pair is a regression with
    probability (discordance - difference) / (2 discordance). Summed over the number of discordant pairs, leaving out
    what lies 9 standard deviations off. Raises `ValueError` when |difference| exceeds the discordance.
    """
    if n < 0 or not 0 <= discordance <= 1 or abs(difference) > discordance + 1e-12:
        raise ValueError(f"no paired table has n={n}, discordance={discordance}, difference={difference}")
    if n == 0 or discordance == 0:
        return 0.0
    regression = min(1.0, (discordance - difference) / (2 * discordance))
    reach = _SPREAD * math.sqrt(n * discordance * (1 - discordance)) + 40
    centre = n * discordance
    m = np.arange(max(0, math.floor(centre - reach)), min(n, math.ceil(centre + reach)) + 1, dtype=np.float64)
    log_choose = special.gammaln(n + 1) - special.gammaln(m + 1) - special.gammaln(n - m + 1)
    mass = np.exp(log_choose + special.xlogy(m, discordance) + special.xlog1py(n - m, -discordance))
    rejected = binomial_tail(_critical_counts_from(int(m[0]), m.size, alpha), m, regression)
    return min(1.0, float(np.dot(mass, rejected)))


@lru_cache(maxsize=4096)
def detectable_difference(n: int, discordance: float, alpha: float, power: float = POWER) -> float | None:
    """The smallest drop that n cases see with the power asked for; None when even a drop of 1 is not seen."""
    if _drop_power(n, 1.0, discordance, alpha) < power:
        return None
    seen, unseen = 1.0, 0.0
    for _ in range(_DROP_BISECTIONS):
        middle = (seen + unseen) / 2
        if _drop_power(n, middle, discordance, alpha) >= power:
            seen = middle
        else:
            unseen = middle
    return seen


def sees_drop(n: int, drop: float, discordance: float, alpha: float, power: float = POWER) -> bool:
    """Whether n cases see the drop with the power asked for."""
    return _drop_power(n, drop, discordance, alpha) >= power


@lru_cache(maxsize=1024)
def cases_for_drop(drop: float, discordance: float, alpha: float, power: float = POWER) -> int | None:
    """The fewest cases that see the drop with the power asked for; None beyond ten million."""
    if not 0 < drop <= 1:
        raise ValueError(f"a drop lies in (0, 1], found {drop}")
    return _fewest(lambda n: sees_drop(n, drop, discordance, alpha, power))


def cases_for_no_worse(margin: float, alpha: float) -> int:
    """The fewest cases whose complete agreement shows "no worse than the margin" by Tango's score test.

    Without discordant pairs its z is sqrt(n margin / (1 - margin)).
    """
    _check_margin(margin)
    critical = float(special.ndtri(alpha)) ** 2
    return max(1, math.ceil(critical * (1 - margin) / margin - 1e-9))


@lru_cache(maxsize=1024)
def cases_of_agreement(margin: float, alpha: float) -> int | None:
    """As `cases_for_no_worse`, by betting, as graded and repeated metrics are; None beyond ten million."""
    _check_margin(margin)
    if margin >= 1:
        return 1
    return _fewest(lambda n: log_e_of_agreement(n, margin) >= -math.log(alpha))


def agreement_p_value(margin: float, sizes: FloatArray) -> float:
    """The betting p-value of "no worse than the margin" when clusters of these sizes agree completely."""
    _check_margin(margin)
    return betting_p_value(np.zeros(sizes.size), -margin, Claim.ABOVE, weights=sizes)


def cases_to_show_no_worse(discordance: float, difference: float, margin: float, alpha: float) -> int | None:
    """Cases after which "no worse than the margin" is shown with 80% power (normal approximation).

    (z_a + z_b)^2 (discordance - difference^2) / (margin + difference)^2; None when the difference is not above
    -margin.
    """
    if difference <= -margin:
        return None
    reach = float(special.ndtri(1 - alpha) + special.ndtri(POWER))
    variance = max(discordance - difference**2, 0.0)
    return math.ceil(reach**2 * variance / (margin + difference) ** 2)


def cases_to_show_difference(discordance: float, difference: float, alpha: float) -> int | None:
    """Cases after which a difference of this size is shown with 80% power (normal approximation); None for 0.

    (z_a sqrt(discordance) + z_b sqrt(discordance - difference^2))^2 / difference^2.
    """
    if difference == 0:
        return None
    spread = math.sqrt(max(discordance - difference**2, 0.0))
    reach = float(special.ndtri(1 - alpha)) * math.sqrt(discordance) + float(special.ndtri(POWER)) * spread
    return math.ceil((reach / difference) ** 2)


def cases_to_resolve(n: int, difference: float, second_moment: float, margin: float | None, alpha: float) -> int | None:
    """About how many cases in all would settle an inconclusive comparison, if what was seen is what there is.

    `second_moment` is the mean squared difference (for pass/fail the discordance), drawn towards caution by one
    discordant and one concordant case. The cheaper of "there is a difference" and "no worse than the margin". None
    (not resolvable near this size) when the estimate is within half a standard error of every boundary.
    """
    discordance = (n * second_moment + 1) / (n + 2)
    error = math.sqrt(max(discordance - difference**2, 0.0) / n)
    needed: list[int | None] = []
    if abs(difference) > _NEAR_BOUNDARY * error:
        needed.append(cases_to_show_difference(discordance, difference, alpha))
    if margin is not None and difference + margin > _NEAR_BOUNDARY * error:
        needed.append(cases_to_show_no_worse(discordance, difference, margin, alpha))
    totals = [total for total in needed if total is not None]
    return max(n + 1, min(totals)) if totals else None


def _drop_power(n: int, drop: float, discordance: float, alpha: float) -> float:
    return mcnemar_power(n, max(discordance, drop), -drop, alpha)


def _critical_counts_from(first: int, size: int, alpha: float) -> FloatArray:
    """As `_critical_counts` of `first`, `first` + 1, ...; small ones are looked up, they are needed again and again."""
    last = first + size
    if last > _TABLED:
        return _critical_counts(np.arange(first, last, dtype=np.float64), alpha)
    return _tabled_counts(1 << (last - 1).bit_length(), alpha)[first:last]


@lru_cache(maxsize=64)
def _tabled_counts(size: int, alpha: float) -> FloatArray:
    return _critical_counts(np.arange(size, dtype=np.float64), alpha)


def _critical_counts(m: FloatArray, alpha: float) -> FloatArray:
    """For each number of discordant pairs the fewest regressions that reject; m + 1 where none do."""
    guess = np.ceil(m / 2 - float(special.ndtri(alpha)) * np.sqrt(m) / 2)
    count = np.clip(guess, 0, m + 1)
    while (short := binomial_tail(count, m, 0.5) > alpha).any():
        count = count + short
    while (spare := (count > 0) & (binomial_tail(count - 1, m, 0.5) <= alpha)).any():
        count = count - spare
    return count


def _fewest(enough: Callable[[int], bool]) -> int | None:
    """The smallest n for which a monotone condition holds, by doubling and bisection."""
    high = 1
    while not enough(high):
        high *= 2
        if high > MOST_CASES:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _check_margin(margin: float) -> None:
    if not margin > 0:
        raise ValueError(f"a margin must be above 0, found {margin}")
