"""The tool calls of an answer as graders see them, and whether one of them is the call that was expected."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from snapdrift.graders.comparers import NamedComparer
from snapdrift.graders.field_comparers import Comparer, compared, is_settled, problem
from snapdrift.graders.json_text import read_json
from snapdrift.graders.marks import CannotGradeError, InvalidJsonError
from snapdrift.graders.paths import ABSENT, format_path
from snapdrift.graders.schema import NOT_TOLD, CompiledSchema
from snapdrift.graders.values import quoted, scrubbed, shortened, text_of
from snapdrift.model import Case, ToolCall

_VIOLATIONS_TOLD = 3
_MESSAGE_LIMIT = 300


class ArgumentMatch(StrEnum):
    """How the arguments of a call are compared with the expected ones."""

    EQUAL = "equal"
    SUBSET = "subset"
    SCHEMA = "schema"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class MadeCall:
    """A call that was made; `arguments` None: they are no JSON object, and `written` is what they are."""

    name: str
    arguments: Mapping[str, Any] | None
    written: str

    @classmethod
    def of(cls, call: ToolCall) -> MadeCall:
        """The call, its arguments read."""
        try:
            arguments = read_json(call.arguments)
        except InvalidJsonError:
            arguments = None
        return cls(call.name, arguments if isinstance(arguments, dict) else None, call.arguments)

    @property
    def shown(self) -> dict[str, Any]:
        """The call as plain JSON, with arguments as text where they cannot be read."""
        return {"name": self.name, "arguments": self.written if self.arguments is None else self.arguments}

    def __str__(self) -> str:
        return f"{self.name}({quoted(self.shown['arguments'])})"


@dataclass(frozen=True, slots=True)
class WantedCall:
    """A call that is expected; `arguments` None: any. `one_of` has the values that further arguments may have."""

    name: str
    arguments: Mapping[str, Any] | None
    one_of: Mapping[str, Sequence[Any]]

    @classmethod
    def of(cls, entry: Any) -> WantedCall:
        """The call that an entry of the expected calls describes. Raises `CannotGradeError`."""
        if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
            raise CannotGradeError(f"the expected call {quoted(entry)} has no name; it reads {{name, arguments}}")
        arguments, one_of = entry.get("arguments"), entry.get("one_of") or {}
        unknown = entry.keys() - {"name", "arguments", "one_of", "step"}
        if unknown or not (arguments is None or isinstance(arguments, Mapping)):
            raise CannotGradeError(
                f"the expected call {quoted(entry)} is not {{name, arguments}} with a mapping of arguments"
            )
        if not isinstance(one_of, Mapping) or not all(isinstance(options, list) for options in one_of.values()):
            raise CannotGradeError(f"one_of of the expected call {quoted(entry)} is no mapping of arguments to lists")
        return cls(entry["name"], arguments, one_of)

    def __str__(self) -> str:
        choices = {name: {"one_of": options} for name, options in self.one_of.items()}
        if self.arguments is None and not choices:
            return f"{self.name}()"
        return f"{self.name}({quoted({**(self.arguments or {}), **choices})})"


class ToolSchemas:
    """What the arguments of each tool have to be like, by the tool's own `parameters`."""

    def __init__(self, tools: Sequence[Mapping[str, Any]]) -> None:
        self._parameters = {tool["name"]: tool["parameters"] for tool in tools}

    @property
    def names(self) -> tuple[str, ...]:
        """The tools."""
        return tuple(self._parameters)

    @cached_property
    def _validators(self) -> Mapping[str, CompiledSchema]:
        return {name: CompiledSchema(schema) for name, schema in self._parameters.items()}

    def violations(self, call: MadeCall) -> tuple[str, ...]:
        """What is wrong with the arguments, the first few things; nothing where they are valid."""
        validator = self._validators.get(call.name)
        if validator is None:
            return (f"{call.name} is none of the tools ({', '.join(self.names)})",)
        arguments = dict(call.arguments or {})
        try:
            return _violations(call.name, validator, arguments)
        except UnicodeEncodeError:
            return _violations(call.name, validator, json.loads(scrubbed(text_of(arguments))))


def _violations(name: str, validator: CompiledSchema, arguments: Any) -> tuple[str, ...]:
    if validator.is_valid(arguments):
        return ()
    errors = validator.errors(arguments, _VIOLATIONS_TOLD)
    found = [f"{format_path(error.instance_path)}: {shortened(error.message, _MESSAGE_LIMIT)}" for error in errors]
    return tuple(f"{name}: {said}" for said in found or [NOT_TOLD])


@dataclass(frozen=True, slots=True)
class ArgumentRules:
    """How calls are compared, for one case."""

    mode: ArgumentMatch
    match: Mapping[str, Comparer]
    schemas: ToolSchemas
    case: Case

    def fits(self, wanted: WantedCall, call: MadeCall) -> bool:
        """Whether it is the call that was expected. Raises `CannotGradeError` where that cannot be said."""
        if wanted.name != call.name or call.arguments is None:
            return False
        if self.mode is ArgumentMatch.IGNORE:
            return True
        exact = NamedComparer.EXACT
        for name, options in wanted.one_of.items():
            if not any(self._same(exact, call.arguments.get(name, ABSENT), option) for option in options):
                return False
        if self.mode is ArgumentMatch.SCHEMA:
            return not self.schemas.violations(call)
        return wanted.arguments is None or self._arguments_fit(wanted, wanted.arguments, call.arguments)

    def problem(self, wanted: WantedCall) -> str | None:
        """What keeps a call from ever being compared with the expected one, or None."""
        if self.mode is ArgumentMatch.SCHEMA and wanted.name not in self.schemas.names:
            return f"the expected call {wanted.name} is none of the `tools` ({', '.join(self.schemas.names)})"
        for name, comparer in self.match.items():
            told = problem(comparer, self.case, (wanted.arguments or {}).get(name, ABSENT))
            if told is not None:
                return f"argument {name} of {wanted.name}: {told}"
        return None

    def _arguments_fit(self, wanted: WantedCall, expected: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
        for name in self._asked(expected, found):
            if name not in wanted.one_of:
                comparer = self.match.get(name, NamedComparer.EXACT)
                if not self._same(comparer, found.get(name, ABSENT), expected.get(name, ABSENT)):
                    return False
        return True

    def _asked(self, expected: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
        """The arguments that are compared: those expected and, unless a subset will do, any other that the call has.

        One that a comparer settles by itself is asked of wherever it is given.
        """
        yield from expected
        for name in found:
            settled = name in self.match and is_settled(self.match[name])
            if name not in expected and (settled or self.mode is ArgumentMatch.EQUAL):
                yield name

    def _same(self, comparer: Comparer, found: Any, wanted: Any) -> bool:
        mark = compared(comparer, self.case, found, wanted)
        if mark.passed is None:
            raise CannotGradeError(mark.detail)
        return mark.passed
