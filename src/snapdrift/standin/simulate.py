"""Simulated answers: a base answer (from the answer key, else plausible filler), and the flaws of a behaviour on top.

Everything is a function of the seed and of what is asked. Difficulty is drawn for a case and shared by all models;
slips of a model's own are drawn for model, behaviour and prompt; coin tosses of unstable cases for each repeat besides.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from snapdrift.standin.answers import AnswerKey, KeyRow, expected_calls, without_calls
from snapdrift.standin.behaviours import Behaviour, Flaw, Flaws
from snapdrift.standin.calling import Caller, answer_from, cut_to
from snapdrift.standin.draws import draw, pick
from snapdrift.standin.fillers import fill
from snapdrift.standin.formats import FormatKind
from snapdrift.standin.judging import verdict_for
from snapdrift.standin.mistakes import Mistake
from snapdrift.standin.placing import NO_ANSWER, place
from snapdrift.standin.questions import Question
from snapdrift.standin.replies import Incomplete, Reply

_REASONING = {"none": 0, "minimal": 0, "low": 128, "medium": 384, "high": 1024}
_REASONING_STEP = 64
_PREAMBLE = "Let me look that up."
REFUSAL = "I'm sorry, but I can't help with that request."
_MORE = "This follows from the details given in the request, taken one by one and weighed against each other."
_BEFORE, _AFTER = "Here is the JSON you asked for:", "Let me know if you would like anything changed."
_EXPLAINING = frozenset({"reason", "reasoning", "explanation", "rationale", "comment", "notes"})
_EXPECTED = re.compile(r"\{expected((?:\.\w+)*)\}")
_CHOICES = re.compile(
    r"\b(?:one of|either|choose from|options)\b[^:\n]{0,40}:?\s*"
    r"((?:[\w'\"`-]+(?:,\s*(?:or |and )?| or | and ))+[\w'\"`-]+)"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a behaviour sees.

    `case` identifies the case as well as can be known, `row` is its answer, if any; `reasons` whether it is a
    reasoning model that is asked; `vote` which of several votes of a judge it is.
    """

    question: Question
    requested_model: str
    model: str
    case: str
    repeat: int
    row: KeyRow | None
    template: str | None
    reasons: bool = False
    vote: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """An answer's value before it is written down; `taken` are the names of the fields that the answer key gave."""

    value: Any
    taken: frozenset[str] = frozenset()


def simulate(seed: int, name: str, behaviour: Behaviour, key: AnswerKey, asked: Asked) -> Reply:
    """What the behaviour called `name` answers."""
    return _Simulation(seed, name, behaviour, key, asked).reply()


