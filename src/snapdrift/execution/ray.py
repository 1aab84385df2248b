"""The fleet on Ray: workers as actors, spoken to from this process. Ray is imported when it is asked for.

This process owns the plan, the budget and the run file; the actors are its own and end with it, however it ends.
Nothing is restarted by Ray, and no call is made twice by it: what a lost worker had is the engine's to ask again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from snapdrift.errors import IncompleteError, SnapdriftError, UsageError
from snapdrift.execution.fleet import FailedAttempt, WorkerLostError
from snapdrift.execution.turns import Ask
from snapdrift.model import Answer, Failure, FailureKind, Request
from snapdrift.openai_api.errors import AttemptFailed

T = TypeVar("T")
MOST_WORKERS = 32
"""One process hands out and stores what they ask, and more than about so many wait for it."""
_OBJECTS_BYTES = 512 * 2**20
"""What requests and answers on their way may take of this machine's memory, where Ray is started here."""
_STARTING_S = 300.0
"""How long workers may take to start, in seconds: a cluster may have to bring up machines."""
_MESSAGES = 10_000
"""How many messages an actor works on at a time: waits, mostly."""


@dataclass(frozen=True, slots=True)
class Calling:
    """What a worker calls for grading: a function of the workspace, by its target, with what it is handed."""

    target: str
    arguments: tuple[Any, ...]
    named: dict[str, Any]
    within: float | None


class WorkerSite(Protocol):
    """What a worker does its work with, made where it runs; it has to be picklable and to hold no key."""

    def opened(self) -> AbstractAsyncContextManager[OpenedSite]:
        """Opens what asking and grading take. Raises `SnapdriftError` where something is not there."""


@dataclass(frozen=True, slots=True)
class OpenedSite:
    """An open site: what asks a request, and what calls a function for grading (never raises what the function did).

    `accounts` has a mark for the key of each host, by its base URL: who has the same key has the same mark.
    """

    ask: Ask
    call: Callable[[Calling], Awaitable[Any]]
    accounts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Opened:
    """What a worker says of itself: the id of its process, and the marks of its site's accounts."""

    pid: int
    accounts: Mapping[str, str]


# ------------------------------------------------------------------------------------------------------------ the actor


class WorkerActor:
    """A worker, in a process of its own: makes attempts and calls functions."""

    def __init__(self, site: WorkerSite) -> None:
        self._site = site
        self._stack = AsyncExitStack()
        self._opened: OpenedSite | None = None
        self._asking: dict[int, asyncio.Task[Answer]] = {}

    async def open(self) -> SnapdriftError | Opened:
        """Opens the site; returns what this process says of itself, or what a user has to mend."""
        try:
            self._opened = await self._stack.enter_async_context(self._site.opened())
        except SnapdriftError as error:
            return error
        return Opened(os.getpid(), dict(self._opened.accounts))

    async def close(self) -> None:
        """Closes the site."""
        await self._stack.aclose()

    async def ask(self, number: int, request: Request) -> Answer | FailedAttempt:
        """Makes one attempt. One that was given up fails as cut off; nobody hears of it."""
        asking = asyncio.ensure_future(self._own.ask(request))
        self._asking[number] = asking
        try:
            await asyncio.wait({asking})
            return asking.result()
        except AttemptFailed as error:
            return FailedAttempt.of(error)
        except asyncio.CancelledError:
            asking.cancel()
            return FailedAttempt(Failure(FailureKind.CONNECTION, "given up", retryable=False, may_have_run=True), {})
        finally:
            del self._asking[number]

    async def give_up(self, number: int) -> None:
        """Ends an attempt at once."""
        if asking := self._asking.get(number):
            asking.cancel()

    async def call(self, calling: Calling) -> Any:
        """What a function of the workspace came to."""
        return await self._own.call(calling)

    @property
    def _own(self) -> OpenedSite:
        assert self._opened is not None, "a worker is opened first"  # noqa: S101  a defect, not a mistake
        return self._opened


# ---------------------------------------------------------------------------------------------------- from this process


@dataclass(frozen=True, slots=True)
class RayWorker:
    """A worker's actor as this process speaks to it; `pid` is its process, on whichever machine that is.

    `accounts` are those that it asks the hosts under, by base URL, each told apart by a number of this process.
    """

    name: str
    pid: int
    accounts: Mapping[str, int]
    actor: Any = field(repr=False)

    async def ask(self, number: int, request: Request) -> Answer | FailedAttempt:
        """As `WorkerActor.ask`. Raises `WorkerLostError`."""
        made: Answer | FailedAttempt = await _reached(self.actor.ask.remote(number, request))
        return made

    def give_up(self, number: int) -> None:
        """Tells the actor, and does not wait."""
        self.actor.give_up.remote(number)

    async def call(self, calling: Calling) -> Any:
        """As `WorkerActor.call`. Raises `WorkerLostError`."""
        return await _reached(self.actor.call.remote(calling))

    def kill(self) -> None:
        """Ends the process, if it is there."""
        _import_ray().kill(self.actor)


