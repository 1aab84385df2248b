"""The statements that put plan, answers and requests into a run file, each inside a transaction that its caller holds.

`rows.py` has those that read them, `score_rows.py` what concerns scores. Keys are taken out of all that is stored here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
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
    call, hashed = call_id(connection, response.call), response.request_hash or request.hash
    _keep_cost(connection, call)
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
    record = codec.to_json(response)
    raw = compress(body_without_keys(record.pop("raw")))
    del record["call"], record["outcome"]
    for attempt in record["attempts"]:
        if attempt["failure"] is None:
            del attempt["failure"]
    if record["usage"] is not None:
        record["usage"] = {name: tokens for name, tokens in record["usage"].items() if tokens}
    hashed = record.pop("request_hash")
    # What is not there takes its default when it is read: most fields of most responses say nothing.
    told = {name: value for name, value in record.items() if name in _ALWAYS or not _says_nothing(value)}
    if hashed != known_hash:
        told["request_hash"] = hashed
    return response.outcome.value, usd, codec.text_of(told), raw


_ALWAYS = ("requested_model",)


def _says_nothing(value: Any) -> bool:
    """Whether a field is None, false, an empty text or an empty list: the defaults of those that may be left out."""
    return value is None or value is False or value == "" or value == []


def _put_followed(connection: sqlite3.Connection, call: int, steps: tuple[Step, ...]) -> None:
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


def _keep_cost(connection: sqlite3.Connection, call: int) -> None:
    """Adds what a response that is about to be replaced cost (a judge's, say, that is asked anew) to what is spent."""
    row = connection.execute("SELECT usd FROM responses WHERE call = ?", (call,)).fetchone()
    if row is None or not row[0]:
        return
    kept = connection.execute("SELECT value FROM meta WHERE key = ?", (SUPERSEDED_USD,)).fetchone()
    put_meta(connection, [(SUPERSEDED_USD, repr(row[0] + (float(kept[0]) if kept else 0.0)))])


def call_id(connection: sqlite3.Connection, key: CallKey) -> int:
    """The row id of a planned call; raises `StoreError` for one that is not planned."""
    row = connection.execute(
        "SELECT id FROM calls WHERE case_id = ? AND variant = ? AND repeat = ? AND grader = ?", _key_columns(key)
    ).fetchone()
    if row is None:
        raise StoreError(f"call {key} is not planned in this run, so its response has no place")
    return int(row[0])


def _key_columns(key: CallKey) -> tuple[str, str, int, str]:
    return key.case_id, key.variant, key.repeat, key.grader
