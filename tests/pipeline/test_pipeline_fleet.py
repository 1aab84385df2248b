"""`--engine ray` as far as it needs no Ray: what is refused before anything starts, and what workers are sent."""

from __future__ import annotations

import asyncio
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from snapdrift import pipeline
from snapdrift.errors import UsageError
from snapdrift.execution.budget import Budget
from snapdrift.execution.fleet import Concluded, Fleet, Posting, WorkerLostError
from snapdrift.execution.ray import AuthorityActor, Calling, Terms, WorkerActor
from snapdrift.execution.shared_authority import SharedAuthority, Spent
from snapdrift.model import ExitCode
from snapdrift.openai_api.catalog import load_catalog
from snapdrift.openai_api.errors import AttemptFailed
from snapdrift.openai_api.hosts import OPENAI_BASE_URL, Host
from snapdrift.pipeline.asking import fleet_terms
from snapdrift.pipeline.fleet import FleetFunctions, HostAddress, Returned, Site, open_fleet, require_no_batches
from snapdrift.pipeline.targets import Target
from snapdrift.store import open_run
from snapdrift.suites.config import Config
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

    monkeypatch.setattr("snapdrift.pipeline.fleet.ray_session", session)
    target = Target({"openai": Host("openai", OPENAI_BASE_URL, "sk-secret", is_openai=True)})
    with pytest.raises(UsageError, match="seen"), open_fleet(target, RAY, Workspace(tmp_path, Config()), (), ()):
        pass

    assert sent[0].hosts == (
        HostAddress("openai", OPENAI_BASE_URL, "OPENAI_API_KEY", is_openai=True, api_version=None),
    )
    assert b"sk-secret" not in pickle.dumps(sent[0])


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


class Actor:
    """An object as Ray hands one out: each method has a `remote` that is not waited for."""

    def __init__(self, of: object) -> None:
        self._of = of

    def __getattr__(self, name: str) -> SimpleNamespace:
        method = getattr(self._of, name)
        return SimpleNamespace(remote=lambda *arguments: asyncio.ensure_future(method(*arguments)))


class WorkerHere(WorkerActor):
    """A worker in this process: what the actor's class does, without Ray between."""

    def __init__(self, name: str, site: Site) -> None:
        super().__init__(name, site)
        self.name, self.pid, self.asked = name, 0, 0

    async def conclude(self, posting: Posting) -> Concluded:
        self.asked += 1
        return await super().conclude(posting)

    def kill(self) -> None:
        """Nothing here is lost."""


class SessionHere:
    """Two workers in this process, opened when the run asks for its fleet and closed once it is asked what it spent."""

    def __init__(self, site: Site) -> None:
        self.workers = [WorkerHere(f"worker-{number}", site) for number in (1, 2)]

    async def fleet(self, terms: Terms, make: Callable[[], SharedAuthority]) -> SimpleNamespace:
        authority = AuthorityActor(make)
        for worker in self.workers:
            assert isinstance(await worker.open(), int)
            await worker.accept(terms, Actor(authority))

        async def spent() -> Spent:
            for worker in self.workers:
                await worker._stack.aclose()
            return await authority.spent()

        return SimpleNamespace(fleet=Fleet(self.workers, authority.lose), spent=spent)


@pytest.fixture
def workers_here(monkeypatch: pytest.MonkeyPatch) -> list[SessionHere]:
    opened: list[SessionHere] = []

    @contextmanager
    def session(_address: str | None, site: Site, _most: int) -> Iterator[SessionHere]:
        opened.append(SessionHere(site))
        yield opened[0]

    monkeypatch.setattr("snapdrift.pipeline.fleet.ray_session", session)
    return opened


def test_a_run_that_is_looked_at_stops_early_with_workers_too(looked_at, land_standin, workers_here):
    suite = looked_at(200, isles=200)
    output = pipeline.Output(out_dir=suite.parent / "out", state_dir=suite.parent / "state")
    target = pipeline.TargetOptions(base_url=land_standin()[0])
    (outcome,) = pipeline.run_suites([suite], replace(RAY, target=target, output=output))

    assert outcome.exit_code is ExitCode.REGRESSION
    assert outcome.evaluation.sequential is not None
    asked = [worker.asked for worker in workers_here[0].workers]
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
    functions = FleetFunctions(SimpleNamespace(workers=[LosingWorker(1), LosingWorker(2)]))  # type: ignore[arg-type]
    target = PythonFunction("app.py", "grade")

    made = [asyncio.run(functions.call(target, number)) for number in range(3)]

    assert made == [f"app.py:grade of {number}" for number in range(3)]
    with pytest.raises(AttemptFailed, match=r"app\.py:grade was not called: every worker was lost"):
        asyncio.run(functions.call(target, 3))


def test_the_terms_of_workers_can_be_sent_and_price_there_as_here():
    terms, make = pickle.loads(pickle.dumps(fleet_terms(load_catalog(), 4, Budget(1.0, 0.25))))  # noqa: S301  our own

    assert isinstance(terms.price, partial)
    assert (terms.limit_usd, terms.settings.concurrency) == (1.0, 4)
    assert callable(terms.price())
    assert callable(terms.worst())
    assert make().spent.usd == 0.25
