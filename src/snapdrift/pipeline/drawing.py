"""`calibrate --draw`: a random sample of the pairs of one comparison, and the sheet on which people label it.

The sample is kept in the run file. Labels of other answers never count: what somebody picks by hand is no sample.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snapdrift.calibrations import DrawnPair, HumanLabel, LabelDraw, Labelling, LabelPurpose
from snapdrift.errors import SnapdriftError, StoreError, UsageError
from snapdrift.graders.judge import JudgeGrader
from snapdrift.graders.marks import CannotGradeError, NotExtractedError
from snapdrift.graders.values import scrubbed, text_of
from snapdrift.model import CallKey, Case, Response, sha256
from snapdrift.pipeline.concluding import load_stored_suite, require_finished, require_one_version
from snapdrift.pipeline.labelling import scale_for_people, sheet_items, store_labelling, stored_labelling
from snapdrift.pipeline.options import RunOptions
from snapdrift.pipeline.prepare import narrowed
from snapdrift.pipeline.run_files import locate_run
from snapdrift.pipeline.sequences import record_of
from snapdrift.store import RunWriter, StoredRun, open_run

if TYPE_CHECKING:
    from snapdrift.suites.resolved import Suite

Comparison = tuple[str, str, str]
"""Metric, baseline and candidate."""


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
        suite, _ = load_stored_suite(stored, workspace)
        require_one_version(stored, suite, stored.scores())
        judge = _judge_of(suite, request.metric)
        comparison = (judge.name, *_pair_of(stored, suite, request.pair))
        labelling = stored_labelling(stored)
        draw = _drawn(stored, judge, comparison, labelling, request)
        others = tuple(one for one in labelling.draws if _measures(one) != _measures(draw))
        rows = list(_rows(stored, suite, judge, draw, labelling.labels))
        if not rows:
            more = "; draw more (--draw N)" if len(draw.pairs) < draw.eligible else ""
            raise UsageError(f"all {len(draw.pairs):,} pairs that were drawn are labelled{more}")
        store_labelling(writer, Labelling((*others, draw), labelling.labels))
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


def judge_models_of(stored: StoredRun, judge: str) -> tuple[str, ...]:
    """Which models answered as the judge in a run, sorted."""
    names = {
        response.returned_model
        for response in stored.responses()
        if response.call.judge == judge and response.outcome.measured and response.returned_model is not None
    }
    return tuple(sorted(names))


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


def _drawn(
    stored: StoredRun, judge: JudgeGrader, comparison: Comparison, labelling: Labelling, request: DrawRequest
) -> LabelDraw:
    """The draw of this comparison and this judge, as it is or enlarged to so many pairs.

    Raises `UsageError` for another seed than it was begun with: of several samples the one that pleases would be kept.
    """
    models = judge_models_of(stored, judge.name)
    same = [one for one in labelling.draws if one.comparison == comparison]
    begun = next((one for one in same if _measures(one) == (comparison, judge.version, models)), None)
    if begun is not None and request.seed not in (None, begun.seed):
        raise UsageError(
            f"--seed: found {request.seed}, the draw of this comparison was begun with {begun.seed}; leave it out "
            "(a sample that is chosen among several is not random)"
        )
    seed = begun.seed if begun else stored.header.seed if request.seed is None else request.seed
    eligible = _eligible(stored, comparison)
    kept = begun.pairs if begun else ()
    # Whoever mended the judge has seen what it got wrong: pairs that were drawn before can no longer measure it.
    spent = {pair.case_id for one in same for pair in one.pairs}
    left = [case_id for case_id in eligible if case_id not in spent]
    missing = max(0, request.pairs - len(kept))
    if missing > len(left):
        raise UsageError(_too_few(request.pairs, len(eligible), len(kept) + len(left)))
    order = sorted(left, key=lambda case_id: sha256([stored.header.run_id, *comparison, seed, case_id]))
    added = tuple(_pair(stored, comparison, seed, case_id, eligible[case_id]) for case_id in order[:missing])
    if begun is not None and not added:
        return begun
    return LabelDraw(
        *comparison,
        seed=seed,
        version=judge.version,
        judge_models=models,
        pairs=(*kept, *added),
        eligible=len(eligible),
        drawn_at=datetime.now(UTC).isoformat(timespec="seconds"),
        looked=begun is not None and (begun.looked or _labelled(begun, labelling.labels)),
    )


def _measures(draw: LabelDraw) -> tuple[Comparison, str, tuple[str, ...]]:
    """What a draw is of: a comparison, scored by one judge as it was written and as it answered."""
    return draw.comparison, draw.version, draw.judge_models


def _too_few(wanted: int, eligible: int, possible: int) -> str:
    spent = "" if possible == eligible else f" ({eligible - possible:,} were drawn for an earlier version of the judge)"
    return (
        f"--draw: found {wanted:,}, expected at most {possible:,}: so many cases have a score on both sides and can be "
        f"drawn{spent}"
    )


def _eligible(stored: StoredRun, comparison: Comparison) -> dict[str, tuple[list[int], list[int]]]:
    """By case the repeats of both sides that have a score, for the cases that have one on both, in the run's order."""
    metric, *sides = comparison
    scored: dict[str, tuple[list[int], list[int]]] = {case.id: ([], []) for case in stored.cases()}
    for score in stored.scores():
        if score.metric == metric and score.value is not None and score.variant in sides:
            scored[score.case_id][sides.index(score.variant)].append(score.repeat)
    return {case_id: repeats for case_id, repeats in scored.items() if all(repeats)}


