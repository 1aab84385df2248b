"""`results.csv` and `results.parquet`: a row for each planned call and metric, and no cell that does anything."""

from __future__ import annotations

import csv
import gzip
import io
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.reports.held import changed, held

from snapdrift.model import CallKey, MetricSpec, Outcome, Reason, Response, Score, ScoreKind, Usage
from snapdrift.reports import RunData, View, build_view
from snapdrift.reports.results import (
    CELL_CHARACTERS,
    NOT_GRADED,
    TYPES,
    guarded,
    render_csv,
    results_frame,
)
from snapdrift.reports.results_files import write_results
from snapdrift.reports.results_parquet import parquet_table

MakeRun = Callable[..., Any]


def rows_of(view: View) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render_csv(view), newline="")))


@pytest.fixture(scope="module")
def view(make_run: MakeRun) -> View:
    return build_view(make_run(cases=30, repeats=2).build())


def test_there_is_a_row_for_each_planned_call_and_metric(view: View) -> None:
    rows = rows_of(view)

    assert len(rows) == 30 * 3 * 2 * 3
    assert len({(row["case"], row["variant"], row["repeat"], row["metric"]) for row in rows}) == len(rows)
    assert tuple(rows[0]) == tuple(TYPES)


def test_reasons_count_what_became_of_each_planned_call_as_the_levels_do(view: View) -> None:
    counted: dict[tuple[str, str], Counter[str]] = {}
    for row in rows_of(view):
        counted.setdefault((row["metric"], row["variant"]), Counter())[row["reason"]] += 1

    assert counted == {key: dict(level.endings) for key, level in view.levels.items()}


def test_means_of_the_table_are_the_levels_of_the_report(view: View) -> None:
    frame = results_frame(view)
    means = frame.groupby(["metric", "variant", "case"])["value"].mean().groupby(["metric", "variant"]).mean()

    assert means.to_dict() == pytest.approx({key: level.mean for key, level in view.levels.items()})


def test_calls_without_an_answer_and_answers_without_a_score_say_why_there_is_no_value(make_run: MakeRun) -> None:
    data: RunData = make_run(cases=4).build()
    missing, failed, ungraded = (CallKey(case.id, "alias", 0) for case in held(data).cases[:3])
    unscored = (missing, failed, ungraded)
    responses = [
        replace(one, outcome=Outcome.API_ERROR) if one.call == failed else one
        for one in held(data).responses
        if one.call != missing
    ]
    scores = [one for one in held(data).scores if CallKey(one.case_id, one.variant, one.repeat) not in unscored]
    rows = rows_of(build_view(changed(data, responses=tuple(responses), scores=tuple(scores))))
    told = {(row["case"], row["outcome"], row["reason"], row["value"]) for row in rows if row["variant"] == "alias"}

    assert (missing.case_id, "missing", "missing", "") in told
    assert (failed.case_id, "api_error", "api_error", "") in told
    assert (ungraded.case_id, "ok", NOT_GRADED, "") in told
    assert len(rows) == 4 * 3 * 3
    assert {row["source"] for row in rows} == {"simulated"}


def test_a_metric_has_rows_only_where_it_applies_and_a_pairwise_one_only_of_candidates(make_run: MakeRun) -> None:
    data: RunData = make_run(cases=4).build()
    first = held(data).cases[0].id
    better = MetricSpec("better", "better", ScoreKind.GRADED, judged=True, pairwise=True)
    scores = tuple(one for one in held(data).scores if one.metric != "queue" or one.case_id == first)
    won = tuple(
        Score(case.id, variant, 0, "better", 1.0, True, Reason.PASSED)
        for case in held(data).cases
        for variant in ("november", "alias")
    )
    rows = rows_of(build_view(changed(data, metrics=(*data.metrics, better), scores=scores + won)))

    assert {row["case"] for row in rows if row["metric"] == "queue"} == {first}
    assert {row["variant"] for row in rows if row["metric"] == "better"} == {"november", "alias"}


