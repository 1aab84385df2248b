"""`all`, `any` and `weighted`: what parts decide together, what of them is said, and where their mistakes are told."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.graders.base import Grader
from snapdrift.graders.needs import CodeCall, CodeResult, Got, JudgeQuestion
from snapdrift.graders.registry import Registry
from snapdrift.model import CallKey, Case, Outcome, Reason, Response, Score, ScoreKind
from snapdrift.suites.registry import InvalidEntryError

Parse = Callable[..., Grader]
Answered = Callable[..., Response]

CASE = Case("c1", {"pattern": "(a+)+$"}, {"word": "yes"}, ("reply",))
JUDGE = {"criteria": "Polite.", "model": "gpt-4o-2024-11-20"}
OWN = {"python": {"target": "graders/own.py:grade", "sha256": "0" * 64}}
PASSES: dict[str, Any] = {"contains": "yes"}
FAILS: dict[str, Any] = {"contains": "never said"}
LACKS: dict[str, Any] = {"number": 7, "extract": {"json": "$.total"}}
BREAKS: dict[str, Any] = {"regex": "{{ 1 / 0 }}"}
OUTCOMES = {"passes": PASSES, "fails": FAILS, "lacks": LACKS, "breaks": BREAKS}


def verdict(word: str) -> Response:
    key = CallKey("c1", "august", 0, "g")
    return Response(key, Outcome.OK, "gpt-4o-2024-11-20", text=f'{{"reason": "So.", "verdict": "{word}"}}')


def marked(score: Score) -> tuple[float | None, bool | None, Reason]:
    return score.value, score.passed, score.reason


PASSED, WRONG = (1.0, True, Reason.PASSED), (0.0, False, Reason.WRONG)
LACKING, ERROR = (0.0, False, Reason.INVALID_JSON), (None, None, Reason.GRADER_ERROR)


@pytest.mark.parametrize(
    ("family", "parts", "expected"),
    [
        ("all", "passes passes", PASSED),
        ("all", "passes fails", WRONG),
        ("all", "lacks fails", WRONG),
        ("all", "lacks passes", LACKING),
        ("all", "breaks passes", ERROR),
        ("all", "breaks fails", WRONG),
        ("all", "breaks lacks", LACKING),
        ("any", "fails passes", PASSED),
        ("any", "fails fails", WRONG),
        ("any", "lacks fails", LACKING),
        ("any", "lacks passes", PASSED),
        ("any", "breaks passes", PASSED),
        ("any", "breaks fails", ERROR),
        ("weighted", "passes passes", PASSED),
        ("weighted", "passes fails", (0.5, False, Reason.WRONG)),
        ("weighted", "passes lacks", (0.5, False, Reason.WRONG)),
        ("weighted", "lacks lacks", LACKING),
        ("weighted", "breaks fails", ERROR),
    ],
)
def test_what_the_parts_say_decides(
    family: str, parts: str, expected: tuple[float | None, bool | None, Reason], parse: Parse, answer: Answered
) -> None:
    entries = [OUTCOMES[part] for part in parts.split()]
    made = parse({family: [{"grader": entry} for entry in entries] if family == "weighted" else entries})

    (score,) = made.grade(CASE, answer("yes"))

    assert marked(score) == expected


def test_a_failing_part_is_named_with_what_it_said_and_all_parts_are_in_the_evidence(
    parse: Parse, answer: Answered
) -> None:
    entry = {"all": [{"exact": "no"}, {"name": "polite", "contains": "please"}, {"exact": "yes"}]}

    (score,) = parse(entry).grade(CASE, answer("yes"))

    assert score.detail == 'exact: wrong: expected "no", found "yes" (and 1 more)'
    assert score.evidence == (
        'exact: wrong: expected "no", found "yes"',
        'polite: wrong: missing "please"',
        "exact 2: passed",
    )
    assert [part["passed"] for part in score.facts["parts"]] == [False, False, True]


def test_a_weighted_mean_names_first_what_cost_most(parse: Parse, answer: Answered) -> None:
    parts = [
        {"weight": 1, "grader": {"name": "small", **FAILS}},
        {"weight": 3, "grader": {"name": "large", **FAILS}},
        {"weight": 4, "grader": PASSES},
    ]

    (score,) = parse({"weighted": parts, "at_least": 0.6}).grade(CASE, answer("yes"))

    assert (score.value, score.passed) == (0.5, False)
    assert score.detail.startswith("0.5, passes at 0.6; large: wrong")
    assert "contains" not in score.detail


def test_the_values_of_graded_parts_count_in_a_weighted_mean(parse: Parse, answer: Answered) -> None:
    fields = {"json_equal": {"a": 1, "b": 2}, "fields": ["a", "b"]}
    made = parse({"weighted": [{"weight": 1, "grader": fields}, {"weight": 1, "grader": {"contains": "a"}}]})

    (score,) = made.grade(CASE, answer('{"a": 1, "b": 3}'))

    assert score.value == pytest.approx(0.75)
    assert [metric.name for metric in made.metrics] == ["weighted"]
    assert made.metrics[0].kind is ScoreKind.GRADED


def test_an_outcome_that_one_part_accepts_is_graded_by_all(parse: Parse, answer: Answered) -> None:
    refuses = {"contains": "can't", "accepts": ["refused"]}
    made = parse({"any": [{"exact": "yes"}, refuses]})

    (score,) = made.grade(CASE, answer("", Outcome.REFUSED, refusal="I can't."))
    (cut,) = made.grade(CASE, answer("yes", Outcome.TRUNCATED))

    assert score.passed
    assert "exact: not_accepted" in score.evidence[0]
    assert cut.reason is Reason.NOT_ACCEPTED


def test_parts_with_a_tag_count_for_the_cases_that_have_it(parse: Parse, answer: Answered) -> None:
    made = parse({"all": [{**FAILS, "when": {"tag": "reply"}}, {**PASSES, "when": {"tag": "other"}}]})
    cases = [Case("c1", tags=tags) for tags in [("reply",), ("other",), ("reply", "other"), ()]]

    assert [[s.passed for s in made.grade(case, answer("yes"))] for case in cases] == [[False], [True], [False], []]
    assert made.tags == ("reply", "other")


def test_extract_beside_the_parts_is_theirs_unless_they_have_their_own(parse: Parse, answer: Answered) -> None:
    parts = [{"exact": "1"}, {"contains": "total", "extract": "whole_text"}]

    beside = parse({"all": parts, "extract": {"json": "total"}})
    of_suite = parse({"all": parts}, default_extract={"json": "total"})

    assert beside.grade(CASE, answer('{"total": 1}'))[0].passed
    assert of_suite.version == beside.version


def test_mistakes_in_parts_are_told_where_they_stand_all_at_once(parse: Parse) -> None:
    entry = {
        "all": [
            {"exact": "x", "exat": 1},
            {"any": [{"regex": "("}, {"numbr": 3}]},
            "exact",
            {
                "weighted": [
                    {"weight": -1, "grader": {"exact": "x"}},
                    {"grader": {"schema": {"type": 1}}},
                    {"weight": 1},
                ]
            },
        ]
    }

    with pytest.raises(InvalidEntryError) as error:
        parse(entry)

    found = {finding.location: finding for finding in error.value.findings}
    assert set(found) == {
        ("all", 0, "exat"),
        ("all", 1, "any", 0, "regex"),
        ("all", 1, "any", 1, "numbr"),
        ("all", 2),
        ("all", 3, "weighted", 2),
    }
    assert "did you mean 'exact'" in found["all", 0, "exat"].expected


@pytest.mark.parametrize(
    ("entry", "location"),
    [
        ({"all": [PASSES, {"pairwise": JUDGE}]}, ("all", 1, "pairwise")),
        ({"weighted": [{"grader": {"any": [{"pairwise": JUDGE}]}}]}, ("weighted", 0, "grader", "any", 0, "pairwise")),
        ({"all": []}, ("all",)),
        ({"any": {"exact": "x"}}, ("any",)),
        ({"weighted": [{"weight": 0, "grader": {"exact": "x"}}]}, ("weighted", 0, "weight")),
        ({"weighted": [{"weight": math.nan, "grader": {"exact": "x"}}]}, ("weighted", 0, "weight")),
        ({"weighted": [{"grader": {"exact": "x"}, "wait": 1}]}, ("weighted", 0, "wait")),
        ({"all": [{"name": "a", "exact": "x"}, {"name": "a", "exact": "y"}]}, ("all",)),
        ({"all": [{"exact": "x"}], "extract": {"jsn": "a"}}, ("extract",)),
    ],
)
def test_an_entry_that_makes_no_composition_is_refused(
    entry: dict[str, Any], location: tuple[str | int, ...], parse: Parse
) -> None:
    with pytest.raises(InvalidEntryError) as error:
        parse(entry)

    assert location in {finding.location for finding in error.value.findings}


def test_judges_of_several_models_have_no_place_in_one_composition(parse: Parse) -> None:
    other = {"criteria": "Short.", "model": "gpt-4o-2024-08-06"}

    with pytest.raises(InvalidEntryError, match="judges of several models: gpt-4o-2024-08-06, gpt-4o-2024-11-20"):
        parse({"all": [{"judge": JUDGE}, {"any": [{"judge": other}]}]})


def test_what_no_case_could_be_graded_by_is_told_at_the_part(parse: Parse) -> None:
    case = Case("c1", expected={"total": "none"})

    with pytest.raises(InvalidEntryError) as error:
        parse({"all": [PASSES, {"number": "{{ expected.total }}"}]}, [case])

    assert error.value.findings[0].location == ("all", 1, "number")


def test_templates_of_parts_stand_where_the_parts_do(parse: Parse) -> None:
    made = parse(
        {
            "weighted": [
                {"grader": {"exact": ["{{ expected.word }}", "x"]}},
                {"grader": {"any": [{"regex": "{{ pattern }}"}]}},
            ]
        }
    )

    assert set(made.templates) == {
        ("weighted", 0, "grader", "exact", 0),
        ("weighted", 1, "grader", "any", 0, "regex"),
    }


def test_parts_ask_judges_and_call_code_under_their_own_names_and_each_reads_its_own(
    parse: Parse, answer: Answered
) -> None:
    inner = {"name": "deep", "any": [{"name": "second", "judge": {**JUDGE, "criteria": "Short."}}, OWN]}
    made = parse({"name": "good", "all": [{"judge": JUDGE}, inner]})
    response = answer("yes")

    needs = made.needs(CASE, response)
    asked = {name for name, need in needs.items() if isinstance(need, JudgeQuestion)}
    called = {name for name, need in needs.items() if isinstance(need, CodeCall)}
    got: Got = {"judge": verdict("pass"), "deep.second": verdict("fail"), "deep.python": CodeResult(1.0)}
    (score,) = made.read(CASE, response, got)

    assert (asked, called) == ({"judge", "deep.second"}, {"deep.python"})
    assert [judge.name for judge in made.judges] == ["judge good.judge", "judge good.deep.second"]
    assert list(made.code) == [("all", 1, "any", 1, "python")]
    assert made.metrics[0].judged
    assert score.passed
    assert score.evidence[1] == "deep: passed: python passed"


def test_a_part_without_its_verdict_leaves_the_composition_unmeasured(parse: Parse, answer: Answered) -> None:
    made = parse({"all": [PASSES, {"judge": JUDGE}]})

    (score,) = made.read(CASE, answer("yes"), {})

    assert score.reason is Reason.GRADER_ERROR
    assert "judge" in score.detail


@pytest.mark.parametrize(("family", "decides", "leaves_open"), [("all", FAILS, PASSES), ("any", PASSES, FAILS)])
def test_nobody_is_asked_where_parts_that_need_nobody_have_decided(
    family: str, decides: dict[str, Any], leaves_open: dict[str, Any], parse: Parse, answer: Answered
) -> None:
    response = answer("yes")
    decided, still_open = (parse({family: [{"judge": JUDGE}, part]}) for part in (decides, leaves_open))

    (score,) = decided.read(CASE, response, {})

    assert (dict(decided.needs(CASE, response)), list(still_open.needs(CASE, response))) == ({}, ["judge"])
    assert score.evidence[0] == "judge: not needed"
    assert score.reason is not Reason.GRADER_ERROR


def test_a_plan_counts_every_judge_whatever_the_other_parts_would_say(parse: Parse, answer: Answered) -> None:
    made = parse({"all": [FAILS, {"judge": JUDGE, "extract": {"json": "total"}}]}).for_planning()

    assert list(made.needs(CASE, answer("no json at all"))) == ["judge"]


def test_a_part_whose_family_fails_is_that_parts_error(parse: Parse, answer: Answered) -> None:
    class Broken(Grader):
        family = "broken"
        broken: int

        def read(self, *_: Any, **__: Any) -> tuple[Score, ...]:
            raise KeyError("no such thing")

    made = parse({"all": [PASSES]})
    made = made.with_parts([Broken(name="broken", broken=1)])  # type: ignore[attr-defined]

    (score,) = made.grade(CASE, answer("yes"))

    assert score.reason is Reason.GRADER_ERROR
    assert "broken: grader_error: the grader failed: KeyError" in score.detail


def test_a_newer_version_of_a_parts_family_is_another_version_of_the_whole(
    parse: Parse, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {"weighted": [{"grader": {"all": [{"exact": "x"}]}}]}
    before = parse(entry).version
    kind = type(parse({"exact": "x"}))
    monkeypatch.setattr(kind, "family_version", kind.family_version + 1)

    assert parse(entry).version != before


def test_names_of_parts_change_no_score_and_no_version(parse: Parse) -> None:
    assert parse({"all": [{"name": "a", **PASSES}]}).version == parse({"all": [PASSES]}).version


@pytest.mark.parametrize(
    "text",
    ["yes " * 300_000, '{"total":' * 50_000, "yes \ud800", '{"total": NaN}', '{"total": Infinity}', "a" * 40],
    ids=["megabyte", "nesting", "surrogate", "NaN", "Infinity", "bomb"],
)
def test_hostile_answers_get_one_score(text: str, parse: Parse, answer: Answered) -> None:
    parts = [PASSES, LACKS, {"regex": "(a+)+$"}, {"schema": {"type": "object"}}]

    for family in ("all", "any"):
        assert len(parse({family: parts}).grade(CASE, answer(text))) == 1


ENDINGS = st.lists(st.sampled_from(sorted(OUTCOMES)), min_size=1, max_size=4)


def passed(family: str, parts: list[str], *, negate: bool, each: bool) -> bool | None:
    """Whether a composition passes, `negate`d as a whole, or with each part turned round."""
    entries = [{**OUTCOMES[part], "not": each} for part in parts]
    made = Registry().parse({"name": "g", family: entries, "not": negate}, default_extract=None, read=str, cases=())
    key = CallKey("c1", "august", 0)
    return made.grade(CASE, Response(key, Outcome.OK, "gpt-4o-2024-08-06", text="yes"))[0].passed


@pytest.mark.parametrize(("family", "other"), [("all", "any"), ("any", "all")])
@given(parts=ENDINGS.filter(lambda parts: not {"lacks", "breaks"} <= set(parts)))
def test_not_of_all_is_any_of_not_and_the_other_way_round(family: str, other: str, parts: list[str]) -> None:
    assert passed(family, parts, negate=True, each=False) == passed(other, parts, negate=False, each=True)


@pytest.mark.parametrize("family", ["all", "any"])
@given(parts=ENDINGS, data=st.data())
def test_the_order_of_parts_changes_nothing(family: str, parts: list[str], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(parts))

    assert passed(family, parts, negate=False, each=False) == passed(family, shuffled, negate=False, each=False)


@given(
    weights=st.lists(st.floats(0.01, 100.0), min_size=1, max_size=5),
    data=st.data(),
)
def test_a_weighted_mean_never_falls_when_a_part_passes_that_failed(weights: list[float], data: st.DataObject) -> None:
    before = data.draw(st.lists(st.booleans(), min_size=len(weights), max_size=len(weights)))
    better = [passes or data.draw(st.booleans()) for passes in before]

    def value(passing: list[bool]) -> float:
        parts = [
            {"weight": weight, "grader": PASSES if passes else FAILS}
            for weight, passes in zip(weights, passing, strict=True)
        ]
        made = Registry().parse({"name": "g", "weighted": parts}, default_extract=None, read=str, cases=())
        key = CallKey("c1", "august", 0)
        found = made.grade(CASE, Response(key, Outcome.OK, "gpt-4o-2024-08-06", text="yes"))[0].value
        assert found is not None
        return found

    assert 0.0 <= value(before) <= value(better) <= 1.0
