"""Run files of other people: they are read, never obeyed, and what does not fit together in one is told."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from snapdrift.store import open_run

ROW = {"id": "c1", "output": "1"}
SUITE = """\
suite: own
cases: [{id: c1, q: How}]
prompt: {input: "{{ q }}"}
variants: {old: {outputs: old.jsonl}}
graders: [{contains: "1"}]
gate: {must_pass: {cases: [c1]}}
"""


@pytest.fixture
def strange(tmp_path: Path, snapdrift: Callable[..., Any]) -> Path:
    """A run file outside of the workspace's runs, in the workspace that made it."""
    (tmp_path / "evals").mkdir()
    (tmp_path / "snapdrift.toml").write_text("")
    (tmp_path / "evals" / "own.yaml").write_text(SUITE)
    (tmp_path / "old.jsonl").write_text(json.dumps(ROW))
    done = snapdrift("run", "evals/own.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    [made] = (tmp_path / ".snapdrift" / "runs").glob("*.db")
    return made.rename(tmp_path / "strange.db")


def change_header(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        (text,) = connection.execute("SELECT value FROM meta WHERE key = 'header'").fetchone()
        header = json.loads(text)
        change(header)
        connection.execute("UPDATE meta SET value = ? WHERE key = 'header'", (json.dumps(header),))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda header: header["suite_stored"].update(name="../../outside"), "found the suite '../../outside'"),
        (lambda header: header.update(suite="../outside"), "found the suite '../outside'"),
        (lambda header: header.update(run_id="a/../../b"), "found the run 'a/../../b'"),
        (lambda header: header.update(run_id="/owned"), "found the run '/owned'"),
        (lambda header: header.update(gate=".git"), "found the gate '.git'"),
        (lambda header: header["suite_stored"].pop("graders"), "its parts contradict each other (KeyError: 'graders'"),
        (lambda header: header["suite_stored"].update(gates=["x"]), "its parts contradict each other"),
    ],
)
def test_a_name_in_a_run_file_says_nothing_about_where_reports_go(
    strange: Path, snapdrift: Callable[..., Any], change: Callable[[dict[str, Any]], Any], told: str
) -> None:
    change_header(strange, change)
    before = sorted(path for path in strange.parent.parent.rglob("*") if "__pycache__" not in str(path))

    done = snapdrift("report", "strange.db", cwd=strange.parent)

    assert (done.returncode, done.stdout) == (2, "")
    assert f"strange.db: damaged, {told}" in done.stderr
    assert sorted(path for path in strange.parent.parent.rglob("*") if "__pycache__" not in str(path)) == before


def test_a_score_of_a_variant_that_the_run_does_not_have_is_an_error_of_the_file(
    strange: Path, snapdrift: Callable[..., Any]
) -> None:
    with closing(sqlite3.connect(strange, isolation_level=None)) as connection:
        connection.execute("UPDATE calls SET variant = 'x\x1b[2J'")
    done = snapdrift("compare", "strange.db", cwd=strange.parent)
    assert done.returncode in (2, 3)
    assert "\x1b" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_reading_a_strange_run_leaves_its_file_as_it_is(strange: Path, snapdrift: Callable[..., Any]) -> None:
    before = strange.read_bytes()
    strange.chmod(0o400)
    assert snapdrift("compare", "strange.db", cwd=strange.parent).returncode == 0
    assert snapdrift("report", "strange.db", "--out", "out", cwd=strange.parent).returncode == 0
    assert strange.read_bytes() == before
    assert sorted(strange.parent.glob("strange*")) == [strange]


def test_rows_that_are_not_read_to_their_end_do_not_outlive_the_file_noisily(strange: Path) -> None:
    with open_run(strange) as run:
        rows = run.responses()
        next(rows)
    del rows  # what this raised nobody could catch: pytest makes a failure of it
    assert strange.is_file()
