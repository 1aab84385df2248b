"""Simulated judges: a verdict by a simple visible rule, never an opinion about the answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from snapdrift.standin.behaviours import Behaviour
from snapdrift.standin.draws import digest, draw
from snapdrift.standin.fillers import fill, resolve

_VERDICT_NAMES = frozenset({"verdict", "judgement", "judgment", "passed", "grade", "pass"})
_GOOD = ("pass", "passed", "yes", "correct", "met", "good", "acceptable", "true")
_BAD = ("fail", "failed", "no", "incorrect", "unmet", "not_met", "bad", "unacceptable", "false")
_QUOTED = re.compile(r"<([\w-]*(?:answer|response|output|reply)[\w-]*)[^>]*>(.*?)</\1>", re.DOTALL | re.IGNORECASE)
_REFUSING = re.compile(r"\b(?:i'm sorry|i am sorry|i can't|i cannot|i won't|as an ai)\b", re.IGNORECASE)
_SHORT = 20
REASON = "Simulated verdict, drawn by a rate: nobody read the answer."


def verdict_for(
    schema: Mapping[str, Any], text: str, behaviour: Behaviour, expected: Any, key: tuple[object, ...]
) -> dict[str, Any] | None:
    """An object for the schema with a verdict, or None when the schema asks for none (or the answer key knows it).

    The verdict fails with the rate of the behaviour, a higher one where the answer quoted last in the text (between
    tags named like `<answer>`) is empty, under 20 characters or refusing.
    """
    properties = resolve(schema, schema).get("properties") or {}
    known = expected if isinstance(expected, Mapping) else {}
    for name, inner in properties.items():
        if name.lower() not in _VERDICT_NAMES or name in known:
            continue
        words = _words(resolve(schema, inner))
        if words is None:
            continue
        quoted = [match[1].strip() for match in _QUOTED.findall(text)]
        answer = quoted[-1] if quoted else text
        poor = len(answer) < _SHORT or _REFUSING.search(answer) is not None
        rate = behaviour.judge_fails_poor if poor else behaviour.judge_fails
        failed = draw("verdict", digest(text).hex(), *key) < rate
        told = {"reason": REASON} if "reason" in properties else {}
        return {**fill(schema, "verdict", *key), **told, name: words[failed]}
    return None


def _words(schema: Mapping[str, Any]) -> tuple[Any, Any] | None:
    """What means pass and what means fail, where the schema lets one say both."""
    if schema.get("type") == "boolean":
        return True, False
    members = schema.get("enum") or ()
    good = next((member for member in members if str(member).lower() in _GOOD), None)
    bad = next((member for member in members if str(member).lower() in _BAD), None)
    return None if good is None or bad is None else (good, bad)
