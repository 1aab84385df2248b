"""What a process that was killed while it stored a plan has left behind."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from snapdrift.errors import StoreError
from snapdrift.store.lock import RunLock

DRAFT = ".draft"
"""The suffix of a run file until header and plan are in it."""


def remove_abandoned_drafts(runs_dir: Path) -> None:
    """Removes drafts of run files that nobody is writing: no run is in them, and their names are never used again.

    A folder in which that cannot be done is left as it is.
    """
    for draft in runs_dir.glob(f"*{DRAFT}"):
        with suppress(StoreError, OSError):
            lock = RunLock.take(draft)  # raises where somebody has it
            try:
                for path in (draft, draft.with_name(f"{draft.name}-journal")):
                    path.unlink(missing_ok=True)
            finally:
                lock.release()
