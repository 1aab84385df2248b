"""The `extract:` step: how the value that is graded is found in an answer.

One step, or a list of alternatives of which the first that yields a value wins. Every grader shares it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    StrictInt,
    Tag,
    model_validator,
)

from snapdrift.graders.arguments import not_empty
from snapdrift.graders.json_text import JsonMode, read_json, unfenced
from snapdrift.graders.marks import InvalidJsonError, NotExtractedError
from snapdrift.graders.paths import ABSENT, look_up, parse_path
from snapdrift.graders.patterns import compiled, first_match, matches
from snapdrift.suites.wording import listed, nearest, quoted


class TextStep(StrEnum):
    """Steps without settings. `whole_text` is what happens where nothing is said, `fenced` takes one code fence off."""

    WHOLE_TEXT = "whole_text"
    FIRST_LINE = "first_line"
    LAST_LINE = "last_line"
    FENCED = "fenced"


def _checked_path(text: str) -> str:
    parse_path(text)
    return text


def _checked_pattern(text: str) -> str:
    compiled(text)
    return text


PathText = Annotated[str, AfterValidator(_checked_path)]
PatternText = Annotated[str, AfterValidator(_checked_pattern)]


class JsonStep(BaseModel):
    """`{json: PATH, mode: strict | fenced | first_object}`: the value at a path of the JSON in the answer."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True)

    path: PathText = Field(alias="json")
    mode: JsonMode = JsonMode.STRICT


class RegexStep(BaseModel):
    """`{regex: PATTERN, group: 1, all: false}`: what a group matched first, or with `all` the list of all matches.

    `group` is a number or a name; left out it is 1, or 0 (the whole match) for a pattern without groups.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    regex: PatternText
    group: StrictInt | str = 1
    all: StrictBool = False

    @model_validator(mode="before")
    @classmethod
    def _whole_match_without_groups(cls, value: Any) -> Any:
        if isinstance(value, dict) and "group" not in value and isinstance(value.get("regex"), str):
            try:
                groups = compiled(value["regex"]).groups
            except ValueError:
                return value
            return {**value, "group": 1 if groups else 0}
        return value

    @model_validator(mode="after")
    def _group_exists(self) -> RegexStep:
        pattern = compiled(self.regex)
        known = self.group in pattern.groupindex if isinstance(self.group, str) else 0 <= self.group <= pattern.groups
        if not known:
            raise ValueError(
                f"expected a group of the pattern, which has {pattern.groups}; there is no group {self.group!r}"
            )
        return self


def _kind_of_step(value: Any) -> str:
    if isinstance(value, JsonStep) or (isinstance(value, dict) and "json" in value):
        return "@json"
    if isinstance(value, RegexStep) or (isinstance(value, dict) and "regex" in value):
        return "@regex"
    return "@text"


def _no_mapping(value: Any) -> Any:
    """Refuses a mapping that is neither form of one: the steps in a word would not be what was meant."""
    if not isinstance(value, dict):
        return value
    near = next((near for key in value if (near := nearest(str(key), ("json", "regex")))), None)
    meant = f"did you mean {quoted(near)}? " if near else ""
    raise ValueError(f"{meant}expected {{json: PATH}} or {{regex: PATTERN}}, or one of {listed(list(TextStep))}")


TextForm = Annotated[TextStep, BeforeValidator(_no_mapping, json_schema_input_type=TextStep)]
Step = Annotated[
    Annotated[JsonStep, Tag("@json")] | Annotated[RegexStep, Tag("@regex")] | Annotated[TextForm, Tag("@text")],
    Discriminator(_kind_of_step),
]


def _as_alternatives(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


Alternatives = Annotated[
    tuple[Step, ...],
    AfterValidator(not_empty),
    BeforeValidator(_as_alternatives, json_schema_input_type=Step | list[Step]),
]
"""The `extract:` of a grader; a single step is a list of one."""

WHOLE_TEXT: tuple[Literal[TextStep.WHOLE_TEXT]] = (TextStep.WHOLE_TEXT,)
WHOLE_JSON = (JsonStep(path="$", mode=JsonMode.STRICT),)


@dataclass(frozen=True, slots=True)
class Extraction:
    """A value found in an answer, and the number (from 0) of the alternative that found it."""

    value: Any
    alternative: int


def extract(alternatives: Sequence[JsonStep | RegexStep | TextStep], text: str, *, as_json: bool = False) -> Extraction:
    """The value of the first alternative that yields one.

    With `as_json`, text that a step other than `json` found is read as JSON, strictly. Raises `NotExtractedError`
    with what each alternative said (`InvalidJsonError` where each of them wanted JSON that is none), `CannotGradeError`
    when a pattern takes too long.
    """
    failed: list[NotExtractedError] = []
    for number, step in enumerate(alternatives):
        try:
            value = _run(step, text)
            if as_json and isinstance(value, str) and not isinstance(step, JsonStep):
                value = read_json(value)
            return Extraction(value, number)
        except NotExtractedError as error:
            failed.append(error)
    unreadable = all(isinstance(error, InvalidJsonError) for error in failed)
    raise (InvalidJsonError if unreadable else NotExtractedError)("; then ".join(map(str, failed)))


def _run(step: JsonStep | RegexStep | TextStep, text: str) -> Any:
    if isinstance(step, JsonStep):
        return _run_json(step, text)
    if isinstance(step, RegexStep):
        return _run_regex(step, text)
    if step is TextStep.WHOLE_TEXT:
        return text
    if step is TextStep.FENCED:
        return unfenced(text)
    lines = text.strip().splitlines()
    if not lines:
        raise NotExtractedError("the answer has no line with text in it")
    return lines[0 if step is TextStep.FIRST_LINE else -1].strip()


def _run_json(step: JsonStep, text: str) -> Any:
    document = read_json(text, step.mode)
    value = look_up(document, parse_path(step.path))
    if value is ABSENT:
        raise NotExtractedError(f"the JSON has nothing at {step.path}")
    return value


def _run_regex(step: RegexStep, text: str) -> Any:
    pattern = compiled(step.regex)
    if step.all:
        found = [match[step.group] for match in matches(pattern, text)]
        values = [value for value in found if value is not None]
        if values:
            return values
    else:
        match = first_match(pattern, text)
        if match is not None and match[step.group] is not None:
            return match[step.group]
    raise NotExtractedError(f"nothing matches {step.regex[:80]!r}")
