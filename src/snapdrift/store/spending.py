"""What the calls of a stored run count against a budget, each answered request once.

A call's answered requests stand among the steps until it ends; then the last of them is part of the response. So what
was spent is the steps plus the last request of each response, plus what was replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from snapdrift.model import CallKey, Request, Response

if TYPE_CHECKING:
    from snapdrift.store.reader import StoredRun

Worst = Callable[[Request], float | None]


def last_request_usd(response: Response) -> float | None:
    """What the last request of a call cost by itself in dollars, None where that is not known."""
    if response.usd is None:
        return None
    return max(0.0, response.usd - sum(step.usd or 0.0 for step in response.steps))


def spent_usd(run: StoredRun, worst: Worst) -> float:
    """Dollars: answers at their price, and what may have been billed unseen at `worst` of its request."""
    ended = set()
    total = run.superseded_usd()
    for response in run.responses():
        total += last_request_usd(response) or 0.0
        unseen = _unseen(response)
        if unseen:
            request = run.request(response.call, len(response.steps)) or run.request(response.call)
            total += unseen * _worst_of(request, worst)
        if response.steps:
            ended.add(response.call)
    return total + _steps_usd(run, ended, worst)


def _steps_usd(run: StoredRun, ended: set[CallKey], worst: Worst) -> float:
    """What the stored steps cost; a call that has not ended has its attempts of unknown fate in its last step."""
    total = 0.0
    last: Response | None = None
    for number, response in run.stored_steps():
        if last is not None and last.call != response.call:
            total += _unseen_attempts(last) * _worst_of(run.request(last.call), worst)
        last = None if response.call in ended else response
        total += _worst_of(run.request(response.call, number), worst) if response.usd is None else response.usd
    if last is not None:
        total += _unseen_attempts(last) * _worst_of(run.request(last.call), worst)
    return total


def _unseen(response: Response) -> int:
    """How many requests to a call may have been billed at a price that nobody knows."""
    unpriced = response.usd is None and response.outcome.measured
    return _unseen_attempts(response) + unpriced


def _unseen_attempts(response: Response) -> int:
    return sum(1 for attempt in response.attempts if attempt.failure and attempt.failure.may_have_run)


def _worst_of(request: Request | None, worst: Worst) -> float:
    return 0.0 if request is None else worst(request) or 0.0
