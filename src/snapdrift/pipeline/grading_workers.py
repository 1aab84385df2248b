"""Large runs are graded by several processes, each a share of the answers; this one stores what they send.

They are further Python processes, not forks (this one has threads and SQLite connections) and not of `multiprocessing`
(which would import the program of a caller of the API again). The scores are stored as they come, in the order in which
one process makes them, in one transaction: all, or none.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from snapdrift.pipeline.grading import collecting_paused, grade_answers, grade_ungraded
from snapdrift.pipeline.kept_scores import BASELINE_SCORES
from snapdrift.pipeline.suite_graders import graders_of
from snapdrift.pipeline.telling import GradingTold
from snapdrift.store.score_frames import END, ROWS, WorkerFailedError, portions, read_frame, unpacked

if TYPE_CHECKING:
    from snapdrift.execution.records import Progress
    from snapdrift.pipeline.grader_code import GraderCode
    from snapdrift.store import RunWriter, StoredRun
    from snapdrift.store.score_rows import ScoreRow
    from snapdrift.suites.resolved import Suite

FEWEST_ANSWERS = 20_000
"""Below it a worker takes about as long to start as it would save."""
MOST_WORKERS = 4
"""One process stores what they send, and no more than about so many keep it busy."""
PORTION = 64
FOLLOW = "follow"
"""What tells a worker to grade the answers that it reads the calls of."""
_NO_BUDGETS = {"budget_usd": None, "budget_per_day": None}
_PIPE_BYTES = 2**20
_ENDS_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class WorkerTimes:
    """What a worker spent: seconds of reading its answers from the file, and of grading them."""

    reading_s: float
    grading_s: float


def store_scores(
    writer: RunWriter,
    stored: StoredRun,
    suite: Suite,
    code: GraderCode,
    notice: Callable[[str], None],
    progress: Callable[[Progress], None] | None = None,
) -> None:
    """Grades the stored answers and puts the scores in the place of those there are, by several processes if it pays.

    Where one of them fails, this one grades all by itself. Where it takes long, `progress` is told how far it is.
    """
    from snapdrift.pipeline.grading_beside import GRADED_BY, grading_key

    def told(answers: int) -> Callable[[int], None]:
        return GradingTold(stored.header.suite, answers, progress).add

    by = stored.meta(GRADED_BY)
    if by and by == grading_key(suite) and all(grader.grades_alone for grader in graders_of(suite)):
        # Most were graded while others were waited for; those that are left have no score yet.
        with collecting_paused():
            writer.complete_scores(grade_ungraded(stored, suite, told(stored.ungraded_count())), GRADED_BY)
        return
    if by:
        writer.set_meta(GRADED_BY, "")
    count = workers_for(stored, suite)
    if count > 1:
        try:
            store_scores_of_workers(writer, stored, count, told(len(stored.answer_ids())))
        except (WorkerFailedError, OSError) as error:
            notice(f"grading goes on in one process: a process that graded a part failed ({error})")
        else:
            return
    # A function of the user's may make any cycles of objects: beside one, nothing is held off.
    with nullcontext() if code else collecting_paused():
        writer.replace_scores(grade_answers(stored, suite, code, told(len(stored.answer_ids()))))


def workers_for(stored: StoredRun, suite: Suite) -> int:
    """How many processes should grade the answers; 1 where this one should.

    Judges, functions of the workspace and comparisons of answers are this process's business, and so is a suite that
    is another than the run file has.
    """
    if len(stored.answer_ids()) < FEWEST_ANSWERS or not may_grade_apart(stored, suite):
        return 1
    return min(_cores(), MOST_WORKERS)


def may_grade_apart(stored: StoredRun, suite: Suite) -> bool:
    """Whether another process can grade answers as this one would, and there is a core for it."""
    if stored.meta(BASELINE_SCORES):
        return False  # scores of then count, which only this process knows of
    if _cores() < 2 or not sys.executable or not all(grader.grades_alone for grader in graders_of(suite)):
        return False
    return bool(graders_of(suite)) and _same_suite(stored, suite)


def _same_suite(stored: StoredRun, suite: Suite) -> bool:
    """Whether they grade alike; what may be spent is another matter, and of a shard a part of what its file says."""
    same = _without_budgets(stored.suite) == _without_budgets(_as_stored(suite))
    return same and stored.header.dataset_hash == suite.dataset_hash


def _without_budgets(suite: Mapping[str, Any]) -> dict[str, Any]:
    gates = {name: {**gate, **_NO_BUDGETS} for name, gate in suite["gates"].items()}
    return {**suite, **_NO_BUDGETS, "gates": gates}


def _cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _as_stored(suite: Suite) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(suite.to_stored()))
    return found


def store_scores_of_workers(
    writer: RunWriter, stored: StoredRun, count: int, graded: Callable[[int], None] = lambda _: None
) -> tuple[WorkerTimes, ...]:
    """Has so many processes grade the answers of the run as its file has it, and stores what they send.

    `graded` is told how many more answers are.

    Raises `WorkerFailedError` where one fails; the scores in the file are then those that were there before.
    """
    times: list[WorkerTimes] = []
    with started_workers(stored, count) as workers:
        writer.replace_score_rows(rows_of_workers(stored, workers, times, graded))
    return tuple(times)


def rows_of_workers(
    stored: StoredRun,
    workers: Sequence[subprocess.Popen[bytes]],
    times: list[WorkerTimes],
    graded: Callable[[int], None] = lambda _: None,
) -> Iterator[ScoreRow]:
    """What the workers send, in the order in which one process would make it; `times` are added when all is there."""
    streams = [_stream(worker) for worker in workers]
    for portion in range(len(portions(stored.answer_ids(), PORTION))):
        yield from unpacked(read_frame(streams[portion % len(streams)], ROWS))
        graded(PORTION)
    times += [_times(read_frame(stream, END)) for stream in streams]


def _times(payload: bytes) -> WorkerTimes:
    try:
        return WorkerTimes(**json.loads(payload))
    except (ValueError, TypeError) as error:
        raise WorkerFailedError(f"it ended with {payload[:60]!r}") from error


@contextmanager
def started_workers(stored: StoredRun, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many processes at work. They end with this, whatever ends it."""
    workers: list[subprocess.Popen[bytes]] = []
    try:
        for number in range(count):
            share = (str(number), str(count), str(PORTION))
            workers.append(started_worker(stored, share))  # each is ended if the next cannot start
        yield workers
    finally:
        for worker in workers:
            worker.kill()
        for worker in workers:
            worker.wait(_ENDS_WITHIN_S)
            _stream(worker).close()


def started_worker(stored: StoredRun, share: Sequence[str]) -> subprocess.Popen[bytes]:
    """A worker: the same Python and the same path, in a process group of its own (Ctrl-C is for this process alone)."""
    arguments = (str(stored.path.resolve()), *share)
    path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    worker = subprocess.Popen(  # noqa: S603  this program, with a path and numbers
        [sys.executable, "-P", "-m", "snapdrift.graders.worker", *arguments],
        stdin=subprocess.PIPE if share == (FOLLOW,) else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path},
        process_group=0,
    )
    if hasattr(fcntl, "F_SETPIPE_SZ"):  # so that a worker need not wait while what others sent is stored
        with suppress(OSError):
            fcntl.fcntl(_stream(worker), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return worker


def _stream(worker: subprocess.Popen[bytes]) -> BinaryIO:
    return cast("BinaryIO", worker.stdout)
