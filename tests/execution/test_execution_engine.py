"""The engine under a clock that jumps: every wait is a real timer of the event loop, none takes real time."""

from __future__ import annotations

import asyncio
import gc
import random
import selectors
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from snapdrift.errors import CatalogError, StoreError
from snapdrift.execution.asker import Costs
from snapdrift.execution.budget import Budget
from snapdrift.execution.engine import Engine
from snapdrift.execution.records import EngineReport, EngineSettings, Progress, StopReason
from snapdrift.execution.turns import Here
from snapdrift.model import Answer, Attempt, CallKey, Endpoint, Failure, FailureKind, Outcome, Request, Response, Usage
from snapdrift.openai_api.errors import AttemptFailed

T = TypeVar("T")
START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECONDS_PER_ANSWER = 1.0

BUSY = Failure(FailureKind.SERVER, "busy", retryable=True, status=500)
CUT = Failure(FailureKind.CONNECTION, "cut", retryable=True, may_have_run=True)
LIMIT = Failure(FailureKind.RATE_LIMIT, "too fast", retryable=True, status=429)
BAD = Failure(FailureKind.BAD_REQUEST, "no such parameter", retryable=False, status=400)
NO_QUOTA = Failure(FailureKind.QUOTA, "no quota left", retryable=False, status=429, stops_run=True)
NO_KEY = Failure(FailureKind.AUTHENTICATION, "the key was refused", retryable=False, status=401, stops_run=True)
NO_MODEL = Failure(FailureKind.MODEL_NOT_FOUND, "shut down", retryable=False, status=404, request_id="req_1")


def rate_limit(retry_after: float) -> Failure:
    return Failure(FailureKind.RATE_LIMIT, "too fast", retryable=True, status=429, retry_after=retry_after)


