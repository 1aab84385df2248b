"""A request body of either endpoint, checked as the API checks it and read into one shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from snapdrift.model import Endpoint
from snapdrift.standin.api_errors import ApiError, invalid
from snapdrift.standin.parameters import check_parameters, type_name

_PARTS = {
    Endpoint.CHAT: ("text", "image_url", "input_audio", "refusal", "file"),
    Endpoint.RESPONSES: ("input_text", "input_image", "output_text", "refusal", "input_file"),
}
_ROLES = {
    Endpoint.CHAT: ("system", "assistant", "user", "function", "tool", "developer"),
    Endpoint.RESPONSES: ("assistant", "system", "developer", "user"),
}


class FormatKind(StrEnum):
    """What form of answer was asked for."""

    TEXT = "text"
    JSON_OBJECT = "json_object"
    JSON_SCHEMA = "json_schema"


@dataclass(frozen=True, slots=True)
class AnswerFormat:
    """The form asked for; `schema` only with `JSON_SCHEMA`."""

    kind: FormatKind = FormatKind.TEXT
    name: str = ""
    schema: Mapping[str, Any] | None = None
    strict: bool = False
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the request makes the model call; `named` when `tool_choice` names it."""

    name: str
    parameters: Mapping[str, Any]
    named: bool


@dataclass(frozen=True, slots=True)
class Question:
    """What a request asks, whichever endpoint it came to. `text` is all of the prompt's text, in order."""

    endpoint: Endpoint
    body: Mapping[str, Any]
    model: str
    text: str
    last_user_text: str
    format: AnswerFormat
    forced_tool: Tool | None
    output_cap: int | None

    @property
    def stream(self) -> bool:
        """Whether the answer is to be streamed."""
        return bool(self.body.get("stream"))

    def stream_option(self, name: str, *, default: bool) -> bool:
        """A flag under `stream_options`."""
        value = (self.body.get("stream_options") or {}).get(name)
        return default if value is None else bool(value)


def read_question(endpoint: Endpoint, body: Mapping[str, Any]) -> Question:
    """Checks and reads a request body. Raises `ApiError` with the API's own words where it is refused."""
    check_parameters(endpoint, body)
    model = body.get("model")
    if not model:
        raise invalid("you must provide a model parameter")
    _refuse_what_is_not_served(body)
    prompt_key = "messages" if endpoint is Endpoint.CHAT else "input"
    if body.get(prompt_key) is None:
        raise invalid(
            f"Missing required parameter: '{prompt_key}'.", param=prompt_key, code="missing_required_parameter"
        )
    messages = _messages(endpoint, prompt_key, body[prompt_key])
    said = [(message.get("role"), "".join(_texts(message))) for message in messages]
    if body.get("instructions"):
        said.insert(0, ("system", body["instructions"]))
    answer_format = _format(endpoint, body)
    text = "\n".join(words for _, words in said)
    if answer_format.kind is FormatKind.JSON_OBJECT and "json" not in text.lower():
        _refuse_json_object(endpoint, prompt_key)
    cap_name = "max_output_tokens" if endpoint is Endpoint.RESPONSES else "max_completion_tokens"
    return Question(
        endpoint=endpoint,
        body=body,
        model=model,
        text=text,
        last_user_text=next((words for role, words in reversed(said) if role == "user"), ""),
        format=answer_format,
        forced_tool=_forced_tool(body),
        output_cap=body.get(cap_name) or body.get("max_tokens"),
    )


def _refuse_what_is_not_served(body: Mapping[str, Any]) -> None:
    previous = body.get("previous_response_id")
    if previous:
        message = f"Previous response with id '{previous}' not found."
        raise ApiError(400, message, param="previous_response_id", code="previous_response_not_found")
    for name, allowed in (("n", 1), ("background", False), ("conversation", None), ("prompt", None)):
        if body.get(name) not in (None, allowed):
            message = f"Unsupported value: '{name}' is not served by the stand-in."
            raise invalid(message, param=name, code="unsupported_value")


def _messages(endpoint: Endpoint, key: str, prompt: Any) -> list[Mapping[str, Any]]:
    if isinstance(prompt, str) and endpoint is Endpoint.RESPONSES:
        return [{"role": "user", "content": prompt}]
    if not isinstance(prompt, list):
        expected = "an array of objects" if endpoint is Endpoint.CHAT else "a string or an array"
        found = type_name(prompt)
        raise invalid(
            f"Invalid type for '{key}': expected {expected}, but got {found} instead.", param=key, code="invalid_type"
        )
    if not prompt:
        message = f"Invalid '{key}': empty array. Expected an array with minimum length 1, but got an empty array."
        raise invalid(message, param=key, code="empty_array")
    for index, message in enumerate(prompt):
        _check_message(endpoint, f"{key}[{index}]", message)
    return prompt


