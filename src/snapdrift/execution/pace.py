"""Letting attempts start as fast as the limits of accounts allow, each model's in the order in which they came.

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

_AT_ONCE = 1e-6
"""Seconds that are not waited for."""


@dataclass(frozen=True, slots=True)
class Held:
    """What holds requests back: for how many seconds at least (0: it is not known), and why, in words."""

    seconds: float
    why: str


@dataclass(slots=True, eq=False)
class Start:
    """An attempt that was let start, and the pool that it takes from; to be ended once."""

    line: _Line
    ticket: Ticket


@dataclass(slots=True, eq=False)
class _Waiting:
    taking: Taking
    started: asyncio.Future[Ticket]


@dataclass(slots=True, eq=False)
class _Line:
    """A pool and those who wait for it, first come first served: nobody is overtaken, so nobody starves."""

    pool: Pool
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

    async def admit(self, base_url: str, model: str, taking: Taking) -> Start:
        """Waits until an attempt may start. Cancelled while it waits, it takes nothing."""
        line = self._line(base_url, model)
        if not line.waiting and line.pool.wait(taking, now := self._clock.monotonic()) <= _AT_ONCE:
            return Start(line, line.pool.start(taking, now))
        waiting = _Waiting(taking, asyncio.get_running_loop().create_future())
        line.waiting.append(waiting)
        self._let_start(line)
        try:
            return Start(line, await waiting.started)
        except asyncio.CancelledError:
            self._give_up(line, waiting)
            raise

    def end(self, start: Start, lesson: Lesson) -> None:
        """Ends an attempt, and lets start what now can."""
        start.line.pool.end(start.ticket, lesson, self._clock.monotonic())
        if start.line.waiting:
            self._let_start(start.line)

    def held(self) -> Held | None:
        """What holds requests back now; None when nothing does. Of several pools that which does so longest."""
        now = self._clock.monotonic()
        found = [_held(line, now) for line in self._lines.values() if line.waiting]
        return max(found, key=lambda held: held.seconds, default=None)

    def _line(self, base_url: str, model: str) -> _Line:
        key = self._known.pool(base_url, model)
        line = self._lines.get(key)
        if line is None:
            pool = Pool(key, self._known.of(key), self._clock.monotonic(), self._rng)
            line = self._lines[key] = _Line(pool)
        return line

    def _let_start(self, line: _Line) -> None:
        """Lets start who can, in order, and sets the alarm for the first who cannot."""
        while line.waiting:
            first = line.waiting[0]
            if first.started.done():  # cancelled; its own task is about to say so
                line.waiting.popleft()
                continue
            now = self._clock.monotonic()
            seconds = line.pool.wait(first.taking, now)
            if seconds > _AT_ONCE:
                self._ring_in(line, seconds, now)
                return
            line.waiting.popleft()
            first.started.set_result(line.pool.start(first.taking, now))
        self._silence(line)

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
            line.pool.end(waiting.started.result(), Lesson(sent=False), self._clock.monotonic())
        self._let_start(line)


def _held(line: _Line, now: float) -> Held:
    taking = line.waiting[0].taking
    seconds = line.pool.wait(taking, now)
    return Held(0.0 if seconds == math.inf else seconds, line.pool.why(taking, now))
