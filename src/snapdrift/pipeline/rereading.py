"""The tolerant reading of a stored run: answers looked up one by one, and only those that could read otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from snapdrift.graders.base import Grader
from snapdrift.graders.tolerant import Readings, may_read_otherwise, read_again
from snapdrift.model import CallKey, Reading, Score, Variant
from snapdrift.pipeline.kept_scores import kept_of

if TYPE_CHECKING:
    from snapdrift.store import StoredRun
    from snapdrift.suites.resolved import Suite
    from snapdrift.verdicts.answers import Tolerant

_NOTHING: Readings = {}


def tolerant_reading(stored: StoredRun, suite: Suite) -> Tolerant:
    """A function that reads the answer behind a score again, as `docs/design/attribution.md` has it.

    What was read is kept for the other comparisons and metrics that ask for it: a few numbers an answer, never its
    text, so memory grows with the answers of bad form only.
    """
    graders = cast("tuple[Grader, ...]", suite.graders)  # a suite knows only what its registry promises of them
    by_metric = {metric.name: grader for grader in graders for metric in grader.metrics}
    tools = {variant.name: _functions(variant) for variant in stored.header.variants}
    kept: dict[tuple[str, str, int, str], Readings] = {}
    then = kept_of(stored, graders)

    def read(grader: Grader, score: Score) -> Readings:
        response = stored.answer(CallKey(score.case_id, score.variant, score.repeat))
        case = stored.case(score.case_id)
        if response is None or case is None:
            return _NOTHING
        return read_again(grader, case, response, score, tools[score.variant]) or _NOTHING

    def tolerant(score: Score) -> Reading | None:
        grader = by_metric[score.metric]
        if not may_read_otherwise(grader, score):
            return None
        if then.of(CallKey(score.case_id, score.variant, score.repeat), grader) is not None:
            return None  # a score of then, whose answer is not there to be read again
        place = (score.case_id, score.variant, score.repeat, grader.name)
        if place not in kept:
            kept[place] = read(grader, score)
        return kept[place].get(score.metric)

    return tolerant


def _functions(variant: Variant) -> tuple[str, ...]:
    """The names of the functions that a variant offers its model."""
    tools = [tool for tool in variant.request.get("tools") or () if tool.get("type") == "function"]
    return tuple(str(tool["name"]) for tool in tools)
