"""`choice`: the answer is one of a closed set of labels, and the right one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from snapdrift.graders.arguments import Argument
from snapdrift.graders.base import Grader
from snapdrift.graders.marks import CannotGradeError, Mark
from snapdrift.graders.values import quoted, text_of
from snapdrift.model import Case

_AROUND = " \t\r\n\"'`*_.,:;!()[]"
"""What may stand around a label in an answer: quotation marks, Markdown, a full stop."""


def _folded(label: str) -> str:
    return " ".join(label.strip(_AROUND).casefold().split())


def _distinct(labels: tuple[str, ...]) -> tuple[str, ...]:
    folded: dict[str, str] = {}
    for label in labels:
        key = _folded(label)
        if not key:
            raise ValueError(f"labels with a letter or digit in them, not {label!r}")
        if key in folded:
            raise ValueError(f"labels that differ in more than case; {folded[key]!r} and {label!r} do not")
        folded[key] = label
    if len(folded) < 2:
        raise ValueError("expected at least two labels")
    return labels


class Choice(Grader):
    """Passes when the answer names the expected label of a closed set; case and quotation marks do not matter.

    An answer that is none of the labels is wrong, and its detail says so.
    """

    family: ClassVar[str] = "choice"
    templated: ClassVar[tuple[str, ...]] = ("expected",)

    choice: Annotated[tuple[str, ...], AfterValidator(_distinct)] = Field(
        description="All labels that an answer may have."
    )
    expected: Argument = "{{ expected }}"

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels by the form in which they are compared."""
        return {_folded(label): label for label in self.choice}

    def check_case(self, case: Case) -> str | None:
        """An expected label outside the set."""
        wanted = self.rendered("expected", case)
        if _folded(text_of(wanted)) in self.labels:
            return None
        return f"the expected label {quoted(wanted)} is none of {quoted(list(self.choice))}"

    def mark(self, case: Case, value: Any) -> Mark:
        """Compares the label with the expected one."""
        problem = self.check_case(case)
        if problem is not None:
            raise CannotGradeError(problem)
        wanted = self.labels[_folded(text_of(self.rendered("expected", case)))]
        found = self.labels.get(_folded(text_of(value)))
        if found is None:
            return Mark.of(passed=False, detail=f"outside the set: {quoted(value)} is none of the labels")
        return Mark.of(found == wanted, "" if found == wanted else f"expected {quoted(wanted)}, found {quoted(found)}")
