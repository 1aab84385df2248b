"""`privacy` and `snapdrift export` in whole commands: what a file that is given away holds, and what it is good for."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from pyarrow.parquet import read_table
from tests.conftest import REPOSITORY

from snapdrift.model import Response
from snapdrift.pipeline.exporting import write_export
from snapdrift.reports.redaction import Redactor
from snapdrift.store import StoredRun, open_run

NOVEMBER = "gpt-4o-2024-11-20"
RUN = ("run", "evals/capitals.yaml", "--recordings", "datasets/recordings.jsonl")
SECRETS = ("Land 3", "Town 3", "No idea")
"""Of a question, of what is expected (and answered), of a wrong answer."""


def with_rules(root: Path, rules: str) -> None:
    path = root / "evals" / "capitals.yaml"
    path.write_text(f"{path.read_text()}privacy: {rules}\n")


def run_file(root: Path) -> Path:
    (path,) = (root / ".snapdrift" / "runs").glob("*.db")
    return path


PACKED = (
    "SELECT body FROM requests UNION ALL SELECT raw FROM responses UNION ALL SELECT raw FROM steps"
    " UNION ALL SELECT data FROM blobs"
)


def everything_in(path: Path) -> str:
    """All bytes of a file, all texts of its tables as they read, and all that is packed in them."""
    found = [path.read_bytes().decode("latin-1")]
    with sqlite3.connect(path) as connection:
        found += [zlib.decompress(packed).decode("utf-8", "surrogatepass") for (packed,) in connection.execute(PACKED)]
    connection.close()
    with open_run(path) as stored:
        found += [repr(stored.header), repr(stored.evaluation), repr(stored.cases()), repr(stored.scores())]
        found += [repr(list(stored.responses())), repr(list(stored.stored_steps()))]
    return "\n".join(found)


def texts_of(folder: Path) -> dict[str, str]:
    return {path.name: text_of(path) for path in folder.iterdir()}


def text_of(path: Path) -> str:
    """A file's text; of a table, what its cells hold: its bytes are packed."""
    return str(read_table(path).to_pylist()) if path.suffix == ".parquet" else path.read_text()


@pytest.fixture
def told(workspace, snapdrift) -> Any:
    """A finished run of a suite with these rules: its workspace, and what the command said."""

    def make(rules: str = "", more: str = "", **kinds: Any) -> tuple[Path, Any]:
        root = workspace(cases=20, wrong={NOVEMBER: 8}, max_blind=0.6, more=more, **kinds)
        if rules:
            with_rules(root, rules)
        return root, snapdrift(*RUN, cwd=root)

    return make


def test_reports_of_a_run_are_redacted_by_its_suite_and_its_run_file_is_not(told, snapdrift):
    root, done = told("{redact: [answer], keep: []}")
    assert done.returncode == 1, done.stderr
    shown = texts_of(root / "reports" / "capitals" / "latest")
    assert not [secret for secret in SECRETS if secret in "".join(shown.values()) + done.stdout]
    for name in ("index.html", "summary.md", "junit.xml", "verdict.json"):
        assert "redacted: answer, expected, country" in shown[name], name
    assert all(secret in everything_in(run_file(root)) for secret in SECRETS)
    assert not [s for s in SECRETS if s in snapdrift("compare", "latest", cwd=root).stdout]


def test_an_export_holds_nothing_of_what_is_redacted_and_is_told_of_in_the_same_words(told, snapdrift, tmp_path):
    root, _ = told("{redact: [answer, country]}")
    made = snapdrift("export", "latest", "-o", "out/given.db", cwd=root)
    assert made.returncode == 0, made.stderr
    assert made.stdout.endswith("written to out/given.db: without answer, country\n")
    path = root / "out" / "given.db"
    assert [each.name for each in path.parent.iterdir()] == ["given.db"]
    held = everything_in(path)
    assert "Land 3" not in held
    assert "No idea" not in held
    # Elsewhere, without the workspace, it is reported and compared as the run that it was made from.
    there = tmp_path / "elsewhere"
    there.mkdir()
    (there / "given.db").write_bytes(path.read_bytes())
    snapdrift("report", "latest", "--out", root / "mine", cwd=root)
    snapdrift("report", "given.db", "--out", there / "theirs", cwd=there)
    assert texts_of(there / "theirs") == texts_of(root / "mine")
    mine, theirs = (snapdrift("compare", run, "--json", cwd=at) for run, at in (("latest", root), ("given.db", there)))
    assert (theirs.returncode, theirs.stdout) == (mine.returncode, mine.stdout)
    assert theirs.returncode == 1


