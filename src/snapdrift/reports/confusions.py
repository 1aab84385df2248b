"""Confusion of labels as a report shows it: each candidate beside its baseline, and label by label what changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from snapdrift.conclusions import Evaluation
from snapdrift.gradings import Confusion
from snapdrift.reports.figures import MINUS, NONE
from snapdrift.reports.matrices import MatrixPlot, plot_matrix

if TYPE_CHECKING:
    from snapdrift.reports.view import View


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """The answers to cases that expect `label`, by the label found (`place` is its own), and those that named none."""

    label: str
    place: int
    counts: tuple[int, ...]
    missed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """A variant's confusion of labels; `extra` names the columns of `missed`, `plot` is how it is drawn."""

    variant: str
    labels: tuple[str, ...]
    extra: tuple[str, ...]
    rows: tuple[MatrixRow, ...]
    plot: MatrixPlot


@dataclass(frozen=True, slots=True)
class LabelRow:
    """Precision, recall and F1 of a label on each side, and the difference of F1."""

    label: str
    expected: int
    baseline: tuple[str, str, str] | None
    candidate: tuple[str, str, str]
    change: str


@dataclass(frozen=True, slots=True)
class ConfusionView:
    """Which labels a candidate takes for which, beside its baseline (None: it has none)."""

    metric: str
    baseline: str | None
    candidate: str
    sentence: str
    notes: tuple[str, ...]
    matrices: tuple[Matrix, ...]
    rows: tuple[LabelRow, ...]
    macro: str


def confusion_views(evaluation: Evaluation) -> tuple[ConfusionView, ...]:
    """Metric by metric each pair of the gate that has answers; a variant without a pair stands alone."""
    by_variant = {(one.metric, one.variant): one for one in evaluation.gradings.confusions}
    pairs = [(pair.baseline, pair.candidate) for pair in evaluation.gate.pairs]
    views = []
    for metric in dict.fromkeys(metric for metric, _ in by_variant):
        shown = set()
        for baseline, candidate in pairs:
            sides = by_variant.get((metric, baseline)), by_variant.get((metric, candidate))
            if sides[0] is not None and sides[1] is not None:
                views.append(_view(sides[1], sides[0]))
                shown |= {baseline, candidate}
        views += [_view(one) for (of, variant), one in by_variant.items() if of == metric and variant not in shown]
    return tuple(views)


def confusion_lines(view: View) -> tuple[str, ...]:
    """One line for each metric and candidate: `label: macro-F1 of alias 0.93, of pinned 0.91 (+0.02)`."""
    return tuple(f"{one.metric}: {one.sentence}" for one in view.confusions)


def _view(candidate: Confusion, baseline: Confusion | None = None) -> ConfusionView:
    sides = [side for side in (baseline, candidate) if side is not None]
    outside = any(sum(side.outside) for side in sides)
    unanswered = any(sum(side.unanswered) for side in sides)
    return ConfusionView(
        metric=candidate.metric,
        baseline=None if baseline is None else baseline.variant,
        candidate=candidate.variant,
        sentence=_sentence(candidate, baseline),
        notes=tuple(
            f"{side.ungraded:,} answers of `{side.variant}` have no score and are left out"
            for side in sides
            if side.ungraded
        ),
        matrices=tuple(_matrix(side, outside=outside, unanswered=unanswered) for side in sides),
        rows=tuple(_label_row(place, candidate, baseline) for place in range(len(candidate.labels))),
        macro=_change(None if baseline is None else baseline.macro_f1, candidate.macro_f1),
    )


def _sentence(candidate: Confusion, baseline: Confusion | None) -> str:
    said = f"macro-F1 of `{candidate.variant}` {_share(candidate.macro_f1)}"
    if baseline is None:
        return said
    change = _change(baseline.macro_f1, candidate.macro_f1)
    return f"{said}, of `{baseline.variant}` {_share(baseline.macro_f1)} ({change})"


def _matrix(one: Confusion, *, outside: bool, unanswered: bool) -> Matrix:
    """The matrix with the columns that one of the matrices beside it needs."""
    extra = [name for name, asked in (("none of them", outside), ("no answer", unanswered)) if asked]
    rows = []
    for place, label in enumerate(one.labels):
        missed = [column[place] for column, asked in ((one.outside, outside), (one.unanswered, unanswered)) if asked]
        rows.append(MatrixRow(label, place, one.counts[place], tuple(missed)))
    plot = plot_matrix(one.variant, one.labels, extra, [(*row.counts, *row.missed) for row in rows])
    return Matrix(one.variant, one.labels, tuple(extra), tuple(rows), plot)


def _label_row(place: int, candidate: Confusion, baseline: Confusion | None) -> LabelRow:
    after = candidate.by_label[place]
    before = None if baseline is None else baseline.by_label[place]
    return LabelRow(
        label=after.label,
        expected=after.expected,
        baseline=None if before is None else (_share(before.precision), _share(before.recall), _share(before.f1)),
        candidate=(_share(after.precision), _share(after.recall), _share(after.f1)),
        change=_change(None if before is None else before.f1, after.f1),
    )


def _share(value: float | None) -> str:
    return NONE if value is None else f"{value:.3f}"


def _change(before: float | None, after: float | None) -> str:
    """`+0.021`; what rounds to nothing has no sign."""
    if before is None or after is None:
        return NONE
    text = f"{abs(after - before):.3f}"
    if float(text) == 0:
        return text
    return (MINUS if after < before else "+") + text
