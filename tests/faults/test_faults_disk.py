"""What comes of a run whose disk takes nothing more, may not be written to, or is locked by somebody else."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from tests.faults.conftest import Fated, only_root_is_bound, requests_of

from snapdrift.store import format as store_format
from snapdrift.store import open_run

CONCURRENCY = 4
LOCKED_S = 0.5
"""Several times what eight answers take: all workers have one to store before the file is free again."""
COMMIT_GROUP = CONCURRENCY
"""One commit holds at most what waits for it: one response of each worker."""


def run_file(root: Path) -> Path:
    (path,) = (root / ".snapdrift" / "runs").glob("*.db")
    return path


def kept(root: Path) -> int:
    with open_run(run_file(root)) as run:
        return len(run.answered_keys())


def test_a_disk_that_takes_no_more_ends_the_run_at_once_and_resume_pays_for_nothing_twice_that_is_stored(
    workspace, standin, fated: Fated
):
    url, log = standin
    root = workspace(cases=150)
    command = ("run", "evals/capitals.yaml", "--base-url", url, "--concurrency", str(CONCURRENCY))
    ended = fated.run(*command, cwd=root, fates=[["bounded files", [400_000]]])
    assert ended.code == 2, ended.err
    assert "Traceback" not in ended.err
    (said,) = (line for line in ended.err.splitlines() if str(run_file(root)) in line)
    assert "the disk does not take it" in said
    assert "`snapdrift resume`" in said

    stored, asked = kept(root), requests_of(log, run_file(root).stem).total()
    assert 0 < stored < 300
    assert asked - stored <= CONCURRENCY + COMMIT_GROUP  # it did not go on paying for what it cannot keep

    done = fated.run("resume", "latest", "--quiet", cwd=root)
    assert done.code == 0, done.err
    assert requests_of(log, run_file(root).stem).total() - asked == 300 - stored


def test_a_disk_that_is_full_when_the_plan_is_stored_leaves_no_run_and_asks_nothing(workspace, standin, fated: Fated):
    url, log = standin
    root, before = workspace(cases=150), requests_of(log).total()
    ended = fated.run("run", "evals/capitals.yaml", "--base-url", url, cwd=root, fates=[["bounded files", [20_000]]])
    assert ended.code == 2
    assert "the disk does not take it" in ended.err
    assert "Traceback" not in ended.err
    assert requests_of(log).total() == before
    assert not [path for path in (root / ".snapdrift" / "runs").iterdir() if path.suffix != ".lock"]


def test_results_that_a_full_disk_refuses_are_no_defect_and_the_run_is_stored(workspace, standin, fated: Fated):
    root = workspace(cases=60)
    command = ("run", "evals/capitals.yaml", "--base-url", standin[0], "--quiet")
    ended = fated.run(*command, cwd=root, out="/dev/full")
    assert ended.code == 2, ended.err
    assert "what was to be printed: cannot be written (No space left on device)" in ended.err
    assert "Traceback" not in ended.err
    assert kept(root) == 120
    assert (root / "reports" / "capitals" / "latest" / "verdict.json").is_file()


def test_a_state_folder_that_may_not_be_written_to_ends_the_command_before_anything_is_asked(
    workspace, standin, fated: Fated
):
    url, log = standin
    root, before = workspace(cases=60), requests_of(log).total()
    (root / ".snapdrift").mkdir()
    fates = only_root_is_bound(root / ".snapdrift")
    ended = fated.run("run", "evals/capitals.yaml", "--base-url", url, cwd=root, fates=fates)
    assert ended.code == 2, ended.err
    (said,) = (line for line in ended.err.splitlines() if ".snapdrift" in line)
    assert "check the permissions of the file and its folder" in said
    assert "Traceback" not in ended.err
    assert requests_of(log).total() == before


def test_reports_that_may_not_be_written_leave_the_run_stored_and_report_makes_them(workspace, standin, fated: Fated):
    root = workspace(cases=60)
    (root / "reports").mkdir()
    fates = only_root_is_bound(root / "reports")
    ended = fated.run("run", "evals/capitals.yaml", "--base-url", standin[0], "--quiet", cwd=root, fates=fates)
    assert ended.code == 2, ended.err
    assert "Traceback" not in ended.err
    assert "snapdrift report" in ended.err
    assert kept(root) == 120
    (root / "reports").chmod(0o755)
    done = fated.run("report", "latest", "--quiet", cwd=root)
    assert done.code == 0, done.err


# --------------------------------------------------------------------------------------- locked by another process

KEEPS_LOCKED = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


class Locking:
    """Another process that keeps the one run file of a workspace locked."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._process: subprocess.Popen[str] | None = None

    def take(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", KEEPS_LOCKED, str(run_file(self._root))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "locked\n"

    def free(self) -> None:
        assert self._process is not None
        self._process.communicate("", timeout=60)


def test_a_run_file_that_is_locked_for_a_moment_is_waited_for(workspace, snapdrift, proxy):
    root = workspace(cases=60)
    locking, moment = Locking(root), []

    def at(number: int) -> None:
        if number == 20:
            locking.take()
            moment.append(threading.Timer(LOCKED_S, locking.free))
            moment[0].start()

    proxy.before = at
    command = ("run", "evals/capitals.yaml", "--base-url", proxy.base_url, "--concurrency", str(2 * CONCURRENCY))
    done = snapdrift(*command, "--quiet", cwd=root)
    moment[0].join()
    assert done.returncode == 0, done.stderr
    assert proxy.seen.total() == 120


def test_a_run_file_that_stays_locked_ends_the_run_at_once_and_says_why(workspace, snapdrift, proxy, monkeypatch):
    monkeypatch.setattr(store_format, "WRITER_BUSY_TIMEOUT_S", 0.2)
    root, stop = workspace(cases=60), 20
    locking = Locking(root)
    proxy.before = lambda number: locking.take() if number == stop else None
    command = ("run", "evals/capitals.yaml", "--base-url", proxy.base_url, "--concurrency", str(CONCURRENCY))
    try:
        done = snapdrift(*command, "--quiet", cwd=root)
    finally:
        locking.free()
    assert done.returncode == 2
    assert "another process keeps it locked; wait for it and try again" in done.stderr
    assert "Traceback" not in done.stderr
    stored, asked = kept(root), proxy.seen.total()
    assert stop - CONCURRENCY <= stored <= asked
    assert asked - stored <= CONCURRENCY + COMMIT_GROUP

    mended = snapdrift("resume", "latest", "--quiet", cwd=root)
    assert mended.returncode == 0, mended.stderr
    assert proxy.seen.total() == asked + 120 - stored
