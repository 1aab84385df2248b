"""By how much a hard budget is exceeded where the provider bills more than was asked for: prints figures.

python benchmarks/budget.py [--usd 0.5] [--overbill 100:0.5] [--concurrency 1 16 64] [--cases 400] [--latency SPEC]

Each line is a whole `snapdrift run --max-usd` against a stand-in in a process of its own that reports so many times the
tokens that an answer takes (`100:0.5`: for half of the questions). An attempt starts only if its worst case fits beside
what is spent and in flight, so nothing but bills beyond their worst case can exceed the budget, and only of calls that
were in flight when the last one was let in. Those are among the last answers, as many as may be in flight: what these
were billed beyond their worst case is `bound_usd`. All of it is read from the run file and the verdict.
The answers are made up. Ends with 1 where the bound is broken or the run does not say by how much it was exceeded.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from capitals import command, environment, lay_out, run_file, running_standin

from snapdrift.exit_codes import ExitCode
from snapdrift.model import Attempt, Request
from snapdrift.openai_api.catalog import load_catalog
from snapdrift.pipeline.allowance import never, worst_cost
from snapdrift.store import open_run

WORST = worst_cost(load_catalog(), is_roomy=never)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended at its budget. In flight: how many requests may be, and were when the last one started."""

    concurrency: int
    budget_usd: float
    spent_usd: float
    exceeded_usd: float
    bound_usd: float
    within_bound: bool
    in_flight_allowed: int
    in_flight_at_last: int
    answered: int
    billed_beyond_worst: int
    beyond_worst_usd: float
    exit_code: int
    said: str

    @property
    def kept(self) -> bool:
        """Whether the promise is: the bound holds, and a budget that was exceeded is told so, with exit code 3."""
        told = f"was exceeded by ${self.exceeded_usd:.4f}" in self.said
        return self.within_bound and (told or not self.exceeded_usd) and self.exit_code == ExitCode.INCOMPLETE


def excess(usd: float | None, request: Request | None) -> float:
    """What an answer was billed beyond the worst case of its request, in dollars."""
    worst = None if request is None else WORST(request)
    return 0.0 if usd is None or worst is None else max(0.0, usd - worst)


def in_flight_at_last(attempts: list[Attempt]) -> int:
    """How many attempts were not answered when the last one started, that one included."""
    began = [datetime.fromisoformat(one.started_at).timestamp() for one in attempts]
    ends = [start + one.latency_ms / 1000 for start, one in zip(began, attempts, strict=True)]
    return sum(end >= max(began) for end in ends)


def ended(given: argparse.Namespace, concurrency: int) -> Ended:
    """One run, and what it left."""
    with tempfile.TemporaryDirectory() as folder:
        root, log = Path(folder) / "workspace", Path(folder) / "requests.jsonl"
        lay_out(root, given.cases)
        with running_standin(root, log, ["--overbill", given.overbill, "--latency", given.latency]) as url:
            more = ["--base-url", url, "--max-usd", str(given.usd), "--concurrency", str(concurrency), "--quiet"]
            done = subprocess.run(
                command("run", "evals/capitals.yaml", *more),
                cwd=root,
                env=environment(),
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode == ExitCode.ERROR:
            raise SystemExit(f"the run ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return read(root, done.returncode, given.usd, concurrency)


def read(root: Path, exit_code: int, budget: float, concurrency: int) -> Ended:
    """What the run file and the verdict say."""
    verdict = json.loads((root / "reports" / "capitals" / "latest" / "verdict.json").read_text(encoding="utf-8"))
    said = [text for text in verdict["decision"]["reasons"] if "billed beyond the worst case" in text]
    with open_run(run_file(root)) as stored:
        answers = [one for one in stored.responses() if one.attempts]
        spent = stored.spent_usd(WORST)
        by_time = sorted((one.finished_at, excess(one.usd, stored.request(one.call))) for one in answers)
    beyond, bound = [usd for _, usd in by_time], sum(usd for _, usd in by_time[-concurrency:])
    exceeded = max(0.0, spent - budget)
    return Ended(
        concurrency=concurrency,
        budget_usd=budget,
        spent_usd=round(spent, 6),
        exceeded_usd=round(exceeded, 6),
        bound_usd=round(bound, 6),
        within_bound=exceeded <= bound + 1e-9,
        in_flight_allowed=concurrency,
        in_flight_at_last=in_flight_at_last([attempt for one in answers for attempt in one.attempts]),
        answered=len(answers),
        billed_beyond_worst=sum(usd > 0 for usd in beyond),
        beyond_worst_usd=round(sum(beyond), 6),
        exit_code=exit_code,
        said=" ".join(said),
    )


def main() -> int:
    """Prints where it was measured, and one line of figures a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--usd", type=float, default=0.5)
    parser.add_argument("--overbill", default="100:0.5")
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--cases", type=int, default=400)
    parser.add_argument("--latency", default="lognormal:100,300")
    given = parser.parse_args()
    machine = {"machine": platform.machine(), "python": platform.python_version(), "cores": os.cpu_count()}
    asked = {name: getattr(given, name) for name in ("overbill", "latency", "cases")}
    print(json.dumps({**machine, "answers": "simulated", **asked}))
    kept = []
    for concurrency in given.concurrency:
        one = ended(given, concurrency)
        print(json.dumps(asdict(one)), flush=True)
        kept.append(one.kept)
    return 0 if all(kept) else 1


if __name__ == "__main__":
    raise SystemExit(main())
