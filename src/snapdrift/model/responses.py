"""What came back: of one request an answer or a failure, of a call the response."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from snapdrift.model.calls import CallKey
from snapdrift.model.words import FailureKind, Outcome, Source


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the API reports them. Cached is a part of input, reasoning a part of output."""

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function call that the model made; `arguments` is the JSON text as the model wrote it."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToldLimit:
    """One rate limit as a host's headers tell it: how much there is of it, what is left, seconds until it is whole."""

    limit: int
    remaining: int | None = None
    reset_s: float | None = None


@dataclass(frozen=True, slots=True)
class ToldLimits:
    """What the headers of one response said of the account's rate limits; None where they did not."""

    requests: ToldLimit | None = None
    tokens: ToldLimit | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request returned, parsed. `raw` is the body as received, `latency_ms` from send to last byte.

    Of a stream, `raw` is the whole object that its events add up to and `first_token_ms` the time to the first piece of
    the answer. `service_tier` is the tier that served it, `batched` whether it came by the Batch API (both decide the
    price); `usd` is set only by an application that says what its answer cost. `told` is what headers said of rate
    limits, which is of the moment and not stored.
    """

    outcome: Outcome
    text: str
    raw: str
    returned_model: str | None = None
    request_id: str | None = None
    usage: Usage | None = None
    latency_ms: float = 0.0
    finish_reason: str | None = None
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    source: Source = Source.OPENAI
    first_token_ms: float | None = None
    service_tier: str | None = None
    batched: bool = False
    usd: float | None = None
    told: ToldLimits | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt got no answer. `retry_after` in seconds; `may_have_run` when it could have been billed."""

    kind: FailureKind
    message: str
    retryable: bool
    status: int | None = None
    code: str | None = None
    request_id: str | None = None
    retry_after: float | None = None
    may_have_run: bool = False
    stops_run: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a request: when (ISO, UTC), how long it took, and how it failed (None: it was answered)."""

    number: int
    started_at: str
    latency_ms: float
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool call got back: `output` is the text that was sent; `matched` names the canned entry that gave it."""

    call_id: str
    name: str
    output: str
    matched: str = ""
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Reused:
    """Where an answer is from that an earlier run received: the run, and the call there (as `CallKey` writes it).

    `received_at` is when it came (ISO, UTC), `usd` and `latency_ms` what it cost and took then (None: not known). Of a
    call of several requests `requests` of them are reused; the oldest time and the sum of dollars are of these.
    """

    run: str
    call: str
    received_at: str
    usd: float | None = None
    latency_ms: float | None = None
    requests: int = 1


def cost_of(usd: float | None, reused: Reused | None) -> float | None:
    """What an answer costs in dollars, whoever paid for it: `usd` of this run and what was paid for what is reused."""
    if reused is None:
        return usd
    return None if usd is None or reused.usd is None else usd + reused.usd


@dataclass(frozen=True, slots=True)
class Step:
    """One answered request of a call that took several, and what it was followed by.

    `said` are the script's messages that went with the next request, `said_by` their roles.
    """

    number: int
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    results: tuple[ToolResult, ...] = ()
    said: tuple[str, ...] = ()
    said_by: tuple[str, ...] = ()
    usage: Usage | None = None
    usd: float | None = None
    latency_ms: float | None = None
    request_id: str | None = None
    returned_model: str | None = None
    reused: Reused | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """How a call ended: an answer, or the failure that came instead of one.

    `usd` is what the call cost (None: the price is not known). `request_hash` names the request it answers. A call of
    several requests has the earlier ones in `steps`; usage, dollars, latency and tool calls are then of all of them,
    text and raw of the last. `detail` is a sentence where the outcome needs one (which tool call was unmatched).
    A `reused` answer was received by an earlier run: it cost nothing in this one, and no time was measured.
    """

    call: CallKey
    outcome: Outcome
    requested_model: str
    text: str = ""
    raw: str = ""
    returned_model: str | None = None
    request_id: str | None = None
    request_hash: str = ""
    usage: Usage | None = None
    usd: float | None = None
    latency_ms: float | None = None
    finish_reason: str | None = None
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    source: Source = Source.OPENAI
    failure: Failure | None = None
    attempts: tuple[Attempt, ...] = ()
    finished_at: str = ""
    first_token_ms: float | None = None
    service_tier: str | None = None
    batched: bool = False
    steps: tuple[Step, ...] = ()
    detail: str = ""
    reused: Reused | None = None

    @property
    def said(self) -> str:
        """What a person reads as the answer: its text, or the refusal that came instead of one."""
        return self.text or self.refusal or ""

    @property
    def cost_usd(self) -> float | None:
        """What the answer costs, whoever paid for it: of what is reused, what it cost when it was asked."""
        return cost_of(self.usd, self.reused)

    @property
    def answer_hash(self) -> str:
        """The hex SHA-256 of `said`, by which a label knows the answer that it is of."""
        return hashlib.sha256(self.said.encode("utf-8", "surrogatepass")).hexdigest()
