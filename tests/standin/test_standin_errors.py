"""What the API refuses, the stand-in refuses with the same status and body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
import pytest

Connect = Callable[..., openai.OpenAI]
AUGUST = "gpt-4o-2024-08-06"
HELLO: list[Any] = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def base_url(start: Any) -> str:
    return str(start(key="sk-test", today="2026-11-22"))


@pytest.fixture(scope="module")
def client(base_url: str, connect: Connect) -> openai.OpenAI:
    return connect(base_url)


def refused(error: pytest.ExceptionInfo[openai.APIStatusError]) -> tuple[int, str | None, str | None]:
    return error.value.status_code, error.value.code, error.value.param


def test_an_unknown_model_is_404_on_chat(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="does not exist or you do not have access") as error:
        client.chat.completions.create(model="gpt-9", messages=HELLO)
    assert refused(error) == (404, "model_not_found", None)


def test_an_unknown_model_is_400_with_a_param_on_responses(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        client.responses.create(model="gpt-9", input="Hello")
    assert refused(error) == (400, "model_not_found", "model")


def test_a_model_that_is_shut_down_is_gone_at_a_virtual_date(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="gpt-4o-2024-05-13", messages=HELLO)
    assert "gpt-4o-2024-05-13" not in {model.id for model in client.models.list()}


def test_an_unknown_model_is_404_when_it_is_retrieved(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-9")


def test_a_wrong_key_is_401_and_is_not_repeated(base_url: str, connect: Any) -> None:
    with pytest.raises(openai.AuthenticationError) as error:
        connect(base_url, api_key="sk-something-else").responses.create(model=AUGUST, input="Hello")
    assert refused(error) == (401, "invalid_api_key", None)
    assert "something-else" not in str(error.value)


def test_a_missing_key_is_401(client: openai.OpenAI) -> None:
    with pytest.raises(openai.AuthenticationError, match="didn't provide an API key"):
        client.responses.create(model=AUGUST, input="Hello", extra_headers={"Authorization": "Basic"})


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"max_output_tokens": 15}, "integer_below_min_value", "max_output_tokens"),
        ({"temperature": 2.5}, "decimal_above_max_value", "temperature"),
        ({"temperature": "hot"}, "invalid_type", "temperature"),
        ({"seed": 7}, "unknown_parameter", "seed"),
        ({"messages": []}, "unknown_parameter", "messages"),
        ({"input": []}, "empty_array", "input"),
        ({"input": [{"role": "tool", "content": "x"}]}, "invalid_value", "input[0].role"),
        (
            {"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
            "invalid_value",
            "input[0].content[0].type",
        ),
        ({"text": {"format": {"type": "xml"}}}, "invalid_value", "text.format.type"),
        ({"text": {"format": {"type": "json_schema"}}}, "missing_required_parameter", "text.format.name"),
        ({"tools": ["search"]}, "invalid_type", "tools[0]"),
        (
            {"text": {"format": {"type": "json_schema", "name": "x", "schema": {"type": "thing"}}}},
            "invalid_json_schema",
            "text.format.schema",
        ),
        ({"previous_response_id": "resp_1"}, "previous_response_not_found", "previous_response_id"),
    ],
)
def test_responses_refuses_what_the_api_refuses(
    client: openai.OpenAI, body: dict[str, Any], code: str | None, param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        client.responses.create(model=AUGUST, input="Hello", extra_body=body)
    assert refused(error) == (400, code, param)


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"max_output_tokens": 100}, "unknown_parameter", "max_output_tokens"),
        ({"n": 2}, "unsupported_value", "n"),
        ({"messages": None}, "missing_required_parameter", "messages"),
        ({"messages": "Hello"}, "invalid_type", "messages"),
        ({"messages": [{"role": "user"}]}, "missing_required_parameter", "messages[0].content"),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, None, "tool_choice"),
    ],
)
def test_chat_refuses_what_the_api_refuses(
    client: openai.OpenAI, body: dict[str, Any], code: str | None, param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(model=AUGUST, messages=HELLO, extra_body=body)
    assert refused(error) == (400, code, param)


def test_a_null_parameter_is_as_good_as_none(client: openai.OpenAI) -> None:
    assert client.responses.create(model=AUGUST, input="Hello", temperature=None).temperature == 1.0


def test_json_object_needs_the_word_json_on_responses(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="must contain the word 'json'"):
        client.responses.create(model=AUGUST, input="Hello", text={"format": {"type": "json_object"}})


def test_json_object_needs_the_word_json_on_chat(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="must contain the word 'json'"):
        client.chat.completions.create(model=AUGUST, messages=HELLO, response_format={"type": "json_object"})


def test_json_object_with_the_word_is_answered_with_an_object(client: openai.OpenAI) -> None:
    form: Any = {"format": {"type": "json_object"}}
    assert client.responses.create(model=AUGUST, input="Answer in JSON.", text=form).output_text.startswith("{")


def test_a_request_id_that_is_too_long_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="X-Client-Request-Id"):
        client.responses.create(model=AUGUST, input="Hello", extra_headers={"X-Client-Request-Id": "x" * 513})


def test_a_url_that_is_not_served_is_a_404_with_an_error_body(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="Invalid URL"):
        client.embeddings.create(model=AUGUST, input="Hello")


def test_a_wrong_method_is_a_405_with_an_error_body(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError, match="Not allowed to GET") as error:
        client.get("/responses", cast_to=object)
    assert error.value.status_code == 405


def test_an_error_response_is_labelled_too(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        client.responses.create(model="gpt-9", input="Hello")
    assert error.value.response.headers["x-snapdrift-standin"] == "simulated"
    assert (error.value.request_id or "").startswith("req_")
