"""Every way in which an attempt can fail, as a `Failure` that says what to do next and a sentence for the user.

The rows follow OpenAI's guide to error codes, the behaviour of the SDK (openai 3.54.0) and recorded traffic. Which
failures are tried again is decided here; when, and how often, is decided by the engine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from snapdrift.model import Failure, FailureKind
from snapdrift.openai_api.answers import mapping_of, name_of, text_of

if TYPE_CHECKING:
    from openai import APIConnectionError, APIStatusError

LONGEST_MESSAGE = 500
_KEYS = re.compile(r"\bsk-[A-Za-z0-9_*\-]+|(?<=Bearer )[^\s\"',}]+", re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)

_QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_ABOUT_THE_PROMPT = re.compile(
    r"(invalid|image|unsupported|empty|failed_to_download|context_length|data_residency)_|.*policy"
)
"""Codes of a response with status `failed` that another try cannot mend (SDK openai 3.54.0, types ResponseError)."""

_RETRIED_KINDS = frozenset(
    {
        FailureKind.RATE_LIMIT,
        FailureKind.OVERLOADED,
        FailureKind.SERVER,
        FailureKind.TIMEOUT,
        FailureKind.CONNECTION,
        FailureKind.MALFORMED,
    }
)
_STOPPING_KINDS = frozenset({FailureKind.QUOTA, FailureKind.AUTHENTICATION})

_NEVER_SENT = frozenset(
    {"ClientConnectorError", "ConnectionTimeoutError", "ConnectError", "ConnectTimeout", "PoolTimeout"}
)
_TIMED_OUT = frozenset({"ServerTimeoutError", "TimeoutException", "TimeoutError"})
"""Names of the transports' exceptions (aiohttp, httpx2) and their bases: importing both for this would cost more."""


class AttemptFailed(Exception):  # noqa: N818  the engine's ordinary second result, not a defect
    """One attempt got no answer. `latency_ms` is how long it took, from send to the failure."""

    def __init__(self, failure: Failure, latency_ms: float = 0.0) -> None:
        self.failure = failure
        self.latency_ms = latency_ms
        super().__init__(failure.message)


def classify(exc: BaseException, *, now: datetime | None = None, secrets: Iterable[str] = ()) -> Failure:
    """Return what an exception of the SDK, the transport or the parser means.

    `now` is what an HTTP date in `Retry-After` is counted from; `secrets` are never repeated in a message. An exception
    that no attempt can raise (a defect) is raised again.
    """
    import openai

    if isinstance(exc, AttemptFailed):
        failure = exc.failure
    elif isinstance(exc, openai.APIStatusError):
        failure = _status_failure(exc, now if now is not None else datetime.now(UTC))
    elif isinstance(exc, openai.APIConnectionError):
        failure = _connection_failure(exc)
    elif isinstance(exc, openai.APIResponseValidationError | json.JSONDecodeError | RecursionError):
        failure = malformed_answer("the body of the answer is not JSON").failure
    elif isinstance(exc, openai.APIError):
        failure = failed_answer({"code": exc.code, "message": exc.message}).failure
    elif isinstance(exc, TimeoutError):
        failure = _timeout("the answer was not complete in the time allowed")
    elif isinstance(exc, openai.OpenAIError):
        failure = _failure(FailureKind.AUTHENTICATION, f"The SDK did not send the request: {exc}")
    elif type(exc).__module__.startswith(("aiohttp", "httpx2")):
        # What the SDK does not wrap is about bytes that are not HTTP: a broken status line, a wrong content encoding.
        failure = malformed_answer(f"it does not speak HTTP ({type(exc).__name__})").failure
    else:
        raise exc
    return replace(failure, message=_shorten(redact(failure.message, secrets)))


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return `text` without anything that looks like a key (`sk-...`, `Bearer ...`) and without `secrets`."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "[key]")
    return _KEYS.sub("[key]", text)


def _shorten(message: str) -> str:
    # After redaction, so that no key is cut in two and shown by halves.
    return message if len(message) <= LONGEST_MESSAGE else message[: LONGEST_MESSAGE - 1] + "…"


def malformed_answer(what: str) -> AttemptFailed:
    """Return the failure of an answer that is no answer. It came with a 200, so it may have been billed."""
    return AttemptFailed(_failure(FailureKind.MALFORMED, f"The host's answer is malformed: {what}", may_have_run=True))


def failed_answer(error: Mapping[str, Any]) -> AttemptFailed:
    """Return the failure that a 200 carries in its `error` object (a response with status `failed`)."""
    code, message = name_of(error.get("code")), text_of(error.get("message")) or "no reason is given"
    if code in _QUOTA_CODES:
        return AttemptFailed(_failure(FailureKind.QUOTA, _quota_message(code, message.rstrip(". ")), code=code))
    kind = FailureKind.RATE_LIMIT if code == "rate_limit_exceeded" else FailureKind.SERVER
    if code is not None and _ABOUT_THE_PROMPT.match(code):
        kind = FailureKind.BAD_REQUEST
    said = f"The response failed ({code or 'no code'}): {message}"
    return AttemptFailed(_failure(kind, said, code=code, may_have_run=kind in _RETRIED_KINDS))


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return how many seconds the server asks to wait (`retry-after-ms`, else `retry-after` in seconds or as a date).

    None when it does not say, says nonsense, or names a moment that is not in the future. Header names in lower case.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    seconds = _number(headers.get("retry-after")) if milliseconds is None else milliseconds / 1000
    if seconds is None:
        try:
            moment = parsedate_to_datetime(headers.get("retry-after") or "")
        except (ValueError, OverflowError):
            return None
        seconds = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()
    return seconds if seconds > 0 else None


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if value == value and abs(value) != float("inf") else None


