"""The one place that talks to the SDK: one request, one attempt, one answer.

The SDK is imported when the client is opened (it takes about a second). It reads headers, ids, keys and a URL from the
environment; everything that is sent is said here instead, so that nothing of the caller's shell reaches another host.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from snapdrift.errors import UsageError
from snapdrift.keys import body_without_keys, without_keys
from snapdrift.model import Answer, Endpoint, Failure, FailureKind, Request, Source
from snapdrift.openai_api.answers import count_of, mappings_of, name_of, text_of
from snapdrift.openai_api.errors import AttemptFailed, classify, malformed_answer, read_object
from snapdrift.openai_api.hosts import OPENAI_BASE_URL, Host, goes_by_proxy, is_loopback, is_openai_host
from snapdrift.openai_api.rate_headers import told_by, told_limits
from snapdrift.openai_api.requests import parse_response
from snapdrift.openai_api.statuses import failure_of
from snapdrift.openai_api.streams import drain, read_stream

if TYPE_CHECKING:
    import ssl

    import httpx2
    from openai import AsyncOpenAI

    from snapdrift.openai_api.posting import Poster

__all__ = ["OPENAI_BASE_URL", "STANDIN_HEADER", "Host", "ListedModel", "OpenAIClient", "is_openai_host", "open_sdk"]

STANDIN_HEADER = "x-snapdrift-standin"
_PATHS = {Endpoint.RESPONSES: "/responses", Endpoint.CHAT: "/chat/completions"}
_CONNECT_SECONDS = 10.0
_PROBE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model as `GET /models` lists it: `created` in seconds since 1970 (0: not said), `shutdown_date` as ISO text."""

    id: str
    created: int = 0
    shutdown_date: str | None = None


@dataclass(frozen=True, slots=True)
class _Reply:
    """A body that came with a 200, whole or put together from a stream. Times are in milliseconds since the send."""

    text: str
    headers: Mapping[str, str]
    latency_ms: float
    first_token_ms: float | None = None


