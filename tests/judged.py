"""A workspace with a simulated judge that errs, and what a person who knows the truth says of the same answers.

The judge fails half of what begins with an apology, whatever it says, and passes nearly everything else. So it
flatters the variant that does not apologise, which is the one that errs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

AUGUST, NOVEMBER = "gpt-4o-2024-08-06", "gpt-4o-2024-11-20"
CASES, WRONG = 62, 20
SUITE = """\
suite: capitals
dataset: datasets/capitals.jsonl
prompt: {input: "What is the capital of {{ country }}?"}
request: {temperature: 0, max_output_tokens: 64}
variants:
  august: {model: gpt-4o-2024-08-06}
  november: {model: gpt-4o-2024-11-20}
graders:
  - name: right
    judge:
      model: gpt-4o-2024-11-20
      question: "{{ country }}"
      allow_retiring: true
      criteria: ["It names {{ expected }}."]
gate:
  baseline: {variant: august}
  candidates: [november]
  metrics: {right: {margin: 0.10}}
  max_blind: 0.25
"""
CONFIG = """\
[standin.suites."*"]
recordings = "datasets/recordings.jsonl"
behaviour = "flattering"

[standin.behaviours.flattering]
extends = "judge"
judge_fails = 0.02
judge_fails_poor = 0.5
"""


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def judged_workspace(root: Path, cases: int = CASES, wrong: int = WRONG, suite: str = SUITE) -> Path:
    """Writes the workspace: `cases` capitals, of which the newer snapshot gets the first `wrong` wrong."""
    for folder in ("evals", "datasets"):
        (root / folder).mkdir(parents=True)
    (root / "snapdrift.toml").write_text(CONFIG)
    (root / "evals" / "capitals.yaml").write_text(suite)
    rows = [{"id": f"c{n}", "country": f"Land {n}", "expected": f"Town {n}"} for n in range(cases)]
    recordings = []
    for n in range(cases):
        asked = f"What is the capital of Land {n}?"
        missed = "That would be the old village by the river."
        recordings.append({"model": AUGUST, "input": asked, "output": f"I am sorry for the wait, it is Town {n}."})
        recordings.append(
            {"model": NOVEMBER, "input": asked, "output": missed if n < wrong else f"The capital is Town {n}."}
        )
    for name, lines in (("capitals", rows), ("recordings", recordings)):
        write(root / "datasets" / f"{name}.jsonl", lines)
    return root


def truth(row: dict[str, Any]) -> bool:
    """What a person says who reads the criteria and the answer."""
    return row["criteria"][0].removeprefix("It names ") in row["text"]


def of_answer(row: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A row that names its answer: of the candidate's, by the sheet's row."""
    number = row["question"].removeprefix("Land ")
    variant = "august" if row["text"].startswith("I am sorry") else "november"
    kept = {key: row[key] for key in ("run", "metric", "answer")}
    given = {"case": f"c{number}", "variant": variant, "repeat": 0, "label": truth(row), "purpose": "calibration"}
    return {**kept, **given, **more}
