"""One call from its first request to its end: a single request, or several where tools and scripted turns need them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from snapdrift.execution.asker import Asker, GivenUp
from snapdrift.execution.steps import Onward, Stepping, step_of
from snapdrift.model import Attempt, Outcome, Request, Response, Step
from snapdrift.openai_api.errors import AttemptFailed


@dataclass(frozen=True, slots=True)
class Job:
    """A call that is at the request which is asked next: the attempts it had so far, and its answered steps."""

    request: Request
    attempts: tuple[Attempt, ...]
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended: its response to the last request, and the steps before it.

    `asked` says whether anybody was asked, `counted` whether what its last answer cost was counted as that of a step.
    """

    request: Request
    response: Response
    steps: tuple[Step, ...]
    asked: bool
    counted: bool = False


@dataclass(frozen=True, slots=True)
class _Answered:
    """A request that was answered and stored, after which the call may go on."""

    job: Job
    response: Response


class CutOff(asyncio.CancelledError):
    """A call was cut off by cancellation in a request that may have been billed; `ending` is to be stored."""

    def __init__(self, ending: Ending) -> None:
        self.ending = ending
        super().__init__()


class Caller:
    """Makes calls for one run. `usd` is what the stored steps of calls have cost."""

    def __init__(self, asker: Asker, stepping: Stepping | None) -> None:
        self._asker = asker
        self._stepping = stepping
        self.usd = 0.0

    async def make(self, job: Job) -> Ending | None:
        """Asks the requests of a call one after another; None when its next one could not be started any more.

        An answer after which the call may go on is on the disk before it is asked how. Cancelled in the middle of a
        request it raises `CutOff`.
        """
        stepping = self._stepping
        if stepping is None or not stepping.applies(job.request.call):
            response = await self._ask(job)
            return None if response is None else _ending(job, response)
        begun = None if job.steps else stepping.begun(job.request)
        place: _Answered | Ending | None
        if begun is None:
            place = await self._answer(job, stepping)
        else:
            # The attempts of a call that failed later are more than those of its last answer.
            attempts = job.attempts or begun.response.attempts
            place = _Answered(Job(begun.request, attempts, begun.steps), replace(begun.response, attempts=attempts))
        while isinstance(place, _Answered):
            place = await self._follow(place, stepping)
        return place

    async def _answer(self, job: Job, stepping: Stepping) -> _Answered | Ending | None:
        response = await self._ask(job)
        if response is None or response.outcome is Outcome.API_ERROR:
            return None if response is None else _ending(job, response)
        await to_the_end(stepping.record_step(job.request, response, job.steps))
        self.usd += response.usd or 0.0
        return _Answered(job, response)

    async def _follow(self, place: _Answered, stepping: Stepping) -> _Answered | Ending | None:
        job, response = place.job, place.response
        try:
            followed = await stepping.follow(job.request, response, job.steps)
        except AttemptFailed as error:
            stuck = self._asker.stuck(job.request, error.failure, response.attempts)
            asked = len(response.attempts) > len(job.attempts)
            return Ending(job.request, stuck, (*job.steps, step_of(job.request, response)), asked, counted=True)
        if not isinstance(followed, Onward):
            return replace(_ending(job, followed), counted=True)
        steps = (*job.steps, followed.step)
        return await self._answer(Job(followed.request, response.attempts, steps), stepping)

    async def _ask(self, job: Job) -> Response | None:
        try:
            return await self._asker.conclude(job.request, job.attempts)
        except GivenUp as cut:
            raise CutOff(Ending(job.request, cut.response, job.steps, asked=True)) from None


async def to_the_end(work: Awaitable[None], then: Callable[[], None] | None = None) -> None:
    """Waits for what must not be left half done, and does what comes `then`, also when the task is cancelled.

    It may have been paid for. A future is waited for as it is: a task for each answer takes longer than to store it.
    """
    doing = asyncio.ensure_future(work)
    try:
        await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait({doing})
        # The run ends with the first error of this kind; the others would be printed unread.
        if not doing.cancelled() and doing.exception() is None and then is not None:
            then()
        raise
    if then is not None:
        then()


def _ending(job: Job, response: Response) -> Ending:
    return Ending(job.request, response, job.steps, asked=len(response.attempts) > len(job.attempts))
