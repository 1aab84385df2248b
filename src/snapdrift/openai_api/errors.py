"""Every way in which an attempt can fail, as a `Failure` that says what to do next and a sentence for the user.

Which failures are tried again is decided here and in `statuses.py`; when, and how often, is decided by the engine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from snapdrift.keys import redact
from snapdrift.model import Failure, FailureKind, ToldLimits
from snapdrift.openai_api.answers import mapping_of, name_of, text_of
from snapdrift.openai_api.statuses import (
    QUOTA_CODES,
    failure_of,
    is_too_large,
    quota_message,
    shorten,
    status_failure,
    status_kind,
)

if TYPE_CHECKING:
    from openai import APIConnectionError

LONGEST_MESSAGE = 500

_SSL = re.compile(r" ssl:\w+")
"""What aiohttp says of TLS in every message about a connection, http ones too."""
_UNKNOWN_FATE = "It may have been answered and billed"

_ABOUT_THE_PROMPT = re.compile(
    r"(invalid|image|unsupported|empty|failed_to_download|context_length|data_residency)_|.*policy"
)
"""Codes of a response with status `failed` that another try cannot mend (SDK openai 3.54.0, types ResponseError)."""

_NO_JSON = json.JSONDecodeError | UnicodeDecodeError | RecursionError
"""What is raised for a body that is no text, or no JSON."""

_NEVER_SENT = frozenset(
    {"ClientConnectorError", "ConnectionTimeoutError", "ConnectError", "ConnectTimeout", "PoolTimeout"}
)
_TIMED_OUT = frozenset({"ServerTimeoutError", "TimeoutException", "TimeoutError"})
"""Names of the transports' exceptions (aiohttp, httpx2) and their bases: importing both for this would cost more."""

_SHOWN_OF_BODY = 2_000
"""Characters of a body that is no JSON: more than a message shows, so that what is cut off there is redacted first."""


class AttemptFailed(Exception):  # noqa: N818  the engine's ordinary second result, not a defect
    """One attempt got no answer. `latency_ms` is how long it took, from send to the failure.

    `told` is what the headers of the refusal said of the account's rate limits.
    """

    def __init__(self, failure: Failure, latency_ms: float = 0.0, told: ToldLimits | None = None) -> None:
        self.failure = failure
        self.latency_ms = latency_ms
        self.told = told
        super().__init__(failure.message)


def classify(exc: BaseException, *, now: datetime | None = None, secrets: Iterable[str] = ()) -> Failure:
    """Return what an exception of the SDK, the transport or the parser means.

    `now` is what an HTTP date in `Retry-After` is counted from; `secrets` are never repeated in a message. An exception
    that no attempt can raise (a defect) is raised again.
    """
    import openai

    redacted = partial(redact, secrets=tuple(secrets))
    if isinstance(exc, openai.APIConnectionError) and isinstance(exc.__cause__, AttemptFailed):
        exc = exc.__cause__  # what a bound of ours raised while the SDK read a body
    if isinstance(exc, AttemptFailed):
        failure = exc.failure
    elif isinstance(exc, openai.APIStatusError):
        failure = status_failure(exc, now if now is not None else datetime.now(UTC), redacted)
    elif isinstance(exc, openai.APIConnectionError):
        failure = _connection_failure(exc)
    elif isinstance(exc, openai.APIResponseValidationError | _NO_JSON):
        failure = malformed_answer("the body of the answer is not JSON").failure
    elif isinstance(exc, openai.APIError):
        # The SDK raises it for an event of a stream that holds an `error` object.
        failure = stream_error({"message": exc.message, **mapping_of(exc.body)}).failure
    elif isinstance(exc, TimeoutError):
        failure = _timeout("the answer was not complete in the time allowed")
    elif isinstance(exc, openai.OpenAIError):
        failure = failure_of(FailureKind.AUTHENTICATION, f"The SDK did not send the request: {exc}")
    elif type(exc).__module__.startswith(("aiohttp", "httpx2")):
        # What the SDK does not wrap is about bytes that are not HTTP: a broken status line, a wrong content encoding.
        failure = malformed_answer(f"it does not speak HTTP ({type(exc).__name__}). Check its base_url").failure
    else:
        raise exc
    # After redaction, so that no key is cut in two and shown by halves.
    return replace(
        failure,
        message=shorten(redacted(failure.message), LONGEST_MESSAGE),
        code=failure.code and redacted(failure.code),
        request_id=failure.request_id and redacted(failure.request_id),
    )


# ------------------------------------------------------------------------------------------------ answers that are none


