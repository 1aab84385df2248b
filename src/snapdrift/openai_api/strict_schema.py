"""JSON Schemas that are sent: whether one is a JSON Schema, and whether it keeps to the subset of `strict: true`.

Sources: OpenAI's guide on Structured Outputs (2026-08-23) for keywords, limits and what fine-tuned models lose; what
the official SDK makes of a schema (openai 3.54.0, `lib/_pydantic.py`) for `definitions` and for `$ref`, which stands
alone. A keyword that the guide does not name is a mistake: `default` is one such that the API is known to refuse.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from snapdrift.suites.registry import Finding, Location
from snapdrift.suites.schema_steps import SchemaSteps

MAX_PROPERTIES = 5_000
MAX_NESTING = 10
"""Objects within objects, the root being the first. Whether an array is a level is not published: here it is none."""
MAX_CHARACTERS = 120_000
"""Of all property and definition names, enum values and constants together."""
MAX_ENUM_VALUES = 1_000
LONG_ENUM = 250
MAX_LONG_ENUM_CHARACTERS = 15_000

_DEEPEST = 100
"""Arrays and unions within one another: no schema that a model could follow is as deep, and recursion has its end."""
_TYPES = ("string", "number", "boolean", "integer", "object", "array", "null")
_FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")
_DEFINITIONS = ("$defs", "definitions")
_STRUCTURE = frozenset(
    {"type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref", *_DEFINITIONS}
)
_WORDS = frozenset({"title", "description", "$schema"})
_CONSTRAINTS = frozenset(
    {
        "pattern",
        "format",
        "multipleOf",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "minItems",
        "maxItems",
    }
)
"""Constraints that fine-tuned models do not take."""
_GRADE_IT = "leave it out and check it with a grader"
_NAME_THEM = "name every property, or use an array of key and value pairs"
_INSTEAD = {
    "allOf": "write the combined schema out",
    "oneOf": "use `anyOf`",
    "not": _GRADE_IT,
    **dict.fromkeys(("if", "then", "else"), "use `anyOf` with a branch for each alternative"),
    **dict.fromkeys(("dependentRequired", "dependentSchemas"), "use `anyOf` with a branch for each alternative"),
    **dict.fromkeys(("minLength", "maxLength"), f"use `pattern`, or {_GRADE_IT}"),
    **dict.fromkeys(("patternProperties", "propertyNames", "minProperties", "maxProperties"), _NAME_THEM),
    **dict.fromkeys(("uniqueItems", "contains", "minContains", "maxContains"), _GRADE_IT),
    "prefixItems": "use an object with a property for each item",
    "default": "leave it out: the model always writes every property",
    **dict.fromkeys(("examples", "$comment"), "say it in `description`"),
}


def schema_mistakes(schema: Any) -> Iterator[Finding]:
    """Whether `schema` is a JSON Schema at all: at most one finding, at the place inside it."""
    import jsonschema_rs

    if not isinstance(schema, Mapping):
        yield Finding((), f"found {schema!r}", "expected a JSON Schema, or the path of a file with one")
        return
    # Without `$schema`, which could name a document to fetch, it is read as draft 2020-12, as the API reads it.
    plain = {key: value for key, value in schema.items() if key != "$schema"}
    try:
        jsonschema_rs.meta.validate(plain)
    except jsonschema_rs.ValidationError as error:
        yield Finding(tuple(error.instance_path), error.message[:200], "expected a valid JSON Schema")
    except (ValueError, RecursionError) as error:
        yield Finding((), f"the schema is not JSON: {error}", "expected a valid JSON Schema")
    else:
        if (finding := SchemaSteps(plain).finding) is not None:
            yield finding


def strict_mistakes(schema: Mapping[str, Any], *, fine_tuned: bool = False) -> tuple[Finding, ...]:
    """Return every way in which a valid JSON Schema leaves the strict subset; locations are inside the schema."""
    walk = _Walk(fine_tuned, tuple(_definition_names(schema)))
    found: list[Finding] = []
    if schema.get("type") != "object":
        found.append(_finding((), "the root is no object", "expected `type: object` at the root"))
    if "anyOf" in schema:
        found.append(_finding((), "the root has `anyOf`", "expected the alternatives below a property", "anyOf"))
    found.extend(walk.visit(schema, (), 0))
    return (*found, *walk.beyond_limits())


@dataclass(slots=True)
class _Walk:
    """One pass over a schema: what it has come by is counted for the limits that hold for the schema as a whole."""

    fine_tuned: bool
    definitions: tuple[str, ...]
    properties: int = 0
    characters: int = 0
    enum_values: int = 0

    def visit(self, schema: Any, place: Location, level: int) -> Iterator[Finding]:
        """What is wrong with a subschema and those in it; `level` is how many objects it stands in."""
        if not isinstance(schema, Mapping):
            yield _finding(place, f"found {json.dumps(schema)}", "expected a schema with a `type`")
            return
        if len(place) > _DEEPEST:
            yield _finding(place, "the schema is nested too deeply", f"expected at most {MAX_NESTING} levels")
            return
        yield from self._keywords(schema, place)
        yield from self._type(schema, place)
        self._count_values(schema)
        yield from _enum(schema, place)
        if "$ref" in schema:
            yield from self._reference(schema, place)
        if _is_object(schema):
            level += 1
            if level > MAX_NESTING:
                yield _finding(place, f"the {level}th object within objects", f"expected at most {MAX_NESTING} levels")
                return
            yield from _object(schema, place)
        yield from self._below(schema, place, level)

    def beyond_limits(self) -> Iterator[Finding]:
        """What is too much in the schema as a whole."""
        for name, count, limit in (
            ("properties", self.properties, MAX_PROPERTIES),
            ("characters of names, enum values and constants", self.characters, MAX_CHARACTERS),
            ("enum values", self.enum_values, MAX_ENUM_VALUES),
        ):
            if count > limit:
                yield Finding((), f"the schema has {count:,} {name}", f"expected at most {limit:,}")

    def _below(self, schema: Mapping[str, Any], place: Location, level: int) -> Iterator[Finding]:
        properties = schema.get("properties")
        for name, inner in properties.items() if isinstance(properties, Mapping) else ():
            self.properties += 1
            self.characters += len(name)
            yield from self.visit(inner, (*place, "properties", name), level)
        if "items" in schema:
            yield from self.visit(schema["items"], (*place, "items"), level)
        for index, branch in enumerate(schema.get("anyOf", ())):
            yield from self.visit(branch, (*place, "anyOf", index), level)
        for keyword in _DEFINITIONS:
            for name, inner in schema.get(keyword, {}).items():
                self.characters += len(name)
                yield from self.visit(inner, (*place, keyword, name), 0)

    def _keywords(self, schema: Mapping[str, Any], place: Location) -> Iterator[Finding]:
        for keyword in schema:
            if keyword in _STRUCTURE or keyword in _WORDS:
                continue
            if keyword not in _CONSTRAINTS:
                found = f"`{keyword}` is not in the subset that `strict: true` takes"
                yield _finding(place, found, _INSTEAD.get(keyword, "leave it out, or set `strict: false`"), keyword)
            elif self.fine_tuned:
                found = f"a fine-tuned model does not take `{keyword}` in a strict schema"
                yield _finding(place, found, _GRADE_IT, keyword)
        if not self.fine_tuned and isinstance(schema.get("format"), str) and schema["format"] not in _FORMATS:
            expected = f"expected one of {', '.join(_FORMATS)}, or leave it out"
            yield _finding(place, f"the format {schema['format']!r} is not in the strict subset", expected, "format")

    def _type(self, schema: Mapping[str, Any], place: Location) -> Iterator[Finding]:
        if "type" not in schema and not {"anyOf", "$ref", "enum", "const"} & schema.keys():
            yield _finding(place, "a schema without `type`", f"expected one of {', '.join(_TYPES)}")
        if "array" in _types(schema) and "items" not in schema:
            yield _finding(place, "an array without `items`", "expected the schema of its items")

    def _reference(self, schema: Mapping[str, Any], place: Location) -> Iterator[Finding]:
        target = schema["$ref"]
        if target != "#" and target not in self.definitions:
            known = ", ".join(("#", *self.definitions[:8]))
            found = f"`$ref: {target}` leads to no definition of this schema"
            yield _finding(place, found, f"expected {known}", "$ref")
        beside = sorted(schema.keys() - {"$ref", *(_DEFINITIONS if not place else ())})
        if beside:
            expected = "expected `$ref` alone: move them into the definition"
            yield _finding(place, f"`$ref` has {_quoted(beside)} beside it", expected, "$ref")

    def _count_values(self, schema: Mapping[str, Any]) -> None:
        values = schema.get("enum", ())
        self.enum_values += len(values)
        self.characters += sum(_length(value) for value in values)
        if "const" in schema:
            self.characters += _length(schema["const"])


def _object(schema: Mapping[str, Any], place: Location) -> Iterator[Finding]:
    if schema.get("additionalProperties") is not False:
        expected = "expected `additionalProperties: false`"
        at = "additionalProperties" if "additionalProperties" in schema else None
        yield _finding(place, "an object that does not say `additionalProperties: false`", expected, at)
    properties = schema.get("properties", {})
    required = schema.get("required", ())
    at = "required" if "required" in schema else None
    missing = [name for name in properties if name not in required]
    if missing:
        expected = 'expected every property in `required`; one that may be left out becomes `type: [..., "null"]`'
        yield _finding(place, f"`required` lacks {_quoted(missing)}", expected, at)
    unknown = [name for name in required if name not in properties]
    if unknown:
        yield _finding(place, f"`required` names {_quoted(unknown)}", "expected names of `properties`", at)


def _enum(schema: Mapping[str, Any], place: Location) -> Iterator[Finding]:
    values = schema.get("enum", ())
    texts = [value for value in values if isinstance(value, str)]
    characters = sum(map(len, texts))
    if len(texts) > LONG_ENUM and characters > MAX_LONG_ENUM_CHARACTERS:
        found = f"an enum of {len(texts)} values with {characters:,} characters"
        expected = f"expected at most {MAX_LONG_ENUM_CHARACTERS:,} characters where there are over {LONG_ENUM} values"
        yield _finding(place, found, expected, "enum")


def _definition_names(schema: Mapping[str, Any]) -> Iterator[str]:
    for keyword in _DEFINITIONS:
        for name in schema.get(keyword, {}):
            yield f"#/{keyword}/{name.replace('~', '~0').replace('/', '~1')}"


def _types(schema: Mapping[str, Any]) -> tuple[str, ...]:
    written = schema.get("type", ())
    return (written,) if isinstance(written, str) else tuple(written)


def _is_object(schema: Mapping[str, Any]) -> bool:
    return "object" in _types(schema) or "properties" in schema


def _finding(place: Location, found: str, expected: str, keyword: str | None = None) -> Finding:
    return Finding(place if keyword is None else (*place, keyword), found, expected)


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str) else len(json.dumps(value, ensure_ascii=False))


def _quoted(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown
