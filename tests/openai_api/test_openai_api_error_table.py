"""The error table: every way to fail, through the unmodified SDK over a real connection, and through the real engine.

Each row says how the call ended, how often it was asked, how long was waited in between, and the sentence that a user
reads. Source of the rows: OpenAI's guide to error codes, the behaviour of the SDK (openai 3.54.0), recorded traffic.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from errno import ECONNRESET
from typing import Any

import pytest
from tests.openai_api.conftest import LoopbackHost, Reply, streamed

from snapdrift.execution.budget import Budget
from snapdrift.execution.engine import Engine
from snapdrift.execution.records import EngineReport, EngineSettings, StopReason
from snapdrift.execution.turns import Here
from snapdrift.model import CallKey, Endpoint, FailureKind, Outcome, Request, Response
from snapdrift.openai_api.client import OpenAIClient
from snapdrift.openai_api.hosts import Host

ATTEMPTS = 3
BACKOFF = (0.5, 1.0)
"""Seconds between the attempts where the host asks for nothing: 0.5 * 2^n, with the most jitter."""
SLOTS = (2 / 25, 2 / 14.25)
"""The same after a 429: two slots of the rate that is left (25 a second; then half of that and of 3.5 more)."""

WORST_USD = 0.02
CHAT, RESPONSES = Endpoint.CHAT, Endpoint.RESPONSES
ANSWERS: dict[Endpoint, dict[str, Any]] = {
    RESPONSES: {
        "status": "completed",
        "output": [{"type": "message", "content": [{"type": "output_text", "text": "Hello"}]}],
    },
    CHAT: {"choices": [{"index": 0, "message": {"content": "Hello"}, "finish_reason": "stop"}]},
}


class FastClock:
    """Time passes only while somebody waits, and then at once."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self._now = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 22, 12, 0, tzinfo=UTC) + timedelta(seconds=self._now)

    def monotonic(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self._now += seconds
        await asyncio.sleep(0)


class MostJitter(random.Random):
    """Draws the upper end."""

    def uniform(self, a: float, b: float) -> float:  # noqa: ARG002  the lower end
        return b


@dataclass(frozen=True)
class Ended:
    """How calls ended, in order, and the run with them."""

    responses: tuple[Response, ...]
    report: EngineReport
    waits: tuple[float, ...]

    @property
    def response(self) -> Response:
        return self.responses[-1]

    @property
    def message(self) -> str:
        assert self.response.failure is not None
        return self.response.failure.message


def end(base_url: str, endpoint: Endpoint = RESPONSES, **settings: Any) -> Ended:
    """Asks one call."""
    return end_all(base_url, [endpoint], **settings)


def end_all(
    base_url: str, endpoints: list[Endpoint], *, timeout_s: float = 20.0, stream: bool = False, sweep: bool = False
) -> Ended:
    """Asks one call after another with the engine as a run does, but with a clock that does not wait."""
    clock = FastClock()
    kept: list[Response] = []
    body = {"model": "gpt-4o", **({"stream": True} if stream else {})}

    async def record(response: Response, _: Request) -> None:
        kept.append(response)

    async def run() -> EngineReport:
        requests = [
            Request(CallKey(f"c{number}", "v", 0), 0, endpoint, base_url, body, f"run:c{number}:v/0/0")
            for number, endpoint in enumerate(endpoints)
        ]
        async with OpenAIClient(Host("test", base_url, "key-of-the-host", is_openai=False), timeout_s=timeout_s) as c:
            engine = Engine(
                turns=Here(c.ask),
                record=record,
                price=lambda _model, _answer: 0.0,
                worst=lambda _: WORST_USD,
                settings=EngineSettings(concurrency=1, max_attempts=ATTEMPTS, sweep=sweep),
                budget=Budget(None),
                clock=clock,
                rng=MostJitter(),
            )
            return await engine.run(requests)

    report = asyncio.run(run())
    return Ended(tuple(kept), report, tuple(clock.waits))


def error(message: str, code: str | None, kind: str = "invalid_request_error", param: str | None = None) -> str:
    return json.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})


@dataclass(frozen=True)
class Row:
    """A way to fail, and what comes of it. `waits` None: the engine's own backoff."""

    name: str
    reply: Reply
    kind: FailureKind
    attempts: int
    message: str
    endpoint: Endpoint = RESPONSES
    may_have_run: bool = False
    waits: tuple[float, ...] | None = None
    stopped: StopReason | None = None


