"""A job that is cancelled, and one whose run is killed: the one that is run again asks only what is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.ci.conftest import CASES, Hub, git
from tests.ci.github_actions import ROOT, Cut, Job, Runner

from snapdrift.model import CallKey
from snapdrift.store import open_run

LOG = "--standin-log asked.jsonl"
SLOW = "--concurrency 2 --faults slow=1,slow_seconds=0.3"
INPUTS = {"install": "false", "standin": "true", "comment": "false"}
PLANNED = 3 * CASES
MORE = 8
"""Answers that a job gets before it is cut off."""


def answered(machine: Runner) -> frozenset[CallKey]:
    files = list((machine.checkout / ".snapdrift" / "runs").glob("*.db"))
    if not files:
        return frozenset()
    with open_run(files[0]) as run:
        return run.answered_keys()


def asked(machine: Runner) -> list[tuple[str, str]]:
    """The cases and variants that the stand-in was asked about."""
    log = machine.checkout / "asked.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [(line["case"], line["variant"]) for line in lines if line["event"] == "received" and line.get("case")]


def cancel(process: subprocess.Popen[str]) -> str:
    """As GitHub's runner does: SIGINT to the process of the step, and to none that it has started."""
    process.send_signal(signal.SIGINT)
    return "cancelled"


def kill_in(machine: Runner) -> Callable[[subprocess.Popen[str]], None]:
    """Kills the process that has the run of a machine."""

    def kill(_: subprocess.Popen[str]) -> None:
        (lock,) = (machine.checkout / ".snapdrift" / "runs").glob("*.lock")
        os.kill(int(lock.read_text()), signal.SIGKILL)

    return kill


def state(hub: Hub) -> list[str]:
    """The run files that the branch of the state has."""
    files = git(hub.remote, "ls-tree", "-r", "--name-only", "snapdrift-state").splitlines()
    return [name for name in files if name.endswith(".db")]


def named(keys: frozenset[CallKey]) -> set[tuple[str, str]]:
    return {(key.case_id, key.variant) for key in keys}


def cut_off(machine: Runner, then: Callable[[subprocess.Popen[str]], str | None]) -> Job:
    """The job of a machine that is cut off once more was answered than it was given."""

    def befall(process: subprocess.Popen[str]) -> str | None:
        given = len(answered(machine))
        while len(answered(machine)) < given + MORE:
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.02)
        return then(process)

    return machine.run(ROOT / "action.yml", {**INPUTS, "options": f"{LOG} {SLOW}"}, Cut("run", befall))


def test_a_job_that_was_cut_off_is_gone_on_with_each_time_it_is_run_again(hub: Hub) -> None:
    first, second, third = (hub.machine() for _ in range(3))
    cancelled = cut_off(first, cancel)
    assert (cancelled.outputs["decision"], cancelled.outputs["exit-code"]) == ("interrupted", "130")
    paid = answered(first)
    assert len(asked(first)) == len(paid)  # what was in flight came in, and was kept
    (kept,) = state(hub)
    assert kept.startswith("unfinished/")

    killed = cut_off(second, kill_in(second))
    assert (killed.outputs["decision"], killed.outputs["exit-code"]) == ("interrupted", "137")
    assert named(paid).isdisjoint(asked(second))
    assert paid < answered(second)
    paid = answered(second)
    assert state(hub) == [kept]

    ended = third.run(ROOT / "action.yml", {**INPUTS, "options": LOG})
    assert f"which was cut off with {len(paid)} of {PLANNED} calls answered" in ended.log()
    assert named(paid).isdisjoint(asked(third))
    assert len(asked(third)) == PLANNED - len(paid)
    assert (ended.outputs["decision"], ended.outputs["attempt"]) == ("regression", "1")
    assert state(hub) == [f"runs/{ended.outputs['run-id']}.db"]
    assert ended.outputs["run-id"] == Path(kept).stem
