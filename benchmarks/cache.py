"""What the cache across runs costs: indexing a run file, looking up what is there, and what is not.

    python benchmarks/cache.py [CALLS]

Each call asks some 2,000 characters and is answered with 300. Prints CPU microseconds a call, and bytes a call of the
index and of the run file.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from snapdrift.model import Call, CallKey, Case, Endpoint, Outcome, Request, Response, Usage, Variant
from snapdrift.pipeline.reusing import Reusing
from snapdrift.store import RunHeader, RunWriter, codec
from snapdrift.store.cache import AnswerIndex
from snapdrift.store.cache_answers import REUSABLE, Pinned, Reusable
from snapdrift.store.inserts import put_response

MODEL, URL = "gpt-4o-2024-08-06", "https://api.openai.com/v1"
VARIANTS = (Variant("august", MODEL, Endpoint.RESPONSES, {"temperature": 0}, {"input": "{{ text }}"}),)
ALL = Reusable({"august": Pinned(URL)})
PORTION = 1000


def request(number: int, asked: str) -> Request:
    """The request of a call."""
    text = f"{asked} {number}: " + "Where is my parcel? " * 100
    body = {"model": MODEL, "input": [{"role": "user", "content": text}], "max_output_tokens": 200, "store": False}
    return Request(CallKey(f"c{number}", "august", 0), 0, Endpoint.RESPONSES, URL, body, f"r:c{number}:august/0/0")


def response(asked: Request, number: int) -> Response:
    """Its answer."""
    text, when = f"{number} " + "It is on its way. " * 16, "2026-11-20T10:00:00.000+00:00"
    facts = {"usage": Usage(500, 0, 80, 0), "usd": 0.002, "latency_ms": 900.0, "finished_at": when}
    return Response(asked.call, Outcome.OK, MODEL, text, f'{{"id": "{number}", "text": "{text}"}}', MODEL, **facts)


def write(path: Path, calls: int) -> None:
    """A run file with so many answers."""
    cases = [Case(f"c{number}") for number in range(calls)]
    plan = [Call(CallKey(case.id, "august", 0), place) for place, case in enumerate(cases)]
    header = RunHeader(
        path.stem, "s", "default", "2026-11-20T10:00:00+00:00", 0, 1, "", {}, "", "", {}, None, None, {}, {}, 1,
        partial=False, command="", variants=VARIANTS,
    )  # fmt: skip
    with RunWriter.create(path, header, cases, plan) as writer:
        writer.set_meta(REUSABLE, codec.dumps(ALL))
        for start in range(0, calls, PORTION):
            made = [request(number, "Question") for number in range(start, min(start + PORTION, calls))]
            writer._do(  # one transaction for many, which no command needs
                lambda connection, made=made, start=start: [
                    put_response(connection, response(one, start + place), one) for place, one in enumerate(made)
                ]
            )


def timed(work: Callable[[], object]) -> float:
    """The CPU seconds of something."""
    before = time.process_time()
    work()
    return time.process_time() - before


def lookups(reusing: Reusing, calls: int, asked: str) -> Iterator[bool]:
    """Looks every call up; whether it was found."""
    for number in range(calls):
        yield reusing.find(request(number, asked)) is not None


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("calls", type=int, nargs="?", default=5000)
    calls = parser.parse_args().calls
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / "runs"
        runs.mkdir()
        write(runs / "r1.db", calls)
        with AnswerIndex.open(Path(folder) / "cache.db") as index:
            indexing = timed(lambda: index.take_in(runs))
            again = timed(lambda: index.take_in(runs))
            building = timed(lambda: [request(number, "Question").hash for number in range(calls)])
            reusing = Reusing(index, runs, ALL, "", print)
            misses = timed(lambda: sum(lookups(reusing, calls, "Another")))
            found: list[bool] = []
            hits = timed(lambda: found.extend(lookups(reusing, calls, "Question")))
            print(f"{calls:,} calls, {sum(found):,} found; CPU microseconds a call:")
            print(f"  indexing {indexing / calls * 1e6:.1f} once (again {again * 1e3:.2f} ms for the whole file)")
            print(f"  not there {(misses - building) / calls * 1e6:.1f}, there {(hits - building) / calls * 1e6:.1f},")
            print(f"  besides making the request and its hash: {building / calls * 1e6:.1f}")
            size = (runs / "r1.db").stat().st_size
            print(f"  bytes a call: {index.size_bytes / calls:.0f} in the index, {size / calls:.0f} in the run file")
            reusing.let_go()


if __name__ == "__main__":
    main()
