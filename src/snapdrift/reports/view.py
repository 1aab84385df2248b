"""The view model: everything that a report says about a run, before any of it is laid out.

`View` is what `build_view` (in `build.py`) makes of a run's `RunData` (in `data.py`); each rendering is a function of
`View`. Nothing here is markup and nothing is escaped: texts are as the run holds them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from snapdrift.baselines import BaselineFacts
from snapdrift.calibrations import JudgeCalibration, JudgeStatus
from snapdrift.conclusions import (
    Comparison,
    Control,
    Decision,
    Evaluation,
    MetricSummary,
    Operational,
    Parity,
    VariantSummary,
)
from snapdrift.explanations import Explanation
from snapdrift.gradings import OrderAgreement
from snapdrift.model import Endpoint, MetricSpec, Severity, Source
from snapdrift.references import Reference, reference_sentences
from snapdrift.reports.asked_changes import AskedChange, changes_of
from snapdrift.reports.blind import BlindSheet
from snapdrift.reports.case_list import CaseList
from snapdrift.reports.case_views import CaseGroup, CaseOutline, Lens, MustPassView
from snapdrift.reports.confusions import ConfusionView
from snapdrift.reports.data import Provenance
from snapdrift.reports.distributions import DistributionView
from snapdrift.verdicts.acceptance_words import AcceptanceStanding

UNCALIBRATED = "uncalibrated judge"


@dataclass(frozen=True, slots=True)
class Claims:
    """In sentences: what is claimed of, why failing is adjusted and passing not, what could be seen, what would help.

    Empty where a run compares or gates nothing; `repeatability` only where each case has one answer.
    """

    target: str = ""
    multiplicity: str = ""
    sight: str = ""
    variance: tuple[str, ...] = ()
    repeatability: str = ""

    @property
    def sentences(self) -> tuple[str, ...]:
        """All that there are."""
        return tuple(filter(None, (self.target, self.sight, self.multiplicity, *self.variance, self.repeatability)))

    @property
    def short(self) -> tuple[str, ...]:
        """Those for a terminal and a summary: all but what is the same for every run of this kind."""
        return tuple(filter(None, (self.target, self.sight, *self.variance)))


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """A comparison with its metric and its verdict in words."""

    comparison: Comparison
    metric: MetricSpec
    word: str


@dataclass(frozen=True, slots=True)
class ExplanationView:
    """Why a comparison moved, in words: what its difference is made of, and how its pair's calls changed.

    `warning` says that it improved because answers broke, empty where it did not.
    """

    explanation: Explanation
    row: ComparisonView
    sentence: str
    operations: tuple[str, ...]
    warning: str


@dataclass(frozen=True, slots=True)
class VariantView:
    """A variant's summary; `source` is the least real of its answers' sources, without any whom the run asked."""

    summary: VariantSummary
    source: Source
    is_baseline: bool
    is_candidate: bool

    @property
    def label(self) -> str | None:
        """The word that it bears wherever it appears, None where a model was asked."""
        return SOURCE_LABELS.get(self.source)

    @property
    def badges(self) -> tuple[str, ...]:
        """How it is asked, as far as not in the usual way: `chat`, `stream`, `batch`, `on my-proxy`, `archived`."""
        s = self.summary
        return (
            *(["chat"] if s.endpoint is Endpoint.CHAT else []),
            *(["stream"] if s.stream else []),
            *(["batch"] if s.batch else []),
            *([f"on {s.host}"] if s.host else []),
            *(["archived"] if s.endpoint is Endpoint.ARCHIVE else []),
            *([f"{s.reused.calls:,} reused"] if s.reused and s.endpoint is not Endpoint.ARCHIVE else []),
        )

    @property
    def priced(self) -> bool:
        """Whether its answers have a price; an application and a file of outputs need not say one."""
        return is_priced(self.summary)


@dataclass(frozen=True, slots=True)
class ParityView:
    """A parity group, and in words whether its members agree."""

    parity: Parity
    sentence: str


@dataclass(frozen=True, slots=True)
class ControlView:
    """An A/A control, and in words what it says of the suite's noise: `opening` without the figures."""

    control: Control
    opening: str
    sentence: str


