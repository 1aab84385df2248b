"""`regex`: a pattern that the answer must match."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, StrictBool

from snapdrift.graders.base import Grader
from snapdrift.graders.expected import is_template
from snapdrift.graders.marks import CannotGradeError, Mark
from snapdrift.graders.patterns import compiled, first_match, matches_whole
from snapdrift.graders.values import quoted, text_of
from snapdrift.model import Case


def _checked(pattern: str) -> str:
    if not is_template(pattern):
        compiled(pattern)
    return pattern


class Regex(Grader):
    """Passes when the pattern is found in the extracted text, or with `full` matches all of it.

    Patterns are those of the `regex` module; matching is bounded in time, and running out of it is a grader error.
    """

    family: ClassVar[str] = "regex"
    templated: ClassVar[tuple[str, ...]] = ("regex",)
    unscored: ClassVar[str] = "A pattern that takes more than a second on an answer is a grader error."
    examples: ClassVar[tuple[str, ...]] = (
        """\
answer: "Ticket TK-2024-0117 was opened."
grader: {name: ticket_id, regex: 'TK-\\d{4}-\\d{4}'}
""",
        """\
answer: "Ticket TK-2024-0117 was opened."
grader: {name: only_the_id, regex: 'TK-\\d{4}-\\d{4}', full: true}
passes: false
""",
    )

    regex: Annotated[str, AfterValidator(_checked)] = Field(description="The pattern; `(?i)` ignores case.")
    full: StrictBool = Field(default=False, description="The pattern has to match all of the text.")

    def check_case(self, case: Case) -> str | None:
        """A rendered pattern that is none."""
        pattern = self.rendered("regex", case)
        try:
            compiled(str(pattern))
        except ValueError as error:
            return f"{quoted(pattern)} is no pattern: {error}"
        return None

    def mark(self, case: Case, value: Any) -> Mark:
        """Looks for the pattern."""
        try:
            pattern = compiled(str(self.rendered("regex", case)))
        except ValueError as error:
            raise CannotGradeError(str(error)) from None
        text = text_of(value)
        found = matches_whole(pattern, text) if self.full else first_match(pattern, text) is not None
        manner = "match as a whole" if self.full else "match"
        return Mark.of(found, "" if found else f"{quoted(value)} does not {manner} {quoted(pattern.pattern)}")
