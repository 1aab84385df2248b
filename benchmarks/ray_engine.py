"""The same suite by the local engine, by two Ray workers, and by two of which one is killed halfway: prints figures.

python benchmarks/ray_engine.py [--cases 200] [--wrong 0.15] [--latency SPEC] [--concurrency 8]

Each line is a whole `snapdrift run` in a workspace of its own against a stand-in in a process of its own that plays
recordings (made up: nobody answered them). Ray is started once, with two cores, before anything is measured, so seconds
do not count that; they do count the start of the command and of its workers. The worker is killed (SIGKILL) when the
stand-in has answered half of the calls. `digest` is the SHA-256 over case, variant, repeat, outcome and text of every
stored answer, in that order. Takes the extra `ray`. Ends with 1 unless verdict, exit code, number of answers and digest
are the same three times.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import platform
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from capitals import command, environment, lay_out, logged, run_file, running_standin

from snapdrift.exit_codes import ExitCode
from snapdrift.store import open_run

WORKERS = 2


@dataclass(frozen=True, slots=True)
class Ended:
    """What a run came to. `asked_again` counts attempts beyond the first, `seconds` are of the whole command."""

    engine: str
    verdict: str
    exit_code: int
    answers: int
    digest: str
    asked_again: int
    killed_after: int | None
    seconds: float

    @property
    def result(self) -> tuple[str, int, int, str]:
        """What must be the same whoever asks."""
        return self.verdict, self.exit_code, self.answers, self.digest


@contextmanager
def cluster() -> Iterator[str]:
    """The address of a Ray of two cores on this machine, which ends with the block."""
    # Ray reports its use to its makers unless told not to; and on a busy machine the polite are never served.
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    import ray

    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    context = ray.init(num_cpus=WORKERS, include_dashboard=False, object_store_memory=100 * 2**20, **quiet)
    try:
        yield str(context.address_info["gcs_address"])
    finally:
        ray.shutdown()


def kill_a_worker(process: subprocess.Popen[bytes], said: Path, log: Path, answers: int) -> int:
    """Kills the first worker when so many calls are answered; gives how many were. Raises if there is none to kill."""
    while process.poll() is None:
        answered = logged(log).count("finished")
        if answered >= answers:
            pids = re.findall(r"worker-\d is process (\d+)", said.read_text(encoding="utf-8"))
            os.kill(int(pids[0]), signal.SIGKILL)
            return answered
        time.sleep(0.05)
    raise SystemExit(f"the run ended before a worker could be killed:\n{said.read_text(encoding='utf-8')}")


def ended(given: argparse.Namespace, engine: str, more: list[str], *, kill: bool = False) -> Ended:
    """One run in a workspace of its own."""
    with tempfile.TemporaryDirectory() as folder:
        root, log, said = Path(folder) / "workspace", Path(folder) / "requests.jsonl", Path(folder) / "said.txt"
        lay_out(root, given.cases, given.wrong)
        with running_standin(root, log, ["--latency", given.latency]) as url, said.open("wb") as output:
            asked = ["--base-url", url, "--max-usd", "5", "--concurrency", str(given.concurrency), *more]
            began = time.perf_counter()
            process = subprocess.Popen(
                command("run", "evals/capitals.yaml", *asked),
                cwd=root,
                env=environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            killed_after = kill_a_worker(process, said, log, given.cases) if kill else None
            code, seconds = process.wait(), time.perf_counter() - began
        if code == ExitCode.ERROR:
            raise SystemExit(f"the run ended with {code}:\n{said.read_text(encoding='utf-8')}")
        return read(root, engine, code, killed_after, seconds)


def read(root: Path, engine: str, code: int, killed_after: int | None, seconds: float) -> Ended:
    """What the verdict and the run file say."""
    verdict = json.loads((root / "reports" / "capitals" / "latest" / "verdict.json").read_text(encoding="utf-8"))
    with open_run(run_file(root)) as stored:
        answers = list(stored.responses())
    rows = sorted([one.call.case_id, one.call.variant, one.call.repeat, one.outcome.value, one.text] for one in answers)
    return Ended(
        engine=engine,
        verdict=str(verdict["decision"]["word"]),
        exit_code=code,
        answers=sum(one.outcome.measured for one in answers),
        digest=hashlib.sha256(json.dumps(rows).encode()).hexdigest(),
        asked_again=sum(len(one.attempts) - 1 for one in answers if one.attempts),
        killed_after=killed_after,
        seconds=round(seconds, 1),
    )


def main() -> int:
    """Prints where it was measured, one line of figures a run, and whether they came to the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--wrong", type=float, default=0.15, help="share of the lands that the newer model lacks")
    parser.add_argument("--latency", default="lognormal:100,300")
    parser.add_argument("--concurrency", type=int, default=8)
    given = parser.parse_args()
    if find_spec("ray") is None:
        raise SystemExit("Ray is not installed; install the extra: pip install 'snapdrift[ray]'")
    machine = {"machine": platform.machine(), "python": platform.python_version(), "cores": os.cpu_count()}
    print(json.dumps({**machine, "answers": "simulated", "workers": WORKERS, **vars(given)}))
    found = [ended(given, "local", [])]
    print(json.dumps(asdict(found[0])), flush=True)
    with cluster() as address:
        by_ray = ["--engine", "ray", "--ray-address", address]
        for engine, kill in (("ray", False), ("ray, a worker killed", True)):
            found.append(ended(given, engine, by_ray, kill=kill))
            print(json.dumps(asdict(found[-1])), flush=True)
    same = len({one.result for one in found}) == 1
    print(json.dumps({"same_verdict_and_answers": same}))
    return 0 if same else 1


if __name__ == "__main__":
    raise SystemExit(main())
