"""The loop that sends: a plan's unanswered calls, then the judges' questions, under one budget and one deadline."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from snapdrift.execution.budget import Budget
from snapdrift.execution.engine import Engine, EngineReport, EngineSettings, Progress, StopReason
from snapdrift.model import Attempt, CallKey, Request, Variant
from snapdrift.openai_api.requests import build_request
from snapdrift.openai_api.tokens import upper_bound_tokens
from snapdrift.pipeline.allowance import OUTPUT_CAPS
from snapdrift.pipeline.grading import judge_request, pending_questions, run_label
from snapdrift.pipeline.targets import Target
from snapdrift.suites.prompts import render

if TYPE_CHECKING:
    from snapdrift.openai_api.catalog import Catalog
    from snapdrift.store import RunWriter, StoredRun
    from snapdrift.suites.resolved import Suite

DEFAULT_CONCURRENCY = 16


@dataclass(frozen=True, slots=True)
class AskSettings:
    """What the loop needs besides the run: limits, and whom to tell how far it is.

    `budget_usd` None is no ceiling; `spent_usd` what the run cost before; `ends_at` a reading of the monotonic clock;
    without `answers` only judges are asked.
    """

    concurrency: int = DEFAULT_CONCURRENCY
    budget_usd: float | None = None
    spent_usd: float = 0.0
    ends_at: float | None = None
    progress: Callable[[Progress], None] | None = None
    answers: bool = True


@dataclass(frozen=True, slots=True)
class Asked:
    """How asking ended, answers and judges together: why early (None: it did not), and what it took of the budget."""

    stopped: StopReason | None
    detail: str
    charged_usd: float


def worst_cost(catalog: Catalog) -> Callable[[Request], float | None]:
    """A function that bounds what a request can cost in dollars; None where the price is not known."""

    def worst(request: Request) -> float | None:
        cap = next((int(request.body[name]) for name in OUTPUT_CAPS if name in request.body), None)
        return catalog.worst_usd(str(request.body.get("model", "")), upper_bound_tokens(request.body), cap)

    return worst


def answer_requests(stored: StoredRun, variants: Mapping[str, Variant], target: Target) -> Iterator[Request]:
    """The planned calls without a measured answer, in planned order, each rendered when its turn comes."""
    cases = {case.id: case for case in stored.cases()}
    answered, label = stored.answered_keys(), run_label(stored)
    for key in stored.calls():
        if key.grader or key in answered:
            continue
        variant = variants[key.variant]
        conversation = render(variant.prompt, cases[key.case_id])
        yield build_request(key, variant, conversation, label, target.host(variant).base_url)


async def ask_all(
    writer: RunWriter, stored: StoredRun, suite: Suite, catalog: Catalog, target: Target, settings: AskSettings
) -> Asked:
    """Asks what is not answered yet, then the judges; returns how it ended. What came back is in the run file.

    SIGINT and SIGTERM stop it: what is in flight may finish, nothing more is started.
    """
    variants = {variant.name: variant for variant in stored.header.variants}
    budget = Budget(settings.budget_usd, settings.spent_usd)
    before = budget.spent_usd
    cancel = asyncio.Event()
    with _stopping_on_signals(cancel):
        async with target.asking(settings.concurrency) as ask:
            engine = Engine(
                ask,
                writer.record,
                catalog.usd,
                worst_cost(catalog),
                EngineSettings(concurrency=settings.concurrency, deadline=settings.ends_at),
                budget,
                progress=settings.progress,
            )
            left = answer_requests(stored, variants, target) if settings.answers else ()
            report = await engine.run(left, cancel, earlier=_earlier_attempts(stored))
            if report.stopped is None:
                report = await _ask_judges(engine, writer, stored, suite, target, cancel) or report
    return Asked(report.stopped, report.detail, budget.spent_usd - before)


async def _ask_judges(
    engine: Engine, writer: RunWriter, stored: StoredRun, suite: Suite, target: Target, cancel: asyncio.Event
) -> EngineReport | None:
    """Judges are asked once the answers are there: a question is made of an answer."""
    pending = list(pending_questions(stored, suite))
    if not pending:
        return None
    writer.add_calls(call for call, _ in pending)
    requests = (judge_request(stored, call, question, target) for call, question in pending)
    return await engine.run(requests, cancel, earlier=_earlier_attempts(stored))


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
