"""The statements that put plan, answers and requests into a run file, each inside a transaction that its caller holds.

`rows.py` has those that read them, `score_rows.py` what concerns scores. Keys are taken out of all that is stored here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from snapdrift.errors import StoreError
from snapdrift.keys import body_without_keys, without_keys
from snapdrift.model import Call, CallKey, Request, Response, Step
from snapdrift.store import bodies, codec
from snapdrift.store.format import SUPERSEDED_USD, compress
from snapdrift.store.spending import last_request_usd


def put_meta(connection: sqlite3.Connection, rows: Iterable[tuple[str, str]]) -> None:
    """Stores texts of the run as a whole by their names, inside a transaction."""
    clean = ((key, without_keys(value)) for key, value in rows)
    connection.executemany("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", clean)


def put_cases(connection: sqlite3.Connection, rows: Iterable[tuple[str, str]]) -> None:
    """Stores cases (id, record) behind those there are, inside a transaction."""
    connection.executemany(
        "INSERT INTO cases (id, record) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record", rows
    )


def put_calls(connection: sqlite3.Connection, calls: Iterable[Call]) -> None:
    """Stores planned calls, inside a transaction; those that are there stay as they are."""
    connection.executemany(
        "INSERT INTO calls (position, case_id, variant, repeat, grader) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        ((call.position, *_key_columns(call.key)) for call in calls),
    )


def put_response(connection: sqlite3.Connection, response: Response, request: Request) -> None:
    """Stores how a call ended and its last request, inside a transaction. Raises `StoreError` for an unplanned call."""
    call, usd_before = _answered_call(connection, response.call)
    hashed = response.request_hash or request.hash
    if usd_before:
        _keep_cost(connection, usd_before)
    connection.execute(
        "INSERT OR REPLACE INTO responses (call, outcome, usd, record, raw) VALUES (?, ?, ?, ?, ?)",
        (call, *response_columns(response, last_request_usd(response), hashed)),
    )
    # The last answer stood among the steps while it was not known that it is the last.
    connection.execute("DELETE FROM steps WHERE call = ? AND number >= ?", (call, len(response.steps)))
    _put_followed(connection, call, response.steps)
    put_request(connection, call, request, hashed)


def put_step(connection: sqlite3.Connection, request: Request, response: Response, steps: tuple[Step, ...]) -> None:
    """Stores the answer to one request of a call after its earlier `steps`, inside a transaction."""
    call, hashed = call_id(connection, request.call), response.request_hash or request.hash
    connection.execute(
        "INSERT OR REPLACE INTO steps (call, number, outcome, usd, record, raw) VALUES (?, ?, ?, ?, ?, ?)",
        (call, request.step, *response_columns(response, response.usd, hashed)),
    )
    _put_followed(connection, call, steps[-1:])
    put_request(connection, call, request, hashed)


def response_columns(
    response: Response, usd: float | None, known_hash: str | None = None
) -> tuple[str, float | None, str, bytes]:
    """A response as its row has it after the call: outcome, dollars, record, body as received.

    `known_hash` is the hash in the row of its request, None where that is not known: it is not written twice.
    """
    # What is not there takes its default when it is read: most fields of most responses say nothing.
    told: dict[str, Any] = {"requested_model": response.requested_model}
    for name in _TOLD:
        value = getattr(response, name)
        if not _says_nothing(value):
            told[name] = codec.to_json(value)
    for attempt in told.get("attempts", ()):
        if attempt["failure"] is None:
            del attempt["failure"]
    if "usage" in told:
        told["usage"] = {name: tokens for name, tokens in told["usage"].items() if tokens}
    if response.request_hash != known_hash:
        told["request_hash"] = response.request_hash
    return response.outcome.value, usd, codec.text_of(told), compress(body_without_keys(response.raw))


_APART = ("call", "outcome", "raw", "requested_model", "request_hash")
_TOLD = tuple(field.name for field in fields(Response) if field.name not in _APART)
"""The fields that a record has where they say something."""


def _says_nothing(value: Any) -> bool:
    """Whether a field is None, false, an empty text or an empty list: the defaults of those that may be left out."""
    return value is None or value is False or value == "" or value == ()


def _put_followed(connection: sqlite3.Connection, call: int, steps: tuple[Step, ...]) -> None:
    if steps:
        connection.executemany(
            "UPDATE steps SET followed = ? WHERE call = ? AND number = ?",
            ((codec.dumps(step), call, step.number) for step in steps),
        )


def put_request(connection: sqlite3.Connection, call: int, request: Request, known_hash: str = "") -> None:
    """Stores a request of the call with that row id, inside a transaction; large texts of its body are stored once.

    `known_hash` is the request's hash where it was taken before.
    """
    packed = bodies.pack(request.body)
    for digest, text in packed.large.items():
        if connection.execute("SELECT 1 FROM blobs WHERE sha256 = ?", (digest,)).fetchone() is None:
            connection.execute("INSERT INTO blobs (sha256, data) VALUES (?, ?)", (digest, compress(text)))
    connection.execute(
        "INSERT OR REPLACE INTO requests (call, step, hash, endpoint, base_url, client_request_id, body)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            call,
            request.step,
            known_hash or request.hash,
            request.endpoint.value,
            request.base_url,
            request.client_request_id,
            compress(packed.text),
        ),
    )


def _keep_cost(connection: sqlite3.Connection, usd: float) -> None:
    """Adds what a response that is about to be replaced cost (a judge's, say, that is asked anew) to what is spent."""
    kept = connection.execute("SELECT value FROM meta WHERE key = ?", (SUPERSEDED_USD,)).fetchone()
    put_meta(connection, [(SUPERSEDED_USD, repr(usd + (float(kept[0]) if kept else 0.0)))])


def call_id(connection: sqlite3.Connection, key: CallKey) -> int:
    """The row id of a planned call; raises `StoreError` for one that is not planned."""
    return _answered_call(connection, key)[0]


def _answered_call(connection: sqlite3.Connection, key: CallKey) -> tuple[int, float | None]:
    """The same, and what its stored response cost in dollars; None where that is not known, or there is none."""
    row = connection.execute(
        "SELECT c.id, r.usd FROM calls c LEFT JOIN responses r ON r.call = c.id"
        " WHERE c.case_id = ? AND c.variant = ? AND c.repeat = ? AND c.grader = ?",
        _key_columns(key),
    ).fetchone()
    if row is None:
        raise StoreError(f"call {key} is not planned in this run, so its response has no place")
    return int(row[0]), row[1]


def _key_columns(key: CallKey) -> tuple[str, str, int, str]:
    return key.case_id, key.variant, key.repeat, key.grader
