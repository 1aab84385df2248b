"""The queries that read a run file, and what their rows hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from snapdrift.errors import StoreError
from snapdrift.model import CallKey, CallResult, Endpoint, Request, Response, Score
from snapdrift.store import bodies, codec
from snapdrift.store.format import decompress

CALLS = "SELECT case_id, variant, repeat, grader, position FROM calls ORDER BY position, id"
RESPONSES = (
    "SELECT c.case_id, c.variant, c.repeat, c.grader, r.outcome, r.record, r.raw"
    " FROM calls c JOIN responses r ON r.call = c.id"
)
PLANNED = " ORDER BY c.position, c.id"
ANSWER_IDS = "SELECT c.id FROM calls c JOIN responses r ON r.call = c.id WHERE c.grader = '' ORDER BY c.position, c.id"
ANSWERS = "SELECT r.outcome, r.record FROM calls c JOIN responses r ON r.call = c.id"
OUTCOMES = "SELECT c.case_id, c.variant, c.repeat, c.grader, r.outcome FROM calls c JOIN responses r ON r.call = c.id"
REQUESTS = (
    "SELECT q.step, q.endpoint, q.base_url, q.client_request_id, q.body FROM calls c JOIN requests q ON q.call = c.id"
)
REQUEST_COUNTS = (
    "SELECT c.case_id, c.variant, c.repeat, c.grader, count(*)"
    " FROM calls c JOIN requests q ON q.call = c.id GROUP BY c.id"
)
STEPS = (
    "SELECT c.case_id, c.variant, c.repeat, c.grader, s.outcome, s.record, s.raw, s.number, s.followed"
    " FROM calls c JOIN steps s ON s.call = c.id"
)
UNFINISHED = (
    "SELECT c.case_id, c.variant, c.repeat, c.grader, count(*), total(s.usd) FROM calls c JOIN steps s ON s.call = c.id"
    " WHERE c.id NOT IN (SELECT call FROM responses) GROUP BY c.id"
)
BATCH_CALLS = (
    "SELECT c.case_id, c.variant, c.repeat, c.grader, b.part, b.custom_id, b.bytes, b.tokens, b.worst_usd, b.ended"
    " FROM batch_calls b JOIN calls c ON c.id = b.call ORDER BY b.rowid"
)
DRAWS = (
    "SELECT c.variant, c.case_id, c.repeat, r.outcome, r.raw, json_extract(r.record, '$.finished_at')"
    " FROM calls c JOIN responses r ON r.call = c.id WHERE c.grader = '' ORDER BY c.variant, c.case_id, c.repeat"
)
SCORE_VALUES = (
    "SELECT case_id, variant, repeat, metric, json_extract(record, '$.value'), json_extract(record, '$.passed')"
    " FROM scores ORDER BY id"
)
ONE_CALL = " WHERE c.case_id = ? AND c.variant = ? AND c.repeat = ? AND c.grader = ?"


def columns_of(key: CallKey) -> tuple[str, str, int, str]:
    """What `ONE_CALL` compares."""
    return key.case_id, key.variant, key.repeat, key.grader


def response_of(row: tuple[Any, ...], path: Path) -> Response:
    """The response in a row of `RESPONSES` or `STEPS`; raises `StoreError`."""
    key = CallKey(*row[:4])
    try:
        return _response(key, row, "")
    except StoreError:  # the place takes as long to write out as the response to read
        return _response(key, row, f"{path}: response {key}")


def _response(key: CallKey, row: tuple[Any, ...], place: str) -> Response:
    record = codec.parse(row[5], place)
    stored = {"call": codec.to_json(key), "outcome": row[4], "raw": unpacked(row[6], place)}
    return codec.from_json(Response, {**record, **stored} if type(record) is dict else record, place)


_SAID = ("outcome", "requested_model", "text", "refusal", "tool_calls")


def answer_of(key: CallKey, row: tuple[Any, ...], path: Path) -> Response:
    """The response in a row of `ANSWERS`, with what it says and nothing else; raises `StoreError`."""
    place = f"{path}: response {key}"
    record = codec.parse(row[1], place)
    if type(record) is dict:
        told = {name: record[name] for name in _SAID if name in record}
        record = {**told, "call": codec.to_json(key), "outcome": row[0]}
    return codec.from_json(Response, record, place)


def request_of(key: CallKey, row: tuple[Any, ...], large: Callable[[str], str], path: Path) -> Request:
    """The request in a row of `REQUESTS`; `large` gives a text that was taken out by its SHA-256."""
    place = f"{path}: request {key}"
    body = bodies.unpack(unpacked(row[4], place), large, place)
    return Request(key, row[0], codec.from_json(Endpoint, row[1], place), row[2], body, row[3])


def score_of(row: tuple[Any, ...], path: Path) -> Score:
    """The score in a row of case, variant, repeat, metric and record; raises `StoreError`."""
    try:
        return _score(row, "")
    except StoreError:
        return _score(row, f"{path}: score {row[3]} of {row[0]}")


def _score(row: tuple[Any, ...], place: str) -> Score:
    record = codec.parse(row[4], place)
    identity = dict(zip(("case_id", "variant", "repeat", "metric"), row[:4], strict=True))
    return codec.from_json(Score, {**record, **identity} if type(record) is dict else record, place)


def unpacked(data: bytes, place: str) -> str:
    """The text of a stored BLOB; raises `StoreError` that names the place."""
    try:
        return decompress(data)
    except StoreError as error:
        raise StoreError(f"{place}: {error}") from error


def call_result(response: Response, requests: int) -> CallResult:
    """What comparing needs of a response; `requests` is how many are stored of its call."""
    return CallResult(
        outcome=response.outcome,
        returned_model=response.returned_model,
        latency_ms=response.latency_ms,
        usage=response.usage,
        usd=response.usd,
        source=response.source,
        requests=requests if response.attempts else 0,
        first_token_ms=response.first_token_ms,
        batched=response.batched,
        also_returned=_also_returned(response),
    )


def _also_returned(response: Response) -> tuple[str, ...]:
    named = dict.fromkeys(step.returned_model for step in response.steps if step.returned_model is not None)
    return tuple(model for model in named if model != response.returned_model)
