"""What an answer with an error status means: its kind, whether it is tried again, and what mends it, in a sentence.

The rows follow OpenAI's guide to error codes, the behaviour of the SDK (openai 3.54.0) and recorded traffic.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from snapdrift.model import Failure, FailureKind
from snapdrift.openai_api.answers import mapping_of, name_of, text_of

if TYPE_CHECKING:
    from openai import APIStatusError

QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_DEPLOYMENT_NOT_FOUND = "DeploymentNotFound"
"""Azure's word for a model that is not there: there, `model` names a deployment."""

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
_LONGEST_QUOTE = 300
"""Characters of the host's own words in a message: they leave room for how to mend it."""

_TOO_LARGE = re.compile(r"request too large\b", re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)


def failure_of(
    kind: FailureKind,
    message: str,
    *,
    status: int | None = None,
    code: str | None = None,
    request_id: str | None = None,
    retry_after: float | None = None,
    may_have_run: bool = False,
) -> Failure:
    """Return a failure whose kind decides whether it is tried again and whether it ends the run."""
    return Failure(
        kind=kind,
        message=message,
        retryable=kind in _RETRIED_KINDS,
        status=status,
        code=code,
        request_id=request_id,
        retry_after=retry_after,
        may_have_run=may_have_run,
        stops_run=kind in _STOPPING_KINDS,
    )


@dataclass(frozen=True, slots=True)
class _Refusal:
    """What the host said: `code` in OpenAI's terms, `said` in its own words without the final stop.

    `has_error` says that the body is an error object; `retry_after` are the seconds that it asks for.
    """

    status: int
    code: str | None
    said: str
    has_error: bool
    retry_after: float | None
    location: str

    @property
    def shown(self) -> str:
        return f"{self.status} {self.code}" if self.code else str(self.status)


def status_failure(exc: APIStatusError, now: datetime, redacted: Callable[[str], str]) -> Failure:
    """Return what an error status means. `now` counts for a date in `Retry-After` if the host tells no time."""
    headers = {name.lower(): value for name, value in exc.response.headers.items()}
    error = mapping_of(exc.body)
    said = redacted(text_of(error.get("message")) or _page_message(exc.response.text)).rstrip(". ")
    refusal = _Refusal(
        status=exc.status_code,
        code=name_of(error.get("code")) or name_of(error.get("type")),
        said=shorten(said, _LONGEST_QUOTE) or "the host gives no reason",
        has_error=bool(error),
        # The host's own clock, where it tells the time: ours may be wrong, or have jumped.
        retry_after=retry_after_seconds(headers, _moment(headers.get("date")) or now),
        location=redacted(headers.get("location", "")),
    )
    kind = status_kind(refusal.status, refusal.code, said)
    # The server's word on trying again goes before the table, but never for what no other try can mend.
    settled = kind in _STOPPING_KINDS or (refusal.status == 429 and kind is FailureKind.BAD_REQUEST)
    asked = None if settled else headers.get("x-should-retry")
    message = _message(kind, refusal)
    if asked == "false" and kind in _RETRIED_KINDS:
        message += ". The host says that trying again does not help"
    return Failure(
        kind=kind,
        message=message,
        retryable=asked == "true" if asked in ("true", "false") else kind in _RETRIED_KINDS,
        status=refusal.status,
        code=refusal.code,
        request_id=exc.request_id,
        retry_after=refusal.retry_after,
        # With OpenAI's error object the API says that it did not answer; a gateway's page leaves that open.
        may_have_run=refusal.status in (408, 504) or (refusal.status >= 500 and not refusal.has_error),
        stops_run=kind in _STOPPING_KINDS,
    )


def status_kind(status: int, code: str | None, said: str) -> FailureKind:
    """Return the kind of an HTTP error. A model that is not there is a 404, a 403 or, on Responses, a 400."""
    if code in ("model_not_found", _DEPLOYMENT_NOT_FOUND):
        return FailureKind.MODEL_NOT_FOUND
    if code in QUOTA_CODES:
        return FailureKind.QUOTA
    if status in (401, 403):
        return FailureKind.AUTHENTICATION
    if status == 429:
        return FailureKind.BAD_REQUEST if is_too_large(said) else FailureKind.RATE_LIMIT
    if status in (408, 504):
        return FailureKind.TIMEOUT
    if status == 503 or (status >= 500 and "overloaded" in said.lower()):
        return FailureKind.OVERLOADED
    return FailureKind.SERVER if status >= 500 or status == 409 else FailureKind.BAD_REQUEST