def test_an_answer_that_no_metric_is_asked_of_has_one_row(make_run: MakeRun) -> None:
    data: RunData = make_run(cases=3).build()
    rows = rows_of(build_view(changed(data, metrics=(), scores=())))

    assert len(rows) == 3 * 3
    assert {row["metric"] for row in rows} == {""}
    assert all(row["answer"] for row in rows)


# -------------------------------------------------------------------------------------------------------- hostile cells

FORMULAS = {
    "=1+1": "'=1+1",
    '=cmd|" /C calc"!A0': '\'=cmd|" /C calc"!A0',
    "+1 555 0100": "'+1 555 0100",
    "-2+3+cmd|' /C calc'!A0": "'-2+3+cmd|' /C calc'!A0",
    "@SUM(A1:A9)": "'@SUM(A1:A9)",
    "\t=1+1": "'\t=1+1",
    "\tplain": "'\tplain",
    "\r=1+1": "\\u000d=1+1",
    "  =1+1": "'  =1+1",
    "\n=1+1": "'\n=1+1",
    "\u00a0=1+1": "'\u00a0=1+1",
    "\u3000\uff1d1+1": "'\u3000\uff1d1+1",
    "\uff0b1+a": "'\uff0b1+a",
    "\uff0d1+a": "'\uff0d1+a",
    "\uff20SUM(A1)": "'\uff20SUM(A1)",
    "\ufe661+1": "'\ufe661+1",
    "\u200b=1+1": "\\u200b=1+1",
    "'=1+1": "''=1+1",
    "''@a": "'''@a",
}
HARMLESS = {
    "-5": "-5",
    "+3.25": "+3.25",
    "-1.5e-07": "-1.5e-07",
    "'tis": "'tis",
    "a=b": "a=b",
    "": "",
    'say "hi", then\nleave': 'say "hi", then\nleave',
    "nul \0 bell \x07": "nul \\u0000 bell \\u0007",
    "\u202eabc\u2066": "\\u202eabc\\u2066",
    "line\u2028end\r\n": "line\\u2028end\\u000d\n",
    "lone \ud800": "lone \\ud800",
    "</script>{{ 7 * 7 }}": "</script>{{ 7 * 7 }}",
    "naïve 日本 🙂": "naïve 日本 🙂",
}


@pytest.mark.parametrize(("text", "cell"), [*FORMULAS.items(), *HARMLESS.items()])
def test_a_hostile_text_comes_back_from_the_csv_as_a_cell_that_does_nothing(
    make_run: MakeRun, text: str, cell: str
) -> None:
    rows = rows_of(build_view(make_run(cases=1, texts=[text]).build()))
    assert {row["answer"] for row in rows if row["variant"] == "november"} == {cell}


def test_hostile_names_details_and_tags_are_guarded_as_answers_are(make_run: MakeRun) -> None:
    bad = '=HYPERLINK("http://evil.example")'
    data: RunData = make_run(cases=2, ids=[bad]).build()
    cases = (replace(held(data).cases[0], tags=(bad, "b"), cluster=bad), *held(data).cases[1:])
    scores = tuple(replace(one, detail=bad, extracted=bad) for one in held(data).scores)
    responses = tuple(replace(one, refusal=bad, request_id=bad, returned_model=bad) for one in held(data).responses)
    run = replace(data.run, suite=bad, gate=bad, run_id=bad)
    view = build_view(changed(data, run=run, cases=cases, scores=scores, responses=responses))
    cells = [cell for row in csv.reader(io.StringIO(render_csv(view), newline="")) for cell in row]

    assert sum(cell.startswith("'=") for cell in cells) > 100
    assert not [cell for cell in cells if cell.startswith("=")]


@given(st.text(st.characters(exclude_categories=())))
def test_no_text_begins_a_formula_or_acts(text: str) -> None:
    cell = guarded(text)

    assert not cell.lstrip().startswith(("=", "@"))
    assert cell.encode("utf-8").decode("utf-8") == cell
    assert not set(cell) & {"\0", "\r", "\u202e", "\u2028"}