def _pair(
    stored: StoredRun, comparison: Comparison, seed: int, case_id: str, repeats: tuple[list[int], list[int]]
) -> DrawnPair:
    """One repeat of each side, drawn apart: two labels a case tell more than the same labels on fewer cases."""
    keys = []
    for variant, numbers in zip(comparison[1:], repeats, strict=True):
        digest = sha256([stored.header.run_id, *comparison, seed, case_id, variant])
        keys.append(CallKey(case_id, variant, sorted(numbers)[int(digest, 16) % len(numbers)]))
    baseline, candidate = keys
    return DrawnPair(
        case_id,
        baseline_repeat=baseline.repeat,
        candidate_repeat=candidate.repeat,
        baseline_answer=_answer(stored, baseline).answer_hash,
        candidate_answer=_answer(stored, candidate).answer_hash,
    )


def _answer(stored: StoredRun, key: CallKey) -> Response:
    response = stored.response(key)
    if response is None:
        raise StoreError(f"{stored.path}: damaged, {key} has a score and no answer")
    return response


def _labelled(draw: LabelDraw, labels: Sequence[HumanLabel]) -> bool:
    """Whether any pair of a draw has a label."""
    drawn = {pair.case_id for pair in draw.pairs}
    return any(
        label.metric == draw.metric and label.case_id in drawn and label.purpose is LabelPurpose.CALIBRATION
        for label in labels
    )


# ------------------------------------------------------------------------------------------------------------ the sheet


def _rows(
    stored: StoredRun, suite: Suite, judge: JudgeGrader, draw: LabelDraw, labels: Sequence[HumanLabel]
) -> Iterator[Mapping[str, Any]]:
    """The rows that nobody labelled yet: what was asked, what was answered, how to judge it, and nothing of by whom."""
    cases = {case.id: case for case in suite.cases}
    done = {
        (label.case_id, label.answer)
        for label in labels
        if label.metric == draw.metric and label.purpose is LabelPurpose.CALIBRATION
    }
    for item in sheet_items(draw, stored.header.run_id):
        if (item.case_id, item.answer) in done:
            continue
        case = cases[item.case_id]
        response = _answer(stored, CallKey(item.case_id, *item.places[0]))
        if response.answer_hash != item.answer:
            continue
        yield {
            "item": item.item,
            "run": stored.header.run_id,
            "metric": draw.metric,
            "question": _question(stored, judge, draw, case),
            "text": scrubbed(_graded_part(judge, response)),
            "criteria": [scrubbed(text_of(line)) for line in judge.rendered("judge", case)["criteria"]],
            "scale": scale_for_people(judge.judge),
            "answer": item.answer,
            "label": None,
        }


def _question(stored: StoredRun, judge: JudgeGrader, draw: LabelDraw, case: Case) -> Any:
    """What was asked, in words that are the same for both sides, so that they do not tell them apart.

    What the judge is told, where the rubric says so; else the prompt, where both sides had the same; else the case.
    """
    from snapdrift.reports.asked import read_prompt
    from snapdrift.reports.thumbnails import Album

    told = judge.rendered("judge", case)["question"]
    if told is not None:
        return scrubbed(text_of(told))
    requests = [stored.request(CallKey(case.id, variant, 0)) for variant in (draw.baseline, draw.candidate)]
    prompts = {
        read_prompt(request, {}, Album()).text
        for request in requests
        if request is not None and request.endpoint.over_http
    }
    if len(prompts) == 1 and None not in requests:
        return scrubbed(prompts.pop())
    return scrubbed(text_of(dict(case.variables)))


def _graded_part(judge: JudgeGrader, response: Response) -> str:
    """The part of the answer that the judge was shown; all of it, where nothing could be taken out."""
    try:
        return text_of(judge.value_in(response).value)
    except (NotExtractedError, CannotGradeError, SnapdriftError):
        return response.said


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise StoreError(
            f"the sheet cannot be written to {path}: {error.strerror}; draw again with another -o"
        ) from error
