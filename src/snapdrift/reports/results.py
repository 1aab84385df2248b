"""Every answer with every score as one table: `results.csv` for spreadsheets, `results.parquet` for programs.

A row is a planned call under a metric that applies to its case, so rows add up to what was planned: a call without an
answer has a row for each metric too, and says in `reason` how it ended.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from snapdrift.model import MetricSpec, Response, Score, Usage
from snapdrift.reports.case_views import AnswerView, CaseView
from snapdrift.reports.escaping import visible
from snapdrift.reports.view import VariantView, View

if TYPE_CHECKING:
    import pandas as pd

NOT_GRADED = "not_graded"
"""The reason of an answer that has no score under a metric of its case."""
CELL_CHARACTERS = 32_000
"""What a cell of the CSV holds at most, in UTF-16 units as spreadsheets count (their own limit is 32,767)."""

CALL_TYPES: Mapping[str, str] = {
    "run": "text",
    "suite": "text",
    "gate": "text",
    "case": "text",
    "tags": "texts",
    "cluster": "text",
    "variant": "text",
    "model": "text",
    "returned_model": "text",
    "endpoint": "text",
    "source": "text",
    "repeat": "whole",
    "outcome": "text",
}
SCORE_TYPES: Mapping[str, str] = {
    "metric": "text",
    "kind": "text",
    "value": "number",
    "scale_value": "number",
    "passed": "flag",
    "reason": "text",
    "detail": "text",
    "extracted": "text",
}
ANSWER_TYPES: Mapping[str, str] = {
    "answer": "text",
    "refusal": "text",
    "latency_ms": "number",
    "first_token_ms": "number",
    "input_tokens": "whole",
    "cached_tokens": "whole",
    "output_tokens": "whole",
    "reasoning_tokens": "whole",
    "usd": "number",
    "request_id": "text",
    "finished_at": "text",
}
TYPES: Mapping[str, str] = {**CALL_TYPES, **SCORE_TYPES, **ANSWER_TYPES}
"""The columns in their order, and of what kind each is."""

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
_FORMULA = re.compile(r"'*(\t|\s*[=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b])")
_SHORT = 64
_NO_USAGE = (None, None, None, None)


@dataclass(frozen=True, slots=True)
class Answered:
    """A planned call with its columns before and after those of a score, and the columns of each of its scores."""

    call: tuple[Any, ...]
    scores: tuple[tuple[Any, ...], ...]
    answer: tuple[Any, ...]


def results_frame(view: View) -> pd.DataFrame:
    """The table with the columns of `TYPES`; texts are as the run holds them. Loads pandas."""
    import pandas as pd

    kinds = {"whole": "Int64", "number": "float64", "flag": "boolean", "text": "object", "texts": "object"}
    rows = [(*one.call, *score, *one.answer) for one in _all(view) for score in one.scores]
    return pd.DataFrame(rows, columns=list(TYPES)).astype({name: kinds[kind] for name, kind in TYPES.items()})


def render_csv(view: View) -> str:
    """The table as CSV. Texts are quoted and made harmless for spreadsheets, numbers and empty cells are bare."""
    return "".join((HEAD, *map(csv_lines, _all(view))))


HEAD = ",".join(TYPES) + "\n"
"""The first line of the CSV."""


def csv_lines(one: Answered) -> str:
    """The lines of a planned call, each with its end (a line break inside a cell is none)."""
    before, after = cells(one.call), cells(one.answer)
    return "".join(f"{before},{cells(score)},{after}\n" for score in one.scores)


def _all(view: View) -> Iterator[Answered]:
    """Every planned call in the page's order."""
    rows = Rows(view)
    for case in view.cases:
        yield from rows.of(case)


# ----------------------------------------------------------------------------------------------------------------- rows


