"""How close to an account's limits a run goes, and how much is refused on the way: prints figures.

python benchmarks/pacing.py [--calls 1000] [--rpm 3000] [--burst 10] [--latency 200] [--concurrency 64]

A stand-in in a process of its own enforces a limit of requests a minute in short slices: `--burst` at once, then one
every 60 / rpm seconds. Once its headers tell the limit, once nothing does, not even a Retry-After. The ideal is the
least time that anybody could take who knew all of that: the burst at once, one request a slot from then on, and the
last answer after the stand-in's latency.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from snapdrift.execution.budget import Budget
from snapdrift.execution.engine import Engine
from snapdrift.execution.records import EngineSettings
from snapdrift.execution.turns import Here
from snapdrift.model import Answer, CallKey, Endpoint, Outcome, Request, Response
from snapdrift.openai_api.client import OpenAIClient
from snapdrift.openai_api.errors import AttemptFailed
from snapdrift.openai_api.hosts import Host
from snapdrift.standin.config import StandinConfig
from snapdrift.standin.launch import StandinProcess

MODEL = "gpt-4o-2024-08-06"


@dataclass(frozen=True)
class Case:
    """What is measured: `latency` in milliseconds, `told` whether headers tell the limit."""

    calls: int
    rpm: int
    burst: int
    latency: int
    concurrency: int
    told: bool

    @property
    def ideal(self) -> float:
        """Seconds that nobody can undercut."""
        return max(0, self.calls - self.burst) * 60.0 / self.rpm + self.latency / 1000.0


@dataclass
class Tally:
    """What came of it."""

    asked: int = 0
    refused: int = 0
    answered: int = 0
    seconds: float = 0.0


def requests(case: Case, base_url: str) -> Iterator[Request]:
    """The requests of a run, each a question of its own."""
    for number in range(case.calls):
        body = {"model": MODEL, "input": f"How much is {number} and 1?", "max_output_tokens": 32, "store": False}
        key = CallKey(f"case-{number}", "a", 0)
        yield Request(key, 0, Endpoint.RESPONSES, base_url, body, f"pacing-1:case-{number}:a/0/0")


async def asked(case: Case, base_url: str) -> Tally:
    """Asks all of them as `snapdrift run` does, but for storing what comes back."""
    tally = Tally()
    async with OpenAIClient(Host("stand-in", base_url, "key", is_openai=False)) as client:

        async def ask(request: Request) -> Answer:
            tally.asked += 1
            try:
                return await client.ask(request)
            except AttemptFailed as error:
                tally.refused += error.failure.status == 429
                raise

        async def record(response: Response, _request: Request) -> None:
            tally.answered += response.outcome is not Outcome.API_ERROR

        # The first request of a process imports for seconds; that has nothing to do with limits.
        await client.ask(next(requests(replace(case, calls=1), base_url)))
        settings = EngineSettings(concurrency=case.concurrency)
        engine = Engine(Here(ask), record, lambda _model, _answer: None, lambda _request: None, settings, Budget(None))
        began = time.perf_counter()
        await engine.run(requests(case, base_url))
        tally.seconds = time.perf_counter() - began
    return tally


def measured(case: Case) -> Tally:
    """One run against a fresh stand-in."""
    limits = {"rpm": case.rpm, "burst": case.burst, "headers": case.told}
    config = StandinConfig.checked({"limits": limits, "latency": str(case.latency)})
    with StandinProcess(config) as process:
        return asyncio.run(asked(case, process.base_url))


def main() -> None:
    """Prints one line a case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--rpm", type=int, default=3000)
    parser.add_argument("--burst", type=int, default=10)
    parser.add_argument("--latency", type=int, default=200)
    parser.add_argument("--concurrency", type=int, default=64)
    given = parser.parse_args()
    print(f"{given.rpm} requests a minute, {given.burst} at once; {given.latency} ms; {given.concurrency} in flight")
    print(f"{'headers':<9}{'calls':>7}{'requests':>10}{'refused':>9}{'share':>8}{'seconds':>9}{'ideal':>8}{'ratio':>7}")
    for told in (True, False):
        case = Case(given.calls, given.rpm, given.burst, given.latency, given.concurrency, told)
        tally = measured(case)
        share, ratio = tally.refused / tally.asked, tally.seconds / case.ideal
        print(
            f"{'given' if told else 'none':<9}{tally.answered:>7}{tally.asked:>10}{tally.refused:>9}"
            f"{share:>8.2%}{tally.seconds:>9.2f}{case.ideal:>8.2f}{ratio:>7.3f}"
        )


if __name__ == "__main__":
    main()
