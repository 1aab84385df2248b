"""What a report reads of a run file: the records of a few cases at a time, by the cases' places in the dataset."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from snapdrift.errors import StoreError
from snapdrift.model import CallKey, Case, Request, Response, Score
from snapdrift.store import codec, rows
from snapdrift.store.format import connect_reader
from snapdrift.store.reader import StoredRun
from snapdrift.store.streams import Reading

_CASES = "SELECT position, id, record FROM cases WHERE position IN ({places})"
_CALLS = (
    "SELECT c.case_id, c.variant, c.repeat, c.grader, r.outcome, r.record"
    " FROM calls c JOIN responses r ON r.call = c.id"
)
_ANSWERS = f"{_CALLS} WHERE c.case_id IN ({{places}}) AND c.grader = '' ORDER BY c.position, c.id"
_RESPONSES = f"{_CALLS} WHERE c.case_id IN ({{places}}) ORDER BY c.position, c.id"
_REPLIES = (
    f"{_CALLS} WHERE c.case_id = ? AND c.variant = ? AND c.repeat = ? AND c.grader <> '' ORDER BY c.position, c.id"
)
_SCORES = "SELECT case_id, variant, repeat, metric, record FROM scores WHERE case_id IN ({places}) ORDER BY id"
_REQUESTS = (
    "SELECT c.case_id, c.variant, q.step, q.endpoint, q.base_url, q.client_request_id, q.body"
    " FROM calls c JOIN requests q ON q.call = c.id"
    " WHERE c.case_id IN ({places}) AND c.repeat = 0 AND c.grader = '' AND q.step = 0"
)
_LENGTHS = (
    "SELECT total(length(record)) FROM responses",
    "SELECT total(length(record)) FROM scores",
    "SELECT total(length(record)) FROM cases",
)
_TOOK = (
    *("requested_model", "returned_model", "source", "service_tier", "batched"),
    *("usage", "usd", "latency_ms", "first_token_ms", "failure"),
)
"""The fields of a response that say what a call took and how it failed, apart from what it said."""

PackedRequest = tuple[Any, ...]
"""A stored request before it is unpacked: its images and documents are apart, so that it is small."""


@contextmanager
def report_rows(path: Path) -> Iterator[ReportRows]:
    """A run file opened for a report. Raises `StoreError` when it is not one."""
    connection = connect_reader(path)
    try:
        yield ReportRows(StoredRun(path, connection), connection)
    finally:
        connection.close()


class ReportRows:
    """Reads the records of cases; every list is of some hundreds of cases at most. Methods raise `StoreError`."""

    def __init__(self, stored: StoredRun, connection: sqlite3.Connection) -> None:
        self._stored = stored
        self._path = stored.path
        self._reading = Reading(connection, stored.path)

    def positions(self) -> array[int]:
        """By place in the dataset the number under which a case is stored."""
        return array("q", (row[0] for row in self._reading.rows("SELECT position FROM cases ORDER BY position")))

    def cases(self, positions: Sequence[int]) -> list[Case]:
        """The cases with these numbers, in this order."""
        found = {row[0]: row for row in self._of(_CASES, positions)}
        if not found.keys() >= set(positions):
            raise StoreError(f"{self._path}: cases went away while the run was read; read it again")
        ordered = (found[position] for position in positions)
        return [codec.loads(Case, record, f"{self._path}: case {case_id}") for _, case_id, record in ordered]

    def answers(self, case_ids: Sequence[str]) -> Iterator[Response]:
        """How the answers to these cases ended and what they took, in planned order; not what they say."""
        return (self._response(row, _TOOK) for row in self._of(_ANSWERS, case_ids))

    def responses(self, case_ids: Sequence[str]) -> Iterator[Response]:
        """The responses to calls about these cases, judges' too, in planned order, without bodies as received."""
        return (self._response(row) for row in self._of(_RESPONSES, case_ids))

    def replies_about(self, answer: CallKey) -> list[Response]:
        """The responses of judges that were asked about an answer."""
        found = self._reading.rows(_REPLIES, (answer.case_id, answer.variant, answer.repeat))
        return [self._response(row) for row in found]

    def scores(self, case_ids: Sequence[str]) -> Iterator[Score]:
        """The scores of these cases, in the order in which they were added."""
        return (rows.score_of(row, self._path) for row in self._of(_SCORES, case_ids))

    def first_requests(self, case_ids: Sequence[str]) -> dict[tuple[str, str], PackedRequest]:
        """By case and variant the first request of the first answer, packed as it is stored."""
        return {(row[0], row[1]): row for row in self._of(_REQUESTS, case_ids)}

    def unpacked(self, packed: PackedRequest) -> Request:
        """A request as it was sent."""
        key = CallKey(packed[0], packed[1], 0)
        return rows.request_of(key, packed[2:], self._stored.large, self._path)

    def characters(self) -> int:
        """How long the texts of all responses, scores and cases are together."""
        return sum(int(row[0]) for query in _LENGTHS for row in self._reading.rows(query))

    def _response(self, row: tuple[Any, ...], fields: Iterable[str] | None = None) -> Response:
        key = CallKey(*row[:4])
        try:
            return _response(key, row, fields, "")
        except StoreError:  # the place takes as long to write out as the response to read
            return _response(key, row, fields, f"{self._path}: response {key}")

    def _of(self, query: str, values: Sequence[object]) -> Iterator[tuple[Any, ...]]:
        return self._reading.rows(query.format(places=",".join("?" * len(values))), values)


def _response(key: CallKey, row: tuple[Any, ...], fields: Iterable[str] | None, place: str) -> Response:
    record = codec.parse(row[5], place)
    if type(record) is not dict:
        return codec.from_json(Response, record, place)
    told = record if fields is None else {name: record[name] for name in fields if name in record}
    own = {"call": codec.to_json(key), "outcome": row[4], "raw": ""}
    return codec.from_json(Response, {**told, **own}, place)
