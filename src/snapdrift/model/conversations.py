"""A rendered prompt: messages, and the places where the model writes one before the conversation goes on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TextPart:
    """A piece of a message that is text."""

    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image in a message: `url` (https, or a data URL of a local file), or the `file_id` of an uploaded one.

    `name` is how the suite or dataset names it; `size` is (width, height) in pixels, None where that is not known.
    """

    name: str
    url: str | None = None
    file_id: str | None = None
    detail: str = "auto"
    size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class FilePart:
    """A document (PDF) in a message: `data` (a data URL of a local file), `url`, or an uploaded one's `file_id`."""

    name: str
    data: str | None = None
    url: str | None = None
    file_id: str | None = None


Part = TextPart | ImagePart | FilePart


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation; `role` is user, assistant, system or developer."""

    role: str
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The text parts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))


@dataclass(frozen=True, slots=True)
class GeneratedTurn:
    """The place of an assistant message that the model writes before the conversation goes on."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A rendered prompt: what one case asks of one variant.

    Each `GeneratedTurn` ends a request; its answer is carried on with the messages that follow it. The last answer is
    always generated and has no `GeneratedTurn`.
    """

    instructions: str | None
    messages: tuple[Message | GeneratedTurn, ...]

    @property
    def turns(self) -> tuple[tuple[Message, ...], ...]:
        """The messages that each request adds, in order; one tuple where nothing is scripted."""
        turns: list[list[Message]] = [[]]
        for message in self.messages:
            if isinstance(message, GeneratedTurn):
                turns.append([])
            else:
                turns[-1].append(message)
        return tuple(map(tuple, turns))
