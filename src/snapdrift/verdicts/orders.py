"""What a pairwise judge said when the two answers changed places: wins and losses, and whether the place decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from snapdrift.gradings import OrderAgreement
from snapdrift.model import Gate, Results, Score
from snapdrift.stats.paired import mcnemar
from snapdrift.verdicts.evidence import ROUNDING
from snapdrift.verdicts.words import cases, p_text, percent

_SAID = ("forward", "backward", "decided")
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
        for baseline, candidate in pairs:
            said = list(_said(results.scores_of(candidate, spec.name), baseline))
            if said and {baseline, candidate} <= variants:
                found.append(_agreement((spec.name, baseline, candidate), said, units))
    return tuple(found)


def _said(scores: Iterable[Score], baseline: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """By case what the judge said of each pair of answers; pairs that could not be measured are left out.

    There are few ways in which it can have gone, and each is kept once.
    """
    ways: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for score in scores:
        facts = score.facts.get("against", {}).get(baseline)
        if facts is not None and facts.get("value") is not None:
            said = tuple((name, facts[name]) for name in _SAID if name in facts)
            yield score.case_id, ways.setdefault(said, dict(said))


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


def order_sentence(one: OrderAgreement, alpha: float) -> str:
    """How the judge preferred, how often its orders disagreed, and whether its verdict goes by the place."""
    who = f"`{one.candidate}` against `{one.baseline}` on {one.metric}"
    unasked = _unasked(one)
    if not one.judged:
        return f"{who}: no pair of answers was judged in both orders{f'; {unasked}' if unasked else ''}."
    pairs = "1 pair of answers that was" if one.judged == 1 else f"{one.judged:,} pairs of answers that were"
    share = percent(one.disagreements / one.judged)
    text = (
        f"{who}: of {pairs} judged in both orders it wins {one.wins:,}, loses {one.losses:,} and ties {one.ties:,}; "
        f"of {one.disagreements:,} ({share}) the orders disagree, which counts as a tie"
    )
    return f"{text}{f'; {unasked}' if unasked else ''}. {position_sentence(one, alpha)}"


def position_sentence(one: OrderAgreement, alpha: float) -> str:
    """Whether the judge goes by the place of an answer, tested two-sided at `alpha`."""
    if one.p_position is None:
        return "No case leans to either place: there is no sign of position bias."
    share = "" if one.first_preferred is None else percent(one.first_preferred)
    if not is_biased(one, alpha):
        lean = (
            f"{cases(one.leaning_first)} to the first, {one.leaning_second:,} to the second, {p_text(one.p_position)}"
        )
        return f"Position bias is not shown: the answer shown first is preferred {share} of the time ({lean})."
    place = "first" if one.leaning_first > one.leaning_second else "second"
    return (
        f"The judge favours the answer shown {place} (position bias): the first is preferred {share} of the time, "
        f"{cases(one.leaning_first)} lean to it and {one.leaning_second:,} to the second ({p_text(one.p_position)}). "
        "Preferences that go by the place become ties, so differences come out smaller than they are."
    )


def is_biased(one: OrderAgreement, alpha: float) -> bool:
    """Whether a preference for a place is shown."""
    return one.p_position is not None and one.p_position <= alpha + ROUNDING


def order_doubts(
    orders: Sequence[OrderAgreement], gating: frozenset[tuple[str, str, str]], alpha: float
) -> tuple[str, ...]:
    """Gating comparisons whose judge goes by the place of an answer, in sentences."""
    return tuple(
        f"`{one.candidate}` against `{one.baseline}` on {one.metric}: {_lowered(position_sentence(one, alpha))}"
        for one in orders
        if (one.metric, one.baseline, one.candidate) in gating and is_biased(one, alpha)
    )


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _unasked(one: OrderAgreement) -> str:
    """What was decided without a judge: the same answer twice, or one that could not be compared."""
    won, lost, tied = one.unasked_wins, one.unasked_losses, one.unasked_ties
    if not won + lost + tied:
        return ""
    pairs = "1 more pair was" if won + lost + tied == 1 else f"{won + lost + tied:,} more pairs were"
    kinds = [f"{tied:,} tied (the same answer twice, or none to compare)"] if tied else []
    kinds += [f"{won:,} won and {lost:,} lost by an answer that could not be compared"] if won + lost else []
    return f"{pairs} not asked: {', '.join(kinds)}"
