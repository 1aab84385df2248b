"""The strict subset of JSON Schema: every violation, at its place, before the API would refuse it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.openai_api.strict_schema import schema_mistakes, strict_mistakes

TEXT = {"type": "string"}


def obj(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An object as the strict subset has it."""
    closed = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return {**closed, **more}


ORDER = obj(
    {
        "id": {"type": "string", "pattern": "^[0-9]+$", "description": "As printed."},
        "due": {"type": ["string", "null"], "format": "date"},
        "total": {"type": "number", "minimum": 0, "multipleOf": 0.01},
        "state": {"type": "string", "enum": ["open", "sent"]},
        "kind": {"const": "order"},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}, "minItems": 1, "maxItems": 50},
        "parent": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
    },
    **{"$defs": {"line": obj({"sku": TEXT, "count": {"type": "integer", "exclusiveMinimum": 0}})}},
)


def test_a_schema_that_uses_everything_the_subset_has_is_taken() -> None:
    assert list(schema_mistakes(ORDER)) == []
    assert strict_mistakes({**ORDER, "$schema": "https://json-schema.org/draft/2020-12/schema"}) == ()


@pytest.mark.parametrize(
    ("schema", "location", "part"),
    [
        ({"type": "array", "items": TEXT}, (), "the root is no object"),
        ({**obj({}), "anyOf": [obj({})]}, ("anyOf",), "the root has `anyOf`"),
        ({**obj({}), "additionalProperties": True}, ("additionalProperties",), "additionalProperties: false"),
        (obj({"a": {"type": "object", "properties": {}}}), ("properties", "a"), "an object that does not say"),
        (obj({"a": TEXT}, required=[]), ("required",), "`required` lacks `a`"),
        (obj({"a": TEXT}, required=["a", "b"]), ("required",), "`required` names `b`"),
        (obj({"a": {}}), ("properties", "a"), "without `type`"),
        (obj({"a": True}), ("properties", "a"), "found true"),
        (obj({"a": {"type": "array"}}), ("properties", "a"), "without `items`"),
        (obj({"a": {**TEXT, "format": "uri"}}), ("properties", "a", "format"), "the format 'uri'"),
        (obj({"a": {**TEXT, "default": "x"}}), ("properties", "a", "default"), "always writes every property"),
        (obj({"a": {**TEXT, "minLength": 1}}), ("properties", "a", "minLength"), "use `pattern`"),
        (obj({"a": {"oneOf": [TEXT], "type": "string"}}), ("properties", "a", "oneOf"), "use `anyOf`"),
        (obj({"a": {"$ref": "#/$defs/b"}}), ("properties", "a", "$ref"), "leads to no definition"),
        (
            obj({"a": {"$ref": "#", "description": "Itself."}}),
            ("properties", "a", "$ref"),
            "`$ref` has `description` beside it",
        ),
        (
            obj({"a": {"type": "array", "items": {"anyOf": [TEXT, {**TEXT, "not": {}}]}}}),
            ("properties", "a", "items", "anyOf", 1, "not"),
            "`not` is not in the subset",
        ),
        (
            obj({"a": TEXT}, **{"$defs": {"b": {"type": "object", "additionalProperties": False, "allOf": []}}}),
            ("$defs", "b", "allOf"),
            "write the combined schema out",
        ),
        (obj({"a": {**TEXT, "x-note": 1}}), ("properties", "a", "x-note"), "or set `strict: false`"),
    ],
)
def test_a_violation_is_told_with_its_place_inside_the_schema(schema: Any, location: Any, part: str) -> None:
    (finding,) = strict_mistakes(schema)
    assert finding.location == location
    assert part in f"{finding.found}; {finding.expected}"


