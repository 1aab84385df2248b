"""A small suite about made-up lands, its recordings and the stand-in that plays them: what other programs here run.

Nobody answered what the recordings say: the answers are made up, and a run that gets them says that they are simulated.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

MODELS = ("gpt-4o-2024-08-06", "gpt-4o-2024-11-20")
SUITE = """\
suite: capitals
dataset: datasets/capitals.jsonl
prompt: {input: "What is the capital of {{ country }}?"}
request: {temperature: 0, max_output_tokens: 64}
variants:
  august: {model: gpt-4o-2024-08-06}
  november: {model: gpt-4o-2024-11-20}
graders:
  - {name: capital, exact: "{{ expected }}"}
gate:
  baseline: {variant: august}
  candidates: [november]
  max_blind: 0.9
  metrics: {capital: {margin: 0.05}}
"""


def lay_out(root: Path, cases: int, wrong: float = 0.0) -> None:
    """A workspace with so many cases, and recordings in which the newer model does not know a share of the lands."""
    for name in ("evals", "datasets"):
        (root / name).mkdir(parents=True)
    (root / "snapdrift.toml").write_text("", encoding="utf-8")
    (root / "evals" / "capitals.yaml").write_text(SUITE, encoding="utf-8")
    rows, recordings = [], []
    for number in range(cases):
        country, town = f"Land {number}", f"Town {number}"
        rows.append({"id": f"c{number}", "country": country, "expected": town})
        for model in MODELS:
            said = "No idea" if model == MODELS[1] and number < wrong * cases else town
            asked = f"What is the capital of {country}?"
            recordings.append({"model": model, "input": asked, "output": said, "meta": {"recorded": "made up"}})
    for name, lines in (("capitals", rows), ("recordings", recordings)):
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (root / "datasets" / f"{name}.jsonl").write_text(text, encoding="utf-8")


def environment() -> dict[str, str]:
    """The environment of this process without what could reach a provider."""
    return {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}


def command(*arguments: str | Path) -> list[str]:
    """`snapdrift ARGUMENTS` by this Python."""
    return [sys.executable, "-m", "snapdrift", *map(str, arguments)]


@contextmanager
def running_standin(root: Path, log: Path, more: Sequence[str]) -> Iterator[str]:
    """Where a `snapdrift standin` of its own plays the recordings of a workspace; it ends with the block."""
    arguments = command("standin", "--recordings", root / "datasets" / "recordings.jsonl", "--log", log, *more)
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        try:
            yield str(json.loads(process.stdout.readline())["base_url"]) if process.stdout else ""
        finally:
            process.terminate()


def logged(log: Path) -> list[str]:
    """What the stand-in's log says of requests for answers, in its order: `received` and `finished`."""
    whole, _, _ = (log.read_text(encoding="utf-8") if log.exists() else "").rpartition("\n")
    events = (str(json.loads(line)["event"]) for line in whole.splitlines())  # a last line may be on its way
    return [event for event in events if event in ("received", "finished")]


def run_file(root: Path) -> Path:
    """The only run of a workspace."""
    (path,) = (root / ".snapdrift" / "runs").glob("*.db")
    return path
