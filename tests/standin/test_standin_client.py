"""Snapdrift's own client against the stand-in: a stream is read to the same answer as a whole body."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from snapdrift.model import Answer, CallKey, Endpoint, FailureKind, Outcome, Request, Source, ToldLimit
from snapdrift.openai_api.client import OpenAIClient
from snapdrift.openai_api.errors import AttemptFailed
from snapdrift.openai_api.hosts import Host

AUGUST = "gpt-4o-2024-08-06"
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
FORM = {"name": "person", "strict": True, "schema": PERSON}
TOOL = {"name": "find", "parameters": PERSON, "strict": True}
BOTH = pytest.mark.parametrize("endpoint", [Endpoint.RESPONSES, Endpoint.CHAT])

KINDS: dict[str, dict[Endpoint, dict[str, Any]]] = {
    "text": {Endpoint.RESPONSES: {}, Endpoint.CHAT: {}},
    "structured": {
        Endpoint.RESPONSES: {"text": {"format": {"type": "json_schema", **FORM}}},
        Endpoint.CHAT: {"response_format": {"type": "json_schema", "json_schema": FORM}},
    },
    "tools": {
        Endpoint.RESPONSES: {"tools": [{"type": "function", **TOOL}], "tool_choice": "required"},
        Endpoint.CHAT: {"tools": [{"type": "function", "function": TOOL}], "tool_choice": "required"},
    },
    "refusal": {Endpoint.RESPONSES: {"model": "refuser"}, Endpoint.CHAT: {"model": "refuser"}},
    "truncated": {Endpoint.RESPONSES: {"model": "cutter"}, Endpoint.CHAT: {"model": "cutter"}},
    "logprobs": {
        Endpoint.RESPONSES: {"include": ["message.output_text.logprobs"], "top_logprobs": 2},
        Endpoint.CHAT: {"logprobs": True, "top_logprobs": 2},
    },
}


@pytest.fixture(scope="module")
def base_url(start: Any) -> str:
    behaviours = {"always_refuses": {"refuse": 1}, "always_cut": {"truncate": 1}}
    return str(
        start(profiles=[{"models": {"refuser": "always_refuses", "cutter": "always_cut"}}], behaviours=behaviours)
    )


def ask(base_url: str, endpoint: Endpoint, *, stream: bool, **settings: Any) -> Answer:
    key = "input" if endpoint is Endpoint.RESPONSES else "messages"
    body: dict[str, Any] = {"model": AUGUST, key: [{"role": "user", "content": "Hello"}], "store": False, **settings}
    if stream:
        usage = {"include_usage": True} if endpoint is Endpoint.CHAT else {}
        body |= {"stream": True, "stream_options": {"include_obfuscation": False, **usage}}
    request = Request(CallKey("c", "v", 0), 0, endpoint, base_url, body, "run:c:v/0/0")

    async def run() -> Answer:
        async with OpenAIClient(Host("stand-in", base_url, "sk-test", is_openai=False), timeout_s=20) as client:
            return await client.ask(request)

    return asyncio.run(run())


@BOTH
@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_is_read_to_the_same_answer_as_a_whole_body(base_url: str, endpoint: Endpoint, kind: str) -> None:
    streamed, whole = (ask(base_url, endpoint, stream=stream, **KINDS[kind][endpoint]) for stream in (True, False))

    def said(answer: Answer) -> tuple[Any, ...]:
        calls = [(call.name, call.arguments) for call in answer.tool_calls]
        facts = (answer.returned_model, answer.usage, answer.service_tier, answer.finish_reason)
        return answer.outcome, answer.text, answer.refusal, calls, facts

    assert said(streamed) == said(whole)
    assert logprobs(streamed, endpoint) == logprobs(whole, endpoint)
    assert set(json.loads(streamed.raw)) == set(json.loads(whole.raw))
    assert whole.first_token_ms is None
    assert streamed.first_token_ms is not None
    assert 0 < streamed.first_token_ms <= streamed.latency_ms
    assert streamed.source is Source.SIMULATED


def logprobs(answer: Answer, endpoint: Endpoint) -> Any:
    body = json.loads(answer.raw)
    if endpoint is Endpoint.CHAT:
        # A whole body says of the refusal, too, that it has none; a stream only of what it brings.
        return (body["choices"][0]["logprobs"] or {}).get("content")
    return [part.get("logprobs") for item in body["output"] for part in item.get("content", ())]


def test_the_kinds_of_answer_are_what_they_are_called(base_url: str) -> None:
    outcomes = {kind: ask(base_url, Endpoint.CHAT, stream=True, **KINDS[kind][Endpoint.CHAT]).outcome for kind in KINDS}
    assert outcomes == {
        "text": Outcome.OK,
        "structured": Outcome.OK,
        "tools": Outcome.OK,
        "refusal": Outcome.REFUSED,
        "truncated": Outcome.TRUNCATED,
        "logprobs": Outcome.OK,
    }


@BOTH
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("truncate_stream", FailureKind.CONNECTION),
        ("malformed", FailureKind.MALFORMED),
        ("wrong_type", FailureKind.MALFORMED),
        ("error_event", FailureKind.SERVER),
    ],
)
def test_a_faulty_stream_is_never_a_short_answer(start: Any, endpoint: Endpoint, fault: str, kind: FailureKind) -> None:
    with pytest.raises(AttemptFailed) as caught:
        ask(start(faults=f"{fault}=1"), endpoint, stream=True)
    failure = caught.value.failure
    assert (failure.kind, failure.retryable, failure.may_have_run) == (kind, True, True)


def test_the_models_of_the_stand_in_are_listed_with_their_dates(base_url: str) -> None:
    async def run() -> dict[str, str | None]:
        async with OpenAIClient(Host("stand-in", base_url, "sk-test", is_openai=False)) as client:
            return {model.id: model.shutdown_date for model in await client.list_models()}

    listed = asyncio.run(run())
    assert listed[AUGUST] == "2027-01-14"


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_and_a_refusal_carry_what_headers_say_of_limits(start: Any, stream: bool) -> None:
    base_url = str(start(limits={"rpm": 600, "tpm": 60_000, "burst": 1}))
    answer = ask(base_url, Endpoint.RESPONSES, stream=stream)
    assert answer.told is not None
    assert answer.told.requests == ToldLimit(600, 599, 0.1)
    assert answer.told.tokens is not None
    assert answer.told.tokens.limit == 60_000
    limited = str(start(limits={"rpm": 1}))
    ask(limited, Endpoint.RESPONSES, stream=stream)
    with pytest.raises(AttemptFailed) as refused:
        ask(limited, Endpoint.RESPONSES, stream=stream)
    assert refused.value.told is not None
    assert refused.value.told.requests is not None
    assert (refused.value.told.requests.limit, refused.value.told.requests.remaining) == (1, 0)


def test_without_headers_nothing_is_carried(start: Any) -> None:
    assert ask(str(start(limits={"rpm": 600, "headers": False})), Endpoint.RESPONSES, stream=False).told is None
