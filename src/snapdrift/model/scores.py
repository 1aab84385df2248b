"""What graders say: metrics, the score of an answer, and what a tolerant reading of it found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from snapdrift.model.words import FormatCause, Reason, ScoreKind


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """A metric that a grader produces: `name` (`fields.total`), its kind, and how its values read.

    `unit` is what a difference is shown in ("points"); `scale` the grader's own scale (1 to 5, say). `labels` is the
    closed set that answers are sorted into, where there is one. A `pairwise` metric is of a candidate against a
    baseline, 0.5 where neither is better; the baseline has no score of its own, and differences are preferences from
    -1 (always lost) to 1 (always won), as they are shown. One without a pass mark is a scale on which nobody said what
    passes: its answers are better or worse, and `passed` of its scores says no more than that they have the highest.
    """

    name: str
    grader: str
    kind: ScoreKind
    unit: str = "points"
    scale: tuple[float, float] = (0.0, 1.0)
    higher_is_better: bool = True
    judged: bool = False
    labels: tuple[str, ...] = ()
    pairwise: bool = False
    has_pass_mark: bool = True

    @property
    def reach(self) -> float:
        """How far a difference of 1 is on the scale."""
        return 1.0 if self.pairwise else self.scale[1] - self.scale[0]


@dataclass(frozen=True, slots=True)
class Score:
    """What a grader says of one response under one metric.

    `value` is in [0, 1] and None exactly when the grader could not grade (`reason` is then `GRADER_ERROR`);
    `passed` is None then too. `detail` is one sentence for a person. `extracted` is None too where the whole answer was
    graded as it stands. `extracted_by` is the number (from 0) of the extraction alternative that yielded. `version` is
    `family/version:settings-hash`. `facts` is plain JSON that the family's summary over a variant is made of
    (`snapdrift.gradings`).
    """

    case_id: str
    variant: str
    repeat: int
    metric: str
    value: float | None
    passed: bool | None
    reason: Reason
    detail: str = ""
    extracted: Any = None
    extracted_by: int | None = None
    evidence: tuple[str, ...] = ()
    version: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """A stored answer graded again by a tolerant reading, where that found something about its form.

    `value` in [0, 1] and `passed` are as in a score; `cause` is what had to be put up with. Not `readable` is an answer
    that holds nothing to judge under any reading (a field that is not there): worth 0, or 1 where less is better.
    """

    value: float
    passed: bool
    cause: FormatCause
    readable: bool = True

    def __post_init__(self) -> None:
        if not 0.0 <= self.value <= 1.0:
            raise ValueError(f"a reading has a value in [0, 1], found {self.value}")
        if not self.readable and (self.value not in (0.0, 1.0) or self.passed):
            raise ValueError(f"an answer that holds nothing to judge is a fail and worth 0 or 1, found {self.value}")
