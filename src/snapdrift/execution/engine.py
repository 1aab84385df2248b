"""Asking many requests at once, each to its end, and ending early where going on is useless.

The engine owns every retry. Workers, a fixed number of them, pull requests one by one from a lazy iterable, so memory
does not grow with the plan and requests start in its order. See `docs/design/execution.md`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from snapdrift.execution.asker import Asker, Costs, Price, Reuse, Worst
from snapdrift.execution.authority import Authority, LocalAuthority
from snapdrift.execution.budget import Budget
from snapdrift.execution.calls import Caller, CutOff, Ending, Job, to_the_end
from snapdrift.execution.clock import Clock, SystemClock
from snapdrift.execution.holds import DEADLINE_CAME, Holds
from snapdrift.execution.pace import Held, Pace
from snapdrift.execution.records import EngineReport, EngineSettings, Progress, StopReason
from snapdrift.execution.steps import Stepping, with_steps
from snapdrift.execution.surprises import Surprises
from snapdrift.execution.turns import HELD_BACK, Turns
from snapdrift.model import Attempt, CallKey, Failure, FailureKind, Outcome, Request, Response, Step

__all__ = ["Engine", "EngineReport", "EngineSettings", "Progress", "StopReason"]

_TOLD_EVERY_S = 1.0
Record = Callable[[Response, Request], Awaitable[None]]
"""Stores a response; returns when it is durable."""


def _no_attempts(_: CallKey) -> tuple[Attempt, ...]:
    return ()


class Engine:
    """Asks requests within limits. `run` may be called again (for judges, say): the budget goes on, the rest is anew.

    `turns` make the attempts; `record` returns when a response is on the disk; `price` gives
    the dollars of an answer at a model's prices and `worst` the most that a request can cost (None: unknown).
    `stepping` carries calls on that take several requests; None: each takes one. `authority` lets attempts start
    where others share budget and limits; None: they are this engine's alone. `surprises` gets what cost more than its
    worst case. `stored` gives the recorded request of a step of a call, so that those of failed calls need not be kept
    until they are asked once more; None: they are. `reuse` gives answers that need no asking.
    """

    def __init__(
        self,
        turns: Turns,
        record: Record,
        price: Price,
        worst: Worst,
        settings: EngineSettings,
        budget: Budget,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        progress: Callable[[Progress], None] | None = None,
        stepping: Stepping | None = None,
        authority: Authority | None = None,
        surprises: Surprises | None = None,
        stored: Callable[[CallKey, int], Request | None] | None = None,
        reuse: Reuse | None = None,
    ) -> None:
        self._turns = turns
        self._reuse = reuse
        self._record = record
        self._costs = Costs(price, worst, budget, Surprises() if surprises is None else surprises)
        self._settings = settings
        self._clock = clock if clock is not None else SystemClock()
        self._rng = rng if rng is not None else random.Random()  # noqa: S311  it spreads retries, it guards nothing
        own = Pace(None, self._clock, self._rng)
        self._authority = LocalAuthority(budget, own) if authority is None else authority
        self._progress = progress
        self._stepping = stepping
        self._stored = stored

    async def run(
        self,
        requests: Iterable[Request],
        cancel: asyncio.Event | None = None,
        earlier: Callable[[CallKey], tuple[Attempt, ...]] = _no_attempts,
    ) -> EngineReport:
        """Makes the call of every request and records how each ended; returns early, saying why, when it has to stop.

        A worker asks `requests` for the next whenever it has recorded an answer, also after another found none left.

        `cancel`, once set, starts nothing more and gives what is in flight the `grace`. `earlier` are the attempts of a
        call in an earlier process, which go before those made now. Raises `CatalogError` for an unknown price under a
        budget, and whatever `record` raises; anything else that an attempt raises than `AttemptFailed` is a
        defect and comes out.
        """
        holds = Holds(self._clock, self._settings.deadline)
        asker = Asker(
            self._turns, self._costs, self._authority, self._settings, self._clock, self._rng, holds, self._reuse
        )
        run = _Run(
            self._settings,
            self._clock,
            holds,
            asker,
            self._record,
            self._progress,
            self._stepping,
            self._authority.held,
            self._stored,
        )

        def job_of(request: Request) -> Job:
            return Job(request, earlier(request.call))

        try:
            # No generator: one that has ended stays so, but a supply may have more to ask once an answer is there.
            await run.work_through(map(job_of, requests), cancel)
        except ExceptionGroup as group:
            raise _first_of(group) from None
        finally:
            await run.store_held_back()
        return EngineReport(
            stopped=holds.reason,
            detail=holds.detail + run.given_up_text(),
            answered=run.answered,
            failed=run.failed,
            retried=asker.retried,
            usd=run.usd,
            charged_usd=asker.charged_usd,
        )


@dataclass(frozen=True, slots=True)
class _Failed:
    """A call that is asked once more when all others are through; its request, where nobody else has it."""

    call: CallKey
    step: int
    attempts: tuple[Attempt, ...]
    steps: tuple[Step, ...]
    request: Request | None


class _Run:
    """The state of one `Engine.run`: what it counts, and what it keeps for the sweep."""

    def __init__(
        self,
        settings: EngineSettings,
        clock: Clock,
        holds: Holds,
        asker: Asker,
        record: Record,
        progress: Callable[[Progress], None] | None,
        stepping: Stepping | None,
        held: Callable[[], Held | None],
        stored: Callable[[CallKey, int], Request | None] | None,
    ) -> None:
        self._stored = stored
        self._settings = settings
        self._clock = clock
        self._holds = holds
        self._held = held
        self._asker = asker
        self._caller = Caller(asker, stepping)
        self._record = record
        self._progress = progress
        self._in_flight = 0
        self._failures_in_a_row = 0
        self._workers: list[asyncio.Task[None]] = []
        self._to_sweep: list[_Failed] = []
        self._held_back: dict[CallKey, Ending] = {}
        self._sweeping = self._heard = False
        self.answered = 0
        self.failed = 0
        self._given_up = self._tokens = self._reused = 0
        self._answers_usd = 0.0

    @property
    def usd(self) -> float:
        """What the answers cost as far as known, those to earlier requests of a call included."""
        return self._answers_usd + self._caller.usd

    async def work_through(self, supply: Iterator[Job], cancel: asyncio.Event | None) -> None:
        """Asks all that `supply` yields, then what failed once more, or until the run is stopped."""
        if cancel is not None and cancel.is_set():
            self._interrupt()
        async with asyncio.TaskGroup() as group:
            watchers = [group.create_task(self._watch(cancel))] if cancel is not None else []
            if self._progress is not None:
                watchers.append(group.create_task(self._tell_of_holds(self._progress)))
            if self._settings.give_up_at is not None:
                watchers.append(group.create_task(self._watch_the_time(self._settings.give_up_at)))
            await self._round(supply, group)
            while self._held_back and self._holds.may_start():
                held = [Job(one.request, one.response.attempts, one.steps) for one in self._held_back.values()]
                self._asker.is_last = True
                await self._round(iter(held), group)
                self._asker.is_last = False
                await self._round(supply, group)  # which may have more to ask now
            if self._settings.sweep and self._to_sweep and await self._holds.rest(self._settings.sweep_delay):
                swept, self._to_sweep = self._to_sweep, []
                self._sweeping = self._asker.is_last = True
                self._failures_in_a_row = 0
                await self._round(filter(None, map(self._again, swept)), group)
            for watcher in watchers:
                watcher.cancel()

    async def _round(self, supply: Iterator[Job], group: asyncio.TaskGroup) -> None:
        self._workers = [group.create_task(self._work(supply)) for _ in range(self._settings.concurrency)]
        await asyncio.wait(self._workers)

    async def _work(self, supply: Iterator[Job]) -> None:
        for job in supply:
            if not self._holds.may_start():
                return
            self._in_flight += 1
            try:
                ending = await self._caller.make(job)
                if ending is not None and ending.response.failure == HELD_BACK:
                    self._held_back[ending.request.call] = ending
                elif ending is not None:
                    await self._store(ending)
            except CutOff as cut:
                # A resumed run has to know what may have been billed; the request itself is asked again then.
                self._given_up += 1
                await self._store(cut.ending)
                raise
            finally:
                self._in_flight -= 1

    async def store_held_back(self) -> None:
        """Stores the attempts of calls that were held back, and not asked again before the run was stopped."""
        for ending in tuple(self._held_back.values()):
            await self._store(ending)

    async def _watch(self, cancel: asyncio.Event) -> None:
        await cancel.wait()
        self._interrupt()
        await self._clock.sleep(self._settings.grace)
        self._give_up_what_is_in_flight()

    async def _watch_the_time(self, give_up_at: float) -> None:
        await self._clock.sleep(max(0.0, give_up_at - self._clock.monotonic()))
        self._holds.stop(StopReason.DEADLINE, DEADLINE_CAME)
        self._give_up_what_is_in_flight()

    def _give_up_what_is_in_flight(self) -> None:
        for worker in self._workers:
            worker.cancel()

    async def _tell_of_holds(self, progress: Callable[[Progress], None]) -> None:
        """While requests are held back no call ends, and that would look as if nothing was going on."""
        while True:
            await self._clock.sleep(_TOLD_EVERY_S)
            held = self._held()
            if held is not None and held.seconds >= _TOLD_EVERY_S:
                progress(self._snapshot())

    def given_up_text(self) -> str:
        """How many requests the deadline cut off, in words; empty where none."""
        if self._holds.reason is not StopReason.DEADLINE or not self._given_up:
            return ""
        n = self._given_up
        return f" ({n:,} request{'' if n == 1 else 's'} in flight given up and counted at the worst case)"

    def _interrupt(self) -> None:
        self._holds.stop(StopReason.CANCELLED, "the run was interrupted")

    async def _store(self, ending: Ending) -> None:
        self._held_back.pop(ending.request.call, None)
        response = with_steps(ending.response, ending.steps)
        await to_the_end(self._record(response, ending.request), partial(self._count, ending, response))

    def _count(self, ending: Ending, response: Response) -> None:
        if response.outcome is Outcome.API_ERROR:
            self._count_failure(ending, response)
        else:
            self.answered += 1
            self._answers_usd += 0.0 if ending.counted else ending.response.usd or 0.0
            if ending.asked:  # an answer that is reused says nothing of the provider
                self._failures_in_a_row, self._heard = 0, True
                used = response.usage
                self._tokens += used.input_tokens + used.output_tokens if used is not None else 0
            else:
                self._reused += 1
            if self._sweeping:
                self.failed -= 1
        if self._progress is not None:
            self._progress(self._snapshot())

    def _count_failure(self, ending: Ending, response: Response) -> None:
        failure = response.failure
        if not self._sweeping:
            self.failed += 1
        if failure is None:
            return
        if failure.retryable and not self._sweeping and not ending.counted:
            kept = ending.request if self._stored is None else None
            call, step = ending.request.call, ending.request.step
            self._to_sweep.append(_Failed(call, step, response.attempts, ending.steps, kept))
        # A call that is not asked because its host wants to be left alone has no answer either.
        of_host = ending.asked or failure.kind is FailureKind.RATE_LIMIT
        if of_host and (failure.retryable or not self._heard):
            self._failures_in_a_row += 1
        if self._failures_in_a_row >= self._settings.failures_in_a_row:
            self._give_up(failure)

    def _again(self, failed: _Failed) -> Job | None:
        """A failed call as it is asked once more, None where its host wants to be left alone."""
        request = failed.request
        if request is None and self._stored is not None:
            request = self._stored(failed.call, failed.step)
        return None if request is None or self._asker.rests(request) else Job(request, failed.attempts, failed.steps)

    def _give_up(self, failure: Failure) -> None:
        self._holds.stop(
            StopReason.PROVIDER_DOWN,
            f"{self._failures_in_a_row} calls in a row got no answer; the last failure: {failure.message}",
        )

    def _snapshot(self) -> Progress:
        held = self._held()
        return Progress(
            answered=self.answered,
            failed=self.failed,
            retried=self._asker.retried,
            in_flight=self._in_flight,
            usd=self.usd,
            paused_for=0.0 if held is None else held.seconds,
            held_by="" if held is None else held.why,
            tokens=self._tokens,
            reused=self._reused,
        )


def _first_of(group: ExceptionGroup[Exception]) -> Exception:
    """The error that ended the task group; the others came of it."""
    error = group.exceptions[0]
    return _first_of(error) if isinstance(error, ExceptionGroup) else error
