"""How to go on with a run that ended early, and what its suite's file says now that it may spend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from snapdrift.execution.budget import LimitKind
from snapdrift.suites.file_budgets import budgets_in, is_same_but_budgets
from snapdrift.suites.workspace import PathError

if TYPE_CHECKING:
    from snapdrift.store import RunHeader
    from snapdrift.suites.resolved import Suite
    from snapdrift.suites.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Stopped:
    """Why asking ended early, in words, empty where it did not; and the limit that ended it, where money did."""

    why: str = ""
    limit: LimitKind | None = None


def way_on(header: RunHeader, suite: Suite, stopped: Stopped) -> str:
    """How to go on with a run, empty where to resume it is all that it takes: what ended it may end it again."""
    resume = f"snapdrift resume {header.run_id}"
    gate = suite.gates[header.gate]
    match stopped.limit:
        case LimitKind.RUN:
            own = gate.budget_usd is not None and header.shard is None  # a shard's share is laid under its gate
            where = f" of gate {gate.name}" if own else ""
            return f"raise budget.usd{where} in {suite.path}, and nothing else there; then {resume}"
        case LimitKind.DAY:
            return f"tomorrow (UTC), or once budget.per_day in {suite.path} is raised: {resume}"
        case LimitKind.COMMAND:
            return f"{resume} --max-usd X (what is spent already does not count in it)"
        case None:
            return ""


def with_budgets_of_now(suite: Suite, header: RunHeader, workspace: Workspace, notice: Callable[[str], None]) -> Suite:
    """The suite of a stored run with the budgets that its file has now, as `run` would take the run up.

    Only where nothing else in the file changed: else it is another suite, whose budget is for other questions. That is
    said where it would have had another budget.
    """
    try:
        source = workspace.read(suite.path)
    except PathError:  # moved, or a run file from elsewhere: there is no other budget than that of then
        return suite
    now = budgets_in(source, suite.path, workspace)
    if now is None:
        return suite
    if not is_same_but_budgets(source, suite.source, suite.path):
        gate = header.gate
        if now.of(gate) != (suite.budget_for(gate), suite.budget_per_day_for(gate)):
            notice(
                f"{suite.path} changed in more than its budget since run {header.run_id} began, so the budget of then "
                "stands; `snapdrift run` asks the suite as it is now"
            )
        return suite
    gates = {
        name: replace(suite.gates[name], budget_usd=own.usd, budget_per_day=own.per_day)
        for name, own in now.gates.items()
        if name in suite.gates
    }
    return replace(suite, budget_usd=now.whole.usd, budget_per_day=now.whole.per_day, gates={**suite.gates, **gates})
