"""What is done with one part: submitted, looked at, collected, and planned anew where the account's queue is full."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from snapdrift.execution.batch_collecting import Collector, Tally
from snapdrift.execution.batch_operations import Operations, Stopped
from snapdrift.execution.batch_planning import Planner, draw_word
from snapdrift.execution.batch_records import BatchSettings
from snapdrift.execution.batch_submitting import Clients, Submitter
from snapdrift.execution.batch_tracking import QUEUE_FULL, Queues, Tracked, Tracking
from snapdrift.execution.budget import Budget
from snapdrift.execution.clock import Clock
from snapdrift.execution.holds import Holds
from snapdrift.execution.records import StopReason
from snapdrift.model import Failure, FailureKind
from snapdrift.openai_api.batches import RemoteBatch
from snapdrift.openai_api.errors import AttemptFailed
from snapdrift.openai_api.statuses import QUOTA_CODES
from snapdrift.store.batches import BatchJournal, PartState

_LOOKS_GROW = 1.5
_SHORTEST_LOOK = 0.05


@dataclass(slots=True)
class Steps:
    """The steps of parts. `total` counts what came of their calls; `cut_short` says that money ran out for a part."""

    clients: Clients
    journal: BatchJournal
    tracking: Tracking
    planner: Planner
    submitter: Submitter
    collector: Collector
    operations: Operations
    queues: Queues
    budget: Budget
    settings: BatchSettings
    clock: Clock
    holds: Holds
    notice: Callable[[str], None]
    total: Tally = field(default_factory=Tally)
    cut_short: bool = False

    async def take(self, one: Tracked) -> bool:
        """Does what is due for a part; says whether it got on. Raises `Stopped` when nothing can."""
        now = self.clock.monotonic()
        if now < one.due:
            return False
        if one.created:
            return await self._look(one)
        if not self.queues.has_room(one, self.tracking.parts, now) or not await self._reserve(one):
            return False
        await self._submit(one)
        return True

    async def _reserve(self, one: Tracked) -> bool:
        """Room in the budget for a part; where none will come, for as much of it as fits. False: not now."""
        if one.reservation is None and not self.budget.fits(one.size.worst_usd):
            if self.budget.in_flight_usd > 0:
                return False
            await self._cut_to_budget(one)
        if one.reservation is None:
            one.reservation = await self.budget.reserve(one.size.worst_usd)
        return one.reservation is not None

    async def _cut_to_budget(self, one: Tracked) -> None:
        calls, first, worst = await self.journal.open_calls(one.part), 0, 0.0
        while first < len(calls) and self.budget.fits(worst + calls[first].worst_usd):
            worst += calls[first].worst_usd
            first += 1
        await self.journal.cut(one.part, first)
        if first == 0:
            await self.tracking.end(one)
            next_one = f"the next request by batch may cost up to ${calls[0].worst_usd:.4f}"
            self.holds.stop(StopReason.BUDGET, f"{self.budget.refusal} and {next_one}")
            raise Stopped
        # Under another name: a file that was uploaded under the old one has lines that must not be sent now.
        await self.tracking.put(one, replace(one.part, word=draw_word()))
        await self.tracking.refresh(uncertain=False)
        self.cut_short = True

    async def _submit(self, one: Tracked) -> None:
        try:
            submitted = await self.submitter.submit(one.part, uncertain=one.uncertain)
        except AttemptFailed as error:
            failure = error.failure
            await self.tracking.refresh(uncertain=False)  # it may have come as far as the upload
            await self._close(one, await self._fail(one, lambda _: failure))
            return
        except Stopped:
            await self.tracking.refresh(uncertain=False)
            raise
        one.part, one.remote, one.uncertain = submitted.part, submitted.remote, False
        self._plan_look(one, submitted.remote)

    async def _look(self, one: Tracked) -> bool:
        """Looks at a batch and collects it when it is over; says whether it was."""
        batch_id = one.part.batch_id or ""
        try:
            retrieve = partial(self.clients(one.part.base_url).retrieve, batch_id)
            one.remote = remote = await self.operations.make(retrieve)
            if remote.status != one.part.status:
                await self.tracking.put(one, replace(one.part, status=remote.status))
            if not remote.over:
                self._plan_look(one, remote)
            elif remote.status == "failed":
                await self._refused(one, remote)
            else:
                reservation = self.tracking.reservation(one)
                await self._close(one, await self.collector.collect(one.part, remote, reservation))
        except AttemptFailed as error:
            text = f"batch {batch_id} cannot be looked up or read: {error.failure.message}"
            self.holds.stop(StopReason.PROVIDER_DOWN, text)
            raise Stopped from error
        return remote.over

    def _plan_look(self, one: Tracked, remote: RemoteBatch) -> None:
        wished, longest = remote.poll_after_s, self.settings.longest_look
        wait = one.pause if wished is None else min(max(wished, _SHORTEST_LOOK), longest)
        one.due = self.clock.monotonic() + wait
        one.pause = min(one.pause * _LOOKS_GROW, longest)

    async def _refused(self, one: Tracked, remote: RemoteBatch) -> None:
        """A batch that failed as a whole: no room in the queue, no quota, or an input file that the host refuses."""
        codes = {mistake.code for mistake in remote.mistakes}
        if QUEUE_FULL in codes and one.part.refusals < self.settings.max_refusals:
            await self._queue_up(one, remote)
        elif codes & QUOTA_CODES:
            await self.journal.cut(one.part, 0)  # nothing was asked: a later process plans these calls anew
            await self.tracking.end(one)
            self.holds.stop(StopReason.QUOTA, _refusal(remote, 0).message)
            raise Stopped
        else:
            await self._close(one, await self._fail(one, partial(_refusal, remote)))

    async def _queue_up(self, one: Tracked, remote: RemoteBatch) -> None:
        """Plans a part again that the account's queue had no room for: smaller, or behind the others."""
        parts, size = self.tracking.parts, one.size
        self.queues.learn(one, parts, remote.mistakes)
        limit, alone = self.queues.limit(one.part), not self.queues.running(one, parts)
        await self.submitter.forget_file(one.part)
        self.tracking.release(one)
        refusals = one.part.refusals + (alone and size.calls == 1)
        again = replace(
            one.part,
            state=PartState.PLANNED,
            word=draw_word(),
            file_id=None,
            batch_id=None,
            status="",
            refusals=refusals,
        )
        await self.tracking.put(one, again)
        if limit is not None and size.tokens > limit and size.calls > 1:
            await self.planner.split(one.part, limit)
        elif alone:
            # By our count it fits: the count differs, or others use the queue. A smaller part may get in.
            self.queues.pause(one.part, self.clock.monotonic() + self.settings.queue_pause)
            if size.calls > 1:
                await self.planner.halve(one.part, size)
        one.remote, one.pause = None, self.settings.first_look
        await self.tracking.refresh(uncertain=False)

    async def _fail(self, one: Tracked, failures: Callable[[int], Failure]) -> Tally:
        return await self.collector.fail(one.part, failures, self.tracking.reservation(one))

    async def _close(self, one: Tracked, tally: Tally) -> None:
        """Every call of the part has ended: so has the part, and its input file is needed no more."""
        await self.tracking.end(one)
        await self.submitter.forget_file(one.part)
        self.total.answered += tally.answered
        self.total.failed += tally.failed
        self.total.missing += tally.missing
        if tally.odd:
            self.notice(f"batch {one.part.batch_id}: of its lines {tally.odd}; they are ignored")
        if tally.stopping is not None:
            self.operations.heed(tally.stopping)


def _refusal(remote: RemoteBatch, line: int) -> Failure:
    """Why a batch that failed did, for a line of its file: that line's own mistake goes before the others."""
    own = [mistake for mistake in remote.mistakes if mistake.line == line]
    found = next(iter([*own, *remote.mistakes]), None)
    code, said = (found.code, found.message) if found else ("", "no reason is given")
    place = f" in line {found.line}" if found and found.line and found.line != line else ""
    message = f"The batch {remote.id} failed{place} ({code or 'no code'}): {said}"
    kinds = {"model_not_found": FailureKind.MODEL_NOT_FOUND, QUEUE_FULL: FailureKind.RATE_LIMIT}
    kind = kinds.get(code, FailureKind.BAD_REQUEST)
    return Failure(kind, message, retryable=kind is FailureKind.RATE_LIMIT, code=code or None)
