"""The words for groups and decisions that every rendering shares; those for verdicts are `verdicts.words`'s."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from snapdrift.model import Comparison, Decision, DecisionWord, Reason, Verdict
from snapdrift.reports.figures import count
from snapdrift.reports.view import CaseGroup
from snapdrift.verdicts.words import VERDICT_WORDS

VERDICT_SHAPES: Mapping[Verdict, str] = {
    Verdict.REGRESSED: "◀",
    Verdict.WORSE_WITHIN_MARGIN: "◁",
    Verdict.IMPROVED: "▶",
    Verdict.NO_WORSE: "●",
    Verdict.INCONCLUSIVE: "○",
    Verdict.INSUFFICIENT: "◇",
}
"""A shape for each verdict, so that nothing rests on colour; filled is shown, hollow is not."""

GROUP_WORDS: Mapping[CaseGroup, str] = {
    CaseGroup.NEWLY_FAILING: "newly failing",
    CaseGroup.NEWLY_PASSING: "newly passing",
    CaseGroup.BOTH_FAILING: "both failing",
    CaseGroup.FLAKY: "flaky",
    CaseGroup.ERROR: "errors",
    CaseGroup.UNCHANGED: "unchanged",
}
GROUP_SHAPES: Mapping[CaseGroup, str] = {
    CaseGroup.NEWLY_FAILING: "◀",
    CaseGroup.NEWLY_PASSING: "▶",
    CaseGroup.BOTH_FAILING: "✕",
    CaseGroup.FLAKY: "≈",
    CaseGroup.ERROR: "!",
    CaseGroup.UNCHANGED: "·",
}
DECISION_WORDS: Mapping[DecisionWord, str] = {
    DecisionWord.PASSED: "passed",
    DecisionWord.REGRESSION: "regression",
    DecisionWord.INCOMPLETE: "incomplete",
    DecisionWord.INCONCLUSIVE: "inconclusive",
    DecisionWord.NOT_GATED: "not gated",
}


def verdict_word(comparison: Comparison) -> str:
    """The verdict in words; an inconclusive one says how many cases it would take."""
    word = VERDICT_WORDS[comparison.verdict]
    if comparison.verdict is Verdict.INCONCLUSIVE and comparison.cases_to_resolve is not None:
        return f"{word}; about {count(comparison.cases_to_resolve)} cases would settle it"
    return word


def badge(decision: Decision) -> str:
    """The decision's word and the exit code that goes with it: `regression, exit 1`."""
    return f"{DECISION_WORDS[decision.word]}, exit {int(decision.exit_code)}"


def change_sentence(candidate: str | None, failing_reasons: Sequence[str], passing: int) -> str:
    """How many cases newly fail and newly pass, and why the former do.

    `failing_reasons` has one reason code for each newly failing case; `candidate` is named where there are several.
    """
    who = f"{candidate}: " if candidate else ""
    failing = len(failing_reasons)
    if not failing and not passing:
        return f"{who}no case newly fails or newly passes."
    fails = "1 case newly fails" if failing == 1 else f"{count(failing) if failing else 'no'} cases newly fail"
    passes = f"{count(passing) if passing else 'none'} newly pass{'' if passing > 1 else 'es'}"
    return f"{who}{fails}, {passes}{_why(failing_reasons)}."


def _why(reasons: Sequence[str]) -> str:
    if len(reasons) < 2:
        return ""
    unextracted, wrong = reasons.count(Reason.UNEXTRACTED.value), reasons.count(Reason.WRONG.value)
    kinds = (
        (unextracted, "could not be extracted"),
        (wrong, "is a wrong answer" if wrong == 1 else "are wrong answers"),
        (len(reasons) - unextracted - wrong, "ended without an answer"),
    )
    parts = [(number, what) for number, what in kinds if number]
    if len(parts) == 1:
        return f"; all of the {count(len(reasons))} {parts[0][1]}"
    return f"; of the {count(len(reasons))}, " + ", ".join(f"{count(number)} {what}" for number, what in parts)
