"""Files and batches of a host over the SDK, and what each kind of line means."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from tests.openai_api.conftest import Reply

from snapdrift.model import CallKey, Endpoint, FailureKind, Outcome, Request, Source
from snapdrift.openai_api.batch_lines import BatchLine, input_line, read_line
from snapdrift.openai_api.batches import BatchClient, RemoteBatch
from snapdrift.openai_api.errors import AttemptFailed
from snapdrift.openai_api.hosts import Host

T = TypeVar("T")
SECRET = "sk-secret-1234567890"
CHAT_BODY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-4o-2024-11-20",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8},
}


def read(entry: Any, endpoint: Endpoint = Endpoint.CHAT, source: Source = Source.OPENAI, **named: Any) -> BatchLine:
    data = entry if isinstance(entry, bytes) else json.dumps(entry).encode()
    settings: dict[str, Any] = {"standin": False, "redact": lambda text: text.replace(SECRET, "[key]"), **named}
    return read_line(data, endpoint, source, **settings)


def line(response: Any = None, error: Any = None, custom_id: Any = "a") -> dict[str, Any]:
    return {"id": "batch_req_1", "custom_id": custom_id, "response": response, "error": error}


def answered(body: Any = CHAT_BODY, status: Any = 200, **more: Any) -> dict[str, Any]:
    return line({"status_code": status, "request_id": "req_1", "body": body, **more})


# --------------------------------------------------------------------------------------------------------------- lines


def test_an_input_line_asks_exactly_what_a_live_request_asks():
    key = CallKey("é/1", "november", 2)
    request = Request(
        key, 0, Endpoint.RESPONSES, "http://h/v1", {"model": "gpt-4o", "input": "Zoë \u2028"}, "s-r:e:n/2/0"
    )
    data = input_line(request)
    assert data.endswith(b"}\n")
    assert data.count(b"\n") == 1
    assert json.loads(data) == {
        "custom_id": "s-r:e:n/2/0",
        "method": "POST",
        "url": "/v1/responses",
        "body": {"model": "gpt-4o", "input": "Zoë \u2028"},
    }


def test_an_answered_line_is_an_answer_that_came_by_batch():
    found = read(answered())
    assert found.custom_id == "a"
    answer = found.answer
    assert answer is not None
    assert (answer.outcome, answer.text, answer.returned_model) == (Outcome.OK, "Yes", "gpt-4o-2024-11-20")
    assert (answer.batched, answer.source, answer.request_id) == (True, Source.OPENAI, "req_1")
    assert answer.usage is not None
    assert answer.usage.input_tokens == 7
    assert json.loads(answer.raw) == CHAT_BODY


@pytest.mark.parametrize(
    ("standin", "label", "source"),
    [(True, "recorded", Source.RECORDED), (True, "odd", Source.SIMULATED), (False, "recorded", Source.HOST)],
)
def test_only_a_stand_in_is_believed_about_where_an_answer_comes_from(standin, label, source):
    found = read(answered(**{"x-snapdrift-standin": label}), source=Source.HOST, standin=standin)
    assert found.answer is not None
    assert found.answer.source is source


@pytest.mark.parametrize(
    ("status", "body", "kind", "retryable"),
    [
        (429, {"error": {"message": "slow", "code": "rate_limit_exceeded"}}, FailureKind.RATE_LIMIT, True),
        (429, {"error": {"message": "none", "code": "insufficient_quota"}}, FailureKind.QUOTA, False),
        (400, {"error": {"message": "bad", "code": "invalid_value"}}, FailureKind.BAD_REQUEST, False),
        (404, {"error": {"message": "gone", "code": "model_not_found"}}, FailureKind.MODEL_NOT_FOUND, False),
        (500, {"error": {"message": "oops", "code": "server_error"}}, FailureKind.SERVER, True),
        (503, "<html><title>Busy</title></html>", FailureKind.OVERLOADED, True),
        (500, None, FailureKind.SERVER, True),
        ("oops", {}, FailureKind.MALFORMED, True),
        (None, {}, FailureKind.MALFORMED, True),
    ],
)
def test_a_line_with_an_error_status_is_classified_as_it_is_live(status, body, kind, retryable):
    failure = read(answered(body, status)).failure
    assert failure is not None
    assert (failure.kind, failure.retryable) == (kind, retryable)


def test_the_request_id_of_a_refused_line_is_kept():
    failure = read(answered({"error": {"message": "bad"}}, 400)).failure
    assert failure is not None
    assert (failure.status, failure.request_id) == (400, "req_1")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("batch_expired", FailureKind.EXPIRED),
        ("batch_cancelled", FailureKind.CANCELLED),
        ("something_new", FailureKind.SERVER),
        (None, FailureKind.SERVER),
    ],
)
def test_a_line_without_a_response_was_not_billed_and_may_be_asked_again(code, kind):
    failure = read(line(error={"code": code, "message": "Not done."})).failure
    assert failure is not None
    assert (failure.kind, failure.retryable, failure.may_have_run) == (kind, True, False)
    assert "Not done" in failure.message


@pytest.mark.parametrize("body", ["text", None, [], {}, {"choices": []}])
def test_a_line_with_a_body_that_is_no_answer_may_have_been_billed(body):
    failure = read(answered(body)).failure
    assert failure is not None
    assert (failure.kind, failure.may_have_run) == (FailureKind.MALFORMED, True)


@pytest.mark.parametrize(
    "data", [b"", b"oops", b"[]", b'{"custom_id": ""}', b'{"custom_id": 5}', b"{}", b"\xff\xfe", b"[" * 100_000]
)
def test_a_line_that_does_not_say_whose_it_is_is_no_line(data):
    with pytest.raises(AttemptFailed):
        read(data)


def test_keys_are_taken_out_of_what_a_host_says():
    for entry in (answered({"error": {"message": f"bad {SECRET}"}}, 400), line(error={"code": SECRET})):
        failure = read(entry).failure
        assert failure is not None
        assert SECRET not in failure.message


# -------------------------------------------------------------------------------------------------------------- client


def do(host: Any, work: Callable[[BatchClient], Awaitable[T]]) -> T:
    async def run() -> T:
        async with BatchClient(Host("h", host.base_url, SECRET, is_openai=False)) as client:
            return await work(client)

    return asyncio.run(run())


def batch(number: int = 1, **fields: Any) -> dict[str, Any]:
    return {"id": f"batch_{number}", "object": "batch", "status": "validating", "created_at": 1000 + number, **fields}


@pytest.mark.parametrize("empty", [{}, {"output_file_id": None}, {"output_file_id": ""}])
def test_a_file_that_is_not_there_has_no_id(loopback, empty):
    loopback.reply = Reply(body=json.dumps(batch(status="completed", error_file_id="file-2", **empty)))
    found = do(loopback, lambda client: client.retrieve("batch_1"))
    assert (found.output_file_id, found.error_file_id, found.over) == (None, "file-2", True)


def test_a_batch_is_read_tolerantly(loopback):
    odd = batch(status="queued", errors={"data": [{"code": 5, "line": "x"}]}, request_counts=None, metadata=["x"])
    loopback.reply = Reply(body=json.dumps(odd), headers={"openai-poll-after-ms": "1500"})
    found = do(loopback, lambda client: client.retrieve("batch_1"))
    assert (found.status, found.over, found.total, found.metadata) == ("queued", False, 0, ())
    assert found.poll_after_s == 1.5
    assert [(error.code, error.line) for error in found.mistakes] == [("", None)]


def test_an_object_without_an_id_is_malformed(loopback):
    loopback.reply = Reply(body="{}")
    with pytest.raises(AttemptFailed) as failed:
        do(loopback, lambda client: client.retrieve("batch_1"))
    assert failed.value.failure.kind is FailureKind.MALFORMED


@pytest.mark.parametrize("identity", ["", "../models/ft-x", "a/b", "a?b", "."])
def test_an_id_that_would_lead_elsewhere_is_not_asked_for(loopback, identity):
    for work in (
        lambda client: client.retrieve(identity),
        lambda client: client.cancel(identity),
        lambda client: client.delete_file(identity, "name"),
    ):
        with pytest.raises(AttemptFailed):
            do(loopback, work)
    assert not loopback.sent


def test_a_file_of_another_name_is_not_deleted(loopback):
    loopback.reply = Reply(body=json.dumps({"id": "file-1", "filename": "theirs.jsonl"}))
    do(loopback, lambda client: client.delete_file("file-1", "ours.jsonl"))
    assert [sent.method for sent in loopback.sent] == ["GET"]


def test_creation_names_the_file_the_endpoint_and_the_part(loopback):
    loopback.reply = Reply(body=json.dumps(batch()))
    made = do(loopback, lambda client: client.create(Endpoint.CHAT, "file-1", {"snapdrift_part": "1-a"}))
    assert made == RemoteBatch("batch_1", "validating", created_at=1001)
    assert loopback.sent[0].path == "/v1/batches"
    assert loopback.sent[0].body == {
        "input_file_id": "file-1",
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        "metadata": {"snapdrift_part": "1-a"},
    }


def test_a_batch_is_found_by_its_metadata_page_by_page_until_they_are_too_old(loopback):
    def page(*entries: dict[str, Any], more: bool) -> Any:
        return Reply(body=json.dumps({"object": "list", "data": list(entries), "has_more": more}))

    wanted = batch(7, metadata={"snapdrift_run": "r", "snapdrift_part": "1-a"})
    others = [batch(number, metadata={"snapdrift_run": "r"}) for number in (9, 8)]
    loopback.script = [page(*others, more=True), page(wanted, more=True)]
    found = do(loopback, lambda client: client.find_batch({"snapdrift_part": "1-a"}, since=1005))
    assert found is not None
    assert found.id == "batch_7"
    assert [sent.path for sent in loopback.sent] == ["/v1/batches?limit=100", "/v1/batches?limit=100&after=batch_8"]

    loopback.script = [page(*others, more=True), page(batch(4), more=True)]
    assert do(loopback, lambda client: client.find_batch({"snapdrift_part": "1-a"}, since=1005)) is None


def test_lines_end_at_line_feeds_and_nowhere_else(loopback):
    pieces = ["one\u2028still o".encode(), b"ne\r\nt", b"wo\n\nthree\x0cand\x85"]
    loopback.reply = Reply(pieces=pieces, content_type="application/octet-stream")

    async def lines(client: BatchClient) -> list[bytes | None]:
        async with client.content("file-1") as content:
            return [data async for data in content.lines]

    assert do(loopback, lines) == ["one\u2028still one\r".encode(), b"two", b"", b"three\x0cand\x85"]


def test_a_download_that_is_cut_is_a_failure_that_may_be_tried_again(loopback):
    loopback.reply = Reply(body="one\ntwo\n", fault="cut")

    async def lines(client: BatchClient) -> list[bytes | None]:
        async with client.content("file-1") as content:
            return [data async for data in content.lines]

    with pytest.raises(AttemptFailed) as failed:
        do(loopback, lines)
    assert failed.value.failure.retryable


def test_what_the_host_refuses_is_classified_and_the_key_is_never_told(loopback):
    loopback.reply = Reply(status=401, body=json.dumps({"error": {"message": f"wrong {SECRET}", "code": "x"}}))
    with pytest.raises(AttemptFailed) as failed:
        do(loopback, lambda client: client.cancel("batch_1"))
    assert failed.value.failure.kind is FailureKind.AUTHENTICATION
    assert SECRET not in str(failed.value)
