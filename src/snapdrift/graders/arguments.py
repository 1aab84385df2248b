"""Types of arguments that several families take."""

from __future__ import annotations

import math
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Field, Strict

T = TypeVar("T")


def plain_json(value: Any) -> Any:
    """The value when it is plain JSON. Raises `ValueError` for what JSON does not have (NaN, dates, keys not text)."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"a finite number, not {value}")
        return value
    if isinstance(value, list | tuple):
        return [plain_json(item) for item in value]
    if isinstance(value, dict):
        odd = next((key for key in value if not isinstance(key, str)), None)
        if odd is not None:
            raise ValueError(f"keys that are text; put {odd!r} in quotation marks")
        return {key: plain_json(item) for key, item in value.items()}
    raise ValueError(f"text, a number, true, false, a list or a mapping, not a {type(value).__name__}; quote it")


def _given(value: Any) -> Any:
    if value is None:
        raise ValueError("a value; it is empty here")
    return plain_json(value)


def not_empty(items: tuple[T, ...]) -> tuple[T, ...]:
    """The items. Raises `ValueError` when there are none; unlike a bound on the type, not when an item is wrong."""
    if not items:
        raise ValueError("expected at least one item")
    return items


def one_or_more(value: Any) -> Any:
    """A single item as a list of one."""
    return [value] if isinstance(value, str) else value


Argument = Annotated[Any, AfterValidator(_given)]
"""The main argument of a family: any JSON value, with templates in its texts."""

Tolerance = Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)]

Share = Annotated[float, Strict(), Field(ge=0, le=1, allow_inf_nan=False)]
"""A number from 0 to 1, such as the value from which a graded answer passes."""
