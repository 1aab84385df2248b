"""`choice`: the answer is one of a closed set of labels, and the right one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from snapdrift.graders.arguments import Argument
from snapdrift.graders.base import Grader
from snapdrift.graders.marks import CannotGradeError, Mark
from snapdrift.graders.values import quoted, text_of
from snapdrift.model import Case, MetricSpec

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

    An answer that is none of the labels is wrong, and its detail says so. The report has, for each variant, which
    labels were taken for which, precision, recall and F1 of each label, and macro-F1.
    """

    family: ClassVar[str] = "choice"
    templated: ClassVar[tuple[str, ...]] = ("expected",)
    unscored: ClassVar[str] = (
        "An answer that names none of the labels is wrong, not unextracted. An expected label outside the set "
        "is a grader error."
    )
    examples: ClassVar[tuple[str, ...]] = (
        """\
answer: "**Sales**"
expected: sales
grader: {name: intent, choice: [sales, support, other], expected: "{{ expected }}"}
""",
        """\
answer: I would say sales.
expected: sales
grader: {name: intent, choice: [sales, support, other]}
passes: false
""",
    )

    choice: Annotated[tuple[str, ...], AfterValidator(_distinct)] = Field(
        description="All labels that an answer may have."
    )
    expected: Argument = Field(default="{{ expected }}", description="The right label, mostly a template.")

    @cached_property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """One metric, which knows the labels."""
        return (replace(self._metric(self.name, self.kind), labels=self.choice),)

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """The labels by the form in which they are compared."""
        return {_folded(label): label for label in self.choice}

    def facts_of(self, case: Case) -> Mapping[str, Any]:
        """The expected label, and that none was found."""
        return {"expected": self._wanted(case), "found": None}

    def _wanted(self, case: Case) -> str:
        """The expected label. Raises `CannotGradeError` where it is outside the set."""
        wanted = self.rendered("expected", case)
        label = self.labels.get(_folded(text_of(wanted)))
        if label is None:
            raise CannotGradeError(f"the expected label {quoted(wanted)} is none of {quoted(list(self.choice))}")
        return label

    def check_case(self, case: Case) -> str | None:
        """An expected label outside the set."""
        try:
            self._wanted(case)
        except CannotGradeError as error:
            return str(error)
        return None

    def mark(self, case: Case, value: Any) -> Mark:
        """Compares the label with the expected one."""
        wanted = self._wanted(case)
        found = self.labels.get(_folded(text_of(value)))
        facts = {"expected": wanted, "found": found}
        if found is None:
            why = f"outside the set: {quoted(value)} is none of the labels"
        else:
            why = "" if found == wanted else f"expected {quoted(wanted)}, found {quoted(found)}"
        return replace(Mark.of(found == wanted, why), facts=facts)
