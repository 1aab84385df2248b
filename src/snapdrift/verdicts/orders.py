"""What a pairwise judge said when the two answers changed places: wins and losses, and whether the place decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from snapdrift.gradings import OrderAgreement
from snapdrift.model import Gate, Results, Score
from snapdrift.stats.paired import mcnemar

_FIRST = {"forward": "loss", "backward": "win"}
"""By order, what a verdict for the answer shown first says of the candidate: the baseline's is shown first forward."""


def order_agreements(results: Results, gate: Gate) -> tuple[OrderAgreement, ...]:
    """One for each pairwise metric and pair of the gate whose answers were compared."""
    variants = {variant.name for variant in results.variants}
    pairs = dict.fromkeys((one.baseline, one.candidate) for one in gate.pairs)
    units = {case.id: case.cluster or case.id for case in results.cases}
    found = []
    for spec in results.metrics:
        if not spec.pairwise:
            continue
        scores = [score for score in results.scores if score.metric == spec.name]
        for baseline, candidate in pairs:
            said = list(_said([score for score in scores if score.variant == candidate], baseline))
            if said and {baseline, candidate} <= variants:
                found.append(_agreement((spec.name, baseline, candidate), said, units))
    return tuple(found)


def _said(scores: Sequence[Score], baseline: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """By case what is known of each pair of answers; pairs that could not be measured are left out."""
    for score in scores:
        facts = score.facts.get("against", {}).get(baseline)
        if facts is not None and facts.get("value") is not None:
            yield score.case_id, facts


def _agreement(
    comparison: tuple[str, str, str], said: Sequence[tuple[str, Mapping[str, Any]]], units: Mapping[str, str]
) -> OrderAgreement:
    asked = [(case_id, facts) for case_id, facts in said if "forward" in facts]
    agreed = Counter(facts["forward"] for _, facts in asked if facts["forward"] == facts["backward"])
    decided = Counter(facts["decided"] for _, facts in said if "decided" in facts)
    leaning: Counter[str] = Counter()
    first = second = 0
    for case_id, facts in asked:
        places = [facts[order] == first_is for order, first_is in _FIRST.items() if facts[order] != "tie"]
        first, second = first + sum(places), second + len(places) - sum(places)
        leaning[units.get(case_id, case_id)] += 2 * sum(places) - len(places)
    to_first, to_second = (sum(sign * value > 0 for value in leaning.values()) for sign in (1, -1))
    # A judge that goes by the answers alone prefers one place in one order and the other in the other: what is left
    # over leans to either place equally often, so that the signs are tested (Dixon and Mood 1946).
    test = mcnemar(to_first, to_second) if to_first + to_second else None
    return OrderAgreement(
        *comparison,
        judged=len(asked),
        wins=agreed["win"],
        losses=agreed["loss"],
        ties=agreed["tie"],
        disagreements=len(asked) - agreed.total(),
        first_preferred=first / (first + second) if first + second else None,
        leaning_first=to_first,
        leaning_second=to_second,
        p_position=None if test is None else test.exact.two_sided,
        unasked_wins=decided["win"],
        unasked_losses=decided["loss"],
        unasked_ties=decided["tie"],
    )
