"""A small workspace for what is run from Python and from pytest: capitals, some of which the newer snapshot forgot."""

from __future__ import annotations

import json
from pathlib import Path

AUGUST, NOVEMBER = "gpt-4o-2024-08-06", "gpt-4o-2024-11-20"
SUITE = """\
suite: {name}
description: Capitals, <b>by heart</b>.
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
    metrics:
      capital: {{margin: 0.05}}
      cost: {{max_increase: 9}}
    must_pass: {{tag: golden}}
    max_blind: 0.3
    discordance: 0.02
  strict: {{extends: default, inconclusive: fail}}
"""


def make_workspace(root: Path, wrong: int, *, name: str = "capitals", cases: int = 60, latency: str = "") -> Path:
    """A workspace in `root` whose stand-in knows all towns as august, and as november all but the first `wrong`.

    The first case and the last are golden. Returns the suite's path.
    """
    for folder in ("evals", "datasets"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    rows, recorded = [], []
    for number in range(cases):
        tags = ["golden"] if number in (0, cases - 1) else []
        rows.append({"id": f"c{number}", "country": f"Land {number}", "expected": f"Town {number}", "tags": tags})
        for model in (AUGUST, NOVEMBER):
            right = model == AUGUST or number >= wrong
            asked = f"What is the capital of Land {number}?"
            recorded.append(
                {"model": model, "input": asked, "output": f"Town {number}" if right else "No\x1b[31m idea"}
            )
    for file, lines in (("capitals", rows), (f"{name}-recorded", recorded)):
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (root / "datasets" / f"{file}.jsonl").write_text(text, encoding="utf-8")
    config = root / "snapdrift.toml"
    head = config.read_text() if config.is_file() else f'[standin]\nlatency = "{latency}"\n'
    config.write_text(f'{head}[standin.suites.{name}]\nrecordings = "datasets/{name}-recorded.jsonl"\n')
    suite = root / "evals" / f"{name}.yaml"
    suite.write_text(SUITE.format(name=name), encoding="utf-8")
    return suite
