"""The words for groups and decisions that every rendering shares; those for verdicts are `verdicts.words`'s."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from snapdrift.calibrations import LABEL_METHODS
from snapdrift.conclusions import Comparison, Decision
from snapdrift.model import DecisionWord, Outcome, Reason, Verdict
from snapdrift.reports.case_views import CaseGroup
from snapdrift.reports.cases import LOST
from snapdrift.reports.figures import count, percent, usd
from snapdrift.reports.view import VariantView, View
from snapdrift.verdicts.acceptance_words import AcceptanceStanding, AcceptanceState
from snapdrift.verdicts.causes import CAUSE_WORDS, CONTENT, FORMAT, KIND_WORDS, NO_ANSWER, kind_of
from snapdrift.verdicts.words import VERDICT_WORDS, cases, names

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
    CaseGroup.NOT_NEEDED: "not needed",
    CaseGroup.UNCHANGED: "unchanged",
}
GROUP_SHAPES: Mapping[CaseGroup, str] = {
    CaseGroup.NEWLY_FAILING: "◀",
    CaseGroup.NEWLY_PASSING: "▶",
    CaseGroup.BOTH_FAILING: "✕",
    CaseGroup.FLAKY: "≈",
    CaseGroup.ERROR: "!",
    CaseGroup.NOT_NEEDED: "∅",
    CaseGroup.UNCHANGED: "·",
}
DECISION_WORDS: Mapping[DecisionWord, str] = {
    DecisionWord.PASSED: "passed",
    DecisionWord.REGRESSION: "regression",
    DecisionWord.INCOMPLETE: "incomplete",
    DecisionWord.INCONCLUSIVE: "inconclusive",
    DecisionWord.NOT_GATED: "not gated",
}
ENDING_WORDS: Mapping[str, str] = {
    Reason.PASSED.value: "passed",
    Reason.WRONG.value: "wrong",
    Reason.SCHEMA_VIOLATION.value: "breaks the schema",
    Reason.INVALID_JSON.value: "invalid JSON",
    Reason.UNEXTRACTED.value: "no value found",
    Reason.INVALID_ARGUMENTS.value: "invalid arguments",
    Reason.TOOL_CALL_AS_TEXT.value: "call written as text",
    Outcome.REFUSED.value: "refused",
    Outcome.TRUNCATED.value: "truncated",
    Outcome.FILTERED.value: "filtered",
    Outcome.TOOL_UNMATCHED.value: "tool call unmatched",
    Outcome.STEP_LIMIT.value: "too many steps",
    Reason.NOT_ACCEPTED.value: "not accepted",
    Reason.GRADER_ERROR.value: "grader error",
    Outcome.OK.value: "not graded",
    Outcome.API_ERROR.value: "API error",
    Outcome.MISSING.value: "missing",
    Outcome.NOT_NEEDED.value: "not needed",
}
"""What became of a call, by the reason of its score or its outcome; as an outcome, `ok` is just `ok`."""


def verdict_word(comparison: Comparison) -> str:
    """The verdict in words; an inconclusive one says how many cases it would take, one by labels that it is so."""
    word = VERDICT_WORDS[comparison.verdict]
    if comparison.method in LABEL_METHODS:
        return f"{word}; by people's labels"
    if comparison.verdict is Verdict.INCONCLUSIVE and comparison.repeats_to_resolve is not None:
        return f"{word}; about {count(comparison.repeats_to_resolve)} repeats would settle it"
    if comparison.verdict is Verdict.INCONCLUSIVE and comparison.cases_to_resolve is not None:
        return f"{word}; about {count(comparison.cases_to_resolve)} cases would settle it"
    return word


def left_out(comparison: Comparison) -> str:
    """Beside a verdict: how many planned answers of both sides have no score, and so are not in it; else nothing."""
    number = comparison.unmeasured_calls
    return f" ({count(number)} answer{'' if number == 1 else 's'} not measured)" if number else ""


def accepted_lines(standings: Sequence[AcceptanceStanding]) -> list[str]:
    """The accepted losses that concern a run, one a line, those that are still lost first: ids and names only."""
    order = list(AcceptanceState)
    return [
        f"`{one.acceptance.case}` on {one.acceptance.metric}, by {one.acceptance.by} until {one.acceptance.until}: "
        f"{one.sentence}"
        for one in sorted(standings, key=lambda one: order.index(one.state))
    ]


def standing_note(comparison: Comparison) -> str:
    """Beside a verdict: that it does not gate, and why; empty where it does."""
    if comparison.margin is None:
        return "(no margin asked)"
    return "" if comparison.gating else "(warns only)"


def interval_name(view: View) -> str:
    """How sure the intervals of comparisons are, which is 1 - 2 alpha: `90% interval`."""
    return f"{round(100 * (1 - 2 * view.evaluation.gate.alpha), 6):g}% interval"


def interval_note(view: View) -> str:
    """What the intervals of the comparisons are, and where they seem to say otherwise; empty where there are none."""
    comparisons = [row.comparison for row in view.comparisons]
    if not any(one.ci for one in comparisons):
        return ""
    return f"Intervals are {interval_name(view)}s (1 − 2α). {disagreement_sentence(comparisons)}".rstrip()


def disagreement_sentence(comparisons: Sequence[Comparison]) -> str:
    """Where interval and verdict seem to say different things, and why; empty where they nowhere do.

    They can: a verdict rests on tests, which are exact or adjusted for how many there are, and an interval is neither.
    """
    found: dict[str, list[str]] = {}
    for one in comparisons:
        if _seems_to_disagree(one):
            found.setdefault(_why_disagreeing(one), []).append(f"{one.metric} of {one.candidate}")
    if not found:
        return ""
    told = "; ".join(f"on {names(who, _DISAGREEING_NAMED)}: {why}" for why, who in found.items())
    return f"Interval and verdict seem to disagree {told}. The verdict decides; an interval is for reading."


def _why_disagreeing(c: Comparison) -> str:
    """Adjusting only makes p larger: it never explains a difference that is shown though the interval holds 0."""
    if c.capped:
        return "the judge's verdict does not count until people's labels show how it errs"
    if c.verdict in _DIFFERS:
        return f"the interval is another method than the test ({c.method}), and wider"
    alpha = 1 - c.confidence
    known = c.p_value is not None and c.p_adjusted is not None
    if c.gating and known and (c.p_value or 0.0) <= alpha < (c.p_adjusted or 0.0):
        return "the p-value is adjusted for how many comparisons gate, the interval is not"
    return f"the test ({c.method}) is another method than the interval, and stricter"


_DISAGREEING_NAMED = 4
_DIFFERS = (Verdict.REGRESSED, Verdict.IMPROVED, Verdict.WORSE_WITHIN_MARGIN)


def _seems_to_disagree(comparison: Comparison) -> bool:
    """Whether an interval leaves out 0 where no difference was shown, or holds it where one was."""
    if comparison.ci is None:
        return False
    low, high = comparison.ci
    return (low <= 0 <= high) is (comparison.verdict in _DIFFERS)


def badge(decision: Decision) -> str:
    """The decision's word and the exit code that goes with it: `regression, exit 1`."""
    return f"{DECISION_WORDS[decision.word]}, exit {int(decision.exit_code)}"


