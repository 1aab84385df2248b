"""The Jinja environment that prompts and grader templates run in.

A suite may come from a fork, so a template can reach nothing but its case: no attributes beyond a short list, no
loading of other templates, no randomness, and bounds on loops and sizes. Imported only by what renders (`prompts`),
because importing Jinja is slow.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, wraps
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, Undefined, meta, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.filters import do_round
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

MAX_SOURCE = 200_000
"""Characters of a template's source."""
MAX_TEXT = 2_000_000
"""Characters of a rendered text, and of any text on the way to it."""
MAX_DATA = 80_000_000
"""Characters of a text that an expression yields as it is: a case may hold an image or a document as a data URL."""
MAX_LIST = 100_000
"""Elements of a list made by a template."""
MAX_LOOP_STEPS = 100_000
"""Steps of all loops of one rendering together."""
MAX_SECONDS = 5.0
"""Seconds of processor time that the loops of one rendering may take; how busy the machine is plays no part."""
STEPS_LEFT = "\0steps"
"""The context variable that counts loop steps down; no name in a template can be spelled so."""
RESULT = "result"

# fmt: off
_FILTERS = frozenset(
    {
        "abs", "capitalize", "count", "d", "default", "dictsort", "first", "float", "groupby", "int", "items", "last",
        "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "reverse", "select", "selectattr",
        "sort", "string", "striptags", "sum", "title", "trim", "truncate", "unique", "upper", "urlencode", "wordcount",
    }
)
_TEXT_METHODS = frozenset(
    {
        "capitalize", "casefold", "count", "endswith", "find", "index", "isalnum", "isalpha", "isdigit", "islower",
        "isnumeric", "isspace", "isupper", "lower", "lstrip", "partition", "removeprefix", "removesuffix", "rpartition",
        "rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "swapcase", "title", "upper",
    }
)
# fmt: on
_GLOBALS = frozenset({"dict"})
_MAPPING_METHODS = frozenset({"get", "items", "keys", "values"})
_LIST_METHODS = frozenset({"count", "index"})
_REFUSED: dict[type[nodes.Node], str] = {
    nodes.Macro: "{% macro %}",
    nodes.CallBlock: "{% call %}",
    nodes.Import: "{% import %}",
    nodes.FromImport: "{% from %}",
    nodes.Include: "{% include %}",
    nodes.Extends: "{% extends %}",
    nodes.Block: "{% block %}",
    nodes.AssignBlock: "{% set %} with a block",
    nodes.FilterBlock: "{% filter %}",
}


@dataclass(frozen=True, slots=True)
class Compiled:
    """A template ready to run: `native` when it yields the value of one expression; `names` are its variables.

    `chain` are the keys of an expression that only goes down into the data (`expected.queue`), else None.
    """

    template: Template
    native: bool
    names: frozenset[str]
    chain: tuple[str, ...] | None = None


