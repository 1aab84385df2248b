"""The one place that talks to the SDK: one request, one attempt, one answer.

The SDK is imported when the client is opened (it takes about a second). It reads headers, ids, keys and a URL from the
environment; everything that is sent is said here instead, so that nothing of the caller's shell reaches another host.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from snapdrift.errors import ConfigError, UsageError
from snapdrift.model import Answer, Endpoint, Failure, Request, Source
from snapdrift.openai_api.errors import AttemptFailed, classify, malformed_answer
from snapdrift.openai_api.requests import parse_response

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

OPENAI_BASE_URL = "https://api.openai.com/v1"
OPENAI_HOSTS = frozenset(
    {"api.openai.com", *(f"{region}.api.openai.com" for region in ("us", "eu", "ae", "au", "in", "jp"))}
)
"""OpenAI's API and its regional hosts (SDK openai 3.54.0, `data_residency`): the only ones that get OPENAI_API_KEY."""

STANDIN_HEADER = "x-snapdrift-standin"
_PATHS = {Endpoint.RESPONSES: "/responses", Endpoint.CHAT: "/chat/completions"}
_CONNECT_SECONDS = 10.0
_PROBE_SECONDS = 15.0
_SHOWN_OF_BODY = 2_000
"""Characters of a body that is no JSON: more than a message shows, so that what is cut off there is redacted first."""


def is_openai_host(base_url: str) -> bool:
    """Whether a URL is OpenAI's own API, over https at the usual port."""
    try:
        url = urlsplit(base_url)
        return (
            url.scheme == "https" and url.hostname in OPENAI_HOSTS and url.port in (None, 443) and "@" not in url.netloc
        )
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Host:
    """Where requests go. `is_openai` says that `api_key` is OpenAI's; such a key goes to OpenAI's hosts only.

    Raises `ConfigError` for a URL that is not one, and for a key of OpenAI with another host.
    """

    name: str
    base_url: str
    api_key: str = field(repr=False)
    is_openai: bool

    def __post_init__(self) -> None:
        try:
            url = urlsplit(self.base_url)
            valid = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
        except ValueError:
            valid = False
        if not valid:
            raise ConfigError(f"host {self.name}: found base_url {self.base_url!r}; expected http(s)://HOST[:PORT]/v1")
        if self.is_openai and not is_openai_host(self.base_url):
            raise ConfigError(
                f"host {self.name}: found base_url {self.base_url!r}; OPENAI_API_KEY is sent to OpenAI's hosts only "
                f"(https://api.openai.com/v1 and its regions). Declare the host with a key of its own (`key_env`)"
            )
        if not self.api_key or not self.api_key.isascii() or not self.api_key.isprintable() or " " in self.api_key:
            found = "an empty key" if not self.api_key else "a key with spaces, line ends or other odd characters"
            raise ConfigError(f"host {self.name}: found {found}; expected a key (any word for a host without keys)")


