"""The Jinja environment that prompts and grader templates run in.

A suite may come from a fork, so a template can reach nothing but its case: no attributes beyond a short list, no
loading of other templates, no randomness, and bounds on loops and sizes. Imported only by what renders (`prompts`),
because importing Jinja is slow.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, wraps
from typing import Any, cast

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, Undefined, meta, nodes
from jinja2.compiler import CodeGenerator
from jinja2.exceptions import SecurityError
from jinja2.filters import do_round
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from snapdrift.suites.template_bounds import (
    MAX_LIST,
    MAX_LOOP_STEPS,
    MAX_TEXT,
    bounded_length,
    checked,
    first_items,
    look_at_clock,
    loop_steps,
    made,
    plain_value,
)
from snapdrift.suites.template_texts import bounded_method, fit_for, trimmed

MAX_SOURCE = 200_000
"""Characters of a template's source."""
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


class _BoundedGenerator(CodeGenerator):
    """Looks at the clock: what it takes grows with the square of the names that branches set."""

    def visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> Any:
        look_at_clock()
        return super().visit(node, *args, **kwargs)


class PromptEnvironment(ImmutableSandboxedEnvironment):
    """Jinja without anything that leaves the case, changes it, or grows without bound."""

    code_generator_class = _BoundedGenerator
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
            return made(super().call_binop(context, operator, left, right))
        return super().call_binop(context, operator, left, right)

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """A method of a text, list or mapping: it may go through what it is of, and through what it is given."""
        look_at_clock()
        checked(getattr(obj, "__self__", None))
        given, named = map(checked, args), {name: checked(value) for name, value in kwargs.items()}
        return made(super().call(context, bounded_method(obj), *given, **named))


def to_json_text(value: Any, indent: int | None = None) -> str:
    """JSON as people write it: nothing escaped that need not be. Raises `TypeError` for what is not data."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _finalize(value: Any) -> Any:
    """How a value reads inside a text: text as it is, everything else as JSON, never as Python."""
    return value if isinstance(value, str | Undefined) else to_json_text(plain_value(value))


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
        pieces.append(str(checked(value)))
        total += len(pieces[-1])
        bounded_length(total, MAX_TEXT)
    return str(made("".join(pieces)))


def _sum(values: Iterable[Any], attribute: str | None = None, start: float = 0) -> float:
    """The sum of numbers; lists and texts would be copied once for each of them."""
    items = (value if attribute is None else environment().getitem(value, attribute) for value in first_items(values))
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


def _bounded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that looks at what it is given first, for it goes through that; what it makes is counted."""
    place = 1 if hasattr(function, "jinja_pass_arg") else 0

    @wraps(function)
    def filtered(*arguments: Any, **named: Any) -> Any:
        look_at_clock()
        value, *others = arguments[place:]
        given = (*arguments[:place], fit_for(name, value), *map(checked, others))
        return made(function(*given, **{key: checked(other) for key, other in named.items()}))

    return filtered


def _timed(function: Callable[..., Any]) -> Callable[..., Any]:
    """A test that looks at the clock: `select` makes one of each value, and none may be among those that it yields."""

    @wraps(function)
    def tested(*arguments: Any, **named: Any) -> Any:
        look_at_clock()
        return function(*arguments, **named)

    return tested


def _looked_into(value: Any) -> Any:
    """The value, where it may be compared, counted or looked up: that goes through all of it."""
    look_at_clock()
    return checked(value)


def _sliced(value: Any, start: Any, stop: Any, step: Any) -> Any:
    return value[start:stop:step]


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
    "join": _join,
    "replace": _replace,
    "round": _round,
    "sliced": _sliced,
    "sum": _sum,
    "tojson": _to_json,
    "trim": trimmed,
}
_OF_NODES: dict[str, Callable[..., Any]] = {
    "concatenated": _concatenated,
    "looked_into": _looked_into,
    "loop_steps": loop_steps,
}
"""Filters that templates are compiled to, which bound by themselves."""


@cache
def environment() -> PromptEnvironment:
    """The one environment; compiled templates are kept by Jinja's callers, not here."""
    jinja = PromptEnvironment(
        undefined=StrictUndefined, finalize=_finalize, keep_trailing_newline=True, optimized=False, cache_size=0
    )
    taken = {name: function for name, function in jinja.filters.items() if name in _FILTERS} | _OWN_FILTERS
    jinja.filters = {name: _bounded(name, function) for name, function in taken.items()} | _OF_NODES
    tests = cast("dict[str, Callable[..., Any]]", jinja.tests)
    jinja.tests = {name: _timed(function) for name, function in tests.items()}
    jinja.globals = {name: value for name, value in jinja.globals.items() if name in _GLOBALS} | {"range": _range}
    return jinja


def compile_source(source: str) -> Compiled:
    """Compiles a template; raises Jinja's `TemplateSyntaxError` (with a line) for what is wrong or refused."""
    if len(source) > MAX_SOURCE:
        raise TemplateSyntaxError(f"the template has more than {MAX_SOURCE:,} characters", 1)
    jinja = environment()
    tree = _parsed(source)
    _refuse(tree)
    names = frozenset(meta.find_undeclared_variables(tree))
    for loop in tree.find_all(nodes.For):
        loop.iter = _filtered(loop.iter, "loop_steps")
    expression = _single_expression(_Bounds().visit(jinja.parse(source.strip())))
    if expression is None:
        return Compiled(jinja.from_string(_Bounds().visit(tree)), native=False, names=names)
    assign = nodes.Assign(nodes.Name(RESULT, "store", lineno=1), expression, lineno=1)
    template = jinja.from_string(nodes.Template([assign], lineno=1))
    return Compiled(template, native=True, names=names, chain=_chain_of(expression))


def _parsed(source: str) -> nodes.Template:
    finite = False
    with suppress(OverflowError, ValueError):  # Python reads and writes no number of more than a few thousand digits
        tree = environment().parse(source)
        values = (constant.value for constant in tree.find_all(nodes.Const))
        finite = all(math.isfinite(value) for value in values if isinstance(value, int | float))
    if not finite:
        raise TemplateSyntaxError("a number in the template is too large", 1)
    return tree


class _Bounds(NodeTransformer):
    """Has everything that goes through a value, or copies a part of it, go through a filter that bounds it."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802  the names are Jinja's
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), "concatenated")

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.expr = _looked(node.expr)
        for operand in node.ops:
            operand.expr = _looked(operand.expr)
        return node

    def visit_Test(self, node: nodes.Test) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.node = _looked(node.node)
        node.args = [_looked(argument) for argument in node.args]
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if not isinstance(node.arg, nodes.Slice):
            node.arg = _looked(node.arg)
            return node
        absent = nodes.Const(None, lineno=node.lineno)
        part = node.arg
        return _filtered(node.node, "sliced", part.start or absent, part.stop or absent, part.step or absent)

    def visit_Pair(self, node: nodes.Pair) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.key = _looked(node.key)
        return node


def _filtered(node: Any, name: str, *arguments: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, list(arguments), [], None, None, lineno=node.lineno)


def _looked(node: nodes.Expr) -> nodes.Expr:
    return node if isinstance(node, nodes.Const) else _filtered(node, "looked_into")


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
