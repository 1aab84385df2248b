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
from tests.execution.test_execution_engine import BUSY, LIMIT, NO_QUOTA, LoopClock, requests_for, virtually

from snapdrift.execution.authority import Grant, LocalAuthority, Need, Settled
from snapdrift.execution.budget import Budget
from snapdrift.execution.engine import Engine
from snapdrift.execution.limits import KnownLimits, RateLimits
from snapdrift.execution.pace import Pace
from snapdrift.execution.pool import HOLD_S, Lesson, Taking
from snapdrift.execution.records import EngineReport, EngineSettings, Progress, StopReason
from snapdrift.execution.turns import OWN, Here
from snapdrift.model import Answer, Failure, FailureKind, Outcome, Request, Response, ToldLimit, ToldLimits, Usage
from snapdrift.openai_api.errors import AttemptFailed

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
                Here(self.ask),
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


def test_a_host_that_takes_only_so_many_at_once_is_asked_that_many() -> None:
    provider = Provider(rpm=10**7, burst=10**6, headers=False, most_at_once=20)
    report, seconds = provider.run(1000)
    assert report.answered == 1000
    assert provider.share_refused < 0.05
    assert seconds < 1.25 * 1000 / 20 * provider.latency


def test_where_nothing_is_refused_nothing_is_held_back_for_long() -> None:
    provider = Provider(rpm=10**7, burst=10**6, headers=False)
    _, seconds = provider.run(1000)
    assert seconds < 1000 / 64 * provider.latency + 1.0


# ------------------------------------------------------------------------------------------------------- keeping to it


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    rpm=st.integers(1, 300),
    tpm=st.integers(100, 5000),
    asked=st.lists(st.tuples(st.integers(1, 400), st.integers(1, 400), st.floats(0, 20)), min_size=1, max_size=60),
    catch_up=st.floats(0, 1),
)
def test_in_no_minute_is_more_started_than_the_limits_allow_and_everybody_gets_a_turn(
    rpm: int, tpm: int, asked: list[tuple[int, int, float]], catch_up: float
) -> None:
    """Requests reserve tokens, take a while, and turn out to have used others; all that was reserved is given back."""
    starts: list[tuple[float, int]] = []
    order: list[int] = []

    async def one(paced: Pace, number: int, reserved: int, used: int, takes: float) -> None:
        start = await paced.admit(HOST, "gpt-4o", Taking(reserved))
        order.append(number)
        starts.append((now(), min(reserved, used)))
        await asyncio.sleep(takes)
        paced.end(start, Lesson(used))

    async def main() -> int:
        paced = pace(rpm=rpm, tpm=tpm)
        line = paced._line(HOST, "gpt-4o")
        paced._pool(line, OWN, now())._set_catch_up(catch_up)
        await asyncio.gather(*(one(paced, number, *each) for number, each in enumerate(asked)))
        assert not line.waiting
        return line.pools[OWN].in_flight

    assert virtually(main()) == 0
    assert order == list(range(len(asked)))
    for moment, _ in starts:
        within = [tokens for at, tokens in starts if moment <= at < moment + 60.0]
        assert len(within) <= rpm
        assert sum(within) <= max(tpm, within[0])


def test_tokens_are_reserved_by_estimate_and_corrected_by_what_was_used() -> None:
    async def wait_of_the_third(used: int) -> float:
        paced = pace(tpm=6000)
        for _ in range(2):
            start = await paced.admit(HOST, "gpt-4o", Taking(3000))
            paced.end(start, Lesson(used))
        began = now()
        await paced.admit(HOST, "gpt-4o", Taking(3000))
        return now() - began

    assert virtually(wait_of_the_third(used=100)) == 0.0
    assert virtually(wait_of_the_third(used=3000)) > 30.0


def test_a_host_that_counts_what_was_asked_for_is_not_given_credit_for_what_was_not_used() -> None:
    refusal = Failure(FailureKind.RATE_LIMIT, "Rate limit reached on tokens per min", retryable=True, status=429)

    async def main() -> float:
        paced = pace(tpm=6000)
        paced.end(await paced.admit(HOST, "gpt-4o", Taking(10)), Lesson(None, refusal))
        for _ in range(2):
            paced.end(await paced.admit(HOST, "gpt-4o", Taking(3000)), Lesson(100))
        began = now()
        await paced.admit(HOST, "gpt-4o", Taking(3000))
        return now() - began

    assert virtually(main()) > 20.0


