"""The ways in which requests go, one by one and by batch, and the money that all that is asked in a run shares."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from snapdrift.execution.asker import Costs, Price
from snapdrift.execution.authority import LocalAuthority
from snapdrift.execution.batch import BatchRunner, Supply
from snapdrift.execution.batch_records import BatchReport
from snapdrift.execution.budget import Budget
from snapdrift.execution.daily import DayShare
from snapdrift.execution.engine import Engine, EngineReport, EngineSettings, Record, StopReason
from snapdrift.execution.surprises import Surprises
from snapdrift.execution.turns import Turns
from snapdrift.model import Answer, Attempt, CallKey, Request
from snapdrift.pipeline.allowance import always, never, worst_cost
from snapdrift.pipeline.batching import left_running
from snapdrift.pipeline.sharing import Window
from snapdrift.pipeline.spending import mark_in_flight
from snapdrift.pipeline.stepping import PlannedCalls
from snapdrift.pipeline.targets import Target
from snapdrift.pipeline.telling import Telling

if TYPE_CHECKING:
    from snapdrift.openai_api.catalog import Catalog
    from snapdrift.pipeline.asking import AskSettings
    from snapdrift.store import RunWriter, StoredRun


@dataclass(frozen=True, slots=True)
class Ended:
    """How one kind of calls ended, on both ways together; `left` says what is with the provider.

    `spent` says that there is no money or time left and nothing that it would be needed for.
    """

    stopped: StopReason | None = None
    detail: str = ""
    left: str = ""
    spent: bool = False


@dataclass(frozen=True, slots=True)
class Ways:
    """The two ways in which requests go, at the same time: one by one, and by batch (None: nothing does)."""

    engine: Engine
    runner: BatchRunner | None
    cancel: asyncio.Event
    stored: StoredRun
    engine_for: Callable[[Window], Engine]
    reuse_batched: Callable[[Iterable[Request]], Awaitable[None]] | None = None
    telling: Telling | None = None

    def until(self, window: Window, *, batches: bool) -> Ways:
        """The same ways within another window of time; without `batches` nothing more goes by batch."""
        return replace(self, engine=self.engine_for(window), runner=self.runner if batches else None)

    async def ask(self, one_by_one: Iterable[Request], by_batch: Supply) -> Ended:
        """Asks both to their end."""
        earlier = _earlier_attempts(self.stored)
        if self.runner is None:
            report = await self.engine.run(one_by_one, self.cancel, earlier=earlier)
            return Ended(report.stopped, report.detail)
        if self.reuse_batched is not None and not self.cancel.is_set():
            await self.reuse_batched(by_batch())
        try:
            async with asyncio.TaskGroup() as group:
                live = group.create_task(self.engine.run(one_by_one, self.cancel, earlier=earlier))
                batches = group.create_task(self.runner.run(by_batch, self.cancel))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return self._together(live.result(), batches.result())

    def _together(self, live: EngineReport, batches: BatchReport) -> Ended:
        reasons = [reason for reason in (live.stopped, batches.stopped) if reason is not None]
        # Whoever does not want to wait is told so first: nothing is concluded while batches are under way.
        reasons.sort(key=lambda reason: reason is not StopReason.LEFT)
        left = left_running(batches, self.stored.header.run_id)
        detail = "; ".join(dict.fromkeys(text for text in (live.detail, batches.detail, left) if text))
        return Ended(reasons[0] if reasons else None, detail, left)


def first_stop(answers: Ended, judges: Ended) -> Ended:
    """How both ended together: interrupted where either was, else for the reason that came first."""
    if answers.stopped is None or judges.stopped is StopReason.CANCELLED:
        return judges
    detail = "; ".join(dict.fromkeys(text for text in (answers.detail, judges.detail) if text))
    return replace(answers, detail=detail, left=judges.left or answers.left)


@dataclass(frozen=True, slots=True)
class Money:
    """What all that is asked in a run shares: a budget, an authority over it and the limits, a list of surprises."""

    catalog: Catalog
    budget: Budget
    surprises: Surprises
    authority: LocalAuthority

    @classmethod
    def of(
        cls, writer: RunWriter, catalog: Catalog, target: Target, settings: AskSettings, day: DayShare | None
    ) -> Money:
        """That of a run, whose file keeps what may be in flight."""
        budget = Budget(settings.budget_usd, settings.spent_usd, day, settings.command)
        authority = LocalAuthority(budget, target.pace, partial(mark_in_flight, writer))
        return cls(catalog, budget, Surprises(), authority)

    def batch_costs(self) -> Costs:
        """What a batch costs: of many calls together nobody can say that there is room for them anyway."""
        worst = worst_cost(self.catalog, batched=True, is_roomy=never if self.budget.is_limited else always)
        return Costs(_price_of(self.catalog), worst, self.budget, self.surprises)

    def engine(
        self,
        turns: Turns,
        record: Record,
        calls: PlannedCalls,
        stored: StoredRun,
        settings: AskSettings,
        window: Window,
    ) -> Engine:
        """An engine that asks within a window of time."""
        return Engine(
            turns,
            record,
            _price_of(self.catalog),
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


def _price_of(catalog: Catalog) -> Price:
    """A function that prices an answer at a model's prices."""

    def price(model: str, answer: Answer) -> float | None:
        if answer.usage is None:
            return None
        return catalog.usd(model, answer.usage, service_tier=answer.service_tier, batched=answer.batched)

    return price


def _earlier_attempts(stored: StoredRun) -> Callable[[CallKey], tuple[Attempt, ...]]:
    # Of an answer that nothing is stored of, and that is most of them, the file is not asked while the loop waits.
    failed = stored.failed_keys()

    def earlier(key: CallKey) -> tuple[Attempt, ...]:
        response = stored.response(key) if key.grader or key in failed else None
        return () if response is None else response.attempts

    return earlier
