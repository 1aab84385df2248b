"""Writing a run file: what was awaited is on the disk."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from snapdrift.conclusions import Evaluation
from snapdrift.errors import StoreError
from snapdrift.keys import body_without_keys, without_keys
from snapdrift.model import Call, CallKey, Case, Request, Response, Score, Step
from snapdrift.store import bodies, codec
from snapdrift.store.committer import Committer
from snapdrift.store.drafts import DRAFT, remove_abandoned_drafts
from snapdrift.store.format import SUPERSEDED_USD, compress, connect_writer, explained, lay_out
from snapdrift.store.handing import hand_over
from snapdrift.store.header import RunHeader, RunState
from snapdrift.store.lock import RunLock
from snapdrift.store.reader import StoredRun, open_run
from snapdrift.store.score_rows import ScoreRow, put_placed, put_rows, rows_of
from snapdrift.store.spending import last_request_usd

T = TypeVar("T")


class RunWriter:
    """The one writer of a run file. Methods return once what they were given is durable, and raise `StoreError`.

    `record` is for the event loop; the others block for one commit and are for the steps between.
    """

    def __init__(self, path: Path, lock: RunLock, connection: sqlite3.Connection) -> None:
        self.path = path
        self._lock = lock
        self._connection = connection
        self._committer = Committer(connection, path)
        self._closed = False

    @classmethod
    def create(
        cls,
        path: Path,
        header: RunHeader,
        cases: Iterable[Case],
        calls: Iterable[Call],
        meta: Mapping[str, str] | None = None,
    ) -> RunWriter:
        """A new run file, whole from its first moment: it appears under its name once header and plan are in it.

        `meta` are texts of the run as a whole that belong to its plan, as `set_meta` stores them. Raises `StoreError`
        when the file exists or its folder cannot be written.
        """
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned_drafts(path.parent)
        lock = RunLock.take(path)
        try:
            with explained(path):
                _build(path, header, cases, calls, meta or {})
            return cls(path, lock, connect_writer(path))
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open(cls, path: Path) -> RunWriter:
        """Goes on with an existing run file; raises `RunBusyError` when another process does.

        Raises `StoreError` for an exported run that no longer holds what its grading rests on.
        """
        if not path.is_file():
            raise StoreError(f"{path}: there is no such run file")
        with open_run(path) as stored:
            require_whole(stored)
        lock = RunLock.take(path)
        try:
            return cls(path, lock, connect_writer(path))
        except BaseException:
            lock.release()
            raise

    @property
    def transactions(self) -> int:
        """How many commits this writer has made."""
        return self._committer.transactions

    async def record(self, response: Response, request: Request) -> None:
        """Stores how a call ended, and the request that was made for it, in place of an earlier ending of that call.

        Cancelling the wait does not undo it: an answer that was paid for is stored.
        """
        await self.apply(lambda connection: put_response(connection, response, request))

    async def record_step(self, request: Request, response: Response, steps: tuple[Step, ...]) -> None:
        """Stores the answer to one request of a call that may go on, and what its earlier `steps` were followed by.

        It stands until the call ends (`record`); a run that goes on takes it up (`StoredRun.begun`).
        """
        await self.apply(lambda connection: put_step(connection, request, response, steps))

    async def plan_call(self, call: Call) -> None:
        """Adds a planned call from within the event loop; one that is planned already stays as it is."""
        await self.apply(lambda connection: put_calls(connection, [call]))

    async def keep_meta(self, key: str, value: str) -> None:
        """As `set_meta`, from within the event loop."""
        await self.apply(lambda connection: put_meta(connection, [(key, value)]))

    async def apply(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Does the work of another module of the store in one transaction; returns its result once that is durable.

        Cancelling the wait does not undo it.
        """
        return await asyncio.shield(self._committer.submit_from_loop(work))

    def apply_now(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """The same as `apply` for code outside the event loop."""
        return self._do(work)

    def record_now(self, response: Response, request: Request) -> None:
        """The same as `record` for code outside the event loop."""
        self._do(lambda connection: put_response(connection, response, request))

    def add_cases(self, cases: Iterable[Case]) -> None:
        """Adds cases behind those there are; one that is there keeps its place and gets the new content."""
        rows = [(case.id, codec.dumps(case)) for case in cases]
        self._do(lambda connection: put_cases(connection, rows))

    def add_calls(self, calls: Iterable[Call]) -> None:
        """Adds planned calls (a judge's, say); those that are planned already stay as they are."""
        rows = list(calls)
        self._do(lambda connection: put_calls(connection, rows))

    def add_scores(self, scores: Iterable[Score]) -> None:
        """Stores scores; one for the same case, variant, repeat and metric replaces the earlier."""
        rows = list(scores)
        self._do(lambda connection: put_rows(connection, rows_of(rows)))

    def replace_scores(self, scores: Iterable[Score]) -> None:
        """Puts these scores in the place of all that are stored, in one step: all of them, or none.

        They are stored as they come, a slice at a time, so that they are never all in memory.
        """
        self.replace_score_rows(rows_of(scores))

    def replace_score_rows(self, rows: Iterable[ScoreRow]) -> None:
        """As `replace_scores`, of scores that are written out already.

        What raises while they come is raised here, and the scores are those that were there before.
        """

        def work(connection: sqlite3.Connection, given: Iterable[ScoreRow]) -> None:
            connection.execute("DELETE FROM scores")
            put_rows(connection, given)

        hand_over(self._committer.submit, rows, work, self.path)

    def begin_scores(self, key: str, value: str) -> None:
        """Takes out all scores and stores a text under a name, in one step: from now on answers are graded singly."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM scores")
            put_meta(connection, [(key, value)])

        self._do(work)

    def add_score_rows(self, rows: Iterable[ScoreRow]) -> None:
        """Stores all scores of some answers, written out already, those of each answer together."""
        given = list(rows)
        self._do(lambda connection: put_placed(connection, given))

    def complete_scores(self, scores: Iterable[Score], key: str) -> None:
        """The same as they come, and empties the text under a name: all in one step, or nothing of it."""

        def work(connection: sqlite3.Connection, given: Iterable[ScoreRow]) -> None:
            put_placed(connection, given)
            put_meta(connection, [(key, "")])

        hand_over(self._committer.submit, rows_of(scores), work, self.path)

    def replace_header(self, header: RunHeader) -> None:
        """Puts another header in the place of the one there is: a further attempt, or the suite as graded again."""
        self.set_meta("header", codec.dumps(header))

    def set_evaluation(self, evaluation: Evaluation) -> None:
        """Stores what was concluded."""
        self.set_meta("evaluation", codec.dumps(evaluation))

    def set_state(self, state: RunState | str) -> None:
        """Says where the run is."""
        self.set_meta("state", RunState(state).value)

    def finish(self, finished_at: str) -> None:
        """Marks the run as finished at an ISO 8601 time."""
        rows = [("state", RunState.FINISHED.value), ("finished_at", finished_at)]
        self._do(lambda connection: put_meta(connection, rows))

    def set_meta(self, key: str, value: str) -> None:
        """Stores a text of the run as a whole under a name."""
        self._do(lambda connection: put_meta(connection, [(key, value)]))

    def close(self, become: Path | None = None) -> None:
        """Commits what is queued, folds the log into the file (one file is left, to be copied), frees the lock.

        With `become` the file gets that name, of the same stem, while it is locked: nobody finds it abandoned.
        """
        if self._closed:
            return
        self._closed = True
        self._committer.close()
        try:
            # With a reader beside us SQLite declines, and the file stays as good with its log as without.
            self._connection.execute("PRAGMA busy_timeout = 0")
            self._connection.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error:
            pass
        finally:
            self._connection.close()
            try:
                if become is not None:
                    self.path.rename(become)
            finally:
                self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return self._committer.submit(work).result()


def require_whole(stored: StoredRun) -> None:
    """Raises `StoreError` for an exported run from which something was taken out."""
    gone = stored.header.redacted
    if gone:
        raise StoreError(
            f"{stored.path}: an export from which {', '.join(gone)} was taken out; it can be reported and compared, "
            "not resumed, graded or calibrated: use the run file that it was made from"
        )


def _build(
    path: Path, header: RunHeader, cases: Iterable[Case], calls: Iterable[Call], meta: Mapping[str, str]
) -> None:
    """Makes the file under another name and renames it when it is complete and on the disk."""
    if path.exists():
        raise StoreError(f"{path}: a run file is already there; a run is created once")
    draft = path.with_suffix(DRAFT)
    draft.unlink(missing_ok=True)
    connection = sqlite3.connect(draft, isolation_level=None)
    try:
        # Two to three responses fit a page of the usual size, and the rest of it stays empty.
        connection.execute("PRAGMA page_size = 8192")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        lay_out(connection)
        own = [("header", codec.dumps(header)), ("state", RunState.RUNNING.value)]
        put_meta(connection, [*meta.items(), *own])
        put_cases(connection, [(case.id, codec.dumps(case)) for case in cases])
        put_calls(connection, calls)
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        draft.unlink(missing_ok=True)
        raise
    connection.close()
    draft.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


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