class OpenAIClient:
    """Asks one host; an async context manager. One a process and host: opening one costs a TLS context.

    `timeout_s` bounds an attempt as a whole, in seconds; `max_connections` how many are open at once.
    """

    def __init__(self, host: Host, *, timeout_s: float = 600.0, max_connections: int = 1000) -> None:
        self.host = host
        self._timeout_s = timeout_s
        self._max_connections = max_connections
        self._sdk: AsyncOpenAI | None = None
        self._poster: Poster | None = None

    async def __aenter__(self) -> Self:
        self._sdk, tls = open_sdk(self.host, self._timeout_s, self._max_connections)
        if not self.host.is_azure and (is_loopback(self.host.base_url) or not goes_by_proxy(self.host.base_url)):
            from snapdrift.openai_api.posting import Poster

            self._poster = Poster(self._sdk, tls, _time_outs(self._timeout_s), self._max_connections)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        poster, sdk = self._poster, self._sdk
        self._poster = self._sdk = None
        if poster is not None:
            await poster.close()
        if sdk is not None:
            await sdk.close()

    async def ask(self, request: Request) -> Answer:
        """Send `request` once and return the answer, which may be a refusal or cut short.

        A body with `stream: true` is read as a stream, to the same answer; one that does not come to its end is none.
        Raises `AttemptFailed` for everything that is no answer. Never tries again by itself.
        """
        if request.base_url.rstrip("/") != self.host.base_url.rstrip("/"):
            raise UsageError(f"the request is for {request.base_url}, but this client asks {self.host.base_url}")
        if self.host.is_azure:
            _require_deployment(request.body.get("model"))
        started = time.perf_counter()
        exchange = self._stream if request.body.get("stream") is True else self._post
        try:
            reply = await exchange(request, started)
        except Exception as error:  # noqa: BLE001  `classify` raises again what is not a failure of the attempt
            raise AttemptFailed(self._failure(error), _milliseconds_since(started), told_by(error)) from None
        request_id = without_keys(text_of(reply.headers.get("x-request-id"))) or None
        # Before anything is made of it: what is graded, judged, followed up and stored is one and the same text.
        text = body_without_keys(reply.text)
        try:
            parsed = parse_response(request.endpoint, read_object(text))
        except AttemptFailed as error:
            failure = replace(self._failure(error), status=200, request_id=request_id)
            raise AttemptFailed(failure, reply.latency_ms, told_limits(reply.headers)) from None
        return Answer(
            outcome=parsed.outcome,
            text=parsed.text,
            raw=text,
            returned_model=parsed.returned_model,
            request_id=request_id,
            usage=parsed.usage,
            latency_ms=reply.latency_ms,
            finish_reason=parsed.finish_reason,
            refusal=parsed.refusal,
            tool_calls=parsed.tool_calls,
            source=self._source(reply.headers),
            first_token_ms=reply.first_token_ms,
            service_tier=parsed.service_tier,
            told=told_limits(reply.headers),
        )

    async def probe(self) -> Source:
        """Ask `GET /models` and return what kind of host answers: a stand-in says in a header that it is one.

        Raises `AttemptFailed` when the host cannot be reached or refuses the key; any other status is an answer, since
        a host need not list models and a key need not be allowed to.
        """
        import openai

        started = time.perf_counter()
        try:
            reply = await self._get_models()
            return self._source(reply.headers)
        except Exception as error:  # noqa: BLE001  as above
            if isinstance(error, openai.APIStatusError) and not isinstance(error, openai.AuthenticationError):
                return self._source(error.response.headers)
            raise AttemptFailed(self._failure(error), _milliseconds_since(started)) from None

    async def list_models(self) -> tuple[ListedModel, ...]:
        """Return what `GET /models` lists, in the host's order; an entry without an id is left out.

        Raises `AttemptFailed` when there is no list, as of a host that has none.
        """
        started = time.perf_counter()
        try:
            return _listed_models(read_object(body_without_keys((await self._get_models()).text)))
        except Exception as error:  # noqa: BLE001  as above
            raise AttemptFailed(self._failure(error), _milliseconds_since(started)) from None

    async def has_model(self, model: str) -> bool | None:
        """Ask `GET /models/MODEL` and return whether the host has the model; None where it does not say.

        It costs nothing. Only the error code `model_not_found` is a no: a host without this address says 404, too.
        """
        import openai

        try:
            await self._get_models(f"/{quote(model, safe=':')}")
        except openai.NotFoundError as error:
            return False if error.code == "model_not_found" else None
        except Exception as error:  # noqa: BLE001  whatever else went wrong says nothing of the model
            self._failure(error)
            return None
        return True

    async def _get_models(self, of: str = "") -> httpx2.Response:
        import httpx2

        async with asyncio.timeout(min(self._timeout_s, _PROBE_SECONDS)):
            return await self._open_sdk.get(f"/models{of}", cast_to=httpx2.Response)

    async def _post(self, request: Request, started: float) -> _Reply:
        """One HTTP exchange. The body goes out as it is; what comes back only we parse."""
        named = {"X-Client-Request-Id": request.client_request_id}
        async with asyncio.timeout(self._timeout_s):
            if self._poster is not None:
                posted = await self._poster.post(_PATHS[request.endpoint], request.body, named)
                return _Reply(posted.text, posted.headers, _milliseconds_since(started))
            return await self._post_by_sdk(request, named, started)

    async def _post_by_sdk(self, request: Request, named: Mapping[str, str], started: float) -> _Reply:
        """The same in the SDK's documented way to any endpoint, which knows Azure's addresses and proxies.

        Its typed methods walk over the body and the answer once more, which takes another half millisecond of CPU.
        """
        import httpx2

        reply = await self._open_sdk.post(
            _PATHS[request.endpoint], cast_to=httpx2.Response, body=dict(request.body), options={"headers": named}
        )
        return _Reply(reply.text, reply.headers, _milliseconds_since(started))

    async def _stream(self, request: Request, started: float) -> _Reply:
        """One HTTP exchange whose answer comes in events; `object` has the SDK hand them over as parsed JSON."""
        from openai import AsyncStream

        async with asyncio.timeout(self._timeout_s) as bound:
            events = await self._open_sdk.post(
                _PATHS[request.endpoint],
                cast_to=object,
                body=dict(request.body),
                options={"headers": {"X-Client-Request-Id": request.client_request_id}},
                stream=True,
                stream_cls=AsyncStream[object],
            )
            headers = events.response.headers
            async with events:
                try:
                    if _is_whole(headers):
                        text = await _read_text(events.response)
                        return _Reply(text, headers, _milliseconds_since(started))
                    body = await read_stream(events, request.endpoint, time.perf_counter)
                except Exception as error:  # noqa: BLE001  as above
                    failure = replace(self._failure(error), status=200, request_id=headers.get("x-request-id"))
                    # The host had begun to answer, so whatever ended it, something may have been billed.
                    raise AttemptFailed(replace(failure, may_have_run=True)) from None
                bound.reschedule(None)  # the answer is whole
                await drain(events)
        first_token_ms = None if body.first_at is None else (body.first_at - started) * 1000
        return _Reply(body.text, headers, (body.ended_at - started) * 1000, first_token_ms)

    @property
    def _open_sdk(self) -> AsyncOpenAI:
        if self._sdk is None:
            raise UsageError("the client is not open; expected `async with OpenAIClient(host) as client:`")
        return self._sdk

    def _failure(self, error: Exception) -> Failure:
        return classify(error, secrets=(self.host.api_key,))

    def _source(self, headers: Mapping[str, str]) -> Source:
        says = headers.get(STANDIN_HEADER)
        if says is not None:
            # A word that is not known still is no measurement of a model.
            return Source.RECORDED if says == Source.RECORDED.value else Source.SIMULATED
        return Source.OPENAI if is_openai_host(self.host.base_url) else Source.HOST


