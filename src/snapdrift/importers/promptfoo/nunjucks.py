"""Templates of promptfoo (Nunjucks) as templates of suites (Jinja), as far as the two agree.

What differs is translated token by token: names of filters, `===`, properties of JavaScript, loops over mappings. The
result is compiled as a suite's templates are, so whatever suites refuse is refused here, with their words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snapdrift.errors import SnapdriftError
from snapdrift.suites.templates import Template, TemplateError

_FILTERS: Mapping[str, str | None] = {"dump": "tojson", "safe": None, "escape": None, "e": None, "forceescape": None}
_PROPERTIES: Mapping[str, str] = {
    "length": "|length",
    "toUpperCase": ".upper",
    "toLowerCase": ".lower",
    "trim": ".strip",
    "startsWith": ".startswith",
    "endsWith": ".endswith",
}
_OWN = {"env": "the environment is not read", "_conversation": "earlier turns of a conversation are not kept"}
SIGNS = ("{{", "{%", "{#")


class UntranslatableError(SnapdriftError):
    """What has no counterpart; the text says why."""


@dataclass(frozen=True, slots=True)
class Translated:
    """A template of ours, and the variables that it reads."""

    text: str
    names: frozenset[str] = frozenset()

    @property
    def is_template(self) -> bool:
        """Whether there is anything in it but text."""
        return any(sign in self.text for sign in SIGNS)


def is_template(text: Any) -> bool:
    """Whether a text has anything for a template engine in it."""
    return isinstance(text, str) and any(sign in text for sign in SIGNS)


def translated(text: str, renamed: Mapping[str, str] | None = None) -> Translated:
    """The template in our terms; `renamed` are variables that are called otherwise.

    Raises `UntranslatableError`.
    """
    if not is_template(text):
        return Translated(text)
    made = "".join(_rewritten(_tokens(text), renamed or {}))
    try:
        names = Template(made).names
    except TemplateError as error:
        raise UntranslatableError(f"the template {_short(text)} has no counterpart: {error.message}") from None
    for name, why in _OWN.items():
        if name in names:
            raise UntranslatableError(f"the template {_short(text)} reads `{name}`: {why}")
    return Translated(made, names)


def _tokens(text: str) -> list[tuple[str, str]]:
    from jinja2 import Environment, TemplateSyntaxError

    try:
        lexed = Environment(keep_trailing_newline=True, autoescape=False).lex(text)  # noqa: S701  nothing is rendered
        return [(kind, value) for _, kind, value in lexed]
    except TemplateSyntaxError as error:
        raise UntranslatableError(f"the template {_short(text)} cannot be read: {error.message}") from None


def _rewritten(tokens: list[tuple[str, str]], renamed: Mapping[str, str]) -> list[str]:
    made: list[str] = []
    tags: list[str] = []
    for index, (kind, value) in enumerate(tokens):
        before, after = _near(tokens, index, -1), _near(tokens, index, 1)
        if kind == "block_begin":
            tags.append(after)
        made.append(_one(kind, value, before, after, renamed))
        if kind == "operator" and value == "=" and before in ("==", "!="):
            made[-1] = ""
        if kind == "operator" and value == "|" and after in _FILTERS and _FILTERS[after] is None:
            made[-1] = ""
        if kind == "operator" and value == "." and after in _PROPERTIES:
            made[-1] = ""
        if kind == "operator" and value == ")" and _ends_a_default(tokens, index):
            made[-1] = ", true)"
        if kind == "block_end" and _loops_over_pairs(tokens, index):
            made[-1] = f".items() {value}"
            while len(made) > 1 and not made[-2].strip():
                del made[-2]
    return made


def _one(kind: str, value: str, before: str, after: str, renamed: Mapping[str, str]) -> str:
    if kind != "name":
        return value
    if before == "|" and value in _FILTERS:
        return _FILTERS[value] or ""
    if before == "." and value in _PROPERTIES:
        return _PROPERTIES[value]
    if before in ("{%", "{%-") and value == "elseif":
        return "elif"
    if before in (".", "|", "{%", "{%-") or after == "=":
        return value
    return renamed.get(value, value)


def _near(tokens: list[tuple[str, str]], index: int, step: int) -> str:
    """The nearest token in a direction that is no white space."""
    index += step
    while 0 <= index < len(tokens) and tokens[index][0] == "whitespace":
        index += step
    return tokens[index][1].strip() if 0 <= index < len(tokens) else ""


def _loops_over_pairs(tokens: list[tuple[str, str]], end: int) -> bool:
    """Whether the tag that ends here is `for key, value in mapping`, which Jinja wants as `mapping.items()`."""
    start = end
    while start > 0 and tokens[start][0] != "block_begin":
        start -= 1
    words = [value for kind, value in tokens[start + 1 : end] if kind != "whitespace"]
    return len(words) >= 6 and words[0] == "for" and words[2] == "," and words[4] == "in" and words[-1] != ")"


def _ends_a_default(tokens: list[tuple[str, str]], end: int) -> bool:
    """Whether a `default(x)` ends here: what a case lacks is an empty text here, which is to be replaced too."""
    depth, commas = 0, 0
    for index in range(end, -1, -1):
        kind, value = tokens[index]
        if kind != "operator":
            continue
        depth += (value in (")", "]", "}")) - (value in ("(", "[", "{"))
        commas += value == "," and depth == 1
        if depth == 0:
            return value == "(" and commas == 0 and _near(tokens, index, -1) in ("default", "d")
    return False


def _short(text: str) -> str:
    shown = " ".join(text.split())
    return repr(shown if len(shown) <= 60 else f"{shown[:57]}...")
