"""Reviewed, expiring acceptances: losses that somebody has looked at and found fine. `docs/design/acceptances.md`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

LONGEST_DAYS = 366
"""How far ahead an acceptance may end: nobody remembers for longer why it was one."""


HASH_DIGITS = 12
"""How much of a case's hash a page exports with an acceptance, and messages show."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What a case loses on a metric is fine, says `by`, because of `why`, through the day `until` (ISO 8601, UTC)."""

    case: str
    metric: str
    why: str
    by: str
    until: str


def most_accepted(margin: float, cases: int) -> int:
    """How many of so many cases can be accepted: each hides at most its share of the score, all at most the margin."""
    return math.floor(margin * cases + 1e-9)


def accepted_by_metric(
    acceptances: Iterable[Acceptance], margins: Mapping[str, float | None]
) -> dict[str, frozenset[str]]:
    """The accepted cases by metric, of those metrics that have a margin: elsewhere nothing is decided by a loss."""
    found: dict[str, set[str]] = {}
    for one in acceptances:
        if margins.get(one.metric) is not None:
            found.setdefault(one.metric, set()).add(one.case)
    return {metric: frozenset(cases) for metric, cases in found.items()}
