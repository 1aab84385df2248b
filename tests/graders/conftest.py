"""How grader tests make graders, responses and scores: through the registry, as a suite does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from snapdrift.graders.base import Grader
from snapdrift.graders.registry import Registry
from snapdrift.model import CallKey, Case, Outcome, Response, Score
from snapdrift.suites.workspace import PathError


def _parse(
    entry: Mapping[str, Any],
    cases: Sequence[Case] = (),
    files: Mapping[str, str] | None = None,
    default_extract: Any = None,
) -> Grader:
    def read(path: str) -> str:
        if files is None or path not in files:
            raise PathError(f"no file {path}", "expected a file in the workspace")
        return files[path]

    return Registry().parse(entry, default_extract=default_extract, read=read, cases=cases)


def _answer(text: str, outcome: Outcome = Outcome.OK, case_id: str = "c1", **rest: Any) -> Response:
    key = CallKey(case_id, "august", 0)
    return Response(key, outcome, "gpt-4o-2024-08-06", text=text, **rest)


def _score(entry: Mapping[str, Any], text: str, *, expected: Any = None, outcome: Outcome = Outcome.OK) -> Score:
    case = Case("c1", expected=expected)
    grader = _parse(entry, [case] if expected is not None else [])
    return grader.grade(case, _answer(text, outcome))[0]


@pytest.fixture(scope="session")
def parse() -> Callable[..., Grader]:
    """Makes a grader of an entry; `files` are the workspace's."""
    return _parse


@pytest.fixture(scope="session")
def answer() -> Callable[..., Response]:
    """Makes a response with a text."""
    return _answer


@pytest.fixture(scope="session")
def score() -> Callable[..., Score]:
    """The first score that an entry gives a text."""
    return _score