SHOWN = "`snapdrift check SUITE --explain CASE` shows what is sent"
SLOWER = "ewer requests at once (`--concurrency`) help"
DATES = "A model that was shut down is answered so too; `snapdrift models` shows the dates"
BILLED = "It may have been answered and billed"
GONE = "The model `gpt-4o-2024-05-13` does not exist or you do not have access to it."
LIMIT = error("Rate limit reached for gpt-4o: Limit 500, Used 500.", "rate_limit_exceeded", "requests")
REACHED = "The rate limit was reached (429 rate_limit_exceeded): Rate limit reached for gpt-4o: Limit 500, Used 500"
TOO_LARGE = "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 36278"
NO_SMALLER = "Shorten the prompt, lower max_output_tokens, or ask for a higher usage tier"
PAGE = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
FAILED = json.dumps({"status": "failed", "output": [], "error": {"code": "server_error", "message": "It broke."}})
SERVER_ERROR = error("The server had an error", "server_error", "server_error")
A_MINUTE_AGO = format_datetime(datetime.now(UTC) - timedelta(minutes=1), usegmt=True)

REFUSED = FailureKind.BAD_REQUEST
LIMITED = FailureKind.RATE_LIMIT

ROWS = [
    Row(
        "400 with a code",
        Reply(400, error("Invalid 'temperature': must be at most 2.", "decimal_above_max_value", param="temperature")),
        REFUSED,
        1,
        "The host refused the request (400 decimal_above_max_value): Invalid 'temperature': must be at most 2. "
        f"{SHOWN}",
    ),
    Row(
        "400 without a code",
        Reply(400, error("Unknown parameter: 'seed'.", None)),
        REFUSED,
        1,
        f"The host refused the request (400 invalid_request_error): Unknown parameter: 'seed'. {SHOWN}",
    ),
    Row(
        "400 a value that is not supported",
        Reply(400, error("Unsupported value: 'temperature' does not support 0.", "unsupported_value")),
        REFUSED,
        1,
        f"The host refused the request (400 unsupported_value): Unsupported value: 'temperature' does not support 0. "
        f"{SHOWN}",
    ),
    Row(
        "400 a context that is too long",
        Reply(400, error("This model's maximum context length is 128000 tokens.", "context_length_exceeded")),
        REFUSED,
        1,
        "The request is too long for the model (400 context_length_exceeded): This model's maximum context length is "
        "128000 tokens. Shorten the prompt or lower max_output_tokens",
    ),
    Row(
        "401",
        Reply(401, error("Incorrect API key provided: sk-ab***yz.", "invalid_api_key")),
        FailureKind.AUTHENTICATION,
        1,
        "The key was refused (401 invalid_api_key): Incorrect API key provided: [key]. "
        "Check the variable that holds the key",
        stopped=StopReason.AUTHENTICATION,
    ),
    Row(
        "403",
        Reply(403, error("Country, region, or territory not supported", "unsupported_country_region_territory")),
        FailureKind.AUTHENTICATION,
        1,
        "Access was denied (403 unsupported_country_region_territory): Country, region, or territory not supported. "
        "Check the key's project, permissions and region",
        stopped=StopReason.AUTHENTICATION,
    ),
    Row(
        "403 a model that the project may not use",
        Reply(403, error("Project `p` does not have access to model `gpt-4o`", "model_not_found")),
        FailureKind.MODEL_NOT_FOUND,
        1,
        f"The model cannot be asked (403 model_not_found): Project `p` does not have access to model `gpt-4o`. {DATES}",
    ),
    Row(
        "404 model on Chat",
        Reply(404, error(GONE, "model_not_found")),
        FailureKind.MODEL_NOT_FOUND,
        1,
        f"The model cannot be asked (404 model_not_found): {GONE} {DATES}",
        endpoint=CHAT,
    ),
    Row(
        "400 model on Responses",
        Reply(400, error(GONE, "model_not_found", param="model")),
        FailureKind.MODEL_NOT_FOUND,
        1,
        f"The model cannot be asked (400 model_not_found): {GONE} {DATES}",
    ),
    Row(
        "404 no such address",
        Reply(404, "<html><title>404 Not Found</title></html>", content_type="text/html"),
        REFUSED,
        1,
        "The host has no such address (404): a page or text instead of an error object: 404 Not Found. "
        "Check its base_url, which usually ends in /v1",
    ),
    Row(
        "404 another object",
        Reply(404, error("Previous response with id 'resp_1' not found.", "previous_response_not_found")),
        REFUSED,
        1,
        "The host refused the request (404 previous_response_not_found): Previous response with id 'resp_1' not found. "
        f"{SHOWN}",
    ),
    Row(
        "408",
        Reply(408, error("Request timed out.", None, "timeout")),
        FailureKind.TIMEOUT,
        ATTEMPTS,
        f"The host timed out (408 timeout): Request timed out. {BILLED}",
        may_have_run=True,
    ),
    Row(
        "409",
        Reply(409, error("The resource is locked.", "conflict")),
        FailureKind.SERVER,
        ATTEMPTS,
        "The host reports a conflict (409 conflict): The resource is locked",
    ),
    Row(
        "413",
        Reply(413, ""),
        REFUSED,
        1,
        "The request is too large for the host (413): the host gives no reason. "
        "Send less text, or smaller images or files",
    ),
    Row(
        "422",
        Reply(422, error("Input should be a valid string", None)),
        REFUSED,
        1,
        f"The host refused the request (422 invalid_request_error): Input should be a valid string. {SHOWN}",
    ),
    Row(
        "429 without Retry-After",
        Reply(429, LIMIT),
        LIMITED,
        ATTEMPTS,
        f"{REACHED}. F{SLOWER}",
        waits=SLOTS,
    ),
    Row(
        "429 with Retry-After",
        Reply(429, LIMIT, {"retry-after": "7"}),
        LIMITED,
        ATTEMPTS,
        f"{REACHED}. It asks to wait 7 s; f{SLOWER}",
        waits=(7.5, 7.5),
    ),
    Row(
        "429 with Retry-After in the past",
        Reply(429, LIMIT, {"retry-after": A_MINUTE_AGO}),
        LIMITED,
        ATTEMPTS,
        f"{REACHED}. F{SLOWER}",
        waits=SLOTS,
    ),
    Row(
        "429 with retry-after-ms",
        Reply(429, LIMIT, {"retry-after-ms": "1500", "retry-after": "2"}),
        LIMITED,
        ATTEMPTS,
        f"{REACHED}. It asks to wait 1.5 s; f{SLOWER}",
        waits=(1.65, 1.65),
    ),
    Row(
        "429 with more than two minutes",
        Reply(429, LIMIT, {"retry-after": "300"}),
        LIMITED,
        ATTEMPTS,
        f"{REACHED}. It asks to wait 300 s; f{SLOWER}",
        waits=(300.5, 300.5),
    ),
    Row(
        "429 insufficient_quota",
        Reply(429, error("You exceeded your current quota.", "insufficient_quota", "insufficient_quota")),
        FailureKind.QUOTA,
        1,
        "The account has no quota left (429 insufficient_quota): You exceeded your current quota. "
        "Waiting does not help: check plan and billing",
        stopped=StopReason.QUOTA,
    ),
    Row(
        "500",
        Reply(500, SERVER_ERROR),
        FailureKind.SERVER,
        ATTEMPTS,
        "The host failed (500 server_error): The server had an error",
    ),
    Row(
        "502 with a page",
        Reply(502, PAGE, content_type="text/html"),
        FailureKind.SERVER,
        ATTEMPTS,
        "The host failed (502): a page or text instead of an error object: 502 Bad Gateway",
        may_have_run=True,
    ),
    Row(
        "503 overloaded",
        Reply(503, error("That model is currently overloaded with other requests.", None, "server_error")),
        FailureKind.OVERLOADED,
        ATTEMPTS,
        f"The host is overloaded (503 server_error): That model is currently overloaded with other requests. F{SLOWER}",
    ),
    Row(
        "503 Slow Down",
        Reply(503, error("Slow Down", "slow_down", "server_error"), {"retry-after": "20"}),
        FailureKind.OVERLOADED,
        ATTEMPTS,
        f"The host is overloaded (503 slow_down): Slow Down. It asks to wait 20 s; f{SLOWER}",
        waits=(20.5, 20.5),
    ),
    Row(
        "504",
        Reply(504, ""),
        FailureKind.TIMEOUT,
        ATTEMPTS,
        f"The host timed out (504): the host gives no reason. {BILLED}",
        may_have_run=True,
    ),
    Row(
        "a redirect",
        Reply(307, "", {"location": "https://example.com/v1/responses"}),
        REFUSED,
        1,
        "The host redirects the request (307 to https://example.com/v1/responses), which is not followed. "
        "Check its base_url",
    ),
    Row(
        "429 for one request that no minute has room for",
        Reply(429, error(f"{TOO_LARGE}. ", "rate_limit_exceeded", "tokens"), {"x-should-retry": "true"}),
        REFUSED,
        1,
        f"The request is larger than the account's limit for a minute (429 rate_limit_exceeded): {TOO_LARGE}. "
        f"{NO_SMALLER}",
    ),
    Row(
        "x-should-retry says no",
        Reply(500, SERVER_ERROR, {"x-should-retry": "false"}),
        FailureKind.SERVER,
        1,
        "The host failed (500 server_error): The server had an error. The host says that trying again does not help",
    ),
    Row(
        "x-should-retry says yes",
        Reply(400, error("Try once more.", "transient"), {"x-should-retry": "true"}),
        REFUSED,
        ATTEMPTS,
        f"The host refused the request (400 transient): Try once more. {SHOWN}",
    ),
    Row(
        "x-should-retry does not mend a key",
        Reply(401, error("No key", "invalid_api_key"), {"x-should-retry": "true"}),
        FailureKind.AUTHENTICATION,
        1,
        "The key was refused (401 invalid_api_key): No key. Check the variable that holds the key",
        stopped=StopReason.AUTHENTICATION,
    ),
    Row(
        "a connection that is reset",
        Reply(fault="reset"),
        FailureKind.CONNECTION,
        ATTEMPTS,
        f"The connection broke before the answer was complete: [Errno {ECONNRESET}] Connection reset by peer. {BILLED}",
        may_have_run=True,
    ),
    Row(
        "a body that is cut",
        Reply(body='{"status": "compl', fault="cut"),
        FailureKind.CONNECTION,
        ATTEMPTS,
        f"The connection broke before the answer was complete: part of it never came. {BILLED}",
        may_have_run=True,
    ),
    Row(
        "another protocol",
        Reply(fault="gibberish"),
        FailureKind.MALFORMED,
        ATTEMPTS,
        "The host's answer is malformed: it does not speak HTTP (ClientResponseError). Check its base_url",
        may_have_run=True,
    ),
    Row(
        "bad JSON in a 200",
        Reply(body='{"status": "completed", "outp'),
        FailureKind.MALFORMED,
        ATTEMPTS,
        'The host\'s answer is malformed: expected a JSON object; found \'{"status": "completed", "outp\'',
        may_have_run=True,
    ),
    Row(
        "a page in a 200",
        Reply(body="<html><title>Sign in</title></html>", content_type="text/html"),
        FailureKind.MALFORMED,
        ATTEMPTS,
        "The host's answer is malformed: expected a JSON object; found a page. Check the host's base_url. "
        "The page: '<html><title>Sign in</title></html>'",
        may_have_run=True,
    ),
    Row(
        "text in a 200",
        Reply(body="all good", content_type="text/plain"),
        FailureKind.MALFORMED,
        ATTEMPTS,
        "The host's answer is malformed: expected a JSON object; found 'all good'",
        may_have_run=True,
    ),
    Row(
        "another object in a 200",
        Reply(body='{"ok": true}'),
        FailureKind.MALFORMED,
        ATTEMPTS,
        "The host's answer is malformed: the body is not a chat completion: it has no `choices` with a `message`",
        endpoint=CHAT,
        may_have_run=True,
    ),
    Row(
        "200 with status failed",
        Reply(body=FAILED),
        FailureKind.SERVER,
        ATTEMPTS,
        "The response failed (server_error): It broke.",
        may_have_run=True,
    ),
    Row(
        "200 with status failed, for the prompt",
        Reply(body=FAILED.replace("server_error", "invalid_prompt")),
        REFUSED,
        1,
        "The response failed (invalid_prompt): It broke.",
    ),
    Row(
        "200 with status failed, for a request that is too large",
        Reply(body=FAILED.replace("server_error", "rate_limit_exceeded").replace("It broke", TOO_LARGE)),
        REFUSED,
        1,
        f"The response failed (rate_limit_exceeded): {TOO_LARGE}.",
    ),
    Row(
        "200 with status failed, for the rate",
        Reply(body=FAILED.replace("server_error", "rate_limit_exceeded")),
        LIMITED,
        ATTEMPTS,
        "The response failed (rate_limit_exceeded): It broke.",
        may_have_run=True,
        waits=SLOTS,
    ),
]

