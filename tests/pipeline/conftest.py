"""A small workspace that the tests of whole commands run in, and a stand-in that lives on beside them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

from snapdrift.standin.behaviours import Behaviour
from snapdrift.standin.config import Profile, StandinConfig
from snapdrift.standin.fault_scripts import FaultRule
from snapdrift.standin.launch import StandinProcess

SUITE = """\
suite: capitals
dataset: datasets/capitals.jsonl
prompt: {{input: "What is the capital of {{{{ country }}}}?"}}
request: {{temperature: 0, max_output_tokens: 64}}
variants:
  august: {{model: gpt-4o-2024-08-06}}
  november: {{model: gpt-4o-2024-11-20}}
graders:
  - {{name: capital, exact: "{{{{ expected }}}}"}}
gates:
  default:
    baseline: {{variant: august}}
    candidates: [november]
    metrics: {{capital: {{margin: 0.05}}}}
    max_blind: {max_blind}
    discordance: 0.02
{more}"""


def capitals(
    root: Path,
    cases: int = 60,
    wrong: dict[str, int] | None = None,
    max_blind: float = 0.3,
    more: str = "",
    tag: str = "",
) -> Path:
    """Makes a workspace with `cases` cases and the recordings of both models, `wrong[model]` of which are wrong."""
    for folder in ("evals", "datasets"):
        (root / folder).mkdir(parents=True)
    (root / "snapdrift.toml").write_text("")
    (root / "evals" / "capitals.yaml").write_text(SUITE.format(max_blind=max_blind, more=more))
    rows: list[dict[str, Any]] = []
    recordings: list[dict[str, Any]] = []
    for number in range(cases):
        tags = [tag] if tag and number == 0 else []
        rows.append({"id": f"c{number}", "country": f"Land {number}", "expected": f"Town {number}", "tags": tags})
        for model in ("gpt-4o-2024-08-06", "gpt-4o-2024-11-20"):
            right = number >= (wrong or {}).get(model, 0)
            asked = f"What is the capital of Land {number}?"
            recordings.append({"model": model, "input": asked, "output": f"Town {number}" if right else "No idea"})
    write_rows(root / "datasets" / "capitals.jsonl", rows)
    write_rows(root / "datasets" / "recordings.jsonl", recordings)
    return root


@pytest.fixture
def workspace(tmp_path: Path) -> Callable[..., Path]:
    """Makes a workspace as `capitals` does."""
    return partial(capitals, tmp_path / "workspace")


@pytest.fixture(scope="module")
def module_workspace(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a workspace that the tests of a module share."""
    return lambda **settings: capitals(tmp_path_factory.mktemp("module") / "workspace", **settings)


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def standin(snapdrift_command: Path) -> Iterator[Callable[..., str]]:
    """Starts `snapdrift standin ARGUMENTS` and gives its URL; it lives until the test ends."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str | Path) -> str:
        command = [str(snapdrift_command), "standin", *map(str, arguments)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        return str(json.loads(process.stdout.readline())["base_url"])

    yield start
    for process in started:
        process.terminate()
        process.wait(timeout=20)
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture(scope="module")
def standin_of_module(snapdrift_command: Path) -> Iterator[Callable[..., str]]:
    """The same for a whole module."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str | Path) -> str:
        command = [str(snapdrift_command), "standin", *map(str, arguments)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        return str(json.loads(process.stdout.readline())["base_url"])

    yield start
    for process in started:
        process.terminate()
        process.wait(timeout=20)
        assert process.stdout is not None
        process.stdout.close()


# ------------------------------------------------------------------- runs that are looked at while they grow

LOOKED_AT = """\
suite: {name}
{top}dataset: datasets/{name}.jsonl
prompt: {{input: "What is the capital of {{{{ country }}}}?"}}
request: {{temperature: 0, max_output_tokens: 64}}
variants:
  august: {{model: gpt-4o-2024-08-06}}
  november: {{model: gpt-4o-2024-11-20}}
graders:
  - {{name: capital, contains: "{{{{ expected }}}}"}}
{graders}gate:
  baseline: {{variant: august}}
  candidates: [november]
  metrics: {metrics}
  max_blind: 0.3
  discordance: 0.02
{gate}"""
LANDS = 400
"""Lands that both models know, and isles whose capital the newer one does not know."""


@pytest.fixture(scope="session")
def lands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of both models about lands and isles."""
    path = tmp_path_factory.mktemp("lands") / "lands.jsonl"
    rows = []
    for kind in ("Land", "Isle"):
        for number in range(LANDS):
            for model in ("gpt-4o-2024-08-06", "gpt-4o-2024-11-20"):
                known = kind == "Land" or model.endswith("06")
                said = f"The capital of {kind} {number} is Town {number}." if known else "I have no idea."
                rows.append({"model": model, "input": f"What is the capital of {kind} {number}?", "output": said})
    write_rows(path, rows)
    return path


@pytest.fixture(scope="module")
def land_standin(lands: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., tuple[str, Path]]]:
    """Starts a stand-in that knows the lands, judges short answers to be poor, and is never equally fast twice.

    Gives its URL and its log; without arguments it is the same one for the whole module.
    """
    with ExitStack() as stack:

        @cache
        def start(*rules: FaultRule) -> tuple[str, Path]:
            log = tmp_path_factory.mktemp("log") / "requests.jsonl"
            config = StandinConfig(
                profiles=(Profile(recordings=(lands,), fallback="strict"),),
                behaviours={"strict": Behaviour(judge_fails=0.0, judge_fails_poor=1.0)},
                latency="lognormal:10,60",
                fault_rules=rules,
                log=log,
            )
            return stack.enter_context(StandinProcess(config)).base_url, log

        yield start


@pytest.fixture
def looked_at(tmp_path: Path) -> Callable[..., Path]:
    """Makes a suite about `cases` countries, the first `isles` of which are isles."""

    def make(
        cases: int = 100,
        isles: int = 0,
        *,
        top: str = "early_stop: true\n",
        gate: str = "",
        graders: str = "",
        metrics: str = "{capital: {margin: 0.05}}",
        name: str = "capitals",
        golden: int | None = None,
    ) -> Path:
        root = tmp_path / "looked-at"
        for folder in ("evals", "datasets"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        (root / "snapdrift.toml").write_text("")
        fields = {"name": name, "top": top, "gate": gate, "graders": graders, "metrics": metrics}
        path = root / "evals" / f"{name}.yaml"
        path.write_text(LOOKED_AT.format(**fields))
        kinds = ["Isle" if number < isles else "Land" for number in range(cases)]
        rows: list[dict[str, Any]] = [
            {"id": f"c{number}", "country": f"{kind} {number}", "expected": f"Town {number}"}
            for number, kind in enumerate(kinds)
        ]
        if golden is not None:
            rows[golden]["tags"] = ["golden"]
        write_rows(root / "datasets" / f"{name}.jsonl", rows)
        return path

    return make
