"""What grading a large run takes: 25,000 cases x 4 variants, exact + schema + json_equal over eight fields.

python benchmarks/grading.py [CASES]

Makes a real run file of made-up invoices and answers (most right; some wrong, in other notations, fenced, cut or no
JSON), then prints wall and CPU seconds: of loading the answers; of grading them in memory with each grader alone and
with all; of storing the scores; and of all of it from the file, by one process and by two. What a process that grades a
share spends on reading and on grading it says itself, by the clock: the longer of the two is what grading takes on two
cores once the answers are loaded. CPU seconds are this process's and its children's. No model is asked.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from snapdrift.graders.registry import Registry
from snapdrift.model import Call, CallKey, Case, Endpoint, Outcome, Request, Response, Source, Usage
from snapdrift.pipeline.grader_code import GraderCode
from snapdrift.pipeline.grading import collecting_paused, grade_answers
from snapdrift.pipeline.grading_workers import store_scores_of_workers
from snapdrift.store import RunHeader, RunWriter, StoredRun, open_run
from snapdrift.store.inserts import put_response
from snapdrift.suites.loader import load_suite
from snapdrift.suites.resolved import Suite
from snapdrift.suites.workspace import find_workspace

T = TypeVar("T")
VARIANTS = ("august", "november", "explicit", "mini")
CHUNK = 5_000
SUITE = """\
suite: invoices
dataset: invoices.jsonl
prompt: {input: "{{ invoice }}"}
variants:
  august: {model: gpt-4o-2024-08-06}
  november: {model: gpt-4o-2024-11-20}
  explicit: {model: gpt-4o-2024-08-06, request: {temperature: 0}}
  mini: {model: gpt-4o-mini-2024-07-18}
graders:
  - {name: number, exact: "{{ expected.number }}", extract: {json: number, mode: fenced}}
  - name: valid
    schema:
      type: object
      properties:
        vendor: {type: string}
        number: {type: string}
        date: {type: string}
        due: {type: [string, "null"]}
        currency: {type: string, enum: [GBP, USD, EUR, CHF]}
        net: {type: number}
        tax: {type: number}
        total: {type: number}
      required: [vendor, number, date, due, currency, net, tax, total]
      additionalProperties: false
  - name: fields
    json_equal: "{{ expected }}"
    fields:
      vendor: casefold
      number: exact
      date: date
      due: date
      currency: exact
      net: {number: 0.005}
      tax: {number: 0.005}
      total: {number: 0.005}