def test_numbers_stay_numbers_and_are_in_their_units(make_run: MakeRun) -> None:
    data: RunData = make_run(cases=2).build()
    response: Response = replace(
        held(data).responses[0], usage=Usage(12, 4, 5, 2), usd=0.5, latency_ms=125.5, first_token_ms=-3.5
    )
    view = build_view(changed(data, responses=(response, *held(data).responses[1:])))
    (row,) = [
        one
        for one in rows_of(view)
        if (one["case"], one["variant"], one["metric"]) == (response.call.case_id, "august", "tone")
    ]
    names = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "usd", "latency_ms")

    assert [row[name] for name in names] == ["12", "4", "5", "2", "0.5", "125.5"]
    assert row["first_token_ms"] == "-3.5"
    assert float(row["scale_value"]) == pytest.approx(1 + 4 * float(row["value"]))


@pytest.mark.parametrize("letter", ["a", "🙂", "\0"])
def test_what_is_too_long_for_a_cell_ends_with_how_much_was_cut(letter: str) -> None:
    cell = guarded(letter * 100_000)
    kept, _, told = cell.partition(" [… ")

    assert len(kept.encode("utf-16-le")) // 2 <= CELL_CHARACTERS
    assert len(cell.encode("utf-16-le")) // 2 < 32_767
    spelled = 6 if letter == "\0" else 1
    assert told == f"{100_000 * spelled - len(kept):,} characters cut]"


# -------------------------------------------------------------------------------------------------- read by programs


def test_csv_frame_and_parquet_hold_the_same_rows(make_run: MakeRun, tmp_path: Path) -> None:
    view = build_view(make_run(cases=12, repeats=2).build())
    frame = results_frame(view)
    paths = write_results(view, tmp_path)
    assert paths.parquet is not None
    read = {"csv": pd.read_csv(paths.csv), "parquet": pd.read_parquet(paths.parquet)}

    for one in read.values():
        assert tuple(one.columns) == tuple(TYPES)
        for name in ("case", "variant", "metric", "reason", "outcome", "answer"):
            assert one[name].fillna("").tolist() == frame[name].fillna("").tolist()
        for name in ("value", "scale_value", "usd", "input_tokens", "latency_ms"):
            assert one[name].astype("float64").fillna(-1).tolist() == frame[name].astype("float64").fillna(-1).tolist()
    assert [list(tags) for tags in read["parquet"]["tags"]] == [list(tags) for tags in frame["tags"]]


def test_parquet_keeps_texts_as_they_are_but_for_lone_surrogates(make_run: MakeRun) -> None:
    texts = ["=1+1", "\u202eabc", "a" * 50_000, "lone \ud800"]
    table = parquet_table(build_view(make_run(cases=len(texts), texts=texts).build()))
    kept = set(table.column("answer").to_pylist())

    assert kept >= {"=1+1", "\u202eabc", "a" * 50_000, "lone \N{REPLACEMENT CHARACTER}"}


def test_a_number_of_tokens_that_no_column_holds_becomes_the_largest_that_it_does(make_run: MakeRun) -> None:
    data: RunData = make_run(cases=1).build()
    responses = tuple(replace(one, usage=Usage(10**30, 0, 0, 0)) for one in held(data).responses)
    table = parquet_table(build_view(changed(data, responses=responses)))

    assert set(table.column("input_tokens").to_pylist()) == {2**63 - 1}


def test_a_large_csv_is_compressed_and_none_of_another_form_is_left_beside_it(
    make_run: MakeRun, tmp_path: Path
) -> None:
    view = build_view(make_run(cases=3).build())
    plain = write_results(view, tmp_path).csv
    text = plain.read_text()
    packed = write_results(view, tmp_path, large=100).csv

    assert (plain.name, packed.name) == ("results.csv", "results.csv.gz")
    assert gzip.decompress(packed.read_bytes()).decode() == text
    assert {path.name for path in tmp_path.iterdir()} == {"results.csv.gz", "results.parquet"}


def test_without_pyarrow_there_is_no_parquet_and_an_earlier_one_goes(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = build_view(make_run(cases=1).build())
    write_results(view, tmp_path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    paths = write_results(view, tmp_path)

    assert paths.parquet is None
    assert [path.name for path in tmp_path.iterdir()] == ["results.csv"]
