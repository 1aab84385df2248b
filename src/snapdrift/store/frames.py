"""A stored run as pandas tables, for notebooks and for questions that no report answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from snapdrift.model import CallKey, Outcome, Response
from snapdrift.store import codec
from snapdrift.store.reader import Frames

if TYPE_CHECKING:
    from snapdrift.store.reader import StoredRun

CALL_COLUMNS = (
    "case_id",
    "variant",
    "repeat",
    "grader",
    "outcome",
    "text",
    "requested_model",
    "returned_model",
    "source",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "reasoning_tokens",
    "usd",
    "latency_ms",
    "first_token_ms",
    "service_tier",
    "batched",
    "steps",
    "attempts",
    "finish_reason",
    "refusal",
    "failure",
    "failure_message",
    "request_id",
    "finished_at",
)
SCORE_COLUMNS = (
    "case_id",
    "variant",
    "repeat",
    "metric",
    "value",
    "passed",
    "reason",
    "detail",
    "extracted",
    "extracted_by",
    "evidence",
    "version",
)


def build_frames(run: StoredRun) -> Frames:
    """Both tables. A planned call without a response is there, with the outcome `missing` (or `not_needed`).

    `steps` is how many requests of a call were answered, `latency_ms` what they took together.
    """
    spared = run.spared_cases()
    calls = {key: _unanswered(key, spared) for key in run.calls()}
    calls.update((response.call, _row(response)) for response in run.responses())
    scores = [codec.to_json(score) for score in run.scores()]
    return Frames(
        calls=pd.DataFrame(list(calls.values()), columns=list(CALL_COLUMNS)),
        scores=pd.DataFrame(scores, columns=list(SCORE_COLUMNS)),
    )


def _unanswered(key: CallKey, spared: frozenset[str]) -> dict[str, Any]:
    outcome = Outcome.NOT_NEEDED if key.case_id in spared and not key.grader else Outcome.MISSING
    return {**codec.to_json(key), "outcome": outcome.value, "attempts": 0, "steps": 0}


def _row(response: Response) -> dict[str, Any]:
    failure = response.failure
    return {
        **codec.to_json(response),
        **codec.to_json(response.call),
        **(codec.to_json(response.usage) if response.usage else {}),
        "attempts": len(response.attempts),
        "steps": len(response.steps) + response.outcome.measured,
        "failure": failure.kind.value if failure else None,
        "failure_message": failure.message if failure else None,
    }
