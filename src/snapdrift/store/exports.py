"""Writes a run file from another: whole, or from records of which something was taken out.

A redacted file is not a copy that is cleaned: it is made anew, of the records that it is to hold and nothing else. So
no page of it (free ones, its log) ever held what was taken out, and a table or a text that is new in run files is left
out until somebody says that it may be shown.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from snapdrift.errors import StoreError
from snapdrift.model import Call, Case, Request, Response, Score
from snapdrift.store import codec
from snapdrift.store.format import explained, lay_out
from snapdrift.store.header import RunHeader
from snapdrift.store.inserts import call_id, put_calls, put_cases, put_meta, put_request, response_columns
from snapdrift.store.reader import StoredRun
from snapdrift.store.score_rows import put_rows, rows_of
from snapdrift.store.spending import last_request_usd


@dataclass(frozen=True, slots=True)
class Records:
    """What a redacted run file holds. `meta` are the texts of the run as a whole, its header apart."""

    header: RunHeader
    meta: Mapping[str, str]
    cases: Iterable[Case]
    calls: Iterable[Call]
    requests: Iterable[Request]
    responses: Iterable[Response]
    scores: Iterable[Score]


def write_copy(stored: StoredRun, path: Path) -> None:
    """A whole and consistent copy of a run file, in one file. Raises `StoreError` when it cannot be written."""
    with _draft(path) as connection:
        stored.copy_into(connection)
        connection.execute("PRAGMA journal_mode = DELETE")


def write_records(records: Records, path: Path) -> None:
    """A run file of these records. Raises `StoreError` when it cannot be written."""
    with _draft(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        lay_out(connection)
        put_meta(connection, [*records.meta.items(), ("header", codec.dumps(records.header))])
        put_cases(connection, ((case.id, codec.dumps(case)) for case in records.cases))
        put_calls(connection, records.calls)
        for request in records.requests:
            put_request(connection, call_id(connection, request.call), request)
        for response in records.responses:
            columns = response_columns(response, last_request_usd(response))
            connection.execute(
                "INSERT INTO responses (call, outcome, usd, record, raw) VALUES (?, ?, ?, ?, ?)",
                (call_id(connection, response.call), *columns),
            )
        put_rows(connection, rows_of(records.scores))
        connection.execute("COMMIT")


@contextmanager
def _draft(path: Path) -> Iterator[sqlite3.Connection]:
    """A new database under another name, which gets its own once it is whole and on the disk."""
    draft = path.with_name(f".{path.name}.draft")
    with explained(path):
        if path.exists():
            raise StoreError(f"{path}: there is a file already; name another, or remove it")
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        connection = sqlite3.connect(draft, isolation_level=None)
        try:
            connection.execute("PRAGMA synchronous = FULL")
            yield connection
            connection.close()
            draft.rename(path)
            _sync(path.parent)
        finally:
            connection.close()
            draft.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Puts the new name on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
