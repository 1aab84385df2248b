"""How batches go on the stand-in: their pace, the account's queue, and what happens to which batch on purpose."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Field(default=0, ge=0)


class BatchFate(BaseModel):
    """What happens to one batch. Which lines are hit is drawn from the seed and their custom ids.

    - `ends`: the status that it reaches. `answered`: how many lines are answered before it expires or is cancelled
      (None: half of them); the others are `batch_expired` or `batch_cancelled` in the error file.
    - `fails_with`: it fails validation with this code (`token_limit_exceeded`, say).
    - `no_response`: lines that end with `response: null` and an error. `lost`: lines that are in neither file.
    - `broken`, `twice`: output lines that are cut in the middle, that come twice. `strange`: further ones under an id
      that nobody sent.
    - `stuck`: it stays in progress until it is cancelled.
    - `created`: what the client hears of its creation; with `reset` and `bad_gateway` it is created all the same.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ends: Literal["completed", "expired", "cancelled"] = "completed"
    answered: int | None = Field(default=None, ge=0)
    fails_with: str | None = None
    no_response: int = Count
    lost: int = Count
    twice: int = Count
    strange: int = Count
    broken: int = Count
    stuck: bool = False
    created: Literal["said", "reset", "bad_gateway"] = "said"


class BatchSettings(BaseModel):
    """Batches as a whole. The n-th that is created gets the n-th of `fates`; those after the last go well.

    `speed` is virtual seconds per second; None: time stands still between requests, and each look at a batch takes it
    one status further. `enqueued_tokens` is the account's limit of input tokens that wait or run, for each model.
    `poll_after_ms` is what `openai-poll-after-ms` tells clients. `empty_ids` names files that are not there by `""`
    instead of null.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    speed: float | None = Field(default=None, gt=0)
    enqueued_tokens: int | None = Field(default=None, ge=1)
    max_requests: int = Field(default=50_000, ge=1)
    poll_after_ms: int | None = Field(default=200, ge=0)
    empty_ids: bool = False
    fates: tuple[BatchFate, ...] = ()
