"""The official SDK, unmodified, against the stand-in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import openai
import pydantic
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
        # The SDK waits 5 s for a connection by default: on a busy machine the last of 200 can take longer.
        async with openai.AsyncOpenAI(base_url=base_url, api_key="sk-test", max_retries=0, timeout=60) as client:
            return [
                response.output_text
                for response in await asyncio.gather(
                    *(client.responses.create(model=AUGUST, input=f"Question {n}") for n in range(200))
                )
            ]

    assert asyncio.run(ask()) == ["This is a simulated answer."] * 200


# --------------------------------------------------------------------- every operation, with both of the SDK's clients
# Files and batches are in test_standin_batches.py.


class Sync:
    """Does an operation of the SDK; gives the items of a stream or a list, and anything else as it is."""

    def __init__(self, base_url: str) -> None:
        self._client = openai.OpenAI(base_url=base_url, api_key="sk-test", max_retries=0, timeout=30)

    def __call__(self, operation: Callable[[Any], Any]) -> Any:
        done = operation(self._client)
        return list(done) if isinstance(done, openai.Stream) or hasattr(done, "has_next_page") else done

    def final(self, helper: Callable[[Any], Any], name: str) -> Any:
        """What a stream helper of the SDK puts together."""
        with helper(self._client) as stream:
            return getattr(stream, name)()

    def close(self) -> None:
        self._client.close()


class Async:
    """The same with the SDK's asynchronous client, on an event loop of its own."""

    def __init__(self, base_url: str) -> None:
        self._runner = asyncio.Runner()
        self._client = openai.AsyncOpenAI(base_url=base_url, api_key="sk-test", max_retries=0, timeout=30)

    def __call__(self, operation: Callable[[Any], Any]) -> Any:
        async def do() -> Any:
            asked = operation(self._client)
            if hasattr(asked, "__aiter__"):
                return [item async for item in asked]
            done = await asked
            return [item async for item in done] if isinstance(done, openai.AsyncStream) else done

        return self._runner.run(do())

    def final(self, helper: Callable[[Any], Any], name: str) -> Any:
        async def do() -> Any:
            async with helper(self._client) as stream:
                return await getattr(stream, name)()

        return self._runner.run(do())

    def close(self) -> None:
        self._runner.run(self._client.close())
        self._runner.close()


@pytest.fixture(scope="module", params=[Sync, Async], ids=["sync", "async"])
def sdk(request: Any, base_url: str) -> Any:
    driver = request.param(base_url)
    yield driver
    driver.close()


ANSWER = "This is a simulated answer."


def test_models_are_listed_and_retrieved(sdk: Any) -> None:
    assert AUGUST in {model.id for model in sdk(lambda c: c.models.list())}
    assert sdk(lambda c: c.models.retrieve(AUGUST)).id == AUGUST


def test_a_model_that_is_not_there_is_not_found(sdk: Any) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        sdk(lambda c: c.models.retrieve("gpt-9"))
    assert caught.value.code == "model_not_found"


def test_a_response_is_created_retrieved_and_deleted(sdk: Any) -> None:
    made = sdk(lambda c: c.responses.create(model=AUGUST, input="Hello", store=True, metadata={"case": "1"}))
    assert made.output_text == ANSWER
    kept = sdk(lambda c: c.responses.retrieve(made.id))
    assert (kept.output_text, kept.usage, kept.metadata) == (made.output_text, made.usage, {"case": "1"})
    sdk(lambda c: c.responses.delete(made.id))
    with pytest.raises(openai.NotFoundError):
        sdk(lambda c: c.responses.retrieve(made.id))


def test_a_response_that_was_not_stored_cannot_be_retrieved(sdk: Any) -> None:
    made = sdk(lambda c: c.responses.create(model=AUGUST, input="Hello", store=False))
    with pytest.raises(openai.NotFoundError):
        sdk(lambda c: c.responses.retrieve(made.id))


def test_a_response_goes_on_from_a_previous_one(sdk: Any) -> None:
    first = sdk(lambda c: c.responses.create(model=AUGUST, input="Hello"))
    second = sdk(lambda c: c.responses.create(model=AUGUST, input="And now?", previous_response_id=first.id))
    alone = sdk(lambda c: c.responses.create(model=AUGUST, input="And now?"))
    assert second.previous_response_id == first.id
    assert second.usage.input_tokens > alone.usage.input_tokens


