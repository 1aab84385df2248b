"""The cases as the page carries them: a small index that is read at once, and chunks of details that are not.

The index is JSON in an inert script element. A chunk is the JSON of some cases' details, deflated (zlib format) and in
base64; the page inflates it with `DecompressionStream` when one of its cases is looked at or searched. Both hold the
cases in the view's order, changed ones first, so the first chunk serves the first look. The numbers that the list can
be sorted by are a chunk of their own, inflated when it first is.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from snapdrift.model import CallKey, Outcome, Reason, Response, Source, Step, ToolCall, Usage
from snapdrift.reports.asked import PromptView
from snapdrift.reports.case_views import AnswerView, CaseGroup, CaseView
from snapdrift.reports.columns import alike, numbers, passes
from snapdrift.reports.embed_review import review_index, said_of, sheets_to_label
from snapdrift.reports.explanations import cause_words, is_graded
from snapdrift.reports.view import SOURCE_LABELS, View
from snapdrift.reports.words import ENDING_WORDS, GROUP_SHAPES, GROUP_WORDS
from snapdrift.verdicts.speed import tokens_per_second

CHUNK_CHARACTERS = 256 * 1024
_ONE_LINE = 90
_JUDGES_FACTS = ("items", "votes", "against")
STATE_CODES = {
    CaseGroup.NEWLY_FAILING: "f",
    CaseGroup.NEWLY_PASSING: "p",
    CaseGroup.BOTH_FAILING: "b",
    CaseGroup.FLAKY: "y",
    CaseGroup.ERROR: "e",
    CaseGroup.NOT_NEEDED: "n",
    CaseGroup.UNCHANGED: "u",
    None: "-",
}
"""One letter a lens in the index; `templates/js/data.js` reads them."""


@dataclass(frozen=True, slots=True)
class Payload:
    """What one page embeds: index and thumbnails as JSON that is safe inside a script element, the rest in base64.

    `thumbnails` is an array of data URLs, apart from the chunks so that an image that many cases show is there once.
    `sheets` is one more chunk, "" where there is nothing to label blind.
    """

    index: str
    chunks: tuple[str, ...]
    thumbnails: str = "[]"
    numbers: str = ""
    sheets: str = ""

    @property
    def size(self) -> int:
        """Characters, which are bytes."""
        return (
            len(self.index) + sum(map(len, self.chunks)) + len(self.thumbnails) + len(self.numbers) + len(self.sheets)
        )


@dataclass(frozen=True, slots=True)
class Chunk:
    """The packed details of some cases: places `first` to `end` of the view, and the numbers of their thumbnails."""

    first: int
    end: int
    packed: str
    thumbnails: frozenset[int]


class Embedded:
    """A view's cases, made once for the one page that carries all of them, or for several that share them out."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._names = _Names(view)
        self._head = self._names.index(view) | review_index(view, self._names.metrics, self._names.variants)
        self._sheets = _pack(_json(sheets_to_label(view, self._names.variants))) if view.sheets else ""
        self._entries = [self._names.entry(case) for case in view.cases]
        self.chunks = tuple(self._chunks())
        self._thumbnails = list(self._names.thumbnails)

    def _chunks(self) -> Iterator[Chunk]:
        group: list[str] = []
        size, first = 0, 0
        for place, case in enumerate(self._view.cases):
            group.append(_json(self._names.details(case)))
            size += len(group[-1])
            if size >= CHUNK_CHARACTERS or place + 1 == len(self._view.cases):
                yield Chunk(first, place + 1, _pack("[" + ",".join(group) + "]"), frozenset(self._names.used))
                group, size, first = [], 0, place + 1
                self._names.used.clear()

    def payload(self, chunks: Sequence[Chunk], **more: Any) -> Payload:
        """What a page with the cases of consecutive `chunks` embeds; `more` is put into its index.

        Thumbnails keep their numbers: in the place of those of other pages is null.
        """
        first, end = (chunks[0].first, chunks[-1].end) if chunks else (0, 0)
        used = frozenset().union(*(chunk.thumbnails for chunk in chunks))
        pictures = [url if number in used else None for number, url in enumerate(self._thumbnails)] if used else []
        # Rows to label blind name cases of all of the run, whose answers only a page with all of them has.
        whole = end - first == len(self._entries)
        return Payload(
            self._index(
                first, end, [chunk.end - chunk.first for chunk in chunks], more if whole else _unlabelled(more)
            ),
            tuple(chunk.packed for chunk in chunks),
            _inert(_json(pictures)),
            self._numbers(first, end),
            self._sheets if whole else "",
        )

    def overview(self, **more: Any) -> Payload:
        """What a page with the list of all cases and the details of none embeds; `more` is put into its index."""
        end = len(self._entries)
        return Payload(self._index(0, end, [], _unlabelled(more)), (), numbers=self._numbers(0, end))

    def _index(self, first: int, end: int, chunks: list[int], more: Mapping[str, Any]) -> str:
        head = self._head | {
            "must_pass": [place - first for place in self._head["must_pass"] if first <= place < end],
            "labelled": [[place - first, doubted] for place, doubted in self._head["labelled"] if first <= place < end],
        }
        return _inert(_json({**head, "cases": self._entries[first:end], "chunks": chunks, **more}))

    def _numbers(self, first: int, end: int) -> str:
        return _pack(_json(numbers(self._view.cases[first:end], self._names.variants, self._names.metrics)))


