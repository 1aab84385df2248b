"""Prompts: Jinja templates that turn a case into the conversation that is asked.

`Template` is also what graders use for values such as `"{{ expected.queue }}"`. A source that is exactly one
`{{ expression }}` yields the value itself; every other source yields text, in which values that are not text read as
JSON (`true`, `null`, `{"a": 1}`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from snapdrift.errors import SnapdriftError
from snapdrift.model import Case, Conversation, Message, TextPart
from snapdrift.suites.registry import Location

if TYPE_CHECKING:
    from types import TracebackType

    from snapdrift.suites.sandbox import Compiled

_RUNTIME_ERRORS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError, MemoryError)


class TemplateError(SnapdriftError):
    """A template is not valid, or cannot be rendered for a case. `line` counts from 1 inside the template."""

    def __init__(self, message: str, line: int | None = None) -> None:
        self.message = message
        self.line = line
        super().__init__(message if line is None else f"{message} (line {line} of the template)")


class Template:
    """A compiled template. Two templates with the same source are equal."""

    __slots__ = ("_compiled", "source")

    def __init__(self, source: str) -> None:
        """Compiles `source`; raises `TemplateError`."""
        self.source = source
        self._compiled = _compile(source)

    @property
    def names(self) -> frozenset[str]:
        """The variables that it reads and does not set itself."""
        return self._compiled.names

    @property
    def native(self) -> bool:
        """Whether it yields the value of one expression instead of text."""
        return self._compiled.native

    def render(self, context: Mapping[str, Any]) -> Any:
        """The native value when the source is exactly one `{{ expression }}`, else text; raises `TemplateError`."""
        from jinja2 import TemplateError as JinjaError

        try:
            return _value(self._compiled, context) if self.native else _text(self._compiled, context)
        except JinjaError as error:
            raise TemplateError(error.message or str(error), self._line_of(error.__traceback__)) from None
        except _RUNTIME_ERRORS as error:
            message = f"{type(error).__name__}: {error}"
            raise TemplateError(message, self._line_of(error.__traceback__)) from None

    def _line_of(self, traceback: TracebackType | None) -> int | None:
        """The template's line in which an error arose, None in a native expression (it has but one)."""
        line = None
        while traceback is not None and not self.native:
            if traceback.tb_frame.f_code.co_filename == "<template>":
                line = self._compiled.template.get_corresponding_lineno(traceback.tb_lineno)
            traceback = traceback.tb_next
        return line

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and other.source == self.source

    def __hash__(self) -> int:
        return hash(self.source)

    def __repr__(self) -> str:
        return f"Template({self.source!r})"


@lru_cache(maxsize=1024)
def _compile(source: str) -> Compiled:
    from jinja2 import TemplateSyntaxError

    from snapdrift.suites.sandbox import compile_source

    try:
        return compile_source(source)
    except TemplateSyntaxError as error:
        raise TemplateError(error.message or "not a template", error.lineno) from None
    except (RecursionError, MemoryError, SyntaxError):
        raise TemplateError("the template is nested too deeply") from None


def _run(compiled: Compiled, context: Mapping[str, Any]) -> tuple[Any, Iterator[str]]:
    from snapdrift.suites.sandbox import MAX_LOOP_STEPS, STEPS_LEFT

    running = compiled.template.new_context({**context, STEPS_LEFT: [MAX_LOOP_STEPS]})
    return running, iter(compiled.template.root_render_func(running))


def _value(compiled: Compiled, context: Mapping[str, Any]) -> Any:
    from snapdrift.suites.sandbox import RESULT, plain_value

    running, chunks = _run(compiled, context)
    for _ in chunks:
        pass
    return plain_value(running.vars[RESULT])


def _text(compiled: Compiled, context: Mapping[str, Any]) -> str:
    from snapdrift.suites.sandbox import MAX_TEXT, bounded_length

    pieces, total = [], 0
    for piece in _run(compiled, context)[1]:
        total += len(piece)
        bounded_length(total, MAX_TEXT)
        pieces.append(piece)
    return "".join(pieces)


def prompt_templates(prompt: Mapping[str, Any]) -> dict[Location, str]:
    """The template sources of a prompt by where they stand: `("input", 0, "content")`."""
    found: dict[Location, str] = {}
    if isinstance(prompt.get("instructions"), str):
        found["instructions",] = prompt["instructions"]
    written = prompt.get("input")
    if isinstance(written, str):
        found["input",] = written
        return found
    for number, message in enumerate(written or ()):
        content = message["content"]
        if isinstance(content, str):
            found["input", number, "content"] = content
            continue
        for index, part in enumerate(content):
            if "text" in part:
                found["input", number, "content", index, "text"] = part["text"]
    return found


def render_text(source: str, context: Mapping[str, Any]) -> str:
    """A template as the text of a message; raises `TemplateError`, also for null, which is no text."""
    from snapdrift.suites.sandbox import to_json_text

    value = Template(source).render(context)
    if value is None:
        raise TemplateError(f"{source.strip()} is null; a message needs text")
    return value if isinstance(value, str) else to_json_text(value)


def render(prompt: Mapping[str, Any], case: Case) -> Conversation:
    """What `prompt` (`{"instructions"?, "input"}` as in `Variant.prompt`) asks for `case`; raises `TemplateError`.

    An input that is text becomes one user message.
    """
    context = case.context()
    instructions = prompt.get("instructions")
    shown = None if instructions is None else render_text(instructions, context)
    written = prompt["input"]
    if isinstance(written, str):
        return Conversation(shown, (Message("user", (TextPart(render_text(written, context)),)),))
    messages = tuple(Message(message["role"], _parts(message["content"], context)) for message in written)
    return Conversation(shown, messages)


def _parts(content: Any, context: Mapping[str, Any]) -> tuple[TextPart, ...]:
    sources = [content] if isinstance(content, str) else [part["text"] for part in content]
    return tuple(TextPart(render_text(source, context)) for source in sources)