class OpenAIClient:
    """Asks one host; an async context manager. One a process and host: opening one costs a TLS context.

    `timeout_s` bounds an attempt as a whole, in seconds; `max_connections` how many are open at once.
    """

    def __init__(self, host: Host, *, timeout_s: float = 600.0, max_connections: int = 1000) -> None:
        self.host = host
        self._timeout_s = timeout_s
        self._max_connections = max_connections
        self._sdk: AsyncOpenAI | None = None

    async def __aenter__(self) -> Self:
        self._sdk = _open_sdk(self.host, self._timeout_s, self._max_connections)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._sdk is not None:
            await self._sdk.close()
            self._sdk = None

    async def ask(self, request: Request) -> Answer:
        """Send `request` once and return the answer, which may be a refusal or cut short.

        Raises `AttemptFailed` for everything that is no answer. Never tries again by itself.
        """
        if request.base_url.rstrip("/") != self.host.base_url.rstrip("/"):
            raise UsageError(f"the request is for {request.base_url}, but this client asks {self.host.base_url}")
        started = time.perf_counter()
        try:
            reply = await self._send(_PATHS[request.endpoint], self._timeout_s, request)
        except Exception as error:  # noqa: BLE001  `classify` raises again what is not a failure of the attempt
            raise AttemptFailed(self._failure(error), _milliseconds_since(started)) from None
        latency_ms = _milliseconds_since(started)
        request_id = reply.headers.get("x-request-id")
        try:
            parsed = parse_response(request.endpoint, _read_object(reply.text))
        except AttemptFailed as error:
            failure = replace(self._failure(error), status=reply.status_code, request_id=request_id)
            raise AttemptFailed(failure, latency_ms) from None
        return Answer(
            outcome=parsed.outcome,
            text=parsed.text,
            raw=reply.text,
            returned_model=parsed.returned_model,
            request_id=request_id,
            usage=parsed.usage,
            latency_ms=latency_ms,
            finish_reason=parsed.finish_reason,
            refusal=parsed.refusal,
            tool_calls=parsed.tool_calls,
            source=self._source(reply.headers),
        )

    async def probe(self) -> Source:
        """Ask `GET /models` and return what kind of host answers: a stand-in says in a header that it is one.

        Raises `AttemptFailed` when the host cannot be reached or refuses the key; any other status is an answer, since
        a host need not list models and a key need not be allowed to.
        """
        import openai

        started = time.perf_counter()
        try:
            reply = await self._send("/models", min(self._timeout_s, _PROBE_SECONDS))
            return self._source(reply.headers)
        except Exception as error:  # noqa: BLE001  as above
            if isinstance(error, openai.APIStatusError) and not isinstance(error, openai.AuthenticationError):
                return self._source(error.response.headers)
            raise AttemptFailed(self._failure(error), _milliseconds_since(started)) from None

    async def _send(self, path: str, timeout_s: float, request: Request | None = None) -> httpx2.Response:
        """One HTTP exchange: POST of a request, else GET. The body goes out as it is; what comes back only we parse.

        This is the SDK's documented way to any endpoint; its typed methods walk over the body and the answer once more,
        which takes about half a millisecond of CPU a call.
        """
        import httpx2

        if self._sdk is None:
            raise UsageError("the client is not open; expected `async with OpenAIClient(host) as client:`")
        async with asyncio.timeout(timeout_s):
            if request is None:
                return await self._sdk.get(path, cast_to=httpx2.Response)
            headers = {"X-Client-Request-Id": request.client_request_id}
            return await self._sdk.post(
                path, cast_to=httpx2.Response, body=dict(request.body), options={"headers": headers}
            )

    def _failure(self, error: Exception) -> Failure:
        return classify(error, secrets=(self.host.api_key,))

    def _source(self, headers: Mapping[str, str]) -> Source:
        says = headers.get(STANDIN_HEADER)
        if says is not None:
            # A word that is not known still is no measurement of a model.
            return Source.RECORDED if says == Source.RECORDED.value else Source.SIMULATED
        return Source.OPENAI if is_openai_host(self.host.base_url) else Source.HOST


def _milliseconds_since(started: float) -> float:
    return (time.perf_counter() - started) * 1000


def _read_object(text: str) -> Mapping[str, Any]:
    """The content decides, not its declared type: hosts send JSON as text/plain, and pages with a status of 200."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        beginning = " ".join(text[:_SHOWN_OF_BODY].split())
        raise malformed_answer(f"expected a JSON object; found {beginning!r}" if beginning else "it is empty") from None
    if not isinstance(body, Mapping):
        raise malformed_answer(f"expected a JSON object; found a JSON {type(body).__name__}")
    return body


def _open_sdk(host: Host, timeout_s: float, max_connections: int) -> AsyncOpenAI:
    import httpx2
    from openai import AsyncOpenAI, DefaultAioHttpClient

    timeout = httpx2.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_SECONDS))
    http_client = DefaultAioHttpClient(
        timeout=timeout,
        limits=httpx2.Limits(max_connections=max_connections, max_keepalive_connections=max_connections),
        # A redirect could carry a prompt to another host, and a proxy cannot reach this machine's loopback.
        follow_redirects=False,
        trust_env=not _is_loopback(host.base_url),
    )
    sdk = AsyncOpenAI(
        api_key=host.api_key,
        base_url=host.base_url,
        max_retries=0,
        timeout=timeout,
        http_client=http_client,
        webhook_secret="",
    )
    # None as an argument means "read the environment" to the SDK; as an attribute it means "none". Headers of
    # OPENAI_CUSTOM_HEADERS have no argument that turns them off.
    sdk.organization = None
    sdk.project = None
    sdk.admin_api_key = None
    sdk._custom_headers = {}
    return sdk


def _is_loopback(base_url: str) -> bool:
    name = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
