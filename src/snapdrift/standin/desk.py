"""The way of a question from its arrival by HTTP to its answer: a body, a stream, or a failure on purpose."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from snapdrift.model import Endpoint, Source
from snapdrift.standin import chat_wire, responses_wire
from snapdrift.standin.answering import keep, whole_body
from snapdrift.standin.api_errors import ApiError
from snapdrift.standin.attachments import Kind
from snapdrift.standin.config import StandinConfig
from snapdrift.standin.exchanges import Exchange, Reception, check_key
from snapdrift.standin.failing import BAD_GATEWAY_PAGE, CutResponse, DroppedResponse, fault_error, trickled
from snapdrift.standin.fault_scripts import Faults, Struck
from snapdrift.standin.faults import Fault
from snapdrift.standin.http_replies import JSON, standard_headers
from snapdrift.standin.latency import Latency
from snapdrift.standin.questions import Question
from snapdrift.standin.ratelimits import RateLimiter
from snapdrift.standin.replies import Finished
from snapdrift.standin.service import AnswerService
from snapdrift.standin.surroundings import Surroundings

Handler = Callable[[Request], Awaitable[Response]]
_EVENTS = "text/event-stream; charset=utf-8"
_DROPPED = 0
_TRICKLES = 20
_ONLY_STREAMED = (Fault.ERROR_EVENT, Fault.NESTED_ERROR_EVENT, Fault.NO_END)


@dataclass(frozen=True, slots=True)
class AnsweringDesk:
    """Answers questions that come by HTTP."""

    config: StandinConfig
    world: Surroundings
    service: AnswerService
    reception: Reception
    limiter: RateLimiter
    faults: Faults
    latency: Latency

    def answering(self, endpoint: Endpoint) -> Handler:
        """The handler of an endpoint."""

        async def handle(request: Request) -> Response:
            raw = await request.body()
            name = request.headers.get("x-client-request-id")
            exchange = self.reception.receive(endpoint, name, raw, path=request.url.path)
            try:
                check_key(request.headers, self.config.key)
                return await self._respond(exchange)
            except ApiError as error:
                said = error.body["error"]
                exchange.finished(error.status, Source.SIMULATED.value, said["code"] or said["message"])
                raise

        return handle

    async def _respond(self, exchange: Exchange) -> Response:
        started = self.world.clock()
        question = self.service.read(exchange.endpoint, exchange.checked_body())
        struck = self.faults.strike(exchange.incident)
        exchange.fault = struck.fault if struck else None
        if struck is not None:
            failed = self._failed_before_answering(exchange, question, struck)
            if failed is not None:
                return failed
        tokens = self.service.input_tokens(question)
        images = sum(1 for one in question.transcript.attachments if one.kind is Kind.IMAGE)
        limits = self.limiter.take(question.model, tokens + (question.output_cap or 0), images)
        done = self.service.answer(question, exchange.caller, tokens)
        delay = self.latency.seconds(self.config.seed, exchange.call, exchange.arrival)
        if delay:
            await self.world.sleep(delay)
        took = max(1, round((self.world.clock() - started) * 1000))
        headers = {**standard_headers(done.reply.source, took), **limits}
        if question.stream:
            return self._streamed(exchange, question, done, headers, struck)
        return self._whole(exchange, question, done, headers, struck)

    def _failed_before_answering(self, exchange: Exchange, question: Question, struck: Struck) -> Response | None:
        """The response of a fault that comes instead of an answer; raises `ApiError` for those with an error body."""
        fault, source = struck.fault, Source.SIMULATED.value
        if not _can(fault, question):
            fault = Fault.SERVER_ERROR
        error = fault_error(fault, question.model, struck.retry_after)
        if error is not None:
            raise error
        if fault in (Fault.RESET, Fault.STALL):
            exchange.finished(_DROPPED, source)
            return DroppedResponse(self.world.drop, struck.stall_seconds if fault is Fault.STALL else 0.0)
        if fault in (Fault.HTML_BAD_GATEWAY, Fault.WRONG_TYPE):
            status = 502 if fault is Fault.HTML_BAD_GATEWAY else 200
            exchange.finished(status, source)
            return Response(BAD_GATEWAY_PAGE, status, headers=standard_headers(), media_type="text/html")
        return None

    def _whole(
        self, exchange: Exchange, question: Question, done: Finished, headers: dict[str, str], struck: Struck | None
    ) -> Response:
        failed = exchange.fault is Fault.FAILED
        body = responses_wire.failed_body(question, done) if failed else whole_body(question, done)
        keep(self.service, question, body)
        source = done.reply.source.value
        text = json.dumps(body).encode()
        half = text[: len(text) // 2]
        if exchange.fault is Fault.CUT:
            exchange.finished(_DROPPED, source)
            return CutResponse([half], self.world.drop, headers, JSON)
        if struck is not None and struck.fault is Fault.SLOW_BODY:
            size = len(text) // _TRICKLES + 1
            drops = [text[start : start + size] for start in range(0, len(text), size)]
            trickle = self._trickle(drops, struck, exchange, source)
            return StreamingResponse(trickle, headers={**headers, "content-length": str(len(text))}, media_type=JSON)
        exchange.finished(200, source)
        return Response(half if exchange.fault is Fault.MALFORMED else text, headers=headers, media_type=JSON)

    def _streamed(
        self, exchange: Exchange, question: Question, done: Finished, headers: dict[str, str], struck: Struck | None
    ) -> Response:
        if question.keeps:
            keep(self.service, question, whole_body(question, done))
        chunks = stream_chunks(question, done, exchange.fault)
        source = done.reply.source.value
        if exchange.fault is Fault.CUT:
            exchange.finished(_DROPPED, source)
            return CutResponse(chunks[: len(chunks) // 2], self.world.drop, headers, _EVENTS)
        slow = struck if struck is not None and struck.fault is Fault.SLOW_BODY else None
        sending = self._trickle(chunks, slow, exchange, source) if slow else _sending(chunks, exchange, source)
        return StreamingResponse(sending, headers=headers, media_type=_EVENTS)

    async def _trickle(
        self, chunks: Sequence[bytes], struck: Struck, exchange: Exchange, source: str
    ) -> AsyncIterator[bytes]:
        async for chunk in trickled(chunks, struck.slow_seconds, self.world.sleep):
            yield chunk
        exchange.finished(200, source)


def stream_chunks(question: Question, done: Finished, fault: Fault | None) -> list[bytes]:
    """The events of a stream, with what a fault makes of them (but for a cut: that is the connection's)."""
    if question.endpoint is Endpoint.RESPONSES:
        chunks = list(responses_wire.response_events(question, done, failing=fault is Fault.FAILED))
    else:
        chunks = list(chat_wire.chat_chunks(question, done))
    half = len(chunks) // 2
    if fault is Fault.MALFORMED:
        chunks[half] = chunks[half].rstrip()[:-2] + b"\n\n"
    elif fault is Fault.NO_END:
        chunks = chunks[:half]
    elif fault is Fault.NESTED_ERROR_EVENT or (fault is Fault.ERROR_EVENT and question.endpoint is Endpoint.CHAT):
        chunks = [*chunks[:half], chat_wire.error_chunk()]
    elif fault is Fault.ERROR_EVENT:
        chunks = [*chunks[:half], responses_wire.error_event(half)]
    return chunks


async def _sending(chunks: Iterable[bytes], exchange: Exchange, source: str) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
    exchange.finished(200, source)


def _can(fault: Fault, question: Question) -> bool:
    """Whether the question leaves room for the fault: an event needs a stream, `failed` the Responses API."""
    if fault in _ONLY_STREAMED:
        return question.stream
    return fault is not Fault.FAILED or question.endpoint is Endpoint.RESPONSES
