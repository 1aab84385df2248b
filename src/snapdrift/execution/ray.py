"""The fleet on Ray: workers and their authority as actors, spoken to from this process. Ray is imported when asked for.

This process owns the plan and the run file; the actors are its own and end with it, however it ends. Nothing is
restarted by Ray and no call is made twice by it: what a lost worker had is the engine's to hand out again.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from snapdrift.errors import IncompleteError, SnapdriftError, UsageError
from snapdrift.execution.asker import Ask, Price, Worst
from snapdrift.execution.authority import Grant, Need, OutOfBudget, Settled
from snapdrift.execution.budget import Budget
from snapdrift.execution.engine import Engine
from snapdrift.execution.fleet import Concluded, Fleet, Posting, WorkerLostError
from snapdrift.execution.fleet_worker import FleetWorker, stores_nothing
from snapdrift.execution.records import EngineSettings, StopReason
from snapdrift.execution.shared_authority import RemoteAuthority, SharedAuthority, Spent

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
    """An open site: what asks a request, and what calls a function for grading (never raises what the function did)."""

    ask: Ask
    call: Callable[[Calling], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Terms:
    """What the engines of workers ask under. `price` and `worst` make, where they run, what prices a request."""

    price: Callable[[], Price]
    worst: Callable[[], Worst]
    settings: EngineSettings
    limit_usd: float | None


# ----------------------------------------------------------------------------------------------------------- the actors


class AuthorityActor:
    """The shared authority, in a process of its own."""

    def __init__(self, make: Callable[[], SharedAuthority]) -> None:
        self._make = make
        self._authority: SharedAuthority | None = None

    @property
    def _shared(self) -> SharedAuthority:
        if self._authority is None:  # made inside the loop that it waits on
            self._authority = self._make()
        return self._authority

    async def admit(self, worker: str, ticket: int, posting: int, need: Need) -> Grant | OutOfBudget | None:
        """As `SharedAuthority.admit`."""
        return await self._shared.admit(worker, ticket, posting, need)

    async def withdraw(self, worker: str, ticket: int) -> None:
        """As `SharedAuthority.withdraw`."""
        self._shared.withdraw(worker, ticket)

    async def settle(self, worker: str, ticket: int, settled: Settled) -> None:
        """As `SharedAuthority.settle`."""
        self._shared.settle(worker, ticket, settled)

    async def lose(self, worker: str) -> frozenset[int]:
        """As `SharedAuthority.lose`."""
        return self._shared.lose(worker)

    async def spent(self) -> Spent:
        """Where the budget is."""
        return self._shared.spent


class WorkerActor:
    """A worker, in a process of its own."""

    def __init__(self, name: str, site: WorkerSite) -> None:
        self._name = name
        self._site = site
        self._stack = AsyncExitStack()
        self._opened: OpenedSite | None = None
        self._worker: FleetWorker | None = None

    async def open(self) -> SnapdriftError | int:
        """Opens the site; returns the id of this process, or what a user has to mend."""
        try:
            self._opened = await self._stack.enter_async_context(self._site.opened())
        except SnapdriftError as error:
            return error
        return os.getpid()

    async def accept(self, terms: Terms, authority: Any) -> None:
        """Makes the engine that the postings from now on are asked by; `authority` is the actor that lets them."""
        assert self._opened is not None, "a worker is opened first"  # noqa: S101  a defect, not a mistake
        remote = RemoteAuthority(_ActorLink(authority), self._name, terms.limit_usd)
        budget = Budget(terms.limit_usd)  # only its ceiling is read here
        engine = Engine(
            self._opened.ask, stores_nothing, terms.price(), terms.worst(), terms.settings, budget, authority=remote
        )
        self._worker = FleetWorker(engine)

    async def begin(self, seconds_left: float | None) -> None:
        """As `FleetWorker.begin`."""
        self._own.begin(seconds_left)

    async def conclude(self, posting: Posting) -> Concluded:
        """As `FleetWorker.conclude`."""
        return await self._own.conclude(posting)

    async def stop(self, reason: StopReason, detail: str) -> None:
        """As `FleetWorker.stop`."""
        self._own.stop(reason, detail)

    async def give_up(self, number: int) -> None:
        """As `FleetWorker.give_up`."""
        self._own.give_up(number)

    async def call(self, calling: Calling) -> Any:
        """What a function of the workspace came to."""
        assert self._opened is not None, "a worker is opened first"  # noqa: S101  a defect, not a mistake
        return await self._opened.call(calling)

    @property
    def _own(self) -> FleetWorker:
        assert self._worker is not None, "terms are accepted first"  # noqa: S101  a defect, not a mistake
        return self._worker


class _ActorLink:
    """How a worker's engine speaks to the actor of the authority."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    async def admit(self, worker: str, ticket: int, posting: int, need: Need) -> Grant | OutOfBudget | None:
        granted: Grant | OutOfBudget | None = await self._actor.admit.remote(worker, ticket, posting, need)
        return granted

    def withdraw(self, worker: str, ticket: int) -> None:
        self._actor.withdraw.remote(worker, ticket)

    def settle(self, worker: str, ticket: int, settled: Settled) -> None:
        self._actor.settle.remote(worker, ticket, settled)


# ---------------------------------------------------------------------------------------------------- from this process


