"""`set`: the members of a list against the expected ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.graders.base import Grader
from snapdrift.graders.set import Overlap, SetGrader
from snapdrift.model import CallKey, Case, Outcome, Reason, Response, Score, ScoreKind
from snapdrift.suites.registry import InvalidEntryError

Scored = Callable[..., Score]
Parse = Callable[..., Grader]

CITED = {"regex": r"\[(d\d+)\]", "all": True}
JSON_LIST = {"json": "x"}


@pytest.mark.parametrize(
    ("entry", "text", "reason"),
    [
        ({"set": ["d1", "d2"], "extract": CITED}, "See [d2] and [d1], again [d2].", Reason.PASSED),
        ({"set": ["d1", "d2"], "extract": CITED}, "See [d2].", Reason.WRONG),
        ({"set": ["d1"], "extract": CITED}, "See [d1] and [d2].", Reason.WRONG),
        ({"set": ["d1", "d2"], "measure": "subset_of", "extract": CITED}, "See [d2].", Reason.PASSED),
        ({"set": ["d1", "d2"], "measure": "subset_of", "extract": CITED}, "See [d2] and [d3].", Reason.WRONG),
        ({"set": ["d1"], "measure": "recall_of", "extract": CITED}, "See [d1] and [d2].", Reason.PASSED),
        ({"set": ["d1", "d2"], "measure": "recall_of", "extract": CITED}, "See [d1].", Reason.WRONG),
        ({"set": ["d1", "d2"], "measure": "recall_of", "at_least": 0.5, "extract": CITED}, "[d1]", Reason.PASSED),
        ({"set": ["d1", "d2"], "measure": "f1", "at_least": 0.66, "extract": CITED}, "[d1]", Reason.PASSED),
        ({"set": ["d1", "d2"], "measure": "f1", "at_least": 0.67, "extract": CITED}, "[d1]", Reason.WRONG),
        ({"set": ["d1"], "extract": CITED}, "I cite nothing.", Reason.UNEXTRACTED),
        ({"set": ["d1"], "extract": CITED, "none_found": "empty"}, "I cite nothing.", Reason.WRONG),
        ({"set": ["a", "b"]}, '["b", "a"]', Reason.PASSED),
        ({"set": ["a", "b"]}, "a, b", Reason.INVALID_JSON),
        ({"set": ["a", "b"]}, '{"a": 1}', Reason.UNEXTRACTED),
        ({"set": ["a", "b"]}, "[" * 100_000, Reason.INVALID_JSON),
        ({"set": [1], "extract": JSON_LIST}, '{"x": [NaN]}', Reason.INVALID_JSON),
        ({"set": [1, True], "extract": JSON_LIST}, '{"x": ["1", true]}', Reason.PASSED),
        ({"set": [1], "extract": JSON_LIST}, '{"x": null}', Reason.UNEXTRACTED),
        ({"set": ["1"], "extract": JSON_LIST}, '{"x": 1}', Reason.UNEXTRACTED),
        ({"set": [], "extract": JSON_LIST}, '{"x": []}', Reason.PASSED),
        ({"set": [{"a": 1, "b": 2}], "extract": JSON_LIST}, '{"x": [{"b": 2, "a": 1}]}', Reason.PASSED),
        ({"set": ["a", "b"], "split": ","}, " b,a ,, a", Reason.PASSED),
        ({"set": "a;b", "split": ";"}, "b;a", Reason.PASSED),
        ({"set": "", "split": ",", "none_found": "empty"}, " ", Reason.PASSED),
        ({"set": ["a"], "split": ","}, " , ", Reason.UNEXTRACTED),
        ({"set": ["A"], "split": ",", "normalise": ["strip", "casefold"]}, "a, A", Reason.PASSED),
        ({"set": "a,b"}, '["a", "b"]', Reason.GRADER_ERROR),
        ({"set": 5}, '["a", "b"]', Reason.GRADER_ERROR),
        ({"set": ["a\ud800"], "split": ","}, "a\ud800", Reason.PASSED),
        ({"set": ["x"], "extract": {"regex": "x", "all": True}}, "x" * 100_000, Reason.PASSED),
        ({"set": ["x"], "split": " ", "measure": "f1"}, " ".join(map(str, range(150_000))), Reason.WRONG),
    ],
)
def test_the_members_are_judged(entry: dict[str, Any], text: str, reason: Reason, score: Scored) -> None:
    assert score(entry, text).reason is reason


def test_the_detail_names_what_is_missing_and_what_is_invented(score: Scored) -> None:
    entry = {"set": ["d1", "d2", "d3"], "measure": "f1", "extract": CITED}

    found = score(entry, "[d1] [d9] [d8]")

    assert found.detail == 'f1 0.333: missing "d2", "d3"; invented "d9", "d8"'
    assert found.evidence == ('missing "d2"', 'missing "d3"', 'invented "d9"', 'invented "d8"')


def test_a_detail_with_many_members_says_how_many_more_there_are(score: Scored) -> None:
    assert score({"set": ["x"], "split": " "}, " ".join(map(str, range(14)))).detail.endswith('"9" and 4 more')


@pytest.mark.parametrize(
    ("measure", "cites_nothing", "cites_something"),
    [("equal", 1.0, 0.0), ("subset_of", 1.0, 0.0), ("recall_of", 1.0, 1.0), ("f1", 1.0, 0.0)],
)
def test_where_nothing_is_expected_the_empty_set_is_right(
    measure: str, cites_nothing: float, cites_something: float, score: Scored
) -> None:
    entry = {"set": "{{ expected }}", "measure": measure, "extract": CITED, "none_found": "empty"}

    values = [score(entry, text, expected=[]).value for text in ("No document says so.", "See [d1].")]

    assert values == [cites_nothing, cites_something]


def test_no_match_is_the_empty_set_only_after_every_other_way_to_extract(score: Scored) -> None:
    entry = {"set": ["d1"], "extract": [JSON_LIST, CITED], "none_found": "empty"}

    assert score(entry, '{"x": ["d1"]}').passed
    assert score(entry, "See [d1].").extracted_by == 1
    assert (score(entry, "Nothing.").extracted, score(entry, "Nothing.").extracted_by) == ([], 1)


def test_an_empty_expected_set_that_no_answer_could_match_is_found_when_the_suite_is_loaded(parse: Parse) -> None:
    cases = [Case("c1", expected=["d1"]), Case("c2", expected=[])]
    entry = {"set": "{{ expected }}", "extract": CITED}

    with pytest.raises(InvalidEntryError, match=r"case 'c2'.*say `none_found: empty`"):
        parse(entry, cases)
    parse({**entry, "none_found": "empty"}, cases)
    parse({**entry, "extract": JSON_LIST}, cases)


@pytest.mark.parametrize("expected", ["d1", None, {"a": 1}, 3])
def test_an_expected_value_that_is_no_list_is_found_when_the_suite_is_loaded(expected: Any, parse: Parse) -> None:
    with pytest.raises(InvalidEntryError, match="is not a list"):
        parse({"set": "{{ expected }}"}, [Case("c1", expected=expected)])


@pytest.mark.parametrize(
    "entry",
    [
        {"set": ["a"], "at_least": 0.5},
        {"set": ["a"], "measure": "subset_of", "at_least": 0.5},
        {"set": ["a"], "measure": "f1", "at_least": 1.5},
        {"set": ["a"], "measure": "precision"},
        {"set": ["a"], "none_found": "empty"},
        {"set": ["a"], "split": ""},
        {"set": None},
    ],
)
def test_settings_that_make_no_sense_are_a_mistake(entry: dict[str, Any], parse: Parse) -> None:
    with pytest.raises(InvalidEntryError):
        parse(entry)


def test_a_share_is_graded_and_equality_passes_or_fails(parse: Parse) -> None:
    kinds = {m: parse({"set": [], "measure": m}).metrics[0].kind for m in ("equal", "subset_of", "recall_of", "f1")}

    assert list(kinds.values()) == [ScoreKind.PASS_FAIL, ScoreKind.PASS_FAIL, ScoreKind.GRADED, ScoreKind.GRADED]


MEMBERS = st.lists(st.sampled_from("abcde"), max_size=6)


@given(MEMBERS, MEMBERS, st.randoms())
def test_order_and_duplicates_do_not_count(found: list[str], expected: list[str], random: Any) -> None:
    def f1(items: list[str]) -> float | None:
        grader = SetGrader(name="s", members=expected, measure="f1", split=",", none_found="empty")
        response = Response(CallKey("c1", "v", 0), Outcome.OK, "m", text=",".join(items))
        return grader.grade(Case("c1"), response)[0].value

    again = [*found, *found]
    random.shuffle(again)

    assert f1(again) == f1(found)


@given(MEMBERS.map(set), MEMBERS.map(set))
def test_f1_is_the_harmonic_mean_of_precision_and_recall(found: set[str], expected: set[str]) -> None:
    overlap = Overlap.of(sorted(found), sorted(expected))
    backwards = Overlap.of(sorted(expected), sorted(found))

    assert overlap.f1 == backwards.f1
    if found and expected:
        precision, recall = backwards.recall, overlap.recall
        mean = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        assert overlap.f1 == pytest.approx(mean)


@pytest.mark.parametrize(("measure", "told"), [("subset_of", ('invented "d9"',)), ("recall_of", ('missing "d2"',))])
def test_the_evidence_has_only_what_the_measure_looks_at(measure: str, told: tuple[str, ...], score: Scored) -> None:
    found = score({"set": ["d1", "d2"], "measure": measure}, '["d1", "d9"]')

    assert found.evidence == told
