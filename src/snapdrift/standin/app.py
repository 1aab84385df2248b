"""The application: routes, headers, and the way of a request from its arrival to its answer."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from snapdrift.model import HTTP_ENDPOINTS, Endpoint, Source
from snapdrift.standin import chat_wire, responses_wire
from snapdrift.standin.api_errors import ApiError, unknown_url, wrong_method
from snapdrift.standin.config import StandinConfig
from snapdrift.standin.exchanges import Exchange, Reception, check_key
from snapdrift.standin.failing import BAD_GATEWAY_PAGE, CutResponse, Drop, DroppedResponse, fault_error
from snapdrift.standin.faults import Fault, FaultPlan
from snapdrift.standin.latency import Latency
from snapdrift.standin.log import RequestLog
from snapdrift.standin.questions import Question, read_question
from snapdrift.standin.ratelimits import RateLimiter
from snapdrift.standin.replies import Finished
from snapdrift.standin.service import AnswerService, endpoint_path

LABEL = "x-snapdrift-standin"
"""The header that says of every response that it is no measurement: `simulated` or `recorded`."""

JSON = "application/json"
_EVENTS = "text/event-stream; charset=utf-8"
_DROPPED = 0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the application needs of the world: a clock in seconds, a way to wait, a way to drop a connection."""

    drop: Drop
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


def create_app(config: StandinConfig, surroundings: Surroundings) -> Starlette:
    """The application for a configuration. Raises `ConfigError` when a file that it names cannot be used."""
    standin = _Application(config, surroundings)
    routes = [
        Route("/v1/models", standin.models, methods=["GET"]),
        Route("/v1/models/{model:path}", standin.model, methods=["GET"]),
        *(Route(f"/v1{endpoint_path(e)}", standin.answering(e), methods=["POST"]) for e in HTTP_ENDPOINTS),
    ]
    handlers: dict[Any, Any] = {404: _not_found, 405: _not_allowed, ApiError: _refused, Exception: _defect}
    return Starlette(routes=routes, exception_handlers=handlers, lifespan=standin.lifespan)