class Rows:
    """Makes rows of a view's cases."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._variants = {variant.summary.name: variant for variant in view.variants}
        self._metrics = {metric.name: metric for metric in view.metrics}
        self._preferred = {(lens.metric, lens.candidate) for lens in view.lenses if lens.pairwise}

    def of(self, case: CaseView) -> Iterator[Answered]:
        """Every planned call about a case."""
        applicable = _applicable(case, self._view.metrics)
        for answer in case.answers:
            names = [m.name for m in applicable if not m.pairwise or (m.name, answer.variant) in self._preferred]
            scores = {score.metric: score for score in answer.scores}
            columns = [_score_columns(self._metrics[name], scores.get(name), answer) for name in names]
            yield Answered(
                _call_columns(self._view, case, answer, self._variants.get(answer.variant)),
                tuple(columns or [_unmeasured(answer)]),
                _answer_columns(answer.response),
            )


def _applicable(case: CaseView, metrics: Sequence[MetricSpec]) -> list[MetricSpec]:
    """The metrics of a case: those that it has scores of; where no call got as far as a grader, all."""
    if not any(answer.outcome.measured for answer in case.answers):
        return list(metrics)
    scored = {score.metric for answer in case.answers for score in answer.scores}
    return [metric for metric in metrics if metric.name in scored]


def _call_columns(view: View, case: CaseView, answer: AnswerView, variant: VariantView | None) -> tuple[Any, ...]:
    response = answer.response
    return (
        view.run.run_id,
        view.run.suite,
        view.run.gate,
        case.case.id,
        case.case.tags,
        case.case.cluster,
        answer.variant,
        variant.summary.model if variant else None,
        response.returned_model if response else None,
        variant.summary.endpoint.value if variant else None,
        _source_of(response, variant),
        answer.repeat,
        answer.outcome.value,
    )


def _source_of(response: Response | None, variant: VariantView | None) -> str | None:
    """Where an answer came from; of a call without one, where its variant's others did, or whom the run asked."""
    if response and response.outcome.measured:
        return response.source.value
    return variant.source.value if variant else None


def _score_columns(metric: MetricSpec, score: Score | None, answer: AnswerView) -> tuple[Any, ...]:
    if score is None:
        return (metric.name, metric.kind.value, *_unmeasured(answer)[2:])
    low, high = metric.scale
    return (
        metric.name,
        metric.kind.value,
        score.value,
        None if score.value is None else low + score.value * (high - low),
        score.passed,
        score.reason.value,
        score.detail,
        _text_of(score.extracted),
    )


def _unmeasured(answer: AnswerView) -> tuple[Any, ...]:
    """The columns of a score that is not there: why."""
    return (None, None, None, None, None, NOT_GRADED if answer.outcome.measured else answer.outcome.value, None, None)


def _answer_columns(response: Response | None) -> tuple[Any, ...]:
    if response is None:
        return (None,) * len(ANSWER_TYPES)
    return (
        response.text,
        response.refusal,
        response.latency_ms,
        response.first_token_ms,
        *_usage(response.usage),
        response.usd,
        response.request_id,
        response.finished_at,
    )


def _usage(usage: Usage | None) -> tuple[int | None, ...]:
    if usage is None:
        return _NO_USAGE
    return usage.input_tokens, usage.cached_tokens, usage.output_tokens, usage.reasoning_tokens


def _text_of(value: Any) -> str | None:
    """What was extracted: a text as it is, anything else as JSON."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str, skipkeys=True)


# -------------------------------------------------------------------------------------------------------------- cells


def cells(values: Sequence[Any]) -> str:
    """Values as they stand in a line of the CSV."""
    return ",".join(map(_cell, values))


def _cell(value: Any) -> str:
    """A value as it stands between two commas: a number as itself, a text in quotes, nothing as nothing."""
    if value is None:
        return ""
    if type(value) is str:
        return _recent(value) if len(value) <= _SHORT else _quoted(value)
    if type(value) is tuple:
        return _quoted(";".join(value))
    return ("false", "true")[value] if value is True or value is False else repr(value)


def _quoted(text: str) -> str:
    return '"' + guarded(text).replace('"', '""') + '"' if text else ""


@lru_cache(maxsize=4096)
def _recent(text: str) -> str:
    """The same of a text that may well come again: a name, a reason."""
    return _quoted(text)


def guarded(text: str) -> str:
    r"""A text that a spreadsheet shows and does not carry out, and that fits into a cell.

    What a spreadsheet would take for a formula (an equals, plus, minus or at sign in front, full-width ones too, also
    after white space; a tab) gets an apostrophe in front, unless it is a number. One that has an apostrophe there
    already gets another, so that taking one away always gives the text back. Characters that act instead of showing are
    spelled out (`\u202e`); a text that is too long ends with how many characters were cut.
    """
    shown = _cut(visible(text))
    return f"'{shown}" if _FORMULA.match(shown) and not _NUMBER.fullmatch(shown) else shown


def _cut(text: str) -> str:
    if len(text) * 2 <= CELL_CHARACTERS or _units(text) <= CELL_CHARACTERS:
        return text
    kept = text[:CELL_CHARACTERS]
    while (over := _units(kept) - CELL_CHARACTERS) > 0:
        kept = kept[: -max(1, over // 2)]
    return f"{kept} [… {len(text) - len(kept):,} characters cut]"


def _units(text: str) -> int:
    """The length in UTF-16 code units."""
    return len(text) if text.isascii() else len(text) + sum(map("\uffff".__lt__, text))
