"""Prompts: templates that turn a case into the conversation that is asked.

A prompt is read once into forms, one for each thing in it that is rendered by itself; `Rendering` renders the forms of
one case, each once, however many variants share it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from snapdrift.model import Case, Conversation, GeneratedTurn, Message, Part, TextPart
from snapdrift.suites.media import Media, MediaError
from snapdrift.suites.messages import looks_like_messages, messages_of
from snapdrift.suites.registry import Location
from snapdrift.suites.templates import Expression, Template, TemplateError, message_text, render_text
from snapdrift.suites.wording import quoted
from snapdrift.suites.workspace import PathError

__all__ = [
    "Expression",
    "PartForm",
    "PromptForm",
    "Rendering",
    "Template",
    "TemplateError",
    "prompt_templates",
    "read_prompt",
    "render",
    "render_text",
]


@dataclass(frozen=True, slots=True)
class PartForm:
    """A part as written: `kind` is text, image, file, or input (text or a list of messages); `at` where it stands."""

    kind: str
    source: str
    at: Location
    detail: str = "auto"
    condition: str | None = None
    each: str | None = None

    @property
    def expressions(self) -> tuple[tuple[str, str], ...]:
        """Its `if` and `each`, as far as it has them."""
        written = (("if", self.condition), ("each", self.each))
        return tuple((key, source) for key, source in written if source is not None)

    def place_of(self, key: str) -> Location:
        """Where its `if` or `each` stands."""
        return (*self.at[:-1], key)


@dataclass(frozen=True, slots=True)
class MessageForm:
    """A message as written; `at` is where its content stands."""

    role: str
    parts: tuple[PartForm, ...]
    at: Location


@dataclass(frozen=True, slots=True)
class PromptForm:
    """A prompt as written. `input` is one form where the prompt has no list of messages."""

    instructions: PartForm | None
    input: PartForm | tuple[MessageForm | GeneratedTurn, ...]

    @property
    def parts(self) -> Iterator[PartForm]:
        """Everything that is rendered by itself, in order."""
        if self.instructions is not None:
            yield self.instructions
        if isinstance(self.input, PartForm):
            yield self.input
            return
        for message in self.input:
            if isinstance(message, MessageForm):
                yield from message.parts


def read_prompt(prompt: Mapping[str, Any]) -> PromptForm:
    """The forms of a prompt (`{"instructions"?, "input"}` as in `Variant.prompt`). Nothing is compiled yet."""
    instructions = prompt.get("instructions")
    shown = None if instructions is None else PartForm("text", instructions, ("instructions",))
    written = prompt["input"]
    if isinstance(written, str):
        return PromptForm(shown, PartForm("input", written, ("input",)))
    return PromptForm(shown, tuple(_message(message, ("input", index)) for index, message in enumerate(written)))


def _message(message: Mapping[str, Any], at: Location) -> MessageForm | GeneratedTurn:
    content, place = message.get("content"), (*at, "content")
    if content is None:
        return GeneratedTurn()
    if isinstance(content, str):
        return MessageForm(message["role"], (PartForm("text", content, place),), place)
    return MessageForm(message["role"], tuple(_part(part, (*place, n)) for n, part in enumerate(content)), place)


def _part(part: Mapping[str, Any], at: Location) -> PartForm:
    kind = next(kind for kind in ("text", "image", "file") if part.get(kind) is not None)
    detail = part.get("detail") or "auto"
    return PartForm(kind, part[kind], (*at, kind), detail, part.get("if"), part.get("each"))


def prompt_templates(prompt: Mapping[str, Any]) -> dict[Location, str]:
    """The template sources of a prompt by where they stand: `("input", 0, "content")`.

    Those under `if` and `each` are expressions: they stand without braces.
    """
    found: dict[Location, str] = {}
    for form in read_prompt(prompt).parts:
        found[form.at] = form.source
        found |= {form.place_of(key): source for key, source in form.expressions}
    return found


def render(prompt: Mapping[str, Any], case: Case, media: Media | None = None) -> Conversation:
    """What `prompt` (`{"instructions"?, "input"}` as in `Variant.prompt`) asks for `case`.

    An input that is text becomes one user message, one that is a list of messages the conversation. `media` reads the
    local images and files; without it there must be none. Raises `TemplateError`, and `SuiteError` for a file that is
    not what it was when the suite was loaded.
    """
    return Rendering(case.context(), media or Media()).conversation(read_prompt(prompt))


class Rendering:
    """The rendering of prompts for one case; each form is rendered once."""

    def __init__(self, context: Mapping[str, Any], media: Media) -> None:
        self._context = context
        self._media = media
        self._made: dict[PartForm, Any] = {}

    def conversation(self, form: PromptForm) -> Conversation:
        """What a prompt asks. Raises `TemplateError`."""
        instructions = None if form.instructions is None else self.made(form.instructions)[0].text
        if isinstance(form.input, PartForm):
            return Conversation(instructions, self.made(form.input))
        return Conversation(instructions, tuple(self._message(message) for message in form.input))

    def _message(self, form: MessageForm | GeneratedTurn) -> Message | GeneratedTurn:
        if isinstance(form, GeneratedTurn):
            return form
        parts = tuple(part for written in form.parts for part in self.made(written))
        if not parts:
            expected = "expected a part that every case has, such as {text: ...}"
            raise TemplateError("a message of which every part is left out", at=form.at, expected=expected)
        return Message(form.role, parts)

    def made(self, form: PartForm) -> tuple[Any, ...]:
        """The parts that a form makes, or the messages of an `input`. Raises `TemplateError`."""
        made = self._made.get(form)
        if made is None:
            try:
                made = self._make(form)
            except TemplateError as error:
                error.at = error.at or form.at
                made = error.with_traceback(None)  # it is kept, and its frames hold what was read
            self._made[form] = made
        if isinstance(made, TemplateError):
            raise made
        return made

    def _make(self, form: PartForm) -> tuple[Any, ...]:
        if form.kind == "input":
            return self._input(form)
        if form.condition is None and form.each is None:
            return (self._one(form, self._context),)
        return tuple(self._one(form, context) for context in self._contexts(form))

    def _input(self, form: PartForm) -> tuple[Message | GeneratedTurn, ...]:
        value = Template(form.source).render(self._context)
        if looks_like_messages(value):
            return messages_of(value, self._media, form.at)
        return (Message("user", (TextPart(message_text(form.source, value)),)),)

    def _contexts(self, form: PartForm) -> Iterator[Mapping[str, Any]]:
        """What the part is rendered with: once, once for each item, or not at all."""
        for context in self._items(form):
            if form.condition is None or _value_of(form, "if", form.condition, context):
                yield context

    def _items(self, form: PartForm) -> Iterator[Mapping[str, Any]]:
        if form.each is None:
            yield self._context
            return
        items = _value_of(form, "each", form.each, self._context)
        if not isinstance(items, list | None):
            found, expected = f"{form.each} is {quoted(items)}", "expected a list, or nothing"
            raise TemplateError(found, at=form.place_of("each"), expected=expected)
        yield from ({**self._context, "it": item} for item in items or ())

    def _one(self, form: PartForm, context: Mapping[str, Any]) -> Part:
        if form.kind == "text":
            return TextPart(render_text(form.source, context))
        value = Template(form.source).render(context)
        if value is None or value == "":
            name = form.source.strip().removeprefix("{{").removesuffix("}}").strip()
            expected = f"expected a value, or `if: {name}` to leave the part out"
            raise TemplateError(f"{form.source.strip()} is {'null' if value is None else 'empty'}", expected=expected)
        if not isinstance(value, str):
            expected = "expected text: a path, a URL or a file id (`each:` repeats a part for the items of a list)"
            raise TemplateError(f"{form.source.strip()} is {quoted(value)}", expected=expected)
        try:
            return self._media.image(value, form.detail) if form.kind == "image" else self._media.file(value)
        except (MediaError, PathError) as error:
            found, expected = error.found, error.expected
        # Not inside `except`: it would keep the other error, and by its traceback the file that was read.
        raise TemplateError(found, expected=expected)


def _value_of(form: PartForm, key: str, source: str, context: Mapping[str, Any]) -> Any:
    try:
        return Expression(source).value(context)
    except TemplateError as error:
        error.at = form.place_of(key)
        raise
