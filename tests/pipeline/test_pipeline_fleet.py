"""`--engine ray` as far as it needs no Ray: what is refused before anything starts, and what workers are sent."""

from __future__ import annotations

import asyncio
import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from snapdrift import pipeline
from snapdrift.errors import SnapdriftError, UsageError
from snapdrift.execution.fleet import FailedAttempt, WorkerLostError
from snapdrift.execution.ray import Calling, WorkerActor
from snapdrift.exit_codes import ExitCode
from snapdrift.model import Answer, Request
from snapdrift.openai_api.errors import AttemptFailed
from snapdrift.openai_api.hosts import OPENAI_BASE_URL, Host
from snapdrift.pipeline.fleet import FleetFunctions, HostAddress, Returned, Site, open_fleet, require_no_batches
from snapdrift.pipeline.targets import Target
from snapdrift.store import open_run
from snapdrift.suites.config import Config, parse_config
from snapdrift.suites.tool_results import PythonFunction
from snapdrift.suites.workspace import Workspace

RAY = pipeline.RunOptions(engine=pipeline.EngineOptions(ray=True))
RUN = ("run", "evals/capitals.yaml", "--recordings", "datasets/recordings.jsonl")


@pytest.fixture
def no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)


def test_without_ray_the_engine_says_what_to_install_and_nothing_is_run(workspace, snapdrift, no_ray):
    root = workspace()
    done = snapdrift(*RUN, "--engine", "ray", cwd=root)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].endswith("install the extra: pip install 'snapdrift[ray]'")
    assert not (root / ".snapdrift").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--engine", "spark"), "--engine: found 'spark'; expected local or ray"),
        (("--ray-address", "auto"), "--ray-address: found 'auto' without --engine ray"),
        (("--engine", "local", "--ray-address", "auto"), "--ray-address: found 'auto' without --engine ray"),
    ],
)
def test_engines_that_make_no_sense_are_refused(options, said, workspace, snapdrift):
    done = snapdrift(*RUN, *options, cwd=workspace())
    assert (done.returncode, said in done.stderr) == (2, True)


def test_what_goes_by_batch_is_refused(workspace):
    (one,) = pipeline.check_suites([workspace() / "evals" / "capitals.yaml"], pipeline.RunOptions())
    batched = [replace(variant, batch=True) for variant in one.variants]

    require_no_batches(one.variants, RAY)
    with pytest.raises(UsageError, match="--engine ray: found answers that come by the Batch API"):
        require_no_batches(batched, RAY)
    with pytest.raises(UsageError, match="--engine ray: found answers that come by the Batch API"):
        require_no_batches(one.variants, replace(RAY, batch=pipeline.BatchOptions(all=True)))


def test_what_a_worker_is_sent_has_the_name_of_a_variable_and_no_key(tmp_path, monkeypatch):
    sent: list[Site] = []

    def session(_address: str | None, site: Site, _most: int) -> None:
        sent.append(site)
        raise UsageError("seen")

    monkeypatch.setattr("snapdrift.pipeline.fleet.ray_workers", session)
    target = Target({"openai": Host("openai", OPENAI_BASE_URL, "sk-secret", is_openai=True)})
    with pytest.raises(UsageError, match="seen"), open_fleet(target, RAY, Workspace(tmp_path, Config()), (), ()):
        pass

    assert sent[0].hosts == (
        HostAddress("openai", OPENAI_BASE_URL, "OPENAI_API_KEY", is_openai=True, api_version=None),
    )
    assert b"sk-secret" not in pickle.dumps(sent[0])


@pytest.mark.parametrize(
    ("name", "config", "mend"),
    [
        ("proxy", '[hosts.proxy]\nbase_url = "https://llm.example.com/v1"\napi_key_cmd = "print-key"', "name key_env"),
        ("openai", 'api_key_cmd = "print-key"', "set OPENAI_API_KEY here and where Ray runs"),
    ],
)
def test_a_key_that_only_a_command_prints_is_refused_for_no_worker_gets_it(name, config, mend, tmp_path, workers_here):
    target = Target({name: Host(name, "https://llm.example.com/v1", "printed-key", is_openai=False)})
    workspace = Workspace(tmp_path, parse_config(config, "snapdrift.toml"))
    said = f"--engine ray: host {name} has its key from api_key_cmd, which is not sent to workers; {mend}"

    with pytest.raises(UsageError, match=said), open_fleet(target, RAY, workspace, (), ()):
        pass
    assert workers_here == []