def test_a_day_s_limit_may_be_used_at_once_and_then_holds_until_tomorrow() -> None:
    async def main() -> tuple[float, float]:
        paced = pace(rpd=3)
        for _ in range(3):
            await paced.admit(HOST, "gpt-4o", Taking())
        before = now()
        await paced.admit(HOST, "gpt-4o", Taking())
        return before, now()

    before, after = virtually(main())
    assert before < 1.0
    assert 86_400 <= after <= 87_000


def test_images_have_a_limit_of_their_own() -> None:
    async def main() -> float:
        paced = pace(ipm=6)
        for _ in range(3):
            await paced.admit(HOST, "gpt-4o", Taking(images=3))
        return now()

    assert virtually(main()) >= 30.0


def test_what_headers_say_is_left_holds_where_others_use_the_account_too() -> None:
    async def main() -> float:
        paced = pace()
        start = await paced.admit(HOST, "gpt-4o", Taking())
        paced.end(start, Lesson(told=ToldLimits(ToldLimit(600, 0, 60.0))))
        began = now()
        for _ in range(2):
            await paced.admit(HOST, "gpt-4o", Taking())
        return now() - began

    assert virtually(main()) == pytest.approx(0.2, abs=0.02)


def test_a_limit_that_takes_longer_than_a_minute_to_be_whole_again_is_the_day_s() -> None:
    async def main() -> float:
        paced = pace()
        start = await paced.admit(HOST, "gpt-4o", Taking())
        paced.end(start, Lesson(told=ToldLimits(ToldLimit(200, 180, 8640.0))))
        began = now()
        for _ in range(20):
            await paced.admit(HOST, "gpt-4o", Taking())
        return now() - began

    assert virtually(main()) < 1.0


def test_tokens_that_take_longer_than_a_minute_to_be_whole_again_are_no_day_s() -> None:
    """OpenAI's documentation shows `6m0s` for the tokens of a minute, and other hosts send what it shows."""

    async def main() -> float:
        paced = pace()
        start = await paced.admit(HOST, "gpt-4o", Taking(400))
        paced.end(start, Lesson(400, told=ToldLimits(None, ToldLimit(30_000, 29_600, 360.0))))
        began = now()
        for _ in range(100):
            await paced.admit(HOST, "gpt-4o", Taking(400))
        return now() - began

    assert 10.0 < virtually(main()) < 120.0


# ------------------------------------------------------------------------------------------------------ holding it back


def paced_after(failure: Failure | None, *, times: int = 1) -> Pace:
    """A pace that was taught by so many endings."""

    async def main() -> Pace:
        paced = pace(rpm=60_000)
        starts = [await paced.admit(HOST, "gpt-4o", Taking()) for _ in range(8)]
        for start in starts[:times]:
            paced.end(start, Lesson(None, failure))
        for start in starts[times:]:
            paced.end(start, Lesson(10))
        return paced

    return virtually(main())


def window_of(paced: Pace) -> float:
    (line,) = paced._lines.values()
    return line.pools[OWN].window


def test_only_a_rate_limit_lowers_how_many_are_in_flight() -> None:
    timeout = Failure(FailureKind.TIMEOUT, "no answer", retryable=True, may_have_run=True)
    assert window_of(paced_after(LIMIT)) < 8
    assert {window_of(paced_after(failure, times=4)) for failure in (BUSY, timeout, SLOW_DOWN)} == {float("inf")}


def test_more_are_in_flight_again_only_where_as_many_as_may_are() -> None:
    async def main() -> tuple[float, float, float]:
        paced = pace(rpm=60_000)
        starts = [await paced.admit(HOST, "gpt-4o", Taking()) for _ in range(4)]
        paced.end(starts[0], Lesson(None, LIMIT))
        for start in starts[1:]:
            paced.end(start, Lesson(10))
        lowered = window_of(paced)
        paced.end(await paced.admit(HOST, "gpt-4o", Taking()), Lesson(10))
        alone = window_of(paced)
        full = [await paced.admit(HOST, "gpt-4o", Taking()) for _ in range(4)]
        paced.end(full[0], Lesson(10))
        return lowered, alone, window_of(paced)

    lowered, alone, full = virtually(main())
    assert lowered == alone == pytest.approx(3.6)
    assert full > alone


