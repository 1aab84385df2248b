"""A small soak of `benchmarks/soak.py`: complete, in the memory and the files that it began with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "soak.py"
CALLS = int(os.environ.get("SNAPDRIFT_SOAK_CALLS", "5000"))
MORE_MEMORY_MB = 16
"""What the last third of the calls may take beyond the first: buffers that grow to their size, and SQLite's cache."""
MORE_FILES = 16
"""Connections that were broken and are not closed yet."""


def test_a_long_run_with_faults_ends_complete_in_the_memory_and_files_that_it_began_with():
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(CALLS), "--json"], capture_output=True, text=True, timeout=1500, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    soaked = json.loads(done.stdout)
    assert soaked["exit_code"] == 0
    assert sum(soaked["outcomes"].values()) == soaked["planned"] == CALLS
    assert soaked["outcomes"] == {"ok": CALLS}
    kinds = {"rate_limit", "server", "overloaded", "connection"}
    assert kinds <= soaked["failures"].keys()  # it did fail on the way, in many ways
    assert 0.01 * CALLS < soaked["tried_again"] < 0.04 * CALLS
    assert soaked["rss_last_third"] - soaked["rss_first_third"] <= MORE_MEMORY_MB
    assert soaked["files_last_third"] - soaked["files_first_third"] <= MORE_FILES
