"""Writing a run file: what was awaited is on the disk."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from snapdrift.closable import Closable
from snapdrift.conclusions import Evaluation
from snapdrift.errors import StoreError
from snapdrift.model import Call, Case, Request, Response, Score, Step
from snapdrift.store import codec
from snapdrift.store.committer import Committer
from snapdrift.store.drafts import DRAFT, remove_abandoned_drafts
from snapdrift.store.format import connect_writer, explained, lay_out
from snapdrift.store.handing import hand_over
from snapdrift.store.header import RunHeader, RunState
from snapdrift.store.inserts import put_calls, put_cases, put_meta, put_response, put_step
from snapdrift.store.lock import RunLock
from snapdrift.store.reader import StoredRun, open_run
from snapdrift.store.score_rows import ScoreRow, put_placed, put_rows, rows_of

T = TypeVar("T")


class RunWriter(Closable):
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

    def record(self, response: Response, request: Request) -> asyncio.Future[None]:
        """Stores how a call ended, and the request that was made for it, in place of an earlier ending of that call.

        What is returned is done once that is durable. Cancelling it does not undo it: an answer that was paid for is
        stored.
        """
        return self._committer.submit_from_loop(lambda connection: put_response(connection, response, request))

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
        return await self._committer.submit_from_loop(work)

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

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return self._committer.submit(work).result()


def require_whole(stored: StoredRun) -> None:
    """Raises `StoreError` for an exported run from which something was taken out."""
    gone = stored.header.redacted
    if gone:
        raise StoreError(
            f"{stored.path}: an export from which {', '.join(gone)} was taken out; it can be reported and compared, "
            "not resumed, graded, calibrated or merged: use the run file that it was made from"
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
