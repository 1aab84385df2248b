"""Providers of a promptfoo configuration: OpenAI's models as variants, the others as notes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from snapdrift.importers.names import label
from snapdrift.importers.notes import Place, others
from snapdrift.importers.promptfoo.nunjucks import UntranslatableError, is_template
from snapdrift.importers.promptfoo.reading import Reading
from snapdrift.importers.sources import FILE_PREFIX

_OTHER_KINDS = {
    "completion": "the Completions API is not asked",
    "embedding": "embeddings are no answers",
    "embeddings": "embeddings are no answers",
    "assistant": "OpenAI removed the Assistants API on 2026-08-26; ask by `responses`",
    "realtime": "a session over a socket is not compared case by case",
    "moderation": "moderation is no answer",
    "image": "generated images are no answers",
    "transcription": "audio is not asked",
    "agents": "an agent is code; a variant `{python: PATH:FUNCTION}` can call it",
    "video": "video is not asked",
}
_REASONING = re.compile(r"^(o\d|gpt-5|gpt-6)")
_OUTPUT_CAP = 1024
"""What promptfoo asks where a provider names no cap (its documentation of the OpenAI provider)."""
_SAME = ("temperature", "top_p", "parallel_tool_calls", "service_tier", "metadata", "store", "user", "top_logprobs")
_CHAT_ONLY = ("seed", "stop", "frequency_penalty", "presence_penalty", "logit_bias")
_RESPONSES_ONLY = ("truncation", "max_tool_calls")
_CAPS = ("max_output_tokens", "max_completion_tokens", "max_tokens")
_KEYS = ("apiKey", "apiKeyEnvar", "apiKeyRequired", "organization", "headers")
_HOSTS = ("apiHost", "apiBaseUrl")


@dataclass(frozen=True, slots=True)
class MadeProvider:
    """A provider as a variant: without its prompt. `prompts` are the names of those that it is asked, None for all."""

    name: str
    ids: tuple[str, ...]
    model: str
    endpoint: str
    request: Mapping[str, Any]
    instructions: str | None = None
    prompts: tuple[str, ...] | None = None


def read_providers(place: Place, reading: Reading) -> list[MadeProvider]:
    """Every provider that has a counterpart; the others are noted."""
    made = []
    for one in _written(place, reading):
        try:
            made.append(read_provider(one, reading))
        except UntranslatableError as error:
            reading.notes.left_out(one, f"the provider {_id_of(one.value) or 'without id'}", str(error))
    return made


def _written(place: Place, reading: Reading) -> Iterator[Place]:
    for one in place.each():
        value = one.value
        if isinstance(value, str) and value.startswith(FILE_PREFIX):
            try:
                yield from reading.opened(one).each()
            except UntranslatableError as error:
                reading.notes.left_out(one, f"the provider {value}", str(error))
        else:
            yield one


def _id_of(value: Any) -> str:
    if isinstance(value, Mapping):
        if "id" in value:
            return str(value["id"])
        return str(next(iter(value), "")) if len(value) == 1 else ""
    return str(value) if isinstance(value, str) else ""


def model_of(provider: str) -> tuple[str, str] | None:
    """Endpoint and model of an id such as `openai:chat:gpt-4o`; None for what is not OpenAI's.

    Raises `UntranslatableError` for what OpenAI has and suites do not ask.
    """
    vendor, _, rest = provider.partition(":")
    if vendor != "openai" or not rest:
        return None
    kind, _, model = rest.partition(":")
    if kind in ("chat", "responses"):
        return kind, model or "gpt-4o"
    if kind in _OTHER_KINDS:
        raise UntranslatableError(_OTHER_KINDS[kind])
    return "chat", rest


def read_provider(place: Place, reading: Reading) -> MadeProvider:
    """One provider as a variant. Raises `UntranslatableError`."""
    value, provider = place.value, _id_of(place.value)
    options = value if isinstance(value, Mapping) else {}
    at = place
    if isinstance(value, Mapping) and "id" not in value and len(value) == 1:
        at = place.at(provider)
        options = at.value if isinstance(at.value, Mapping) else {}
        provider = str(options.get("id", provider))
    if is_template(provider):
        raise UntranslatableError("its id is a template")
    asked = model_of(provider)
    if asked is None:
        raise UntranslatableError(_elsewhere(provider))
    endpoint, model = asked
    for key in others(options, {"id", "label", "config", "prompts", "name", "description"}):
        reading.notes.left_out(at.at(key), f"`{key}` of the provider {provider}", _no_counterpart(key))
    prompts = options.get("prompts")
    request, instructions = _request(at.at("config"), endpoint, model, reading)
    name = label(str(options.get("label") or provider.removeprefix("openai:").removeprefix("chat:")))
    return MadeProvider(
        name.replace("responses:", "").replace("/", "-"),
        tuple(filter(None, (provider, str(options.get("label") or "")))),
        model,
        endpoint,
        request,
        instructions,
        tuple(map(str, prompts)) if isinstance(prompts, list) else None,
    )


def _elsewhere(provider: str) -> str:
    vendor = provider.partition(":")[0]
    if vendor.startswith("azure"):
        return "declare the resource under [hosts] of snapdrift.toml and add a variant {model: DEPLOYMENT, host: NAME}"
    if vendor in ("python", "exec", "file", "webhook", "http", "https", "package"):
        return "is an application; a variant {python: PATH:FUNCTION} can call it, {outputs: FILE} hold its answers"
    return "is not OpenAI's; a host that speaks its protocol can be declared under [hosts] of snapdrift.toml"


def _no_counterpart(key: str) -> str:
    if key == "transform":
        return "answers are graded as they are; `extract` of a grader picks a part"
    if key == "delay":
        return "the rate is kept to the account's limits ([limits] of snapdrift.toml)"
    return "has no counterpart"


# ------------------------------------------------------------------------------------------------------------- settings


def _request(place: Place, endpoint: str, model: str, reading: Reading) -> tuple[dict[str, Any], str | None]:
    """Settings in the Responses API's names, and instructions where the configuration has some of its own."""
    written = place.value if isinstance(place.value, Mapping) else {}
    passed = written.get("passthrough")
    config = {**written, **(passed if isinstance(passed, Mapping) else {})}
    reasoning = bool(_REASONING.match(model))
    made: dict[str, Any] = {} if reasoning else {"temperature": 0}
    cap = next((config[key] for key in _CAPS if config.get(key) is not None), None)
    if cap is not None or not reasoning:
        made["max_output_tokens"] = _OUTPUT_CAP if cap is None else cap
    instructions: str | None = None
    for key, value in config.items():
        if key in (*_CAPS, "passthrough") or value is None:
            continue
        where = place.at(key)
        try:
            if key == "instructions" and isinstance(value, str):
                instructions = reading.template(value)
            else:
                for name, setting in _setting(key, value, endpoint, reading).items():
                    made[name] = _together(made.get(name), setting)
        except UntranslatableError as error:
            reading.notes.left_out(where, f"`{key}` of {model}", str(error))
    least = 16 if endpoint == "responses" else 1
    if isinstance(made.get("max_output_tokens"), int) and made["max_output_tokens"] < least:
        made["max_output_tokens"] = least
        reading.notes.changed(place, f"the cap of {model}", f"{least} tokens are the fewest that `{endpoint}` takes")
    return made, instructions


