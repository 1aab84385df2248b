"""`calibrate --labels`: people's labels into the run file, and the run concluded from again with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from snapdrift.calibrations import HumanLabel, LabelDraw, Labelling, LabelPurpose
from snapdrift.errors import LabelsError, Problem, UsageError
from snapdrift.pipeline.concluding import (
    STOPPED,
    conclude,
    earlier_models,
    evaluate_stored,
    load_stored_suite,
    write_ci_files,
    write_run_reports,
)
from snapdrift.pipeline.drawing import require_calibratable
from snapdrift.pipeline.indexing import refresh_index
from snapdrift.pipeline.judge_records import known_records, records_dir, write_records
from snapdrift.pipeline.label_rows import labels_of_rows
from snapdrift.pipeline.labelling import LabelKey, label_key, store_labelling, store_records, stored_labelling
from snapdrift.pipeline.offering import reached_draws
from snapdrift.pipeline.options import RunOptions, RunOutcome
from snapdrift.pipeline.own_code import require_templates_allowed
from snapdrift.pipeline.run_files import locate_run
from snapdrift.store import RunWriter, open_run
from snapdrift.suites.labels import SheetRow, WrittenLabel, read_labels


@dataclass(frozen=True, slots=True)
class LabelsTaken:
    """What became of the rows of label files, each counted once: answers of one row may be two (`added`)."""

    rows: int
    added: int
    replaced: int
    unlabelled: int
    review: int
    undrawn: int


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A run that was concluded from again, what the label files held, and where the judges' records are."""

    outcome: RunOutcome
    taken: LabelsTaken
    records: tuple[Path, ...]


def calibrate_run(text: str, files: Sequence[Path], options: RunOptions, cwd: Path) -> Calibrated:
    """Adds labels to a finished run and concludes from it again: comparisons, decision, reports, the judges' records.

    Raises `LabelsError` with every mistake of all files; the run then stays as it was.
    """
    if not files:
        raise UsageError("--labels: found no file; expected at least one")
    workspace, path = locate_run(text, options, cwd)
    with RunWriter.open(path) as writer, open_run(path) as stored:
        require_calibratable(stored)
        require_templates_allowed(workspace, allowed=options.code)
        suite, catalog = load_stored_suite(stored, workspace, code=options.code)
        labelling = stored_labelling(stored)
        read = _read(files)
        found = labels_of_rows(read, stored, suite, labelling.draws)
        draws = reached_draws(stored, suite, labelling, tuple(found.values()))
        merged, taken = _merged(replace(labelling, draws=draws), found, read)
        store_labelling(writer, merged)
        measured = evaluate_stored(stored, suite, earlier_models(stored, stored.path.parent)).calibrations
        now, directory = datetime.now(UTC).isoformat(timespec="seconds"), records_dir(workspace, options)
        try:
            records = write_records(stored, measured, now, directory)
            # What was found on one candidate is known of the same judge on the run's other candidates too.
            store_records(writer, known_records(suite, directory).records)
        finally:  # the labels are stored: what they decide is concluded, once, also where no record can be kept
            evaluation = conclude(writer, stored, suite, stored.meta(STOPPED) or "")
        view, reports = write_run_reports(stored, suite, catalog, workspace, options.output)
        write_ci_files([view], options.output)
        header = stored.header
        index = refresh_index(workspace, options)
        outcome = RunOutcome(header.run_id, header.suite, path, header.attempt, evaluation, view, reports, index)
        return Calibrated(outcome, taken, records)


def _read(files: Sequence[Path]) -> tuple[WrittenLabel, ...]:
    written: list[WrittenLabel] = []
    problems: list[Problem] = []
    for file in files:
        try:
            written.extend(read_labels(file, str(file)))
        except LabelsError as error:
            problems.extend(error.problems)
    if problems:
        raise LabelsError(problems)
    return tuple(written)


def _merged(
    labelling: Labelling, found: Mapping[LabelKey, HumanLabel], read: Sequence[WrittenLabel]
) -> tuple[Labelling, LabelsTaken]:
    """Labels of the same answer, metric, purpose and rater stand in the place of earlier ones."""
    earlier = {label_key(label): label for label in labelling.labels}
    drawn = {place for draw in labelling.draws for place in _places(draw)}
    counted = [label for label in found.values() if label.purpose is LabelPurpose.CALIBRATION]
    taken = LabelsTaken(
        rows=len(read),
        added=len(found.keys() - earlier.keys()),
        replaced=sum(key in earlier and earlier[key].label != label.label for key, label in found.items()),
        unlabelled=sum(isinstance(one.entry, SheetRow) and one.entry.label is None for one in read),
        review=len(found) - len(counted),
        undrawn=sum((label.metric, label.case_id, label.variant, label.repeat) not in drawn for label in counted),
    )
    return replace(labelling, labels=tuple({**earlier, **found}.values())), taken


def _places(draw: LabelDraw) -> Iterator[tuple[str, str, str, int]]:
    for pair in draw.pairs:
        yield draw.metric, pair.case_id, draw.baseline, pair.baseline_repeat
        yield draw.metric, pair.case_id, draw.candidate, pair.candidate_repeat
