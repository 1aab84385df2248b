"""`json_equal` beyond equal values: fields judged by families, lists, and values that nobody expects."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.graders import patterns
from snapdrift.graders.base import Grader
from snapdrift.graders.json_equal import JsonEqual
from snapdrift.model import CallKey, Case, Outcome, Reason, Response, Score, ScoreKind
from snapdrift.suites.registry import InvalidEntryError

Parse = Callable[..., Grader]
Answered = Callable[..., Response]
Graded = Callable[..., Mapping[str, Score]]
LINES = {"list": {"key": "sku", "fields": {"qty": "number", "price": {"number": 0.01}}}}
ORDER = [{"sku": "A1", "qty": 2, "price": 3.0}, {"sku": "B2", "qty": 1, "price": 5.0}]


@pytest.fixture
def graded(parse: Parse, answer: Answered) -> Graded:
    """The scores of an object by metric, without the grader's name: `""` is the mean, `f` a field, `invented`."""

    def scores(fields: Any, expected: Any, found: Any, **settings: Any) -> Mapping[str, Score]:
        case = Case("c1", {"most": 9}, expected)
        grader = parse({"name": "g", "json_equal": "{{ expected }}", "fields": fields, **settings}, [case])
        made = grader.grade(case, answer(found if isinstance(found, str) else json.dumps(found)))
        return {score.metric.removeprefix("g").removeprefix("."): score for score in made}

    return scores


# ----------------------------------------------------------------------------------------------- families as comparers


@pytest.mark.parametrize(
    ("comparer", "expected", "found", "passed"),
    [
        ({"contains": "{{ expected }}"}, "late", "It came too late.", True),
        ({"contains": "{{ expected }}"}, "late", "It came too soon.", False),
        ({"contains": "{{ expected.word }}"}, {"word": "late"}, "too late", True),
        ({"contains": "sorry", "not": True}, "x", "No apology.", True),
        ({"contains": "sorry", "not": True}, "x", "So sorry.", False),
        ({"number": "{{ expected }}", "percent": True}, "0.5", "50%", True),
        ({"number": "{{ most }}"}, 1, 9, True),
        ({"choice": ["open", "closed"]}, "open", "OPEN.", True),
        ({"choice": ["open", "closed"]}, "open", "closed", False),
        ({"exact": ["a", "b"]}, "x", "b", True),
        ("regex", "^a+$", "aaa", True),
        ({"schema": {"type": "array", "maxItems": 1}}, [], [1], True),
        ({"json_equal": "{{ expected }}", "fields": {"n": {"number": 0.1}}}, {"n": 1}, {"n": 1.05}, True),
        ({"path": {"n": {"at_least": 1}}}, {}, {"n": 0}, False),
        ({"well_formed": "xml"}, "x", "<a/>", True),
    ],
)
def test_a_family_judges_a_field_against_what_is_expected_of_the_field(
    comparer: Any, expected: Any, found: Any, passed: bool, graded: Graded
) -> None:
    assert graded({"f": comparer}, {"f": expected}, {"f": found})["f"].passed is passed


def test_a_graded_family_makes_a_graded_field_and_counts_by_its_share(graded: Graded, parse: Parse) -> None:
    fields = {"address": {"json_equal": "{{ expected }}", "fields": ["city", "zip"]}, "id": "exact"}
    expected = {"address": {"city": "Rome", "zip": "1"}, "id": 7}

    found = graded(fields, expected, {"address": {"city": "Rome", "zip": "2"}, "id": 7})

    assert (found["address"].value, found[""].value, found[""].passed) == (0.5, 0.75, False)
    kinds = [m.kind for m in parse({"json_equal": "{{ expected }}", "fields": fields}).metrics]
    assert kinds == [ScoreKind.GRADED, ScoreKind.GRADED, ScoreKind.PASS_FAIL, ScoreKind.GRADED]


@pytest.mark.parametrize(
    ("expected", "found", "passed"),
    [
        ({}, {}, True),
        ({"f": None}, {"f": None}, True),
        ({"f": "late"}, {"f": None}, False),
        ({"f": "late"}, {}, False),
        ({"f": None}, {"f": "late"}, False),
        ({}, {"f": "late"}, False),
    ],
)
def test_what_is_not_there_is_never_shown_to_a_family(expected: Any, found: Any, passed: bool, graded: Graded) -> None:
    assert graded({"f": {"contains": "{{ expected }}"}}, expected, found)["f"].passed is passed


@pytest.mark.parametrize(
    ("found", "passed"), [({"f": "so sorry"}, True), ({"f": "no"}, False), ({}, False), ({"f": None}, False)]
)
def test_a_family_that_needs_no_expected_value_is_asked_of_every_answer(
    found: Any, passed: bool, graded: Graded
) -> None:
    scores = graded({"f": {"contains": "sorry"}}, {}, found)

    assert (scores["f"].passed, scores["invented"].value) == (passed, 0.0)


