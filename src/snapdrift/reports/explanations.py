"""What the page says of why metrics moved: a view of each explanation, and the causes of each case."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from snapdrift.explanations import Explanation
from snapdrift.model import FormatCause, MetricSpec, ScoreKind, Verdict
from snapdrift.reports.case_views import Lens
from snapdrift.reports.data import RunData
from snapdrift.reports.figures import typeset
from snapdrift.reports.view import ComparisonView, ExplanationView
from snapdrift.verdicts.causes import (
    CAUSE_WORDS,
    CONTENT,
    FORMAT,
    broken_gain_sentence,
    case_sentence,
    cause_code,
    gain_sentence,
    kind_of,
    why_sentence,
)
from snapdrift.verdicts.increases import operational_sentence

BROKEN = "broken"
GAINED = "+"
"""Ends the code of a cause that made a case better."""
_ORDER = (Verdict.REGRESSED, Verdict.WORSE_WITHIN_MARGIN, Verdict.INCONCLUSIVE, Verdict.IMPROVED)
WORSE = (Verdict.REGRESSED, Verdict.WORSE_WITHIN_MARGIN)


@dataclass(frozen=True, slots=True)
class CauseWord:
    """A cause as the list of cases filters by it: its code, its word, and what it means for a case.

    `passing` is the sentence for a pass/fail metric, `graded` for a graded one; `form` marks what `format` stands for.
    """

    code: str
    word: str
    passing: str
    graded: str
    form: bool


def explanation_views(data: RunData, comparisons: Sequence[ComparisonView]) -> tuple[ExplanationView, ...]:
    """The explanations as they are shown: what got worse first, comparisons of which nothing is shown left out."""
    rows = {(row.comparison.metric, row.comparison.baseline, row.comparison.candidate): row for row in comparisons}
    places = {key: place for place, key in enumerate(rows)}
    found = [_view(one, rows[one.key], data) for one in data.evaluation.attributions if one.key in rows]
    shown = [view for view in found if view.row.comparison.verdict in _ORDER]
    ranks = {verdict: rank for rank, verdict in enumerate(_ORDER)}
    ordered = sorted(shown, key=lambda v: (ranks[v.row.comparison.verdict], places[v.explanation.key]))
    told: set[tuple[str, str]] = set()
    return tuple(_told_once(view, told) for view in ordered)


def _told_once(view: ExplanationView, told: set[tuple[str, str]]) -> ExplanationView:
    """The view, without what the calls of its pair cost where an earlier one says it; adds its pair to `told`."""
    pair = view.explanation.key[1:]
    if pair in told:
        return replace(view, operations=())
    told.add(pair)
    return view


def _view(explanation: Explanation, row: ComparisonView, data: RunData) -> ExplanationView:
    pair = (row.comparison.baseline, row.comparison.candidate)
    operations = [o for o in data.evaluation.operational if (o.baseline, o.candidate) == pair and o.ratio is not None]
    broken = explanation.attribution.improved_by_breaking is not None
    return ExplanationView(
        explanation=explanation,
        row=row,
        sentence=typeset(why_sentence(explanation, row.metric)),
        operations=tuple(typeset(operational_sentence(o)) for o in operations),
        warning=typeset(broken_gain_sentence(explanation.attribution, row.metric)) if broken else "",
    )


def cases_by_cause(explanations: Sequence[Explanation], lenses: Sequence[Lens]) -> dict[str, list[tuple[int, str]]]:
    """By case the codes of what moved it, each with the number of the lens through which it did."""
    numbers = {(lens.metric, lens.baseline, lens.candidate): number for number, lens in enumerate(lenses)}
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for one in explanations:
        lens = numbers.get(one.key)
        if lens is None:
            continue
        a = one.attribution
        for part in (a.content_part, *a.causes):
            for case_id in part.worse:
                found[case_id].append((lens, cause_code(part)))
            for case_id in part.better:
                found[case_id].append((lens, cause_code(part) + GAINED))
        for case_id in a.improved_by_breaking.case_ids if a.improved_by_breaking else ():
            found[case_id].append((lens, BROKEN))
    return found


def cause_words(found: Mapping[str, Sequence[tuple[int, str]]]) -> tuple[CauseWord, ...]:
    """Every code that some case has, in the order of the filter: content, then forms, then gains, then what broke."""
    present = {code for causes in found.values() for _, code in causes}
    codes = [CONTENT, *(cause.value for cause in FormatCause)]
    words = []
    for code in codes:
        passing, graded = (case_sentence(code, graded=graded) for graded in (False, True))
        words.append(CauseWord(code, CAUSE_WORDS[code], passing, graded, form=kind_of(code) == FORMAT))
    for code in codes:
        told = gain_sentence(code)
        words.append(CauseWord(code + GAINED, f"gained: {CAUSE_WORDS[code]}", told, told, form=False))
    told = "counts as better only because the answer broke"
    words.append(CauseWord(BROKEN, "gained by breaking", told, told, form=False))
    return tuple(word for word in words if word.code in present)


def cause_of(causes: Sequence[tuple[int, str]], lens: int) -> str | None:
    """What made a case worse through a lens: content where that did, whatever form added; None where not known."""
    codes = [code for number, code in causes if number == lens and not code.endswith(GAINED) and code != BROKEN]
    return CONTENT if CONTENT in codes else codes[0] if codes else None


def is_graded(metric: MetricSpec) -> bool:
    """Whether a case can gain on the metric without passing."""
    return metric.kind is ScoreKind.GRADED
