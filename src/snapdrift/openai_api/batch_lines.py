"""Lines of batch files: a request as a line of an input file, and what a line of an output or error file means."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from snapdrift.keys import body_without_keys
from snapdrift.model import Answer, Endpoint, Failure, FailureKind, Request, Source
from snapdrift.openai_api.answers import mapping_of, name_of, text_of
from snapdrift.openai_api.errors import AttemptFailed, classify, malformed_answer, read_object
from snapdrift.openai_api.requests import parse_response
from snapdrift.openai_api.statuses import failure_of

ENDPOINT_URLS: Mapping[Endpoint, Any] = {
    Endpoint.RESPONSES: "/v1/responses",
    Endpoint.CHAT: "/v1/chat/completions",
}
"""How a batch, and each line of its input file, names its endpoint (API reference, Batch)."""
_LINE_LABEL = "x-snapdrift-standin"
"""The key in a line's `response` by which a stand-in says of that answer whether it is recorded or simulated."""


@dataclass(frozen=True, slots=True)
class BatchLine:
    """A line of an output or error file: whose it is, and the answer or the failure that it holds."""

    custom_id: str
    answer: Answer | None = None
    failure: Failure | None = None


def input_line(request: Request) -> bytes:
    """The line that asks `request`, with its end. The custom id is the request's client request id."""
    line = {
        "custom_id": request.client_request_id,
        "method": "POST",
        "url": ENDPOINT_URLS[request.endpoint],
        "body": dict(request.body),
    }
    return json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n"


def read_line(
    data: bytes, endpoint: Endpoint, source: Source, *, standin: bool, redact: Callable[[str], str]
) -> BatchLine:
    """What a line says. Raises `AttemptFailed` when it is no JSON object or does not say whose it is.

    `source` is where the file's answers come from; of a `standin` each line may say so itself. `redact` takes keys out
    of what a host says.
    """
    entry = read_object(_without_keys(data))
    custom_id = name_of(entry.get("custom_id"))
    if custom_id is None:
        raise malformed_answer("a line without a custom_id")
    response = entry.get("response")
    if not isinstance(response, Mapping):
        return BatchLine(custom_id, failure=_unanswered(mapping_of(entry.get("error")), redact))
    status, body, request_id = response.get("status_code"), response.get("body"), name_of(response.get("request_id"))
    if not isinstance(status, int) or not 200 <= status < 300:
        return BatchLine(custom_id, failure=_refused(status, body, request_id, redact))
    if standin and (label := response.get(_LINE_LABEL)) is not None:
        source = Source.RECORDED if label == Source.RECORDED.value else Source.SIMULATED
    try:
        return BatchLine(custom_id, answer=_answer(endpoint, body, request_id, source))
    except AttemptFailed as error:
        failure = replace(error.failure, status=status, request_id=request_id)
        return BatchLine(custom_id, failure=_redacted(failure, redact))


def _without_keys(data: bytes) -> bytes | str:
    """The line as it may be kept; bytes that are no text stay as they are, for `read_object` to refuse."""
    try:
        return body_without_keys(data.decode())
    except UnicodeDecodeError:
        return data


def _answer(endpoint: Endpoint, body: Any, request_id: str | None, source: Source) -> Answer:
    if not isinstance(body, Mapping):
        raise malformed_answer(f"expected a JSON object as the body; found a JSON {type(body).__name__}")
    parsed = parse_response(endpoint, body)
    return Answer(
        outcome=parsed.outcome,
        text=parsed.text,
        raw=json.dumps(body),
        returned_model=parsed.returned_model,
        request_id=request_id,
        usage=parsed.usage,
        finish_reason=parsed.finish_reason,
        refusal=parsed.refusal,
        tool_calls=parsed.tool_calls,
        source=source,
        service_tier=parsed.service_tier,
        batched=True,
    )


def _refused(status: Any, body: Any, request_id: str | None, redact: Callable[[str], str]) -> Failure:
    """The failure of an HTTP error, by the table that live requests are classified with."""
    import httpx2
    import openai

    if not isinstance(status, int) or not 300 <= status < 600:
        message = f"The host's answer is malformed: found the status {status!r}"
        return _redacted(failure_of(FailureKind.MALFORMED, message, may_have_run=True), redact)
    headers = {} if request_id is None else {"x-request-id": request_id}
    content = body if isinstance(body, str) else json.dumps(body)
    request = httpx2.Request("POST", "https://batch.invalid/v1")
    response = httpx2.Response(status, headers=headers, content=content.encode("utf-8", "replace"), request=request)
    error = mapping_of(mapping_of(body).get("error")) or mapping_of(body)
    return _redacted(classify(openai.APIStatusError(f"status {status}", response=response, body=dict(error))), redact)


_ENDINGS = {
    "batch_expired": (FailureKind.EXPIRED, "The batch expired before this request was answered"),
    "batch_cancelled": (FailureKind.CANCELLED, "The batch was cancelled before this request was answered"),
}


def _unanswered(error: Mapping[str, Any], redact: Callable[[str], str]) -> Failure:
    """The failure of a line without a response: nothing was answered, so nothing is billed."""
    code, said = name_of(error.get("code")), text_of(error.get("message")).rstrip(". ")
    kind, what = _ENDINGS.get(code or "", (FailureKind.SERVER, "The batch has no answer to this request"))
    message = f"{what} ({code or 'no code'}){f': {said}' if said else ''}"
    return _redacted(Failure(kind, message, retryable=True, code=code), redact)


def _redacted(failure: Failure, redact: Callable[[str], str]) -> Failure:
    return replace(failure, message=redact(failure.message))
