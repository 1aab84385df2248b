"""The drawing of a confusion matrix: cells shaded by their share of the row, in pixels of an SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from snapdrift.reports.figures import count

_LETTER = 6.8
"""The width of a letter at 12 pixels, on the wide side: labels are cut rather than overlap."""
_LONGEST = 20
_FEW = 5
_NUMBERED = 30
"""With more labels than this, cells are too small for their numbers; the table behind the drawing has them."""
_LIGHTEST, _DARKEST = 0.06, 0.45
"""How opaque the shade of a cell is: light enough that its number contrasts with it, in either colour scheme."""


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """A cell that has answers: its corner, its number, how opaque its shade is, and whether it is right."""

    x: float
    y: float
    text: str
    opacity: float
    right: bool


@dataclass(frozen=True, slots=True)
class MatrixLabel:
    """The name of a row or column: where it is anchored, as it is shown and whole."""

    x: float
    y: float
    text: str
    whole: str


@dataclass(frozen=True, slots=True)
class MatrixPlot:
    """A matrix as it is drawn; `upright` says that the names of its columns stand on end. Sizes in pixels."""

    width: float
    height: float
    left: float
    top: float
    cell_width: float
    cell_height: float
    upright: bool
    labels: int
    cells: tuple[MatrixCell, ...]
    rows: tuple[MatrixLabel, ...]
    columns: tuple[MatrixLabel, ...]
    sentence: str


def plot_matrix(
    variant: str, labels: Sequence[str], extra: Sequence[str], counts: Sequence[Sequence[int]]
) -> MatrixPlot:
    """The drawing of `counts`: a row for each label that was expected, a column for each found, then for `extra`."""
    names = (*labels, *extra)
    upright = len(labels) > _FEW
    longest = min(max(map(len, names), default=0), _LONGEST)
    cell_width = (32.0 if len(labels) <= _NUMBERED else 18.0) if upright else max(48.0, longest * _LETTER + 12)
    cell_height = 26.0 if len(labels) <= _NUMBERED else 18.0
    left = min(max(map(len, labels), default=0), _LONGEST) * _LETTER + 10
    top = longest * _LETTER + 10 if upright else 22.0
    return MatrixPlot(
        width=round(left + len(names) * cell_width + 1, 1),
        height=round(top + len(labels) * cell_height + 1, 1),
        left=round(left, 1),
        top=round(top, 1),
        cell_width=round(cell_width, 1),
        cell_height=cell_height,
        upright=upright,
        labels=len(labels),
        cells=tuple(_cells(counts, left, top, (cell_width, cell_height), numbered=len(labels) <= _NUMBERED)),
        rows=tuple(
            MatrixLabel(round(left - 8, 1), round(top + (n + 0.5) * cell_height + 4, 1), _cut(label), label)
            for n, label in enumerate(labels)
        ),
        columns=tuple(
            MatrixLabel(round(left + (n + 0.5) * cell_width, 1), round(top - 7, 1), _cut(name), name)
            for n, name in enumerate(names)
        ),
        sentence=_sentence(variant, names, counts),
    )


def _cells(
    counts: Sequence[Sequence[int]], left: float, top: float, size: tuple[float, float], *, numbered: bool
) -> list[MatrixCell]:
    cells = []
    for row, of_row in enumerate(counts):
        whole = sum(of_row)
        for column, number in enumerate(of_row):
            if not number:
                continue
            opacity = round(_LIGHTEST + (_DARKEST - _LIGHTEST) * number / whole, 3)
            x, y = round(left + column * size[0], 1), round(top + row * size[1], 1)
            cells.append(MatrixCell(x, y, count(number) if numbered else "", opacity, row == column))
    return cells


def _cut(label: str) -> str:
    return label if len(label) <= _LONGEST else label[: _LONGEST - 1] + "…"


def _sentence(variant: str, names: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """How many answers are right, and what is taken for what most often: what a person sees first in the drawing."""
    total = sum(map(sum, counts))
    right = sum(of_row[place] for place, of_row in enumerate(counts))
    said = f"Labels of {variant}: {count(right)} of {count(total)} answers name the label that was expected"
    wrong = [(number, r, c) for r, of_row in enumerate(counts) for c, number in enumerate(of_row) if r != c and number]
    if not wrong:
        return f"{said}."
    number, row, column = max(wrong, key=lambda one: (one[0], -one[1], -one[2]))
    times = "once" if number == 1 else f"{count(number)} times"
    return f"{said}; most often {names[column]} was found where {names[row]} was expected, {times}."
