"""Has the alias moved away from the snapshot: a watch that may be looked at every night, as long as one likes.

Each night some cases are asked of both afresh, and the differences (candidate minus baseline, [-1, 1]) are bet
upon as in `stats.betting`: if both answer a case alike, a difference is 0 on average whatever came before, no bet
on it gains on average, and the wealth ever reaches 1/alpha with probability at most alpha (Ville 1939). So alpha is
the chance of a false alarm in the whole life of a canary, not on one night.

Money that was bet on "it has moved" during quiet months is lost by the time it does. So only a part is staked each
night, 1/(t (t + 1)) on night t, and the rest is kept: a mixture over the night on which the move happens. Such sums of
wagers begun on consecutive nights are the e-detectors of Shin, Ramdas and Rinaldo (2022), which
bound the mean time to a false alarm; here the parts add up to 1, so that it stays one fair wager and alpha bounds the
chance of ever raising one. Half of each stake is on "lower", half on "higher".

Fresh answers on both sides are what makes a difference fair. A cached baseline is one draw that every night is
compared with again: its luck looks like a move, and the promise does not hold.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snapdrift.stats.betting import GRID, Claim

FORMAT = "snapdrift.canary/1"
_SHARES = (np.arange(GRID) + 0.5) / GRID
_SLACK = 1e-9


@dataclass(frozen=True, slots=True)
class Canary:
    """The state that one night hands to the next.

    `identity` says what is compared (suite, metric, cases' seed, models, grader version): another one needs another
    canary. `alpha` is the false-alarm rate. `nights` with at least one measured case and `values` in all so far.
    `log_lower` and `log_higher` are the logs of what is staked at each share of the grid on either claim, tonight's
    stake included. `log_peak` is the log of the highest wealth after any night; `alarmed_on` the night of the alarm.
    """

    identity: str
    alpha: float
    nights: int
    values: int
    log_lower: tuple[float, ...]
    log_higher: tuple[float, ...]
    log_peak: float
    alarmed_on: int | None

    @property
    def log_wealth(self) -> float:
        """The log of the stakes and of what is kept back; 0 at the start."""
        return float(np.logaddexp.reduce([*self.log_lower, *self.log_higher, -math.log(self.nights + 2)]))

    @property
    def log_threshold(self) -> float:
        """The log wealth at which the alarm is raised, log(1 / alpha)."""
        return -math.log(self.alpha)

    @property
    def alarmed(self) -> bool:
        """Whether the alarm has been raised; it stays so."""
        return self.alarmed_on is not None

    @property
    def p_value(self) -> float:
        """The p-value of "nothing has moved so far", valid at any time: 1 / the highest wealth, at most 1."""
        return math.exp(-max(0.0, self.log_peak))

    @property
    def leaning(self) -> Claim:
        """The claim that holds more of the wealth: the mean difference is below or above 0."""
        lower, higher = (np.logaddexp.reduce(side) for side in (self.log_lower, self.log_higher))
        return Claim.BELOW if lower >= higher else Claim.ABOVE

    def to_json(self) -> dict[str, Any]:
        """Plain JSON: text, numbers, lists and null."""
        return {
            "format": FORMAT,
            **asdict(self),
            "log_lower": list(self.log_lower),
            "log_higher": list(self.log_higher),
        }


def new_canary(identity: str, alpha: float) -> Canary:
    """A canary before its first night. Raises `ValueError` unless 0 < alpha < 1."""
    if not 0 < alpha < 1:
        raise ValueError(f"a false-alarm rate lies in (0, 1), found {alpha}")
    stake = (_log_stake(1),) * GRID
    return Canary(identity, alpha, 0, 0, stake, stake, 0.0, None)


def next_night(canary: Canary, differences: ArrayLike) -> Canary:
    """The canary after one more night, with one difference a case (repeats averaged), in any order.

    NaN is a case not measured on both sides; a night without any leaves everything as it was. The alarm is judged
    at the end of the night, over all its cases. Raises `ValueError` for differences outside [-1, 1].
    """
    values = np.asarray(differences, dtype=np.float64).ravel()
    values = values[~np.isnan(values)]
    if values.size == 0:
        return canary
    if np.abs(values).max() > 1 + _SLACK:
        raise ValueError(f"differences lie in [-1, 1], found [{values.min()}, {values.max()}]")
    values = np.clip(values, -1.0, 1.0)
    nights = canary.nights + 1
    stake = _log_stake(nights + 1)
    # The stake of the next night is set aside at once: it changes no sum, and no log of an empty purse is stored.
    played = replace(
        canary,
        nights=nights,
        values=canary.values + values.size,
        log_lower=_played(canary.log_lower, -values, stake),
        log_higher=_played(canary.log_higher, values, stake),
    )
    wealth = played.log_wealth
    rings = canary.alarmed_on is None and wealth >= canary.log_threshold
    return replace(played, log_peak=max(canary.log_peak, wealth), alarmed_on=nights if rings else canary.alarmed_on)


def canary_from_json(data: Mapping[str, Any], identity: str) -> Canary:
    """The stored canary. Raises `ValueError` where the state is of another format, damaged, or of another identity."""
    if data.get("format") != FORMAT:
        raise ValueError(f"a canary's state has the format {FORMAT}, found {data.get('format')!r}")
    if data.get("identity") != identity:
        raise ValueError(
            f"this canary has watched {data.get('identity')!r}, not {identity!r}: evidence cannot be carried over, "
            "start a new one"
        )
    try:
        alarmed_on = data["alarmed_on"]
        canary = Canary(
            identity=identity,
            alpha=float(data["alpha"]),
            nights=int(data["nights"]),
            values=int(data["values"]),
            log_lower=tuple(float(value) for value in data["log_lower"]),
            log_higher=tuple(float(value) for value in data["log_higher"]),
            log_peak=float(data["log_peak"]),
            alarmed_on=None if alarmed_on is None else int(alarmed_on),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"a canary's state is damaged: {error!r}") from error
    sides = (canary.log_lower, canary.log_higher)
    sound = all(len(side) == GRID and np.isfinite(side).all() for side in sides) and math.isfinite(canary.log_peak)
    if not sound or not 0 < canary.alpha < 1 or not 0 <= canary.nights <= canary.values or canary.log_peak < 0:
        raise ValueError(f"a canary's state is damaged: it needs {GRID} finite stakes a side, and counts that fit")
    return canary


def _log_stake(night: int) -> float:
    """The log of what each share of the grid gets on that night, on either claim."""
    return -math.log(night) - math.log(night + 1) - math.log(2 * GRID)


def _played(log_stakes: tuple[float, ...], gains: NDArray[np.float64], stake: float) -> tuple[float, ...]:
    grown = np.asarray(log_stakes) + np.log1p(_SHARES[:, None] * gains[None, :]).sum(axis=1)
    return tuple(np.logaddexp(grown, stake).tolist())