def test_a_pause_holds_back_the_model_that_asked_for_it_and_no_other() -> None:
    refused = Failure(FailureKind.RATE_LIMIT, "too fast", retryable=True, status=429, retry_after=30.0)

    async def main() -> tuple[float, float]:
        paced = pace()
        paced.end(await paced.admit(HOST, "gpt-4o", Taking()), Lesson(None, refused))
        await paced.admit(HOST, "gpt-4o-mini", Taking())
        other = now()
        await paced.admit(HOST, "gpt-4o", Taking())
        return other, now()

    other, same = virtually(main())
    assert other == 0.0
    assert 30.0 <= same <= 31.0


def test_models_that_share_their_limits_share_pauses_too() -> None:
    refused = Failure(FailureKind.RATE_LIMIT, "too fast", retryable=True, status=429, retry_after=30.0)

    async def main() -> float:
        together = {(HOST, "gpt-4o-2024-11-20"): "gpt-4o"}
        paced = Pace(KnownLimits({}, together), LoopClock(), random.Random(0))
        paced.end(await paced.admit(HOST, "gpt-4o", Taking()), Lesson(None, refused))
        await paced.admit(HOST, "gpt-4o-2024-11-20", Taking())
        return now()

    assert virtually(main()) >= 30.0


def test_engines_that_share_a_pace_keep_to_its_limits_together() -> None:
    """As answers and judges of the same model do."""
    provider = Provider(rpm=600, burst=2, headers=False)

    async def main() -> float:
        paced, budget = pace(rpm=600), Budget(None)

        async def record(_response: Response, _request: Request) -> None:
            await asyncio.sleep(0)

        def engine() -> Engine:
            settings = EngineSettings(concurrency=8)
            return Engine(
                Here(provider.ask),
                record,
                lambda _m, _a: None,
                lambda _r: None,
                settings,
                budget,
                LoopClock(),
                authority=LocalAuthority(budget, paced),
            )

        await asyncio.gather(engine().run(requests_for(30)), engine().run(requests_for(30)))
        return now()

    assert virtually(main()) >= 58 * 0.1
    assert provider.refused <= 1


def test_slow_down_holds_half_the_rate_for_a_quarter_of_an_hour_and_says_so() -> None:
    async def main() -> tuple[float, str, float]:
        paced = pace(rpm=600)
        for _ in range(100):
            start = await paced.admit(HOST, "gpt-4o", Taking())
            paced.end(start, Lesson(10))
        paced.end(await paced.admit(HOST, "gpt-4o", Taking()), Lesson(None, SLOW_DOWN))

        async def rate() -> float:
            began = now()
            for _ in range(50):
                paced.end(await paced.admit(HOST, "gpt-4o", Taking()), Lesson(10))
            return 50 / (now() - began)

        held = await rate()
        waiting = asyncio.ensure_future(paced.admit(HOST, "gpt-4o", Taking()))
        await asyncio.sleep(0)
        said = paced.held()
        await waiting
        await asyncio.sleep(HOLD_S)
        return held, "" if said is None else said.why, await rate()

    held, why, later = virtually(main())
    assert held == pytest.approx(5.0, rel=0.1)
    assert "requests a minute to gpt-4o, for its host was overloaded" in why
    assert later == pytest.approx(10.0, rel=0.15)


def test_a_few_overloaded_answers_among_many_hold_nothing_back() -> None:
    overloaded = Failure(FailureKind.OVERLOADED, "overloaded", retryable=True, status=503)

    async def main() -> float:
        paced = pace(rpm=600)
        for number in range(200):
            start = await paced.admit(HOST, "gpt-4o", Taking())
            paced.end(start, Lesson(None, overloaded if number % 50 == 49 else None))
        return now()

    assert virtually(main()) == pytest.approx(20.0, rel=0.05)


# -------------------------------------------------------------------------------------------------------------- waiting


