"""A fleet without Ray: real engines and one authority in one loop, workers that are lost, and a clock that jumps."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from tests.execution.test_execution_engine import (
    NO_MODEL,
    NO_QUOTA,
    LoopClock,
    Script,
    World,
    answered,
    request_for,
    virtually,
)

from snapdrift.errors import CatalogError
from snapdrift.execution import Budget, Engine, EngineReport, EngineSettings, StopReason
from snapdrift.execution.authority import Grant, LocalAuthority, Need, OutOfBudget, Settled
from snapdrift.execution.fleet import MOST_LOST, Concluded, Fleet, Posting, WorkerLostError
from snapdrift.execution.fleet_worker import FleetWorker, stores_nothing
from snapdrift.execution.shared_authority import RemoteAuthority, SharedAuthority
from snapdrift.model import Answer, CallKey, FailureKind, Outcome, Request

USD, WORST = 0.01, 0.02


@dataclass
class Link:
    """To the authority, a moment away: what is sent and not waited for arrives later, in its order."""

    shared: SharedAuthority
    sent: list[asyncio.Task[None]] = field(default_factory=list)

    async def admit(self, worker: str, ticket: int, posting: int, need: Need) -> Grant | OutOfBudget | None:
        await asyncio.sleep(0)
        # Who asks may be cancelled; what it asked goes on elsewhere.
        return await asyncio.shield(asyncio.ensure_future(self.shared.admit(worker, ticket, posting, need)))

    def withdraw(self, worker: str, ticket: int) -> None:
        self._later(lambda: self.shared.withdraw(worker, ticket))

    def settle(self, worker: str, ticket: int, settled: Settled) -> None:
        self._later(lambda: self.shared.settle(worker, ticket, settled))

    def _later(self, work: Callable[[], Any]) -> None:
        async def do() -> None:
            await asyncio.sleep(0)
            work()

        self.sent.append(asyncio.ensure_future(do()))


class LocalWorker:
    """A worker in this loop, which can be lost: then nothing of it is heard any more, whatever it had under way."""

    def __init__(self, name: str, ask: Callable[[Request], Any], link: Link, limit: float | None, worst: float | None):
        self.name = name
        self.asked: Counter[str] = Counter()
        self._ask = ask
        self._gone = asyncio.Event()
        remote = RemoteAuthority(link, name, limit)
        engine = Engine(
            self._asked,
            stores_nothing,
            lambda _model, _answer: USD,
            lambda _request: worst,
            EngineSettings(concurrency=4),
            Budget(limit),
            LoopClock(),
            random.Random(1),
            authority=remote,
        )
        self._worker = FleetWorker(engine, LoopClock())
        self._tasks: set[asyncio.Task[Any]] = set()

    async def _asked(self, request: Request) -> Answer:
        self.asked[request.call.case_id] += 1
        answer: Answer = await self._ask(request)
        return answer

    def lose(self) -> None:
        self._gone.set()
        for task in self._tasks:
            task.cancel()

    async def _reached(self, work: Any) -> Any:
        doing, gone = asyncio.ensure_future(work), asyncio.ensure_future(self._gone.wait())
        self._tasks.add(doing)
        await asyncio.wait({doing, gone}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        self._tasks.discard(doing)
        if self._gone.is_set():
            doing.cancel()
            raise WorkerLostError(self.name)
        return doing.result()

    async def begin(self, seconds_left: float | None) -> None:
        await self._reached(self._now(lambda: self._worker.begin(seconds_left)))

    async def conclude(self, posting: Posting) -> Concluded:
        concluded: Concluded = await self._reached(self._worker.conclude(posting))
        return concluded

    async def stop(self, reason: StopReason, detail: str) -> None:
        await self._reached(self._now(lambda: self._worker.stop(reason, detail)))

    async def give_up(self, number: int) -> None:
        await self._reached(self._now(lambda: self._worker.give_up(number)))

    def kill(self) -> None:
        self.lose()

    async def _now(self, work: Callable[[], None]) -> None:
        await asyncio.sleep(0)
        work()


@dataclass
class Outcomes:
    report: EngineReport
    world: World
    workers: dict[str, LocalWorker]
    spent: float
    in_flight: float


def with_fleet(
    requests: Iterable[Request],
    script: Script = answered,
    *,
    workers: int = 2,
    limit: float | None = None,
    worst: float | None = WORST,
    lose: dict[str, float] | None = None,
    lost_with: str = "",
    cancel_after: float | None = None,
    concurrency: int = 4,
    latency: float = 1.0,
    **settings: Any,
) -> Outcomes:
    """Runs requests by a fleet; `lose` says when which worker is lost, `lost_with` a case that ends whoever asks it."""

    async def main() -> Outcomes:
        world, budget = World(script, latency), Budget(limit)
        shared = SharedAuthority(LocalAuthority(budget), budget)
        link, made = Link(shared), dict[str, LocalWorker]()
        loop = asyncio.get_running_loop()

        def asking(name: str) -> Callable[[Request], Any]:
            async def ask(request: Request) -> Answer:
                if request.call.case_id == lost_with:
                    loop.call_later(0.5, made[name].lose)
                return await world.ask(request)

            return ask

        for number in range(workers):
            name = f"worker-{number}"
            made[name] = LocalWorker(name, asking(name), link, limit, worst)

        async def forfeit(name: str) -> frozenset[int]:
            await asyncio.gather(*link.sent)
            return shared.lose(name)

        engine = Engine(
            world.ask,
            world.record,
            lambda _model, _answer: USD,
            lambda _request: worst,
            EngineSettings(concurrency=concurrency, **settings),
            Budget(limit),
            LoopClock(),
            random.Random(0),
            fleet=Fleet(list(made.values()), forfeit),
        )
        cancel = asyncio.Event()
        if cancel_after is not None:
            loop.call_later(cancel_after, cancel.set)
        for name, after in (lose or {}).items():
            loop.call_later(after, made[name].lose)
        report = await engine.run(requests, cancel)
        await asyncio.gather(*link.sent)
        return Outcomes(report, world, made, shared.spent.usd, shared.spent.in_flight_usd)

    return virtually(main())


def requests(count: int, repeats: int = 1) -> list[Request]:
    made = [request_for(number) for number in range(count)]
    return [
        replace(request, call=CallKey(request.call.case_id, variant, repeat))
        for repeat in range(repeats)
        for request in made
        for variant in ("a", "b")
    ]


def test_a_fleet_answers_every_call_once_and_all_calls_of_a_case_by_one_worker():
    done = with_fleet(requests(20, repeats=2))

    assert (done.report.answered, done.report.failed, done.report.stopped) == (80, 0, None)
    first, second = (set(worker.asked) for worker in done.workers.values())
    assert (first & second, len(first | second)) == (set(), 20)
    assert min(len(first), len(second)) > 0
    assert done.spent == pytest.approx(80 * USD)
    assert done.report.charged_usd == pytest.approx(80 * USD)


def test_what_is_stored_is_what_one_engine_alone_stores():
    alone = World()
    alone.run(requests(10))

    assert with_fleet(requests(10)).world.stored == alone.stored


def test_what_a_lost_worker_had_is_asked_by_another_and_charged_at_its_worst():
    done = with_fleet(requests(20), lose={"worker-0": 2.5})

    assert (done.report.answered, done.report.failed, done.report.stopped) == (40, 0, None)
    again = [one for one in done.world.stored.values() if len(one.attempts) > 1]
    assert 0 < len(again) <= 4
    for response in again:
        lost, mended = response.attempts
        assert lost.failure is not None
        assert (lost.failure.kind, lost.failure.may_have_run, mended.failure) == (FailureKind.CONNECTION, True, None)
    assert done.spent == pytest.approx(40 * USD + len(again) * WORST)
    assert (done.in_flight, done.report.retried) == (0.0, len(again))


def test_what_a_lost_worker_was_not_yet_let_to_ask_has_no_attempt_of_it():
    # The budget lets one request be under way at a time: all others wait for leave.
    done = with_fleet(requests(6), limit=1.0 + WORST, worst=1.0, lose={"worker-0": 2.5})

    waited = [one for one in done.world.stored.values() if len(one.attempts) > 1]
    assert len(waited) <= 1
    assert done.in_flight == 0.0


def test_answers_that_were_received_from_a_lost_worker_are_kept():
    done = with_fleet(requests(20), lose={"worker-0": 2.5})
    asked = done.workers["worker-0"].asked + done.workers["worker-1"].asked

    twice = {response.call.case_id for response in done.world.stored.values() if len(response.attempts) > 1}
    assert {case_id for case_id, times in asked.items() if times > 2} == twice
    assert len(done.world.history) == 40


def test_a_request_that_ends_every_worker_that_asks_it_is_not_handed_to_the_last():
    done = with_fleet(requests(12), workers=4, lost_with="case-5", sweep=False)

    ended = {one.call.case_id: one.outcome for one in done.world.stored.values()}
    assert ended.pop("case-5") is Outcome.API_ERROR
    assert set(ended.values()) == {Outcome.OK}
    lost = done.world.stored[CallKey("case-5", "a", 0)]
    assert len(lost.attempts) <= MOST_LOST


def test_a_run_without_workers_left_stops_and_says_why():
    done = with_fleet(requests(20), lose={"worker-0": 2.5, "worker-1": 3.5})

    assert (done.report.stopped, done.report.detail) == (StopReason.WORKERS_LOST, "every worker was lost")
    assert 0 < done.report.answered < 40


def test_the_budget_is_one_for_all_workers_and_never_exceeded():
    done = with_fleet(requests(50), limit=0.25, concurrency=16)

    assert done.report.stopped is StopReason.BUDGET
    assert "the budget of $0.25 is used up" in done.report.detail
    assert done.spent <= 0.25
    assert done.report.answered == 24  # the 25th may cost 0.02, and 0.01 is left


@pytest.mark.parametrize(("failure", "reason"), [(NO_QUOTA, StopReason.QUOTA)])
def test_what_stops_one_worker_stops_all(failure, reason):
    def script(request: Request, _attempt: int) -> Any:
        return failure if request.call.case_id == "case-3" else None

    done = with_fleet(requests(50), script)

    assert done.report.stopped is reason
    assert sum(sum(worker.asked.values()) for worker in done.workers.values()) <= 16


def test_a_model_that_is_gone_is_asked_for_a_few_times_by_each_worker_and_no_more():
    done = with_fleet(requests(50), lambda _request, _attempt: NO_MODEL, give_up_after=1000)

    assert sum(sum(worker.asked.values()) for worker in done.workers.values()) <= 4 * 2
    assert done.report.failed == 100


def test_an_interrupted_run_gives_up_what_is_in_flight_and_tells_what_may_have_been_billed():
    done = with_fleet(requests(20), cancel_after=1.5, latency=60.0, grace=5.0)

    assert done.report.stopped is StopReason.CANCELLED
    cut = list(done.world.stored.values())
    assert len(cut) == 4
    assert all(one.failure and one.failure.may_have_run and len(one.attempts) == 1 for one in cut)
    assert done.spent == pytest.approx(4 * WORST)
    assert done.in_flight == 0.0


def test_an_interrupted_run_that_waits_for_leave_has_asked_nothing_more():
    done = with_fleet(requests(20), cancel_after=1.5, latency=60.0, limit=1.0, worst=1.0)

    assert [len(one.attempts) for one in done.world.stored.values()] == [1]


def test_after_the_deadline_no_worker_starts_anything():
    done = with_fleet(requests(50), deadline=3.5)

    assert done.report.stopped is StopReason.DEADLINE
    assert done.report.answered == 16


def test_a_price_that_is_not_known_under_a_budget_is_the_users_to_mend():
    with pytest.raises(CatalogError, match="costs at most is not known"):
        with_fleet(requests(3), limit=1.0, worst=None)


@pytest.mark.parametrize("moments", range(6))
def test_an_admission_that_is_withdrawn_whenever_holds_no_room_in_the_budget(moments):
    async def main() -> tuple[float, float]:
        budget = Budget(1.0)
        shared = SharedAuthority(LocalAuthority(budget), budget)
        link = Link(shared)
        waiting = asyncio.ensure_future(RemoteAuthority(link, "one", 1.0).admit(Need("url", "gpt-4o", 1.0)))
        for _ in range(moments):
            await asyncio.sleep(0)
        if not waiting.done():
            waiting.cancel()
            await asyncio.wait({waiting})
        else:
            link.withdraw("one", 1)
        await asyncio.gather(*link.sent)
        await asyncio.sleep(0)
        other = await asyncio.wait_for(RemoteAuthority(link, "two", 1.0).admit(Need("url", "gpt-4o", 1.0)), 60)
        assert isinstance(other, Grant)
        return shared.spent.usd, shared.spent.in_flight_usd

    assert virtually(main()) == (0.0, 1.0)


def test_a_second_run_of_the_same_fleet_goes_on_under_the_same_budget():
    async def main() -> tuple[EngineReport, EngineReport, float]:
        world, budget = World(), Budget(0.07)
        shared = SharedAuthority(LocalAuthority(budget), budget)
        link = Link(shared)
        worker = LocalWorker("one", world.ask, link, 0.07, WORST)

        async def forfeit(name: str) -> frozenset[int]:
            return shared.lose(name)

        engine = Engine(
            world.ask,
            world.record,
            lambda _model, _answer: USD,
            lambda _request: WORST,
            EngineSettings(concurrency=2),
            Budget(0.07),
            LoopClock(),
            fleet=Fleet([worker], forfeit),
        )
        first = await engine.run([request_for(number) for number in range(3)])
        second = await engine.run([request_for(number) for number in range(3, 20)])
        await asyncio.gather(*link.sent)
        return first, second, shared.spent.usd

    first, second, spent = virtually(main())
    assert (first.answered, first.stopped) == (3, None)
    assert (second.answered, second.stopped) == (3, StopReason.BUDGET)
    assert spent == pytest.approx(0.06)