class _Application:
    def __init__(self, config: StandinConfig, surroundings: Surroundings) -> None:
        self._config, self._world = config, surroundings
        self._service = AnswerService(config)
        self._log = RequestLog(config.log)
        self._reception = Reception(self._log)
        self._limiter = RateLimiter(config.limits, surroundings.clock)
        self._faults, self._latency = FaultPlan.parse(config.faults), Latency.parse(config.latency)

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Closes the log in the end."""
        try:
            yield
        finally:
            self._log.close()

    async def models(self, request: Request) -> Response:
        """`GET /v1/models`."""
        check_key(request.headers, self._config.key)
        listed = [self._service.model_object(model) for model in self._service.model_ids()]
        return _json_response({"object": "list", "data": listed}, standard_headers())

    async def model(self, request: Request) -> Response:
        """`GET /v1/models/{id}`."""
        check_key(request.headers, self._config.key)
        return _json_response(self._service.model_object(request.path_params["model"]), standard_headers())

    def answering(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        """The handler of an endpoint that answers questions."""

        async def handle(request: Request) -> Response:
            raw = await request.body()
            exchange = self._reception.receive(endpoint, request.headers.get("x-client-request-id"), raw)
            try:
                check_key(request.headers, self._config.key)
                return await self._respond(exchange)
            except ApiError as error:
                said = error.body["error"]
                exchange.finished(error.status, Source.SIMULATED.value, said["code"] or said["message"])
                raise

        return handle

    async def _respond(self, exchange: Exchange) -> Response:
        started = self._world.clock()
        question = read_question(exchange.endpoint, exchange.checked_body())
        exchange.fault = self._faults.strike(self._config.seed, exchange.call, exchange.arrival)
        failed = self._failed_before_answering(exchange, question)
        if failed is not None:
            return failed
        limits = self._limiter.take(question.model, self._service.tokens_asked_for(question))
        done = self._service.answer(question, exchange.caller)
        delay = self._latency.seconds(self._config.seed, exchange.call, exchange.arrival)
        if delay:
            await self._world.sleep(delay)
        took = max(1, round((self._world.clock() - started) * 1000))
        headers = {**standard_headers(done.reply.source, took), **limits}
        if question.stream:
            return self._streamed(exchange, question, done, headers)
        return self._whole(exchange, question, done, headers)

    def _failed_before_answering(self, exchange: Exchange, question: Question) -> Response | None:
        """The response of a fault that comes instead of an answer; raises `ApiError` for those with an error body."""
        fault, source = exchange.fault, Source.SIMULATED.value
        if fault is None:
            return None
        if fault in (Fault.ERROR_EVENT, Fault.FAILED) and not _can(fault, question):
            fault = Fault.SERVER_ERROR
        error = fault_error(fault, question.model, self._faults.retry_after)
        if error is not None:
            raise error
        if fault in (Fault.RESET, Fault.STALL):
            exchange.finished(_DROPPED, source)
            return DroppedResponse(self._world.drop, self._faults.stall_seconds if fault is Fault.STALL else 0.0)
        if fault in (Fault.HTML_BAD_GATEWAY, Fault.WRONG_TYPE):
            status = 502 if fault is Fault.HTML_BAD_GATEWAY else 200
            exchange.finished(status, source)
            return Response(BAD_GATEWAY_PAGE, status, headers=standard_headers(), media_type="text/html")
        return None

    def _whole(self, exchange: Exchange, question: Question, done: Finished, headers: dict[str, str]) -> Response:
        if exchange.fault is Fault.FAILED:
            body = responses_wire.failed_body(question, done)
        elif question.endpoint is Endpoint.RESPONSES:
            body = responses_wire.response_body(question, done)
        else:
            body = chat_wire.chat_body(question, done)
        source = done.reply.source.value
        text = json.dumps(body).encode()
        half = text[: len(text) // 2]
        if exchange.fault is Fault.CUT:
            exchange.finished(_DROPPED, source)
            return CutResponse([half], self._world.drop, headers, JSON)
        exchange.finished(200, source)
        return Response(half if exchange.fault is Fault.MALFORMED else text, headers=headers, media_type=JSON)

    def _streamed(self, exchange: Exchange, question: Question, done: Finished, headers: dict[str, str]) -> Response:
        on_responses = question.endpoint is Endpoint.RESPONSES
        events = responses_wire.response_events if on_responses else chat_wire.chat_chunks
        chunks = list(events(question, done))
        source = done.reply.source.value
        half = len(chunks) // 2
        if exchange.fault is Fault.CUT:
            exchange.finished(_DROPPED, source)
            return CutResponse(chunks[:half], self._world.drop, headers, _EVENTS)
        if exchange.fault is Fault.MALFORMED:
            chunks[half] = chunks[half].rstrip()[:-2] + b"\n\n"
        if exchange.fault is Fault.ERROR_EVENT:
            error = responses_wire.error_event(half) if on_responses else chat_wire.error_chunk()
            chunks = [*chunks[:half], error]
        return StreamingResponse(_sending(chunks, exchange, source), headers=headers, media_type=_EVENTS)


async def _sending(chunks: Iterable[bytes], exchange: Exchange, source: str) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
    exchange.finished(200, source)


def _can(fault: Fault, question: Question) -> bool:
    """Whether the endpoint has that way to fail: an event needs a stream, `status: failed` a whole response."""
    if fault is Fault.ERROR_EVENT:
        return question.stream
    return question.endpoint is Endpoint.RESPONSES and not question.stream


def standard_headers(source: Source = Source.SIMULATED, processing_ms: int = 1) -> dict[str, str]:
    """The headers that every response has."""
    return {
        "x-request-id": f"req_{uuid.uuid4().hex}",
        "openai-version": "2020-10-01",
        "openai-organization": "snapdrift-standin",
        "openai-processing-ms": str(processing_ms),
        LABEL: source.value,
    }


def _json_response(body: dict[str, Any], headers: dict[str, str], status: int = 200) -> Response:
    return Response(json.dumps(body), status, headers=headers, media_type=JSON)


async def _refused(_: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        raise error
    return _json_response(error.body, {**standard_headers(), **error.headers}, error.status)


async def _not_found(request: Request, _: HTTPException) -> Response:
    return await _refused(request, unknown_url(request.method, request.url.path))


async def _not_allowed(request: Request, _: HTTPException) -> Response:
    return await _refused(request, wrong_method(request.method, request.url.path))


async def _defect(request: Request, error: Exception) -> Response:
    text = f"The stand-in itself failed, {type(error).__name__}: {error}. This is a defect in snapdrift."
    return await _refused(request, ApiError(500, text, kind="server_error", code="standin_defect"))
