"""One authority for engines of several processes: asked over a link, and settled for those that are lost.

`SharedAuthority` stands where the budget and the limits are; `RemoteAuthority` stands in an engine elsewhere and speaks
to it. What goes between them are the records of `authority`, so neither knows what is in them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextvars import ContextVar
from dataclasses import dataclass, replace
from itertools import count
from typing import Protocol

from snapdrift.execution.authority import Authority, Grant, LocalAuthority, Need, OutOfBudget, Settled
from snapdrift.execution.budget import Budget

POSTING: ContextVar[int] = ContextVar("posting", default=0)
"""The number of the posting for which an engine elsewhere asks; it follows the tasks that work on it."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Where the shared budget is, in dollars: what is spent, and the worst case of what is in flight."""

    usd: float
    in_flight_usd: float


class SharedAuthority:
    """The authority of all workers. A worker names each of its admissions by a ticket of its own."""

    def __init__(self, authority: Authority, budget: Budget) -> None:
        self._authority = authority
        self._budget = budget
        self._waiting: dict[tuple[str, int], asyncio.Task[Grant | OutOfBudget]] = {}
        self._withdrawn: set[tuple[str, int]] = set()
        self._open: dict[tuple[str, int], Grant] = {}
        self._granted: defaultdict[str, set[int]] = defaultdict(set)
        self._lost: set[str] = set()

    async def admit(self, worker: str, ticket: int, posting: int, need: Need) -> Grant | OutOfBudget | None:
        """Leave for one attempt for a posting, whose number is then the ticket; None where it was withdrawn meanwhile.

        A worker that was lost gets none.
        """
        if worker in self._lost:
            return None
        place = (worker, ticket)
        waiting = asyncio.ensure_future(self._authority.admit(need))
        self._waiting[place] = waiting
        try:
            await asyncio.wait({waiting})
        except asyncio.CancelledError:
            self._withdrawn.add(place)
            waiting.cancel()  # does nothing to one that has ended
        finally:
            del self._waiting[place]
        granted = waiting.result() if waiting.done() and not waiting.cancelled() else None
        if place in self._withdrawn:
            self._withdrawn.discard(place)
            if isinstance(granted, Grant):  # it came in the same moment as the withdrawal
                self._authority.settle(granted, Settled(0.0))
            return None
        if not isinstance(granted, Grant):
            return granted
        self._open[place] = granted
        self._granted[worker].add(posting)
        return replace(granted, number=ticket)

    def withdraw(self, worker: str, ticket: int) -> None:
        """Nobody waits for an admission any more; what it was granted, was not used."""
        if waiting := self._waiting.get((worker, ticket)):
            self._withdrawn.add((worker, ticket))
            waiting.cancel()
        self.settle(worker, ticket, Settled(0.0))

    def settle(self, worker: str, ticket: int, settled: Settled) -> float:
        """Ends a grant; returns the dollars that it was charged. A second call for the same ticket does nothing."""
        granted = self._open.pop((worker, ticket), None)
        return 0.0 if granted is None else self._authority.settle(granted, settled)

    def lose(self, worker: str) -> frozenset[int]:
        """Charges what a worker that is gone has under way at its worst case; returns the postings it was granted for.

        Of the others it has asked nothing.
        """
        self._lost.add(worker)
        for name, ticket in [place for place in self._waiting if place[0] == worker]:
            self.withdraw(name, ticket)
        for name, ticket in [place for place in self._open if place[0] == worker]:
            self.settle(name, ticket, Settled(None))
        return frozenset(self._granted.pop(worker, ()))

    @property
    def spent(self) -> Spent:
        """Where the budget is."""
        return Spent(self._budget.spent_usd, self._budget.in_flight_usd)


def budget_authority(limit_usd: float | None, spent_usd: float) -> SharedAuthority:
    """A shared authority over a budget in dollars, of which an earlier process spent a part."""
    budget = Budget(limit_usd, spent_usd)
    return SharedAuthority(LocalAuthority(budget), budget)


class AuthorityLink(Protocol):
    """How a worker speaks to the shared authority. Messages of one worker arrive in their order."""

    async def admit(self, worker: str, ticket: int, posting: int, need: Need) -> Grant | OutOfBudget | None:
        """As `SharedAuthority.admit`."""

    def withdraw(self, worker: str, ticket: int) -> None:
        """Sends it, and does not wait."""

    def settle(self, worker: str, ticket: int, settled: Settled) -> None:
        """Sends it, and does not wait."""


class RemoteAuthority:
    """The shared authority as the engine of a worker sees it."""

    def __init__(self, link: AuthorityLink, worker: str, limit_usd: float | None) -> None:
        self._link = link
        self._worker = worker
        self._limit_usd = limit_usd
        self._tickets = count(1)
        self._worst: dict[int, float] = {}

    @property
    def limit_usd(self) -> float | None:
        """The ceiling in dollars, None without one."""
        return self._limit_usd

    async def admit(self, need: Need) -> Grant | OutOfBudget:
        """Leave for one attempt; a wait that is cancelled is withdrawn."""
        ticket = next(self._tickets)
        try:
            granted = await self._link.admit(self._worker, ticket, POSTING.get(), need)
        except asyncio.CancelledError:
            self._link.withdraw(self._worker, ticket)
            raise
        if granted is None:
            raise asyncio.CancelledError
        if isinstance(granted, Grant):
            self._worst[ticket] = need.worst_usd
        return granted

    def settle(self, grant: Grant, settled: Settled) -> float:
        """Ends a grant; returns the dollars that it is charged as soon as the authority hears of it."""
        worst = self._worst.pop(grant.number, None)
        if worst is None:
            return 0.0
        self._link.settle(self._worker, grant.number, settled)
        return worst if settled.usd is None else settled.usd
