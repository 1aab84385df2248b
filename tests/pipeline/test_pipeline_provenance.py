"""Where a run comes from, and when two runs are the same."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from snapdrift import __version__
from snapdrift.pipeline import provenance
from snapdrift.pipeline.provenance import GitFacts, git_facts, run_identity, versions

SAME: dict[str, Any] = {
    "commit": "abc",
    "suite_hash": "1",
    "gate": "default",
    "selection": [["c1"], ["august"], 1],
    "target": ["x"],
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit of one file."""
    (tmp_path / "suite.yaml").write_text("suite: s\n")
    settings = ["-c", "user.name=Tester", "-c", "user.email=tester@example.com", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q"], ["add", "suite.yaml"], ["commit", "-q", "-m", "One"]):
        subprocess.run(["git", *settings, *arguments], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


def test_a_clean_repository_has_a_commit_and_is_not_dirty(repository):
    facts = git_facts(repository)
    assert facts.commit is not None
    assert len(facts.commit) == 40
    assert facts.dirty is False


def test_a_changed_file_makes_it_dirty_and_a_new_one_does_not(repository):
    (repository / "report.html").write_text("x")
    assert git_facts(repository).dirty is False
    (repository / "suite.yaml").write_text("suite: t\n")
    assert git_facts(repository).dirty is True


def test_without_a_repository_or_a_commit_nothing_is_known(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_facts(tmp_path) == GitFacts(None, None)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True, capture_output=True)
    assert git_facts(tmp_path) == GitFacts(None, None)


def test_without_git_nothing_is_known(repository, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert git_facts(repository) == GitFacts(None, None)


def test_a_git_that_hangs_is_not_waited_for_for_long(repository, monkeypatch):
    slow = repository.parent / "slow"
    slow.mkdir()
    (slow / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (slow / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(slow), prepend=":")
    monkeypatch.setattr(provenance, "GIT_TIMEOUT_S", 0.2)
    assert git_facts(repository) == GitFacts(None, None)


def test_versions_name_what_can_change_a_result():
    found = versions()
    assert found["snapdrift"] == __version__
    assert {"python", "openai", "jinja2", "scipy"} <= set(found)


@pytest.mark.parametrize("part", list(SAME))
def test_a_run_is_another_when_any_part_of_its_identity_is(part):
    assert run_identity(**SAME) == run_identity(**SAME)
    assert run_identity(**{**SAME, part: "other"}) != run_identity(**SAME)
