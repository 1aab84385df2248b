"""The queries that read a run file, and what their rows hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from snapdrift.errors import StoreError
from snapdrift.model import CallKey, Endpoint, Reason, Request, Response, Score
from snapdrift.store import bodies, codec
from snapdrift.store.format import decompress

CALLS = "SELECT case_id, variant, repeat, grader, position FROM calls ORDER BY position, id"
RESPONSES = (
    "SELECT c.case_id, c.variant, c.repeat, c.grader, r.outcome, r.record, r.raw,"
    " (SELECT q.hash FROM requests q WHERE q.call = c.id ORDER BY q.step DESC LIMIT 1)"
    " FROM calls c JOIN responses r ON r.call = c.id"
)
PLANNED = " ORDER BY c.position, c.id"
ANSWER_IDS = "SELECT c.id FROM calls c JOIN responses r ON r.call = c.id WHERE c.grader = '' ORDER BY c.position, c.id"
ANSWER_CALLS = "SELECT id FROM calls WHERE grader = '' ORDER BY position, id"
RESPONDED = "SELECT c.id FROM calls c JOIN responses r ON r.call = c.id ORDER BY c.position, c.id"
JUDGED = "SELECT c.id FROM calls c JOIN responses r ON r.call = c.id WHERE c.grader <> '' ORDER BY c.position, c.id"
UNGRADED = (
    "SELECT c.id FROM calls c JOIN responses r ON r.call = c.id WHERE c.grader = '' AND NOT EXISTS (SELECT 1"
    " FROM scores s WHERE s.case_id = c.case_id AND s.variant = c.variant AND s.repeat = c.repeat)"
    " ORDER BY c.position, c.id"
)
OPEN = (
    "SELECT c.id FROM calls c LEFT JOIN responses r ON r.call = c.id WHERE c.grader = ''"
    " AND (r.call IS NULL OR r.outcome IN ({unmeasured})) ORDER BY c.position, c.id"
)
KEYS = "SELECT c.case_id, c.variant, c.repeat, c.grader FROM calls c"
RESULTS = (
    "SELECT c.case_id, c.variant, c.repeat, c.grader, r.outcome, r.record,"
    " (SELECT count(*) FROM requests q WHERE q.call = c.id) FROM calls c LEFT JOIN responses r ON r.call = c.id"
)
ASKED_MODELS = (
    "SELECT c.variant, c.grader, json_extract(r.record, '$.requested_model'),"
    " coalesce(json_extract(r.record, '$.source'), 'openai'), r.outcome"
    " FROM calls c JOIN responses r ON r.call = c.id GROUP BY 1, 2, 3, 4, 5 ORDER BY min(c.position), min(c.id)"
)
SCORES = "SELECT case_id, variant, repeat, metric, record FROM scores"
SCORE_VERSIONS = (
    "SELECT metric, coalesce(json_extract(record, '$.version'), '') FROM scores GROUP BY 1, 2 ORDER BY min(id)"
)
CASE_HEADS = "SELECT id, json_extract(record, '$.tags'), json_extract(record, '$.cluster') FROM cases ORDER BY position"
ANSWERS = "SELECT r.outcome, r.record FROM calls c JOIN responses r ON r.call = c.id"
OUTCOMES = "SELECT c.case_id, c.variant, c.repeat, c.grader, r.outcome FROM calls c JOIN responses r ON r.call = c.id"
REQUESTS = (
    "SELECT q.step, q.endpoint, q.base_url, q.client_request_id, q.body FROM calls c JOIN requests q ON q.call = c.id"
)
STEPS = (
    "SELECT c.case_id, c.variant, c.repeat, c.grader, s.outcome, s.record, s.raw, s.number, s.followed,"
    " (SELECT q.hash FROM requests q WHERE q.call = c.id AND q.step = s.number)"
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
ANSWERS_ABOUT = f" WHERE c.case_id = ? AND c.grader = ''{PLANNED}"
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
    if type(record) is dict and row[-1] is not None:
        record.setdefault("request_hash", row[-1])  # left out where it is that of the stored request
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


_REASONS = {reason.value: reason for reason in Reason}
_NUMBERS = (float, int, type(None))
_FLAGS = (bool, type(None))
_LISTS = (list, tuple)


def _score(row: tuple[Any, ...], place: str) -> Score:
    record = codec.parse(row[4], place)
    score = _plain_score(row, record) if type(record) is dict else None
    if score is not None:
        return score
    identity = dict(zip(("case_id", "variant", "repeat", "metric"), row[:4], strict=True))
    return codec.from_json(Score, {**record, **identity} if type(record) is dict else record, place)


def _plain_score(row: tuple[Any, ...], record: dict[str, Any]) -> Score | None:
    """What `codec` makes of a record whose fields are of the types they are written in, in a third of the time."""
    try:
        value, passed, reason = record["value"], record["passed"], record["reason"]
    except KeyError:
        return None
    got = record.get
    detail, extracted, by, version = got("detail", ""), got("extracted"), got("extracted_by"), got("version", "")
    evidence, facts = got("evidence", ()), got("facts", {})
    if not (
        type(value) in _NUMBERS
        and type(passed) in _FLAGS
        and type(reason) is str
        and reason in _REASONS
        and type(detail) is str
        and (by is None or type(by) is int)
        and type(version) is str
        and type(facts) is dict
        and type(evidence) in _LISTS
        and all(type(item) is str for item in evidence)
    ):
        return None
    case_id, variant, repeat, metric = row[:4]
    number = value if type(value) is not int else codec.from_json(float, value)
    of = tuple(evidence)
    return Score(
        case_id, variant, repeat, metric, number, passed, _REASONS[reason], detail, extracted, by, of, version, facts
    )


def unpacked(data: bytes, place: str) -> str:
    """The text of a stored BLOB; raises `StoreError` that names the place."""
    try:
        return decompress(data)
    except StoreError as error:
        raise StoreError(f"{place}: {error}") from error
