"""What a batch runner is told, and what it tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from snapdrift.execution.records import StopReason
from snapdrift.execution.retry import RetryPolicy
from snapdrift.openai_api.batches import MAX_BYTES, MAX_REQUESTS


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """How to go about batches. Times are in seconds, sizes in bytes.

    `enqueued_tokens` is the account's limit of input tokens that wait or run, by model (`*`: any other); `deadline` the
    reading of `clock.monotonic()` after which nothing is waited for. Without `wait` everything is submitted and looked
    at once. `retry_missing` submits anew what an ended batch did not answer. The first look is `first_look` after
    creation, the pause then grows to `longest_look`; the host's own wish goes before. `queue_pause` is waited before a
    part is tried again for which the account's queue had no room, `settle` before it is looked whether a batch whose
    creation failed is there. No process waits longer than `longest_wait`.
    """

    max_requests: int = MAX_REQUESTS
    max_bytes: int = MAX_BYTES
    enqueued_tokens: Mapping[str, int] = field(default_factory=dict)
    deadline: float | None = None
    wait: bool = True
    retry_missing: bool = False
    first_look: float = 5.0
    longest_look: float = 60.0
    queue_pause: float = 60.0
    settle: float = 5.0
    longest_wait: float = 48 * 3600.0
    max_refusals: int = 5
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    def token_limit(self, model: str) -> int | None:
        """The limit that is known before anything is sent, None: none is."""
        return self.enqueued_tokens.get(model, self.enqueued_tokens.get("*"))


@dataclass(frozen=True, slots=True)
class PartProgress:
    """Where a part is: `status` is the provider's, or ours before the batch is created."""

    number: int
    model: str
    status: str
    calls: int
    completed: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """Where the batches of a run are: the parts of this process in order, and the calls that ended."""

    parts: tuple[PartProgress, ...]
    answered: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class BatchReport:
    """How it ended. `under_way` calls are with the provider in `batches`, `unsent` are in parts that were not created.

    `missing` calls have no line in any file. `detail` is a sentence for the user where `stopped` is set.
    """

    stopped: StopReason | None = None
    detail: str = ""
    answered: int = 0
    failed: int = 0
    missing: int = 0
    under_way: int = 0
    batches: int = 0
    unsent: int = 0

    @property
    def complete(self) -> bool:
        """Whether nothing is left to be collected or sent."""
        return not self.under_way and not self.unsent