CREATED = {"type": "response.created", "response": {"status": "in_progress", "output": [], "usage": None}}
DELTA = {"type": "response.output_text.delta", "delta": "Hel"}
CHUNK = {"choices": [{"index": 0, "delta": {"content": "Hel"}, "finish_reason": None}]}
FLAT = {"type": "error", "code": "server_error", "message": "It broke.", "param": None, "sequence_number": 2}
NESTED = {"error": {"message": "It broke.", "type": "server_error", "param": None, "code": None}}
BROKE = "The connection broke before the answer was complete: part of it never came. " + BILLED

STREAMED_ROWS = [
    Row(
        "a Responses stream without its terminal event",
        streamed(CREATED, DELTA),
        FailureKind.CONNECTION,
        ATTEMPTS,
        "The stream ended before the answer was complete: 2 events came, none of them `response.completed`. " + BILLED,
    ),
    Row(
        "a Chat stream without a finish_reason",
        streamed(CHUNK, b"data: [DONE]\n\n"),
        FailureKind.CONNECTION,
        ATTEMPTS,
        "The stream ended before the answer was complete: 1 chunks came, none of them with a `finish_reason`. "
        + BILLED,
        endpoint=CHAT,
    ),
    Row(
        "a Responses stream that is cut", streamed(CREATED, DELTA, fault="cut"), FailureKind.CONNECTION, ATTEMPTS, BROKE
    ),
    Row("a Chat stream that is cut", streamed(CHUNK, fault="cut"), FailureKind.CONNECTION, ATTEMPTS, BROKE, CHAT),
    Row(
        "bad JSON in a Responses stream",
        streamed(CREATED, b'data: {"type": \n\n'),
        FailureKind.MALFORMED,
        ATTEMPTS,
        "The host's answer is malformed: a piece of the stream is not JSON "
        "(Expecting value: line 1 column 10 (char 9))",
    ),
    Row(
        "bad JSON in a Chat stream",
        streamed(CHUNK, b'data: {"choices": \n\n'),
        FailureKind.MALFORMED,
        ATTEMPTS,
        "The host's answer is malformed: a piece of the stream is not JSON "
        "(Expecting value: line 1 column 13 (char 12))",
        endpoint=CHAT,
    ),
    Row(
        "an error event in a Responses stream",
        streamed(CREATED, DELTA, FLAT),
        FailureKind.SERVER,
        ATTEMPTS,
        "The stream broke off with an error (server_error): It broke.",
    ),
    Row(
        "an error object in a Chat stream",
        streamed(CHUNK, NESTED),
        FailureKind.SERVER,
        ATTEMPTS,
        "The stream broke off with an error (server_error): It broke.",
        endpoint=CHAT,
    ),
    Row(
        "an error event that another try cannot mend",
        streamed(CREATED, {**FLAT, "code": "invalid_prompt"}),
        REFUSED,
        1,
        "The stream broke off with an error (invalid_prompt): It broke.",
    ),
    Row(
        "an error event for want of money",
        streamed(CREATED, {**FLAT, "code": "insufficient_quota"}),
        FailureKind.QUOTA,
        1,
        "The account has no quota left (insufficient_quota): It broke. Waiting does not help: check plan and billing",
        stopped=StopReason.QUOTA,
    ),
    Row(
        "a response that failed in a stream",
        streamed(CREATED, {"type": "response.failed", "response": json.loads(FAILED)}),
        FailureKind.SERVER,
        ATTEMPTS,
        "The response failed (server_error): It broke.",
    ),
    Row(
        "a page instead of a stream",
        Reply(body="<html><title>Sign in</title></html>", content_type="text/html"),
        FailureKind.MALFORMED,
        ATTEMPTS,
        "The host's answer is malformed: expected a JSON object; found a page. Check the host's base_url. "
        "The page: '<html><title>Sign in</title></html>'",
    ),
]


