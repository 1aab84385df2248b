"""Run files that were cut off: what in one was paid for, by which it is known of two which holds more.

Apart from finished runs they travel in a folder of their own, `unfinished/`. In a state folder that folder has what was
cut off of a further attempt, beside the finished run that it went on from (`docs/design/state.md`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from snapdrift.errors import StoreError
from snapdrift.store import codec
from snapdrift.store.batches import Part, PartState
from snapdrift.store.format import connect_reader, connect_writer, explained
from snapdrift.store.header import RunState
from snapdrift.store.lock import RunLock
from snapdrift.store.reader import StoredRun, open_run

FOLDER = "unfinished"
_STEPS = (
    "SELECT c.case_id, c.variant, c.repeat, c.grader, s.number FROM calls c JOIN steps s ON s.call = c.id"
    " WHERE c.id NOT IN (SELECT call FROM responses)"
)

Held = frozenset[tuple[object, ...]]
"""What was paid for: calls that are answered, single answered requests of those that are not, batches under way."""


@dataclass(frozen=True, slots=True)
class CutOff:
    """What tells of two unfinished files of a run which holds more: `held` counts what was paid for in it."""

    suite: str
    attempt: int
    held: int

    def holds_more_than(self, other: CutOff | None) -> bool:
        """Whether it is the one that stays. Nothing at all holds less than everything."""
        return other is None or (self.held, self.attempt) > (other.held, other.attempt)


def held_by(run: StoredRun) -> Held:
    """What in a run file was paid for. Raises `StoreError`."""
    answered = {("call", key.case_id, key.variant, key.repeat, key.grader) for key in run.answered_keys()}
    begun = {("step", *row) for row in run.rows(_STEPS) if ("call", *row[:4]) not in answered}
    open_parts = {("part", part.name) for part in _parts(run) if part.state is not PartState.ENDED}
    return frozenset((*answered, *begun, *open_parts))


def lacking(held: Held, run: StoredRun) -> Held:
    """What of it a run file has not. Raises `StoreError`."""
    rest = held - held_by(run)
    if not rest:
        return rest
    over = {("part", part.name) for part in _parts(run)}  # one that has ended here is answered here
    answered = {("call", key.case_id, key.variant, key.repeat, key.grader) for key in run.answered_keys()}
    return frozenset(one for one in rest - over if one[0] != "step" or ("call", *one[1:5]) not in answered)


def cut_off_run(path: Path) -> tuple[str, CutOff] | None:
    """The id of an unfinished run file and what tells it from others of the run; None where it is finished or none."""
    try:
        with open_run(path) as run:
            if run.state is RunState.FINISHED:
                return None
            return run.header.run_id, _facts(run)
    except StoreError:
        return None


def cut_off_run_named(path: Path, run_id: str) -> CutOff:
    """The same of a file that came from elsewhere, all of which is read. Raises `StoreError` for what is none."""
    require_sound(path, run_id)
    with open_run(path) as run:
        header = run.header
        if header.run_id != run_id or run.state is RunState.FINISHED:
            raise StoreError(f"the file of run {run_id} is of {_what(run)}")
        if header.redacted:
            raise StoreError(f"the file of run {run_id} is an export, which cannot be gone on with")
        _read_all(run)
        return _facts(run)


def require_sound(path: Path, run_id: str) -> None:
    """Raises `StoreError` for a run file that SQLite finds damaged, or that is none."""
    with explained(path):
        connection = connect_reader(path)
        try:
            sound = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        finally:
            connection.close()
    if sound != "ok":
        raise StoreError(f"the file of run {run_id} is damaged ({sound})")


def beside(path: Path) -> Path:
    """Where a state folder has what was cut off of a further attempt at the finished run of that file."""
    return path.parent.parent / FOLDER / path.name


def fold_log(path: Path, lock: RunLock) -> None:
    """Puts into a run file what a killed process left in its log, so that it is one file. The caller holds the lock.

    Raises `StoreError` while somebody else has the file open.
    """
    del lock  # who has none may not call this
    log = path.with_name(f"{path.name}-wal")
    if not log.exists():
        return
    with explained(path):
        connection = connect_writer(path)
        try:
            connection.execute("PRAGMA busy_timeout = 0")
            connection.execute("PRAGMA journal_mode = DELETE")
        finally:
            connection.close()
    if log.exists():
        raise StoreError(f"{path}: another process reads it; try again when that has ended")


def _facts(run: StoredRun) -> CutOff:
    return CutOff(run.header.suite, run.header.attempt, len(held_by(run)))


def _what(run: StoredRun) -> str:
    return "a finished run" if run.state is RunState.FINISHED else "another run"


def _parts(run: StoredRun) -> Iterator[Part]:
    records = enumerate(run.batch_parts(), start=1)
    return (codec.loads(Part, record, f"{run.path}: batch part {number}") for number, record in records)


def _read_all(run: StoredRun) -> None:
    """Reads every record once, so that one that is damaged is found here and not when the run is gone on with."""
    for _case in run.each_case():
        pass
    _ = run.evaluation, run.finished_at, run.superseded_usd(), run.spared_cases()
    for _response in run.responses():
        pass
    for _step in run.stored_steps():
        pass
    for _batch in run.batch_calls():
        pass
