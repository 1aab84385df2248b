"""What of a suite is watched: which comparisons and metrics, by which cases, and what makes their evidence one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from snapdrift.errors import UsageError
from snapdrift.model import Case, Pair, Variant, sha256
from snapdrift.pipeline.prepare import Prepared, applicable_cases
from snapdrift.pipeline.targets import Target
from snapdrift.store.codec import to_json
from snapdrift.suites.sampling import Sample, draw

if TYPE_CHECKING:
    from snapdrift.verdicts.watching import Watched


def watched_pairs(prepared: Prepared) -> tuple[Pair, ...]:
    """The comparisons of the gate in which an alias stands against a pinned snapshot and differs in nothing else.

    Raises `UsageError` where there is none, or no metric that could fail: then there is nothing to watch.
    """
    suite, gate, catalog = prepared.suite, prepared.gate, prepared.catalog
    where = f"{suite.path}: gate {gate.name}"
    found: list[Pair] = []
    unlike: list[Pair] = []
    for pair in gate.pairs:
        alias, snapshot = suite.variants[pair.candidate], suite.variants[pair.baseline]
        if catalog.is_alias(alias.model) and snapshot.endpoint.over_http and not catalog.is_alias(snapshot.model):
            (found if _asked_alike(alias, snapshot) else unlike).append(pair)
    if not found:
        odd = f" ({unlike[0].candidate} and {unlike[0].baseline} differ in more than their models)" if unlike else ""
        raise UsageError(
            f"{where}: found no alias to watch{odd}; expected a candidate whose model is an alias (gpt-4o) against a "
            "baseline that pins a snapshot (gpt-4o-2024-11-20), with the same prompt, request and endpoint"
        )
    if not any(entry.gates for entry in gate.metrics):
        raise UsageError(f"{where}: found no gating metric to watch; expected one with a margin and severity fail")
    return tuple(found)


def watched_variants(prepared: Prepared, pairs: Sequence[Pair]) -> tuple[Variant, ...]:
    """The variants of the pairs. None goes by batch: an answer of tomorrow tells nothing tonight."""
    names = {name for pair in pairs for name in (pair.candidate, pair.baseline)}
    return tuple(replace(variant, batch=False) for variant in prepared.variants if variant.name in names)


def watched_metrics(prepared: Prepared, pairs: Sequence[Pair], target: Target) -> tuple[Watched, ...]:
    """Each gating metric of each pair, with all that its evidence rests on."""
    from snapdrift.verdicts.watching import Watched

    suite = prepared.suite
    versions = {metric.name: grader.version for grader in suite.graders for metric in grader.metrics}
    found = []
    for pair in pairs:
        alias, snapshot = suite.variants[pair.candidate], suite.variants[pair.baseline]
        identity = {
            "suite": suite.name,
            "models": f"{alias.model} {snapshot.model}",
            "ask": sha256(to_json([alias, snapshot])),
            "seed": str(suite.seed),
            "source": " ".join(target.reached([alias, snapshot])),
        }
        for entry in prepared.gate.metrics:
            if entry.gates and entry.metric in versions:
                own = {**identity, "grader": versions[entry.metric]}
                found.append(Watched(entry.metric, pair.baseline, pair.candidate, own))
    return tuple(found)


def cases_of_night(prepared: Prepared, night: int, number: int) -> tuple[Case, ...]:
    """So many cases (or all), of those that a gating metric applies to, drawn by the suite's seed and the night."""
    applicable = applicable_cases(prepared.suite, prepared.cases)
    gating = {entry.metric for entry in prepared.gate.metrics if entry.gates}
    eligible = [case for case in prepared.cases if any(case.id in applicable.get(name, ()) for name in gating)]
    digest = hashlib.sha256(f"{prepared.suite.seed}:night {night}".encode()).digest()
    return draw(eligible, Sample(min(number, len(eligible)), int.from_bytes(digest[:6], "big")))


def _asked_alike(one: Variant, other: Variant) -> bool:
    same = ("endpoint", "host", "prompt", "request", "max_steps", "stream")
    return all(getattr(one, name) == getattr(other, name) for name in same)
