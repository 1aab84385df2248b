"""The loop that sends: a plan's unanswered calls, then the judges' questions, under one budget and one deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from snapdrift.execution.asker import Ask, Costs
from snapdrift.execution.authority import LocalAuthority
from snapdrift.execution.batch import BatchRunner, Supply
from snapdrift.execution.batch_records import BatchReport, BatchSettings
from snapdrift.execution.budget import Budget
from snapdrift.execution.daily import DayShare
from snapdrift.execution.engine import Engine, EngineReport, EngineSettings, Progress, Record, StopReason
from snapdrift.execution.records import Phase
from snapdrift.execution.surprises import Surprises
from snapdrift.model import Answer, Attempt, CallKey, Request, Response
from snapdrift.pipeline.allowance import always, never, worst_cost
from snapdrift.pipeline.batching import left_running, open_batching
from snapdrift.pipeline.grading import judge_request, pending_questions
from snapdrift.pipeline.grading_beside import Beside, grading_beside
from snapdrift.pipeline.judgements import MOST_ASKED
from snapdrift.pipeline.options import DEFAULT_CONCURRENCY, BatchOptions
from snapdrift.pipeline.reusing import Reusing, take_batched
from snapdrift.pipeline.sharing import Schedule, Window
from snapdrift.pipeline.spending import SpendingNotes, mark_in_flight, spending_notes
from snapdrift.pipeline.stepping import PlannedCalls
from snapdrift.pipeline.targets import Target
from snapdrift.pipeline.telling import Telling, open_telling
from snapdrift.signals import StopRequest, stopping_on_signals

if TYPE_CHECKING:
    from snapdrift.openai_api.catalog import Catalog
    from snapdrift.pipeline.looking import Looking
    from snapdrift.store import RunWriter, StoredRun
    from snapdrift.suites.media import Media
    from snapdrift.suites.resolved import Suite

_ALLOWANCE = (StopReason.BUDGET, StopReason.DEADLINE)
_PROVIDER = (StopReason.QUOTA, StopReason.AUTHENTICATION, StopReason.PROVIDER_DOWN)


@dataclass(frozen=True, slots=True)
class AskSettings:
    """What the loop needs besides the run: limits, and whom to tell how far it is.

    `budget_usd` None is no ceiling; `spent_usd` what the run cost before; `times` are when answers and judges end, and
    `judge_share` is the part of the money (0 to 1) that answers leave to the judges;
    without `answers` only judges are asked. `batches` and `batch` are for variants that go by batch, and for judges
    with `judges_by_batch`; `extend` goes on topping up a run whose allowance was spent. `reusing` has answers of
    earlier runs, None: everything is asked. `stop` ends asking where signals do not reach, in another thread.
    """

    concurrency: int = DEFAULT_CONCURRENCY
    budget_usd: float | None = None
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
    the results should know about money.
    """

    stopped: StopReason | None
    detail: str
    charged_usd: float
    left: str = ""
    notes: SpendingNotes = field(default_factory=SpendingNotes)


def answer_price(catalog: Catalog) -> Callable[[str, Answer], float | None]:
    """A function that prices an answer at a model's prices, in dollars; None where they are not known."""

    def price(model: str, answer: Answer) -> float | None:
        if answer.usage is None:
            return None
        return catalog.usd(model, answer.usage, service_tier=answer.service_tier, batched=answer.batched)

    return price


