"""What `state push` and `state pull` share: the state folder of a workspace and the place that keeps it.

Both only ever add. Runs are files that do not change but to hold more, also those that were cut off; logs are unioned;
of what cannot be put together (the evidence of `watch`, other databases) the newer one stays. `docs/design/state.md`
has the rules.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.errors import StoreError, UsageError
from snapdrift.pipeline.state_unfinished import name_of
from snapdrift.store.state_branch import DEFAULT_BRANCH, open_branch
from snapdrift.store.state_files import MANIFEST, Manifest, kind_of, read_text
from snapdrift.store.state_places import Folder, Place, Shelf
from snapdrift.suites.workspace import Workspace

if TYPE_CHECKING:
    from snapdrift.store.watch_state import WatchState

BRANCH_WORD = "git-branch"


@dataclass(slots=True)
class Synced:
    """What a push or a pull did: the names of what it put in place and took out, and what it left out, in words.

    Of what was put, `redacted` went as exports, which nobody can go on with. `nothing_there`: a pull found no state at
    the place, which may not have been pushed to yet, or may be another than was meant.
    """

    where: str
    put: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    redacted: list[str] = field(default_factory=list)
    verdicts: int = 0
    spent: int = 0
    nothing_there: bool = False


def open_place(text: str, remote: str | None, workspace: Workspace) -> Place:
    """What `--to` means: `git-branch`, `git-branch:NAME`, or a folder (from where the command was given).

    Raises `UsageError` for what can be none: no text (a variable that is not set), the workspace, what it is in.
    """
    if not text.strip():
        raise UsageError(f"found no place at all; expected `{BRANCH_WORD}`, `{BRANCH_WORD}:NAME` or a folder")
    word, _, name = text.partition(":")
    if word == BRANCH_WORD:
        return open_branch(workspace.root, name or DEFAULT_BRANCH, remote)
    if remote is not None:
        raise UsageError(f"--remote is for {BRANCH_WORD}; found it beside the folder {text}")
    folder = Path(text).resolve()
    if folder == workspace.state_dir.resolve():
        raise UsageError(f"found the state folder itself, {text}; expected another one")
    root = workspace.root.resolve()
    if root.is_relative_to(folder):
        found = "the workspace itself" if folder == root else "a folder that the workspace is in"
        raise UsageError(f"found {found}, {text}; expected a folder of its own, such as snapdrift-state")
    return Folder(folder)


def is_later(one: WatchState, other: WatchState) -> bool:
    """Which of two states stays: evidence of two lines of nights cannot be put together, so the longer one does."""
    return (one.nights, one.last_night) > (other.nights, other.last_night)


def last_change(path: Path) -> str:
    """When a database was last written to (ISO 8601, UTC, microseconds), its log included."""
    log = path.with_name(f"{path.name}-wal")
    newest = max(file.stat().st_mtime for file in (path, log) if file.exists())
    return datetime.fromtimestamp(newest, UTC).isoformat(timespec="microseconds")


def read_manifest(shelf: Shelf, scratch: Path, where: str) -> Manifest:
    """What the place says of itself; nothing where it is empty. Raises `StoreError` where it is something else's."""
    text = fetched_text(shelf, MANIFEST, scratch)
    if not text:
        return Manifest()
    found = Manifest.from_json(text.encode(), where)
    return replace(
        found,
        runs={run: facts for run, facts in found.runs.items() if f"runs/{run}.db" in shelf.files},
        unfinished={run: facts for run, facts in found.unfinished.items() if name_of(run) in shelf.files},
    )


def fetched_text(shelf: Shelf, path: str, scratch: Path) -> str:
    """A text of the place, empty where it has none. Raises `StoreError` where it is too large to be one."""
    kind = kind_of(path)
    if path not in shelf.files or kind is None:
        return ""
    if shelf.files[path] > kind.largest:
        raise StoreError(f"{path} is larger than {kind.largest // 2**20:,} MB")
    target = scratch / "fetched"
    shelf.fetch(path, target)
    return read_text(target)


@contextmanager
def scratch_beside(state_dir: Path) -> Iterator[Path]:
    """A folder beside the state, so that a file can get its place in one step."""
    with tempfile.TemporaryDirectory(prefix=".sync-", dir=state_dir) as folder:
        yield Path(folder)
