"""What the cases of a suite come to as requests: input tokens, bounds and shared prefixes. Nothing is priced here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from snapdrift.model import CallKey, Case, Conversation, Outcome, Response, Variant, canonical_json
from snapdrift.pipeline.allowance import output_cap

if TYPE_CHECKING:
    from snapdrift.graders.base import Grader
    from snapdrift.graders.needs import JudgeQuestion
    from snapdrift.openai_api.catalog import Catalog, ModelInfo
    from snapdrift.pipeline.prepare import Prepared
    from snapdrift.suites.media import Media


@dataclass(slots=True)
class Workload:
    """One round over the cases. Sums over requests, but for `calls` and `tool_calls` (calls that may take steps).

    `requests` are certain, `most_requests` what steps may make of them. `tokens` is the input of the certain ones
    without the `carried` answers that are in it again. `bound` limits the input of all (None: nothing does), and
    `prefixes` has for each shared prefix how often it is sent and its tokens.
    """

    calls: int = 0
    requests: int = 0
    most_requests: int = 0
    tool_calls: int = 0
    tokens: int = 0
    carried: int = 0
    exact: bool = True
    bound: int | None = 0
    prefixes: dict[str, tuple[int, int]] = field(default_factory=dict)

    def repeated_tokens(self, repeats: int) -> int:
        """Input tokens that begin a request as an earlier one of `repeats` rounds did."""
        return sum((count * repeats - 1) * tokens for count, tokens in self.prefixes.values())


def workloads(
    cases: Sequence[Case], variants: Sequence[Variant], catalog: Catalog, media: Media
) -> dict[str, Workload]:
    """The workload of each variant that is asked over HTTP, by name.

    Variants that send the same to models that count alike (two snapshots) are counted once.
    """
    from snapdrift.suites.prompts import render

    alike: dict[str, list[Variant]] = {}
    for variant in variants:
        if variant.endpoint.over_http:
            alike.setdefault(_signature(variant, catalog.get(variant.model)), []).append(variant)
    counted = [(group[0], Workload(), canonical_json(group[0].prompt)) for group in alike.values()]
    for case in cases:
        rendered: dict[str, Conversation] = {}
        for variant, workload, prompt in counted:
            if prompt not in rendered:
                rendered[prompt] = render(variant.prompt, case, media)
            _add(workload, variant, rendered[prompt], catalog.get(variant.model), steps=_takes_steps(variant, case))
    return {v.name: work for group, (_, work, _) in zip(alike.values(), counted, strict=True) for v in group}


def shared_prefixes(one: Prepared) -> Callable[[Case], str | None] | None:
    """A function that names what a case's prompts begin with, as far as a provider may hold it in its cache.

    None where the order of cases makes no difference: no variant's prefix depends on the case.
    """
    from snapdrift.openai_api.caching import cache_prefix, prefix_varies
    from snapdrift.suites.media import Media
    from snapdrift.suites.prompts import render

    varying = [variant for variant in one.variants if prefix_varies(variant, one.cases)]
    media = Media(one.workspace, one.suite.media)

    def prefix_of(case: Case) -> str | None:
        keys = []
        for variant in varying:
            body = next(_bodies(variant, render(variant.prompt, case, media)))
            prefix = cache_prefix(variant, body)
            keys.append("" if prefix is None else prefix.key)
        return " ".join(keys) if any(keys) else None

    return prefix_of if varying else None


def judge_workload(
    grader: Grader,
    judge: Variant,
    cases: Sequence[Case],
    catalog: Catalog,
    asked: Callable[[Case], Conversation | None],
) -> Workload:
    """The workload of a judge for one variant's answers, answers that are empty: what they add is not known yet.

    Of a grader that compares answers it is that of one candidate against one baseline. `asked` gives what a case
    asks, for judges that see it.
    """
    asking = grader.for_planning()
    workload, info = Workload(), catalog.get(judge.model)
    for case in cases:
        conversation = asked(case) if asking.sees_prompt else None
        # A composition accepts what any of its parts does; the one that asks may not accept the first of them.
        questions = (_questions(asking, judge, case, outcome, conversation) for outcome in asking.accepts)
        for question in next(filter(None, questions), []):
            _add(workload, question.variant, question.conversation, info, steps=False)
    return workload


def _questions(
    asking: Grader, judge: Variant, case: Case, outcome: Outcome, conversation: Conversation | None
) -> list[JudgeQuestion]:
    """What the judge is asked about an answer that ends so, and about another one beside it where two are compared."""
    from snapdrift.graders.needs import JudgeQuestion, Seen

    key = CallKey(case.id, "", 0)
    others = {"": Response(key, outcome, "", text="?")} if asking.compares else {}
    needs = asking.needs(case, Response(key, outcome, "", text="."), Seen(conversation, others))
    return [need for need in needs.values() if isinstance(need, JudgeQuestion) and need.variant.name == judge.name]


def _add(
    workload: Workload, variant: Variant, conversation: Conversation, info: ModelInfo | None, *, steps: bool
) -> None:
    from snapdrift.openai_api.caching import cache_prefix
    from snapdrift.openai_api.tokens import estimate_input_tokens, upper_bound_tokens

    rule, window = (info.image, info.context_window) if info is not None else (None, None)
    cap = output_cap(variant.request) or (info.max_output if info is not None else None)
    turns = 0
    for number, body in enumerate(_bodies(variant, conversation)):
        count = estimate_input_tokens(body, rule)
        workload.tokens += count.tokens
        workload.exact &= count.exact and number == 0
        workload.carried += number
        known = upper_bound_tokens(body, rule, window)
        answers = 0 if number == 0 else None if cap is None else number * cap
        workload.bound = _sum(workload.bound, _least(window, _sum(known, answers)))
        turns += 1
        if number == 0 and (prefix := cache_prefix(variant, body)) is not None:
            times, tokens = workload.prefixes.get(prefix.key, (0, -1))
            workload.prefixes[prefix.key] = (times + 1, tokens if times else prefix.tokens)
    more = turns * max(0, variant.max_steps - 1) if steps else 0
    workload.calls += 1
    workload.requests += turns
    workload.most_requests += turns + more
    if more:
        workload.tool_calls += 1
        workload.exact = False
        workload.bound = _sum(workload.bound, None if window is None else window * more)


def _bodies(variant: Variant, conversation: Conversation) -> Iterator[Mapping[str, Any]]:
    """The bodies of a call's requests, without the answers that are carried on."""
    from snapdrift.openai_api.requests import build_uncached

    turns = conversation.turns
    for number in range(len(turns)):
        messages = tuple(message for turn in turns[: number + 1] for message in turn)
        yield build_uncached(variant, Conversation(conversation.instructions, messages)).body


def _takes_steps(variant: Variant, case: Case) -> bool:
    return case.tool_results is not None and bool(variant.request.get("tools"))


def _signature(variant: Variant, info: ModelInfo | None) -> str:
    """What decides the figures of a variant: two with the same one are counted once."""
    facts = None if info is None else [info.image, info.context_window, info.max_output]
    return canonical_json([variant.endpoint, variant.prompt, variant.request, variant.max_steps, repr(facts)])


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _least(one: int | None, other: int | None) -> int | None:
    known = [value for value in (one, other) if value is not None]
    return min(known) if known else None
