"""How much memory a run takes as it grows, step by step, and how long its event loop is ever blocked.

python benchmarks/memory.py [--calls N ...] [--repeats K] [--delay MS] [--concurrency N] [--filled] [--without-page]

For each number of calls (10,000 and 100,000) a process of its own runs a suite of two variants and two graders, from
its file to its page, against an endpoint in another process that answers at once, or after MS milliseconds. N / 2 / K
cases are asked K times. Printed are, for each step, the peak of resident memory (VmHWM of /proc, set back before each
step), the CPU seconds of the process and of its children, and the number of open files at its end; then the peak of the
whole run, and the longest stretch for which one callback kept the event loop (by the clock, and by the CPU time of the
thread, which a busy machine does not lengthen). `--filled` puts made-up answers into the run file instead of asking.
Linux only. No model is asked.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import Any

SUITE = """\
suite: tickets
dataset: tickets.jsonl
prompt:
  instructions: You are a support triage assistant. Answer only with the name of the queue.
  input: "{{ ticket }}"
variants:
  before: {model: gpt-4o-2024-08-06, request: {max_output_tokens: 50}}
  after: {model: gpt-4o-2024-11-20, request: {max_output_tokens: 50}}
repeats: REPEATS
graders:
  - {name: queue, exact: "{{ expected }}"}
  - {name: short, regex: "^.{1,20}$"}
gate: {baseline: {variant: before}, candidates: [after], metrics: {queue: {margin: 0.02}, short: {margin: 0.02}}}
"""
STEPS = (
    ("load and check", "running.to_be_run"),
    ("plan, store the plan", "running.open_writer"),
    ("ask", "carrying_out.ask"),
    ("grade", "carrying_out.store_scores"),
    ("compare and decide", "carrying_out.conclude"),
    ("render", "carrying_out.write_run_reports"),
)
"""What is measured, and the function that does it, with the module of `pipeline` that calls it."""
PAGES = (
    ("carrying_out.write_run_reports", (None, None)),
    ("running.refresh_index", None),
    ("running.write_ci_files", None),
)
"""The functions that `--without-page` leaves out, and what they return then."""
QUEUES = ("billing", "returns", "delivery", "technical")
MB = 2**20


# ------------------------------------------------------------------------------------------------------- the endpoint


def answer_to(body: bytes) -> bytes:
    """A small answer of the Responses API: the queue that the ticket names, or now and then another."""
    request = json.loads(body)
    asked = json.dumps(request.get("input"))
    right = next((queue for queue in QUEUES if queue in asked), QUEUES[0])
    drawn = zlib.crc32((asked + request["model"]).encode())
    said = right if drawn % 10 else QUEUES[drawn // 10 % len(QUEUES)]
    text = {"type": "output_text", "text": said, "annotations": []}
    message = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [text]}
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    usage = {"input_tokens": 60, "output_tokens": 3, "total_tokens": 63, **details}
    answer = {"id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": request["model"]}
    return json.dumps({**answer, "output": [message], "usage": usage}).encode()


class Endpoint(asyncio.Protocol):
    """One connection, kept open: requests with a `Content-Length`, one after another."""

    def __init__(self, delay: float) -> None:
        self._delay, self._data = delay, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102  as asyncio has it
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:  # noqa: D102  as asyncio has it
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end].lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            if len(self._data) < end + 4 + length:
                return
            body, self._data = self._data[end + 4 : end + 4 + length], self._data[end + 4 + length :]
            answer = answer_to(body) if head.startswith(b"post") else b'{"object": "list", "data": []}'
            asyncio.get_running_loop().call_later(self._delay, self._reply, answer)

    def _reply(self, answer: bytes) -> None:
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-snapdrift-standin: simulated\r\n"
        self._transport.write(f"{head}Content-Length: {len(answer)}\r\n\r\n".encode() + answer)


async def serve(delay: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Endpoint(delay), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def endpoint(delay_ms: float) -> Iterator[str]:
    """The URL of an endpoint in a process of its own, which ends with this."""
    command = [sys.executable, __file__, "--serve", str(delay_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = int(process.stdout.readline()) if process.stdout else 0
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()


# ------------------------------------------------------------------------------------------------------------ measures


def status(name: str) -> float:
    """A figure of /proc/self/status in megabytes."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024 / MB


def cpu_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


