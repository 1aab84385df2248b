"""`tool_calls`: the model called the functions that it was meant to call, with the right arguments."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import Field, StrictBool

from snapdrift.graders.arguments import Argument
from snapdrift.graders.base import Grader
from snapdrift.graders.comparers import same_json
from snapdrift.graders.extract import Extraction
from snapdrift.graders.marks import CannotGradeError, Mark
from snapdrift.graders.values import quoted, text_of
from snapdrift.model import Case, Response, ToolCall


class ArgumentMatch(StrEnum):
    """How the arguments of a call are compared with the expected ones."""

    EQUAL = "equal"
    SUBSET = "subset"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A call that is expected; `arguments` None: any."""

    name: str
    arguments: Mapping[str, Any] | None


class ToolCalls(Grader):
    """Compares the calls of an answer with the expected ones: a list of `{name, arguments}`, empty for no call.

    Every expected call has to be made once and no other; in any order unless `ordered`. `arguments: subset` lets a call
    have more arguments than are expected, `ignore` looks at the names only; a call without `arguments` takes any. The
    `step` that a call may have in an answer key of the stand-in says nothing here: `ordered` compares the order.
    """

    family: ClassVar[str] = "tool_calls"
    reads_text: ClassVar[bool] = False
    templated: ClassVar[tuple[str, ...]] = ("tool_calls",)
    unscored: ClassVar[str] = (
        "Expected calls that are no list of {name, arguments} are a grader error. Arguments that are no JSON "
        "object are wrong."
    )
    examples: ClassVar[tuple[str, ...]] = (
        """\
answer: ""
calls: [{name: lookup_order, arguments: '{"order": "5521", "verbose": true}'}]
expected: [{name: lookup_order, arguments: {order: "5521"}}]
grader: {name: tools, tool_calls: "{{ expected }}", arguments: subset}
""",
    )

    tool_calls: Argument = Field(description="The expected calls: a list of {name, arguments}; [] expects none.")
    arguments: ArgumentMatch = Field(default=ArgumentMatch.EQUAL, description="How arguments are compared.")
    ordered: StrictBool = Field(default=False, description="The calls have to come in the expected order.")

    def value_in(self, response: Response) -> Extraction:
        """The calls as JSON, arguments read where they are JSON; of several steps, the calls of all in order."""
        return Extraction([_shown(call) for call in response.tool_calls], 0)

    def check_case(self, case: Case) -> str | None:
        """An expected value that is no list of calls."""
        try:
            self._wanted(case)
        except CannotGradeError as error:
            return str(error)
        return None

    def mark(self, case: Case, value: Any) -> Mark:
        """Compares the calls that were made, as `value_in` shows them, with the expected ones."""
        wanted = self._wanted(case)
        unread = next((call for call in value if not isinstance(call["arguments"], Mapping)), None)
        if unread is not None:
            detail = f"the arguments of {unread['name']} are no JSON object: {text_of(unread['arguments'])}"
            return Mark.of(passed=False, detail=detail)
        matched = self._in_order(wanted, value) if self.ordered else self._in_any_order(wanted, value)
        missing = [call for call, found in zip(wanted, matched, strict=True) if found is None]
        extra = [call for number, call in enumerate(value) if number not in matched]
        if not missing and not extra:
            return Mark.of(passed=True)
        return Mark.of(
            passed=False, detail=_difference(missing, extra, len(wanted)), evidence=tuple(map(quoted, value))
        )

    def _wanted(self, case: Case) -> list[_Wanted]:
        written = self.rendered("tool_calls", case)
        if not isinstance(written, list):
            raise CannotGradeError(f"the expected calls {quoted(written)} are no list of {{name, arguments}}")
        return [_read(entry) for entry in written]

    def _matches(self, wanted: _Wanted, call: Mapping[str, Any]) -> bool:
        if wanted.name != call["name"]:
            return False
        if wanted.arguments is None or self.arguments is ArgumentMatch.IGNORE:
            return True
        found = call["arguments"]
        if self.arguments is ArgumentMatch.EQUAL:
            return same_json(found, wanted.arguments)
        return all(name in found and same_json(found[name], value) for name, value in wanted.arguments.items())

    def _in_order(self, wanted: Sequence[_Wanted], calls: Sequence[Mapping[str, Any]]) -> list[int | None]:
        """For each expected call the number of the call at its place, None where that is another."""
        return [
            number if number < len(calls) and self._matches(call, calls[number]) else None
            for number, call in enumerate(wanted)
        ]

    def _in_any_order(self, wanted: Sequence[_Wanted], calls: Sequence[Mapping[str, Any]]) -> list[int | None]:
        """For each expected call the number of a call of its own that matches, as many as can be (augmenting paths).

        Taking the first that matches would not do: with `subset` one call may match several expected ones.
        """
        taken_by: dict[int, int] = {}

        def place(index: int, seen: set[int]) -> bool:
            for number, call in enumerate(calls):
                if number in seen or not self._matches(wanted[index], call):
                    continue
                seen.add(number)
                if number not in taken_by or place(taken_by[number], seen):
                    taken_by[number] = index
                    return True
            return False

        for index in range(len(wanted)):
            place(index, set())
        found = {index: number for number, index in taken_by.items()}
        return [found.get(index) for index in range(len(wanted))]


def _shown(call: ToolCall) -> dict[str, Any]:
    try:
        arguments: Any = json.loads(call.arguments)
    except (ValueError, RecursionError):
        arguments = call.arguments
    return {"name": call.name, "arguments": arguments}


def _read(entry: Any) -> _Wanted:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        raise CannotGradeError(f"the expected call {quoted(entry)} has no name; it reads {{name, arguments}}")
    unknown = entry.keys() - {"name", "arguments", "step"}
    arguments = entry.get("arguments")
    if unknown or not (arguments is None or isinstance(arguments, Mapping)):
        raise CannotGradeError(
            f"the expected call {quoted(entry)} is not {{name, arguments}} with a mapping of arguments"
        )
    return _Wanted(entry["name"], arguments)


def _difference(missing: Sequence[_Wanted], extra: Sequence[Mapping[str, Any]], expected: int) -> str:
    if not expected:
        return f"expected no call, found {_listed(extra)}"
    parts = []
    if missing:
        calls = "; ".join(
            f"{call.name}({quoted(call.arguments) if call.arguments is not None else ''})" for call in missing
        )
        parts.append(f"expected {calls}")
    if extra:
        parts.append(f"found {_listed(extra)}")
    else:
        parts.append("found no such call")
    return ", ".join(parts)


def _listed(calls: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(f"{call['name']}({quoted(call['arguments'])})" for call in calls)