def _together(before: Any, setting: Any) -> Any:
    """What two keys of a configuration say of one setting."""
    if isinstance(before, dict) and isinstance(setting, dict):
        return {**before, **setting}
    return [*before, *setting] if isinstance(before, list) and isinstance(setting, list) else setting


def _setting(key: str, value: Any, endpoint: str, reading: Reading) -> dict[str, Any]:
    """One setting in our terms. Raises `UntranslatableError`."""
    if key in (*_SAME, *_CHAT_ONLY, *_RESPONSES_ONLY):
        if key not in _SAME and (key in _CHAT_ONLY) is not (endpoint == "chat"):
            raise UntranslatableError(f"the endpoint {endpoint} does not take it")
        return {key: value}
    if key == "response_format":
        return {"text": {"format": response_format(reading.loaded(value), reading)}}
    if key in ("text", "verbosity"):
        return {"text": dict(value) if isinstance(value, Mapping) else {"verbosity": value}}
    if key in ("reasoning", "reasoning_effort"):
        return {"reasoning": dict(value) if isinstance(value, Mapping) else {"effort": value}}
    if key in ("tools", "functions"):
        return {"tools": _tools(value, reading, legacy=key == "functions")}
    if key in ("tool_choice", "function_call"):
        return {"tool_choice": _tool_choice(value)}
    if key in _KEYS:
        raise UntranslatableError("is not taken over: keys come from the environment and are in no file")
    if key in _HOSTS:
        raise UntranslatableError("declare the host under [hosts] of snapdrift.toml and name it in the variant")
    raise UntranslatableError("is no setting of a request that suites know")


def response_format(value: Any, reading: Reading) -> dict[str, Any]:
    """Chat's `response_format` as `text.format`. Raises `UntranslatableError`."""
    if not isinstance(value, Mapping):
        raise UntranslatableError("is no mapping")
    inner = reading.loaded(value.get("json_schema"))
    if value.get("type") == "json_schema" and isinstance(inner, Mapping):
        value = {"type": "json_schema", **inner}
    if value.get("type") != "json_schema":
        return {"type": str(value.get("type", "text"))}
    schema = reading.loaded(value.get("schema"))
    if not isinstance(schema, Mapping):
        raise UntranslatableError("has no JSON Schema")
    return {
        "type": "json_schema",
        "name": str(value.get("name") or "answer"),
        **{key: value[key] for key in ("description", "strict") if key in value},
        "schema": dict(schema),
    }


def _tools(value: Any, reading: Reading, *, legacy: bool) -> list[Any]:
    tools = reading.loaded(value)
    if isinstance(tools, list):
        tools = [reading.loaded(tool) for tool in tools]
    if not isinstance(tools, list) or not all(isinstance(tool, Mapping) for tool in tools):
        raise UntranslatableError("is no list of tools")
    made = [{"type": "function", **tool} if legacy or "type" not in tool else dict(tool) for tool in tools]
    reading.tools += [tool for tool in made if tool not in reading.tools]
    return made


def _tool_choice(value: Any) -> Any:
    if isinstance(value, Mapping):
        function = value.get("function")
        name = function.get("name") if isinstance(function, Mapping) else value.get("name")
        return {"type": "function", "name": name} if isinstance(name, str) else dict(value)
    return value


def renamed_apart(providers: Sequence[MadeProvider]) -> list[MadeProvider]:
    """The providers with different names; the same id twice is told apart by a number."""
    from snapdrift.importers.names import Unique

    names = Unique(between="-")
    return [replace(provider, name=names.of(provider.name)) for provider in providers]
