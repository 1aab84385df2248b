"""What a call costs this program beside a bare loop of the same SDK: prints figures.

python benchmarks/overhead.py [--calls 2000 5000] [--in-flight 100 500] [--delay-ms 200] [--characters 200] [--rounds 3]

For each number of calls and of requests in flight: the bare loop (the SDK on its aiohttp transport, raw responses, the
same bodies, nothing kept), then `snapdrift run` of a suite with as many calls: asked, stored, graded, compared and
rendered. Each is a process of its own; the endpoint is another, and answers after `--delay-ms`. What a call costs is
the processor time of a process less that of one with few calls (what starting up takes), divided by the calls between.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from endpoint import running

FEW = 40
"""Calls of the run that tells what starting up takes; a gate needs some cases."""
PROMPT = "Say in a sentence where parcel {number} is, and when it arrives at the customer's address in Ulm."


@dataclass(frozen=True)
class Used:
    """What a process used: processor seconds, seconds, megabytes at most, megabytes that it left on the disk."""

    cpu_s: float
    wall_s: float
    peak_mb: float
    files_mb: float = 0.0


def bare_loop(base_url: str, calls: int, in_flight: int) -> None:
    """The same bodies through the same SDK and transport, raw responses, nothing done with them."""
    from openai import AsyncOpenAI, DefaultAioHttpClient

    async def ask_all() -> None:
        import httpx2

        limits = httpx2.Limits(max_connections=in_flight, max_keepalive_connections=in_flight)
        http_client = DefaultAioHttpClient(limits=limits, timeout=660.0)
        numbers = iter(range(calls))
        async with AsyncOpenAI(api_key="bench", base_url=base_url, max_retries=0, http_client=http_client) as client:

            async def work() -> None:
                for number in numbers:
                    reply = await client.responses.with_raw_response.create(
                        model="gpt-4o-2024-08-06",
                        input=[{"role": "user", "content": PROMPT.format(number=number)}],
                        max_output_tokens=100,
                        store=False,
                        extra_headers={"X-Client-Request-Id": f"bench/{number}"},
                    )
                    if reply.status_code != 200:
                        raise SystemExit(f"the endpoint answered {reply.status_code}")

            await asyncio.gather(*(work() for _ in range(in_flight)))

    asyncio.run(ask_all())


def suite_of(workspace: Path, calls: int) -> Path:
    """A suite of so many calls: two variants, a grader that most answers pass."""
    cases = calls // 2
    (workspace / "evals").mkdir(parents=True, exist_ok=True)
    (workspace / "snapdrift.toml").write_text("", encoding="utf-8")
    rows = "\n".join(json.dumps({"id": f"c{n}", "prompt": PROMPT.format(number=n)}) for n in range(cases))
    (workspace / "cases.jsonl").write_text(rows + "\n", encoding="utf-8")
    path = workspace / "evals" / "parcels.yaml"
    path.write_text(
        "suite: parcels\ndataset: cases.jsonl\nprompt: {input: '{{ prompt }}'}\n"
        "request: {max_output_tokens: 100}\n"
        "variants:\n  old: {model: gpt-4o-2024-08-06}\n  new: {model: gpt-4o-2024-11-20}\n"
        "graders:\n  - {name: says_when, contains: Tuesday}\n"
        "gate: {baseline: {variant: old}, candidates: [new], max_blind: 0.9, metrics: {says_when: {margin: 0.5}}}\n",
        encoding="utf-8",
    )
    return path


def measured(command: list[str], cwd: Path) -> Used:
    """Runs a command to its end; raises where it fails."""
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = cast("BinaryIO", process.stdout).read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{said.decode()}")
    return Used(usage.ru_utime + usage.ru_stime, time.perf_counter() - began, usage.ru_maxrss / 1024)


def bare(base_url: str, calls: int, in_flight: int) -> Used:
    """The bare loop in a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), "--bare", base_url, str(calls), str(in_flight)]
    return measured(command, Path.cwd())


def run(base_url: str, calls: int, in_flight: int) -> Used:
    """`snapdrift run` of a suite with so many calls in a workspace of its own."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        suite = suite_of(workspace, calls)
        given = {entry for entry in workspace.rglob("*") if entry.is_file()}
        command = [sys.executable, "-m", "snapdrift", "run", str(suite), "--base-url", base_url, "--quiet"]
        used = measured([*command, "--concurrency", str(in_flight)], workspace)
        written = sum(
            entry.stat().st_size
            for entry in workspace.rglob("*")
            if entry.is_file() and not entry.is_symlink() and entry not in given
        )
        return Used(used.cpu_s, used.wall_s, used.peak_mb, written / 1e6)


WAYS: dict[str, Callable[[str, int, int], Used]] = {"bare SDK": bare, "snapdrift run": run}


def told(name: str, few: list[Used], many: list[Used], calls: int, in_flight: int, ideal_s: float) -> dict[str, object]:
    """One line of figures: medians over the rounds."""
    per_call = [(m.cpu_s - f.cpu_s) / (calls - FEW) * 1000 for f, m in zip(few, many, strict=True)]
    beyond = [m.wall_s - f.wall_s for f, m in zip(few, many, strict=True)]
    return {
        "what": name,
        "calls": calls,
        "in_flight": in_flight,
        "cpu_ms_per_call": round(statistics.median(per_call), 2),
        "cpu_ms_of_each_round": [round(value, 2) for value in per_call],
        "seconds_beyond_start": round(statistics.median(beyond), 2),
        "ideal_s": round(ideal_s, 2),
        "peak_mb": round(max(m.peak_mb for m in many)),
        "files_mb": round(max(m.files_mb for m in many), 1),
    }


def main() -> None:
    """Measures and prints."""
    if sys.argv[1:2] == ["--bare"]:
        bare_loop(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, nargs="+", default=[2000, 5000])
    parser.add_argument("--in-flight", type=int, nargs="+", default=[100, 500])
    parser.add_argument("--delay-ms", type=float, default=200.0)
    parser.add_argument("--characters", type=int, default=200, help="of an answer")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with running(options.delay_ms, options.characters) as base_url:
        for in_flight in options.in_flight:
            for calls in options.calls:
                ideal = -(-calls // in_flight) * options.delay_ms / 1000
                found: dict[str, tuple[list[Used], list[Used]]] = {name: ([], []) for name in WAYS}
                # In turns: a machine that is slow for a minute is so for both.
                for _ in range(options.rounds):
                    for name, one in WAYS.items():
                        few, many = found[name]
                        few.append(one(base_url, FEW, in_flight))
                        many.append(one(base_url, calls, in_flight))
                for name, (few, many) in found.items():
                    print(json.dumps(told(name, few, many, calls, in_flight, ideal)), flush=True)


if __name__ == "__main__":
    main()
