"""Variants that ask no model: the user's own application (`python:`) and answers recorded elsewhere (`outputs:`).

An application is handed the case without what is expected of it, and says what it answered. Running a suite with such
a variant runs that code, with all that the user may do; what it spends is its own affair unless it says so.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from snapdrift.errors import UsageError
from snapdrift.keys import body_without_keys, without_keys
from snapdrift.model import (
    MOST_USD,
    Answer,
    CallKey,
    Case,
    ClientRequestId,
    Conversation,
    Endpoint,
    FilePart,
    ImagePart,
    Message,
    Outcome,
    Part,
    Request,
    Source,
    TextPart,
    ToolCall,
    Usage,
    Variant,
)
from snapdrift.openai_api.answers import text_of
from snapdrift.pipeline.functions import UserFunctions, application_failure, require_unchanged
from snapdrift.suites.outputs import Outputs, read_outputs
from snapdrift.suites.tool_results import PythonFunction, python_functions, tool_text
from snapdrift.suites.workspace import PathError

if TYPE_CHECKING:
    from snapdrift.suites.resolved import Suite
    from snapdrift.suites.workspace import Workspace

_KEYS = ("text", "model", "usage", "usd", "tool_calls")
_TOKENS = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")


@dataclass(frozen=True, slots=True)
class Applications:
    """What a command runs and reads in place of a model; also the Python fakes of its tools."""

    functions: UserFunctions | None = None
    outputs: Mapping[str, Outputs] = field(default_factory=dict)

    @contextmanager
    def running(self, at_once: int) -> Iterator[None]:
        """While this lasts functions can be called, at most `at_once` at a time."""
        with nullcontext() if self.functions is None else self.functions.running(at_once):
            yield

    def has(self, variant: Variant, key: CallKey) -> bool:
        """Whether there is an answer to a call to be had: a file of outputs may lack some, kept answers are there."""
        if variant.endpoint is Endpoint.ARCHIVE:
            return False
        return variant.endpoint is not Endpoint.OUTPUTS or (key.case_id, key.repeat) in self._outputs(variant.target)

    async def ask(self, request: Request) -> Answer:
        """The answer of an application, or of a file. Raises `AttemptFailed` of kind `APPLICATION`."""
        if request.endpoint is Endpoint.OUTPUTS:
            recorded = self._outputs(str(request.body["outputs"]))[request.call.case_id, request.call.repeat]
            raw = json.dumps({"output": recorded.text, "model": recorded.model}, ensure_ascii=False)
            return Answer(Outcome.OK, recorded.text, raw, recorded.model, source=Source.OUTPUTS)
        target = PythonFunction.parse(request.body["python"])
        if target is None:
            raise UsageError(f"found {request.body['python']!r}; expected PATH:FUNCTION")
        began = time.perf_counter()
        returned = await self._call(target, copy.deepcopy(request.body["case"]))
        return answer_of(target, returned, (time.perf_counter() - began) * 1000.0)

    async def fake(self, target: PythonFunction, arguments: Mapping[str, Any], case: Case) -> str:
        """What the fake of a tool returns, as the text that is sent. Raises `AttemptFailed` of kind `APPLICATION`."""
        returned = await self._call(target, copy.deepcopy(dict(arguments)), copy.deepcopy(shown_case(case)))
        return _json_text(target, returned)

    async def _call(self, target: PythonFunction, *arguments: Any) -> Any:
        if self.functions is None:
            raise UsageError(f"{target} was not imported when the run started")
        return await self.functions.call(target, *arguments)

    def _outputs(self, target: str | None) -> Outputs:
        return self.outputs[str(target)]


def load_applications(
    workspace: Workspace, variants: Iterable[Variant], fakes: Mapping[PythonFunction, str | None]
) -> Applications:
    """Imports the applications among `variants` and the `fakes` of tools, and reads the files of outputs.

    Raises `UsageError` for what cannot be imported or is no longer what it was when the suite was loaded.
    """
    functions = dict(fakes)
    outputs = {}
    for variant in variants:
        if variant.endpoint is Endpoint.PYTHON:
            target = PythonFunction.parse(variant.target)
            if target is None:
                raise UsageError(f"variant {variant.name}: found {variant.target!r}; expected PATH:FUNCTION")
            functions[target] = variant.request.get("sha256")
        elif variant.endpoint is Endpoint.OUTPUTS:
            outputs[str(variant.target)] = _outputs(workspace, variant)
    return Applications(UserFunctions(workspace, functions) if functions else None, outputs)


def fakes_of(suite: Suite, cases: Iterable[Case]) -> dict[PythonFunction, str | None]:
    """The Python fakes that the cases name, with the SHA-256 of the file that each is in."""
    named = (fake for case in cases for fake in python_functions(case.tool_results))
    return {fake: suite.fakes.get(fake.path) for fake in named}


def require_unchanged_media(workspace: Workspace, suite: Suite) -> None:
    """Raises `UsageError` for a local image or file of the suite that is gone or not what it was when it was loaded."""
    for shown, sha256 in suite.media.items():
        try:
            path = workspace.resolve(shown)
        except PathError as error:
            raise UsageError(f"{error}; put the file back, or run the suite anew (--fresh)") from None
        require_unchanged(path, shown, sha256)


def application_request(key: CallKey, variant: Variant, case: Case, asked: Conversation | None, run: str) -> Request:
    """The call of a variant that asks no model: what it is handed, and what identifies it. `asked` is its prompt."""
    body: dict[str, Any] = {"model": variant.model, variant.endpoint.value: variant.target, **variant.request}
    if variant.endpoint is Endpoint.PYTHON:
        body["case"] = shown_case(case) | ({} if asked is None else {"messages": _messages(asked)})
    else:
        body["id"] = case.id
    request_id = str(ClientRequestId(run, key.case_id, key.variant, key.repeat, 0))
    return Request(key, 0, variant.endpoint, base_url_of(variant), body, request_id)


def base_url_of(variant: Variant) -> str:
    """What stands where other requests have their host's URL."""
    return f"{variant.endpoint.value}:"


