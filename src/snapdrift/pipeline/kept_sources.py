"""Where kept answers are read from: an archive in the workspace, or a run as if it had been archived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snapdrift.errors import StoreError, UsageError
from snapdrift.pipeline.archiving import ArchiveWords, archive_of, variant_of
from snapdrift.pipeline.options import RunOptions
from snapdrift.store import find_run, open_run
from snapdrift.store.archive_records import Archive
from snapdrift.store.archives import read_archive
from snapdrift.suites.workspace import PathError

if TYPE_CHECKING:
    from snapdrift.suites.workspace import Workspace

_MOVING = ("latest", "latest-passed", "last")


def archive_at(workspace: Workspace, where: str) -> Archive:
    """The archive in a file of the workspace. Raises `StoreError`."""
    try:
        return read_archive(workspace.resolve(where), where)
    except PathError as error:
        raise StoreError(f"{error.found}; {error.expected}") from None


def archive_of_run(text: str, of: str | None, workspace: Workspace, options: RunOptions) -> Archive:
    """A variant of a run as if it had been archived: refused like that, for a baseline is one whoever keeps it.

    Raises `SnapdriftError`.
    """
    from snapdrift.pipeline.concluding import load_stored_suite

    if text in _MOVING:
        raise UsageError(
            f"found {text!r}; expected the id or the file of one run: a baseline that moves with every run lets a slow "
            "decline pass. `snapdrift history` lists the runs, `snapdrift archive RUN` keeps one for good"
        )
    directory = (options.output.state_dir or workspace.state_dir) / "runs"
    if "/" in text or text.endswith(".db"):
        try:
            path = workspace.resolve(text)
        except PathError as error:
            raise StoreError(f"{error.found}; {error.expected}") from None
    else:
        path = find_run(text, directory)
    with open_run(path) as stored:
        suite, _ = load_stored_suite(stored, workspace, code=options.code)
        return archive_of(stored, suite, variant_of(stored, of), ArchiveWords())
