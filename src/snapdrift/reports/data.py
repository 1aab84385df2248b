"""What goes into a report: a run as it was read, apart from how it is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from snapdrift.conclusions import Evaluation
from snapdrift.model import Case, MetricSpec, Outcome, Response, Score, Source, Variant
from snapdrift.reports.asked import PromptView

PromptOf = Callable[[str, str], PromptView | None]
"""Gives the rendered prompt of (case id, variant name), or None when it is not known."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a run comes from: enough to make it again. Times are ISO 8601 in UTC; `suite_path` is what is typed."""

    run_id: str
    suite: str
    gate: str
    started_at: str
    finished_at: str | None = None
    description: str = ""
    suite_path: str = ""
    seed: int = 0
    attempt: int = 1
    suite_hash: str = ""
    dataset_hash: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    git_commit: str | None = None
    git_dirty: bool = False
    partial: bool = False


@dataclass(frozen=True, slots=True)
class RunData:
    """A run as reports read it, apart from how it is stored.

    `responses` are answers only (those of judges are left out by `build_view`), at most one for each planned call;
    a planned call without one is shown as missing. `warnings` are sentences about models (retirement, say).
    `asked` is where requests went: the source of a variant that never answered. `spared` are the cases whose calls
    without an answer were not needed. `comment` says what a comment and a JUnit file
    may hold of cases: `ids`, or `text`.
    """

    run: Provenance
    cases: tuple[Case, ...]
    variants: tuple[Variant, ...]
    metrics: tuple[MetricSpec, ...]
    responses: tuple[Response, ...]
    scores: tuple[Score, ...]
    evaluation: Evaluation
    repeats: int = 1
    warnings: tuple[str, ...] = ()
    prompt: PromptOf | None = None
    asked: Source = Source.OPENAI
    spared: frozenset[str] = frozenset()
    comment: str = "ids"

    def unanswered(self, case_id: str) -> Outcome:
        """What became of a planned call about a case that has no response."""
        return Outcome.NOT_NEEDED if case_id in self.spared else Outcome.MISSING
