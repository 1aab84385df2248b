"""What was decided before of the same question, and which answers served before: nothing turns green unnoticed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from snapdrift.conclusions import Draw, EarlierVerdict, Evaluation
from snapdrift.errors import StoreError
from snapdrift.model import sha256
from snapdrift.store import RunHeader, StoredRun, open_run
from snapdrift.store.codec import to_json
from snapdrift.store.verdict_log import LoggedVerdict, append_verdict, read_verdicts

REACHED = "reached"
"""Under this name a run file keeps which of its hosts were real (their URLs) and whether a stand-in was among them."""


def with_reruns(evaluation: Evaluation, stored: StoredRun, now: datetime) -> Evaluation:
    """The evaluation of a whole run with its draws, and the verdicts that were made on the same question before."""
    directory = stored.path.parent
    if stored.header.partial:
        return evaluation
    logged = known_verdicts(directory, stored.header.suite, but=stored.path)
    this = verdict_of(stored, evaluation, now)
    earlier = tuple(_earlier(one, this) for one in logged if one.question == this.question)
    return replace(evaluation, draws=_draws(stored, logged, now), earlier=earlier)


def log_verdict(evaluation: Evaluation, stored: StoredRun, now: datetime) -> None:
    """Puts the verdict where deleting the run does not take it away; of a partial run only that it is none."""
    verdict = verdict_of(stored, evaluation, now)
    if stored.header.partial:
        verdict = replace(verdict, question="", facets={}, draws={})
    append_verdict(stored.path.parent, verdict)


def verdict_of(stored: StoredRun, evaluation: Evaluation, decided_at: datetime | str) -> LoggedVerdict:
    """The line of the log for what was concluded from a run."""
    header = stored.header
    reached = json.loads(stored.meta(REACHED) or "[]")
    digests = {draw.variant: draw.digest for draw in evaluation.draws}
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
        draws=digests or {name: draw.digest for name, draw in stored.draws().items()},
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
    """The verdict of a run file that the log does not name; none where it is another suite's, partial or unreadable."""
    try:
        with open_run(path) as stored:
            if stored.header.suite != suite or stored.header.partial:
                return []
            evaluation, finished_at = stored.evaluation, stored.finished_at
            if evaluation is None or finished_at is None:
                return []
            return [verdict_of(stored, evaluation, finished_at)]
    except StoreError:
        return []


def _facets(header: RunHeader, case_ids: Sequence[str]) -> dict[str, str]:
    """What can be changed to ask the same question once more, by the word that a report has for it."""
    suite = header.suite_stored
    gate = {key: value for key, value in suite["gates"][header.gate].items() if key != "budget_usd"}
    return {
        "commit": header.git_commit or "",
        "dataset": header.dataset_hash,
        "cases": sha256(sorted(case_ids)),
        "seed": str(header.seed),
        "repeats": str(header.planned_repeats),
        "graders": sha256([suite["graders"], suite["versions"]]),
        "gate": sha256(gate),
    }


def _earlier(one: LoggedVerdict, this: LoggedVerdict) -> EarlierVerdict:
    differs = tuple(name for name, value in this.facets.items() if one.facets.get(name, value) != value)
    same_run = one.run_id == this.run_id
    return EarlierVerdict(one.run_id, one.attempt, one.decided_at, one.decision, same_run, differs)


def _draws(stored: StoredRun, logged: Sequence[LoggedVerdict], now: datetime) -> tuple[Draw, ...]:
    found = []
    for variant, draw in stored.draws().items():
        served = [verdict for verdict in logged if draw.digest in verdict.draws.values()]
        oldest = min([draw.oldest, *(verdict.decided_at for verdict in served)]) if draw.oldest else ""
        age = _age_days(oldest, now)
        found.append(Draw(variant, draw.digest, draw.answers, oldest, draw.newest, age, len(served)))
    return tuple(found)


def _age_days(moment: str, now: datetime) -> int:
    try:
        then = datetime.fromisoformat(moment)
    except ValueError:
        return 0
    return max(0, (now - (then if then.tzinfo else then.replace(tzinfo=UTC))).days)
