"""Sheets on which answers are labelled in the page without a sight of who gave them: `pipeline.offering` makes them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BlindRow:
    """An answer to label. `places` are the variants and repeats that gave it: exported, and not shown before.

    `answer` is its SHA-256. `text` is what is to be judged of it, None where that is all of the answer, which the page
    has already; `question` and `criteria` are what the judge is told.
    """

    case_id: str
    answer: str
    places: tuple[tuple[str, int], ...]
    question: str
    text: str | None
    criteria: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BlindSheet:
    """The rows of one comparison that nobody labelled yet, in the order of the draw, which has so many `pairs`.

    A choice is the rubric's word and the label that it is exported as, in the metric's terms.
    """

    metric: str
    baseline: str
    candidate: str
    pairs: int
    choices: tuple[tuple[str, bool | float], ...]
    rows: tuple[BlindRow, ...]
