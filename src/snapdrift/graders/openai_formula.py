"""The formula of OpenAI's `multi` grader (`0.5 * a + 0.5 * b`), as far as it is one of our compositions.

It is parsed with `ast` and never run.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from snapdrift.graders.openai_templates import NoEquivalentError

FORMULA_LIMIT = 2_000
"""Characters of a formula that are read."""


@dataclass(frozen=True, slots=True)
class Linear:
    """`constant` plus each weight times the value of the grader of that name."""

    constant: Fraction
    weights: Mapping[str, Fraction]

    def plus(self, other: Linear) -> Linear:
        """The sum of two."""
        names = dict.fromkeys([*self.weights, *other.weights])
        weights = {name: self.weights.get(name, Fraction(0)) + other.weights.get(name, Fraction(0)) for name in names}
        return Linear(self.constant + other.constant, weights)

    def times(self, factor: Fraction) -> Linear:
        """The product with a number."""
        return Linear(self.constant * factor, {name: weight * factor for name, weight in self.weights.items()})


@dataclass(frozen=True, slots=True)
class Together:
    """`min(a, b)` or `a * b` (all of them), or `max(a, b)` (any): what they are of graders that pass or fail."""

    family: str
    names: tuple[str, ...]


def read_formula(text: str) -> Linear | Together:
    """What a formula makes of its graders. Raises `NoEquivalentError` with the part that is neither."""
    if len(text) > FORMULA_LIMIT:
        raise NoEquivalentError(f"the formula has {len(text):,} characters; at most {FORMULA_LIMIT:,} are read")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        return _together(tree) or _linear(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise NoEquivalentError(f"the formula {text[:80]!r} cannot be read") from None


def _together(tree: ast.expr) -> Together | None:
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and not tree.keywords:
        names = [_name(argument) for argument in tree.args]
        family = {"min": "all", "max": "any"}.get(tree.func.id)
        return Together(family, tuple(filter(None, names))) if family and names and all(names) else None
    factors = _factors(tree)
    names = [_name(factor) for factor in factors]
    return Together("all", tuple(filter(None, names))) if len(factors) > 1 and all(names) else None


def _factors(tree: ast.expr) -> list[ast.expr]:
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Mult):
        return [*_factors(tree.left), *_factors(tree.right)]
    return [tree]


def _name(tree: ast.expr) -> str | None:
    return tree.id if isinstance(tree, ast.Name) else None


def _linear(tree: ast.expr) -> Linear:
    if isinstance(tree, ast.Name):
        return Linear(Fraction(0), {tree.id: Fraction(1)})
    if isinstance(tree, ast.Constant):
        return Linear(_number(tree), {})
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub | ast.UAdd):
        return _linear(tree.operand).times(Fraction(-1 if isinstance(tree.op, ast.USub) else 1))
    if isinstance(tree, ast.BinOp):
        return _combined(tree)
    raise _not_linear(tree)


def _combined(tree: ast.BinOp) -> Linear:
    left, right = _linear(tree.left), _linear(tree.right)
    if isinstance(tree.op, ast.Add):
        return left.plus(right)
    if isinstance(tree.op, ast.Sub):
        return left.plus(right.times(Fraction(-1)))
    if isinstance(tree.op, ast.Mult) and not (left.weights and right.weights):
        return left.times(right.constant) if left.weights else right.times(left.constant)
    if isinstance(tree.op, ast.Div) and not right.weights and right.constant:
        return left.times(1 / right.constant)
    raise _not_linear(tree)


def _number(tree: ast.Constant) -> Fraction:
    value = tree.value
    infinite = isinstance(value, float) and not math.isfinite(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or infinite:
        raise _not_linear(tree)
    return Fraction(repr(value))


def _not_linear(tree: ast.expr) -> NoEquivalentError:
    part = ast.unparse(tree)
    return NoEquivalentError(
        f"the formula's `{part[:80]}` is no weighted sum; only sums with constant weights, and `min`, `max` or "
        "products of graders that pass or fail, have an equivalent"
    )
