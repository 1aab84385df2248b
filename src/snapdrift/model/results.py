"""All that a decision is made from: how each call ended, and every score."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from snapdrift.model.calls import CallKey
from snapdrift.model.cases import Case, Variant
from snapdrift.model.responses import Reused, Usage, cost_of
from snapdrift.model.scores import MetricSpec, Score
from snapdrift.model.words import Outcome, Source


@dataclass(frozen=True, slots=True)
class CallResult:
    """What comparing needs to know of a call, apart from its scores.

    `also_returned` are the models that earlier requests of the call were answered as, where they differ from the last.
    """

    outcome: Outcome
    returned_model: str | None = None
    latency_ms: float | None = None
    usage: Usage | None = None
    usd: float | None = None
    source: Source = Source.OPENAI
    requests: int = 1
    first_token_ms: float | None = None
    batched: bool = False
    also_returned: tuple[str, ...] = ()
    reused: Reused | None = None

    @property
    def cost_usd(self) -> float | None:
        """What the answer costs, whoever paid for it: of what is reused, what it cost when it was asked."""
        return cost_of(self.usd, self.reused)


@dataclass(frozen=True, slots=True)
class JudgeModels:
    """What a judge (the grader's name) asked for as `requested`, and which models answered, with how many answers."""

    judge: str
    requested: str
    returned: Mapping[str, int]
    sources: tuple[str, ...] = ()


class Scores(ABC, Iterable[Score]):
    """The scores of a run that are read when they are asked for, as often as that is, one at a time."""

    @abstractmethod
    def of(self, variant: str, metric: str | None = None) -> Iterator[Score]:
        """Those of a variant, or of one metric of it."""

    @abstractmethod
    def with_facts(self) -> Iterator[Score]:
        """Those that have facts."""


@dataclass(frozen=True, slots=True)
class Results:
    """All that a decision is made from: every planned call with how it ended, and every score.

    `calls` and `scores` may be read from a file each time that they are gone through: whoever does so keeps columns of
    numbers, never the records. Of `cases` only ids, tags and clusters count.

    `calls` has one entry for each planned answer call (a call without a response is `MISSING`); `applicable` says
    for each metric which case ids it applies to (`when:`); `judge_usd` what judging each variant's answers cost,
    `judge_batch_usd` the part of it that went by the Batch API, `judge_reused` how many of the judges' replies are
    reused; `judges` says which models judged.
    """

    cases: tuple[Case, ...]
    variants: tuple[Variant, ...]
    repeats: int
    metrics: tuple[MetricSpec, ...]
    calls: Mapping[CallKey, CallResult]
    scores: Sequence[Score] | Scores
    applicable: Mapping[str, frozenset[str]]
    judge_usd: Mapping[str, float] = field(default_factory=dict)
    judge_batch_usd: Mapping[str, float] = field(default_factory=dict)
    judges: tuple[JudgeModels, ...] = ()
    judge_reused: Mapping[str, int] = field(default_factory=dict)

    def scores_of(self, variant: str, metric: str | None = None) -> Iterator[Score]:
        """The scores of a variant, or of one metric of it, in their order."""
        if isinstance(self.scores, Scores):
            return self.scores.of(variant, metric)
        wanted = (score for score in self.scores if score.variant == variant)
        return wanted if metric is None else (score for score in wanted if score.metric == metric)

    def scores_with_facts(self) -> Iterator[Score]:
        """The scores that have facts, in their order."""
        if isinstance(self.scores, Scores):
            return self.scores.with_facts()
        return (score for score in self.scores if score.facts)
