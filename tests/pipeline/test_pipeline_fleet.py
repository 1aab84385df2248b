"""`--engine ray` as far as it needs no Ray: what is refused before anything starts, and what workers are sent."""

from __future__ import annotations

import asyncio
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from snapdrift import pipeline
from snapdrift.errors import IncompleteError, SnapdriftError, UsageError
from snapdrift.execution.fleet import FailedAttempt, WorkerLostError
from snapdrift.execution.ray import Calling, Opened, WorkerActor
from snapdrift.execution.roster import Roster, Work
from snapdrift.exit_codes import ExitCode
from snapdrift.model import Answer, Case, Request
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


def test_workers_say_under_which_account_they_ask_and_nobody_learns_the_key(monkeypatch):
    url = "https://llm.example.com/v1"
    address = HostAddress("proxy", url, "PROXY_KEY", is_openai=False, api_version=None)

    async def opened(site: Site, key: str) -> Opened:
        monkeypatch.setenv("PROXY_KEY", key)
        actor = WorkerActor(site)
        said = await actor.open()
        assert isinstance(said, Opened)
        await actor.close()
        assert key.encode() not in pickle.dumps(said)
        return said

    async def marks(site: Site) -> list[str]:
        return [(await opened(site, key)).accounts[url] for key in ("key-of-one", "key-of-another", "key-of-one")]

    one, another, again = asyncio.run(marks(Site((address,), Path(), (), (), 4)))
    assert (one == again, one == another) == (True, False)
    assert one not in asyncio.run(marks(Site((address,), Path(), (), (), 4)))  # of another command


def test_it_is_said_that_a_host_has_several_keys(tmp_path, monkeypatch):
    @contextmanager
    def workers(_address: str | None, site: Site, _most: int) -> Iterator[tuple[WorkerHere, ...]]:
        made = tuple(WorkerHere(f"worker-{number}", site) for number in range(3))
        for worker, account in zip(made, (0, 1, 0), strict=True):
            worker.accounts = {OPENAI_BASE_URL: account}
        yield made

    monkeypatch.setattr("snapdrift.pipeline.fleet.ray_workers", workers)
    target = Target({"openai": Host("openai", OPENAI_BASE_URL, "sk-secret", is_openai=True)})
    told: list[str] = []
    with open_fleet(target, replace(RAY, notice=told.append), Workspace(tmp_path, Config()), (), ()):
        pass
    assert told[0].endswith(f"; 2 keys for {OPENAI_BASE_URL}, each with limits of its own")


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
        self.name, self.pid, self.asked, self.accounts = name, 0, 0, dict[str, int]()
        self._actor = WorkerActor(site)
        self._opening: asyncio.Future[SnapdriftError | Opened] | None = None
        self._closing: asyncio.Future[None] | None = None
        self._under_way = 0

    async def ask(self, number: int, request: Request) -> Answer | FailedAttempt:
        self.asked += 1
        self._under_way += 1
        if self._closing is not None:
            await self._closing
        if self._opening is None:
            self._opening = asyncio.ensure_future(self._actor.open())
        assert isinstance(await self._opening, Opened)
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


class CallingWorker:
    """A worker that calls functions, and is lost by what `ends` says or with `lose`: then nothing of it comes."""

    def __init__(self, name: str, ends: Callable[[Calling], bool] = lambda _: False) -> None:
        self.name, self.accounts = name, dict[str, int]()
        self.killed = False
        self._ends = ends
        self._lost = asyncio.Event()

    async def call(self, calling: Calling) -> Returned:
        if self._ends(calling):
            asyncio.get_running_loop().call_later(0.01, self._lost.set)
        lost = asyncio.ensure_future(self._lost.wait())
        await asyncio.wait({lost}, timeout=0.02)
        lost.cancel()
        if self._lost.is_set():
            raise WorkerLostError(self.name)
        return Returned(f"{calling.target} of {calling.arguments[0].id}")

    def kill(self) -> None:
        self.killed = True


GRADE = PythonFunction("app.py", "grade")


