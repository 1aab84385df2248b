"""Puts an expected value into the object that a schema asks for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from snapdrift.standin.fillers import fill, resolve

NO_ANSWER: Final = object()
"""What `place` returns where the schema has no room for the value."""

_ANSWER_NAMES = (
    "answer",
    "final_answer",
    "label",
    "result",
    "value",
    "category",
    "class",
    "sentiment",
    "choice",
    "output",
)


def place(expected: Any, schema: Mapping[str, Any], key: tuple[object, ...]) -> Any:
    """An object with the schema's properties: filled from `expected`, the rest plausible.

    A scalar goes to the property that is named like an answer, else to one whose enum has it, else to the last that
    takes its type. Returns `NO_ANSWER` where there is none.
    """
    properties = resolve(schema, schema).get("properties")
    filled = fill(schema, *key)
    if not properties or not isinstance(filled, Mapping):
        return expected if type(expected) is type(filled) else NO_ANSWER
    if isinstance(expected, Mapping):
        return {name: _merged(expected[name], filled[name]) if name in expected else filled[name] for name in filled}
    name = _property_for(expected, schema, properties)
    if name is None:
        return NO_ANSWER
    return {**filled, name: _as_type(expected, resolve(schema, properties[name]))}


def _merged(expected: Any, filled: Any) -> Any:
    if isinstance(expected, Mapping) and isinstance(filled, Mapping):
        return {name: _merged(expected[name], filled[name]) if name in expected else filled[name] for name in filled}
    return expected


def _property_for(expected: Any, root: Mapping[str, Any], properties: Mapping[str, Any]) -> str | None:
    resolved = {name: resolve(root, schema) for name, schema in properties.items()}
    fitting = [name for name, schema in resolved.items() if _fits(expected, schema)]
    by_name = [name for name in _ANSWER_NAMES if name in fitting]
    by_enum = [name for name in fitting if "enum" in resolved[name]]
    return next(iter([*by_name, *by_enum, *reversed(fitting)]), None)


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    if "enum" in schema:
        return _as_type(value, schema) in schema["enum"]
    converted = _as_type(value, schema)
    kinds = schema.get("type", "string")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    names = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", type(None): "null"}
    found = names.get(type(converted), "object")
    return found in kinds or (found == "integer" and "number" in kinds)


def _as_type(value: Any, schema: Mapping[str, Any]) -> Any:
    """`"18"` as 18 where a number is asked for, and 18 as `"18"` where text is."""
    kinds = schema.get("type", "string")
    if kinds in ("integer", "number") and isinstance(value, str):
        try:
            number = float(value.replace(",", ""))
        except ValueError:
            return value
        return int(number) if number.is_integer() else number
    if kinds == "string" and isinstance(value, int | float):
        return json.dumps(value)
    return value
