from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from snapdrift.errors import ConfigError, UsageError
from snapdrift.model import Answer, CallKey, Endpoint, FailureKind, Outcome, Request, Source, Usage
from snapdrift.openai_api.client import Host, OpenAIClient, is_openai_host
from snapdrift.openai_api.errors import AttemptFailed

if TYPE_CHECKING:
    from tests.openai_api.conftest import LoopbackHost

T = TypeVar("T")
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "model": "gpt-4o-2024-08-06",
    "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]}],
    "usage": {"input_tokens": 3, "output_tokens": 1},
}
COMPLETION = {
    "object": "chat.completion",
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1},
}
BODY: dict[str, Any] = {
    "model": "gpt-4o",
    "input": [{"role": "user", "content": "Hi"}],
    "temperature": 0,
    "store": False,
}


def host_at(base_url: str) -> Host:
    return Host("test", base_url, "key-of-the-test-host", is_openai=False)


def request_to(base_url: str, endpoint: Endpoint = Endpoint.RESPONSES) -> Request:
    return Request(CallKey("c", "v", 0), 0, endpoint, base_url, BODY, "run:c:v/0/0")


def with_client(host: Host, use: Callable[[OpenAIClient], Awaitable[T]]) -> T:
    async def run() -> T:
        async with OpenAIClient(host, timeout_s=20) as client:
            return await use(client)

    return asyncio.run(run())


def ask(base_url: str, endpoint: Endpoint = Endpoint.RESPONSES) -> Answer:
    return with_client(host_at(base_url), lambda client: client.ask(request_to(base_url, endpoint)))


@pytest.mark.parametrize(
    ("endpoint", "body", "path"),
    [
        (Endpoint.RESPONSES, RESPONSE, "/v1/responses"),
        (Endpoint.CHAT, COMPLETION, "/v1/chat/completions"),
    ],
)
def test_a_request_goes_to_its_endpoint_exactly_as_built(
    loopback: LoopbackHost, endpoint: Endpoint, body: dict[str, Any], path: str
) -> None:
    loopback.answers(body)
    ask(loopback.base_url, endpoint)
    (sent,) = loopback.sent
    assert (sent.method, sent.path, sent.body) == ("POST", path, BODY)


@pytest.mark.parametrize(("endpoint", "body"), [(Endpoint.RESPONSES, RESPONSE), (Endpoint.CHAT, COMPLETION)])
def test_an_answer_has_what_the_body_and_the_headers_say(
    loopback: LoopbackHost, endpoint: Endpoint, body: dict[str, Any]
) -> None:
    loopback.answers(body, headers={"x-request-id": "req_1"})
    answer = ask(loopback.base_url, endpoint)
    assert (answer.outcome, answer.text, answer.request_id) == (Outcome.OK, "Hello", "req_1")
    assert (answer.returned_model, answer.usage) == ("gpt-4o-2024-08-06", Usage(3, 0, 1, 0))


def test_the_raw_body_is_kept_byte_for_byte(loopback: LoopbackHost) -> None:
    text = '{"output":  [], "status": "completed", "caf\\u00e9": "é", "new": 1e400}'
    loopback.answers(text)
    assert ask(loopback.base_url).raw == text


def test_the_client_request_id_is_sent(loopback: LoopbackHost) -> None:
    loopback.answers(RESPONSE)
    ask(loopback.base_url)
    assert loopback.sent[0].headers["x-client-request-id"] == "run:c:v/0/0"


def test_a_request_says_what_the_sdk_itself_would_say(loopback: LoopbackHost) -> None:
    async def by_the_sdk(client: OpenAIClient) -> None:
        client._poster = None  # as for a host behind a proxy
        await client.ask(request_to(loopback.base_url))

    loopback.answers(RESPONSE)
    ask(loopback.base_url)
    with_client(host_at(loopback.base_url), by_the_sdk)
    ours, theirs = loopback.sent
    # What can be unpacked is the transport's business.
    assert _said(ours.headers) == _said(theirs.headers)
    assert (ours.method, ours.path, ours.body) == (theirs.method, theirs.path, theirs.body)


def _said(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in ("accept-encoding", "connection")}


def test_dates_of_a_yaml_file_go_out_as_the_sdk_writes_them(loopback: LoopbackHost) -> None:
    body = {**BODY, "metadata": {"day": date(2026, 11, 22)}}
    request = replace(request_to(loopback.base_url), body=body)
    loopback.answers(RESPONSE)
    with_client(host_at(loopback.base_url), lambda client: client.ask(request))
    assert loopback.sent[0].body["metadata"] == {"day": "2026-11-22"}


