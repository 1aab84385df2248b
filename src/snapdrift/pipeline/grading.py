"""From stored responses to scores: what judges are to be asked, and every grader over every response."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from snapdrift.graders.base import Grader, grade
from snapdrift.graders.judge import JudgeGrader, JudgeQuestion
from snapdrift.model import Call, CallKey, Case, Request, Response, Score, Variant
from snapdrift.openai_api.requests import build_request
from snapdrift.pipeline.targets import Target

if TYPE_CHECKING:
    from snapdrift.store import StoredRun
    from snapdrift.suites.resolved import Suite


def run_label(stored: StoredRun) -> str:
    """What requests of a run call it: the suite comes first, by which a stand-in knows what to answer."""
    return f"{stored.header.suite}-{stored.header.run_id}"


def judge_variants(suite: Suite, *, batched: bool = False) -> tuple[Variant, ...]:
    """The judges of a suite as something to call, one by one or by batch (which has a price of its own)."""
    judges = (grader.variant for grader in suite.graders if isinstance(grader, JudgeGrader))
    return tuple(replace(judge, batch=batched) for judge in judges)


def pending_questions(stored: StoredRun, suite: Suite) -> Iterator[tuple[Call, JudgeQuestion]]:
    """What judges have to be asked of the stored answers and have not answered yet, in the order of the answers.

    A stored verdict counts only while it answers the very same question: a changed rubric, judge or answer asks anew.
    """
    judges = judges_of(suite)
    if not judges:
        return
    cases = _cases_of(stored, suite)
    answers = (response for response in stored.responses() if not response.call.grader)
    for position, response in enumerate(answers):
        yield from open_questions(stored, judges, cases[response.call.case_id], response, position)


def judges_of(suite: Suite) -> tuple[JudgeGrader, ...]:
    """The graders of a suite that ask a model."""
    return tuple(grader for grader in suite.graders if isinstance(grader, JudgeGrader))


def open_questions(
    stored: StoredRun, judges: Sequence[JudgeGrader], case: Case, response: Response, position: int
) -> Iterator[tuple[Call, JudgeQuestion]]:
    """What judges have to be asked of one answer and have not answered yet, at its position."""
    for judge in judges:
        question = _question(judge, case, response)
        if question is not None and _verdict(stored, judge, response, question) is None:
            yield Call(_judge_key(judge, response), position), question


def judge_request(stored: StoredRun, call: Call, question: JudgeQuestion, target: Target) -> Request:
    """The request that asks a judge's question."""
    base_url = target.host(question.variant).base_url
    return build_request(call.key, question.variant, question.conversation, run_label(stored), base_url)


def grade_answers(stored: StoredRun, suite: Suite) -> Iterator[Score]:
    """Every score of the stored answers: one for each response, applicable grader and metric.

    A judge whose verdict is not there, or is about another question, makes a grader error, never a fail.
    """
    cases = _cases_of(stored, suite)
    graders = cast("tuple[Grader, ...]", suite.graders)  # a suite knows only what its registry promises of them
    for response in stored.responses():
        if not response.call.grader:
            yield from scores_of(stored, graders, cases[response.call.case_id], response)


def scores_of(stored: StoredRun, graders: Sequence[Grader], case: Case, response: Response) -> Iterator[Score]:
    """The scores of one stored answer by these graders."""
    for grader in graders:
        if isinstance(grader, JudgeGrader):
            yield from _judged(stored, grader, case, response)
        else:
            yield from grade(grader, case, response)


def _cases_of(stored: StoredRun, suite: Suite) -> dict[str, Case]:
    """The cases by id, as the suite has them now: those that a top-up added are only in the run file."""
    return {case.id: case for case in (*stored.cases(), *suite.cases)}


def _judged(stored: StoredRun, judge: JudgeGrader, case: Case, response: Response) -> tuple[Score, ...]:
    question = _question(judge, case, response)
    verdict = None if question is None else _verdict(stored, judge, response, question, failed=True)
    return grade(judge, case, response) if verdict is None else judge.read(case, response, verdict)


def _question(judge: JudgeGrader, case: Case, response: Response) -> JudgeQuestion | None:
    return judge.question(case, response) if response.outcome.measured else None


def _judge_key(judge: JudgeGrader, response: Response) -> CallKey:
    return CallKey(response.call.case_id, response.call.variant, response.call.repeat, judge.name)


def _verdict(
    stored: StoredRun, judge: JudgeGrader, response: Response, question: JudgeQuestion, *, failed: bool = False
) -> Response | None:
    """The stored verdict on this very question, None where there is none; with `failed`, also that of a failed call."""
    key = _judge_key(judge, response)
    verdict, sent = stored.response(key), stored.request(key)
    if verdict is None or sent is None or not (failed or verdict.outcome.measured):
        return None
    same = build_request(key, question.variant, question.conversation, run_label(stored), sent.base_url)
    return verdict if same.hash == verdict.request_hash else None
