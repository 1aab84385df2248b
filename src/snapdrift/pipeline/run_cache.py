"""What the list of all runs needs of each run file, remembered beside them: a file is read once, not after every run.

A line of `runs_index.jsonl` is a file's name, stamp, suite and whether it feeds lines, a tab, and the record. It is
written anew as a whole and can be deleted at any time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snapdrift import __version__
from snapdrift.errors import StoreError
from snapdrift.store import codec

if TYPE_CHECKING:
    from snapdrift.reports.runs_index import IndexedRun

FILE_NAME = "runs_index.jsonl"
_HEAD = {"format": 2, "snapdrift": __version__}
"""The first line: what another version wrote is read anew."""

Stamp = tuple[int, int]
"""When a file was last changed (nanoseconds) and how long it is: another one where it was written to."""


@dataclass(frozen=True, slots=True)
class CachedRun:
    """What is remembered of a run file; `record` is the JSON of an `IndexedRun`, read only where it is shown.

    `feeds` says whether lines are made of it.
    """

    stamp: Stamp
    suite: str
    feeds: bool
    record: str

    def run(self) -> IndexedRun:
        """The record. Raises `StoreError` where it is damaged."""
        from snapdrift.reports.runs_index import IndexedRun

        return codec.loads(IndexedRun, self.record)


def cached(stamp: Stamp, run: IndexedRun) -> CachedRun:
    """A run as it is remembered."""
    return CachedRun(stamp, run.suite, run.finished is not None, codec.dumps(run))


def read_cache(state_dir: Path) -> dict[str, CachedRun]:
    """What is remembered, by the name of the run file. Lines that cannot be read are left out."""
    try:
        text = (state_dir / FILE_NAME).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    head, *lines = text.splitlines() or [""]
    found = {}
    if _parsed(head) == _HEAD:
        for line in lines:
            key, _, record = line.partition("\t")
            match _parsed(key):
                case [str(name), int(changed), int(size), str(suite), bool(feeds)]:
                    found[name] = CachedRun((changed, size), suite, feeds, record)
    return found


def write_cache(state_dir: Path, runs: Mapping[str, CachedRun]) -> None:
    """Remembers these and nothing else. Raises `OSError` with the path that cannot be written."""
    from snapdrift.reports.files import whole_file

    with whole_file(state_dir / FILE_NAME) as draft, draft.open("w", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps(_HEAD) + "\n")
        for name, run in runs.items():
            file.write(f"{json.dumps([name, *run.stamp, run.suite, run.feeds])}\t{run.record}\n")


def _parsed(text: str) -> Any:
    try:
        return codec.parse(text)
    except StoreError:
        return None
