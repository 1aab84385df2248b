"""False-alarm and power rates of verdicts, simulated, beside what they promise.

python benchmarks/error_rates.py [--reps N] [--seed S] [--jobs J] [--only TEXT] [--markdown]

Every design draws scores (or costs, labels, nights) of which the truth is known and asks what a run would conclude,
by the functions that runs use. A claim that is false may be made at its nominal level; `over` says that it was made
more often than that by more than three Monte Carlo standard errors, and the program then ends with 1.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import sys
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import scipy

from error_designs import DESIGNS, Claim, Design

REPS = 2000
SEED = 20261126
STANDARD_ERRORS = 3


@dataclass(frozen=True)
class Row:
    """How often a claim was made of a design: `rate` of `reps`, with its Monte Carlo standard error."""

    group: str
    design: str
    claim: Claim
    rate: float
    error: float
    reps: int

    @property
    def verdict(self) -> str:
        """`ok` or `over` for a level, `ok` or `under` for a power; empty where nothing is promised."""
        if self.claim.level is not None:
            # The error at the nominal level, so that a rate of 0 has one too.
            error = math.sqrt(self.claim.level * (1 - self.claim.level) / self.reps)
            return "over" if self.rate > self.claim.level + STANDARD_ERRORS * error else "ok"
        if self.claim.power is not None:
            return "under" if self.rate < self.claim.power - STANDARD_ERRORS * self.error else "ok"
        return ""


def simulated(design: Design, reps: int, seed: int) -> tuple[Row, ...]:
    """The rates of a design. Its draws depend on the seed and its name, not on which other designs are asked for."""
    reps = max(1, round(reps * design.weight))
    rng = np.random.default_rng([seed, zlib.crc32(f"{design.group}: {design.name}".encode())])
    found = [design.simulate(rng) for _ in range(reps)]
    rows = []
    for claim in design.claims:
        made = np.array([float(one[claim.name]) for one in found])
        error = float(made.std()) / math.sqrt(reps)
        rows.append(Row(design.group, design.name, claim, float(made.mean()), error, reps))
    return tuple(rows)


def simulate_all(designs: Sequence[Design], reps: int, seed: int, jobs: int) -> Iterator[tuple[Row, ...]]:
    """The rows of each design, in order."""
    if jobs == 1:
        yield from (simulated(design, reps, seed) for design in designs)
        return
    with ProcessPoolExecutor(jobs) as pool:
        places = [DESIGNS.index(design) for design in designs]
        yield from pool.map(_simulate_one, places, [reps] * len(places), [seed] * len(places))


def _simulate_one(place: int, reps: int, seed: int) -> tuple[Row, ...]:
    # By its number: a design holds functions, which do not travel to another process.
    return simulated(DESIGNS[place], reps, seed)


def cells(row: Row) -> tuple[str, ...]:
    """A row as text: design, claim, rate, error, promise, verdict."""
    claim = row.claim
    promise = "" if claim.level is None else f"at most {claim.level:.3f}"
    promise = promise if claim.power is None else f"at least {claim.power:.3f}"
    return (row.group, row.design, claim.name, f"{row.rate:.4f}", f"{row.error:.4f}", promise, row.verdict)


HEADERS = ("kind", "design", "claim", "rate", "SE", "promised", "")


def table(rows: Iterable[Row]) -> str:
    """The rows in columns."""
    lines = [HEADERS, *map(cells, rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(HEADERS))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def markdown(rows: Sequence[Row], conditions: str) -> str:
    """The page that is kept in `docs/design/error_rates.md`, from its title on."""
    lines = [INTRODUCTION, conditions, "", "| " + " | ".join(HEADERS) + " |", "|" + " --- |" * len(HEADERS)]
    lines += ["| " + " | ".join(cells(row)) + " |" for row in rows]
    return "\n".join(lines)


INTRODUCTION = """\
# Error rates

How often verdicts are wrong where they are wrong, and right where they are right, simulated by
`benchmarks/error_rates.py`, which writes this page (`--markdown`). Scores, costs, labels and nights are drawn so that
the truth is known; what a run would conclude of them is asked of the functions that runs use (`compare`,
`measure_operations`, the looks of early stopping, `estimate_difference`, the canary).

- **rate** is the share of repetitions in which the claim was made, SE its Monte Carlo standard error. Of `calls saved`
  it is the mean share of the cases that were not asked.
- **promised**: a claim that is false is made at most so often: 0.05 for each one-sided claim at the default
  confidence, 0.10 for a 90% interval beside the truth. `over` would be more than that by more than three standard
  errors. Power is promised by the power function (or, of early stopping, three points less).
- **no change**: both sides have one truth, so "worse" and "better" are false. **At the margin** (or limit) the truth
  lies exactly there, where "no worse" (or "within", "over") is hardest not to say wrongly.
- **Intervals of single passes and fails** are score intervals (Tango), which keep their level on average over truths,
  not at each of them. Where exactly 3% of 200 cases lose and none gains, the truth lies just outside the interval of
  ten losses, and 14.0% miss by exact reckoning; at 3.02% it is 9.9%, on average over 2% to 4% it is 9.6%. So the row
  with that one truth has no promise and one with drawn truths has. No claim rests on an interval: the tests decide.
- **told** is how often a cost has an interval of the very ratio that is shown. Where a few cases make most of a total
  there is none, and what is told is another ratio, so called; it is not counted.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 1 where a level is exceeded or a promised power missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--reps", type=int, default=REPS, help="repetitions of a cheap design; dear ones get a share")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="designs whose kind or name holds this text")
    parser.add_argument("--markdown", action="store_true", help="print the page of the documentation")
    asked = parser.parse_args(arguments)
    designs = [one for one in DESIGNS if asked.only.lower() in f"{one.group} {one.name}".lower()]
    if not designs:
        parser.error(f"--only: found {asked.only!r}, expected a part of a design's kind or name")
    began = time.perf_counter()
    rows: list[Row] = []
    for number, of_design in enumerate(simulate_all(designs, asked.reps, asked.seed, asked.jobs), 1):
        rows += of_design
        print(f"\r{number} of {len(designs)} designs", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    conditions = (
        f"Conditions: {asked.reps:,} repetitions (a share of them for designs that take long: the SE tells), seed "
        f"{asked.seed}, numpy {np.__version__}, scipy {scipy.__version__}, Python {platform.python_version()}, "
        f"{datetime.now(UTC).date().isoformat()}; {time.perf_counter() - began:.0f} s with {asked.jobs} job(s)."
    )
    print(markdown(rows, conditions) if asked.markdown else f"{table(rows)}\n\n{conditions}")
    return int(any(row.verdict in ("over", "under") for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
