"""Recorded judgements: what a judge said of a recorded output, replayed to a judge's question about that output.

A row of a recordings file may have a `judge`: lists of `{CRITERION, met: true, comment: ...}` under any keys (whatever
the text and the flag are called), or one `{verdict, reason}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snapdrift.standin.draws import digest
from snapdrift.standin.judging import listed_verdicts, quoted_answer, single_verdict

_REASONS = ("comment", "reason", "explanation")
_CRITERION = re.compile(r'^(c\d+): (".*")$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Said:
    """What was said: whether a criterion is met (or the one verdict), and why."""

    verdict: Any
    reason: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """A recorded judgement of one output: by criterion, and as a whole."""

    criteria: Mapping[str, Said]
    whole: Said | None = None


def read_judgement(judge: Mapping[str, Any]) -> Judgement:
    """The judgement in a row's `judge`; what has another form in it is passed over."""
    criteria: dict[str, Said] = {}
    for entries in judge.values():
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, Mapping):
                criteria |= dict(_criteria(entry))
    verdict = judge.get("verdict")
    return Judgement(criteria, Said(verdict, _reason(judge)) if isinstance(verdict, str) else None)


def _criteria(entry: Mapping[str, Any]) -> Iterator[tuple[str, Said]]:
    texts = [value for key, value in entry.items() if isinstance(value, str) and key not in _REASONS]
    flags = [value for value in entry.values() if isinstance(value, bool)]
    if len(texts) == 1 and len(flags) == 1:
        yield texts[0].strip(), Said(flags[0], _reason(entry))


def _reason(entry: Mapping[str, Any]) -> str:
    return next((str(entry[key]) for key in _REASONS if isinstance(entry.get(key), str)), "")


class Judgements:
    """Recorded judgements by the output that they are of; text is compared without the white space around it."""

    def __init__(self) -> None:
        self._by_output: dict[bytes, list[Judgement]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_output)

    def add(self, output: str, judge: Mapping[str, Any]) -> None:
        """Adds a judgement of an output."""
        self._by_output.setdefault(digest(output.strip()), []).append(read_judgement(judge))

    def reply(self, schema: Mapping[str, Any], text: str, user_text: str, vote: int) -> str | None:
        """The reply to a judge's question as JSON text; None where the schema asks for no verdict.

        `text` is all of the prompt, `user_text` what holds the answer between tags. Of several judgements of one output
        each vote gets the next. Raises `KeyError` that names what was not recorded.
        """
        listed, single = listed_verdicts(schema), single_verdict(schema)
        if listed is None and single is None:
            return None
        found = self._by_output.get(digest(quoted_answer(user_text).strip()))
        if found is None:
            raise KeyError("no judgement of this answer is recorded")
        judgement = found[vote % len(found)]
        said = _listed(judgement, listed, text) if listed is not None else _single(judgement, single or ())
        return json.dumps(said, ensure_ascii=False)


def _listed(judgement: Judgement, listed: Mapping[str, Sequence[Any]], text: str) -> dict[str, Any]:
    asked = {name: json.loads(written) for name, written in _CRITERION.findall(text)}
    reply = {}
    for name, labels in listed.items():
        criterion = str(asked.get(name, name)).strip()
        if criterion not in judgement.criteria or "yes" not in labels or "no" not in labels:
            raise KeyError(f"the recorded judgement of this answer does not have the criterion {criterion[:80]!r}")
        said = judgement.criteria[criterion]
        reply[name] = {"reason": said.reason, "verdict": "yes" if said.verdict else "no"}
    return reply


def _single(judgement: Judgement, labels: Sequence[Any]) -> dict[str, Any]:
    if judgement.whole is None or judgement.whole.verdict not in labels:
        raise KeyError("the recorded judgement of this answer has no such verdict")
    return {"reason": judgement.whole.reason, "verdict": judgement.whole.verdict}