def cost_text(variant: VariantView) -> str:
    """What a variant's answers cost; an application and a file of outputs have no price unless they say one."""
    return usd(variant.summary.usd) if variant.priced else "not priced"


def cached_share(variant: VariantView) -> float | None:
    """The share of a variant's input tokens that the prompt cache had, None where nothing is known of them."""
    usage = variant.summary.usage
    return usage.cached_tokens / usage.input_tokens if usage.input_tokens else None


def cached_sentence(view: View) -> str:
    """What share of each variant's input the prompt cache had; empty where it had none of any."""
    if not any(variant.summary.usage.cached_tokens for variant in view.variants):
        return ""
    shares = [(v.summary.name, share) for v in view.variants if (share := cached_share(v)) is not None]
    return f"Input read from the prompt cache: {', '.join(f'{name} {percent(share)}' for name, share in shares)}."


def batch_sentence(view: View) -> str:
    """What went live and what by the Batch API, of the whole run; empty where nothing went by batch."""
    if not view.batch_usd or view.usd is None:
        return ""
    live, batch = usd(view.usd - view.batch_usd), usd(view.batch_usd)
    return f"Of {usd(view.usd)}, {live} went live and {batch} by the Batch API, at half the price."


@dataclass(frozen=True, slots=True)
class Compared:
    """How many cases were `measured` on both sides by some compared metric, and `partly`: by some but not by all.

    `lacking` ones were measured by none.
    """

    measured: int
    partly: int
    lacking: int


def change_sentence(
    candidate: str | None,
    failing_reasons: Sequence[str],
    passing: int,
    causes: Sequence[str | None] = (),
    *,
    on_others: Mapping[str, int] | None = None,
    compared: Compared | None = None,
) -> str:
    """How many cases newly fail and newly pass, and why the former do.

    `failing_reasons` has one reason code for each newly failing case, `causes` what it is attributed to (None: not
    known; the reasons are told then); `candidate` is named where there are several. `on_others` counts the newly
    failing cases of metrics without a margin, None where there is no such metric: the sentence then says what it is of.
    `compared` is how many cases could be compared at all: that none changed says nothing of the others.
    """
    who = f"{candidate}: " if candidate else ""
    failing = len(failing_reasons)
    of = "" if on_others is None else " on metrics with a margin"
    others = _not_compared(compared) + _on_others(on_others or {})
    none = "no" if candidate else "No"
    if not failing and not passing:
        return f"{who}{_nothing_changed(none, compared, of)}{others}."
    fails = f"{count(failing) if failing else none} {'cases newly fail' if failing > 1 else 'case newly fails'}"
    passes = f"{count(passing) if passing else 'none'} newly pass{'' if passing > 1 else 'es'}"
    known = [cause for cause in causes if cause is not None]
    why = _attributed(known) if known and len(known) == failing else _why(failing_reasons)
    return f"{who}{fails}, {passes}{of}{why}{others}."


