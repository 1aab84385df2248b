"""A small workspace that the tests of whole commands run in, and a stand-in that lives on beside them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

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


@pytest.fixture
def workspace(tmp_path: Path) -> Callable[..., Path]:
    """Makes a workspace with `cases` cases and the recordings of both models, `wrong[model]` of which are wrong."""

    def make(
        cases: int = 60, wrong: dict[str, int] | None = None, max_blind: float = 0.3, more: str = "", tag: str = ""
    ) -> Path:
        root = tmp_path / "workspace"
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

    return make


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def standin() -> Iterator[Callable[..., str]]:
    """Starts `snapdrift standin ARGUMENTS` and gives its URL; it lives until the test ends."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str | Path) -> str:
        command = [sys.executable, "-m", "snapdrift", "standin", *map(str, arguments)]
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
