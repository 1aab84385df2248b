"""What the user's own grading function returns: a `Score`, true or false, or a number; read as a mark.

`from snapdrift import Case, Response, Score` is how a workspace imports it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from snapdrift.graders.marks import Mark
from snapdrift.model import ScoreKind

EXPECTED = "a Score, true or false, or a number from 0 to 1"
_SHOWN = 80
_ROUNDING = 1e-9


class Ending(StrEnum):
    """Whether a function judged the answer, found nothing in it to judge, or could not grade."""

    JUDGED = "judged"
    NOT_EXTRACTED = "not_extracted"
    CANNOT_GRADE = "cannot_grade"


@dataclass(frozen=True, slots=True)
class Score:
    """What a grading function says of one answer.

    `value` is from 0 to 1. `passed` left out: it passes at the grader's `at_least` (1 where there is none). `reason` is
    a sentence and `evidence` lines for a person. `not_extracted` and `cannot_grade` make the two other kinds.
    """

    value: float
    passed: bool | None = None
    reason: str = ""
    evidence: Sequence[str] = ()
    ending: Ending = Ending.JUDGED

    @classmethod
    def not_extracted(cls, reason: str) -> Score:
        """The answer holds nothing to judge: a failed score, counted apart from a wrong answer."""
        return cls(0.0, passed=False, reason=reason, ending=Ending.NOT_EXTRACTED)

    @classmethod
    def cannot_grade(cls, reason: str) -> Score:
        """The function cannot tell, and the answer is not to blame: the metric stays unmeasured for it."""
        return cls(0.0, reason=reason, ending=Ending.CANNOT_GRADE)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a mark is made by: the metric's kind, and the value at which it passes."""

    kind: ScoreKind
    at_least: float


def mark_of(target: str, returned: object, measured: Measured) -> Mark:
    """What a function returned, as a mark; a grader error that shows it where it is nothing that scores an answer."""
    returned = _plain(returned)
    if isinstance(returned, bool):
        returned = Score(float(returned), passed=returned)
    elif isinstance(returned, int | float):
        returned = Score(returned)
    elif not isinstance(returned, Score):
        return _wrong(target, returned, EXPECTED)
    problem = _problem(returned)
    if problem:
        return _wrong(target, *problem)
    if returned.ending is Ending.CANNOT_GRADE:
        return Mark.error(returned.reason or f"{target} says that it cannot grade the answer")
    if returned.ending is Ending.NOT_EXTRACTED:
        return Mark.not_extracted(f"could not extract: {returned.reason}" if returned.reason else "could not extract")
    return _judged(returned, measured)


def _judged(score: Score, measured: Measured) -> Mark:
    value = float(score.value)
    passed = value >= measured.at_least - _ROUNDING if score.passed is None else score.passed
    evidence = tuple(score.evidence)
    if measured.kind is ScoreKind.GRADED:
        return Mark.graded(value, passed=passed, detail=score.reason or f"{value:.4g}", evidence=evidence)
    detail = score.reason or (f"{value:.4g}, passes at {measured.at_least:.4g}" if 0 < value < 1 else "")
    return Mark.of(passed, detail, evidence)


def _problem(score: Score) -> tuple[object, str] | None:
    """What of a score is not as it should be, and what was expected."""
    value, ending, passed = _plain(score.value), _any(score.ending), _any(score.passed)
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value) or not 0 <= value <= 1:
        return score.value, "a value from 0 to 1"
    if not isinstance(ending, Ending):
        return score, "an ending that is none of your own; use Score.not_extracted or Score.cannot_grade"
    if passed is not None and not isinstance(passed, bool):
        return score, "passed to be true, false or None"
    if not isinstance(_any(score.reason), str):
        return score, "a reason that is text"
    lines = _any(score.evidence)
    if (
        isinstance(lines, str)
        or not isinstance(lines, list | tuple)
        or not all(isinstance(line, str) for line in lines)
    ):
        return score, "evidence that is a list of texts"
    return None


def _any(value: object) -> Any:
    """A value whose type is not to be trusted: the user's code made it."""
    return value


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        return False


def _plain(value: object) -> Any:
    """A number of numpy as Python's own; everything else as it is."""
    if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0:
        return value.item()  # type: ignore[attr-defined]
    return value


def _wrong(target: str, returned: object, expected: str) -> Mark:
    try:
        shown = repr(returned)
    except Exception as error:  # noqa: BLE001  the user's own class
        shown = f"a {type(returned).__name__} whose repr raises {type(error).__name__}"
    shown = " ".join(shown.split())
    return Mark.error(
        f"{target} returned {shown if len(shown) <= _SHOWN else shown[:_SHOWN] + '…'}; expected {expected}"
    )
