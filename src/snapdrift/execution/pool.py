"""The limits of a model at a host under one account, for all that shares them: variants, repeats, judges, engines.

Pure bookkeeping, times are readings of a clock: when the next request may start, and what an ending teaches. Waiting is
`Pace`'s. See `docs/design/pace.md`.
"""

from __future__ import annotations

import math
import random
from collections import deque
from dataclasses import dataclass

from snapdrift.execution.limits import PoolKey, RateLimits
from snapdrift.execution.meters import DAY, MINUTE, Meter, Taken, is_of_a_day
from snapdrift.execution.throttle import BURST_S, Throttle
from snapdrift.model import Failure, FailureKind, ToldLimit, ToldLimits

TOKEN_BURST_S = 10.0
"""Seconds' worth of tokens that may be taken at once: hardly anybody counts those in short slices."""
CATCH_UP_S = 0.1
MOST_CATCH_UP_S = 1.0
_LEAST_CATCH_UP_S = 0.02
_UNREFUSED = 50
"""How far behind its time a pool makes up for: half as much more after so many requests without a refusal, half as
much after one."""
BACKOFF_SLOTS = 2.0
"""The first pause after a refusal that names none: up to so many times what lies between two requests, then doubled."""
HOLD_S = 900.0
"""How long a host that asks for it is asked more slowly: "at least 15 minutes" (OpenAI, guides/error-codes, 503)."""
HELD_SHARE = 0.5
LOWEST_RATE = 1 / 60
_SHRINK = 0.9
_JUDGED_BY = 50
_OVERLOADED_SHARE = 0.1
"""Of the last so many endings this share says that the host is overloaded; a few among many are accidents."""


@dataclass(frozen=True, slots=True)
class Taking:
    """What one attempt takes of the limits: itself, its tokens and images."""

    tokens: int = 0
    images: int = 0


@dataclass(frozen=True, slots=True)
class Ticket:
    """An attempt that was let start: when, what it took, and what had been taken by then (for what headers say)."""

    at: float
    taking: Taking
    takens: tuple[Taken, ...]
    readings: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Lesson:
    """How an attempt ended, as far as it teaches something of limits. `tokens` is what it used, None: not known."""

    tokens: int | None = None
    failure: Failure | None = None
    told: ToldLimits | None = None
    sent: bool = True


