"""From stored responses to scores: what judges are to be asked, and every grader over every response."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from snapdrift.graders.base import Grader
from snapdrift.graders.needs import CodeCall, CodeResult, JudgeQuestion
from snapdrift.graders.reading import read_scores
from snapdrift.model import Call, CallKey, Case, Gate, Request, Response, Score, Variant
from snapdrift.openai_api.requests import build_request
from snapdrift.pipeline.grader_code import GraderCode, calls_of
from snapdrift.pipeline.judgements import Baselines, Judgements, shared_with
from snapdrift.pipeline.kept_scores import kept_of
from snapdrift.pipeline.suite_graders import graders_of, judges_of
from snapdrift.pipeline.targets import Target

if TYPE_CHECKING:
    from snapdrift.store import StoredRun
    from snapdrift.store.run_file import CasesById
    from snapdrift.suites.resolved import Suite

PORTION = 64
"""Answers whose functions of the workspace are called together."""


def run_label(stored: StoredRun) -> str:
    """What requests of a run call it: the suite comes first, by which a stand-in knows what to answer."""
    return f"{stored.header.suite}-{stored.header.run_id}"


def baselines_of(gate: Gate, graders: Sequence[Grader], variants: Sequence[Variant]) -> Baselines:
    """Whose answers those of each candidate are compared with by graders; empty where no grader compares answers.

    They are the baselines that the gate compares the candidate with, among the variants that are asked.
    """
    if not any(grader.compares for grader in graders):
        return {}
    names, found = {variant.name for variant in variants}, dict[str, dict[str, None]]()
    for pair in gate.pairs:
        if {pair.baseline, pair.candidate} <= names:
            found.setdefault(pair.candidate, {})[pair.baseline] = None
    return {candidate: tuple(baselines) for candidate, baselines in found.items()}


def run_baselines(stored: StoredRun, suite: Suite) -> Baselines:
    """Whose answers those of each candidate of a run are compared with, under the gate of the run."""
    return baselines_of(suite.gates[stored.header.gate], graders_of(suite), stored.header.variants)


def pending_questions(
    stored: StoredRun, suite: Suite, *, unread: bool = False, cases: Mapping[str, Case] | None = None
) -> Iterator[tuple[Call, JudgeQuestion]]:
    """What judges have to be asked of the stored answers and have not answered yet, in the order of the answers.

    A stored verdict counts only while it answers the very same question (a changed rubric, judge or answer asks anew)
    and can be read. With `unread` only what was answered, and cannot be read. Equal questions come once. `cases` are
    others than the run file has: those of a suite that the run has not adopted yet.
    """
    judges = judges_of(suite)
    if not judges:
        return
    known = stored.known_cases() if cases is None else cases
    found = judgements_of(stored, judges, known, run_baselines(stored, suite))
    yielded: set[CallKey] = set()
    for response in _answers(stored):
        open_to = found.kept.left(response.call, judges)
        for call, question, measured in found.open(open_to, known[response.call.case_id], response):
            if call.key not in yielded and (measured or not unread):
                yielded.add(call.key)
                yield call, question


def judgements_of(
    stored: StoredRun, graders: Sequence[Grader], cases: Mapping[str, Case] | CasesById, baselines: Baselines
) -> Judgements:
    """The questions of all stored answers, and the stored replies to them."""
    found = Judgements(stored, run_label(stored), baselines, kept_of(stored, graders))
    if not graders:
        return found  # nothing is asked, and reading all answers takes as long as grading some
    for position, response in enumerate(_answers(stored)):
        found.take_in(found.kept.left(response.call, graders), cases[response.call.case_id], response, position)
    return found


def _answers(stored: StoredRun) -> Iterator[Response]:
    return (response for response in stored.responses() if not response.call.grader)


def judge_request(stored: StoredRun, call: Call, question: JudgeQuestion, target: Target) -> Request:
    """The request that asks a judge's question."""
    base_url = target.host(question.variant).base_url
    return build_request(call.key, question.variant, question.conversation, run_label(stored), base_url)


def grade_answers(
    stored: StoredRun, suite: Suite, code: GraderCode, graded: Callable[[int], None] = lambda _: None
) -> Iterator[Score]:
    """Every score of the stored answers: one for each response, applicable grader and metric.

    Cases are as the run file has them: a run that is graded again adopts those of its suite first. A judge whose
    verdict is not there, or is about another question, makes a grader error, never a fail. `code` calls the functions
    of the workspace that graders need; `graded` is told how many more answers are.
    """
    cases, graders = stored.known_cases(), graders_of(suite)
    found = judgements_of(stored, judges_of(suite), cases, run_baselines(stored, suite))
    found.kept = kept_of(stored, graders)
    answers = cases.ahead(_answers(stored), lambda answer: answer.call.case_id)
    while portion := list(islice(answers, PORTION if code else 1)):
        if code:
            code.call(
                call for answer in portion for call in code_calls(found, graders, cases[answer.call.case_id], answer)
            )
        for response in portion:
            yield from scores_of(found, graders, cases[response.call.case_id], response, code)
            graded(1)


def grade_ungraded(stored: StoredRun, suite: Suite, graded: Callable[[int], None] = lambda _: None) -> Iterator[Score]:
    """The scores of the stored answers that have none, by graders that grade alone; `graded` as in `grade_answers`."""
    cases, graders = stored.known_cases(), graders_of(suite)
    for response in cases.ahead(stored.ungraded(), lambda answer: answer.call.case_id):
        for grader in graders:
            yield from read_scores(grader, cases[response.call.case_id], response)
        graded(1)


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


def code_calls(found: Judgements, graders: Sequence[Grader], case: Case, response: Response) -> list[CodeCall]:
    """The calls of functions of the workspace that graders need about one answer."""
    graders = found.kept.left(response.call, graders)
    return calls_of([found.needs(grader, case, response) for grader in graders if grader.code])


def scores_of(
    found: Judgements, graders: Sequence[Grader], case: Case, response: Response, code: GraderCode
) -> list[Score]:
    """The scores of one stored answer by these graders."""
    scores: list[Score] = []
    for grader in graders:
        kept = found.kept.of(response.call, grader)
        if kept is not None:
            scores += kept
        elif grader.grades_alone:
            scores += read_scores(grader, case, response)
        else:
            scores += _scores_with(found, grader, case, response, code)
    return scores


def _scores_with(
    found: Judgements, grader: Grader, case: Case, response: Response, code: GraderCode
) -> Sequence[Score]:
    """The scores by a grader that takes more than the answer."""
    replies = found.replies(grader, case, response) if grader.judges else {}
    got: dict[str, Response | CodeResult] = {name: reply.response for name, reply in replies.items()}
    if grader.code:
        needs = found.needs(grader, case, response)
        got |= code.results({name: need for name, need in needs.items() if isinstance(need, CodeCall)})
    scores = read_scores(grader, case, response, got, found.seen(grader, response))
    of = shared_with(replies)
    return scores if of is None else [_shared(score, of) for score in scores]


def _shared(score: Score, of: CallKey) -> Score:
    """A score by the verdict on another answer that is the same, which it names."""
    told = f"the judge was asked about the same answer of {of.variant} to case {of.case_id}, repeat {of.repeat}"
    return replace(score, evidence=(*score.evidence, told), facts={**score.facts, "verdict_of": str(of)})
