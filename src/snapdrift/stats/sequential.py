"""Looking at a comparison while it grows, without paying for the looks: wealth that is carried on, and when to stop.

A gambler bets against a claim's opposite on one value after the other. If the opposite is true the wealth is a
non-negative supermartingale that starts at 1, so it ever reaches 1/a with probability at most a, whatever the stopping
rule and the number of values (Ville 1939; Waudby-Smith and Ramdas 2024, JRSS B 86:1-27). All that this needs is that
the expected value, given the past, is on the side that the opposite says: values are taken in an order drawn before
anything was asked, never in the order in which answers come back (`case_order` has both).

Values are differences of whole units, turned so that below 0 is worse: a case with its repeats averaged, or a cluster
with its cases averaged. They speak of cases like these: of given cases an order leaves fewer and fewer to be drawn, and
what is seen of them says something about the rest. Wherever the feeding ended, `betting_interval` of the values fed is
an interval that holds; after an early stop no fixed-n interval does.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snapdrift.stats.betting import GRID, Claim
from snapdrift.stats.multiplicity import holm

LOOK_EVERY = 25
"""Units between two looks. Looks have fixed places in the order, so the same answers always stop at the same one."""
HYBRID_SHARE = 0.2
"""The part of alpha that the looks of a hybrid rule spend; the fixed test at the end has the rest."""
STATE_FORMAT = 1
_SHARES = (np.arange(GRID) + 0.5) / GRID
_SLACK = 1e-9
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Wealth:
    """What has been won by betting on one claim, `n` values into the order.

    `log_wealth` holds one natural logarithm for each of the `GRID` shares, `log_peak` is that of the highest average
    over the shares so far, 0 at the start. The claim is that the mean of values in [`low`, `high`] is below, or above,
    `null`.
    """

    claim: Claim
    null: float
    low: float
    high: float
    n: int
    log_wealth: tuple[float, ...]
    log_peak: float

    def __post_init__(self) -> None:
        if not self.low < self.null < self.high:
            raise ValueError(f"the null mean must lie inside ({self.low}, {self.high}), found {self.null}")
        if len(self.log_wealth) != GRID or not all(map(math.isfinite, (*self.log_wealth, self.log_peak))):
            raise ValueError(f"wealth needs {GRID} finite logarithms and a finite peak")
        if self.n < 0 or self.log_peak < max(0.0, self.log_e) - _SLACK:
            raise ValueError(f"no wealth has n={self.n}, a log of {self.log_e} and a log peak of {self.log_peak}")

    @classmethod
    def start(cls, claim: Claim, null: float = 0.0, *, low: float = -1.0, high: float = 1.0) -> Wealth:
        """The wealth before the first value: 1. Raises `ValueError` unless `null` lies inside (`low`, `high`)."""
        return cls(claim, null, low, high, 0, (0.0,) * GRID, 0.0)

    @property
    def log_e(self) -> float:
        """The log of the e-value now: the average wealth over the grid of shares."""
        return float(_log_average(np.asarray(self.log_wealth)))

    @property
    def p_value(self) -> float:
        """The p-value that holds at all times at once: 1 / the highest wealth so far."""
        return math.exp(-self.log_peak)

    def after(self, values: ArrayLike) -> Wealth:
        """The wealth after further values, in this order; the same whether they come at once or one by one."""
        data = np.atleast_1d(np.asarray(values, dtype=np.float64))
        if data.size == 0:
            return self
        slack = _SLACK * (self.high - self.low)
        if not (data.min() >= self.low - slack and data.max() <= self.high + slack):
            raise ValueError(f"values must lie in [{self.low}, {self.high}], found [{data.min()}, {data.max()}]")
        below = self.claim is Claim.BELOW
        sign, room = (-1.0, self.high - self.null) if below else (1.0, self.null - self.low)
        steps = sign * (np.clip(data, self.low, self.high) - self.null) / room
        growth = np.log1p(_SHARES[:, None] * steps[None, :])
        paths = np.cumsum(np.column_stack([self.log_wealth, growth]), axis=1)[:, 1:]
        peak = max(self.log_peak, float(_log_average(paths).max()))
        return replace(self, n=self.n + data.size, log_wealth=tuple(paths[:, -1].tolist()), log_peak=peak)


@dataclass(frozen=True, slots=True)
class ClaimPs:
    """The p-values of one comparison's claims; `no_worse` is None where no margin was set."""

    worse: float
    better: float
    no_worse: float | None