async def ask_all(
    writer: RunWriter,
    stored: StoredRun,
    suite: Suite,
    catalog: Catalog,
    target: Target,
    settings: AskSettings,
    media: Media,
    day: DayShare | None = None,
) -> Asked:
    """Asks what is not answered yet, then the judges; returns how it ended. What came back is in the run file.

    Where money or time for answers has run out, the judges of those that came are asked within their own share. `day`
    is the run's share of what its suite may spend today.

    `media` reads the images and files of prompts; a `SuiteError` names one that changed since the suite was loaded.
    SIGINT, SIGTERM and SIGHUP stop it: what is in flight may finish, batches stay with the provider, nothing more is
    started.
    """
    from snapdrift.pipeline.looking import open_looking  # the looks take scipy, which other runs need later only

    calls = PlannedCalls(writer, stored, target, media)
    looking = open_looking(writer, stored, suite, target, calls, extend=settings.extend) if settings.answers else None
    money = _Money.of(writer, catalog, target, settings, day)
    before = money.budget.spent_usd
    if looking is None:  # judges of a run that is looked at are asked between the answers
        money.budget.keep_for_later(settings.judge_share)
    cancel = asyncio.Event()
    async with AsyncExitStack() as stack:
        stack.enter_context(stopping_on_signals(cancel))
        if settings.stop is not None:
            stack.enter_context(settings.stop.setting(cancel))
        ask = await stack.enter_async_context(target.asking(settings.concurrency))
        grading = grading_beside(writer, stored, suite, settings.notice) if looking is None else nullcontext()
        beside = stack.enter_context(grading) if settings.answers else None
        record = _recording(writer, beside) if looking is None else looking.record
        # A run that is looked at ends when a look decides, and its judges are asked between the answers.
        countable = settings.answers and looking is None
        telling = open_telling(stored, settings.budget_usd, settings.progress, countable=countable)
        settings = replace(settings, progress=telling)
        engine = partial(money.engine, ask, record, calls, stored, settings)
        runner: BatchRunner | None = None
        if settings.answers and (settings.judges_by_batch or any(one.batch for one in stored.header.variants)):
            batching = open_batching(writer, stored, target, money.batch_costs(), settings.batches, settings.batch)
            runner = await stack.enter_async_context(batching)
        reuse = None if settings.reusing is None else partial(take_batched, settings.reusing, record=writer.record)
        window = settings.times.answers if looking is None else settings.times.judges
        ways = _Ways(engine(window), runner, cancel, stored, reuse, telling)
        ended = await _ask_answers(ways, looking, calls) if settings.answers else _Ended()
        if beside is not None:
            # Who interrupts does not wait for what can be graded when the run goes on.
            await asyncio.to_thread(beside.close, drop=ended.stopped is StopReason.CANCELLED)
        if (ended.stopped is None and not ended.spent) or (ended.stopped in _ALLOWANCE and looking is None):
            money.budget.keep_for_later(0.0)
            # Batches that are left at the provider stay so, and no new ones would come back in time.
            ways = replace(ways, engine=engine(settings.times.judges), runner=runner if ended.stopped is None else None)
            by_batch = settings.judges_by_batch and ways.runner is not None
            ended = _first_stop(ended, await _ask_judges(ways, writer, stored, suite, target, by_batch=by_batch))
    cut_short = ended.stopped in _ALLOWANCE or ended.stopped in _PROVIDER
    unjudged = sum(1 for _ in pending_questions(stored, suite)) if cut_short else 0
    notes = spending_notes(money.budget, money.surprises, unjudged, by_provider=ended.stopped in _PROVIDER)
    # What is left with the provider may cost as much as it holds of the budget.
    charged = money.budget.spent_usd - before + money.budget.in_flight_usd
    return Asked(ended.stopped, ended.detail, charged, ended.left, notes)


@dataclass(frozen=True, slots=True)
class _Money:
    """What all that is asked in a run shares: a budget, an authority over it and the limits, a list of surprises."""

    catalog: Catalog
    budget: Budget
    surprises: Surprises
    authority: LocalAuthority

    @classmethod
    def of(
        cls, writer: RunWriter, catalog: Catalog, target: Target, settings: AskSettings, day: DayShare | None
    ) -> _Money:
        """That of a run, whose file keeps what may be in flight."""
        budget = Budget(settings.budget_usd, settings.spent_usd, day)
        authority = LocalAuthority(budget, target.pace, partial(mark_in_flight, writer))
        return cls(catalog, budget, Surprises(), authority)

    def batch_costs(self) -> Costs:
        """What a batch costs: of many calls together nobody can say that there is room for them anyway."""
        worst = worst_cost(self.catalog, batched=True, is_roomy=never if self.budget.is_limited else always)
        return Costs(answer_price(self.catalog), worst, self.budget, self.surprises)

    def engine(
        self, ask: Ask, record: Record, calls: PlannedCalls, stored: StoredRun, settings: AskSettings, window: Window
    ) -> Engine:
        """An engine that asks within a window of time."""
        return Engine(
            ask,
            record,
            answer_price(self.catalog),
            worst_cost(self.catalog, is_roomy=self.budget.is_roomy),
            EngineSettings(settings.concurrency, deadline=window.starts_until, give_up_at=window.waits_until),
            self.budget,
            progress=settings.progress,
            stepping=calls,
            authority=self.authority,
            surprises=self.surprises,
            stored=stored.request,
            reuse=None if settings.reusing is None else settings.reusing.find,
        )