def test_a_wait_that_is_cancelled_gives_nothing_away() -> None:
    async def main() -> float:
        budget = Budget(1.0)
        authority = LocalAuthority(budget, pace(rpm=60))
        need = Need(HOST, "gpt-4o", 0.5)
        first = await authority.admit(need)
        waiting = [asyncio.ensure_future(authority.admit(need)) for _ in range(3)]
        await asyncio.sleep(0.01)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(first, Grant)
        authority.settle(first, Settled(0.0))
        assert (budget.in_flight_usd, budget.spent_usd) == (0.0, 0.0)
        began = now()
        await authority.admit(need)
        return now() - began

    assert virtually(main()) <= 1.02


def test_a_turn_that_comes_in_the_moment_of_cancelling_is_given_back() -> None:
    async def main() -> tuple[int, int, float]:
        paced = pace(rpm=60)
        first = await paced.admit(HOST, "gpt-4o", Taking())
        waiting = asyncio.ensure_future(paced.admit(HOST, "gpt-4o", Taking()))
        await asyncio.sleep(0.1)
        paced.end(first, Lesson(sent=False))  # which lets the other start
        (line,) = paced._lines.values()
        in_flight = line.pools[OWN].in_flight
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        left = line.pools[OWN].in_flight
        await paced.admit(HOST, "gpt-4o", Taking())
        return in_flight, left, now()

    in_flight, left, waited = virtually(main())
    assert (in_flight, left) == (1, 0)
    assert waited == pytest.approx(0.1)


@pytest.mark.parametrize("concurrency", [1, 8])
def test_no_wait_for_a_limit_outlasts_the_deadline(concurrency: int) -> None:
    provider = Provider(rpm=10**6)
    settings = EngineSettings(concurrency=concurrency, deadline=10.0)
    report, seconds = provider.run(100, settings, lambda: pace(rpm=1))
    assert (report.stopped, report.answered) == (StopReason.DEADLINE, 1)
    assert seconds == pytest.approx(10.0)


def test_a_quota_that_is_used_up_ends_the_run_at_once_though_many_wait_for_their_turn() -> None:
    class Empty(Provider):
        async def ask(self, _request: Request) -> Answer:
            self.starts.append(now())
            await asyncio.sleep(0.2)
            raise AttemptFailed(NO_QUOTA, 200.0)

    provider = Empty(rpm=60)
    report, seconds = provider.run(1000, EngineSettings(concurrency=50), lambda: pace(rpm=60))
    assert (report.stopped, report.detail) == (StopReason.QUOTA, NO_QUOTA.message)
    assert len(provider.starts) == 1
    assert seconds == pytest.approx(0.2)


def test_progress_tells_what_holds_the_run_back_also_while_no_call_ends() -> None:
    told: list[Progress] = []
    Provider(rpm=10**6).run(2, EngineSettings(concurrency=2), lambda: pace(rpm=1), told.append)
    held = [progress for progress in told if progress.paused_for > 1]
    assert len(held) > 30
    assert {progress.held_by for progress in held} == {"the limit of 1 requests a minute for gpt-4o"}


def test_what_is_not_asked_over_http_has_no_limits() -> None:
    async def main() -> float:
        authority = LocalAuthority(Budget(None), pace(rpm=1))
        for _ in range(3):
            await authority.admit(Need(HOST, "gpt-4o", 0.0, paced=False))
        return now()

    assert virtually(main()) == 0.0


def test_what_an_authority_is_told_can_be_sent_to_another_process() -> None:
    told = ToldLimits(ToldLimit(10, 9, 6.0), None)
    records = [Need(HOST, "gpt-4o", 0.1, 10, 1), Grant(3), Settled(None, Usage(1, 0, 1), LIMIT, told, sent=False)]
    assert pickle.loads(pickle.dumps(records)) == records  # noqa: S301  our own bytes


def test_a_trouble_that_is_over_is_noticed() -> None:
    """Everything is refused for ten minutes; soon after that the run is as fast as before."""

    async def main() -> float:
        paced = pace()
        while now() < 600.0:
            paced.end(await paced.admit(HOST, "gpt-4o", Taking()), Lesson(None, LIMIT))
        began = now()
        for _ in range(1000):
            paced.end(await paced.admit(HOST, "gpt-4o", Taking()), Lesson(10))
        return now() - began

    assert virtually(main()) < 600.0
