"""From a batch that is over to responses: its two files line by line, then what neither had."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial

from snapdrift.errors import StoreError
from snapdrift.execution.asker import Costs
from snapdrift.execution.batch_operations import Operations
from snapdrift.execution.batch_submitting import Clients
from snapdrift.execution.budget import Reservation
from snapdrift.execution.clock import Clock, timestamp
from snapdrift.execution.responses import response_from_answer, response_from_failure
from snapdrift.model import Answer, Attempt, CallKey, Endpoint, Failure, FailureKind, Outcome, Request, Response
from snapdrift.openai_api.batch_lines import BatchLine
from snapdrift.openai_api.batches import Content, RemoteBatch
from snapdrift.openai_api.errors import AttemptFailed
from snapdrift.store.batches import BatchJournal, Ending, Part, PartCall

_GROUP = 64
"""Lines whose responses are stored in one transaction; so many are read again after a kill."""
_NOT_FOUND = 404


@dataclass(slots=True)
class Tally:
    """What came of the calls of a part, and the lines that mean nothing: unreadable, double, of nobody.

    `stopping` is a failure among them that ends the run (no quota is left, say).
    """

    answered: int = 0
    failed: int = 0
    missing: int = 0
    unreadable: int = 0
    double: int = 0
    strange: int = 0
    stopping: Failure | None = None

    @property
    def odd(self) -> str:
        """What there is to say of the lines that were ignored, empty where there were none."""
        counts = {"cannot be read": self.unreadable, "came twice": self.double, "belong to no call": self.strange}
        return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


@dataclass(slots=True)
class _Open:
    """A part that is being collected: its calls that have not ended, by custom id."""

    part: Part
    calls: dict[str, PartCall]
    reservation: Reservation
    tally: Tally = field(default_factory=Tally)
    endings: list[Ending] = field(default_factory=list)


@dataclass(slots=True)
class _Odd:
    """Lines of one reading of a file: whose there were, and those that mean nothing."""

    seen: set[str] = field(default_factory=set)
    unreadable: int = 0
    double: int = 0
    strange: int = 0


@dataclass(frozen=True, slots=True)
class Collector:
    """Stores what came of calls. `stored` gives the request of a call, `earlier` its attempts before."""

    clients: Clients
    journal: BatchJournal
    operations: Operations
    costs: Costs
    stored: Callable[[CallKey], Request | None]
    earlier: Callable[[CallKey], tuple[Attempt, ...]]
    clock: Clock

    async def collect(self, part: Part, remote: RemoteBatch, reservation: Reservation) -> Tally:
        """Reads both files; afterwards every call of the part has ended. Raises `Stopped` when it is over before."""
        opened = await self._open(part, reservation)
        for file_id in (remote.output_file_id, remote.error_file_id):
            if file_id is not None and opened.calls:
                odd = await self.operations.make(partial(self._read, opened, file_id))
                opened.tally.unreadable += odd.unreadable
                opened.tally.double += odd.double
                opened.tally.strange += odd.strange
        for call in list(opened.calls.values()):
            await self._end(opened, call, _no_line(remote), Outcome.MISSING)
        await self._store(opened)
        return opened.tally

    async def fail(self, part: Part, failures: Callable[[int], Failure], reservation: Reservation) -> Tally:
        """Ends all calls of a part that was refused; `failures` gives that of a line of its file, from 1."""
        opened = await self._open(part, reservation)
        for number, call in enumerate(list(opened.calls.values()), start=1):
            await self._end(opened, call, failures(number))
        await self._store(opened)
        return opened.tally

    async def _open(self, part: Part, reservation: Reservation) -> _Open:
        calls = await self.journal.open_calls(part)
        return _Open(part, {call.custom_id: call for call in calls}, reservation)

    async def _read(self, opened: _Open, file_id: str) -> _Odd:
        """Reads a file from its start: a download that broke off is begun again, and what has ended is passed over."""
        odd = _Odd()
        try:
            async with (
                self.clients(opened.part.base_url).content(file_id) as content,
                aclosing(content.lines) as lines,
            ):
                async for data in lines:
                    if data is None or data.strip():
                        await self._take(opened, odd, _read_line(content, data, opened.part.endpoint))
        except AttemptFailed as error:
            if error.failure.status != _NOT_FOUND:
                raise
        finally:
            await self._store(opened)
        return odd

    async def _take(self, opened: _Open, odd: _Odd, line: BatchLine | None) -> None:
        if line is None:
            odd.unreadable += 1
        elif line.custom_id in odd.seen:
            odd.double += 1
        elif call := opened.calls.get(line.custom_id):
            odd.seen.add(line.custom_id)
            how = line.answer or line.failure
            if how is not None:
                await self._end(opened, call, how)
        elif await self.journal.has(opened.part, line.custom_id):
            odd.seen.add(line.custom_id)  # it ended before: in the other file, or in a process that was killed
        else:
            odd.strange += 1

    async def _end(
        self, opened: _Open, call: PartCall, how: Answer | Failure, outcome: Outcome = Outcome.API_ERROR
    ) -> None:
        """Makes a call's response and settles its share of the part's reservation."""
        request = self.stored(call.key)
        if request is None:
            raise StoreError(f"the run file is damaged: request 0 of {call.key} is missing")
        attempts, finished_at = self.earlier(call.key), timestamp(self.clock.now())
        failure = how if isinstance(how, Failure) else None
        attempts = (*attempts, Attempt(len(attempts) + 1, opened.part.submitted_at, 0.0, failure))
        charge: float | None
        response: Response
        if isinstance(how, Failure):
            if how.stops_run:
                opened.tally.stopping = how
            charge = None if how.may_have_run else 0.0
            response = replace(response_from_failure(request, how, attempts, finished_at), outcome=outcome)
        else:
            charge = self.costs.of(request, how)
            self.costs.note(request, call.worst_usd, charge)
            response = response_from_answer(request, how, attempts, charge, finished_at)
        self.costs.budget.settle_share(opened.reservation, call.worst_usd, charge)
        # How long a batch took says nothing of the model.
        opened.endings.append(Ending(call.custom_id, replace(response, batched=True, latency_ms=None), request))
        del opened.calls[call.custom_id]
        _count(opened.tally, response.outcome)
        if len(opened.endings) >= _GROUP:
            await self._store(opened)

    async def _store(self, opened: _Open) -> None:
        endings, opened.endings = opened.endings, []
        if endings:
            await self.journal.record(opened.part, endings)


def _read_line(content: Content, data: bytes | None, endpoint: Endpoint) -> BatchLine | None:
    """What a line says, None where it does not say whose it is."""
    try:
        return None if data is None else content.read(data, endpoint)
    except AttemptFailed:
        return None


def _count(tally: Tally, outcome: Outcome) -> None:
    if outcome is Outcome.MISSING:
        tally.missing += 1
    elif outcome is Outcome.API_ERROR:
        tally.failed += 1
    else:
        tally.answered += 1


def _no_line(remote: RemoteBatch) -> Failure:
    message = (
        f"Missing: the batch ended as {remote.status} without a line for this call. It may have been answered and "
        "billed; `--retry-missing` submits it again"
    )
    return Failure(FailureKind.SERVER, message, retryable=True, may_have_run=True)
