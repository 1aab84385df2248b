"""Takes out of a run what its suite's privacy rules do not show, before anything is made of it.

A rendering never sees what is taken out, so it cannot show it; an exported run file is made of the same records.
Placeholders keep what a reviewer needs and what tells nothing of the text: that something stood there, whether two
texts of a case are the same (they bear the same letter), and about how long a long one is. What is redacted already
stays as it is, so that an export reads as the run that it was made from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any

from snapdrift.conclusions import Evaluation
from snapdrift.explanations import Explanation
from snapdrift.model import Attempt, Case, Failure, Response, Score, Step, ToolCall, ToolResult, Variant
from snapdrift.privacy import ANSWER, EXPECTED, PROMPT, TOOL_RESULTS, Privacy, Redaction, redaction_of
from snapdrift.references import Reference
from snapdrift.reports.data import RunData
from snapdrift.reports.records import CaseRecord, Records
from snapdrift.verdicts.words import stop_sentence

WORD = "redacted: "
"""Every placeholder begins with it; `templates/js/data.js` knows them by it."""
_LONG = 200
"""Characters from which a text's length, to the nearest hundred, tells nothing that a reader could guess by."""
_HIDDEN = re.compile(rf"{WORD}{ANSWER} [A-Z]{{1,3}}(, about [\d,]{{3,11}} characters)?")
_OWN_REASON = (
    r"(shard \d+ of \d+: )?(the deadline came before every call was asked( \([\w ,]*\))?|"
    r"(the budget of \$|--(snapdrift-)?max-usd \d)[^;]*)"
)
_OWN_STOP = re.compile(f"{_OWN_REASON}(; {_OWN_REASON})*")
"""Why asking ended early, where every reason is the program's own and none the words of a host.

A merged run has those of each of its shards.
"""
_GRADER, _HOST = f"{WORD}grader's words", f"{WORD}host's words"
_DETAILS, _RESULT = f"{WORD}details", f"{WORD}tool result"
_SHOWN = ("run", "variants", "metrics", "repeats", "warnings", "asked", "spared", "label_levels", "price", "baseline")
"""The fields of a run that hold nothing of a case's texts."""
_REDACTED = ("records", "evaluation", "redaction", "comment", "markable", "reference")

Hide = Callable[[str], str]


@dataclass
class _Letters:
    """Names the texts of one case: the same text has the same letter."""

    known: dict[str, str] = field(default_factory=dict)

    def hide(self, text: str) -> str:
        """The placeholder of a text of a model; what is empty stays empty."""
        if not text or _HIDDEN.fullmatch(text):
            return text
        letter = self.known.setdefault(text, _letters(len(self.known)))
        length = f", about {round(len(text), -2):,} characters" if len(text) >= _LONG else ""
        return f"{WORD}{ANSWER} {letter}{length}"


@dataclass
class Redactor:
    """Redacts the records of one run, each of which can come by itself. `stopped` says why asking ended early."""

    rules: Privacy
    redaction: Redaction
    tools: frozenset[str] = frozenset()
    stopped: str = ""
    _letters: dict[str, _Letters] = field(default_factory=dict)

    @classmethod
    def of(cls, rules: Privacy, cases: Iterable[Case], variants: Sequence[Variant], stopped: str = "") -> Redactor:
        """What the rules come to for these cases and variants."""
        tools = frozenset() if rules.hides_part(PROMPT) else frozenset(_tool_names(variants))
        return cls(rules, redaction_of(rules, cases, variants), tools, stopped)

    @property
    def answers(self) -> bool:
        """Whether what models wrote is hidden."""
        return ANSWER in self.redaction.names

    def case(self, case: Case) -> Case:
        """The case, with a placeholder in the place of each redacted column."""
        hides = self.rules.hides_column
        results = case.tool_results
        return replace(
            case,
            variables={name: WORD + name if hides(name) else value for name, value in case.variables.items()},
            expected=WORD + EXPECTED if hides(EXPECTED) and case.expected is not None else case.expected,
            tool_results={} if results is not None and hides(TOOL_RESULTS) else results,
        )

    def response(self, response: Response) -> Response:
        """How a call ended, without the body as received: that repeats what was asked."""
        letters = self._letters.setdefault(response.call.case_id, _Letters())
        hide: Hide = letters.hide if self.answers else _kept
        return replace(
            response,
            text=hide(response.text),
            refusal=None if response.refusal is None else hide(response.refusal),
            tool_calls=tuple(self._call(call, hide) for call in response.tool_calls),
            steps=tuple(self._step(step, hide) for step in response.steps),
            detail=_DETAILS if response.detail else "",
            failure=_failure(response.failure),
            attempts=tuple(_attempt(attempt) for attempt in response.attempts),
            raw="",
            request_hash="",
        )

    def judgement(self, response: Response) -> Response:
        """What a judge said, of which nothing is left but how it ended and what it took."""
        steps = tuple(replace(s, text="", tool_calls=(), results=(), said=(), said_by=()) for s in response.steps)
        bare = replace(response, text="", tool_calls=(), steps=steps)
        return replace(self.response(bare), refusal=None)

    def score(self, score: Score) -> Score:
        """A score with its value, its reason and nothing that quotes."""
        return replace(score, detail=_GRADER if score.detail else "", extracted=None, evidence=(), facts={})

    def record(self, record: CaseRecord) -> CaseRecord:
        """A case with its answers and scores; of judges' replies nothing is left, nor of prompts where they quote."""
        responses = tuple(map(self.response, record.responses))
        self.forget(record.case.id)
        return CaseRecord(
            case=self.case(record.case),
            responses=responses,
            scores=tuple(map(self.score, record.scores)),
            prompts={} if self.redaction.prompt else record.prompts,
        )

    def forget(self, case_id: str) -> None:
        """Lets go of the texts of a case; its letters are given anew, and the same, where it is read again."""
        self._letters.pop(case_id, None)

    def evaluation(self, evaluation: Evaluation) -> Evaluation:
        """What was concluded, without what it quotes of answers and hosts."""
        decision = evaluation.decision
        return replace(
            evaluation,
            attributions=tuple(map(_explanation, evaluation.attributions)),
            decision=replace(
                decision, reasons=self._sentences(decision.reasons), warnings=self._sentences(decision.warnings)
            ),
        )

    def _sentences(self, sentences: Iterable[str]) -> tuple[str, ...]:
        if not self.stopped or _OWN_STOP.fullmatch(self.stopped):
            return tuple(sentences)
        told = stop_sentence(self.stopped)
        return tuple(
            each.replace(told, f"Asking ended early ({_HOST}).").replace(self.stopped, f"asking ended early ({_HOST})")
            for each in sentences
        )

    def _call(self, call: ToolCall, hide: Hide) -> ToolCall:
        known = not self.answers or call.name in self.tools
        return replace(call, name=call.name if known else hide(call.name), arguments=hide(call.arguments))

    def _step(self, step: Step, hide: Hide) -> Step:
        said = step.said if not self.redaction.prompt else tuple(WORD + PROMPT for _ in step.said)
        results = tuple(self._result(result, hide) for result in step.results)
        calls = tuple(self._call(call, hide) for call in step.tool_calls)
        return replace(step, text=hide(step.text), tool_calls=calls, results=results, said=said)

    def _result(self, result: ToolResult, hide: Hide) -> ToolResult:
        """What a tool gave back: it may echo what it was called with, and come from a column of the case."""
        if not (self.answers or self.redaction.prompt):
            return result
        name = result.name if not self.answers or result.name in self.tools else hide(result.name)
        return replace(result, name=name, output=_RESULT if result.output else "", matched="")


