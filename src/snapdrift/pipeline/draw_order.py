"""The order in which the pairs of a comparison are drawn for people to label: of a hash, so that nobody chooses.

A draw is the beginning of this order. Whatever continues it (a larger `--draw`, rows labelled in a report) goes on
where it ended, so every draw of a comparison and judge holds the smaller ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from snapdrift.calibrations import DrawnPair, HumanLabel, LabelDraw, Labelling, LabelPurpose
from snapdrift.errors import StoreError
from snapdrift.graders.judge import JudgeGrader
from snapdrift.model import CallKey, Response, sha256
from snapdrift.store import StoredRun

Comparison = tuple[str, str, str]
"""Metric, baseline and candidate."""
Repeats = tuple[list[int], list[int]]
"""The repeats that have a score: the baseline's, and the candidate's."""


@dataclass(frozen=True, slots=True)
class DrawOrder:
    """All pairs of a comparison that can be labelled, in the order of one seed, for the judge as it is now.

    `begun` is the draw that the run already has, None without one; `eligible` has every case with a score on both
    sides, `left` those that neither this draw holds nor one of an earlier version of the judge, in their order.
    """

    stored: StoredRun
    comparison: Comparison
    version: str
    judge_models: tuple[str, ...]
    seed: int
    begun: LabelDraw | None
    eligible: Mapping[str, Repeats]
    left: tuple[str, ...]

    @property
    def drawn(self) -> int:
        """How many pairs are drawn already."""
        return 0 if self.begun is None else len(self.begun.pairs)

    @property
    def possible(self) -> int:
        """How many pairs can be drawn in all."""
        return self.drawn + len(self.left)

    def upto(self, pairs: int, labels: Sequence[HumanLabel]) -> LabelDraw:
        """The draw of the first `pairs` (at most `possible`), or the one that was begun where that has as many.

        `labels` are those that are there already: enlarging a draw of which some are known is a look.
        """
        if self.begun is not None and pairs <= self.drawn:
            return self.begun
        kept = self.begun.pairs if self.begun else ()
        added = tuple(self._pair(case_id) for case_id in self.left[: pairs - len(kept)])
        return LabelDraw(
            *self.comparison,
            seed=self.seed,
            version=self.version,
            judge_models=self.judge_models,
            pairs=(*kept, *added),
            eligible=len(self.eligible),
            drawn_at=datetime.now(UTC).isoformat(timespec="seconds"),
            looked=self.begun is not None and (self.begun.looked or _labelled(self.begun, labels)),
        )

    def _pair(self, case_id: str) -> DrawnPair:
        """One repeat of each side, drawn apart: two labels a case tell more than the same labels on fewer cases."""
        keys = []
        for variant, numbers in zip(self.comparison[1:], self.eligible[case_id], strict=True):
            digest = sha256([self.stored.header.run_id, *self.comparison, self.seed, case_id, variant])
            keys.append(CallKey(case_id, variant, sorted(numbers)[int(digest, 16) % len(numbers)]))
        baseline, candidate = keys
        return DrawnPair(
            case_id,
            baseline_repeat=baseline.repeat,
            candidate_repeat=candidate.repeat,
            baseline_answer=answer_of(self.stored, baseline).answer_hash,
            candidate_answer=answer_of(self.stored, candidate).answer_hash,
        )


def order_of(
    stored: StoredRun,
    judge: JudgeGrader,
    comparison: Comparison,
    labelling: Labelling,
    seed: int | None = None,
    models: tuple[str, ...] | None = None,
) -> DrawOrder:
    """The order for a comparison and the judge as it is written and as it answered.

    A draw that was begun keeps its seed, else it is `seed`, else the run's. `models` are `judge_models_of` the judge,
    where they are known: reading them takes all responses.
    """
    models = judge_models_of(stored, judge.name) if models is None else models
    same = [one for one in labelling.draws if one.comparison == comparison]
    begun = next((one for one in same if measured_by(one) == (comparison, judge.version, models)), None)
    chosen = begun.seed if begun else stored.header.seed if seed is None else seed
    eligible = _eligible(stored, comparison)
    # Whoever mended the judge has seen what it got wrong: pairs that were drawn before can no longer measure it.
    spent = {pair.case_id for one in same for pair in one.pairs}
    left = sorted(
        (case_id for case_id in eligible if case_id not in spent),
        key=lambda case_id: sha256([stored.header.run_id, *comparison, chosen, case_id]),
    )
    return DrawOrder(stored, comparison, judge.version, models, chosen, begun, eligible, tuple(left))


def with_draw(draws: Sequence[LabelDraw], draw: LabelDraw) -> tuple[LabelDraw, ...]:
    """The draws with one of them begun or enlarged, as the last."""
    return (*(one for one in draws if measured_by(one) != measured_by(draw)), draw)


def measured_by(draw: LabelDraw) -> tuple[Comparison, str, tuple[str, ...]]:
    """What a draw is of: a comparison, scored by one judge as it was written and as it answered."""
    return draw.comparison, draw.version, draw.judge_models


def judge_models_of(stored: StoredRun, judge: str) -> tuple[str, ...]:
    """Which models answered as the judge in a run, sorted."""
    names = {
        response.returned_model
        for response in stored.responses()
        if response.call.judge == judge and response.outcome.measured and response.returned_model is not None
    }
    return tuple(sorted(names))


def answer_of(stored: StoredRun, key: CallKey) -> Response:
    """The answer that a score is of. Raises `StoreError` for a run file that lost it."""
    response = stored.response(key)
    if response is None:
        raise StoreError(f"{stored.path}: damaged, {key} has a score and no answer")
    return response


def _eligible(stored: StoredRun, comparison: Comparison) -> dict[str, Repeats]:
    """By case the repeats of both sides that have a score, for the cases that have one on both, in the run's order."""
    metric, *sides = comparison
    scored: dict[str, Repeats] = {case_id: ([], []) for case_id in stored.case_ids()}
    for score in stored.score_values():
        if score.metric == metric and score.value is not None and score.variant in sides:
            scored[score.case_id][sides.index(score.variant)].append(score.repeat)
    return {case_id: repeats for case_id, repeats in scored.items() if all(repeats)}


def _labelled(draw: LabelDraw, labels: Sequence[HumanLabel]) -> bool:
    """Whether any pair of a draw has a label."""
    drawn = {pair.case_id for pair in draw.pairs}
    return any(
        label.metric == draw.metric and label.case_id in drawn and label.purpose is LabelPurpose.CALIBRATION
        for label in labels
    )