def _require_deployment(name: Any) -> None:
    """Azure's name of a deployment becomes a part of the path; a suite must not write another path with it."""
    if not isinstance(name, str) or not re.fullmatch(r"(?!\.+$)[A-Za-z0-9._-]+", name):
        message = f"The model {name!r} cannot be asked: on Azure, `model` names a deployment (letters, digits, . _ -)"
        raise AttemptFailed(failure_of(FailureKind.MODEL_NOT_FOUND, message))


def _milliseconds_since(started: float) -> float:
    # To the microsecond: what is below is noise, and is stored with every answer.
    return round((time.perf_counter() - started) * 1000, 3)


def _listed_models(body: Mapping[str, Any]) -> tuple[ListedModel, ...]:
    if not isinstance(body.get("data"), list):
        raise malformed_answer("the body is no list of models: it has no `data`")
    return tuple(
        ListedModel(name, count_of(entry.get("created")), name_of(entry.get("shutdown_date")))
        for entry in mappings_of(body["data"])
        if (name := name_of(entry.get("id")))
    )


def _is_whole(headers: Mapping[str, str]) -> bool:
    """Whether a host that was asked for a stream says that it sends one body: an answer all the same, or a page."""
    declared = headers.get("content-type", "").partition(";")[0].strip().lower()
    return declared in ("application/json", "text/html")


async def _read_text(response: httpx2.Response) -> str:
    """The body of a response that was opened as a stream; what breaks it is told as the SDK tells it of others."""
    import httpx2
    import openai

    try:
        await response.aread()
    except httpx2.TimeoutException as error:
        raise openai.APITimeoutError(request=response.request) from error
    except httpx2.RequestError as error:
        raise openai.APIConnectionError(request=response.request) from error
    return response.text


def _time_outs(timeout_s: float) -> httpx2.Timeout:
    import httpx2

    return httpx2.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_SECONDS))


def _tls(host: Host) -> ssl.SSLContext:
    """What connections are secured by; on loopback by nothing, where to read whom to trust would take 60 ms."""
    import ssl

    import httpx2

    if host.base_url.startswith("http://") and is_loopback(host.base_url):  # no proxy and no redirect leads elsewhere
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody
    return httpx2.create_ssl_context(trust_env=not is_loopback(host.base_url))


def open_sdk(host: Host, timeout_s: float, max_connections: int) -> tuple[AsyncOpenAI, ssl.SSLContext]:
    """Return the SDK's client for a host and its TLS context, which takes tens of milliseconds to make.

    Retries are off, and nothing of the environment is in it. To be closed by the caller.
    """
    import httpx2
    from openai import AsyncAzureOpenAI, AsyncOpenAI, DefaultAioHttpClient

    from snapdrift.openai_api.body_bounds import bound_body

    timeout = _time_outs(timeout_s)
    tls = _tls(host)
    http_client = DefaultAioHttpClient(
        verify=tls,
        timeout=timeout,
        limits=httpx2.Limits(max_connections=max_connections, max_keepalive_connections=max_connections),
        # A redirect could carry a prompt to another host, and a proxy cannot reach this machine's loopback.
        follow_redirects=False,
        trust_env=not is_loopback(host.base_url),
        event_hooks={"response": [bound_body]},
    )
    settings: dict[str, Any] = {
        "api_key": host.api_key,
        "max_retries": 0,
        "timeout": timeout,
        "http_client": http_client,
        "webhook_secret": "",
    }
    sdk: AsyncOpenAI
    if host.is_azure:
        sdk = azure = AsyncAzureOpenAI(azure_endpoint=host.base_url, api_version=host.api_version, **settings)
        azure._azure_ad_token = None
    else:
        sdk = AsyncOpenAI(base_url=host.base_url, **settings)
    # None as an argument means "read the environment" to the SDK; as an attribute it means "none". Headers of
    # OPENAI_CUSTOM_HEADERS have no argument that turns them off.
    sdk.organization = None
    sdk.project = None
    sdk.admin_api_key = None
    sdk._custom_headers = {}
    return sdk, tls
