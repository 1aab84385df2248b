"""When an attempt that failed is made again."""

from __future__ import annotations

import random
from dataclasses import dataclass

from snapdrift.model import Failure


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with full jitter: after the n-th failure (from 0), uniform in [0, min(cap, base * 2^n)] s.

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 ("full jitter"). A `Retry-After`
    goes before it: the wait is that long plus up to `base` of jitter, never less. One over `retry_after_cap` is not
    waited for: the call is given up for now and left to the sweep, for a provider that wants an hour's rest is
    better left alone than asked early.
    """

    max_attempts: int = 5
    base: float = 0.5
    cap: float = 30.0
    retry_after_cap: float = 120.0

    def again(self, failures: int, failure: Failure) -> bool:
        """Whether to try again now, after `failures` failed attempts (1 or more) of which `failure` is the last."""
        return failure.retryable and failures < self.max_attempts and not self._is_too_long(failure)

    def wait(self, failures: int, failure: Failure, rng: random.Random) -> float:
        """Seconds to leave the provider alone after a failure; 0 where it asks for longer than is waited for."""
        if self._is_too_long(failure):
            return 0.0
        if failure.retry_after is not None and failure.retry_after > 0:
            return failure.retry_after + rng.uniform(0.0, self.base)
        return rng.uniform(0.0, min(self.cap, self.base * 2.0 ** min(failures - 1, 60)))

    def _is_too_long(self, failure: Failure) -> bool:
        return failure.retry_after is not None and failure.retry_after > self.retry_after_cap