def _check_message(endpoint: Endpoint, place: str, message: Any) -> None:
    if not isinstance(message, Mapping):
        text = f"Invalid type for '{place}': expected an object, but got {type_name(message)} instead."
        raise invalid(text, param=place, code="invalid_type")
    if endpoint is Endpoint.RESPONSES and message.get("type", "message") != "message":
        return  # a function call, its result, or another item that is passed back as it came
    role = message.get("role")
    if role is None:
        raise invalid(f"Missing required parameter: '{place}.role'.", param=f"{place}.role")
    _check_value(f"{place}.role", role, _ROLES[endpoint])
    content = message.get("content")
    if content is None and role != "assistant":
        text = f"Missing required parameter: '{place}.content'."
        raise invalid(text, param=f"{place}.content", code="missing_required_parameter")
    for index, part in enumerate(content if isinstance(content, list) else ()):
        kind = part.get("type") if isinstance(part, Mapping) else part
        _check_value(f"{place}.content[{index}].type", kind, _PARTS[endpoint])


def _check_value(place: str, value: Any, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        listed = ", ".join(f"'{name}'" for name in allowed)
        text = f"Invalid value: '{value}'. Supported values are: {listed}."
        raise invalid(text, param=place, code="invalid_value")


def _texts(message: Mapping[str, Any]) -> Iterator[str]:
    content = message.get("content", message.get("output"))
    if isinstance(content, str):
        yield content
    for part in content if isinstance(content, list) else ():
        if isinstance(part, Mapping) and isinstance(part.get("text"), str):
            yield part["text"]


def _format(endpoint: Endpoint, body: Mapping[str, Any]) -> AnswerFormat:
    place = "response_format" if endpoint is Endpoint.CHAT else "text.format"
    raw = body.get("response_format") if endpoint is Endpoint.CHAT else (body.get("text") or {}).get("format")
    if raw is None:
        return AnswerFormat()
    kind = raw.get("type") if isinstance(raw, Mapping) else raw
    _check_value(f"{place}.type", kind, tuple(FormatKind))
    if kind != FormatKind.JSON_SCHEMA:
        return AnswerFormat(FormatKind(str(kind)))
    if endpoint is Endpoint.CHAT:
        place, raw = f"{place}.json_schema", raw.get("json_schema")
        if not isinstance(raw, Mapping):
            raise invalid(f"Missing required parameter: '{place}'.", param=place, code="missing_required_parameter")
    for name in ("name", "schema"):
        if not raw.get(name):
            where = f"{place}.{name}"
            raise invalid(f"Missing required parameter: '{where}'.", param=where, code="missing_required_parameter")
    _check_schema(raw["name"], raw["schema"], f"{place}.schema")
    strict, description = bool(raw.get("strict")), raw.get("description")
    return AnswerFormat(FormatKind.JSON_SCHEMA, raw["name"], raw["schema"], strict, description)


def _check_schema(name: str, schema: Any, place: str) -> None:
    import jsonschema_rs

    if not isinstance(schema, Mapping):
        text = f"Invalid type for '{place}': expected an object, but got {type_name(schema)} instead."
        raise invalid(text, param=place, code="invalid_type")
    if not jsonschema_rs.meta.is_valid(dict(schema)):
        raise invalid(f"Invalid schema for response_format '{name}': it is not a JSON Schema.", param=place)


def _refuse_json_object(endpoint: Endpoint, prompt_key: str) -> None:
    if endpoint is Endpoint.CHAT:
        where, asked = "'messages'", "'response_format' of type 'json_object'"
    else:
        where, asked = "Response input messages", "'text.format' of type 'json_object'"
    raise invalid(f"{where} must contain the word 'json' in some form, to use {asked}.", param=prompt_key)


def _forced_tool(body: Mapping[str, Any]) -> Tool | None:
    """The function that `tool_choice` makes the model call; the first one where it leaves the choice."""
    choice = body.get("tool_choice")
    functions = {}
    for index, tool in enumerate(body.get("tools") or []):
        if not isinstance(tool, Mapping):
            text = f"Invalid type for 'tools[{index}]': expected an object, but got {type_name(tool)} instead."
            raise invalid(text, param=f"tools[{index}]", code="invalid_type")
        if tool.get("type") == "function":
            flat = tool.get("function") or tool
            functions[str(flat.get("name"))] = flat.get("parameters") or {"type": "object", "properties": {}}
    if choice == "required" and functions:
        name = next(iter(functions))
        return Tool(name, functions[name], named=False)
    if isinstance(choice, Mapping) and choice.get("type") == "function":
        name = str((choice.get("function") or choice).get("name"))
        if name not in functions:
            message = f"Tool choice '{name}' not found in 'tools' parameter."
            raise invalid(message, param="tool_choice")
        return Tool(name, functions[name], named=True)
    return None
