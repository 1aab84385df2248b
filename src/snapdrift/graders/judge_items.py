"""What a judge of a checklist or a reference gives its verdicts on: the criteria or facts of one case."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from snapdrift.graders.ballots import MOST_ITEMS
from snapdrift.graders.marks import CannotGradeError
from snapdrift.graders.rubric import CONSISTENT, NO, YES, Mode, Rubric
from snapdrift.graders.values import text_of

_LONE = re.compile(r"\s*\{\{.*\}\}\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Item:
    """A criterion or a fact, the verdict that is wished, and the name (of a criterion or a group of them), if any."""

    text: str
    wished: str
    part: str = ""


def grouped(written: Any) -> bool:
    """Whether a named entry of a checklist is a group of criteria: a list, or a template alone, which may yield one."""
    return not isinstance(written, str) or (_LONE.fullmatch(written) is not None and written.count("{{") == 1)


def items_of(rubric: Rubric, told: Mapping[str, Any]) -> tuple[Item, ...]:
    """The items of a case, of the rubric as it was rendered for it.

    Raises `CannotGradeError` where there are none, too many, or something else than texts.
    """
    if rubric.mode is Mode.REFERENCE:
        items = tuple(Item(text, CONSISTENT) for text in _texts(told["facts"], "facts"))
    elif isinstance(told["criteria"], Mapping):
        items = tuple(
            Item(text, NO if part in rubric.expect_no else YES, part)
            for part, written in told["criteria"].items()
            for text in _texts(written, f"criteria.{part}")
        )
    else:
        items = tuple(Item(text, YES) for text in _texts(told["criteria"], "criteria"))
    what = "facts" if rubric.mode is Mode.REFERENCE else "criteria"
    if not items:
        raise CannotGradeError(f"the case has no {what}")
    if len(items) > MOST_ITEMS:
        raise CannotGradeError(f"the case has {len(items):,} {what}; a judge takes at most {MOST_ITEMS} at once")
    return items


def _texts(value: Any, place: str) -> Iterator[str]:
    """The texts in a value, however the templates in it nested them."""
    if isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner, place)
    elif isinstance(value, str | int | float) and not isinstance(value, bool) and text_of(value).strip():
        yield text_of(value).strip()
    else:
        raise CannotGradeError(f"{place} holds {text_of(value)[:60]!r}; expected texts")