def test_the_input_of_a_response_is_listed_and_counted(sdk: Any) -> None:
    made = sdk(lambda c: c.responses.create(model=AUGUST, input="Hello"))
    (item,) = sdk(lambda c: c.responses.input_items.list(made.id))
    assert (item.role, item.content[0].text) == ("user", "Hello")
    counted = sdk(lambda c: c.responses.input_tokens.count(model=AUGUST, input="Hello"))
    assert counted.input_tokens == made.usage.input_tokens


def test_a_response_is_streamed_by_events_and_by_the_sdks_helper(sdk: Any) -> None:
    events = sdk(lambda c: c.responses.create(model=AUGUST, input="Hello", stream=True))
    assert events[-1].type == "response.completed"
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == ANSWER
    final = sdk.final(lambda c: c.responses.stream(model=AUGUST, input="Hello"), "get_final_response")
    assert final.output_text == ANSWER


def test_a_tool_call_is_streamed_and_its_result_taken(sdk: Any) -> None:
    tool: Any = {"type": "function", "name": "find", "parameters": PERSON, "strict": True}
    asked: dict[str, Any] = {"model": AUGUST, "tools": [tool]}
    said = [{"role": "user", "content": "Hello"}]
    events = sdk(lambda c: c.responses.create(**asked, input=said, tool_choice="required", stream=True))
    call = events[-1].response.output[0]
    deltas = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    assert ("".join(deltas), call.name) == (call.arguments, "find")
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "found"}
    carried = [*said, call.model_dump(exclude_none=True), result]
    assert sdk(lambda c: c.responses.create(**asked, input=carried, tool_choice="none")).output_text


def test_a_completion_is_created_retrieved_changed_listed_and_deleted(sdk: Any) -> None:
    asked = user("Hello")
    made = sdk(lambda c: c.chat.completions.create(model=AUGUST, messages=asked, store=True, metadata={"a": "1"}))
    assert made.choices[0].message.content == ANSWER
    assert sdk(lambda c: c.chat.completions.retrieve(made.id)).choices == made.choices
    assert sdk(lambda c: c.chat.completions.update(made.id, metadata={"a": "2"})).metadata == {"a": "2"}
    assert made.id in {completion.id for completion in sdk(lambda c: c.chat.completions.list())}
    assert [message.content for message in sdk(lambda c: c.chat.completions.messages.list(made.id))] == ["Hello"]
    sdk(lambda c: c.chat.completions.delete(made.id))
    with pytest.raises(openai.NotFoundError):
        sdk(lambda c: c.chat.completions.retrieve(made.id))


def test_a_completion_is_streamed_by_chunks_and_by_the_sdks_helper(sdk: Any) -> None:
    asked: dict[str, Any] = {"model": AUGUST, "messages": user("Hello")}
    chunks = sdk(lambda c: c.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == ANSWER
    assert (chunks[-1].choices, chunks[-1].usage.completion_tokens > 0) == ([], True)
    final = sdk.final(lambda c: c.chat.completions.stream(**asked), "get_final_completion")
    assert final.choices[0].message.content == ANSWER


def test_answers_are_parsed_into_the_callers_own_types(sdk: Any) -> None:
    class Person(pydantic.BaseModel):
        name: str
        age: int

    parsed = sdk(lambda c: c.responses.parse(model=AUGUST, input="Who?", text_format=Person)).output_parsed
    chat = sdk(lambda c: c.chat.completions.parse(model=AUGUST, messages=user("Who?"), response_format=Person))
    assert isinstance(parsed, Person)
    assert chat.choices[0].message.parsed == parsed


def test_log_probabilities_come_on_both_endpoints(sdk: Any) -> None:
    include = ["message.output_text.logprobs"]
    made = sdk(lambda c: c.responses.create(model=AUGUST, input="Hello", include=include, top_logprobs=2))
    tokens = made.output[0].content[0].logprobs
    assert "".join(token.token for token in tokens) == ANSWER
    chat = sdk(lambda c: c.chat.completions.create(model=AUGUST, messages=user("Hello"), logprobs=True, top_logprobs=2))
    assert "".join(token.token for token in chat.choices[0].logprobs.content) == ANSWER
    assert {len(token.top_logprobs) for token in (*tokens, *chat.choices[0].logprobs.content)} == {2}
