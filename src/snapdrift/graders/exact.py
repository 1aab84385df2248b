"""`exact`: the answer is the expected text, or one of several."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from snapdrift.graders.arguments import Argument, one_or_more
from snapdrift.graders.base import Grader
from snapdrift.graders.marks import Mark
from snapdrift.graders.normalise import normalised
from snapdrift.graders.values import quoted, text_of
from snapdrift.model import Case, NormaliseStep

Normalise = Annotated[
    tuple[NormaliseStep, ...],
    BeforeValidator(one_or_more, json_schema_input_type=NormaliseStep | list[NormaliseStep]),
]


class Exact(Grader):
    """Passes when the extracted value equals `exact` as text; a list means any of them.

    Values that are not text are compared as compact JSON, so the number 18 equals the text `18`.
    """

    family: ClassVar[str] = "exact"
    templated: ClassVar[tuple[str, ...]] = ("exact",)
    unscored: ClassVar[str] = (
        "Nothing beyond what holds for every family; an empty answer is a text, and wrong where another is expected."
    )
    examples: ClassVar[tuple[str, ...]] = (
        """\
answer: "Billing."
expected: {queue: billing}
grader: {name: queue, exact: "{{ expected.queue }}", normalise: [casefold, punctuation]}
""",
        """\
answer: '{"paid": true, "lines": 3}'
grader: {name: paid, exact: [true, "yes"], extract: {json: paid}}
""",
        """\
answer: "The answer is Paris."
grader: {name: capital, exact: Paris}
passes: false
""",
    )

    exact: Argument = Field(description="What the answer must be, or a list of which it must be one.")
    normalise: Normalise = Field(
        default=(NormaliseStep.STRIP,), description="Steps that both texts go through first, until nothing changes."
    )

    def mark(self, case: Case, value: Any) -> Mark:
        """Compares the two texts after normalisation."""
        wanted = self.rendered("exact", case)
        options = wanted if isinstance(wanted, list) else [wanted]
        text = text_of(value)
        texts = [text_of(option) for option in options]
        if text in texts or self._normalised(text) in map(self._normalised, texts):
            return Mark.of(passed=True)
        expected = " or ".join(quoted(option) for option in options[:5]) or "one of no options"
        return Mark.of(passed=False, detail=f"expected {expected}, found {quoted(value)}")

    def _normalised(self, text: str) -> str:
        return normalised(text, self.normalise)
