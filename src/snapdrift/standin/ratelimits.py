"""Account limits: requests and tokens a minute, as token buckets, and the headers that tell what is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from snapdrift.standin.api_errors import rate_limited
from snapdrift.standin.config import Limits

_UNLIMITED = {"requests": 30_000, "tokens": 150_000_000}
"""What the headers say where nothing is enforced."""


@dataclass(slots=True)
class _Bucket:
    limit: int
    left: float
    at: float

    def refill(self, now: float) -> None:
        self.left = min(float(self.limit), self.left + (now - self.at) * self.limit / 60)
        self.at = now

    def seconds_until(self, amount: float) -> float:
        return max(0.0, (min(amount, float(self.limit)) - self.left) * 60 / self.limit)


class RateLimiter:
    """Buckets by model and kind. `clock` gives seconds that only go up."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._limits, self._clock = limits, clock
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def take(self, model: str, tokens: int) -> dict[str, str]:
        """Counts a request and its tokens; returns the headers, raises the 429 `ApiError` where a limit is reached.

        A request that is refused for its tokens has still used up one request, as with OpenAI.
        """
        now = self._clock()
        headers: dict[str, str] = {}
        wanted = {"requests": (self._limits.rpm, 1), "tokens": (self._limits.tpm, tokens)}
        for what, (limit, amount) in wanted.items():
            if limit is None:
                headers |= _headers(what, _UNLIMITED[what], _UNLIMITED[what] - amount, 0.0)
                continue
            bucket = self._buckets.setdefault((model, what), _Bucket(limit, float(limit), now))
            bucket.refill(now)
            wait = bucket.seconds_until(amount)
            if wait > 0:
                error = rate_limited(model, what, limit, wait)
                error.headers |= headers | _headers(what, limit, bucket.left, bucket.seconds_until(limit))
                if not self._limits.headers:
                    error.headers = {}
                raise error
            bucket.left -= amount
            headers |= _headers(what, limit, bucket.left, bucket.seconds_until(limit))
        return headers if self._limits.headers else {}


def _headers(what: str, limit: int, left: float, reset_seconds: float) -> dict[str, str]:
    return {
        f"x-ratelimit-limit-{what}": str(limit),
        f"x-ratelimit-remaining-{what}": str(max(0, int(left))),
        f"x-ratelimit-reset-{what}": go_duration(reset_seconds),
    }


def go_duration(seconds: float) -> str:
    """A time as Go writes it, to the millisecond: `6ms`, `8.64s`, `1s`, `6m0s`, `1h0m0s`."""
    milliseconds = max(0, round(seconds * 1000))
    if milliseconds < 1000:
        return f"{milliseconds}ms" if milliseconds else "0s"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text
