"""From the votes of a judge to marks: by majority, on a scale by their median or mean; a tie is no mark."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from snapdrift.graders.ballots import Ballot, Tally, tallies, vote_facts
from snapdrift.graders.judge_items import Item
from snapdrift.graders.marks import Mark
from snapdrift.graders.rubric import CONTRADICTS, PASS_FAIL_SCALE, Combine, Mode, Rubric


def marks_of(rubric: Rubric, name: str, items: Sequence[Item], ballots: Sequence[Ballot]) -> Mapping[str, Mark]:
    """The marks by metric, of the readable replies: more than half of the votes."""
    found = tallies(ballots)
    if rubric.mode is Mode.CHECKLIST:
        return _checklist_marks(rubric, name, items, found)
    if rubric.mode is Mode.REFERENCE:
        return _reference_marks(rubric, name, items, found)
    (only,) = found
    majority = rubric.mode is Mode.LABEL or rubric.levels == PASS_FAIL_SCALE
    mark = _majority_mark(rubric, only) if majority else _scale_mark(rubric, only)
    label = {"label": only.label} if rubric.mode is Mode.LABEL and only.label is not None else {}
    return {name: replace(mark, facts={**label, **vote_facts(found)})}


def _majority_mark(rubric: Rubric, votes: Tally) -> Mark:
    if votes.label is None:
        return Mark.error(votes.tie)
    detail = _told(votes.label, votes)
    value, passed = rubric.value(votes.label), rubric.passes(votes.label)
    return Mark.graded(value, passed=passed, detail=detail, evidence=_reasons(votes))


def _scale_mark(rubric: Rubric, votes: Tally) -> Mark:
    """A score between the levels where two votes, or the mean, are between them: nothing is rounded."""
    if len(votes.votes) == 1:
        return _majority_mark(rubric, votes)
    combine = statistics.median if rubric.combine is Combine.MEDIAN else statistics.fmean
    low, high = rubric.ends
    score = min(max(float(combine([rubric.levels[label] for label in votes.labels])), low), high)
    detail = f"{score:g}, the {rubric.combine} of {len(votes.votes)} votes ({', '.join(votes.labels)}): {votes.reason}"
    value = (score - low) / (high - low)
    return Mark.graded(value, passed=rubric.reaches(score), detail=detail, evidence=_reasons(votes))


def _told(label: str, votes: Tally) -> str:
    number = len(votes.votes)
    counted = label if number == 1 else f"{label} ({votes.labels.count(label)} of {number} votes)"
    return f"{counted}: {votes.reason}" if votes.reason else counted


def _reasons(votes: Tally) -> tuple[str, ...]:
    if len(votes.votes) == 1:
        return (votes.reason,)
    return tuple(f"{vote.label}: {vote.reason}" for vote in votes.votes)


def _checklist_marks(rubric: Rubric, name: str, items: Sequence[Item], found: Sequence[Tally]) -> Mapping[str, Mark]:
    marks = {name: _share_mark(rubric, items, found)}
    for part in rubric.criteria if isinstance(rubric.criteria, dict) else ():
        chosen = [(item, votes) for item, votes in zip(items, found, strict=True) if item.part == part]
        marks[f"{name}.{part}"] = _share_mark(rubric, [item for item, _ in chosen], [votes for _, votes in chosen])
    return marks


def _reference_marks(rubric: Rubric, name: str, items: Sequence[Item], found: Sequence[Tally]) -> Mapping[str, Mark]:
    return {name: _share_mark(rubric, items, found), f"{name}.contradictions": _contradictions_mark(items, found)}


def _share_mark(rubric: Rubric, items: Sequence[Item], found: Sequence[Tally]) -> Mark:
    """The share of items with the verdict that is wished. A group without any asks for nothing, and has it."""
    tied = next((number for number, votes in enumerate(found) if votes.label is None), None)
    facts = {"items": [_kept(item, votes) for item, votes in zip(items, found, strict=True)], **vote_facts(found)}
    if tied is not None:
        return replace(Mark.error(f"{found[tied].tie} on {items[tied].text!r}"), facts=facts)
    good = [votes.label == item.wished for item, votes in zip(items, found, strict=True)]
    share = sum(good) / len(good) if good else 1.0
    bad = [(item, votes) for item, votes, is_good in zip(items, found, good, strict=True) if not is_good]
    detail = f"{sum(good)} of {len(good)} as wished" if good else "nothing is asked for"
    if bad:
        item, votes = bad[0]
        detail += f"; {item.text!r}: {_told(str(votes.label), votes)}"
    evidence = tuple(f"{item.text}: {_told(str(votes.label), votes)}" for item, votes in bad)
    passed = share >= (1.0 if rubric.pass_at is None else rubric.pass_at)
    return replace(Mark.graded(share, passed=passed, detail=detail, evidence=evidence), facts=facts)


def _contradictions_mark(items: Sequence[Item], found: Sequence[Tally]) -> Mark:
    """Passes where no fact is contradicted. A contradiction is one whatever another fact's tie would come to."""
    against = [(item, votes) for item, votes in zip(items, found, strict=True) if votes.label == CONTRADICTS]
    if against:
        item, votes = against[0]
        evidence = tuple(f"{item.text}: {votes.reason}" for item, votes in against)
        return Mark.of(passed=False, detail=f"contradicts {item.text!r}: {votes.reason}", evidence=evidence)
    tied = next((votes for votes in found if votes.label is None and CONTRADICTS in votes.labels), None)
    return Mark.of(passed=True, detail="contradicts no fact") if tied is None else Mark.error(tied.tie)


def _kept(item: Item, votes: Tally) -> dict[str, Any]:
    return {"item": item.text, "wished": item.wished, "verdict": votes.label}
