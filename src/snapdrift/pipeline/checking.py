"""`check`: every suite of a command as `run` would have it; what is wrong with one hides nothing of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from snapdrift.errors import SeveralErrors, SnapdriftError
from snapdrift.pipeline.options import RunOptions
from snapdrift.pipeline.prepare import (
    Prepared,
    prepare_each,
    require_none,
    require_sufficient,
    require_together,
)


@dataclass(frozen=True, slots=True)
class CheckedSuite:
    """A suite that is right, and the same under each of its other gates, where these were to be looked at."""

    prepared: Prepared
    others: tuple[Prepared, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """What checking several suites came to: those that are right, and what is wrong with each of the others."""

    right: tuple[CheckedSuite, ...]
    errors: tuple[SnapdriftError, ...]

    def require_right(self) -> None:
        """Raises one `SnapdriftError` with the mistakes of all suites, if there are any."""
        require_none(self.errors)
        require_together([one.prepared for one in self.right])


def check_each(paths: Sequence[Path], options: RunOptions, *, other_gates: bool) -> Checked:
    """Validates each suite as `run` would before it sends anything, with `other_gates` under all of its gates.

    Raises `UsageError` when there are no suites.
    """
    each = prepare_each(paths, options)
    right: list[CheckedSuite] = []
    errors = list(each.errors)
    for one in each.prepared:
        try:
            require_sufficient(one)
            right.append(CheckedSuite(one, check_other_gates(one, options) if other_gates else ()))
        except SeveralErrors as several:
            errors += several.errors
        except SnapdriftError as error:
            errors.append(error)
    return Checked(tuple(right), tuple(errors))


def check_other_gates(prepared: Prepared, options: RunOptions) -> tuple[Prepared, ...]:
    """The suite under each of its other gates, which have to be right as well: nights and releases come later.

    Raises one `SnapdriftError` with what is wrong with any of them.
    """
    from snapdrift.pipeline.under_gate import under_gate  # `check` of one gate does without it

    found, errors = [], []
    suite = prepared.loaded or prepared.suite
    for name in suite.gates:
        if name == prepared.gate.name:
            continue
        try:
            one = under_gate(prepared.workspace, suite, prepared.catalog, replace(options, gate=name))
            require_sufficient(one)
        except SnapdriftError as error:
            errors.append(error)
        else:
            found.append(one)
    require_none(errors)
    return tuple(found)
