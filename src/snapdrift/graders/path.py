"""`path`: assertions on single places of the answer's JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StrictInt,
    Tag,
    model_validator,
)

from snapdrift.graders.arguments import plain_json
from snapdrift.graders.base import Grader
from snapdrift.graders.comparers import same_json
from snapdrift.graders.expected import is_template
from snapdrift.graders.extract import WHOLE_JSON, Alternatives, PatternText
from snapdrift.graders.marks import CannotGradeError, Mark
from snapdrift.graders.paths import ABSENT, Steps, look_up, parse_path
from snapdrift.graders.patterns import compiled, first_match
from snapdrift.graders.values import quoted
from snapdrift.model import Case


class Word(StrEnum):
    """Assertions without settings. What is there may be null; null is not absent."""

    ABSENT = "absent"
    PRESENT = "present"
    NULL = "null"


class JsonType(StrEnum):
    """What a JSON value can be; `integer` is a number without a fraction, `1.0` among them (as in JSON Schema)."""

    OBJECT = "object"
    ARRAY = "array"
    STRING = "string"
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    NULL = "null"


_Length = Annotated[StrictInt, Field(ge=0)]


class Length(BaseModel):
    """How many characters, elements or fields: exactly (`length: 3`), or from `at_least` to `at_most`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at_least: _Length | None = None
    at_most: _Length | None = None

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("a length, or `{at_least, at_most}`")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"at_least not above at_most, which is {self.at_most}")
        return self


def _as_length(value: Any) -> Any:
    exactly = isinstance(value, int) and not isinstance(value, bool)
    return {"at_least": value, "at_most": value} if exactly else value


def _bound(value: Any) -> Any:
    if isinstance(value, bool) or not (
        isinstance(value, int | float) or (isinstance(value, str) and is_template(value))
    ):
        raise ValueError("a number, or a template that yields one")
    return plain_json(value)


def _with_null(value: Any) -> Any:
    return JsonType.NULL if value is None else value


Bound = Annotated[Any, AfterValidator(_bound)]


class Checks(BaseModel):
    """`{equals, one_of, matches, at_least, at_most, type, length}`: all of those that are given hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    equals: Annotated[Any, AfterValidator(plain_json)] = None
    one_of: Annotated[Any, AfterValidator(plain_json)] = None
    matches: PatternText | None = None
    at_least: Bound = None
    at_most: Bound = None
    type: Annotated[JsonType | None, BeforeValidator(_with_null)] = None
    length: Annotated[Length, BeforeValidator(_as_length, json_schema_input_type=int | Length)] | None = None

    @model_validator(mode="after")
    def _checks_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError(f"at least one of {', '.join(type(self).model_fields)}")
        options = self.one_of
        templated = isinstance(options, str) and is_template(options)
        if "one_of" in self.model_fields_set and not templated and not (isinstance(options, list) and options):
            raise ValueError("a list of values under `one_of`")
        return self


def _kind_of_assertion(value: Any) -> str:
    return "@checks" if isinstance(value, dict | Checks) else "@word"


def _as_word(value: Any) -> Any:
    return Word.NULL if value is None else value


Assertion = Annotated[
    Annotated[Checks, Tag("@checks")]
    | Annotated[Word, BeforeValidator(_as_word, json_schema_input_type=Word | None), Tag("@word")],
    Discriminator(_kind_of_assertion),
]


def _paths(assertions: dict[str, Any]) -> dict[str, Any]:
    if not assertions:
        raise ValueError("at least one path")
    for path in assertions:
        parse_path(path)
    return assertions


class PathGrader(Grader):
    """Passes when every assertion holds about the value at its path; the evidence names each that does not.

    `absent`, `present` and `null` are words; `{equals, one_of, matches, at_least, at_most, type, length}` look at the
    value, and there has to be one. `matches` finds a pattern in a text (`^...$` for all of it), `at_least` and
    `at_most` bound a number, `length` the characters of a text, the elements of a list or the fields of an object.
    """

    family: ClassVar[str] = "path"
    reads_json: ClassVar[bool] = True
    templated: ClassVar[tuple[str, ...]] = ("path",)
    unscored: ClassVar[str] = (
        "Text that is not JSON is `invalid_json`. A pattern that takes more than a second is a grader error, as are "
        "templates that yield no number for a bound or no list for `one_of`."
    )
    examples: ClassVar[tuple[str, ...]] = (
        """\
answer: '{"id": "T-17", "status": "open", "lines": [{"total": 12.5}], "tags": ["new"], "due": null}'
expected: {most: 100}
grader:
  name: shape
  path:
    id: {matches: '^T-\\d+$'}
    status: {one_of: [open, closed]}
    "lines[0].total": {type: number, at_least: 0, at_most: "{{ expected.most }}"}
    tags: {type: array, length: {at_least: 1}}
    due: "null"
    note: absent
""",
        """\
