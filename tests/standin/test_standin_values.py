"""Fillers, mistakes and placing: values that conform, and values that are wrong in a plausible way."""

from __future__ import annotations

import re
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.standin.draws import draw, pick
from snapdrift.standin.fillers import fill, matching
from snapdrift.standin.mistakes import Mistake
from snapdrift.standin.placing import NO_ANSWER, place
from snapdrift.standin.streams import pieces

NODE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "value": {"type": "integer"},
        "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
        "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
    },
    "required": ["value", "next", "children"],
    "additionalProperties": False,
}
SCHEMAS: list[dict[str, Any]] = [
    {"type": "object", "properties": {"a": {"type": "number", "minimum": 0, "maximum": 1, "multipleOf": 0.25}}},
    {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    {"type": "integer", "maximum": -4},
    {"enum": ["a", 1, None]},
    {"const": {"x": 1}},
    {"type": ["string", "null"], "minLength": 30, "maxLength": 40},
    {"type": "string", "pattern": r"^[A-Z]{3}-\d{4}(-x)?$"},
    {"type": "array", "items": {"type": "boolean"}, "minItems": 3, "maxItems": 4},
    {"allOf": [{"type": "object", "properties": {"a": {"type": "null"}}}, {"required": ["a"]}]},
    {**NODE, "$defs": {"node": NODE}},
    *({"type": "string", "format": name} for name in ("date", "date-time", "email", "ipv4", "ipv6", "uuid")),
]


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("seed", range(5))
def test_a_filled_value_conforms_to_its_schema(schema: dict[str, Any], seed: int) -> None:
    jsonschema_rs.validate(schema, fill(schema, seed), validate_formats=True)


def test_filling_is_a_function_of_the_key() -> None:
    assert fill(SCHEMAS[0], 1) == fill(SCHEMAS[0], 1)
    assert len({str(fill(SCHEMAS[0], seed)) for seed in range(20)}) > 1


@pytest.mark.parametrize(
    "pattern", [r"\d+", r"(a|bc)\s\w{2,}", r"^[^x]$|y", r"[a-f0-9]{8}", r"v\d+\.\d+", "INV.*", r"[^a-wx0]\W?"]
)
def test_a_text_is_made_that_matches_a_pattern(pattern: str) -> None:
    assert re.search(pattern, matching(pattern, 1))


def test_a_pattern_beyond_the_generator_gets_a_word() -> None:
    assert matching(r"(?=x)(?!y)z(?<=q)", 1).isalpha()


@given(st.text())
def test_pieces_add_up_to_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text


@given(st.lists(st.one_of(st.text(), st.integers()), min_size=1))
def test_a_draw_is_in_the_unit_interval_and_repeats(parts: list[Any]) -> None:
    assert 0.0 <= draw(*parts) < 1.0
    assert draw(*parts) == draw(*parts)


def test_picks_reach_every_option() -> None:
    assert {pick("abc", n) for n in range(100)} == set("abc")


SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.floats(-1e6, 1e6, allow_nan=False).map(lambda number: round(number, 2)),
    st.text(),
    st.dates().map(str),
)


@given(SCALARS, st.integers())
def test_a_mistake_is_never_the_right_value(value: Any, seed: int) -> None:
    assert Mistake(None, lambda _: ("a", "b"), (seed,)).instead_of(value) != value


@given(st.dictionaries(st.text(min_size=1), SCALARS, min_size=1), st.integers())
def test_a_mistake_in_an_object_changes_exactly_one_field(value: dict[str, Any], seed: int) -> None:
    wrong = Mistake(None, lambda _: (), (seed,)).instead_of(value)
    assert list(wrong) == list(value)
    assert sum(wrong[name] != value[name] for name in value) == 1


def test_a_wrong_text_is_another_label_where_there_are_labels() -> None:
    assert Mistake(None, lambda _: ("billing", "sales"), (0,)).instead_of("billing") == "sales"


def test_a_wrong_date_is_a_date() -> None:
    assert re.fullmatch(r"2024-\d\d-\d\d", Mistake(None, lambda _: (), (0,)).instead_of("2024-05-10"))


def test_a_wrong_nested_enum_is_another_member() -> None:
    schema = {"properties": {"to": {"properties": {"city": {"anyOf": [{"enum": ["Ulm", "Bonn"]}, {"type": "null"}]}}}}}
    assert Mistake(schema, lambda _: (), (0,)).instead_of({"to": {"city": "Ulm"}}) == {"to": {"city": "Bonn"}}


def test_a_wrong_list_differs() -> None:
    for seed in range(20):
        assert Mistake(None, lambda _: (), (seed,)).instead_of({"items": [1, 2]})["items"] != [1, 2]


REASONED = {
    "type": "object",
    "properties": {"reasoning": {"type": "string"}, "answer": {"type": "integer"}},
    "required": ["reasoning", "answer"],
}


def test_an_empty_field_is_not_what_is_got_wrong_where_there_is_another() -> None:
    value: dict[str, Any] = {"none": None, "list": [], "total": 5}
    assert all(Mistake(None, lambda _: (), (n,)).instead_of(value)["total"] != 5 for n in range(10))


def test_a_scalar_is_placed_where_the_answer_belongs_in_the_type_asked_for() -> None:
    assert place("1,018", REASONED, (0,))["answer"] == 1018


def test_a_scalar_is_placed_by_its_enum() -> None:
    schema = {"type": "object", "properties": {"why": {"type": "string"}, "mood": {"enum": ["good", "bad"]}}}
    assert place("bad", schema, (0,))["mood"] == "bad"


def test_nested_objects_are_merged_with_what_is_expected() -> None:
    inner = {"type": "object", "properties": {"city": {"type": "string"}, "zip": {"type": "string"}}}
    placed = place({"to": {"city": "Ulm"}}, {"type": "object", "properties": {"to": inner}}, (0,))
    assert placed["to"]["city"] == "Ulm"
    assert isinstance(placed["to"]["zip"], str)


def test_a_value_that_fits_nowhere_is_not_placed() -> None:
    assert place(["a"], REASONED, (0,)) is NO_ANSWER