def named(rows: list[Row]) -> Any:
    return pytest.mark.parametrize("row", rows, ids=[row.name for row in rows])


def check(row: Row, ended: Ended, asked: int, *, may_have_run: bool) -> None:
    response, failure = ended.response, ended.response.failure
    assert failure is not None
    assert (response.outcome, failure.kind, ended.message) == (Outcome.API_ERROR, row.kind, row.message)
    assert (len(response.attempts), asked) == (row.attempts, row.attempts)
    waits = BACKOFF[: row.attempts - 1] if row.waits is None else row.waits
    assert ended.waits == pytest.approx(waits, rel=1e-3)
    assert (failure.may_have_run, failure.stops_run) == (may_have_run, row.stopped is not None)
    assert ended.report.stopped is row.stopped
    # What may have been billed has no known cost, and is charged to the budget at its worst case.
    assert response.usd == (None if may_have_run else 0.0)
    assert ended.report.charged_usd == pytest.approx(WORST_USD * row.attempts if may_have_run else 0.0)


@named(ROWS)
def test_each_way_to_fail_has_its_outcome_its_retries_and_its_message(loopback: LoopbackHost, row: Row) -> None:
    loopback.reply = row.reply
    check(row, end(loopback.base_url, row.endpoint), len(loopback.sent), may_have_run=row.may_have_run)


