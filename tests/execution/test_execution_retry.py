from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from snapdrift.execution.retry import RetryPolicy
from snapdrift.model import Failure, FailureKind

BUSY = Failure(FailureKind.SERVER, "busy", retryable=True)


def asked_to_wait(seconds: float) -> Failure:
    return Failure(FailureKind.RATE_LIMIT, "slow down", retryable=True, retry_after=seconds)


@given(st.integers(1, 100), st.integers(), st.floats(0.01, 5), st.floats(1, 100))
def test_the_backoff_lies_between_zero_and_the_doubling_bound(n: int, seed: int, base: float, cap: float) -> None:
    wait = RetryPolicy(base=base, cap=cap).wait(n, BUSY, random.Random(seed))
    assert 0 <= wait <= min(cap, base * 2 ** (n - 1))


def test_the_jitter_is_full_it_reaches_both_ends_of_its_range() -> None:
    rng = random.Random(1)
    waits = [RetryPolicy(base=1.0, cap=60.0).wait(4, BUSY, rng) for _ in range(2000)]
    assert min(waits) < 0.1
    assert max(waits) > 7.9


@given(st.floats(0.001, 7200), st.integers(1, 10), st.integers())
def test_retry_after_is_never_undercut_and_jittered_by_at_most_the_base(after: float, n: int, seed: int) -> None:
    wait = RetryPolicy(base=0.5).wait(n, asked_to_wait(after), random.Random(seed))
    assert after <= wait <= after + 0.5


def test_the_last_attempt_is_not_followed_by_another() -> None:
    policy = RetryPolicy(max_attempts=3)
    assert [policy.again(n, BUSY) for n in (1, 2, 3)] == [True, True, False]


def test_what_another_try_cannot_mend_is_not_tried_again() -> None:
    assert not RetryPolicy().again(1, Failure(FailureKind.BAD_REQUEST, "no", retryable=False))