class JumpingSelector(selectors.SelectSelector):
    """Lets the loop's time jump to its next timer when nothing else is to be done."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("every task waits and no timer is set: a deadlock")
            self.now += max(timeout, 0.0)
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


class LoopClock:
    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def virtually(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(main)


def request_for(number: int, model: str = "gpt-4o") -> Request:
    key = CallKey(f"case-{number}", "a", 0)
    body = {"model": model, "input": str(number)}
    return Request(key, 0, Endpoint.RESPONSES, "https://api.openai.com/v1", body, f"run:case-{number}:a/0/0")


def requests_for(count: int) -> list[Request]:
    return [request_for(number) for number in range(count)]


Script = Callable[[Request, int], Failure | None]
"""How the n-th attempt (from 0) of a request fails; None: it is answered."""


def always(failure: Failure) -> Script:
    return lambda _request, _attempt: failure


def first(failures: int, failure: Failure) -> Script:
    return lambda _request, attempt: failure if attempt < failures else None


def answered(_request: Request, _attempt: int) -> Failure | None:
    return None


@dataclass
class World:
    """A provider that follows a script, a store that keeps everything, and what was seen of both."""

    script: Script = answered
    latency: float = SECONDS_PER_ANSWER
    starts: list[tuple[str, float]] = field(default_factory=list)
    stored: dict[CallKey, Response] = field(default_factory=dict)
    history: list[Response] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    finished_at: float = 0.0

    async def ask(self, request: Request) -> Answer:
        attempt = sum(case_id == request.call.case_id for case_id, _ in self.starts)
        self.starts.append((request.call.case_id, asyncio.get_running_loop().time()))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.latency)
        finally:
            self.in_flight -= 1
        failure = self.script(request, attempt)
        if failure is not None:
            raise AttemptFailed(failure, self.latency * 1000)
        usage = Usage(input_tokens=10, output_tokens=10)
        return Answer(Outcome.OK, "fine", "{}", "gpt-4o-2024-08-06", "req_9", usage, self.latency * 1000)

    async def record(self, response: Response, request: Request) -> None:
        assert response.call == request.call
        await asyncio.sleep(0)
        self.stored[response.call] = response
        self.history.append(response)

    @property
    def outcomes(self) -> Counter[Outcome]:
        return Counter(response.outcome for response in self.stored.values())

    @property
    def asked(self) -> Counter[str]:
        return Counter(case_id for case_id, _ in self.starts)

    def run(
        self,
        requests: Iterable[Request],
        settings: EngineSettings | None = None,
        *,
        budget: Budget | None = None,
        usd: float | None = 0.01,
        worst: float | None = 0.02,
        cancel_after: float | None = None,
        earlier: dict[CallKey, tuple[Attempt, ...]] | None = None,
        progress: Callable[[Progress], None] | None = None,
        seed: int = 0,
        stored: Callable[[CallKey, int], Request | None] | None = None,
        reuse: Callable[[Request], Response | None] | None = None,
    ) -> EngineReport:
        async def main() -> EngineReport:
            engine = Engine(
                Here(self.ask),
                self.record,
                lambda _model, _answer: usd,
                lambda _request: worst,
                settings or EngineSettings(concurrency=4),
                budget or Budget(None),
                LoopClock(),
                random.Random(seed),
                progress,
                stored=stored,
                reuse=reuse,
            )
            cancel = asyncio.Event()
            if cancel_after is not None:
                asyncio.get_running_loop().call_later(cancel_after, cancel.set)
            attempts = earlier or {}
            report = await engine.run(requests, cancel, lambda key: attempts.get(key, ()))
            self.finished_at = asyncio.get_running_loop().time()
            return report

        return virtually(main())


def test_an_answer_that_names_no_tier_is_priced_by_the_tier_that_was_asked_for() -> None:
    def price(_model: str, answer: Answer) -> float | None:
        return {None: 1.0, "priority": 2.0}.get(answer.service_tier)

    costs = Costs(price, lambda _request: None, Budget(None))
    answer = Answer(Outcome.OK, "fine", "{}", "gpt-4o", usage=Usage(10, 0, 10))
    asked = replace(request_for(0), body={"model": "gpt-4o", "service_tier": "priority"})
    assert costs.of(request_for(0), answer) == 1.0
    assert costs.of(asked, answer) == 2.0
    assert costs.of(asked, replace(answer, service_tier="flex")) is None


# ----------------------------------------------------------------------------------------------------- the ordinary run


def test_every_call_is_answered_and_stored() -> None:
    world = World()
    report = world.run(requests_for(10))
    assert (report.answered, report.failed, report.stopped, len(world.stored)) == (10, 0, None, 10)


def test_requests_start_in_the_order_of_the_plan() -> None:
    world = World()
    world.run(requests_for(30))
    assert [case_id for case_id, _ in world.starts] == [f"case-{number}" for number in range(30)]


def test_as_many_requests_are_in_flight_as_allowed_and_no_more() -> None:
    world = World()
    world.run(requests_for(30), EngineSettings(concurrency=7))
    assert world.most_in_flight == 7


def test_the_plan_is_drawn_only_as_far_as_it_is_asked() -> None:
    world = World()
    ahead: list[int] = []

    def lazily() -> Iterator[Request]:
        for number in range(50):
            ahead.append(number + 1 - len(world.stored))
            yield request_for(number)

    world.run(lazily(), EngineSettings(concurrency=5))
    assert max(ahead) <= 5


def test_a_supply_that_has_more_once_an_answer_is_there_is_asked_again() -> None:
    class Growing:
        """Every answer to one of the first three calls brings a further one, of which nobody knew before."""

        def __init__(self, world: World) -> None:
            self.world, self.given = world, 0

        def __iter__(self) -> Growing:
            return self

        def __next__(self) -> Request:
            known = 3 + sum(int(key.case_id.removeprefix("case-")) < 3 for key in self.world.stored)
            if self.given >= known:
                raise StopIteration
            self.given += 1
            return request_for(self.given - 1)

    world = World()
    report = world.run(Growing(world), EngineSettings(concurrency=5))

    assert (report.answered, set(world.asked.values())) == (6, {1})


def test_a_response_carries_what_the_answer_said() -> None:
    world = World()
    world.run([request_for(1)])
    response = world.stored[CallKey("case-1", "a", 0)]
    assert response == Response(
        call=CallKey("case-1", "a", 0),
        outcome=Outcome.OK,
        requested_model="gpt-4o",
        text="fine",
        raw="{}",
        returned_model="gpt-4o-2024-08-06",
        request_id="req_9",
        request_hash=request_for(1).hash,
        usage=Usage(10, 0, 10, 0),
        usd=0.01,
        latency_ms=1000.0,
        attempts=(Attempt(1, "2026-11-22T12:00:00.000+00:00", 1000.0),),
        finished_at="2026-11-22T12:00:01.000+00:00",
    )


def test_the_report_sums_what_the_answers_cost() -> None:
    assert World().run(requests_for(3)).usd == pytest.approx(0.03)


def test_progress_is_told_after_each_call() -> None:
    seen: list[int] = []
    World().run(requests_for(5), progress=lambda progress: seen.append(progress.done))
    assert seen == [1, 2, 3, 4, 5]


def test_progress_counts_tokens_and_requests_of_what_was_asked_and_not_of_what_is_reused() -> None:
    told: list[Progress] = []

    def known(request: Request) -> Response | None:
        number = int(request.call.case_id.removeprefix("case-"))
        usage = Usage(input_tokens=500, output_tokens=500)
        return Response(request.call, Outcome.OK, "gpt-4o", "fine", usage=usage) if number < 3 else None

    World(first(1, BUSY)).run(requests_for(5), reuse=known, progress=told.append)
    last = told[-1]
    assert (last.answered, last.reused, last.retried) == (5, 3, 2)
    assert last.requests == 4
    assert last.tokens == 2 * 20


def test_a_defect_in_asking_comes_out_as_it_is() -> None:
    class Broken(World):
        async def ask(self, request: Request) -> Answer:
            raise ZeroDivisionError(f"a defect in {request.call}")

    with pytest.raises(ZeroDivisionError, match="a defect"):
        Broken().run(requests_for(5))


def test_a_store_that_cannot_write_ends_the_run_with_its_error() -> None:
    class Full(World):
        async def record(self, response: Response, request: Request) -> None:
            raise StoreError(f"the disk is full: {response.call} of {request.call}")

    with pytest.raises(StoreError, match="the disk is full"):
        Full().run(requests_for(5))


def test_a_store_that_cannot_write_is_told_once_and_not_for_each_call_in_flight(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Full(World):
        async def record(self, response: Response, request: Request) -> None:
            await asyncio.sleep(int(response.call.case_id.removeprefix("case-")) / 1000)
            raise StoreError(f"the disk is full: {response.call} of {request.call}")

    with pytest.raises(StoreError, match="the disk is full"):
        Full().run(requests_for(8), EngineSettings(concurrency=8))
    gc.collect()
    assert caplog.messages == []


# ------------------------------------------------------------------------------------------------------------ retrying


def test_a_call_that_fails_at_first_is_answered_in_the_end_with_its_attempts_kept() -> None:
    world = World(first(2, BUSY))
    report = world.run([request_for(1)])
    (response,) = world.stored.values()
    assert [attempt.failure for attempt in response.attempts] == [BUSY, BUSY, None]
    assert [attempt.number for attempt in response.attempts] == [1, 2, 3]
    assert (report.answered, report.retried) == (1, 2)


def test_what_cannot_be_mended_is_asked_once() -> None:
    world = World(always(BAD))
    report = world.run([request_for(1)])
    assert (len(world.starts), report.failed, world.outcomes) == (1, 1, {Outcome.API_ERROR: 1})


def test_waits_between_attempts_stay_within_the_backoff() -> None:
    world = World(always(BUSY), latency=0.0)
    world.run([request_for(1)], EngineSettings(concurrency=1, max_attempts=5, sweep=False, backoff_base=1.0))
    times = [time for _, time in world.starts]
    waits = [later - sooner for sooner, later in pairwise(times)]
    assert all(0 <= wait <= 2**n + 1e-6 for n, wait in enumerate(waits))
    assert len(waits) == 4


def test_retry_after_holds_back_every_worker() -> None:
    def script(request: Request, attempt: int) -> Failure | None:
        return rate_limit(30.0) if request.call.case_id == "case-0" and attempt == 0 else None

    world = World(script)
    world.run(requests_for(20), EngineSettings(concurrency=4))
    refused_at = SECONDS_PER_ANSWER
    assert [time for _, time in world.starts if refused_at < time < refused_at + 30] == []


def test_a_rate_limit_without_retry_after_pauses_every_worker_too() -> None:
    paused: list[float] = []

    def script(request: Request, attempt: int) -> Failure | None:
        return LIMIT if request.call.case_id == "case-0" and attempt == 0 else None

    World(script).run(requests_for(8), progress=lambda progress: paused.append(progress.paused_for))
    assert max(paused) > 0


def asked_for_rest(seconds: float) -> Script:
    """A host that refuses the first request, and asks to be left alone for so long."""
    seen: list[Request] = []

    def script(request: Request, _attempt: int) -> Failure | None:
        seen.append(request)
        return rate_limit(seconds) if len(seen) == 1 else None

    return script


@pytest.mark.parametrize(("seconds", "deadline"), [(300.0, None), (300.0, 400.0), (3600.0, 4000.0)])
def test_a_host_that_asks_to_be_left_alone_is_waited_for_within_the_deadline(seconds, deadline) -> None:
    told: list[str] = []
    world = World(asked_for_rest(seconds))
    settings = EngineSettings(concurrency=2, deadline=deadline)
    report = world.run(requests_for(6), settings, progress=lambda progress: told.append(progress.held_by))
    assert (report.answered, report.stopped) == (6, None)
    assert [time for _, time in world.starts if SECONDS_PER_ANSWER < time < seconds] == []
    assert "the host of gpt-4o asked to wait" in told


@pytest.mark.parametrize(
    ("deadline", "bound"),
    [(None, "longer than the 900 s that are waited for without a --deadline"), (600.0, "longer than the 599 s until")],
)
def test_a_rest_beyond_what_is_waited_for_is_told_and_nobody_asks_the_host_early(deadline, bound) -> None:
    world = World(asked_for_rest(7200.0))
    report = world.run(requests_for(6), EngineSettings(concurrency=1, deadline=deadline))
    assert (report.answered, report.failed, len(world.starts)) == (0, 6, 1)
    messages = [response.failure.message for response in world.stored.values() if response.failure is not None]
    assert all(bound in message for message in messages)
    assert sum(message.startswith("Not asked, for an earlier call") for message in messages) == 5
    assert world.finished_at < 60


def test_a_run_whose_host_wants_a_long_rest_ends_early_and_says_why() -> None:
    world = World(asked_for_rest(7200.0))
    report = world.run(requests_for(60), EngineSettings(concurrency=1))
    assert (report.stopped, report.failed, len(world.starts)) == (StopReason.PROVIDER_DOWN, 20, 1)
    assert report.detail.startswith("20 calls in a row got no answer; the last failure: Not asked, for an earlier call")


def test_a_rest_that_an_overloaded_host_asks_of_one_call_leaves_it_to_the_sweep_and_the_others_alone() -> None:
    resting = Failure(FailureKind.OVERLOADED, "busy", retryable=True, status=503, retry_after=7200.0)
    world = World(lambda request, attempt: resting if (request.call.case_id, attempt) == ("case-0", 0) else None)
    report = world.run(requests_for(6), EngineSettings(concurrency=1))
    assert (report.answered, len(world.starts)) == (6, 7)
    assert world.finished_at < 60


def test_an_attempt_without_end_is_given_up_at_the_timeout() -> None:
    world = World(latency=1e9)
    world.run([request_for(1)], EngineSettings(timeout=60.0, max_attempts=2, sweep=False))
    (response,) = world.stored.values()
    assert response.failure is not None
    assert (response.failure.kind, response.failure.may_have_run) == (FailureKind.TIMEOUT, True)
    assert [attempt.latency_ms for attempt in response.attempts] == pytest.approx([60000.0, 60000.0])


# ------------------------------------------------------------------------------------------------------------ sweeping


def test_a_failed_call_is_swept_once_more_after_all_others() -> None:
    def script(request: Request, attempt: int) -> Failure | None:
        return BUSY if request.call.case_id == "case-0" and attempt < 2 else None

    world = World(script)
    report = world.run(requests_for(10), EngineSettings(concurrency=2, max_attempts=2))
    assert world.starts[-1][0] == "case-0"
    assert (report.answered, report.failed, world.outcomes) == (10, 0, {Outcome.OK: 10})


def test_the_failure_is_stored_before_the_sweep_and_replaced_by_it_with_all_attempts() -> None:
    world = World(first(2, BUSY))
    world.run([request_for(1)], EngineSettings(max_attempts=2))
    assert [response.outcome for response in world.history] == [Outcome.API_ERROR, Outcome.OK]
    assert [attempt.number for attempt in world.history[-1].attempts] == [1, 2, 3]


def test_the_sweep_asks_with_the_request_that_was_recorded() -> None:
    world = World(first(2, BUSY))
    read: list[tuple[CallKey, int]] = []

    def stored(call: CallKey, step: int) -> Request:
        read.append((call, step))
        return request_for(1, model="as-recorded")

    models: list[object] = []
    ask = world.ask

    async def told(request: Request) -> Answer:
        models.append(request.body["model"])
        return await ask(request)

    world.ask = told  # type: ignore[method-assign]
    world.run([request_for(1)], EngineSettings(max_attempts=2), stored=stored)

    assert read == [(CallKey("case-1", "a", 0), 0)]
    assert models == ["gpt-4o", "gpt-4o", "as-recorded"]
    assert world.history[-1].outcome is Outcome.OK


def test_a_call_that_fails_in_the_sweep_too_is_counted_once() -> None:
    world = World(always(BUSY))
    report = world.run([request_for(1)], EngineSettings(max_attempts=2))
    assert (report.answered, report.failed, len(world.starts)) == (0, 1, 4)


def test_what_cannot_be_mended_is_not_swept() -> None:
    world = World(always(BAD))
    world.run(requests_for(3))
    assert max(world.asked.values()) == 1


def test_attempts_of_an_earlier_process_go_before_the_new_ones() -> None:
    world, request = World(), request_for(1)
    before = (Attempt(1, "2026-11-21T00:00:00.000+00:00", 5.0, BUSY),)
    world.run([request], earlier={request.call: before})
    assert [attempt.number for attempt in world.stored[request.call].attempts] == [1, 2]


# ------------------------------------------------------------------------------------------------------------ stopping


@pytest.mark.parametrize(
    ("failure", "reason"), [(NO_QUOTA, StopReason.QUOTA), (NO_KEY, StopReason.AUTHENTICATION)], ids=str
)
def test_a_failure_that_no_call_can_escape_stops_the_run_at_once(failure: Failure, reason: StopReason) -> None:
    world = World(always(failure))
    report = world.run(requests_for(1000), EngineSettings(concurrency=4))
    assert (report.stopped, report.detail) == (reason, failure.message)
    assert len(world.starts) == 4


def test_a_model_that_is_gone_is_not_asked_again() -> None:
    def script(request: Request, _attempt: int) -> Failure | None:
        return NO_MODEL if request.body["model"] == "gone" else None

    world = World(script)
    requests = [request_for(number, "gone" if number % 2 else "gpt-4o") for number in range(100)]
    report = world.run(requests, EngineSettings(concurrency=4))
    assert world.outcomes == {Outcome.OK: 50, Outcome.API_ERROR: 50}
    assert len(world.starts) <= 50 + 4
    assert report.stopped is None


def test_a_model_that_is_gone_on_one_endpoint_is_still_asked_on_the_other() -> None:
    world = World(lambda request, _attempt: NO_MODEL if request.endpoint is Endpoint.RESPONSES else None)
    requests = [
        replace(request_for(number), endpoint=Endpoint.CHAT if number % 2 else Endpoint.RESPONSES)
        for number in range(10)
    ]
    world.run(requests, EngineSettings(concurrency=1))
    assert Counter(response.outcome for response in world.stored.values()) == {Outcome.OK: 5, Outcome.API_ERROR: 5}
    assert len(world.starts) == 6


def test_a_call_that_was_not_asked_for_its_model_is_gone_says_so() -> None:
    world = World(always(NO_MODEL))
    world.run([request_for(number, "gone") for number in range(10)], EngineSettings(concurrency=1))
    last = world.stored[CallKey("case-9", "a", 0)]
    assert last.attempts == ()
    assert last.failure is not None
    assert last.failure.message.startswith("Not asked")


def test_a_provider_that_answers_nothing_ends_the_run_in_reasonable_time() -> None:
    world = World(always(BUSY))
    report = world.run(requests_for(10_000), EngineSettings(concurrency=8))
    assert report.stopped is StopReason.PROVIDER_DOWN
    assert report.failed < 24 + 8
    assert world.finished_at < 120


def test_reused_answers_do_not_hide_a_provider_that_is_down() -> None:
    def known(request: Request) -> Response | None:
        every_other = int(request.call.case_id.removeprefix("case-")) % 2 == 0
        return Response(request.call, Outcome.OK, "gpt-4o-2024-08-06", "fine") if every_other else None

    report = World(always(BUSY)).run(requests_for(10_000), EngineSettings(concurrency=8), reuse=known)
    assert report.stopped is StopReason.PROVIDER_DOWN
    assert report.failed < 24 + 8


def test_a_provider_that_refuses_every_request_ends_the_run_too() -> None:
    report = World(always(BAD)).run(requests_for(10_000), EngineSettings(concurrency=8))
    assert report.stopped is StopReason.PROVIDER_DOWN


def test_refused_requests_among_answered_ones_do_not_look_like_a_provider_that_is_down() -> None:
    world = World(lambda request, _attempt: None if request.call.case_id == "case-0" else BAD)
    report = world.run(requests_for(200), EngineSettings(concurrency=1))
    assert (report.stopped, report.answered, report.failed) == (None, 1, 199)


def test_a_provider_that_goes_down_in_the_middle_is_noticed() -> None:
    def script(request: Request, _attempt: int) -> Failure | None:
        return BUSY if int(request.call.case_id.removeprefix("case-")) >= 100 else None

    report = World(script).run(requests_for(10_000), EngineSettings(concurrency=8))
    assert (report.stopped, report.answered) == (StopReason.PROVIDER_DOWN, 100)


def test_failed_calls_between_answered_ones_do_not_add_up() -> None:
    world = World(lambda request, _attempt: BUSY if int(request.body["input"]) % 2 else None)
    report = world.run(requests_for(200), EngineSettings(concurrency=1, max_attempts=1, sweep=False))
    assert (report.stopped, report.answered, report.failed) == (None, 100, 100)


def test_a_stopped_run_draws_no_more_of_the_plan() -> None:
    drawn: list[int] = []

    def lazily() -> Iterator[Request]:
        for number in range(1000):
            drawn.append(number)
            yield request_for(number)

    World(always(NO_KEY)).run(lazily(), EngineSettings(concurrency=4))
    assert len(drawn) <= 8


def test_a_request_that_waited_for_room_in_the_budget_is_not_started_after_a_stop() -> None:
    world = World(always(NO_KEY))
    world.run(requests_for(10), EngineSettings(concurrency=4), budget=Budget(0.02), worst=0.02)
    assert len(world.starts) == 1


def test_after_the_deadline_nothing_is_started_and_what_is_in_flight_is_kept() -> None:
    world = World()
    report = world.run(requests_for(100), EngineSettings(concurrency=2, deadline=3.5))
    assert (report.stopped, report.answered) == (StopReason.DEADLINE, 8)
    assert max(time for _, time in world.starts) < 3.5


def test_a_deadline_that_comes_after_the_last_start_stops_nothing() -> None:
    report = World().run(requests_for(4), EngineSettings(concurrency=4, deadline=0.5))
    assert (report.stopped, report.answered) == (None, 4)


def test_a_pause_does_not_outlast_the_deadline() -> None:
    world = World(always(rate_limit(6.0)))
    report = world.run(requests_for(10), EngineSettings(concurrency=2, deadline=10.0))
    assert (report.answered, report.failed, len(world.starts)) == (0, 10, 4)
    assert 6.0 < world.finished_at < 10.0


def test_an_interrupted_run_keeps_what_comes_within_the_grace() -> None:
    world = World(latency=3.0)
    report = world.run(requests_for(100), EngineSettings(concurrency=4, grace=5.0), cancel_after=4.0)
    assert (report.stopped, report.answered, len(world.stored)) == (StopReason.CANCELLED, 8, 8)
    assert world.finished_at == pytest.approx(6.0)


def test_an_interrupted_run_gives_up_what_does_not_come_within_the_grace() -> None:
    world = World(latency=100.0)
    report = world.run(requests_for(100), EngineSettings(concurrency=4, grace=5.0), cancel_after=4.0)
    assert (report.stopped, report.answered, world.in_flight) == (StopReason.CANCELLED, 0, 0)
    assert world.finished_at == pytest.approx(9.0)


def test_what_is_given_up_in_flight_is_stored_with_the_attempt_that_may_have_been_billed() -> None:
    world = World(latency=100.0)
    report = world.run(requests_for(100), EngineSettings(concurrency=4, grace=5.0), cancel_after=4.0)
    assert (report.failed, world.outcomes) == (4, {Outcome.API_ERROR: 4})
    cut = [attempt.failure for response in world.stored.values() for attempt in response.attempts]
    assert [failure is not None and failure.may_have_run for failure in cut] == [True] * 4
    assert all(response.usd is None for response in world.stored.values())


def test_an_interrupted_run_does_not_wait_for_backoffs() -> None:
    world = World(always(rate_limit(100.0)))
    world.run(requests_for(100), EngineSettings(concurrency=4), cancel_after=20.0)
    assert world.finished_at == pytest.approx(20.0)


def test_a_response_that_is_being_stored_when_the_grace_ends_is_stored_and_counted() -> None:
    class Slow(World):
        async def record(self, response: Response, request: Request) -> None:
            await asyncio.sleep(50)
            await super().record(response, request)

    world = Slow()
    report = world.run([request_for(1)], EngineSettings(grace=5.0), cancel_after=2.0)
    assert (report.answered, len(world.stored)) == (1, 1)


def test_a_run_that_is_interrupted_before_it_starts_asks_nothing() -> None:
    async def main() -> int:
        world, cancel = World(), asyncio.Event()
        cancel.set()
        settings = EngineSettings(concurrency=4)
        engine = Engine(
            Here(world.ask), world.record, lambda _m, _u: None, lambda _r: None, settings, Budget(None), LoopClock()
        )
        await engine.run(requests_for(10), cancel)
        return len(world.starts)

    assert virtually(main()) == 0


# ---------------------------------------------------------------------------------------------------------------- money


def test_a_used_up_budget_stops_the_run_and_is_not_exceeded() -> None:
    world, budget = World(), Budget(0.105)
    report = world.run(requests_for(100), budget=budget, usd=0.01, worst=0.02)
    assert (report.stopped, report.failed) == (StopReason.BUDGET, 0)
    assert report.answered == 9  # the tenth could cost 0.02 on top of 0.09
    assert budget.spent_usd <= 0.105


def test_the_budget_bounds_how_many_are_in_flight() -> None:
    world = World()
    world.run(requests_for(20), EngineSettings(concurrency=10), budget=Budget(0.50), usd=0.001, worst=0.10)
    assert world.most_in_flight == 5


def test_attempts_whose_fate_is_unknown_are_charged_at_their_worst_case() -> None:
    budget = Budget(1.0)
    report = World(first(2, CUT)).run([request_for(1)], budget=budget, usd=0.01, worst=0.02)
    assert report.charged_usd == pytest.approx(0.05)


def test_attempts_that_were_refused_cost_nothing() -> None:
    budget = Budget(1.0)
    World(first(2, BUSY)).run([request_for(1)], budget=budget, usd=0.01, worst=0.02)
    assert budget.spent_usd == pytest.approx(0.01)


def test_what_is_given_up_in_flight_is_charged_at_its_worst_case() -> None:
    budget = Budget(1.0)
    World(latency=100.0).run(requests_for(2), EngineSettings(concurrency=2), budget=budget, cancel_after=1.0)
    assert budget.spent_usd == pytest.approx(0.04)


def test_an_unknown_price_under_a_budget_is_an_error_that_names_the_model() -> None:
    with pytest.raises(CatalogError, match="'gpt-4o' costs at most is not known"):
        World().run([request_for(1)], budget=Budget(1.0), worst=None)


def test_an_unknown_price_without_a_budget_leaves_the_cost_unknown() -> None:
    world = World()
    world.run([request_for(1)], usd=None, worst=None)
    assert [response.usd for response in world.stored.values()] == [None]


# ----------------------------------------------------------------------------------------------------------------- laws


FAILURES = st.sampled_from([None, None, None, BUSY, CUT, LIMIT, rate_limit(20.0), rate_limit(7200.0), BAD, NO_MODEL])


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    scripts=st.lists(st.lists(FAILURES, max_size=6), min_size=1, max_size=25),
    concurrency=st.integers(1, 6),
    limit=st.one_of(st.none(), st.floats(0, 0.6)),
    deadline=st.one_of(st.none(), st.floats(0, 60)),
    cancel_after=st.one_of(st.none(), st.floats(0, 30)),
    share=st.floats(0, 1),
    seed=st.integers(0, 1000),
)
def test_outcomes_sum_to_the_plan_whatever_happens(
    scripts: list[list[Failure | None]],
    concurrency: int,
    limit: float | None,
    deadline: float | None,
    cancel_after: float | None,
    share: float,
    seed: int,
) -> None:
    def script(request: Request, attempt: int) -> Failure | None:
        steps = scripts[int(request.call.case_id.removeprefix("case-"))]
        return steps[attempt] if attempt < len(steps) else None

    world, budget = World(script), Budget(limit)
    report = world.run(
        requests_for(len(scripts)),
        EngineSettings(concurrency=concurrency, max_attempts=3, deadline=deadline),
        budget=budget,
        usd=0.02 * share,
        worst=0.02,
        cancel_after=cancel_after,
        seed=seed,
    )
    measured = sum(count for outcome, count in world.outcomes.items() if outcome.measured)
    answers = Counter(response.call for response in world.history if response.failure is None)

    assert (report.answered, report.failed) == (measured, world.outcomes[Outcome.API_ERROR])
    assert report.answered + report.failed == len(scripts) or report.stopped is not None
    assert set(answers.values()) <= {1}
    assert world.most_in_flight <= concurrency
    assert limit is None or budget.spent_usd <= limit + 1e-6
    assert all(len(r.attempts) <= world.asked[r.call.case_id] for r in world.stored.values())


# ------------------------------------------------------------------------------------------------------- a real socket


def test_answers_come_over_a_real_socket_with_as_many_connections_as_workers() -> None:
    connections: set[str] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(str(writer.get_extra_info("peername")))
        while line := await reader.readline():
            writer.write(b"500\n" if line.startswith(b"case-3 1 ") else b"200\n")
            await writer.drain()
        writer.close()

    async def main() -> tuple[EngineReport, World]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        pool: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        for _ in range(3):
            pool.put_nowait(await asyncio.open_connection("127.0.0.1", port))
        tries: Counter[str] = Counter()

        async def ask(request: Request) -> Answer:
            case_id = request.call.case_id
            tries[case_id] += 1
            reader, writer = connection = pool.get_nowait()
            writer.write(f"{case_id} {tries[case_id]} \n".encode())
            status = (await reader.readline()).strip()
            pool.put_nowait(connection)
            if status != b"200":
                raise AttemptFailed(BUSY)
            return Answer(Outcome.OK, "fine", "{}")

        world = World()
        settings = EngineSettings(concurrency=3, backoff_base=0.001)
        engine = Engine(Here(ask), world.record, lambda _m, _u: None, lambda _r: None, settings, Budget(None))
        report = await engine.run(requests_for(20))
        while not pool.empty():
            _, writer = pool.get_nowait()
            writer.close()
            await writer.wait_closed()
        server.close()
        await server.wait_closed()
        return report, world

    report, world = asyncio.run(main())
    assert (report.answered, report.retried, len(connections), len(world.stored)) == (20, 1, 3, 20)
