"""`number`: the first number of the answer equals the expected one, within a tolerance."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, ClassVar, Literal

from pydantic import Field, StrictBool

from snapdrift.graders.arguments import Argument, Tolerance
from snapdrift.graders.base import Grader
from snapdrift.graders.marks import CannotGradeError, Mark, NotExtractedError
from snapdrift.graders.numerals import as_number, close
from snapdrift.graders.values import quoted
from snapdrift.model import Case


class Number(Grader):
    """Passes when the numbers are equal, or differ by at most `absolute` or `relative` times the expected one.

    Text may have currency signs, thousands marks, fractions and exponents around and in its first number. A text
    without a number could not be extracted.
    """

    family: ClassVar[str] = "number"
    templated: ClassVar[tuple[str, ...]] = ("number",)
    unscored: ClassVar[str] = (
        "A text without a number counts as not extracted. An expected value that is no number is a grader error."
    )
    examples: ClassVar[tuple[str, ...]] = (
        """\
answer: 'So it costs {"answer": "$1,234.50"}'
expected: 1234.5
grader: {name: total, number: "{{ expected }}", absolute: 0.005, extract: {json: answer, mode: first_object}}
""",
        """\
answer: About 48,5 % of them, I think.
grader: {name: share, number: 0.5, percent: true, decimal: ",", relative: 0.05}
""",
        """\
answer: There is none.
expected: 3
grader: {name: count, number: "{{ expected }}"}
passes: false
""",
    )

    number: Argument = Field(description="The expected number, or text that has it.")
    absolute: Tolerance = Field(default=0.0, description="How far the numbers may be apart.")
    relative: Tolerance = Field(default=0.0, description="The same as a share of the expected one; the larger counts.")
    percent: StrictBool = Field(default=False, description="Read `50%` as 0.5 instead of 50.")
    decimal: Literal[".", ","] = Field(default=".", description="The decimal mark; the other one marks thousands.")

    def check_case(self, case: Case) -> str | None:
        """An expected value that is no number."""
        wanted = self.rendered("number", case)
        return None if self._read(wanted) is not None else f"the expected value {quoted(wanted)} is not a number"

    def mark(self, case: Case, value: Any) -> Mark:
        """Compares the two numbers."""
        wanted = self.rendered("number", case)
        target = self._read(wanted)
        if target is None:
            raise CannotGradeError(f"the expected value {quoted(wanted)} is not a number")
        found = self._read(value)
        if found is None:
            raise NotExtractedError(f"no readable number in {quoted(value)}")
        if close(found, target, absolute=self.absolute, relative=self.relative):
            return Mark.of(passed=True)
        return Mark.of(passed=False, detail=f"expected {quoted(wanted)}, found {quoted(value)}")

    def _read(self, value: Any) -> Fraction | None:
        return as_number(value, percent=self.percent, decimal=self.decimal)
