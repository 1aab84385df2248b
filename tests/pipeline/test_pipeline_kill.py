"""A run that is killed loses at most what was in flight, and `resume` pays for nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from snapdrift.pipeline.spending import IN_FLIGHT, UNSEEN
from snapdrift.store import open_run

CONCURRENCY = 8
COMMIT_GROUP = 64
"""An upper bound of how many answers one commit of the run file holds; with 8 in flight it cannot hold more than 8."""


def asked(log: Path) -> Counter[str]:
    """How often the stand-in was asked each call, by its own log."""
    whole, _, _ = log.read_text().rpartition("\n")  # the last line may be on its way
    lines = [json.loads(line) for line in whole.splitlines()]
    return Counter(line["client_request_id"] for line in lines if line["event"] == "received" and line.get("case"))


def start_run(root: Path, url: str) -> subprocess.Popen[bytes]:
    command = ["run", "evals/capitals.yaml", "--base-url", url, "--concurrency", str(CONCURRENCY)]
    return subprocess.Popen(
        [sys.executable, "-m", "snapdrift", *command],
        cwd=root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def wait_for_answers(process: subprocess.Popen[Any], log: Path, number: int) -> None:
    deadline = time.monotonic() + 60
    while sum(asked(log).values()) < number if log.exists() else True:
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)


def run_file(root: Path) -> Path:
    return next((root / ".snapdrift" / "runs").glob("*.db"))


def test_a_killed_run_resumes_to_the_full_result_and_asks_nothing_again_that_was_committed(
    workspace, standin, snapdrift, tmp_path
):
    root, log = workspace(cases=150), tmp_path / "requests.jsonl"
    recordings = root / "datasets" / "recordings.jsonl"
    url = standin("--recordings", recordings, "--latency", "15", "--log", log)

    process = start_run(root, url)
    wait_for_answers(process, log, 90)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=20)

    with open_run(run_file(root)) as stored:
        committed = stored.answered_keys()
        in_flight_usd = float(stored.meta(IN_FLIGHT) or 0)
    assert in_flight_usd > 0
    before = asked(log)
    assert 0 < len(committed) < 300

    done = snapdrift("resume", "latest", "--json", cwd=root)
    assert done.returncode == 0, done.stderr
    verdict = json.loads(done.stdout)
    assert [variant["outcomes"] for variant in verdict["variants"]] == [{"ok": 150}, {"ok": 150}]
    with open_run(run_file(root)) as stored:
        assert (stored.meta(UNSEEN), stored.meta(IN_FLIGHT)) == (repr(in_flight_usd), "0.0")

    after = asked(log)
    again = {request for request, times in after.items() if times > 1}
    ids = {f"{key.case_id}:{key.variant}" for key in committed}
    assert not {r for r in again if any(r.partition("/")[0].endswith(f":{known}") for known in ids)}
    assert len(again) <= CONCURRENCY + min(COMMIT_GROUP, CONCURRENCY)
    assert sum(after.values()) - sum(before.values()) == 300 - len(committed)


def test_an_interrupted_run_stores_what_is_in_flight_and_says_how_to_go_on(workspace, standin, snapdrift, tmp_path):
    root, log = workspace(cases=150), tmp_path / "requests.jsonl"
    recordings = root / "datasets" / "recordings.jsonl"
    later = (root / "evals" / "capitals.yaml").read_text().replace("suite: capitals", "suite: later")
    (root / "evals" / "later.yaml").write_text(later)
    url = standin("--recordings", recordings, "--latency", "15", "--log", log)
    command = ["run", "evals/capitals.yaml", "evals/later.yaml", "--base-url", url, "--concurrency", str(CONCURRENCY)]
    process = subprocess.Popen(
        [sys.executable, "-m", "snapdrift", *command],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for_answers(process, log, 60)
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)

    assert process.returncode == 130
    assert f"snapdrift resume {run_file(root).stem}" in said
    assert "\nnot started: later; the same command goes on with capitals and then asks them\n" in said
    assert not (root / "reports").exists()
    with open_run(run_file(root)) as stored:
        assert len(stored.answered_keys()) == sum(asked(log).values())

    done = snapdrift("resume", "latest", "--quiet", cwd=root)
    assert done.returncode == 0, done.stderr
    assert set(asked(log).values()) == {1}


def test_a_second_process_cannot_work_on_a_run_that_is_being_worked_on(workspace, standin, snapdrift, tmp_path):
    root, log = workspace(cases=150), tmp_path / "requests.jsonl"
    recordings = root / "datasets" / "recordings.jsonl"
    url = standin("--recordings", recordings, "--latency", "15", "--log", log)
    process = start_run(root, url)
    try:
        wait_for_answers(process, log, 20)
        refused = snapdrift("resume", "latest", cwd=root)
    finally:
        process.kill()
        process.wait(timeout=20)
    assert refused.returncode == 2
    assert str(process.pid) in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_stand_in_of_a_killed_run_ends_with_it(workspace, tmp_path):
    root, log = workspace(cases=150), tmp_path / "requests.jsonl"
    command = ["run", "evals/capitals.yaml", "--standin", "--standin-log", str(log), "--concurrency", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "snapdrift", *command], cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_for_answers(process, log, 3)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert children
    process.kill()
    process.wait(timeout=20)
    deadline = time.monotonic() + 30
    while any(alive(int(child)) for child in children):
        assert time.monotonic() < deadline, "the stand-in outlived the run"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
