"""What comes of a run while the machine's wall clock jumps: nothing rests on it but what is stored for people."""

from __future__ import annotations

import asyncio
import itertools
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from tests.openai_api.conftest import LoopbackHost, loopback  # noqa: F401  a fixture

from snapdrift.execution.clock import SystemClock
from snapdrift.model import CallKey, Endpoint, Request
from snapdrift.openai_api.client import OpenAIClient
from snapdrift.openai_api.errors import AttemptFailed
from snapdrift.openai_api.hosts import Host
from snapdrift.store import open_run


def test_a_wall_clock_that_jumps_by_days_moves_no_deadline_no_wait_and_no_latency(workspace, snapdrift, monkeypatch):
    jumps = itertools.cycle([timedelta(), timedelta(days=2), timedelta(days=-2)])
    monkeypatch.setattr(SystemClock, "now", lambda _: datetime.now(UTC) + next(jumps))
    root = workspace(cases=12, max_blind=0.9)
    limits = ("--deadline", "30m", "--faults", "first=500", "--json")
    done = snapdrift("run", "evals/capitals.yaml", "--standin", "--behaviour", "exact", *limits, cwd=root)
    assert done.returncode in (0, 1, 4), done.stderr  # what was concluded, of answers that all came
    verdict = json.loads(done.stdout)
    assert [variant["outcomes"] for variant in verdict["variants"]] == [{"ok": 12}] * 2
    (path,) = (root / ".snapdrift" / "runs").glob("*.db")
    with open_run(path) as run:
        attempts = [attempt for response in run.responses() for attempt in response.attempts]
    assert len(attempts) == 2 * 24
    assert all(0 <= attempt.latency_ms < 60_000 for attempt in attempts)


@pytest.mark.parametrize("wrong_by", [timedelta(hours=-3), timedelta(hours=3)])
def test_a_wait_that_is_named_by_a_date_is_counted_on_the_hosts_own_clock(
    loopback: LoopbackHost,  # noqa: F811
    monkeypatch,
    wrong_by,
):
    class Wrong(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + wrong_by

    monkeypatch.setattr("snapdrift.openai_api.errors.datetime", Wrong)
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=1000), usegmt=True)
    loopback.answers(json.dumps({"error": {"message": "no"}}), status=429, headers={"retry-after": until})
    host = Host("test", loopback.base_url, "key-of-the-test-host", is_openai=False)
    request = Request(CallKey("c", "v", 0), 0, Endpoint.RESPONSES, host.base_url, {"model": "m"}, "r:c:v/0/0")

    async def ask() -> float | None:
        async with OpenAIClient(host) as client:
            with pytest.raises(AttemptFailed) as caught:
                await client.ask(request)
        return caught.value.failure.retry_after

    seconds = asyncio.run(ask())
    assert seconds is not None
    assert 900 < seconds <= 1001
