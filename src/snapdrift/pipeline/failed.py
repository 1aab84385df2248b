"""`--failed RUN`: the cases of a stored run that failed on a candidate, or that it could not measure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.errors import NothingFailed, StoreError, UsageError
from snapdrift.model import Alone, Gate, Pair, Severity
from snapdrift.pipeline.concluding import require_finished
from snapdrift.pipeline.strange_runs import taken_from
from snapdrift.store import StoredRun, find_run, list_runs, open_run

if TYPE_CHECKING:
    from snapdrift.suites.resolved import Suite

LATEST = "latest"
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class FailedCases:
    """The cases of a run that are to be asked again, in the suite's order.

    `failed` says on which metrics a case failed (on some candidate, in some repeat), `unmeasured` what has no result:
    `the answer`, or the metric that could not be graded. A case can be in both. `gone` are no longer in the dataset.
    """

    run_id: str
    variants: tuple[str, ...]
    failed: dict[str, tuple[str, ...]]
    unmeasured: dict[str, tuple[str, ...]]
    gone: tuple[str, ...] = ()

    @property
    def ids(self) -> frozenset[str]:
        """All of them that the dataset still has."""
        return frozenset((*self.failed, *self.unmeasured)) - frozenset(self.gone)

    def sentence(self) -> str:
        """Which cases these are and why, counted."""
        why = [f"{len(cases)} failed {metric}" for metric, cases in _by_reason(self.failed).items()]
        why += [f"{len(cases)} without {what}" for what, cases in _by_reason(self.unmeasured).items()]
        names = [case for case in dict.fromkeys((*self.failed, *self.unmeasured)) if case not in self.gone]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        gone = f"; {len(self.gone)} no longer in the dataset" if self.gone else ""
        which = f"{len(names)} case{'' if len(names) == 1 else 's'} of run {self.run_id}"
        return f"{which} ({', '.join(names[:_SHOWN])}{more}): {', '.join(why)}, on {', '.join(self.variants)}{gone}"


def failed_cases(texts: Sequence[str], suite: Suite, variants: Sequence[str], runs_dir: Path) -> FailedCases:
    """What is to be asked again of the run of this suite among those named; `latest` is the suite's newest.

    `variants` are those that `--variant` names, none where it names none. Raises `UsageError` where no run named is of
    the suite, or several are, where the variants have no part in it; `NothingFailed` where nothing in it failed.
    """
    path = _run_of(texts, suite, runs_dir)
    with taken_from(path), open_run(path) as stored:
        require_finished(stored)
        judged = _judged(stored)
        wanted = tuple(name for name in judged if not variants or name in variants)
        if not wanted:
            raise UsageError(
                f"{suite.path}: --failed: found that run {path.stem} judged {', '.join(judged)}, and --variant with "
                f"{', '.join(variants)}; expected one of those that were judged, or no --variant"
            )
        found = _read(stored, wanted, [case.id for case in suite.cases])
    if not found.ids:
        what = "their cases are no longer in the dataset" if found.gone else "nothing failed and all was measured"
        raise NothingFailed(
            f"{suite.path}: --failed: found no case to ask again in run {found.run_id}: on {', '.join(wanted)} {what}; "
            "run the suite without --failed"
        )
    return found


def _run_of(texts: Sequence[str], suite: Suite, runs_dir: Path) -> Path:
    """The one run among those named that is of the suite."""
    paths, others = dict[Path, None](), []
    for text in texts:
        path = _newest(suite.name, runs_dir) if text == LATEST else find_run(text, runs_dir)
        with taken_from(path), open_run(path) as stored:
            if stored.header.suite == suite.name:
                paths[path.resolve()] = None
            else:
                others.append(f"{stored.header.run_id} of {stored.header.suite}")
    if len(paths) == 1:
        return next(iter(paths))
    found = ", ".join(path.stem for path in paths) if paths else ", ".join(others)
    expected = f"expected one run of {suite.name}" + ("" if paths else f", such as `{LATEST}`")
    raise UsageError(f"{suite.path}: --failed: found {'the runs ' if paths else ''}{found}; {expected}")


def _newest(suite: str, runs_dir: Path) -> Path:
    for run in list_runs(runs_dir) if runs_dir.is_dir() else ():
        if run.suite == suite and run.decision is not None:
            return run.path
    raise StoreError(f"there is no finished run of {suite} in {runs_dir}; make one with `snapdrift run SUITE`")


def _judged(stored: StoredRun) -> tuple[str, ...]:
    """The candidates that were run, compared or without a baseline; every variant where the gate has none of them."""
    header = stored.header
    names = [variant.name for variant in header.variants]
    kept = stored.suite["gates"][header.gate]
    gate = Gate(
        header.gate,
        pairs=tuple(Pair(base, candidate, Severity(word)) for base, candidate, word in kept["pairs"]),
        alone=tuple(Alone(candidate, Severity(word)) for candidate, word in kept.get("alone", ())),
    )
    candidates = gate.judged(names)
    return tuple(name for name in names if name in candidates) or tuple(names)


def _read(stored: StoredRun, variants: Sequence[str], known: Sequence[str]) -> FailedCases:
    failed: dict[str, dict[str, None]] = {}
    unmeasured: dict[str, dict[str, None]] = {}
    spared = stored.spared_cases()
    for call in stored.open_calls():
        if call.variant in variants and call.case_id not in spared:
            unmeasured.setdefault(call.case_id, {})["an answer"] = None
    for score in stored.score_values():
        if score.variant not in variants:
            continue
        if score.value is None:
            unmeasured.setdefault(score.case_id, {})[f"a score of {score.metric}"] = None
        elif score.passed is False:
            failed.setdefault(score.case_id, {})[score.metric] = None
    gone = tuple(sorted({*failed, *unmeasured} - set(known)))
    order = [case for case in (*known, *gone) if case in failed or case in unmeasured]
    return FailedCases(
        stored.header.run_id, tuple(variants), _in_order(order, failed), _in_order(order, unmeasured), gone
    )


def _in_order(order: Iterable[str], found: dict[str, dict[str, None]]) -> dict[str, tuple[str, ...]]:
    return {case: tuple(found[case]) for case in order if case in found}


def _by_reason(found: dict[str, tuple[str, ...]]) -> dict[str, list[str]]:
    by_reason: dict[str, list[str]] = {}
    for case, reasons in found.items():
        for reason in reasons:
            by_reason.setdefault(reason, []).append(case)
    return by_reason
