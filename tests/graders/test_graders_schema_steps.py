"""Schemas that a validator would go through for good are refused; large ordinary ones are not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from snapdrift.graders.schema import checked_schema
from snapdrift.graders.schema_steps import MOST_STEPS

TOO_MANY = f"at most {MOST_STEPS:,} subschemas to a value"


def doubling(levels: int, applied: str = "allOf", below: str = "$defs") -> dict[str, Any]:
    """Each definition applies the one before it twice."""
    definitions: dict[str, Any] = {"a0": {"type": "object"}}
    for level in range(1, levels + 1):
        twice = [{"$ref": f"#/{below}/a{level - 1}"}] * 2
        definitions[f"a{level}"] = {applied: twice}
    return {below: definitions, "$ref": f"#/{below}/a{levels}"}


@pytest.mark.parametrize("applied", ["allOf", "anyOf", "oneOf"])
def test_references_that_double_at_each_level_are_refused(applied: str) -> None:
    checked_schema(doubling(8, applied))
    with pytest.raises(ValueError, match=TOO_MANY):
        checked_schema(doubling(40, applied))


@pytest.mark.parametrize(
    "twice",
    [
        lambda ref: {"if": ref, "then": ref},
        lambda ref: {"not": ref, "else": ref, "if": True},
        lambda ref: {"dependentSchemas": {"x": ref, "y": ref}},
        lambda ref: {"allOf": [ref], **ref},
    ],
)
def test_every_way_to_apply_a_schema_to_the_same_value_counts(twice: Any) -> None:
    definitions: dict[str, Any] = {"a0": {"$anchor": "a0", "type": "object"}}
    for level in range(1, 41):
        definitions[f"a{level}"] = {"$anchor": f"a{level}", **twice({"$ref": f"#a{level - 1}"})}
    with pytest.raises(ValueError, match=TOO_MANY):
        checked_schema({"$defs": definitions, "properties": {"q": {"$ref": "#a40"}}})


def test_a_definition_under_a_name_that_has_to_be_escaped_counts() -> None:
    text = json.dumps(doubling(40)).replace("#/$defs/a", "#/$defs/b~1%7E0")
    schema = json.loads(re.sub(r'"a(\d)', r'"b/~\1', text))
    with pytest.raises(ValueError, match=TOO_MANY):
        checked_schema(schema)


def test_what_goes_down_into_the_value_and_what_refers_to_itself_is_fine() -> None:
    tree = {"type": "object", "properties": {side: {"$ref": "#/$defs/tree"} for side in ("left", "right")}}
    kinds = {f"k{n}": {"type": "object", "properties": {"next": {"$ref": "#/$defs/any"}}} for n in range(300)}
    anything = {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in kinds]}
    checked_schema({"$defs": {"tree": tree, "any": anything, **kinds}, "$ref": "#/$defs/any"})
    checked_schema({"$ref": "#"})
    checked_schema({"$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"})


def test_the_suite_says_where_such_a_schema_stands(tmp_path: Path, snapdrift: Any) -> None:
    (tmp_path / "evals").mkdir()
    (tmp_path / "graders").mkdir()
    (tmp_path / "graders" / "much.json").write_text(json.dumps(doubling(40)))
    (tmp_path / "snapdrift.toml").touch()
    (tmp_path / "evals" / "s.yaml").write_text(
        "suite: s\ncases: [{id: a}]\nprompt: {input: hi}\nvariants: {v: {model: gpt-4o-2024-08-06}}\n"
        "graders:\n  - {name: valid, schema: graders/much.json}\ngate: {must_pass: {cases: [a]}}\n"
    )
    done = snapdrift("check", "evals/s.yaml", "--no-code", cwd=tmp_path)
    assert done.returncode == 2
    assert "evals/s.yaml:6:27: graders[0].schema:" in done.stderr
    assert "10,000 subschemas" in done.stderr
