"""Which functions a simulated model calls, and how it gets it wrong.

The answer key says which calls are right (`expected.tool_calls`); without it the function is called that the prompt's
words point at, once, when its required arguments are among them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from snapdrift.model import ToolCall
from snapdrift.standin.answers import ExpectedCall
from snapdrift.standin.behaviours import Behaviour, Flaw, Flaws
from snapdrift.standin.draws import digest, pick
from snapdrift.standin.mistakes import Labels, Mistake
from snapdrift.standin.questions import Question
from snapdrift.standin.spoken_arguments import completed_arguments, meant_tool, spoken_arguments
from snapdrift.standin.tools import Tool, ToolChoice

Strikes = Callable[[str, Flaws], Flaw | None]
"""Whether a flaw of a name strikes this question."""


@dataclass(frozen=True, slots=True)
class Caller:
    """What deciding on calls needs. `plan` is the answer key's calls, None where it says nothing of any.

    `key` is what is drawn from; it is the same at every step of a call.
    """

    question: Question
    behaviour: Behaviour
    plan: tuple[ExpectedCall, ...] | None
    labels: Labels
    strikes: Strikes
    key: tuple[object, ...]
    repeat: int

    def calls(self) -> tuple[ToolCall, ...]:
        """The calls of this request; empty when the model answers instead."""
        tools, made = self.question.tools, self.question.transcript.calls_since_prompt()
        if not tools.possible:
            return ()
        planned = self._planned(tools, len(made))
        if not planned and (tools.forced or self._never_stops()):
            planned = (self._at_any_rate(tools, made),)
        if not tools.parallel:
            planned = planned[:1]
        return tuple(self._written(call, len(made) + index) for index, call in enumerate(planned))

    def written_as_text(self, calls: Sequence[ToolCall]) -> str | None:
        """The calls as prose where the model writes them instead of making them."""
        if not calls or self.question.tools.forced or not self.strikes("tool_as_text", self.behaviour.tool_as_text):
            return None
        return "\n".join(json.dumps({"name": call.name, "arguments": call.arguments}) for call in calls)

    def _never_stops(self) -> bool:
        return self.strikes("tool_endless", self.behaviour.tool_endless) is not None

    def _planned(self, tools: ToolChoice, made: int) -> tuple[ExpectedCall, ...]:
        if tools.named:
            return () if self.plan is None else tuple(c for c in self.plan if c.name == tools.offered[0].name)[:1]
        if self.plan is None:
            return () if made else self._meant(tools)
        plan = self.plan
        missed = self.strikes("tool_missing", self.behaviour.tool_missing)
        if missed and plan:
            left_out = int(digest("left out", *self.key)[0]) % len(plan)
            plan = plan[:left_out] + plan[left_out + 1 :]
        rest = [call for call in plan[made:] if tools.get(call.name)]
        return tuple(call for call in rest if call.step == rest[0].step)

    def _meant(self, tools: ToolChoice) -> tuple[ExpectedCall, ...]:
        text = self.question.last_user_text
        tool = meant_tool(tools.offered, text)
        arguments = spoken_arguments(tool, text) if tool else None
        if tool is None or arguments is None or self.strikes("tool_missing", self.behaviour.tool_missing):
            return ()
        return (ExpectedCall(tool.name, arguments),)

    def _at_any_rate(self, tools: ToolChoice, made: Sequence[ToolCall]) -> ExpectedCall:
        """A call where there must be one: the one made last again, else of the function that fits best."""
        text = self.question.last_user_text
        again = tools.get(made[-1].name) if made else None
        tool = again or meant_tool(tools.offered, text) or tools.offered[0]
        known = next((call for call in self.plan or () if call.name == tool.name), None)
        return known or ExpectedCall(tool.name, completed_arguments(tool, text, self.key))

    def _written(self, call: ExpectedCall, index: int) -> ToolCall:
        tool = self.question.tools.get(call.name) or Tool(call.name, {})
        arguments: Mapping[str, Any] = call.arguments
        wrong = self._hit("tool_argument", self.behaviour.tool_argument, index)
        if wrong and arguments:
            elsewhere = partial(self._labels_of, call.name)
            mistake = Mistake(tool.parameters, elsewhere, ("tool_argument", index, *self.key))
            arguments = mistake.instead_of(arguments, wrong.field)
        name, text = call.name, json.dumps(arguments, ensure_ascii=False)
        if not tool.strict:  # strict functions are constrained while decoding
            if self._hit("tool_invented", self.behaviour.tool_invented, index):
                name += pick(("_details", "_v2", "_by_id"), "invented", *self.key)
            if self._hit("tool_not_json", self.behaviour.tool_not_json, index):
                text = f"{text[:-1]},"
        call_id = "call_" + digest("call", *self.key, self.repeat, index).hex()[:24]
        return ToolCall(call_id, name, text)

    def _labels_of(self, function: str, path: str) -> tuple[Any, ...]:
        return self.labels(f"tool_calls.{function}.{path}")

    def _hit(self, what: str, flaws: Flaws, index: int) -> Flaw | None:
        """A flaw that strikes the question hits one of its calls: the first."""
        return self.strikes(what, flaws) if index == 0 else None


def cut_to(calls: Sequence[ToolCall], share: float) -> tuple[ToolCall, ...]:
    """What was written of the calls when the tokens ran out: a share of their arguments, the last one broken off."""
    room = int(sum(len(call.arguments) for call in calls) * share)
    kept: list[ToolCall] = []
    for call in calls:
        kept.append(replace(call, arguments=call.arguments[: max(1, room)]))
        room -= len(call.arguments)
        if room <= 0:
            break
    return tuple(kept)


def answer_from(outputs: Sequence[str]) -> Any:
    """What is said of the results of calls: the fields of objects, else their text."""
    values = [_parsed(output) for output in outputs]
    if values and all(isinstance(value, Mapping) for value in values):
        merged: dict[str, Any] = {}
        for value in values:
            merged |= value
        return merged
    return "; ".join(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in values)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
