"""What can be said of the mean of bounded values without assuming anything else: valid at any number of cases.

A gambler bets against "the mean is m0", a fixed share of the wealth on every value, averaged over a grid of shares
(Waudby-Smith and Ramdas 2024, JRSS B 86:1-27). If m0 is true the expected wealth never grows, so by Markov's
inequality it reaches 1/alpha with probability at most alpha. Only the final wealth counts here, so the answer does
not depend on the order of the cases.

Values may carry weights (the sizes of clusters whose means they are): each bet is then scaled by weight/largest
weight, which keeps every wealth positive and the estimate at the weighted mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snapdrift.stats.intervals import Interval

GRID = 32
_SHARES = (np.arange(GRID) + 0.5) / GRID
_BISECTIONS = 45


class Claim(StrEnum):
    """What wealth is evidence for: that the mean lies below, or above, the stated one."""

    BELOW = "below"
    ABOVE = "above"


@dataclass(frozen=True, slots=True)
class _Bets:
    """Distinct values with their relative weights and how often each pair occurs."""

    values: NDArray[np.float64]
    weights: NDArray[np.float64]
    counts: NDArray[np.float64]
    low: float
    high: float

    def log_wealth(self, null: float, claim: Claim) -> float:
        """The log of the grid's average wealth when betting that the mean is not `null`."""
        sign, room = (-1.0, self.high - null) if claim is Claim.BELOW else (1.0, null - self.low)
        steps = sign * (self.values - null) / room * self.weights
        wealth = np.log1p(_SHARES[:, None] * steps[None, :]) @ self.counts
        return _log_mean(wealth)

    @property
    def mean(self) -> float:
        """The weighted mean."""
        mass = self.weights * self.counts
        return float(np.dot(self.values, mass) / mass.sum())


def log_e_value(
    values: ArrayLike,
    null: float,
    claim: Claim,
    *,
    low: float = -1.0,
    high: float = 1.0,
    weights: ArrayLike | None = None,
) -> float:
    """The log of the e-value against "the mean is `null`, or lies on the other side of it than the claim".

    Its reciprocal, capped at 1, is a p-value. `null` must lie inside (`low`, `high`), the bounds of the values.
    """
    if not low < null < high:
        raise ValueError(f"the null mean must lie inside ({low}, {high}), found {null}")
    return _bets(values, weights, low, high).log_wealth(null, claim)


def log_e_of_agreement(n: int, margin: float) -> float:
    """The log e-value of "the mean is above -margin" after n differences of exactly 0, for 0 < margin < 1."""
    # Wealth multiplies, so n equal values need no array of n.
    steps = np.log1p(_SHARES * margin / (1 - margin))
    return _log_mean(n * steps)


def betting_p_value(
    values: ArrayLike,
    null: float,
    claim: Claim,
    *,
    low: float = -1.0,
    high: float = 1.0,
    weights: ArrayLike | None = None,
) -> float:
    """The p-value min(1, 1/e) of `log_e_value`; at or beyond the bounds nothing can be claimed or all is (1 or 0)."""
    if not low < null < high:
        beyond = null <= low if claim is Claim.ABOVE else null >= high
        return 0.0 if beyond else 1.0
    return float(np.exp(-max(0.0, log_e_value(values, null, claim, low=low, high=high, weights=weights))))


def betting_interval(
    values: ArrayLike, confidence: float, *, low: float = -1.0, high: float = 1.0, weights: ArrayLike | None = None
) -> Interval:
    """All means that neither one-sided bet rejects at (1 - confidence) / 2.

    It always holds the (weighted) mean and never has zero width, except at a bound of the values. Wealth is monotone
    in the null mean, so each end is found by bisection.
    """
    bets = _bets(values, weights, low, high)
    threshold = float(np.log(2 / (1 - confidence)))

    def bound(edge: float, claim: Claim) -> float:
        inside, outside = bets.mean, edge
        for _ in range(_BISECTIONS):
            middle = (inside + outside) / 2
            if middle in (inside, outside):
                break
            if bets.log_wealth(middle, claim) < threshold:
                inside = middle
            else:
                outside = middle
        return outside

    return Interval(bound(low, Claim.ABOVE), bound(high, Claim.BELOW))


def _log_mean(log_wealth: NDArray[np.float64]) -> float:
    """The log of the mean over the grid, without overflow."""
    peak = log_wealth.max()
    return float(peak + np.log(np.exp(log_wealth - peak).mean()))


def _bets(values: ArrayLike, weights: ArrayLike | None, low: float, high: float) -> _Bets:
    data = np.asarray(values, dtype=np.float64)
    if data.size == 0:
        raise ValueError("no values to bet on")
    # Means of repeats can leave the bounds by a rounding error.
    slack = 1e-9 * (high - low)
    if data.min() < low - slack or data.max() > high + slack:
        raise ValueError(f"values must lie in [{low}, {high}], found [{data.min()}, {data.max()}]")
    mass = np.ones_like(data) if weights is None else np.asarray(weights, dtype=np.float64)
    if mass.shape != data.shape or mass.min() <= 0:
        raise ValueError("each value needs one weight above 0")
    # As complex numbers the pairs are sorted at once, by value and then by weight.
    pairs, counts = np.unique(np.clip(data, low, high) + 1j * (mass / mass.max()), return_counts=True)
    return _Bets(pairs.real.copy(), pairs.imag.copy(), counts.astype(np.float64), low, high)
