"""A stand-in, a proxy that breaks its connections, and commands that meet a fate."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import clean_environment
from tests.faults.cutting_proxy import CuttingProxy
from tests.pipeline.conftest import workspace, write_rows  # noqa: F401  a fixture

from snapdrift.execution.clock import SystemClock
from snapdrift.execution.engine import EngineSettings
from snapdrift.standin.config import Profile, StandinConfig
from snapdrift.standin.launch import StandinProcess

CASES = 200
HASTE = 50


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The URL and the log of a stand-in that knows the first 200 lands of `workspace`, and judges."""
    folder = tmp_path_factory.mktemp("standin")
    recordings, log = folder / "recordings.jsonl", folder / "requests.jsonl"
    models = ("gpt-4o-2024-08-06", "gpt-4o-2024-11-20")
    rows = [
        {"model": model, "input": f"What is the capital of Land {number}?", "output": f"Town {number}"}
        for number in range(CASES)
        for model in models
    ]
    write_rows(recordings, rows)
    config = StandinConfig(profiles=(Profile(recordings=(recordings,), fallback="judge"),), latency="5", log=log)
    with StandinProcess(config) as process:
        yield process.base_url, log


@pytest.fixture
def proxy(standin: tuple[str, Path]) -> Iterator[CuttingProxy]:
    """The stand-in by a way that breaks as it is told to."""
    with CuttingProxy(standin[0]) as between:
        yield between


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process waits are a fiftieth of what they are, and a call has two attempts, and two more in the sweep."""
    import asyncio
    import time

    async def sleep(_: SystemClock, seconds: float) -> None:
        await asyncio.sleep(seconds / HASTE)

    monkeypatch.setattr(SystemClock, "sleep", sleep)
    monkeypatch.setattr(SystemClock, "monotonic", lambda _: time.monotonic() * HASTE)
    monkeypatch.setattr("snapdrift.pipeline.ways.EngineSettings", partial(EngineSettings, max_attempts=2))


def requests_of(log: Path, run: str = "") -> Counter[str]:
    """How often the stand-in was asked each request of a run, by its own log."""
    whole, _, _ = log.read_text().rpartition("\n")  # the last line may be on its way
    lines = [json.loads(line) for line in whole.splitlines()]
    ids = (line["client_request_id"] for line in lines if line["event"] == "received" and line.get("case"))
    return Counter(one for one in ids if run in one)


# ------------------------------------------------------------------------------------------- commands that meet a fate


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its exit code (minus the number of the signal that killed it), and what it said."""

    code: int
    out: str
    err: str


class Fated:
    """Starts commands one after another. `pid` is that of the one which runs."""

    def __init__(self, folder: Path) -> None:
        self._out, self._err = folder / "out", folder / "err"
        self._nursery = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.fated_commands"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env=clean_environment(),
        )
        self.pid = 0

    def start(self, *arguments: str | Path, cwd: Path, fates: list[Any] | None = None, out: str | None = None) -> int:
        """Starts a command; returns its process id."""
        if self.pid:  # of a test that failed before it was waited for
            os.kill(self.pid, signal.SIGKILL)
            self.wait()
        order = {
            "arguments": list(map(str, arguments)),
            "cwd": str(cwd),
            "fates": fates or [],
            "out": out or str(self._out),
            "err": str(self._err),
        }
        assert self._nursery.stdin is not None
        self._nursery.stdin.write(json.dumps(order) + "\n")
        self._nursery.stdin.flush()
        self.pid = int(self._answer())
        return self.pid

    def wait(self) -> Ended:
        """Waits for its end."""
        code, self.pid = int(self._answer()), 0
        out = self._out.read_text() if self._out.exists() else ""
        return Ended(code, out, self._err.read_text())

    def run(self, *arguments: str | Path, cwd: Path, fates: list[Any] | None = None, out: str | None = None) -> Ended:
        """A command from its start to its end."""
        self.start(*arguments, cwd=cwd, fates=fates, out=out)
        return self.wait()

    def close(self) -> None:
        """Takes no more orders."""
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.close()
        self._nursery.wait(timeout=120)
        self._nursery.stdout.close()

    def _answer(self) -> str:
        assert self._nursery.stdout is not None
        line = self._nursery.stdout.readline()
        assert line, "the nursery of commands has ended"
        return line


@pytest.fixture(scope="module")
def fated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fated]:
    """Commands in processes of their own that meet a fate."""
    commands = Fated(tmp_path_factory.mktemp("fated"))
    yield commands
    commands.close()


@pytest.fixture
def judged(workspace: Callable[..., Path]) -> Callable[..., Path]:  # noqa: F811
    """Makes a workspace whose answers are judged too."""

    def make(cases: int) -> Path:
        root = workspace(cases=cases)
        (root / "graders").mkdir()
        rubric = {"model": "gpt-4o-2024-11-20", "question": "{{ country }}", "criteria": ["It names a town."]}
        (root / "graders" / "named.yaml").write_text(json.dumps({**rubric, "allow_retiring": True}))
        suite = root / "evals" / "capitals.yaml"
        grader = "  - {name: named, judge: graders/named.yaml}\n"
        suite.write_text(suite.read_text().replace("gates:", f"{grader}gates:", 1))
        return root

    return make


def only_root_is_bound(folder: Path) -> list[Any]:
    """The fate by which a folder without the permission to write cannot be written to, whoever runs the tests."""
    folder.chmod(0o555)
    return [["bound by permissions", []]] if os.geteuid() == 0 else []