@dataclass(frozen=True, slots=True)
class OperationalView:
    """An operational measure in words: its name, both levels, the change with its interval, and how its limit stands.

    `text` is all of it in a row, `broken` whether the observed increase is over its limit.
    """

    operational: Operational
    name: str
    values: str
    change: str
    limit: str
    text: str
    broken: bool


@dataclass(frozen=True, slots=True)
class CalibrationView:
    """What is known of a judge in one comparison: the label that it bears, and a sentence."""

    calibration: JudgeCalibration
    label: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Label:
    """An honest label: the word, and the sentence that says what it means here."""

    word: str
    meaning: str


@dataclass(frozen=True, slots=True)
class OrderView:
    """What a pairwise judge said in both orders, and in words; `biased` where it is shown to go by the place."""

    orders: OrderAgreement
    sentence: str
    biased: bool


@dataclass(frozen=True, slots=True)
class View:
    """Everything that a report shows.

    `cases` are in the order of their group, then of the dataset; what they say is read when it is asked for.
    `unanswered` is the headline of a run that is incomplete because calls got no answer, else empty.
    `judged` are the variants that floors and must-pass cases are asked of, with how grave a breach is;
    `change_sentences` are pairs of a candidate and the sentence that counts what changed with it;
    `failures` say why calls got no answer, with a host's own words in them, `ungraded` why answers got no score;
    `explanations` say why metrics moved, and
    `causes` by case the codes of what moved it, each with the number of the lens through which it did. `comment` says
    whether what is published (summary, JUnit) has `ids` and reason codes only, or `text` too; `redacted`
    names what was taken out of all texts. `report_url` is where the page was put for readers of those files, empty
    where nobody said so; `report_path` is then told in its place.
    `acceptances` are the accepted losses that concern the run, with what became of each.
    `reference` is the git tree that baselines are from, None where they are from none.
    `baseline` is what is known of a baseline that is kept answers.
    `label_levels`, `sheets` and `markable` are as in `RunData`: how answers can be marked, and labelled blind.
    """

    run: Provenance
    headline: str
    unanswered: str
    reasons: tuple[str, ...]
    change_sentences: tuple[tuple[str, str], ...]
    resolutions: tuple[str, ...]
    decision: Decision
    evaluation: Evaluation
    labels: tuple[Label, ...]
    notes: tuple[str, ...]
    comparisons: tuple[ComparisonView, ...]
    variants: tuple[VariantView, ...]
    metrics: tuple[MetricSpec, ...]
    levels: Mapping[tuple[str, str], MetricSummary]
    judged: Mapping[str, Severity]
    lenses: tuple[Lens, ...]
    cases: CaseList
    must_pass: tuple[MustPassView, ...]
    assumptions: tuple[tuple[str, str], ...]
    repeats: int
    parity: tuple[ParityView, ...] = ()
    controls: tuple[ControlView, ...] = ()
    failures: tuple[str, ...] = ()
    ungraded: tuple[str, ...] = ()
    operational: tuple[OperationalView, ...] = ()
    claims: Claims = Claims()
    explanations: tuple[ExplanationView, ...] = ()
    causes: Mapping[str, Sequence[tuple[int, str]]] = field(default_factory=dict)
    calibrations: tuple[CalibrationView, ...] = ()
    reviews: tuple[str, ...] = ()
    confusions: tuple[ConfusionView, ...] = ()
    orders: tuple[OrderView, ...] = ()
    comment: str = "ids"
    redacted: tuple[str, ...] = ()
    label_levels: Mapping[str, tuple[tuple[float, bool], ...]] = field(default_factory=dict)
    sheets: tuple[BlindSheet, ...] = ()
    markable: bool = True
    distributions: tuple[DistributionView, ...] = ()
    report_url: str = ""
    report_path: str = "index.html"
    acceptances: tuple[AcceptanceStanding, ...] = ()
    reference: Reference | None = None
    baseline: BaselineFacts | None = None

    @property
    def reference_sentences(self) -> tuple[str, ...]:
        """What the run is compared with where that is a git tree, and what has no baseline there."""
        return () if self.reference is None else reference_sentences(self.reference)

    @property
    def changes(self) -> tuple[AskedChange, ...]:
        """How what is asked differs from the tree, each difference once; pairs that differ alike are told together."""
        return () if self.reference is None else changes_of(self.reference)

    @property
    def operational_pairs(self) -> Mapping[tuple[str, str], tuple[OperationalView, ...]]:
        """The operational measures of each baseline and candidate."""
        pairs: dict[tuple[str, str], list[OperationalView]] = {}
        for one in self.operational:
            pairs.setdefault((one.operational.baseline, one.operational.candidate), []).append(one)
        return {pair: tuple(of_pair) for pair, of_pair in pairs.items()}

    def judge_label(self, metric: str, baseline: str | None = None, candidate: str | None = None) -> str:
        """The label of a judged metric in one comparison; of the metric as a whole, that of its least known judge."""
        labels = [
            (list(JudgeStatus).index(one.calibration.status), one.label)
            for one in self.calibrations
            if one.calibration.metric == metric
            and (candidate is None or one.calibration.comparison == (metric, baseline, candidate))
        ]
        return max(labels, default=(0, UNCALIBRATED))[1]

    @property
    def counts(self) -> dict[CaseGroup, int]:
        """How many cases are in each group; they add up to all cases."""
        return self.cases.counts()

    @property
    def changed(self) -> tuple[CaseOutline, ...]:
        """The cases that newly fail or newly pass, without their texts."""
        changed = (CaseGroup.NEWLY_FAILING, CaseGroup.NEWLY_PASSING)
        return tuple(one for one in self.cases.outlines if one.group in changed)

    @property
    def usd(self) -> float | None:
        """What the run cost, judges included and what has no price left out; None when a price is not known."""
        return usd_of([v.summary for v in self.variants])

    @property
    def batch_usd(self) -> float:
        """The part of the cost that went by the Batch API, at its own price; judges included."""
        return sum(v.summary.batch_usd + v.summary.judge_batch_usd for v in self.variants)

    @property
    def unpriced(self) -> tuple[str, ...]:
        """The variants whose answers have no price at all."""
        return tuple(v.summary.name for v in self.variants if not v.priced)

    @property
    def paid(self) -> bool:
        """Whether anybody was paid for an answer; the costs of replayed and made-up ones are only reckoned."""
        asked = (v for v in self.variants if v.summary.endpoint is not Endpoint.ARCHIVE)
        return any(v.source in (Source.OPENAI, Source.HOST) for v in asked)


def is_priced(summary: VariantSummary) -> bool:
    """Whether a variant's answers have a price; an application and a file of outputs need not say one."""
    return summary.endpoint.over_http or summary.usd is not None


def usd_of(summaries: Sequence[VariantSummary]) -> float | None:
    """What variants cost, judges included and what has no price left out; None when a price is not known."""
    costs = [summary.usd for summary in summaries if is_priced(summary)]
    known = [usd for usd in costs if usd is not None]
    return sum(known) + sum(summary.judge_usd for summary in summaries) if len(known) == len(costs) else None


SOURCE_LABELS: Mapping[Source, str] = {
    Source.SIMULATED: "simulated",
    Source.RECORDED: "recorded",
    Source.OUTPUTS: "from a file",
    Source.PYTHON: "own program",
}
"""The label that answers bear when they did not come from a model that was asked in this run."""

REALITY = (Source.SIMULATED, Source.RECORDED, Source.OUTPUTS, Source.PYTHON, Source.HOST, Source.OPENAI)
"""Sources from the least to the most real: a variant with several is named by the first."""
