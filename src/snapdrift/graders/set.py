"""`set`: the members of a list that the answer gives, against those that are expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from snapdrift.graders.arguments import Argument, Share
from snapdrift.graders.base import Grader
from snapdrift.graders.exact import Normalise
from snapdrift.graders.extract import Extraction, RegexStep
from snapdrift.graders.json_text import read_json
from snapdrift.graders.marks import CannotGradeError, InvalidJsonError, Mark, NotExtractedError
from snapdrift.graders.normalise import normalised
from snapdrift.graders.scoring import EVIDENCE_LIMIT
from snapdrift.graders.values import quoted, text_of
from snapdrift.model import Case, MetricSpec, NormaliseStep, Response, ScoreKind

_NAMED = 10
"""Members that a detail names of each kind; the evidence has more."""


class SetMeasure(StrEnum):
    """What is asked of the two sets. The first two pass or fail, the others are shares."""

    EQUAL = "equal"
    SUBSET_OF = "subset_of"
    RECALL_OF = "recall_of"
    F1 = "f1"

    @property
    def graded(self) -> bool:
        """Whether it is a share between 0 and 1."""
        return self in (SetMeasure.RECALL_OF, SetMeasure.F1)


class NoneFound(StrEnum):
    """What an answer counts as in which no member is found."""

    UNEXTRACTED = "unextracted"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two sets compared: members of both, those that are missing, and those that are found but not expected."""

    common: int
    missing: tuple[str, ...]
    invented: tuple[str, ...]

    @classmethod
    def of(cls, found: Sequence[str], expected: Sequence[str]) -> Overlap:
        """The overlap of two lists without duplicates."""
        wanted, given = set(expected), set(found)
        return cls(
            len(wanted & given),
            tuple(item for item in expected if item not in given),
            tuple(item for item in found if item not in wanted),
        )

    @property
    def recall(self) -> float:
        """The share of the expected members that were found; 1 where none was expected."""
        expected = self.common + len(self.missing)
        return self.common / expected if expected else 1.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall, `2c / (2c + missing + invented)`; 1 where both sets are empty.

        So an empty set where none was expected is right, and any member wrong, as in SQuAD 2.0 (Rajpurkar et al.
        2018, evaluation script).
        """
        both = 2 * self.common + len(self.missing) + len(self.invented)
        return 2 * self.common / both if both else 1.0


class SetGrader(Grader):
    """Compares the members of the extracted list with those of `set`; order and duplicates do not count.

    `measure` says how: `equal` (the same members), `subset_of` (none but expected ones), `recall_of` (the share of the
    expected ones that were found) or `f1` (that and the share of the found ones that were expected, in one). The first
    two pass or fail, the others are graded and pass from `at_least`. The list is one that `extract` yields, a JSON
    list, or text that is `split`. The detail names members that are missing or invented.

    Where no member is expected, the empty set alone passes `equal`, `subset_of` and `f1`, and any set `recall_of`.
    """

    family: ClassVar[str] = "set"
    judges_values: ClassVar[bool] = True
    templated: ClassVar[tuple[str, ...]] = ("members",)
    unscored: ClassVar[str] = (
        "Unextracted: an answer without a list, and one in which `all: true` or `split` finds no member unless "
        "`none_found: empty` makes that the empty set (a JSON `[]` always is one). An expected value that is no list "
        "is a mistake that `check` finds, and so is an empty one where no answer could count as empty."
    )
    examples: ClassVar[tuple[str, ...]] = (
        """\
answer: Parcels are insured up to 500 EUR [d2]. Claims take two weeks [d5], or less [d2].
expected: {docs: [d2, d5]}
grader:
  name: citations
  set: "{{ expected.docs }}"
  measure: f1
  at_least: 0.8
  extract: {regex: '\\[(d\\d+)\\]', all: true}
  none_found: empty          # an answer that cites nothing has an F1 of 0, or of 1 where nothing was to be cited
""",
        """\
answer: '{"labels": ["billing", "refund", "refund"]}'
grader: {name: labels, set: [Refund, Billing], normalise: [strip, casefold], extract: {json: labels}}
""",
        """\
