"""The subset of JSON Schema that strict structured outputs and strict functions take: the main rules.

Source: OpenAI docs, guides/structured-outputs. The wording is that of errors seen in the wild. Keywords that the guide
neither lists as supported nor as unsupported (`minLength`, `uniqueItems`, ...) are let through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from snapdrift.standin.api_errors import ApiError, invalid
from snapdrift.standin.parameters import type_name

MOST_LEVELS = 10
MOST_PROPERTIES = 5_000
MOST_ENUM_VALUES = 1_000
_NOT_PERMITTED = (
    "allOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "patternProperties",
    "default",
)


def check_schema(what: str, schema: Any, place: str, code: str | None, *, strict: bool) -> None:
    """Raises the API's error for a schema that is none, or (when strict) that is outside the subset.

    `what` is what it belongs to, in the API's words: `response_format 'ticket'`, `function 'lookup'`.
    """
    import jsonschema_rs

    if not isinstance(schema, Mapping):
        text = f"Invalid type for '{place}': expected an object, but got {type_name(schema)} instead."
        raise invalid(text, param=place, code="invalid_type")
    if not jsonschema_rs.meta.is_valid(dict(schema)):
        raise invalid(f"Invalid schema for {what}: it is not a JSON Schema.", param=place, code=code)
    problem = next(_problems(schema), None) if strict else None
    if problem is not None:
        raise _bad_schema(what, problem, place, code)


def _bad_schema(what: str, problem: str, place: str, code: str | None) -> ApiError:
    return invalid(f"Invalid schema for {what}: {problem}", param=place, code=code)


def _problems(root: Mapping[str, Any]) -> Iterator[str]:
    if root.get("type") != "object" and "$ref" not in root:
        found = root.get("type")
        shown = f"'type: \"{found}\"'" if found is not None else "'type: \"None\"'"
        yield f"schema must be a JSON Schema of 'type: \"object\"', got {shown}."
    if "anyOf" in root:
        yield "In context=(), 'anyOf' is not permitted at the root level."
    counts = {"properties": 0, "enum": 0}
    for context, schema, level in _walk(root, (), 0):
        yield from _problems_of(context, schema)
        counts["properties"] += len(schema.get("properties") or ())
        counts["enum"] += len(schema.get("enum") or ())
        if level > MOST_LEVELS:
            yield f"{level} levels of nesting exceeds limit of {MOST_LEVELS}."
    if counts["properties"] > MOST_PROPERTIES:
        yield f"{counts['properties']} object properties exceeds limit of {MOST_PROPERTIES}."
    if counts["enum"] > MOST_ENUM_VALUES:
        yield f"{counts['enum']} enum values exceeds limit of {MOST_ENUM_VALUES}."


def _problems_of(context: tuple[str, ...], schema: Mapping[str, Any]) -> Iterator[str]:
    where = f"In context={context}"
    for keyword in _NOT_PERMITTED:
        if keyword in schema:
            yield f"{where}, '{keyword}' is not permitted."
    if not schema.keys() & {"type", "$ref", "anyOf", "enum", "const"}:
        yield f"{where}, schema must have a 'type' key."
    kinds = schema.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if "object" in kinds:
        if schema.get("additionalProperties") is not False:
            yield f"{where}, 'additionalProperties' is required to be supplied and to be false."
        properties, required = schema.get("properties") or {}, schema.get("required") or ()
        missing = next((name for name in properties if name not in required), None)
        if missing is not None:
            yield (
                f"{where}, 'required' is required to be supplied and to be an array including every key in "
                f"properties. Missing '{missing}'."
            )
        extra = next((name for name in required if name not in properties), None)
        if extra is not None:
            yield (
                f"{where}, 'required' is required to be supplied and to be an array including every key in "
                f"properties. Extra required key '{extra}' supplied."
            )
    if "array" in kinds and "items" not in schema:
        yield f"{where}, array schema missing items."


def _walk(
    schema: Any, context: tuple[str, ...], level: int
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any], int]]:
    """Every schema below, with the way to it as the API's errors name it, and how deep it is nested."""
    if not isinstance(schema, Mapping):
        return
    yield context, schema, level
    for name, inner in (schema.get("properties") or {}).items():
        yield from _walk(inner, (*context, "properties", name), level + 1)
    if "items" in schema:
        yield from _walk(schema["items"], (*context, "items"), level + 1)
    for index, branch in enumerate(schema.get("anyOf") or ()):
        yield from _walk(branch, (*context, "anyOf", str(index)), level)
    for name, inner in (schema.get("$defs") or {}).items():
        yield from _walk(inner, (*context, "$defs", name), level)
