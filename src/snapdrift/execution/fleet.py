"""Attempts that several workers make, in other processes or on other machines, for one engine.

The engine keeps plan, calls, budget, limits, retries and the run file: each attempt is let start where all of these
are, and only then handed to a worker. So nothing that is counted, stored, looked at or followed up knows of workers.
What a lost worker had under way has failed as an attempt of unknown fate: the engine charges it at its worst case and
tries again, by another worker. `docs/design/fleet.md` has the flow and the failures.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Protocol

from snapdrift.errors import IncompleteError
from snapdrift.model import Answer, Failure, FailureKind, Request
from snapdrift.openai_api.errors import AttemptFailed

MOST_LOST = 2
"""How many workers may be lost with one request: a request that ends each worker that asks it must not end them all."""
_LOST = Failure(
    FailureKind.CONNECTION,
    "The worker that asked was lost before the answer came. It may have been answered and billed",
    retryable=True,
    may_have_run=True,
)


class WorkerLostError(Exception):
    """A worker is gone, or cannot be reached: what it had under way will not come."""


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """An `AttemptFailed` on its way between processes: its failure, and whatever else it says."""

    failure: Failure
    says: dict[str, Any]

    @classmethod
    def of(cls, error: AttemptFailed) -> FailedAttempt:
        """What an error says."""
        return cls(error.failure, dict(vars(error)))

    def error(self) -> AttemptFailed:
        """The error again."""
        error = AttemptFailed(self.failure)
        vars(error).update(self.says)
        return error


class Worker(Protocol):
    """A worker as the engine's process sees it."""

    @property
    def name(self) -> str:
        """What it is called, unlike any other of the fleet."""

    async def ask(self, number: int, request: Request) -> Answer | FailedAttempt:
        """Makes one attempt. Raises `WorkerLostError` once the worker is gone."""

    def give_up(self, number: int) -> None:
        """Ends an attempt for which nobody waits any more; does not wait for that."""

    def kill(self) -> None:
        """Ends a worker that is taken for lost: it must not go on asking."""


class Fleet:
    """The workers of a command: the cases are dealt to those that there are."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._live = {worker.name: worker for worker in workers}
        self._numbers = count(1)
        self._losses: dict[str, int] = {}

    async def ask(self, request: Request) -> Answer:
        """One attempt, by the worker whose case it is. Raises `AttemptFailed` for everything that is no answer.

        Raises `IncompleteError` when no worker is left. Cancelled, the worker is told to give the attempt up.
        """
        worker, number = self._worker_for(request), next(self._numbers)
        try:
            made = await worker.ask(number, request)
        except WorkerLostError:
            raise AttemptFailed(self._lost(worker, request)) from None
        except asyncio.CancelledError:
            worker.give_up(number)
            raise
        if isinstance(made, FailedAttempt):
            raise made.error()
        return made

    def _worker_for(self, request: Request) -> Worker:
        """The worker whose case it is; losing one moves no case of the others (rendezvous hashing).

        Source: D. Thaler and C. Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", 1998.
        """
        case = request.call.case_id.encode("utf-8", "surrogatepass")
        worker = max(self._live.values(), key=lambda worker: _weight(worker.name, case), default=None)
        if worker is None:
            raise IncompleteError("every worker was lost; what was answered is stored: go on with `snapdrift resume`")
        return worker

    def _lost(self, worker: Worker, request: Request) -> Failure:
        """The failure of an attempt whose worker was lost; the worker gets no more."""
        if self._live.pop(worker.name, None) is not None:
            worker.kill()
        losses = self._losses[request.client_request_id] = self._losses.get(request.client_request_id, 0) + 1
        return _LOST if losses < MOST_LOST else replace(_LOST, retryable=False)


def _weight(name: str, case: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\0" + case).digest()