def test_a_worker_takes_its_key_from_its_own_environment():
    address = HostAddress("proxy", "https://llm.example.com/v1", "PROXY_KEY", is_openai=False, api_version=None)

    assert address.host({"PROXY_KEY": "theirs"}).api_key == "theirs"
    with pytest.raises(UsageError, match="PROXY_KEY is not set where a worker runs"):
        address.host({"OPENAI_API_KEY": "ours"})


def test_a_worker_without_the_workspace_says_so():
    async def opened() -> None:
        function = (PythonFunction("app.py", "grade"), None)
        async with Site((), Path("/nowhere/at/all"), (), (function,), 4).opened():
            pass

    with pytest.raises(UsageError, match="there is no /nowhere/at/all where a worker runs"):
        asyncio.run(opened())


class WorkerHere:
    """A worker in this process: what the actor's class does, opened in the loop that asks it, without Ray between."""

    def __init__(self, name: str, site: Site) -> None:
        self.name, self.pid, self.asked = name, 0, 0
        self._actor = WorkerActor(site)
        self._opening: asyncio.Future[SnapdriftError | int] | None = None
        self._closing: asyncio.Future[None] | None = None
        self._under_way = 0

    async def ask(self, number: int, request: Request) -> Answer | FailedAttempt:
        self.asked += 1
        self._under_way += 1
        if self._closing is not None:
            await self._closing
        if self._opening is None:
            self._opening = asyncio.ensure_future(self._actor.open())
        assert isinstance(await self._opening, int)
        try:
            return await self._actor.ask(number, request)
        finally:
            self._under_way -= 1
            if not self._under_way:  # nobody says here when a command has ended: the next one opens it again
                self._opening, self._closing = None, asyncio.ensure_future(self._actor.close())
                await self._closing

    def give_up(self, number: int) -> None:
        """Nothing here is given up."""

    def kill(self) -> None:
        """Nothing here is lost."""


@pytest.fixture
def workers_here(monkeypatch: pytest.MonkeyPatch) -> list[WorkerHere]:
    opened: list[WorkerHere] = []

    @contextmanager
    def workers(_address: str | None, site: Site, _most: int) -> Iterator[tuple[WorkerHere, ...]]:
        opened.extend(WorkerHere(f"worker-{number}", site) for number in (1, 2))
        yield tuple(opened)

    monkeypatch.setattr("snapdrift.pipeline.fleet.ray_workers", workers)
    return opened


def test_a_run_that_is_looked_at_stops_early_with_workers_too(looked_at, land_standin, workers_here):
    suite = looked_at(200, isles=200)
    output = pipeline.Output(out_dir=suite.parent / "out", state_dir=suite.parent / "state")
    target = pipeline.TargetOptions(base_url=land_standin()[0])
    (outcome,) = pipeline.run_suites([suite], replace(RAY, target=target, output=output))

    assert outcome.exit_code is ExitCode.REGRESSION
    assert outcome.evaluation.sequential is not None
    asked = [worker.asked for worker in workers_here]
    assert min(asked) > 0
    with open_run(outcome.run_path) as stored:
        assert sum(asked) == len(list(stored.responses())) < 400


class LosingWorker:
    """A worker that calls functions until it is lost."""

    def __init__(self, calls: int) -> None:
        self.calls = calls

    async def call(self, calling: Calling) -> Returned:
        if not self.calls:
            raise WorkerLostError("gone")
        self.calls -= 1
        return Returned(f"{calling.target} of {calling.arguments[0]}")


def test_a_function_that_a_lost_worker_had_is_called_by_another_and_fails_once_all_are_lost():
    functions = FleetFunctions([LosingWorker(1), LosingWorker(2)])  # type: ignore[list-item]
    target = PythonFunction("app.py", "grade")

    made = [asyncio.run(functions.call(target, number)) for number in range(3)]

    assert made == [f"app.py:grade of {number}" for number in range(3)]
    with pytest.raises(AttemptFailed, match=r"app\.py:grade was not called: every worker was lost"):
        asyncio.run(functions.call(target, 3))