def malformed_answer(what: str) -> AttemptFailed:
    """Return the failure of an answer that is no answer. It came with a 200, so it may have been billed."""
    return AttemptFailed(
        failure_of(FailureKind.MALFORMED, f"The host's answer is malformed: {what}", may_have_run=True)
    )


def read_object(data: bytes | str) -> Mapping[str, Any]:
    """Return the JSON object in a body or a line. Raises `AttemptFailed` (malformed) where there is none.

    The content decides, not its declared type: hosts send JSON as text/plain, and pages with a status of 200.
    """
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
        beginning = " ".join(text[:_SHOWN_OF_BODY].split())
        if beginning.startswith("<"):
            said = f"expected a JSON object; found a page. Check the host's base_url. The page: {beginning!r}"
            raise malformed_answer(said) from None
        raise malformed_answer(f"expected a JSON object; found {beginning!r}" if beginning else "it is empty") from None
    if not isinstance(value, Mapping):
        raise malformed_answer(f"expected a JSON object; found a JSON {type(value).__name__}")
    return value


def failed_answer(error: Mapping[str, Any]) -> AttemptFailed:
    """Return the failure that a 200 carries in its `error` object (a response with status `failed`)."""
    return AttemptFailed(_carried(error, "The response failed"))


def stream_error(error: Mapping[str, Any]) -> AttemptFailed:
    """Return the failure that an event of a stream carries. What was answered until then may have been billed."""
    return AttemptFailed(replace(_carried(error, "The stream broke off with an error"), may_have_run=True))


def broken_stream(what: str) -> AttemptFailed:
    """Return the failure of a stream that ended without the event that ends it."""
    message = f"The stream ended before the answer was complete: {what}. {_UNKNOWN_FATE}"
    return AttemptFailed(failure_of(FailureKind.CONNECTION, message, may_have_run=True))


def _carried(error: Mapping[str, Any], what: str) -> Failure:
    """The failure that an error object means which came with a 200. Some hosts put a status in the place of a code."""
    number = error.get("code")
    code = name_of(number) or (name_of(error.get("type")) if error.get("type") != "error" else None)
    said = text_of(error.get("message")) or "no reason is given"
    if code in QUOTA_CODES:
        return failure_of(FailureKind.QUOTA, quota_message(code, said.rstrip(". ")), code=code)
    if isinstance(number, int) and 400 <= number < 600:
        kind = status_kind(number, code, said)
        shown = f"{number} {code}" if code else str(number)
    else:
        kind = _code_kind(code, said)
        shown = code or "no code"
    return failure_of(kind, f"{what} ({shown}): {said}", code=code, may_have_run=kind is not FailureKind.BAD_REQUEST)


def _code_kind(code: str | None, said: str) -> FailureKind:
    if code is None:
        return FailureKind.SERVER
    if code == "model_not_found":
        return FailureKind.MODEL_NOT_FOUND
    if code == "rate_limit_exceeded":
        return FailureKind.BAD_REQUEST if is_too_large(said) else FailureKind.RATE_LIMIT
    return FailureKind.BAD_REQUEST if _ABOUT_THE_PROMPT.match(code) else FailureKind.SERVER


# --------------------------------------------------------------------------------------------- answers that never came


def _timeout(what: str) -> Failure:
    message = f"Timed out: {what}. {_UNKNOWN_FATE}"
    return failure_of(FailureKind.TIMEOUT, message, may_have_run=True)


def _connection_failure(exc: APIConnectionError) -> Failure:
    root = _transport_error(exc)
    names = {kind.__name__ for kind in type(root).__mro__}
    told = "part of it never came" if "ClientPayloadError" in names else _SSL.sub("", str(root))
    reason = told or type(root).__name__
    if names & _NEVER_SENT:
        certificate = "certificate" in reason.lower()
        mend = "SSL_CERT_FILE names the certificates to trust" if certificate else "Check its base_url and the network"
        return failure_of(FailureKind.CONNECTION, f"No connection to the host: {reason.rstrip('. ')}. {mend}")
    if names & _TIMED_OUT:
        return _timeout("the host did not answer in the time allowed")
    message = f"The connection broke before the answer was complete: {reason}. {_UNKNOWN_FATE}"
    return failure_of(FailureKind.CONNECTION, message, may_have_run=True)


def _transport_error(exc: APIConnectionError) -> BaseException:
    """Return aiohttp's own exception where there is one: its bridge reports cut connections as connect timeouts."""
    chain: list[BaseException] = [exc]
    while (cause := chain[-1].__cause__) is not None:
        chain.append(cause)
    aiohttp_errors = [error for error in chain if type(error).__module__.startswith("aiohttp")]
    return (aiohttp_errors or chain[1:2] or chain)[0]
