"""Notes of shards that had nothing to ask: without them, `merge` could not tell these from shards that are lost.

A shard that need not be asked makes no run. Beside the run files it leaves a small file for each such suite, which goes
the way of run files: into an artifact, and to `merge`. As these, it may be anybody's when it is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.errors import StoreError
from snapdrift.exit_codes import ExitCode
from snapdrift.pipeline.options import RunOptions
from snapdrift.pipeline.provenance import git_facts
from snapdrift.pipeline.run_files import runs_dir
from snapdrift.reports.files import whole_file
from snapdrift.store import codec
from snapdrift.store.header import require_file_names
from snapdrift.unasked import Unasked

if TYPE_CHECKING:
    from snapdrift.suites.workspace import Workspace

NOTE = ".unasked"
"""The suffix of a note."""
FORMAT = "snapdrift.unasked/1"
_LARGEST = 100_000
_COMMIT_SHOWN = 12


@dataclass(frozen=True, slots=True)
class ShardNote:
    """Shard `index` of `count` had nothing to ask of a suite: `text` says why, `exit_code` what its command ended with.

    `commit` is what the workspace was at, `made_at` ISO 8601, UTC.
    """

    format: str
    suite: str
    gate: str
    index: int
    count: int
    commit: str | None
    made_at: str
    text: str
    exit_code: int

    @property
    def unasked(self) -> Unasked:
        """The result that took no run."""
        return Unasked(self.text, self.suite, self.gate, ExitCode(self.exit_code))


def leave_notes(settled: Iterable[Unasked], workspace: Workspace, options: RunOptions) -> None:
    """Writes a note for each suite that a shard need not ask. Those of other commits go: they say nothing any more.

    Raises `StoreError` where that cannot be written.
    """
    shard, each = options.shard, [one for result in settled for one in result.each]
    if shard is None or not each:
        return
    folder, commit = runs_dir(workspace, options), git_facts(workspace.root).commit
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    at = (commit or "no-commit")[:_COMMIT_SHOWN]
    try:
        for old in folder.glob(f"*{NOTE}"):
            if f".{at}." not in old.name:
                old.unlink(missing_ok=True)
        for one in each:
            code = int(one.exit_code)
            note = ShardNote(FORMAT, one.suite, one.gate, shard.index, shard.count, commit, made_at, one.text, code)
            path = folder / f"{one.suite}.{at}.{shard.index}-of-{shard.count}{NOTE}"
            with whole_file(path) as draft:
                draft.write_text(codec.dumps(note), encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"{error.filename or folder}: that shard {shard.index} of {shard.count} has nothing to ask cannot be noted "
            f"there ({error.strerror}); `snapdrift merge` needs the note"
        ) from error


def read_note(path: Path) -> ShardNote:
    """The note in a file. Raises `StoreError` for what is none."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror})") from error
    note = codec.loads(ShardNote, data[:_LARGEST], str(path))
    require_file_names(path, suite=note.suite)
    codes = (ExitCode.PASSED, ExitCode.NOT_GATED)
    if (
        note.format != FORMAT
        or not 1 <= note.index <= note.count
        or note.exit_code not in codes
        or not f"{note.text}{note.gate}{note.made_at}".isprintable()
    ):
        raise StoreError(f"{path}: damaged; expected a note of `snapdrift run --shard I/N` in the format {FORMAT}")
    return note
