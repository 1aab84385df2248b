"""Finding the value that is graded: JSON in three modes, patterns, lines, alternatives."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from snapdrift.graders import patterns
from snapdrift.graders.extract import Alternatives, Extraction, extract
from snapdrift.graders.json_text import MAX_DEPTH, read_json, unfenced
from snapdrift.graders.marks import CannotGradeError, InvalidJsonError, NotExtractedError

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=12,
)


def run(step: Any, text: str) -> Extraction:
    return extract(TypeAdapter(Alternatives).validate_python(step), text)


@pytest.mark.parametrize(
    ("step", "text", "value"),
    [
        ({"json": "$"}, ' {"a": 1} ', {"a": 1}),
        ({"json": "$"}, "null", None),
        ({"json": "lines[1].total"}, '{"lines": [{}, {"total": 2.5}]}', 2.5),
        ({"json": "$.a"}, '{"a": null}', None),
        ({"json": '["a.b"]'}, '{"a.b": 3}', 3),
        ({"json": "$", "mode": "fenced"}, '```json\n{"a": 1}\n```', {"a": 1}),
        ({"json": "$", "mode": "fenced"}, "\n~~~\n[1]\n~~~\n", [1]),
        ({"json": "$", "mode": "fenced"}, '{"a": 1}', {"a": 1}),
        ({"json": "$", "mode": "fenced"}, '```json\n{"code": "```\\n"}\n```', {"code": "```\n"}),
        ({"json": "a", "mode": "first_object"}, 'So {"a": {"b": "}"}} and {"a": 2}', {"b": "}"}),
        ({"json": "a", "mode": "first_object"}, '{"a": "two\nlines"}', "two\nlines"),
        ({"regex": "x=(\\d+)"}, "x=1 x=2", "1"),
        ({"regex": "x=\\d+"}, "x=1 x=2", "x=1"),
        ({"regex": "(?P<n>\\d)(\\w)", "group": "n"}, "1a", "1"),
        ({"regex": "\\[(d\\d)\\]", "all": True}, "[d1] and [d2]", ["d1", "d2"]),
        ("first_line", "\n  one \ntwo\n", "one"),
        ("last_line", "one\n two \n\n", "two"),
        ("whole_text", " one\n", " one\n"),
    ],
)
def test_a_step_yields_the_value(step: Any, text: str, value: Any) -> None:
    assert run(step, text) == Extraction(value, 0)


@pytest.mark.parametrize(
    ("written", "told"),
    [({"jsn": "queue"}, 'did you mean "json"? expected {json: PATH}'), ({"path": "a"}, "expected {json: PATH} or")],
)
def test_a_mapping_that_is_no_step_is_answered_with_the_mappings_that_are(written: Any, told: str) -> None:
    with pytest.raises(ValidationError) as wrong:
        TypeAdapter(Alternatives).validate_python(written)
    assert wrong.value.errors()[0]["msg"].startswith(f"Value error, {told}")


@pytest.mark.parametrize(
    ("step", "text", "why"),
    [
        ({"json": "$"}, '```json\n{"a": 1}\n```', "not JSON"),
        ({"json": "$"}, '{"a": "two\nlines"}', "control character"),
        ({"json": "$"}, "", "not JSON"),
        ({"json": "$"}, "NaN", "NaN is not a JSON value"),
        ({"json": "$"}, "[-Infinity]", "-Infinity is not a JSON value"),
        ({"json": "$"}, "[1e999]", "out of range"),
        ({"json": "$"}, "9" * 5_000, "an integer of 5,000 digits"),
        ({"json": "$"}, "[" * 200 + "]" * 200, "nested deeper"),
        ({"json": "$"}, "[" * 1_000_000, "nested deeper"),
        ({"json": "$", "mode": "fenced"}, "```\n{}\n```\ntext\n```\n{}\n```", "not JSON"),
        ({"json": "$", "mode": "fenced"}, "Here:\n```\n{}\n```", "not JSON"),
        ({"json": "$", "mode": "first_object"}, "no object", "no JSON object"),
        ({"json": "$", "mode": "first_object"}, '{"a": 1', "not JSON"),
        ({"json": "a.b"}, '{"a": {}}', "nothing at a.b"),
        ({"json": "a[0]"}, '{"a": {"0": 1}}', "nothing at a[0]"),
        ({"regex": "x(y)?"}, "x", "nothing matches"),
        ({"regex": "x", "all": True}, "y", "nothing matches"),
        ("last_line", " \n ", "no line with text"),
    ],
)
def test_what_cannot_be_extracted_is_told_apart_with_a_reason(step: Any, text: str, why: str) -> None:
    with pytest.raises(NotExtractedError, match=why.replace("[", "\\[")):
        run(step, text)


def test_the_first_alternative_that_yields_wins_and_its_number_is_kept() -> None:
    steps = [{"json": "answer"}, {"regex": "answer: (.*)"}, "last_line"]

    assert run(steps, "answer: 7\nbye") == Extraction("7", 1)


def test_a_null_is_a_value_and_ends_the_search() -> None:
    assert run([{"json": "a"}, "last_line"], '{"a": null}') == Extraction(None, 0)


def test_when_no_alternative_yields_each_one_says_why() -> None:
    with pytest.raises(NotExtractedError, match=r"not JSON: .*; then nothing matches 'x'"):
        run([{"json": "$"}, {"regex": "x"}], "hello")


@pytest.mark.parametrize(
    ("steps", "text", "invalid"),
    [
        ([{"json": "$"}], "hello", True),
        ([{"json": "$"}, {"json": "a", "mode": "first_object"}], "hello", True),
        ([{"json": "a"}], "{}", False),
        ([{"json": "$"}, {"regex": "x"}], "hello", False),
        ([{"json": "$"}, {"json": "a", "mode": "first_object"}], "see {}", False),
    ],
)
def test_only_where_every_alternative_wanted_json_that_is_none_is_it_the_json_that_is_invalid(
    steps: list[Any], text: str, invalid: bool
) -> None:
    with pytest.raises(NotExtractedError) as caught:
        run(steps, text)

    assert isinstance(caught.value, InvalidJsonError) is invalid


def test_a_pattern_that_explodes_is_the_graders_fault_not_the_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "TIMEOUT_SECONDS", 0.05)

    with pytest.raises(CannotGradeError, match=r"took more than 0.05 s"):
        run({"regex": r"(?:(?:x+x+)+)\1?y|(?:(a|a)+)+$"}, "a" * 40 + "!")


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"json": ""}, "expected a path"),
        ({"json": "a..b"}, "expected a path such as"),
        ({"json": "a[-1]"}, "expected a path such as"),
        ({"json": "a[0]b"}, "expected a path such as"),
        ({"json": "$", "mode": "lenient"}, "fenced"),
        ({"regex": "("}, "expected a regular expression"),
        ({"regex": "a" * 5_000}, "at most 4,000 characters"),
        ({"regex": "(a)", "group": 2}, "no group 2"),
        ({"regex": "(a)", "group": "n"}, "no group 'n'"),
        ({"regex": "(a)", "all": "yes"}, "boolean"),
        ("first_word", "whole_text"),
        ([], "at least one item"),
    ],
)
def test_a_step_that_makes_no_sense_is_refused(step: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(Alternatives).validate_python(step)


@given(json_values)
def test_strict_reads_back_any_json(value: Any) -> None:
    assert read_json(json.dumps(value)) == value


@given(json_values, st.sampled_from(["", "json", "JSON "]), st.integers(3, 6))
def test_a_fence_around_json_makes_no_difference(value: Any, language: str, width: int) -> None:
    fence = "`" * width
    text = json.dumps(value, indent=2)

    assert unfenced(f"{fence}{language}\n{text}\n{fence}\n") == text


@given(st.text())
def test_reading_arbitrary_text_either_yields_or_says_why(text: str) -> None:
    for mode in ("strict", "fenced", "first_object"):
        try:
            outcome = json.dumps(run({"json": "$", "mode": mode}, text).value, allow_nan=False)
        except NotExtractedError as error:
            outcome = str(error)
        assert outcome


def test_wide_json_is_not_taken_for_deep_json() -> None:
    assert len(read_json(json.dumps([{}] * 1_000))) == 1_000


def test_json_at_the_deepest_level_that_is_taken_is_read() -> None:
    text = "[" * MAX_DEPTH + "]" * MAX_DEPTH

    assert read_json(text) is not None
