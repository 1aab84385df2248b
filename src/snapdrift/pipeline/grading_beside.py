"""Grading while answers are waited for: a process beside this one grades each answer as soon as it is stored.

It is a process and no thread, because a grader that reckons keeps the event loop from its turn. What it has not graded
when asking ends is graded then; so nothing is lost with it. `docs/design/pipeline.md` says when it pays.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO, cast

from snapdrift import __version__
from snapdrift.errors import StoreError
from snapdrift.model import CallKey, Response, sha256
from snapdrift.pipeline.grading_workers import FOLLOW, PORTION, may_grade_apart, started_worker
from snapdrift.store.score_frames import ROWS, WorkerFailedError, read_frame, unpacked

if TYPE_CHECKING:
    import subprocess

    from snapdrift.store import RunWriter, StoredRun
    from snapdrift.suites.resolved import Suite

GRADED_BY = "graded_by"
"""Under this name a run file keeps by what the scores in it were made, while answers are still graded one by one."""
FEWEST_TO_ASK = 5_000
"""Of fewer calls, grading all at the end takes about as long as starting a process."""
MOST_WAITING = 4_096
"""Answers that wait to be graded; those beyond are graded when asking has ended."""


class Beside:
    """A process that grades, and the thread that hands it answers and has its scores stored."""

    def __init__(self, writer: RunWriter, worker: subprocess.Popen[bytes]) -> None:
        self._writer, self._worker = writer, worker
        self._waiting: queue.Queue[CallKey | None] = queue.Queue(MOST_WAITING)
        self.failed = ""
        self._thread = threading.Thread(target=self._serve, name="grading", daemon=True)
        self._thread.start()

    def take(self, response: Response) -> None:
        """Has an answer graded that is stored; never waits."""
        if response.outcome.measured and not response.call.grader and not self.failed:
            try:
                self._waiting.put_nowait(response.call)
            except queue.Full:  # it is graded with the rest
                return

    def close(self, *, drop: bool = False) -> None:
        """Returns when what was taken is graded and stored, as far as that can be; with `drop`, what is begun."""
        while drop and not self._waiting.empty():
            with suppress(queue.Empty):
                self._waiting.get_nowait()
        while self._thread.is_alive():
            try:
                self._waiting.put(None, timeout=0.1)
                break
            except queue.Full:
                continue
        self._thread.join()

    def _serve(self) -> None:
        try:
            while keys := self._next():
                self._grade(keys)
        except (WorkerFailedError, StoreError, OSError, ValueError) as error:  # ValueError: its pipe is closed
            self.failed = str(error)

    def _next(self) -> list[CallKey]:
        """What waits, a portion at most; nothing at the end."""
        keys: list[CallKey] = []
        while len(keys) < PORTION and (not keys or not self._waiting.empty()):
            key = self._waiting.get()
            if key is None:
                self._waiting.put(None)
                break
            keys.append(key)
        return keys

    def _grade(self, keys: list[CallKey]) -> None:
        sent = json.dumps([[key.case_id, key.variant, key.repeat] for key in keys])
        into = cast("BinaryIO", self._worker.stdin)
        into.write(f"{sent}\n".encode("ascii"))
        into.flush()
        self._writer.add_score_rows(list(unpacked(read_frame(cast("BinaryIO", self._worker.stdout), ROWS))))


def grading_key(suite: Suite) -> str:
    """By what scores are made: the suite, and this program."""
    return sha256([suite.hash, __version__])


@contextmanager
def grading_beside(
    writer: RunWriter, stored: StoredRun, suite: Suite, notice: Callable[[str], None]
) -> Iterator[Beside | None]:
    """A process that grades what it is given meanwhile, None where it does not pay; `close` it when asking is over."""
    counts = stored.counts()
    if counts.planned - counts.answered < FEWEST_TO_ASK or not may_grade_apart(stored, suite):
        yield None
        return
    key = grading_key(suite)
    if stored.meta(GRADED_BY) != key:
        writer.begin_scores(GRADED_BY, key)
    try:
        worker = started_worker(stored, (FOLLOW,))
    except OSError as error:
        notice(f"answers are graded when all are there: a process that grades them cannot start ({error})")
        yield None
        return
    beside = Beside(writer, worker)
    try:
        yield beside
    finally:
        worker.kill()
        worker.wait()
        for stream in (worker.stdin, worker.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
    if beside.failed:
        notice(f"grading goes on when all answers are there: a process that graded them failed ({beside.failed})")
