"""`duration`: the first length of time in the answer is the expected one, or near it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, ClassVar

from pydantic import Field

from snapdrift.graders.arguments import Argument, Tolerance
from snapdrift.graders.base import Grader
from snapdrift.graders.lengths_of_time import Clock, Unit, first_duration
from snapdrift.graders.marks import CannotGradeError, Mark, NotExtractedError, case_problem
from snapdrift.graders.numerals import as_number, written
from snapdrift.graders.values import quoted, text_of
from snapdrift.model import Case


class Duration(Grader):
    """Passes when the first length of time in the extracted text is the expected one, or at most `within` seconds off.

    It is read from weeks down to milliseconds (`2 h 30 min`, `90 minutes`, `an hour and a half`, `twenty-five
    minutes`), as a clock (`1:30:00`) and as ISO 8601 (`PT1H30M`). `1:30` is read only if `clock` says how, a number
    without a unit only if `number_unit` does. Months, years, negative lengths and ranges (`2 to 3 hours`) are not read.
    """

    family: ClassVar[str] = "duration"
    templated: ClassVar[tuple[str, ...]] = ("duration",)
    unscored: ClassVar[str] = (
        "Unextracted: a text without a length of time, or whose first one is no single length (`1:30` without `clock`, "
        "`2 to 3 hours`, `1h30`). An expected value that cannot be read is a mistake that `check` finds."
    )
    examples: ClassVar[tuple[str, ...]] = (
        """\
answer: The journey takes 2 hours and 30 minutes.
expected: {takes: PT2H30M}
grader: {name: takes, duration: "{{ expected.takes }}"}
""",
        """\
answer: '{"minutes": 88}'
expected: 1:30:00
grader: {name: length, duration: "{{ expected }}", number_unit: minutes, within: 120, extract: {json: minutes}}
""",
    )

    duration: Argument = Field(description="The expected length of time, in any form that is read in an answer.")
    within: Tolerance = Field(default=0.0, description="Seconds that it may be off, either way.")
    clock: Clock | None = Field(
        default=None,
        description="How `1:30` is read: `hours` (and minutes) or `minutes` (and seconds); by default it is not.",
    )
    number_unit: Unit | None = Field(
        default=None, description="What a number without a unit counts: milliseconds, seconds, minutes, hours or days."
    )

    def check_case(self, case: Case) -> str | None:
        """An expected value that is no length of time."""
        return case_problem(self._expected, case)

    def _expected(self, case: Case) -> Fraction:
        wanted = self.rendered("duration", case)
        target = self._read(wanted)
        if isinstance(target, Fraction):
            return target
        raise CannotGradeError(
            f"the expected value {quoted(wanted)} is not one length of time; write it as `2 h 30 min` or PT2H30M"
        )

    def _read(self, value: Any) -> Fraction | str | None:
        number = None if isinstance(value, str) else as_number(value)
        if number is not None and number >= 0:
            value = str(float(number)) if number.denominator != 1 else str(number)
        return first_duration(value, clock=self.clock, unit=self.number_unit) if isinstance(value, str) else None

    def mark(self, case: Case, value: Any) -> Mark:
        """Compares the two lengths."""
        target = self._expected(case)
        found = self._read(value)
        if isinstance(found, str):
            raise NotExtractedError(f"{quoted(found)} cannot be read as one length of time" + self._hint(found))
        if found is None:
            raise NotExtractedError(f"no length of time in {quoted(value)}")
        off = found - target
        if abs(off) <= Fraction(repr(self.within)):
            return Mark.of(passed=True, detail=f"{_off(off)}" if off else "")
        expected = quoted(text_of(self.rendered("duration", case)))
        return Mark.of(passed=False, detail=f"expected {expected}, found {quoted(value)}, {_off(off)}")

    def _hint(self, found: str) -> str:
        ambiguous = self.clock is None and isinstance(first_duration(found, clock=Clock.HOURS), Fraction)
        return "; `clock: hours` or `minutes` says how it is read" if ambiguous else ""


def _off(seconds: Fraction) -> str:
    return f"{written(abs(seconds))} s {'longer' if seconds > 0 else 'shorter'}"
