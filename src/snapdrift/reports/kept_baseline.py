"""What a report says of a baseline that is kept answers: whose, from when, kept by whom, and what is not compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from snapdrift.baselines import BaselineFacts, BaselineKind, KeptAnswers, Unpaired
from snapdrift.reports.escaping import line, shortened
from snapdrift.reports.figures import count
from snapdrift.reports.reuse import age_days, age_of

ARCHIVED = "archived baseline"
EARLIER = "baseline of an earlier run"
"""The labels of a run whose baseline was not asked beside the candidates, by where its answers are kept."""
_IDS = 10
_SAID = 300
_CONFOUNDED = (
    "Its answers were not asked beside the candidate's: a change at the provider, of prices or of the network in "
    "between looks like a difference between variants. What they cost and took is of then."
)


def baseline_label(facts: BaselineFacts | None, started_at: str) -> tuple[str, str] | None:
    """The word and the sentences for a run that started then; None where its baseline was asked like any variant."""
    if facts is None or facts.kept is None:
        return None
    word = f"{ARCHIVED}, by force" if facts.kept.forced else ARCHIVED
    if facts.kind is not BaselineKind.ARCHIVE:  # nobody archived it, and so nobody forced anything
        word = EARLIER
    return word, " ".join(_sentences(facts, started_at))


def baseline_note(facts: BaselineFacts | None) -> str:
    """That the baseline was asked although a fallback stands ready; empty where none does, or it was taken."""
    if facts is None or facts.kept is not None or not facts.fallback:
        return ""
    return f"Baseline: `{facts.name}` was asked, for {facts.because}; the fallback {facts.fallback} was not needed."


def kept_sentence(facts: BaselineFacts | None, started_at: str) -> str:
    """Whose kept answers the baseline is and from when, for a run that started then; empty where it was asked."""
    return "" if facts is None or facts.kept is None else _whose(facts, facts.kept, started_at)


def unpaired_sentences(facts: BaselineFacts | None, most: int) -> tuple[str, ...]:
    """Which cases are not compared, and why: one sentence for each reason with its first ids; none where all pair."""
    kept = None if facts is None else facts.kept
    return () if kept is None else tuple(f"{text}." for _, text in _left_out(kept.unpaired, most))


def baseline_rows(facts: BaselineFacts | None) -> tuple[tuple[str, str], ...]:
    """All that is known of kept answers as names and texts, with every id of what is not compared."""
    kept = None if facts is None else facts.kept
    if facts is None or kept is None:
        return ()
    rows = [
        ("compared with", facts.name),
        ("kept in", kept.where),
        ("sha256", kept.digest),
        ("taken because", facts.because),
        ("run", f"{kept.run} of the suite {kept.suite}, variant {kept.variant}"),
        ("asked", kept.asked),
        ("answered as", _counted(kept.models)),
        ("received", f"{kept.first_at} to {kept.last_at}"),
        ("sources", _counted(kept.sources)),
        ("commit", kept.git_commit or "none"),
        ("kept by", _said(kept.by)),
        ("why", _said(kept.why)),
        (_how_forced(facts).lower(), "; ".join(kept.forced)),
        ("texts", "" if kept.answers else "left out by privacy: scores of then are compared"),
        ("judged then", ", ".join(kept.reused)),
        ("judged again", ", ".join(kept.regraded)),
        ("cases compared", count(kept.paired)),
        *((f"cases {what}", text) for what, text in _left_out(kept.unpaired, None)),
    ]
    return tuple((name, text) for name, text in rows if text)


def baseline_document(facts: BaselineFacts | None, started_at: str) -> dict[str, Any] | None:
    """The same for `verdict.json`; None where the baseline is a variant and nothing stands in for it."""
    if facts is None:
        return None
    told = asdict(facts)
    kept = told.pop("kept")
    if kept is not None and facts.kept is not None:
        unpaired = {name: list(ids) for name, ids in kept.pop("unpaired").items()}
        lists = {name: list(value) if isinstance(value, tuple) else value for name, value in kept.items()}
        kept = {**lists, **unpaired, "age_days": age_days(facts.kept.last_at, started_at)}
    return {**told, "kind": facts.kind.value, "kept": kept}


def _sentences(facts: BaselineFacts, started_at: str) -> Iterator[str]:
    kept = facts.kept
    assert kept is not None  # noqa: S101  the caller looked
    if facts.of:
        yield f"{_capital(facts.because)}, so `{kept.where}` stands in for the baseline `{facts.of}`."
    yield _whose(facts, kept, started_at)
    if facts.kind is BaselineKind.ARCHIVE:
        who = f"Kept by {_said(kept.by)}" if kept.by else "Who kept it is not said"
        why = f": “{_said(kept.why)}”" if kept.why else ", nor why" if not kept.by else ", and not why"
        yield f"{who}{why}; of run {kept.run}."
    if kept.forced:
        yield f"{_how_forced(facts)}: {'; '.join(kept.forced)}."
    yield from (f"{text}." for _, text in _left_out(kept.unpaired, _IDS))
    if not kept.answers:
        yield "Their texts were left out: scores of then are compared, by graders that are the same."
    if kept.reused:
        yield f"Verdicts of then count for {', '.join(kept.reused)}: judge, rubric and settings are the same."
    if kept.regraded:
        yield f"The judge of {', '.join(kept.regraded)} is another than then, and was asked about them again."
    if kept.other_prompt:
        yield f"`{kept.variant}` has another prompt or other settings now than these answers were asked with."
    yield _CONFOUNDED


def _how_forced(facts: BaselineFacts) -> str:
    """Why there is a baseline although something speaks against it: of a run, only a stand-in's answers do not mind."""
    return "Archived by force" if facts.kind is BaselineKind.ARCHIVE else "No baseline but for the stand-in"


def _whose(facts: BaselineFacts, kept: KeptAnswers, started_at: str) -> str:
    where = f"the archive `{kept.where}`" if facts.kind is BaselineKind.ARCHIVE else f"run {kept.run}"
    return (
        f"`{facts.name}` is {where}: {kept.asked}, answered as {_counted(kept.models) or 'no model named'}, received "
        f"{_span(kept)}, {age_of(kept.last_at, started_at)} before this run."
    )


def _left_out(unpaired: Unpaired, most: int | None) -> Iterator[tuple[str, str]]:
    """Each kind of case that is not compared: its word, and how many there are, with their ids."""
    for ids, what, why in (
        (unpaired.added, "added", "without a kept answer"),
        (unpaired.changed, "changed", "asking or expecting something else than then"),
        (unpaired.removed, "removed", "no longer in the dataset"),
    ):
        if ids:
            one = "1 case is" if len(ids) == 1 else f"{count(len(ids))} cases are"
            yield what, f"{one} not compared, {what} since ({why}): {_listed(ids, most)}"


def _listed(ids: Sequence[str], most: int | None) -> str:
    shown = ids if most is None else ids[:most]
    more = f" and {count(len(ids) - len(shown))} more" if len(ids) > len(shown) else ""
    return f"{', '.join(line(case_id) for case_id in shown)}{more}"


def _span(kept: KeptAnswers) -> str:
    first, last = kept.first_at[:10], kept.last_at[:10]
    return f"on {first}" if first == last else f"from {first} to {last}"


def _counted(words: Any) -> str:
    return ", ".join(f"{line(str(word))} ({count(number)})" for word, number in words.items())


def _said(text: str) -> str:
    return shortened(line(text), _SAID)


def _capital(text: str) -> str:
    """The text as a sentence begins, unless it begins with an address or the like."""
    return text[:1].upper() + text[1:] if text.partition(" ")[0].isalpha() else text
