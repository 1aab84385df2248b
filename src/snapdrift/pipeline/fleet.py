"""`--engine ray`: what the workers of a run are sent, and what stays here.

Requests are asked and Python graders and applications are called by the workers; rendering, tool results and fakes,
storing, looking and deciding are this process's. A worker takes its keys from its own environment: what it is sent has
the name of the variable, so that no key is in what Ray stores or logs.
"""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from snapdrift.errors import UsageError
from snapdrift.execution.fleet import Fleet, WorkerLostError, none_left, preferred, weight_of
from snapdrift.execution.ray import MOST_WORKERS, Calling, OpenedSite, RayWorker, ray_workers
from snapdrift.execution.roster import Roster, Work
from snapdrift.keys import data_without_keys, know, know_those_of
from snapdrift.model import Case, Failure, Variant, sha256
from snapdrift.openai_api.errors import AttemptFailed
from snapdrift.pipeline.applications import load_applications
from snapdrift.pipeline.functions import GivenUp, RaisedInCode, UserFunctions, application_failure
from snapdrift.pipeline.grader_code import AT_ONCE, GraderCode
from snapdrift.pipeline.options import DEFAULT_CONCURRENCY, RunOptions
from snapdrift.pipeline.targets import OPENAI, STANDIN_KEY, Target
from snapdrift.suites.tool_results import PythonFunction

if TYPE_CHECKING:
    from snapdrift.graders.base import Grader
    from snapdrift.openai_api.hosts import Host
    from snapdrift.suites.workspace import Workspace


@dataclass(frozen=True, slots=True)
class HostAddress:
    """A host without its key: `key_env` is the variable that holds it where a worker runs, None where none is sent."""

    name: str
    base_url: str
    key_env: str | None
    is_openai: bool
    api_version: str | None

    def host(self, env: Mapping[str, str]) -> Host:
        """The host with its key, which is kept out of what is sent back. Raises `UsageError` where it is not there."""
        from snapdrift.openai_api.hosts import Host

        key = STANDIN_KEY if self.key_env is None else env.get(self.key_env, "")
        if not key:
            raise UsageError(
                f"--engine ray: {self.key_env} is not set where a worker runs ({socket.gethostname()}); keys are not "
                "sent to workers: set it in the environment that Ray is started in"
            )
        know(key)
        return Host(self.name, self.base_url, key, is_openai=self.is_openai, api_version=self.api_version)


@dataclass(frozen=True, slots=True)
class Site:
    """What a worker asks and calls with. `variants` are those that ask no host, `functions` those that graders call.

    Both need the workspace at `root` where the worker runs, with each file as it was when its suite was loaded.
    `salt` is of one command: a worker says by a hash of it and a key under which account it asks.
    """

    hosts: tuple[HostAddress, ...]
    root: Path
    variants: tuple[Variant, ...]
    functions: tuple[tuple[PythonFunction, str | None], ...]
    concurrency: int
    salt: str = field(default_factory=lambda: token_hex(16), compare=False)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[OpenedSite]:
        """Opens clients and imports what is called. Raises `UsageError` for what is not there.

        From then on the keys of this machine are in nothing that a worker sends: who stores it does not know them.
        """
        know_those_of(os.environ)
        workspace = self._workspace()
        hosts = {address.name: address.host(os.environ) for address in self.hosts}
        target = Target(hosts, applications=load_applications(workspace, self.variants, {}))
        functions = UserFunctions(workspace, dict(self.functions)) if self.functions else None
        with nullcontext() if functions is None else functions.running(AT_ONCE):
            async with target.asking(self.concurrency) as ask:
                yield OpenedSite(ask, _Caller(functions).call, self._accounts(hosts.values()))

    def _accounts(self, hosts: Iterable[Host]) -> dict[str, str]:
        """A mark of each host's key by which keys are compared, and none can be told: a quarter of a salted hash."""
        return {host.base_url: sha256([self.salt, host.api_key])[:16] for host in hosts}

    def _workspace(self) -> Workspace:
        from snapdrift.suites.config import Config
        from snapdrift.suites.workspace import Workspace

        if (self.variants or self.functions) and not self.root.is_dir():
            raise UsageError(
                f"--engine ray: there is no {self.root} where a worker runs ({socket.gethostname()}); applications and "
                "Python graders take the workspace at the same path on every machine"
            )
        return Workspace(self.root, Config())


