"""A conversation in neither endpoint's form: who said what, which tools were called, and what they gave back.

Both endpoints are read into the same turns, so that the same conversation draws the same answer on either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snapdrift.model import Endpoint, ToolCall
from snapdrift.standin.attachments import Attachment, attachments_of
from snapdrift.standin.draws import digest


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What a tool call got back."""

    call_id: str
    output: str


@dataclass(frozen=True, slots=True)
class Turn:
    """One entry: text (with images and files), a call that the model made, or the output that a call got."""

    role: str
    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    call: ToolCall | None = None
    output: ToolOutput | None = None

    @property
    def line(self) -> str:
        """The turn as text. Ids of calls are left out: they say nothing of what is asked."""
        if self.call is not None:
            return f"{self.call.name}({self.call.arguments})"
        return self.output.output if self.output is not None else self.text


@dataclass(frozen=True, slots=True)
class Transcript:
    """The turns of a conversation, instructions first."""

    turns: tuple[Turn, ...]

    @property
    def text(self) -> str:
        """All of the text, in order."""
        return "\n".join(turn.line for turn in self.turns)

    @property
    def last_user_text(self) -> str:
        """What the user said last."""
        return next((turn.text for turn in reversed(self.turns) if turn.role == "user"), "")

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """The images and files, in order."""
        return tuple(attachment for turn in self.turns for attachment in turn.attachments)

    @property
    def prompt(self) -> Transcript:
        """Without the calls made since the user spoke last, and what came of them: the same at every step."""
        for index in range(len(self.turns) - 1, -1, -1):
            if self.turns[index].role == "user":
                break
        else:
            index = -1
        rest = self.turns[index + 1 :]
        first_call = next((at for at, turn in enumerate(rest) if turn.call is not None), None)
        if first_call is None:
            return self
        said_before = first_call - 1 if first_call and rest[first_call - 1].role == "assistant" else first_call
        return Transcript(self.turns[: index + 1 + said_before])

    @property
    def identity(self) -> str:
        """A digest of the text and of what is attached; equal for both endpoints' forms of a conversation."""
        attached = [attachment.identity for attachment in self.attachments]
        return digest(self.text, *attached).hex()

    def calls_since_prompt(self) -> tuple[ToolCall, ...]:
        """The calls that the model has made since the user spoke last."""
        return tuple(turn.call for turn in self.turns[len(self.prompt.turns) :] if turn.call is not None)

    def outputs_since_prompt(self) -> tuple[ToolOutput, ...]:
        """What those calls got back."""
        return tuple(turn.output for turn in self.turns[len(self.prompt.turns) :] if turn.output is not None)


def read_transcript(endpoint: Endpoint, instructions: str | None, messages: Sequence[Mapping[str, Any]]) -> Transcript:
    """The turns of checked messages (Chat) or items (Responses)."""
    read = _chat_turns if endpoint is Endpoint.CHAT else _response_turns
    first = [Turn("system", instructions)] if instructions else []
    return Transcript((*first, *(turn for message in messages for turn in read(message))))


def _chat_turns(message: Mapping[str, Any]) -> Iterator[Turn]:
    role, text = str(message.get("role")), text_of(message.get("content"))
    if role in ("tool", "function"):
        yield Turn("tool", output=ToolOutput(str(message.get("tool_call_id") or message.get("name")), text))
        return
    calls = message.get("tool_calls") or ()
    if text or not calls:
        yield Turn(role, text or str(message.get("refusal") or ""), attachments_of(message.get("content")))
    for call in calls:
        function = call.get("function") or call.get("custom") or {}
        written = str(function.get("arguments", function.get("input", "")))
        yield Turn("assistant", call=ToolCall(str(call.get("id")), str(function.get("name")), written))


def _response_turns(item: Mapping[str, Any]) -> Iterator[Turn]:
    kind = item.get("type", "message")
    if kind == "message":
        yield Turn(str(item.get("role")), text_of(item.get("content")), attachments_of(item.get("content")))
    elif kind in ("function_call", "custom_tool_call"):
        written = str(item.get("arguments", item.get("input", "")))
        yield Turn("assistant", call=ToolCall(str(item.get("call_id")), str(item.get("name")), written))
    elif kind in ("function_call_output", "custom_tool_call_output"):
        yield Turn("tool", output=ToolOutput(str(item.get("call_id")), text_of(item.get("output"))))


def text_of(content: Any) -> str:
    """The text of a message's content, whatever else its parts hold."""
    if isinstance(content, str):
        return content
    return "".join(_part_texts(content if isinstance(content, list) else ()))


def _part_texts(parts: Iterable[Any]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, Mapping):
            yield next((part[name] for name in ("text", "refusal") if isinstance(part.get(name), str)), "")
