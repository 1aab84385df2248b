"""HTTP responses that fail on purpose, and how connections are dropped."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import Response

from snapdrift.standin.api_errors import INVALID_REQUEST, ApiError, quota_exceeded
from snapdrift.standin.faults import Fault

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

Drop = Callable[["Scope", bool], None]
"""Ends the connection that a request came by: with a reset (True), or with what was written so far (False)."""

BAD_GATEWAY_PAGE = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_LONGEST_WAIT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Failing:
    """An error body: status, type, code and words. `{model}` is filled in."""

    status: int
    kind: str
    code: str | None
    words: str
    waits: bool = False


_FAILING: Mapping[Fault, _Failing] = {
    Fault.RATE_LIMIT: _Failing(
        429, "requests", "rate_limit_exceeded", "Rate limit reached for {model} on requests per min.", waits=True
    ),
    Fault.SERVER_ERROR: _Failing(
        500, "server_error", "server_error", "The server had an error while processing your request. Sorry about that!"
    ),
    Fault.OVERLOADED: _Failing(
        503,
        "server_error",
        "server_overloaded",
        "The engine is currently overloaded, please try again later.",
        waits=True,
    ),
    Fault.SLOW_DOWN: _Failing(
        503,
        "server_error",
        "slow_down",
        "Slow Down: please reduce your request rate to its original level, keep it for at least 15 minutes, and then "
        "increase it gradually.",
        waits=True,
    ),
    Fault.FORBIDDEN: _Failing(
        403, "request_forbidden", "unsupported_country_region_territory", "Country, region, or territory not supported."
    ),
    Fault.REQUEST_TIMEOUT: _Failing(408, "server_error", "timeout", "Request timed out.", waits=True),
    Fault.CONFLICT: _Failing(
        409, INVALID_REQUEST, "conflict", "Another request is changing the same resource.", waits=True
    ),
    Fault.TOO_LARGE: _Failing(413, INVALID_REQUEST, "request_too_large", "The request body is too large."),
    Fault.UNPROCESSABLE: _Failing(422, INVALID_REQUEST, "unprocessable_entity", "The request could not be processed."),
}


def fault_error(fault: Fault, model: str, retry_after: float | None) -> ApiError | None:
    """The error body of a fault that has one; `retry_after` (seconds) goes with those that waiting may mend."""
    if fault is Fault.QUOTA:
        return quota_exceeded()
    failing = _FAILING.get(fault)
    if failing is None:
        return None
    headers = {} if retry_after is None or not failing.waits else {"retry-after": f"{retry_after:g}"}
    words = f"{failing.words.format(model=model)} (simulated)"
    return ApiError(failing.status, words, kind=failing.kind, code=failing.code, headers=headers)


class DroppedResponse(Response):
    """No response: after some seconds, or as soon as the client hangs up, the connection is reset."""

    def __init__(self, drop: Drop, after_seconds: float = 0.0) -> None:
        super().__init__()
        self._drop, self._after_seconds = drop, after_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  ASGI's signature
        """Waits, then drops."""
        if self._after_seconds and await _hung_up(receive, self._after_seconds):
            return
        self._drop(scope, True)  # noqa: FBT003  a callable has no keywords
        await _hung_up(receive, _LONGEST_WAIT_SECONDS)


class CutResponse(Response):
    """The start of a response, then the end of the connection. `chunks` are all that is sent of the body."""

    def __init__(self, chunks: Iterable[bytes], drop: Drop, headers: Mapping[str, str], media_type: str) -> None:
        super().__init__(headers=dict(headers), media_type=media_type)
        self._chunks, self._drop = tuple(chunks), drop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Promises more than it sends."""
        promised = str(sum(map(len, self._chunks)) + 1000).encode()
        headers = [(name, value) for name, value in self.raw_headers if name != b"content-length"]
        headers.append((b"content-length", promised))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for chunk in self._chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        self._drop(scope, False)  # noqa: FBT003  a callable has no keywords
        await _hung_up(receive, _LONGEST_WAIT_SECONDS)


async def trickled(
    chunks: Sequence[bytes], seconds: float, sleep: Callable[[float], Awaitable[None]]
) -> AsyncIterator[bytes]:
    """The chunks, spread over so many seconds."""
    for chunk in chunks:
        await sleep(seconds / len(chunks))
        yield chunk


async def _hung_up(receive: Receive, within_seconds: float) -> bool:
    """Whether the client's end was closed within the time."""
    try:
        async with asyncio.timeout(within_seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return False
    return True


def end_connection(transport: asyncio.Transport, *, reset: bool) -> None:
    """Closes a connection: with a TCP reset, or after what was written has gone out."""
    if not reset:
        transport.close()
        return
    at_once = struct.pack("ii", 1, 0)  # linger on, for no time: the kernel answers with RST
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    transport.abort()
