"""Who lets requests start: one authority over everything that shares a budget and an account's limits.

An engine asks it before every attempt and tells it afterwards what came of it. It lives in the process that has the
plan and the run file, also where workers make the attempts: none of them starts one by itself. Several engines of that
process may share it; that is why it is spoken to in small records and never lends out its state.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from snapdrift.execution.budget import Budget, Refusal, Reservation
from snapdrift.execution.pace import Held, Pace, Start
from snapdrift.execution.pool import Lesson, Taking
from snapdrift.execution.turns import OWN
from snapdrift.model import Failure, ToldLimits, Usage


@dataclass(frozen=True, slots=True)
class Need:
    """What an attempt may take at most: dollars (`worst_usd`), and of the limits of a model at a host.

    `tokens` and `images` count towards its rate limits; an attempt that is `paced` False goes to no host with limits.
    Each of the `accounts` has limits of its own, and the first of them is taken that has room.
    """

    base_url: str
    model: str
    worst_usd: float
    tokens: int = 0
    images: int = 0
    paced: bool = True
    accounts: tuple[int, ...] = (OWN,)


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave to make one attempt under an account, at up to `worst_usd` dollars; to be settled once, whatever comes."""

    number: int
    worst_usd: float = math.inf
    account: int = OWN


@dataclass(frozen=True, slots=True)
class OutOfBudget:
    """No leave, now or later: the attempt does not fit what is left. Amounts are in dollars."""

    refusal: Refusal
    worst_usd: float

    def __str__(self) -> str:
        return f"{self.refusal} and the next request may cost up to ${self.worst_usd:.4f}"


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of an attempt: what it cost (None: unknown, so it is charged at its worst case), and how it ended.

    `told` is what its headers said of rate limits; `sent` False says that it was not made after all.
    """

    usd: float | None
    usage: Usage | None = None
    failure: Failure | None = None
    told: ToldLimits | None = None
    sent: bool = True


class Authority(Protocol):
    """Budget and limits, for all engines that share them."""

    async def admit(self, need: Need) -> Grant | OutOfBudget:
        """Leave for one attempt, waited for as long as it takes; cancelling the wait gives nothing away."""

    def settle(self, grant: Grant, settled: Settled) -> float:
        """Ends a grant; returns the dollars that it was charged. A second call for the same grant does nothing."""

    def held(self) -> Held | None:
        """What holds requests back, as far as is known without asking anybody; None when nothing does."""


class LocalAuthority:
    """The authority of one process: its budget, and the pace that the limits of its accounts allow.

    `mark` keeps on disk, in dollars, how much may be in flight at most: it is told before more is, and returns when
    that is durable. Who finds the mark of a process that was killed knows what may have been billed unseen.
    """

    def __init__(
        self, budget: Budget, pace: Pace | None = None, mark: Callable[[float], Awaitable[None]] | None = None
    ) -> None:
        self._budget = budget
        self._pace = Pace() if pace is None else pace
        self._mark, self._marking = mark, asyncio.Lock()
        self._held_usd = self._marked_usd = 0.0
        self._open: dict[int, tuple[Reservation, Start | None]] = {}
        self._granted = 0

    async def admit(self, need: Need) -> Grant | OutOfBudget:
        """Leave for one attempt; waits for what is in flight where it does not fit beside it, then for its turn."""
        budget = self._budget
        reservation = await budget.reserve(need.worst_usd)
        if reservation is None:
            return OutOfBudget(budget.refusal, need.worst_usd)
        start: Start | None = None
        self._held_usd += need.worst_usd
        try:
            if need.paced:
                start = await self._pace.admit(
                    need.base_url, need.model, Taking(need.tokens, need.images), need.accounts
                )
            if self._mark is not None and self._held_usd > self._marked_usd:
                await self._keep_mark(self._mark)
        except BaseException:
            self._held_usd -= need.worst_usd
            if start is not None:
                self._pace.end(start, Lesson(sent=False))
            budget.settle(reservation, 0.0)
            raise
        self._granted += 1
        self._open[self._granted] = reservation, start
        return Grant(self._granted, need.worst_usd, need.accounts[0] if start is None else start.account)

    def settle(self, grant: Grant, settled: Settled) -> float:
        """Ends a grant; returns the dollars that it was charged."""
        reservation, start = self._open.pop(grant.number, (None, None))
        if start is not None:
            self._pace.end(start, _lesson(settled))
        if reservation is None:
            return 0.0
        self._held_usd -= grant.worst_usd
        return self._budget.settle(reservation, settled.usd)

    def held(self) -> Held | None:
        """What holds requests back; None when nothing does."""
        return self._pace.held()

    async def _keep_mark(self, mark: Callable[[float], Awaitable[None]]) -> None:
        """Has more marked than is in flight, so that a run has few marks, but no more than the budget can come to."""
        async with self._marking:
            held = self._held_usd
            if held > self._marked_usd:
                limit = self._budget.limit_usd
                most = 2 * held if limit is None else min(2 * held, limit - self._budget.spent_usd)
                await mark(max(held, most))
                self._marked_usd = max(held, most)


def _lesson(settled: Settled) -> Lesson:
    usage = settled.usage
    tokens = None if usage is None else usage.input_tokens + usage.output_tokens
    return Lesson(tokens, settled.failure, settled.told, settled.sent)