class _Simulation:
    def __init__(self, seed: int, name: str, behaviour: Behaviour, key: AnswerKey, asked: Asked) -> None:
        self._behaviour, self._key, self._asked = behaviour, key, asked
        row = asked.row if behaviour.answers else None
        self._plan = expected_calls(row.expected) if row else None
        self._row = replace(row, expected=without_calls(row.expected)) if row and self._plan is not None else row
        self._tags = asked.row.tags if asked.row else frozenset()
        self._shared = (seed, asked.case)
        # The prompt without what tools were called since: the flaws of a call are the same at each of its steps.
        self._own = (seed, asked.case, asked.model, name, asked.question.transcript.prompt.identity)

    def reply(self) -> Reply:
        thought = reasoning_tokens(self._asked.question.effort, self._own) if self._asked.reasons else None
        cap = self._asked.question.output_cap
        if thought is None:
            return capped(self._said(), cap)
        if cap is not None and thought >= cap:
            return Reply(incomplete=Incomplete.OUTPUT_CAP, reasoning_tokens=cap)
        return replace(capped(self._said(), None if cap is None else cap - thought), reasoning_tokens=thought)

    def _said(self) -> Reply:
        calling = self._calling()
        if calling is not None:
            return calling
        if self._strikes("refuse", self._behaviour.refuse):
            return Reply(refusal=REFUSAL)
        text = self._write(self._content())
        if self._strikes("filter", self._behaviour.filter):
            return Reply(text[: len(text) // 2], incomplete=Incomplete.FILTER)
        if self._strikes("truncate", self._behaviour.truncate):
            return Reply(text[: len(text) // 2], incomplete=Incomplete.OUTPUT_CAP)
        return Reply(text)

    def _calling(self) -> Reply | None:
        """The reply that calls functions, where that is what the model does."""
        asked = self._asked
        plan = self._plan if asked.question.tools.possible else None
        caller = Caller(asked.question, self._behaviour, plan, self._key.labels, self._strikes, self._own, asked.repeat)
        calls = caller.calls()
        if not calls:
            return None
        if not asked.question.tools.forced and self._strikes("refuse", self._behaviour.refuse):
            return Reply(refusal=REFUSAL)
        written = caller.written_as_text(calls)
        if written is not None:
            return Reply(written)
        says = self._strikes("tool_preamble", self._behaviour.tool_preamble)
        return Reply(_PREAMBLE if says else "", tool_calls=calls)

    def _rate(self, flaws: Flaws) -> Flaw | None:
        return max((f for f in flaws if f.applies(self._tags)), key=lambda flaw: flaw.rate, default=None)

    def _strikes(self, what: str, flaws: Flaws) -> Flaw | None:
        flaw = self._rate(flaws)
        return flaw if flaw and draw(what, *self._own) < flaw.rate else None

    def _errs(self) -> Flaw | None:
        """Whether the answer is wrong: by the case's difficulty where that is common, else by the model's own slip."""
        flaw = self._rate(self._behaviour.wrong)
        unstable = self._strikes("flaky", self._behaviour.flaky)
        if unstable:
            toss = draw("toss", *self._own, self._asked.requested_model, self._asked.repeat)
            return unstable if toss < 0.5 else None
        if flaw is None:
            return None
        common = draw("common", *self._shared) < self._behaviour.wrong_share_common
        luck = draw("difficulty", *self._shared) if common else draw("slip", *self._own)
        return flaw if luck < flaw.rate else None

    def _content(self) -> Content:
        question, behaviour = self._asked.question, self._behaviour
        schema = question.format.schema
        if schema is not None:
            expected = self._row.expected if self._row else None
            verdict = verdict_for(schema, question.last_user_text, behaviour, expected, self._own, self._asked.vote)
            if verdict is not None:
                return Content(verdict)
        expected = self._row.expected if self._row else None
        if expected is None and self._known_only_by_calls():
            expected = answer_from([output.output for output in question.transcript.outputs_since_prompt()])
        elif self._row is None or (expected is None and self._plan is not None):
            return Content(self._plausible())
        wrong = self._errs() if self._row else None
        if wrong:
            expected = Mistake(schema, self._key.labels, ("wrong", *self._shared)).instead_of(expected, wrong.field)
        if schema is None:
            return Content(expected, frozenset(expected) if isinstance(expected, Mapping) else frozenset())
        placed = place(expected, schema, ("fill", *self._own))
        if placed is NO_ANSWER:
            return Content(fill(schema, "fill", *self._own))
        return Content(placed, frozenset(expected) if isinstance(expected, Mapping) else frozenset())

    def _known_only_by_calls(self) -> bool:
        """Whether there are results of calls, and no answer key that says what to make of them."""
        unknown = self._row is None or (self._plan is not None and self._row.expected is None)
        return unknown and bool(self._asked.question.transcript.outputs_since_prompt())

    def _plausible(self) -> Any:
        question = self._asked.question
        if question.format.schema is not None:
            return fill(question.format.schema, "fill", *self._own)
        if question.format.kind is FormatKind.JSON_OBJECT:
            return {"answer": "a simulated answer"}
        options = _visible_options(question.text)
        return pick(options, "option", *self._own) if options else "This is a simulated answer."

    def _write(self, content: Content) -> str:
        """The text of the answer, with the flaws of form that the format asked for leaves room for."""
        form, behaviour = self._asked.question.format, self._behaviour
        template = behaviour.template or self._asked.template
        free = not (form.kind is FormatKind.JSON_SCHEMA and form.strict)  # strict output is constrained while decoding
        verbose = bool(self._strikes("verbose", behaviour.verbose))
        value = content.value
        if form.kind is FormatKind.TEXT and template and (self._row is not None or not _EXPECTED.search(template)):
            text = fill_template(template, value)
            return text if not verbose or _is_json(text) else f"{text} {_MORE}"
        if form.kind is FormatKind.JSON_OBJECT and not isinstance(value, Mapping):
            value = {"answer": value}
        if isinstance(value, Mapping):
            value = self._with_form_flaws(dict(value), content.taken, verbose=verbose, may_drop=free)
        elif form.kind is FormatKind.TEXT and not isinstance(value, list):
            return f"{_plain(value)}. {_MORE}" if verbose else _plain(value)
        text = _json(value, compact=behaviour.compact, indent=verbose)
        may_wrap = free and form.kind is not FormatKind.JSON_OBJECT
        if may_wrap and self._strikes("fence", behaviour.fence):
            text = f"```json\n{text}\n```"
        if may_wrap and self._strikes("prose", behaviour.prose):
            text = f"{_BEFORE}\n\n{text}\n\n{_AFTER}"
        return text

    def _with_form_flaws(self, value: dict[str, Any], taken: frozenset[str], *, verbose: bool, may_drop: bool) -> Any:
        dropped = self._strikes("drop_field", self._behaviour.drop_field)
        if dropped and may_drop and value:
            names = sorted(value)
            value.pop(dropped.field if dropped.field in value else pick(names, "dropped", *self._own))
        for name, inner in value.items():
            if verbose and name in _EXPLAINING and name not in taken and isinstance(inner, str):
                value[name] = f"{inner}. {_MORE}"
        return value


def fill_template(template: str, expected: Any) -> str:
    """`{expected}` and `{expected.queue}` replaced by their text; all other braces stay as they are."""

    def value_of(match: re.Match[str]) -> str:
        value = expected
        for name in filter(None, (match[1] or "").split(".")):
            value = value.get(name) if isinstance(value, Mapping) else None
        return _plain(value)

    return _EXPECTED.sub(value_of, template)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _json(value: Any, *, compact: bool, indent: bool) -> str:
    if compact:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return json.dumps(value, ensure_ascii=False, indent=2 if indent else None)


def _is_json(text: str) -> bool:
    return text.lstrip().startswith(("{", "[", "```"))


def _visible_options(text: str) -> list[str]:
    match = _CHOICES.search(text)
    if match is None:
        return []
    words = re.split(r",\s*(?:or |and )?| or | and ", match[1])
    return [word.strip("'\"`") for word in words if word.strip("'\"`")]


def capped(reply: Reply, cap: int | None) -> Reply:
    """The reply within so many tokens of output: text and arguments are broken off, a refusal is not."""
    from snapdrift.openai_api.tokens import estimate_tokens

    written = reply.text + "".join(call.arguments for call in reply.tool_calls)
    if cap is None or len(written) <= cap:  # a token has at least one character here
        return reply
    tokens = estimate_tokens(written).tokens
    if tokens <= cap:
        return reply
    share = cap / tokens
    text = reply.text[: max(1, math.floor(len(reply.text) * share))]
    return replace(reply, text=text, tool_calls=cut_to(reply.tool_calls, share), incomplete=Incomplete.OUTPUT_CAP)


def reasoning_tokens(effort: str | None, key: tuple[object, ...]) -> int:
    """What a reasoning model thinks before it answers: by its effort; a multiple of 64."""
    usual = _REASONING.get(effort or "medium", _REASONING["high"])
    return round(usual * (0.5 + draw("reasoning", *key)) / _REASONING_STEP) * _REASONING_STEP
