"""`reports/index.html` over the runs of a workspace: what is listed, what feeds a line, and what cannot fail."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import clean_environment

from snapdrift.pipeline import indexing
from snapdrift.pipeline.indexing import look_at, read_runs, write_index_of
from snapdrift.pipeline.run_cache import FILE_NAME, read_cache
from snapdrift.reports.runs_html import write_index
from snapdrift.reports.runs_index import IndexData
from snapdrift.store import StoredRun, open_run

AUGUST, NOVEMBER = "gpt-4o-2024-08-06", "gpt-4o-2024-11-20"
SUITE = """\
suite: capitals
dataset: datasets/capitals.jsonl
prompt: {input: "What is the capital of {{ country }}?"}
request: {temperature: 0, max_output_tokens: 64}
variants:
  pinned: {model: gpt-4o-2024-08-06}
  alias: {model: gpt-4o}
graders: [{name: capital, exact: "{{ expected }}"}]
gate:
  baseline: {variant: pinned}
  candidates: [alias]
  metrics: {capital: {margin: 0.05}}
  max_blind: 0.4
  discordance: 0.02
"""
RUN = ("run", "evals/capitals.yaml")
RECORDED = ("--recordings", "datasets/recordings.jsonl")
Command = Callable[..., Any]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, snapdrift: Command) -> Path:
    """A workspace with two recorded runs, between which the alias moved, a simulated one and a partial one."""
    root = tmp_path_factory.mktemp("indexing")
    for folder in ("evals", "datasets"):
        (root / folder).mkdir()
    (root / "evals" / "capitals.yaml").write_text(SUITE)
    names = [(f"c{number}", f"Land {number}", f"Town {number}") for number in range(40)]
    rows = [{"id": name, "country": land, "expected": town} for name, land, town in names]
    answers = [
        {"model": model, "input": f"What is the capital of {land}?", "output": town}
        for _, land, town in names
        for model in (AUGUST, NOVEMBER)
    ]
    for name, lines in (("capitals", rows), ("recordings", answers)):
        (root / "datasets" / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for snapshot in (AUGUST, NOVEMBER):
        (root / "snapdrift.toml").write_text(f'[standin]\nalias = {{"gpt-4o" = "{snapshot}"}}\n')
        done = snapdrift(*RUN, *RECORDED, "--fresh", cwd=root)
        assert done.returncode == 0, done.stderr
    snapdrift(*RUN, "--behaviour", "plausible", "--fresh", cwd=root)
    snapdrift(*RUN, *RECORDED, "--case", "c1", cwd=root)
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(made, tmp_path / "workspace", symlinks=True, copy_function=shutil.copy2))


def runs_of(root: Path) -> list[Path]:
    return sorted((root / ".snapdrift" / "runs").glob("*.db"))


def read(root: Path) -> IndexData:
    return read_runs(look_at(root / ".snapdrift" / "runs", root / "reports"))


def page_of(root: Path) -> str:
    return (root / "reports" / "index.html").read_text()


def test_every_run_is_listed_with_a_link_to_its_report_that_leads_somewhere(made: Path) -> None:
    page = page_of(made)
    links = re.findall(r'<a href="([^"]+)">', page.split('class="runs"')[1])

    assert [link.split("/")[1] for link in links] == [path.stem for path in reversed(runs_of(made))]
    assert all((made / "reports" / link).is_file() for link in links)
    assert re.findall(r'data-decision="(\w+)"', page)[0] == "not_gated"
    assert "partial run" in page


def test_the_move_of_the_alias_is_told_and_marked_and_simulated_answers_have_a_line_of_their_own(made: Path) -> None:
    page = page_of(made)
    described = re.findall(r'aria-label="(capital of [^"]+)"', page)

    assert f"moved from {AUGUST} to {NOVEMBER}, first in run {runs_of(made)[1].stem}" in page
    assert [text.split(":")[0] for text in described] == [
        "capital of alias (recorded)",
        "capital of alias (simulated)",
        "capital of pinned (recorded)",
        "capital of pinned (simulated)",
    ]
    assert "2 runs" in described[0]
    assert "the alias moved on" in described[0]
    assert "one run" in described[1]
    assert page.count('class="moved"') == 1


def test_run_names_the_list_but_not_where_quiet_or_json_is_asked_for(root: Path, snapdrift: Command) -> None:
    run = runs_of(root)[0].stem
    told = f"all runs: {root.resolve() / 'reports' / 'index.html'}"

    assert told in snapdrift("report", run, cwd=root).stdout.splitlines()
    assert told not in snapdrift("report", run, "--quiet", cwd=root).stdout
    assert json.loads(snapdrift("report", run, "--json", cwd=root).stdout)["run"]["id"] == run


def test_a_file_is_read_once_and_again_when_it_changed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read(root)
    opened: list[str] = []

    def counted(path: Path) -> StoredRun:
        opened.append(path.name)
        return open_run(path)

    monkeypatch.setattr(indexing, "open_run", counted)
    kept = read(root)
    assert opened == []
    assert len(kept.runs) == 4

    first = runs_of(root)[0]
    connection = sqlite3.connect(first)
    connection.execute("UPDATE meta SET value = 'interrupted' WHERE key = 'state'")
    connection.commit()
    connection.close()
    changed = {run.run_id: run.decision for run in read(root).runs}
    assert opened == [first.name]
    assert changed[first.stem] is None


@pytest.mark.parametrize("damage", ["", "no cache", '{"format": 0}\n', "half a line of what was"])
def test_a_damaged_memory_is_made_anew(root: Path, damage: str) -> None:
    before = read(root)
    cache = root / ".snapdrift" / FILE_NAME
    text = cache.read_text()
    cache.write_text(text[: len(text) // 2] if damage.startswith("half") else damage)

    assert read(root).runs == before.runs
    assert len(read_cache(root / ".snapdrift")) == 4


def test_a_deleted_run_stays_as_its_verdict_and_its_report_can_still_be_opened(root: Path, snapdrift: Command) -> None:
    first = runs_of(root)[0]
    first.unlink()
    assert snapdrift("report", "--index", cwd=root).returncode == 0
    page = page_of(root)

    assert "run file deleted" in page
    assert f'href="capitals/{first.stem}/index.html"' in page
    assert f"moved from {AUGUST}" not in page
    (run,) = [one for one in read(root).runs if one.deleted]
    assert (run.run_id, run.suite, str(run.decision)) == (first.stem, "capitals", "passed")


def test_files_that_cannot_be_read_are_named_and_runs_under_way_say_how_to_go_on(root: Path) -> None:
    (root / ".snapdrift" / "runs" / "20990101-000000-0000.db").write_text("no run")
    second = runs_of(root)[1]
    connection = sqlite3.connect(second)
    connection.execute("UPDATE meta SET value = 'running' WHERE key = 'state'")
    connection.commit()
    connection.close()
    write_index_of(second.parent, root / "reports", root / "none")
    page = page_of(root)

    assert "20990101-000000-0000.db" in page
    assert f"snapdrift resume {second.stem}" in page


def test_only_so_many_runs_of_a_suite_are_listed_and_the_others_counted(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "LISTED", 2)
    data = read(root)

    assert sorted(run.run_id for run in data.runs) == [path.stem for path in runs_of(root)[2:]]
    assert data.unlisted == {"capitals": 2}
    assert [run.run_id for run in data.drawn] == [runs_of(root)[1].stem]  # a partial run takes no whole one's place


def test_what_another_command_ends_with_meanwhile_is_in_the_list(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late = runs_of(root)[3]
    hidden = late.rename(root / late.name)
    written: list[int] = []

    def meanwhile(view: Any, path: Path, templates: Path | None) -> None:
        write_index(view, path, templates)
        written.append(view.listed)
        if hidden.exists():
            hidden.rename(late)

    monkeypatch.setattr("snapdrift.reports.runs_html.write_index", meanwhile)
    write_index_of(late.parent, root / "reports", root / "none")
    assert written == [4, 4]  # of the one that was not there yet, its verdict
    assert "run file deleted" not in page_of(root)


def test_two_commands_at_once_leave_a_whole_list_and_a_whole_memory(root: Path, snapdrift_command: Path) -> None:
    command = [str(snapdrift_command), "report", "--index"]
    started = [
        subprocess.Popen(command, cwd=root, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(2)
    ]
    told = [process.communicate()[0].decode() for process in started]

    assert [process.returncode for process in started] == [0, 0], told
    assert page_of(root).rstrip().endswith("</html>")
    assert len(read_cache(root / ".snapdrift")) == 4
    assert not [path for path in root.rglob(".*") if path.name.startswith((".index.html", f".{FILE_NAME}"))]


@pytest.mark.parametrize("spoiled", ["template", "folder"])
def test_a_list_that_cannot_be_written_is_a_notice_and_no_failure(root: Path, snapdrift: Command, spoiled: str) -> None:
    if spoiled == "template":
        (root / "reports" / "templates").mkdir()
        (root / "reports" / "templates" / "runs.html.j2").write_text("{% broken")
    else:
        (root / "reports" / "index.html").unlink()
        (root / "reports" / "index.html").mkdir()
    done = snapdrift("report", "latest", cwd=root)

    assert done.returncode == 0
    assert "the list of all runs cannot be written: " in done.stderr
    assert "all runs:" not in done.stdout
    assert snapdrift("report", "--index", cwd=root).returncode == 2


def test_reports_elsewhere_refresh_a_list_that_is_there_and_make_none(root: Path, snapdrift: Command) -> None:
    page = root / "reports" / "index.html"
    page.write_text("old")
    assert snapdrift("report", "latest", "--out", "elsewhere", cwd=root).returncode == 0
    assert "All runs" in page.read_text()

    shutil.rmtree(root / "reports")
    done = snapdrift("report", "latest", "--out", "elsewhere", cwd=root)
    assert (done.returncode, "all runs:" in done.stdout, (root / "reports").exists()) == (0, False, False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "found no RUN; expected at least one, or --index"),
        (("--index", "latest"), "expected it alone"),
        (("--index", "--json"), "expected it alone"),
    ],
)
def test_report_says_what_it_expects(made: Path, snapdrift: Command, arguments: tuple[str, ...], said: str) -> None:
    done = snapdrift("report", *arguments, cwd=made)
    assert (done.returncode, said in done.stderr) == (2, True)


def test_without_runs_there_is_nothing_to_list(tmp_path: Path, snapdrift: Command) -> None:
    (tmp_path / "snapdrift.toml").write_text("")
    done = snapdrift("report", "--index", cwd=tmp_path)
    assert (done.returncode, "found no runs to list" in done.stderr) == (2, True)
