"""A fleet without Ray: one real engine, workers that make its attempts and may be lost, and a clock that jumps."""

from __future__ import annotations

import asyncio
import pickle
import random
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from types import ModuleType, SimpleNamespace
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

from snapdrift.errors import IncompleteError
from snapdrift.execution.budget import Budget
from snapdrift.execution.engine import Engine
from snapdrift.execution.fleet import MOST_LOST, FailedAttempt, Fleet, WorkerLostError
from snapdrift.execution.ray import OpenedSite, WorkerActor, _connect, _reached
from snapdrift.execution.records import EngineReport, EngineSettings, StopReason
from snapdrift.model import Answer, CallKey, FailureKind, Outcome, Request
from snapdrift.openai_api.errors import AttemptFailed

USD, WORST = 0.01, 0.02


class LocalWorker:
    """A worker in this loop, which can be lost: then nothing of it is heard any more, whatever it had under way."""

    def __init__(self, name: str, world: World, lost_with: str) -> None:
        self.name = name
        self.asked: Counter[str] = Counter()
        self.given_up: list[int] = []
        self.killed = False
        self._lost_with = lost_with
        self._gone = asyncio.Event()
        self._actor = WorkerActor(None)  # type: ignore[arg-type]
        self._actor._opened = OpenedSite(world.ask, None)  # type: ignore[arg-type]

    async def ask(self, number: int, request: Request) -> Answer | FailedAttempt:
        if self._gone.is_set():
            raise WorkerLostError(self.name)
        self.asked[request.call.case_id] += 1
        if request.call.case_id == self._lost_with:
            asyncio.get_running_loop().call_later(0.5, self.lose)
        doing = asyncio.ensure_future(self._actor.ask(number, request))
        gone = asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait({doing, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
        if self._gone.is_set():
            doing.cancel()
            raise WorkerLostError(self.name)
        made: Answer | FailedAttempt = pickle.loads(pickle.dumps(doing.result()))  # noqa: S301  as between processes
        return made

    def lose(self) -> None:
        self._gone.set()

    def give_up(self, number: int) -> None:
        self.given_up.append(number)

    def kill(self) -> None:
        self.killed = True
        self.lose()


@dataclass
class Outcomes:
    report: EngineReport
    world: World
    workers: list[LocalWorker]
    budget: Budget

    @property
    def asked(self) -> Counter[str]:
        return sum((worker.asked for worker in self.workers), Counter())


def with_fleet(
    requests: Iterable[Request],
    script: Script = answered,
    *,
    workers: int = 2,
    limit: float | None = None,
    lose: dict[int, float] | None = None,
    lost_with: str = "",
    cancel_after: float | None = None,
    concurrency: int = 4,
    latency: float = 1.0,
    **settings: Any,
) -> Outcomes:
    """Runs requests by a fleet; `lose` says when which worker is lost, `lost_with` a case that ends whoever asks it."""

    async def main() -> Outcomes:
        world, budget = World(script, latency), Budget(limit)
        made = [LocalWorker(f"worker-{number}", world, lost_with) for number in range(workers)]
        engine = Engine(
            Fleet(made).ask,
            world.record,
            lambda _model, _answer: USD,
            lambda _request: WORST,
            EngineSettings(concurrency=concurrency, **settings),
            budget,
            LoopClock(),
            random.Random(0),
        )
        cancel, loop = asyncio.Event(), asyncio.get_running_loop()
        if cancel_after is not None:
            loop.call_later(cancel_after, cancel.set)
        for number, after in (lose or {}).items():
            loop.call_later(after, made[number].lose)
        return Outcomes(await engine.run(requests, cancel), world, made, budget)

    return virtually(main())


def requests(count: int, repeats: int = 1) -> list[Request]:
    made = [request_for(number) for number in range(count)]
    return [
        replace(
            request,
            call=CallKey(request.call.case_id, variant, repeat),
            client_request_id=f"run:{request.call.case_id}:{variant}/{repeat}/0",
        )
        for repeat in range(repeats)
        for request in made
        for variant in ("a", "b")
    ]


def test_a_fleet_answers_every_call_once_and_all_calls_of_a_case_by_one_worker():
    done = with_fleet(requests(20, repeats=2))

    assert (done.report.answered, done.report.failed, done.report.stopped) == (80, 0, None)
    first, second = (set(worker.asked) for worker in done.workers)
    assert (first & second, len(first | second)) == (set(), 20)
    assert min(len(first), len(second)) > 0
    assert done.budget.spent_usd == pytest.approx(80 * USD)


def test_what_is_stored_is_what_one_engine_alone_stores():
    alone = World()
    alone.run(requests(10))

    assert with_fleet(requests(10)).world.stored == alone.stored


def test_what_a_lost_worker_had_is_asked_by_another_and_charged_at_its_worst():
    done = with_fleet(requests(20), lose={0: 2.5})

    assert (done.report.answered, done.report.failed, done.report.stopped) == (40, 0, None)
    again = [one for one in done.world.stored.values() if len(one.attempts) > 1]
    assert 0 < len(again) <= 4
    for response in again:
        lost, mended = response.attempts
        assert lost.failure is not None
        assert (lost.failure.kind, lost.failure.may_have_run, mended.failure) == (FailureKind.CONNECTION, True, None)
    assert done.budget.spent_usd == pytest.approx(40 * USD + len(again) * WORST)
    assert (done.budget.in_flight_usd, done.report.retried) == (0.0, len(again))
    assert (done.workers[0].killed, done.workers[1].killed) == (True, False)


def test_answers_that_were_received_from_a_lost_worker_are_kept():
    done = with_fleet(requests(20), lose={0: 2.5})

    twice = {response.call.case_id for response in done.world.stored.values() if len(response.attempts) > 1}
    assert {case_id for case_id, times in done.asked.items() if times > 2} == twice
    assert len(done.world.history) == 40


def test_a_request_that_ends_every_worker_that_asks_it_is_not_handed_to_the_last():
    done = with_fleet(requests(12)[::2], workers=4, lost_with="case-5", sweep=False)

    ended = {one.call.case_id: one.outcome for one in done.world.stored.values()}
    assert ended.pop("case-5") is Outcome.API_ERROR
    assert set(ended.values()) == {Outcome.OK}
    assert len(done.world.stored[CallKey("case-5", "a", 0)].attempts) == MOST_LOST
    assert sum(worker.killed for worker in done.workers) == MOST_LOST


def test_a_run_without_workers_left_ends_and_says_how_to_go_on():
    with pytest.raises(IncompleteError, match=r"every worker was lost; .* `snapdrift resume`"):
        with_fleet(requests(20), lose={0: 2.5, 1: 3.5})


def test_the_budget_is_one_for_all_workers_and_never_exceeded():
    done = with_fleet(requests(50), limit=0.25, concurrency=16)

    assert done.report.stopped is StopReason.BUDGET
    assert done.budget.spent_usd <= 0.25
    assert done.report.answered == 24  # the 25th may cost 0.02, and 0.01 is left


def test_what_stops_the_attempts_of_one_worker_stops_all():
    def script(request: Request, _attempt: int) -> Any:
        return NO_QUOTA if request.call.case_id == "case-3" else None

    done = with_fleet(requests(50), script)

    assert done.report.stopped is StopReason.QUOTA
    assert done.asked.total() <= 12


def test_a_model_that_is_gone_for_one_worker_is_asked_of_none():
    done = with_fleet(requests(50), lambda _request, _attempt: NO_MODEL, give_up_after=1000)

    assert done.asked.total() <= 4
    assert done.report.failed == 100


def test_an_interrupted_run_has_its_workers_give_up_what_is_in_flight():
    done = with_fleet(requests(20), cancel_after=1.5, latency=60.0, grace=5.0)

    assert done.report.stopped is StopReason.CANCELLED
    cut = list(done.world.stored.values())
    assert len(cut) == sum(len(worker.given_up) for worker in done.workers) == 4
    assert all(one.failure and one.failure.may_have_run and len(one.attempts) == 1 for one in cut)


def test_a_worker_ends_an_attempt_that_is_given_up():
    async def main() -> tuple[FailedAttempt | Answer, int]:
        world = World(latency=60.0)
        actor = WorkerActor(None)  # type: ignore[arg-type]
        actor._opened = OpenedSite(world.ask, None)  # type: ignore[arg-type]
        asking = asyncio.ensure_future(actor.ask(7, request_for(1)))
        await asyncio.sleep(1)
        await actor.give_up(7)
        return await asking, world.in_flight

    made, in_flight = virtually(main())
    assert isinstance(made, FailedAttempt)
    assert in_flight == 0


def test_a_failed_attempt_says_between_processes_what_it_said():
    error = AttemptFailed(NO_QUOTA, 12.5)
    sent = pickle.loads(pickle.dumps(FailedAttempt.of(error)))  # noqa: S301  our own

    assert vars(sent.error()) == vars(error)


@pytest.mark.parametrize("name", ["RayActorError", "ObjectLostError", "OwnerDiedError", "NodeDiedError"])
def test_a_worker_whose_machine_or_answer_is_gone_is_a_lost_worker(name, monkeypatch):
    said = ("RayActorError", "ObjectLostError", "OwnerDiedError", "NodeDiedError")
    exceptions = ModuleType("ray.exceptions")
    vars(exceptions).update({one: type(one, (Exception,), {}) for one in said})
    monkeypatch.setitem(sys.modules, "ray.exceptions", exceptions)

    async def answer() -> None:
        raise getattr(exceptions, name)("gone\nand where")

    with pytest.raises(WorkerLostError, match=r"^gone$"):
        asyncio.run(_reached(answer()))


@pytest.mark.parametrize(("address", "joined"), [(None, "local"), ("auto", "auto")])
def test_without_an_address_no_cluster_is_joined_that_happens_to_be_there(address, joined):
    told: list[str | None] = []
    _connect(SimpleNamespace(init=lambda address=None, **_: told.append(address)), address)
    assert told == [joined]
