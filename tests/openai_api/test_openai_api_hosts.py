"""Hosts other than OpenAI's, as real servers on loopback: Azure in both forms, and those that leave things out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from snapdrift.errors import ConfigError
from snapdrift.model import Answer, CallKey, Endpoint, FailureKind, Outcome, Request, Source, Usage
from snapdrift.openai_api.client import ListedModel, OpenAIClient
from snapdrift.openai_api.errors import AttemptFailed
from snapdrift.openai_api.hosts import Host

if TYPE_CHECKING:
    from tests.openai_api.conftest import LoopbackHost

VERSION = "2024-10-21"
DEPLOYMENT = "triage-prod"
RESPONSE = {
    "status": "completed",
    "model": "gpt-4o-2024-08-06",
    "output": [{"type": "message", "content": [{"type": "output_text", "text": "Hello"}]}],
    "usage": {"input_tokens": 3, "output_tokens": 1},
}
COMPLETION = {
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1},
    "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}],
}
BODIES = {Endpoint.RESPONSES: RESPONSE, Endpoint.CHAT: COMPLETION}
BOTH = pytest.mark.parametrize("endpoint", [Endpoint.RESPONSES, Endpoint.CHAT])


def azure(loopback: LoopbackHost) -> Host:
    """A resource in Azure's classic form; the loopback server stands where the resource's endpoint would."""
    return Host("azure", resource(loopback), "azure-key", is_openai=False, api_version=VERSION)


def resource(loopback: LoopbackHost) -> str:
    return loopback.base_url.removesuffix("/v1")


def ask(host: Host, endpoint: Endpoint = Endpoint.CHAT, model: str = DEPLOYMENT, **body: Any) -> Answer:
    async def run() -> Answer:
        request = Request(CallKey("c", "v", 0), 0, endpoint, host.base_url, {"model": model, **body}, "run:c:v/0/0")
        async with OpenAIClient(host, timeout_s=20) as client:
            return await client.ask(request)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("endpoint", "path"),
    [
        (Endpoint.CHAT, f"/openai/deployments/{DEPLOYMENT}/chat/completions?api-version={VERSION}"),
        (Endpoint.RESPONSES, f"/openai/responses?api-version={VERSION}"),
    ],
)
def test_azure_is_asked_where_its_classic_form_has_the_endpoint(
    loopback: LoopbackHost, endpoint: Endpoint, path: str
) -> None:
    loopback.answers(BODIES[endpoint])
    answer = ask(azure(loopback), endpoint)
    (sent,) = loopback.sent
    assert (sent.method, sent.path, sent.body) == ("POST", path, {"model": DEPLOYMENT})
    assert (answer.text, answer.returned_model, answer.source) == ("Hello", "gpt-4o-2024-08-06", Source.HOST)


@BOTH
def test_azure_gets_its_key_as_api_key_and_nothing_of_the_environment(
    loopback: LoopbackHost, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "OPENAI_API_KEY",
        "OPENAI_ADMIN_KEY",
        "OPENAI_ORG_ID",
        "OPENAI_PROJECT_ID",
        "OPENAI_API_VERSION",
        "AZURE_OPENAI_API_KEY",
        "AZURE_OPENAI_AD_TOKEN",
    ):
        monkeypatch.setenv(name, "leak")
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "http://127.0.0.1:9/leak")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "api-key: leak\nAuthorization: Bearer leak")
    loopback.answers(BODIES[endpoint])
    ask(azure(loopback), endpoint)
    (sent,) = loopback.sent
    assert "leak" not in f"{sent.path} {sent.headers}"
    assert sent.headers["api-key"] == "azure-key"
    assert "authorization" not in sent.headers
    assert sent.headers["x-client-request-id"] == "run:c:v/0/0"


def test_azures_v1_form_is_an_ordinary_host(loopback: LoopbackHost) -> None:
    loopback.answers(COMPLETION)
    ask(Host("azure", f"{resource(loopback)}/openai/v1", "azure-key", is_openai=False))
    (sent,) = loopback.sent
    assert (sent.path, sent.body) == ("/openai/v1/chat/completions", {"model": DEPLOYMENT})
    assert sent.headers["authorization"] == "Bearer azure-key"
    assert "api-key" not in sent.headers


def test_azure_streams_with_its_filter_results_in_chunks_of_their_own(loopback: LoopbackHost) -> None:
    def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "content_filter_results": {}}
        return {"id": "chatcmpl-1", "model": "gpt-4o-2024-08-06", "choices": [choice]}

    filtered: dict[str, Any] = {"id": "", "model": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]}
    usage = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}
    loopback.streams(filtered, chunk({"content": "Hello"}), chunk({}, "stop"), usage, b"data: [DONE]\n\n")
    answer = ask(azure(loopback), stream=True)
    assert (answer.text, answer.usage, answer.returned_model) == ("Hello", Usage(3, 0, 1, 0), "gpt-4o-2024-08-06")
    assert loopback.sent[0].path.startswith(f"/openai/deployments/{DEPLOYMENT}/chat/completions?")


def test_azures_models_are_asked_for_below_openai(loopback: LoopbackHost) -> None:
    loopback.answers({"data": [{"id": "gpt-4o-2024-08-06", "created_at": 1}]})

    async def both() -> tuple[Source, tuple[ListedModel, ...]]:
        async with OpenAIClient(azure(loopback)) as client:
            return await client.probe(), await client.list_models()

    assert asyncio.run(both()) == (Source.HOST, (ListedModel("gpt-4o-2024-08-06"),))
    assert {sent.path for sent in loopback.sent} == {f"/openai/models?api-version={VERSION}"}


@pytest.mark.parametrize("model", ["../../secrets", "a/b", "..", "a?x=1", "a b", "", "é"])
def test_no_model_writes_another_path_on_azure(loopback: LoopbackHost, model: str) -> None:
    with pytest.raises(AttemptFailed, match="on Azure, `model` names a deployment") as caught:
        ask(azure(loopback), model=model)
    assert (caught.value.failure.kind, caught.value.failure.retryable) == (FailureKind.MODEL_NOT_FOUND, False)
    assert loopback.sent == []


def test_a_deployment_that_is_not_there_is_a_model_that_is_not_there(loopback: LoopbackHost) -> None:
    said = "The API deployment for this resource does not exist."
    loopback.answers({"error": {"code": "DeploymentNotFound", "message": said}}, status=404)
    with pytest.raises(AttemptFailed) as caught:
        ask(azure(loopback))
    assert caught.value.failure.kind is FailureKind.MODEL_NOT_FOUND
    assert caught.value.failure.message == (
        "The deployment cannot be asked (404 DeploymentNotFound): The API deployment for this resource does not "
        "exist. On Azure, `model` names a deployment"
    )


def test_azures_key_is_never_sent_to_openai() -> None:
    with pytest.raises(ConfigError, match="a key of Azure is never sent to OpenAI") as refused:
        Host("azure", "https://api.openai.com", "azure-key", is_openai=False, api_version=VERSION)
    assert "azure-key" not in str(refused.value)


def test_openais_key_is_never_sent_to_azure() -> None:
    with pytest.raises(ConfigError, match="sent to OpenAI's hosts only"):
        Host("azure", "https://x.openai.azure.com", "sk-secret", is_openai=True, api_version=VERSION)


# ------------------------------------------------------------------------------------------ hosts that leave things out


@BOTH
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-ratelimit-remaining-requests": "-1", "x-ratelimit-remaining-tokens": "-1"},
        {"x-ratelimit-limit-requests": "0", "x-ratelimit-reset-requests": "0"},
        {"x-ratelimit-reset-tokens": "soon"},
    ],
)
def test_a_host_may_leave_out_or_garble_its_rate_limit_headers(
    loopback: LoopbackHost, endpoint: Endpoint, headers: dict[str, str]
) -> None:
    loopback.answers(BODIES[endpoint], headers=headers)
    host = Host("local", loopback.base_url, "any", is_openai=False)
    assert ask(host, endpoint).outcome is Outcome.OK


@BOTH
@pytest.mark.parametrize("usage", [None, "left out"])
def test_a_host_without_usage_gives_an_answer_of_unknown_cost(
    loopback: LoopbackHost, endpoint: Endpoint, usage: str | None
) -> None:
    body = {key: value for key, value in BODIES[endpoint].items() if key != "usage"}
    loopback.answers({**body, "usage": None} if usage is None else body)
    answer = ask(Host("local", loopback.base_url, "any", is_openai=False), endpoint)
    assert (answer.text, answer.usage) == ("Hello", None)


def test_models_are_listed_with_the_dates_that_the_host_gives(loopback: LoopbackHost) -> None:
    august = {"id": "gpt-4o-2024-08-06", "object": "model", "created": 1722814719, "shutdown_date": "2027-01-14"}
    plain = {"id": "gpt-6-luna", "created": 5, "shutdown_date": None}
    odd = [{"id": "bare"}, {"id": "odd", "created": "soon", "shutdown_date": 7}, {"created": 1}, {"id": ""}, "text", 3]
    loopback.answers({"object": "list", "data": [august, plain, *odd]})
    assert listed(loopback) == (
        ListedModel("gpt-4o-2024-08-06", 1722814719, "2027-01-14"),
        ListedModel("gpt-6-luna", 5),
        ListedModel("bare"),
        ListedModel("odd"),
    )


def test_no_models_are_an_empty_list(loopback: LoopbackHost) -> None:
    loopback.answers({"object": "list", "data": []})
    assert listed(loopback) == ()


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (
            "Not Found",
            404,
            (
                "The host has no such address (404): a page or text instead of an error object: Not Found. "
                "Check its base_url, which usually ends in /v1"
            ),
        ),
        ("{}", 200, "The host's answer is malformed: the body is no list of models: it has no `data`"),
        ("all good", 200, "The host's answer is malformed: expected a JSON object; found 'all good'"),
    ],
)
def test_a_host_without_a_list_of_models_is_told(loopback: LoopbackHost, body: str, status: int, message: str) -> None:
    loopback.answers(body, status=status)
    with pytest.raises(AttemptFailed) as caught:
        listed(loopback)
    assert caught.value.failure.message == message


def listed(loopback: LoopbackHost) -> tuple[ListedModel, ...]:
    async def run() -> tuple[ListedModel, ...]:
        async with OpenAIClient(Host("local", loopback.base_url, "any", is_openai=False)) as client:
            return await client.list_models()

    return asyncio.run(run())
