from __future__ import annotations

import json
import sys
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.errors import DocumentError
from snapdrift.suites import document as document_module
from snapdrift.suites.document import MAX_DEPTH, Position, format_location, parse_document, parse_json


def value_of(text: str) -> Any:
    return parse_document(text, "s.yaml").value


def problems_of(text: str) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        parse_document(text, "s.yaml")
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("False", False),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("Off", "Off"),
        ("2024-11-20", "2024-11-20"),
        ("2024-11-20 10:00:00", "2024-11-20 10:00:00"),
        ("12:30", "12:30"),
        ("007", "007"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("12", 12),
        ("-3", -3),
        ("1e-3", 0.001),
        ("2.50", 2.5),
        ("~", None),
        ("null", None),
        ("'12'", "12"),
        ("!!str 12", "12"),
        ("=", "="),
    ],
)
def test_a_scalar_reads_as_it_is_written_unless_json_has_it(written: str, value: Any) -> None:
    found = value_of(f"key: {written}\n")["key"]
    assert (found, type(found)) == (value, type(value))


def test_keys_are_the_text_that_is_written() -> None:
    assert value_of("{no: 1, 2024-11-20: 2, 5: 3, true: 4, null: 5}") == {
        "no": 1,
        "2024-11-20": 2,
        "5": 3,
        "true": 4,
        "null": 5,
    }


def test_every_key_and_value_has_its_line_and_column() -> None:
    document = parse_document("a:\n  b: [x, yy]\n", "s.yaml")
    assert document.keys == {("a",): Position(1, 1), ("a", "b"): Position(2, 3)}
    assert document.values[("a", "b", 1)] == Position(2, 10)


def test_what_is_not_there_is_placed_at_what_is_around_it() -> None:
    document = parse_document("a:\n  b: 1\n", "s.yaml")
    assert document.position(("a", "missing", 3)) == Position(2, 3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", "s.yaml:3:1: a: duplicate key; expected each key once; it is first at line 1"),
        ("a: !!python/object/apply:os.system [ls]\n", "s.yaml:1:4: a: the tag !!python/object/apply:os.system; "),
        ("a: !thing 1\n", "s.yaml:1:4: a: the tag !thing; expected plain values"),
        ("a: !!set {x}\n", "s.yaml:1:4: a: the tag !!set; "),
        ("a: !!binary aGk=\n", "s.yaml:1:4: a: the tag !!binary; "),
        ("a: .nan\n", "s.yaml:1:4: a: .nan is not a number that JSON has; "),
        ("a: 1e999\n", "s.yaml:1:4: a: 1e999 is too large a number; "),
        ("a:\n  - &x [*x]\n", "s.yaml:2:5: a[0][0]: an alias that contains itself; "),
        ("? [a]\n: 1\n", "s.yaml:1:3: a key that is a list or a mapping; expected text"),
        ("a: [1\nb: 2\n", "s.yaml:2:2: not YAML: while parsing a flow sequence: "),
        ("a: 'x\n", "s.yaml:2:1: not YAML: while scanning a quoted scalar: "),
        ("a: *b\n", "s.yaml:1:4: not YAML: found undefined alias; "),
        ("a: 1\n---\nb: 2\n", "s.yaml:2:1: not YAML: "),
        ("a: 1\nb: x\x07y\n", "s.yaml:2:5: the control character U+0007; "),
        ("a: 1\n<<: 3\n", "s.yaml:2:5: <<: not a mapping; "),
        ("a: " + "9" * 5000, "s.yaml:1:4: a: Exceeds the limit"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, expected: str) -> None:
    assert problems_of(text)[0].startswith(expected)


def test_all_duplicate_keys_of_a_file_are_told_at_once() -> None:
    assert len(problems_of("a: 1\na: 2\nb: {c: 1, c: 2}\n")) == 2


def test_merge_keys_bring_in_what_is_not_written() -> None:
    text = "base: &b {x: 1, y: 2}\nother: &o {y: 9, z: 3}\nmade:\n  <<: [*b, *o]\n  x: 5\n"
    assert value_of(text)["made"] == {"x": 5, "y": 2, "z": 3}


def test_a_merged_value_is_placed_where_it_is_written() -> None:
    document = parse_document("base: &b\n  x: 1\nmade:\n  <<: *b\n", "s.yaml")
    assert document.position(("made", "x")) == Position(2, 6)


def test_an_alias_copies_its_value() -> None:
    assert value_of("a: &x [1]\nb: *x\n") == {"a": [1], "b": [1]}


def test_an_alias_bomb_is_refused_before_it_fills_the_memory() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    assert "aliases that expand to more than" in problems_of("\n".join(lines))[0]


def test_a_bomb_of_merge_keys_is_refused() -> None:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 10)]
    assert "aliases that expand to more than" in problems_of("\n".join(lines))[0]


@pytest.mark.parametrize("text", ["[" * 100_000, "[" * 100_000 + "]" * 100_000, "- " * 100_000])
def test_deep_nesting_is_refused_before_the_composer_recurses(text: str) -> None:
    assert f"expected at most {MAX_DEPTH} levels" in problems_of(text)[0]


def test_an_empty_file_is_null() -> None:
    assert value_of("# nothing\n") is None


def test_the_pure_python_loader_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: [no, 1, 2.5, 2024-11-20]\nb: {<<: {c: 1}, d: ~}\n"
    fast = parse_document(text, "s.yaml")
    monkeypatch.delattr(yaml, "CSafeLoader")
    document_module._loader_class.cache_clear()
    try:
        slow = parse_document(text, "s.yaml")
    finally:
        document_module._loader_class.cache_clear()
    assert (slow.value, slow.keys, slow.values) == (fast.value, fast.keys, fast.values)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="ascii", categories=["L"])), inner)
    ),
    max_leaves=12,
)


@given(json_values)
def test_json_is_read_as_yaml_to_the_same_value(value: Any) -> None:
    assert value_of(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": }', "x.json:1:7: not JSON: Expecting value; expected valid JSON"),
        ('{"a": 1, "a": 2}', 'x.json:1:1: the key "a" appears twice in one object; '),
        ('{"a": NaN}', "x.json:1:1: NaN is not a JSON value; "),
        ('{"a": 1e999}', "x.json:1:1: 1e999 is too large a number; "),
        ('{"a": "\\ud800"}', "x.json:1:1: half of a surrogate pair"),
        ("[" * (sys.getrecursionlimit() * 60), "x.json:1:1: nested too deeply; "),
    ],
)
def test_a_mistake_in_a_json_file_is_told(text: str, expected: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_json(text, "x.json")
    assert str(caught.value).startswith(expected)


def test_a_location_reads_as_people_write_it() -> None:
    assert format_location(("graders", 0, "extract", "json")) == "graders[0].extract.json"