def test_a_value_that_a_family_cannot_extract_from_is_a_failed_field_that_says_so(graded: Graded) -> None:
    field = graded({"f": {"number": "{{ expected }}", "decimal": ","}}, {"f": 3}, {"f": "none"})["f"]

    assert (field.value, field.reason) == (0.0, Reason.UNEXTRACTED)


def test_a_pattern_that_explodes_leaves_the_field_and_the_mean_unmeasured(
    graded: Graded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patterns, "TIMEOUT_SECONDS", 0.05)
    fields = {"f": {"regex": r"(?:(a|a)+)+$"}, "g": "exact"}

    scores = graded(fields, {"f": "x", "g": 1}, {"f": "a" * 40 + "!", "g": 1})

    assert [scores[name].reason for name in ("", "f", "g")] == [Reason.GRADER_ERROR, Reason.GRADER_ERROR, Reason.PASSED]


@pytest.mark.parametrize(
    ("comparer", "location", "message"),
    [
        ({"contains": {"al": "x"}}, ("fields", "f", "contains", "al"), "unknown key 'al'"),
        ({"contains": "x", "nomalise": "strip"}, ("fields", "f", "nomalise"), "unknown key 'nomalise'"),
        ({"contains": "x", "name": "n"}, ("fields", "f"), "without name"),
        ({"contains": "x", "extract": "last_line"}, ("fields", "f"), "without extract"),
        ({"contains": "x", "regex": "y"}, ("fields", "f"), "exactly one family"),
        ({"judge": {"criteria": "x", "model": "m-2024-01-01"}}, ("fields", "f"), "needs the whole answer"),
        ({"tool_calls": []}, ("fields", "f"), "needs the whole answer"),
        ({"contain": "x"}, ("fields", "f"), "did you mean 'contains'"),
        ({"contains": "{{ expected"}, ("fields", "f"), "end of print statement"),
        ({"list": "sorted"}, ("fields", "f", "list"), "'any_order' or 'ordered'"),
        ({"list": {"key": "$"}}, ("fields", "f", "list", "key"), "below the root"),
        ({"list": {"key": "a"}, "items": "exact"}, ("fields", "f"), "elements without one"),
        (3, ("fields", "f"), "name of a family"),
    ],
)
def test_a_mistake_in_a_comparer_is_told_at_its_place(comparer: Any, location: Any, message: str, parse: Parse) -> None:
    with pytest.raises(InvalidEntryError, match=message) as caught:
        parse({"json_equal": "{{ expected }}", "fields": {"f": comparer}})

    assert caught.value.findings[0].location == location


@pytest.mark.parametrize(
    ("comparer", "expected", "message"),
    [
        ({"number": "{{ expected }}", "percent": True}, "many", "field f: the expected value"),
        ({"contains": "{{ expected.word }}"}, "late", "field f: "),
        (LINES, "none", "is no list"),
        (LINES, [{"qty": 1}], r"element \[0\] has no sku"),
        (LINES, [{"sku": 1}, {"sku": 1.0}], "two expected elements have the sku 1.0"),
        (LINES, [{"sku": 1, "qty": "many"}], "qty: the expected value"),
        ({"list": "ordered", "items": "date"}, ["soon"], "is not a date"),
    ],
)
def test_an_expected_value_that_a_comparer_cannot_read_is_found_before_a_run(
    comparer: Any, expected: Any, message: str, parse: Parse
) -> None:
    with pytest.raises(InvalidEntryError, match=message):
        parse({"json_equal": "{{ expected }}", "fields": {"f": comparer}}, [Case("c1", expected={"f": expected})])