def _failure(
    kind: FailureKind,
    message: str,
    *,
    status: int | None = None,
    code: str | None = None,
    may_have_run: bool = False,
) -> Failure:
    return Failure(
        kind=kind,
        message=message,
        retryable=kind in _RETRIED_KINDS,
        status=status,
        code=code,
        may_have_run=may_have_run,
        stops_run=kind in _STOPPING_KINDS,
    )


def _timeout(what: str) -> Failure:
    return _failure(FailureKind.TIMEOUT, f"Timed out: {what}. It may have been answered and billed", may_have_run=True)


# ------------------------------------------------------------------------------------------------ answers with a status


def _status_failure(exc: APIStatusError, now: datetime) -> Failure:
    headers = {name.lower(): value for name, value in exc.response.headers.items()}
    error = mapping_of(exc.body)
    code = name_of(error.get("code")) or name_of(error.get("type"))
    said = text_of(error.get("message")) or _page_message(exc.response.text)
    kind = _status_kind(exc.status_code, code, said)
    # With OpenAI's error object the API says that it did not answer; a gateway's page leaves that open.
    unknown_fate = exc.status_code in (408, 504) or (exc.status_code >= 500 and not error)
    failure = _failure(
        kind,
        _status_message(kind, exc.status_code, code, said),
        status=exc.status_code,
        code=code,
        may_have_run=unknown_fate,
    )
    # The server's word on trying again goes before the table, but never for what stops a run.
    asked = headers.get("x-should-retry")
    retryable = failure.retryable if failure.stops_run or asked not in ("true", "false") else asked == "true"
    retry_after = retry_after_seconds(headers, now)
    return replace(failure, retryable=retryable, request_id=exc.request_id, retry_after=retry_after)


def _status_kind(status: int, code: str | None, said: str) -> FailureKind:
    """Return the kind of an HTTP error. A model that is not there is a 404, a 403 or, on Responses, a 400."""
    if code == "model_not_found":
        return FailureKind.MODEL_NOT_FOUND
    if code in _QUOTA_CODES:
        return FailureKind.QUOTA
    if status in (401, 403):
        return FailureKind.AUTHENTICATION
    if status == 429:
        return FailureKind.RATE_LIMIT
    if status in (408, 504):
        return FailureKind.TIMEOUT
    if status == 503 or (status >= 500 and "overloaded" in said.lower()):
        return FailureKind.OVERLOADED
    return FailureKind.SERVER if status >= 500 or status == 409 else FailureKind.BAD_REQUEST


def _status_message(kind: FailureKind, status: int, code: str | None, said: str) -> str:
    shown = f"{status} {code}" if code else str(status)
    said = said.rstrip(". ") or "the host gives no reason"
    match kind:
        case FailureKind.MODEL_NOT_FOUND:
            mend = "A model that was shut down is answered so too; `snapdrift models` shows the dates"
            return f"The model cannot be asked ({shown}): {said}. {mend}"
        case FailureKind.QUOTA:
            return _quota_message(shown, said)
        case FailureKind.AUTHENTICATION if status == 401:
            return f"The key was refused ({shown}): {said}. Check the variable that holds the key"
        case FailureKind.AUTHENTICATION:
            return f"Access was denied ({shown}): {said}. Check the key's project, permissions and region"
        case FailureKind.RATE_LIMIT:
            return f"The rate limit was reached ({shown}): {said}"
        case FailureKind.TIMEOUT:
            return f"The host timed out ({shown}): {said}"
        case FailureKind.OVERLOADED:
            return f"The host is overloaded ({shown}): {said}"
        case FailureKind.SERVER:
            return f"The host failed ({shown}): {said}"
        case _:
            return f"The host refused the request ({shown}): {said}"


def _quota_message(shown: str, said: str) -> str:
    return f"The account has no quota left ({shown}): {said}. Waiting does not help: check plan and billing"


def _page_message(text: str) -> str:
    """Return what a body that is not OpenAI's error object says: the title of a page, else its beginning."""
    title = _TITLE.search(text)
    shown = " ".join((title.group(1) if title else text).split())
    return f"a page or text instead of an error object: {shown}" if shown else ""


# --------------------------------------------------------------------------------------------- answers that never came


def _connection_failure(exc: APIConnectionError) -> Failure:
    root = _transport_error(exc)
    names = {kind.__name__ for kind in type(root).__mro__}
    reason = str(root) or type(root).__name__
    if names & _NEVER_SENT:
        return _failure(FailureKind.CONNECTION, f"No connection to the host: {reason}")
    if names & _TIMED_OUT:
        return _timeout("the host did not answer in the time allowed")
    message = f"The connection broke before the answer was complete: {reason}"
    return _failure(FailureKind.CONNECTION, message, may_have_run=True)


def _transport_error(exc: APIConnectionError) -> BaseException:
    """Return aiohttp's own exception where there is one: its bridge reports cut connections as connect timeouts."""
    chain: list[BaseException] = [exc]
    while (cause := chain[-1].__cause__) is not None:
        chain.append(cause)
    aiohttp_errors = [error for error in chain if type(error).__module__.startswith("aiohttp")]
    return (aiohttp_errors or chain[1:2] or chain)[0]
