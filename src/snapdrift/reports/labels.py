"""Honest labels: what a reader must know of answers that no model gave, and of numbers that rest on a judge."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from snapdrift.calibrations import JudgeStatus
from snapdrift.conclusions import Evaluation, VariantSummary
from snapdrift.model import Source
from snapdrift.privacy import Redaction
from snapdrift.reports.data import RunData
from snapdrift.reports.escaping import line, shortened
from snapdrift.reports.kept_baseline import baseline_label
from snapdrift.reports.redaction import WORD
from snapdrift.reports.reuse import REUSED, reused_sentence
from snapdrift.reports.view import REALITY, SOURCE_LABELS, Label, VariantView
from snapdrift.verdicts.asides import ledger_sentences, stopped_sentence
from snapdrift.verdicts.calibration_words import STATUS_WORDS, short_meaning

_NAMED, _TOLD = 4, 40
"""Names of what is redacted that the label itself lists, and that its sentence does."""
_NAME = 60
STOPPED_EARLY = "stopped early"
"""The label of a run that a look ended."""
_MEANINGS = {
    Source.SIMULATED: (
        "made up by the stand-in and say nothing about the model that is named; costs are reckoned and were not paid, "
        "latencies are the stand-in's"
    ),
    Source.RECORDED: (
        "replayed from a recording by the stand-in, no model was asked in this run; costs are reckoned and were not "
        "paid, latencies are the stand-in's"
    ),
    Source.OUTPUTS: (
        "read from a file of outputs: no model was asked in this run; whose answers they are, and what they took, is "
        "what the file says"
    ),
    Source.PYTHON: (
        "given by the program that the suite names: they measure that program as it is, with whatever model it asks"
    ),
}


def source_of(summary: VariantSummary, asked: Source) -> Source:
    """The source of a variant's answers; of several, the least real. Without any answer it is who was `asked`."""
    return next((source for source in REALITY if summary.sources.get(source.value)), asked)


def labels_of(data: RunData, variants: Iterable[VariantView]) -> tuple[Label, ...]:
    """The labels of a run, each with the sentence that says what it means here."""
    views = tuple(variants)
    labels = []
    for source, meaning in _MEANINGS.items():
        names = [view.summary.name for view in views if view.summary.sources.get(source.value)]
        silent = [view.summary.name for view in views if view.source is source and not view.summary.sources]
        sentences = []
        if names:
            who = "All answers" if len(names) == len(views) else f"Answers of {', '.join(names)}"
            sentences.append(f"{who} are {meaning}.")
        if silent:
            sentences.append(f"{', '.join(silent)}: asked a stand-in, which gave no answer.")
        if sentences:
            labels.append(Label(SOURCE_LABELS[source], " ".join(sentences)))
    labels.extend(_of_judges(data))
    labels.extend(_of_acceptances(data.evaluation))
    stopped = data.evaluation.sequential and stopped_sentence(data.evaluation.sequential)
    if stopped:
        labels.append(Label(STOPPED_EARLY, stopped))
    kept = baseline_label(data.baseline, data.run.started_at)
    if kept is not None:
        labels.append(Label(*kept))
    reused = reused_sentence((view.summary for view in views), data.run.started_at)
    if reused:
        labels.append(Label(REUSED, reused))
    if data.run.partial:
        labels.append(Label("partial run", "Only a part of the suite was run: nothing was gated."))
    if data.redaction:
        labels.append(_of_redaction(data.redaction))
    return tuple(labels)


def _of_acceptances(evaluation: Evaluation) -> Iterator[Label]:
    """That losses were left out because somebody accepted them: what is decided rests on that."""
    lost = {(c.metric, case) for c in evaluation.comparisons if c.left_out is not None for case in c.left_out.losses}
    if lost:
        number = len(lost)
        what = "1 accepted loss is" if number == 1 else f"{number:,} accepted losses are"
        yield Label(
            f"{number:,} accepted", f"{what} left out of the comparisons; who accepted each, and why, is below."
        )


def _of_redaction(redaction: Redaction) -> Label:
    """What the suite's privacy rules took out, and what goes with it."""
    names = [shortened(line(name), _NAME) for name in redaction.names]  # columns are named by whoever made the dataset
    shown = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    prompt = "; rendered prompts are not shown, the kept columns stand in their place" if redaction.prompt else ""
    meaning = (
        f"By the suite's privacy rules, left out: {', '.join(names[:_TOLD])}{more}{prompt}. What graders, judges and "
        "hosts say in words goes too, for it quotes; outcomes, reason codes and numbers are all here."
    )
    return Label(f"{WORD}{shown}", meaning)


def _of_judges(data: RunData) -> Iterator[Label]:
    """A label for each thing that is known of judges, the most certain last."""
    known: dict[tuple[JudgeStatus, str], list[str]] = defaultdict(list)
    found = {calibration.metric for calibration in data.evaluation.calibrations}
    for metric in data.metrics:
        if metric.judged and metric.name not in found:
            known[JudgeStatus.UNCALIBRATED, short_meaning(None)].append(metric.name)
    for one in data.evaluation.calibrations:
        names = known[one.status, short_meaning(one)]
        if one.metric not in names:
            names.append(one.metric)
    for status in reversed(JudgeStatus):
        meanings = [f"{', '.join(names)}: {meaning}" for (of, meaning), names in known.items() if of is status]
        if meanings:
            yield Label(STATUS_WORDS[status], " ".join(meanings))


def resolutions_of(evaluation: Evaluation) -> tuple[str, ...]:
    """For each variant and judge whose answers name another model than was asked for: which, and how often."""
    return ledger_sentences([one for one in evaluation.ledger if one.returned.keys() - {one.requested}])