def test_the_version_follows_the_version_of_the_family_that_compares_a_field(
    parse: Parse, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {
        "json_equal": "{{ expected }}",
        "fields": {"f": {"list": "ordered", "items": {"contains": "x"}}, "g": "exact"},
    }
    before = parse(entry).version
    monkeypatch.setattr("snapdrift.graders.contains.Contains.family_version", 99)

    assert parse(entry).version != before


# ---------------------------------------------------------------------------------------- lists


@pytest.mark.parametrize(
    ("found", "value", "detail"),
    [
        (ORDER, 1.0, ""),
        (ORDER[::-1], 1.0, ""),
        ([{**ORDER[0], "price": 3.009}, {**ORDER[1], "note": "x"}], 1.0, ""),
        ([{**ORDER[0], "qty": 9}, ORDER[1]], 5 / 6, 'sku "A1": qty: expected 2, found 9'),
        ([{"sku": "A1", "qty": 2}, ORDER[1]], 5 / 6, 'sku "A1": price: expected 3.0, found no such field'),
        ([{**ORDER[0], "qty": None}, ORDER[1]], 5 / 6, 'sku "A1": qty: expected 2, found null'),
        (ORDER[:1], 3 / 6, 'missing sku "B2"'),
        ([*ORDER, {"sku": "C3", "qty": 1, "price": 1}], 6 / 9, 'invented sku "C3"'),
        ([*ORDER, ORDER[0]], 6 / 9, 'sku "A1" is there twice'),
        ([*ORDER, {"qty": 1}], 6 / 9, 'invented: without sku: {"qty":1}'),
        ([*ORDER, 5], 6 / 9, "invented: without sku: 5"),
        ([], 0.0, 'missing sku "A1"; missing sku "B2"'),
        ("A1", 0.0, 'expected a list, found "A1"'),
    ],
)
def test_elements_find_each_other_by_their_key(found: Any, value: float, detail: str, graded: Graded) -> None:
    field = graded({"f": LINES}, {"f": ORDER}, {"f": found})["f"]

    assert field.value == pytest.approx(value)
    assert (field.detail, field.passed) == (detail, not detail)


def test_a_key_may_be_compared_in_a_way_of_its_own(graded: Graded) -> None:
    way = {"list": {"key": "sku", "fields": {"sku": "casefold", "qty": "number"}}}

    assert graded({"f": way}, {"f": [{"sku": "a1", "qty": 1}]}, {"f": [{"sku": "A1", "qty": "1"}]})["f"].passed


def test_without_fields_elements_are_compared_by_all_that_is_expected_of_them(graded: Graded) -> None:
    way = {"list": {"key": "id"}}
    field = graded({"f": way}, {"f": [{"id": 1, "a.b": 2}]}, {"f": [{"id": 1, "a.b": 3, "c": 4}]})["f"]

    assert (field.value, field.detail) == (0.5, 'id 1: ["a.b"]: expected 2, found 3')


@pytest.mark.parametrize(
    ("way", "expected", "found", "value", "detail"),
    [
        ({"list": "any_order"}, ["a", "b"], ["b", "a"], 1.0, ""),
        ({"list": "any_order"}, ["a", "b"], ["b", "c"], 1 / 3, 'missing "a"; invented "c"'),
        ({"list": "any_order"}, ["a", "a"], ["a"], 0.5, 'missing "a"'),
        ({"list": "any_order"}, [], [], 1.0, ""),
        ({"list": "any_order"}, [1, True], [True, 1.0], 1.0, ""),
        ({"list": "any_order", "items": "casefold"}, ["Late"], ["LATE"], 1.0, ""),
        ({"list": "any_order", "items": {"number": 1}}, [1, 2], [2, 3], 1.0, ""),
        (
            {"list": "ordered"},
            ["a", "b"],
            ["b", "a"],
            0.0,
            '[0]: expected "a", found "b"; [1]: expected "b", found "a"',
        ),
        ({"list": "ordered"}, ["a", "b"], ["a"], 0.5, 'missing [1]: "b"'),
        ({"list": "ordered"}, ["a"], ["a", "b"], 0.5, 'invented "b"'),
        ({"list": "ordered", "items": {"contains": "{{ expected }}"}}, ["a"], ["xay"], 1.0, ""),
    ],
)
def test_elements_without_a_key_are_compared_whole(
    way: Any, expected: Any, found: Any, value: float, detail: str, graded: Graded
) -> None:
    field = graded({"f": way}, {"f": expected}, {"f": found})["f"]

    assert field.value == pytest.approx(value)
    assert field.detail == detail


def test_a_list_without_end_is_not_compared_with_everything(graded: Graded) -> None:
    long = list(range(300_000))
    for way in ({"list": "any_order"}, {"list": {"key": "n"}}):
        field = graded({"f": way}, {"f": [{"n": 1}]}, {"f": long})["f"]
        assert (field.value, field.detail) == (0.0, "300,000 elements, too many to compare with the 1 expected")


def test_a_family_looks_at_fewer_pairs(graded: Graded) -> None:
    way = {"list": "any_order", "items": {"contains": "{{ expected }}"}}
    found = graded({"f": way}, {"f": ["a"]}, {"f": ["a"] * 10_001})["f"]

    assert found.detail == "10,001 elements, too many to compare with the 1 expected"


def test_a_long_list_of_differences_is_told_up_to_a_bound(graded: Graded) -> None:
    field = graded({"f": {"list": "ordered"}}, {"f": []}, {"f": list(range(1000))})["f"]

    assert (len(field.evidence), field.value) == (20, 0.0)
    assert field.detail.endswith("and 980 more")


SKUS = st.lists(st.integers(0, 6), unique=True, max_size=6).map(lambda n: [{"sku": s, "qty": s} for s in n])


@given(SKUS, SKUS, st.randoms())
def test_the_order_of_elements_never_matters_where_they_have_a_key(wanted: Any, found: Any, random: Any) -> None:
    grader = JsonEqual.model_validate({"name": "g", "json_equal": {"f": wanted}, "fields": {"f": LINES}})

    def value(elements: Any) -> float | None:
        text = json.dumps({"f": elements})
        return grader.grade(Case("c1"), Response(CallKey("c1", "v", 0), Outcome.OK, "m", text))[1].value

    shuffled = random.sample(found, len(found))
    assert value(shuffled) == value(found)
    assert (value(found) == 1.0) is ({e["sku"] for e in wanted} == {e["sku"] for e in found})


# ---------------------------------------------------------------------------------------- invented values


@pytest.mark.parametrize(
    ("expected", "found", "value"),
    [
        ({"a": 1, "b": None}, {"a": 1, "b": None}, 0.0),
        ({"a": 1, "b": None}, {"a": 1}, 0.0),
        ({"a": 1, "b": None}, {"a": 1, "b": "x"}, 0.5),
        ({"a": 1}, {"a": 1, "b": 0, "c": False}, 1.0),
        ({"a": 1}, {"a": 2, "b": "", "c": []}, 0.0),
        ({"a": 1, "b": "", "c": {}}, {"a": 1, "b": "x"}, 0.5),
        ({"a": 1, "b": 2, "c": 3}, {"a": 4, "b": 5, "c": 6, "d": 7}, 0.0),
        ({}, {"a": 1, "b": None}, 1 / 3),
    ],
)
def test_the_rate_of_invented_values_is_over_the_fields_for_which_none_is_expected(
    expected: Any, found: Any, value: float, graded: Graded
) -> None:
    fields = ["a", "b", "c"]
    score = graded(fields, expected, found)["invented"]

    assert score.value == pytest.approx(value)
    assert score.passed is (value == 0)


def test_an_invented_value_is_named_and_kept_as_a_fact(graded: Graded) -> None:
    score = graded(["a", "b"], {"a": 1}, {"a": 1, "b": "x"})["invented"]

    assert score.detail == '1 of 1 fields without an expected value are filled: b: found "x", expected no value'
    assert score.facts == {"invented": ["b"]}


def test_less_of_it_is_better_and_it_is_no_part_of_the_mean(graded: Graded, parse: Parse) -> None:
    scores = graded({"a": "exact", "b": {"contains": "x"}}, {}, {"a": 1, "b": "x"})
    metric = parse({"name": "g", "json_equal": {"a": 1}, "fields": ["a"]}).metrics[-1]

    assert (scores[""].value, scores["invented"].value) == (0.5, 1.0)
    assert (metric.name, metric.higher_is_better, metric.kind) == ("g.invented", False, ScoreKind.GRADED)


@pytest.mark.parametrize(("found", "value"), [({"a": 5}, 0.0), ({}, 1.0)])
def test_not_turns_the_rate_round_like_every_judgement(found: Any, value: float, graded: Graded) -> None:
    score = graded(["a"], {}, found, **{"not": True})["invented"]

    assert (score.value, score.passed) == (value, value == 0)


def test_an_answer_that_cannot_be_read_is_no_gain_where_less_is_better(graded: Graded) -> None:
    for settings in ({}, {"not": True}):
        score = graded(["a"], {"a": 1}, "no JSON", **settings)["invented"]
        assert (score.value, score.passed, score.reason) == (1.0, False, Reason.INVALID_JSON)


def test_a_field_of_that_name_is_spelt_in_another_way(parse: Parse, answer: Answered) -> None:
    with pytest.raises(InvalidEntryError, match=r'\["invented"\]'):
        parse({"json_equal": {}, "fields": ["invented"]})

    case = Case("c1", expected={"invented": 1})
    names = [
        score.metric for score in parse({"name": "g", "json_equal": "{{ expected }}"}, [case]).grade(case, answer("{}"))
    ]
    assert names == ["g", 'g.["invented"]', "g.invented"]


@given(st.dictionaries(st.sampled_from("abc"), st.none() | st.integers() | st.just("")))
def test_an_object_never_invents_anything_against_itself(value: Any) -> None:
    grader = JsonEqual.model_validate({"name": "g", "json_equal": value, "fields": ["a", "b", "c"]})
    response = Response(CallKey("c1", "v", 0), Outcome.OK, "m", json.dumps(value))

    assert [s.value for s in grader.grade(Case("c1"), response)] == [1.0, 1.0, 1.0, 1.0, 0.0]
