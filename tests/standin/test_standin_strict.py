"""Strict schemas outside the subset are refused, with the words of the API."""

from __future__ import annotations

from typing import Any

import pytest
from tests.standin.conversations import own_service, refusal

from snapdrift.model import Endpoint
from snapdrift.standin.api_errors import ApiError
from snapdrift.standin.strict_schemas import check_schema


def thing(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = thing(inner=schema)
    return schema


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "array", "items": {"type": "string"}}, "schema must be a JSON Schema of 'type: \"object\"', got"),
        ({**thing(), "anyOf": [thing()]}, "In context=(), 'anyOf' is not permitted at the root level."),
        (
            {"type": "object", "properties": {}, "required": []},
            "In context=(), 'additionalProperties' is required to be supplied and to be false.",
        ),
        ({**thing(a={"type": "string"}), "required": []}, "Missing 'a'."),
        ({**thing(), "required": ["b"]}, "Extra required key 'b' supplied."),
        (thing(a={"allOf": [{"type": "string"}]}), "In context=('properties', 'a'), 'allOf' is not permitted."),
        (thing(a={"type": "string", "default": "x"}), "In context=('properties', 'a'), 'default' is not permitted."),
        (thing(a={"description": "x"}), "In context=('properties', 'a'), schema must have a 'type' key."),
        (thing(a={"type": "array"}), "In context=('properties', 'a'), array schema missing items."),
        (
            thing(a={"type": "array", "items": {"type": "object"}}),
            "In context=('properties', 'a', 'items'), 'additionalProperties' is required",
        ),
        (nested(11), "11 levels of nesting exceeds limit of 10."),
        (thing(a={"enum": [str(n) for n in range(1001)]}), "1001 enum values exceeds limit of 1000."),
        (thing(**{str(n): {"type": "null"} for n in range(5001)}), "5001 object properties exceeds limit of 5000."),
    ],
)
def test_a_strict_schema_outside_the_subset_is_refused(schema: dict[str, Any], problem: str) -> None:
    form = {"type": "json_schema", "name": "thing", "strict": True, "schema": schema}
    error = refusal(own_service(), Endpoint.RESPONSES, {"input": "Hello", "text": {"format": form}})
    assert error["message"].startswith("Invalid schema for response_format 'thing': ")
    assert problem in error["message"]
    assert (error["code"], error["param"]) == ("invalid_json_schema", "text.format.schema")


def test_the_same_schema_is_refused_on_chat_at_its_own_place() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "thing", "strict": True, "schema": {"type": "object"}}}
    messages = [{"role": "user", "content": "Hello"}]
    error = refusal(own_service(), Endpoint.CHAT, {"messages": messages, "response_format": form})
    assert error["param"] == "response_format.json_schema.schema"


@pytest.mark.parametrize(
    "schema",
    [
        nested(10),
        thing(a={"anyOf": [{"type": "string"}, {"type": "null"}]}, b={"type": ["integer", "null"]}),
        thing(a={"type": "string", "pattern": "^x", "format": "email"}, b={"type": "number", "multipleOf": 2}),
        {**thing(next={"anyOf": [{"$ref": "#"}, {"type": "null"}]})},
        {**thing(a={"$ref": "#/$defs/b"}), "$defs": {"b": thing()}},
    ],
)
def test_what_the_subset_takes_is_taken(schema: dict[str, Any]) -> None:
    check_schema("response_format 'thing'", schema, "place", None, strict=True)


def test_a_schema_that_is_not_strict_only_has_to_be_one() -> None:
    check_schema("response_format 'thing'", {"type": "array"}, "place", None, strict=False)
    with pytest.raises(ApiError, match="it is not a JSON Schema"):
        check_schema("response_format 'thing'", {"type": "thing"}, "place", None, strict=False)
