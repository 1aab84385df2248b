"""What a run's verdicts say to the steps after it: `facts.py EXIT_CODE VERDICT_FILE SUITE...` prints NAME=VALUE lines.

Of what is read only words of a closed set and ids of a closed alphabet are printed, so that no value is more than one.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

WORDS = {0: "nothing_affected", 2: "error", 3: "incomplete", 130: "interrupted", 137: "interrupted", 143: "interrupted"}
"""What is said where there is no verdict: `--changed` that finds nothing affected ends with 0 and no verdict.

The last two are those of a process that was killed, or ended before it could take a signal.
"""
KNOWN = {"passed", "regression", "incomplete", "inconclusive", "not_gated"}
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


def documents(path: Path) -> list[dict[str, Any]]:
    """The verdicts in a file: of one run, of several, or of the suites that ran in a night of watching."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    if isinstance(read, dict) and "suites" in read:
        read = [night["verdict"] for night in read["suites"] if night["verdict"] is not None]
    return read if isinstance(read, list) else [read]


def report_of(run: dict[str, Any], suites: list[Path]) -> Path | None:
    """The folder of a run's report, beside the suite or above it: a whole path, for steps begin in other folders."""
    whole = [suite.absolute() for suite in suites]
    folders = dict.fromkeys(folder for suite in whole for folder in suite.parents)
    for folder in folders:
        found = folder / "reports" / str(run["suite"]) / str(run["id"])
        if (found / "index.html").is_file():
            return found
    return None


def facts(code: int, verdicts: list[dict[str, Any]], suites: list[Path], otherwise: str) -> dict[str, str]:
    """Decision, run ids, attempt and reports; of several suites the decision of the one that gave the exit code.

    `otherwise` is what the decision is called where no verdict gave that code.
    """
    words = [one["decision"]["word"] for one in verdicts if one["decision"]["exit_code"] == code]
    made = [one["run"] for one in verdicts if one["run"]["id"] is not None]  # a suite that is what it was has no run
    runs = [run for run in made if _ID.fullmatch(run["id"]) and _ID.fullmatch(run["suite"])]
    reports = [str(found) for run in runs if (found := report_of(run, suites)) is not None and ":" not in str(found)]
    return {
        "decision": next((word for word in words if word in KNOWN), otherwise),
        "run-id": " ".join(run["id"] for run in runs),
        "attempt": str(max((int(run["attempt"]) for run in runs), default=1)),
        "reports": ":".join(reports),
        "report": f"{reports[0]}/index.html" if len(reports) == 1 else index_of(reports),
    }


def index_of(reports: list[str]) -> str:
    """The list of all runs, where there are several reports."""
    return str(Path(reports[0]).parent.parent / "index.html") if reports else ""


def main(code: int, file: Path, suites: list[Path]) -> str:
    """The lines; a night on which no suite ran has no decision."""
    night = file.is_file() and '"snapdrift.watch/1"' in file.read_text(encoding="utf-8")[:200]
    found = facts(code, documents(file), suites, "" if night else WORDS.get(code, "error"))
    return "".join(f"{name}={value}\n" for name, value in found.items())


if __name__ == "__main__":
    sys.stdout.write(main(int(sys.argv[1]), Path(sys.argv[2]), [Path(text) for text in sys.argv[3:]]))