answer: '{"status": "lost"}'
passes: false
grader: {name: shape, path: {status: {one_of: [open, closed]}}}
""",
    )

    path: Annotated[dict[str, Assertion], AfterValidator(_paths)] = Field(
        description="What holds, by path: `absent`, `present`, `null`, or a mapping of checks."
    )
    extract: Alternatives = WHOLE_JSON

    def argument(self, attribute: str) -> Any:
        """The assertions as they stand in the entry, without settings that are not given."""
        value = getattr(self, attribute)
        if attribute != "path":
            return value
        return {
            path: assertion.value
            if isinstance(assertion, Word)
            else assertion.model_dump(mode="json", exclude_unset=True)
            for path, assertion in value.items()
        }

    def resolved(self) -> dict[str, Any]:
        """The entry, with the assertions as they were given."""
        return {**super().resolved(), "path": self.argument("path")}

    @cached_property
    def _steps(self) -> Mapping[str, Steps]:
        return {path: parse_path(path) for path in self.path}

    def check_case(self, case: Case) -> str | None:
        """A template that yields no number for a bound, or no list for `one_of`."""
        for path, checks in self.rendered("path", case).items():
            for name in checks if isinstance(checks, Mapping) else ():
                told = _unusable(name, checks[name])
                if told is not None:
                    return f"{path}: {told}"
        return None

    def mark(self, case: Case, value: Any) -> Mark:
        """Looks at each place."""
        problem = self.check_case(case)
        if problem is not None:
            raise CannotGradeError(problem)
        wanted = self.rendered("path", case)
        told = tuple(
            f"{path}: {why}"
            for path, steps in self._steps.items()
            for why in _violations(wanted[path], look_up(value, steps))
        )
        if not told:
            return Mark.of(passed=True)
        failing = f"{len(told)} of the assertions fail: " if len(told) > 1 else ""
        return Mark.of(passed=False, detail=failing + "; ".join(told[:5]), evidence=told)


def _violations(assertion: Any, found: Any) -> Iterator[str]:
    """Why an assertion, rendered, does not hold about a value."""
    if isinstance(assertion, str):
        holds = {Word.ABSENT: found is ABSENT, Word.PRESENT: found is not ABSENT, Word.NULL: found is None}
        if not holds[Word(assertion)]:
            yield f"expected {_WORDS[Word(assertion)]}, found {'nothing' if found is ABSENT else quoted(found)}"
    elif found is ABSENT:
        yield "expected a value, found nothing"
    else:
        for name, asked in assertion.items():
            why = _CHECKS[name](found, asked)
            if why:
                yield why


_WORDS = {Word.ABSENT: "nothing", Word.PRESENT: "a value", Word.NULL: "null"}


def _unusable(name: str, asked: Any) -> str | None:
    if name in ("at_least", "at_most") and (isinstance(asked, bool) or not isinstance(asked, int | float)):
        return f"{name} is {quoted(asked)}, not a number"
    if name == "one_of" and not isinstance(asked, list):
        return f"one_of is {quoted(asked)}, not a list"
    return None


def _equals(found: Any, asked: Any) -> str:
    return "" if same_json(found, asked) else f"expected {quoted(asked)}, found {quoted(found)}"


def _one_of(found: Any, asked: Any) -> str:
    return (
        ""
        if any(same_json(found, option) for option in asked)
        else f"expected one of {quoted(asked)}, found {quoted(found)}"
    )


def _matches(found: Any, asked: Any) -> str:
    matching = isinstance(found, str) and first_match(compiled(asked), found) is not None
    return "" if matching else f"{quoted(found)} does not match {quoted(asked)}"


def _at_least(found: Any, asked: Any) -> str:
    return "" if _is_number(found) and found >= asked else f"expected at least {quoted(asked)}, found {quoted(found)}"


def _at_most(found: Any, asked: Any) -> str:
    return "" if _is_number(found) and found <= asked else f"expected at most {quoted(asked)}, found {quoted(found)}"


def _type(found: Any, asked: Any) -> str:
    return "" if _IS[JsonType(asked)](found) else f"expected type {asked}, found {quoted(found)}"


def _length(found: Any, asked: Any) -> str:
    if not isinstance(found, str | list | dict):
        return f"expected something that has a length, found {quoted(found)}"
    low, high = asked.get("at_least"), asked.get("at_most")
    if (low is None or len(found) >= low) and (high is None or len(found) <= high):
        return ""
    bounds = [f"at least {low}"] if low is not None else []
    bounds += [f"at most {high}"] if high is not None else []
    return f"expected a length of {f'{low}' if low == high else ' and '.join(bounds)}, found {len(found):,}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_CHECKS: Mapping[str, Callable[[Any, Any], str]] = {
    "equals": _equals,
    "one_of": _one_of,
    "matches": _matches,
    "at_least": _at_least,
    "at_most": _at_most,
    "type": _type,
    "length": _length,
}
_IS: Mapping[JsonType, Callable[[Any], bool]] = {
    JsonType.OBJECT: lambda value: isinstance(value, dict),
    JsonType.ARRAY: lambda value: isinstance(value, list),
    JsonType.STRING: lambda value: isinstance(value, str),
    JsonType.NUMBER: _is_number,
    JsonType.INTEGER: lambda value: _is_number(value) and (isinstance(value, int) or value.is_integer()),
    JsonType.BOOLEAN: lambda value: isinstance(value, bool),
    JsonType.NULL: lambda value: value is None,
}
