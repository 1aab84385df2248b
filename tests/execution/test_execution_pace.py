"""The pace at which requests start, under a clock that jumps, against providers that refuse what comes too fast."""

from __future__ import annotations

import asyncio
import pickle
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from snapdrift.execution import Budget, Engine, EngineReport, EngineSettings, Progress, StopReason
from snapdrift.execution.authority import Grant, LocalAuthority, Need, Settled
from snapdrift.execution.limits import KnownLimits, RateLimits
from snapdrift.execution.pace import Pace, Start
from snapdrift.execution.pool import HOLD_S, Lesson, Taking
from snapdrift.model import Answer, Failure, FailureKind, Outcome, Request, Response, ToldLimit, ToldLimits, Usage
from snapdrift.openai_api.errors import AttemptFailed
from tests.execution.test_execution_engine import BUSY, LIMIT, NO_QUOTA, LoopClock, request_for, requests_for, virtually

HOST = "https://api.openai.com/v1"
SLOW_DOWN = Failure(FailureKind.OVERLOADED, "Slow Down", retryable=True, status=503, code="slow_down")


def known(**limits: int) -> KnownLimits:
    return KnownLimits({(HOST, "gpt-4o"): RateLimits(**limits)})


def pace(**limits: int) -> Pace:
    return Pace(known(**limits), LoopClock(), random.Random(0))


def now() -> float:
    return asyncio.get_running_loop().time()


@dataclass
class Provider:
    """Takes `burst` requests at once and then one in every slot of its limit; says what it wants to of that."""

    rpm: int
    burst: int = 10
    latency: float = 0.2
    headers: bool = True
    retry_after: bool = False
    most_at_once: int = 10**9
    room: float = field(init=False)
    filled_at: float = 0.0
    starts: list[float] = field(default_factory=list)
    refused: int = 0
    in_flight: int = 0
    told: ToldLimits | None = field(init=False)

    def __post_init__(self) -> None:
        self.room = float(self.burst)
        self.told = ToldLimits(ToldLimit(self.rpm, self.rpm - 1, 60 / self.rpm)) if self.headers else None

    async def ask(self, _request: Request) -> Answer:
        self.starts.append(now())
        await asyncio.sleep(random.Random(len(self.starts)).expovariate(1 / 0.003))
        self.room = min(self.burst, self.room + (now() - self.filled_at) * self.rpm / 60)
        self.filled_at = now()
        if self.room < 1 or self.in_flight >= self.most_at_once:
            self.refused += 1
            await asyncio.sleep(0.01)
            after = (1 - self.room) * 60 / self.rpm if self.retry_after else None
            failure = Failure(FailureKind.RATE_LIMIT, "too fast", retryable=True, status=429, retry_after=after)
            raise AttemptFailed(failure, 10.0)
        self.room -= 1
        self.in_flight += 1
        try:
            await asyncio.sleep(self.latency)
        finally:
            self.in_flight -= 1
        return Answer(Outcome.OK, "fine", "{}", "gpt-4o", usage=Usage(5, 0, 5), told=self.told)

    def run(
        self,
        count: int,
        settings: EngineSettings | None = None,
        paced: Callable[[], Pace] | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> tuple[EngineReport, float]:
        """Asks so many requests; returns how it ended and how long it took."""
        budget = Budget(None)

        async def record(_response: Response, _request: Request) -> None:
            await asyncio.sleep(0)

        async def main() -> tuple[EngineReport, float]:
            engine = Engine(
                self.ask,
                record,
                lambda _model, _answer: None,
                lambda _request: None,
                settings or EngineSettings(concurrency=64),
                budget,
                LoopClock(),
                random.Random(1),
                progress,
                authority=None if paced is None else LocalAuthority(budget, paced()),
            )
            report = await engine.run(requests_for(count))
            return report, now()

        return virtually(main())

    @property
    def share_refused(self) -> float:
        return self.refused / len(self.starts)

    def ideal(self, count: int) -> float:
        """Nobody is faster: the burst at once, then one in each slot, and the last answer."""
        return (count - self.burst) * 60 / self.rpm + self.latency


# --------------------------------------------------------------------------------------------------- finding the limit


def test_a_limit_that_headers_tell_is_used_to_the_full_and_hardly_exceeded() -> None:
    provider = Provider(rpm=3000, retry_after=True)
    report, seconds = provider.run(1000)
    assert report.answered == 1000
    assert provider.share_refused < 0.01
    assert seconds < 1.05 * provider.ideal(1000)


@pytest.mark.parametrize(("rpm", "burst"), [(3000, 5), (3000, 10), (3000, 50), (480, 10)])
def test_a_limit_that_nobody_tells_is_found_out_from_what_is_refused(rpm: int, burst: int) -> None:
    provider = Provider(rpm, burst, headers=False)
    report, seconds = provider.run(1000)
    assert report.answered == 1000
    assert provider.share_refused < 0.05
    assert seconds < 1.05 * provider.ideal(1000)
