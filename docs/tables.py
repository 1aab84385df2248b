"""Tables of Markdown: written for the generated pages, and read from docs/reference.md, which has meanings in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

REFERENCE = Path(__file__).resolve().parent / "reference.md"
_WHERE = {
    "The suite": (("Keys of a suite", 0),),
    "GateEntry": (("Gates", 0),),
    "MetricEntry": (("Gates", 1),),
    "SampleEntry": (("Keys of a sample", 0),),
    "MessageEntry": (("Messages", 0),),
    "VariantEntry": (("Keys of a variant", 0),),
    "verdict.json": (("verdict.json", 0),),
}
"""Where the reference says what the keys of a mapping mean."""
PLAIN = {
    "Baseline": {
        "variant": "a variant of this suite",
        "ref": "the prompt of another git tree: a branch, a tag, a commit, or `merge-base`",
        "run": "the answers of an earlier run",
        "archive": "the answers in a file that `snapdrift archive` wrote",
        "fallback": "what takes its place on the day that its model is gone",
    },
    "Budget": {"usd": "dollars for one run", "per_day": "dollars for all runs of the suite on a date in UTC"},
    "CacheAge": {"max_age": "`90m`, `36h`, `7d`, `2w`"},
    "GateEntry": {
        "candidates": "what is compared with the baseline (default: all other variants)",
        "repeats": "how often each case is asked (default: the suite's)",
    },
    "MatrixEntry": {"prompt": "names of `prompts` (default: the one prompt)", "model": "models, or variants by name"},
    "MustPassEntry": {
        "tag": "cases with this tag",
        "tags": "cases with one of these tags",
        "case": "the case with this id",
        "cases": "the cases with these ids",
    },
    "PairEntry": {"from": "the baseline", "to": "the candidate", "severity": "`fail` (default) or `warn`"},
    "verdict.json": {
        "format": "name and number of the format",
        "run": "which run it is, and of what",
        "report_url": "where the page is, as it was given (null: nowhere)",
        "headline": "the decision in a sentence",
        "labels": "what a reader has to know of the whole: simulated or recorded answers, uncalibrated judges",
        "variants": "what became of the calls of each variant, and what they cost",
        "metrics": "the level of each metric of each variant",
        "comparisons": "baseline against candidate on each metric",
        "attributions": "why a comparison moved: form, content, causes, slices",
        "changes": "the cases that newly fail or pass",
        "must_pass": "each must-pass case on each variant that it is asked of",
        "decision": "the word, the exit code and the reasons",
        "id": "the run's id, which every command takes",
        "started_at": "UTC",
        "finished_at": "UTC",
        "seed": "what samples and orders are drawn from",
        "attempt": "the how-manieth run of the same suite, commit and gate",
        "partial": "whether only a part of the suite was asked for",
        "git_commit": "the workspace's commit (null: no repository)",
        "git_dirty": "whether files differed from it",
        "versions": "of the programs that made it",
        "planned": "calls",
        "coverage": "the share of planned calls that were measured",
        "outcomes": "how calls ended",
        "resolved_models": "the models that answered, counted",
        "ci": "the interval at the gate's confidence",
        "n": "cases that count",
        "table": "pass and fail on both sides (null: graded or repeated)",
        "difference": "candidate minus baseline, in score units",
        "p_value": "one-sided, for worse",
        "p_adjusted": "the same by Holm",
        "p_no_worse": "of the test at the margin",
        "method": "the deciding test",
        "margin": "how much worse is tolerated",
        "verdict": "the word",
        "detectable_difference": "the smallest drop that would be seen with 80% power",
        "newly_failing": "ids of cases",
        "newly_passing": "ids of cases",
        "word": "what it is called",
        "exit_code": "what the command ends with",
        "reasons": "sentences: what decided",
        "warnings": "sentences: what should be known",
        "would_miss": "by metric: the drop under which a `catch` pass would not have seen a regression",
    },
}
"""Short meanings of keys that neither the schema nor a table of the reference explains."""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, with a blank line after it."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def cell(text: str) -> str:
    """A text as it can stand in a cell: in one line, its bars escaped, and angle brackets outside of code."""

    def safe(found: re.Match[str]) -> str:
        escaped = found[0].replace("|", "\\|")
        return escaped if escaped.startswith("`") else escaped.replace("<", "&lt;")

    return re.sub(r"`[^`]*`|[|<]", safe, re.sub(r"\s+", " ", text).strip())


def anchor(heading: str) -> str:
    """What a heading is linked by, in the site and on GitHub."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def reference_meanings(name: str) -> dict[str, str]:
    """By key: the last cell of its row in the reference, with links as the pages in docs/reference/ have them."""
    found = dict(PLAIN.get(name, {}))
    for heading, number in _WHERE.get(name, ()):
        for row in _rows(heading, number):
            for key in re.findall(r"`([^`]+)`", row[0]):
                found[key] = _moved(row[-1]) or found.get(key, "")
    return found


def _rows(heading: str, number: int) -> list[list[str]]:
    text = REFERENCE.read_text(encoding="utf-8")
    section = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", text, re.DOTALL | re.MULTILINE)
    if section is None:
        raise LookupError(f"docs/reference.md has no section {heading!r}")
    tables = re.findall(r"(?:^\|.*\n)+", section[1], re.MULTILINE)
    return [
        [part.strip() for part in re.split(r" \|(?= )", line.strip("|\n"))] for line in tables[number].splitlines()[2:]
    ]


def _moved(text: str) -> str:
    """Links of a page in docs/ as a page in docs/reference/ has them."""
    text = re.sub(r"\]\(#", "](../reference.md#", text)
    text = re.sub(r"\]\(reference/", "](", text)
    return re.sub(r"\]\(design/", "](../design/", text)
