"""Which case an answer is of: by the case's id, else by what was asked, else by the variables that the row has."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from snapdrift.importers.names import Unique, file_name, label, usable_name
from snapdrift.importers.notes import Notes
from snapdrift.importers.outputs.record import Answer, Messages
from snapdrift.model import Case
from snapdrift.suites.wording import quoted


@dataclass(slots=True)
class Index:
    """Cases by what tells them: ids, what variants ask of them, and their variables."""

    ids: set[str] = field(default_factory=set)
    asked: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    variables: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    @classmethod
    def of(cls, cases: Iterable[Case], asked: Callable[[Case], Iterable[Messages]]) -> Index:
        """The index of a suite's cases; `asked` gives the conversations that its variants ask of a case."""
        index = cls()
        for case in cases:
            index.ids.add(case.id)
            for messages in asked(case):
                for key in _keys_of(messages):
                    index.asked[key].add(case.id)
            for name, value in case.variables.items():
                index.variables[_variable_key(name, value)].add(case.id)
                if isinstance(value, str):
                    index.asked[_text_key(value)].add(case.id)
        return index

    def find(self, answer: Answer) -> str | None:
        """The case that an answer is of, None where none or several are. Ids decide where they are known."""
        if answer.case_id is not None and answer.case_id in self.ids:
            return answer.case_id
        for key in _keys_of(answer.asked) if answer.asked else ():
            found = self.asked.get(key, set())
            if len(found) == 1:
                return next(iter(found))
        return self._by_variables(answer.variables)

    def _by_variables(self, variables: Mapping[str, Any]) -> str | None:
        """The one case that has all of these variables, those left aside that no case has."""
        sets = [self.variables.get(_variable_key(usable_name(name), value)) for name, value in variables.items()]
        known = [found for found in sets if found]
        common = set.intersection(*known) if known and len(known) == len(sets) else set()
        return next(iter(common)) if len(common) == 1 else None


def _keys_of(messages: Messages) -> list[str]:
    """What a conversation is known by, the surest first: all of it, without its instructions, its last question."""
    whole = json.dumps([[role, text.strip()] for role, text in messages])
    rest = json.dumps([[role, text.strip()] for role, text in messages if role not in ("system", "developer")])
    users = [text for role, text in messages if role == "user"]
    return list(dict.fromkeys([whole, rest, *([_text_key(users[-1])] if users else [])]))


def _text_key(text: str) -> str:
    return f"text:{' '.join(text.split())}"


def _variable_key(name: str, value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return f"{name}={' '.join(text.split())}"


@dataclass(frozen=True, slots=True)
class Matched:
    """Answers as files of outputs hold them: rows by the name of their variant."""

    rows: Mapping[str, Sequence[Mapping[str, Any]]]


def matched(
    answers: Sequence[Answer], find: Callable[[Answer], str | None], repeats: int, name: str, notes: Notes
) -> Matched:
    """Each answer under the case and repeat that it is of.

    Where the same case was answered by several models, each model is a variant. Rows of no case are noted; so are
    further answers of the same variant to a case, beyond `repeats` of them.
    """
    cases = [find(answer) for answer in answers]
    whose = _whose(answers, cases)
    called = _names(whose, name)
    rows: dict[str, list[Mapping[str, Any]]] = {}
    taken: set[tuple[str, str, int]] = set()
    for answer, case, own in zip(answers, cases, whose, strict=True):
        variant = called[own]
        if case is None:
            notes.left_out(answer.place, _about(answer), "is of no case, or of several alike")
            continue
        free = [n for n in range(repeats) if (variant, case, n) not in taken]
        repeat = answer.repeat if answer.repeat is not None else (free[0] if free else repeats)
        if repeat >= repeats or (variant, case, repeat) in taken:
            notes.left_out(answer.place, _about(answer), f"is another answer to the case {quoted(case)}, already there")
            continue
        taken.add((variant, case, repeat))
        row: dict[str, Any] = {"id": case, "output": answer.text}
        row |= {"model": answer.model} if answer.model else {}
        rows.setdefault(variant, []).append({**row, "repeat": repeat} if repeats > 1 else row)
    return Matched(rows)


def _about(answer: Answer) -> str:
    if answer.case_id is not None:
        return f"the row {quoted(answer.case_id)}"
    asked = answer.asked[-1][1] if answer.asked else ""
    return f"the row that asks {quoted(' '.join(asked.split())[:60])}" if asked else "a row"


def _whose(answers: Sequence[Answer], cases: Sequence[str | None]) -> list[str | None]:
    """What the file calls who answered; where it calls several models the same that answered a case, with the model."""
    models: defaultdict[tuple[str | None, str], set[str]] = defaultdict(set)
    for answer, case in zip(answers, cases, strict=True):
        if case is not None and answer.model:
            models[answer.variant, case].add(answer.model)
    several = {variant for (variant, _), asked in models.items() if len(asked) > 1}
    return [
        "-".join(filter(None, (answer.variant, answer.model))) or None if answer.variant in several else answer.variant
        for answer in answers
    ]


def _names(whose: Sequence[str | None], name: str) -> dict[str | None, str]:
    """What each variant of the file is called: the given name, alone or before the file's own."""
    own = list(dict.fromkeys(whose))
    names = Unique(between="-")
    if len(own) < 2:
        return {one: names.of(label(name)) for one in own}
    return {one: names.of(label(f"{name}-{file_name(one or 'rest')}")) for one in own}
