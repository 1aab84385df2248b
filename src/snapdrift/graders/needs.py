"""What a grader wants from outside before it can grade, and what it may look at besides the answer.

A grader asks nobody and runs nothing itself. It says what it needs, by name; whoever grades sees to it and hands in
what came back. So a judge's question is planned, paid for, stored and cached like any other call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from snapdrift.model import Case, Conversation, Response, Variant


@dataclass(frozen=True, slots=True)
class JudgeQuestion:
    """What a judge is asked about one answer: whom, with which settings, and what."""

    variant: Variant
    conversation: Conversation


@dataclass(frozen=True, slots=True)
class CodeFile:
    """A function of the workspace that a grader has called: `PATH:FUNCTION`, and the SHA-256 of the file."""

    target: str
    sha256: str


@dataclass(frozen=True, slots=True)
class CodeCall:
    """A function of the workspace to be called about one answer; `target` is `PATH:FUNCTION`.

    It is called as `FUNCTION(case, response, **arguments)` and given up after `timeout_s` seconds.
    """

    target: str
    case: Case
    response: Response
    arguments: Mapping[str, Any] = field(default_factory=dict)
    timeout_s: float = 60.0


Need = JudgeQuestion | CodeCall


@dataclass(frozen=True, slots=True)
class CodeResult:
    """How such a call ended: what it returned, or (`error`) why it did not, with the lines of its traceback."""

    value: object = None
    error: str = ""
    traceback: tuple[str, ...] = ()


Got = Mapping[str, Response | CodeResult]
"""What came back, by the name of the need; one that is not there was not answered."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a grader may look at besides the answer.

    `conversation` is what the answer replies to, None where that is not known; `others` are the answers of the
    variant's baselines to the same case in the same repeat, by variant in the order of the gate: for a grader that
    `compares` all of them, `missing` where there is none yet.
    """

    conversation: Conversation | None = None
    others: Mapping[str, Response] = field(default_factory=dict)


NOTHING_SEEN = Seen()
