"""One case as the page carries it: an entry of the index, and its details. Scripts read these lists by place."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from snapdrift.acceptances import HASH_DIGITS
from snapdrift.model import CallKey, Case, MetricSpec, Outcome, Reason, Response, Source, Step, ToolCall, Usage
from snapdrift.reports.asked import PromptView
from snapdrift.reports.case_views import AnswerView, CaseGroup, CaseView, Lens
from snapdrift.reports.columns import alike, passes
from snapdrift.reports.embed_review import said_of
from snapdrift.reports.explanations import cause_words, is_graded
from snapdrift.reports.scales import group_words
from snapdrift.reports.view import SOURCE_LABELS, VariantView, View
from snapdrift.reports.words import ENDING_WORDS, GROUP_SHAPES
from snapdrift.verdicts.speed import tokens_per_second

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


def as_json(value: Any) -> str:
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


def _step(step: Step) -> list[Any]:
    """`[text, calls as [name, arguments], results as [name, output, matched, is_error], messages as [role, text]]`."""
    return [
        step.text,
        [[call.name, call.arguments] for call in step.tool_calls],
        [[result.name, result.output, result.matched, result.is_error] for result in step.results],
        [list(each) for each in zip_longest(step.said_by, step.said, fillvalue="user")],
    ]


def _short_hash(case: Case) -> dict[str, str]:
    """By what an acceptance is held to the case; a case with a number that is none has no hash."""
    try:
        return {"hash": case.hash[:HASH_DIGITS]}
    except ValueError:
        return {}


def _judged(case_id: str, view: AnswerView, replies: dict[str, int]) -> dict[str, Any]:
    """The judges of an answer as `[grader, what the verdict is for, number of the reply, 1 if shared]`; none: nothing.

    `replies` numbers the distinct ones of a case: equal questions are asked once, and their reply is of each answer.
    """
    told = [
        [
            r.call.judge,
            r.call.grader.partition(".")[2],
            replies.setdefault(as_json(_reply(r)), len(replies)),
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


def _variant(view: VariantView) -> dict[str, Any]:
    return {
        "name": view.summary.name,
        "model": view.summary.model,
        "label": view.label,
        "baseline": view.is_baseline,
        "badges": list(view.badges),
    }


def _metric(metric: MetricSpec, view: View) -> dict[str, Any]:
    return {
        "name": metric.name,
        "grader": metric.grader,
        "judge": view.judge_label(metric.name) if metric.judged else None,
        "graded": is_graded(metric),
        "pairwise": metric.pairwise,
        **({} if metric.scale == (0.0, 1.0) else {"scale": list(metric.scale)}),
        **({} if metric.has_pass_mark else {"unmarked": 1}),
    }


class CaseEncoder:
    """Numbers for the names that repeat in many cases. Tags and prices get theirs when a case first has them."""

    def __init__(self, view: View) -> None:
        self.variants = {v.summary.name: place for place, v in enumerate(view.variants)}
        self.sources = {v.summary.name: v.source for v in view.variants}
        self.metrics = {metric.name: place for place, metric in enumerate(view.metrics)}
        self.thumbnails: dict[str, int] = {}
        self.prices: dict[str, int] = {}
        self.used: set[int] = set()
        self.lenses = view.lenses
        self.repeats = view.repeats
        self.redacted = bool(view.redacted)
        """A hash of what was taken out would be another, and one of what it was could be guessed."""
        self.tags: dict[str, int] = {}
        self.causes = cause_words(view.causes)
        self.moved_by = view.causes
        self.cause_places = {word.code: place for place, word in enumerate(self.causes)}

    def index(self, view: View) -> dict[str, Any]:
        """What the list, the filters and the rerun command need, once every case is encoded."""
        called = group_words(view.metrics)
        return {
            "run": view.run.run_id,
            "suite": view.run.suite_path or view.run.suite,
            "gate": view.run.gate,
            "standin": any(v.source in (Source.SIMULATED, Source.RECORDED) for v in view.variants),
            **({} if view.reference is None else {"ref": view.reference.ref}),
            "partial": int(view.run.partial),
            "repeats": view.repeats,
            "redacted": list(view.redacted),
            "variants": [_variant(variant) for variant in view.variants],
            "metrics": [_metric(metric, view) for metric in view.metrics],
            "causes": [[w.code, w.word, w.passing, w.graded, int(w.form)] for w in self.causes],
            "lenses": [self._lens(lens) for lens in view.lenses],
            "prices": list(self.prices),
            "groups": [[STATE_CODES[g], g.value, called[g], GROUP_SHAPES[g]] for g in CaseGroup],
            "words": ENDING_WORDS,
            "sources": {source.value: word for source, word in SOURCE_LABELS.items()},
            "tags": list(self.tags),
        }

    def _lens(self, lens: Lens) -> list[int]:
        return [
            self.metrics.get(lens.metric, -1),
            -1 if lens.baseline is None else self.variants.get(lens.baseline, -1),
            self.variants.get(lens.candidate, -1),
            int(lens.compared),
        ]

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
        causes = [[lens, self.cause_places[code]] for lens, code in self.moved_by.get(view.case.id, ())]
        tags = [self.tags.setdefault(tag, len(self.tags)) for tag in view.case.tags]
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
            **({} if self.redacted else _short_hash(view.case)),
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
        said = {"said": prompt.said} if prompt.said else {}
        return {"text": prompt.text, "media": media, "tools": prompt.tools, **said}

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
            "price": self.prices.setdefault(view.price, len(self.prices)) if view.price else None,
            "batched": response.batched or None,
            "reused": response.reused and [response.reused.run, response.reused.received_at],
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
