"""Of one run two files: which may take the other's place, and which waits beside it. Nothing paid for is lost by it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from snapdrift.errors import StoreError
from snapdrift.store import open_run
from snapdrift.store.lock import RunLock
from snapdrift.store.state_files import put
from snapdrift.store.unfinished import beside, fold_log, held_by, lacking


def is_settled_by(unfinished: Path, finished: Path) -> bool:
    """Whether a finished run has all that an unfinished file of it holds. Raises `StoreError`."""
    with open_run(unfinished) as cut_off, open_run(finished) as run:
        return not lacking(held_by(cut_off), run)


def put_in_place_of(target: Path, source: Path, lock: RunLock) -> None:
    """Gives a checked file the place of an unfinished run, or of none. Raises `StoreError` where it would lose some."""
    if target.exists():
        with open_run(target) as ours, open_run(source) as theirs:
            held = len(lacking(held_by(ours), theirs))
        if held:
            what = "1 answer or batch" if held == 1 else f"{held:,} answers or batches"
            raise StoreError(
                f"the run was cut off here and has {what} that this one lacks; "
                f"`snapdrift resume {target.stem}` goes on with it"
            )
    fold_log(target, lock)
    put(source, target)


def put_beside(target: Path, source: Path) -> bool:
    """Keeps what was cut off of a further attempt beside the finished run that it went on from.

    False where the run has it all. Raises `StoreError` where what is kept there already has something else.
    """
    if is_settled_by(source, target):
        return False
    place = beside(target)
    place.parent.mkdir(exist_ok=True)
    lock = RunLock.take(place)
    try:
        put_in_place_of(place, source, lock)
    finally:
        lock.release()
    return True


def forget_settled(target: Path) -> None:
    """Removes what is beside a finished run that has it all."""
    kept = beside(target)
    if kept.exists() and is_settled_by(kept, target):
        kept.unlink()


def go_on_from_cut_off(path: Path, notice: Callable[[str], None]) -> None:
    """Gives a further attempt that was cut off elsewhere the place of the finished run that it went on from.

    Only where it has all that the run has, and more, and is of the same plan. One that cannot be read is told, and left
    where it is. Raises `RunBusyError`.
    """
    kept = beside(path)
    if not kept.exists():
        return
    lock = RunLock.take(path)
    try:
        with open_run(kept) as further, open_run(path) as run:
            same = further.header.identity == run.header.identity and further.header.run_id == run.header.run_id
            goes_on = same and not lacking(held_by(run), further) and bool(lacking(held_by(further), run))
        if goes_on:
            fold_log(path, lock)
            put(kept, path)
        elif same:
            forget_settled(path)
    except StoreError as error:
        notice(f"what was cut off of a further attempt is not gone on with: {error}")
    finally:
        lock.release()
