"""One POST of a JSON body over aiohttp, as the SDK's transport, with the SDK's headers and errors, and no more.

The SDK's own way through `post` (options as a pydantic model, retries, URLs and headers merged anew, redirects, casts)
takes about a millisecond of CPU a request more than what it sends takes to send (`benchmarks/overhead.py`), and of all
that the engine wants nothing: it owns retries, and bodies are read by us. What goes out is the same to the byte.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx2
import openai

from snapdrift.openai_api.errors import malformed_answer

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy


def _written(*, ascii_only: bool) -> json.JSONEncoder:
    return json.JSONEncoder(
        ensure_ascii=ascii_only, separators=(",", ":"), allow_nan=False, default=lambda value: value.isoformat()
    )


_JSON, _ESCAPED = _written(ascii_only=False), _written(ascii_only=True)
"""JSON as the SDK writes it, dates of a YAML file included; with escapes for half characters that a model wrote."""
LARGEST_BODY = 64 * 2**20
"""Bytes of a body, unpacked: far more than an answer of any model takes, and little enough for many at a time."""
_KEEP_ALIVE_SECONDS = 5.0
"""How long the SDK's transport keeps a connection that nobody uses."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What came with a success: the body as text, and the headers, which are looked up in any case."""

    text: str
    headers: CIMultiDictProxy[str]


class Poster:
    """Posts to one host with one pool of connections. To be closed."""

    def __init__(
        self, sdk: openai.AsyncOpenAI, tls: ssl.SSLContext, timeout: httpx2.Timeout, max_connections: int
    ) -> None:
        said = {name: value for name, value in sdk.default_headers.items() if isinstance(value, str)}
        self._headers = {
            **said,
            **sdk.auth_headers,
            "x-stainless-retry-count": "0",
            "x-stainless-read-timeout": str(timeout.read),
        }
        self._base_url = str(sdk.base_url).rstrip("/")
        self._tls, self._max_connections = tls, max_connections
        self._bounds = aiohttp.ClientTimeout(connect=timeout.pool, sock_connect=timeout.connect, sock_read=timeout.read)
        self._session: aiohttp.ClientSession | None = None

    async def post(self, path: str, body: Mapping[str, Any], more: Mapping[str, str]) -> Posted:
        """Send a body with `more` headers and return what came back with a status of success.

        Raises what the SDK raises: `APIStatusError` for another status, `APITimeoutError` and `APIConnectionError`;
        aiohttp's own error for bytes that are not HTTP, and `AttemptFailed` for a body that no answer is as large as.
        """
        url = self._base_url + path
        try:
            data = _JSON.encode(body).encode()
        except UnicodeEncodeError:
            data = _ESCAPED.encode(body).encode()
        try:
            async with self._opened.post(
                url,
                data=data,
                headers=more,
                allow_redirects=False,
                timeout=self._bounds,
            ) as reply:
                read = await _body(reply)
        except TimeoutError as error:
            if not isinstance(error, aiohttp.ClientError):
                raise  # ours, or the caller's
            raise openai.APITimeoutError(request=httpx2.Request("POST", url)) from error
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
            raise openai.APIConnectionError(request=httpx2.Request("POST", url)) from error
        if not 200 <= reply.status < 300:
            raise _status_error(url, reply, read)
        return Posted(_text(reply, read), reply.headers)

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            # A TLS connection says goodbye in the loop's next rounds.
            await asyncio.sleep(0)

    @property
    def _opened(self) -> aiohttp.ClientSession:
        """The pool; made when it is first needed, for it belongs to the event loop that runs then."""
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=self._max_connections, ssl=self._tls, keepalive_timeout=_KEEP_ALIVE_SECONDS
            )
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), headers=self._headers
            )
        return self._session


async def _body(reply: aiohttp.ClientResponse) -> bytes:
    """The body, read no further than it may be long: a few packed bytes can unpack to any number."""
    pieces, size = list[bytes](), 0
    while piece := await reply.content.readany():
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST_BODY:
            raise malformed_answer(f"found a body of more than {LARGEST_BODY // 2**20} MB; expected an answer")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _text(reply: aiohttp.ClientResponse, read: bytes) -> str:
    try:
        return read.decode(reply.charset or "utf-8", "replace")
    except (LookupError, UnicodeError):  # a name that is no encoding of texts
        return read.decode("utf-8", "replace")


_OF_THE_BODY = (b"content-encoding", b"content-type", b"content-length", b"transfer-encoding")


def _status_error(url: str, reply: aiohttp.ClientResponse, read: bytes) -> openai.APIStatusError:
    """Return the SDK's error for a status of failure, with the error object of the body as the SDK takes it."""
    text = _text(reply, read)
    # As bytes, for a header may hold any; what they say of the body is true of it as it came, not of its text.
    headers = [pair for pair in reply.raw_headers if pair[0].lower() not in _OF_THE_BODY]
    response = httpx2.Response(
        reply.status, headers=headers, content=text.encode("utf-8", "replace"), request=httpx2.Request("POST", url)
    )
    try:
        body: Any = json.loads(text)
    except (ValueError, RecursionError):
        body = None
    inner = body.get("error", body) if isinstance(body, dict) else body
    message = text.strip() or f"Error code: {reply.status}"
    return openai.APIStatusError(message, response=response, body=inner)
