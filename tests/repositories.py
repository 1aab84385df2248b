"""A git repository with a workspace in a folder of it: the ground of what compares with a tree."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

CLEAR = "Answer with the capital alone.\nOf an island, name the harbour town."
VAGUE = "Answer with the capital alone."
SUITE = """\
suite: capitals
dataset: datasets/capitals.jsonl
prompt: prompts/capital.yaml
request: {temperature: 0, max_output_tokens: 64}
variants:
  november: {model: gpt-4o-2024-11-20}
graders:
  - {name: capital, exact: "{{ expected }}"}
gate:
  baseline: {ref: main}
  metrics: {capital: {margin: 0.05}}
  max_blind: 0.3
  discordance: 0.02
"""
PROMPT = """\
instructions: |-
  {instructions}
input: "What is the capital of {{{{ country }}}}?"
"""
CONFIG = """\
[standin.suites."*"]
answers = "datasets/capitals.jsonl"
behaviour = "forgets-harbours"
prompts = { "name the harbour town" = "exact" }

# Without the sentence about islands it names another town for them.
[standin.behaviours.forgets-harbours]
extends = "exact"
wrong = { rate = 1.0, only_tags = ["island"] }
"""


class GitWorkspace:
    """A workspace in the folder `app/` of a repository, with one commit on `main` and a branch `edit` checked out."""

    def __init__(self, folder: Path, cases: int = 60, suite: str = SUITE) -> None:
        self.top = folder
        self.root = folder / "app"
        for name in ("evals", "datasets", "prompts"):
            (self.root / name).mkdir(parents=True)
        self.suite = self.write("evals/capitals.yaml", suite)
        self.write("snapdrift.toml", CONFIG)
        self.write(".gitignore", ".snapdrift/\nreports/\n")
        self.prompt(CLEAR)
        rows = [
            {"id": f"c{n}", "country": f"{'Isle' if n % 3 == 0 else 'Land'} {n}", "expected": f"Town {n}"}
            | {"tags": ["island"] if n % 3 == 0 else []}
            for n in range(cases)
        ]
        self.write("datasets/capitals.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        self.git("init", "-q", "-b", "main")
        self.commit("the suite as it was")
        self.git("checkout", "-q", "-b", "edit")

    def write(self, path: str, text: str) -> Path:
        """Writes a file of the workspace."""
        found = self.root / path
        found.parent.mkdir(parents=True, exist_ok=True)
        found.write_text(text)
        return found

    def prompt(self, instructions: str) -> None:
        """Writes the prompt's file."""
        self.write("prompts/capital.yaml", PROMPT.format(instructions=instructions.replace("\n", "\n  ")))

    def edit_suite(self, old: str, new: str) -> None:
        """Puts other words into the suite's file."""
        text = self.suite.read_text()
        assert old in text
        self.suite.write_text(text.replace(old, new))

    def commit(self, message: str = "a change") -> str:
        """Commits everything; the commit's id."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        """What git answers."""
        who = ("-c", "user.name=tester", "-c", "user.email=tester@example.com", "-c", "protocol.file.allow=always")
        done = subprocess.run(
            ["git", "-C", str(cwd or self.top), *who, *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout.strip()
