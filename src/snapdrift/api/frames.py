"""The tables of a run that are made of what was concluded. Columns are listed here, so that an empty table has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from snapdrift.model import Case
    from snapdrift.reports.view import View

Rows = Sequence[Mapping[str, Any]]

COMPARISONS = (
    "metric",
    "candidate",
    "baseline",
    "verdict",
    "gating",
    "severity",
    "n",
    "unmeasured",
    "baseline_mean",
    "candidate_mean",
    "difference",
    "ci_low",
    "ci_high",
    "margin",
    "p_value",
    "p_adjusted",
    "p_two_sided",
    "method",
    "confidence",
    "detectable_difference",
    "cases_to_resolve",
    "newly_failing",
    "newly_passing",
    "accepted",
)
METRICS = ("variant", "metric", "n", "mean", "ci_low", "ci_high", "unextracted", "grader_errors", "unmeasured")
VARIANTS = (
    "name",
    "model",
    "endpoint",
    "source",
    "planned",
    "requests",
    "coverage",
    "outcomes",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "usd",
    "judge_usd",
    "latency_ms_p50",
    "latency_ms_p95",
)
OPERATIONS = (
    "metric",
    "candidate",
    "baseline",
    "candidate_value",
    "baseline_value",
    "ratio",
    "ci_low",
    "ci_high",
    "max_increase",
    "standing",
    "sentence",
)
CHANGES = ("case", "metric", "candidate", "baseline", "change", "reason")
ACCEPTANCES = ("case", "metric", "state", "candidates", "why", "by", "until")
CASES = ("id", "tags", "cluster", "expected")


def comparisons_frame(rows: Rows) -> pd.DataFrame:
    """The comparisons of a verdict document."""
    accepted = ({**row, "accepted": [] if row["left_out"] is None else row["left_out"]["cases"]} for row in rows)
    return _frame(map(_with_interval, accepted), COMPARISONS)


def metrics_frame(rows: Rows) -> pd.DataFrame:
    """The levels of a verdict document."""
    return _frame(map(_with_interval, rows), METRICS)


def variants_frame(rows: Rows) -> pd.DataFrame:
    """The variants of a verdict document."""
    flat = (
        {
            **row,
            **{f"{name}_tokens": row["tokens"][name] for name in ("input", "cached", "output")},
            **{f"latency_ms_{name}": row["latency_ms"][name] for name in ("p50", "p95")},
        }
        for row in rows
    )
    return _frame(flat, VARIANTS)


def operations_frame(rows: Rows) -> pd.DataFrame:
    """The measures of calls of a verdict document; the interval is of `ratio` where it can be, else empty."""
    return _frame(
        (_with_interval({**row, "ci": row["interval"] if row["interval_is_of_ratio"] else None}) for row in rows),
        OPERATIONS,
    )


def changes_frame(rows: Rows) -> pd.DataFrame:
    """The changed cases of a verdict document."""
    return _frame(rows, CHANGES)


def acceptances_frame(rows: Rows) -> pd.DataFrame:
    """The accepted losses of a verdict document."""
    return _frame(rows, ACCEPTANCES)


def cases_frame(view: View, path: Path) -> pd.DataFrame:
    """The cases of a run file in the dataset's order, each with its group in the view."""
    from snapdrift.store import open_run

    groups = {one.id: one.group.value for one in view.cases.outlines}
    with open_run(path) as stored:
        frame = dataset_frame(stored.each_case())
    frame.insert(1, "group", frame["id"].map(groups))
    return frame


def dataset_frame(cases: Iterable[Case]) -> pd.DataFrame:
    """Cases in their order: what names them, what is expected, and each variable as a column."""
    rows = [
        {
            **case.variables,
            "id": case.id,
            "tags": list(case.tags),
            "cluster": case.cluster,
            "expected": case.expected,
        }
        for case in cases
    ]
    variables = dict.fromkeys(name for row in rows for name in row if name not in CASES)
    return _frame(rows, (*CASES, *variables))


def _with_interval(row: Mapping[str, Any]) -> dict[str, Any]:
    low, high = row["ci"] or (None, None)
    return {**row, "ci_low": low, "ci_high": high}


def _frame(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    names = list(columns)
    return pd.DataFrame([[row.get(name) for name in names] for row in rows], columns=names)
