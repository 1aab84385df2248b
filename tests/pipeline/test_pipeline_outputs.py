"""Where the results of a command go (a folder, one file for CI, one JSON text), and who is said to have answered."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from snapdrift.model import Endpoint, Source
from snapdrift.pipeline.concluding import asked_source
from snapdrift.pipeline.reruns import REACHED
from snapdrift.pipeline.targets import STANDIN

FILES = {"index.html", "verdict.json", "junit.xml", "summary.md", "results.csv", "results.parquet"}
NOVEMBER = "gpt-4o-2024-11-20"
ANSWERS = ("--recordings", "datasets/recordings.jsonl")
RUN = ("run", "evals/capitals.yaml", *ANSWERS)
SUITES = ("capitals", "capitals-again")
BOTH = ("run", "evals/capitals.yaml", "evals/capitals-again.yaml", *ANSWERS)


def folder(root: Path, suite: str = "capitals") -> Path:
    """The one run folder of a suite."""
    [found] = [path for path in (root / "reports" / suite).iterdir() if path.name != "latest"]
    return found


@pytest.fixture
def two_suites(workspace) -> Path:
    """A workspace with the suite twice; the first regresses."""
    root: Path = workspace(wrong={NOVEMBER: 12})
    text = (root / "evals" / "capitals.yaml").read_text()
    again = text.replace("suite: capitals", "suite: capitals-again").replace("[november]", "[august-too]")
    again = again.replace(f"november: {{model: {NOVEMBER}}}", "august-too: {model: gpt-4o-2024-08-06}")
    (root / "evals" / "capitals-again.yaml").write_text(again)
    return root


def test_junit_and_summary_are_written_besides_those_of_the_run(workspace, snapdrift, tmp_path):
    root = workspace()
    done = snapdrift(*RUN, "--junit", tmp_path / "ci" / "j.xml", "--summary", tmp_path / "ci" / "s.md", cwd=root)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in folder(root).iterdir()} == FILES
    assert (tmp_path / "ci" / "j.xml").read_text() == (folder(root) / "junit.xml").read_text()
    page = f"reports/capitals/{folder(root).resolve().name}/index.html"
    beside = (folder(root) / "summary.md").read_text()
    assert (tmp_path / "ci" / "s.md").read_text() == beside.replace("Report: `index.html`", f"Report: `{page}`")


@pytest.mark.parametrize("command", ["run", "report"])
def test_several_suites_make_one_junit_file_and_one_summary(two_suites, snapdrift, tmp_path, command):
    out = tmp_path / "ci"
    files = ("--junit", out / "junit.xml", "--summary", out / "summary.md")
    if command == "run":
        assert snapdrift(*BOTH, *files, cwd=two_suites).returncode == 1
    else:
        snapdrift(*BOTH, cwd=two_suites)
        runs = [folder(two_suites, suite).name for suite in SUITES]
        assert snapdrift("report", *runs, *files, cwd=two_suites).returncode == 0
    assert {path.name for path in out.iterdir()} == {"junit.xml", "summary.md"}
    root = ET.parse(out / "junit.xml").getroot()  # noqa: S314
    assert root.tag == "testsuites"
    assert [suite.get("name") for suite in root] == ["capitals (default)", "capitals-again (default)"]
    summary = (out / "summary.md").read_text()
    assert [line.split(":")[0] for line in summary.splitlines() if line.startswith("### ")] == [
        "### capitals", "### capitals-again",
    ]  # fmt: skip
    for suite in SUITES:
        assert {path.name for path in folder(two_suites, suite).iterdir()} == FILES


def test_json_of_several_suites_is_one_array(two_suites, snapdrift):
    done = snapdrift(*BOTH, "--json", cwd=two_suites)
    verdicts = [json.loads((folder(two_suites, suite) / "verdict.json").read_text()) for suite in SUITES]
    assert json.loads(done.stdout) == verdicts


def test_json_of_one_suite_is_its_verdict(workspace, snapdrift):
    root = workspace()
    done = snapdrift(*RUN, "--json", cwd=root)
    assert json.loads(done.stdout) == json.loads((folder(root) / "verdict.json").read_text())


def test_a_file_that_cannot_be_written_is_named_after_what_was_concluded(workspace, snapdrift, tmp_path):
    root = workspace(wrong={NOVEMBER: 12})
    (tmp_path / "taken").mkdir()
    done = snapdrift(*RUN, "--junit", tmp_path / "taken", cwd=root)
    assert done.returncode == 2
    concluded, failure = done.stderr.splitlines()[-2:]
    assert concluded.startswith("capitals: regression [recorded]: `november` is worse than `august` on capital")
    assert f"cannot be written to {tmp_path / 'taken'}: Is a directory" in failure
    assert f"snapdrift report {folder(root).name}" in failure


def test_a_report_folder_that_cannot_be_made_is_named_after_what_was_concluded(workspace, snapdrift, tmp_path):
    root = workspace()
    (tmp_path / "taken").write_text("")
    done = snapdrift(*RUN, "--out", tmp_path / "taken" / "out", cwd=root)
    assert done.returncode == 2
    assert "capitals: passed [recorded]: " in done.stderr
    assert str(tmp_path / "taken") in done.stderr.splitlines()[-1]


def test_a_template_that_is_wrong_does_not_hide_what_was_concluded(workspace, snapdrift):
    root = workspace()
    (root / "reports" / "templates").mkdir(parents=True)
    (root / "reports" / "templates" / "index.html.j2").write_text("{% broken")
    done = snapdrift(*RUN, cwd=root)
    assert done.returncode == 2
    assert "capitals: passed [recorded]: " in done.stderr
    assert "index.html.j2" in done.stderr


def test_a_folder_named_latest_is_left_alone_and_is_no_failure(workspace, snapdrift):
    root = workspace()
    (root / "reports" / "capitals" / "latest" / "mine").mkdir(parents=True)
    done = snapdrift(*RUN, cwd=root)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in folder(root).iterdir()} == FILES
    assert (root / "reports" / "capitals" / "latest" / "mine").is_dir()


# ------------------------------------------------------------ who was asked


def failing(root: Path, model: str | None = None) -> None:
    """Leaves the recordings without answers, of one model or of all: the stand-in then has none to give."""
    path = root / "datasets" / "recordings.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    kept = [row for row in rows if model is not None and row["model"] != model]
    other = {"model": model or NOVEMBER, "input": "something else", "output": "x"}
    path.write_text("".join(json.dumps(row) + "\n" for row in [*kept, other]))


def test_a_stand_in_that_only_failed_is_labelled_and_never_called_openai(workspace, snapdrift):
    root = workspace()
    failing(root)
    done = snapdrift(*RUN, cwd=root)
    assert done.returncode == 3, done.stderr
    assert "[simulated]" in done.stdout.splitlines()[0]
    for name in FILES - {"results.parquet"}:
        assert "simulated" in (folder(root) / name).read_text(), name
    verdict = json.loads((folder(root) / "verdict.json").read_text())
    assert {variant["source"] for variant in verdict["variants"]} == {"simulated"}
    assert "asked a stand-in, which gave no answer" in verdict["labels"][0]["meaning"]
    assert "[simulated]" in snapdrift("compare", "latest", cwd=root).stdout.splitlines()[0]


def test_a_variant_without_answers_is_labelled_beside_one_with_answers(workspace, snapdrift):
    root = workspace()
    failing(root, NOVEMBER)
    snapdrift(*RUN, cwd=root)
    verdict = json.loads((folder(root) / "verdict.json").read_text())
    assert [variant["source"] for variant in verdict["variants"]] == ["recorded", "simulated"]
    assert {label["word"] for label in verdict["labels"]} == {"recorded", "simulated"}


class Stored:
    """A run file of which only what it reached, and which way its one variant is asked, is read."""

    def __init__(self, reached: list[str] | None, endpoint: Endpoint = Endpoint.RESPONSES) -> None:
        self._meta = {} if reached is None else {REACHED: json.dumps(reached)}
        self.header = SimpleNamespace(variants=(SimpleNamespace(endpoint=endpoint),))

    def meta(self, key: str) -> str | None:
        return self._meta.get(key)


@pytest.mark.parametrize(
    ("reached", "source"),
    [
        ([STANDIN], Source.SIMULATED),
        (["http://127.0.0.1:8000/v1"], Source.HOST),
        (["http://127.0.0.1:8000/v1", STANDIN], Source.HOST),
        (["https://api.openai.com/v1"], Source.OPENAI),
        (["https://eu.api.openai.com/v1"], Source.OPENAI),
        (["http://127.0.0.1:8000/v1", "https://api.openai.com/v1"], Source.OPENAI),
        (None, Source.OPENAI),
    ],
)
def test_whom_a_run_asked_is_told_from_what_it_reached(reached: list[str] | None, source: Source) -> None:
    stored: Any = Stored(reached)
    assert asked_source(stored) is source


@pytest.mark.parametrize(("endpoint", "source"), [(Endpoint.PYTHON, Source.PYTHON), (Endpoint.OUTPUTS, Source.OUTPUTS)])
def test_a_run_without_a_host_asked_an_application_or_a_file(endpoint: Endpoint, source: Source) -> None:
    stored: Any = Stored([], endpoint)
    assert asked_source(stored) is source
