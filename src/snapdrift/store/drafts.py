"""What a process that was killed while it stored a plan, or merged shards, has left behind."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from snapdrift.errors import StoreError
from snapdrift.store.lock import RunLock

DRAFT = ".draft"
"""The suffix of a run file until header and plan are in it."""
MERGING = ".merging"
"""The suffix of a run file that is made of shards, until all of them are in it."""
_BESIDE = ("-journal", "-wal", "-shm", "")
"""What SQLite adds to the name of a file for those that it keeps beside it; the file itself goes last."""


def remove_abandoned_drafts(runs_dir: Path) -> None:
    """Removes drafts of run files that nobody is writing: no run is in them, and their names are never used again.

    A folder in which that cannot be done is left as it is.
    """
    for draft in (path for suffix in (DRAFT, MERGING) for path in runs_dir.glob(f"*{suffix}")):
        with suppress(StoreError, OSError):
            lock = RunLock.take(draft)  # raises where somebody has it
            try:
                for added in _BESIDE:
                    draft.with_name(f"{draft.name}{added}").unlink(missing_ok=True)
            finally:
                lock.release()