@dataclass(frozen=True, slots=True)
class Returned:
    """What calling a function of the workspace came to, as it is sent: its value, or how it failed."""

    value: Any = None
    failure: Failure | None = None
    lines: tuple[str, ...] = ()
    given_up: bool = False


@dataclass(frozen=True, slots=True)
class _Caller:
    """Calls the functions of a worker."""

    functions: UserFunctions | None

    async def call(self, calling: Calling) -> Returned:
        target = PythonFunction.parse(calling.target)
        if self.functions is None or target is None:
            return Returned(failure=application_failure(f"{calling.target} was not imported by the worker").failure)
        try:
            value = await self.functions.call(target, *calling.arguments, named=calling.named, within=calling.within)
        except AttemptFailed as error:
            lines = error.lines if isinstance(error, RaisedInCode) else ()
            return Returned(failure=error.failure, lines=lines, given_up=isinstance(error, GivenUp))
        return Returned(_shown(value))


def _shown(value: Any) -> Any:
    """What a function returned, without this machine's keys."""
    from snapdrift.graders.user_scores import Score

    if not isinstance(value, Score):
        return data_without_keys(value)
    lines = list(value.evidence) if isinstance(value.evidence, tuple) else value.evidence
    return replace(value, reason=data_without_keys(value.reason), evidence=data_without_keys(lines))


class FleetFunctions:
    """The functions that graders call, called by the workers in turn; a call that a lost worker had is made again.

    A case that ends workers when a function is called for it alone is graded by it no more (`Roster` has the rules).
    """

    def __init__(self, workers: Sequence[RayWorker], roster: Roster | None = None) -> None:
        self._workers = {worker.name: worker for worker in workers}
        self._roster = Roster(self._workers) if roster is None else roster
        self._turn = count()

    @contextmanager
    def running(self, at_once: int) -> Iterator[None]:  # noqa: ARG002  each worker bounds what it runs at a time
        """The workers have them open already."""
        yield

    async def call(
        self,
        target: PythonFunction,
        *arguments: Any,
        named: Mapping[str, Any] | None = None,
        within: float | None = None,
    ) -> Any:
        """What the function returns; raises as `UserFunctions.call`, and `IncompleteError` when no worker is left."""
        calling = Calling(str(target), arguments, dict(named or {}), within)
        work = Work(
            next(self._turn), ("called", calling.target, *(one.id for one in arguments if isinstance(one, Case)))
        )
        roster, case = self._roster, repr(work.case).encode()
        while not roster.is_given_up(work):
            if not roster.live():
                raise none_left()
            if not roster.is_suspect(work):
                await roster.some_open()
                # Calls for one case by one worker: one that ends it must not end several at a time.
                name = next(iter(preferred(roster.open(), case)), None)
                if name is not None and roster.begin(name, work) and (made := await self._call(name, work, calling)):
                    return _value_of(made)
            elif (name := await roster.keep(work, partial(weight_of, case), last=True)) is not None:
                try:
                    if roster.begin(name, work) and (made := await self._call(name, work, calling)):
                        return _value_of(made)
                finally:
                    roster.release(name)
        raise application_failure(f"calling {target} for this case ended the workers that did nothing else meanwhile")

    async def _call(self, name: str, work: Work, calling: Calling) -> Returned | None:
        """What calling comes to by a worker; None where that one is lost."""
        worker, cleared = self._workers[name], False
        try:
            made: Returned = await worker.call(calling)
            cleared = True
        except WorkerLostError:
            if self._roster.lose(name, work).first:
                worker.kill()
            return None
        finally:
            self._roster.end(name, work, cleared=cleared)
        return made


def _value_of(outcome: Returned) -> Any:
    if outcome.failure is None:
        return outcome.value
    raise GivenUp(outcome.failure) if outcome.given_up else RaisedInCode(outcome.failure, outcome.lines)


