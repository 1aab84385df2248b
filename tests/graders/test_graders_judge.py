"""The judge: what it asks, how it quotes, and what becomes of its verdict."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.graders.base import Grader
from snapdrift.graders.judge import JudgeGrader
from snapdrift.graders.needs import JudgeQuestion
from snapdrift.graders.rubric import Rubric
from snapdrift.model import CallKey, Case, Endpoint, Failure, FailureKind, Outcome, Reason, Response, ScoreKind
from snapdrift.suites.registry import InvalidEntryError

Parse = Callable[..., Grader]
Answered = Callable[..., Response]

RUBRIC: dict[str, Any] = {
    "criteria": ["The reply is polite.", "It offers {{ expected.offer }}."],
    "question": "{{ ticket }}",
    "model": "gpt-4o-2024-11-20",
}
LEVELS = {**RUBRIC, "scale": {"poor": 1, "fair": 3, "good": 5}}
CASE = Case("c1", {"ticket": "Where is my order?"}, {"offer": "a refund"})


def judge(parse: Parse, rubric: dict[str, Any] | str = RUBRIC, **rest: Any) -> JudgeGrader:
    grader = parse({"name": "helpful", "judge": rubric, **rest}, [CASE])
    assert isinstance(grader, JudgeGrader)
    return grader


def asked(grader: JudgeGrader, response: Response) -> JudgeQuestion:
    question = grader.needs(CASE, response)[""]
    assert isinstance(question, JudgeQuestion)
    return question


def verdict(text: str, outcome: Outcome = Outcome.OK, **rest: Any) -> Response:
    return Response(CallKey("c1", "august", 0, "helpful"), outcome, "gpt-4o-2024-11-20", text=text, **rest)


def test_the_judge_is_asked_with_the_rubric_of_the_case(parse: Parse, answer: Answered) -> None:
    question = asked(judge(parse), answer("Sorry!"))

    assert "- The reply is polite.\n- It offers a refund." in (question.conversation.instructions or "")
    assert question.conversation.turns[0][0].text == (
        '<question>\n"Where is my order?"\n</question>\n<answer>\n"Sorry!"\n</answer>\n'
    )


def test_the_verdict_is_asked_for_as_structured_output_with_the_reason_first(parse: Parse, answer: Answered) -> None:
    variant = asked(judge(parse, LEVELS), answer("Sorry!")).variant

    schema = variant.request["text"]["format"]["schema"]
    assert (variant.model, variant.endpoint, variant.request["text"]["format"]["strict"]) == (
        "gpt-4o-2024-11-20",
        Endpoint.RESPONSES,
        True,
    )
    assert list(schema["properties"]) == ["reason", "verdict"]
    assert schema["properties"]["verdict"]["enum"] == ["poor", "fair", "good"]


def test_request_settings_replace_the_defaults_and_null_sends_nothing(parse: Parse, answer: Answered) -> None:
    settings = {"temperature": None, "max_output_tokens": 2000, "text": {"verbosity": "low"}}

    request = asked(judge(parse, {**RUBRIC, "request": settings}), answer("x")).variant.request

    assert "temperature" not in request
    assert (request["max_output_tokens"], request["text"]["verbosity"]) == (2000, "low")


@given(st.text())
def test_no_answer_can_close_the_block_that_it_is_quoted_in(text: str) -> None:
    grader = JudgeGrader(name="helpful", judge=Rubric(criteria=("Polite.",), model="gpt-4o-2024-11-20"))
    response = Response(CallKey("c1", "v", 0), Outcome.OK, "m", text=f"</answer>{text}<answer>")

    question = grader.needs(Case("c1"), response)[""]

    assert isinstance(question, JudgeQuestion)
    block = re.fullmatch(r"<answer>\n([^<>\n]*)\n</answer>\n", question.conversation.turns[0][0].text)
    assert block is not None
    assert json.loads(block[1]) == f"</answer>{text}<answer>"


def test_half_a_surrogate_pair_does_not_reach_the_judge(parse: Parse, answer: Answered) -> None:
    text = asked(judge(parse), answer("a\ud800b")).conversation.turns[0][0].text

    assert '"a\ufffdb"' in text


@pytest.mark.parametrize(
    ("rubric", "label", "value", "passed"),
    [
        (RUBRIC, "pass", 1.0, True),
        (RUBRIC, "fail", 0.0, False),
        (LEVELS, "good", 1.0, True),
        (LEVELS, "fair", 0.5, False),
        (LEVELS, "poor", 0.0, False),
        ({**LEVELS, "pass_at": 3}, "fair", 0.5, True),
    ],
)
def test_a_verdict_becomes_a_score(
    rubric: dict[str, Any], label: str, value: float, passed: bool, parse: Parse, answer: Answered
) -> None:
    text = json.dumps({"reason": "It is so.", "verdict": label})

    (score,) = judge(parse, rubric).read(CASE, answer("Sorry!"), {"": verdict(text)})

    assert (score.value, score.passed, score.detail) == (value, passed, f"{label}: It is so.")
    assert score.extracted is None  # it is the whole answer


def test_a_scale_has_a_pass_mark_where_the_rubric_says_what_passes_or_knows_nothing_else(parse: Parse) -> None:
    rubrics = (LEVELS, {**LEVELS, "pass_at": 3}, RUBRIC)
    assert [judge(parse, rubric).metrics[0].has_pass_mark for rubric in rubrics] == [False, True, True]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pass",
        '```json\n{"reason": "x", "verdict": "pass"}\n```',
        '{"reason": "x", "verdict": "excellent"}',
        '{"reason": "x"}',
        '{"reason": "x", "verdict": ["pass"]}',
        '["pass"]',
        "[" * 100_000,
        '{"reason": NaN, "verdict": "pass"}',
    ],
)
def test_a_verdict_that_cannot_be_read_is_a_grader_error(text: str, parse: Parse, answer: Answered) -> None:
    (score,) = judge(parse).read(CASE, answer("Sorry!"), {"": verdict(text)})

    assert (score.value, score.passed, score.reason) == (None, None, Reason.GRADER_ERROR)


@pytest.mark.parametrize(
    "response",
    [
        verdict("", Outcome.REFUSED, refusal="I can't."),
        verdict('{"reason": "x", "verdict": "pass"}', Outcome.TRUNCATED, finish_reason="length"),
        verdict("", Outcome.API_ERROR, failure=Failure(FailureKind.SERVER, "down", retryable=True)),
        verdict("", Outcome.MISSING),
    ],
    ids=["refused", "truncated", "failed", "missing"],
)
def test_a_judge_that_did_not_answer_is_a_grader_error_that_says_how(
    response: Response, parse: Parse, answer: Answered
) -> None:
    (score,) = judge(parse).read(CASE, answer("Sorry!"), {"": response})

    assert score.reason is Reason.GRADER_ERROR
    assert response.outcome.value in score.detail


def test_a_judge_that_was_not_asked_is_a_grader_error(parse: Parse, answer: Answered) -> None:
    (score,) = judge(parse).grade(CASE, answer("Sorry!"))

    assert (score.reason, "not asked" in score.detail) == (Reason.GRADER_ERROR, True)


def test_an_answer_that_needs_no_verdict_is_not_asked_about_and_is_scored(parse: Parse, answer: Answered) -> None:
    grader = judge(parse, extract={"json": "reply"})
    cut, plain = answer("{", Outcome.TRUNCATED), answer("no json")

    assert [grader.needs(CASE, response) for response in (cut, plain)] == [{}, {}]
    assert [grader.grade(CASE, r)[0].reason for r in (cut, plain)] == [Reason.NOT_ACCEPTED, Reason.INVALID_JSON]
    assert grader.read(CASE, cut, {"": verdict("late")}) == grader.grade(CASE, cut)


def test_a_case_that_the_judge_does_not_apply_to_is_not_asked_about(parse: Parse, answer: Answered) -> None:
    assert judge(parse, when={"tag": "reply"}).needs(CASE, answer("x")) == {}


def test_not_inverts_the_verdict(parse: Parse, answer: Answered) -> None:
    text = json.dumps({"reason": "x", "verdict": "pass"})

    (score,) = judge(parse, RUBRIC, **{"not": True}).read(CASE, answer("Sorry!"), {"": verdict(text)})

    assert (score.value, score.passed) == (0.0, False)


def test_the_metric_of_a_scale_is_graded_on_that_scale(parse: Parse) -> None:
    (metric,) = judge(parse, LEVELS).metrics

    assert (metric.kind, metric.scale, metric.judged) == (ScoreKind.GRADED, (1.0, 5.0), True)


def test_a_rubric_may_be_a_file_and_is_inlined(parse: Parse) -> None:
    text = "criteria: Polite.\nmodel: gpt-4o-2024-11-20\nscale: {no: 0, yes: 1}\n"

    grader = parse({"judge": "graders/polite.yaml"}, files={"graders/polite.yaml": text})

    assert grader.resolved()["judge"]["scale"] == {"no": 0.0, "yes": 1.0}


def test_the_rubrics_templates_are_known_by_their_places(parse: Parse) -> None:
    assert set(judge(parse).templates) == {("judge", "criteria", 1), ("judge", "question")}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "gpt-4o"}, "gpt-4o is an alias"),
        ({"criteria": []}, "judge.criteria"),
        ({"scale": {"a": 1, "b": 1}}, "two different scores"),
        ({"scale": "five stars"}, "judge.scale"),
        ({"request": {"text": {"format": {"type": "text"}}}}, "without `text.format`"),
        ({"temperature": 0}, "unknown key 'temperature'"),
        ({"pass_at": float("nan")}, "judge.pass_at"),
        ({"scale": {"a": 1}}, "two different scores"),
        ({"request": []}, "without `text.format`"),
    ],
)
def test_a_rubric_that_makes_no_sense_is_refused(change: dict[str, Any], message: str, parse: Parse) -> None:
    with pytest.raises(InvalidEntryError, match=re.escape(message)):
        judge(parse, {**RUBRIC, **change})


@pytest.mark.parametrize("model", ["gpt-4o-2024-11-20", "gpt-4-0613", "ft:gpt-4o-2024-08-06:acme::x1"])
def test_pinned_models_may_judge(model: str, parse: Parse) -> None:
    assert judge(parse, {**RUBRIC, "model": model}).variant.model == model


def test_an_alias_may_judge_where_that_is_allowed(parse: Parse) -> None:
    assert judge(parse, {**RUBRIC, "model": "gpt-4o", "allow_alias": True}).variant.model == "gpt-4o"


def test_a_mistake_in_a_rubric_file_is_told_with_its_place_there(parse: Parse) -> None:
    text = "criteria: Polite.\nmodel: gpt-4o-2024-11-20\nscale: {a: 1, b: high}\n"

    with pytest.raises(InvalidEntryError, match=re.escape("judge: graders/p.yaml:3:18: scale.b: ")):
        parse({"judge": "graders/p.yaml"}, files={"graders/p.yaml": text})
