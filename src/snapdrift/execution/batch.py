"""The loop over batches: submit what there is room for, look at what is under way, collect what is over, wait.

What is durable when, and what a resumed process does with it, is in `docs/design/batch.md`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from snapdrift.execution.asker import Costs
from snapdrift.execution.batch_collecting import Collector
from snapdrift.execution.batch_operations import Operations, Stopped
from snapdrift.execution.batch_planning import Planner
from snapdrift.execution.batch_records import BatchProgress, BatchReport, BatchSettings
from snapdrift.execution.batch_steps import Steps
from snapdrift.execution.batch_submitting import Clients, Submitter
from snapdrift.execution.batch_tracking import Queues, Tracking
from snapdrift.execution.clock import Clock, SystemClock
from snapdrift.execution.holds import Holds
from snapdrift.execution.records import StopReason
from snapdrift.model import Attempt, CallKey, Failure, Outcome, Request, Response
from snapdrift.store.batches import BatchJournal, PartState

Supply = Callable[[], Iterable[Request]]
"""Gives the calls without a measured answer, anew each time it is asked."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What the runner reads of the run file: a call's request, and how it ended so far."""

    request: Callable[[CallKey], Request | None]
    response: Callable[[CallKey], Response | None]

    def attempts(self, key: CallKey) -> tuple[Attempt, ...]:
        """The attempts of a call before."""
        response = self.response(key)
        return () if response is None else response.attempts


@dataclass(frozen=True, slots=True)
class BatchRunner:
    """Sends calls by the Batch API and collects what came of them. `run_id` names the run at the provider.

    `progress` is told where the parts are, `notice` what a person should know of the lines that came back.
    """

    run_id: str
    clients: Clients
    journal: BatchJournal
    stored: Stored
    costs: Costs
    settings: BatchSettings
    clock: Clock = field(default_factory=SystemClock)
    progress: Callable[[BatchProgress], None] | None = None
    notice: Callable[[str], None] = lambda _: None

    async def run(self, requests: Supply, cancel: asyncio.Event | None = None) -> BatchReport:
        """Goes on with what is under way, submits what never was, and records how each call ended.

        `cancel`, once set, leaves batches to the provider. Raises `CatalogError` for an unknown price under a budget,
        and `StoreError`.
        """
        bounds = [self.clock.monotonic() + self.settings.longest_wait]
        if self.settings.deadline is not None:
            bounds.append(self.settings.deadline)
        holds = Holds(self.clock, min(bounds))
        loop = _Loop(self, holds)
        watcher = None if cancel is None else asyncio.ensure_future(_watch(cancel, holds))
        try:
            await loop.go(requests)
        except Stopped:
            pass
        finally:
            if watcher is not None:
                watcher.cancel()
        return await loop.report()


async def _watch(cancel: asyncio.Event, holds: Holds) -> None:
    await cancel.wait()
    holds.stop(StopReason.CANCELLED, "the run was interrupted")


class _Loop:
    """The state of one `BatchRunner.run`."""

    def __init__(self, runner: BatchRunner, holds: Holds) -> None:
        self._runner, self._holds, self._settings = runner, holds, runner.settings
        journal, settings, clock, costs = runner.journal, runner.settings, runner.clock, runner.costs
        stored, clients = runner.stored, runner.clients
        rng = random.Random()  # noqa: S311  it spreads retries, it guards nothing
        operations = Operations(holds, settings.retry, rng)
        self._planner = Planner(journal, costs, settings, clock)
        self._tracking = Tracking(journal, costs.budget, clock, settings)
        self._queues = Queues(settings)
        self._steps = Steps(
            clients=clients,
            journal=journal,
            tracking=self._tracking,
            planner=self._planner,
            submitter=Submitter(clients, journal, operations, stored.request, clock, runner.run_id, settings.settle),
            collector=Collector(clients, journal, operations, costs, stored.request, stored.attempts, clock),
            operations=operations,
            queues=self._queues,
            budget=costs.budget,
            settings=settings,
            clock=clock,
            holds=holds,
            notice=runner.notice,
        )
        self._resubmitted: set[CallKey] = set()

    async def go(self, requests: Supply) -> None:
        """Works until nothing is left; raises `Stopped` when nothing more can be done."""
        await self._tracking.take_up()
        await self._round(requests)
        if self._settings.retry_missing and not self._tracking.parts:
            await self._round(requests)

    async def report(self) -> BatchReport:
        """How it ended."""
        await self._tracking.refresh(uncertain=False)
        self._tracking.leave()
        parts, total = self._tracking.parts, self._steps.total
        sent = [one.size.calls for one in parts if one.part.state is not PartState.PLANNED]
        unsent = [one.size.calls for one in parts if one.part.state is PartState.PLANNED]
        return BatchReport(
            stopped=self._holds.reason or (StopReason.LEFT if parts else None),
            detail=self._holds.detail,
            answered=total.answered,
            failed=total.failed,
            missing=total.missing,
            under_way=sum(sent),
            batches=len(sent),
            unsent=sum(unsent),
        )

    async def _round(self, requests: Supply) -> None:
        """Submits what is to be submitted now; what a tight budget cut off again, once what it paid for is known."""
        while True:
            self._steps.cut_short = False
            journal = self._runner.journal
            submitted, open_keys = await journal.submitted_keys(), await journal.open_keys()
            await self._planner.plan(
                request
                for request in requests()
                if request.call not in open_keys and self._is_to_be_sent(request, submitted)
            )
            await self._tracking.refresh(uncertain=False)
            await self._work_through()
            if self._tracking.parts or not self._steps.cut_short:
                return

    def _is_to_be_sent(self, request: Request, submitted: frozenset[CallKey]) -> bool:
        """Whether a call goes into a new part. One that was in a part is asked again only on demand, and once."""
        key = request.call
        sent = self._runner.stored.request(key) if key in submitted else None
        # A judge's question may be another than it was; a stand-in at another port is no other host.
        if sent is None or replace(sent, base_url=request.base_url).hash != request.hash:
            return True
        ended = self._runner.stored.response(key)
        again = ended is None or ended.outcome is Outcome.MISSING or _may_be_mended(ended.failure)
        if not (again and self._settings.retry_missing) or key in self._resubmitted:
            return False
        self._resubmitted.add(key)
        return True

    async def _work_through(self) -> None:
        """Steps every part until none is open; without `wait` until nothing moves any more."""
        while self._tracking.parts and self._holds.may_start():
            moved = False
            for one in self._tracking.parts:
                if self._holds.may_start():
                    moved = await self._steps.take(one) or moved
            self._tell()
            if moved:
                continue
            if not self._settings.wait:
                return
            await self._holds.rest(self._until_due())

    def _until_due(self) -> float:
        """Seconds until something is to be done; what waits for room or money is looked after now and then."""
        now = self._runner.clock.monotonic()
        moments = [max(one.due, self._queues.resume_at(one.part)) for one in self._tracking.parts]
        return min([moment - now for moment in moments if moment > now], default=self._settings.first_look)

    def _tell(self) -> None:
        if self._runner.progress is not None:
            total = self._steps.total
            parts = tuple(one.progress for one in self._tracking.parts)
            self._runner.progress(BatchProgress(parts, total.answered, total.failed))


def _may_be_mended(failure: Failure | None) -> bool:
    """Whether another try may help: it may now, or once somebody has seen to the account."""
    return failure is not None and (failure.retryable or failure.stops_run)
