"""Ways to compare one value with another, by name (`date`) or with settings (`{number: 0.005}`)."""

from __future__ import annotations

import re
from datetime import date, datetime
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from math import isfinite
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from snapdrift.graders.arguments import Tolerance, not_empty
from snapdrift.graders.exact import Normalise
from snapdrift.graders.marks import CannotGradeError
from snapdrift.graders.normalise import normalised
from snapdrift.graders.numerals import as_number, close
from snapdrift.graders.values import quoted
from snapdrift.model import NormaliseStep

_DATE_FORMATS = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d %B %Y", "%d %b %Y", "%B %d %Y", "%b %d %Y")
_LONGEST_DATE = 40
_ORDINAL = re.compile(r"(?<=\d)(st|nd|rd|th)\b")
_CASEFOLD = (NormaliseStep.STRIP, NormaliseStep.WHITESPACE, NormaliseStep.CASEFOLD)


class NamedComparer(StrEnum):
    """Comparers without settings."""

    EXACT = "exact"
    CASEFOLD = "casefold"
    NUMBER = "number"
    DATE = "date"

    def equal(self, found: Any, wanted: Any) -> bool:
        """Whether the two values count as equal. Raises `CannotGradeError` for an expected value it cannot read."""
        if self is _EXACT or found is None or wanted is None:
            return same_json(found, wanted)
        if self is _DATE:
            return _same_date(found, wanted)
        if self is _NUMBER:
            return _same_number(found, wanted, _NO_TOLERANCES)
        return _same_text(found, wanted, _CASEFOLD)


# Asked for a member, an enum takes longer than texts and numbers take to be compared.
_EXACT, _NUMBER, _DATE = NamedComparer.EXACT, NamedComparer.NUMBER, NamedComparer.DATE


class Tolerances(BaseModel):
    """How far a number may be off: `absolute`, or `relative` times the expected one, whichever is larger."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    absolute: Tolerance = 0.0
    relative: Tolerance = 0.0


_NO_TOLERANCES = Tolerances()


def _as_tolerances(value: Any) -> Any:
    return {"absolute": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


class NumberComparer(BaseModel):
    """`{number: 0.005}` or `{number: {absolute: 0.005, relative: 0.01}}`; text that holds a number counts as one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: Annotated[Tolerances, BeforeValidator(_as_tolerances, json_schema_input_type=float | Tolerances)]

    def equal(self, found: Any, wanted: Any) -> bool:
        """Whether the numbers are close enough. Raises `CannotGradeError` when the expected value is no number."""
        return same_json(found, wanted) if found is None or wanted is None else _same_number(found, wanted, self.number)


class TextComparer(BaseModel):
    """`{normalise: [casefold, punctuation]}`: texts that are equal after these steps."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    normalise: Annotated[Normalise, AfterValidator(not_empty)]

    def equal(self, found: Any, wanted: Any) -> bool:
        """Whether the texts are equal once normalised; values that are not text are compared as they are."""
        return _same_text(found, wanted, self.normalise)


def same_json(found: Any, wanted: Any) -> bool:
    """Equality as JSON has it: 1 equals 1.0, true does not equal 1, the order of keys does not matter."""
    if isinstance(found, str) and isinstance(wanted, str):
        return found == wanted
    if isinstance(found, dict) and isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(same_json(found[key], wanted[key]) for key in wanted)
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(same_json, found, wanted))
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    return bool(found == wanted)


def read_date(text: Any) -> date | None:
    """A calendar date written with the year first, with a month's English name, or as an ISO date and time.

    Forms in which day and month could be taken for each other (`03/04/2025`) are not read.
    """
    return _date_in(text) if isinstance(text, str) and len(text) <= _LONGEST_DATE else None


@lru_cache(maxsize=4096)
def _date_in(text: str) -> date | None:
    plain = " ".join(_ORDINAL.sub("", text.replace(",", " ")).split())
    for form in _DATE_FORMATS:
        try:
            return datetime.strptime(plain, form).date()  # noqa: DTZ007  only the date is kept
        except ValueError:
            continue
    try:
        return datetime.fromisoformat(plain).date()
    except ValueError:
        return None


def _same_text(found: Any, wanted: Any, steps: tuple[NormaliseStep, ...]) -> bool:
    if isinstance(found, str) and isinstance(wanted, str):
        return found == wanted or normalised(found, steps) == normalised(wanted, steps)
    return same_json(found, wanted)


def _same_number(found: Any, wanted: Any, tolerances: Tolerances) -> bool:
    if type(found) is float and type(wanted) is float:
        clear = _clearly_close(found, wanted, tolerances)
        if clear is not None:
            return clear
    target: Fraction | None = as_number(wanted)
    if target is None:
        raise CannotGradeError(f"the expected value {quoted(wanted)} is not a number")
    value = as_number(found)
    return value is not None and close(value, target, absolute=tolerances.absolute, relative=tolerances.relative)


def _clearly_close(found: float, wanted: float, tolerances: Tolerances) -> bool | None:
    """Whether two numbers are close, where that is so clear that no rounding can matter; else None.

    Numbers are compared as they are written, in decimals. A float is off from that by less than 2.3e-16 of itself, and
    so is the difference of two by less than that of the larger: a thousandth of any difference that is decided here.
    """
    if not (isfinite(found) and isfinite(wanted)):
        return None
    if found == wanted:
        return True
    apart, size = abs(found - wanted), abs(wanted)
    if apart < 1e-12 * max(abs(found), size):
        return None
    allowed = max(tolerances.absolute, tolerances.relative * size)
    if apart > 2 * allowed:
        return False
    return True if apart < allowed / 2 else None


def _same_date(found: Any, wanted: Any) -> bool:
    target = read_date(wanted)
    if target is None:
        raise CannotGradeError(f"the expected value {quoted(wanted)} is not a date; write it as 2025-01-31")
    return read_date(found) == target
