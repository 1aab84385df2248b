"""Reading a run file: everything that was planned, received and concluded, with no network and nothing written."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snapdrift.errors import StoreError
from snapdrift.model import (
    Call,
    CallKey,
    MetricSpec,
    Outcome,
    Request,
    Response,
    Results,
    Score,
    Source,
    Step,
)
from snapdrift.store import bodies, codec, rows
from snapdrift.store.draws import StoredDraw, draws_of
from snapdrift.store.format import SPARED, SUPERSEDED_USD, connect_reader
from snapdrift.store.judging import JudgeTally
from snapdrift.store.run_file import RunFile
from snapdrift.store.spending import spent_usd
from snapdrift.store.streams import StoredCalls, StoredScores

if TYPE_CHECKING:
    import pandas as pd
_UNMEASURED = ", ".join(f"'{outcome.value}'" for outcome in Outcome if not outcome.measured)
_RECENT = 4
"""Large texts that are kept at hand."""


@dataclass(frozen=True, slots=True)
class Frames:
    """A run as tables: `calls` has a row for each planned call (judges' too), `scores` one for each score."""

    calls: pd.DataFrame
    scores: pd.DataFrame


@dataclass(frozen=True, slots=True)
class BegunCall:
    """A call of several requests that did not end: its last answered request, the answer, and the steps before it."""

    request: Request
    response: Response
    steps: tuple[Step, ...]


def open_run(path: Path) -> StoredRun:
    """A run file for reading, also while its writer lives; raises `StoreError` when it is not one. Close it."""
    return StoredRun(path, connect_reader(path))


@dataclass(frozen=True, slots=True)
class ScoreValue:
    """What a score came to: `value` in [0, 1] and whether it passed; both None where the grader could not grade."""

    case_id: str
    variant: str
    repeat: int
    metric: str
    value: float | None
    passed: bool | None


@dataclass(frozen=True, slots=True)
class CallCounts:
    """How many calls are planned, and how many of them were answered by a model."""

    planned: int
    answered: int


@dataclass(frozen=True, slots=True)
class AskedModel:
    """A model that measured answers of a variant (or verdicts of its judge's call, `grader`) were asked of."""

    variant: str
    grader: str
    requested: str
    source: Source


class StoredRun(RunFile):
    """A run as its file tells it: beside what `RunFile` has, its calls, what came back, and its scores."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        super().__init__(path, connection)
        self._recent: dict[str, str] = {}

    def calls(self) -> tuple[CallKey, ...]:
        """Every planned call, judges' included, in the order in which they are made."""
        return tuple(CallKey(*row[:4]) for row in self._rows(rows.CALLS))

    def planned(self) -> tuple[Call, ...]:
        """The same with their positions."""
        return tuple(Call(CallKey(*row[:4]), row[4]) for row in self._rows(rows.CALLS))

    def responses(self) -> Iterator[Response]:
        """What came back, in planned order, one at a time: memory does not grow with the run."""
        return map(self._response, self._reading.in_order(self._reading.ids(rows.RESPONDED), rows.RESPONSES))

    def answer_ids(self) -> list[int]:
        """The row ids of the calls whose responses are answers, in planned order."""
        return [row[0] for row in self._rows(rows.ANSWER_IDS)]

    def ungraded(self) -> Iterator[Response]:
        """The responses of answer calls without any score, in planned order."""
        return map(self._response, self._reading.in_order(self._reading.ids(rows.UNGRADED), rows.RESPONSES))

    def ungraded_count(self) -> int:
        """How many these are."""
        return len(self._reading.ids(rows.UNGRADED))

    def responses_of(self, ids: Sequence[int]) -> list[Response]:
        """The responses of a few calls (some hundreds at most) by row id, in planned order."""
        places = ",".join("?" * len(ids))
        return list(map(self._response, self._rows(f"{rows.RESPONSES} WHERE c.id IN ({places}){rows.PLANNED}", ids)))

    def answers_about(self, case_id: str) -> Iterator[Response]:
        """What came back of a case's calls, judges' apart, in planned order."""
        return map(self._response, self._rows(rows.RESPONSES + rows.ANSWERS_ABOUT, (case_id,)))

    def replies(self) -> Iterator[Response]:
        """What judges said, in planned order, one at a time."""
        return map(self._response, self._reading.in_order(self._reading.ids(rows.JUDGED), rows.RESPONSES))

    def response(self, key: CallKey) -> Response | None:
        """How a call ended, None where nothing is stored of it."""
        row = self._one(rows.RESPONSES + rows.ONE_CALL, rows.columns_of(key))
        return None if row is None else self._response(row)

    def answer(self, key: CallKey) -> Response | None:
        """What a call's response says, all that grading takes: outcome, text, refusal and tool calls, no raw body."""
        row = self._one(rows.ANSWERS + rows.ONE_CALL, rows.columns_of(key))
        return None if row is None else rows.answer_of(key, row, self.path)

    def request(self, key: CallKey, step: int = 0) -> Request | None:
        """A request of a call exactly as it was sent, None where none is stored."""
        row = self._one(rows.REQUESTS + rows.ONE_CALL + " AND q.step = ?", (*rows.columns_of(key), step))
        return None if row is None else rows.request_of(key, row, self.large, self.path)

    def begun(self, key: CallKey) -> BegunCall | None:
        """How far a call of several requests came before it was cut off or failed, None where nothing is stored."""
        found = list(self._rows(f"{rows.STEPS}{rows.ONE_CALL} ORDER BY s.number", rows.columns_of(key)))
        if not found:
            return None
        number = found[-1][7]
        request = self.request(key, number)
        if request is None:
            raise StoreError(f"{self.path}: damaged, request {number} of {key} is missing")
        place = f"{self.path}: step of {key}"
        steps = tuple(codec.loads(Step, row[8] or "", place) for row in found[:-1])
        return BegunCall(request, self._response(found[-1]), steps)

    def step_answers(self, key: CallKey) -> tuple[Response, ...]:
        """The answers to the requests of a call before its last, each as of that request alone."""
        return tuple(
            map(self._response, self._rows(f"{rows.STEPS}{rows.ONE_CALL} ORDER BY s.number", rows.columns_of(key)))
        )

    def stored_steps(self) -> Iterator[tuple[int, Response]]:
        """Every stored step with its number, call by call: of calls that ended, those before the last request."""
        found = self._rows(f"{rows.STEPS} ORDER BY c.id, s.number")
        return ((row[7], self._response(row)) for row in found)

    def open_calls(self) -> Iterator[CallKey]:
        """The planned answer calls without a measured answer, in planned order: what is still to be asked.

        Which they are is settled when the first is asked for; their keys are read a slice at a time.
        """
        ids = self._reading.ids(rows.OPEN.format(unmeasured=_UNMEASURED))
        return (CallKey(*row) for row in self._reading.in_order(ids, rows.KEYS))

    def open_count(self) -> int:
        """How many planned answer calls have no measured answer."""
        return len(self._reading.ids(rows.OPEN.format(unmeasured=_UNMEASURED)))

    def failed_keys(self) -> frozenset[CallKey]:
        """The answer calls that ended without a measured answer."""
        found = self._rows(f"{rows.OUTCOMES} WHERE c.grader = '' AND r.outcome IN ({_UNMEASURED})")
        return frozenset(CallKey(*row[:4]) for row in found)

    def counts(self) -> CallCounts:
        """How many calls are planned, judges' included, and how many of them have a measured answer."""
        planned = self._one("SELECT count(*) FROM calls", ())
        by_outcome = self._rows("SELECT outcome, count(*) FROM responses GROUP BY outcome")
        answered = sum(count for outcome, count in by_outcome if self._outcome(outcome).measured)
        return CallCounts(0 if planned is None else int(planned[0]), answered)

    def asked_models(self) -> tuple[AskedModel, ...]:
        """Which models were asked for and where measured answers came from, in the order in which they first did."""
        found = ((row[:4], self._outcome(row[4])) for row in self._rows(rows.ASKED_MODELS))
        place = f"{self.path}: requested model"
        return tuple(
            AskedModel(variant, grader, codec.from_json(str, model, place), codec.from_json(Source, source, place))
            for (variant, grader, model, source), outcome in found
            if outcome.measured
        )

    def score_versions(self) -> tuple[tuple[str, str], ...]:
        """By which version of its grader each metric was scored, all of them, in the order in which they came."""
        return tuple((metric, str(version)) for metric, version in self._rows(rows.SCORE_VERSIONS))

    def batch_parts(self) -> tuple[str, ...]:
        """The parts that were sent by batch, in order, as they are written (`store.batches.Part`)."""
        return tuple(row[0] for row in self._rows("SELECT record FROM batches ORDER BY number"))

    def batch_calls(self) -> Iterator[tuple[CallKey, tuple[Any, ...]]]:
        """The calls in these parts: each with its part's number, the name and length of its line, and what it costs."""
        return ((CallKey(*row[:4]), row[4:]) for row in self._rows(rows.BATCH_CALLS))

    def answered_keys(self) -> frozenset[CallKey]:
        """Calls with a measured outcome: those that a resumed run does not ask again."""
        return frozenset(CallKey(*row[:4]) for row in self._rows(rows.OUTCOMES) if self._outcome(row[4]).measured)

    def spared_cases(self) -> frozenset[str]:
        """The cases whose calls without an answer were not needed: the run was stopped before them."""
        text = self.meta(SPARED)
        if text is None:
            return frozenset()
        place = f"{self.path}: {SPARED}"
        return frozenset(codec.from_json(tuple[str, ...], codec.parse(text, place), place))

    def scores(self) -> tuple[Score, ...]:
        """Every score, in the order in which they were added."""
        return tuple(StoredScores(self._reading))

    def score_values(self) -> Iterator[ScoreValue]:
        """What each score came to, without its evidence: many runs are read so in the time of one."""
        for case_id, variant, repeat, metric, value, passed in self._rows(rows.SCORE_VALUES):
            if not (value is None or isinstance(value, int | float)):
                raise StoreError(f"{self.path}: score {metric} of {case_id}: found {value!r}, expected a number")
            number = None if value is None else float(value)
            yield ScoreValue(case_id, variant, repeat, metric, number, None if passed is None else bool(passed))

    def draws(self) -> Mapping[str, StoredDraw]:
        """The measured answers of each variant as one draw; a variant without any has none."""
        return draws_of(self._rows(rows.DRAWS), self.path)

    def spent_usd(self, worst: Callable[[Request], float | None]) -> float:
        """What the stored calls count against a budget, for a run that goes on.

        Answers at their price, to each request of a call once and those that were replaced among them, and what may
        have been billed unseen (an unpriced answer, an attempt whose fate is unknown) at `worst` of its request; where
        that is None too, it counts nothing.
        """
        return spent_usd(self, worst)

    def superseded_usd(self) -> float:
        """What responses cost in dollars that later ones stand in the place of."""
        text = self.meta(SUPERSEDED_USD)
        if text is None:
            return 0.0
        return codec.from_json(float, codec.parse(text, SUPERSEDED_USD), f"{self.path}: {SUPERSEDED_USD}")

    def results(self, metrics: Sequence[MetricSpec], applicable: Mapping[str, frozenset[str]]) -> Results:
        """All that a decision is made from, in memory.

        A planned answer call without a response is `MISSING`, or `NOT_NEEDED` where the run was stopped before it.
        """
        read = self.streamed_results(metrics, applicable)
        return replace(read, cases=self.cases(), calls=dict(read.calls.items()), scores=tuple(read.scores))

    def streamed_results(self, metrics: Sequence[MetricSpec], applicable: Mapping[str, frozenset[str]]) -> Results:
        """The same, but for cases without what is asked; calls and scores are read whenever they are gone through.

        So memory hardly grows with the run; the file has to stay open, and as it is, for as long.
        """
        judging = JudgeTally(variant.name for variant in self.header.variants)
        for reply in self.replies():
            judging.add(reply)
        return Results(
            cases=self.case_heads(),
            variants=self.header.variants,
            repeats=self.header.planned_repeats,
            metrics=tuple(metrics),
            calls=StoredCalls(self._reading, self.spared_cases()),
            scores=StoredScores(self._reading),
            applicable=applicable,
            judge_usd=judging.usd,
            judge_batch_usd=dict(judging.batch_usd),
            judges=judging.models,
            judge_reused=dict(judging.reused),
        )

    def frames(self) -> Frames:
        """The run as pandas tables; loads pandas."""
        from snapdrift.store.frames import build_frames

        return build_frames(self)

    def _outcome(self, text: str) -> Outcome:
        return codec.from_json(Outcome, text, f"{self.path}: outcome")

    def _response(self, row: tuple[Any, ...]) -> Response:
        return rows.response_of(row, self.path)

    def large(self, digest: str) -> str:
        """A text that was taken out of a body. Raises `StoreError` when it is not there or not the one it was."""
        if digest in self._recent:
            return self._recent[digest]
        row = self._one("SELECT data FROM blobs WHERE sha256 = ?", (digest,))
        text = None if row is None else rows.unpacked(row[0], f"{self.path}: blob {digest}")
        if text is None or bodies.digest_of(text) != digest:
            raise StoreError(f"{self.path}: damaged, an image or document of a request is missing ({digest})")
        # The variants of a case ask about the same images, and are read one after the other.
        while len(self._recent) >= _RECENT:
            del self._recent[next(iter(self._recent))]
        self._recent[digest] = text
        return text