def hides_steps(response: Response) -> bool:
    """Whether what tools gave back, or what was said between the steps of an answer, has been taken out of it."""
    said = (text for step in response.steps for text in step.said)
    results = (result.output for step in response.steps for result in step.results)
    return any(text == WORD + PROMPT for text in said) or any(text == _RESULT for text in results)


class RedactedRecords(Records):
    """Records of which none comes out but redacted."""

    def __init__(self, records: Records, redactor: Redactor) -> None:
        self._records = records
        self._redactor = redactor

    def __len__(self) -> int:
        """How many cases there are."""
        return len(self._records)

    def dataset(self) -> Iterator[Case]:
        """The cases alone, in the dataset's order."""
        return map(self._redactor.case, self._records.dataset())

    def read(self, places: Sequence[int]) -> Iterator[CaseRecord]:
        """What may be shown of the cases at these places, in this order."""
        return map(self._redactor.record, self._records.read(places))

    def outcomes(self) -> Iterator[CaseRecord]:
        """The same of each case, without what takes long to read."""
        return map(self._redactor.record, self._records.outcomes())


def redacted(data: RunData, rules: Privacy, stopped: str = "") -> RunData:
    """The run as its reports may show it; `stopped` is the sentence that says why asking ended early, if it did.

    Redacting what is redacted already changes nothing.
    """
    redactor = Redactor.of(rules, data.records.dataset(), data.variants, stopped)
    if not redactor.redaction:
        return replace(data, comment=rules.comment)
    return replace(
        data,
        **_unknown(data),
        records=RedactedRecords(data.records, redactor),
        evaluation=redactor.evaluation(data.evaluation),
        redaction=redactor.redaction,
        comment=rules.comment,
        markable=data.markable and not redactor.answers,
        reference=_reference(data.reference, hidden=rules.hides_part(PROMPT)),
    )


def _reference(reference: Reference | None, *, hidden: bool) -> Reference | None:
    return reference.without_texts() if reference is not None and hidden else reference


def _unknown(data: RunData) -> dict[str, Any]:
    """The fields of a run of which nothing here says whether they may be shown, as they are when they are not given."""
    found: dict[str, Any] = {}
    for each in fields(data):
        if each.name not in _SHOWN + _REDACTED:
            found[each.name] = each.default_factory() if each.default_factory is not MISSING else each.default
    return found


def _kept(text: str) -> str:
    return text


def _letters(number: int) -> str:
    """A, B, ... Z, AA, AB, ..."""
    letters = ""
    number += 1
    while number:
        number, place = divmod(number - 1, 26)
        letters = chr(ord("A") + place) + letters
    return letters


def _failure(failure: Failure | None) -> Failure | None:
    return None if failure is None else replace(failure, message=_HOST, code=None)


def _attempt(attempt: Attempt) -> Attempt:
    return replace(attempt, failure=_failure(attempt.failure))


def _explanation(explanation: Explanation) -> Explanation:
    groups = tuple(replace(group, pattern=_GRADER, example=_GRADER) for group in explanation.groups)
    return replace(explanation, groups=groups)


def _tool_names(variants: Iterable[Variant]) -> Iterable[str]:
    """The names of the tools that a suite gives its variants; a model may call others, made up of anything."""
    for variant in variants:
        tools = variant.request.get("tools")
        for tool in tools if isinstance(tools, Sequence) and not isinstance(tools, str) else ():
            if isinstance(tool, Mapping):
                inner = tool.get("function")
                name = inner.get("name") if isinstance(inner, Mapping) else tool.get("name")
                if isinstance(name, str):
                    yield name
