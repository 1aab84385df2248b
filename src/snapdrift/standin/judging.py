"""Simulated judges: a verdict by a simple visible rule, never an opinion about the answer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snapdrift.standin.behaviours import Behaviour
from snapdrift.standin.draws import digest, draw, pick
from snapdrift.standin.fillers import fill, resolve

_VERDICT_NAMES = frozenset({"verdict", "judgement", "judgment", "passed", "grade", "pass"})
_GOOD = ("pass", "passed", "yes", "correct", "met", "good", "acceptable", "true", "consistent")
_BAD = ("fail", "failed", "no", "incorrect", "unmet", "not_met", "bad", "unacceptable", "false", "omits", "contradicts")
_QUOTED = re.compile(r"<([\w-]*(?:answer|response|output|reply)[\w-]*)[^>]*>(.*?)</\1>", re.DOTALL | re.IGNORECASE)
_REFUSING = re.compile(r"\b(?:i'm sorry|i am sorry|i can't|i cannot|i won't|as an ai)\b", re.IGNORECASE)
_SHORT = 20
FIRST, SECOND, TIE = "first", "second", "tie"
"""Verdicts that name one of two answers by its place."""
REASON = "Simulated verdict, drawn by a rate: nobody read the answer."


@dataclass(frozen=True, slots=True)
class _Judging:
    """What a simulated judge goes by: the rate at which it fails the answer, and what draws are made from.

    `vote` tells votes on one question apart, empty where there is one; each of several may be turned round.
    """

    rate: float
    flips: float
    vote: str
    key: tuple[object, ...]

    def verdict(self, members: Sequence[Any], *item: object) -> Any | None:
        """One of the members; None where they do not say what is good."""
        failed = draw("verdict", *item, *self.key) < self.rate
        if self.vote and draw("flip", self.vote, *item, *self.key) < self.flips:
            failed = not failed
        good, bad = _sides(members)
        if not good or not bad:
            return None
        return pick(bad if failed else good, "which", *item, *self.key)


def verdict_for(
    schema: Mapping[str, Any], text: str, behaviour: Behaviour, expected: Any, key: tuple[object, ...], vote: str = ""
) -> dict[str, Any] | None:
    """An object for the schema with a verdict, or None when the schema asks for none (or the answer key knows it).

    The verdict fails with the rate of the behaviour, a higher one where the answer quoted last in the text (between
    tags named like `<answer>`) is empty, under 20 characters or refusing. A list of verdicts has each drawn by itself.
    Where the verdict is one of two answers by their places, it is as `_preferred` says.
    """
    known = expected if isinstance(expected, Mapping) else {}
    answer = _quoted(text)
    rate = behaviour.judge_fails_poor if _is_poor(answer) else behaviour.judge_fails
    judging = _Judging(rate, behaviour.judge_flips, vote, (digest(text).hex(), *key))
    listed = listed_verdicts(schema)
    if listed is not None and not listed.keys() & known.keys():
        verdicts = {name: judging.verdict(members, name) for name, members in listed.items()}
        if None not in verdicts.values():
            return {name: {"reason": REASON, "verdict": verdict} for name, verdict in verdicts.items()}
    properties = resolve(schema, schema).get("properties") or {}
    for name, inner in properties.items():
        if name.lower() not in _VERDICT_NAMES or name in known:
            continue
        members = _members(resolve(schema, inner))
        two = [match[1].strip() for match in _QUOTED.findall(text)][-2:]
        verdict = judging.verdict(members)
        if {FIRST, SECOND} <= set(map(str, members)) and len(two) == 2:
            tie = TIE if TIE in members else FIRST
            verdict = _preferred((two[0], two[1]), tie, behaviour, key)
        if verdict is None:
            continue
        told = {"reason": REASON} if "reason" in properties else {}
        return {**fill(schema, "verdict", *key), **told, name: verdict}
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


def quoted_answer(text: str) -> str:
    """What the answer says that is quoted last between tags, where it is a JSON string what that says."""
    written = _quoted(text)
    try:
        said = json.loads(written)
    except ValueError:
        return written
    return said if isinstance(said, str) else written


def _quoted(text: str) -> str:
    """What stands last between tags named like `<answer>`, all of the text where nothing does."""
    return next((str(match[1]).strip() for match in reversed(_QUOTED.findall(text))), text)


def listed_verdicts(schema: Mapping[str, Any]) -> dict[str, Sequence[Any]] | None:
    """By name what each of a list of verdicts may be; None for a schema that is no such list."""
    properties = resolve(schema, schema).get("properties") or {}
    found = {name: single_verdict(resolve(schema, inner)) for name, inner in properties.items()}
    return {name: members for name, members in found.items() if members} if found and all(found.values()) else None


def single_verdict(schema: Mapping[str, Any]) -> Sequence[Any] | None:
    """What the verdict of an object of verdict and reason may be; None for another schema."""
    properties = schema.get("properties") or {}
    if not isinstance(properties, Mapping) or set(properties) != {"reason", "verdict"}:
        return None
    members = properties["verdict"].get("enum")
    return members if isinstance(members, Sequence) else None


def _members(schema: Mapping[str, Any]) -> Sequence[Any]:
    return (True, False) if schema.get("type") == "boolean" else tuple(schema.get("enum") or ())


def _sides(members: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    """The members that are good and those that are bad: by their words, of numbers the upper and the lower half."""
    said = {member: str(member).lower() for member in members}
    good = [member for member, word in said.items() if word in _GOOD]
    bad = [member for member, word in said.items() if word in _BAD]
    if good and bad:
        return good, bad
    if len(said) > 1 and all(re.fullmatch(r"\d+", word) for word in said.values()):
        ranked = sorted(members, key=lambda member: int(str(member)))
        return ranked[(len(ranked) + 1) // 2 :], ranked[: len(ranked) // 2]
    return (), ()
