"""From stored responses to scores: what judges are to be asked, and every grader over every response."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, cast

from snapdrift.graders.base import Grader
from snapdrift.graders.base import scores_of as scores_by
from snapdrift.graders.marks import Mark
from snapdrift.graders.needs import NOTHING_SEEN, CodeCall, CodeResult, JudgeQuestion, Need
from snapdrift.model import Call, CallKey, Case, Request, Response, Score, Variant
from snapdrift.openai_api.requests import build_request
from snapdrift.pipeline.grader_code import GraderCode, calls_of
from snapdrift.pipeline.targets import Target

if TYPE_CHECKING:
    from snapdrift.store import StoredRun
    from snapdrift.suites.resolved import Suite


PORTION = 64
"""Answers whose functions of the workspace are called together."""


def run_label(stored: StoredRun) -> str:
    """What requests of a run call it: the suite comes first, by which a stand-in knows what to answer."""
    return f"{stored.header.suite}-{stored.header.run_id}"


def judge_variants(suite: Suite, *, batched: bool = False) -> tuple[Variant, ...]:
    """The judges of a suite as something to call, one by one or by batch (which has a price of its own)."""
    judges = (variant for grader in judges_of(suite) for variant in grader.judges)
    return tuple(replace(judge, batch=batched) for judge in judges)


def judges_of(suite: Suite) -> tuple[Grader, ...]:
    """The graders of a suite that have a model asked."""
    return tuple(grader for grader in graders_of(suite) if grader.judges)


def graders_of(suite: Suite) -> tuple[Grader, ...]:
    """The graders of a suite: it knows only what its registry promises of them."""
    return cast("tuple[Grader, ...]", suite.graders)


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


def open_questions(
    stored: StoredRun, graders: Sequence[Grader], case: Case, response: Response, position: int
) -> Iterator[tuple[Call, JudgeQuestion]]:
    """What judges have to be asked of one answer and have not answered yet, at its position."""
    for grader in graders:
        for name, need in _needs(grader, case, response).items():
            key = _judge_key(grader, name, response)
            if isinstance(need, JudgeQuestion) and _verdict(stored, key, need) is None:
                yield Call(key, position), need


def judge_request(stored: StoredRun, call: Call, question: JudgeQuestion, target: Target) -> Request:
    """The request that asks a judge's question."""
    base_url = target.host(question.variant).base_url
    return build_request(call.key, question.variant, question.conversation, run_label(stored), base_url)


def grade_answers(stored: StoredRun, suite: Suite, code: GraderCode) -> Iterator[Score]:
    """Every score of the stored answers: one for each response, applicable grader and metric.

    A judge whose verdict is not there, or is about another question, makes a grader error, never a fail. `code` calls
    the functions of the workspace that graders need.
    """
    cases = _cases_of(stored, suite)
    graders = graders_of(suite)
    answers = (response for response in stored.responses() if not response.call.grader)
    while portion := list(islice(answers, PORTION if code else 1)):
        if code:
            code.call(call for answer in portion for call in code_calls(graders, cases[answer.call.case_id], answer))
        for response in portion:
            yield from scores_of(stored, graders, cases[response.call.case_id], response, code)


@contextmanager
def collecting_paused() -> Iterator[None]:
    """Holds off Python's search for cycles of objects: scores have none, and of a million it takes long."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def code_calls(graders: Sequence[Grader], case: Case, response: Response) -> list[CodeCall]:
    """The calls of functions of the workspace that graders need about one answer."""
    return calls_of([_needs(grader, case, response) for grader in graders if grader.code])


def scores_of(
    stored: StoredRun, graders: Sequence[Grader], case: Case, response: Response, code: GraderCode
) -> Iterator[Score]:
    """The scores of one stored answer by these graders."""
    for grader in graders:
        needs = _needs(grader, case, response)
        calls = {name: need for name, need in needs.items() if isinstance(need, CodeCall)}
        got: dict[str, Response | CodeResult] = dict(code.results(calls)) if calls else {}
        for name, need in needs.items():
            if isinstance(need, JudgeQuestion):
                verdict = _verdict(stored, _judge_key(grader, name, response), need, failed=True)
                if verdict is not None:
                    got[name] = verdict
        yield from _read(grader, case, response, got)


def _read(grader: Grader, case: Case, response: Response, got: dict[str, Response | CodeResult]) -> tuple[Score, ...]:
    """The grader's scores; a defect in a family that a package brings must not end a run that is paid for."""
    try:
        return grader.read(case, response, got)
    except Exception as error:  # noqa: BLE001
        return scores_by(grader, response, Mark.error(f"the grader failed: {type(error).__name__}: {error}"))


def _cases_of(stored: StoredRun, suite: Suite) -> dict[str, Case]:
    """The cases by id, as the suite has them now: those that a top-up added are only in the run file."""
    return {case.id: case for case in (*stored.cases(), *suite.cases)}


def _needs(grader: Grader, case: Case, response: Response) -> Mapping[str, Need]:
    if not response.outcome.measured:
        return {}
    try:
        return grader.needs(case, response, NOTHING_SEEN)
    except Exception:  # noqa: BLE001  `read` fails in the same way, and its score says how
        return {}


def _judge_key(grader: Grader, name: str, response: Response) -> CallKey:
    asked = f"{grader.name}.{name}" if name else grader.name
    return CallKey(response.call.case_id, response.call.variant, response.call.repeat, asked)


def _verdict(stored: StoredRun, key: CallKey, question: JudgeQuestion, *, failed: bool = False) -> Response | None:
    """The stored verdict on this very question, None where there is none; with `failed`, also that of a failed call."""
    verdict, sent = stored.response(key), stored.request(key)
    if verdict is None or sent is None or not (failed or verdict.outcome.measured):
        return None
    same = build_request(key, question.variant, question.conversation, run_label(stored), sent.base_url)
    return verdict if same.hash == verdict.request_hash else None
