"""What an engine is told, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from snapdrift.execution.retry import RetryPolicy


class StopReason(StrEnum):
    """Why a run ended before every call was asked."""

    CANCELLED = "cancelled"
    DEADLINE = "deadline"
    BUDGET = "budget"
    QUOTA = "quota"
    AUTHENTICATION = "authentication"
    PROVIDER_DOWN = "provider_down"
    LEFT = "left"
    """Batches are under way at the provider, and the user does not want to wait for them."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How to ask. Times are in seconds.

    `timeout` bounds one attempt whatever the client does; `deadline` is the reading of `clock.monotonic()` after which
    nothing is started, `give_up_at` that after which nothing is waited for either; `grace` is how long a cancelled run
    waits for what is in flight; `sweep_delay` the pause before failed calls are asked once more. A host that asks to be
    left alone is, until the deadline or, where there is none, for `longest_rest`. `give_up_after` calls
    in a row that failed for good mean that the provider is down (None: three times the concurrency, at least 20).
    """

    concurrency: int = 16
    max_attempts: int = 5
    timeout: float = 660.0
    deadline: float | None = None
    give_up_at: float | None = None
    sweep: bool = True
    grace: float = 5.0
    backoff_base: float = 0.5
    backoff_cap: float = 30.0
    longest_rest: float = 900.0
    sweep_delay: float = 1.0
    give_up_after: int | None = None

    def __post_init__(self) -> None:
        if self.concurrency < 1 or self.max_attempts < 1:
            raise ValueError("concurrency and max_attempts must be at least 1")

    @property
    def retry(self) -> RetryPolicy:
        """When a failed attempt is made again."""
        return RetryPolicy(self.max_attempts, self.backoff_base, self.backoff_cap)

    @property
    def failures_in_a_row(self) -> int:
        """How many calls that fail one after another end the run."""
        return max(20, 3 * self.concurrency) if self.give_up_after is None else self.give_up_after


class Phase(StrEnum):
    """What a run is asking, or that it asks nothing any more and grades what it has."""

    ANSWERS = "answers"
    JUDGES = "judges"
    GRADING = "grading"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is: calls that ended with an answer, calls that failed so far, attempts beyond each call's first.

    `usd` is what the answers cost as far as known; `paused_for` the seconds that requests are held back for at least,
    `held_by` by what, in words (empty where nothing holds them back). `tokens` are those of the answers, input and
    output, and `reused` the calls among the answered that nobody was asked for. The rest is what an engine does not
    know: the suite, what is asked of it and how many calls that are (None: not known), and its ceiling in dollars.
    While answers are graded (`phase`), the answered are those that are graded, and the total all of them, or None at
    first: most are graded while others are waited for.
    """

    answered: int
    failed: int
    retried: int
    in_flight: int
    usd: float
    paused_for: float = 0.0
    held_by: str = ""
    tokens: int = 0
    reused: int = 0
    suite: str = ""
    phase: Phase = Phase.ANSWERS
    total: int | None = None
    budget_usd: float | None = None

    @property
    def requests(self) -> int:
        """Requests that ended, as far as they are counted: one for each call that was asked, and each retry."""
        return self.done - self.reused + self.retried

    @property
    def done(self) -> int:
        """Calls that ended either way."""
        return self.answered + self.failed


@dataclass(frozen=True, slots=True)
class EngineReport:
    """How asking ended. Calls that are neither answered nor failed were not asked: they are missing.

    `detail` is a sentence for the user where `stopped` is set. `usd` sums the known prices of answers, `charged_usd` is
    what this run took from the budget (unknown fates at their worst case).
    """

    stopped: StopReason | None
    detail: str
    answered: int
    failed: int
    retried: int
    usd: float
    charged_usd: float
