"""Writes `handbook.jsonl`: questions to a library, each with five passages of its handbook of which some answer it.

Run it as `python datasets/make_handbook.py`. The passages of a case are numbered d1 to d5 anew each time, so that a
model cannot know the right number from another case. What is expected is taken from `handbook_parts.yaml`.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
PARTS = HERE / "handbook_parts.yaml"
TARGET = HERE / "handbook.jsonl"
SEED = 1439
SHOWN = 5


def rows() -> list[dict[str, Any]]:
    """Every row: the question, its passages, and which of them a right answer cites."""
    parts = yaml.safe_load(PARTS.read_text(encoding="utf-8"))
    rng = random.Random(SEED)  # noqa: S311  the numbers are no secrets
    return [_row(number, question, parts["passages"], rng) for number, question in enumerate(parts["questions"], 1)]


def _row(number: int, question: dict[str, Any], passages: dict[str, str], rng: random.Random) -> dict[str, Any]:
    needed = question["from"]
    near = [question["beside"]] if "beside" in question else []
    others = [name for name in passages if name not in needed and name not in near]
    shown = [*needed, *near, *rng.sample(others, SHOWN - len(needed) - len(near))]
    rng.shuffle(shown)
    ids = {name: f"d{place}" for place, name in enumerate(shown, 1)}
    cited = sorted(ids[name] for name in needed)
    says = question.get("says", "does not say")
    tag = {0: "not-there", 1: "one-source"}.get(len(cited), "two-sources")
    return {
        "id": f"q{number:02}",
        "tags": [tag],
        "question": question["ask"],
        "passages": [{"id": ids[name], "text": passages[name]} for name in shown],
        "expected": {
            "cites": cited,
            "says": says if isinstance(says, list) else [says],
            "answer": question["answer"],
            "marks": " ".join(f"[{one}]" for one in cited),
        },
    }


def main() -> None:
    """Writes the dataset."""
    TARGET.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows()), encoding="utf-8")


if __name__ == "__main__":
    main()
