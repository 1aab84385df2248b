"""A small run to store: two cases, two variants, two repeats."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from snapdrift.execution.plan import plan_calls
from snapdrift.model import Call, CallKey, Case, Endpoint, Outcome, Request, Response, Usage, Variant
from snapdrift.store import RunHeader, RunWriter

VARIANTS = tuple(Variant(name, "gpt-4o", Endpoint.RESPONSES, {"temperature": 0}, {"input": "{{ q }}"}) for name in "ab")
CASES = (Case("one", {"q": "1+1"}, {"sum": 2}, ("easy",)), Case("two", {"q": "2+2"}, 4, (), "cluster"))


@pytest.fixture
def make_header() -> Callable[..., RunHeader]:
    """A run header, of which a test says what it cares about."""

    def make(**changes: Any) -> RunHeader:
        fields: dict[str, Any] = {
            "run_id": "20261122-140305-8f3a",
            "suite": "sums",
            "gate": "default",
            "started_at": "2026-11-22T14:03:05.000+00:00",
            "seed": 7,
            "attempt": 1,
            "identity": "identity",
            "suite_stored": {"suite": "sums"},
            "suite_hash": "s",
            "dataset_hash": "d",
            "versions": {"snapdrift": "0.1.0"},
            "git_commit": None,
            "git_dirty": None,
            "catalog": {},
            "assumptions": {"discordance": 0.15},
            "planned_repeats": 2,
            "partial": False,
            "command": "snapdrift run sums",
            "variants": VARIANTS,
        }
        return RunHeader(**{**fields, **changes})

    return make


@pytest.fixture
def cases() -> tuple[Case, ...]:
    return CASES


@pytest.fixture
def calls() -> tuple[Call, ...]:
    return plan_calls(CASES, VARIANTS, 2, 7)


@pytest.fixture
def create(
    make_header: Callable[..., RunHeader], cases: tuple[Case, ...], calls: tuple[Call, ...]
) -> Callable[[Path], RunWriter]:
    """Makes a run file at a path."""
    return lambda path: RunWriter.create(path, make_header(run_id=path.stem), cases, calls)


@pytest.fixture
def request_of() -> Callable[[CallKey], Request]:
    """The request of a call."""

    def make(key: CallKey) -> Request:
        body = {"model": "gpt-4o", "input": key.case_id, "temperature": 0}
        return Request(key, 0, Endpoint.RESPONSES, "https://api.openai.com/v1", body, f"run:{key.case_id}/0/0")

    return make


@pytest.fixture
def response_of() -> Callable[..., Response]:
    """A response to a call."""

    def make(key: CallKey, **changes: Any) -> Response:
        fields: dict[str, Any] = {
            "call": key,
            "outcome": Outcome.OK,
            "requested_model": "gpt-4o",
            "text": f"answer to {key}",
            "raw": f'{{"output": "{key}"}}',
            "usage": Usage(10, 0, 5, 0),
            "usd": 0.25,
            "latency_ms": 100.0,
        }
        return Response(**{**fields, **changes})

    return make