class PromptEnvironment(ImmutableSandboxedEnvironment):
    """Jinja without anything that leaves the case, changes it, or grows without bound."""

    intercepted_binops = frozenset({"*", "**", "+", "%"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`order.items` is the key `items` of the data where there is one, not the method of that name."""
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def wrap_str_format(self, value: Any) -> None:  # noqa: ARG002  the signature is Jinja's
        """`"...".format` is refused as every other method that is not listed: its widths are not bounded."""
        return

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Only what reads text, lists and mappings, and the `loop` variable."""
        if isinstance(obj, str):
            return attr in _TEXT_METHODS
        if isinstance(obj, Mapping):
            return attr in _MAPPING_METHODS
        if isinstance(obj, list | tuple):
            return attr in _LIST_METHODS
        return isinstance(obj, LoopContext) and super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """The operators whose result can be far larger than their operands."""
        sized = (str, list, tuple)
        if operator == "%" and isinstance(left, str):
            raise SecurityError("`%` on text is not available; put the value into the template's text")
        if operator == "*" and (isinstance(left, sized) or isinstance(right, sized)):
            raise SecurityError("`*` on text or lists is not available")
        if operator == "**" and (abs(right) > 64 or abs(left) > 1_000_000):
            raise SecurityError("`**` is limited to bases up to 1,000,000 and exponents up to 64")
        if operator == "*" and max(abs(left), abs(right)) > 10**300:
            raise SecurityError("the number is too large")
        if operator == "+" and isinstance(left, sized) and isinstance(right, sized):
            bounded_length(len(left) + len(right), MAX_TEXT if isinstance(left, str) else MAX_LIST)
        return super().call_binop(context, operator, left, right)


def bounded_length(length: int, limit: int) -> None:
    """Raises `SecurityError` when a text or list would be too long."""
    if length > limit:
        raise SecurityError(f"the result is larger than {limit:,}")


def to_json_text(value: Any, indent: int | None = None) -> str:
    """JSON as people write it: nothing escaped that need not be. Raises `TypeError` for what is not data."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def plain_value(value: Any) -> Any:
    """The value as data (text, number, true, false, null, list, mapping), iterators read out.

    Raises `SecurityError` for methods and other objects that an expression may end in and for what is too large when
    it is written out (one long text many times in a list), `UndefinedError` for what is not defined.
    """
    return _plain(value, [MAX_DATA], 0)


def _plain(value: Any, room: list[int], depth: int) -> Any:
    """The same inside a value that may take as many more characters as `room` says."""
    if depth > 100:
        raise SecurityError("the value is nested more than 100 levels deep")
    room[0] -= len(value) if isinstance(value, str) else 1
    if room[0] < 0:
        raise SecurityError(f"the result is larger than {MAX_DATA:,}")
    if isinstance(value, Undefined):
        str(value)  # strict: raises with the name that is missing
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {_key_text(key, room): _plain(item, room, depth + 1) for key, item in value.items()}
    if isinstance(value, Sequence | Iterator) or type(value).__name__ in ("dict_keys", "dict_values", "dict_items"):
        return [_plain(item, room, depth + 1) for item in _first_items(value)]
    raise SecurityError(f"the expression yields a {type(value).__name__}, not data")


def _key_text(key: Any, room: list[int]) -> str:
    text = key if isinstance(key, str) else str(_plain(key, room, 100))
    room[0] -= len(text)
    return str(text)


def _first_items(values: Iterable[Any]) -> Iterator[Any]:
    for count, value in enumerate(values, start=1):
        bounded_length(count, MAX_LIST)
        yield value


def _finalize(value: Any) -> Any:
    """How a value reads inside a text: text as it is, everything else as JSON, never as Python."""
    return value if isinstance(value, str | Undefined) else to_json_text(plain_value(value))


@pass_context
def _loop_steps(context: Context, values: Any) -> Iterator[Any]:
    left: Any = context.resolve(STEPS_LEFT)
    for value in values:
        left[0] -= 1
        if left[0] < 0:
            raise SecurityError(f"the loops take more than {MAX_LOOP_STEPS:,} steps")
        if time.thread_time() > left[1]:
            raise SecurityError(f"the loops take more than {MAX_SECONDS:g} seconds")
        yield value


def _range(*bounds: int) -> range:
    steps = range(*bounds)
    bounded_length(len(steps), MAX_LOOP_STEPS)
    return steps


def _replace(text: Any, old: str, new: str) -> str:
    source = str(text)
    bounded_length(len(source) + source.count(old) * len(new), MAX_TEXT)
    return source.replace(old, new)


def _concatenated(values: Sequence[Any]) -> str:
    """What `~` makes of its operands."""
    pieces, total = [], 0
    for value in values:
        pieces.append(str(_expandable(value)))
        total += len(pieces[-1])
        bounded_length(total, MAX_TEXT)
    return "".join(pieces)


def _sum(values: Iterable[Any], attribute: str | None = None, start: float = 0) -> float:
    """The sum of numbers; lists and texts would be copied once for each of them."""
    items = (value if attribute is None else environment().getitem(value, attribute) for value in _first_items(values))
    total = _number(start)
    for item in items:
        total += _number(item)
    return total


def _number(value: Any) -> float:
    if isinstance(value, Undefined):
        str(value)  # strict: raises with the name that is missing
    if not isinstance(value, int | float):
        raise SecurityError("`sum` adds numbers only")
    return value


def _expandable(value: Any) -> Any:
    """The value itself; a list or mapping only where its text would not be too large."""
    if isinstance(value, list | tuple | Mapping):
        plain_value(value)
    return value


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter of Jinja's that looks at what it is given first: most make text of it, whatever it is."""
    place = 1 if hasattr(function, "jinja_pass_arg") else 0

    @wraps(function)
    def filtered(*arguments: Any, **named: Any) -> Any:
        _expandable(arguments[place])
        return function(*arguments, **named)

    return filtered


def _join(values: Iterable[Any], separator: str = "", attribute: str | None = None) -> str:
    pieces, total = [], 0
    for value in values:
        item = value[attribute] if attribute else value
        pieces.append(str(_finalize(item)))
        total += len(pieces[-1]) + len(separator)
        bounded_length(total, MAX_TEXT)
    return separator.join(pieces)


def _round(value: float, precision: int = 0, method: Any = "common") -> float:
    if abs(precision) > 15:
        raise SecurityError("`round` takes at most 15 digits")
    return do_round(value, precision, method)


def _to_json(value: Any, indent: int | None = None) -> str:
    if indent is not None and not 0 <= indent <= 8:
        raise SecurityError("`tojson` indents by at most 8")
    return to_json_text(plain_value(value), indent)


_OWN_FILTERS: dict[str, Callable[..., Any]] = {
    "concatenated": _concatenated,
    "join": _join,
    "loop_steps": _loop_steps,
    "replace": _replace,
    "round": _round,
    "sum": _sum,
    "tojson": _to_json,
}


@cache
def environment() -> PromptEnvironment:
    """The one environment; compiled templates are kept by Jinja's callers, not here."""
    made = PromptEnvironment(
        undefined=StrictUndefined, finalize=_finalize, keep_trailing_newline=True, optimized=False, cache_size=0
    )
    taken = {name: _bounded(function) for name, function in made.filters.items() if name in _FILTERS}
    made.filters = taken | _OWN_FILTERS
    made.globals = {name: value for name, value in made.globals.items() if name in _GLOBALS} | {"range": _range}
    return made


def compile_source(source: str) -> Compiled:
    """Compiles a template; raises Jinja's `TemplateSyntaxError` (with a line) for what is wrong or refused."""
    if len(source) > MAX_SOURCE:
        raise TemplateSyntaxError(f"the template has more than {MAX_SOURCE:,} characters", 1)
    jinja = environment()
    tree = jinja.parse(source)
    _refuse(tree)
    names = frozenset(meta.find_undeclared_variables(tree))
    for loop in tree.find_all(nodes.For):
        loop.iter = nodes.Filter(loop.iter, "loop_steps", [], [], None, None, lineno=loop.lineno)
    expression = _single_expression(_Concatenations().visit(jinja.parse(source.strip())))
    if expression is None:
        return Compiled(jinja.from_string(_Concatenations().visit(tree)), native=False, names=names)
    assign = nodes.Assign(nodes.Name(RESULT, "store", lineno=1), expression, lineno=1)
    template = jinja.from_string(nodes.Template([assign], lineno=1))
    return Compiled(template, native=True, names=names, chain=_chain_of(expression))


class _Concatenations(NodeTransformer):
    """Has `a ~ b` go through a filter that bounds it."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802  the name is Jinja's
        self.generic_visit(node)
        operands = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(operands, "concatenated", [], [], None, None, lineno=node.lineno)


def _refuse(tree: nodes.Template) -> None:
    for kind, shown in _REFUSED.items():
        for node in tree.find_all(kind):
            raise TemplateSyntaxError(f"{shown} is not available in a suite's templates", node.lineno)
    for loop in tree.find_all(nodes.For):
        if loop.recursive:
            raise TemplateSyntaxError("recursive loops are not available in a suite's templates", loop.lineno)
    for scope in (*tree.find_all(nodes.Assign), *tree.find_all(nodes.With)):
        for node in scope.find_all(nodes.Concat):  # doubling a text by `a ~ a` has no bound that could be checked
            raise TemplateSyntaxError("`~` is not available inside {% set %} and {% with %}; use `+`", node.lineno)


def _single_expression(tree: nodes.Template) -> nodes.Expr | None:
    """The expression of a source that is exactly one `{{ expression }}`, white space around it apart."""
    if len(tree.body) != 1 or not isinstance(tree.body[0], nodes.Output):
        return None
    found = tree.body[0].nodes
    return None if len(found) != 1 or isinstance(found[0], nodes.TemplateData) else found[0]


def _chain_of(expression: nodes.Expr) -> tuple[str, ...] | None:
    """The keys of `name.key["key"]`, None of anything else; `self` is Jinja's own."""
    keys: list[str] = []
    while not isinstance(expression, nodes.Name):
        if isinstance(expression, nodes.Getattr):
            key: Any = expression.attr
        elif isinstance(expression, nodes.Getitem) and isinstance(expression.arg, nodes.Const):
            key = expression.arg.value
        else:
            return None
        if not isinstance(key, str):
            return None
        keys.append(key)
        expression = expression.node
    return None if expression.name == "self" else (expression.name, *reversed(keys))