@dataclass(frozen=True, slots=True)
class ComparisonWealth:
    """The wealth of one comparison's claims: worse, better, and no worse than the margin (None without a margin)."""

    worse: Wealth
    better: Wealth
    no_worse: Wealth | None

    @classmethod
    def start(cls, margin: float | None) -> ComparisonWealth:
        """Before the first case. Raises `ValueError` unless 0 < margin < 1 (differences lie in [-1, 1])."""
        if margin is not None and not 0 < margin < 1:
            raise ValueError(f"early stopping needs a margin inside (0, 1), found {margin}")
        kept = None if margin is None else Wealth.start(Claim.ABOVE, -margin)
        return cls(Wealth.start(Claim.BELOW), Wealth.start(Claim.ABOVE), kept)

    def after(self, values: ArrayLike) -> ComparisonWealth:
        """After further differences, in the drawn order."""
        kept = None if self.no_worse is None else self.no_worse.after(values)
        return ComparisonWealth(self.worse.after(values), self.better.after(values), kept)


@dataclass(frozen=True, slots=True)
class StoppingRule:
    """How one-sided alpha is divided: `share` of it to the looks at the wealth, the rest to one fixed test at the end.

    Each part errs with its own share at most, so both together with alpha, however often one looks.
    """

    alpha: float
    share: float = HYBRID_SHARE

    def __post_init__(self) -> None:
        if not (0 < self.alpha < 1 and 0 < self.share <= 1):
            raise ValueError(f"a stopping rule needs alpha in (0, 1) and a share in (0, 1], found {self}")

    @classmethod
    def open_ended(cls, alpha: float) -> StoppingRule:
        """The rule for runs that may be topped up: where they end is open, so all of alpha goes to the looks."""
        return cls(alpha, 1.0)

    @property
    def fixed_alpha(self) -> float:
        """The level of the one fixed test at the end: 4/5 of alpha in a hybrid, 0 in an open-ended rule."""
        return self.alpha * (1 - self.share)

    def log_threshold(self, claims: int = 1) -> float:
        """The log wealth that shows a claim at a look, while it is one of `claims` that are not shown yet (Holm).

        1 for "no worse" and "better", which are taken one by one: log 100 at alpha 0.05 in a hybrid.
        """
        if claims < 1:
            raise ValueError(f"a threshold is that of at least one claim, found {claims}")
        return math.log(claims / (self.alpha * self.share))

    def p_value(self, wealth: Wealth, fixed: float | None = None) -> float:
        """The claim's p-value by both parts together; it is at most alpha exactly where one of them shows the claim.

        `fixed` is the p-value of the fixed test, given only where all planned units were asked. Holm takes these
        p-values like any others. Raises `ValueError` for a fixed test in an open-ended rule.
        """
        looks = wealth.p_value / self.share
        if fixed is None:
            return min(1.0, looks)
        if self.share == 1:
            raise ValueError("an open-ended run has no fixed test: its number of cases was not fixed in advance")
        return min(1.0, looks, fixed / (1 - self.share))


@dataclass(frozen=True, slots=True)
class SequentialState:
    """Everything that is needed to go on: which order of which configuration, how far, and each comparison's wealth.

    `units` counts those fed; a comparison whose metric had no value in one of them has a smaller `n`.
    """

    config_hash: str
    order_seed: int
    units: int
    comparisons: Mapping[str, ComparisonWealth]

    @classmethod
    def start(cls, config_hash: str, order_seed: int, margins: Mapping[str, float | None]) -> SequentialState:
        """Before the first unit; `margins` has the margin of each comparison, or None."""
        return cls(config_hash, order_seed, 0, {name: ComparisonWealth.start(it) for name, it in margins.items()})

    def fed(self, units: Sequence[Mapping[str, float | None]]) -> SequentialState:
        """After further units in the drawn order, each the difference of every comparison (None: unmeasured there)."""
        for unit in units:
            if unit.keys() != self.comparisons.keys():
                found, expected = ", ".join(sorted(unit)), ", ".join(sorted(self.comparisons))
                raise ValueError(f"a unit needs one difference for each of: {expected}; found: {found or 'none'}")
        comparisons = {
            name: wealth.after([value for unit in units if (value := unit[name]) is not None])
            for name, wealth in self.comparisons.items()
        }
        return replace(self, units=self.units + len(units), comparisons=comparisons)

    def to_json(self) -> dict[str, object]:
        """Plain JSON values, from which `restored` makes the same state to the last bit."""
        plain = asdict(self)
        for claims in plain["comparisons"].values():
            for wealth in filter(None, claims.values()):
                wealth.update(claim=str(wealth["claim"]), log_wealth=list(wealth["log_wealth"]))
        return {"format": STATE_FORMAT, **plain}


