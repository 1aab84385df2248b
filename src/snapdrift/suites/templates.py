"""`Template`: a Jinja template of a prompt or a grader, compiled and rendered for a case.

A source that is exactly one `{{ expression }}` yields the value itself; every other source yields text, in which values
that are not text read as JSON (`true`, `null`, `{"a": 1}`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from snapdrift.errors import SnapdriftError
from snapdrift.suites.registry import Location

if TYPE_CHECKING:
    from types import TracebackType

    from snapdrift.suites.sandbox import Compiled

_RUNTIME_ERRORS = (
    *(ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError, MemoryError),
    AssertionError,  # Jinja's filters assert that what they are given fits together
)


class TemplateError(SnapdriftError):
    """A template is not valid, or what it renders to for a case is not what stands at its place.

    `line` counts from 1 inside the template; `at` is where in the prompt it stands; `expected` how to mend it, where
    that can be said. `undefined` tells apart what is only not there (a missing key, a missing column).
    """

    def __init__(
        self,
        message: str,
        line: int | None = None,
        *,
        at: Location = (),
        expected: str | None = None,
        undefined: bool = False,
    ) -> None:
        self.message = message
        self.line = line
        self.at = at
        self.expected = expected
        self.undefined = undefined
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
        from jinja2 import UndefinedError

        from snapdrift.suites.template_bounds import metered

        try:
            with metered():
                return _value(self._compiled, context) if self.native else _text(self._compiled, context)
        except JinjaError as error:
            from snapdrift.suites.missing import missing_words

            line, undefined = self._line_of(error.__traceback__), isinstance(error, UndefinedError)
            message = error.message or str(error)
            told = missing_words(message, self.source, context) if undefined else None
            found, expected = told or (message, None)
            raise TemplateError(found, line, expected=expected, undefined=undefined) from None
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
    from jinja2.exceptions import SecurityError

    from snapdrift.suites.sandbox import compile_source
    from snapdrift.suites.template_bounds import metered

    try:
        with metered():  # Jinja works out what hangs on nothing while it compiles
            return compile_source(source)
    except TemplateSyntaxError as error:
        raise TemplateError(error.message or "not a template", error.lineno) from None
    except SecurityError as error:
        raise TemplateError(error.message or "not a template") from None
    except (RecursionError, MemoryError, SyntaxError):
        raise TemplateError("the template is nested too deeply") from None


def _run(compiled: Compiled, context: Mapping[str, Any]) -> tuple[Any, Iterator[str]]:
    running = compiled.template.new_context(dict(context))
    return running, iter(compiled.template.root_render_func(running))


def _value(compiled: Compiled, context: Mapping[str, Any]) -> Any:
    from snapdrift.suites.sandbox import RESULT
    from snapdrift.suites.template_bounds import plain_value

    value: Any = context
    for key in compiled.chain or ():
        # What is not simply there is left to Jinja: it may be a method, and it has the words for what is missing.
        if not isinstance(value, dict) or key not in value:
            break
        value = value[key]
    else:
        if compiled.chain is not None:
            return plain_value(value)
    running, chunks = _run(compiled, context)
    for _ in chunks:
        pass
    return plain_value(running.vars[RESULT])


def _text(compiled: Compiled, context: Mapping[str, Any]) -> str:
    from snapdrift.suites.template_bounds import MAX_TEXT, bounded_length, look_at_clock

    pieces, total = [], 0
    for piece in _run(compiled, context)[1]:
        total += len(piece)
        bounded_length(total, MAX_TEXT)
        look_at_clock()
        pieces.append(piece)
    return "".join(pieces)


def render_text(source: str, context: Mapping[str, Any]) -> str:
    """A template as the text of a message; raises `TemplateError`, also for null, which is no text."""
    return message_text(source, Template(source).render(context))


def message_text(source: str, value: Any) -> str:
    """What a template yielded as the text of a message: text as it is, other values as JSON."""
    from snapdrift.suites.sandbox import to_json_text
    from snapdrift.suites.template_bounds import MAX_TEXT

    if value is None:
        raise TemplateError(f"{source.strip()} is null; a message needs text")
    text = value if isinstance(value, str) else to_json_text(value)
    if len(text) > MAX_TEXT:
        raise TemplateError(f"{source.strip()} is longer than {MAX_TEXT:,} characters")
    return text


class Expression:
    """A Jinja expression as `if:` and `each:` hold it, with braces or without. What is not there is null in it."""

    __slots__ = ("_template", "source")

    def __init__(self, source: str) -> None:
        """Compiles `source`; raises `TemplateError`, also for text around an expression."""
        bare = source.strip()
        self.source = source
        self._template = Template(bare if bare.startswith("{{") else f"{{{{ {bare} }}}}")
        if not self._template.native:
            raise TemplateError(f"{source} is not one expression")

    @property
    def names(self) -> frozenset[str]:
        """The variables that it reads."""
        return self._template.names

    def value(self, context: Mapping[str, Any]) -> Any:
        """What it yields for a case; None where it ends in something that is not there. Raises `TemplateError`."""
        missing = dict.fromkeys(self.names - context.keys())
        try:
            return self._template.render({**missing, **context} if missing else context)
        except TemplateError as error:
            if error.undefined:
                return None
            raise
