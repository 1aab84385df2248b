"""Files and batches of the stand-in, driven by the unmodified SDK over real sockets."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

import openai
import pytest

MODEL = "gpt-4o-2024-11-20"
CHAT = "/v1/chat/completions"
RESPONSES: Final = "/v1/responses"


def line(custom_id: str, url: str = RESPONSES, model: str = MODEL, **body: Any) -> dict[str, Any]:
    asked = {"input": f"Say {custom_id}."} if url == RESPONSES else {"messages": [{"role": "user", "content": "Hi."}]}
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": {"model": model, **asked, **body}}


def jsonl(lines: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(entry).encode() + b"\n" for entry in lines)


def submit(
    client: openai.OpenAI, content: bytes, endpoint: Any = RESPONSES, metadata: dict[str, str] | None = None
) -> openai.types.Batch:
    file = client.files.create(file=("requests.jsonl", content), purpose="batch")
    return client.batches.create(
        input_file_id=file.id, endpoint=endpoint, completion_window="24h", metadata=metadata or {}
    )


def ended(client: openai.OpenAI, batch: openai.types.Batch) -> openai.types.Batch:
    for _ in range(10):
        batch = client.batches.retrieve(batch.id)
        if batch.status in ("completed", "failed", "expired", "cancelled"):
            return batch
    raise AssertionError(batch.status)


def read(client: openai.OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    assert file_id
    return [json.loads(text) for text in client.files.content(file_id).content.split(b"\n") if text]


@pytest.fixture(scope="module")
def plain(start, connect):
    return connect(start())


def test_the_sync_sdk_drives_every_operation_on_files(plain):
    content = jsonl([line("a")])
    file = plain.files.create(file=("requests.jsonl", content), purpose="batch")
    assert (file.bytes, file.filename, file.purpose, file.status) == (
        len(content),
        "requests.jsonl",
        "batch",
        "processed",
    )
    assert file.expires_at is not None
    assert plain.files.retrieve(file.id) == file
    assert plain.files.content(file.id).content == content
    assert file.id in [found.id for found in plain.files.list(purpose="batch")]
    assert plain.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError):
        plain.files.retrieve(file.id)


def test_the_async_sdk_drives_files_and_batches(start):
    async def drive(url: str) -> list[str]:
        async with openai.AsyncOpenAI(base_url=url, api_key="sk-test", max_retries=0) as client:
            file = await client.files.create(file=("in.jsonl", jsonl([line("a"), line("b")])), purpose="batch")
            assert [found.id async for found in client.files.list()] == [file.id]
            batch = await client.batches.create(
                input_file_id=file.id, endpoint=RESPONSES, completion_window="24h", metadata={"run": "r1"}
            )
            statuses: list[str] = [batch.status]
            while batch.status != "completed":
                batch = await client.batches.retrieve(batch.id)
                statuses.append(batch.status)
            assert [found.id async for found in client.batches.list(limit=1)] == [batch.id]
            assert batch.metadata == {"run": "r1"}
            content = await client.files.content(batch.output_file_id or "")
            assert {json.loads(text)["custom_id"] for text in content.text.splitlines()} == {"a", "b"}
            await client.files.delete(file.id)
            with pytest.raises(openai.BadRequestError):
                await client.batches.cancel(batch.id)
            return statuses

    assert asyncio.run(drive(start())) == ["validating", "in_progress", "finalizing", "completed"]


@pytest.mark.parametrize("url", [RESPONSES, CHAT])
def test_a_batch_is_answered_in_another_order_and_counts_what_it_used(plain, url):
    ids = [f"c{number}" for number in range(12)]
    batch = ended(plain, submit(plain, jsonl([line(name, url) for name in ids]), url))
    assert (batch.status, batch.model, batch.error_file_id) == ("completed", MODEL, None)
    answers = read(plain, batch.output_file_id)
    got = [entry["custom_id"] for entry in answers]
    assert sorted(got) == sorted(ids)
    assert got != ids
    assert batch.request_counts is not None
    assert (batch.request_counts.total, batch.request_counts.completed, batch.request_counts.failed) == (12, 12, 0)
    assert batch.usage is not None
    sent = "input_tokens" if url == RESPONSES else "prompt_tokens"
    assert batch.usage.input_tokens == sum(entry["response"]["body"]["usage"][sent] for entry in answers) > 0


def test_a_line_is_answered_exactly_as_the_same_request_is_answered_live(start, connect):
    client = connect(start(seed=5))
    ids = [f"suite-r1:case{number}:november/0/0" for number in range(20)]
    batch = ended(client, submit(client, jsonl([line(name) for name in ids])))
    batched = {entry["custom_id"]: entry["response"]["body"] for entry in read(client, batch.output_file_id)}
    for name in ids:
        body = line(name)["body"]
        live = client.responses.create(**body, extra_headers={"X-Client-Request-Id": name})
        parsed = openai.types.responses.Response.model_validate(batched[name])
        assert parsed.output_text == live.output_text


def test_what_the_api_refuses_in_a_line_is_in_the_error_file_with_its_status(plain):
    lines = [line("good"), line("bad", temperature=9), line("streamed", stream=True)]
    batch = ended(plain, submit(plain, jsonl(lines)))
    errors = {entry["custom_id"]: entry for entry in read(plain, batch.error_file_id)}
    assert set(errors) == {"bad", "streamed"}
    assert {entry["error"] for entry in errors.values()} == {None}
    assert errors["bad"]["response"]["status_code"] == 400
    assert errors["bad"]["response"]["body"]["error"]["param"] == "temperature"


@pytest.mark.parametrize(("empty", "name"), [(False, None), (True, "")])
def test_a_batch_of_which_every_line_failed_completes_with_only_an_error_file(start, connect, empty, name):
    client = connect(start(batches={"empty_ids": empty}))
    batch = ended(client, submit(client, jsonl([line("a", model="no-such-model")])))
    assert batch.status == "completed"
    assert batch.output_file_id == name
    assert [entry["custom_id"] for entry in read(client, batch.error_file_id)] == ["a"]


@pytest.mark.parametrize(
    ("content", "codes"),
    [
        (b"", ["empty_file"]),
        (b'{"custom_id": "a"\n', ["invalid_json_line"]),
        (b"[]\n", ["invalid_json_line"]),
        (jsonl([line("a"), line("a")]), ["duplicate_custom_id"]),
        (jsonl([line("a"), line("b", CHAT)]), ["url_mismatch"]),
        (jsonl([line("a"), line("b", model="gpt-4o-mini")]), ["model_mismatch"]),
        (jsonl([{"custom_id": "a", "method": "POST", "url": RESPONSES}]), ["missing_required_parameter"]),
        (jsonl([{**line("a"), "method": "GET"}]), ["invalid_method"]),
        (jsonl([line(str(number)) for number in range(4)]), ["too_many_tasks"]),
    ],
)
def test_a_file_that_is_wrong_fails_the_batch_not_its_creation(start, connect, content, codes):
    client = connect(start(batches={"max_requests": 3}))
    batch = ended(client, submit(client, content))
    assert batch.status == "failed"
    assert batch.errors is not None
    assert [error.code for error in batch.errors.data or []] == codes
    assert batch.failed_at is not None


def test_the_line_of_a_mistake_is_named(plain):
    batch = ended(plain, submit(plain, jsonl([line("a")]) + b"oops\n"))
    assert batch.errors is not None
    assert [error.line for error in batch.errors.data or []] == [2]


def test_a_file_with_another_extension_is_refused_at_its_upload(plain):
    with pytest.raises(openai.BadRequestError, match=r"expected \.jsonl"):
        plain.files.create(file=("requests.json", b"{}\n"), purpose="batch")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"endpoint": "/v1/embeddings"}, "endpoint"),
        ({"completion_window": "1h"}, "completion_window"),
        ({"metadata": {"k" * 65: "v"}}, "metadata"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 5}}, "output_expires_after"),
    ],
)
def test_a_batch_with_a_wrong_parameter_is_refused(plain, fields, param):
    file = plain.files.create(file=("requests.jsonl", jsonl([line("a")])), purpose="batch")
    asked = {"input_file_id": file.id, "endpoint": RESPONSES, "completion_window": "24h", **fields}
    with pytest.raises(openai.BadRequestError) as refused:
        plain.batches.create(**asked)
    assert refused.value.param == param


def test_an_unknown_input_file_and_an_unknown_batch_are_404(plain):
    with pytest.raises(openai.NotFoundError):
        plain.batches.create(input_file_id="file-nope", endpoint=RESPONSES, completion_window="24h")
    with pytest.raises(openai.NotFoundError):
        plain.batches.retrieve("batch_nope")


def test_an_expired_batch_keeps_what_was_answered(start, connect):
    client = connect(start(batches={"fates": [{"ends": "expired", "answered": 2}]}))
    batch = ended(client, submit(client, jsonl([line(str(number)) for number in range(5)])))
    assert (batch.status, batch.expired_at) == ("expired", batch.created_at + 86_400)
    assert {entry["custom_id"] for entry in read(client, batch.output_file_id)} == {"0", "1"}
    errors = read(client, batch.error_file_id)
    assert {entry["error"]["code"] for entry in errors} == {"batch_expired"}
    assert [entry["response"] for entry in errors] == [None] * 3


def test_a_cancelled_batch_keeps_what_was_answered(start, connect):
    client = connect(start(batches={"fates": [{"stuck": True}]}))
    batch = submit(client, jsonl([line(str(number)) for number in range(4)]))
    assert [client.batches.retrieve(batch.id).status for _ in range(3)] == ["in_progress"] * 3
    assert client.batches.cancel(batch.id).status == "cancelling"
    batch = ended(client, batch)
    assert batch.status == "cancelled"
    assert len(read(client, batch.output_file_id)) == 2
    assert {entry["error"]["code"] for entry in read(client, batch.error_file_id)} == {"batch_cancelled"}


def test_lines_can_be_lost_come_twice_be_broken_or_be_without_an_answer(start, connect):
    fate = {"lost": 1, "twice": 1, "strange": 1, "broken": 1, "no_response": 1}
    client = connect(start(batches={"fates": [fate]}))
    ids = [str(number) for number in range(8)]
    batch = ended(client, submit(client, jsonl([line(name) for name in ids])))
    output = client.files.content(batch.output_file_id or "").content.splitlines()
    whole = [json.loads(text) for text in output if text.endswith(b"}")]
    errors = read(client, batch.error_file_id)
    assert len(output) - len(whole) == 1
    got = [entry["custom_id"] for entry in whole]
    assert len(got) - len(set(got)) == 1
    assert len([name for name in got if name not in ids]) == 1
    assert [(entry["response"], entry["error"]["code"]) for entry in errors] == [(None, "server_error")]
    assert len(set(ids) - set(got) - {entry["custom_id"] for entry in errors}) == 2


def test_the_queue_of_a_model_takes_no_more_tokens_than_the_account_has(start, connect):
    client = connect(start(batches={"enqueued_tokens": 40}))
    content = jsonl([line("a", input="one two three four five six seven eight nine ten " * 2)])
    first, second = submit(client, content), submit(client, content)
    assert client.batches.retrieve(first.id).status == "in_progress"
    failed = client.batches.retrieve(second.id)
    assert failed.status == "failed"
    assert failed.errors is not None
    error = (failed.errors.data or [])[0]
    assert error.code == "token_limit_exceeded"
    assert "Limit: 40" in (error.message or "")
    ended(client, first)
    assert ended(client, submit(client, content)).status == "completed"


def test_time_can_run_by_itself(start, connect):
    client = connect(start(batches={"speed": 1e9}))
    assert client.batches.retrieve(submit(client, jsonl([line("a")])).id).status == "completed"


def test_batches_are_listed_newest_first_in_pages(start, connect):
    client = connect(start())
    ids = [submit(client, jsonl([line("a")]), metadata={"number": str(number)}).id for number in range(3)]
    page = client.batches.list(limit=2)
    assert ([batch.id for batch in page.data], page.has_more) == (ids[:0:-1], True)
    assert [batch.id for batch in client.batches.list(limit=2, after=ids[1]).data] == [ids[0]]
    assert {batch.status for batch in client.batches.list()} == {"validating"}


def test_a_batch_is_there_though_the_client_heard_nothing_of_its_creation(start, connect):
    client = connect(start(batches={"fates": [{"created": "reset"}, {"created": "bad_gateway"}]}))
    for error in (openai.APIConnectionError, openai.InternalServerError):
        with pytest.raises(error):
            submit(client, jsonl([line("a")]))
    assert len(client.batches.list().data) == 2


def test_every_response_says_that_it_is_simulated_and_when_to_look_again(plain):
    raw = plain.batches.with_raw_response.retrieve(submit(plain, jsonl([line("a")])).id)
    assert raw.headers["x-snapdrift-standin"] == "simulated"
    assert raw.headers["openai-poll-after-ms"] == "200"


def test_a_wrong_key_gets_no_file(start, connect):
    client = connect(start(key="sk-right"))
    with pytest.raises(openai.AuthenticationError):
        client.files.list()


def test_the_log_says_what_was_submitted_and_answered(start, connect, tmp_path):
    log = tmp_path / "requests.jsonl"
    client = connect(start(log=log))
    batch = ended(client, submit(client, jsonl([line("s-r:a:v/0/0")])))
    events = [json.loads(text) for text in log.read_text().splitlines()]
    assert [event["client_request_id"] for event in events if event["event"] == "submitted"] == ["s-r:a:v/0/0"]
    assert [event["case"] for event in events if event["event"] == "received"] == ["a"]
    statuses = [event["status"] for event in events if event["event"] == "batch"]
    assert (statuses[-1], batch.status) == ("completed", "completed")
