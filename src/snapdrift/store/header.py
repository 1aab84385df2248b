"""What a run file says about the run as a whole."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from snapdrift.errors import StoreError
from snapdrift.model import Variant

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


class RunState(StrEnum):
    """Where a run is. A run that was killed stays `running`; that no process holds its lock tells it apart."""

    RUNNING = "running"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class ShardOf:
    """Which part of a whole run this is: shard `index` of `count`, counted from 1.

    `whole` is the identity that the whole has, and `partial` whether the whole is a part of its suite.
    """

    index: int
    count: int
    whole: str
    partial: bool = False

    def __str__(self) -> str:
        return f"shard {self.index} of {self.count}"


@dataclass(frozen=True, slots=True)
class RunHeader:
    """Fixed when the run starts: everything needed to grade, compare and render it again, apart from its answers.

    `identity` is the hash of commit, suite and gate by which an earlier run is taken up; `suite_stored` the suite as
    resolved, files inlined; `catalog` the facts about models that were used; `started_at` ISO 8601, UTC; `variants`
    those that were planned (a partial run may leave some of the suite's out); `redacted` names what an exported run no
    longer holds. `shard` says which part of a run that several commands make this is, None of a run of its own.
    """

    run_id: str
    suite: str
    gate: str
    started_at: str
    seed: int
    attempt: int
    identity: str
    suite_stored: dict[str, Any]
    suite_hash: str
    dataset_hash: str
    versions: dict[str, Any]
    git_commit: str | None
    git_dirty: bool | None
    catalog: dict[str, Any]
    assumptions: dict[str, Any]
    planned_repeats: int
    partial: bool
    command: str
    variants: tuple[Variant, ...] = ()
    redacted: tuple[str, ...] = ()
    shard: ShardOf | None = None


def require_file_names(path: Path, **named: str) -> None:
    """Raises `StoreError` for a name by which folders are named and which is no plain name of a file.

    The file at `path` may be anybody's: what it is called inside must not say where this machine writes.
    """
    for what, name in named.items():
        if not _FILE_NAME.fullmatch(name):
            raise StoreError(
                f"{path}: damaged, found the {what} {name[:60]!r}; expected letters, digits, `.`, `_`, `-`"
            )
