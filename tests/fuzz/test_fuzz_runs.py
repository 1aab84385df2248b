"""Run files that somebody else made: read, compared and reported, or refused; never obeyed."""

from __future__ import annotations

import json
import shutil
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.bending import VALUES, bent_value, harmless, tries

from snapdrift import pipeline
from snapdrift.errors import SnapdriftError
from snapdrift.store import open_run

SUITE = """\
suite: own
dataset: cases.jsonl
prompt: {input: "{{ q }}"}
variants:
  old: {outputs: old.jsonl}
  new: {outputs: new.jsonl}
graders:
  - {name: same, exact: "{{ expected }}"}
  - {name: json, json_equal: {a: 1}, fields: {a: {number: 0.1}}}
gate:
  baseline: {variant: old}
  candidates: [new]
  metrics: {same: {margin: 0.1}}
  max_blind: 0.9
  must_pass: {tag: a}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a finished run of recorded outputs."""
    root = tmp_path_factory.mktemp("made")
    (root / "evals").mkdir()
    (root / "snapdrift.toml").write_text("")
    (root / "evals" / "own.yaml").write_text(SUITE)
    cases = [{"id": f"c{n}", "q": "How", "expected": str(n), "tags": ["a"] if n == 1 else []} for n in range(12)]
    wrong = {"old": (2,), "new": (2, 3)}
    outputs = {
        name: [
            {"id": case["id"], "output": "no" if n in wrong[name] else case["expected"]} for n, case in enumerate(cases)
        ]
        for name in wrong
    }
    for name, rows in {"cases": cases, **outputs}.items():
        (root / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    outcome = pipeline.run_suites([root / "evals" / "own.yaml"], pipeline.RunOptions())[0]
    rendered(outcome.run_path, root)  # and everything that reading takes is imported
    return root


def rendered(path: Path, root: Path) -> Path:
    out = root / "out"
    pipeline.compare_run(str(path), pipeline.RunOptions(), root)
    pipeline.report_runs([str(path)], pipeline.RunOptions(output=pipeline.Output(out)), root)
    return out


def texts(path: Path) -> Iterator[tuple[str, str, int, Any]]:
    """Every value of a run file: table, column, row and what stands there."""
    with closing(sqlite3.connect(path)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            found = connection.execute(f"SELECT rowid, * FROM {table}")  # noqa: S608  a name of our own
            columns = [column[0] for column in found.description]
            for row in found.fetchall():
                for column, value in list(zip(columns, row, strict=True))[1:]:
                    yield table, column, row[0], value


def bent(value: Any, data: st.DataObject) -> Any:
    """Another value of the same storage class: JSON stays JSON, what is packed stays packed."""
    packed = isinstance(value, bytes)
    text = zlib.decompress(value).decode() if packed else value
    if not isinstance(text, str):
        return data.draw(st.sampled_from([0, -1, 2**62, 7]))
    with suppress(ValueError):
        if isinstance(loaded := json.loads(text), dict | list):
            text = json.dumps(data.draw(bent_value([loaded])))
            return zlib.compress(text.encode()) if packed else text
    text = str(data.draw(st.sampled_from(VALUES))).encode("utf-8", "replace").decode()
    return zlib.compress(text.encode()) if packed else text


@tries(8)
@given(data=st.data())
def test_a_run_file_is_reported_or_refused(made: Path, data: st.DataObject) -> None:
    [original] = (made / ".snapdrift" / "runs").glob("*.db")
    path = made / "bent.db"
    shutil.copy(original, path)
    values = list(texts(path))
    with closing(sqlite3.connect(path)) as connection:
        for table, column, row, value in data.draw(st.lists(st.sampled_from(values), min_size=1, max_size=2)):
            with suppress(sqlite3.Error):  # what SQLite itself does not take there
                connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (bent(value, data), row))  # noqa: S608
        connection.commit()
    before = path.read_bytes()

    with harmless(made / "out", made / "reports"), suppress(SnapdriftError):
        rendered(path, made)

    assert path.read_bytes() == before
    assert sorted(entry.name for entry in made.iterdir() if entry.name != "out") == [
        ".snapdrift",
        "bent.db",
        "cases.jsonl",
        "evals",
        "new.jsonl",
        "old.jsonl",
        "reports",
        "snapdrift.toml",
    ]


@tries(25)
@given(data=st.data())
def test_bytes_of_a_run_file_that_are_wrong_are_told_or_passed_over(made: Path, data: st.DataObject) -> None:
    [original] = (made / ".snapdrift" / "runs").glob("*.db")
    content = bytearray(original.read_bytes())
    for _ in range(data.draw(st.integers(1, 20))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = made / "bent.db"
    path.write_bytes(content[: data.draw(st.sampled_from([len(content), len(content) // 2, 100]))])
    with harmless(), suppress(SnapdriftError), open_run(path) as run:
        list(run.responses())
        list(run.scores())
        list(run.score_values())
        assert run.header.run_id
