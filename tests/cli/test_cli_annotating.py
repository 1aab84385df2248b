"""`--annotations` and `--verdict`: where they go, and from where paths are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

WRONG = "suite: capitals\ncases: []\nmodel: gpt-4o\n"
ACTIONS = {"GITHUB_ACTIONS": "true"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace in a folder of a repository, with a suite that is wrong."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "quality" / "evals").mkdir(parents=True)
    (tmp_path / "quality" / "snapdrift.toml").write_text("")
    (tmp_path / "quality" / "evals" / "capitals.yaml").write_text(WRONG)
    return tmp_path / "quality"


def test_mistakes_are_annotated_on_stderr_by_the_path_from_the_repository(snapdrift, folder: Path) -> None:
    done = snapdrift("check", "evals/capitals.yaml", cwd=folder, env=ACTIONS)
    assert (done.returncode, done.stdout) == (2, "")
    assert "::error file=quality/evals/capitals.yaml,line=3,col=1,title=Snapdrift::model: unknown key" in done.stderr
    told = snapdrift("check", "evals/capitals.yaml", cwd=folder, env=ACTIONS | {"GITHUB_WORKSPACE": str(folder)})
    assert "::error file=evals/capitals.yaml,line=3" in told.stderr


def test_annotations_are_for_github_unless_a_file_is_named(snapdrift, folder: Path) -> None:
    assert "::error" not in snapdrift("check", "evals/capitals.yaml", cwd=folder).stderr
    off = snapdrift("check", "evals/capitals.yaml", "--annotations", "off", cwd=folder, env=ACTIONS)
    assert "::error" not in off.stderr
    file = folder / "told"
    for _ in range(2):
        snapdrift("plan", "evals/capitals.yaml", "--annotations", file, cwd=folder)
    lines = file.read_text().splitlines()
    assert lines[: len(lines) // 2] == lines[len(lines) // 2 :]
    assert lines[0].startswith("::error file=quality/evals/capitals.yaml")


def test_a_place_that_takes_no_annotations_changes_no_exit_code(snapdrift, folder: Path) -> None:
    done = snapdrift("check", "evals/capitals.yaml", "--annotations", folder / "no" / "such", cwd=folder)
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    assert "model: unknown key" in done.stderr


def test_watch_says_when_it_last_reported_and_writes_what_it_is_asked_for(snapdrift, tmp_path: Path) -> None:
    (tmp_path / "evals").mkdir()
    suite = {
        "suite": "capitals",
        "cases": [{"id": f"c{n}", "country": f"Land {n}"} for n in range(20)],
        "prompt": {"input": "{{ country }}"},
        "variants": {"pinned": {"model": "gpt-4o-2024-11-20"}, "alias": {"model": "gpt-4o"}},
        "graders": [{"name": "said", "contains": "a"}],
        "gate": {
            "baseline": {"variant": "pinned"},
            "candidates": ["alias"],
            "metrics": {"said": {"margin": 0.1}},
            "max_blind": 0.6,
        },
    }
    (tmp_path / "evals" / "capitals.yaml").write_text(json.dumps(suite))
    asked = ("watch", "evals/capitals.yaml", "--overdue")
    never = snapdrift(*asked, "3d", "--summary", "said.md", cwd=tmp_path)
    assert (never.returncode, never.stdout) == (0, "capitals, gate default: never watched\n")
    assert "never watched" in (tmp_path / "said.md").read_text()
    state = {"format": "snapdrift.watch-state/1", "suite": "capitals", "gate": "default", "nights": 2}
    state["last_night"] = "2026-01-01T00:00:00+00:00"
    (tmp_path / ".snapdrift" / "watch").mkdir(parents=True, exist_ok=True)
    (tmp_path / ".snapdrift" / "watch" / "capitals.default.json").write_text(json.dumps(state))
    late = snapdrift(*asked, "3d", cwd=tmp_path, env=ACTIONS)
    assert late.returncode == 3
    assert "OVERDUE" in late.stdout
    assert late.stderr.startswith("::error title=Snapdrift::capitals, gate default OVERDUE")
    wrong = snapdrift(*asked, "soon", cwd=tmp_path)
    assert (wrong.returncode, wrong.stderr) == (2, "--overdue: found 'soon'; expected a time such as 36h, 3d or 1w\n")