def shown_case(case: Case) -> dict[str, Any]:
    """A case as the user's own code sees it: never what is expected of the answer."""
    return {"id": case.id, "variables": dict(case.variables), "tags": list(case.tags)}


def answer_of(target: PythonFunction, returned: Any, latency_ms: float) -> Answer:
    """What an application returned, as an answer: text, or a mapping of which `text` is required.

    Raises `AttemptFailed` when it is neither.
    """
    said = {"text": returned} if isinstance(returned, str) else returned
    if not isinstance(said, Mapping) or not isinstance(said.get("text"), str):
        raise _wrong(target, f"returned {_shown(returned)}", "text, or {text: ...}")
    unknown = [str(key) for key in said if key not in _KEYS]
    if unknown:
        raise _wrong(target, f"returned the unknown key {unknown[0]!r}", f"only {', '.join(_KEYS)}")
    model, usd = said.get("model"), said.get("usd")
    if not isinstance(model, str | None):
        raise _wrong(target, f"returned the model {_shown(model)}", "its id, as text")
    is_amount = isinstance(usd, int | float) and not isinstance(usd, bool) and 0 <= usd <= MOST_USD
    if usd is not None and not is_amount:
        raise _wrong(target, f"returned usd {_shown(usd)}", f"what the answer cost in dollars, at most {MOST_USD:,.0f}")
    tool_calls = _tool_calls(target, said.get("tool_calls"))
    return Answer(
        outcome=Outcome.OK,
        text=without_keys(text_of(said["text"])),
        raw=body_without_keys(json.dumps(dict(said), ensure_ascii=False, default=str)),
        returned_model=model or None,
        usage=_usage(target, said.get("usage")),
        latency_ms=latency_ms,
        tool_calls=tool_calls,
        source=Source.PYTHON,
        usd=None if usd is None else float(usd),
    )


def _usage(target: PythonFunction, usage: Any) -> Usage | None:
    if usage is None:
        return None
    if not isinstance(usage, Mapping) or any(key not in _TOKENS for key in usage):
        raise _wrong(target, f"returned usage {_shown(usage)}", f"a mapping with {', '.join(_TOKENS)}")
    for key, count in usage.items():
        if type(count) is not int or count < 0:
            raise _wrong(target, f"returned {key} {_shown(count)}", "a number of tokens")
    return Usage(**usage)


def _tool_calls(target: PythonFunction, calls: Any) -> tuple[ToolCall, ...]:
    if calls is None:
        return ()
    expected = "a list of {name: TEXT, arguments: MAPPING or JSON text}"
    if not isinstance(calls, list | tuple):
        raise _wrong(target, f"returned tool_calls {_shown(calls)}", expected)
    made = []
    for number, call in enumerate(calls):
        valid = isinstance(call, Mapping) and isinstance(call.get("name"), str) and "arguments" in call
        if not valid or not set(call) <= {"name", "arguments", "call_id"}:
            raise _wrong(target, f"returned the tool call {_shown(call)}", expected)
        call_id = str(call.get("call_id") or f"call_{number}")
        made.append(ToolCall(call_id, call["name"], _json_text(target, call["arguments"])))
    return tuple(made)


def _json_text(target: PythonFunction, value: Any) -> str:
    """A value of the user's as it is sent to a model; raises `AttemptFailed` for one that JSON has no form for."""
    try:
        return without_keys(text_of(tool_text(value)))
    except (TypeError, ValueError, RecursionError):
        raise _wrong(target, f"returned {_shown(value)}", "text, or a value that can be written as JSON") from None


def _wrong(target: PythonFunction, found: str, expected: str) -> Exception:
    return application_failure(f"{target} {found}; expected {expected}")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _outputs(workspace: Workspace, variant: Variant) -> Outputs:
    target = str(variant.target)
    try:
        path = workspace.resolve(target)
    except PathError as error:
        raise UsageError(f"variant {variant.name}: {error}") from None
    require_unchanged(path, target, variant.request.get("sha256"))
    return read_outputs(path, target)


def _messages(conversation: Conversation) -> list[dict[str, Any]]:
    """A rendered prompt as messages; one of text alone has it as `content`, any other a list of parts."""
    asked = [message for message in conversation.messages if isinstance(message, Message)]
    messages = [{"role": message.role, "content": _content(message.parts)} for message in asked]
    if conversation.instructions is not None:
        messages.insert(0, {"role": "system", "content": conversation.instructions})
    return messages


def _content(parts: tuple[Part, ...]) -> str | list[dict[str, Any]]:
    if all(isinstance(part, TextPart) for part in parts):
        return "".join(part.text for part in parts if isinstance(part, TextPart))
    return [_part(part) for part in parts]


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, ImagePart):
        return {"type": "image", "name": part.name, "url": part.url, "file_id": part.file_id, "detail": part.detail}
    if isinstance(part, FilePart):
        return {"type": "file", "name": part.name, "url": part.data or part.url, "file_id": part.file_id}
    return {"type": "text", "text": part.text}