@named(STREAMED_ROWS)
def test_each_way_to_fail_in_a_stream_is_a_failure_and_may_have_been_billed(loopback: LoopbackHost, row: Row) -> None:
    loopback.reply = row.reply
    ended = end(loopback.base_url, row.endpoint, stream=True)
    check(row, ended, len(loopback.sent), may_have_run=True)


@named([row for row in ROWS if row.name in ("401", "404 model on Chat", "429 with Retry-After", "502 with a page")])
def test_an_error_status_before_a_stream_is_told_as_without_one(loopback: LoopbackHost, row: Row) -> None:
    loopback.reply = row.reply
    ended = end(loopback.base_url, row.endpoint, stream=True)
    check(row, ended, len(loopback.sent), may_have_run=row.may_have_run)


def test_what_is_tried_again_is_answered_as_soon_as_the_host_answers(loopback: LoopbackHost) -> None:
    rows = [row for row in ROWS if row.attempts > 1]
    for row in rows:
        loopback.script += [row.reply, Reply(body=json.dumps(ANSWERS[row.endpoint]))]
    ended = end_all(loopback.base_url, [row.endpoint for row in rows])
    assert [response.text for response in ended.responses] == ["Hello"] * len(rows)
    failures = [[attempt.failure for attempt in response.attempts] for response in ended.responses]
    assert [(first and first.message, last) for first, last in failures] == [(row.message, None) for row in rows]


