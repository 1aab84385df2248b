"""A long run against a host that fails now and then: complete, in the memory and the files that it began with.

python benchmarks/soak.py [CALLS] [--json]

Runs `snapdrift run` over CALLS calls (default 100,000), half of them for each of two variants, against a stand-in in
its own process, in which two attempts in a hundred fail: refused, broken off, stalled, malformed. Meanwhile it looks at
the run's process from outside: resident memory and open files, beside how many calls are stored. Prints how the calls
ended, what was tried again, and memory and files of the third of the calls that came first and of the last third. The
answers are simulated. Ends with 1 unless the run came to its end and every call to an outcome.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from snapdrift.store import StoredRun, open_run

CALLS = 100_000
CONCURRENCY = 64
FAULTS = (
    "429=0.004,500=0.003,503=0.003,html502=0.002,reset=0.004,truncate_stream=0.002,malformed=0.001,stall=0.001,"
    "stall_seconds=1"
)
LOOK_EVERY_S = 0.2
PAGE = os.sysconf("SC_PAGE_SIZE")
MB = 2**20
SUITE = """\
suite: soak
dataset: datasets/lands.jsonl
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
  metrics: {capital: {margin: 0.05}}
"""


@dataclass(frozen=True, slots=True)
class Look:
    """The run's process at a moment: calls stored so far, bytes of resident memory, open files."""

    stored: int
    rss: int
    files: int


@dataclass(frozen=True, slots=True)
class Soaked:
    """What came of it. Memory is in MB, the largest that was seen; so is the number of files; seconds are of CPU."""

    planned: int
    exit_code: int
    finished: bool
    outcomes: dict[str, int]
    tried_again: int
    failures: dict[str, int]
    rss_first_third: float
    rss_last_third: float
    rss_at_most: float
    files_first_third: int
    files_last_third: int
    wall_s: float
    cpu_s: float

    @property
    def complete(self) -> bool:
        """Whether the run came to its end and every planned call to an outcome that was measured."""
        return self.finished and sum(self.outcomes.values()) == self.planned and "api_error" not in self.outcomes


def soak(calls: int = CALLS) -> Soaked:
    """Runs so many calls to their end."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        lay_out(root, calls // 2)
        with started_standin(root) as url:
            began, used = time.monotonic(), cpu_s()
            code, looks = watched_run(root, url)
            wall, cpu = time.monotonic() - began, cpu_s() - used
        (path,) = (root / ".snapdrift" / "runs").glob("*.db")
        with open_run(path) as run:
            return told(run, code, looks, wall, cpu)


def lay_out(root: Path, cases: int) -> None:
    """A workspace with so many cases."""
    for name in ("evals", "datasets"):
        (root / name).mkdir()
    (root / "snapdrift.toml").write_text("")
    (root / "evals" / "soak.yaml").write_text(SUITE)
    with (root / "datasets" / "lands.jsonl").open("w") as rows:
        for number in range(cases):
            rows.write(
                json.dumps({"id": f"c{number}", "country": f"Land {number}", "expected": f"Town {number}"}) + "\n"
            )


@contextmanager
def started_standin(root: Path) -> Iterator[str]:
    """Where `snapdrift standin` answers for a workspace; it ends with the block."""
    answers = root / "datasets" / "lands.jsonl"
    command = ["standin", "--answers", str(answers), "--behaviour", "exact", "--faults", FAULTS, "--seed", "7"]
    with subprocess.Popen([sys.executable, "-m", "snapdrift", *command], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield json.loads(process.stdout.readline())["base_url"] if process.stdout else ""
        finally:
            process.terminate()


def watched_run(root: Path, url: str) -> tuple[int, list[Look]]:
    """The exit code of the run, and what was seen of its process while it asked."""
    command = ["run", "evals/soak.yaml", "--base-url", url, "--concurrency", str(CONCURRENCY), "--quiet"]
    process = subprocess.Popen([sys.executable, "-m", "snapdrift", *command], cwd=root, stdout=subprocess.DEVNULL)
    looks: list[Look] = []
    while process.poll() is None:
        with suppress(OSError, sqlite3.Error):  # it is about to begin, or has ended this moment
            looks.append(look_at(process.pid, root))
        time.sleep(LOOK_EVERY_S)
    return process.returncode, looks


def look_at(pid: int, root: Path) -> Look:
    """One look at the process of a run; raises `OSError` and `sqlite3.Error` where there is nothing to see."""
    path = next((root / ".snapdrift" / "runs").glob("*.db"), None)
    stored = 0
    if path is not None:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            # Ids are given in the order in which calls are asked, so the highest says how far it is, without a count.
            stored = connection.execute("SELECT max(call) FROM responses").fetchone()[0] or 0
    rss = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    return Look(stored, rss, sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()))


def told(run: StoredRun, code: int, looks: Sequence[Look], wall: float, cpu: float) -> Soaked:
    """What a run that has ended says of itself, and what was seen of it."""
    outcomes: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    for response in run.responses():
        outcomes[response.outcome.value] += 1
        failures.update(attempt.failure.kind.value for attempt in response.attempts if attempt.failure)
    planned = len(run.calls())
    first = [look for look in looks if 0 < look.stored <= planned / 3]
    last = [look for look in looks if planned * 2 / 3 <= look.stored < planned]
    return Soaked(
        planned=planned,
        exit_code=code,
        finished=run.state.value == "finished",
        outcomes=dict(outcomes),
        tried_again=failures.total(),
        failures=dict(failures),
        rss_first_third=round(max(look.rss for look in first) / MB, 1),
        rss_last_third=round(max(look.rss for look in last) / MB, 1),
        rss_at_most=round(max(look.rss for look in looks) / MB, 1),
        files_first_third=max(look.files for look in first),
        files_last_third=max(look.files for look in last),
        wall_s=round(wall, 1),
        cpu_s=round(cpu, 1),
    )


def cpu_s() -> float:
    """CPU seconds of the children that were waited for: the run, not the stand-in that is still there."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("calls", type=int, nargs="?", default=CALLS)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    soaked = soak(given.calls)
    if given.json:
        print(json.dumps(asdict(soaked)))
    else:
        print(
            f"{platform.machine()}, Python {platform.python_version()}, {os.cpu_count()} cores; {CONCURRENCY} in flight"
        )
        print(f"faults: {FAULTS}")
        for name, value in asdict(soaked).items():
            print(f"{name:<18} {value}")
        print(f"CPU per call       {1000 * soaked.cpu_s / soaked.planned:.2f} ms, start, grading and page included")
    return 0 if soaked.complete else 1


if __name__ == "__main__":
    sys.exit(main())
