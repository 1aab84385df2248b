"""Which model answered: aliases that moved, variants that are one model, and ways to ask that should not matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AliasMove:
    """A variant whose answers name a model other than before, or more than one model within the run.

    Of a judge, `judge` is the grader's name and `variant` is empty.
    """

    variant: str
    requested: str
    before: tuple[str, ...]
    now: tuple[str, ...]
    judge: str = ""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """Requested against returned: the model that a variant (or a judge) asked for, and those that answered, counted.

    `before` are the models that answered last time, empty where no earlier run can be compared with.
    """

    variant: str
    requested: str
    returned: Mapping[str, int]
    before: tuple[str, ...] = ()
    judge: str = ""
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ParityMetric:
    """One metric in a parity group: `n` cases scored on every member, and each member's mean over them.

    `differing` are the ids of those on which the members' scores differ.
    """

    metric: str
    n: int
    means: Mapping[str, float | None]
    differing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parity:
    """Variants that ask the same model the same and differ only in the way: endpoint, batch, stream or host.

    `ways` says by variant which way that is. `cases` were asked of every member; `compared` were measured on every
    member in every repeat; on `outcomes_differ` they ended differently. Information: no decision rests on it.
    """

    ways: Mapping[str, str]
    cases: int
    compared: int
    metrics: tuple[ParityMetric, ...]
    outcomes_differ: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ControlMetric:
    """How far two variants of one model differ on a metric, over `n` cases; `difference` is alias minus snapshot.

    `discordance` is the mean squared difference of a case: of single passes and fails the share whose result differs.
    `p_value` is two-sided, for a difference as large by chance alone; None where too few cases could tell.
    """

    metric: str
    n: int
    difference: float | None
    ci: tuple[float, float] | None
    discordance: float | None
    differing: tuple[str, ...] = ()
    p_value: float | None = None


@dataclass(frozen=True, slots=True)
class Control:
    """An alias and a snapshot that turned out to be one model, asked the same: their differences are noise.

    `beyond_chance` are the metrics on which they differ more than chance explains all the same (two-sided, Holm's
    adjustment over the metrics): then something else than the model differs.
    """

    alias: str
    snapshot: str
    requested: str
    model: str
    metrics: tuple[ControlMetric, ...]
    beyond_chance: tuple[str, ...] = ()