def test_a_wait_beyond_what_is_waited_for_is_left_to_the_sweep(loopback: LoopbackHost) -> None:
    loopback.script = [Reply(429, LIMIT, {"retry-after": "300"})]
    loopback.answers(ANSWERS[RESPONSES])
    ended = end(loopback.base_url, sweep=True)
    assert (ended.response.outcome, len(ended.response.attempts)) == (Outcome.OK, 2)


def test_a_refused_connection_is_tried_again_and_was_never_sent() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    ended = end(f"http://127.0.0.1:{port}/v1")
    reason = f"Cannot connect to host 127.0.0.1:{port} [Connect call failed ('127.0.0.1', {port})]"
    message = f"No connection to the host: {reason}. Check its base_url and the network"
    row = Row("refused", Reply(), FailureKind.CONNECTION, ATTEMPTS, message)
    check(row, ended, ATTEMPTS, may_have_run=False)


@pytest.mark.parametrize("reply", [Reply(fault="stall"), streamed(CREATED, DELTA, fault="stall in the middle")])
def test_a_host_that_does_not_answer_in_time_is_asked_again(loopback: LoopbackHost, reply: Reply) -> None:
    loopback.reply = reply
    ended = end(loopback.base_url, stream=reply.pieces is not None, timeout_s=0.3)
    assert ended.message in (
        f"Timed out: the answer was not complete in the time allowed. {BILLED}",
        f"Timed out: the host did not answer in the time allowed. {BILLED}",
    )
    row = Row("stall", reply, FailureKind.TIMEOUT, ATTEMPTS, ended.message)
    check(row, ended, len(loopback.sent), may_have_run=True)