@contextmanager
def open_fleet(
    target: Target, options: RunOptions, workspace: Workspace, variants: Iterable[Variant], graders: Iterable[Grader]
) -> Iterator[Target]:
    """The target of a command with the workers that ask it and grade, which end with this; without Ray the same.

    Raises `UsageError` where Ray is not installed or cannot be reached, and for what a worker lacks.
    """
    if not options.engine.ray:
        yield target
        return
    concurrency = options.limits.concurrency or workspace.config.concurrency or DEFAULT_CONCURRENCY
    site = Site(
        hosts=tuple(_address(host, target, options, workspace) for host in target.hosts.values()),
        root=workspace.root,
        variants=tuple(variant for variant in variants if not variant.endpoint.over_http),
        functions=tuple(_functions_of(graders).items()),
        concurrency=concurrency,
    )
    with ExitStack() as stack:
        workers = stack.enter_context(ray_workers(options.engine.address, site, min(concurrency, MOST_WORKERS)))
        options.notice(_told(workers))
        code, roster = target.code, Roster(worker.name for worker in workers)
        if site.functions:
            code = GraderCode(FleetFunctions(workers, roster), AT_ONCE * len(workers))
            stack.enter_context(code.running())
        yield replace(target, fleet=Fleet(workers, roster), code=code)


def _told(workers: Sequence[RayWorker]) -> str:
    """Which workers there are, and the hosts that they ask under several accounts."""
    named = ", ".join(f"{worker.name} is process {worker.pid}" for worker in workers)
    accounts: dict[str, set[int]] = {}
    for worker in workers:
        for url, account in worker.accounts.items():
            accounts.setdefault(url, set()).add(account)
    several = [
        f"; {len(found)} keys for {url}, each with limits of its own"
        for url, found in accounts.items()
        if len(found) > 1
    ]
    return f"--engine ray: {len(workers)} workers ({named}){''.join(several)}"


def require_no_batches(variants: Iterable[Variant], options: RunOptions) -> None:
    """Raises `UsageError` for what goes by batch: the provider's workers ask that, not ours."""
    if options.engine.ray and (options.batch.all or any(variant.batch for variant in variants)):
        raise UsageError(
            "--engine ray: found answers that come by the Batch API; expected none, for OpenAI's own machines ask "
            "those; run them with the local engine"
        )


def _functions_of(graders: Iterable[Grader]) -> dict[PythonFunction, str | None]:
    found: dict[PythonFunction, str | None] = {}
    for grader in graders:
        for file in grader.code.values():
            target = PythonFunction.parse(file.target)
            if target is not None:  # what is none was refused when the code was opened here
                found[target] = file.sha256
    return found


def _address(host: Host, target: Target, options: RunOptions, workspace: Workspace) -> HostAddress:
    return HostAddress(
        host.name, host.base_url, _key_variable(host, target, options, workspace), host.is_openai, host.api_version
    )


def _key_variable(host: Host, target: Target, options: RunOptions, workspace: Workspace) -> str | None:
    """The variable that a host's key is in; None for a host that is sent none.

    Raises `UsageError` for a key that a command printed: it is no worker's to read, and is not sent to one.
    """
    if target.standin is not None:
        return None
    if options.target.base_url:
        return options.target.key_env or ("OPENAI_API_KEY" if host.is_openai else None)
    declared = workspace.config.hosts.get(host.name)
    if declared is None:
        if workspace.config.api_key_cmd is not None and not options.env.get("OPENAI_API_KEY"):
            raise _from_a_command(host.name, "set OPENAI_API_KEY here and where Ray runs")
        return "OPENAI_API_KEY" if host.name == OPENAI else None
    if declared.key_env is None and declared.api_key_cmd is not None:
        raise _from_a_command(host.name, "name key_env and set it where Ray runs")
    return declared.key_env


def _from_a_command(name: str, mend: str) -> UsageError:
    return UsageError(f"--engine ray: host {name} has its key from api_key_cmd, which is not sent to workers; {mend}")
