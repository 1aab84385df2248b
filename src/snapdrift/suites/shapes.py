"""The base of all models of user-written files, and what pydantic says of them in words that mend the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Discriminator, ValidationError, ValidationInfo, model_validator

from snapdrift.suites.registry import Location
from snapdrift.suites.scope import scope_of_key
from snapdrift.suites.wording import listed, nearest, quoted

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

TEXT, NUMBER, LIST, MAPPING = "\0text", "\0number", "\0list", "\0mapping"
"""Tags of the forms that a value can be written in; no key in a file can be spelled so."""

_KINDS = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "dict": "a mapping",
    "mapping": "a mapping",
    "model": "a mapping",
    "list": "a list",
    "tuple": "a list",
}
_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


@dataclass(slots=True)
class Shape:
    """Which model each mapping of a file was read as, by the mapping's identity. Filled while validating."""

    models: dict[int, type[BaseModel]] = field(default_factory=dict)


class Entry(BaseModel):
    """A mapping in a user-written file: unknown keys and values of the wrong type are refused, never converted."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        validate_by_alias=True,
        validate_by_name=False,
        use_attribute_docstrings=True,
        # A validator is made for what is read by itself; entries inside another are part of that one's.
        defer_build=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _note_shape(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(info.context, Shape):
            info.context.models[id(value)] = cls
        return value

    @classmethod
    def keys(cls) -> tuple[str, ...]:
        """The keys that it takes, as they are written."""
        return tuple(field.alias or name for name, field in cls.model_fields.items())


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong with a value. `rename` is the key that an unknown one was probably meant to be."""

    location: Location
    found: str
    expected: str
    at_key: bool = False
    missing: bool = False
    unknown: bool = False
    rename: str | None = None


def forms(expected: str) -> Discriminator:
    """Tells the forms of a union apart by the type of what is written; `expected` says them all."""
    return Discriminator(_form, custom_error_type="form", custom_error_message=expected)


def _form(value: Any) -> str | None:
    if isinstance(value, bool) or value is None:
        return None
    for kind, tag in ((str, TEXT), (int | float, NUMBER), (list, LIST), (Mapping | BaseModel, MAPPING)):
        if isinstance(value, kind):
            return tag
    return None


class LacksKeyError(ValueError):
    """A validator misses a key that is not always required; `key` is "" for one of several."""

    def __init__(self, key: str, expected: str) -> None:
        self.key = key
        super().__init__(expected)


def mistakes_of(error: ValidationError, value: Any, shape: Shape) -> list[Mistake]:
    """What pydantic found wrong with `value`, located as the file is written."""
    return [_mistake(detail, value, shape) for detail in error.errors(include_url=False)]


def _mistake(detail: ErrorDetails, value: Any, shape: Shape) -> Mistake:
    written = [part for part in detail["loc"] if part not in (TEXT, NUMBER, LIST, MAPPING)]
    about_key = bool(written) and written[-1] == "[key]"
    location = tuple(written[:-1] if about_key else written)
    found = quoted(detail["input"])
    kind, context = detail["type"], detail.get("ctx", {})
    match kind:
        case "extra_forbidden":
            return _unknown_key(
                location, shape.models.get(id(value_at(value, location[:-1]))), shape.models.get(id(value))
            )
        case "missing":
            return Mistake(location, "missing", "expected this key", missing=True)
        case "value_error" if isinstance(lacking := context["error"], LacksKeyError):
            place, what = ((*location, lacking.key), "missing") if lacking.key else (location, found)
            return Mistake(place, what, str(lacking), missing=True)
        case "value_error":
            expected = str(context["error"])
        case "form":
            expected = f"expected {detail['msg']}"
        case "literal_error":
            expected = _one_of(str(context["expected"]), detail["input"])
        case _ if kind in _BOUNDS:
            name, words = _BOUNDS[kind]
            expected = f"expected {words} {context[name]:,.10g}"
        case "too_short" | "string_too_short":
            expected = "expected at least one"
        case _:
            expected = _expected_kind(kind, detail["input"]) or f"expected otherwise: {detail['msg']}"
    return Mistake(location, found, expected, at_key=about_key)


def _unknown_key(location: Location, model: type[BaseModel] | None, top: type[BaseModel] | None) -> Mistake:
    outside = scope_of_key(location[-1])
    if outside is not None:
        return Mistake(location, *outside, at_key=True, unknown=True)
    known = model.keys() if model is not None and issubclass(model, Entry) else ()
    above = top.keys() if top is not None and top is not model and issubclass(top, Entry) else ()
    if location[-1] in above:
        expected = f"expected `{location[-1]}` at the top level of the file, for all of it"
        return Mistake(location, "unknown key here", expected, at_key=True, unknown=True)
    near = nearest(str(location[-1]), known)
    expected = f"did you mean {quoted(near)}?" if near else f"expected one of {listed(sorted(known), limit=40)}"
    return Mistake(location, "unknown key", expected, at_key=True, unknown=True, rename=near)


def _one_of(expected: str, found: Any) -> str:
    choices = [choice.strip("'") for choice in expected.replace(" or ", ", ").split(", ")]
    near = nearest(found, choices) if isinstance(found, str) else None
    return f"did you mean {quoted(near)}?" if near else f"expected {' or '.join(choices)}"


def _expected_kind(kind: str, found: Any) -> str | None:
    for name, words in _KINDS.items():
        if kind in (f"{name}_type", f"{name}_parsing", f"{name}_from_float"):
            said = isinstance(found, str) and found.lower() in ("yes", "no", "on", "off")
            hint = " (yes, no, on and off are read as text)" if name == "bool" and said else ""
            return f"expected {words}{hint}"
    return None


def value_at(value: Any, location: Location) -> Any:
    """What stands at a place of a document, None where nothing does."""
    for part in location:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value
