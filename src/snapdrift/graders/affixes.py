"""`starts_with` and `ends_with`: how an answer begins and ends."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from snapdrift.graders.arguments import Argument
from snapdrift.graders.base import Grader
from snapdrift.graders.exact import Normalise
from snapdrift.graders.marks import CannotGradeError, Mark, case_problem
from snapdrift.graders.normalise import normalised
from snapdrift.graders.values import quoted, text_of
from snapdrift.model import Case, NormaliseStep

_SHOWN = 100
"""Characters of the answer's end or beginning that a detail shows."""


class _Affix(Grader):
    """What the two families share: options, of which one has to hold."""

    normalise: Normalise = Field(
        default=(NormaliseStep.STRIP,),
        description="How both texts are made alike first: a step or a list of them.",
    )

    def check_case(self, case: Case) -> str | None:
        """A text without characters, which every answer begins and ends with."""
        return case_problem(self._options, case)

    def _options(self, case: Case) -> list[str]:
        wanted = self.rendered(self.family, case)
        options = [
            normalised(text_of(item), self.normalise) for item in (wanted if isinstance(wanted, list) else [wanted])
        ]
        if not options or not all(options):
            raise CannotGradeError(f"{quoted(wanted)} has no text, or an empty one, which any answer would satisfy")
        return options

    def _mark(self, options: list[str], *, holds: bool, shown: str) -> Mark:
        if holds:
            return Mark.of(passed=True)
        verb = "begin" if isinstance(self, StartsWith) else "end"
        expected = " or ".join(quoted(option) for option in options[:5])
        return Mark.of(passed=False, detail=f"expected it to {verb} with {expected}, it {verb}s with {quoted(shown)}")


class StartsWith(_Affix):
    """Passes when the extracted text begins with `starts_with`; a list means any of them."""

    family: ClassVar[str] = "starts_with"
    templated: ClassVar[tuple[str, ...]] = ("starts_with",)
    unscored: ClassVar[str] = "Nothing is unextracted. An empty text to begin with is a mistake that `check` finds."
    examples: ClassVar[tuple[str, ...]] = (
        """\
answer: "Dear Ms Okafor,\\nyour parcel is on its way."
customer: Okafor
grader: {name: salutation, starts_with: ["Dear Ms {{ customer }}", "Dear Mr {{ customer }}"]}
""",
        """\
answer: Sure! Here is the summary you asked for.
passes: false
grader: {name: no_filler, starts_with: [sure, certainly, of course], normalise: [strip, casefold], not: true}
""",
    )

    starts_with: Argument = Field(description="The text it must begin with, or a list of which one must hold.")

    def mark(self, case: Case, value: Any) -> Mark:
        """Compares the beginnings after normalisation."""
        options = self._options(case)
        text = normalised(text_of(value), self.normalise)
        return self._mark(options, holds=text.startswith(tuple(options)), shown=text[:_SHOWN])


class EndsWith(_Affix):
    """Passes when the extracted text ends with `ends_with`; a list means any of them."""

    family: ClassVar[str] = "ends_with"
    templated: ClassVar[tuple[str, ...]] = ("ends_with",)
    unscored: ClassVar[str] = "Nothing is unextracted. An empty text to end with is a mistake that `check` finds."
    examples: ClassVar[tuple[str, ...]] = (
        """\
answer: |
  The refund was sent today.
  Your Parcel Team
grader: {name: signed, ends_with: Your Parcel Team}
""",
    )

    ends_with: Argument = Field(description="The text it must end with, or a list of which one must hold.")

    def mark(self, case: Case, value: Any) -> Mark:
        """Compares the ends after normalisation."""
        options = self._options(case)
        text = normalised(text_of(value), self.normalise)
        return self._mark(options, holds=text.endswith(tuple(options)), shown=text[-_SHOWN:])