async def _ask_answers(ways: _Ways, looking: Looking | None, calls: PlannedCalls) -> _Ended:
    by_batch = partial(calls.requests, batched=True)
    if looking is not None:
        return await _ask_and_look(ways, looking, by_batch)
    return await ways.ask(calls.requests(), by_batch)


def _recording(writer: RunWriter, beside: Beside | None) -> Record:
    """Stores how a call ended, and has it graded once it is stored."""
    if beside is None:
        return writer.record

    async def record(response: Response, request: Request) -> None:
        await writer.record(response, request)
        beside.take(response)

    return record


@dataclass(frozen=True, slots=True)
class _Ended:
    """How one kind of calls ended, on both ways together; `left` says what is with the provider.

    `spent` says that there is no money or time left and nothing that it would be needed for.
    """

    stopped: StopReason | None = None
    detail: str = ""
    left: str = ""
    spent: bool = False


@dataclass(frozen=True, slots=True)
class _Ways:
    """The two ways in which requests go, at the same time: one by one, and by batch (None: nothing does)."""

    engine: Engine
    runner: BatchRunner | None
    cancel: asyncio.Event
    stored: StoredRun
    reuse_batched: Callable[[Iterable[Request]], Awaitable[None]] | None = None
    telling: Telling | None = None

    async def ask(self, one_by_one: Iterable[Request], by_batch: Supply) -> _Ended:
        """Asks both to their end."""
        earlier = _earlier_attempts(self.stored)
        if self.runner is None:
            report = await self.engine.run(one_by_one, self.cancel, earlier=earlier)
            return _Ended(report.stopped, report.detail)
        if self.reuse_batched is not None and not self.cancel.is_set():
            await self.reuse_batched(by_batch())
        try:
            async with asyncio.TaskGroup() as group:
                live = group.create_task(self.engine.run(one_by_one, self.cancel, earlier=earlier))
                batches = group.create_task(self.runner.run(by_batch, self.cancel))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return self._together(live.result(), batches.result())

    def _together(self, live: EngineReport, batches: BatchReport) -> _Ended:
        reasons = [reason for reason in (live.stopped, batches.stopped) if reason is not None]
        # Whoever does not want to wait is told so first: nothing is concluded while batches are under way.
        reasons.sort(key=lambda reason: reason is not StopReason.LEFT)
        left = left_running(batches, self.stored.header.run_id)
        detail = "; ".join(dict.fromkeys(text for text in (live.detail, batches.detail, left) if text))
        return _Ended(reasons[0] if reasons else None, detail, left)


def _first_stop(answers: _Ended, judges: _Ended) -> _Ended:
    """How both ended together: interrupted where either was, else for the reason that came first."""
    if answers.stopped is None or judges.stopped is StopReason.CANCELLED:
        return judges
    detail = "; ".join(dict.fromkeys(text for text in (answers.detail, judges.detail) if text))
    return replace(answers, detail=detail, left=judges.left or answers.left)


async def _ask_and_look(ways: _Ways, looking: Looking, by_batch: Supply) -> _Ended:
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
            return _Ended(spent=True)
        if ended.stopped is None:
            await looking.end_of_rest()
    elif ended.stopped in _ALLOWANCE and looking.needs_nothing:
        ended = _Ended(spent=True)
    await looking.keep()
    return ended


async def _ask_judges(
    ways: _Ways, writer: RunWriter, stored: StoredRun, suite: Suite, target: Target, *, by_batch: bool
) -> _Ended:
    """Judges are asked once the answers are there: a question is made of an answer.

    What they reply and cannot be read is asked again, a bounded number of times; a resumed run asks once more. What a
    batch has answered is never submitted again, so that is asked one by one.
    """
    ended = _Ended()
    for time in range(MOST_ASKED):
        unread = time > 0
        pending = [call for call, _ in pending_questions(stored, suite, unread=unread)]
        if not pending or ended.stopped is not None:
            break
        writer.add_calls(pending)
        if ways.telling is not None:
            ways.telling.begin(Phase.JUDGES, len(pending))
        before = {call.key: stored.response(call.key) for call in pending}
        requests = partial(_judge_requests, stored, suite, target, before)
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


def _earlier_attempts(stored: StoredRun) -> Callable[[CallKey], tuple[Attempt, ...]]:
    # Of an answer that nothing is stored of, and that is most of them, the file is not asked while the loop waits.
    failed = stored.failed_keys()

    def earlier(key: CallKey) -> tuple[Attempt, ...]:
        response = stored.response(key) if key.grader or key in failed else None
        return () if response is None else response.attempts

    return earlier
