"""A worker of a fleet, on its own side: one engine's attempts, for postings that come from elsewhere."""

from __future__ import annotations

import asyncio

from snapdrift.errors import SnapdriftError
from snapdrift.execution.asker import Asker, GivenUp
from snapdrift.execution.clock import Clock, SystemClock
from snapdrift.execution.engine import Engine
from snapdrift.execution.fleet import Concluded, Posting
from snapdrift.execution.holds import Holds
from snapdrift.execution.records import StopReason
from snapdrift.execution.shared_authority import POSTING
from snapdrift.model import Request, Response


class FleetWorker:
    """Asks postings through their attempts; everything that holds a run back holds all of them."""

    def __init__(self, engine: Engine, clock: Clock | None = None) -> None:
        self._engine = engine
        self._clock = SystemClock() if clock is None else clock
        self._doing: dict[int, asyncio.Task[Response | None]] = {}
        self._holds, self._asker = self._anew(None)

    def _anew(self, seconds_left: float | None) -> tuple[Holds, Asker]:
        deadline = None if seconds_left is None else self._clock.monotonic() + seconds_left
        holds = Holds(self._clock, deadline)
        return holds, self._engine.asker(holds)

    def begin(self, seconds_left: float | None) -> None:
        """A run begins; the deadline is in so many seconds of this machine's clock."""
        self._holds, self._asker = self._anew(seconds_left)

    async def conclude(self, posting: Posting) -> Concluded:
        """Asks a request through its attempts. A mistake of the user's is told, a defect is raised."""
        holds, asker = self._holds, self._asker
        POSTING.set(posting.number)
        doing = asyncio.ensure_future(asker.conclude(posting.request, posting.earlier))
        self._doing[posting.number] = doing
        response, cut, error = None, False, None
        try:
            await asyncio.wait({doing})
            response = doing.result()
        except GivenUp as given_up:
            response, cut = given_up.response, True
        except asyncio.CancelledError:
            doing.cancel()
            cut = True
        except SnapdriftError as mistake:
            error = mistake
        finally:
            del self._doing[posting.number]
        return Concluded(response, cut, holds.reason, holds.detail, asker.retried, asker.charged_usd, error)

    def stop(self, reason: StopReason, detail: str) -> None:
        """Nothing more is started."""
        self._holds.stop(reason, detail)

    def give_up(self, number: int) -> None:
        """Ends a posting at once."""
        if doing := self._doing.get(number):
            doing.cancel()


async def stores_nothing(response: Response, request: Request) -> None:
    """What an engine of a worker would record with; only the engine that hands out requests records."""
    raise RuntimeError(f"a worker was to store {response.call} of {request.call}; it has no file")