@dataclass(frozen=True, slots=True)
class Progress:
    """The state after feeding, and whether a look has ended the asking. Units behind that look were not fed."""

    state: SequentialState
    stopped: bool


def restored(stored: Mapping[str, Any], *, config_hash: str, order_seed: int) -> SequentialState:
    """The state that `to_json` has written, to be gone on with under the same configuration and order.

    Raises `ValueError` for another format, configuration or order, and for what is no state.
    """
    expected = {"format": STATE_FORMAT, "config_hash": config_hash, "order_seed": order_seed}
    for key, value in expected.items():
        if stored.get(key) != value:
            raise ValueError(
                f"the stored wealth has {key} {stored.get(key)!r}, this run has {value!r}: wealth goes on only under "
                f"the configuration and the order of cases that it was won with"
            )
    try:
        comparisons = {
            name: ComparisonWealth(
                _restored_wealth(claims["worse"]),
                _restored_wealth(claims["better"]),
                None if claims["no_worse"] is None else _restored_wealth(claims["no_worse"]),
            )
            for name, claims in stored["comparisons"].items()
        }
        units = int(stored["units"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the stored wealth cannot be read: {error!r}") from error
    fed = [it.n for wealth in comparisons.values() for it in (wealth.worse, wealth.better, wealth.no_worse) if it]
    if max(fed, default=0) > units:
        raise ValueError(f"the stored wealth has seen {max(fed)} values in {units} units")
    return SequentialState(config_hash, order_seed, units, comparisons)


def claim_p_values(
    state: SequentialState, rule: StoppingRule, fixed: Mapping[str, ClaimPs] | None = None
) -> dict[str, ClaimPs]:
    """The p-values of every comparison, unadjusted.

    `fixed` has those of the tests at the end, for the comparisons that have one; only where all planned units were
    asked, and never in an open-ended run (`ValueError`).
    """
    found = {}
    for name, wealth in state.comparisons.items():
        end = (fixed or {}).get(name)
        kept = wealth.no_worse
        found[name] = ClaimPs(
            worse=rule.p_value(wealth.worse, None if end is None else end.worse),
            better=rule.p_value(wealth.better, None if end is None else end.better),
            no_worse=None if kept is None else rule.p_value(kept, None if end is None else end.no_worse),
        )
    return found


def resolved(state: SequentialState, rule: StoppingRule, gating: Collection[str]) -> bool:
    """Whether the gating comparisons are decided: one is shown worse (by Holm), or each is, or is shown no worse.

    A comparison that is shown worse and no worse than the margin is decided, but does not end the asking for the
    others. Without gating comparisons nothing is ever decided.
    """
    limit = rule.alpha + _ROUNDING
    found = claim_p_values(state, rule)
    names = sorted(gating)
    worse = [p <= limit for p in holm([found[name].worse for name in names])]
    kept = [(p := found[name].no_worse) is not None and p <= limit for name in names]
    regressed = any(lost and not held for lost, held in zip(worse, kept, strict=True))
    return bool(names) and (regressed or all(lost or held for lost, held in zip(worse, kept, strict=True)))


def advance(
    state: SequentialState,
    units: Sequence[Mapping[str, float | None]],
    rule: StoppingRule,
    gating: Collection[str],
    every: int = LOOK_EVERY,
) -> Progress:
    """Feeds the next units of the order up to the first look that decides, and none behind it.

    Looks stand after every `every`-th unit of the order, so in which portions the units come changes nothing.
    """
    at = 0
    while True:
        if state.units and state.units % every == 0 and resolved(state, rule, gating):
            return Progress(state, stopped=True)
        if at == len(units):
            return Progress(state, stopped=False)
        until = min(len(units), at + every - state.units % every)
        state = state.fed(units[at:until])
        at = until


def _log_average(log_wealth: NDArray[np.float64]) -> NDArray[np.float64]:
    """The log of the average over the first axis, the grid of shares."""
    averages: NDArray[np.float64] = np.logaddexp.reduce(log_wealth, axis=0) - math.log(GRID)
    return averages


def _restored_wealth(stored: Mapping[str, Any]) -> Wealth:
    return Wealth(**{**stored, "claim": Claim(stored["claim"]), "log_wealth": tuple(stored["log_wealth"])})
