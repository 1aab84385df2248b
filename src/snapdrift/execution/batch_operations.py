"""Operations on files and batches, tried again while that may help; and the end of the loop where it does not."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from snapdrift.execution.holds import Holds
from snapdrift.execution.records import StopReason
from snapdrift.execution.retry import RetryPolicy
from snapdrift.model import Failure, FailureKind
from snapdrift.openai_api.errors import AttemptFailed

T = TypeVar("T")


class Stopped(Exception):  # noqa: N818  a way to leave the loop, not a defect
    """Nothing more can be done in this process; `Holds` says why."""


class Operations:
    """Makes operations that may be made twice without harm."""

    def __init__(self, holds: Holds, policy: RetryPolicy, rng: random.Random) -> None:
        self._holds, self._policy, self._rng = holds, policy, rng

    async def make(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Its result. Raises `AttemptFailed` for what another try cannot mend, `Stopped` when it is over."""
        failures = 0
        while True:
            try:
                return await operation()
            except AttemptFailed as error:
                failures += 1
                if not self.heed(error.failure).retryable:
                    raise
                await self.pause(failures, error.failure)

    def heed(self, failure: Failure) -> Failure:
        """The same failure; raises `Stopped` for one that ends the run."""
        if failure.stops_run:
            quota = failure.kind is FailureKind.QUOTA
            self._holds.stop(StopReason.QUOTA if quota else StopReason.AUTHENTICATION, failure.message)
            raise Stopped
        return failure

    async def pause(self, failures: int, failure: Failure, at_least: float = 0.0) -> None:
        """Waits before another try, `at_least` so many seconds; raises `Stopped` when there is none."""
        if failures >= self._policy.max_attempts:
            self._holds.stop(
                StopReason.PROVIDER_DOWN, f"{failures} tries in a row failed; the last failure: {failure.message}"
            )
            raise Stopped
        if not await self._holds.rest(max(at_least, self._policy.wait(failures, failure, self._rng))):
            raise Stopped
