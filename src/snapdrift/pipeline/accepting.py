"""Acceptances on their way into a run: read with the suite, and bounded by what the margins of its gate bear."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.acceptances import accepted_by_metric, most_accepted
from snapdrift.errors import AcceptancesError, Problem, SnapdriftError, UsageError
from snapdrift.model import Gate

if TYPE_CHECKING:
    from snapdrift.conclusions import Sufficiency
    from snapdrift.pipeline.options import RunOptions
    from snapdrift.suites.registry import GraderRegistry, ModelFacts
    from snapdrift.suites.resolved import Suite
    from snapdrift.suites.workspace import Workspace

_NAME = "accepted.yaml"


@dataclass(frozen=True, slots=True)
class CheckedAcceptances:
    """A file of acceptances that is right: how many of each suite, and the day on which the first of them ends."""

    file: str
    suites: Mapping[str, int]
    first_end: str


def today() -> date:
    """The day by which acceptances hold or are over (UTC)."""
    return datetime.now(UTC).date()


def with_acceptances(suite: Suite, workspace: Workspace) -> Suite:
    """The suite with the losses that are accepted for it. Raises `AcceptancesError` with every mistake."""
    from snapdrift.suites.accepted import accept, read_accepted, suite_files

    def suites() -> set[str]:
        return {suite.name, *suite_files(workspace), *_beside(suite, workspace)}

    file = read_accepted(workspace, today(), suites, suite.name)
    if file is None:
        return suite
    return accept(suite, file, today())


def _beside(suite: Suite, workspace: Workspace) -> set[str]:
    """The names of suites in the folder of one that is not in `evals/`."""
    from snapdrift.suites.accepted import suite_name

    folder = (workspace.root / suite.path).parent
    return {name for path in sorted(folder.glob("*.y*ml")) if (name := suite_name(path)) is not None}


def without_accepted(
    suite: Suite, gate: Gate, applicable: Mapping[str, frozenset[str]]
) -> Mapping[str, frozenset[str]]:
    """The cases that each metric is compared on: those that it applies to, but for the accepted ones."""
    if not suite.accepted:
        return applicable
    accepted = accepted_by_metric(suite.accepted, _margins(gate))
    return {metric: cases - accepted.get(metric, frozenset()) for metric, cases in applicable.items()}


def with_left_out_told(
    found: Iterable[Sufficiency],
    applicable: Mapping[str, frozenset[str]],
    compared: Mapping[str, frozenset[str]],
    asked: Iterable[str],
) -> tuple[Sufficiency, ...]:
    """What a gate can see, in sentences that say how many of the cases `asked` acceptances take out of a metric.

    `compared` are the cases that `without_accepted` leaves of the `applicable` ones.
    """
    ids = frozenset(asked)
    return tuple(
        replace(one, detail=f"{one.detail} {_left_out(out)}") if out else one
        for one in found
        for out in [
            len((applicable[one.metric] - compared[one.metric]) & ids if one.metric in applicable else frozenset())
        ]
    )


def _left_out(cases: int) -> str:
    return f"({cases} accepted case{' is' if cases == 1 else 's are'} left out, evals/{_NAME})"


def require_bounded(suite: Suite, gate: Gate, applicable: Mapping[str, frozenset[str]]) -> None:
    """Raises `UsageError` where more is accepted of a metric than its margin bears.

    `applicable` are those of the whole dataset: a sample has of either its share, by chance sometimes more.
    """
    margins = _margins(gate) if suite.accepted else {}
    for metric, accepted in accepted_by_metric(suite.accepted, margins).items():
        cases, margin = applicable.get(metric, frozenset()), margins[metric] or 0.0
        asked = len(accepted & cases)
        most = most_accepted(margin, len(cases))
        if asked > most:
            raise UsageError(
                f"{suite.path}: gate {gate.name}: found {asked} accepted cases of the {len(cases)} that {metric} "
                f"applies to; expected at most {most}, which hide no larger drop than the margin of {margin:g}: mend "
                "the grader or what is expected, widen the margin, or take entries out of evals/accepted.yaml"
            )


def _margins(gate: Gate) -> dict[str, float | None]:
    return {entry.metric: entry.margin for entry in gate.metrics}


def suites_only(paths: Iterable[Path]) -> list[Path]:
    """The paths without the workspace's file of acceptances, which `evals/*.yaml` brings along."""
    return [path for path in paths if not _is_accepted(path)]


def _is_accepted(path: Path) -> bool:
    if path.name != _NAME or not path.is_file():
        return False
    from snapdrift.suites.accepted import is_accepted_file
    from snapdrift.suites.workspace import find_workspace

    return is_accepted_file(path, find_workspace(path))


def check_acceptances(paths: Sequence[Path], options: RunOptions) -> CheckedAcceptances | None:
    """The acceptances among the paths, held against every suite that they name; None where they are not among them.

    Raises one `AcceptancesError` with all mistakes, and `UsageError` for a suite that cannot be loaded.
    """
    found = [path for path in paths if _is_accepted(path)]
    if not found:
        return None
    from snapdrift.graders.registry import Registry
    from snapdrift.pipeline.own_code import refusal
    from snapdrift.pipeline.prepare import workspace_catalog
    from snapdrift.suites.accepted import ACCEPTED_FILE, accept, read_accepted, suite_files
    from snapdrift.suites.workspace import find_workspace

    workspace = find_workspace(found[0])
    named = [path for path in paths if path not in found and path.is_file()]
    known = {**suite_files(workspace), **_named(named)}
    file = read_accepted(workspace, today(), known.keys)
    if file is None:  # between the two looks at it somebody took it away
        return None
    registry = Registry(refusal=refusal(workspace, allowed=options.code))
    catalog, problems = workspace_catalog(workspace), list[Problem]()
    for name in dict.fromkeys(entry.suite for entry in file.entries):
        try:
            accept(_loaded(known[name], workspace, registry, catalog), file, today())
        except AcceptancesError as error:
            problems += error.problems
    if problems:
        raise AcceptancesError(problems)
    counts = Counter(entry.suite for entry in file.entries)
    return CheckedAcceptances(ACCEPTED_FILE, dict(counts), min((entry.until for entry in file.entries), default=""))


def _named(paths: Iterable[Path]) -> dict[str, Path]:
    from snapdrift.suites.accepted import suite_name

    return {name: path for path in paths if (name := suite_name(path)) is not None}


def _loaded(path: Path, workspace: Workspace, registry: GraderRegistry, catalog: ModelFacts) -> Suite:
    from snapdrift.suites.loader import load_suite

    try:
        return load_suite(path, workspace, registry, catalog)
    except SnapdriftError as error:
        raise UsageError(f"{error}\nthe acceptances of this suite cannot be checked before that is mended") from None
