"""One request through its attempts: admission, the attempt itself, and whether to try again."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum

from snapdrift.errors import CatalogError
from snapdrift.execution.authority import Authority, Grant, Need, OutOfBudget, Settled
from snapdrift.execution.budget import Budget
from snapdrift.execution.clock import Clock, timestamp
from snapdrift.execution.holds import Holds
from snapdrift.execution.records import EngineSettings, StopReason
from snapdrift.execution.responses import requested_model, response_from_answer, response_from_failure
from snapdrift.execution.surprises import Surprises
from snapdrift.execution.turns import Turn, Turns
from snapdrift.model import Answer, Attempt, Endpoint, Failure, FailureKind, Request, Response
from snapdrift.openai_api.errors import AttemptFailed
from snapdrift.openai_api.load import load_of

Price = Callable[[str, Answer], float | None]
"""What an answer costs at the prices of a model, in dollars; None: unknown. The answer has its usage."""
Worst = Callable[[Request], float | None]
Reuse = Callable[[Request], Response | None]
"""An answer to this very request that an earlier run received; None: it is to be asked."""


_CUT_OFF = Failure(
    FailureKind.CONNECTION,
    "Cut off: the run was ended before the answer came. It may have been answered and billed",
    retryable=True,
    may_have_run=True,
)


@dataclass(frozen=True, slots=True)
class Costs:
    """What things cost: an answer at a model's price and the worst case of a request, in dollars; None: unknown.

    `surprises` are the answers that cost more than their worst case.
    """

    price: Price
    worst: Worst
    budget: Budget
    surprises: Surprises = field(default_factory=Surprises)

    def of(self, request: Request, answer: Answer) -> float | None:
        """The price of an answer: what it says itself, that of the model which gave it, else of the one asked for."""
        if answer.usd is not None or answer.usage is None:
            return answer.usd
        if answer.service_tier is None and not answer.batched:
            # A host that does not say which tier served the request is taken to have done as it was asked.
            answer = replace(answer, service_tier=request.body.get("service_tier"))
        usd = self.price(answer.returned_model, answer) if answer.returned_model else None
        return self.price(requested_model(request), answer) if usd is None else usd

    def worst_of(self, request: Request) -> float:
        """What a request costs at most; raises `CatalogError` where that is unknown and a budget is set."""
        usd = self.worst(request)
        if usd is None and self.budget.is_limited:
            called = self.budget.called or "the budget a day"
            raise CatalogError(
                f"what a request to {requested_model(request)!r} costs at most is not known, so {called} cannot be "
                "kept; give the model's prices in snapdrift.toml, its max_output (or max_output_tokens in the suite) "
                "and, where requests have files or follow one another by id, its context_window"
            )
        return usd or 0.0

    def note(self, request: Request, worst_usd: float, usd: float | None) -> None:
        """Remembers an answer that cost more than its worst case, where there is a limit that it may exceed."""
        if self.budget.is_limited:
            self.surprises.note(request, worst_usd, usd)


@dataclass(frozen=True, slots=True)
class _Answered:
    answer: Answer
    usd: float | None


class _NotMade(Enum):
    """Why an attempt was not made: the run was stopped, or it is to be begun anew, maybe by somebody else."""

    STOPPED = "stopped"
    ANEW = "anew"


class GivenUp(asyncio.CancelledError):
    """A call was cut off by cancellation; `response` says so, with the attempts that may have been billed."""

    def __init__(self, response: Response) -> None:
        self.response = response
        super().__init__()


class Asker:
    """Asks requests for one run. What it learns on the way (a model that is gone, a pause) holds for all workers.

    `is_last` is to be set once every other call has ended: then nothing is held back for others.
    """

    def __init__(
        self,
        turns: Turns,
        costs: Costs,
        authority: Authority,
        settings: EngineSettings,
        clock: Clock,
        rng: random.Random,
        holds: Holds,
        reuse: Reuse | None = None,
    ) -> None:
        self._turns = turns
        self._reuse = reuse
        self._costs = costs
        self._authority = authority
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._holds = holds
        self._gone: dict[tuple[str, Endpoint, str], Failure] = {}
        self._resting: dict[tuple[str, Endpoint, str, int], tuple[float, Failure]] = {}
        self.is_last = False
        self.retried = 0
        self.charged_usd = 0.0

    async def conclude(self, request: Request, earlier: tuple[Attempt, ...]) -> Response | None:
        """How the call ended, its `earlier` attempts included; None when it could not be started any more.

        Cancelled after an attempt was begun it raises `GivenUp`, whose response is to be stored like any other.
        """
        if self._reuse is not None and (known := self._reuse(request)) is not None:
            return replace(known, attempts=earlier)
        attempts = list(earlier)
        try:
            return await self._concluded(request, attempts)
        except asyncio.CancelledError:
            last = attempts[-1].failure if len(attempts) > len(earlier) else None
            if last is None:
                raise
            raise GivenUp(self._failed(request, last, attempts)) from None

    async def _concluded(self, request: Request, attempts: list[Attempt]) -> Response | None:
        last: Failure | None = None
        failures = 0
        while True:
            if gone := self._gone.get(_target(request)):
                return self._failed(request, gone, attempts)
            turn = await self._turn(request)
            if isinstance(turn, Failure):
                return self._failed(request, turn, attempts)
            if turn is None:
                return self._failed(request, last, attempts) if last else None
            made = await self._taken(request, turn, attempts)
            if made is _NotMade.ANEW:
                continue
            if made is _NotMade.STOPPED:
                return self._failed(request, last, attempts) if last else None
            if isinstance(made, _Answered):
                finished_at = timestamp(self._clock.now())
                return response_from_answer(request, made.answer, tuple(attempts), made.usd, finished_at)
            last, failures = made, failures + 1
            if not await self._wait_to_retry(request, last, failures):
                return self._failed(request, last, attempts)

    async def _turn(self, request: Request) -> Turn | Failure | None:
        """The turn of a request, or why it is not asked; None when the run is stopped while it is waited for."""
        turn: Turn | Failure | None = self._turns.at_once(request)
        if turn is None and self._holds.may_start():
            turn = await self._holds.until_stopped(self._turns.wait(request, last=self.is_last))
        if turn is None or isinstance(turn, Failure) or not self._resting:
            return turn
        rests = [self._rest_of(request, account) for account in turn.accounts]
        if None in rests:
            return turn
        turn.over()
        return rests[0]

    def _awake(self, request: Request, turn: Turn) -> tuple[int, ...]:
        """The accounts of a turn whose host has not asked to be left alone under them."""
        if not self._resting:
            return turn.accounts
        return tuple(account for account in turn.accounts if self._rest_of(request, account) is None)

    async def _taken(self, request: Request, turn: Turn, attempts: list[Attempt]) -> _Answered | Failure | _NotMade:
        """Makes the attempt of a turn, once it is let start."""
        try:
            grant = await self._admit(request, self._awake(request, turn))
            if grant is None:
                return _NotMade.STOPPED
            # While this one waited, a rest may have begun, or whoever was to ask be gone.
            if self._rest_of(request, grant.account) or not turn.begin(grant.account):
                self._authority.settle(grant, Settled(0.0, sent=False))
                return _NotMade.ANEW
            if attempts and attempts[-1].failure is not None:  # else it was an earlier request that was answered
                self.retried += 1
            return await self._attempt(request, turn, grant, attempts)
        finally:
            turn.over()

    async def _admit(self, request: Request, accounts: tuple[int, ...]) -> Grant | None:
        """Leave to ask, waited for until the run is stopped; None when it does not come."""
        if not self._holds.may_start():
            return None
        grant = await self._holds.until_stopped(self._authority.admit(self._need(request, accounts)))
        if isinstance(grant, OutOfBudget):
            self._holds.stop(StopReason.BUDGET, str(grant))
            return None
        if grant is None or self._holds.may_start():
            return grant
        self._authority.settle(grant, Settled(0.0, sent=False))
        return None

    def _need(self, request: Request, accounts: tuple[int, ...]) -> Need:
        model, worst = requested_model(request), self._costs.worst_of(request)
        if not request.endpoint.over_http:
            return Need(request.base_url, model, worst, paced=False, accounts=accounts)
        load = load_of(request.body)
        return Need(request.base_url, model, worst, load.tokens, load.images, accounts=accounts)

    async def _attempt(
        self, request: Request, turn: Turn, grant: Grant, attempts: list[Attempt]
    ) -> _Answered | Failure:
        """Makes one attempt, adds it to `attempts` and settles what it cost, all of it also when it is cancelled."""
        number, started_at, began = len(attempts) + 1, timestamp(self._clock.now()), self._clock.monotonic()

        def failed(failure: Failure, latency_ms: float | None = None) -> Failure:
            took = (self._clock.monotonic() - began) * 1000.0 if latency_ms is None else latency_ms
            attempts.append(Attempt(number, started_at, took, failure))
            return failure

        settled = Settled(None)
        try:
            async with asyncio.timeout(self._settings.timeout) as bound:
                answer = await turn.ask()
            settled = Settled(self._costs.of(request, answer), answer.usage, told=answer.told)
            self._costs.note(request, grant.worst_usd, settled.usd)
            attempts.append(Attempt(number, started_at, answer.latency_ms))
            return _Answered(answer, settled.usd)
        except AttemptFailed as error:
            failure = self._weighed(request, error.failure, grant.account)
            waited_for = failure is error.failure
            settled = Settled(
                None if failure.may_have_run else 0.0,
                # Nobody who shares the limit is to wait for what is not waited for.
                failure=failure if waited_for else replace(failure, retryable=False),
                told=error.told,
            )
            return failed(failure, error.latency_ms)
        except TimeoutError:
            if not bound.expired():
                raise
            message = f"Timed out: no answer in {self._settings.timeout:g} s. It may have been answered and billed"
            failure = Failure(FailureKind.TIMEOUT, message, retryable=True, may_have_run=True)
            settled = Settled(None, failure=failure)
            return failed(failure)
        except asyncio.CancelledError:
            settled = Settled(None, failure=_CUT_OFF)
            failed(_CUT_OFF)
            raise
        finally:
            self.charged_usd += self._authority.settle(grant, settled)

    async def _wait_to_retry(self, request: Request, failure: Failure, failures: int) -> bool:
        """Acts on a failure for the whole run, then waits if the request is tried again; says whether it is."""
        if failure.stops_run:
            quota = failure.kind is FailureKind.QUOTA
            self._holds.stop(StopReason.QUOTA if quota else StopReason.AUTHENTICATION, failure.message)
        if failure.kind is FailureKind.MODEL_NOT_FOUND:
            self._gone[_target(request)] = _for_others(failure)
        policy = self._settings.retry
        if not policy.again(failures, failure) or self.rests(request):
            return False
        if failure.kind is not FailureKind.RATE_LIMIT and self._is_too_long(failure):
            return False
        if failure.kind is FailureKind.RATE_LIMIT or failure.retry_after is not None:
            return self._holds.may_start()  # the pause is waited for by all who share the limit, on admission
        return await self._holds.rest(policy.wait(failures, failure, self._rng))

    def _longest_rest(self) -> float:
        """Seconds that a host is left alone for where it asks for that."""
        deadline = self._settings.deadline
        return self._settings.longest_rest if deadline is None else max(0.0, deadline - self._clock.monotonic())

    def _is_too_long(self, failure: Failure) -> bool:
        return failure.retryable and failure.retry_after is not None and failure.retry_after > self._longest_rest()

    def _weighed(self, request: Request, failure: Failure, account: int) -> Failure:
        """The failure, which says so where its host asks to be left alone for longer than is waited for.

        A limit is the account's: then nobody asks for the model under it for so long, as a provider that wants an
        hour's rest is not asked early. Of any other failure nobody but the call knows.
        """
        if failure.retry_after is None or not self._is_too_long(failure):
            return failure
        seconds = f"{self._longest_rest():.0f} s"
        bound = "that are waited for without a --deadline" if self._settings.deadline is None else "until the deadline"
        rest = f"To be left alone for {failure.retry_after:.0f} s is longer than the {seconds} {bound}"
        weighed = replace(failure, message=f"{failure.message}. {rest}")
        if failure.kind is FailureKind.RATE_LIMIT:
            until = self._clock.monotonic() + failure.retry_after
            self._resting[(*_target(request), account)] = until, _for_others(weighed)
        return weighed

    def rests(self, request: Request) -> bool:
        """Whether the host of a request is left alone now under every account, because it asked for that."""
        if not self._resting:
            return False
        accounts = self._turns.accounts(request)
        return bool(accounts) and all(self._rest_of(request, account) is not None for account in accounts)

    def _rest_of(self, request: Request, account: int) -> Failure | None:
        """Why a host is left alone, as it stands for calls that are not asked because of it; None where it is not."""
        if not self._resting:
            return None
        until, failure = self._resting.get((*_target(request), account), (-math.inf, None))
        return failure if self._clock.monotonic() < until else None

    def stuck(self, request: Request, failure: Failure, attempts: tuple[Attempt, ...]) -> Response:
        """How a call ended that cannot go on although `request` was answered."""
        return self._failed(request, failure, list(attempts))

    def _failed(self, request: Request, failure: Failure, attempts: list[Attempt]) -> Response:
        return response_from_failure(request, failure, tuple(attempts), timestamp(self._clock.now()))


def _target(request: Request) -> tuple[str, Endpoint, str]:
    """Whom a request asks: a host may know a model on one endpoint only."""
    return request.base_url, request.endpoint, requested_model(request)


def _for_others(failure: Failure) -> Failure:
    """A failure as it stands for calls that are not asked because of it."""
    message = f"Not asked, for an earlier call to this model failed: {failure.message}"
    return replace(failure, message=message, request_id=None, may_have_run=False)
