"""Records of calibrations beside the runs, so that a later run of the suite knows what its judge was found to be.

One file for each judged metric (`store.calibration_records`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.calibrations import JudgeCalibration, JudgeStatus
from snapdrift.errors import StoreError, UsageError
from snapdrift.model import Gate, OnInconclusive
from snapdrift.pipeline.options import RunOptions
from snapdrift.store.calibration_records import (
    FOLDER,
    CalibrationRecords,
    add_calibrations,
    calibrations_path,
    read_calibrations,
)
from snapdrift.suites.registry import COMPOSITIONS

if TYPE_CHECKING:
    from snapdrift.store import StoredRun
    from snapdrift.suites.resolved import Suite
    from snapdrift.suites.workspace import Workspace


@dataclass(frozen=True, slots=True)
class KnownRecords:
    """The calibrations of a suite's judges, the newest first, and what of the files could not be read."""

    records: tuple[JudgeCalibration, ...]
    problems: tuple[str, ...] = ()


def records_dir(workspace: Workspace, options: RunOptions) -> Path:
    """Where calibrations are kept."""
    return (options.output.state_dir or workspace.state_dir) / FOLDER


def known_records(suite: Suite, directory: Path) -> KnownRecords:
    """The calibrations of all judges of a suite. What cannot be read is told, not raised: it would end a paid run."""
    found: list[JudgeCalibration] = []
    problems: list[str] = []
    for metric in suite.metrics:
        path = calibrations_path(directory, suite.name, metric.name)
        if metric.judged and path.is_file():
            try:
                found += read_calibrations(path).records
            except StoreError as error:
                problems.append(f"{error}; it counts as no calibration: remove it, or calibrate again")
    newest = sorted(found, key=lambda record: (record.made_at, record.of_run), reverse=True)
    return KnownRecords(tuple(newest), tuple(problems))


def write_records(
    stored: StoredRun, calibrations: Iterable[JudgeCalibration], made_at: str, directory: Path
) -> tuple[Path, ...]:
    """Keeps what was measured on a run's own answers. Raises `StoreError` when it cannot be written."""
    suite = stored.header.suite
    by_metric: dict[str, list[JudgeCalibration]] = {}
    for one in calibrations:
        if one.status is JudgeStatus.CALIBRATED:
            kept = replace(one, of_run=stored.header.run_id, made_at=made_at, margin=None, inside_margin=None)
            by_metric.setdefault(one.metric, []).append(kept)
    paths = []
    for metric, made in by_metric.items():
        path = calibrations_path(directory, suite, metric)
        paths.append(path)
        try:
            add_calibrations(path, CalibrationRecords(suite, metric, tuple(made)), over_unreadable=True)
        except OSError as error:
            raise StoreError(
                f"the calibration cannot be kept in {path}: {error.strerror}; the labels are stored in the run, and "
                "`snapdrift report` writes its reports"
            ) from error
    return tuple(paths)


def require_calibratable_metrics(suite: Suite, gate: Gate) -> None:
    """Raises `UsageError` where a calibration is required of a metric that people cannot label: a composition's."""
    gating = {entry.metric for entry in gate.metrics if entry.margin is not None}
    for grader in suite.graders if suite.require_calibration else ():
        if grader.name in gating and grader.family in COMPOSITIONS and grader.metrics[0].judged:
            raise UsageError(
                f"{suite.path}: gate {gate.name}: found a margin for {grader.name}, a composition with a judge, under "
                "require_calibration; expected the judge as a grader of its own: people label its verdicts"
            )


def calibration_notes(suite: Suite, gate: Gate, known: KnownRecords) -> tuple[str, ...]:
    """For a suite that requires calibration: a sentence for each judged metric with a margin, and unreadable files."""
    if not suite.require_calibration:
        return ()
    from snapdrift.verdicts.calibration_words import known_sentence

    versions = {metric.name: grader.version for grader in suite.graders for metric in grader.metrics}
    specs = {metric.name: metric for metric in suite.metrics}
    notes, looked = list(known.problems), suite.early_stop or gate.inconclusive is OnInconclusive.EXTEND
    for entry in gate.metrics:
        spec = specs.get(entry.metric)
        if spec is None or not spec.judged or entry.margin is None:
            continue
        record = next((one for one in known.records if one.metric == entry.metric), None)
        notes.append(known_sentence(entry, spec, record, versions[entry.metric], gate.confidence, looked=looked))
    return tuple(notes)
