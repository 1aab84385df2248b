"""`summary.md`: what fits a pull-request comment.

Ids and reason codes only, no text of a case or an answer, unless the view's `comment` allows excerpts of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from snapdrift.reports import figures
from snapdrift.reports.case_views import CaseGroup, CaseOutline, CaseView, MustPassStatus
from snapdrift.reports.escaping import encodable, markdown, markdown_code, markdown_link, shortened
from snapdrift.reports.excerpts import excerpts, with_texts
from snapdrift.reports.explanations import WORSE
from snapdrift.reports.kept_baseline import unpaired_sentences
from snapdrift.reports.operations import operational_lines
from snapdrift.reports.scales import group_words
from snapdrift.reports.view import View
from snapdrift.reports.words import (
    VERDICT_SHAPES,
    accepted_lines,
    badge,
    batch_sentence,
    cached_sentence,
    interval_note,
    left_out,
    standing_note,
)

LIMIT = 60_000
"""Characters: GitHub refuses comments above 65,536."""

_NAME = 120
_SENTENCE = 2_000
_LISTED = 200
_GROUPS = 10
_CLAIMS = 20
_IDS = 10
_ACCEPTED = 20


def render_markdown(*views: View, settled: Sequence[str] = ()) -> str:
    """The summary with one section for each run, always shorter than `LIMIT`; what does not fit is counted instead.

    Of several runs each gets an equal share of the room that those before it left. `settled` are sentences about suites
    that took no run, which stand first.
    """
    told = "".join(f"{_sentence(text)}\n\n" for text in settled[:_GROUPS])
    if told and not views:
        told = f"### Snapdrift: no suite was run\n\n{told}"
    sections = [told] if told else []
    room = LIMIT - len(told) - 1
    for place, view in enumerate(views):
        section = _section(view, room // (len(views) - place) - 1)
        room -= len(section) + 1
        sections.append(section)
    return encodable("\n".join(sections))


def _section(view: View, limit: int) -> str:
    head = "\n".join(_head(view)) + "\n"
    folded = _folded(view, limit // 4)
    tail = folded + "\n".join(_tail(view)) + "\n"
    blocks = []
    room = limit - len(head) - len(tail) - 500
    for group in (CaseGroup.NEWLY_FAILING, CaseGroup.NEWLY_PASSING):
        block = _changed(view, group, room) if room > 0 else ""
        room -= len(block)
        blocks.append(block)
    text = head + "".join(blocks) + tail
    if len(text) <= limit:
        return text
    return shortened(text[: limit - 2].rpartition("\n")[0] or text, limit - 2) + "\n…"


def _head(view: View) -> Iterator[str]:
    labels = "".join(f" · *{markdown(label.word)}*" for label in view.labels)
    yield f"### {_name(view.run.suite)}: {markdown(badge(view.decision))}{labels}"
    yield ""
    yield f"**{_sentence(view.headline)}**"
    yield ""
    yield markdown_link("Open the report", view.report_url) if view.report_url else _where(view)
    yield ""
    for sentence in (*(text for _, text in view.change_sentences), *view.resolutions, *view.reference_sentences):
        yield f"{_sentence(sentence)}  "
    others = [reason for reason in view.reasons if reason != view.headline]
    meanings = [label.meaning for label in view.labels]
    why = [one.sentence for one in view.explanations if one.row.comparison.verdict in WORSE]
    for what, sentences in (("", others), ("Why: ", why), ("Note: ", view.notes), ("", meanings)):
        yield from (f"- {what}{_sentence(sentence)}" for sentence in sentences[:20])
    yield ""
    yield from _table(view)
    yield from _failed_must_pass(view)
    yield from _accepted(view)


def _table(view: View) -> Iterator[str]:
    """A row a comparison, and what its intervals are."""
    if view.comparisons:
        yield "| metric | candidate | baseline | from → to | difference | verdict |"
        yield "| --- | --- | --- | --- | --- | --- |"
    for row in view.comparisons[:_LISTED]:
        c = row.comparison
        levels = f"{figures.side(row.metric, c.baseline_mean)} → {figures.side(row.metric, c.candidate_mean)}"
        change = f"{figures.difference(row.metric, c.difference)} {figures.difference_interval(row.metric, c.ci)}"
        verdict = " ".join(filter(None, (VERDICT_SHAPES[c.verdict], row.word, standing_note(c)))) + left_out(c)
        names = f"{_name(c.metric)} | {_name(c.candidate)} | {_name(c.baseline)}"
        yield f"| {names} | {levels} | {change.strip()} | {verdict} |"
    yield ""
    if note := interval_note(view):
        yield _sentence(note)
        yield ""


def _failed_must_pass(view: View) -> Iterator[str]:
    failed = [m for m in view.must_pass if m.status is not MustPassStatus.PASSED]
    if not failed:
        return
    yield f"Must-pass cases that did not pass ({len(failed)}):"
    yield ""
    for m in failed[:20]:
        codes = ", ".join(m.failures) or m.status.value
        yield f"- {_code(m.case_id)} on {_name(m.variant)}: {markdown(shortened(codes, _NAME))}"
    if len(failed) > 20:
        yield f"- and {len(failed) - 20} more"
    yield ""


def _accepted(view: View) -> Iterator[str]:
    accepted = accepted_lines(view.acceptances)
    if not accepted:
        return
    yield f"Accepted losses ({len(accepted)}), left out of the comparisons:"
    yield ""
    yield from (f"- {_sentence(text)}" for text in accepted[:_ACCEPTED])
    if len(accepted) > _ACCEPTED:
        yield f"- and {len(accepted) - _ACCEPTED} more, in the report"
    yield ""


def _folded(view: View, room: int) -> str:
    """What else the terminal says, folded: operations, what is claimed, judges, what is the same."""
    lines = [
        *(f"- {_sentence(text)}" for text in operational_lines(view)[:_GROUPS]),
        *(f"- {_sentence(sentence)}" for sentence in view.claims.short[:_CLAIMS]),
        *(f"- {_sentence(text)}" for text in unpaired_sentences(view.baseline, _LISTED)),
        *_judges(view),
        *_sameness(view),
    ]
    opening, ending = "<details><summary>Details</summary>\n\n", "\n\n</details>\n\n"
    kept = _fitting(lines, room - len(opening) - len(ending))
    return opening + "\n".join(kept) + ending if kept else ""


def _where(view: View) -> str:
    return f"Report: {_code(view.report_path)}"


def _judges(view: View) -> Iterator[str]:
    """What is known of judges, beyond that nobody measured them; nothing where that is all."""
    told = [one for one in view.calibrations if one.calibration.told][:_GROUPS]
    for one in told:
        yield f"- Judge: {_sentence(figures.typeset(one.sentence))}"
        yield from (f"  - {_sentence(note)}." for note in one.calibration.notes)


def _sameness(view: View) -> Iterator[str]:
    """Endpoint parity with the ids that differ, and the noise floor; nothing where the run has neither."""
    for one in view.parity[:_GROUPS]:
        yield f"- Endpoint parity: {_sentence(one.sentence)}"
        rows = [*((m.metric, m.differing) for m in one.parity.metrics), ("outcome", one.parity.outcomes_differ)]
        for name, differing in rows:
            if differing:
                more = f" and {len(differing) - _IDS} more" if len(differing) > _IDS else ""
                yield f"  - {_name(name)} differs: {', '.join(map(_code, differing[:_IDS]))}{more}"
    for control in view.controls[:_GROUPS]:
        yield f"- A/A control: {_sentence(figures.typeset(control.sentence))}"
    yield from (f"- {_sentence(text)}" for text in (cached_sentence(view), batch_sentence(view)) if text)


def _changed(view: View, group: CaseGroup, room: int) -> str:
    cases = [one for one in view.cases.outlines if one.group is group]
    if not cases:
        return ""
    opening = f"<details><summary>{len(cases)} {group_words(view.metrics)[group]}</summary>\n\n"
    told = with_texts(view, cases[:_LISTED])
    lines = _fitting((_case_lines(one, case, group) for one, case in told), room - len(opening) - 200)
    if len(lines) < len(cases):
        lines.append(f"- and {len(cases) - len(lines)} more, in the report")
    return opening + "\n".join(lines) + "\n\n</details>\n\n"


def _fitting(lines: Iterable[str], room: int) -> list[str]:
    """As many of the first lines as there is room for, each with its end."""
    kept: list[str] = []
    for text in lines:
        room -= len(text) + 1
        if room < 0:
            break
        kept.append(text)
    return kept


def _case_lines(one: CaseOutline, case: CaseView | None, group: CaseGroup) -> str:
    """The case with its reason codes, and under it what the suite lets out of its texts."""
    changes = [change for change in one.changes if change.group is group]
    # A change may be one against several baselines.
    codes = dict.fromkeys(f"{each.metric} on {each.candidate} ({each.told})" for each in changes)
    opening = f"- {_code(one.id)}: {markdown(shortened(', '.join(codes), 300))}"
    quoted = (f"  - {_name(each.name)}: {markdown(each.text)}" for each in excerpts(case, changes))
    return "\n".join((opening, *quoted))


def _tail(view: View) -> Sequence[str]:
    run = view.run
    hashes = f"suite {_code(run.suite_hash[:12])}, dataset {_code(run.dataset_hash[:12])}"
    attempt = f" (attempt {run.attempt})" if run.attempt > 1 else ""
    return [f"<sub>run {_code(run.run_id)}{attempt} · gate {_name(run.gate)} · {hashes} · seed {run.seed}</sub>"]


def _name(text: str) -> str:
    return markdown(shortened(text, _NAME))


def _sentence(text: str) -> str:
    """A sentence whose names in backticks stay code."""
    parts = shortened(text, _SENTENCE).split("`")
    if len(parts) % 2 == 0:  # a name that itself holds a backtick: no telling which is which
        return markdown(text)
    return "".join(markdown_code(part) if place % 2 else _spaced(part) for place, part in enumerate(parts))


def _spaced(text: str) -> str:
    before = " " if text[:1].isspace() else ""
    after = " " if text.strip() and text[-1:].isspace() else ""
    return before + markdown(text) + after


def _code(text: str) -> str:
    return markdown_code(shortened(text, _NAME))
