"""`merge`: the shards of a run put together as one, which is then concluded like any other.

Nothing is asked, and no code of the workspace runs but its templates of reports: each shard has its scores, for it
graded its own answers. What the files say is checked before a new one is made of them, for they come from elsewhere.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from snapdrift.errors import Interrupted, StoreError, UsageError
from snapdrift.model import Call, CallKey, Case, sha256
from snapdrift.pipeline.allowance import Allowance
from snapdrift.pipeline.batching import BATCHED
from snapdrift.pipeline.carrying_out import Work, saying_where_it_stands, settle
from snapdrift.pipeline.concluding import STOPPED, load_stored_suite, write_ci_files
from snapdrift.pipeline.indexing import refresh_index
from snapdrift.pipeline.kept_scores import BASELINE
from snapdrift.pipeline.merge_folders import Picked, pick_shards
from snapdrift.pipeline.options import RunOptions, RunOutcome
from snapdrift.pipeline.own_code import require_templates_allowed
from snapdrift.pipeline.provenance import concluding_versions, measuring_versions
from snapdrift.pipeline.reruns import REACHED
from snapdrift.pipeline.reuse_rules import CACHE, NEVER
from snapdrift.pipeline.run_files import TARGET, locate_run, runs_dir, workspace_for
from snapdrift.pipeline.sharding import identity_of, require_shard, whole_cases
from snapdrift.pipeline.spending import DOLLARS, SENTENCES
from snapdrift.pipeline.targets import Target
from snapdrift.store import RunHeader, RunState, RunWriter, StoredRun, codec, new_run_id, open_run, run_path
from snapdrift.store.cache_answers import REUSABLE
from snapdrift.store.drafts import MERGING
from snapdrift.store.merging import copy_shards
from snapdrift.store.writer import require_whole

if TYPE_CHECKING:
    from snapdrift.suites.workspace import Workspace
    from snapdrift.unasked import Unasked

T = TypeVar("T")
_GLOB = re.compile(r"[*?\[]")
MERGED = "merged"
"""Under this name a merged run keeps which runs it was made of."""
_ALIKE = (TARGET, BATCHED, REACHED, BASELINE)
"""What is said of a run as a whole and holds for each of its shards."""


def _suite_apart_from_warnings(header: RunHeader) -> dict[str, Any]:
    """What was asked and how it is judged. Warnings say in how many days a model is shut down: they are of a day."""
    return {name: value for name, value in header.suite_stored.items() if name != "warnings"}


_FACTS: tuple[tuple[str, Callable[[RunHeader], Any]], ...] = (
    ("the run that they are shards of", lambda header: header.shard and header.shard.whole),
    ("the number of shards", lambda header: header.shard and header.shard.count),
    ("the gate", lambda header: header.gate),
    ("the suite", _suite_apart_from_warnings),
    ("the dataset", lambda header: header.dataset_hash),
    ("the variants", lambda header: header.variants),
    ("the commit", lambda header: header.git_commit),
    ("the seed", lambda header: header.seed),
    ("the repeats", lambda header: header.planned_repeats),
    ("the facts about models", lambda header: header.catalog),
    ("the assumptions", lambda header: header.assumptions),
    ("the versions of programs", lambda header: measuring_versions(header.versions)),
)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the whole is planned as: its cases in the dataset's order, and its answers' calls in the order of the plan.

    `stopped` says why asking ended early in some shard, empty where it did not.
    """

    cases: tuple[Case, ...]
    calls: tuple[Call, ...]
    stopped: str


def merge_runs(texts: Sequence[str], options: RunOptions, cwd: Path) -> tuple[RunOutcome, ...]:
    """Puts the shards of one run, or of several suites' runs, together and concludes from each whole.

    `texts` name the runs: ids, files, or folders, of which the shards of this commit are taken. Suites of which no
    shard had to ask anything are told to `options.settled` and make no run: there may be no outcome at all. Raises
    `StoreError` for files that are no shards of one whole, and `UsageError` where some of the whole is missing or there
    twice, and for templates of reports where no code may run. The shards stay as they are. `Interrupted` says whether
    there is a whole to go on with.
    """
    named = _named(texts, options, cwd)
    workspace = named.workspace
    require_templates_allowed(workspace, allowed=options.code)
    with ExitStack() as stack:
        by_suite: dict[str, list[StoredRun]] = {}
        for path in named.paths:
            stored = stack.enter_context(open_run(path))
            require_shard(stored)
            require_whole(stored)
            by_suite.setdefault(stored.header.suite, []).append(stored)
        wholes = [_in_order(shards) for shards in by_suite.values()]
        for shards in wholes:  # what cannot be graded or shown here is said before there is a file
            load_stored_suite(shards[0], workspace, code=options.code)
        for result in named.unasked:
            options.settled(result)
        several = len(wholes) > 1
        outcomes = [_merge(shards, workspace, options, several=several) for shards in wholes]
    index = refresh_index(workspace, options) if outcomes else None
    write_ci_files([outcome.view for outcome in outcomes], options.output, named.unasked)
    return tuple(replace(outcome, index=index) for outcome in outcomes)


