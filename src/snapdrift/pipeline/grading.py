"""From stored responses to scores: what judges are to be asked, and every grader over every response."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from snapdrift.graders.base import Grader
from snapdrift.graders.needs import CodeResult, JudgeQuestion, Need, Seen
from snapdrift.model import Call, CallKey, Case, Gate, Outcome, Request, Response, Score, Variant
from snapdrift.openai_api.requests import build_request
from snapdrift.pipeline.targets import Target

Baselines = Mapping[str, Sequence[str]]
"""The baselines of each candidate, in the order of the gate."""

if TYPE_CHECKING:
    from snapdrift.store import StoredRun
    from snapdrift.suites.resolved import Suite


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


def pending_questions(stored: StoredRun, suite: Suite) -> Iterator[tuple[Call, JudgeQuestion]]:
    """What judges have to be asked of the stored answers and have not answered yet, in the order of the answers.

    A stored verdict counts only while it answers the very same question: a changed rubric, judge or answer asks anew.
    """
    judges = judges_of(suite)
    if not judges:
        return
    cases, baselines = _cases_of(stored, suite), run_baselines(stored, suite)
    answers = (response for response in stored.responses() if not response.call.grader)
    for position, response in enumerate(answers):
        yield from open_questions(stored, judges, cases[response.call.case_id], response, position, baselines)


def open_questions(
    stored: StoredRun,
    graders: Sequence[Grader],
    case: Case,
    response: Response,
    position: int,
    baselines: Baselines,
) -> Iterator[tuple[Call, JudgeQuestion]]:
    """What judges have to be asked of one answer and have not answered yet, at its position."""
    seen = _seen(stored, response, baselines)
    for grader in graders:
        for name, need in _needs(grader, case, response, seen).items():
            key = _judge_key(grader, name, response)
            if isinstance(need, JudgeQuestion) and _verdict(stored, key, need) is None:
                yield Call(key, position), need


def judge_request(stored: StoredRun, call: Call, question: JudgeQuestion, target: Target) -> Request:
    """The request that asks a judge's question."""
    base_url = target.host(question.variant).base_url
    return build_request(call.key, question.variant, question.conversation, run_label(stored), base_url)


def grade_answers(stored: StoredRun, suite: Suite) -> Iterator[Score]:
    """Every score of the stored answers: one for each response, applicable grader and metric.

    A judge whose verdict is not there, or is about another question, makes a grader error, never a fail.
    """
    cases, baselines = _cases_of(stored, suite), run_baselines(stored, suite)
    graders = graders_of(suite)
    for response in stored.responses():
        if not response.call.grader:
            yield from scores_of(stored, graders, cases[response.call.case_id], response, baselines)


def scores_of(
    stored: StoredRun, graders: Sequence[Grader], case: Case, response: Response, baselines: Baselines
) -> Iterator[Score]:
    """The scores of one stored answer by these graders."""
    seen = _seen(stored, response, baselines)
    for grader in graders:
        got: dict[str, Response | CodeResult] = {}
        for name, need in _needs(grader, case, response, seen).items():
            if isinstance(need, JudgeQuestion):
                verdict = _verdict(stored, _judge_key(grader, name, response), need, failed=True)
                if verdict is not None:
                    got[name] = verdict
        yield from grader.read(case, response, got, seen)


def _cases_of(stored: StoredRun, suite: Suite) -> dict[str, Case]:
    """The cases by id, as the suite has them now: those that a top-up added are only in the run file."""
    return {case.id: case for case in (*stored.cases(), *suite.cases)}


def _seen(stored: StoredRun, response: Response, baselines: Baselines) -> Seen:
    keys = {name: replace(response.call, variant=name) for name in baselines.get(response.call.variant, ())}
    return Seen(others={name: stored.response(key) or _missing(key) for name, key in keys.items()})


def _missing(key: CallKey) -> Response:
    """What stands for an answer that is not there, so that its baseline keeps its place."""
    return Response(key, Outcome.MISSING, "")


def _needs(grader: Grader, case: Case, response: Response, seen: Seen) -> Mapping[str, Need]:
    return grader.needs(case, response, seen) if response.outcome.measured else {}


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
