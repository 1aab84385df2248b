"""What was decided before of the same question, and which answers served before: nothing turns green unnoticed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from snapdrift.conclusions import Draw, EarlierVerdict, Evaluation
from snapdrift.errors import StoreError
from snapdrift.model import sha256
from snapdrift.pipeline.strange_runs import taken_from
from snapdrift.store import RunHeader, StoredRun, open_run
from snapdrift.store.codec import to_json
from snapdrift.store.draws import StoredDraw, shared
from snapdrift.store.verdict_log import LoggedVerdict, read_verdicts

REACHED = "reached"
"""Under this name a run file keeps which of its hosts were real (their URLs) and whether a stand-in was among them."""


SAME_DRAW = 0.5
"""Two draws count as one where at least this share of their answers is the same."""
_BUDGETS = ("budget_usd", "budget_per_day")
"""Of a gate, what says how much may be asked and nothing of what is decided."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """An evaluation that knows of the verdicts before it, and the line by which it will be remembered."""

    evaluation: Evaluation
    verdict: LoggedVerdict


def remembered(evaluation: Evaluation, stored: StoredRun, now: datetime) -> Remembered:
    """The evaluation with its draws and the verdicts that were made on the same question before.

    A partial run is no verdict: it neither knows nor is remembered for more than its name.
    """
    if stored.header.partial:
        return Remembered(evaluation, replace(verdict_of(stored, evaluation, now, {}), question="", facets={}))
    draws = stored.draws()
    verdict = verdict_of(stored, evaluation, now, draws)
    logged = known_verdicts(stored.path.parent, stored.header.suite, but=stored.path)
    earlier = tuple(_earlier(one, verdict) for one in logged if one.question == verdict.question)
    found = tuple(_draw(name, draw, verdict.run_id, logged, now) for name, draw in draws.items())
    return Remembered(replace(evaluation, draws=found, earlier=earlier), verdict)


def verdict_of(
    stored: StoredRun, evaluation: Evaluation, decided_at: datetime | str, draws: Mapping[str, StoredDraw]
) -> LoggedVerdict:
    """The line of the log for what was concluded from a run."""
    header = stored.header
    reached = json.loads(stored.meta(REACHED) or "[]")
    return LoggedVerdict(
        run_id=header.run_id,
        attempt=header.attempt,
        suite=header.suite,
        gate=header.gate,
        decided_at=decided_at if isinstance(decided_at, str) else decided_at.isoformat(timespec="seconds"),
        decision=evaluation.decision.word,
        identity=header.identity,
        question=sha256([header.suite, header.gate, to_json(header.variants), reached]),
        facets=_facets(header, stored.case_ids()),
        draws={name: draw.sketch for name, draw in draws.items()},
    )


def known_verdicts(directory: Path, suite: str, *, but: Path | None = None) -> tuple[LoggedVerdict, ...]:
    """The verdicts on the suite's whole runs in the order in which they were made, as far as the state folder knows.

    From the log, and from run files that it does not name; the file `but` is not opened.
    """
    lines = read_verdicts(directory)
    named = {verdict.run_id for verdict in lines}
    logged = [verdict for verdict in lines if verdict.suite == suite and verdict.question]
    for path in sorted(directory.glob("*.db")):
        if path.stem not in named and path != but:
            logged += _unlogged(path, suite)
    return tuple(sorted(logged, key=lambda verdict: verdict.decided_at))


def earlier_decisions(directory: Path, suite: str, identity: str) -> tuple[LoggedVerdict, ...]:
    """The last verdict of each run with this identity, oldest first: what starting anew would not take up."""
    same = [verdict for verdict in known_verdicts(directory, suite) if verdict.identity == identity]
    return tuple({verdict.run_id: verdict for verdict in same}.values())


def _unlogged(path: Path, suite: str) -> list[LoggedVerdict]:
    """The verdict of a run file that the log does not name; none where it is another suite's, partial or unreadable.

    A file that anybody may have put there must not end a run that was paid for.
    """
    try:
        with taken_from(path), open_run(path) as stored:
            if stored.header.suite != suite or stored.header.partial:
                return []
            evaluation, finished_at = stored.evaluation, stored.finished_at
            if evaluation is None or finished_at is None:
                return []
            return [verdict_of(stored, evaluation, finished_at, stored.draws())]
    except StoreError:
        return []


def _facets(header: RunHeader, case_ids: Sequence[str]) -> dict[str, str]:
    """What can be changed to ask the same question once more, by the word that a report has for it."""
    suite = header.suite_stored
    gate = {key: value for key, value in suite["gates"][header.gate].items() if key not in _BUDGETS}
    return {
        "commit": header.git_commit or "",
        "dataset": header.dataset_hash,
        "cases": sha256(sorted(case_ids)),
        "seed": str(header.seed),
        "repeats": str(header.planned_repeats),
        "graders": sha256([suite["graders"], suite["versions"]]),
        "gate": sha256(gate),
        "stopping": str(bool(suite.get("early_stop"))),
        "calibration": str(bool(suite.get("require_calibration"))),
        "accepted": sha256(sorted((one["case"], one["metric"]) for one in suite.get("accepted", ()))),
    }


def _earlier(one: LoggedVerdict, this: LoggedVerdict) -> EarlierVerdict:
    differs = tuple(name for name, value in this.facets.items() if one.facets.get(name, value) != value)
    same_run = one.run_id == this.run_id
    return EarlierVerdict(one.run_id, one.attempt, one.decided_at, one.decision, same_run, differs)


def _draw(variant: str, draw: StoredDraw, run_id: str, logged: Sequence[LoggedVerdict], now: datetime) -> Draw:
    """The draw with the verdicts of other runs that it served.

    Deciding again on a run's own answers is no further chance: it is told as what this run was decided before.
    """
    served = [
        verdict
        for verdict in logged
        if verdict.run_id != run_id
        and any(shared(draw.sketch, sketch) >= SAME_DRAW for sketch in verdict.draws.values())
    ]
    oldest = min([draw.oldest, *(verdict.decided_at for verdict in served)]) if draw.oldest else ""
    return Draw(variant, draw.digest, draw.answers, oldest, draw.newest, _age_days(oldest, now), len(served))


def _age_days(moment: str, now: datetime) -> int:
    try:
        then = datetime.fromisoformat(moment)
    except ValueError:
        return 0
    return max(0, (now - (then if then.tzinfo else then.replace(tzinfo=UTC))).days)