def test_what_is_named_at_the_export_is_gone_too_and_all_else_stays(told, snapdrift):
    root, _ = told()
    snapdrift("export", "latest", "-o", "given.db", "--redact", "answer", "--redact", "expected", cwd=root)
    held = everything_in(root / "given.db")
    assert "Town 3" not in held
    assert "No idea" not in held
    assert "What is the capital of Land 3?" in held
    page = snapdrift("report", "given.db", "--out", "theirs", cwd=root)
    assert "[redacted: answer, expected]" in page.stdout
    # A prompt takes its template with it, and answers stay.
    snapdrift("export", "latest", "-o", "asked.db", "--redact", "prompt", cwd=root)
    held = everything_in(root / "asked.db")
    assert "What is the capital of" not in held
    assert "Town 3" in held


NEEDING = (("resume",), ("grade",), ("calibrate", "--draw", "5", "-o", "sheet.jsonl"))


def test_an_export_holds_the_texts_of_one_case_at_a_time_and_gives_the_letters_that_a_page_gives(told, monkeypatch):
    root, _ = told("{redact: [answer]}", more="repeats: 2\n")
    held, hides = set[int](), Redactor.response

    def hide(redactor: Redactor, response: Response) -> Response:
        hidden = hides(redactor, response)
        held.add(len(redactor._letters))
        return hidden

    monkeypatch.setattr(Redactor, "response", hide)
    write_export(run_file(root), root / "given.db")
    assert held == {1}
    with open_run(run_file(root)) as before, open_run(root / "given.db") as after:
        assert after.calls() == before.calls()
        letters = {response.call: response.text for response in after.responses()}
        said = {response.call: response.text for response in before.responses()}
    assert letters.keys() == said.keys()
    for one, other in product(said, repeat=2):
        if one.case_id == other.case_id:
            assert (letters[one] == letters[other]) == (said[one] == said[other])


def test_what_needs_the_answers_refuses_an_export_and_says_why(told, snapdrift):
    root, _ = told("{redact: [answer]}")
    snapdrift("export", "latest", "-o", "given.db", cwd=root)
    before = (root / "given.db").read_bytes()
    for command, *options in NEEDING:
        done = snapdrift(command, "given.db", *options, cwd=root)
        assert done.returncode == 2, command
        assert "given.db: an export from which answer was taken out; it can be reported and compared" in done.stderr
    assert (root / "given.db").read_bytes() == before


def test_an_export_in_the_place_of_runs_is_not_taken_up_by_the_next_run(told, snapdrift):
    root, _ = told("{redact: [answer]}")
    path = run_file(root)
    snapdrift("export", "latest", "-o", "given.db", cwd=root)
    path.unlink()
    (root / "given.db").rename(path)
    again = snapdrift(*RUN, cwd=root)
    assert again.returncode == 1, again.stderr
    assert "takes up" not in again.stderr
    assert len(list(path.parent.glob("*.db"))) == 2


def test_without_rules_an_export_is_a_whole_copy_that_can_be_graded(told, snapdrift):
    root, _ = told()
    made = snapdrift("export", "latest", "-o", "given.db", "--json", cwd=root)
    assert json.loads(made.stdout) == {"run": run_file(root).stem, "path": "given.db", "redacted": []}
    assert all(secret in everything_in(root / "given.db") for secret in SECRETS)
    assert snapdrift("grade", "given.db", cwd=root).returncode == 1