@dataclass(frozen=True, slots=True)
class RayWorker:
    """A worker's actor as this process speaks to it; `pid` is its process, on whichever machine that is."""

    name: str
    pid: int
    actor: Any = field(repr=False)

    async def accept(self, terms: Terms, authority: Any) -> None:
        """As `WorkerActor.accept`."""
        await _reached(self.actor.accept.remote(terms, authority))

    async def begin(self, seconds_left: float | None) -> None:
        """As `FleetWorker.begin`."""
        await _reached(self.actor.begin.remote(seconds_left))

    async def conclude(self, posting: Posting) -> Concluded:
        """As `FleetWorker.conclude`."""
        concluded: Concluded = await _reached(self.actor.conclude.remote(posting))
        return concluded

    async def stop(self, reason: StopReason, detail: str) -> None:
        """As `FleetWorker.stop`."""
        await _reached(self.actor.stop.remote(reason, detail))

    async def give_up(self, number: int) -> None:
        """As `FleetWorker.give_up`."""
        await _reached(self.actor.give_up.remote(number))

    async def call(self, calling: Calling) -> Any:
        """As `WorkerActor.call`."""
        return await _reached(self.actor.call.remote(calling))

    def kill(self) -> None:
        """Ends the process, if it is there."""
        _import_ray().kill(self.actor)


async def _reached(answer: Awaitable[T]) -> T:
    """What an actor answers. Raises `WorkerLostError` where it is gone or cannot be reached."""
    from ray.exceptions import RayActorError

    try:
        return await answer
    except RayActorError as error:
        raise WorkerLostError(str(error).partition("\n")[0]) from None


@dataclass(slots=True)
class RayFleet:
    """A fleet of one run with its authority."""

    fleet: Fleet
    authority: Any
    last: Spent

    async def spent(self) -> Spent:
        """Where the budget is. Raises `IncompleteError` when the authority is gone."""
        self.last = await _told(self.authority.spent.remote())
        return self.last


async def _told(answer: Awaitable[T]) -> T:
    from ray.exceptions import RayActorError

    try:
        return await answer
    except RayActorError:
        raise IncompleteError(
            "the process that kept the budget was lost; what was answered is stored: go on with `snapdrift resume`"
        ) from None


class RaySession:
    """The workers of one command."""

    def __init__(self, workers: Sequence[RayWorker]) -> None:
        self.workers = tuple(workers)

    async def fleet(self, terms: Terms, make: Callable[[], SharedAuthority]) -> RayFleet:
        """The workers as one fleet under these terms, with an authority of their own on this machine.

        Workers that are lost already are left out.
        """
        authority = _actor(AuthorityActor, cpus=0, here=True).remote(make)
        spent = await _told(authority.spent.remote())
        there = []
        for worker in self.workers:
            with contextlib.suppress(WorkerLostError):
                await worker.accept(terms, authority)
                there.append(worker)

        async def lose(worker: str) -> frozenset[int]:
            return await _told(authority.lose.remote(worker))

        return RayFleet(Fleet(there, lose), authority, spent)


@contextmanager
def ray_session(address: str | None, site: WorkerSite, most: int) -> Iterator[RaySession]:
    """Workers on a Ray cluster, or on this machine where `address` is None: one a core, `most` at most.

    Raises `UsageError` where Ray is not installed or not there, and what `site` raises where a worker cannot be opened.
    A cluster that this process is connected to already is used, and stays.
    """
    ray = _import_ray()
    own = not ray.is_initialized()
    if own:
        _connect(ray, address)
    try:
        cores = int(ray.cluster_resources().get("CPU", 1))
        actors = {
            f"worker-{number}": _actor(WorkerActor, cpus=1).remote(f"worker-{number}", site)
            for number in range(1, 1 + max(1, min(cores, most, MOST_WORKERS)))
        }
        opened = _opened(ray, [actor.open.remote() for actor in actors.values()])
        yield RaySession(
            [RayWorker(name, pid, actor) for (name, actor), pid in zip(actors.items(), opened, strict=True)]
        )
    finally:
        if own:
            ray.shutdown()


def _opened(ray: Any, answers: Sequence[Any]) -> list[int]:
    """The processes of workers that were told to open. Raises what one says that a user has to mend."""
    try:
        found: list[SnapdriftError | int] = ray.get(answers, timeout=_STARTING_S)
    except ray.exceptions.GetTimeoutError:
        raise IncompleteError(
            f"--engine ray: the workers did not start within {_STARTING_S:g} s; expected a core for each in the cluster"
        ) from None
    except ray.exceptions.RayActorError as error:
        said = " ".join(str(error).split())[:300]
        raise IncompleteError(f"--engine ray: a worker was lost before it had started ({said})") from None
    for one in found:
        if isinstance(one, SnapdriftError):
            raise one
    return [one for one in found if isinstance(one, int)]


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
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except (ConnectionError, ValueError, RuntimeError) as error:
        where = f"--ray-address {address}" if address else "--engine ray"
        said = " ".join(str(error).split())[:300]
        raise UsageError(f"{where}: Ray cannot be reached or started ({said}); expected a running cluster") from None


def _actor(kind: type[Any], *, cpus: int, here: bool = False) -> Any:
    """An actor of a class that Ray neither restarts nor has do anything twice; `here` keeps it on this machine."""
    ray = _import_ray()
    options: dict[str, Any] = {"num_cpus": cpus, "max_restarts": 0, "max_concurrency": _MESSAGES}
    if here:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        node = ray.get_runtime_context().get_node_id()
        options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(node_id=node, soft=False)
    return ray.remote(**options)(kind)
