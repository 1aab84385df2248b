"""The scores of one answer by one grader, whatever goes wrong in it."""

from __future__ import annotations

from snapdrift.graders.base import Grader
from snapdrift.graders.marks import Mark
from snapdrift.graders.needs import NOTHING_SEEN, Got, Seen
from snapdrift.graders.scoring import scores_of
from snapdrift.model import Case, Response, Score

_NOTHING_CAME_BACK: Got = {}


def read_scores(
    grader: Grader, case: Case, response: Response, got: Got = _NOTHING_CAME_BACK, seen: Seen = NOTHING_SEEN
) -> tuple[Score, ...]:
    """The grader's scores; a defect in a family that a package brings must not end a run that is paid for."""
    try:
        return grader.read(case, response, got, seen)
    except Exception as error:  # noqa: BLE001
        return scores_of(grader, response, Mark.error(f"the grader failed: {type(error).__name__}: {error}"))
