"""One SQLite file per run: everything needed to grade, compare and render again with no network.

`RunWriter` writes one, `open_run` reads one, `find_run` and `list_runs` know the folder they are in.
"""

from __future__ import annotations

from snapdrift.store.format import FORMAT, SPARED
from snapdrift.store.header import RunHeader, RunState, ShardOf
from snapdrift.store.reader import BegunCall, Frames, StoredRun, open_run
from snapdrift.store.runs import RunSummary, find_run, list_runs, new_run_id, run_path
from snapdrift.store.writer import RunWriter

__all__ = [
    "FORMAT",
    "SPARED",
    "BegunCall",
    "Frames",
    "RunHeader",
    "RunState",
    "RunSummary",
    "RunWriter",
    "ShardOf",
    "StoredRun",
    "find_run",
    "list_runs",
    "new_run_id",
    "open_run",
    "run_path",
]
