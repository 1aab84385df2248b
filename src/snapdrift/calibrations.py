"""What people said of answers, and what that says of the judges that scored the same answers.

Plain, frozen records as in `model`. A run file keeps what was drawn and what was said (`Labelling`); `verdicts`
concludes from it (`JudgeCalibration`); a record of that is kept for later runs. `docs/design/calibration.md` says why.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

LEAST_PAIRS = 50
"""A judge counts as calibrated from so many labelled pairs on, or with all pairs that there are."""
PPI_PAIRED, HUMAN_ONLY = "ppi_paired", "human_only"
LABEL_METHODS = (PPI_PAIRED, HUMAN_ONLY)
"""The methods of comparisons that are decided by people's labels: with the judge's help, or alone."""


class LabelPurpose(StrEnum):
    """What a label was made for: looking at an answer, or measuring a judge. Only the second ever counts."""

    REVIEW = "review"
    CALIBRATION = "calibration"


class JudgeStatus(StrEnum):
    """What is known of a judge's errors in a comparison.

    `CALIBRATED`: people labelled a random sample of this comparison's own answers. `OTHER_CANDIDATE`: of another one,
    scored by the same judge.
    """

    CALIBRATED = "calibrated"
    OTHER_CANDIDATE = "calibrated_on_another_candidate"
    UNCALIBRATED = "uncalibrated"


@dataclass(frozen=True, slots=True)
class HumanLabel:
    """What a person said of one answer under one metric.

    `answer` is the SHA-256 of the answer's text, `label` as it was written (true, false, or a number on the metric's
    own scale), `value` and `passed` the same in the terms of a `Score`.
    """

    case_id: str
    variant: str
    repeat: int
    metric: str
    answer: str
    label: Any
    value: float
    passed: bool
    purpose: LabelPurpose = LabelPurpose.REVIEW
    rater: str = ""
    comment: str = ""
    labelled_at: str = ""


@dataclass(frozen=True, slots=True)
class DrawnPair:
    """A case that was drawn, which repeat of each side is to be labelled, and the SHA-256 of both answers then."""

    case_id: str
    baseline_repeat: int
    candidate_repeat: int
    baseline_answer: str = ""
    candidate_answer: str = ""


@dataclass(frozen=True, slots=True)
class LabelDraw:
    """A random sample of the pairs of one comparison, in the order in which it was drawn.

    `version` is the grader's, `judge_models` the models that had judged by then. `eligible` counts the pairs that were
    drawn from. `looked` says that it was enlarged after some of it had been labelled.
    """

    metric: str
    baseline: str
    candidate: str
    seed: int
    version: str
    judge_models: tuple[str, ...]
    pairs: tuple[DrawnPair, ...]
    eligible: int
    drawn_at: str
    looked: bool = False

    @property
    def comparison(self) -> tuple[str, str, str]:
        """Metric, baseline and candidate."""
        return self.metric, self.baseline, self.candidate


@dataclass(frozen=True, slots=True)
class Labelling:
    """All that was drawn from a run, and all that people said of its answers."""

    draws: tuple[LabelDraw, ...] = ()
    labels: tuple[HumanLabel, ...] = ()


@dataclass(frozen=True, slots=True)
class Share:
    """`successes` of `n`, with the interval of the share."""

    successes: int
    n: int
    ci: tuple[float, float]

    @property
    def value(self) -> float:
        """The share itself."""
        return self.successes / self.n


@dataclass(frozen=True, slots=True)
class ArmAgreement:
    """Judge against people on one side's labelled answers; "positive" is a pass, and people are right.

    The counts leave out answers on which raters are evenly split. `sensitivity` is None where people pass none,
    `specificity` where they fail none, `kappa` where either side uses one word only. `agreement` is of passes, on a
    scale of the exact level.
    """

    variant: str
    true_pass: int
    false_pass: int
    false_fail: int
    true_fail: int
    agreement: Share | None
    sensitivity: Share | None
    specificity: Share | None
    kappa: float | None
    kappa_ci: tuple[float, float] | None
    judge_mean: float
    human_mean: float


@dataclass(frozen=True, slots=True)
class JudgeCalibration:
    """How far a judge can be trusted in one comparison, and what people's labels say of it. Score units, as gates have.

    `bias` is the judge's difference minus people's: above 0 it flatters the candidate; its interval is of
    1 - 2 (1 - `confidence`). `inside_margin` says whether that interval lies inside the margin, None without either.
    `difference`, `ci` and the p-values are people's, by `method`, None unless the status is `CALIBRATED`;
    `alone_difference` and `alone_verdict` are what the judge alone would say. `drawn` and `labelled` count pairs,
    `skipped` the rows of the sheet that were passed over, `stale` labels of answers that are others now. `of_run`,
    `of_baseline` and `of_candidate` say where a calibration on another candidate comes from. `reason` is why the
    judge counts as uncalibrated, `capped` why its verdict does not count.
    """

    metric: str
    baseline: str
    candidate: str
    status: JudgeStatus
    version: str
    judge_models: tuple[str, ...] = ()
    simulated: bool = False
    reason: str = ""
    capped: str = ""
    notes: tuple[str, ...] = ()
    drawn: int = 0
    labelled: int = 0
    skipped: int = 0
    stale: int = 0
    raters: int = 0
    weights: str = "none"
    arms: tuple[ArmAgreement, ...] = ()
    bias: float | None = None
    bias_ci: tuple[float, float] | None = None
    bias_p: float | None = None
    differing: int = 0
    margin: float | None = None
    confidence: float = 0.95
    inside_margin: bool | None = None
    method: str = ""
    difference: float | None = None
    ci: tuple[float, float] | None = None
    p_two_sided: float | None = None
    p_no_worse: float | None = None
    judge_weight: float | None = None
    effective_labels: float | None = None
    alone_difference: float | None = None
    alone_ci: tuple[float, float] | None = None
    alone_verdict: str = ""
    of_run: str = ""
    of_baseline: str = ""
    of_candidate: str = ""
    made_at: str = ""

    @property
    def comparison(self) -> tuple[str, str, str]:
        """Metric, baseline and candidate."""
        return self.metric, self.baseline, self.candidate

    def bias_inside(self, margin: float, confidence: float) -> bool:
        """Whether the bias is shown to lie inside (-margin, margin), at a one-sided confidence of so much or more."""
        if self.bias_ci is None or self.confidence < confidence - 1e-9:
            return False
        low, high = self.bias_ci
        return -margin < low and high < margin

    @property
    def told(self) -> bool:
        """Whether there is more to say of it than that nobody measured the judge."""
        return self.status is not JudgeStatus.UNCALIBRATED or bool(self.reason or self.capped or self.drawn)


@dataclass(frozen=True, slots=True)
class ReviewTally:
    """Labels that were made for review, by metric and variant: shown, and never counted.

    `disagreeing` are ids of cases of which a label says otherwise than the score.
    """

    metric: str
    variant: str
    labels: int
    disagreeing: tuple[str, ...] = field(default=())