class Pool:
    """What a pool may take now."""

    def __init__(self, key: PoolKey, limits: RateLimits, now: float, rng: random.Random) -> None:
        self.key = key
        self.in_flight = 0
        self.window = math.inf
        self.paused_until = now
        self._paused_by = ""
        self._rng = rng
        self._peak = 0
        self._refunds = True
        self._endings: deque[bool] = deque(maxlen=_JUDGED_BY)
        self._born = now
        self._held_at = -math.inf
        self._requests = Meter("requests", MINUTE, limits.rpm, BURST_S)
        self._tokens = Meter("tokens", MINUTE, limits.tpm, TOKEN_BURST_S)
        self._images = Meter("images", MINUTE, limits.ipm, TOKEN_BURST_S)
        self._day_requests = Meter("requests", DAY, limits.rpd, None)
        self._day_tokens = Meter("tokens", DAY, limits.tpd, None)
        self._meters = (self._requests, self._day_requests, self._tokens, self._day_tokens, self._images)
        self._throttle = Throttle(now, known=limits.rpm is not None)
        self._unrefused = 0
        self._set_catch_up(CATCH_UP_S)

    @property
    def model(self) -> str:
        """The model, or the name of the models that share these limits."""
        return self.key[1]

    def wait(self, taking: Taking, now: float) -> float:
        """Seconds until an attempt may start; infinite: not before one that is in flight has ended."""
        if self.in_flight >= self.window:
            return math.inf
        longest = max(0.0, self.paused_until - now, self._throttle.wait(now))
        for meter, amount in self._amounts(taking):
            if meter.limit is not None:
                longest = max(longest, meter.wait(amount, now))
        return longest

    def why(self, taking: Taking, now: float) -> str:
        """What an attempt waits for, in words."""
        name = self.model
        if self.in_flight >= self.window:
            return f"{name} takes {self.in_flight} requests at once"
        waits = {f"the limit of {meter.name} for {name}": meter.wait(n, now) for meter, n in self._amounts(taking)}
        rate = self._throttle.rate_at(now)
        if now < self._throttle.held_until:
            slowly = f"no more than {rate * 60:,.0f} requests a minute to {name}, for its host was overloaded"
        else:
            slowly = f"the pace at which {name} refuses nothing"
        waits = {self._paused_by: self.paused_until - now, **waits, slowly: self._throttle.wait(now)}
        return max(waits, key=lambda reason: waits[reason])

    def start(self, taking: Taking, now: float) -> Ticket:
        """Takes of every limit what an attempt takes."""
        takens = tuple([meter.take(amount, now) for meter, amount in self._amounts(taking)])
        self._throttle.start(now)
        self._unrefused += 1
        if self._unrefused % _UNREFUSED == 0:
            self._set_catch_up(min(MOST_CATCH_UP_S, self._throttle.catch_up_s * 1.5))
        self.in_flight += 1
        self._peak = max(self._peak, self.in_flight)
        return Ticket(now, taking, takens, tuple([meter.taken for meter in self._meters]))

    def end(self, ticket: Ticket, lesson: Lesson, now: float) -> None:
        """Ends an attempt: gives back what it did not use, and learns from how it ended."""
        was_full = self.in_flight >= self.window
        self.in_flight -= 1
        failure = lesson.failure
        if not lesson.sent:
            self._throttle.take_back()
            self._correct(ticket, -1, -ticket.taking.tokens, -ticket.taking.images, now)
            return
        if lesson.told is not None:
            self._learn(ticket, lesson.told, now)
        self._endings.append(failure is not None and failure.kind is FailureKind.OVERLOADED)
        if failure is not None and failure.kind is FailureKind.RATE_LIMIT:
            self._refused(ticket, failure, now)
            return
        if lesson.tokens is not None and (self._refunds or lesson.tokens > ticket.taking.tokens):
            self._correct(ticket, 0, lesson.tokens - ticket.taking.tokens, 0, now)
        self._throttle.answered(now)
        if failure is None:
            if was_full:
                self.window += 1.0 / self.window
            return
        if failure.retryable and failure.retry_after is not None:
            self._pause(failure.retry_after, now, f"the host of {self.model} asked to wait")
        if failure.kind is FailureKind.OVERLOADED and (_slow_down(failure) or self._is_overloaded()):
            self._hold(ticket, now)

    def _amounts(self, taking: Taking) -> tuple[tuple[Meter, int], ...]:
        return (
            (self._requests, 1),
            (self._day_requests, 1),
            (self._tokens, taking.tokens),
            (self._day_tokens, taking.tokens),
            (self._images, taking.images),
        )

    def _correct(self, ticket: Ticket, requests: int, tokens: int, images: int, now: float) -> None:
        amounts = (requests, requests, tokens, tokens, images)
        for meter, taken, by in zip(self._meters, ticket.takens, amounts, strict=True):
            if by:
                meter.correct(taken, by, now)

    def _refused(self, ticket: Ticket, failure: Failure, now: float) -> None:
        """A 429: the one kind of failure that says that requests came too fast, or were too many at once."""
        self._correct(ticket, 0, -ticket.taking.tokens, -ticket.taking.images, now)
        told_when = failure.retry_after is not None
        news = self._throttle.refused(ticket.at, now, self._requests.rate, told_when=told_when)
        if "tokens per" in failure.message and self._tokens.limit is not None:
            self._refunds = False  # the host counts what is asked for, not what is used
            self._tokens.burst_s = (self._tokens.burst_s or 0.0) / 2
        if news:
            self._unrefused = 0
            self._set_catch_up(max(_LEAST_CATCH_UP_S, self._throttle.catch_up_s / 2))
            self.window = max(1.0, _SHRINK * min(self._peak, self.window))
            self._peak = self.in_flight
        if not failure.retryable:
            return
        if failure.retry_after is not None:
            self._pause(failure.retry_after, now, f"the host of {self.model} asked to wait")
        elif news:
            slots = BACKOFF_SLOTS * 2.0 ** min(self._throttle.in_a_row - 1, 40)
            most = min(30.0, slots / max(self._throttle.rate_at(now), LOWEST_RATE))
            self._pause(self._rng.uniform(0.0, most), now, f"{self.model} refused a request: too many", jitter=False)

    def _set_catch_up(self, seconds: float) -> None:
        self._throttle.catch_up_s = self._requests.catch_up_s = seconds

    def _pause(self, seconds: float, now: float, why: str, *, jitter: bool = True) -> None:
        """Nothing of the pool starts for so long; a little longer, so that several processes do not return at once."""
        until = now + seconds + (self._rng.uniform(0.0, min(0.5, 0.1 * seconds)) if jitter else 0.0)
        if until > self.paused_until:
            self.paused_until, self._paused_by = until, why
            self._throttle.pause(until)
            self._requests.pause(until)

    def _learn(self, ticket: Ticket, told: ToldLimits, now: float) -> None:
        if told.tokens is not None:
            self._tell(ticket, told.tokens, self._tokens, now)
        if told.requests is None:
            return
        if is_of_a_day(told.requests.reset_s):
            if self._requests.told == told.requests.limit:
                self._requests.forget()  # until now it was not to be seen that this is the day's limit
            self._tell(ticket, told.requests, self._day_requests, now)
            return
        self._tell(ticket, told.requests, self._requests, now)
        if self._requests.rate is not None:
            self._throttle.cap(self._requests.rate)

    def _tell(self, ticket: Ticket, told: ToldLimit, meter: Meter, now: float) -> None:
        reading = ticket.readings[self._meters.index(meter)]
        meter.tell(told.limit, told.remaining, reading, ticket.at, now)

    def _is_overloaded(self) -> bool:
        return len(self._endings) == _JUDGED_BY and sum(self._endings) > _OVERLOADED_SHARE * _JUDGED_BY

    def _hold(self, ticket: Ticket, now: float) -> None:
        """The host asks for a lower rate: half of what it was asked lately, for a quarter of an hour."""
        if ticket.at < self._held_at:
            self._throttle.held_until = now + HOLD_S
            return
        seconds = min(10.0, max(1.0, now - self._born))
        lately = self._requests.lately(seconds, now) / seconds
        rate = min(lately, self._throttle.rate_at(now))
        self._throttle.hold(max(LOWEST_RATE, HELD_SHARE * rate), now + HOLD_S)
        self._held_at = now
        self._endings.clear()


def _slow_down(failure: Failure) -> bool:
    """Whether a 503 asks for a lower rate ("Slow Down") rather than for another try."""
    return "slow_down" in (failure.code or "") or "slow down" in failure.message.lower()
