"""What attributions read as: words for causes, and whole sentences, the same in every rendering."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from snapdrift.conclusions import Comparison
from snapdrift.explanations import Attribution, Explanation, Part, Slice
from snapdrift.model import FormatCause, MetricSpec, Verdict
from snapdrift.verdicts.words import amount, cases, change_text, names, points, quoted

CONTENT, FORMAT, NO_ANSWER = "content", "format", "no answer"
KIND_WORDS: Mapping[str, str] = {CONTENT: "content", FORMAT: "format", NO_ANSWER: "without an answer"}
"""What kinds of causes there are, and how cases of one are called."""
_UNANSWERED = {FormatCause.TRUNCATED, FormatCause.REFUSED, FormatCause.FILTERED, FormatCause.UNFINISHED}
CAUSE_WORDS: Mapping[str, str] = {
    CONTENT: "content",
    FormatCause.CODE_FENCE: "code fence",
    FormatCause.PROSE: "text around the JSON",
    FormatCause.MISSING_FIELD: "missing field",
    FormatCause.MALFORMED: "malformed JSON",
    FormatCause.TOOL_CALL_AS_TEXT: "tool call as text",
    FormatCause.TRUNCATED: "truncated",
    FormatCause.REFUSED: "refused",
    FormatCause.FILTERED: "filtered",
    FormatCause.UNFINISHED: "unfinished",
    FormatCause.UNREADABLE: "unreadable",
}
_PASSES = "{passes}"
CASE_SENTENCES: Mapping[str, str] = {
    CONTENT: "content: the answer itself differs, its form is not to blame",
    FormatCause.CODE_FENCE: (
        "not in the form asked for: one code fence around it; the same answer {passes} when the fence goes"
    ),
    FormatCause.PROSE: "not in the form asked for: text around the JSON; the JSON in it {passes}",
    FormatCause.MISSING_FIELD: "a field that is asked for is not in the answer",
    FormatCause.MALFORMED: "not JSON by the letter (raw control characters); read leniently, the same answer {passes}",
    FormatCause.TOOL_CALL_AS_TEXT: "the tool call was written out as text; made as a call, it {passes}",
    FormatCause.TRUNCATED: "no answer: it was cut off, so nothing in it can be judged",
    FormatCause.REFUSED: "no answer: the model refused, which this grader does not accept",
    FormatCause.FILTERED: "no answer: it was filtered, so nothing in it can be judged",
    FormatCause.UNFINISHED: "no answer: the call ended at a tool call or at its step limit",
    FormatCause.UNREADABLE: "no reading, however tolerant, finds in the answer what is asked for",
}
"""What a cause means for a case that it made worse; `{passes}` is how the answer fares without it."""
_NAMED_SLICES = 3


def cause_code(part: Part) -> str:
    """The code of a part: its cause, or `content`."""
    return CONTENT if part.cause is None else part.cause.value


def kind_of(code: str) -> str:
    """What a cause is: content, format, or no answer; a refusal has no form that a tolerant reading could mend."""
    return CONTENT if code == CONTENT else NO_ANSWER if code in _UNANSWERED else FORMAT


def format_word(a: Attribution) -> str:
    """What the part of a difference that is not content is called, by what is in it."""
    kinds = {kind_of(cause_code(part)) for part in a.causes}
    return " and ".join(kind for kind in (FORMAT, NO_ANSWER) if kind in kinds) or FORMAT


def case_sentence(code: str, *, graded: bool) -> str:
    """What a cause means for one case that it made worse."""
    return CASE_SENTENCES[code].replace(_PASSES, "scores more" if graded else "passes")


def gain_sentence(code: str) -> str:
    """What a cause means for one case that it made better."""
    if code == CONTENT:
        return "content: the answer itself is better"
    return f"only the baseline's answer has this trouble: {CAUSE_WORDS[code]}"


def why_sentence(explanation: Explanation, spec: MetricSpec | None = None) -> str:
    """What a difference is made of, and where it concentrates: amounts, intervals and numbers of cases.

    Where all is content, that is the comparison's difference: its interval stands there, and a second one, by the
    method of parts, would be of the same number.
    """
    a = explanation.attribution
    content = f"content {change_text(a.content, a.content_ci if a.causes else None, spec)}{_moved(a.content_part)}"
    parts = f"{_format(a, spec)}, {content}" if a.causes else f"{content}, no format"
    return f"`{a.candidate}` against `{a.baseline}` on {a.metric}: {parts}{_where(explanation.slices.slices, spec)}."


def _format(a: Attribution, spec: MetricSpec | None) -> str:
    listed = ", ".join(
        f"{CAUSE_WORDS[cause_code(part)]} in {cases(len(part.worse) + len(part.better))}" for part in a.causes
    )
    return f"{format_word(a)} {change_text(a.format, a.format_ci, spec)} ({listed})"


def _moved(part: Part) -> str:
    """`(12 cases worse, 4 better)`; empty where nothing moved."""
    worse = f"{cases(len(part.worse))} worse" if part.worse else ""
    better = f"{len(part.better):,} better" if part.worse else f"{cases(len(part.better))} better"
    moved = [text for text in (worse, better if part.better else "") if text]
    return f" ({', '.join(moved)})" if moved else ""


def _where(slices: Sequence[Slice], spec: MetricSpec | None) -> str:
    found = [one for one in slices if one.concentrated]
    if not found:
        return ""
    listed = [
        f"{' = '.join(one.tags)} ({points(one.difference, spec)}, elsewhere {points(one.rest, spec)})" for one in found
    ]
    return f"; it concentrates in {names(listed, _NAMED_SLICES)} (exploratory)"


def broken_gain_sentences(
    comparisons: Sequence[Comparison], explanations: Sequence[Explanation], metrics: Sequence[MetricSpec]
) -> tuple[str, ...]:
    """A sentence for each metric that is shown to improve, most of it because the candidate's answers broke."""
    improved = {(c.metric, c.baseline, c.candidate) for c in comparisons if c.verdict is Verdict.IMPROVED}
    specs = {spec.name: spec for spec in metrics}
    broken = [one.attribution for one in explanations if one.key in improved and one.attribution.improved_by_breaking]
    return tuple(broken_gain_sentence(attribution, specs.get(attribution.metric)) for attribution in broken)


def broken_gain_sentence(a: Attribution, spec: MetricSpec | None = None) -> str:
    """That a metric improves because answers broke, how much of it and where; empty where it is not so."""
    gain = a.improved_by_breaking
    if gain is None:
        return ""
    share = f"{points(gain.from_broken, spec, signed=False)} of {amount(gain.gain, spec)}"
    where = f"{cases(len(gain.case_ids))} ({quoted(gain.case_ids)})"
    return (
        f"`{a.metric}` improves on `{a.candidate}` because answers broke: {share} come from {where} in which its "
        "answer holds nothing to judge for some grader, or scores more than it says."
    )
