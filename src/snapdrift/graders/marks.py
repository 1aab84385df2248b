"""What a family says about one answer, and the two ways in which it can say nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from snapdrift.model import Case, Reason


class NotExtractedError(Exception):
    """The answer holds no value of the kind asked for: a failed score, counted apart from a wrong answer."""

    reason = Reason.UNEXTRACTED


class InvalidJsonError(NotExtractedError):
    """The answer cannot be read as the JSON that was asked for."""

    reason = Reason.INVALID_JSON


class CannotGradeError(Exception):
    """The grader, not the answer, is at fault: the score becomes `grader_error`. The text is for a person."""


def case_problem(read: Callable[[Case], object], case: Case) -> str | None:
    """Why a case can never be graded: the sentence with which reading what it expects fails; None where it does not."""
    try:
        read(case)
    except CannotGradeError as error:
        return str(error)
    return None


_JUDGED = (Reason.PASSED, Reason.WRONG, Reason.SCHEMA_VIOLATION, Reason.TOOL_CALL_AS_TEXT)


@dataclass(frozen=True, slots=True)
class Mark:
    """One metric's judgement of one answer: `value` in [0, 1], or None with `passed` where nothing could be judged.

    `facts` is plain JSON that a summary of the family's scores is made of (a choice's labels, a judge's votes).
    """

    value: float | None
    passed: bool | None
    reason: Reason
    detail: str = ""
    evidence: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unmeasured = self.reason is Reason.GRADER_ERROR
        if (self.value is None) is not unmeasured or (self.passed is None) is not unmeasured:
            raise ValueError(f"a mark with reason {self.reason} cannot have value {self.value}, passed {self.passed}")
        if self.value is not None and not (math.isfinite(self.value) and 0.0 <= self.value <= 1.0):
            raise ValueError(f"a mark of {self.value} is outside [0, 1]")

    @classmethod
    def of(cls, passed: bool, detail: str = "", evidence: tuple[str, ...] = ()) -> Mark:  # noqa: FBT001  reads as a verdict
        """A pass/fail mark."""
        if passed and not detail and not evidence:
            return PASSED
        return cls(float(passed), passed, Reason.PASSED if passed else Reason.WRONG, detail, evidence)

    @classmethod
    def graded(cls, value: float, *, passed: bool, detail: str = "", evidence: tuple[str, ...] = ()) -> Mark:
        """A mark between 0 and 1."""
        return cls(value, passed, Reason.PASSED if passed else Reason.WRONG, detail, evidence)

    @classmethod
    def not_extracted(cls, why: str, reason: Reason = Reason.UNEXTRACTED) -> Mark:
        """The answer held no value to judge; `reason` is one of those that say so."""
        return cls(value=0.0, passed=False, reason=reason, detail=why)

    @classmethod
    def not_accepted(cls, why: str) -> Mark:
        """The call ended in a way that the grader counts as failed."""
        return cls(value=0.0, passed=False, reason=Reason.NOT_ACCEPTED, detail=why)

    @classmethod
    def error(cls, why: str) -> Mark:
        """The grader could not grade."""
        return cls(None, None, Reason.GRADER_ERROR, why)

    def at_worst_where_failed(self) -> Mark:
        """For a metric of which less is better: an answer that held nothing to judge is worth 1 there, not 0.

        Else a metric would gain by answers that are refused, cut off or cannot be read.
        """
        return self if self.value is None or self.reason in _JUDGED else replace(self, value=1.0)

    def inverted(self) -> Mark:
        """What `not: true` makes of it: only a judgement is turned round, never a failure to get at one."""
        if self.value is None or self.reason not in _JUDGED:
            return self
        passed = not self.passed
        reason = Reason.PASSED if passed else Reason.WRONG
        detail = f"inverted by `not`: {self.detail}" if self.detail else "inverted by `not`"
        return replace(self, value=1.0 - self.value, passed=passed, reason=reason, detail=detail)


PASSED = Mark(1.0, passed=True, reason=Reason.PASSED)
"""Most marks of a run are this one."""
