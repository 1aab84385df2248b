"""What making a report takes of memory and of the processor, by the number of calls in its run.

    python benchmarks/report_memory.py                              # 10,000 and 100,000 calls
    python benchmarks/report_memory.py --calls 2000 --step reports

The run files are made up and their answers simulated: half as many cases as calls, two variants, answers of 150 to 300
characters of running prose (Python's own help texts), a body as received of some 1,500 characters, a request for each
call, three scores an answer. Each figure is of a fresh process that opens the file and carries out one step; `start`
imports what the others do and does nothing.

Prints for each step the most memory that the process held (`ru_maxrss`, megabytes of 1,000,000 bytes), by how much that
is more than at the fewest calls, and milliseconds of processor time for each call beyond `start`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from pydoc_data.topics import topics

from snapdrift.conclusions import Evaluation
from snapdrift.model import (
    Call,
    CallKey,
    CallResult,
    Case,
    Endpoint,
    Gate,
    MetricGate,
    MetricSpec,
    Outcome,
    Pair,
    Reason,
    Request,
    Response,
    Results,
    Score,
    ScoreKind,
    Source,
    Usage,
    Variant,
)
from snapdrift.privacy import Privacy
from snapdrift.reports import View, build_view, run_data, write_reports
from snapdrift.reports.redaction import redacted
from snapdrift.store import RunWriter, StoredRun, open_run
from snapdrift.store.header import RunHeader
from snapdrift.store.inserts import put_response

METRICS = (
    MetricSpec("valid", "valid", ScoreKind.PASS_FAIL),
    MetricSpec("queue", "queue", ScoreKind.PASS_FAIL),
    MetricSpec("tone", "tone", ScoreKind.GRADED, scale=(1.0, 5.0)),
)
NAMES = ("august", "november")
VARIANTS = tuple(Variant(name, f"gpt-4o-{name}", Endpoint.RESPONSES, {}, {}) for name in NAMES)
PROSE = " ".join(" ".join(text.split()) for _, text in sorted(topics.items())).encode("ascii", "ignore").decode()
AT_ONCE = 2_000
"""Calls that are made up and stored together."""

# ----------------------------------------------------------------------------------------------------------- the runs


def make_run(path: Path, calls: int) -> None:
    """A concluded run file of so many calls."""
    draw = random.Random(20_261_126)
    cases = [_case(draw, number) for number in range(calls // len(VARIANTS))]
    keys = [CallKey(case.id, variant.name, 0) for case in cases for variant in VARIANTS]
    results: dict[CallKey, CallResult] = {}
    scores: list[Score] = []
    with RunWriter.create(path, _header(), cases, (Call(key, place) for place, key in enumerate(keys))) as writer:
        for first in range(0, len(keys), AT_ONCE):
            made = [_response(draw, key) for key in keys[first : first + AT_ONCE]]
            asyncio.run(writer.apply(partial(_store, made=made)))
            some = [score for response in made for score in _scores(draw, response)]
            writer.add_scores(some)
            scores += some
            results |= {
                r.call: CallResult(r.outcome, r.returned_model, r.latency_ms, r.usage, r.usd, r.source) for r in made
            }
        writer.set_evaluation(_evaluation(tuple(cases), results, tuple(scores)))
        writer.finish("2026-11-26T14:20:00+00:00")


def _header() -> RunHeader:
    return RunHeader(
        run_id="20261126-140300-8f3a", suite="made-up", gate="default", started_at="2026-11-26T14:03:00+00:00", seed=7,
        attempt=1, identity="", suite_stored={"path": "evals/made-up.yaml", "versions": {}}, suite_hash="1f3c" * 16,
        dataset_hash="9ab0" * 16, versions={}, git_commit=None, git_dirty=False, catalog={}, assumptions={},
        planned_repeats=1, partial=False, command="", variants=VARIANTS,
    )  # fmt: skip


def _evaluation(cases: tuple[Case, ...], calls: dict[CallKey, CallResult], scores: tuple[Score, ...]) -> Evaluation:
    from snapdrift.verdicts import RunFacts, evaluate

    gate = Gate(
        "default", (Pair(*NAMES),), (MetricGate("valid", 0.03), MetricGate("queue", 0.03), MetricGate("tone", 0.05))
    )
    everywhere = frozenset(case.id for case in cases)
    results = Results(cases, VARIANTS, 1, METRICS, calls, scores, {metric.name: everywhere for metric in METRICS})
    return evaluate(results, gate, RunFacts(seed=7))


def _case(draw: random.Random, number: int) -> Case:
    tags = tuple(tag for tag in ("golden", "reply", "refund", "german", "long") if draw.random() < 0.2)
    ticket = _prose(draw, draw.randrange(80, 240))
    return Case(f"ticket-{number + 1:06d}", {"ticket": ticket}, {"queue": "billing"}, tags)


def _prose(draw: random.Random, length: int) -> str:
    start = PROSE.index(" ", draw.randrange(len(PROSE) - length - 100)) + 1
    return PROSE[start : start + length]


def _response(draw: random.Random, key: CallKey) -> Response:
    model = f"gpt-4o-{key.variant}"
    if draw.random() < 0.002:
        return Response(key, Outcome.API_ERROR, model, source=Source.SIMULATED)
    text, request_id = _prose(draw, draw.randrange(150, 300)), f"req_{draw.getrandbits(128):032x}"
    body = {"id": request_id, "object": "response", "model": model, "output": [{"text": text}], "more": "-" * 1_000}
    return Response(
        key, Outcome.OK, model, text=text, raw=json.dumps(body), returned_model=model, request_id=request_id,
        request_hash="1:" + "0" * 64, usage=Usage(150 + draw.randrange(90), 128, 38 + draw.randrange(40)),
        usd=0.0006 + draw.random() / 10_000, latency_ms=700 + draw.expovariate(1 / 500), finish_reason="stop",
        source=Source.SIMULATED, finished_at=f"2026-11-26T14:{draw.randrange(20):02d}:{draw.randrange(60):02d}+00:00",
    )  # fmt: skip


def _scores(draw: random.Random, response: Response) -> Iterator[Score]:
    if not response.outcome.measured:
        return
    at = (response.call.case_id, response.call.variant, response.call.repeat)
    worse = response.call.variant == NAMES[1]
    valid = draw.random() > (0.04 if worse else 0.01)
    queue = valid and draw.random() > (0.14 if worse else 0.09)
    fenced = "not JSON as asked: one code fence around the answer"
    yield Score(*at, "valid", float(valid), valid, *((Reason.PASSED,) if valid else (Reason.UNEXTRACTED, fenced)))
    told = (Reason.PASSED, "") if queue else (Reason.WRONG, "expected billing, found account")
    yield Score(*at, "queue", float(queue), queue, *told, "billing", 0)
    yield Score(*at, "tone", draw.choice((0.5, 0.75, 1.0)), True, Reason.PASSED, _prose(draw, 60))  # noqa: FBT003


def _store(connection: sqlite3.Connection, made: list[Response]) -> None:
    for response in made:
        body = {"model": response.requested_model, "input": f"Which queue is {response.call.case_id} for?"}
        url = "https://stand-in.invalid/v1"
        put_response(connection, response, Request(response.call, 0, Endpoint.RESPONSES, url, body, ""))


# ---------------------------------------------------------------------------------------------------------- the steps


def _view(stored: StoredRun) -> View:
    return build_view(redacted(run_data(stored, METRICS, asked=Source.SIMULATED), Privacy()))


def _html(view: View, folder: Path) -> None:
    from snapdrift.reports.embed import embedded
    from snapdrift.reports.html import render_pages
    from snapdrift.reports.pieces import Spool

    with Spool(folder) as spool, (folder / "index.html").open("wb") as file:
        for page in render_pages(view, embedded(view, spool)):
            file.writelines(page.content.blocks())


def _results(view: View, folder: Path) -> None:
    from snapdrift.reports.results_files import write_results

    write_results(view, folder)


def _junit(view: View, folder: Path) -> None:
    from snapdrift.reports.junit import render_junit

    (folder / "junit.xml").write_text(render_junit(view), encoding="utf-8")


def _markdown(view: View, folder: Path) -> None:
    from snapdrift.reports.markdown import render_markdown

    (folder / "summary.md").write_text(render_markdown(view), encoding="utf-8")


def _verdict(view: View, folder: Path) -> None:
    from snapdrift.reports.verdict_json import render_verdict

    (folder / "verdict.json").write_text(render_verdict(view), encoding="utf-8")


def _reports(view: View, folder: Path) -> None:
    write_reports(view, folder)


STEPS: dict[str, Callable[[View, Path], None] | None] = {
    "start": None,
    "read": None,
    "view": lambda *_: None,
    "html": _html,
    "results": _results,
    "junit": _junit,
    "markdown": _markdown,
    "verdict": _verdict,
    "reports": _reports,
}
"""What a fresh process does with a run file: `read` reads every response, `reports` makes all files that a run gets."""


def carry_out(step: str, path: Path) -> None:
    """Carries out one step in this process, and prints what it took."""
    import jinja2.sandbox  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    import snapdrift.verdicts  # noqa: F401

    with tempfile.TemporaryDirectory(dir=path.parent) as folder, open_run(path) as stored:
        work = STEPS[step]
        if step == "read":
            for _ in stored.responses():
                pass
        elif work is not None:
            work(_view(stored), Path(folder))
    used = resource.getrusage(resource.RUSAGE_SELF)
    unit = 1 if sys.platform == "darwin" else 1024
    print(json.dumps([used.ru_maxrss * unit / 1e6, (used.ru_utime + used.ru_stime) * 1000]))


@dataclass(frozen=True)
class Taken:
    """Megabytes held at most, and milliseconds of processor time."""

    megabytes: float
    milliseconds: float


def measured(step: str, path: Path) -> Taken:
    """What a step takes in a fresh process."""
    command = [sys.executable, __file__, "--carry-out", step, str(path)]
    return Taken(*json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, action="append", help="repeatable; the fewest first")
    parser.add_argument("--step", choices=STEPS, action="append", help="repeatable; all where none is named")
    parser.add_argument("--folder", type=Path, help="where run files are kept, and found again")
    parser.add_argument("--carry-out", nargs=2, metavar=("STEP", "RUN"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.carry_out:
        carry_out(options.carry_out[0], Path(options.carry_out[1]))
        return
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}; answers are simulated")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        least: dict[str, float] = {}
        for calls in options.calls or (10_000, 100_000):
            path = folder / f"made-up-{calls}.db"
            if not path.is_file():
                make_run(path, calls)
            print(f"\n{calls:,} calls, a run file of {path.stat().st_size / 1e6:.0f} MB")
            base = measured("start", path)
            for step in options.step or STEPS:
                taken = measured(step, path)
                grown = taken.megabytes - least.setdefault(step, taken.megabytes)
                each = max(taken.milliseconds - base.milliseconds, 0.0) / calls
                print(f"  {step:8} {taken.megabytes:6.0f} MB {grown:+6.0f} MB {each:7.3f} ms for each call")


if __name__ == "__main__":
    main()
