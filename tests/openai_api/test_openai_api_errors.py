"""What a failure keeps and says, one attempt at a time; the table of them is in test_openai_api_error_table.py."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import tracemalloc
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapdrift.keys import redact
from snapdrift.model import HTTP_ENDPOINTS, CallKey, Endpoint, Failure, FailureKind, Request
from snapdrift.openai_api.client import Host, OpenAIClient
from snapdrift.openai_api.errors import AttemptFailed, classify
from snapdrift.openai_api.posting import LARGEST_BODY
from snapdrift.openai_api.statuses import retry_after_seconds

if TYPE_CHECKING:
    from tests.openai_api.conftest import LoopbackHost

PACKED = gzip.compress(bytes(16 * LARGEST_BODY), 1)
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def fail(base_url: str, endpoint: Endpoint = Endpoint.RESPONSES, timeout_s: float = 20.0) -> Failure:
    """Asks the host once and returns the failure that this must end in."""

    async def ask() -> Failure:
        host = Host("test", base_url, "key-of-the-test-host", is_openai=False)
        request = Request(CallKey("c", "v", 0), 0, endpoint, base_url, {"model": "m", "input": "hi"}, "r:c:v/0/0")
        async with OpenAIClient(host, timeout_s=timeout_s) as client:
            with pytest.raises(AttemptFailed) as caught:
                await client.ask(request)
        return caught.value.failure

    return asyncio.run(ask())


def error_body(message: str, code: str | None = None, kind: str = "invalid_request_error", **more: Any) -> str:
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code, **more}})


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_the_sdk_never_tries_again_by_itself(loopback: LoopbackHost, status: int) -> None:
    loopback.answers(error_body("no"), status=status, headers={"x-should-retry": "true"})
    fail(loopback.base_url)
    assert len(loopback.sent) == 1


@pytest.mark.parametrize(
    ("status", "body", "may_have_run"),
    [
        (500, error_body("no"), False),
        (502, "<html>", True),
        (504, error_body("no"), True),
        (429, error_body("no"), False),
    ],
)
def test_only_a_failure_that_leaves_it_open_may_have_run(
    loopback: LoopbackHost, status: int, body: str, may_have_run: bool
) -> None:
    loopback.answers(body, status=status)
    assert fail(loopback.base_url).may_have_run is may_have_run


@pytest.mark.parametrize(
    ("status", "says", "retryable"), [(400, "true", True), (500, "false", False), (401, "true", False)]
)
def test_the_servers_word_on_trying_again_holds_except_where_the_run_stops(
    loopback: LoopbackHost, status: int, says: str, retryable: bool
) -> None:
    loopback.answers(error_body("no"), status=status, headers={"x-should-retry": says})
    assert fail(loopback.base_url).retryable is retryable


def test_a_failure_keeps_the_request_id_and_the_wait_that_was_asked_for(loopback: LoopbackHost) -> None:
    loopback.answers(
        error_body("slow down", "rate_limit_exceeded"),
        status=429,
        headers={"x-request-id": "req_1", "retry-after": "7", "retry-after-ms": "1500"},
    )
    failure = fail(loopback.base_url)
    assert (failure.request_id, failure.retry_after) == ("req_1", 1.5)


def test_the_key_of_the_host_is_not_repeated_when_the_host_repeats_it(loopback: LoopbackHost) -> None:
    loopback.answers(error_body("Wrong key: key-of-the-test-host"), status=401)
    assert "key-of-the-test-host" not in fail(loopback.base_url).message


# ------------------------------------------------------------------------------------------- a 200 that holds no answer


@pytest.mark.parametrize(
    ("body", "content_type", "part"),
    [
        ('{"id": "resp_1", "outp', "application/json", "expected a JSON object"),
        ("all good", "text/plain", "expected a JSON object; found 'all good'"),
        ("<html><title>Sign in</title></html>", "text/html", "expected a JSON object"),
        ("", "application/json", "it is empty"),
        ("[1, 2]", "application/json", "found a JSON list"),
        ("null", "application/json", "found a JSON NoneType"),
        ("[" * 200_000, "application/json", "expected a JSON object"),
        ("1" * 5_000, "application/json", "expected a JSON object"),
        (b"\xff\xfe\x00", "application/json", "expected a JSON object"),
    ],
)
@pytest.mark.parametrize("endpoint", list(HTTP_ENDPOINTS))
def test_a_200_without_a_json_object_is_malformed_and_tried_again(
    loopback: LoopbackHost, endpoint: Endpoint, body: str | bytes, content_type: str, part: str
) -> None:
    loopback.answers(body, content_type=content_type, headers={"x-request-id": "req_1"})
    failure = fail(loopback.base_url, endpoint)
    assert (failure.kind, failure.retryable, failure.may_have_run) == (FailureKind.MALFORMED, True, True)
    assert (failure.status, failure.request_id) == (200, "req_1")
    assert part in failure.message


def test_a_response_that_failed_with_a_200_keeps_its_request_id(loopback: LoopbackHost) -> None:
    body = {"status": "failed", "error": {"code": "server_error", "message": "The model broke"}, "output": []}
    loopback.answers(body, headers={"x-request-id": "req_2"})
    failure = fail(loopback.base_url)
    assert (failure.kind, failure.retryable, failure.request_id) == (FailureKind.SERVER, True, "req_2")
    assert failure.message == "The response failed (server_error): The model broke"


# ---------------------------------------------------------------------------------------------- answers that never came


def test_a_refused_connection_was_never_sent() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    failure = fail(f"http://127.0.0.1:{port}/v1")
    assert (failure.kind, failure.retryable, failure.may_have_run) == (FailureKind.CONNECTION, True, False)
    assert failure.message.startswith("No connection to the host")


@pytest.mark.parametrize("fault", ["reset", "cut"])
def test_a_connection_that_breaks_may_have_been_answered(loopback: LoopbackHost, fault: str) -> None:
    loopback.answers('{"id": ', fault=fault)
    failure = fail(loopback.base_url)
    assert (failure.kind, failure.retryable, failure.may_have_run) == (FailureKind.CONNECTION, True, True)
    assert failure.message.startswith("The connection broke before the answer was complete")


def test_a_host_that_never_answers_times_out_and_may_have_run(loopback: LoopbackHost) -> None:
    loopback.answers("", fault="stall")
    failure = fail(loopback.base_url, timeout_s=0.3)
    assert (failure.kind, failure.retryable, failure.may_have_run) == (FailureKind.TIMEOUT, True, True)
    assert failure.message.startswith("Timed out: ")


def test_a_host_that_does_not_speak_http_is_malformed(loopback: LoopbackHost) -> None:
    loopback.answers("", fault="gibberish")
    failure = fail(loopback.base_url)
    assert (failure.kind, failure.retryable) == (FailureKind.MALFORMED, True)


def test_a_defect_is_no_failure_of_an_attempt() -> None:
    with pytest.raises(KeyError):
        classify(KeyError("a defect"))


def test_the_sdks_json_error_is_malformed() -> None:
    assert classify(json.JSONDecodeError("Expecting value", "{", 1)).kind is FailureKind.MALFORMED


def test_an_error_event_of_the_sdk_is_classified_by_its_code() -> None:
    import httpx2
    import openai

    request = httpx2.Request("POST", "http://127.0.0.1/v1/responses")
    error = openai.APIError("slow down", request, body={"code": "rate_limit_exceeded", "message": "slow down"})
    assert classify(error).kind is FailureKind.RATE_LIMIT


# ---------------------------------------------------------------------------------------------------- waits and secrets


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "20"}, 20.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": format_datetime(NOW + timedelta(seconds=30), usegmt=True)}, 30.0),
        ({"retry-after": format_datetime(NOW - timedelta(seconds=30), usegmt=True)}, None),
        ({"retry-after": "0"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "tomorrow"}, None),
    ],
)
def test_the_wait_is_read_in_every_form_that_servers_use(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers, NOW) == seconds


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_wait_header_is_a_positive_number_of_seconds_or_none(text: str) -> None:
    seconds = retry_after_seconds({"retry-after": text}, NOW)
    assert seconds is None or 0 < seconds < float("inf")


@pytest.mark.parametrize(
    "text", ["sk-proj-Ab_12-cd", "key sk-ab***yz given", "Authorization: Bearer abc.def", "(bearer sk-1)"]
)
def test_what_looks_like_a_key_is_never_shown(text: str) -> None:
    shown = redact(text)
    assert "[key]" in shown
    assert not any(part in shown for part in ("sk-", "abc.def"))


def test_ordinary_words_are_left_as_they_are() -> None:
    assert redact("The risk-free task-force asks.") == "The risk-free task-force asks."


def test_a_message_is_never_longer_than_a_person_reads(loopback: LoopbackHost) -> None:
    loopback.answers(error_body("x" * 100_000), status=400)
    assert len(fail(loopback.base_url).message) <= 500


def test_a_key_at_the_end_of_what_is_shown_is_not_shown_by_halves(loopback: LoopbackHost) -> None:
    loopback.answers(error_body("x" * 445 + " key-of-the-test-host" * 3), status=400)
    assert "key-of" not in fail(loopback.base_url).message


@pytest.mark.parametrize("status", [200, 500])
def test_a_few_packed_bytes_that_unpack_to_any_number_are_read_no_further_than_an_answer_is_long(
    loopback: LoopbackHost, status: int
) -> None:
    loopback.answers(PACKED, status=status, headers={"content-encoding": "gzip"})
    tracemalloc.start()
    try:
        failure = fail(loopback.base_url)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (failure.kind, failure.may_have_run) == (FailureKind.MALFORMED, True)
    assert "found a body of more than 64 MB; expected an answer" in failure.message
    assert peak < 2 * LARGEST_BODY


def test_a_packed_answer_of_an_ordinary_size_is_read(loopback: LoopbackHost) -> None:
    packed = gzip.compress(error_body("x" * 2**20).encode())
    loopback.answers(packed, status=400, headers={"content-encoding": "gzip"})
    assert fail(loopback.base_url).kind is FailureKind.BAD_REQUEST
