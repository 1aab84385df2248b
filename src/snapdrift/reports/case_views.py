"""The cases of a view: how each differs between variants, its answers, and whether it passed where it must."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from snapdrift.calibrations import HumanLabel
from snapdrift.model import Case, Outcome, Response, Score, Severity
from snapdrift.reports.asked import PromptView

WON = "won"
"""Why a case newly passes a pairwise metric: its candidate's answer is preferred. The baseline had no score."""

BETTER = "better"
"""Why a case is among those that newly pass where nothing passes: it has more on a scale."""


class CaseGroup(StrEnum):
    """How a case differs between two variants, in the order in which a reviewer wants to see them."""

    NEWLY_FAILING = "newly_failing"
    NEWLY_PASSING = "newly_passing"
    BOTH_FAILING = "both_failing"
    FLAKY = "flaky"
    ERROR = "error"
    NOT_NEEDED = "not_needed"
    UNCHANGED = "unchanged"

    @property
    def rank(self) -> int:
        """0 for what is shown first."""
        return _GROUP_ORDER[self]


_GROUP_ORDER = {group: rank for rank, group in enumerate(CaseGroup)}


@dataclass(frozen=True, slots=True)
class Lens:
    """One way to look at the cases: a metric of a candidate against a baseline (None: the variant for itself).

    `compared` tells the metrics that the gate has a margin for from those that are only measured; `pairwise` ones are
    of the candidate's answer over the baseline's, which has no score of its own. One that is not `marked` is a scale on
    which nothing passes or fails: what newly fails is worse on it, what newly passes better.
    """

    metric: str
    baseline: str | None
    candidate: str
    compared: bool
    pairwise: bool = False
    marked: bool = True


@dataclass(frozen=True, slots=True)
class Change:
    """A case that newly fails or passes, and the reason code of the failing side; `WON` of a preference."""

    metric: str
    baseline: str
    candidate: str
    group: CaseGroup
    reason: str

    @property
    def told(self) -> str:
        """The reason as it is listed: of a case that newly passes, what it was before."""
        return (
            f"was {self.reason}"
            if self.group is CaseGroup.NEWLY_PASSING and self.reason not in (WON, BETTER)
            else self.reason
        )


@dataclass(frozen=True, slots=True)
class AnswerView:
    """How one planned call ended, with its scores and what people said of it.

    `response` is None for a call that was never answered. `judged` are the responses of judges that were asked about
    it, `price` is the price that its cost was reckoned at.
    """

    variant: str
    repeat: int
    outcome: Outcome
    response: Response | None
    scores: tuple[Score, ...]
    labels: tuple[HumanLabel, ...] = ()
    judged: tuple[Response, ...] = ()
    price: str = ""


@dataclass(frozen=True, slots=True)
class CaseOutline:
    """A case without its texts: its id, its group, and how it changed.

    `place` is its number in the view's order; `states` has one entry for each lens, None where the metric does not
    apply.
    """

    id: str
    place: int
    group: CaseGroup
    states: tuple[CaseGroup | None, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case with its answers; `group`, `states` and `changes` are those of its outline."""

    case: Case
    group: CaseGroup
    states: tuple[CaseGroup | None, ...]
    changes: tuple[Change, ...]
    answers: tuple[AnswerView, ...]
    prompts: Mapping[str, PromptView]


class MustPassStatus(StrEnum):
    """Whether a must-pass case passed."""

    PASSED = "passed"
    FAILED = "failed"
    UNMEASURED = "unmeasured"


@dataclass(frozen=True, slots=True)
class MustPassView:
    """A must-pass case on one judged variant; `failures` are `metric: reason` codes."""

    case_id: str
    variant: str
    severity: Severity
    status: MustPassStatus
    failures: tuple[str, ...]
