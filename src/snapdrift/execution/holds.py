"""What holds all workers of a run back together: the end of the run, and a pause that the provider asked for."""

from __future__ import annotations

import asyncio

from snapdrift.execution.clock import Clock
from snapdrift.execution.records import StopReason

DEADLINE_CAME = "the deadline came before every call was asked"


class Holds:
    """The stop (its first reason stays), the deadline, and the shared pause of one run."""

    def __init__(self, clock: Clock, deadline: float | None) -> None:
        self._clock = clock
        self._deadline = deadline
        self._stopped = asyncio.Event()
        self._paused_until = clock.monotonic()
        self.reason: StopReason | None = None
        self.detail = ""

    @property
    def paused_for(self) -> float:
        """Seconds left of the pause."""
        return max(0.0, self._paused_until - self._clock.monotonic())

    def stop(self, reason: StopReason, detail: str) -> None:
        """Nothing is started from now on."""
        if self.reason is None:
            self.reason, self.detail = reason, detail
            self._stopped.set()

    def pause(self, seconds: float) -> None:
        """Nothing is started for so long; of two pauses the one that ends later counts."""
        self._paused_until = max(self._paused_until, self._clock.monotonic() + seconds)

    def may_start(self) -> bool:
        """Whether something may still be started, the pause aside; notices that the deadline has come."""
        if self.reason is None and self._deadline is not None and self._clock.monotonic() >= self._deadline:
            self.stop(StopReason.DEADLINE, DEADLINE_CAME)
        return self.reason is None

    async def pass_pause(self) -> bool:
        """Waits until the pause is over; says whether something may be started then."""
        while self.may_start() and (left := self.paused_for) > 0:
            await self.rest(left)
        return self.may_start()

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