def test_a_host_behind_a_proxy_of_the_environment_is_asked_by_it(
    loopback: LoopbackHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", loopback.base_url.removesuffix("/v1"))
    monkeypatch.setenv("http_proxy", loopback.base_url.removesuffix("/v1"))
    loopback.answers(RESPONSE)
    # The name resolves nowhere: only the proxy, which is the loopback host here, can have answered.
    assert ask("http://model.invalid/v1").text == "Hello"
    assert loopback.sent[0].path == "http://model.invalid/v1/responses"


def test_a_header_of_an_error_may_hold_any_bytes(loopback: LoopbackHost) -> None:
    loopback.answers({"error": {"message": "busy"}}, status=503, headers={"x-info": "Gr\u00f6\u00dfe"})
    with pytest.raises(AttemptFailed) as failed:
        ask(loopback.base_url)
    assert failed.value.failure.kind is FailureKind.OVERLOADED


@pytest.mark.parametrize("status", [200, 500])
def test_a_charset_that_is_none_is_read_as_utf_8(loopback: LoopbackHost, status: int) -> None:
    body = RESPONSE if status == 200 else {"error": {"message": "kaputt \u00e4"}}
    loopback.answers(body, status=status, content_type="application/json; charset=idna")
    if status == 200:
        assert ask(loopback.base_url).text == "Hello"
        return
    with pytest.raises(AttemptFailed, match="kaputt \u00e4"):
        ask(loopback.base_url)


def test_an_answer_with_another_status_of_success_is_an_answer(loopback: LoopbackHost) -> None:
    loopback.answers(RESPONSE, status=201)
    assert ask(loopback.base_url).text == "Hello"


def test_half_a_character_that_a_model_wrote_is_sent_back_as_it_wrote_it(loopback: LoopbackHost) -> None:
    body = {**BODY, "input": [{"role": "assistant", "content": "half: \ud83d"}]}
    loopback.answers(RESPONSE)
    with_client(host_at(loopback.base_url), lambda c: c.ask(replace(request_to(loopback.base_url), body=body)))
    assert loopback.sent[0].body == body


def test_nothing_of_the_environment_is_sent(loopback: LoopbackHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "leak-key")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "leak-admin")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/leak-url")
    monkeypatch.setenv("OPENAI_ORG_ID", "leak-org")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "leak-project")
    monkeypatch.setenv("OPENAI_WEBHOOK_SECRET", "leak-webhook")
    monkeypatch.setenv(
        "OPENAI_CUSTOM_HEADERS",
        "X-Leak: leak-header\nAuthorization: Bearer leak-auth\nUser-Agent: leak-agent\nX-Client-Request-Id: leak-id",
    )
    loopback.answers(RESPONSE)
    ask(loopback.base_url)
    (sent,) = loopback.sent
    assert [name for name, value in sent.headers.items() if "leak" in f"{name} {value}"] == []
    assert sent.headers["authorization"] == "Bearer key-of-the-test-host"
    assert not {"openai-organization", "openai-project"} & set(sent.headers)


