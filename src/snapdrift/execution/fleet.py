"""Attempts that several workers make, in other processes or on other machines, for one engine.

The engine keeps plan, calls, budget, limits, retries and the run file: each attempt is let start where all of these
are, and only then handed to a worker. So nothing that is counted, stored, looked at or followed up knows of workers.
What a lost worker had under way has failed as an attempt of unknown fate: the engine charges it at its worst case and
tries again, by another worker. `docs/design/fleet.md` has the flow and the failures.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import Any, Protocol

from snapdrift.errors import IncompleteError
from snapdrift.execution.roster import Roster, Work
from snapdrift.execution.turns import HELD_BACK, OWN
from snapdrift.model import Answer, Failure, FailureKind, Request
from snapdrift.openai_api.errors import AttemptFailed

_LOST = Failure(
    FailureKind.CONNECTION,
    "The worker that asked was lost before the answer came. It may have been answered and billed",
    retryable=True,
    may_have_run=True,
)
_ENDS_WORKERS = "Asking this case ended the workers that did nothing else meanwhile, so it is asked no more"


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

    @property
    def accounts(self) -> Mapping[str, int]:
        """Under which account it asks each host, by the host's base URL; `OWN` for those that are not in it."""

    async def ask(self, number: int, request: Request) -> Answer | FailedAttempt:
        """Makes one attempt. Raises `WorkerLostError` once the worker is gone."""

    def give_up(self, number: int) -> None:
        """Ends an attempt for which nobody waits any more; does not wait for that."""

    def kill(self) -> None:
        """Ends a worker that is taken for lost: it must not go on asking."""


def none_left() -> IncompleteError:
    """That no worker is left, and how to go on."""
    return IncompleteError("every worker was lost; what was answered is stored: go on with `snapdrift resume`")


class Fleet:
    """The workers of a command as what makes its attempts (`Turns`): the cases are dealt to those that there are.

    `roster` says which there are; it is shared with whatever else they are used for.
    """

    def __init__(self, workers: Sequence[Worker], roster: Roster | None = None) -> None:
        self._workers = {worker.name: worker for worker in workers}
        self._roster = Roster(self._workers) if roster is None else roster
        self._numbers = count(1)

    def accounts(self, request: Request) -> tuple[int, ...]:
        """The accounts of the workers that are left."""
        return self._accounts_of(self._roster.live(), request)

    def at_once(self, request: Request) -> _FleetTurn | None:
        """A turn by any worker that takes it; None for a case that is asked alone, or no more, or by nobody now."""
        work = _work_of(request)
        if self._roster.is_suspect(work) or self._roster.is_given_up(work):
            return None
        accounts = self._accounts_of(self._roster.open(), request)
        return _FleetTurn(self, request, work, accounts) if accounts else None

    async def wait(self, request: Request, *, last: bool) -> _FleetTurn | Failure:
        """A turn once there is one, alone on a worker for a case that was on a lost one; or why there is none.

        Raises `IncompleteError` when no worker is left.
        """
        work, roster = _work_of(request), self._roster
        while not roster.is_given_up(work):
            if roster.is_suspect(work):
                name = await roster.keep(work, partial(weight_of, _case_of(request)), last=last)
                if name is not None:
                    return _FleetTurn(self, request, work, self._accounts_of([name], request), kept=name)
                if not roster.is_given_up(work):
                    break
            else:
                await roster.some_open()
                if (turn := self.at_once(request)) is not None:
                    return turn
                if not roster.live():
                    break
        if roster.is_given_up(work):
            return replace(_LOST, message=f"Not asked. {_ENDS_WORKERS}", retryable=False, may_have_run=False)
        if not roster.live():
            raise none_left()
        return HELD_BACK

    def begin(self, request: Request, work: Work, account: int, kept: str | None) -> Worker | None:
        """The worker that makes an attempt under an account from now on; None where there is none."""
        names = self._roster.open() if kept is None else [kept]
        for name in preferred(names, _case_of(request)):
            worker = self._workers[name]
            if _account_of(worker, request) == account and self._roster.begin(name, work):
                return worker
        return None

    async def ask(self, worker: Worker, request: Request, work: Work) -> Answer:
        """One attempt that was begun. Raises `AttemptFailed`. Cancelled, the worker is told to give it up."""
        number = next(self._numbers)
        try:
            made = await worker.ask(number, request)
        except WorkerLostError:
            loss = self._roster.lose(worker.name, work)
            if loss.first:
                worker.kill()
            said = replace(_LOST, message=f"{_LOST.message}. {_ENDS_WORKERS}", retryable=False)
            raise AttemptFailed(said if loss.given_up else _LOST) from None
        except asyncio.CancelledError:
            worker.give_up(number)
            raise
        self._roster.end(worker.name, work, cleared=True)
        if isinstance(made, FailedAttempt):
            raise made.error()
        return made

    def over(self, worker: Worker | None, work: Work, kept: str | None) -> None:
        """A turn is over, whether its attempt came to an end or was not made."""
        if worker is not None:
            self._roster.end(worker.name, work, cleared=False)
        if kept is not None:
            self._roster.release(kept)

    def _accounts_of(self, names: Sequence[str], request: Request) -> tuple[int, ...]:
        """The accounts of workers, that of the worker whose case it is first."""
        if not request.endpoint.over_http:
            return (OWN,) if names else ()
        ordered = preferred(names, _case_of(request))
        return tuple(dict.fromkeys(_account_of(self._workers[name], request) for name in ordered))


@dataclass(slots=True)
class _FleetTurn:
    """One attempt by a worker; `kept` is the one that does nothing else meanwhile."""

    fleet: Fleet
    request: Request
    work: Work
    accounts: tuple[int, ...]
    kept: str | None = None
    worker: Worker | None = field(default=None, init=False)

    def begin(self, account: int) -> bool:
        self.worker = self.fleet.begin(self.request, self.work, account, self.kept)
        return self.worker is not None

    async def ask(self) -> Answer:
        assert self.worker is not None, "a turn is begun first"  # noqa: S101  a defect, not a mistake
        return await self.fleet.ask(self.worker, self.request, self.work)

    def over(self) -> None:
        self.fleet.over(self.worker, self.work, self.kept)


def _work_of(request: Request) -> Work:
    """A request as workers do it: judges' questions about a case, and its namesake in another run, are other work."""
    run, call = request.client_request_id.partition(":")[0], request.call
    return Work(request.client_request_id, ("asked", run, call.case_id, call.grader))


def _case_of(request: Request) -> bytes:
    return request.call.case_id.encode("utf-8", "surrogatepass")


def _account_of(worker: Worker, request: Request) -> int:
    return worker.accounts.get(request.base_url, OWN) if request.endpoint.over_http else OWN


def preferred(names: Sequence[str], case: bytes) -> list[str]:
    """Workers as a case prefers them; losing one moves no case of the others (rendezvous hashing).

    Source: D. Thaler and C. Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", 1998.
    """
    return sorted(names, key=partial(weight_of, case), reverse=True)


def weight_of(case: bytes, name: str) -> bytes:
    """How much a case prefers a worker to others."""
    return hashlib.sha256(name.encode() + b"\0" + case).digest()
