"""Requests that were billed beyond their worst case: what may take a run over its budget, and nothing else can."""

from __future__ import annotations

from dataclasses import dataclass, field

from snapdrift.model import CallKey, Request

MOST_KEPT = 20
_ROUNDING_USD = 1e-9


@dataclass(frozen=True, slots=True)
class Surprise:
    """A request that cost `usd` dollars where `worst_usd` was the most that it should have."""

    call: CallKey
    step: int
    worst_usd: float
    usd: float

    @property
    def excess_usd(self) -> float:
        """What was billed beyond the worst case."""
        return self.usd - self.worst_usd


@dataclass(slots=True)
class Surprises:
    """How many there were, by how much in all, and the `largest` of them (at most `MOST_KEPT`)."""

    count: int = 0
    excess_usd: float = 0.0
    largest: list[Surprise] = field(default_factory=list)

    def note(self, request: Request, worst_usd: float, usd: float | None) -> None:
        """Looks at what a request cost. What an application says that it spent has no worst case."""
        if usd is None or usd <= worst_usd + _ROUNDING_USD or not request.endpoint.over_http:
            return
        surprise = Surprise(request.call, request.step, worst_usd, usd)
        self.count += 1
        self.excess_usd += surprise.excess_usd
        self.largest = sorted([*self.largest, surprise], key=lambda one: -one.excess_usd)[:MOST_KEPT]
