"""Sentences about what was tried before: attempts, the same question asked again, and answers that served before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from snapdrift.conclusions import Draw, EarlierVerdict, Evaluation, VariantSummary
from snapdrift.model import DecisionWord, Endpoint, Outcome

_WHAT = {
    "commit": "the commit",
    "dataset": "the dataset",
    "cases": "the cases that were asked",
    "seed": "the seed",
    "repeats": "the number of repeats",
    "graders": "the graders",
    "gate": "what the gate asks for",
    "stopping": "whether it may stop early",
    "calibration": "whether calibration is required",
    "accepted": "what is accepted",
}


def rerun_sentences(evaluation: Evaluation, attempt: int) -> tuple[str, ...]:
    """What a reader of this verdict has to know of those before it; nothing where it is the first."""
    sentences = [attempt_sentence(attempt, [one for one in evaluation.earlier if one.same_run])]
    others = [one for one in evaluation.earlier if not one.same_run]
    sentences.append(asked_again_sentence(others, anew=any(map(_asked_anew, evaluation.variants))))
    baselines = {pair.baseline for pair in evaluation.gate.pairs}
    sentences += [draw_sentence(draw) for draw in evaluation.draws if draw.variant in baselines]
    return tuple(sentence for sentence in sentences if sentence)


def attempt_sentence(attempt: int, earlier: Sequence[EarlierVerdict]) -> str:
    """Which attempt of the run it is, and what the earlier ones decided; empty for the first."""
    if attempt <= 1 and not earlier:
        return ""
    decided = f" (before: {decisions_text(earlier)})" if earlier else ""
    opening = f"Attempt {attempt} of this run" if attempt > 1 else "Decided again"
    return f"{opening}, on the answers that were there{decided}."


def asked_again_sentence(others: Sequence[EarlierVerdict], *, anew: bool = True) -> str:
    """That the question was decided by other runs since it last passed, and what was other then; empty if by none.

    `anew` says whether any answer of this run was asked for: where all are of earlier runs, the answers are not other.
    """
    latest = list({one.run_id: one for one in others}.values())
    since = _since_green(latest)
    if not since:
        return ""
    changed = dict.fromkeys(what for one in since for what in one.differs)
    told = _listed([_WHAT.get(what, what) for what in changed])
    if changed:
        what = f"; what is other now: {told}{', and the answers' if anew else ''}"
    else:
        what = "; only the answers are other" if anew else "; nothing is other now, the answers are the same"
    runs = "an earlier run" if len(since) == 1 else f"{len(since)} earlier runs"
    return (
        f"The same variants were asked under this gate in {runs} since they last passed "
        f"({decisions_text(since)}){what}. A gate that is asked until it is green shows less each time."
    )


def _asked_anew(variant: VariantSummary) -> bool:
    """Whether a variant has an answer that no earlier run received, and that no file had."""
    if variant.endpoint in (Endpoint.ARCHIVE, Endpoint.OUTPUTS):
        return False
    answered = sum(number for outcome, number in variant.outcomes.items() if Outcome(outcome).measured)
    return answered > (variant.reused.calls if variant.reused is not None else 0)


def draw_sentence(draw: Draw) -> str:
    """How often the answers of a baseline have served, and how old they are; empty where they are new."""
    if not draw.earlier_verdicts:
        return ""
    number = draw.earlier_verdicts
    verdicts, chances = ("verdict", "1 chance") if number == 1 else ("verdicts", f"{number} chances")
    age = f", {draw.age_days} {'day' if draw.age_days == 1 else 'days'} old," if draw.age_days else ""
    return (
        f"The answers of the baseline `{draw.variant}`, of {draw.oldest[:10]}{age or ','} have served {number} earlier "
        f"{verdicts}: {chances} to find a candidate that this draw flatters."
    )


def decisions_text(verdicts: Iterable[EarlierVerdict]) -> str:
    """`2 regression, 1 incomplete`."""
    return ", ".join(f"{number} {word.value}" for word, number in Counter(one.decision for one in verdicts).items())


def _since_green(latest: Sequence[EarlierVerdict]) -> list[EarlierVerdict]:
    since: list[EarlierVerdict] = []
    for one in latest:
        since = [] if one.decision is DecisionWord.PASSED else [*since, one]
    return since


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""
