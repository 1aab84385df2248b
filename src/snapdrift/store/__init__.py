"""One SQLite file per run: everything needed to grade, compare and render again with no network.

`RunWriter` writes one, `open_run` reads one, `find_run` and `list_runs` know the folder they are in.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

# Who only checks a suite reads no run file, and what is concluded of one takes a tenth of a second to load.
_MODULES = {
    "format": ("FORMAT", "SPARED"),
    "header": ("RunHeader", "RunState", "ShardOf"),
    "reader": ("BegunCall", "Frames", "StoredRun", "open_run"),
    "runs": ("RunSummary", "find_run", "list_runs", "new_run_id", "run_path"),
    "writer": ("RunWriter",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """A name of the package, from its module."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
