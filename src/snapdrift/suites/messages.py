"""Lists of messages: those of a case (the column `messages`), and what every conversation has to look like.

A case's messages are data: nothing in them is a template, so what a user once wrote is asked as it was written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from snapdrift.model import GeneratedTurn, Message, Part, TextPart
from snapdrift.suites.media import Media, MediaError
from snapdrift.suites.registry import Finding, Location
from snapdrift.suites.templates import TemplateError
from snapdrift.suites.wording import quoted
from snapdrift.suites.workspace import PathError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from snapdrift.suites.suite import MessageEntry


def looks_like_messages(value: Any) -> bool:
    """Whether what an expression yields is meant as a list of messages, not as a value to show."""
    return isinstance(value, list) and any(isinstance(item, Mapping) and "role" in item for item in value)


def message_findings(value: Any) -> tuple[Finding, ...]:
    """What is wrong with a list of messages; locations are relative to it. Paths are not looked up here."""
    from pydantic import ValidationError

    from snapdrift.suites.shapes import Shape, mistakes_of

    if not isinstance(value, list) or not value:
        return (Finding((), quoted(value), "expected a list of messages, [{role: user, content: ...}]"),)
    try:
        _message_list().validate_python(value)
    except ValidationError:
        shape = Shape()
        try:
            _message_list().validate_python(value, context=shape)
        except ValidationError as error:
            return tuple(Finding(m.location, m.found, m.expected) for m in mistakes_of(error, value, shape))
    return (*turn_findings(value), *_template_keys(value))


@cache
def _message_list() -> TypeAdapter[list[MessageEntry]]:
    from pydantic import TypeAdapter

    from snapdrift.suites.suite import MessageEntry

    return TypeAdapter(list[MessageEntry])


def turn_findings(messages: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Assistant messages left to the model where none can be written; locations are relative to the list."""
    for index, message in enumerate(messages):
        if message.get("content") is not None:
            continue
        found = "an assistant message without content"
        if index == 0:
            yield Finding((index,), f"{found} before anything is asked", "expected a message before it")
        elif messages[index - 1].get("content") is None:
            yield Finding((index,), f"{found} after another", "expected a message of the user between the two")
        if index == len(messages) - 1:
            yield Finding((index,), f"{found} at the end", "leave it out: the last answer is generated anyway")


def _template_keys(messages: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    for index, message in enumerate(messages):
        content = message.get("content")
        for number, part in enumerate(content if isinstance(content, list) else ()):
            for key in ("if", "each"):
                if part.get(key) is not None:
                    place: Location = (index, "content", number, key)
                    yield Finding(place, f"`{key}` in a case's message", "leave it out: only prompts have templates")


def messages_of(value: Sequence[Any], media: Media, at: Location) -> tuple[Message | GeneratedTurn, ...]:
    """The messages of a list as in the column `messages`; raises `TemplateError` for the first mistake in it."""
    from snapdrift.suites.document import format_location

    for finding in message_findings(value):
        inside = format_location(("messages", *finding.location))
        raise TemplateError(f"{inside}: {finding.found}", at=at, expected=finding.expected)
    made: list[Message | GeneratedTurn] = []
    for index, message in enumerate(value):
        content = message.get("content")
        if content is None:
            made.append(GeneratedTurn())
            continue
        written = [{"text": content}] if isinstance(content, str) else content
        parts = tuple(_part(part, media, at, f"messages[{index}].content[{n}]") for n, part in enumerate(written))
        made.append(Message(message["role"], parts))
    return tuple(made)


def _part(part: Mapping[str, Any], media: Media, at: Location, shown: str) -> Part:
    if part.get("text") is not None:
        return TextPart(part["text"])
    try:
        if part.get("image") is not None:
            return media.image(part["image"], part.get("detail") or "auto")
        return media.file(part["file"])
    except (MediaError, PathError) as error:
        found, expected = f"{shown}: {error.found}", error.expected
    # Not inside `except`: it would keep the other error, and by its traceback the file that was read.
    raise TemplateError(found, at=at, expected=expected)
