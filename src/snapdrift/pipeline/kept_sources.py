"""Where kept answers are read from: an archive in the workspace, or a run as if it had been archived."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.errors import StoreError, UsageError
from snapdrift.pipeline.archiving import SIMULATED, ArchiveWords, archive_of, reasons_against, variant_of
from snapdrift.pipeline.options import RunOptions
from snapdrift.store import find_run, open_run
from snapdrift.store.archive_records import Archive
from snapdrift.store.archives import read_archive
from snapdrift.suites.workspace import PathError

if TYPE_CHECKING:
    from snapdrift.suites.workspace import Workspace

_MOVING = ("latest", "latest-passed", "last")


def archive_at(workspace: Workspace, where: str, how: str = "") -> Archive:
    """The archive in a file of the workspace. Raises `StoreError`; `how` says there what makes one that is missing."""
    try:
        return read_archive(workspace.resolve(where), where)
    except PathError as error:
        missing = how and not (workspace.root / where).exists()
        raise StoreError(f"{error.found}; {error.expected}{f': {how}' if missing else ''}") from None


def is_run_file(text: str) -> bool:
    """Whether a `run:` names a file rather than the id of a run."""
    return "/" in text or text.endswith(".db")


def archive_of_run(text: str, of: str | None, workspace: Workspace, options: RunOptions) -> Archive:
    """A variant of a run as if it had been archived: refused like that, for a baseline is one whoever keeps it.

    A run of the stand-in alone is not refused, and marked: whether it may be compared with is known once it is known
    who is asked beside it (`fallbacks.require_baselines`). Raises `SnapdriftError`.
    """
    from snapdrift.pipeline.concluding import load_stored_suite

    if text in _MOVING:
        raise UsageError(
            f"found {text!r}; expected the id or the file of one run: a baseline that moves with every run lets a slow "
            "decline pass. `snapdrift history` lists the runs, `snapdrift archive RUN` keeps one for good"
        )
    directory = (options.output.state_dir or workspace.state_dir) / "runs"
    path = _run_file(text, directory, workspace) if is_run_file(text) else find_run(text, directory)
    with open_run(path) as stored:
        suite, _ = load_stored_suite(stored, workspace, code=options.code)
        variant = variant_of(stored, of)
        simulated = reasons_against(stored, variant) == (SIMULATED,)
        return archive_of(stored, suite, variant, ArchiveWords(force=simulated))


def _run_file(text: str, directory: Path, workspace: Workspace) -> Path:
    """A run file of the workspace, or of the folder of runs, which is hidden from anything else in a suite."""
    found = (workspace.root / text).resolve()
    if found.is_file() and found.is_relative_to(directory.resolve()):
        return found
    try:
        return workspace.resolve(text)
    except PathError as error:
        raise StoreError(f"{error.found}; {error.expected}") from None