def called(workers: list[CallingWorker], cases: Iterable[str]) -> list[Any]:
    """What calling the function comes to for each case, all at a time."""

    async def main() -> list[Any]:
        functions = FleetFunctions(workers)  # type: ignore[arg-type]
        return await asyncio.gather(
            *(functions.call(GRADE, Case(one, {}, ""), one) for one in cases), return_exceptions=True
        )

    return asyncio.run(main())


def test_a_function_that_a_lost_worker_had_is_called_by_another():
    first = iter([True])
    workers = [CallingWorker(f"worker-{number}", lambda _: next(first, False)) for number in range(3)]
    cases = [f"c{number}" for number in range(12)]

    assert called(workers, cases) == [f"app.py:grade of {case}" for case in cases]
    assert sum(worker.killed for worker in workers) == 1


def test_a_function_that_ends_workers_for_a_case_is_called_for_it_no_more_and_its_neighbours_are_graded():
    workers = [CallingWorker(f"worker-{number}", lambda one: one.arguments[0].id == "c5") for number in range(5)]
    cases = [f"c{number}" for number in range(12)] + ["c5"]

    made = called(workers, cases)
    failed = [one for one in made if isinstance(one, Exception)]

    assert [case for case, one in zip(cases, made, strict=True) if one not in failed] == [
        case for case in cases if case != "c5"
    ]
    assert len(failed) == 2
    assert all(isinstance(one, AttemptFailed) for one in failed)
    assert "calling app.py:grade for this case ended the workers" in str(failed[0])
    assert sum(worker.killed for worker in workers) <= 3


def test_without_a_worker_left_functions_are_not_called_and_it_is_said_how_to_go_on():
    workers = [CallingWorker(f"worker-{number}", lambda _: True) for number in range(2)]

    made = called(workers, ["c1", "c2", "c3", "c4"])
    assert any(isinstance(one, IncompleteError) for one in made)
    assert "go on with `snapdrift resume`" in str(next(one for one in made if isinstance(one, IncompleteError)))


def test_workers_that_are_lost_to_attempts_call_no_functions():
    async def main() -> Any:
        roster = Roster(["worker-0", "worker-1"])
        functions = FleetFunctions([CallingWorker("worker-0", lambda _: True), CallingWorker("worker-1")], roster)  # type: ignore[list-item]
        attempt = Work("run:c1:a/0/0", "c1")
        roster.begin("worker-0", attempt)
        roster.lose("worker-0", attempt)
        return [await functions.call(GRADE, Case(f"c{number}", {}, ""), "") for number in range(8)]

    assert asyncio.run(main()) == [f"app.py:grade of c{number}" for number in range(8)]


def test_a_run_whose_graders_have_no_worker_left_is_incomplete_and_can_be_gone_on_with(
    workspace, snapdrift, monkeypatch
):
    class Graders(WorkerHere):
        async def call(self, _calling: Calling) -> Returned:
            raise WorkerLostError(self.name)

    @contextmanager
    def workers(_address: str | None, site: Site, _most: int) -> Iterator[tuple[WorkerHere, ...]]:
        yield tuple(Graders(f"worker-{number}", replace(site, functions=())) for number in (1, 2))

    root = workspace(cases=12)
    (root / "app.py").write_text("def grade(case, response):\n    return 1.0\n")
    suite = (root / "evals" / "capitals.yaml").read_text()
    (root / "evals" / "capitals.yaml").write_text(
        suite.partition("graders:")[0]
        + 'graders: [{name: graded, python: "app.py:grade"}]\ngate: {metrics: {graded: {at_least: 0.5}}}\n'
    )
    monkeypatch.setattr("snapdrift.pipeline.fleet.ray_workers", workers)
    done = snapdrift(*RUN, "--engine", "ray", cwd=root)
    assert (done.returncode, done.stdout) == (3, ""), done.stderr
    assert "every worker was lost; what was answered is stored: go on with `snapdrift resume`" in done.stderr

    monkeypatch.undo()
    gone_on = snapdrift("resume", "latest", cwd=root)
    assert gone_on.returncode == 0, gone_on.stderr
    assert "grader_error" not in gone_on.stdout
