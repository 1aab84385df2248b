"""`--shard I/N`: one plan that several commands carry out, each a part of its cases. `docs/design/fleet.md` says how.

A shard is a run file like any other, with the place of its part in its header. It is not gated: its command ends with
0 where its part is there, and what the whole comes to is for `merge` to say.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from snapdrift.errors import StoreError, UsageError
from snapdrift.execution.shards import deal_cases
from snapdrift.exit_codes import ExitCode
from snapdrift.model import Call, Case, sha256
from snapdrift.pipeline.options import Shard
from snapdrift.store import RunHeader, ShardOf, StoredRun

if TYPE_CHECKING:
    from snapdrift.pipeline.prepare import Prepared
    from snapdrift.suites.resolved import Suite

WHOLE_CASES = "whole_cases"
"""Under this name a shard keeps the ids of all cases of the whole, in the dataset's order: what nobody ran is seen."""


@dataclass(frozen=True, slots=True)
class ShardEnding:
    """How a shard ended: of its `planned` calls, how many were `measured`, and whether that is enough to be merged."""

    of: ShardOf
    planned: int
    measured: int
    enough: bool

    @property
    def exit_code(self) -> ExitCode:
        """What the shard's command ends with: the decision is the whole's."""
        return ExitCode.PASSED if self.enough else ExitCode.INCOMPLETE

    def __str__(self) -> str:
        short = "" if self.enough else "; it is short, go on with `snapdrift resume`"
        return (
            f"{self.of}: {self.measured} of {self.planned} calls measured{short}; "
            f"not gated by itself: `snapdrift merge` puts all {self.of.count} together and decides"
        )


def require_shardable(prepared: Sequence[Prepared], shard: Shard | None) -> None:
    """Raises `UsageError` for what cannot be cut into so many shards."""
    if shard is None:
        return
    for one in prepared:
        if one.design is not None:
            raise UsageError(
                f"{one.suite.path}: --shard: found a gate that is looked at while it is asked (early stopping, or "
                "`inconclusive: extend`); expected a gate without, for a look needs the answers of all shards. "
                "`--engine ray` can look"
            )
        if one.frozen is not None:
            raise UsageError(
                f"{one.suite.path}: --shard: found kept answers as the baseline; expected one that is asked, for "
                "shards share what is asked. `--engine ray` asks with several workers"
            )
        _dealt(one, shard)


def part_of(prepared: Prepared, shard: Shard | None) -> Prepared:
    """What a command asks of a prepared suite: all of it, or the cases and the share of the budget of one shard."""
    if shard is None:
        return prepared
    own = _dealt(prepared, shard)[shard.index - 1]
    suite = with_share_of_budget(prepared.suite, prepared.gate.name, len(own), len(prepared.cases))
    return replace(prepared, suite=suite, cases=tuple(case for case in prepared.cases if case.id in own))


def _dealt(prepared: Prepared, shard: Shard) -> tuple[frozenset[str], ...]:
    try:
        return deal_cases(prepared.cases, shard.count, prepared.suite.seed)
    except ValueError as error:
        raise UsageError(
            f"{prepared.suite.path}: --shard {shard.index}/{shard.count}: {error}; expected at most as many shards as "
            "there are clusters (a case without a cluster is one)"
        ) from None


def with_share_of_budget(suite: Suite, gate: str, own: int, whole: int) -> Suite:
    """The suite with the part of its budget that a shard of `own` of the `whole` number of cases may spend.

    Every case has as many calls, so that is the part of the planned calls that are its own; all together keep to the
    budget, for a part is rounded down.
    """
    budget = suite.budget_for(gate)
    if budget is None or own == whole:
        return suite
    exact = Fraction(budget) * own / whole
    part = float(exact)
    part = part if part <= exact else math.nextafter(part, 0)
    return replace(suite, gates={**suite.gates, gate: replace(suite.gates[gate], budget_usd=part)})


def with_own_budget(suite: Suite, stored: StoredRun) -> Suite:
    """The suite of a stored run with what that run, which may be a shard, may spend of its budget. Raises `StoreError`.

    A shard keeps which cases are its own and which the whole has: its part is what it was when it was begun.
    """
    if stored.header.shard is None:
        return suite
    own, whole = set(stored.case_ids()), set(whole_cases(stored))
    if not own or not own <= whole:
        raise StoreError(f"{stored.path}: damaged, the cases of the shard are not among those of the whole")
    return with_share_of_budget(suite, stored.header.gate, len(own), len(whole))


def as_shard(header: RunHeader, shard: Shard | None) -> RunHeader:
    """The header of a whole run as that of one of its shards, which is a run of its own and not gated."""
    if shard is None:
        return header
    of = ShardOf(shard.index, shard.count, header.identity, header.partial)
    return replace(header, identity=identity_of(of), partial=True, shard=of)


def identity_of(shard: ShardOf) -> str:
    """The identity by which a shard is taken up again."""
    return sha256([shard.whole, shard.index, shard.count])


def meta_of_shard(cases: Sequence[Case], shard: Shard | None) -> dict[str, str]:
    """What the run file of a shard keeps of the whole, by name."""
    return {} if shard is None else {WHOLE_CASES: json.dumps([case.id for case in cases])}


def whole_cases(stored: StoredRun) -> tuple[str, ...]:
    """The ids of all cases of the whole that a shard is of. Raises `StoreError`."""
    from snapdrift.store import codec

    place = f"{stored.path}: {WHOLE_CASES}"
    return codec.from_json(tuple[str, ...], codec.parse(stored.meta(WHOLE_CASES) or "", place), place)


def calls_of_shard(calls: Iterable[Call], part: Prepared) -> Iterator[Call]:
    """The calls of a whole plan that are about the cases of a part, each at its place in the whole."""
    own = {case.id for case in part.cases}
    return (call for call in calls if call.key.case_id in own)


def ending_of(stored: StoredRun, suite: Suite, stopped: str) -> ShardEnding | None:
    """How a run ended that is a shard; None of another. `stopped` says why asking ended early, empty when it did not.

    Enough is what the gate asks of the whole as coverage, and never nothing.
    """
    of = stored.header.shard
    if of is None:
        return None
    planned = sum(1 for key in stored.calls() if not key.grader)
    measured = sum(1 for key in stored.answered_keys() if not key.grader)
    wanted = suite.gates[stored.header.gate].coverage
    return ShardEnding(of, planned, measured, not stopped and 0 < measured >= wanted * planned)


def require_shard(stored: StoredRun) -> ShardOf:
    """The place of a run in a whole. Raises `StoreError` for one that is no shard."""
    of = stored.header.shard
    if of is None:
        raise StoreError(
            f"{stored.path}: a run of its own, no shard; expected the runs that `snapdrift run --shard I/N` made"
        )
    return of
