"""Links that whoever opens a pull request can commit lead nothing that commands write out of the workspace."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

SUITE = """\
suite: {name}
cases: [{{id: c1, q: "How much?"}}]
prompt: {{input: "{{{{ q }}}}"}}
variants: {{august: {{model: gpt-4o-2024-08-06}}}}
graders: [{{contains: "a"}}]
gate: {{metrics: {{contains: {{at_least: 0.0}}}}}}
"""
STATE = [
    "verdicts.jsonl",
    "runs_index.jsonl",
    "runs",
    "unfinished",
    "watch",
    "calibrations",
    "cache.db",
    "ledger.db",
]
REPORTS = ["reports", "reports/plain", "reports/plain/latest", "reports/index.html"]


@pytest.fixture
def place(tmp_path: Path) -> Callable[..., Path]:
    """Makes a workspace with one suite, and beside it a folder with a file that nothing may be written to."""

    def make(name: str = "plain") -> Path:
        root = tmp_path / "workspace"
        (root / "evals").mkdir(parents=True)
        (root / "evals" / "plain.yaml").write_text(SUITE.format(name=name))
        (root / "snapdrift.toml").write_text("")
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside" / "bashrc").write_text("mine\n")
        return root

    return make


def link(root: Path, name: str, to: str = "") -> None:
    """Makes `name` a link to what is outside: the file where it looks like one, else the folder."""
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    outside = root.parent / "outside"
    (root / name).symlink_to(outside / (to or ("bashrc" if Path(name).suffix else "")))


def is_untouched(root: Path) -> bool:
    outside = root.parent / "outside"
    return [path.name for path in outside.rglob("*")] == ["bashrc"] and (outside / "bashrc").read_text() == "mine\n"


def run(snapdrift, root: Path, *more: str | Path):
    return snapdrift("run", "evals/plain.yaml", "--standin", "--no-code", *more, cwd=root)


@pytest.mark.parametrize("name", [".snapdrift", *(f".snapdrift/{name}" for name in STATE), *REPORTS])
def test_a_run_writes_through_no_link(place, snapdrift, name: str) -> None:
    root = place()
    link(root, name)
    done = run(snapdrift, root)
    assert (done.returncode, is_untouched(root)) == (2, True), done.stderr
    assert f"{name} is a link that leads to {root.parent}/outside" in done.stderr
    assert "; expected " in done.stderr


@pytest.mark.parametrize("name", ["runs/{run}.db", "runs/{run}.lock"])
def test_what_is_made_again_of_a_run_is_written_through_no_link(place, snapdrift, name: str) -> None:
    root = place()
    assert run(snapdrift, root).returncode == 0
    (file,) = (root / ".snapdrift" / "runs").glob("*.db")
    at = f".snapdrift/{name.format(run=file.stem)}"
    (root / at).unlink(missing_ok=True)
    link(root, at)
    done = snapdrift("report", file.stem, cwd=root)
    assert (done.returncode, is_untouched(root)) == (2, True), done.stderr


@pytest.mark.parametrize("name", ["", "index.html", "junit.xml", "summary.md", "verdict.json", "results.csv", "cases"])
def test_a_report_that_is_written_again_follows_no_link(place, snapdrift, name: str) -> None:
    root = place()
    assert run(snapdrift, root).returncode == 0
    (file,) = (root / ".snapdrift" / "runs").glob("*.db")
    at = root / "reports" / "plain" / file.stem
    for old in at.iterdir() if not name else [at / name]:
        old.unlink(missing_ok=True)
    if not name:
        at.rmdir()
    link(root, str(at.relative_to(root) / name))
    done = snapdrift("report", file.stem, cwd=root)
    assert (done.returncode, is_untouched(root)) == (2, True), done.stderr


def test_a_suite_called_as_the_folder_of_templates_has_its_report_written_through_no_link(place, snapdrift) -> None:
    root = place("templates")
    (root.parent / "outside" / "empty").mkdir()
    link(root, "reports/templates", "empty")
    done = run(snapdrift, root)
    assert (done.returncode, list((root.parent / "outside" / "empty").iterdir())) == (2, [])
    assert "reports/templates is a link" in done.stderr
    assert not (root / ".snapdrift").exists()  # said before anything is asked


@pytest.mark.parametrize("name", ["", "cases"])
def test_nor_is_it_when_it_is_written_again(place, snapdrift, name: str) -> None:
    root = place("templates")
    assert run(snapdrift, root).returncode == 0
    (file,) = (root / ".snapdrift" / "runs").glob("*.db")
    at = root / "reports" / "templates" / file.stem
    if not name:
        for old in at.iterdir():
            old.unlink()
        at.rmdir()
    link(root, str(at.relative_to(root) / name))
    done = snapdrift("report", file.stem, cwd=root)
    assert (done.returncode, is_untouched(root)) == (2, True), done.stderr


def test_a_folder_that_the_command_line_names_is_the_users_own_word(place, snapdrift) -> None:
    root = place()
    link(root, "pages", ".")
    assert run(snapdrift, root, "--out", "pages/report").returncode == 0
    assert (root.parent / "outside" / "report" / "index.html").is_file()


def test_a_report_outside_of_workspaces_is_written_through_no_link(place, snapdrift) -> None:
    root = place()
    assert run(snapdrift, root).returncode == 0
    (file,) = (root / ".snapdrift" / "runs").glob("*.db")
    bare = root.parent / "bare"
    bare.mkdir()
    file.rename(bare / file.name)
    link(bare, "reports")
    done = snapdrift("report", file.name, cwd=bare)
    assert (done.returncode, is_untouched(root)) == (2, True), done.stderr


def test_an_archive_that_nobody_named_is_written_through_no_link(place, snapdrift) -> None:
    root = place()
    assert run(snapdrift, root).returncode == 0
    link(root, "evals/archives")
    done = snapdrift("archive", "latest", "--variant", "august", "--force", cwd=root)
    assert (done.returncode, is_untouched(root)) == (2, True), done.stderr
    assert "evals/archives is a link that leads to" in done.stderr


@pytest.mark.parametrize("name", ["runs", ".verdicts.jsonl.draft", ".state.json.draft"])
def test_a_push_to_a_folder_writes_through_no_link_in_it(place, snapdrift, name: str) -> None:
    root = place()
    assert run(snapdrift, root).returncode == 0
    link(root, f"kept/{name}", "bashrc" if "draft" in name else "")
    done = snapdrift("state", "push", "--to", "kept", cwd=root)
    assert is_untouched(root)
    refused = "kept/runs: found a link; expected a folder" in done.stderr
    assert (done.returncode, refused) == ((2, True) if name == "runs" else (0, False)), done.stderr


def test_a_check_of_the_machine_writes_nothing_where_a_link_leads(place, snapdrift) -> None:
    root = place()
    link(root, ".snapdrift")
    before = (root.parent / "outside").stat().st_mtime_ns
    done = snapdrift("doctor", "--json", cwd=root)
    assert ".snapdrift is a link that leads to" in json.dumps(json.loads(done.stdout))
    assert (root.parent / "outside").stat().st_mtime_ns == before