def test_what_cannot_be_exported_is_told_and_no_file_is_left(told, snapdrift):
    root, _ = told("{redact: [answer]}")
    (root / "mine.db").write_text("mine")
    taken = snapdrift("export", "latest", "-o", "mine.db", cwd=root)
    assert (taken.returncode, (root / "mine.db").read_text()) == (2, "mine")
    assert "mine.db: there is a file already; name another, or remove it" in taken.stderr
    wrong = snapdrift("export", "latest", "-o", "given.db", "--redact", "contry", cwd=root)
    assert wrong.returncode == 2
    assert re.search(r'--redact: found "contry", which is no column .* did you mean "country"\?', wrong.stderr)
    with sqlite3.connect(run_file(root)) as connection:
        connection.execute("UPDATE meta SET value = 'running' WHERE key = 'state'")
    connection.close()
    early = snapdrift("export", "latest", "-o", "given.db", cwd=root)
    assert early.returncode == 2
    assert "is not finished; go on with it: `snapdrift resume" in early.stderr
    assert not [path.name for path in root.iterdir() if path.name.endswith((".draft", "given.db"))]


def test_rules_that_were_added_to_the_suite_hold_when_the_same_run_is_made_again_and_when_it_is_graded(told, snapdrift):
    root, _ = told()
    reports = root / "reports" / "capitals" / "latest"
    assert "redacted" not in (reports / "summary.md").read_text()
    with_rules(root, "{redact: [answer]}")
    # A report is of the run as it was made, under the rules that it was made under.
    snapdrift("report", "latest", cwd=root)
    assert "redacted" not in (reports / "summary.md").read_text()
    again = snapdrift(*RUN, cwd=root)
    assert "takes up run" in again.stderr
    assert "redacted: answer" in (reports / "summary.md").read_text()
    path = root / "evals" / "capitals.yaml"
    path.write_text(path.read_text().replace("{redact: [answer]}", "{redact: [country]}"))
    snapdrift("grade", "latest", cwd=root)
    assert "redacted: country" in (reports / "summary.md").read_text()


# ------------------------------------------------------------------ the repository's own suites: tools, photos, judges


def bundled(root: Path) -> Path:
    for name in ("evals", "datasets", "graders"):
        shutil.copytree(REPOSITORY / name, root / name)
    shutil.copy(REPOSITORY / "snapdrift.toml", root)
    return root


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a value of records, lists and mappings that is long enough to tell something by."""
    if isinstance(value, str):
        if len(value) >= 12:
            yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts_in(item)


def told_by(stored: StoredRun) -> set[str]:
    """What somebody wrote: cases, answers, what came between, what graders and judges said."""
    said: list[Any] = [(case.variables, case.expected, case.tool_results) for case in stored.cases()]
    for response in stored.responses():
        said += [response.text, [call.arguments for call in response.tool_calls]]
        said += [(step.text, [result.output for result in step.results], step.said) for step in response.steps]
        request = stored.request(response.call, len(response.steps))
        said.append(request and [texts for texts in texts_in(request.body) if texts.startswith("data:")])
    for score in stored.scores():
        said += [score.detail, score.evidence, score.extracted]
    return set(texts_in(said))


@pytest.mark.parametrize(
    ("suite", "cases", "columns", "kept"),
    [
        ("returns-desk", ("named-01", "photo-01"), ("photo", "tool_results"), "find_order"),
        ("safety-replies", ("ordinary-01", "ordinary-02"), (), "helpful"),
    ],
)
def test_of_tools_photos_and_judges_nothing_is_left(snapdrift, tmp_path, suite, cases, columns, kept):
    root = bundled(tmp_path)
    only = [option for case in cases for option in ("--case", case)]
    done = snapdrift("run", f"evals/{suite}.yaml", "--standin", *only, cwd=root)
    assert done.returncode == 5, done.stderr
    redact = [option for name in ("answer", "expected", "message", *columns) for option in ("--redact", name)]
    made = snapdrift("export", "latest", "-o", "given.db", *redact, cwd=root)
    assert made.returncode == 0, made.stderr
    with open_run(run_file(root)) as stored:
        written = str([stored.suite["graders"], stored.suite["variants"]])  # the suite's own words stay
        told = {text for text in told_by(stored) if text not in written}
    assert len(told) > 5
    shown = snapdrift("report", "given.db", "--out", "theirs", cwd=root)
    assert shown.returncode == 0, shown.stderr
    held = everything_in(root / "given.db") + "".join(texts_of(root / "theirs").values()) + shown.stdout
    assert [text for text in told if text in held or json.dumps(text)[1:-1] in held] == []
    assert kept in held
