"""How many requests a second the stand-in answers, and how long they take: prints figures.

python benchmarks/standin_load.py [--requests 4000] [--in-flight 64] [--behaviour august]

The client is a bare aiohttp one, so that what is measured is the server (on the same cores).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

import aiohttp

from snapdrift.model import ClientRequestId
from snapdrift.standin.config import StandinConfig
from snapdrift.standin.launch import StandinProcess

MODEL = "gpt-4o-2024-08-06"
SENTENCE = "A parcel that was sent to Ulm last week has not arrived, and the tracking page shows nothing. "
TOOL = {
    "type": "function",
    "name": "lookup_order",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"order": {"type": "string"}},
        "required": ["order"],
        "additionalProperties": False,
    },
}
SCHEMA = {
    "type": "object",
    "properties": {"queue": {"type": "string", "enum": ["a", "b"]}, "why": {"type": "string"}},
    "required": ["queue", "why"],
    "additionalProperties": False,
}
FORM = {"format": {"type": "json_schema", "name": "ticket", "strict": True, "schema": SCHEMA}}
BODIES: dict[str, dict[str, Any]] = {
    "plain": {"input": SENTENCE, "store": False},
    "stored": {"input": SENTENCE},
    "schema": {"input": SENTENCE, "store": False, "text": FORM},
    "tools": {"input": "Where is order A-5521?", "store": False, "tools": [TOOL]},
    "streamed": {"input": SENTENCE, "store": False, "stream": True},
    "long prompt": {"input": SENTENCE * 100, "store": False},
}


def cpu_seconds(pid: int | None) -> float:
    """What a process has used of the processor so far; 0 where the system does not tell (only Linux does, here)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def load(base_url: str, name: str, requests: int, in_flight: int) -> dict[str, Any]:
    """Sends one kind of body so many times; returns what came of it."""
    gate, took = asyncio.Semaphore(in_flight), []

    async def ask(session: aiohttp.ClientSession, number: int) -> None:
        call = str(ClientRequestId("load-1", str(number), "v", 0, 0))
        headers = {"authorization": "Bearer sk-load", "x-client-request-id": call}
        async with gate:
            started = time.perf_counter()
            async with session.post(
                f"{base_url}/responses", json={"model": MODEL, **BODIES[name]}, headers=headers
            ) as r:
                body = await r.read()
                if r.status != 200:
                    raise SystemExit(f"{name}: {r.status} {body[:200]!r}")
            took.append(time.perf_counter() - started)

    connector = aiohttp.TCPConnector(limit=in_flight)
    async with aiohttp.ClientSession(connector=connector) as session:
        started = time.perf_counter()
        await asyncio.gather(*(ask(session, number) for number in range(requests)))
        whole = time.perf_counter() - started
    cuts = [round(cut * 1000, 1) for cut in statistics.quantiles(took, n=20)]
    figures = {"requests": requests, "seconds": round(whole, 2), "per_second": round(requests / whole)}
    return {"body": name, **figures, "p50_ms": cuts[9], "p95_ms": cuts[18]}


def main() -> None:
    """Starts a stand-in and puts every kind of load on it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--behaviour", default="august")
    parser.add_argument("--only", choices=BODIES)
    options = parser.parse_args()
    with StandinProcess(StandinConfig.checked({"behaviour": options.behaviour})) as standin:
        for name in [options.only] if options.only else BODIES:
            before = cpu_seconds(standin.pid)
            figures = asyncio.run(load(standin.base_url, name, options.requests, options.in_flight))
            used = (cpu_seconds(standin.pid) - before) * 1000 / options.requests
            print(json.dumps({**figures, "server_cpu_ms": round(used, 2)}))


if __name__ == "__main__":
    main()