def _unlabelled(more: Mapping[str, Any]) -> dict[str, Any]:
    """What goes into the index of a page on which nothing can be labelled blind."""
    return {"sheets": [], **more}


def embed(view: View) -> Payload:
    """The payload of a view's one page."""
    embedded = Embedded(view)
    return embedded.payload(embedded.chunks)


def _json(value: Any) -> str:
    """ASCII JSON: lone surrogates and line separators become escapes."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def _shown(value: Any) -> str:
    """A dataset's or a grader's value as text: numbers keep every digit, which JavaScript's own would not."""
    if isinstance(value, str):
        return value
    short = json.dumps(value, ensure_ascii=False, default=str, skipkeys=True)
    return (
        short
        if len(short) <= _ONE_LINE
        else json.dumps(value, ensure_ascii=False, indent=2, default=str, skipkeys=True)
    )


def _inert(text: str) -> str:
    """JSON that cannot end or change the element it stands in: `<`, `>` and `&` only occur inside strings."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _pack(text: str) -> str:
    return base64.b64encode(zlib.compress(text.encode("ascii"), 9)).decode("ascii")


def _step(step: Step) -> list[Any]:
    """`[text, calls as [name, arguments], results as [name, output, matched, is_error], messages as [role, text]]`."""
    return [
        step.text,
        [[call.name, call.arguments] for call in step.tool_calls],
        [[result.name, result.output, result.matched, result.is_error] for result in step.results],
        [list(each) for each in zip_longest(step.said_by, step.said, fillvalue="user")],
    ]


def _judged(case_id: str, view: AnswerView, replies: dict[str, int]) -> dict[str, Any]:
    """The judges of an answer as `[grader, what the verdict is for, number of the reply, 1 if shared]`; none: nothing.

    `replies` numbers the distinct ones of a case: equal questions are asked once, and their reply is of each answer.
    """
    told = [
        [
            r.call.judge,
            r.call.grader.partition(".")[2],
            replies.setdefault(_json(_reply(r)), len(replies)),
            int(replace(r.call, grader="") != CallKey(case_id, view.variant, view.repeat)),
        ]
        for r in view.judged
    ]
    return {"judged": told} if told else {}


def _reply(response: Response) -> dict[str, Any]:
    """What a judge wrote, and what it took; keys without a value are left out."""
    usage, failure = response.usage, response.failure
    facts = {
        "outcome": response.outcome.value,
        "text": response.text,
        "refusal": response.refusal,
        "failure": failure and f"{failure.kind.value}: {failure.message}",
        "requested": response.requested_model,
        "returned": response.returned_model,
        "source": response.source.value,
        "tokens": usage and _tokens(usage),
        "usd": response.usd,
        "latency": None if response.latency_ms is None else round(response.latency_ms, 1),
        "request_id": response.request_id,
    }
    return {key: value for key, value in facts.items() if value not in (None, "")}


def _tokens(usage: Usage) -> list[int]:
    return [usage.input_tokens, usage.cached_tokens, usage.output_tokens, usage.reasoning_tokens]


def _last_calls(response: Response) -> tuple[ToolCall, ...]:
    """The tool calls of the last request: a response has those of all its requests, in order."""
    return response.tool_calls[sum(len(step.tool_calls) for step in response.steps) :]


class _Names:
    """Numbers for the names that repeat in every case: variants and metrics."""

    def __init__(self, view: View) -> None:
        self.variants = {v.summary.name: place for place, v in enumerate(view.variants)}
        self.sources = {v.summary.name: v.source for v in view.variants}
        self.metrics = {metric.name: place for place, metric in enumerate(view.metrics)}
        self.thumbnails: dict[str, int] = {}
        told = dict.fromkeys(a.price for case in view.cases for a in case.answers if a.price)
        self.prices = {price: place for place, price in enumerate(told)}
        self.used: set[int] = set()
        self.lenses = view.lenses
        self.repeats = view.repeats
        self.tags = {tag: place for place, tag in enumerate(dict.fromkeys(t for c in view.cases for t in c.case.tags))}
        self.causes = cause_words(view.causes)
        places = {word.code: place for place, word in enumerate(self.causes)}
        self.moved_by = {case: [[lens, places[code]] for lens, code in found] for case, found in view.causes.items()}

    def index(self, view: View) -> dict[str, Any]:
        """What the list, the filters and the rerun command need."""
        return {
            "run": view.run.run_id,
            "suite": view.run.suite_path or view.run.suite,
            "gate": view.run.gate,
            "standin": any(v.source in (Source.SIMULATED, Source.RECORDED) for v in view.variants),
            "partial": int(view.run.partial),
            "repeats": view.repeats,
            "redacted": list(view.redacted),
            "variants": [
                {
                    "name": v.summary.name,
                    "model": v.summary.model,
                    "label": v.label,
                    "baseline": v.is_baseline,
                    "badges": list(v.badges),
                }
                for v in view.variants
            ],
            "metrics": [
                {
                    "name": m.name,
                    "grader": m.grader,
                    "judge": view.judge_label(m.name) if m.judged else None,
                    "graded": is_graded(m),
                    "pairwise": m.pairwise,
                }
                for m in view.metrics
            ],
            "causes": [[w.code, w.word, w.passing, w.graded, int(w.form)] for w in self.causes],
            "lenses": [
                [
                    self.metrics.get(lens.metric, -1),
                    -1 if lens.baseline is None else self.variants.get(lens.baseline, -1),
                    self.variants.get(lens.candidate, -1),
                    int(lens.compared),
                ]
                for lens in view.lenses
            ],
            "prices": list(self.prices),
            "groups": [[STATE_CODES[g], g.value, GROUP_WORDS[g], GROUP_SHAPES[g]] for g in CaseGroup],
            "words": ENDING_WORDS,
            "sources": {source.value: word for source, word in SOURCE_LABELS.items()},
            "tags": list(self.tags),
        }

    def entry(self, view: CaseView) -> list[Any]:
        """`[id, states, tags, odd outcomes by variant, reasons of failed scores, causes, classes of answers, passes]`.

        A tag is its number, a reason `[variant, metric, code]`, a cause `[number of the lens, number of the cause]`;
        the last two are `alike`'s and `passes`'s.
        """
        states = "".join(STATE_CODES[state] for state in view.states)
        odd = {(self.variants.get(a.variant, -1), a.outcome.value) for a in view.answers if a.outcome is not Outcome.OK}
        why = {
            (self.variants.get(a.variant, -1), self.metrics.get(s.metric, -1), s.reason.value)
            for a in view.answers
            for s in a.scores
            if s.reason is not Reason.PASSED
        }
        causes = self.moved_by.get(view.case.id, [])
        tags = [self.tags[tag] for tag in view.case.tags]
        told = passes(view, self.lenses) if self.repeats > 1 else []
        return [view.case.id, states, tags, sorted(odd), sorted(why), causes, alike(view, self.variants), told]

    def details(self, view: CaseView) -> dict[str, Any]:
        """Everything else about a case; each distinct prompt, and each distinct reply of a judge, once."""
        prompts = list(dict.fromkeys(view.prompts.values()))
        replies: dict[str, int] = {}
        answers = [self.answer(answer) | _judged(view.case.id, answer, replies) for answer in view.answers]
        return {
            "expected": None if view.case.expected is None else _shown(view.case.expected),
            "cluster": view.case.cluster,
            "variables": None if prompts else _shown(dict(view.case.variables)),
            "prompts": [self.prompt(prompt) for prompt in prompts],
            "prompt": [prompts.index(view.prompts[name]) if name in view.prompts else -1 for name in self.variants],
            "answers": answers,
            **({"judges": [json.loads(reply) for reply in replies]} if replies else {}),
        }

    def prompt(self, prompt: PromptView) -> dict[str, Any]:
        """`media` has `[kind, name, address, detail, size, number of the thumbnail or -1, note]` for each."""
        media = [
            [m.kind, m.name, m.address, m.detail, m.size, self.thumbnail(m.thumbnail), m.note] for m in prompt.media
        ]
        return {"text": prompt.text, "media": media, "tools": prompt.tools}

    def thumbnail(self, data_url: str | None) -> int:
        """The number of a thumbnail, the same for the same picture; -1 for none."""
        if data_url is None:
            return -1
        number = self.thumbnails.setdefault(data_url, len(self.thumbnails))
        self.used.add(number)
        return number

    def answer(self, view: AnswerView) -> dict[str, Any]:
        """One answer; keys without a value are left out."""
        response, said = view.response, said_of(view, self.metrics)
        entry: dict[str, Any] = {
            "variant": self.variants.get(view.variant, -1),
            "repeat": view.repeat,
            "outcome": view.outcome.value,
            "scores": [self.score(view, place) for place in range(len(view.scores))],
            **({"labels": said} if said else {}),
        }
        if response is None:
            return entry
        usage, failure = response.usage, response.failure
        single = not response.steps
        rate = tokens_per_second(usage, response.latency_ms, response.first_token_ms) if single else None
        # A failure says nothing of who failed; its variant knows who was asked.
        source = response.source if view.outcome.measured else self.sources.get(view.variant, response.source)
        facts = {
            "text": response.text,
            "refusal": response.refusal,
            "tools": [[call.name, call.arguments] for call in _last_calls(response)],
            "detail": response.detail,
            "source": source.value,
            "requested": response.requested_model,
            "returned": response.returned_model,
            "request_id": response.request_id,
            "latency": None if response.latency_ms is None else round(response.latency_ms, 1),
            "tokens": usage and _tokens(usage),
            "first": None if response.first_token_ms is None else round(response.first_token_ms, 1),
            "rate": None if rate is None else round(rate, 1),
            "usd": response.usd,
            "price": self.prices.get(view.price),
            "batched": response.batched or None,
            "tier": response.service_tier,
            "steps": [_step(step) for step in response.steps],
            "finish": response.finish_reason,
            "attempts": len(response.attempts),
            "failure": failure and f"{failure.kind.value}: {failure.message}",
            "finished": response.finished_at,
        }
        return entry | {key: value for key, value in facts.items() if value not in (None, "", [])}

    def score(self, view: AnswerView, place: int) -> list[Any]:
        """`[metric, value, passed, reason, detail, extracted, alternative, evidence]`, of judges with their facts."""
        s = view.scores[place]
        metric = self.metrics.get(s.metric, -1)
        extracted = None if s.extracted is None else _shown(s.extracted)
        told = [metric, s.value, s.passed, s.reason.value, s.detail, extracted, s.extracted_by, list(s.evidence)]
        facts = {name: s.facts[name] for name in _JUDGES_FACTS if name in s.facts} if view.judged else {}
        return [*told, facts] if facts else told
