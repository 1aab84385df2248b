"""Request settings: the files that they name read in, tools brought into one shape, and what the facts say of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from snapdrift.model import Endpoint, Variant
from snapdrift.suites.document import Document
from snapdrift.suites.layers import Layer, Origin, merge, origin_of, without_nulls
from snapdrift.suites.loading import Loading
from snapdrift.suites.registry import Finding, Location, ModelFacts
from snapdrift.suites.scope import scope_of_key
from snapdrift.suites.shapes import Shape, mistakes_of
from snapdrift.suites.suite import RequestSettings
from snapdrift.suites.wording import quoted

SCHEMA_AT: Location = ("text", "format", "schema")
CHAIN = "previous_response_id"


@dataclass(frozen=True, slots=True)
class ResolvedRequest:
    """What is sent besides the prompt.

    `layers` are what it was merged from, `files` the documents that were read in by where they were named; `unread`
    when one of them could not be read, which is told.
    """

    settings: Mapping[str, Any]
    layers: tuple[Layer, ...]
    files: Mapping[Location, Document] = field(default_factory=dict)
    unread: bool = False

    def place_of(self, location: Location, otherwise: Origin) -> Origin:
        """Where the setting at a location is written, also inside a file."""
        for named, document in self.files.items():
            if location[: len(named)] == named:
                return Origin(document, location[len(named) :])
        return origin_of(self.layers, location, otherwise)


def resolve_request(layers: tuple[Layer, ...], origin: Origin, loading: Loading) -> ResolvedRequest:
    """The settings merged, nulls out, the files of schemas and tools read, and tools in the Responses API's shape."""
    return _Reading(layers, origin, loading).resolve()


class _Reading:
    """The reading in of one variant's files."""

    def __init__(self, layers: tuple[Layer, ...], origin: Origin, loading: Loading) -> None:
        self._layers = layers
        self._origin = origin
        self._loading = loading
        self._files: dict[Location, Document] = {}
        self._unread = False

    def resolve(self) -> ResolvedRequest:
        """The request."""
        settings = without_nulls(merge(self._layers), frozenset({SCHEMA_AT}))
        text = settings.get("text")
        written = text.get("format") if isinstance(text, dict) else None
        if isinstance(written, dict) and isinstance(written.get("schema"), str):
            schema = self._read(written["schema"], SCHEMA_AT, dict, "a JSON Schema, which is a mapping")
            settings = {**settings, "text": {**text, "format": {**written, "schema": schema}}}  # type: ignore[dict-item]
        tools = settings.get("tools")
        if isinstance(tools, str):
            tools = self._read(tools, ("tools",), list, "a list of tools")
        if isinstance(tools, list):
            settings["tools"] = [self._tool(tool, index) for index, tool in enumerate(tools)]
        if "tool_choice" in settings:
            settings["tool_choice"] = flat_tool_choice(settings["tool_choice"])
        return ResolvedRequest(settings, self._layers, self._files, self._unread)

    def _tool(self, written: Any, index: int) -> Any:
        tool = flat_tool(written)
        if isinstance(tool, Mapping) and isinstance(tool.get("parameters"), str):
            place: Location = ("tools", index, "parameters")
            schema = self._read(tool["parameters"], place, dict, "a JSON Schema, which is a mapping")
            return {**tool, "parameters": schema}
        return tool

    def _read(self, path: str, at: Location, kind: type, expected: str) -> Any:
        """The value of a file; the path itself, with the mistake noted, when there is none of that kind in it."""
        place = origin_of(self._layers, at, self._origin)
        other = None if place.document is self._loading.document else place.document
        document = self._loading.read(path, place.location, other)
        if document is not None and isinstance(document.value, kind):
            self._files[at] = document
            return document.value
        if document is not None:
            self._loading.complain((), quoted(document.value), f"expected {expected}", document=document)
        self._unread = True
        return path


def flat_tool(tool: Any) -> Any:
    """A tool in the Responses API's shape: Chat Completions nests a function under `function`; the rest stays."""
    inner = tool.get("function") if isinstance(tool, Mapping) else None
    if not isinstance(inner, Mapping):
        return tool
    return {**{key: value for key, value in tool.items() if key != "function"}, "type": "function", **inner}


def flat_tool_choice(choice: Any) -> Any:
    """A choice of tools in the Responses API's shape; words and what is flat already stay as they are."""
    if not isinstance(choice, Mapping):
        return choice
    if isinstance(choice.get("allowed_tools"), Mapping):
        choice = {"type": "allowed_tools", **choice["allowed_tools"]}
    if isinstance(choice.get("tools"), list):
        return {**choice, "tools": [flat_tool(tool) for tool in choice["tools"]]}
    return flat_tool(choice)


def request_findings(variant: Variant, facts: ModelFacts | None) -> Iterator[Finding]:
    """What is wrong with a variant's settings; locations are relative to its request."""
    request: dict[str, Any] = {}
    for key, value in variant.request.items():
        outside = scope_of_key(key)
        if outside is None:
            request[key] = value
        else:
            yield Finding((key,), *outside)
    if facts is not None:
        yield from facts.check_request(variant.model, variant.endpoint, request)
        return
    yield from _form_findings(request)
    yield from _chain_findings(variant, request)


def about_key(found: str) -> bool:
    """Whether a mistake is in a setting's name, not in its value."""
    return "unknown" in found or "out of scope" in found


def _form_findings(request: Mapping[str, Any]) -> Iterator[Finding]:
    """Without facts about models at least the settings' names and types are checked."""
    shape = Shape()
    written = dict(request)
    try:
        RequestSettings.model_validate(written, context=shape)
    except ValidationError as error:
        for mistake in mistakes_of(error, written, shape):
            yield Finding(mistake.location, mistake.found, mistake.expected)


def _chain_findings(variant: Variant, request: Mapping[str, Any]) -> Iterator[Finding]:
    """`previous_response_id: true` needs an endpoint that has it, and answers that are kept."""
    if request.get(CHAIN) is not True:
        return
    if variant.endpoint is Endpoint.CHAT:
        yield Finding((CHAIN,), f"Chat Completions has no `{CHAIN}`", "expected `endpoint: responses`, or leave it out")
    elif request.get("store") is not True:
        found = f"`{CHAIN}` without `store: true`"
        yield Finding((CHAIN,), found, "expected `store: true` beside it: OpenAI has to keep the answer before")
