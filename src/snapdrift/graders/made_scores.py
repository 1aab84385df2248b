"""Scores made fast: a run has a million of them, and a frozen record sets each of its fields by a call.

A record with the same slots that is not frozen is filled in a fraction of that time, and becomes a `Score` by being
called one: Python lets two classes whose slots are the same be exchanged. Where it does not, a score is made as usual.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, make_dataclass
from typing import Any

from snapdrift.model import Reason, Score


def _can_become_scores(unfrozen: Any) -> bool:
    score = unfrozen("", "", 0, "", None, None, Reason.GRADER_ERROR, "", None, None, (), "", {})
    try:
        score.__class__ = Score
    except TypeError:
        return False
    return isinstance(score, Score)


_Unfrozen: Any = make_dataclass("_Unfrozen", [field.name for field in fields(Score)], slots=True)
_MAKES: Any = _Unfrozen if _can_become_scores(_Unfrozen) else Score


def made_score(
    case_id: str,
    variant: str,
    repeat: int,
    metric: str,
    value: float | None,
    passed: bool | None,  # noqa: FBT001  as `Score` has it
    reason: Reason,
    detail: str,
    extracted: Any,
    extracted_by: int | None,
    evidence: tuple[str, ...],
    version: str,
    facts: Mapping[str, Any],
) -> Score:
    """`Score(...)` of the same fields."""
    score = _MAKES(
        case_id,
        variant,
        repeat,
        metric,
        value,
        passed,
        reason,
        detail,
        extracted,
        extracted_by,
        evidence,
        version,
        facts,
    )
    if _MAKES is _Unfrozen:
        score.__class__ = Score
    return score  # type: ignore[no-any-return]
