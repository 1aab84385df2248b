"""How often the parts of a JSON Schema apply at one place of a value."""

from __future__ import annotations

import re
from typing import Any

import pytest

from snapdrift.suites.schema_steps import MAX_APPLIED, SchemaSteps

ROOT = {"$ref": "#"}


def chained(levels: int, part: Any, first: Any = True) -> dict[str, Any]:
    """A schema of so many definitions, each made by `part` of a reference to the one before."""
    made = {f"a{level}": part({"$ref": f"#/$defs/a{level - 1}"}) for level in range(1, levels + 1)}
    return {"$defs": {"a0": first, **made}, "$ref": f"#/$defs/a{levels}"}


def nested(depth: int, inner: Any = None) -> Any:
    value = {} if inner is None else inner
    for _ in range(depth):
        value = {"x": value}
    return value


def fits(schema: Any, value: Any) -> bool:
    return SchemaSteps(schema).fits(value, lambda pattern, name: re.search(pattern, name) is not None)


@pytest.mark.parametrize(
    "part",
    [
        lambda one: {"allOf": [one, one]},
        lambda one: {"anyOf": [one, one]},
        lambda one: {"oneOf": [one, one]},
        lambda one: {"if": one, "then": one},
        lambda one: {"not": one, "else": one},
        lambda one: {"$ref": one["$ref"], "dependentSchemas": {"x": one}},
        lambda one: {"allOf": [one], "unevaluatedProperties": False},
    ],
)
@pytest.mark.parametrize("levels", [40, 10_000])
def test_references_that_double_one_another_are_found_where_they_become_too_many(part: Any, levels: int) -> None:
    finding = SchemaSteps(chained(levels, part, {"type": "object"})).finding

    assert finding is not None
    assert finding.location[0] == "$defs"
    assert re.fullmatch("a(1[0-3]|[4-9])", str(finding.location[1]))
    assert finding.found == "references that apply more than 10,000 parts at one place"


@pytest.mark.parametrize(
    ("name", "named"),
    [
        (lambda level: {"$anchor": f"b{level}"}, lambda level: f"#b{level}"),
        (lambda level: {"$id": f"https://e.example/b{level}"}, lambda level: f"b{level}"),
        (lambda level: {"$id": f"b{level}", "$anchor": "x"}, lambda level: f"https://e.example/b{level}#x"),
        (lambda level: {"$dynamicAnchor": f"b{level}"}, lambda level: f"#b{level}"),
        (lambda _: {}, lambda level: f"#/$defs/a~1%7E0{level}"),
    ],
)
@pytest.mark.parametrize("reference", ["$ref", "$dynamicRef"])
def test_references_are_followed_whatever_they_name_a_part_by(name: Any, named: Any, reference: str) -> None:
    made = {f"a/~{n}": {**name(n), "allOf": [{reference: named(n - 1)}] * 2} for n in range(1, 41)}
    schema = {"$id": "https://e.example/s", "$defs": {"a/~0": name(0), **made}, reference: named(40)}

    assert SchemaSteps(schema).finding is not None


@pytest.mark.parametrize(
    "schema",
    [
        ROOT,
        {"allOf": [{"anyOf": [ROOT]}]},
        {"properties": {"x": {"$ref": "#/properties/x"}}},
        {"$defs": {"t": {"$anchor": "t", "not": {"$ref": "#t"}}}, "$ref": "#t"},
        {"$dynamicAnchor": "n", "allOf": [{"$dynamicRef": "#n"}]},
    ],
)
def test_of_parts_that_apply_themselves_where_they_stand_it_is_not_told_how_often(schema: Any) -> None:
    steps = SchemaSteps(schema)

    assert steps.finding is None
    assert steps.is_quick()
    assert not steps.is_bounded()
    assert not fits(schema, {})


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {},
        chained(3000, lambda one: {"allOf": [one]}),
        chained(5, lambda one: {"allOf": [one, one], "properties": {"x": one, "y": one}}),
        {"$ref": "https://elsewhere.example/x"},
        {"$ref": "#/$defs/none"},
        {"properties": {"$ref": {"type": "string"}}},
    ],
)
def test_schemas_as_people_write_them_are_bounded_whatever_the_value(schema: Any) -> None:
    assert SchemaSteps(schema).finding is None
    assert SchemaSteps(schema).is_bounded()


TREE = {"properties": {"x": ROOT, "y": ROOT}, "patternProperties": {"^z": ROOT}, "additionalProperties": ROOT}
LIST = {"prefixItems": [ROOT], "items": ROOT}


@pytest.mark.parametrize(
    ("schema", "value"), [(TREE, nested(500)), (LIST, [[[[]], []]] * 500), (TREE, {"z": nested(500)})]
)
def test_a_schema_that_refers_to_itself_for_what_is_in_a_value_fits_any_depth(schema: Any, value: Any) -> None:
    assert SchemaSteps(schema).finding is None
    assert not SchemaSteps(schema).is_bounded()
    assert fits(schema, value)


TWICE: Any = {"anyOf": [{"properties": {"x": ROOT}}, {"properties": {"x": ROOT}}]}


@pytest.mark.parametrize(
    ("schema", "inner"),
    [
        (TWICE, lambda value: {"x": value}),
        ({"allOf": [{"additionalProperties": ROOT}, {"patternProperties": {"x": ROOT}}]}, lambda value: {"x": value}),
        ({"items": ROOT, "contains": ROOT}, lambda value: [value]),
        ({"unevaluatedItems": ROOT, "oneOf": [{"prefixItems": [ROOT]}]}, lambda value: [value]),
    ],
)
def test_parts_that_double_from_level_to_level_fit_shallow_values_only(schema: Any, inner: Any) -> None:
    values: list[Any] = [{}]
    for _ in range(40):
        values.append(inner(values[-1]))

    assert SchemaSteps(schema).finding is None
    assert not SchemaSteps(schema).is_bounded()
    assert fits(schema, values[5])
    assert not fits(schema, values[40])


def test_definitions_that_double_from_level_to_level_are_not_bounded_by_the_schema() -> None:
    steps = SchemaSteps(chained(40, lambda one: {"allOf": [{"properties": {"x": one}}, {"properties": {"x": one}}]}))

    assert steps.finding is None
    assert not steps.is_bounded()


def test_exactly_as_many_parts_as_may_apply_are_fine() -> None:
    assert SchemaSteps({"allOf": [{} for _ in range(MAX_APPLIED - 1)]}).finding is None
    assert SchemaSteps({"allOf": [{} for _ in range(MAX_APPLIED)]}).finding is not None