def is_too_large(said: str) -> bool:
    """Whether a 429 says that this one request is more than a minute's limit: waiting does not help it, nor slowness.

    The code is that of any other 429; the text is OpenAI's, `Request too large for gpt-4o ... on tokens per min`.
    """
    return _TOO_LARGE.match(said) is not None


def quota_message(shown: str, said: str) -> str:
    """Return the sentence for an account that has nothing left to spend."""
    return f"The account has no quota left ({shown}): {said}. Waiting does not help: check plan and billing"


def shorten(message: str, longest: int) -> str:
    """Return the message in at most `longest` characters."""
    return message if len(message) <= longest else message[: longest - 1] + "…"


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return how many seconds the server asks to wait (`retry-after-ms`, else `retry-after` in seconds or as a date).

    None when it does not say, says nonsense, or names a moment that is not in the future. Header names in lower case.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    seconds = _number(headers.get("retry-after")) if milliseconds is None else milliseconds / 1000
    if seconds is None:
        moment = _moment(headers.get("retry-after"))
        if moment is None:
            return None
        seconds = (moment - now).total_seconds()
    return seconds if seconds > 0 else None


def _moment(text: str | None) -> datetime | None:
    """The moment that an HTTP date names, None where there is none."""
    try:
        moment = parsedate_to_datetime(text or "")
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if value == value and abs(value) != float("inf") else None


def _message(kind: FailureKind, refusal: _Refusal) -> str:
    shown, said = refusal.shown, refusal.said
    match kind:
        case FailureKind.MODEL_NOT_FOUND if refusal.code == _DEPLOYMENT_NOT_FOUND:
            return f"The deployment cannot be asked ({shown}): {said}. On Azure, `model` names a deployment"
        case FailureKind.MODEL_NOT_FOUND:
            mend = "A model that was shut down is answered so too; `snapdrift models` shows the dates"
            return f"The model cannot be asked ({shown}): {said}. {mend}"
        case FailureKind.QUOTA:
            return quota_message(shown, said)
        case FailureKind.AUTHENTICATION if refusal.status == 401:
            return f"The key was refused ({shown}): {said}. Check the variable that holds the key"
        case FailureKind.AUTHENTICATION:
            return f"Access was denied ({shown}): {said}. Check the key's project, permissions and region"
        case FailureKind.RATE_LIMIT:
            return f"The rate limit was reached ({shown}): {said}. {_slower(refusal)}"
        case FailureKind.OVERLOADED:
            return f"The host is overloaded ({shown}): {said}. {_slower(refusal)}"
        case FailureKind.TIMEOUT:
            return f"The host timed out ({shown}): {said}. It may have been answered and billed"
        case FailureKind.SERVER if refusal.status == 409:
            return f"The host reports a conflict ({shown}): {said}"
        case FailureKind.SERVER:
            return f"The host failed ({shown}): {said}"
        case _:
            return _refused(refusal)


def _slower(refusal: _Refusal) -> str:
    asks = f"It asks to wait {refusal.retry_after:g} s; fewer" if refusal.retry_after is not None else "Fewer"
    return f"{asks} requests at once (`--concurrency`) help"


def _refused(refusal: _Refusal) -> str:
    shown, said = refusal.shown, refusal.said
    if 300 <= refusal.status < 400:
        where = f" to {refusal.location}" if refusal.location else ""
        return f"The host redirects the request ({refusal.status}{where}), which is not followed. Check its base_url"
    if refusal.status in (404, 405) and not refusal.has_error:
        return f"The host has no such address ({shown}): {said}. Check its base_url, which usually ends in /v1"
    if refusal.status == 413:
        return f"The request is too large for the host ({shown}): {said}. Send less text, or smaller images or files"
    if refusal.status == 429:
        mend = "Shorten the prompt, lower max_output_tokens, or ask for a higher usage tier"
        return f"The request is larger than the account's limit for a minute ({shown}): {said}. {mend}"
    if refusal.code == "context_length_exceeded":
        return f"The request is too long for the model ({shown}): {said}. Shorten the prompt or lower max_output_tokens"
    mend = "`snapdrift check SUITE --explain CASE` shows what is sent"
    return f"The host refused the request ({shown}): {said}. {mend}"


def _page_message(text: str) -> str:
    """Return what a body that is not OpenAI's error object says: the title of a page, else its beginning."""
    title = _TITLE.search(text)
    shown = " ".join((title.group(1) if title else text).split())
    return f"a page or text instead of an error object: {shown}" if shown else ""
