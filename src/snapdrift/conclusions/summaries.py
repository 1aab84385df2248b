"""What happened to a variant's calls, and what its answers came to under each metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from snapdrift.model import Endpoint, Usage


@dataclass(frozen=True, slots=True)
class ReusedAnswers:
    """The answers of a variant that earlier `runs` received: how many `calls` have any, and how many `requests`.

    `oldest` and `newest` are when they came (ISO 8601, UTC), `usd` what they cost then (None: not known).
    """

    calls: int
    requests: int
    oldest: str
    newest: str
    usd: float | None
    runs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VariantSummary:
    """What happened to a variant's calls. Latencies in milliseconds, of measured calls.

    `first_token_p50` and `_p95` (milliseconds) and `tokens_per_second_p50` are of streamed calls, None without any.
    `batch_usd` and `judge_batch_usd` are the parts of `usd` and `judge_usd` that went by the Batch API. `reused` says
    which answers are of earlier runs (they cost nothing, and have no latency), `judge_reused` counts judges' replies.
    """

    name: str
    model: str
    endpoint: Endpoint
    resolved_models: Mapping[str, int]
    planned: int
    requests: int
    sources: Mapping[str, int]
    outcomes: Mapping[str, int]
    coverage: float
    usage: Usage
    usd: float | None
    judge_usd: float
    latency_p50: float | None
    latency_p95: float | None
    stream: bool = False
    batch: bool = False
    host: str | None = None
    first_token_p50: float | None = None
    first_token_p95: float | None = None
    tokens_per_second_p50: float | None = None
    batch_usd: float = 0.0
    judge_batch_usd: float = 0.0
    reused: ReusedAnswers | None = None
    judge_reused: int = 0


@dataclass(frozen=True, slots=True)
class MetricSummary:
    """One metric over the cases of one variant: mean of case means, its interval, and what could not be graded.

    `unextracted` counts invalid JSON too. `endings` says what became of each planned call that the metric applies to: a
    reason of its score, or the outcome that it ended with instead; they add up to those calls.
    """

    variant: str
    metric: str
    n: int
    mean: float | None
    ci: tuple[float, float] | None
    unextracted: int
    grader_errors: int
    unmeasured: int
    endings: Mapping[str, int] = field(default_factory=dict)
