"""A repository with a suite that is red on the stand-in, its remote, GitHub's API, and machines that check it out."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.ci.github_actions import ROOT, Runner, command_on_path
from tests.ci.github_api import TOKEN, GitHub, github_api

SUITE = """\
suite: capitals
dataset: datasets/capitals.jsonl
prompt: {input: "What is the capital of {{ country }}?"}
request: {temperature: 0, max_output_tokens: 64}
variants:
  august: {model: gpt-4o-2024-08-06}
  november: {model: gpt-4o-2024-11-20}
  alias: {model: gpt-4o}
graders:
  - {name: capital, exact: "{{ expected }}"}
gates:
  default:
    baseline: {variant: august}
    candidates: [november]
    max_blind: 0.4
    metrics:
      capital: {margin: 0.05}
  nightly:
    extends: default
    candidates: [alias]
budget: {usd: 1}
"""
CONFIG = """\
[standin]
alias = { "gpt-4o" = "gpt-4o-2024-08-06" }
[standin.suites.capitals]
answers = "datasets/capitals.jsonl"
behaviour = "right"
variants = { november = "poor" }
[standin.behaviours.right]
template = "{expected}"
[standin.behaviours.poor]
template = "{expected}"
wrong = 0.6
"""
CASES = 30


def git(folder: Path, *arguments: str) -> str:
    """What git prints, in a folder, with nobody's own configuration."""
    env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    env |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    who = ["-c", "user.name=Tests", "-c", "user.email=tests@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *who, *arguments], cwd=folder, env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Hub:
    """The remote repository, the API beside it, and new machines with a checkout of one of its branches."""

    def __init__(self, folder: Path, api: GitHub) -> None:
        self.folder, self.api = folder, api
        self.remote = folder / "remote.git"
        self._machines = 0
        self._path = command_on_path(folder / "bin")
        seed = folder / "seed"
        for name, text in self._files().items():
            (seed / name).parent.mkdir(parents=True, exist_ok=True)
            (seed / name).write_text(text)
        git(folder, "init", "--quiet", "--bare", str(self.remote))
        git(seed, "init", "--quiet")
        git(seed, "remote", "add", "origin", str(self.remote))
        self.commit(seed, "main")

    @staticmethod
    def _files() -> dict[str, str]:
        rows = [{"id": f"c{n}", "country": f"Land {n}", "expected": f"Town {n}"} for n in range(CASES)]
        return {
            "evals/capitals.yaml": SUITE,
            "datasets/capitals.jsonl": "".join(f"{json.dumps(row)}\n" for row in rows),
            "snapdrift.toml": CONFIG,
            ".gitignore": ".snapdrift/\nreports/\n",
        }

    @staticmethod
    def commit(folder: Path, branch: str) -> None:
        """Commits everything in a work tree to a branch of the remote."""
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", "A change")
        git(folder, "push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")

    def machine(
        self, branch: str = "main", event: str = "pull_request", payload: Mapping[str, Any] | None = None
    ) -> Runner:
        """A new machine that a job of this event has, by itself on a pull request of the repository's own."""
        self._machines += 1
        home = self.folder / f"machine-{self._machines}"
        (home / "temp").mkdir(parents=True)
        git(home, "clone", "--quiet", "--branch", branch, str(self.remote), "app")
        own = {"pull_request": {"number": 7, "head": {"sha": "f" * 40, "repo": {"full_name": "acme/app"}}}}
        facts = {
            "event_name": event,
            "workflow": "ci",
            "job": "evals",
            "token": TOKEN,
            "event": own if payload is None else payload,
        }
        env = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTOR": "somebody",
            "GITHUB_API_URL": self.api.url,
            "GITHUB_BASE_REF": "main",
            "GITHUB_EVENT_NAME": event,
            "GITHUB_REPOSITORY": "acme/app",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_RUN_ID": "9000",
            "GITHUB_RUN_NUMBER": str(self._machines),
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_SHA": "e" * 40,
            "GITHUB_WORKSPACE": str(home / "app"),
            "PATH": self._path,
        }
        return Runner(home / "app", home / "temp", facts, env)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with github_api() as api:
        yield Hub(tmp_path_factory.mktemp("hub"), api)


@pytest.fixture
def lines_of_bash(tmp_path: Path) -> Callable[[str], tuple[str, str]]:
    """Runs lines after `ci/lib.sh`; returns what they printed and what they put out."""

    def run(lines: str) -> tuple[str, str]:
        given = tmp_path / "output"
        given.touch()
        env = {"PATH": os.environ["PATH"], "GITHUB_OUTPUT": str(given), "SNAPDRIFT_FOLDER": str(tmp_path)}
        script = f'source "{ROOT}/ci/lib.sh"\n{lines}'
        done = subprocess.run(
            ["bash", "-c", script], env=env, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        return done.stdout + done.stderr, given.read_text()

    return run