def _nothing_changed(none: str, compared: Compared | None, of: str) -> str:
    if compared is None or not compared.lacking:
        return f"{none} case newly fails or newly passes{of}"
    if not compared.measured:
        return f"{none} case was measured on both sides"
    of_them = f"{'Of' if none == 'No' else 'of'} {cases(compared.measured)} measured on both sides"
    return f"{of_them}, none newly fails or newly passes{of}"


def _not_compared(compared: Compared | None) -> str:
    if compared is None:
        return ""
    told = [f"; {count(compared.lacking)} could not be compared"] if compared.lacking else []
    told += [f"; {count(compared.partly)} only on some metrics"] if compared.partly else []
    return "".join(told)


def _on_others(counts: Mapping[str, int]) -> str:
    """What newly fails on metrics without a margin: `; on metrics without a margin: 4 newly fail on tone`."""
    told = [f"{count(n)} newly {'fails' if n == 1 else 'fail'} on {metric}" for metric, n in counts.items() if n]
    return f"; on metrics without a margin: {names(told)}" if told else ""


def _attributed(causes: Sequence[str]) -> str:
    """Whether the newly failing cases are form, content or no answer: `; mostly format: 27 of the 31 (code fence)`."""
    total, kinds = len(causes), [kind_of(cause) for cause in causes]
    # Content first among equals: it is what nobody can mend by reading answers with more tolerance.
    counted = Counter(kind for kind in (CONTENT, FORMAT, NO_ANSWER) for each in kinds if each == kind).most_common()
    listed = {kind: _listed([c for c, of in zip(causes, kinds, strict=True) if of == kind]) for kind, _ in counted}
    first, number = counted[0]
    if len(counted) == 1:
        who = "the failing one" if total == 1 else f"all of the {count(total)}"
        return f"; {who} {_IS[first][total > 1]}{listed[first]}"
    rest = ", ".join(f"{count(n)} {_IS[kind][n > 1]}{listed[kind]}" for kind, n in counted[1:])
    if 2 * number < total:
        return f"; of the {count(total)}, {count(number)} {_IS[first][number > 1]}{listed[first]}, {rest}"
    most = "mostly" if 2 * number > total else "half"
    return f"; {most} {KIND_WORDS[first]}: {count(number)} of the {count(total)}{listed[first]}, {rest}"


def _listed(causes: Sequence[str]) -> str:
    """Which causes, with how many cases where there are several: ` (code fence 3, malformed JSON 1)`."""
    counted = Counter(cause for cause in causes if cause != CONTENT).most_common()
    told = [CAUSE_WORDS[cause] if len(counted) == 1 else f"{CAUSE_WORDS[cause]} {n}" for cause, n in counted]
    return f" ({', '.join(told)})" if told else ""


_IS: Mapping[str, tuple[str, str]] = {
    CONTENT: ("is content", "are content"),
    FORMAT: ("is format", "are format"),
    NO_ANSWER: ("gave no answer", "gave no answer"),
}
"""What one newly failing case is, or several, by the kind of its cause."""


_WHY: Mapping[str, tuple[str, str]] = {
    Reason.INVALID_JSON: ("is not the JSON asked for", "are not the JSON asked for"),
    Reason.UNEXTRACTED: ("could not be extracted", "could not be extracted"),
    Reason.INVALID_ARGUMENTS: ("calls a tool with invalid arguments", "call a tool with invalid arguments"),
    Reason.TOOL_CALL_AS_TEXT: ("writes a tool call as text", "write a tool call as text"),
    Reason.SCHEMA_VIOLATION: ("breaks the schema", "break the schema"),
    Reason.WRONG: ("is a wrong answer", "are wrong answers"),
    LOST: ("is lost to the baseline", "are lost to the baseline"),
}
"""What one failing answer, or several, did, by the reason that is shown of its score."""


def _why(reasons: Sequence[str]) -> str:
    if len(reasons) < 2:
        return ""
    told = [(reasons.count(reason), *words) for reason, words in _WHY.items()]
    ended = len(reasons) - sum(number for number, _, _ in told)
    kinds = [*told, (ended, "ended without an answer", "ended without an answer")]
    parts = [(number, one if number == 1 else several) for number, one, several in kinds if number]
    if len(parts) == 1:
        return f"; all of the {count(len(reasons))} {parts[0][1]}"
    return f"; of the {count(len(reasons))}, " + ", ".join(f"{count(number)} {what}" for number, what in parts)
