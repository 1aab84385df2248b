"""`date`: the first date of the answer is the expected one, or near it."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, ClassVar

from pydantic import Field, Strict

from snapdrift.graders.arguments import Argument
from snapdrift.graders.base import Grader
from snapdrift.graders.calendar_dates import DayOrder, first_date
from snapdrift.graders.marks import CannotGradeError, Mark, NotExtractedError, case_problem
from snapdrift.graders.values import quoted
from snapdrift.model import Case


class Date(Grader):
    """Passes when the first date in the extracted text is the expected one, or at most `within` days from it.

    Dates are read with the year first (`2025-01-31`, `2025/1/31`, `20250131`), with an English month (`31 January
    2025`, `Jan 31st, 2025`), or as three numbers with the year last (`31/01/2025`). Where those could be two dates
    (`03/04/2025`) they are read only if `order` says how.
    """

    family: ClassVar[str] = "date"
    templated: ClassVar[tuple[str, ...]] = ("date",)
    unscored: ClassVar[str] = (
        "Unextracted: a text without a date, or whose first date does not exist (30 February) or could be two "
        "(`03/04/2025` without `order`). An expected value that cannot be read is a mistake that `check` finds."
    )
    examples: ClassVar[tuple[str, ...]] = (
        """\
answer: The invoice is due on 31 January 2025.
expected: {due: 2025-01-31}
grader: {name: due, date: "{{ expected.due }}"}
""",
        """\
answer: '{"arrives": "03/04/2025"}'
expected: {arrives: 2025-04-02}
grader: {name: arrives, date: "{{ expected.arrives }}", order: day_first, within: 1, extract: {json: arrives}}
""",
    )

    date: Argument = Field(description="The expected date, in any form that is read in an answer.")
    order: DayOrder | None = Field(
        default=None, description="How `03/04/2025` is read: `day_first` or `month_first`; by default it is not."
    )
    within: Annotated[int, Strict(), Field(ge=0)] = Field(default=0, description="Days that it may be off, either way.")

    def check_case(self, case: Case) -> str | None:
        """An expected value that is no date."""
        return case_problem(self._expected, case)

    def _expected(self, case: Case) -> datetime.date:
        wanted = self.rendered("date", case)
        target = first_date(wanted, self.order) if isinstance(wanted, str) else None
        if isinstance(target, datetime.date):
            return target
        raise CannotGradeError(f"the expected value {quoted(wanted)} is not one date; write it as 2025-01-31")

    def mark(self, case: Case, value: Any) -> Mark:
        """Compares the two dates."""
        target = self._expected(case)
        found = first_date(value, self.order) if isinstance(value, str) else None
        if found is None:
            raise NotExtractedError(f"no date in {quoted(value)}")
        if isinstance(found, str):
            raise NotExtractedError(f"{quoted(found)} is not one date of the calendar" + self._hint(found))
        days = (found - target).days
        if abs(days) <= self.within:
            return Mark.of(passed=True, detail=f"{_off(days)}" if days else "")
        return Mark.of(passed=False, detail=f"expected {target}, found {found}, {_off(days)}")

    def _hint(self, found: str) -> str:
        ambiguous = self.order is None and not isinstance(first_date(found, DayOrder.DAY_FIRST), str)
        return "; `order: day_first` or `month_first` says how it is read" if ambiguous else ""


def _off(days: int) -> str:
    return f"{abs(days):,} day{'' if abs(days) == 1 else 's'} {'later' if days > 0 else 'earlier'}"