answer: red, green, mauve
passes: false
grader: {name: palette, set: [red, green, blue], measure: subset_of, split: ","}
""",
    )

    members: Argument = Field(alias="set", description="The expected members: a list, or text that `split` divides.")
    measure: SetMeasure = Field(
        default=SetMeasure.EQUAL, description="What is asked: `equal`, `subset_of`, `recall_of` or `f1`."
    )
    at_least: Share | None = Field(
        default=None, description="For `recall_of` and `f1`: the share from which it passes; 1 by default."
    )
    split: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="What stands between the members of a list that is text, such as `,`."
    )
    none_found: NoneFound = Field(
        default=NoneFound.UNEXTRACTED,
        description="Where `all: true` or `split` finds no member: `unextracted`, or `empty` for the empty set.",
    )
    normalise: Normalise = Field(
        default=(NormaliseStep.STRIP,), description="How members are made alike first: a step or a list of them."
    )

    @model_validator(mode="after")
    def _settings_fit_each_other(self) -> Self:
        if self.at_least is not None and not self.measure.graded:
            raise ValueError(f"`at_least` only with `measure: recall_of` or `f1`; {self.measure.value} passes or fails")
        if self.none_found is NoneFound.EMPTY and self.split is None and self._first_of_all is None:
            raise ValueError("`none_found: empty` only with `split`, or with an `extract` by `{regex: ..., all: true}`")
        return self

    @property
    def _first_of_all(self) -> int | None:
        """The number of the first way to extract that takes all matches."""
        steps = enumerate(self.extract)
        return next((number for number, step in steps if isinstance(step, RegexStep) and step.all), None)

    @cached_property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """One metric, of the kind that the measure is."""
        return (self._metric(self.name, ScoreKind.GRADED if self.measure.graded else ScoreKind.PASS_FAIL),)

    def check_case(self, case: Case) -> str | None:
        """An expected value that is no list, or an empty one that no answer could be equal to."""
        try:
            expected = self._expected(case)
        except CannotGradeError as error:
            return str(error)
        found_by_match = self.split is not None or all(isinstance(step, RegexStep) for step in self.extract)
        if not expected and found_by_match and self.none_found is NoneFound.UNEXTRACTED:
            return "no member is expected, and an answer without any is unextracted; say `none_found: empty`"
        return None

    def _expected(self, case: Case) -> tuple[str, ...]:
        wanted = self.rendered("members", case)
        if isinstance(wanted, str) and self.split is not None:
            wanted = wanted.split(self.split)
        if isinstance(wanted, list):
            return self._distinct(wanted)
        hint = "" if self.split is not None else "; `split` says what stands between the members of a text"
        raise CannotGradeError(f"the expected value {quoted(wanted)} is not a list{hint}")

    def _distinct(self, items: Sequence[Any]) -> tuple[str, ...]:
        """The members once each, as they are compared; of a text that is split, empty ones are none."""
        texts = dict.fromkeys(text_of(item) for item in items)
        members = dict.fromkeys(normalised(text, self.normalise) for text in texts)
        return tuple(member for member in members if member or self.split is None)

    def value_in(self, response: Response) -> Extraction:
        """The list, empty where nothing matches and that counts as the empty set."""
        try:
            return super().value_in(response)
        except NotExtractedError:
            if self.none_found is NoneFound.EMPTY and self._first_of_all is not None:
                return Extraction([], self._first_of_all)
            raise

    def mark(self, case: Case, value: Any) -> Mark:
        """Compares the two sets."""
        expected = self._expected(case)
        overlap = Overlap.of(self._found(value), expected)
        told = {"missing": overlap.missing, "invented": overlap.invented}
        told.pop({SetMeasure.SUBSET_OF: "missing", SetMeasure.RECALL_OF: "invented"}.get(self.measure, ""), None)
        detail = "; ".join(filter(None, (_told(word, items) for word, items in told.items())))
        evidence = tuple(f"{word} {quoted(item)}" for word, items in told.items() for item in items[:EVIDENCE_LIMIT])
        if self.measure is SetMeasure.EQUAL:
            return Mark.of(not (overlap.missing or overlap.invented), detail, evidence)
        if self.measure is SetMeasure.SUBSET_OF:
            return Mark.of(not overlap.invented, detail, evidence)
        share = overlap.f1 if self.measure is SetMeasure.F1 else overlap.recall
        least = 1.0 if self.at_least is None else self.at_least
        detail = f"{self.measure.value} {share:.3g}: {detail}" if detail else ""
        return Mark.graded(share, passed=share >= least, detail=detail, evidence=evidence)

    def _found(self, value: Any) -> tuple[str, ...]:
        if isinstance(value, str):
            value = self._read(value)
        if not isinstance(value, list):
            raise NotExtractedError(f"{quoted(value)} is not a list")
        members = self._distinct(value)
        if not members and self.split is not None and self.none_found is NoneFound.UNEXTRACTED and value:
            raise NotExtractedError("the answer has no member")
        return members

    def _read(self, text: str) -> Any:
        if self.split is not None:
            return text.split(self.split)
        try:
            return read_json(text)
        except InvalidJsonError as error:
            raise InvalidJsonError(
                f"the answer is no JSON list ({error}); `split`, or `extract` by a path or by `all: true`, reads others"
            ) from None


def _told(word: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    more = f" and {len(items) - _NAMED:,} more" if len(items) > _NAMED else ""
    return f"{word} {', '.join(quoted(item) for item in items[:_NAMED])}{more}"