@dataclass
class Meter:
    """What each step took, and the longest callback of the event loop."""

    peak: float = 0.0
    longest_wall: tuple[float, str] = (0.0, "")
    longest_cpu: tuple[float, str] = (0.0, "")
    over_50_ms: int = 0
    steps: list[str] = field(default_factory=list)

    def step(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, measured."""

        @wraps(work)
        def measured(*args: Any, **kwargs: Any) -> Any:
            Path("/proc/self/clear_refs").write_text("5")
            before, wall = cpu_seconds(), time.perf_counter()
            try:
                return work(*args, **kwargs)
            finally:
                peak, files = status("VmHWM"), len(list(Path("/proc/self/fd").iterdir()))
                self.peak = max(self.peak, peak)
                spent, wall = cpu_seconds() - before, time.perf_counter() - wall
                print(
                    f"  {name:<24} {peak:8.1f} MB peak, {status('VmRSS'):8.1f} MB at its end, {spent:8.2f} s CPU, "
                    f"{wall:8.2f} s wall, {files:4} files open",
                    flush=True,
                )

        return measured

    def watch_loop(self) -> None:
        """Times every callback of every event loop from now on."""
        run = asyncio.Handle._run

        def timed(handle: Any) -> None:
            wall, cpu = time.perf_counter(), time.thread_time()
            run(handle)
            wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
            if cpu > self.longest_cpu[0]:
                self.longest_cpu = (cpu, described(handle))
            if wall > self.longest_wall[0]:
                self.longest_wall = (wall, described(handle))
            self.over_50_ms += cpu > 0.05

        asyncio.Handle._run = timed  # type: ignore[assignment, method-assign]


def described(handle: Any) -> str:
    of = getattr(handle._callback, "__self__", None)
    if isinstance(of, asyncio.Task):
        return f"task {getattr(of.get_coro(), '__qualname__', '?')}"
    return str(getattr(handle._callback, "__qualname__", handle._callback))


# ------------------------------------------------------------------------------------------------------------- the run


def lay_out(root: Path, cases: int, repeats: int) -> None:
    draw = random.Random(1)
    (root / "snapdrift.toml").write_text("")
    (root / "evals").mkdir()
    (root / "evals" / "tickets.yaml").write_text(SUITE.replace("REPEATS", str(repeats)))
    with (root / "tickets.jsonl").open("w") as file:
        for number in range(cases):
            queue = draw.choice(QUEUES)
            ticket = f"Ticket {number}: a question about {queue}, and {draw.choice(('nothing', 'much'))} besides. " * 3
            file.write(json.dumps({"id": f"case-{number:06}", "ticket": ticket, "expected": queue}) + "\n")


def fill(writer: Any, stored: Any, work: Any, **_: Any) -> str:
    """Puts answers into the run file that nobody gave, in the place of asking."""
    from snapdrift.model import CallKey, Endpoint, Outcome, Request, Response, Source, Usage
    from snapdrift.store.inserts import put_response

    def put(connection: Any, keys: list[Any]) -> None:
        for case_id, variant, repeat in keys:
            key = CallKey(case_id, variant, repeat)
            body = {
                "model": work.suite.variants[variant].model,
                "input": f"{queues[case_id]}",
                "instructions": "x" * 80,
            }
            raw = answer_to(json.dumps(body).encode()).decode()
            said = json.loads(raw)["output"][0]["content"][0]["text"]
            request = Request(key, 0, Endpoint.RESPONSES, "http://127.0.0.1/v1", body, "x")
            usage = Usage(input_tokens=60, output_tokens=3)
            answer = Response(key, Outcome.OK, body["model"], said, raw, body["model"], "req_1", request.hash, usage)
            put_response(connection, _told(answer, Source.SIMULATED), request)

    queues = {case.id: case.expected for case in stored.cases()}
    connection = stored._connection.execute("SELECT case_id, variant, repeat FROM calls WHERE grader = '' ORDER BY id")
    while keys := list(islice(connection, 1000)):
        asyncio.run(writer.apply(lambda connection, keys=keys: put(connection, keys)))
    return ""


def _told(answer: Any, source: Any) -> Any:
    from dataclasses import replace

    from snapdrift.model import Attempt

    attempts = (Attempt(1, "2026-01-01T00:00:00.000+00:00", 200.0),)
    finished = "2026-01-01T00:00:00.200+00:00"
    return replace(answer, usd=0.0001, latency_ms=200.0, source=source, attempts=attempts, finished_at=finished)


def run(root: Path, url: str, options: argparse.Namespace) -> None:
    """The run, in this process."""
    from snapdrift.pipeline import carrying_out, running
    from snapdrift.pipeline.options import Limits, RunOptions, TargetOptions

    meter, modules = Meter(), {"running": running, "carrying_out": carrying_out}
    if options.filled:
        carrying_out.ask = fill
    if options.without_page:
        for place, made in PAGES:
            module, _, function = place.partition(".")
            setattr(modules[module], function, lambda *_, made=made: made)
    for name, place in STEPS:
        module, _, function = place.partition(".")
        setattr(modules[module], function, meter.step(name, getattr(modules[module], function)))
    meter.watch_loop()
    target = TargetOptions(base_url=url)
    limits = Limits(concurrency=options.concurrency)
    began = cpu_seconds()
    asked = RunOptions(env=dict(os.environ), target=target, limits=limits, fresh=True)
    whole = meter.step("whole run", lambda: running.run_suites([root / "evals" / "tickets.yaml"], asked))
    (outcome,) = whole()
    calls = sum(variant.planned for variant in outcome.evaluation.variants)
    print(f"  {outcome.evaluation.decision.word.value}; peak of all {meter.peak:.1f} MB; ", end="")
    print(f"{(cpu_seconds() - began) / calls * 1000:.2f} ms CPU a call; run file ", end="")
    print(f"{outcome.run_path.stat().st_size / MB:.1f} MB")
    print(
        f"  longest callback {meter.longest_cpu[0] * 1000:.0f} ms CPU ({meter.longest_cpu[1]}), "
        f"{meter.longest_wall[0] * 1000:.0f} ms by the clock ({meter.longest_wall[1]}); "
        f"{meter.over_50_ms} over 50 ms CPU",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--concurrency", type=int, default=100)
    parser.add_argument("--filled", action="store_true")
    parser.add_argument("--without-page", action="store_true")
    parser.add_argument("--serve", type=float)
    parser.add_argument("--child", nargs=2)
    options = parser.parse_args()
    if options.serve is not None:
        asyncio.run(serve(options.serve / 1000))
    elif options.child:
        run(Path(options.child[0]), options.child[1], options)
    else:
        load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
        print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, load {load}")
        for calls in options.calls:
            cases = calls // 2 // options.repeats
            print(f"{cases:,} cases x 2 variants x {options.repeats} repeats", flush=True)
            with tempfile.TemporaryDirectory() as folder, endpoint(options.delay) as url:
                lay_out(Path(folder), cases, options.repeats)
                subprocess.run([sys.executable, *sys.argv, "--child", folder, url], check=True)


if __name__ == "__main__":
    main()
