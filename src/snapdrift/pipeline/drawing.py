"""`calibrate --draw`: a random sample of the pairs of one comparison, and the sheet on which people label it.

The sample is kept in the run file. Labels of other answers never count: what somebody picks by hand is no sample.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snapdrift.calibrations import LabelDraw, Labelling
from snapdrift.errors import StoreError, UsageError
from snapdrift.graders.judge import JudgeGrader
from snapdrift.pipeline.concluding import load_stored_suite, require_finished, require_one_version
from snapdrift.pipeline.draw_order import DrawOrder, order_of, with_draw
from snapdrift.pipeline.labelling import scale_for_people, store_labelling, stored_labelling
from snapdrift.pipeline.options import RunOptions
from snapdrift.pipeline.prepare import narrowed
from snapdrift.pipeline.run_files import locate_run
from snapdrift.pipeline.sequences import record_of
from snapdrift.pipeline.sheet_rows import ShownRow, rows_to_label
from snapdrift.store import RunWriter, StoredRun, open_run

if TYPE_CHECKING:
    from snapdrift.suites.resolved import Suite


@dataclass(frozen=True, slots=True)
class DrawRequest:
    """What is to be drawn: so many pairs in all, and where the sheet goes.

    `metric` and `pair` (`BASELINE:CANDIDATE`) may be left out where there is only one; the `seed` is the run's if None.
    """

    pairs: int
    sheet: Path
    metric: str | None = None
    pair: str | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class DrawnSheet:
    """A sheet that was written: `rows` are still to be labelled, of a draw of so many `pairs`."""

    run_id: str
    metric: str
    baseline: str
    candidate: str
    seed: int
    pairs: int
    eligible: int
    rows: int
    sheet: Path


def draw_sheet(text: str, request: DrawRequest, options: RunOptions, cwd: Path) -> DrawnSheet:
    """Draws pairs of a finished run, keeps in it which, and writes the rows that are not labelled yet.

    The same run, comparison and seed always draw the same pairs, and a larger draw holds the smaller one. Raises
    `SnapdriftError`, before anything is written.
    """
    if request.sheet.exists():
        raise UsageError(f"{request.sheet} is already there and may hold labels; name another file with -o")
    if not request.sheet.parent.is_dir():
        raise UsageError(f"{request.sheet}: there is no folder {request.sheet.parent}; make it, or name another")
    workspace, path = locate_run(text, options, cwd)
    with RunWriter.open(path) as writer, open_run(path) as stored:
        require_calibratable(stored)
        suite, _ = load_stored_suite(stored, workspace, code=options.code)
        require_one_version(stored, suite)
        judge = _judge_of(suite, request.metric)
        comparison = (judge.name, *_pair_of(stored, suite, request.pair))
        labelling = stored_labelling(stored)
        draw = _drawn(order_of(stored, judge, comparison, labelling, request.seed), labelling, request)
        shown = rows_to_label(stored, suite, judge, draw, labelling.labels)
        rows = [_row(stored.header.run_id, judge, row) for row in shown]
        if not rows:
            more = "; draw more (--draw N)" if len(draw.pairs) < draw.eligible else ""
            raise UsageError(f"all {len(draw.pairs):,} pairs that were drawn are labelled{more}")
        store_labelling(writer, Labelling(with_draw(labelling.draws, draw), labelling.labels))
        _write(request.sheet, rows)
        run_id = stored.header.run_id
    return DrawnSheet(run_id, *comparison, draw.seed, len(draw.pairs), draw.eligible, len(rows), request.sheet)


def require_calibratable(stored: StoredRun) -> None:
    """Raises `SnapdriftError` for a run under way, one of a part of the suite, and one looked at while it grew."""
    require_finished(stored)
    if stored.header.partial:
        raise UsageError(
            f"run {stored.header.run_id} is of a part of the suite, picked by hand; calibrate with a whole run"
        )
    if record_of(stored) is not None:
        raise UsageError(
            f"run {stored.header.run_id} was looked at while it grew (early stopping, or topping up): its verdict is "
            "that of the wealth at the looks, whose place labels cannot take; calibrate with a run of a fixed number "
            "of cases"
        )


def _judge_of(suite: Suite, wanted: str | None) -> JudgeGrader:
    all_judges = {grader.name: grader for grader in suite.graders if isinstance(grader, JudgeGrader)}
    if wanted is not None and any(spec.pairwise for spec in suite.metrics if spec.name == wanted):
        raise UsageError(
            f"--metric: {wanted!r} is pairwise: people label single answers, which says nothing of a judge of two; "
            "expected a metric of the family judge"
        )
    if not all_judges:
        of_two = any(spec.pairwise for spec in suite.metrics)
        found = "no grader of the suite is a judge of single answers" if of_two else "no grader of the suite is a judge"
        raise UsageError(f"{suite.path}: {found}, so there is nothing to calibrate")
    judges = {name: judge for name, judge in all_judges.items() if judge.calibratable}
    listing = wanted if wanted in all_judges.keys() - judges.keys() else None if judges else next(iter(all_judges))
    if listing is not None:
        raise UsageError(
            f"--metric: found {listing!r}, whose judge gives several verdicts on an answer (mode "
            f"{all_judges[listing].judge.mode}); expected a judge in mode score or label: a label is one verdict"
        )
    if wanted is None and len(judges) == 1:
        return next(iter(judges.values()))
    if wanted is None:
        raise UsageError(f"found several judged metrics; expected --metric with one of {', '.join(judges)}")
    if wanted not in judges:
        raise UsageError(f"--metric: found no judged metric {wanted!r}; expected one of {', '.join(judges)}")
    return judges[wanted]


def _pair_of(stored: StoredRun, suite: Suite, wanted: str | None) -> tuple[str, str]:
    gate = narrowed(suite.gates[stored.header.gate], stored.header.variants)
    pairs = {f"{pair.baseline}:{pair.candidate}": (pair.baseline, pair.candidate) for pair in gate.pairs}
    if not pairs:
        raise UsageError(f"the gate {gate.name} compares no variants, so there are no pairs to label")
    if wanted is None and len(pairs) == 1:
        return next(iter(pairs.values()))
    if wanted is None:
        raise UsageError(f"found several comparisons; expected --pair with one of {', '.join(pairs)}")
    if wanted not in pairs:
        raise UsageError(f"--pair: found no comparison {wanted!r}; expected one of {', '.join(pairs)}")
    return pairs[wanted]


# ------------------------------------------------------------------------------------------------------------- the draw


def _drawn(order: DrawOrder, labelling: Labelling, request: DrawRequest) -> LabelDraw:
    """The draw of this comparison and this judge, as it is or enlarged to so many pairs.

    Raises `UsageError` for another seed than it was begun with: of several samples the one that pleases would be kept.
    """
    if order.begun is not None and request.seed not in (None, order.begun.seed):
        raise UsageError(
            f"--seed: found {request.seed}, the draw of this comparison was begun with {order.begun.seed}; leave it "
            "out (a sample that is chosen among several is not random)"
        )
    if request.pairs > order.possible:
        raise UsageError(_too_few(request.pairs, len(order.eligible), order.possible))
    return order.upto(request.pairs, labelling.labels)


def _too_few(wanted: int, eligible: int, possible: int) -> str:
    spent = "" if possible == eligible else f" ({eligible - possible:,} were drawn for an earlier version of the judge)"
    return (
        f"--draw: found {wanted:,}, expected at most {possible:,}: so many cases have a score on both sides and can be "
        f"drawn{spent}"
    )


# ------------------------------------------------------------------------------------------------------------ the sheet


def _row(run_id: str, judge: JudgeGrader, shown: ShownRow) -> Mapping[str, Any]:
    """A row of the sheet: what was asked, what was answered, how to judge it, and nothing of by whom."""
    return {
        "item": shown.item.item,
        "run": run_id,
        "metric": judge.name,
        "question": shown.question,
        "text": shown.text,
        "criteria": list(shown.criteria),
        "scale": scale_for_people(judge.judge),
        "answer": shown.item.answer,
        "label": None,
    }


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise StoreError(
            f"the sheet cannot be written to {path}: {error.strerror}; draw again with another -o"
        ) from error
