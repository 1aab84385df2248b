"""What ends a run before its time: a stop, whose first reason stays, and the deadline. No wait outlasts either."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from snapdrift.execution.clock import Clock
from snapdrift.execution.records import StopReason

DEADLINE_CAME = "the deadline came before every call was asked"
T = TypeVar("T")


class Holds:
    """The stop (its first reason stays) and the deadline of one run."""

    def __init__(self, clock: Clock, deadline: float | None) -> None:
        self._clock = clock
        self._deadline = deadline
        self._stopped = asyncio.Event()
        self._bounds: set[asyncio.Timeout] = set()
        self.reason: StopReason | None = None
        self.detail = ""

    def stop(self, reason: StopReason, detail: str) -> None:
        """Nothing is started from now on."""
        if self.reason is None:
            self.reason, self.detail = reason, detail
            self._stopped.set()
            now = asyncio.get_running_loop().time()
            for bound in self._bounds:
                if not bound.expired():  # its deadline came at the same moment
                    bound.reschedule(now)

    def may_start(self) -> bool:
        """Whether something may still be started; notices that the deadline has come."""
        if self.reason is None and self._deadline is not None and self._clock.monotonic() >= self._deadline:
            self._end_at_deadline()
        return self.reason is None

    async def until_stopped(self, waiting: Awaitable[T]) -> T | None:
        """What is waited for, or None when a stop or the deadline comes first: the wait is cancelled then."""
        left = None if self._deadline is None else max(0.0, self._deadline - self._clock.monotonic())
        bound = asyncio.timeout(left)
        self._bounds.add(bound)
        try:
            async with bound:
                return await waiting
        except TimeoutError:
            if not bound.expired():
                raise
            if self.reason is None:
                self._end_at_deadline()  # a timer may ring a moment before the clock shows its time
            return None
        finally:
            self._bounds.discard(bound)

    async def rest(self, seconds: float) -> bool:
        """Waits, but not beyond a stop or the deadline; says whether something may be started then."""
        if not self.may_start():
            return False
        if self._deadline is not None:
            seconds = min(seconds, self._deadline - self._clock.monotonic())
        sleeping = asyncio.ensure_future(self._clock.sleep(seconds))
        stopping = asyncio.ensure_future(self._stopped.wait())
        try:
            await asyncio.wait({sleeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            stopping.cancel()
        return self.may_start()

    def _end_at_deadline(self) -> None:
        self.stop(StopReason.DEADLINE, DEADLINE_CAME)
