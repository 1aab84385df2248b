"""`python`: what a function's file must be, what its result means, and what is said of a result that means nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import snapdrift
from snapdrift.graders.base import Grader
from snapdrift.graders.needs import CodeCall, CodeResult
from snapdrift.graders.user_scores import Ending, Measured, Score, mark_of
from snapdrift.model import Case, Outcome, Reason, Response, ScoreKind
from snapdrift.suites.registry import InvalidEntryError

Parse = Callable[..., Grader]
Answered = Callable[..., Response]

CASE = Case("c1", tags=("reply",))
FUNCTION = {"target": "graders/own.py:grade", "sha256": "0" * 64}
GRADE = "def grade(case, response):\n    return True\n"


def score_of(returned: object, parse: Parse, answer: Answered, **settings: Any) -> Any:
    made = parse({"python": FUNCTION, **settings})
    (score,) = made.read(CASE, answer("yes"), {"": CodeResult(returned)})
    return score


@pytest.mark.parametrize(
    ("returned", "value", "passed"),
    [
        (True, 1.0, True), (False, 0.0, False), (1, 1.0, True), (0, 0.0, False), (0.7, 0.7, True), (0.4, 0.4, False),
        (Score(0.7), 0.7, True), (Score(0.4), 0.4, False), (Score(0.4, passed=True), 0.4, True),
        (Score(1.0, passed=False), 1.0, False), (np.float32(0.5), 0.5, True), (np.bool_(True), 1.0, True),
    ],
    ids=repr,
)  # fmt: skip
def test_a_result_is_a_value_that_passes_at_the_bound_unless_it_says_itself(
    returned: object, value: float, passed: bool, parse: Parse, answer: Answered
) -> None:
    score = score_of(returned, parse, answer, at_least=0.5)

    assert (score.value, score.passed) == (value, passed)


def test_a_pass_fail_metric_keeps_whether_it_passed_and_shows_the_value(parse: Parse, answer: Answered) -> None:
    score = score_of(0.7, parse, answer, kind="pass_fail", at_least=0.5)

    assert (score.value, score.passed, score.detail) == (1.0, True, "0.7, passes at 0.5")


def test_the_reason_and_the_evidence_of_a_score_are_kept(parse: Parse, answer: Answered) -> None:
    score = score_of(Score(0.5, reason="half of it", evidence=["this", "that"]), parse, answer)

    assert (score.detail, score.evidence) == ("half of it", ("this", "that"))


def test_a_function_can_say_that_there_is_nothing_to_judge_or_that_it_cannot_grade(
    parse: Parse, answer: Answered
) -> None:
    lacking = score_of(Score.not_extracted("no total"), parse, answer)
    unable = score_of(Score.cannot_grade("no exchange rate"), parse, answer)

    assert (lacking.value, lacking.reason, lacking.detail) == (0.0, Reason.UNEXTRACTED, "could not extract: no total")
    assert (unable.value, unable.reason, unable.detail) == (None, Reason.GRADER_ERROR, "no exchange rate")


class _Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("returned", "found", "expected"),
    [
        (None, "returned None", "a Score, true or false, or a number from 0 to 1"),
        ("good", "returned 'good'", "a Score"),
        ({"value": 1}, "returned {'value': 1}", "a Score"),
        (float("nan"), "returned nan", "a value from 0 to 1"),
        (float("inf"), "returned inf", "a value from 0 to 1"),
        (1.5, "returned 1.5", "a value from 0 to 1"),
        (-1, "returned -1", "a value from 0 to 1"),
        (10**400, "returned 1000", "a value from 0 to 1"),
        (Score(2.0), "returned 2.0", "a value from 0 to 1"),
        (Score("high"), "returned 'high'", "a value from 0 to 1"),  # type: ignore[arg-type]
        (Score(True), "returned True", "a value from 0 to 1"),
        (Score(1.0, passed=1), "returned Score(", "passed to be true, false or None"),  # type: ignore[arg-type]
        (Score(1.0, reason=3), "returned Score(", "a reason that is text"),  # type: ignore[arg-type]
        (Score(1.0, evidence="x"), "returned Score(", "evidence that is a list of texts"),
        (Score(1.0, evidence=[1]), "returned Score(", "evidence that is a list of texts"),  # type: ignore[list-item]
        (Score(1.0, ending="judged"), "returned Score(", "an ending"),  # type: ignore[arg-type]
        (np.array([1.0]), "returned array(", "a Score"),
        (_Unprintable(), "a _Unprintable whose repr raises RuntimeError", "a Score"),
        (["x" * 500_000], "…", "a Score"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_result_that_scores_nothing_is_an_error_that_shows_it(
    returned: object, found: str, expected: str, parse: Parse, answer: Answered
) -> None:
    score = score_of(returned, parse, answer)

    assert score.reason is Reason.GRADER_ERROR
    assert score.detail.startswith("graders/own.py:grade returned ")
    assert found in score.detail
    assert f"expected {expected}" in score.detail
    assert len(score.detail) < 300


@pytest.mark.parametrize("returned", ["yes \ud800", "\x00\x1b[31m", "[" * 100_000])
def test_what_a_score_says_can_always_be_stored(returned: str, parse: Parse, answer: Answered) -> None:
    score = score_of(Score(1.0, reason=returned, evidence=[returned] * 50), parse, answer)

    assert score.passed
    assert len("".join([score.detail, *score.evidence]).encode()) < 100_000


def test_a_failed_call_is_an_error_with_its_traceback(parse: Parse, answer: Answered) -> None:
    made = parse({"python": FUNCTION})
    failed = CodeResult(error="graders/own.py:grade raised KeyError: 'x'", traceback=("graders/own.py:2 in grade: x",))

    (score,) = made.read(CASE, answer("yes"), {"": failed})

    assert (score.reason, score.detail, score.evidence) == (
        Reason.GRADER_ERROR,
        "graders/own.py:grade raised KeyError: 'x'",
        ("graders/own.py:2 in grade: x",),
    )


def test_the_function_is_called_for_answers_that_are_graded_only(parse: Parse, answer: Answered) -> None:
    made = parse({"python": FUNCTION, "when": {"tag": "reply"}, "args": {"most": 3}, "timeout": 5})
    response = answer("yes")

    needs = made.needs(CASE, response)

    assert needs == {"": CodeCall("graders/own.py:grade", CASE, response, {"most": 3}, 5.0)}
    assert made.needs(Case("c2"), response) == {}
    assert made.needs(CASE, answer("", Outcome.REFUSED)) == {}
    assert made.read(CASE, answer("", Outcome.REFUSED), {})[0].reason is Reason.NOT_ACCEPTED
    assert made.grade(CASE, response)[0].reason is Reason.GRADER_ERROR


def test_not_turns_a_judgement_round_and_no_failure(parse: Parse, answer: Answered) -> None:
    scores = [
        score_of(returned, parse, answer, **{"not": True})
        for returned in (0.25, Score.not_extracted("no"), Score.cannot_grade("no"))
    ]

    assert [score.value for score in scores] == [0.75, 0.0, None]
    assert [score.passed for score in scores] == [True, False, None]


# ------------------------------------------------------------------------------------------------------------ the file


@pytest.mark.parametrize(
    "source",
    [
        GRADE,
        "async def grade(case, response):\n    return 1.0\n",
        "def grade(case, response, most=3): ...\n",
        "def grade(case, response, *, most=3): ...\n",
        "def grade(*both): ...\n",
        "from elsewhere import grade\n",
        "@wrapped\ndef grade(): ...\n",
        "class Grade:\n    def __call__(self, case, response): ...\ngrade = Grade()\n",
    ],
)
def test_a_function_that_takes_a_case_and_a_response_is_taken(source: str, parse: Parse) -> None:
    made = parse({"python": "graders/own.py:grade"}, files={"graders/own.py": source})

    assert [file.target for file in made.code.values()] == ["graders/own.py:grade"]


@pytest.mark.parametrize(
    ("named", "source", "found", "expected"),
    [
        ("graders/own.py", GRADE, '"graders/own.py"', "PATH.py:FUNCTION"),
        ("graders/own.txt:grade", GRADE, '"graders/own.txt:grade"', "PATH.py:FUNCTION"),
        ("graders/other.py:grade", GRADE, "no file graders/other.py", "a file in the workspace"),
        ("graders/own.py:grad", GRADE, "no grad in graders/own.py", "grade"),
        ("graders/own.py:grade", "def grade(case:\n", "not Python (line 1", "a Python file"),
        ("graders/own.py:grade", "def grade(answer): ...\n", "takes (answer)", "takes (case, response)"),
        ("graders/own.py:grade", "def grade(a, b, c, /): ...\n", "takes (a, b, c, /)", "takes (case, response)"),
        ("graders/own.py:grade", "class A:\n    def grade(self, case, response): ...\n", "no grade in", "one of A"),
    ],
)
def test_a_file_or_function_that_is_not_there_is_told_before_anything_runs(
    named: str, source: str, found: str, expected: str, parse: Parse
) -> None:
    with pytest.raises(InvalidEntryError) as error:
        parse({"python": named}, files={"graders/own.py": source})

    (finding,) = error.value.findings
    assert finding.location == ("python",)
    assert found in finding.found
    assert expected in finding.expected


@pytest.mark.parametrize(
    ("takes", "args", "found"),
    [
        ("case, response, most=3", {"least": 3}, "takes no 'least'"),
        ("case, response, most=3", {"case": 3}, "takes no 'case'"),
        ("case, response", {"most": 3}, "takes no 'most'"),
        ("case, response, **others", {"a b": 3}, "takes no 'a b'"),
        ("case, response, most", {}, "no 'most', which graders/own.py:grade needs"),
        ("case, response, *, least, most=3", {"most": 3}, "no 'least', which graders/own.py:grade needs"),
    ],
)
def test_arguments_that_do_not_fit_the_function_are_told(
    takes: str, args: dict[str, Any], found: str, parse: Parse
) -> None:
    files = {"graders/own.py": f"def grade({takes}): ...\n"}

    with pytest.raises(InvalidEntryError) as error:
        parse({"python": "graders/own.py:grade", "args": args}, files=files)

    (finding,) = error.value.findings
    assert finding.location == ("args",)
    assert found in finding.found


def test_loading_a_suite_never_runs_the_file(parse: Parse) -> None:
    source = "raise SystemExit('this file was run')\ndef grade(case, response): ...\n"

    assert parse({"python": "graders/own.py:grade"}, files={"graders/own.py": source}).code


def test_another_file_is_another_version_and_the_kept_form_needs_no_file(parse: Parse) -> None:
    entry = {"python": "graders/own.py:grade"}
    one, other = (parse(entry, files={"graders/own.py": source}) for source in (GRADE, GRADE + "# changed\n"))

    again = parse(one.resolved())

    assert one.version != other.version
    assert (again, again.version) == (one, one.version)


@pytest.mark.parametrize(
    ("written", "settings", "kind"),
    [
        ("def grade(case, response) -> bool: ...\n", {}, ScoreKind.PASS_FAIL),
        ("def grade(case, response) -> 'bool': ...\n", {}, ScoreKind.PASS_FAIL),
        ("def grade(case, response) -> float: ...\n", {}, ScoreKind.GRADED),
        (GRADE, {}, ScoreKind.GRADED),
        (GRADE, {"kind": "pass_fail"}, ScoreKind.PASS_FAIL),
        ("def grade(case, response) -> bool: ...\n", {"kind": "graded"}, ScoreKind.GRADED),
    ],
)
def test_the_metric_is_pass_fail_where_the_function_or_the_entry_says_so(
    written: str, settings: dict[str, Any], kind: ScoreKind, parse: Parse
) -> None:
    made = parse({"python": "graders/own.py:grade", **settings}, files={"graders/own.py": written})

    assert made.metrics[0].kind is kind


# ------------------------------------------------------------------------------------------------------------ the types


def test_the_types_of_a_grader_are_what_import_snapdrift_offers() -> None:
    assert (snapdrift.Case, snapdrift.Response, snapdrift.Score) == (Case, Response, Score)
    with pytest.raises(AttributeError, match="no attribute 'Scoring'"):
        getattr(snapdrift, "Scoring")  # noqa: B009


def test_importing_snapdrift_loads_none_of_it() -> None:
    source = "import sys, snapdrift; print(any(name.startswith('snapdrift.') for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


@given(
    value=st.one_of(st.floats(), st.integers(), st.booleans(), st.text(), st.none()),
    passed=st.one_of(st.none(), st.booleans(), st.integers(0, 1)),
    ending=st.sampled_from(Ending),
    kind=st.sampled_from(ScoreKind),
    at_least=st.floats(0, 1),
)
def test_whatever_a_score_holds_it_becomes_one_valid_mark(
    value: Any, passed: Any, ending: Ending, kind: ScoreKind, at_least: float
) -> None:
    for returned in (value, Score(value, passed, ending=ending)):
        mark = mark_of("own.py:grade", returned, Measured(kind, at_least))
        assert mark.reason is Reason.GRADER_ERROR or 0.0 <= (mark.value or 0.0) <= 1.0
