"""The loop that sends: a plan's unanswered calls, then the judges' questions, under one budget and one deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    nullcontext,
)
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from snapdrift.execution.batch import BatchRunner, Supply
from snapdrift.execution.batch_records import BatchSettings
from snapdrift.execution.budget import CommandLimit, LimitKind
from snapdrift.execution.daily import DayShare
from snapdrift.execution.engine import Progress, Record, StopReason
from snapdrift.execution.records import Phase
from snapdrift.execution.turns import Turns
from snapdrift.model import CallKey, Request, Response
from snapdrift.pipeline.batching import open_batching
from snapdrift.pipeline.grading import judge_request, pending_questions
from snapdrift.pipeline.grading_beside import Beside, grading_beside
from snapdrift.pipeline.judgements import MOST_ASKED
from snapdrift.pipeline.options import DEFAULT_CONCURRENCY, BatchOptions
from snapdrift.pipeline.reusing import Reusing, take_batched
from snapdrift.pipeline.sharing import Schedule
from snapdrift.pipeline.spending import SpendingNotes, spending_notes
from snapdrift.pipeline.stepping import PlannedCalls
from snapdrift.pipeline.targets import Target
from snapdrift.pipeline.telling import open_telling
from snapdrift.pipeline.ways import Ended, Money, Ways, first_stop
from snapdrift.signals import StopRequest, stopping_on_signals

if TYPE_CHECKING:
    from snapdrift.openai_api.catalog import Catalog
    from snapdrift.pipeline.looking import Looking
    from snapdrift.store import RunWriter, StoredRun
    from snapdrift.suites.resolved import Suite

_ALLOWANCE = (StopReason.BUDGET, StopReason.DEADLINE)
_PROVIDER = (StopReason.QUOTA, StopReason.AUTHENTICATION, StopReason.PROVIDER_DOWN)


@dataclass(frozen=True, slots=True)
class AskSettings:
    """What the loop needs besides the run: limits, and whom to tell how far it is.

    `budget_usd` None is no ceiling, `command` says that it is what the command has left; `spent_usd` what the run cost
    before; `times` are when answers and judges end, and
    `judge_share` is the part of the money (0 to 1) that answers leave to the judges;
    without `answers` only judges are asked. `batches` and `batch` are for variants that go by batch, and for judges
    with `judges_by_batch`; `extend` goes on topping up a run whose allowance was spent. `reusing` has answers of
    earlier runs, None: everything is asked. `stop` ends asking where signals do not reach, in another thread.
    """

    concurrency: int = DEFAULT_CONCURRENCY
    budget_usd: float | None = None
    command: CommandLimit | None = None
    spent_usd: float = 0.0
    times: Schedule = field(default_factory=Schedule)
    judge_share: float = 0.0
    progress: Callable[[Progress], None] | None = None
    answers: bool = True
    batch: BatchOptions = field(default_factory=BatchOptions)
    batches: BatchSettings = field(default_factory=BatchSettings)
    judges_by_batch: bool = False
    extend: bool = False
    notice: Callable[[str], None] = lambda _: None
    reusing: Reusing | None = None
    stop: StopRequest | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """How asking ended, answers and judges together: why early (None: it did not), and what it took of the budget.

    `left` says what is with the provider and how it is collected, empty where nothing is. `notes` say what a reader of
    the results should know about money. `limit` is the one that ended it, where money did.
    """

    stopped: StopReason | None
    detail: str
    charged_usd: float
    left: str = ""
    notes: SpendingNotes = field(default_factory=SpendingNotes)
    limit: LimitKind | None = None


async def ask_all(
    writer: RunWriter,
    stored: StoredRun,
    suite: Suite,
    catalog: Catalog,
    target: Target,
    settings: AskSettings,
    calls: PlannedCalls,
    requests: Iterator[Request],
    day: DayShare | None = None,
) -> Asked:
    """Asks what is not answered yet, then the judges; returns how it ended. What came back is in the run file.

    Where money or time for answers has run out, the judges of those that came are asked within their own share. `day`
    is the run's share of what its suite may spend today.

    `requests` are the first of the open `calls`, settled before there is a loop that it would hold up; they raise
    `SuiteError` for an image or file that changed since the suite was loaded.
    SIGINT, SIGTERM and SIGHUP stop it: what is in flight may finish, batches stay with the provider, nothing more is
    started.
    """
    from snapdrift.pipeline.looking import open_looking  # the looks take scipy, which other runs need later only

    looking = open_looking(writer, stored, suite, target, calls, extend=settings.extend) if settings.answers else None
    money = Money.of(writer, catalog, target, settings, day)
    before = money.budget.spent_usd
    if looking is None:  # judges of a run that is looked at are asked between the answers
        money.budget.keep_for_later(settings.judge_share)
    cancel = asyncio.Event()
    loop = _Loop(writer, stored, suite, target, settings, calls, requests, looking, money, cancel)
    with ExitStack() as stack:
        stack.enter_context(stopping_on_signals(cancel))
        if settings.stop is not None:
            stack.enter_context(settings.stop.setting(cancel))
        ended = await _ask_answers_and_judges(loop)
    cut_short = ended.stopped in _ALLOWANCE or ended.stopped in _PROVIDER
    unjudged = sum(1 for _ in pending_questions(stored, suite)) if cut_short else 0
    notes = spending_notes(money.budget, money.surprises, unjudged, by_provider=ended.stopped in _PROVIDER)
    # What is left with the provider may cost as much as it holds of the budget.
    charged = money.budget.spent_usd - before + money.budget.in_flight_usd
    limit = money.budget.refusal.kind if ended.stopped is StopReason.BUDGET else None
    return Asked(ended.stopped, ended.detail, charged, ended.left, notes, limit)


@dataclass(frozen=True, slots=True)
class _Loop:
    """What one asking of a run works with. `looking` is None where nobody looks at the run while it grows."""

    writer: RunWriter
    stored: StoredRun
    suite: Suite
    target: Target
    settings: AskSettings
    calls: PlannedCalls
    requests: Iterator[Request]
    looking: Looking | None
    money: Money
    cancel: asyncio.Event

    def grading(self) -> AbstractContextManager[Beside | None]:
        """What grades answers while others are asked; those of a run that is looked at are graded for the looks."""
        if not self.settings.answers or self.looking is not None:
            return nullcontext()
        return grading_beside(self.writer, self.stored, self.suite, self.settings.notice)

    def batches(self) -> AbstractAsyncContextManager[BatchRunner | None]:
        """What sends calls by batch, None where none go so."""
        settings, stored = self.settings, self.stored
        if not settings.answers or not (settings.judges_by_batch or any(one.batch for one in stored.header.variants)):
            return nullcontext()
        costs = self.money.batch_costs()
        return open_batching(self.writer, stored, self.target, costs, settings.batches, settings.batch)

    def ways(self, turns: Turns, beside: Beside | None, runner: BatchRunner | None) -> Ways:
        """How answers are asked. A run that is looked at has as long as its judges, who are asked in between."""
        settings, looking = self.settings, self.looking
        # A run that is looked at ends when a look decides: nobody knows after how many answers.
        countable = settings.answers and looking is None
        telling = open_telling(self.stored, settings.budget_usd, settings.progress, countable=countable)
        record = _recording(self.writer, beside) if looking is None else looking.record
        engine_for = partial(
            self.money.engine, turns, record, self.calls, self.stored, replace(settings, progress=telling)
        )
        reuse = None if settings.reusing is None else partial(take_batched, settings.reusing, record=self.writer.record)
        window = settings.times.answers if looking is None else settings.times.judges
        return Ways(engine_for(window), runner, self.cancel, self.stored, engine_for, reuse, telling)


async def _ask_answers_and_judges(loop: _Loop) -> Ended:
    settings, looking = loop.settings, loop.looking
    async with AsyncExitStack() as stack:
        turns = await stack.enter_async_context(loop.target.turns(settings.concurrency))
        beside = stack.enter_context(loop.grading())
        runner = await stack.enter_async_context(loop.batches())
        ways = loop.ways(turns, beside, runner)
        ended = await _ask_answers(ways, looking, loop.calls, loop.requests) if settings.answers else Ended()
        if ways.telling is not None:
            ways.telling.grade()
        if beside is not None:
            # Who interrupts does not wait for what can be graded when the run goes on.
            await asyncio.to_thread(beside.close, drop=ended.stopped is StopReason.CANCELLED)
        if (ended.stopped is None and not ended.spent) or (ended.stopped in _ALLOWANCE and looking is None):
            loop.money.budget.keep_for_later(0.0)
            # Batches that are left at the provider stay so, and no new ones would come back in time.
            ways = ways.until(settings.times.judges, batches=ended.stopped is None)
            ended = first_stop(ended, await _ask_judges(loop, ways))
            if ways.telling is not None:
                ways.telling.grade()
    return ended


async def _ask_answers(ways: Ways, looking: Looking | None, calls: PlannedCalls, requests: Iterator[Request]) -> Ended:
    by_batch = partial(calls.requests, batched=True)
    if looking is not None:
        return await _ask_and_look(ways, looking, by_batch)
    return await ways.ask(requests, by_batch)


def _recording(writer: RunWriter, beside: Beside | None) -> Record:
    """Stores how a call ended, and has it graded once it is stored."""
    if beside is None:
        return writer.record

    async def record(response: Response, request: Request) -> None:
        await writer.record(response, request)
        beside.take(response)

    return record


async def _ask_and_look(ways: Ways, looking: Looking, by_batch: Supply) -> Ended:
    """Asks a run that is looked at while it grows: what was planned, then what a top-up draws, until a look decides."""
    await looking.keep()
    ended = await ways.ask(looking.sample(), by_batch)
    while ended.stopped is None and looking.has_questions:  # of answers that came in the sweep
        ended = await ways.ask(looking, tuple)
    if ended.stopped is None:
        await looking.end_of_sample()
        if looking.over:
            return ended
        ended = await ways.ask(looking.extension(), tuple)
        if ended.stopped in _ALLOWANCE:
            await looking.end_of_allowance(ended.detail)
            return Ended(spent=True)
        if ended.stopped is None:
            await looking.end_of_rest()
    elif ended.stopped in _ALLOWANCE and looking.needs_nothing:
        ended = Ended(spent=True)
    await looking.keep()
    return ended


async def _ask_judges(loop: _Loop, ways: Ways) -> Ended:
    """Judges are asked once the answers are there: a question is made of an answer.

    What they reply and cannot be read is asked again, a bounded number of times; a resumed run asks once more. What a
    batch has answered is never submitted again, so that is asked one by one.
    """
    stored, suite = loop.stored, loop.suite
    by_batch = loop.settings.judges_by_batch and ways.runner is not None
    ended = Ended()
    for time in range(MOST_ASKED):
        unread = time > 0
        pending = [call for call, _ in pending_questions(stored, suite, unread=unread)]
        if not pending or ended.stopped is not None:
            break
        loop.writer.add_calls(pending)
        if ways.telling is not None:
            ways.telling.begin(Phase.JUDGES, len(pending))
        before = {call.key: stored.response(call.key) for call in pending}
        requests = partial(_judge_requests, stored, suite, loop.target, before)
        batched = by_batch and not unread
        ended = await ways.ask(() if batched else requests(), requests if batched else tuple)
    return ended


def _judge_requests(
    stored: StoredRun, suite: Suite, target: Target, before: Mapping[CallKey, Response | None]
) -> Iterator[Request]:
    """The requests of the calls in `before`, but of those that have been answered since: `before` has the old ones."""
    for call, question in pending_questions(stored, suite):
        if call.key in before:
            now = stored.response(call.key)
            if now is None or not now.outcome.measured or now == before[call.key]:
                yield judge_request(stored, call, question, target)
