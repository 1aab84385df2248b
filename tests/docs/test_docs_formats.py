"""The reference explains every field of the documents that `history` and `watch` print."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from snapdrift.cli.watched import watched_json
from snapdrift.pipeline import Night
from snapdrift.stats.canary import new_canary
from snapdrift.verdicts.history import FlakyCase, History, Move, Noise, Point, Series, Step
from snapdrift.verdicts.watching import Watched, WatchedCanary

PAGE = (Path(__file__).parents[2] / "docs" / "reference.md").read_text(encoding="utf-8")
WORDS_OF_THE_FIELD = {"suite", "gate", "variant", "metric", "source", "case_id", "candidate", "baseline", "cases"}
"""They mean what they mean everywhere."""


def told(heading: str) -> set[str]:
    """What stands in backticks under a heading."""
    (text,) = re.findall(rf"^### {re.escape(heading)}\n(.*?)(?=^#+ )", PAGE, re.S | re.M)
    return set(re.findall(r"`([^`]+)`", text))


@pytest.mark.parametrize(
    "record", [History, Series, Point, Step, Move, FlakyCase, Noise], ids=lambda record: record.__name__
)
def test_the_fields_of_a_history_are_explained(record: Any) -> None:
    fields = {field.name for field in dataclasses.fields(record)}

    assert fields - WORDS_OF_THE_FIELD <= told("snapdrift history [SUITE]...")


def test_the_fields_of_a_night_are_explained() -> None:
    watched = Watched("queue", "pinned", "alias", {})
    night = Night("triage", "default", 1, 0.05, canaries=(WatchedCanary(watched, new_canary("", 0.05)),))
    (suite,) = json.loads(watched_json([night]))["suites"]

    assert {*suite, *suite["canaries"][0]} - WORDS_OF_THE_FIELD <= told("snapdrift watch SUITE...")
