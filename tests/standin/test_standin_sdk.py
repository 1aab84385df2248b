"""The official SDK, unmodified, against the stand-in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import openai
import pytest

Connect = Callable[..., openai.OpenAI]
AUGUST = "gpt-4o-2024-08-06"
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def base_url(start: Any) -> str:
    return str(
        start(
            profiles=[{"models": {"refuser": "always_refuses", "cutter": "always_cut", "filtered": "always_filtered"}}],
            behaviours={
                "always_refuses": {"refuse": 1},
                "always_cut": {"truncate": 1},
                "always_filtered": {"filter": 1},
            },
        )
    )


@pytest.fixture(scope="module")
def client(base_url: str, connect: Connect) -> openai.OpenAI:
    return connect(base_url)


def user(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def test_responses_answers_with_text(client: openai.OpenAI) -> None:
    response = client.responses.create(model=AUGUST, input="Hello")
    assert response.status == "completed"
    assert response.output_text


def test_chat_answers_with_text(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model=AUGUST, messages=user("Hello"))
    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].message.content


def test_both_endpoints_give_the_same_answer(client: openai.OpenAI) -> None:
    prompt = "Answer with one of: red, green, blue or yellow."
    chat = client.chat.completions.create(model=AUGUST, messages=user(prompt)).choices[0].message.content
    assert chat == client.responses.create(model=AUGUST, input=prompt).output_text
    assert chat in {"red", "green", "blue", "yellow"}


def test_the_async_client_is_answered_on_both_endpoints(base_url: str) -> None:
    async def ask() -> tuple[str, str | None]:
        async with openai.AsyncOpenAI(base_url=base_url, api_key="sk-test", max_retries=0) as client:
            response = await client.responses.create(model=AUGUST, input="Hello")
            chat = await client.chat.completions.create(model=AUGUST, messages=user("Hello"))
            return response.output_text, chat.choices[0].message.content

    first, second = asyncio.run(ask())
    assert first == second != ""


def test_the_deltas_of_a_responses_stream_add_up_to_its_final_text(client: openai.OpenAI) -> None:
    with client.responses.create(model=AUGUST, input="Hello", stream=True) as stream:
        events = list(stream)
    deltas = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    final = events[-1]
    assert final.type == "response.completed"
    assert deltas == final.response.output_text != ""


def test_a_responses_stream_has_the_real_order_of_events(client: openai.OpenAI) -> None:
    with client.responses.create(model=AUGUST, input="Hello", stream=True) as stream:
        events = list(stream)
    order = list(dict.fromkeys(event.type for event in events))
    assert order == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))


def test_usage_of_a_responses_stream_comes_with_the_last_event_only(client: openai.OpenAI) -> None:
    with client.responses.create(model=AUGUST, input="Hello", stream=True) as stream:
        usages: list[Any] = [event.response.usage for event in stream if hasattr(event, "response")]
    assert usages[:-1] == [None] * (len(usages) - 1)
    assert usages[-1].total_tokens > 0


def test_a_chat_stream_ends_with_a_usage_chunk_without_choices(client: openai.OpenAI) -> None:
    with client.chat.completions.create(
        model=AUGUST, messages=user("Hello"), stream=True, stream_options={"include_usage": True}
    ) as stream:
        chunks = list(stream)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content or "" for c in chunks[:-1]) == "This is a simulated answer."
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 0


def test_the_async_client_streams_both_endpoints(base_url: str) -> None:
    async def ask() -> tuple[str, str]:
        async with openai.AsyncOpenAI(base_url=base_url, api_key="sk-test", max_retries=0) as client:
            events = [e async for e in await client.responses.create(model=AUGUST, input="Hello", stream=True)]
            stream = await client.chat.completions.create(model=AUGUST, messages=user("Hello"), stream=True)
            chunks = [c async for c in stream]
            text = "".join(e.delta for e in events if e.type == "response.output_text.delta")
            return text, "".join(c.choices[0].delta.content or "" for c in chunks)

    responses, chat = asyncio.run(ask())
    assert responses == chat == "This is a simulated answer."


def test_obfuscation_is_on_unless_it_is_turned_off(client: openai.OpenAI) -> None:
    def padded(**options: Any) -> bool:
        with client.responses.create(model=AUGUST, input="Hello", stream=True, **options) as stream:
            return any(getattr(event, "obfuscation", None) for event in stream)

    assert padded()
    assert not padded(stream_options={"include_obfuscation": False})


def test_structured_output_conforms_on_responses(client: openai.OpenAI) -> None:
    form: Any = {"type": "json_schema", "name": "person", "strict": True, "schema": PERSON}
    answer = json.loads(client.responses.create(model=AUGUST, input="Who?", text={"format": form}).output_text)
    assert set(answer) == {"name", "age"}
    assert isinstance(answer["age"], int)


def test_structured_output_conforms_on_chat(client: openai.OpenAI) -> None:
    form: Any = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": PERSON}}
    answer = client.chat.completions.create(model=AUGUST, messages=user("Who?"), response_format=form)
    assert set(json.loads(answer.choices[0].message.content or "")) == {"name", "age"}


def test_a_required_tool_is_called_with_valid_arguments_on_both_endpoints(client: openai.OpenAI) -> None:
    tool: Any = {"type": "function", "name": "get_weather", "parameters": PERSON, "strict": True}
    response = client.responses.create(model=AUGUST, input="Hello", tools=[tool], tool_choice="required")
    nested: Any = {"type": "function", "function": {name: value for name, value in tool.items() if name != "type"}}
    chat = client.chat.completions.create(model=AUGUST, messages=user("Hello"), tools=[nested], tool_choice="required")
    call: Any = response.output[0]
    chat_call: Any = (chat.choices[0].message.tool_calls or [])[0]
    assert call.type == "function_call"
    assert chat.choices[0].finish_reason == "tool_calls"
    assert json.loads(call.arguments) == json.loads(chat_call.function.arguments)
    assert set(json.loads(call.arguments)) == {"name", "age"}


def test_a_refusal_is_a_completed_response_with_a_refusal_part(client: openai.OpenAI) -> None:
    response = client.responses.create(model="refuser", input="Hello")
    part: Any = response.output[0].content[0]  # type: ignore[union-attr, index]
    assert (response.status, part.type) == ("completed", "refusal")


def test_a_refusal_on_chat_has_no_content(client: openai.OpenAI) -> None:
    message = client.chat.completions.create(model="refuser", messages=user("Hello")).choices[0].message
    assert message.content is None
    assert message.refusal


def test_a_streamed_refusal_comes_as_refusal_deltas(client: openai.OpenAI) -> None:
    with client.responses.create(model="refuser", input="Hello", stream=True) as stream:
        types = [event.type for event in stream]
    assert "response.refusal.delta" in types
    assert "response.refusal.done" in types
    assert "response.output_text.delta" not in types


def test_truncation_is_incomplete_on_responses_and_length_on_chat(client: openai.OpenAI) -> None:
    response = client.responses.create(model="cutter", input="Hello")
    chat = client.chat.completions.create(model="cutter", messages=user("Hello"))
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    assert chat.choices[0].finish_reason == "length"


def test_the_content_filter_is_told_apart_from_truncation(client: openai.OpenAI) -> None:
    response = client.responses.create(model="filtered", input="Hello")
    chat = client.chat.completions.create(model="filtered", messages=user("Hello"))
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "content_filter"
    assert chat.choices[0].finish_reason == "content_filter"


def test_a_truncated_stream_ends_with_the_incomplete_event(client: openai.OpenAI) -> None:
    with client.responses.create(model="cutter", input="Hello", stream=True) as stream:
        assert list(stream)[-1].type == "response.incomplete"


def test_an_answer_longer_than_the_cap_is_cut_at_it(client: openai.OpenAI) -> None:
    properties = {f"field_{n}": {"type": "string", "minLength": 20} for n in range(10)}
    form: Any = {"type": "json_schema", "name": "long", "schema": {"type": "object", "properties": properties}}
    response = client.responses.create(model=AUGUST, input="Hello", text={"format": form}, max_output_tokens=20)
    assert response.status == "incomplete"


def test_the_alias_is_answered_as_its_snapshot(client: openai.OpenAI) -> None:
    assert client.responses.create(model="gpt-4o", input="Hello").model == AUGUST
    assert client.chat.completions.create(model="gpt-4o", messages=user("Hello")).model == AUGUST


def test_usage_adds_up(client: openai.OpenAI) -> None:
    usage = client.responses.create(model=AUGUST, input="Hello, how are you today?").usage
    assert usage is not None
    assert usage.input_tokens > 5
    assert usage.output_tokens > 3
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens


def test_every_response_says_that_it_is_simulated_and_has_the_usual_headers(client: openai.OpenAI) -> None:
    raw = client.responses.with_raw_response.create(model=AUGUST, input="Hello")
    assert raw.headers["x-snapdrift-standin"] == "simulated"
    assert raw.headers["openai-version"] == "2020-10-01"
    assert int(raw.headers["openai-processing-ms"]) >= 1
    assert int(raw.headers["x-ratelimit-remaining-requests"]) > 0
    assert (raw.request_id or "").startswith("req_")


def test_models_are_listed_with_their_shutdown_dates(client: openai.OpenAI) -> None:
    listed = {model.id: model for model in client.models.list()}
    assert {"gpt-4o", AUGUST, "refuser"} <= set(listed)
    assert client.models.retrieve("gpt-4o-2024-05-13").model_dump()["shutdown_date"] == "2026-10-23"


def test_system_fingerprint_is_on_chat_and_not_on_responses(client: openai.OpenAI) -> None:
    assert client.chat.completions.create(model=AUGUST, messages=user("Hello")).system_fingerprint
    assert "system_fingerprint" not in client.responses.create(model=AUGUST, input="Hello").model_dump()


def test_two_hundred_concurrent_requests_are_all_answered(base_url: str) -> None:
    async def ask() -> list[str]:
        async with openai.AsyncOpenAI(base_url=base_url, api_key="sk-test", max_retries=0) as client:
            return [
                response.output_text
                for response in await asyncio.gather(
                    *(client.responses.create(model=AUGUST, input=f"Question {n}") for n in range(200))
                )
            ]

    assert asyncio.run(ask()) == ["This is a simulated answer."] * 200
