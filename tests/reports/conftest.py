"""Runs to report on: made up, deterministic, labelled simulated; and a real Chromium to open pages with."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.reports.browsing import SCREEN, Open, Opened, open_in

from snapdrift.conclusions import Evaluation
from snapdrift.model import CallKey as Key
from snapdrift.model import (
    CallResult,
    Case,
    Endpoint,
    FormatCause,
    Gate,
    MetricGate,
    MetricSpec,
    Outcome,
    Pair,
    Reading,
    Response,
    Results,
    Score,
    ScoreKind,
    Severity,
    Source,
    Usage,
    Variant,
)
from snapdrift.model import Reason as Why
from snapdrift.reports import Provenance, RunData, build_view, write_reports
from snapdrift.reports.asked import PromptView
from snapdrift.reports.records import HeldRecords
from snapdrift.verdicts import RunFacts, evaluate

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

_QUEUES = ("billing", "delivery", "account", "returns")
_TICKETS = (
    "I was charged twice for order {n} and want my money back.",
    "Where is parcel {n}? The tracking page has said 'in transit' since Monday.",
    "I cannot sign in to account {n}; the code never arrives.",
    "The kettle from order {n} leaks. How do I send it back?",
)
_MODELS = {"august": "gpt-4o-2024-08-06", "november": "gpt-4o-2024-11-20", "alias": "gpt-4o"}
_METRICS = (
    MetricSpec("valid", "valid", ScoreKind.PASS_FAIL),
    MetricSpec("queue", "queue", ScoreKind.PASS_FAIL),
    MetricSpec("tone", "tone", ScoreKind.GRADED, scale=(1.0, 5.0), judged=True),
)


@dataclass
class RunFactory:
    """Makes `RunData` of tickets answered by three variants, the second of which wraps some answers in a fence."""

    cases: int = 30
    repeats: int = 1
    answer_length: int = 0
    source: Source = Source.SIMULATED
    ids: Sequence[str] = ()
    texts: Sequence[str] = ()
    """Answers of the candidate `november`, in place of those that would be made up, for the first cases."""

    def build(self, **gate: Any) -> RunData:
        """The run; `gate` overrides fields of its gate."""
        draw = random.Random(7)
        cases = tuple(self._case(number) for number in range(self.cases))
        variants = tuple(Variant(name, model, Endpoint.RESPONSES, {}, {}) for name, model in _MODELS.items())
        responses, scores = [], []
        for number, case in enumerate(cases):
            for variant in variants:
                for repeat in range(self.repeats):
                    fenced, wrong, failed = self._fate(number, variant.name, repeat)
                    response = self._response(draw, case, variant, repeat, fenced, wrong, failed)
                    if variant.name == "november" and number < len(self.texts):
                        response = _with_text(response, self.texts[number])
                    responses.append(response)
                    scores += _scores(case, response, fenced=fenced, wrong=wrong)
        policy = Gate(
            "default",
            (Pair("august", "november"), Pair("august", "alias")),
            (
                MetricGate("valid", 0.03, at_least=0.9),
                MetricGate("queue", 0.03),
                MetricGate("tone", 0.05, severity=Severity.WARN),
            ),
            **gate,
        )  # fmt: skip
        evaluation = _evaluate(cases, variants, self.repeats, responses, scores, policy)
        return RunData(
            run=Provenance(
                run_id="20261122-140300-8f3a",
                suite="ticket-triage",
                gate="default",
                started_at="2026-11-22T14:03:00+00:00",
                finished_at="2026-11-22T14:05:31+00:00",
                description="Route support tickets to a queue, with an urgency.",
                suite_path="evals/ticket-triage.yaml",
                seed=7,
                suite_hash="1f3c" * 16,
                dataset_hash="9ab0" * 16,
                versions={"snapdrift": "0.1.0", "openai": "3.10.0", "python": "3.11.2"},
                git_commit="4e1c" * 10,
            ),
            records=HeldRecords(cases, tuple(responses), tuple(scores), prompt=_prompt, variants=variants),
            variants=variants,
            metrics=_METRICS,
            evaluation=evaluation,
            repeats=self.repeats,
            warnings=("gpt-4o-2024-08-06 retires on 14 January 2027.",),
        )

    def _case(self, number: int) -> Case:
        queue = _QUEUES[number % 4]
        case_id = self.ids[number] if number < len(self.ids) else f"{queue}-{number + 1:03d}"
        tags = ("golden",) if number % 10 == 0 else ("reply",) if number % 3 == 0 else ()
        ticket = _TICKETS[number % 4].format(n=5500 + number)
        return Case(case_id, {"ticket": ticket}, {"queue": queue, "urgency": number % 3}, tags)

    def _fate(self, number: int, variant: str, repeat: int) -> tuple[bool, bool, bool]:
        if variant == "november":
            return (
                number % 5 == 1,
                number % 11 == 3 or (self.repeats > 1 and number % 7 == 4 and repeat == 1),
                number == 8,
            )
        return False, number % 9 == 7 or (variant == "august" and number % 14 == 5), False

    def _response(
        self, draw: random.Random, case: Case, variant: Variant, repeat: int, fenced: bool, wrong: bool, failed: bool
    ) -> Response:
        key = Key(case.id, variant.name, repeat)
        returned = "gpt-4o-2024-08-06" if variant.name == "alias" else variant.model
        if failed:
            return Response(key, Outcome.API_ERROR, variant.model, source=self.source)
        answer = {
            **case.expected,
            "queue": "account" if wrong else case.expected["queue"],
            "reply": "Sorry about that.",
        }
        if self.answer_length:
            answer["reply"] = " ".join(draw.choice(_FILLER) for _ in range(self.answer_length // 11))
        if variant.name == "november":
            answer["reply"] = answer["reply"].replace("Sorry", "We are sorry")
        text = json.dumps(answer, indent=2)
        return Response(
            key,
            Outcome.OK,
            variant.model,
            text=f"```json\n{text}\n```" if fenced else text,
            returned_model=returned,
            request_id=f"req_{draw.getrandbits(64):016x}",
            usage=Usage(180 + draw.randrange(20), 128, 38 + draw.randrange(12)),
            usd=0.0006 + draw.random() / 10_000,
            latency_ms=700 + draw.random() * 500,
            finish_reason="stop",
            source=self.source,
            finished_at="2026-11-22T14:04:10+00:00",
        )


# fmt: off
_FILLER = (
    "we have", "looked", "into your order", "and", "found", "the second charge", "it will be", "refunded within",
    "three days", "please", "reply to", "this message", "if anything", "is unclear", "thank you", "for your patience",
)
# fmt: on


def _with_text(response: Response, text: str) -> Response:
    return replace(response, outcome=Outcome.OK, text=text, returned_model="gpt-4o-2024-11-20")


def _scores(case: Case, response: Response, *, fenced: bool, wrong: bool) -> list[Score]:
    if not response.outcome.measured:
        return []
    key = response.call
    at = (key.case_id, key.variant, key.repeat)
    valid = Why.UNEXTRACTED if fenced else Why.PASSED
    queue = Why.UNEXTRACTED if fenced else Why.WRONG if wrong else Why.PASSED
    level = (0.75, 0.8, 0.7)[(len(response.text) + len(case.id)) % 3]
    found = None if fenced else json.loads(response.text)["queue"] if response.text.startswith("{\n") else None
    told = {
        Why.UNEXTRACTED: "not JSON as asked: one code fence around the answer",
        Why.WRONG: f"expected {case.expected['queue']}, found {found}",
    }
    return [
        Score(*at, "valid", float(valid is Why.PASSED), valid is Why.PASSED, valid, told.get(valid, "")),
        Score(*at, "queue", float(queue is Why.PASSED), queue is Why.PASSED, queue, told.get(queue, ""), found, 0),
        Score(
            *at, "tone", level, True, Why.PASSED, "polite, but it does not say when", evidence=("Sorry about that.",)
        ),
    ]


def _evaluate(
    cases: tuple[Case, ...],
    variants: tuple[Variant, ...],
    repeats: int,
    responses: Sequence[Response],
    scores: Sequence[Score],
    gate: Gate,
) -> Evaluation:
    calls = {r.call: CallResult(r.outcome, r.returned_model, r.latency_ms, r.usage, r.usd, r.source) for r in responses}
    everywhere = frozenset(case.id for case in cases)
    applicable = {metric.name: everywhere for metric in _METRICS}
    results = Results(cases, variants, repeats, _METRICS, calls, tuple(scores), applicable)
    return evaluate(results, gate, RunFacts(seed=7), _fences_looked_past)


def _prompt(case_id: str, _: str) -> PromptView:
    return PromptView(f"[instructions]\nAnswer only with the JSON asked for.\n\n[user]\n{case_id}")


def _fences_looked_past(score: Score) -> Reading | None:
    """What the pipeline's tolerant reading makes of these answers: right inside the fence."""
    return Reading(1.0, passed=True, cause=FormatCause.CODE_FENCE) if score.reason is Why.UNEXTRACTED else None


@pytest.fixture(scope="session")
def make_run() -> Callable[..., RunFactory]:
    """The factory of runs: `make_run(cases=30).build()`."""
    return RunFactory


@pytest.fixture(scope="module")
def usual_page(make_run: Callable[..., RunFactory], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of 60 cases, one answer each."""
    return write_reports(build_view(make_run(cases=60).build()), tmp_path_factory.mktemp("usual")).html


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(viewport=SCREEN, permissions=["clipboard-read", "clipboard-write"])  # type: ignore[arg-type]
    yield context
    context.close()


@pytest.fixture
def open_page(usual_page: Path, tmp_path: Path, context: BrowserContext) -> Open:
    def open_page(data: RunData | None = None, fragment: str = "", **emulated: Any) -> Opened:
        path = usual_page if data is None else write_reports(build_view(data), tmp_path).html
        return open_in(context, path, fragment, **emulated)

    return open_page
