"""How long the program takes before it does anything: prints processor and wall seconds of whole commands.

python benchmarks/startup.py [--rounds 5]

`--version`, `--help`, `check` of a suite of 2,000 cases, and a run of one call on the stand-in. Byte code is written
first, as an installed package has it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import BinaryIO, cast

CASES = 2000


def workspace_in(folder: Path) -> None:
    """A workspace with a suite of many cases, and one with a single case whose gate has no test to make."""
    (folder / "evals").mkdir()
    (folder / "snapdrift.toml").write_text("", encoding="utf-8")
    rows = [{"id": f"c{n}", "question": f"Where is parcel {n}, and when does it arrive?"} for n in range(CASES)]
    for name, cases in (("many", rows), ("one", rows[:1])):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, cases)) + "\n", encoding="utf-8")
        (folder / "evals" / f"{name}.yaml").write_text(
            f"suite: {name}\ndataset: {name}.jsonl\nprompt: {{input: '{{{{ question }}}}'}}\n"
            "request: {max_output_tokens: 100}\n"
            "variants:\n  old: {model: gpt-4o-2024-08-06}\n  new: {model: gpt-4o-2024-11-20}\n"
            "graders:\n  - {name: answers, regex: '.'}\n"
            "gate: {baseline: {variant: old}, candidates: [new], metrics: {answers: {at_least: 0.5}}}\n",
            encoding="utf-8",
        )


def used(arguments: list[str], folder: Path, expected: int) -> tuple[float, float]:
    """Processor and wall seconds of a command; ends the program where it ends in another way than expected."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "snapdrift", *arguments]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = cast("BinaryIO", process.stdout).read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != expected:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}:\n{said.decode()}")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - began


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    one_call = ["run", "evals/one.yaml", "--standin", "--variant", "new", "--fresh", "--quiet"]
    commands = {
        "--version": (["--version"], 0),
        "--help": (["--help"], 0),
        f"check of {CASES:,} cases": (["check", "evals/many.yaml"], 0),
        "run of one call": (one_call, 5),  # without its baseline a run is not gated
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        workspace_in(folder)
        for told, (arguments, expected) in commands.items():
            used(arguments, folder, expected)
            figures = [used(arguments, folder, expected) for _ in range(options.rounds)]
            cpu, wall = ([round(statistics.median(f[which] for f in figures), 2)] for which in (0, 1))
            least = round(min(f[0] for f in figures), 2)
            print(json.dumps({"command": told, "cpu_s": cpu[0], "least_cpu_s": least, "wall_s": wall[0]}), flush=True)


if __name__ == "__main__":
    main()
