"""`--changed`: of the suites of a command, those that a branch touched."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.conftest import Snapdrift
from tests.repositories import SUITE, VAGUE, GitWorkspace

RULES = "def grade(case, response):\n    return {'score': 1.0}\n"
GRADED = """\
suite: graded
dataset: datasets/graded.jsonl
prompt: {input: "{{ country }}"}
models: [gpt-4o-2024-11-20]
graders:
  - {name: own, python: "graders/own.py:grade"}
gate: {metrics: {own: {at_least: 0.5}}}
"""


@pytest.fixture
def git(tmp_path: Path) -> GitWorkspace:
    """Two suites, the second with a Python grader that imports a module of the workspace."""
    git = GitWorkspace(tmp_path / "repository", cases=3, suite=SUITE.replace("max_blind: 0.3", "max_blind: 0.99"))
    git.write("evals/graded.yaml", GRADED)
    git.write("datasets/graded.jsonl", '{"id": "a", "country": "Land 1"}\n')
    git.write("graders/own.py", "from rules.strict import grade\n")
    git.write("rules/__init__.py", "")
    git.write("rules/strict.py", f"from . import words\n\n{RULES}")
    git.write("rules/words.py", "YES = 'yes'\n")
    git.commit("on main")
    git.git("branch", "-q", "-f", "main")
    return git


def test_nothing_affected_is_a_result_of_its_own(git: GitWorkspace, snapdrift: Snapdrift) -> None:
    git.write("notes.md", "Nothing that a suite is made of.\n")
    summary = git.top / "summary.md"
    both = ("evals/capitals.yaml", "evals/graded.yaml")
    done = snapdrift("run", *both, "--changed", "main", "--standin", "--summary", summary, cwd=git.root)
    base = git.git("rev-parse", "main")[:8]
    said = f"2 suites not affected by what changed since the merge base with main ({base}): {', '.join(both)}\n"
    assert (done.returncode, done.stdout) == (0, said)
    assert summary.read_text().startswith("### Snapdrift: no suite was run\n\n2 suites not affected")
    no_forge = {"GITHUB_BASE_REF": "", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": ""}
    checked = snapdrift("check", *both, "--changed", "merge-base", cwd=git.root, env=no_forge)
    assert (checked.returncode, checked.stdout) == (0, said)


@pytest.mark.parametrize(
    ("path", "text", "suite"),
    [
        ("prompts/capital.yaml", 'input: "Name the capital of {{ country }}."\n', "capitals"),
        ("datasets/graded.jsonl", '{"id": "b", "country": "Land 2"}\n', "graded"),
        ("rules/words.py", "YES = 'no'\n", "graded"),
    ],
)
def test_the_suite_is_named_with_the_file_that_made_it_so(
    git: GitWorkspace, snapdrift: Snapdrift, path: str, text: str, suite: str
) -> None:
    git.write(path, text)
    if suite == "capitals":
        git.commit("committed or not makes no difference")
    both = ("evals/capitals.yaml", "evals/graded.yaml")
    done = snapdrift("plan", *both, "--changed", "main", "--json", cwd=git.root)
    assert [one["suite"] for one in json.loads(done.stdout)["suites"]] == [suite]
    assert f"evals/{suite}.yaml: affected since" in done.stderr
    assert done.stderr.splitlines()[0].endswith(f": {path}") or f": {path}\n" in done.stderr


def test_what_git_does_not_track_counts_as_touched_and_the_configuration_for_all(
    git: GitWorkspace, snapdrift: Snapdrift
) -> None:
    git.write("prompts/new.yaml", 'input: "{{ country }}?"\n')
    git.edit_suite("prompts/capital.yaml", "prompts/new.yaml")
    done = snapdrift("check", "evals/capitals.yaml", "--changed", "main", "--baseline-ref", "HEAD", cwd=git.root)
    assert "evals/capitals.yaml, prompts/new.yaml (not in git)" in done.stderr
    git.write("snapdrift.toml", (git.root / "snapdrift.toml").read_text() + "\n# a word\n")
    done = snapdrift("check", "evals/graded.yaml", "--changed", "main", cwd=git.root)
    assert done.stderr.rstrip().endswith(": snapdrift.toml")


def test_an_acceptance_touches_its_suite_also_when_it_is_taken_out(git: GitWorkspace, snapdrift: Snapdrift) -> None:
    entry = "- {{suite: {}, case: {}, metric: {}, why: w, by: ada, until: {}}}\n"
    day = (datetime.now(UTC).date() + timedelta(days=30)).isoformat()
    both = entry.format("capitals", "c1", "capital", day) + entry.format("graded", "a", "own", day)
    git.write("evals/accepted.yaml", both)
    git.commit("accepted")
    git.git("branch", "-q", "-f", "main")
    git.write("evals/accepted.yaml", entry.format("graded", "a", "own", day))
    both_suites = ("evals/capitals.yaml", "evals/graded.yaml")
    done = snapdrift("check", *both_suites, "--changed", "main", cwd=git.root)
    assert "evals/capitals.yaml: affected since" in done.stderr
    assert "): evals/accepted.yaml\n" in done.stderr
    assert done.stdout.startswith("1 suite not affected by what changed since")
    assert ": evals/graded.yaml\n" in done.stdout


def test_what_main_did_after_the_branch_left_it_touches_nothing(git: GitWorkspace, snapdrift: Snapdrift) -> None:
    git.git("checkout", "-q", "main")
    git.prompt(VAGUE)
    git.commit("main goes on")
    git.git("checkout", "-q", "edit")
    done = snapdrift("check", "evals/capitals.yaml", "--changed", "main", cwd=git.root)
    assert done.stdout.startswith("1 suite not affected")
