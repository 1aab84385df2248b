"""Answers that are stored: carried on, retrieved, listed, changed and deleted; by the official SDK."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
import pytest
from tests.standin.conversations import LOOKUP, MODEL, flat_tools, own_service, refusal, responses, result, said

from snapdrift.model import Endpoint
from snapdrift.standin.stored import StoredAnswers

Connect = Callable[..., openai.OpenAI]


@pytest.fixture(scope="module")
def client(start: Any, connect: Connect) -> openai.OpenAI:
    return connect(start())


def test_a_response_is_retrieved_as_it_was_until_it_is_deleted(client: openai.OpenAI) -> None:
    made = client.responses.create(model=MODEL, input="Hello")
    assert client.responses.retrieve(made.id).output_text == made.output_text
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError, match=f"Response with id '{made.id}' not found"):
        client.responses.retrieve(made.id)


def test_a_streamed_response_is_stored_too(client: openai.OpenAI) -> None:
    with client.responses.create(model=MODEL, input="Hello", stream=True) as stream:
        final = list(stream)[-1]
    assert final.type == "response.completed"
    assert client.responses.retrieve(final.response.id).output_text == final.response.output_text


def test_what_is_not_to_be_stored_is_not_found(client: openai.OpenAI) -> None:
    made = client.responses.create(model=MODEL, input="Hello", store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model=MODEL, input="Well?", previous_response_id=made.id)
    assert (refused.value.code, refused.value.param) == ("previous_response_not_found", "previous_response_id")


def test_a_previous_response_is_carried_on(client: openai.OpenAI) -> None:
    first = client.responses.create(model=MODEL, input="Answer with one of: red, green or blue.")
    second = client.responses.create(model=MODEL, input="Again, please.", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    assert second.output_text in {"red", "green", "blue"}
    assert second.usage is not None
    assert first.usage is not None
    assert second.usage.input_tokens > first.usage.total_tokens


def test_instructions_are_not_inherited() -> None:
    service = own_service()
    first = responses(service, "Hello", store=True, instructions="Be kind.")
    body = {"model": MODEL, "input": "Well?", "previous_response_id": first["id"]}
    assert "Be kind." not in service.read(Endpoint.RESPONSES, body).text


def test_results_are_sent_to_a_previous_response_alone() -> None:
    service, tools = own_service(), flat_tools(LOOKUP)
    first = responses(service, "Where is order A-5521? Say it in en.", store=True, tools=tools)
    [call] = first["output"]
    second = responses(service, [result(call, "in Ulm")], previous_response_id=first["id"], tools=tools)
    assert said(second) == "in Ulm"


def test_input_items_are_listed_newest_first_and_in_pages(client: openai.OpenAI) -> None:
    items: Any = [{"role": "user", "content": f"Number {n}"} for n in range(3)]
    made = client.responses.create(model=MODEL, input=items)
    listed = list(client.responses.input_items.list(made.id, limit=2))
    assert [item.content[0].text for item in listed] == ["Number 2", "Number 1", "Number 0"]  # type: ignore[union-attr,index]
    oldest = client.responses.input_items.list(made.id, order="asc", limit=1)
    assert (oldest.data[0].content[0].text, oldest.has_more) == ("Number 0", True)  # type: ignore[union-attr,index]


def test_input_tokens_are_counted_without_an_answer(client: openai.OpenAI) -> None:
    counted = client.responses.input_tokens.count(model=MODEL, input="Hello")
    usage = client.responses.create(model=MODEL, input="Hello").usage
    assert usage is not None
    assert counted.input_tokens == usage.input_tokens


def test_a_completion_is_stored_only_when_that_is_asked_for(client: openai.OpenAI) -> None:
    ask: Any = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}
    client.chat.completions.create(**ask)
    kept = client.chat.completions.create(**ask, store=True, metadata={"run": "1"})
    assert [found.id for found in client.chat.completions.list()] == [kept.id]
    [message] = client.chat.completions.messages.list(kept.id)
    assert message.content == "Hello"
    changed = client.chat.completions.update(kept.id, metadata={"run": "2"})
    assert changed.model_dump()["metadata"] == {"run": "2"}
    assert client.chat.completions.retrieve(kept.id).choices[0].message.content
    assert client.chat.completions.delete(kept.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.retrieve(kept.id)


def test_reasoning_is_sent_back_encrypted_or_stored() -> None:
    service = own_service()
    asked: dict[str, Any] = {"model": "gpt-6-luna", "include": ["reasoning.encrypted_content"]}
    first = responses(service, "Hello", **asked)
    assert first["output"][0]["encrypted_content"]
    assert said(responses(service, [{"role": "user", "content": "Hello"}, *first["output"]], **asked))
    bare = {"type": "reasoning", "id": "rs_1", "summary": []}
    error = refusal(service, Endpoint.RESPONSES, {"model": "gpt-6-luna", "input": [bare]})
    assert error["status"] == 404
    assert "Items are not persisted when `store` is set to false" in error["message"]
    stored = responses(service, "Hello", model="gpt-6-luna", store=True)
    assert said(responses(service, [*stored["output"], {"role": "user", "content": "Well?"}], model="gpt-6-luna"))


def test_an_item_can_be_named_by_its_id() -> None:
    service = own_service()
    stored = responses(service, "Hello", store=True)
    reference = {"type": "item_reference", "id": stored["output"][0]["id"]}
    question = service.read(Endpoint.RESPONSES, {"model": MODEL, "input": [reference]})
    assert question.text == said(stored)


def test_the_oldest_answers_are_forgotten_beyond_the_bound() -> None:
    stored = StoredAnswers(most=2)
    for name in "abc":
        item = {"id": f"msg_{name}", "type": "message", "role": "assistant", "content": []}
        body = {"id": name, "object": "response", "output": [item]}
        stored.keep(body, [{"role": "user", "content": name}], 1, [item])
    assert [answer.body["id"] for answer in stored.all_of("response")] == ["b", "c"]
    assert len(stored.item_ids) == 4
