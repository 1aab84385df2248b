"""When an attempt that failed is made again."""

from __future__ import annotations

import random
from dataclasses import dataclass

from snapdrift.model import Failure


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with full jitter: after the n-th failure (from 0), uniform in [0, min(cap, base * 2^n)] s.

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 ("full jitter"). A `Retry-After`
    goes before it: the wait is that long plus up to `base` of jitter, never less.
    """

    max_attempts: int = 5
    base: float = 0.5
    cap: float = 30.0

    def again(self, failures: int, failure: Failure) -> bool:
        """Whether to try again now, after `failures` failed attempts (1 or more) of which `failure` is the last."""
        return failure.retryable and failures < self.max_attempts

    def wait(self, failures: int, failure: Failure, rng: random.Random) -> float:
        """Seconds to leave the provider alone after a failure."""
        if failure.retry_after is not None and failure.retry_after > 0:
            return failure.retry_after + rng.uniform(0.0, self.base)
        return rng.uniform(0.0, min(self.cap, self.base * 2.0 ** min(failures - 1, 60)))
