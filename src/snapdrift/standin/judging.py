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
FIRST, SECOND, TIE = "first", "second", "tie"
"""Verdicts that name one of two answers by its place."""
REASON = "Simulated verdict, drawn by a rate: nobody read the answer."


def verdict_for(
    schema: Mapping[str, Any], text: str, behaviour: Behaviour, expected: Any, key: tuple[object, ...]
) -> dict[str, Any] | None:
    """An object for the schema with a verdict, or None when the schema asks for none (or the answer key knows it).

    The verdict fails with the rate of the behaviour, a higher one where the answer quoted last in the text (between
    tags named like `<answer>`) is empty, under 20 characters or refusing. Where the verdict is one of two answers by
    their places, it is as `_preferred` says.
    """
    properties = resolve(schema, schema).get("properties") or {}
    known = expected if isinstance(expected, Mapping) else {}
    for name, inner in properties.items():
        if name.lower() not in _VERDICT_NAMES or name in known:
            continue
        told = {"reason": REASON} if "reason" in properties else {}
        quoted = [match[1].strip() for match in _QUOTED.findall(text)]
        places = resolve(schema, inner).get("enum") or ()
        if {FIRST, SECOND} <= set(map(str, places)) and len(quoted) > 1:
            verdict = _preferred((quoted[-2], quoted[-1]), TIE if TIE in places else FIRST, behaviour, key)
            return {**fill(schema, "verdict", *key), **told, name: verdict}
        words = _words(resolve(schema, inner))
        if words is None:
            continue
        answer = quoted[-1] if quoted else text
        poor = _is_poor(answer)
        rate = behaviour.judge_fails_poor if poor else behaviour.judge_fails
        failed = draw("verdict", digest(text).hex(), *key) < rate
        return {**fill(schema, "verdict", *key), **told, name: words[failed]}
    return None


def _is_poor(answer: str) -> bool:
    return len(answer) < _SHORT or _REFUSING.search(answer) is not None


def _preferred(answers: tuple[str, str], tie: str, behaviour: Behaviour, key: tuple[object, ...]) -> str:
    """Which of two answers: the first whatever it says, with the rate of the position bias; else by the rule.

    By the rule a poor answer loses to one that is not, and else the longer one wins with the rate of the preference.
    Both orders of a pair draw the same there, and apart where the place decides.
    """
    if draw("place", digest(*answers).hex(), *key) < behaviour.judge_first:
        return FIRST
    seed = key[:1]  # what else is in the key tells the orders apart
    merits = [(not _is_poor(answer), len(answer)) for answer in answers]
    poor, alike = merits[0][0] != merits[1][0], merits[0] == merits[1]
    decided = poor or draw("pair", *sorted(digest(answer).hex() for answer in answers), *seed) < behaviour.judge_prefers
    return tie if alike or not decided else FIRST if merits[0] > merits[1] else SECOND


def _words(schema: Mapping[str, Any]) -> tuple[Any, Any] | None:
    """What means pass and what means fail, where the schema lets one say both."""
    if schema.get("type") == "boolean":
        return True, False
    members = schema.get("enum") or ()
    good = next((member for member in members if str(member).lower() in _GOOD), None)
    bad = next((member for member in members if str(member).lower() in _BAD), None)
    return None if good is None or bad is None else (good, bad)
