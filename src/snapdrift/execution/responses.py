"""From what an attempt returned to what is stored of a call."""

from __future__ import annotations

from snapdrift.model import Answer, Attempt, Endpoint, Failure, Outcome, Request, Response


def requested_model(request: Request) -> str:
    """The model that a request asks for."""
    return str(request.body.get("model", ""))


def response_from_answer(
    request: Request, answer: Answer, attempts: tuple[Attempt, ...], usd: float | None, finished_at: str
) -> Response:
    """What is stored of a call that was answered; `latency_ms` is that of the attempt that succeeded.

    A recorded output has none: how long it took to be read from a file says nothing.
    """
    return Response(
        call=request.call,
        outcome=answer.outcome,
        requested_model=requested_model(request),
        text=answer.text,
        raw=answer.raw,
        returned_model=answer.returned_model,
        request_id=answer.request_id,
        request_hash=request.hash,
        usage=answer.usage,
        usd=usd,
        latency_ms=None if request.endpoint is Endpoint.OUTPUTS else answer.latency_ms,
        finish_reason=answer.finish_reason,
        refusal=answer.refusal,
        tool_calls=answer.tool_calls,
        source=answer.source,
        attempts=attempts,
        finished_at=finished_at,
        first_token_ms=answer.first_token_ms,
        service_tier=answer.service_tier,
        batched=answer.batched,
    )


def response_from_failure(
    request: Request, failure: Failure, attempts: tuple[Attempt, ...], finished_at: str
) -> Response:
    """What is stored of a call that got no answer: an infrastructure outcome with its last failure.

    `usd` is 0 where no attempt can have been billed, else unknown.
    """
    unseen = any(attempt.failure and attempt.failure.may_have_run for attempt in attempts)
    return Response(
        call=request.call,
        outcome=Outcome.API_ERROR,
        requested_model=requested_model(request),
        request_id=failure.request_id,
        request_hash=request.hash,
        usd=None if unseen else 0.0,
        failure=failure,
        attempts=attempts,
        finished_at=finished_at,
    )