@dataclass(frozen=True, slots=True)
class _Named:
    """What the command line names: run files, each once, and what the notes in folders say took no run."""

    workspace: Workspace
    paths: tuple[Path, ...]
    unasked: tuple[Unasked, ...]


def _named(texts: Sequence[str], options: RunOptions, cwd: Path) -> _Named:
    if not texts:
        raise UsageError("found no RUN; expected the runs of all shards: their ids, their files, or a folder of them")
    folders = [Path(text) for text in texts if Path(text).is_dir()]
    paths: dict[Path, None] = {}
    for text in (text for text in texts if not Path(text).is_dir()):
        if _GLOB.search(text) and not Path(text).exists():
            raise UsageError(
                f"found {text!r}, and no file that is called so; expected the runs of all shards. Where a shell finds "
                "nothing for a pattern it leaves the pattern: are the files there? A folder can be named instead, and "
                "`merge` says what is in it"
            )
        paths[locate_run(text, options, cwd)[1].resolve()] = None
    workspace = workspace_for(texts[0], cwd)
    picked = pick_shards(folders, workspace, options.notice) if folders else Picked((), ())
    paths |= dict.fromkeys(path.resolve() for path in picked.paths)
    return _Named(workspace, tuple(paths), picked.unasked)


def _merge(shards: Sequence[StoredRun], workspace: Workspace, options: RunOptions, *, several: bool) -> RunOutcome:
    header, plan = _header(shards, options), _plan(shards)
    meta = {name: text for name in _ALIKE if (text := shards[0].meta(name)) is not None}
    meta |= _about_reuse(shards)
    meta |= _about_money(shards)
    meta[MERGED] = " ".join(shard.header.run_id for shard in shards)
    path = run_path(header.run_id, runs_dir(workspace, options))
    # Killed while it is made, it must not be taken up as a run: it gets its name once it is whole.
    unfinished = path.with_suffix(MERGING)
    try:
        with RunWriter.create(unfinished, header, plan.cases, plan.calls, meta) as writer:
            copy_shards(writer, shards, {call.key: call.position for call in plan.calls})
            writer.close(become=path)
    except KeyboardInterrupt:
        if not path.exists():
            raise Interrupted(
                f"interrupted: nothing is merged of {header.suite}, its shards are as they were; merge them again"
            ) from None
        raise
    finally:
        unfinished.unlink(missing_ok=True)
    with RunWriter.open(path) as writer, open_run(path) as stored, saying_where_it_stands(stored):
        suite, catalog = load_stored_suite(stored, workspace, code=options.code)
        work = Work(suite, catalog, workspace, Target({}), options, Allowance.of(options.limits), several)
        return settle(writer, stored, work, plan.stopped)


def _in_order(shards: Sequence[StoredRun]) -> tuple[StoredRun, ...]:
    """The shards by their numbers. Raises where they are not all of one whole, each once, and finished."""
    first = shards[0].header
    if Path(first.suite).name != first.suite or first.suite == ".." or first.suite != shards[0].suite.get("name"):
        raise StoreError(
            f"{shards[0].path}: found the suite name {first.suite[:80]!r}, which names no folder of reports"
        )
    for shard in shards:
        _require_alike(shards[0], shard)
        if shard.state is not RunState.FINISHED:
            run = shard.header.run_id
            raise StoreError(
                f"{shard.path}: {shard.header.shard} is not finished; go on with it where it was run: "
                f"`snapdrift resume {run}`"
            )
    by_number: dict[int, StoredRun] = {}
    for shard in shards:
        number = require_shard(shard).index
        if number in by_number:
            raise UsageError(
                f"{first.suite}: found {shard.header.shard} twice, {by_number[number].path} and {shard.path}; expected "
                "each once: leave out the one that was run again"
            )
        by_number[number] = shard
    count = require_shard(shards[0]).count
    missing = [str(number) for number in range(1, count + 1) if number not in by_number]
    if missing:
        raise UsageError(
            f"{first.suite}: found {len(by_number)} of {count} shards; missing: {', '.join(missing)}. Run them with "
            f"`snapdrift run SUITE --shard {missing[0]}/{count}` and merge all"
        )
    return tuple(by_number[number] for number in sorted(by_number))


def _require_alike(one: StoredRun, other: StoredRun) -> None:
    for what, fact in _FACTS:
        if fact(one.header) != fact(other.header):
            raise StoreError(
                f"{other.path}: {what} is not that of {one.path}{_said(fact(one.header), fact(other.header))}; "
                "expected shards of one run: the same commit, suite, gate, options and program"
            )
    for name in (BATCHED, REACHED):
        if one.meta(name) != other.meta(name):
            raise StoreError(
                f"{other.path}: {name} is {other.meta(name)}, that of {one.path} {one.meta(name)}; "
                "expected shards whose answers come from the same place in the same way"
            )