async def _reached(answer: Awaitable[T]) -> T:
    """What an actor answers. Raises `WorkerLostError` where it, its machine or what it answered is gone."""
    from ray.exceptions import NodeDiedError, ObjectLostError, OwnerDiedError, RayActorError

    try:
        return await answer
    except (RayActorError, ObjectLostError, OwnerDiedError, NodeDiedError) as error:
        raise WorkerLostError(str(error).partition("\n")[0]) from None


@contextmanager
def ray_workers(address: str | None, site: WorkerSite, most: int) -> Iterator[tuple[RayWorker, ...]]:
    """Workers on a Ray cluster, or on this machine where `address` is None: one a core, `most` at most.

    Raises `UsageError` where Ray is not installed or not there, and what `site` raises where a worker cannot be opened.
    A cluster that this process is connected to already is used, and stays. While there are workers, what is written to
    the standard output goes to the standard error: Ray tells of a lost worker there whatever it is set to, and the
    standard output is for results, which may be JSON.
    """
    ray = _import_ray()
    own = not ray.is_initialized()
    with redirect_stdout(sys.stderr):
        if own:
            _connect(ray, address)
        yield from _started(ray, site, most, own=own)


def _started(ray: Any, site: WorkerSite, most: int, *, own: bool) -> Iterator[tuple[RayWorker, ...]]:
    try:
        cores = int(ray.cluster_resources().get("CPU", 1))
        number = max(1, min(cores, most, MOST_WORKERS))
        actors = {f"worker-{index}": _actor(WorkerActor).remote(site) for index in range(1, number + 1)}
        opened = _opened(ray, [actor.open.remote() for actor in actors.values()])
        numbered = numbered_accounts([one.accounts for one in opened])
        each = zip(actors.items(), opened, numbered, strict=True)
        yield tuple(RayWorker(name, one.pid, accounts, actor) for (name, actor), one, accounts in each)
    finally:
        if own:
            ray.shutdown()


def numbered_accounts(marks: Sequence[Mapping[str, str]]) -> list[dict[str, int]]:
    """The accounts of each worker by base URL: numbers from 0, one for each mark that a host has from any of them."""
    numbers: dict[str, dict[str, int]] = {}
    return [
        {url: numbers.setdefault(url, {}).setdefault(mark, len(numbers[url])) for url, mark in of_one.items()}
        for of_one in marks
    ]


def _opened(ray: Any, answers: Sequence[Any]) -> list[Opened]:
    """What workers say that were told to open. Raises what one says that a user has to mend."""
    try:
        found: list[SnapdriftError | Opened] = ray.get(answers, timeout=_STARTING_S)
    except ray.exceptions.GetTimeoutError:
        raise IncompleteError(
            f"--engine ray: the workers did not start within {_STARTING_S:g} s; expected a core for each in the cluster"
        ) from None
    except (ray.exceptions.RayActorError, ray.exceptions.ObjectLostError, ray.exceptions.NodeDiedError) as error:
        said = " ".join(str(error).split())[:300]
        raise IncompleteError(f"--engine ray: a worker was lost before it had started ({said})") from None
    for one in found:
        if isinstance(one, SnapdriftError):
            raise one
    return [one for one in found if isinstance(one, Opened)]


def _import_ray() -> Any:
    try:
        import ray
    except ImportError:
        raise UsageError(
            "--engine ray takes Ray, which is not installed; install the extra: pip install 'snapdrift[ray]'"
        ) from None
    return ray


def _connect(ray: Any, address: str | None) -> None:
    # Ray reports its use to its makers unless it is told not to, and that before it starts.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    own = {} if address else {"object_store_memory": _OBJECTS_BYTES, "include_dashboard": False}
    try:
        # Without an address Ray would join what RAY_ADDRESS names, or a cluster that somebody started here.
        ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **own)
    except (ConnectionError, ValueError, RuntimeError) as error:
        where = f"--ray-address {address}" if address else "--engine ray"
        said = " ".join(str(error).split())[:300]
        raise UsageError(f"{where}: Ray cannot be reached or started ({said}); expected a running cluster") from None


def _actor(kind: type[Any]) -> Any:
    """An actor of a class that takes a core, and that Ray neither restarts nor has do anything twice."""
    return _import_ray().remote(num_cpus=1, max_restarts=0, max_concurrency=_MESSAGES)(kind)
