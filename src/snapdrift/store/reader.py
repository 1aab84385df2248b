"""Reading a run file: everything that was planned, received and concluded, with no network and nothing written."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from snapdrift.errors import StoreError
from snapdrift.model import (
    Call,
    CallKey,
    CallResult,
    Case,
    Endpoint,
    Evaluation,
    MetricSpec,
    Outcome,
    Request,
    Response,
    Results,
    Score,
)
from snapdrift.store import codec
from snapdrift.store.format import SUPERSEDED_USD, connect_reader, decompress, explained
from snapdrift.store.header import RunHeader, RunState

if TYPE_CHECKING:
    import pandas as pd

_CALLS = "SELECT case_id, variant, repeat, grader, position FROM calls ORDER BY position, id"
_RESPONSES = (
    "SELECT c.case_id, c.variant, c.repeat, c.grader, r.outcome, r.usd, r.record, r.raw"
    " FROM calls c JOIN responses r ON r.call = c.id"
)
_OUTCOMES = "SELECT c.case_id, c.variant, c.repeat, c.grader, r.outcome FROM calls c JOIN responses r ON r.call = c.id"
_REQUESTS = (
    "SELECT q.step, q.endpoint, q.base_url, q.client_request_id, q.body FROM calls c JOIN requests q ON q.call = c.id"
)
_STEPS = (
    "SELECT c.case_id, c.variant, c.repeat, c.grader, count(*)"
    " FROM calls c JOIN requests q ON q.call = c.id GROUP BY c.id"
)
_ONE_CALL = " WHERE c.case_id = ? AND c.variant = ? AND c.repeat = ? AND c.grader = ?"


@dataclass(frozen=True, slots=True)
class Frames:
    """A run as tables: `calls` has a row for each planned call (judges' too), `scores` one for each score."""

    calls: pd.DataFrame
    scores: pd.DataFrame


def open_run(path: Path) -> StoredRun:
    """A run file for reading, also while its writer lives; raises `StoreError` when it is not one. Close it."""
    return StoredRun(path, connect_reader(path))


class StoredRun:
    """A run as its file tells it. Each property is read when asked for, so a live run shows its progress."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._header: tuple[str, RunHeader] | None = None

    @property
    def header(self) -> RunHeader:
        """What was fixed when the run started."""
        text = self._required_meta("header")
        if self._header is None or self._header[0] != text:
            # It holds the whole suite and is asked for with every call: parsed once for as long as it stays the same.
            self._header = (text, codec.loads(RunHeader, text, f"{self.path}: header"))
        return self._header[1]

    @property
    def state(self) -> RunState:
        """Where the run is; a run that was killed still says `running`."""
        return codec.from_json(RunState, self._required_meta("state"), f"{self.path}: state")

    @property
    def finished_at(self) -> str | None:
        """When it was finished (ISO 8601), None before."""
        return self.meta("finished_at")

    @property
    def suite(self) -> dict[str, Any]:
        """The suite in its stored form."""
        return self.header.suite_stored

    @property
    def evaluation(self) -> Evaluation | None:
        """What was concluded, None before."""
        text = self.meta("evaluation")
        return None if text is None else codec.loads(Evaluation, text, f"{self.path}: evaluation")

    def meta(self, key: str) -> str | None:
        """A text stored with `RunWriter.set_meta`."""
        row = self._one("SELECT value FROM meta WHERE key = ?", (key,))
        return None if row is None else str(row[0])

    def cases(self) -> tuple[Case, ...]:
        """The cases, in the dataset's order."""
        rows = self._rows("SELECT id, record FROM cases ORDER BY position")
        return tuple(codec.loads(Case, record, f"{self.path}: case {case_id}") for case_id, record in rows)

    def calls(self) -> tuple[CallKey, ...]:
        """Every planned call, judges' included, in the order in which they are made."""
        return tuple(CallKey(*row[:4]) for row in self._rows(_CALLS))

    def planned(self) -> tuple[Call, ...]:
        """The same with their positions."""
        return tuple(Call(CallKey(*row[:4]), row[4]) for row in self._rows(_CALLS))

    def responses(self) -> Iterator[Response]:
        """What came back, in planned order, one at a time: memory does not grow with the run."""
        return map(self._response, self._rows(_RESPONSES + " ORDER BY c.position, c.id"))

    def response(self, key: CallKey) -> Response | None:
        """How a call ended, None where nothing is stored of it."""
        row = self._one(_RESPONSES + _ONE_CALL, _columns(key))
        return None if row is None else self._response(row)

    def request(self, key: CallKey, step: int = 0) -> Request | None:
        """A request of a call exactly as it was sent, None where none is stored."""
        row = self._one(_REQUESTS + _ONE_CALL + " AND q.step = ?", (*_columns(key), step))
        return None if row is None else self._request(key, row)

    def answered_keys(self) -> frozenset[CallKey]:
        """Calls with a measured outcome: those that a resumed run does not ask again."""
        return frozenset(CallKey(*row[:4]) for row in self._rows(_OUTCOMES) if self._outcome(row[4]).measured)

    def scores(self) -> tuple[Score, ...]:
        """Every score, in the order in which they were added."""
        rows = self._rows("SELECT case_id, variant, repeat, metric, record FROM scores ORDER BY id")
        return tuple(self._score(row) for row in rows)

    def spent_usd(self, worst: Callable[[Request], float | None]) -> float:
        """What the stored calls count against a budget, for a run that goes on.

        Answers at their price, those that were replaced among them, and what may have been billed unseen (an unpriced
        answer, an attempt whose fate is unknown) at `worst` of its request; where that is None too, it counts nothing.
        """
        total = self._superseded_usd()
        for response in self.responses():
            unseen = sum(1 for attempt in response.attempts if attempt.failure and attempt.failure.may_have_run)
            if response.usd is None and response.outcome.measured:
                unseen += 1
            total += response.usd or 0.0
            request = self.request(response.call) if unseen else None
            total += unseen * ((worst(request) or 0.0) if request else 0.0)
        return total

    def results(self, metrics: Sequence[MetricSpec], applicable: Mapping[str, frozenset[str]]) -> Results:
        """All that a decision is made from; a planned answer call without a response is `MISSING`."""
        header = self.header
        calls = {key: CallResult(Outcome.MISSING, requests=0) for key in self.calls() if not key.grader}
        judge_usd = dict.fromkeys((variant.name for variant in header.variants), 0.0)
        steps = self._steps()
        for response in self.responses():
            key = response.call
            if key.grader:
                judge_usd[key.variant] = judge_usd.get(key.variant, 0.0) + (response.usd or 0.0)
            else:
                calls[key] = _call_result(response, steps.get(key, 0))
        return Results(
            cases=self.cases(),
            variants=header.variants,
            repeats=header.planned_repeats,
            metrics=tuple(metrics),
            calls=calls,
            scores=self.scores(),
            applicable=applicable,
            judge_usd=judge_usd,
        )

    def frames(self) -> Frames:
        """The run as pandas tables; loads pandas."""
        from snapdrift.store.frames import build_frames

        return build_frames(self)

    def close(self) -> None:
        """Lets go of the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _rows(self, query: str, parameters: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        with explained(self.path):
            yield from self._connection.execute(query, parameters)

    def _one(self, query: str, parameters: Sequence[object]) -> tuple[Any, ...] | None:
        return next(self._rows(query, parameters), None)

    def _required_meta(self, key: str) -> str:
        text = self.meta(key)
        if text is None:
            raise StoreError(f"{self.path}: damaged, it has no {key}")
        return text

    def _outcome(self, text: str) -> Outcome:
        return codec.from_json(Outcome, text, f"{self.path}: outcome")

    def _response(self, row: tuple[Any, ...]) -> Response:
        key = CallKey(*row[:4])
        place = f"{self.path}: response {key}"
        record = codec.parse(row[6], place)
        stored = {
            "call": codec.to_json(key),
            "outcome": row[4],
            "usd": row[5],
            "raw": _unpacked(row[7], place),
        }
        return codec.from_json(Response, {**record, **stored} if type(record) is dict else record, place)

    def _request(self, key: CallKey, row: tuple[Any, ...]) -> Request:
        place = f"{self.path}: request {key}"
        body = codec.loads(dict, _unpacked(row[4], place), place)
        return Request(key, row[0], codec.from_json(Endpoint, row[1], place), row[2], body, row[3])

    def _score(self, row: tuple[Any, ...]) -> Score:
        place = f"{self.path}: score {row[3]} of {row[0]}"
        record = codec.parse(row[4], place)
        identity = dict(zip(("case_id", "variant", "repeat", "metric"), row[:4], strict=True))
        return codec.from_json(Score, {**record, **identity} if type(record) is dict else record, place)

    def _superseded_usd(self) -> float:
        text = self.meta(SUPERSEDED_USD)
        if text is None:
            return 0.0
        return codec.from_json(float, codec.parse(text, SUPERSEDED_USD), f"{self.path}: {SUPERSEDED_USD}")

    def _steps(self) -> dict[CallKey, int]:
        return {CallKey(*row[:4]): row[4] for row in self._rows(_STEPS)}


def _columns(key: CallKey) -> tuple[str, str, int, str]:
    return key.case_id, key.variant, key.repeat, key.grader


def _unpacked(data: bytes, place: str) -> str:
    try:
        return decompress(data)
    except StoreError as error:
        raise StoreError(f"{place}: {error}") from error


def _call_result(response: Response, steps: int) -> CallResult:
    return CallResult(
        outcome=response.outcome,
        returned_model=response.returned_model,
        latency_ms=response.latency_ms,
        usage=response.usage,
        usd=response.usd,
        source=response.source,
        requests=steps if response.attempts else 0,
        first_token_ms=response.first_token_ms,
        batched=response.batched,
    )
