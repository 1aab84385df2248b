"""`contains`: texts that must, may or must not occur in the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from snapdrift.graders.arguments import one_or_more, plain_json
from snapdrift.graders.base import Grader
from snapdrift.graders.exact import Normalise
from snapdrift.graders.marks import CannotGradeError, Mark
from snapdrift.graders.normalise import normalised
from snapdrift.graders.values import quoted, text_of
from snapdrift.model import Case

Texts = Annotated[
    tuple[Any, ...],
    AfterValidator(plain_json),
    AfterValidator(tuple),
    BeforeValidator(one_or_more, json_schema_input_type=str | list[str]),
]


class Occurrences(BaseModel):
    """`{all: [...], any: [...], none: [...]}`; at least one of them has something in it."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True)

    every: Texts = Field(default=(), alias="all")
    some: Texts = Field(default=(), alias="any")
    none: Texts = ()

    @model_validator(mode="after")
    def _asks_for_something(self) -> Occurrences:
        if not (self.every or self.some or self.none):
            raise ValueError("texts to look for under `all`, `any` or `none`")
        return self


def _as_occurrences(value: Any) -> Any:
    return {"all": value} if isinstance(value, str | list) else value


class Contains(Grader):
    """Passes when `all` of the texts, at least one of `any` and nothing of `none` occur in the extracted text."""

    family: ClassVar[str] = "contains"
    templated: ClassVar[tuple[str, ...]] = ("contains",)
    unscored: ClassVar[str] = "A text to look for that is empty once rendered and normalised is a grader error."
    examples: ClassVar[tuple[str, ...]] = (
        """\
answer: Your refund of 20 EUR arrives within 5 days.
grader: {name: mentions, contains: {all: [refund], any: [days, weeks], none: [sorry]}}
""",
    )

    contains: Annotated[
        Occurrences, BeforeValidator(_as_occurrences, json_schema_input_type=str | list[str] | Occurrences)
    ] = Field(description="A text or a list (all of them), or `{all, any, none}`.")
    normalise: Normalise = Field(default=(), description="Steps that the answer and the texts go through first.")

    def argument(self, attribute: str) -> Any:
        """`contains` as it stands in the entry."""
        value = getattr(self, attribute)
        return value.model_dump(by_alias=True) if isinstance(value, Occurrences) else value

    def mark(self, case: Case, value: Any) -> Mark:
        """Looks for each text, after normalisation of both sides."""
        wanted: Mapping[str, list[Any]] = self.rendered("contains", case)
        text = normalised(text_of(value), self.normalise)
        # A template may stand for one text or for a list of them.
        every, some, none = (_flat(wanted[key]) for key in ("all", "any", "none"))
        missing = [item for item in every if not self._occurs(item, text)]
        unwanted = [item for item in none if self._occurs(item, text)]
        reasons = [f"missing {quoted(item)}" for item in missing]
        reasons += [f"must not contain {quoted(item)}" for item in unwanted]
        if wanted["any"] and not any(self._occurs(item, text) for item in some):
            reasons.append(f"none of {quoted(some)} occurs")
        return Mark.of(not reasons, "; ".join(reasons[:5]), tuple(reasons))

    def _occurs(self, item: Any, text: str) -> bool:
        needle = normalised(text_of(item), self.normalise)
        if not needle:
            raise CannotGradeError(f"the text to look for, {quoted(item)}, is empty: it would occur everywhere")
        return needle in text


def _flat(items: list[Any]) -> list[Any]:
    return [part for item in items for part in (item if isinstance(item, list) else [item])]