gate: {baseline: {variant: august}, candidates: [november, explicit, mini], metrics: {fields: {margin: 0.02}}}
"""


class Loaded(StoredRun):
    """A stored run whose cases and answers are in memory."""

    def __init__(self, stored: StoredRun) -> None:
        super().__init__(stored.path, stored._connection)
        self._cases = stored.cases()
        self._answers = list(stored.responses())

    def cases(self) -> tuple[Case, ...]:
        """The cases, from memory."""
        return self._cases

    def responses(self) -> Iterator[Response]:
        """The answers, from memory."""
        return iter(self._answers)


def invoice(number: int, draw: random.Random) -> dict[str, Any]:
    net = round(draw.uniform(20, 5_000), 2)
    tax = round(net * draw.choice((0.05, 0.07, 0.19, 0.2)), 2)
    month, day = draw.randint(1, 12), draw.randint(1, 28)
    return {
        "vendor": f"Sample {draw.choice(('Catering', 'Printing', 'Cleaning', 'Transport'))} Ltd",
        "number": f"INV{number:06}",
        "date": f"2024-{month:02}-{day:02}",
        "due": None if draw.random() < 0.2 else f"2025-{month:02}-{day:02}",
        "currency": draw.choice(("GBP", "USD", "EUR", "CHF")),
        "net": net,
        "tax": tax,
        "total": round(net + tax, 2),
    }


def answer_to(expected: dict[str, Any], draw: random.Random) -> str:
    """Mostly right, and each way of being wrong as often as it takes to matter for the time."""
    said = dict(expected)
    if draw.random() < 0.15:
        said["total"] = round(said["total"] + draw.uniform(-90, 90), 2)
    if draw.random() < 0.05:
        said["net"] = f"{said['net']:,.2f} {said['currency']}"
    if draw.random() < 0.05:
        said["date"] = f"{int(said['date'][8:])} May 2024"
    if draw.random() < 0.03:
        del said["due"]
    text = json.dumps(said, indent=draw.choice((None, 2)))
    kind = draw.random()
    if kind < 0.02:
        return f"```json\n{text}\n```"
    return text[: len(text) // 2] if kind < 0.03 else "I cannot read this invoice." if kind < 0.04 else text


def build_run(root: Path, cases: int) -> tuple[Suite, Path]:
    """A workspace with the suite, and a finished run of it."""
    draw = random.Random(1)
    rows = [
        {"id": f"case-{number:05}", "invoice": f"Invoice {number}", "expected": invoice(number, draw)}
        for number in range(cases)
    ]
    (root / "snapdrift.toml").write_text("")
    (root / "invoices.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (root / "invoices.yaml").write_text(SUITE)
    suite = load_suite(root / "invoices.yaml", find_workspace(root), Registry(), None)
    keys = [CallKey(case.id, variant, 0) for case in suite.cases for variant in VARIANTS]
    calls = [Call(key, position) for position, key in enumerate(keys)]
    path = root / "runs" / "run.sqlite"
    with RunWriter.create(path, header_of(suite), suite.cases, calls) as writer:
        expected = {case.id: case.expected for case in suite.cases}
        for start in range(0, len(keys), CHUNK):
            answers = [(key, answer_to(expected[key.case_id], draw)) for key in keys[start : start + CHUNK]]
            asyncio.run(writer.apply(lambda connection, answers=answers: _put(connection, answers)))  # type: ignore[misc]
        writer.finish("2026-01-01T00:00:00+00:00")
    return suite, path


def _put(connection: Any, answers: Sequence[tuple[CallKey, str]]) -> None:
    for key, text in answers:
        put_response(connection, response_to(key, text), Request(key, 0, Endpoint.RESPONSES, "http://x/v1", {}, "x"))


def response_to(key: CallKey, text: str) -> Response:
    raw = json.dumps({"id": "resp_1", "object": "response", "output": [{"type": "message", "text": text}]})
    usage = Usage(input_tokens=300, output_tokens=90)
    model = "gpt-4o-2024-08-06"
    return Response(
        key, Outcome.OK, model, text, raw, model, usage=usage, usd=0.001, latency_ms=900.0, source=Source.SIMULATED
    )


def header_of(suite: Suite) -> RunHeader:
    return RunHeader(
        run_id="run",
        suite=suite.name,
        gate="default",
        started_at="2026-01-01T00:00:00+00:00",
        seed=0,
        attempt=1,
        identity="benchmark",
        suite_stored=suite.to_stored(),
        suite_hash=suite.hash,
        dataset_hash=suite.dataset_hash,
        versions={},
        git_commit=None,
        git_dirty=None,
        catalog={},
        assumptions={},
        planned_repeats=1,
        partial=False,
        command="benchmark",
        variants=tuple(suite.variants.values()),
    )


def count_scores(stored: StoredRun, suite: Suite) -> int:
    """Grades the answers and lets go of the scores."""
    return sum(1 for _ in grade_answers(stored, suite, GraderCode()))


def cpu_seconds() -> float:
    """Of this process, and of its children once they have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def grade_and_store(writer: RunWriter, stored: StoredRun, suite: Suite) -> None:
    """As a run of few answers does it."""
    writer.replace_scores(grade_answers(stored, suite, GraderCode()))


def timed(what: str, work: Callable[[], T]) -> T:
    """Does it once and prints how long it took."""
    wall, cpu = time.perf_counter(), cpu_seconds()
    with collecting_paused():  # as a run does it
        made = work()
    wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
    print(f"{what:<42} {wall:8.2f} s wall {cpu:8.2f} s CPU", flush=True)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=int, nargs="?", default=25_000)
    cases = parser.parse_args().cases
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, load {load}")
    print(f"{cases:,} cases x {len(VARIANTS)} variants")
    with tempfile.TemporaryDirectory() as folder:
        suite, path = timed("making the run file", partial(build_run, Path(folder), cases))
        with RunWriter.open(path) as writer, open_run(path) as stored:
            loaded = timed("loading the answers", partial(Loaded, stored))
            for grader in suite.graders:
                timed(
                    f"grading by {grader.name} alone", partial(count_scores, loaded, replace(suite, graders=(grader,)))
                )
            scores = timed("grading by all, after loading", lambda: list(grade_answers(loaded, suite, GraderCode())))
            print(f"{len(scores):,} scores, {sum(bool(s.passed) for s in scores):,} passed")
            timed("storing the scores", partial(writer.replace_scores, scores))
            del scores
            timed("grading and storing, from the file", lambda: grade_and_store(writer, stored, suite))
            times = timed("the same by two processes", partial(store_scores_of_workers, writer, stored, 2))
            for number, one in enumerate(times):
                print(f"  process {number + 1}: reading {one.reading_s:.2f} s, grading {one.grading_s:.2f} s wall")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")


if __name__ == "__main__":
    main()