def test_a_proxy_of_the_environment_is_not_asked_for_loopback(
    loopback: LoopbackHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    loopback.answers(RESPONSE)
    assert ask(loopback.base_url).text == "Hello"


def test_a_redirect_is_not_followed(loopback: LoopbackHost) -> None:
    loopback.answers("", status=307, headers={"location": f"{loopback.base_url}/elsewhere"})
    with pytest.raises(AttemptFailed):
        ask(loopback.base_url)
    assert len(loopback.sent) == 1


def test_many_requests_at_once_each_get_their_own_answer(loopback: LoopbackHost) -> None:
    loopback.answers(RESPONSE)

    async def ask_all(client: OpenAIClient) -> list[Answer]:
        return await asyncio.gather(*(client.ask(request_to(loopback.base_url)) for _ in range(50)))

    answers = with_client(host_at(loopback.base_url), ask_all)
    assert [answer.text for answer in answers] == ["Hello"] * 50


def test_a_cancelled_request_ends_as_cancelled_and_not_as_a_failure(loopback: LoopbackHost) -> None:
    loopback.answers("", fault="stall")

    async def cancel(client: OpenAIClient) -> None:
        task = asyncio.create_task(client.ask(request_to(loopback.base_url)))
        await asyncio.to_thread(loopback.received.wait, 20)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        with_client(host_at(loopback.base_url), cancel)


def test_a_client_that_is_not_open_says_how_to_open_it() -> None:
    client = OpenAIClient(host_at("http://127.0.0.1:9/v1"))
    with pytest.raises(UsageError, match="async with"):
        asyncio.run(client.ask(request_to("http://127.0.0.1:9/v1")))


def test_a_request_for_another_host_is_not_sent(loopback: LoopbackHost) -> None:
    with pytest.raises(UsageError, match="this client asks"):
        with_client(host_at(loopback.base_url), lambda client: client.ask(request_to("http://127.0.0.1:9/v1")))
    assert loopback.sent == []


# ---------------------------------------------------------------------------------------------- where answers come from


@pytest.mark.parametrize(
    ("headers", "source"),
    [
        ({}, Source.HOST),
        ({"x-snapdrift-standin": "simulated"}, Source.SIMULATED),
        ({"x-snapdrift-standin": "recorded"}, Source.RECORDED),
        ({"x-snapdrift-standin": "something-new"}, Source.SIMULATED),
    ],
)
def test_an_answer_says_where_it_comes_from(loopback: LoopbackHost, headers: dict[str, str], source: Source) -> None:
    loopback.answers(RESPONSE, headers=headers)
    assert ask(loopback.base_url).source is source


def test_a_probe_asks_for_the_models_and_recognises_a_stand_in(loopback: LoopbackHost) -> None:
    loopback.answers({"object": "list", "data": []}, headers={"x-snapdrift-standin": "recorded"})
    assert with_client(host_at(loopback.base_url), lambda client: client.probe()) is Source.RECORDED
    assert [(sent.method, sent.path) for sent in loopback.sent] == [("GET", "/v1/models")]


@pytest.mark.parametrize("status", [403, 404, 405, 500])
def test_a_host_that_does_not_list_models_is_a_host(loopback: LoopbackHost, status: int) -> None:
    loopback.answers({"error": {"message": "no"}}, status=status)
    assert with_client(host_at(loopback.base_url), lambda client: client.probe()) is Source.HOST


def test_a_probe_with_a_wrong_key_fails_before_anything_is_spent(loopback: LoopbackHost) -> None:
    loopback.answers({"error": {"message": "no"}}, status=401)
    with pytest.raises(AttemptFailed) as caught:
        with_client(host_at(loopback.base_url), lambda client: client.probe())
    assert caught.value.failure.kind is FailureKind.AUTHENTICATION


@pytest.mark.parametrize(
    ("status", "body", "has"),
    [
        (200, {"id": "gpt-4o", "object": "model"}, True),
        (404, {"error": {"message": "gone", "code": "model_not_found"}}, False),
        (404, {"error": {"message": "no such address"}}, None),
        (500, {"error": {"message": "later"}}, None),
        (200, {"error": {"message": "odd"}}, True),
    ],
)
def test_only_a_host_that_says_so_does_not_have_a_model(
    loopback: LoopbackHost, status: int, body: dict[str, Any], has: bool | None
) -> None:
    loopback.answers(body, status=status)
    found = with_client(host_at(loopback.base_url), lambda client: client.has_model("ft:gpt-4o:us/1"))
    assert (found, loopback.sent[0].path) == (has, "/v1/models/ft:gpt-4o:us%2F1")


# ------------------------------------------------------------------------------------------------------- keys and hosts


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "https://eu.api.openai.com/v1/",
        "https://API.OPENAI.COM/v1",
        "https://jp.api.openai.com:443/v1",
    ],
)
def test_openais_hosts_are_known(url: str) -> None:
    assert is_openai_host(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.openai.com/v1",
        "https://api.openai.com.example.org/v1",
        "https://api.openai.com@example.org/v1",
        "https://user@api.openai.com/v1",
        "https://xx.api.openai.com/v1",
        "https://api.openai.com:8443/v1",
        "https://example.org/api.openai.com",
        "https://[broken",
        "api.openai.com",
        "",
    ],
)
def test_no_other_host_passes_for_openais(url: str) -> None:
    assert not is_openai_host(url)


def test_openais_key_is_refused_for_any_other_host() -> None:
    with pytest.raises(ConfigError, match="sent to OpenAI's hosts only"):
        Host("proxy", "https://example.org/v1", "sk-secret", is_openai=True)


def test_a_refused_host_does_not_repeat_the_key() -> None:
    with pytest.raises(ConfigError) as caught:
        Host("proxy", "https://example.org/v1", "sk-secret", is_openai=True)
    assert "sk-secret" not in str(caught.value)


def test_a_host_does_not_show_its_key() -> None:
    assert "sk-secret" not in repr(Host("openai", "https://api.openai.com/v1", "sk-secret", is_openai=True))


@pytest.mark.parametrize("base_url", ["", "example.org/v1", "ftp://example.org", "http://", "http://h:99999"])
def test_a_base_url_that_is_none_is_refused(base_url: str) -> None:
    with pytest.raises(ConfigError, match="base_url"):
        Host("h", base_url, "key", is_openai=False)


@pytest.mark.parametrize("key", ["", " ", "a b", "key\n", "clé"])
def test_a_key_that_no_header_can_hold_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match="key"):
        Host("h", "http://127.0.0.1:9/v1", key, is_openai=False)


def test_the_sdk_is_not_imported_before_a_client_is_opened() -> None:
    program = (
        "import sys, snapdrift.openai_api.client, snapdrift.openai_api.catalog, snapdrift.openai_api.tokens;"
        "sys.exit(','.join({'openai', 'httpx2', 'aiohttp', 'bpe_openai'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
