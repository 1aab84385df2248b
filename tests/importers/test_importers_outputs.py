"""Answers obtained elsewhere become variants of a suite, by id or by what was asked; the rest is listed."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet as pq
from tests.importers.conftest import rows_of, suite_of, written

from snapdrift.errors import SnapdriftError
from snapdrift.importers.notes import Kind, Notes
from snapdrift.importers.outputs.rows import Columns, read_answers

CAPITALS = [("France", "Paris"), ("Italy", "Rome"), ("Peru", "Lima")]
SUITE = """\
suite: capitals
dataset: datasets/capitals.jsonl
prompt: {instructions: One word., input: "Capital of {{ country }}?"}
request: {max_output_tokens: 20}
variants:
  # the pinned one
  august: {model: gpt-4o-2024-08-06}   # stays
  november: {model: gpt-4o-2024-11-20}
graders: [{name: said, contains: "{{ expected }}"}]
gate: {baseline: {variant: august}, candidates: [november], metrics: {said: {at_least: 0.5}}}
budget: {usd: 1}
"""
FILES: dict[str, Any] = {
    "evals/capitals.yaml": SUITE,
    "datasets/capitals.jsonl": [
        {"id": f"c-{n}", "country": country, "expected": city} for n, (country, city) in enumerate(CAPITALS)
    ],
}


def parquet(rows: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


def chat(text: str, **rest: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"object": "chat.completion", "id": "chatcmpl-1", "model": "gpt-4o-2024-05-13", "choices": [choice], **rest}


def asked(country: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": "One word."}, {"role": "user", "content": f"Capital of {country}?"}]


def response(text: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text}
    return {"object": "response", "model": "gpt-4o-2024-05-13",
            "output": [{"type": "message", "role": "assistant", "content": [part]}]}  # fmt: skip


BATCH = [
    {"id": f"batch_req_{n}", "custom_id": f"c-{n}", "response": {"status_code": 200, "body": chat(city)}, "error": None}
    for n, (_, city) in enumerate(CAPITALS)
]
SAMPLES = [
    {"id": n, "epoch": epoch, "input": f"Capital of {country}?", "target": city,
     "output": {"model": "openai/gpt-4o", "completion": city, "choices": [{"message": {"content": city}}]}}
    for n, (country, city) in enumerate(CAPITALS) for epoch in (1, 2)
]  # fmt: skip
SOURCES: dict[str, Any] = {
    "batch.jsonl": BATCH,
    "stored.jsonl": [chat(city, messages=asked(country), metadata={}) for country, city in CAPITALS],
    "metadata.jsonl": [chat(city, metadata={"case": f"c-{n}"}) for n, (_, city) in enumerate(CAPITALS)],
    "logged.jsonl": [
        {"request": {"instructions": "One word.", "input": f"Capital of {country}?"}, "response": response(city)}
        for country, city in CAPITALS
    ],
    "tuned.jsonl": [
        {"messages": [*asked(country), {"role": "assistant", "content": city}]} for country, city in CAPITALS
    ],
    "plain.csv": b"\xef\xbb\xbfquestion,reply,model\n"
    + "".join(f"Capital of {country}?,{city},gpt-4o-2024-05-13\n" for country, city in CAPITALS).encode(),
    "columns.csv": "key,said\n" + "".join(f"c-{n},{city}\n" for n, (_, city) in enumerate(CAPITALS)),
    "rows.parquet": parquet([{"case_id": f"c-{n}", "completion": city} for n, (_, city) in enumerate(CAPITALS)]),
    "pf.json": {
        "results": {
            "version": 3,
            "results": [
                {"promptIdx": 0, "provider": {"id": "openai:gpt-4o-2024-05-13"}, "prompt": {"raw": "asked otherwise"},
                 "vars": {"country": country}, "response": {"output": city}}
                for country, city in CAPITALS
            ],
        }
    },
    "inspect.json": {"version": 2, "eval": {"model": "openai/gpt-4o"}, "samples": SAMPLES[::2]},
}  # fmt: skip


@pytest.mark.parametrize("name", SOURCES)
def test_the_formats_that_answers_come_in_are_matched_with_the_cases_of_a_suite(name, folder, snapdrift):
    root = folder({**FILES, name: SOURCES[name]})
    columns = ("--id", "key", "--answer", "said") if name == "columns.csv" else ()
    done = snapdrift("import", "outputs", name, "--suite", "evals/capitals.yaml", "--name", "old", *columns, cwd=root)
    assert done.returncode == 0, done.stderr
    assert "left out" not in done.stdout
    rows = rows_of(root / "datasets" / "outputs" / "capitals-old.jsonl")
    assert [(row["id"], row["output"]) for row in rows] == [("c-0", "Paris"), ("c-1", "Rome"), ("c-2", "Lima")]


def test_a_suite_keeps_every_line_and_gets_the_variant_which_then_runs_as_a_baseline(folder, snapdrift):
    root = folder({**FILES, "batch.jsonl": BATCH})
    path = root / "evals" / "capitals.yaml"
    done = snapdrift("import", "outputs", "batch.jsonl", "--suite", "evals/capitals.yaml", cwd=root)
    assert "capitals.yaml has batch under `variants`" in done.stdout
    line = "  batch: {outputs: datasets/outputs/capitals-batch.jsonl}\n"
    assert path.read_text() == SUITE.replace("variants:\n", f"variants:\n{line}")
    assert snapdrift("import", "outputs", "batch.jsonl", "--suite", "evals/capitals.yaml", cwd=root).returncode == 2
    path.write_text(path.read_text().replace("{variant: august}", "{variant: batch}"))
    ran = snapdrift("run", "evals/capitals.yaml", "--standin", "--json", cwd=root)
    assert ran.returncode == 1, ran.stderr
    verdict = json.loads(ran.stdout)
    assert {one["baseline"] for one in verdict["comparisons"]} == {"batch"}
    assert [one["source"] for one in verdict["variants"]] == ["outputs", "simulated", "simulated"]


def test_rows_of_no_case_failed_rows_and_second_answers_are_listed_and_refused_by_strict(folder, snapdrift):
    rows = [
        *BATCH,
        {"custom_id": "other", "response": {"status_code": 200, "body": chat("x")}},
        {"custom_id": "c-0", "response": {"status_code": 200, "body": chat("again")}},
        {"custom_id": "c-1", "response": {"status_code": 500, "body": {}}, "error": None},
    ]
    root = folder({**FILES, "b.jsonl": rows})
    command = ("import", "outputs", "b.jsonl", "--suite", "evals/capitals.yaml")
    strict = snapdrift(*command, "--strict", cwd=root)
    assert strict.returncode == 2
    assert not (root / "datasets" / "outputs").exists()
    done = snapdrift(*command, cwd=root)
    for line in (
        'b.jsonl:4:1: the row "other": is of no case, or of several alike',
        'b.jsonl:5:1: the row "c-0": is another answer to the case "c-0", already there',
        "b.jsonl:6:1: a row: failed in its batch (status 500)",
    ):
        assert line in done.stdout
        assert line in strict.stderr


def test_second_answers_are_repeats_where_the_suite_asks_for_some(folder, snapdrift):
    root = folder(
        {**FILES, "evals/capitals.yaml": SUITE + "repeats: 2\n", "log.json": {"eval": {}, "samples": SAMPLES}}
    )
    done = snapdrift("import", "outputs", "log.json", "--suite", "evals/capitals.yaml", cwd=root)
    assert "left out" not in done.stdout
    rows = rows_of(root / "datasets" / "outputs" / "capitals-log.jsonl")
    assert [(row["id"], row["repeat"]) for row in rows][:3] == [("c-0", 0), ("c-0", 1), ("c-1", 0)]


def test_answers_of_several_models_to_the_same_cases_are_a_variant_for_each(folder, snapdrift):
    models = ("gpt-4o-2024-05-13", "gpt-4o-2024-08-06")
    rows = [{"id": f"c-{n}", "answer": f"{city} {model}", "model": model}
            for model in models for n, (_, city) in enumerate(CAPITALS)]  # fmt: skip
    root = folder({**FILES, "log.jsonl": rows})
    done = snapdrift("import", "outputs", "log.jsonl", "--suite", "evals/capitals.yaml", "--strict", cwd=root)
    assert done.returncode == 0, done.stderr
    for model in models:
        answers = rows_of(root / "datasets" / "outputs" / f"capitals-log-{model}.jsonl")
        assert [row["output"] for row in answers] == [f"{city} {model}" for _, city in CAPITALS]


def test_a_row_that_fits_two_cases_is_given_to_neither(folder, snapdrift):
    twins = [{"id": "a", "country": "Peru", "expected": "Lima"}, {"id": "b", "country": "Peru", "expected": "Lima"}]
    root = folder(
        {**FILES, "datasets/capitals.jsonl": twins, "x.jsonl": [{"question": "Capital of Peru?", "answer": "Lima"}]}
    )
    done = snapdrift("import", "outputs", "x.jsonl", "--suite", "evals/capitals.yaml", cwd=root)
    assert done.returncode == 2
    assert "no answer to a case of capitals" in done.stderr
    assert "is of no case, or of several alike" in done.stderr


def test_a_suite_whose_variants_stand_in_one_line_is_left_as_it_is_with_the_line_to_add(folder, snapdrift):
    before, _, after = SUITE.partition("variants:")
    flow = "variants: {august: {model: gpt-4o-2024-08-06}, november: {model: gpt-4o-2024-11-20}}\n"
    text = before + flow + after[after.index("graders") :]
    root = folder({**FILES, "evals/capitals.yaml": text, "batch.jsonl": BATCH})
    done = snapdrift("import", "outputs", "batch.jsonl", "--suite", "evals/capitals.yaml", cwd=root)
    assert "add batch: {outputs: datasets/outputs/capitals-batch.jsonl}" in done.stdout
    assert (root / "evals" / "capitals.yaml").read_text() == text


@pytest.fixture(scope="module")
def alone(tmp_path_factory, snapdrift) -> Path:
    """A suite made of an archive of Inspect, with no suite that it belongs to."""
    root: Path = tmp_path_factory.mktemp("alone")
    with zipfile.ZipFile(root / "caps.eval", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", json.dumps({"eval": {"model": "openai/gpt-4o"}}))
        for sample in SAMPLES:
            archive.writestr(f"samples/{sample['id']}_epoch_{sample['epoch']}.json", json.dumps(sample))
    done = snapdrift("import", "outputs", "caps.eval", cwd=root)
    assert done.returncode == 0, done.stderr + done.stdout
    return root


def test_answers_without_a_suite_make_one_that_is_graded_without_asking_anybody(alone, snapdrift):
    suite = suite_of(alone / "evals" / "caps.yaml")
    assert suite["repeats"] == 2
    assert [grader["name"] for grader in suite["graders"]] == ["answered", "agreed", "has_expected"]
    assert rows_of(alone / suite["dataset"])[0] == {"id": "0", "question": "Capital of France?", "expected": "Paris"}
    done = snapdrift("run", "evals/caps.yaml", "-q", cwd=alone)
    assert done.returncode == 0, done.stdout + done.stderr


# -------------------------------------------------------------------------------------------------------- hostile files


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path):
    path = tmp_path / "bomb.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("samples/1_epoch_1.json", b" " * (17 * 2**20))
    with pytest.raises(SnapdriftError, match="larger than what is read"):
        read_answers(path, Columns(), Notes())


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("x.eval", b"PK no", "no archive that can be read"),
        ("x.json", b'{"a": NaN}', "not JSON"),
        ("x.jsonl", b'{"a": 1, "a": 2}\n', "appears twice"),
        ("x.csv", b'a,b\n"1,2\n', "not CSV"),
        ("x.xlsx", b"", "unknown format"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_clear_error(name, content, why, tmp_path):
    written(tmp_path, {name: content})
    with pytest.raises(SnapdriftError, match=why):
        read_answers(tmp_path / name, Columns(), Notes())


def test_rows_without_an_answer_are_listed_with_what_was_looked_for(tmp_path):
    calls = {"choices": [{"message": {"content": None, "tool_calls": [{"id": "1"}]}}], "object": "chat.completion"}
    written(tmp_path, {"x.jsonl": [{"id": "a", "note": 1}, calls, {"id": "b", "output": {"queue": "x"}}]})
    notes = Notes()
    [answer] = read_answers(tmp_path / "x.jsonl", Columns(), notes)
    assert answer.text == '{"queue": "x"}'
    assert [note.why.split(" (")[0] for note in notes.of(Kind.LEFT_OUT)] == [
        "has no answer", "is an answer of tool calls, which a file of outputs cannot hold",
    ]  # fmt: skip
