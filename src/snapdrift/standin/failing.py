"""HTTP responses that fail on purpose, and how connections are dropped."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from starlette.responses import Response

from snapdrift.standin.api_errors import ApiError
from snapdrift.standin.faults import Fault

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

Drop = Callable[["Scope", bool], None]
"""Ends the connection that a request came by: with a reset (True), or with what was written so far (False)."""

BAD_GATEWAY_PAGE = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_LONGEST_WAIT_SECONDS = 5.0


def fault_error(fault: Fault, model: str, retry_after: float | None) -> ApiError | None:
    """The error body of a fault that has one."""
    headers = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
    if fault is Fault.RATE_LIMIT:
        text = f"Rate limit reached for {model} on requests per min. (simulated)"
        return ApiError(429, text, kind="requests", code="rate_limit_exceeded", headers=headers)
    if fault is Fault.QUOTA:
        text = "You exceeded your current quota, please check your plan and billing details. (simulated)"
        return ApiError(429, text, kind="insufficient_quota", code="insufficient_quota")
    if fault is Fault.SERVER_ERROR:
        text = "The server had an error while processing your request. Sorry about that! (simulated)"
        return ApiError(500, text, kind="server_error", code="server_error")
    if fault is Fault.OVERLOADED:
        text = "The engine is currently overloaded, please try again later. (simulated)"
        return ApiError(503, text, kind="server_error", code="server_overloaded", headers=headers)
    return None


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
