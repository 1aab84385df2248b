"""The families that look at JSON: schema and json_equal."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapdrift.graders.base import Grader
from snapdrift.graders.comparers import read_date, same_json
from snapdrift.graders.schema import Schema, checked_schema
from snapdrift.model import CallKey, Case, Outcome, Reason, Response, Score, ScoreKind
from snapdrift.suites.registry import InvalidEntryError

jsonschema: Any = import_module("jsonschema")  # it has no type hints of its own
Parse = Callable[..., Grader]
Answered = Callable[..., Response]
Scored = Callable[..., Score]

ITEM = {
    "type": "object",
    "properties": {"queue": {"enum": ["billing", "sales"]}, "lines": {"type": "array", "items": {"type": "integer"}}},
    "required": ["queue"],
    "additionalProperties": False,
}
DOUBLING = {
    "$defs": {"a0": {}, **{f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n - 1}"}] * 2} for n in range(1, 41)}},
    "$ref": "#/$defs/a40",
}
"""Each definition applies the one before twice."""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"queue": "billing", "lines": [1, 2]}', Reason.PASSED),
        ('{"queue": "other"}', Reason.SCHEMA_VIOLATION),
        ("[]", Reason.SCHEMA_VIOLATION),
        ('{"queue": "billing"', Reason.INVALID_JSON),
        ('{"queue": NaN}', Reason.INVALID_JSON),
        ('```json\n{"queue": "billing"}\n```', Reason.INVALID_JSON),
    ],
)
def test_an_answer_is_validated(text: str, reason: Reason, score: Scored) -> None:
    assert score({"schema": ITEM}, text).reason is reason


def test_each_violation_is_told_with_its_place(score: Scored) -> None:
    evidence = score({"schema": ITEM}, '{"lines": [1, "x"], "extra": 1}').evidence

    assert sorted(line.split(":")[0] for line in evidence) == ["$", "$", "lines[1]"]


def test_many_violations_are_listed_up_to_a_bound(score: Scored) -> None:
    found = score({"schema": {"items": {"type": "string"}}}, json.dumps(list(range(1000))))

    assert (len(found.evidence), "many more" in found.detail) == (20, True)


def test_a_format_counts_only_where_it_is_asked_for(score: Scored) -> None:
    schema = {"type": "string", "format": "date"}

    assert [score({"schema": schema, "formats": on}, '"soon"').passed for on in (False, True)] == [True, False]


def test_a_schema_pattern_that_explodes_is_a_grader_error(score: Scored) -> None:
    schema = {"type": "string", "pattern": "(?=a)(a|aa)+(?=c)$"}

    assert score({"schema": schema}, json.dumps("a" * 5000 + "b")).reason is Reason.GRADER_ERROR


def test_text_that_a_pattern_extracts_is_read_as_json(score: Scored) -> None:
    entry = {"schema": ITEM, "extract": {"regex": "<json>(.*)</json>"}}

    assert score(entry, 'So: <json>{"queue": "sales"}</json>').passed


EXPRESSION: dict[str, Any] = {
    "anyOf": [
        {"type": "number"},
        *({"properties": {"op": {"const": op}, "x": {"$ref": "#"}}, "required": ["op", "x"]} for op in "+-*/"),
    ],
    "type": ["number", "object"],
}
"""Each alternative refers to the whole for the same property, as grammars do."""


def nested(levels: int, inner: str) -> str:
    return '{"op": "/", "x": ' * levels + inner + "}" * levels


def test_a_deep_answer_to_a_recursive_schema_is_graded_though_its_mistakes_cannot_all_be_listed(score: Scored) -> None:
    assert score({"schema": EXPRESSION}, nested(60, "1")).passed
    shallow, deep = (score({"schema": EXPRESSION}, nested(levels, '"no"')) for levels in (2, 60))
    assert shallow.reason is deep.reason is Reason.SCHEMA_VIOLATION
    assert "not valid under any of the schemas" in shallow.detail
    assert deep.detail == "$: not valid; what is wrong takes too many steps to find out with this schema"


def test_definitions_that_all_apply_one_another_at_the_same_place_are_graded(score: Scored) -> None:
    names = [f"n{number}" for number in range(8)]
    made = {name: {"allOf": [{"type": "object"}, *({"$ref": f"#/$defs/{other}"} for other in names)]} for name in names}

    assert score({"schema": {"$defs": made, "$ref": "#/$defs/n0"}}, "{}").passed
    assert score({"schema": {"$defs": made, "$ref": "#/$defs/n0"}}, "1").reason is Reason.SCHEMA_VIOLATION


def test_a_mistake_that_a_slow_pattern_may_have_made_up_is_a_grader_error(score: Scored) -> None:
    schema = {**EXPRESSION, "propertyNames": {"pattern": "^[a-z]+$"}}

    assert score({"schema": schema}, nested(60, "1")).passed
    assert score({"schema": schema}, nested(60, '"no"')).reason is Reason.GRADER_ERROR


def test_a_schema_that_doubles_its_steps_with_each_level_of_an_answer_grades_shallow_ones_only(score: Scored) -> None:
    made = {f"a{n}": {"allOf": [{"properties": {"x": {"$ref": f"#/$defs/a{n - 1}"}}}] * 2} for n in range(1, 41)}
    schema = {"$defs": {"a0": {"type": "number"}, **made}, "$ref": "#/$defs/a40"}

    assert score({"schema": schema}, nested(3, "{}")).passed
    deep = score({"schema": schema}, nested(40, "1"))
    assert deep.reason is Reason.GRADER_ERROR
    assert "the schema takes too many steps on this answer" in deep.detail


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "strin"}, "at type"),
        ({"pattern": "("}, "at pattern"),
        ({"const": "\ud800"}, "surrogates not allowed"),
        ({"$ref": "#/$defs/none"}, "valid JSON Schema"),
        ({"$ref": "http://127.0.0.1:9/schema.json"}, "valid JSON Schema"),
        ({"$ref": "file:///etc/hostname"}, "valid JSON Schema"),
        ({"$schema": "http://json-schema.org/draft-04/schema#"}, "draft 2020-12"),
        ([], "as a mapping"),
        (DOUBLING, r'at \["\$defs"\]\.a12: references that apply more than 10,000 parts at one place'),
    ],
)
def test_a_schema_that_is_not_valid_is_refused_before_anything_is_sent(schema: Any, message: str, parse: Parse) -> None:
    with pytest.raises(InvalidEntryError, match=message):
        parse({"schema": schema})


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no file s.json"),
        ({"s.json": "{"}, "s.json:1:2: not JSON"),
        ({"s.json": "[1]"}, "as a mapping"),
    ],
)
def test_a_schema_file_that_cannot_be_used_is_refused(files: dict[str, str], message: str, parse: Parse) -> None:
    with pytest.raises(InvalidEntryError, match=message):
        parse({"schema": "s.json"}, files=files)


def test_a_schema_file_may_be_yaml(parse: Parse, answer: Answered) -> None:
    grader = parse({"schema": "s.yaml"}, files={"s.yaml": "type: object\nrequired: [a]\n"})

    assert grader.grade(Case("c1"), answer('{"a": 1}'))[0].passed


small_json = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "billing", "x"]),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.sampled_from(["queue", "lines"]), children),
    max_leaves=6,
)


@settings(max_examples=50)
@given(small_json)
def test_validation_agrees_with_the_reference_implementation(value: Any) -> None:
    response = Response(CallKey("c1", "v", 0), Outcome.OK, "m", text=json.dumps(value))

    passed = Schema(name="s", document=ITEM).grade(Case("c1"), response)[0].passed

    assert passed == jsonschema.Draft202012Validator(ITEM).is_valid(value)


def fields_of(grader: Grader, case: Case, response: Response) -> dict[str, tuple[float | None, Reason]]:
    return {score.metric: (score.value, score.reason) for score in grader.grade(case, response)}


def test_each_field_is_a_metric_and_the_mean_bears_the_name(parse: Parse, answer: Answered) -> None:
    case = Case("c1", expected={"queue": "billing", "total": 3, "due": None})
    grader = parse({"name": "fields", "json_equal": "{{ expected }}"}, [case])

    assert fields_of(grader, case, answer('{"queue": "billing", "total": 4, "due": null}')) == {
        "fields": (2 / 3, Reason.WRONG),
        "fields.queue": (1.0, Reason.PASSED),
        "fields.total": (0.0, Reason.WRONG),
        "fields.due": (1.0, Reason.PASSED),
        "fields.invented": (0.0, Reason.PASSED),
    }


def test_the_mean_is_graded_and_the_fields_are_pass_or_fail(parse: Parse) -> None:
    kinds = [metric.kind for metric in parse({"json_equal": "{{ expected }}", "fields": ["a"]}).metrics]

    assert kinds == [ScoreKind.GRADED, ScoreKind.PASS_FAIL, ScoreKind.GRADED]


def test_fields_that_are_not_named_are_those_that_any_case_expects(parse: Parse) -> None:
    cases = [Case("c1", expected={"a": 1}), Case("c2", expected={"b.c": 1}), Case("c3", expected={"z": 1}, tags=("t",))]

    grader = parse({"json_equal": "{{ expected }}", "not": False, "when": {"tag": "t"}}, cases)
    wide = parse({"json_equal": "{{ expected }}"}, cases)

    assert grader.resolved()["fields"] == {"z": "exact"}
    assert list(wide.resolved()["fields"]) == ["a", '["b.c"]', "z"]


@pytest.mark.parametrize(
    ("expected", "text", "passed", "detail"),
    [
        ({"due": None}, '{"due": null}', True, ""),
        ({"due": None}, "{}", False, "expected null, found no such field"),
        ({}, '{"due": null}', False, "expected no such field, found null"),
        ({}, "{}", True, ""),
        ({"due": 1}, '{"due": null}', False, "expected 1, found null"),
    ],
)
def test_an_absent_field_is_told_from_null(
    expected: dict[str, Any], text: str, passed: bool, detail: str, parse: Parse, answer: Answered
) -> None:
    grader = parse({"json_equal": "{{ expected }}", "fields": ["due"]})

    score = grader.grade(Case("c1", expected=expected), answer(text))[1]

    assert (score.passed, score.detail) == (passed, detail)


@pytest.mark.parametrize(
    ("comparer", "expected", "found", "equal"),
    [
        ("exact", 1, 1.0, True),
        ("exact", 1, True, False),
        ("exact", "1", 1, False),
        ("exact", {"a": [1, True]}, {"a": [1, True]}, True),
        ("exact", [1, 2], [2, 1], False),
        ("casefold", "Acme  GmbH", " ACME gmbh", True),
        ("casefold", "Acme", 3, False),
        ("number", 1200, "$1,200", True),
        ({"number": 0.005}, 12.5, 12.5049, True),
        ({"number": 0.005}, 12.5, 12.51, False),
        ({"number": {"relative": 0.1}}, 100, 109, True),
        ({"number": 0.005}, 12.5, None, False),
        ({"number": 0.005}, 12.5, [12.5], False),
        ("date", "2025-01-31", "31 January 2025", True),
        ("date", "2025-01-31", "Jan 31st, 2025", True),
        ("date", "2025-01-31", "01/31/2025", False),
        ("date", "2025-01-31", 20250131, False),
        ("date", None, None, True),
        ("date", "2025-01-31T23:59:00Z", "2025-01-31", True),
        ({"normalise": ["punctuation", "casefold"]}, "St. John's", "ST JOHNS", True),
    ],
)
def test_a_field_is_compared_as_its_comparer_says(
    comparer: Any, expected: Any, found: Any, equal: bool, parse: Parse, answer: Answered
) -> None:
    case = Case("c1", expected={"f": expected})
    grader = parse({"json_equal": "{{ expected }}", "fields": {"f": comparer}}, [case])

    assert grader.grade(case, answer(json.dumps({"f": found})))[1].passed is equal


def test_fields_may_be_paths_into_the_object(parse: Parse, answer: Answered) -> None:
    case = Case("c1", expected={"lines": [{"total": 5}]})
    grader = parse({"json_equal": "{{ expected }}", "fields": ["lines[0].total"]}, [case])

    assert fields_of(grader, case, answer('{"lines": [{"total": 5, "x": 1}]}'))["json_equal.lines[0].total"][0] == 1.0


@pytest.mark.parametrize(
    ("text", "reason"), [("[1]", Reason.WRONG), ("null", Reason.WRONG), ("{", Reason.INVALID_JSON)]
)
def test_an_answer_that_is_no_object_fails_every_field(
    text: str, reason: Reason, parse: Parse, answer: Answered
) -> None:
    case = Case("c1", expected={"a": 1})
    grader = parse({"json_equal": "{{ expected }}", "fields": ["a", "b"]}, [case])

    *fields, invented = grader.grade(case, answer(text))

    assert {(s.value, s.reason) for s in fields} == {(0.0, reason)}
    assert (invented.value, invented.passed, invented.reason) == (1.0, False, reason)


def test_an_expected_date_that_is_none_leaves_the_field_and_the_mean_unmeasured(parse: Parse, answer: Answered) -> None:
    grader = parse({"json_equal": "{{ expected }}", "fields": {"due": "date", "a": "exact"}})

    scores = grader.grade(Case("c1", expected={"due": "soon", "a": 1}), answer('{"due": "2025-01-01", "a": 1}'))

    assert [s.reason for s in scores] == [Reason.GRADER_ERROR, Reason.GRADER_ERROR, Reason.PASSED, Reason.PASSED]


def test_fields_that_nobody_expects_are_mentioned(score: Scored) -> None:
    found = score({"json_equal": "{{ expected }}"}, '{"a": 1, "note": "hi"}', expected={"a": 1})

    assert (found.passed, found.evidence) == (True, ("note: not compared",))


@given(small_json)
def test_every_value_equals_itself(value: Any) -> None:
    assert same_json(value, json.loads(json.dumps(value)))


@given(st.dates())
def test_every_iso_date_is_read(day: Any) -> None:
    assert read_date(day.isoformat()) == day


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
    (tmp_path / "graders" / "much.json").write_text(json.dumps(DOUBLING))
    (tmp_path / "snapdrift.toml").touch()
    (tmp_path / "evals" / "s.yaml").write_text(
        "suite: s\ncases: [{id: a}]\nprompt: {input: hi}\nvariants: {v: {model: gpt-4o-2024-08-06}}\n"
        "graders:\n  - {name: valid, schema: graders/much.json}\ngate: {must_pass: {cases: [a]}}\n"
    )
    done = snapdrift("check", "evals/s.yaml", "--no-code", cwd=tmp_path)
    assert done.returncode == 2
    assert "evals/s.yaml:6:27: graders[0].schema:" in done.stderr
    assert "more than 10,000 parts at one place" in done.stderr
