"""The kinds of task that `init` can start with: a suite, its cases and the files of its graders, each as a template."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from snapdrift.errors import UsageError
from snapdrift.suites.wording import did_you_mean


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of task. `name` is also the name of its templates; the suite is written to `evals/<suite>.yaml`.

    `dataset` is the bundled dataset that its first cases come from, `language` which of them; `copied` are files of
    the bundled `graders/` that it needs. A `judged` suite needs a rubric.
    """

    name: str
    suite: str
    asks: str
    dataset: str
    cases: int
    copied: tuple[str, ...] = ()
    language: str | None = None
    judged: bool = False

    @property
    def path(self) -> str:
        """Where the suite is written, from the root of the workspace."""
        return f"evals/{self.suite}.yaml"


KINDS = (
    Kind(
        "classify",
        "ticket-triage",
        "sort a text into classes (structured output, graded exactly)",
        "tickets.jsonl",
        100,
        ("ticket.schema.json",),
        language="en",
    ),
    Kind(
        "extract",
        "invoice-fields",
        "read fields off a document (structured output, graded field by field)",
        "invoices.jsonl",
        110,
        ("invoice.schema.json",),
    ),
    Kind("chat", "customer-replies", "answer people (free text, graded by a judge)", "replies.jsonl", 56, judged=True),
)
DEFAULT_KINDS = ("classify", "chat")
"""What `--yes` takes: one task that needs no judge, and one that does."""


def chosen_kinds(names: tuple[str, ...]) -> tuple[Kind, ...]:
    """The kinds with these names, each once, in our order; without names the default ones. Raises `UsageError`."""
    known = [kind.name for kind in KINDS]
    for name in names:
        if name not in known:
            expected = did_you_mean(name, known, f"expected {', '.join(known[:-1])} or {known[-1]}")
            raise UsageError(f"--template: found {name!r}; {expected}")
    return tuple(kind for kind in KINDS if kind.name in (names or DEFAULT_KINDS))


def cases_of(kind: Kind, bundled: Path) -> str:
    """The first cases of the bundled dataset, as JSONL."""
    rows = [json.loads(line) for line in (bundled / "datasets" / kind.dataset).read_text(encoding="utf-8").splitlines()]
    wanted = [row for row in rows if kind.language is None or row.get("language") == kind.language]
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in wanted[: kind.cases])
