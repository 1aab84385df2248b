"""The errors of OpenAI's API, as the stand-in answers them.

Bodies are `{"error": {"message", "type", "param", "code"}}` (API document, schema `ErrorResponse`). An unknown model is
404 on Chat Completions and 400 with `param: "model"` on Responses, as recorded traffic shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from snapdrift.model import Endpoint

INVALID_REQUEST = "invalid_request_error"


class ApiError(Exception):
    """An answer with an error status. `headers` are sent besides the usual ones."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = INVALID_REQUEST,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})
        self.body: dict[str, Any] = {"error": {"message": message, "type": kind, "param": param, "code": code}}


def invalid(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    """A request that makes no sense: 400."""
    return ApiError(400, message, param=param, code=code)


def missing_key() -> ApiError:
    """No `Authorization: Bearer KEY` came."""
    return ApiError(
        401,
        "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer "
        "auth (i.e. Authorization: Bearer YOUR_KEY).",
        code="invalid_api_key",
    )


def wrong_key(key: str) -> ApiError:
    """A key came that is not the one asked for; only its ends are repeated."""
    shown = f"{key[:3]}***{key[-2:]}" if len(key) > 8 else "***"
    return ApiError(401, f"Incorrect API key provided: {shown}.", code="invalid_api_key")


def model_not_found(model: str, endpoint: Endpoint | None) -> ApiError:
    """The model is not known, was shut down, or may not be used."""
    if endpoint is Endpoint.RESPONSES:
        text = f"The requested model '{model}' does not exist."
        return ApiError(400, text, param="model", code="model_not_found")
    text = f"The model `{model}` does not exist or you do not have access to it."
    return ApiError(404, text, code="model_not_found")


def recording_not_found(model: str, text: str, known: str) -> ApiError:
    """The stand-in's own error: recordings are configured and none fits. `known` says what there is instead."""
    start = text if len(text) <= 80 else f"{text[:80]}..."
    message = (
        f"The stand-in has no recording for model {model!r} and input {start!r} ({known}). Add a row to the "
        "recordings, or name a behaviour that answers where no recording fits."
    )
    return ApiError(404, message, code="recording_not_found")


def rate_limited(model: str, what: str, limit: int, wait_seconds: float, span: str = "min") -> ApiError:
    """A 429 that goes away by waiting; carries `retry-after` in seconds and `retry-after-ms`."""
    message = (
        f"Rate limit reached for {model} on {what} per {span}: Limit {limit}. Please try again in {wait_seconds:.3g}s."
    )
    headers = {"retry-after-ms": str(max(1, round(wait_seconds * 1000))), "retry-after": f"{wait_seconds:.3f}"}
    return ApiError(429, message, kind=what, code="rate_limit_exceeded", headers=headers)


def request_too_large(model: str, what: str, limit: int, amount: int, span: str = "min") -> ApiError:
    """A 429 that waiting does not help: one request asks for more than the whole limit."""
    message = (
        f"Request too large for {model} on {what} per {span}: Limit {limit}, Requested {amount}. The input or output "
        "tokens must be reduced in order to run successfully."
    )
    return ApiError(429, message, kind=what, code="rate_limit_exceeded")


def quota_exceeded() -> ApiError:
    """A 429 that never goes away by waiting."""
    message = (
        "You exceeded your current quota, please check your plan and billing details. For more information on this "
        "error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors."
    )
    return ApiError(429, message, kind="insufficient_quota", code="insufficient_quota")


def unknown_url(method: str, path: str) -> ApiError:
    """Nothing is served there."""
    return ApiError(404, f"Invalid URL ({method} {path})")


def wrong_method(method: str, path: str) -> ApiError:
    """Something is served there, by another method."""
    hint = "(HINT: Perhaps you meant to use a different HTTP method?)"
    return ApiError(405, f"Not allowed to {method} on {path}. {hint}")
