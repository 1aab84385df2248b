"""Letting attempts start as fast as the limits of accounts allow, each model's in the order in which they came.

Where a model is asked under several accounts, each has a pool, and an attempt starts in the first that has room.

`Pool` says when; here is the waiting. A request that waits is let start by a timer or by one that ends, whichever comes
first. See `docs/design/pace.md`.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from dataclasses import dataclass, field

from snapdrift.execution.clock import Clock, SystemClock
from snapdrift.execution.limits import KnownLimits, PoolKey
from snapdrift.execution.pool import Lesson, Pool, Taking, Ticket
from snapdrift.execution.turns import OWN

_AT_ONCE = 1e-6
"""Seconds that are not waited for."""


@dataclass(frozen=True, slots=True)
class Held:
    """What holds requests back: for how many seconds at least (0: it is not known), and why, in words."""

    seconds: float
    why: str


@dataclass(slots=True, eq=False)
class Start:
    """An attempt that was let start, and the pool of an account that it takes from; to be ended once."""

    line: _Line
    account: int
    ticket: Ticket


@dataclass(frozen=True, slots=True)
class _Soonest:
    """The account under which an attempt may start first, and in how many seconds (infinite: nobody knows)."""

    account: int
    seconds: float


@dataclass(slots=True, eq=False)
class _Waiting:
    taking: Taking
    accounts: tuple[int, ...]
    started: asyncio.Future[Start]


@dataclass(slots=True, eq=False)
class _Line:
    """The pools of a model by account, and those who wait for them, first come first served.

    Nobody is overtaken by who wants the same account, so nobody starves.
    """

    key: PoolKey
    pools: dict[int, Pool] = field(default_factory=dict)
    waiting: deque[_Waiting] = field(default_factory=deque)
    alarm: asyncio.Task[None] | None = None
    rings_at: float = math.inf


class Pace:
    """The limits of all accounts that are asked. One serves every engine of a command, whichever loop they run on."""

    def __init__(
        self,
        known: KnownLimits | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._known = known if known is not None else KnownLimits()
        self._clock = clock if clock is not None else SystemClock()
        self._rng = rng if rng is not None else random.Random()  # noqa: S311  it spreads pauses, it guards nothing
        self._lines: dict[PoolKey, _Line] = {}

    def know(self, known: KnownLimits) -> None:
        """Adds what is known beforehand of limits; what was learned of a pool that has been asked already stays."""
        self._known = self._known.and_also(known)

    async def admit(self, base_url: str, model: str, taking: Taking, accounts: tuple[int, ...] = (OWN,)) -> Start:
        """Waits until an attempt may start under one of the accounts: of those with room, the first that is named.

        Cancelled while it waits, it takes nothing.
        """
        line = self._line(base_url, model)
        now = self._clock.monotonic()
        if not line.waiting:
            soonest = self._soonest(line, accounts, taking, now)
            if soonest.seconds <= _AT_ONCE:
                return self._started(line, soonest.account, taking, now)
        for account in accounts:
            self._pool(line, account, now)
        waiting = _Waiting(taking, accounts, asyncio.get_running_loop().create_future())
        line.waiting.append(waiting)
        self._let_start(line)
        try:
            return await waiting.started
        except asyncio.CancelledError:
            self._give_up(line, waiting)
            raise

    def end(self, start: Start, lesson: Lesson) -> None:
        """Ends an attempt, and lets start what now can."""
        start.line.pools[start.account].end(start.ticket, lesson, self._clock.monotonic())
        if start.line.waiting:
            self._let_start(start.line)

    def held(self) -> Held | None:
        """What holds requests back now; None when nothing does. Of several pools that which does so longest."""
        now = self._clock.monotonic()
        found = [self._held(line, now) for line in self._lines.values() if line.waiting]
        return max(found, key=lambda held: held.seconds, default=None)

    def _line(self, base_url: str, model: str) -> _Line:
        key = self._known.pool(base_url, model)
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = _Line(key)
        return line

    def _pool(self, line: _Line, account: int, now: float) -> Pool:
        pool = line.pools.get(account)
        if pool is None:
            pool = line.pools[account] = Pool(line.key, self._known.of(line.key), now, self._rng)
        return pool

    def _soonest(self, line: _Line, accounts: tuple[int, ...], taking: Taking, now: float) -> _Soonest:
        """The first of the accounts that has room; where none has, the one that has it soonest."""
        soonest: _Soonest | None = None
        for account in accounts:
            seconds = self._pool(line, account, now).wait(taking, now)
            if soonest is None or seconds < soonest.seconds:
                soonest = _Soonest(account, seconds)
            if seconds <= _AT_ONCE:
                break
        assert soonest is not None, "an attempt is made under an account"  # noqa: S101  a defect, not a mistake
        return soonest

    def _started(self, line: _Line, account: int, taking: Taking, now: float) -> Start:
        return Start(line, account, line.pools[account].start(taking, now))

    def _let_start(self, line: _Line) -> None:
        """Lets start who can, in order, and sets the alarm for the first who cannot."""
        while line.waiting:
            first = line.waiting[0]
            if first.started.done():  # cancelled; its own task is about to say so
                line.waiting.popleft()
                continue
            now = self._clock.monotonic()
            soonest = self._soonest(line, first.accounts, first.taking, now)
            if soonest.seconds > _AT_ONCE:
                others = self._let_others_start(line, now) if len(line.pools) > 1 else math.inf
                self._ring_in(line, min(soonest.seconds, others), now)
                return
            line.waiting.popleft()
            first.started.set_result(self._started(line, soonest.account, first.taking, now))
        self._silence(line)

    def _let_others_start(self, line: _Line, now: float) -> float:
        """Lets start who needs no account that those before it wait for; returns in how many seconds another can."""
        wanted, next_in = set(line.waiting[0].accounts), math.inf
        for waiting in tuple(line.waiting)[1:]:
            if wanted >= line.pools.keys():
                break
            accounts = tuple(account for account in waiting.accounts if account not in wanted)
            if not accounts or waiting.started.done():
                continue
            soonest = self._soonest(line, accounts, waiting.taking, now)
            if soonest.seconds <= _AT_ONCE:
                line.waiting.remove(waiting)
                waiting.started.set_result(self._started(line, soonest.account, waiting.taking, now))
            else:
                wanted.update(accounts)
                next_in = min(next_in, soonest.seconds)
        return next_in

    def _ring_in(self, line: _Line, seconds: float, now: float) -> None:
        if line.alarm is not None and line.rings_at <= now + seconds:
            return  # it rings too early at worst, and is set again
        self._silence(line)
        if seconds < math.inf:
            line.rings_at = now + seconds
            line.alarm = asyncio.ensure_future(self._ring(line, seconds))

    async def _ring(self, line: _Line, seconds: float) -> None:
        await self._clock.sleep(seconds)
        line.alarm, line.rings_at = None, math.inf
        self._let_start(line)

    def _silence(self, line: _Line) -> None:
        if line.alarm is not None:
            line.alarm.cancel()
            line.alarm, line.rings_at = None, math.inf

    def _give_up(self, line: _Line, waiting: _Waiting) -> None:
        """Somebody waits no longer: what it was given at the last moment goes back."""
        if waiting in line.waiting:
            line.waiting.remove(waiting)
        elif waiting.started.done() and not waiting.started.cancelled():
            start = waiting.started.result()
            line.pools[start.account].end(start.ticket, Lesson(sent=False), self._clock.monotonic())
        self._let_start(line)

    def _held(self, line: _Line, now: float) -> Held:
        """What holds a line back: where several accounts could be asked, the one that is the first to have room."""
        first = line.waiting[0]
        soonest = self._soonest(line, first.accounts, first.taking, now)
        why = line.pools[soonest.account].why(first.taking, now)
        return Held(0.0 if soonest.seconds == math.inf else soonest.seconds, why)
