"""Requests that several workers ask, in other processes or on other machines, for one engine.

The engine keeps its plan, its calls and its file: it hands each request to a worker and gets back how it ended. So
nothing that is stored, looked at or followed up knows of workers, and what a lost one had is asked by another.
`docs/design/fleet.md` has the flow and the failures.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from snapdrift.errors import SnapdriftError
from snapdrift.execution.asker import GivenUp
from snapdrift.execution.clock import Clock, timestamp
from snapdrift.execution.holds import Holds
from snapdrift.execution.records import StopReason
from snapdrift.execution.responses import response_from_failure
from snapdrift.model import Attempt, Failure, FailureKind, Request, Response

MOST_LOST = 2
"""How many workers may be lost with one request: a request that ends each worker that asks it must not end them all."""
_LONG_S = 1e9
_GIVING_UP_S = 2.0
"""How long is waited for what a worker has of a request that is given up, in seconds."""
_LOST = Failure(
    FailureKind.CONNECTION,
    "The worker that asked was lost before the answer came. It may have been answered and billed",
    retryable=True,
    may_have_run=True,
)


class WorkerLostError(Exception):
    """A worker is gone, or cannot be reached: what it had under way will not come."""


@dataclass(frozen=True, slots=True)
class Posting:
    """A request that a worker is handed, with the attempts that its call had so far. `number` is its alone."""

    number: int
    request: Request
    earlier: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Concluded:
    """How a worker ended a posting.

    `response` is None where it could not be started any more; `cut` where it was given up in the middle. `stopped` and
    `detail` say what ends the run for everybody. `retried` and `charged_usd` are the worker's totals so far. `error` is
    what ends the run as a mistake of the user's.
    """

    response: Response | None
    cut: bool = False
    stopped: StopReason | None = None
    detail: str = ""
    retried: int = 0
    charged_usd: float = 0.0
    error: SnapdriftError | None = None


class Worker(Protocol):
    """A worker as the engine sees it. Each method raises `WorkerLostError` once the worker is gone."""

    @property
    def name(self) -> str:
        """What it is called, unlike any other of the fleet."""

    async def begin(self, seconds_left: float | None) -> None:
        """A run begins: what an earlier one had learned or was stopped by is forgotten. None: there is no deadline."""

    async def conclude(self, posting: Posting) -> Concluded:
        """Asks a request through its attempts."""

    async def stop(self, reason: StopReason, detail: str) -> None:
        """Nothing more is started."""

    async def give_up(self, number: int) -> None:
        """Ends a posting at once; `conclude` returns what is known of it."""

    def kill(self) -> None:
        """Ends a worker that is taken for lost: it must not go on asking."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """The workers of one engine. `lose` tells their authority of one that is gone (`SharedAuthority.lose`)."""

    workers: Sequence[Worker]
    lose: Callable[[str], Awaitable[frozenset[int]]]
    _numbers: count[int] = field(default_factory=lambda: count(1))

    @asynccontextmanager
    async def asking(self, holds: Holds, clock: Clock, deadline: float | None) -> AsyncIterator[FleetAsker]:
        """What asks the requests of one run. A stop of the run is one of every worker."""
        left = None if deadline is None else max(0.0, deadline - clock.monotonic())
        asker = FleetAsker(self, holds, clock)
        await asker.begin(left)
        spreading = asyncio.ensure_future(asker.spread_stop())
        try:
            yield asker
        finally:
            spreading.cancel()
            await asyncio.wait({spreading})

    def next_number(self) -> int:
        """A number for a posting."""
        return next(self._numbers)


class FleetAsker:
    """Asks requests for one run, each by a worker: the cases are dealt to the workers that there are."""

    def __init__(self, fleet: Fleet, holds: Holds, clock: Clock) -> None:
        self._fleet = fleet
        self._holds = holds
        self._clock = clock
        self._live: dict[str, Worker] = {}
        self._losses: dict[str, asyncio.Future[frozenset[int]]] = {}
        self._told: dict[str, Concluded] = {}

    @property
    def retried(self) -> int:
        """Attempts beyond each call's first."""
        return sum(told.retried for told in self._told.values())

    @property
    def charged_usd(self) -> float:
        """What the workers took from the budget, as far as they have told, in dollars."""
        return sum(told.charged_usd for told in self._told.values())

    async def begin(self, seconds_left: float | None) -> None:
        """Begins a run on every worker that is there."""

        async def begin(worker: Worker) -> None:
            with suppress(WorkerLostError):
                await worker.begin(seconds_left)
                self._live[worker.name] = worker

        await asyncio.gather(*map(begin, self._fleet.workers))

    async def spread_stop(self) -> None:
        """Tells every worker once the run is stopped."""
        while await self._holds.rest(_LONG_S):
            pass
        reason, detail = self._holds.reason or StopReason.CANCELLED, self._holds.detail
        for worker in list(self._live.values()):
            with suppress(WorkerLostError):
                await worker.stop(reason, detail)

    async def conclude(self, request: Request, earlier: tuple[Attempt, ...]) -> Response | None:
        """How the request ended, its `earlier` attempts included; None when it could not be started any more.

        Cancelled after it was begun it raises `GivenUp`, whose response is to be stored like any other.
        """
        attempts, lost = earlier, 0
        while lost < MOST_LOST and self._holds.may_start():
            worker = self._worker_for(request)
            if worker is None:
                self._holds.stop(StopReason.WORKERS_LOST, "every worker was lost")
                break
            posting = Posting(self._fleet.next_number(), request, attempts)
            began, started_at = self._clock.monotonic(), timestamp(self._clock.now())
            try:
                return self._taken(worker, await self._by(worker, posting))
            except WorkerLostError:
                lost += 1
                if posting.number in await self._granted_to(worker):
                    took = (self._clock.monotonic() - began) * 1000.0
                    attempts = (*attempts, Attempt(len(attempts) + 1, started_at, took, _LOST))
        return self.stuck(request, _LOST, attempts) if lost and len(attempts) > len(earlier) else None

    def stuck(self, request: Request, failure: Failure, attempts: tuple[Attempt, ...]) -> Response:
        """How a call ended that cannot go on."""
        return response_from_failure(request, failure, attempts, timestamp(self._clock.now()))

    def _taken(self, worker: Worker, concluded: Concluded) -> Response | None:
        self._told[worker.name] = concluded
        if concluded.error is not None:
            raise concluded.error
        if concluded.stopped is not None:
            self._holds.stop(concluded.stopped, concluded.detail)
        return concluded.response

    async def _by(self, worker: Worker, posting: Posting) -> Concluded:
        doing = asyncio.ensure_future(worker.conclude(posting))
        try:
            return await asyncio.shield(doing)
        except asyncio.CancelledError:
            concluded = await self._given_up(worker, posting, doing)
            if concluded is None:
                attempt = Attempt(len(posting.earlier) + 1, timestamp(self._clock.now()), 0.0, _LOST)
                raise GivenUp(self.stuck(posting.request, _LOST, (*posting.earlier, attempt))) from None
            if not concluded.cut:
                # It came in the last moment, and was paid for: it is taken, and nothing comes after it.
                self._holds.stop(StopReason.CANCELLED, "the run was interrupted")
                return concluded
            if concluded.response is None:
                raise
            raise GivenUp(concluded.response) from None

    async def _given_up(self, worker: Worker, posting: Posting, doing: asyncio.Future[Concluded]) -> Concluded | None:
        """What a worker has of a posting that is given up; None where it does not say."""
        with suppress(WorkerLostError, TimeoutError):
            async with asyncio.timeout(_GIVING_UP_S):
                await worker.give_up(posting.number)
                return await doing
        doing.cancel()
        return None

    async def _granted_to(self, worker: Worker) -> frozenset[int]:
        """The postings that a lost worker may have asked; the first who meets the loss tells the authority."""
        if worker.name not in self._losses:
            self._live.pop(worker.name, None)
            worker.kill()
            self._losses[worker.name] = asyncio.ensure_future(self._fleet.lose(worker.name))
        return await asyncio.shield(self._losses[worker.name])

    def _worker_for(self, request: Request) -> Worker | None:
        """The worker whose case it is; losing one moves no case of the others (rendezvous hashing).

        Source: D. Thaler and C. Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", 1998.
        """
        case = request.call.case_id.encode("utf-8", "surrogatepass")
        return max(self._live.values(), key=lambda worker: _weight(worker.name, case), default=None)


def _weight(name: str, case: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\0" + case).digest()