def _said(one: Any, other: Any) -> str:
    """What differs, where that can be said in a few words."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
        return f" ({', '.join(names[:5])})"
    short = all(isinstance(value, str | int) and len(str(value)) <= 60 for value in (one, other))
    return f" (found {other}, {one} there)" if short else ""


def _header(shards: Sequence[StoredRun], options: RunOptions) -> RunHeader:
    """The whole's header: begun when the first shard was, tried as often as the shard that was tried most.

    How far off a shutdown is, and which bug fix of Python ran, is said as shard 1 says it; it is concluded here.
    """
    headers = [shard.header for shard in shards]
    first, of = headers[0], require_shard(shards[0])
    # Graded again, a run is another than it was asked as.
    identity = of.whole if first.identity == identity_of(of) else sha256([of.whole, first.suite_hash])
    return replace(
        first,
        run_id=new_run_id(datetime.now(UTC), random.SystemRandom()),
        identity=identity,
        partial=of.partial,
        shard=None,
        started_at=min(header.started_at for header in headers),
        attempt=max(header.attempt for header in headers),
        git_dirty=any(header.git_dirty for header in headers) if first.git_dirty is not None else None,
        versions={**first.versions, **concluding_versions()},
        command=options.command,
    )


def _about_money(shards: Sequence[StoredRun]) -> dict[str, str]:
    """What the shards say of money besides their calls, together. Raises `StoreError` for what is no such text.

    Sentences that are true of a shard are true of the whole, and what a shard may have been billed that no stored call
    tells, the whole was, too.
    """
    found: dict[str, str] = {}
    for name in SENTENCES:
        told = [_read(tuple[str, ...], shard, name) for shard in shards if shard.meta(name)]
        if any(told):
            found[name] = json.dumps([text for texts in told for text in texts])
    for name in DOLLARS:
        usd = [_read(float, shard, name) for shard in shards if shard.meta(name)]
        if not all(math.isfinite(amount) and amount >= 0 for amount in usd):
            raise StoreError(f"{shards[0].path}: found {usd} dollars as {name} of the shards; expected amounts")
        if any(usd):
            found[name] = repr(math.fsum(usd))
    return found


def _about_reuse(shards: Sequence[StoredRun]) -> dict[str, str]:
    """Whose answers later runs may reuse, where all shards say the same; that none is to be, where any says so."""
    found: dict[str, str] = {}
    said = [shard.meta(REUSABLE) for shard in shards]
    if said[0] is not None and all(text == said[0] for text in said):
        found[REUSABLE] = said[0]
    if any(shard.meta(CACHE) == NEVER for shard in shards):
        found[CACHE] = NEVER
    return found


def _read(kind: type[T], shard: StoredRun, name: str) -> T:
    place = f"{shard.path}: {name}"
    return codec.from_json(kind, codec.parse(shard.meta(name) or "", place), place)


def _plan(shards: Sequence[StoredRun]) -> _Plan:
    """The whole plan. Raises `StoreError` where cases or calls of it are missing, too many, or of two shards."""
    ids, cases = whole_cases(shards[0]), dict[str, Case]()
    for shard in shards:
        if whole_cases(shard) != ids:
            raise StoreError(f"{shard.path}: the cases of the whole are not those of {shards[0].path}")
        for case in shard.cases():
            if case.id in cases:
                raise StoreError(f"{shard.path}: case {case.id} is in another shard too; expected it in one")
            cases[case.id] = case
    if cases.keys() != set(ids) or len(ids) != len(cases):
        raise StoreError(f"{shards[0].path}: the shards hold {len(cases)} cases, the whole has {len(ids)}")
    calls = sorted(_answer_calls(shards), key=lambda call: call.position)
    header = shards[0].header
    # Counted first: a file may say that there are more repeats than any memory holds.
    whole = len(ids) * len(header.variants) * header.planned_repeats
    if len(calls) != whole or not _is_each_once(calls, ids, header):
        raise StoreError(
            f"{shards[0].path}: the shards plan {len(calls)} calls, the whole has {whole}: every case, variant and "
            "repeat once; a file is damaged"
        )
    why = [f"{shard.header.shard}: {text}" for shard in shards if (text := shard.meta(STOPPED))]
    return _Plan(tuple(cases[case_id] for case_id in ids), tuple(calls), "; ".join(why))


def _answer_calls(shards: Sequence[StoredRun]) -> Iterator[Call]:
    for shard in shards:
        own = set(shard.case_ids())
        for call in shard.planned():
            if call.key.case_id not in own:
                raise StoreError(f"{shard.path}: found the call {call.key}, which is not of the shard's cases")
            if not call.key.grader:
                yield call


def _is_each_once(calls: Sequence[Call], ids: Sequence[str], header: RunHeader) -> bool:
    """Whether calls in their order are all that there are, each at a place of its own."""
    names = [variant.name for variant in header.variants]
    wanted = {CallKey(*of) for of in product(ids, names, range(header.planned_repeats))}
    return {call.key for call in calls} == wanted and all(call.position == at for at, call in enumerate(calls))
