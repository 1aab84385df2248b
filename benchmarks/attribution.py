"""How long it takes to take differences apart: many cases, three candidates, one JSON metric, from a run file.

    python benchmarks/attribution.py [CASES]

Of each candidate's answers a share is in code fences, another has text around the JSON, a third is wrong; the rest is
right. Prints the CPU seconds of comparing without and with attribution, and the memory of the process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from snapdrift.graders.json_equal import JsonEqual
from snapdrift.graders.scoring import grade
from snapdrift.model import (
    Call,
    CallKey,
    Case,
    Endpoint,
    Gate,
    MetricGate,
    Outcome,
    Pair,
    Request,
    Response,
    Source,
    Usage,
    Variant,
)
from snapdrift.pipeline.rereading import tolerant_reading
from snapdrift.store import RunHeader, RunWriter, StoredRun, open_run
from snapdrift.verdicts import RunFacts, evaluate

CASES = 10_000
NAMES = ("base", "one", "two", "three")
VARIANTS = tuple(Variant(name, "gpt-4o", Endpoint.RESPONSES, {}, {"input": "x"}) for name in NAMES)
TAGS = ("german", "english", "french", "long", "short")
GRADER = JsonEqual.model_validate({"name": "fields", "json_equal": "{{ expected }}", "fields": ["queue", "urgency"]})


def main() -> None:
    """Makes the run, compares it twice and prints what that took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=int, nargs="?", default=CASES)
    count = parser.parse_args().cases
    cases = [
        Case(f"case-{n}", {}, {"queue": f"q{n % 7}", "urgency": n % 3}, (TAGS[n % 5], TAGS[n % 2]))
        for n in range(count)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "20261122-140305-8f3a.db"
        _make(path, cases)
        with open_run(path) as stored:
            _measure(stored, cases)


def _make(path: Path, cases: list[Case]) -> None:
    calls = [Call(CallKey(case.id, name, 0), place) for place, case in enumerate(cases) for name in NAMES]
    with RunWriter.create(path, _header(path.stem), cases, calls) as writer:
        by_id = {case.id: (number, case) for number, case in enumerate(cases)}
        responses = [_response(call.key, *by_id[call.key.case_id]) for call in calls]
        asyncio.run(_record(writer, responses))
        writer.replace_scores(
            score for response in responses for score in grade(GRADER, by_id[response.call.case_id][1], response)
        )


async def _record(writer: RunWriter, responses: list[Response]) -> None:
    for begin in range(0, len(responses), 500):
        await asyncio.gather(*(writer.record(one, _request(one.call)) for one in responses[begin : begin + 500]))


def _request(key: CallKey) -> Request:
    return Request(key, 0, Endpoint.RESPONSES, "https://api.openai.com/v1", {"input": key.case_id}, "run:case/0/0")


def _response(key: CallKey, number: int, case: Case) -> Response:
    fate = (number * 7 + NAMES.index(key.variant) * 3) % 20
    wrong = fate < 3 or (key.variant == "base" and number % 11 == 0)
    text = json.dumps({**case.expected, "queue": "other"} if wrong else case.expected, indent=2)
    if key.variant != "base":
        text = f"```json\n{text}\n```" if 3 <= fate < 6 else f"Here it is: {text}" if fate == 6 else text
    return Response(
        key, Outcome.OK, "gpt-4o", text, usage=Usage(180, 0, 40), usd=0.001, latency_ms=900.0, source=Source.SIMULATED
    )


def _header(run_id: str) -> RunHeader:
    fields: dict[str, Any] = {"run_id": run_id, "suite": "bench", "gate": "default", "variants": VARIANTS}
    fields |= {"started_at": "2026-11-22T14:03:05+00:00", "seed": 7, "attempt": 1, "identity": "bench", "catalog": {}}
    fields |= {"suite_stored": {}, "suite_hash": "s", "dataset_hash": "d", "versions": {}, "assumptions": {}}
    return RunHeader(
        **fields,
        git_commit=None,
        git_dirty=None,
        planned_repeats=1,
        partial=False,
        command="",
    )


def _measure(stored: StoredRun, cases: list[Case]) -> None:
    gate = Gate("default", tuple(Pair("base", name) for name in NAMES[1:]), (MetricGate("fields", 0.03),))
    results = stored.results(GRADER.metrics, {})
    evaluate(results, gate, RunFacts())  # what is imported and cached once is not counted
    suite: Any = SimpleNamespace(graders=(GRADER,), cases=cases)
    plain = _seconds(lambda: evaluate(results, gate, RunFacts()))
    began = time.process_time()
    explained = evaluate(results, gate, RunFacts(), tolerant_reading(stored, suite))
    whole = time.process_time() - began
    reread = sum(one.attribution.reread for one in explained.attributions)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(cases):,} cases, {len(gate.pairs)} candidates, {len(explained.comparisons)} comparisons")
    print(f"compared in {plain:.2f} s of CPU; with {len(explained.attributions)} attributions {whole:.2f} s")
    print(f"answers that read otherwise: {reread:,}; memory of the process at its highest: {memory:.0f} MB")


def _seconds(work: Any) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
