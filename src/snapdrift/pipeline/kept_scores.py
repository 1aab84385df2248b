"""Scores of then that count in a run as they are: of judges that need not be asked again, and of answers left out.

They are in the run file beside the plan, so that a run can be resumed and graded again without the archive.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from snapdrift.baselines import BaselineFacts
from snapdrift.model import CallKey, Score
from snapdrift.store import codec

if TYPE_CHECKING:
    from snapdrift.graders.base import Grader
    from snapdrift.store import StoredRun

BASELINE = "baseline"
"""Under this name a run file keeps what is known of its baseline."""
BASELINE_SCORES = "baseline_scores"
"""Under this name it keeps the scores of then that count."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Scores of then by call and grader; a grader of another version than theirs grades the answer itself."""

    scores: Mapping[tuple[CallKey, str], tuple[Score, ...]] = field(default_factory=dict)

    def of(self, call: CallKey, grader: Grader) -> tuple[Score, ...] | None:
        """The scores of an answer by a grader as it is now; None where it grades the answer itself."""
        found = self.scores.get((call, grader.name))
        return found if found and all(score.version == grader.version for score in found) else None

    def left(self, call: CallKey, graders: Iterable[Grader]) -> tuple[Grader, ...]:
        """Those of the graders that grade the answer themselves."""
        if not self.scores:
            return tuple(graders)
        return tuple(grader for grader in graders if self.of(call, grader) is None)


NOTHING_KEPT = Kept()


def kept_of(stored: StoredRun, graders: Iterable[Grader]) -> Kept:
    """The scores of then that a run file keeps. Raises `StoreError` where it says something else."""
    text = stored.meta(BASELINE_SCORES)
    if not text:
        return NOTHING_KEPT
    grader_of = {metric.name: grader.name for grader in graders for metric in grader.metrics}
    found: dict[tuple[CallKey, str], list[Score]] = defaultdict(list)
    for score in codec.loads(tuple[Score, ...], text, f"{stored.path}: {BASELINE_SCORES}"):
        if score.metric in grader_of:
            call = CallKey(score.case_id, score.variant, score.repeat)
            found[call, grader_of[score.metric]].append(score)
    return Kept({key: tuple(scores) for key, scores in found.items()})


def baseline_of(stored: StoredRun) -> BaselineFacts | None:
    """What a run file says of its baseline; None where that is a variant as any other. Raises `StoreError`."""
    text = stored.meta(BASELINE)
    return codec.loads(BaselineFacts, text, f"{stored.path}: {BASELINE}") if text else None
