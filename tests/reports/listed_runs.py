"""Made-up runs for the list of all runs: three variants on three metrics, asked night after night."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from snapdrift.conclusions import Evaluation
from snapdrift.model import DecisionWord, Source
from snapdrift.reports.runs_build import build_index
from snapdrift.reports.runs_index import IndexData, IndexedRun, IndexView
from snapdrift.verdicts.history import FinishedRun

NOW = datetime(2026, 11, 26, 20, 0, tzinfo=UTC)
AUGUST, NOVEMBER = "gpt-4o-2024-08-06", "gpt-4o-2024-11-20"


def run_id(day: int) -> str:
    return f"202611{day:02d}-020000-00{day:02d}"


def listed_run(
    evaluation: Evaluation,
    day: int,
    source: Source = Source.OPENAI,
    answered: str = AUGUST,
    cases: str = "cases",
    **fields: Any,
) -> IndexedRun:
    """A finished run of a day; `answered` says which model answered the alias, `cases` which cases were asked."""
    started = f"2026-11-{day:02d}T02:00:00+00:00"
    variants = tuple(
        replace(
            one,
            sources={source.value: 20},
            resolved_models={answered: 20} if one.name == "alias" else one.resolved_models,
        )
        for one in evaluation.variants
    )
    ledger = tuple(
        replace(one, sources=(source.value,), returned={answered: 20} if one.variant == "alias" else one.returned)
        for one in evaluation.ledger
    )
    finished = FinishedRun(
        run_id=run_id(day),
        suite="triage",
        gate="default",
        started_at=started,
        attempt=1,
        repeats=1,
        cases=cases,
        asked="asked",
        suite_hash="suite",
        versions={"queue": "1", "valid": "1", "tone": "1"},
        evaluation=replace(evaluation, variants=variants, ledger=ledger, draws=()),
    )
    usual: dict[str, Any] = {
        "decision": DecisionWord.PASSED,
        "said": "`alias` is no worse than `august` on queue: -0.4 points [-1.0, +0.2].",
        "reasons": 3,
        "models": (AUGUST, "gpt-4o"),
        "sources": (source,),
        "commit": "4e1c" * 10,
        "usd": 1.5,
        "paid": source is Source.OPENAI,
        "finished": finished,
    }
    return IndexedRun(run_id(day), "triage", "default", started, **(usual | fields))


def index(*runs: IndexedRun, reports: Mapping[str, str] | None = None, **fields: Any) -> IndexView:
    return build_index(IndexData(runs, reports or {}, **fields), NOW)
