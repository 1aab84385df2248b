"""What a run is expected to cost and how long it takes, from workloads, prices and what answers are like."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.conclusions import VariantSummary
from snapdrift.execution.limits import RateLimits
from snapdrift.execution.meters import DAY, MINUTE
from snapdrift.model import Case, Conversation, Outcome, Source, Usage, Variant
from snapdrift.pipeline.allowance import output_cap
from snapdrift.pipeline.targets import OPENAI
from snapdrift.pipeline.workloads import Workload, judge_workload, workloads
from snapdrift.store import list_runs, open_run

if TYPE_CHECKING:
    from snapdrift.openai_api.catalog import Catalog
    from snapdrift.openai_api.facts import UsageTier
    from snapdrift.pipeline.pacing import Account
    from snapdrift.pipeline.prepare import Prepared

ASSUMED_OUTPUT = 512
"""Tokens of an answer where there is neither an earlier run nor a cap. Our assumption, named where it is used."""
ASSUMED_LATENCY_S = 3.0
"""Seconds of a request where there is no earlier run. Our assumption too."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a request is expected to take: output tokens, seconds; requests a call (None: what the prompt says).

    `run` is the earlier run that says so; empty where it is assumed.
    """

    output_tokens: float
    latency_s: float = ASSUMED_LATENCY_S
    requests: float | None = None
    run: str = ""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast requests can go: the account's usage tier (None: not told), and how many are in flight.

    `account` has the limits that the workspace names.
    """

    tier: UsageTier | None
    concurrency: int
    account: Account | None = None

    def limits(self, pool: tuple[str, str]) -> RateLimits:
        """What the account may ask of what counts together, as far as that is known."""
        return RateLimits() if self.account is None else self.account.limits(*pool)

    @property
    def names_limits(self) -> bool:
        """Whether the workspace names limits of models itself."""
        return self.account is not None and self.account.names_limits

    def pool(self, variant: Variant, catalog: Catalog) -> tuple[str, str]:
        """What a variant's requests count towards: a host, and the model whose limits it has there."""
        host = variant.host or OPENAI
        if self.account is None:
            return host, catalog.counted_as(variant.model)
        return host, self.account.shared_with(host, variant.model)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What asking one model comes to, all repeats together. Dollars are None where a price is not known.

    `requests` are those expected, `most_requests` those possible. `input_tokens` is what the prompts hold (`exact`:
    counted, not estimated); the dollars count what tools and earlier answers add. `output_tokens` is of one answer,
    `expected` where from. `cached_usd` is with prompt caching, `batch_usd` by the Batch API, `seconds` alone at the
    pace of the plan (None: by the Batch API, within 24 hours). `tokens_a_request` counts against a token limit.
    """

    calls: int
    requests: int
    most_requests: int
    input_tokens: int
    exact: bool
    output_cap: int | None
    output_tokens: float
    expected: Expectation
    live_usd: float | None
    cached_usd: float | None
    batch_usd: float | None
    worst_usd: float | None
    seconds: float | None
    tokens_a_request: float


def estimate(
    variant: Variant, workload: Workload, repeats: int, catalog: Catalog, expected: Expectation, pace: Pace
) -> Estimate:
    """Prices a workload. Multi-step calls count the steps that the earlier run took, else one round of tools."""
    certain, most = workload.requests * repeats, workload.most_requests * repeats
    requests = certain + workload.tool_calls * repeats
    if expected.requests is not None:
        requests = min(max(certain, round(expected.requests * workload.calls * repeats)), most)
    out = expected.output_tokens
    each = workload.tokens / workload.requests if workload.requests else 0.0
    tokens = workload.tokens * repeats + workload.carried * repeats * out + (requests - certain) * (each + out)
    tier, info = variant.request.get("service_tier"), catalog.get(variant.model)
    repeated = min(workload.repeated_tokens(repeats), round(tokens))
    discount = info is not None and info.price is not None and info.price.cached is not None

    def usd(cached: int = 0, *, batched: bool = False) -> float | None:
        usage = Usage(round(tokens), cached, round(out * requests))
        return catalog.usd(variant.model, usage, service_tier=tier, batched=batched)

    limits = pace.limits(pace.pool(variant, catalog))
    load = (tokens / requests if requests else 0.0) + (output_cap(variant.request) or out)
    return Estimate(
        calls=workload.calls * repeats,
        requests=requests,
        most_requests=most,
        input_tokens=workload.tokens * repeats,
        exact=workload.exact,
        output_cap=output_cap(variant.request),
        output_tokens=out,
        expected=expected,
        live_usd=usd(),
        cached_usd=usd(repeated) if discount or not repeated else None,
        batch_usd=usd(batched=True) if workload.most_requests == workload.calls else None,
        worst_usd=_worst(variant, workload, repeats, catalog),
        seconds=None if variant.batch else seconds_needed(requests, load, limits, expected.latency_s, pace),
        tokens_a_request=load,
    )


def less_reused(estimate: Estimate, reused: int) -> Estimate:
    """The estimate where some calls are answered by earlier runs, which costs and takes nothing.

    The calls are taken to be alike. What it costs at most stays: the answers may be gone by then.
    """
    left = 1.0 - reused / estimate.calls if estimate.calls else 1.0

    def share(usd: float | None) -> float | None:
        return None if usd is None else usd * left

    return replace(
        estimate,
        requests=round(estimate.requests * left),
        most_requests=round(estimate.most_requests * left),
        live_usd=share(estimate.live_usd),
        cached_usd=share(estimate.cached_usd),
        batch_usd=share(estimate.batch_usd),
        seconds=share(estimate.seconds),
    )


def _worst(variant: Variant, workload: Workload, repeats: int, catalog: Catalog) -> float | None:
    info = catalog.get(variant.model)
    cap = output_cap(variant.request) or (info.max_output if info is not None else None)
    if cap is None or workload.bound is None:
        return None
    output, tier = cap * workload.most_requests * repeats, variant.request.get("service_tier")
    bound = workload.bound * repeats
    return catalog.worst_usd(variant.model, bound, output, service_tier=tier, batched=variant.batch)


def seconds_needed(
    requests: float, tokens_a_request: float, limits: RateLimits | None, latency_s: float, pace: Pace
) -> float:
    """How long requests take: what is slowest of requests and tokens by minute and by day, and those in flight.

    What a day allows may be used at once, so that a run takes more than one day only for what goes beyond.
    """
    times = [requests * latency_s / pace.concurrency]
    if limits is None:
        return times[0]
    tokens = requests * tokens_a_request
    times += [MINUTE * n / limit for n, limit in ((requests, limits.rpm), (tokens, limits.tpm)) if limit is not None]
    days = [(n, limit) for n, limit in ((requests, limits.rpd), (tokens, limits.tpd)) if limit is not None]
    times += [DAY * (math.ceil(n / limit) - 1) for n, limit in days if n > limit]
    return max(times)


def estimate_variants(one: Prepared, earlier: Mapping[str, Expectation], pace: Pace) -> dict[str, Estimate]:
    """The estimate of each variant that is asked over HTTP, by name."""
    from snapdrift.suites.media import Media

    media = Media(one.workspace, one.suite.media)
    work = workloads(one.cases, one.variants, one.catalog, media)
    found = {}
    for variant in one.variants:
        if variant.name in work:
            expected = earlier.get(variant.name) or assumed_answer(variant)
            found[variant.name] = estimate(variant, work[variant.name], one.repeats, one.catalog, expected, pace)
    return found


def estimate_judges(one: Prepared, answer_tokens: float, pace: Pace) -> dict[str, Estimate]:
    """The estimate of each judge by its name (`judge GRADER`): every answer of every variant that it grades, once.

    One that compares answers is asked about both of each pair of the gate. An answer adds `answer_tokens` to the
    question. What it adds at most is not known, so neither is the worst case.
    """
    from snapdrift.pipeline.grading import baselines_of
    from snapdrift.pipeline.suite_graders import judges_of
    from snapdrift.suites.media import Media
    from snapdrift.suites.prompts import render

    media, found = Media(one.workspace, one.suite.media), {}
    prompt = next((variant.prompt for variant in one.variants if variant.prompt), None)

    def asked(case: Case) -> Conversation | None:
        return None if prompt is None else render(prompt, case, media)

    compared = baselines_of(one.gate, judges_of(one.suite), one.variants)
    for grader in judges_of(one.suite):
        for judge in grader.judges:
            work = judge_workload(grader, judge, one.cases, one.catalog, asked)
            work.tokens += round(answer_tokens * work.requests * (2 if grader.compares else 1))
            work.exact, work.bound = False, None
            sides = sum(map(len, compared.values())) if grader.compares else len(one.asked)
            times = one.repeats * sides + (0 if grader.compares else _kept_repeats(one, grader.name))
            found[judge.name] = estimate(judge, work, times, one.catalog, assumed_answer(judge), pace)
    return found


def _kept_repeats(one: Prepared, grader: str) -> int:
    """How often a judge is asked about the kept answers to one case; of verdicts of then that count, never."""
    facts = None if one.based is None else one.based.facts
    if one.frozen is None or facts is None or facts.kept is None or grader in facts.kept.reused:
        return 0
    return math.ceil(len(one.frozen.answers) / max(1, len(one.cases)))


def assumed_answer(variant: Variant) -> Expectation:
    """What is expected of a variant that no earlier run tells of: half its cap."""
    cap = output_cap(variant.request)
    return Expectation(ASSUMED_OUTPUT if cap is None else cap / 2)


def earlier_answers(runs_dir: Path, suite: str, variants: Sequence[Variant]) -> dict[str, Expectation]:
    """What each variant's answers were like in the newest stored run of the suite that has some, by name.

    Simulated answers tell nothing. Latency is taken only from models that were really asked.
    """
    wanted = {variant.name: variant for variant in variants}
    found: dict[str, Expectation] = {}
    for run in list_runs(runs_dir) if runs_dir.is_dir() else ():
        if run.suite != suite or run.decision is None:
            continue
        with open_run(run.path) as stored:
            evaluation = stored.evaluation
        for then in evaluation.variants if evaluation is not None else ():
            now = wanted.get(then.name)
            if now is not None and (now.model, now.endpoint) == (then.model, then.endpoint):
                expectation = _expectation(then, run.run_id)
                if expectation is not None:
                    found.setdefault(then.name, expectation)
        if found.keys() >= wanted.keys():
            break
    return found


def _expectation(then: VariantSummary, run_id: str) -> Expectation | None:
    measured = sum(count for outcome, count in then.outcomes.items() if Outcome(outcome).measured)
    if not measured or not then.usage.output_tokens or Source.SIMULATED.value in then.sources:
        return None
    real = set(then.sources) <= {Source.OPENAI.value, Source.HOST.value}
    latency = then.latency_p50 / 1000 if real and then.latency_p50 is not None else None
    # Reused answers were requests of another run, and are among what was measured.
    made = then.requests + (then.reused.requests if then.reused is not None else 0)
    requests = max(1.0, made / measured)
    # Tokens and latency of a call are those of all its requests together.
    each = ASSUMED_LATENCY_S if latency is None else latency / requests
    return Expectation(then.usage.output_tokens / measured / requests, each, requests, run_id)


def total_seconds(parts: Sequence[tuple[Variant, Estimate]], catalog: Catalog, pace: Pace) -> float:
    """How long models take that are asked at the same time: limits hold for each model, workers are shared."""
    timed = [(variant, part) for variant, part in parts if not variant.batch]
    pools: dict[tuple[str, str], list[tuple[Variant, Estimate]]] = {}
    for variant, part in timed:
        pools.setdefault(pace.pool(variant, catalog), []).append((variant, part))
    times = [sum(part.requests * part.expected.latency_s for _, part in timed) / pace.concurrency]
    for pool, members in pools.items():
        requests = sum(part.requests for _, part in members)
        load = sum(part.requests * part.tokens_a_request for _, part in members) / requests if requests else 0.0
        times.append(seconds_needed(requests, load, pace.limits(pool), 0.0, pace))
    return max(times)
