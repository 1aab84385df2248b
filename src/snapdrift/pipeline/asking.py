"""The loop that sends: a plan's unanswered calls, then the judges' questions, under one budget and one deadline."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from snapdrift.execution.asker import Costs
from snapdrift.execution.batch import BatchRunner, Supply
from snapdrift.execution.batch_records import BatchReport, BatchSettings
from snapdrift.execution.budget import Budget
from snapdrift.execution.engine import Engine, EngineReport, EngineSettings, Progress, StopReason
from snapdrift.model import Answer, Attempt, CallKey, Request, Response
from snapdrift.pipeline.allowance import worst_cost
from snapdrift.pipeline.batching import left_running, open_batching
from snapdrift.pipeline.grading import judge_request, pending_questions
from snapdrift.pipeline.judgements import MOST_ASKED
from snapdrift.pipeline.options import BatchOptions
from snapdrift.pipeline.stepping import PlannedCalls
from snapdrift.pipeline.targets import Target

if TYPE_CHECKING:
    from snapdrift.openai_api.catalog import Catalog
    from snapdrift.pipeline.looking import Looking
    from snapdrift.store import RunWriter, StoredRun
    from snapdrift.suites.media import Media
    from snapdrift.suites.resolved import Suite

DEFAULT_CONCURRENCY = 16
_ALLOWANCE = (StopReason.BUDGET, StopReason.DEADLINE)


@dataclass(frozen=True, slots=True)
class AskSettings:
    """What the loop needs besides the run: limits, and whom to tell how far it is.

    `budget_usd` None is no ceiling; `spent_usd` what the run cost before; `ends_at` a reading of the monotonic clock;
    without `answers` only judges are asked. `batches` and `batch` are for variants that go by batch, and for judges
    with `judges_by_batch`; `extend` goes on topping up a run whose allowance was spent.
    """

    concurrency: int = DEFAULT_CONCURRENCY
    budget_usd: float | None = None
    spent_usd: float = 0.0
    ends_at: float | None = None
    progress: Callable[[Progress], None] | None = None
    answers: bool = True
    batch: BatchOptions = field(default_factory=BatchOptions)
    batches: BatchSettings = field(default_factory=BatchSettings)
    judges_by_batch: bool = False
    extend: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """How asking ended, answers and judges together: why early (None: it did not), and what it took of the budget.

    `left` says what is with the provider and how it is collected, empty where nothing is.
    """

    stopped: StopReason | None
    detail: str
    charged_usd: float
    left: str = ""


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
) -> Asked:
    """Asks what is not answered yet, then the judges; returns how it ended. What came back is in the run file.

    `media` reads the images and files of prompts; a `SuiteError` names one that changed since the suite was loaded.
    SIGINT and SIGTERM stop it: what is in flight may finish, batches stay with the provider, nothing more is started.
    """
    from snapdrift.pipeline.looking import open_looking  # the looks take scipy, which other runs need later only

    calls = PlannedCalls(writer, stored, target, media)
    looking = open_looking(writer, stored, suite, target, calls, extend=settings.extend) if settings.answers else None
    budget = Budget(settings.budget_usd, settings.spent_usd)
    before = budget.spent_usd
    cancel = asyncio.Event()
    async with AsyncExitStack() as stack:
        stack.enter_context(_stopping_on_signals(cancel))
        ask = await stack.enter_async_context(target.asking(settings.concurrency))
        engine = Engine(
            ask,
            writer.record if looking is None else looking.record,
            answer_price(catalog),
            worst_cost(catalog),
            EngineSettings(concurrency=settings.concurrency, deadline=settings.ends_at),
            budget,
            progress=settings.progress,
            stepping=calls,
        )
        runner: BatchRunner | None = None
        if settings.answers and (settings.judges_by_batch or any(one.batch for one in stored.header.variants)):
            costs = Costs(answer_price(catalog), worst_cost(catalog, batched=True), budget)
            batching = open_batching(writer, stored, target, costs, settings.batches, settings.batch)
            runner = await stack.enter_async_context(batching)
        ways = _Ways(engine, runner, cancel, stored)
        by_batch = partial(calls.requests, batched=True)
        if looking is not None:
            ended = await _ask_and_look(ways, looking, by_batch)
        elif settings.answers:
            ended = await ways.ask(calls.requests(), by_batch)
        else:
            ended = _Ended()
        if ended.stopped is None and not ended.spent:
            ended = await _ask_judges(ways, writer, stored, suite, target, by_batch=settings.judges_by_batch)
    # What is left with the provider may cost as much as it holds of the budget.
    return Asked(ended.stopped, ended.detail, budget.spent_usd - before + budget.in_flight_usd, ended.left)


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

    async def ask(self, one_by_one: Iterable[Request], by_batch: Supply) -> _Ended:
        """Asks both to their end."""
        earlier = _earlier_attempts(self.stored)
        if self.runner is None:
            report = await self.engine.run(one_by_one, self.cancel, earlier=earlier)
            return _Ended(report.stopped, report.detail)
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
    def earlier(key: CallKey) -> tuple[Attempt, ...]:
        response = stored.response(key)
        return () if response is None else response.attempts

    return earlier


@contextmanager
def _stopping_on_signals(cancel: asyncio.Event) -> Iterator[None]:
    """The first Ctrl-C lets what is in flight finish; the second one is the usual KeyboardInterrupt."""
    loop = asyncio.get_running_loop()
    watched = (signal.SIGINT, signal.SIGTERM)

    def stop() -> None:
        cancel.set()
        for number in watched:
            loop.remove_signal_handler(number)

    installed = []
    for number in watched:
        try:
            loop.add_signal_handler(number, stop)
        except (NotImplementedError, RuntimeError, ValueError):  # not the main thread, or a platform without them
            break
        installed.append(number)
    try:
        yield
    finally:
        for number in installed:
            loop.remove_signal_handler(number)
