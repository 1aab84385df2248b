"""A fleet without Ray: one real engine, workers that make its attempts and may be lost, and a clock that jumps."""

from __future__ import annotations

import asyncio
import pickle
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
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
from snapdrift.execution.fleet import FailedAttempt, Fleet, WorkerLostError
from snapdrift.execution.ray import OpenedSite, WorkerActor, _connect, _reached
from snapdrift.execution.records import EngineReport, EngineSettings, StopReason
from snapdrift.execution.turns import OWN, Ask
from snapdrift.model import Answer, CallKey, Failure, FailureKind, Outcome, Request
from snapdrift.openai_api.errors import AttemptFailed

USD, WORST = 0.01, 0.02
HOST = "https://api.openai.com/v1"


class LocalWorker:
    """A worker in this loop, which can be lost: then nothing of it is heard any more, whatever it had under way."""

    def __init__(self, name: str, ask: Ask, lost_with: Callable[[Request], bool], account: int = OWN) -> None:
        self.name, self.accounts = name, {HOST: account}
        self.asked: Counter[str] = Counter()
        self.under_way: set[str] = set()
        self.most_beside: Counter[str] = Counter()
        self.given_up: list[int] = []
        self.killed = False
        self._lost_with = lost_with
        self._gone = asyncio.Event()
        self._actor = WorkerActor(None)  # type: ignore[arg-type]
        self._actor._opened = OpenedSite(ask, None)  # type: ignore[arg-type]

    async def ask(self, number: int, request: Request) -> Answer | FailedAttempt:
        if self._gone.is_set():
            raise WorkerLostError(self.name)
        self.asked[request.call.case_id] += 1
        if self._lost_with(request):
            asyncio.get_running_loop().call_later(0.5, self.lose)
        self.under_way.add(request.client_request_id)
        for one in self.under_way:
            self.most_beside[one] = max(self.most_beside[one], len(self.under_way) - 1)
        doing = asyncio.ensure_future(self._actor.ask(number, request))
        gone = asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait({doing, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            self.under_way.discard(request.client_request_id)
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
    lost_with: Callable[[Request], bool] = lambda _request: False,
    cancel_after: float | None = None,
    concurrency: int = 4,
    latency: float = 1.0,
    world: World | None = None,
    **settings: Any,
) -> Outcomes:
    """Runs requests by a fleet; `lose` says when which worker is lost, `lost_with` a case that ends whoever asks it."""

    async def main() -> Outcomes:
        provider, budget = world or World(script, latency), Budget(limit)
        made = [LocalWorker(f"worker-{number}", provider.ask, lost_with) for number in range(workers)]
        engine = Engine(
            Fleet(made),
            provider.record,
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
        return Outcomes(await engine.run(requests, cancel), provider, made, budget)

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


def of_case(number: int, variant: str = "") -> Callable[[Request], bool]:
    return lambda request: request.call.case_id == f"case-{number}" and request.call.variant.startswith(variant)


@pytest.mark.parametrize("after", [0.1, 0.4, 0.9, 1.1])
@pytest.mark.parametrize("concurrency", [4, 16, 80])
def test_workers_that_are_lost_close_together_leave_no_call_unanswered(after, concurrency):
    done = with_fleet(requests(40), workers=4, lose={0: 1.5, 1: 1.5 + after}, concurrency=concurrency)

    assert (done.report.answered, done.report.failed, done.report.stopped) == (80, 0, None)
    assert sum(worker.killed for worker in done.workers) == 2


@pytest.mark.parametrize("concurrency", [4, 32])
@pytest.mark.parametrize("workers", [4, 8])
def test_a_case_that_ends_workers_is_given_up_after_three_with_all_its_calls_and_no_others(workers, concurrency):
    done = with_fleet(requests(20, repeats=3), workers=workers, lost_with=of_case(5), concurrency=concurrency)

    ended = {key: one.outcome for key, one in done.world.stored.items()}
    assert {key.case_id for key, outcome in ended.items() if outcome is Outcome.API_ERROR} == {"case-5"}
    assert (done.report.answered, done.report.failed, done.report.stopped) == (114, 6, None)
    assert sum(worker.killed for worker in done.workers) == 3
    said = [one.failure.message for one in done.world.stored.values() if one.failure is not None]
    assert all("ended the workers that did nothing else meanwhile" in text for text in said)


def test_a_case_whose_neighbours_end_workers_is_asked_to_the_end():
    done = with_fleet(requests(20, repeats=3), workers=4, lost_with=of_case(5, "b"))

    failed = {key for key, one in done.world.stored.items() if one.outcome is Outcome.API_ERROR}
    assert {key.case_id for key in failed} == {"case-5"}
    assert done.report.answered >= 114
    assert sum(worker.killed for worker in done.workers) == 3


def test_two_cases_that_end_workers_do_not_have_others_given_up():
    done = with_fleet(
        requests(20, repeats=2), workers=8, lost_with=lambda one: of_case(5)(one) or of_case(9)(one), concurrency=16
    )

    failed = {key.case_id for key, one in done.world.stored.items() if one.outcome is Outcome.API_ERROR}
    assert failed == {"case-5", "case-9"}
    assert sum(worker.killed for worker in done.workers) <= 6


@pytest.mark.parametrize("concurrency", [4, 16])
def test_the_last_worker_asks_all_others_before_a_case_that_lost_one_while_it_was_alone(concurrency):
    done = with_fleet(requests(20, repeats=3), workers=3, lost_with=of_case(5), concurrency=concurrency)

    assert (done.report.answered, done.report.failed, done.report.stopped) == (114, 6, None)
    assert sum(worker.killed for worker in done.workers) == 3


@pytest.mark.parametrize("concurrency", [1, 4, 16])
def test_of_two_workers_the_last_asks_what_was_on_no_lost_one_before_it_is_lost(concurrency):
    world = World()
    with suppress(IncompleteError):  # where a case that was on the lost one had not had its turn
        with_fleet(requests(20, repeats=3), workers=2, lost_with=of_case(5), concurrency=concurrency, world=world)

    twice = {call.case_id for call, one in world.stored.items() if one.attempts and one.attempts[0].failure is not None}
    answered = {call for call, one in world.stored.items() if one.outcome is Outcome.OK}
    assert {call.case_id for call in answered} >= {f"case-{number}" for number in range(20)} - twice - {"case-5"}


def test_a_call_that_is_held_back_is_stored_once_and_with_the_attempt_that_it_had():
    done = with_fleet(requests(20), lose={0: 2.5}, cancel_after=4.5, latency=1.0)

    assert done.report.stopped is StopReason.CANCELLED
    held = [one for one in done.world.history if one.failure is not None and "is kept for other" in one.failure.message]
    assert 0 < len(held) <= 4
    assert all(len(one.attempts) == 1 and one.attempts[0].failure is not None for one in held)


def test_a_case_that_is_given_up_in_one_run_is_asked_in_another():
    async def main() -> Answer:
        world, first = World(), request_for(5)
        made = [LocalWorker(f"worker-{number}", world.ask, lambda one: one == first) for number in range(4)]
        fleet = Fleet(made)
        ask = partial(fleet.wait, first, last=True)
        while not isinstance(turn := fleet.at_once(first) or await ask(), Failure):
            assert turn.begin(turn.accounts[0])
            with suppress(AttemptFailed):
                await turn.ask()
            turn.over()
        assert not turn.retryable
        namesake = fleet.at_once(replace(first, client_request_id="other:case-5:a/0/0"))
        assert namesake is not None
        assert namesake.begin(OWN)
        return await namesake.ask()

    assert virtually(main()).outcome is Outcome.OK


def test_a_suspect_case_is_alone_on_its_worker():
    done = with_fleet(requests(30), workers=3, lose={0: 1.5}, concurrency=12)

    assert done.report.answered == 60
    again = {f"run:{key.case_id}:{key.variant}/0/0" for key, one in done.world.stored.items() if len(one.attempts) > 1}
    assert again
    for worker in done.workers[1:]:
        assert all(worker.most_beside[one] == 0 for one in again)
        assert max(worker.most_beside.values()) > 0


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
