"""What goes into a report: a run as it was read, apart from how it is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from snapdrift.baselines import BaselineFacts
from snapdrift.calibrations import HumanLabel
from snapdrift.conclusions import Evaluation
from snapdrift.model import MetricSpec, Outcome, Response, Source, Variant
from snapdrift.privacy import Redaction
from snapdrift.references import Reference
from snapdrift.reports.blind import BlindSheet
from snapdrift.reports.records import Records

PriceOf = Callable[[Response], str | None]
"""Gives the price that a response was reckoned at, with its source, as a sentence; None when it is not known."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a run comes from: enough to make it again. Times are ISO 8601 in UTC; `suite_path` is what is typed.

    `attempt_started_at` is when the command began that worked on it last, None where nobody noted it.
    """

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
    attempt_started_at: str | None = None


@dataclass(frozen=True, slots=True)
class RunData:
    """A run as reports read it, apart from how it is stored.

    `records` have the cases with their answers, which are read as they are needed and never all at once; a planned call
    without a response is shown as missing. `warnings` are sentences about models (retirement, say).
    `asked` is where requests went: the source of a variant that never answered. `spared` are the cases whose calls
    without an answer were not needed. `comment` says what leaves the house: `ids` and reason codes, or `text` too;
    `redaction` is what was taken out of all of this. `labels` are people's, of answers that are as they were;
    `label_levels` the numbers of a graded metric that has only some, and which of them pass; `sheets` the answers to
    label blind.
    `reference` is the git tree that the gate's baselines are from.
    `markable` is False where answers are not shown as the run has them: what nobody can read, nobody should mark.
    `baseline` is what is known of a baseline that is, or could have been, kept answers.
    """

    run: Provenance
    records: Records
    variants: tuple[Variant, ...]
    metrics: tuple[MetricSpec, ...]
    evaluation: Evaluation
    repeats: int = 1
    warnings: tuple[str, ...] = ()
    price: PriceOf | None = None
    asked: Source = Source.OPENAI
    spared: frozenset[str] = frozenset()
    comment: str = "ids"
    redaction: Redaction = field(default_factory=Redaction)
    labels: tuple[HumanLabel, ...] = ()
    label_levels: Mapping[str, tuple[tuple[float, bool], ...]] = field(default_factory=dict)
    sheets: tuple[BlindSheet, ...] = ()
    markable: bool = True
    reference: Reference | None = None
    baseline: BaselineFacts | None = None

    def unanswered(self, case_id: str, variant: str = "") -> Outcome:
        """What became of a call about a case that has no response. Kept answers have no others than those there are."""
        if self.baseline is not None and self.baseline.kept is not None and variant == self.baseline.name:
            return Outcome.NOT_NEEDED
        return Outcome.NOT_NEEDED if case_id in self.spared else Outcome.MISSING