@pytest.mark.parametrize(
    "keyword",
    [
        *("allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "minLength"),
        *("maxLength", "patternProperties", "propertyNames", "minProperties", "maxProperties", "uniqueItems"),
        *("contains", "prefixItems", "unevaluatedProperties", "default", "examples"),
    ],
)
def test_every_keyword_outside_the_subset_is_named_with_what_to_do_instead(keyword: str) -> None:
    (finding,) = strict_mistakes(obj({}, **{keyword: 1}))
    assert finding.location == (keyword,)
    assert f"`{keyword}`" in finding.found
    assert finding.expected


@pytest.mark.parametrize("keyword", ["pattern", "minimum", "maximum", "multipleOf", "minItems", "maxItems", "format"])
def test_fine_tuned_models_lose_the_constraints_that_others_take(keyword: str) -> None:
    schema = obj({"a": {"type": ["string", "number", "array"], "items": TEXT, keyword: "date"}})
    assert strict_mistakes(schema) == ()
    (finding,) = strict_mistakes(schema, fine_tuned=True)
    assert finding.location == ("properties", "a", keyword)


def nested(levels: int) -> dict[str, Any]:
    schema = obj({"leaf": TEXT})
    for _ in range(levels - 1):
        schema = obj({"inner": schema})
    return schema


def test_ten_levels_of_objects_are_taken_and_eleven_are_not() -> None:
    assert strict_mistakes(nested(10)) == ()
    (finding,) = strict_mistakes(nested(11))
    assert finding.location == ("properties", "inner") * 10
    assert "at most 10 levels" in finding.expected


def test_a_recursive_schema_is_no_deeper_than_it_is_written() -> None:
    assert strict_mistakes(obj({"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}})) == ()


@pytest.mark.parametrize(
    ("schema", "part"),
    [
        (obj({f"p{number}": TEXT for number in range(5_001)}), "5,001 properties; expected at most 5,000"),
        (obj({"a": {"enum": list(range(1_001))}}), "1,001 enum values; expected at most 1,000"),
        (obj({"a": {"const": "x" * 120_000}}), "120,001 characters of names"),
        (obj({"a": {**TEXT, "enum": [f"{number:060}" for number in range(251)]}}), "251 values with 15,060 characters"),
    ],
)
def test_what_is_too_much_in_the_whole_is_told_with_the_limit(schema: Any, part: str) -> None:
    (finding,) = strict_mistakes(schema)
    assert part in f"{finding.found}; {finding.expected}"


def test_a_long_enum_of_few_values_is_taken() -> None:
    assert strict_mistakes(obj({"a": {**TEXT, "enum": [f"{number:090}" for number in range(250)]}})) == ()


def test_unions_without_end_are_told_and_not_followed() -> None:
    schema: dict[str, Any] = {"type": "null"}
    for _ in range(400):
        schema = {"anyOf": [schema]}
    (finding,) = strict_mistakes(obj({"a": schema}))
    assert "nested too deeply" in finding.found


def test_what_is_no_json_schema_is_told_at_its_place() -> None:
    (finding,) = schema_mistakes({"type": "object", "properties": {"a": 5}})
    assert finding.location == ("properties", "a")
    assert "is not of types" in finding.found


def test_references_that_no_validator_comes_to_the_end_of_are_told_at_their_place() -> None:
    doubling = {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n - 1}"}] * 2} for n in range(1, 41)}
    (finding,) = schema_mistakes({"$defs": {"a0": TEXT, **doubling}, "properties": {"a": {"$ref": "#/$defs/a40"}}})
    assert finding.location == ("$defs", "a12")
    assert finding.found == "references that apply more than 10,000 parts at one place"


@pytest.mark.parametrize("schema", [5, "a.json", None, [TEXT]])
def test_what_is_no_mapping_is_no_schema(schema: Any) -> None:
    (finding,) = schema_mistakes(schema)
    assert "expected a JSON Schema" in finding.expected


def test_a_schemas_own_draft_is_never_fetched() -> None:
    assert list(schema_mistakes({"$schema": "https://schemas.invalid/own", "type": "object"})) == []


KEYWORDS = st.sampled_from(
    [
        "type",
        "properties",
        "required",
        "items",
        "anyOf",
        "$ref",
        "$defs",
        "enum",
        "const",
        "format",
        "additionalProperties",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["object", "string", "array", "#", "date", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYWORDS | st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(KEYWORDS, VALUES, max_size=6))
def test_any_mapping_is_judged_without_an_accident(schema: dict[str, Any]) -> None:
    json.dumps(schema)
    if not list(schema_mistakes(schema)):
        for finding in strict_mistakes(schema):
            assert finding.found
            assert finding.expected
