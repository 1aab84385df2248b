"""`similarity`: how alike the answer and an expected text are, by a named measure."""

from __future__ import annotations

import importlib.util
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from snapdrift.graders.arguments import Argument, Share
from snapdrift.graders.base import Grader
from snapdrift.graders.exact import Normalise
from snapdrift.graders.marks import CannotGradeError, Mark, case_problem
from snapdrift.graders.normalise import normalised
from snapdrift.graders.text_measures import Measure, similarity
from snapdrift.graders.values import quoted, text_of
from snapdrift.model import Case, NormaliseStep, ScoreKind


def _can_be_measured(measure: Measure) -> Measure:
    if measure is Measure.BLEU and not _installed("sacrebleu"):
        raise ValueError("a measure that can be computed here; `bleu` needs sacrebleu: pip install 'snapdrift[bleu]'")
    return measure


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ValueError:  # it is in sys.modules without a spec
        return False


class Similarity(Grader):
    """How alike the extracted text and an expected one are, from 0 to 1; of several expected texts the nearest counts.

    It passes from `at_least`. The measures: `edit` (1 less the Levenshtein distance over the longer length),
    `token_f1` (words in common, as SQuAD normalises them), `rouge_1` to `rouge_5` and `rouge_l` (F-measures; Lin 2004),
    `gleu` (Wu et al. 2016) and `bleu` (as sacrebleu computes it, which has to be installed). Words are runs of letters
    and digits in any case, and are not stemmed; `gleu` and `bleu` heed case and punctuation.
    """

    family: ClassVar[str] = "similarity"
    kind: ClassVar[ScoreKind] = ScoreKind.GRADED
    templated: ClassVar[tuple[str, ...]] = ("similarity",)
    unscored: ClassVar[str] = (
        "Nothing is unextracted: an empty answer is alike only to an empty text. A grader error: for `edit` and "
        "`rouge_l`, an answer and an expected text whose lengths multiply to more than 10,000,000,000 (a million "
        "characters against ten thousand are compared); an expected value without a text."
    )
    examples: ClassVar[tuple[str, ...]] = (
        """\
answer: The parcel was lost, so we refund the full price.
expected: We refund the full price because the parcel was lost.
grader: {name: close, similarity: "{{ expected }}", measure: token_f1, at_least: 0.8}
""",
        """\
answer: ISO-9001 certfied
grader: {name: near, similarity: [ISO 9001 certified, certified by ISO 9001], measure: edit, at_least: 0.85}
""",
    )

    similarity: Argument = Field(description="The expected text, or a list of texts of which the nearest counts.")
    measure: Annotated[Measure, AfterValidator(_can_be_measured)] = Field(description="How likeness is measured.")
    at_least: Share = Field(default=1.0, description="The value from which it passes; by default only 1 does.")
    normalise: Normalise = Field(
        default=(NormaliseStep.STRIP,),
        description="How both texts are made alike before they are measured: a step or a list of them.",
    )

    def check_case(self, case: Case) -> str | None:
        """A list without a text to compare with."""
        return case_problem(self._options, case)

    def _options(self, case: Case) -> list[str]:
        wanted = self.rendered("similarity", case)
        options = [text_of(item) for item in (wanted if isinstance(wanted, list) else [wanted])]
        if not options or wanted is None:
            raise CannotGradeError(f"the expected value {quoted(wanted)} has no text to compare with")
        return options

    def mark(self, case: Case, value: Any) -> Mark:
        """Measures, and keeps the best."""
        text = normalised(text_of(value), self.normalise)
        measured = [
            (similarity(self.measure, text, normalised(option, self.normalise)), option)
            for option in self._options(case)
        ]
        best, option = max(measured, key=lambda pair: pair[0])
        passed = best >= self.at_least
        detail = (
            ""
            if passed
            else f"{self.measure.value} {best:.3g} with {quoted(option)}, at least {self.at_least:g} asked for"
        )
        return Mark.graded(best, passed=passed, detail=detail)
