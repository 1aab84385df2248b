"""`snapdrift cache`, and what `plan` asks of it: what is there, what would be reused, and why not. Nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.errors import NewerFormatError, StoreError, UsageError
from snapdrift.execution.clock import timestamp
from snapdrift.model import CallKey, Case, Request, Variant
from snapdrift.openai_api.requests import build_request
from snapdrift.pipeline.nearest import Nearest, nearest_request
from snapdrift.pipeline.options import RunOptions
from snapdrift.pipeline.prepare import Prepared, prepare_all, workspace_catalog
from snapdrift.pipeline.reuse_rules import Rules, refusal, timed_refusal
from snapdrift.pipeline.reusing import Reusing, since_of
from snapdrift.pipeline.run_files import runs_dir
from snapdrift.pipeline.targets import planned_target
from snapdrift.store.cache import CACHE_NAME, AnswerIndex, ModelEntries
from snapdrift.store.cache_answers import Pinned, Reusable
from snapdrift.suites.media import Media
from snapdrift.suites.prompts import render

if TYPE_CHECKING:
    from snapdrift.model import Reused
    from snapdrift.suites.workspace import Workspace

_MEGABYTE = 2**20


@dataclass(frozen=True, slots=True)
class CacheOverview:
    """What is in the cache: `path` and size of the index, its bound (bytes), and the answers by model."""

    path: str
    size_bytes: int
    max_bytes: float
    models: tuple[ModelEntries, ...]


@dataclass(frozen=True, slots=True)
class ReuseExplained:
    """What would become of a call: the answer that is `reused`, or why none is.

    `rule` is the sentence of the rule that forbids it, empty where none does; then `nearest` is the stored request that
    differs least, None where there is none to compare with.
    """

    variant: str
    case: str
    repeat: int
    reused: Reused | None = None
    rule: str = ""
    nearest: Nearest | None = None


def cache_overview(cwd: Path, options: RunOptions) -> CacheOverview:
    """What there is, run files that are new or gone taken into account. Raises `SnapdriftError`."""
    workspace = _workspace(cwd)
    with _index(workspace, options) as index:
        bound = workspace.config.cache_table.max_mb * _MEGABYTE
        return CacheOverview(str(index.path), index.size_bytes, bound, tuple(index.models()))


def clear_cache(cwd: Path, options: RunOptions, older_than_s: float | None = None, model: str | None = None) -> int:
    """Forgets answers received more than so many seconds ago (None: all), of one model or of all; returns how many.

    Run files stay. An index that cannot be read is made anew where all of it is to be cleared. Raises `SnapdriftError`.
    """
    workspace = _workspace(cwd)
    moment = timestamp(datetime.now(UTC) - timedelta(seconds=older_than_s or 0.0))
    try:
        with _index(workspace, options) as index:
            return index.clear(moment, model)
    except NewerFormatError:
        raise
    except StoreError:
        path = runs_dir(workspace, options).parent / CACHE_NAME
        if older_than_s is not None or model is not None or not path.is_file():
            raise
        for name in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            name.unlink(missing_ok=True)
        with _index(workspace, options) as index:
            return index.clear(moment)


def explain_reuse(path: Path, case_id: str, repeat: int, options: RunOptions) -> tuple[ReuseExplained, ...]:
    """For the call of each variant about a case: whether a run now would reuse an answer, and why not.

    Of calls of several requests it is about the first. Raises `SnapdriftError`.
    """
    (one,) = prepare_all([path], options)
    case = next((case for case in one.suite.cases if case.id == case_id), None)
    if case is None:
        raise UsageError(f"{path}: --case: found no case {case_id!r}; expected one of the suite's ids")
    with _lookup(one, options) as lookup:
        return tuple(_explained(lookup, variant, case, repeat) for variant in one.variants)


def planned_reuse(one: Prepared, options: RunOptions) -> Mapping[str, int]:
    """How many calls of each variant a run now would not ask, by the variant's name."""
    counts: dict[str, int] = {}
    if not runs_dir(one.workspace, options).is_dir():
        return counts
    try:
        with _lookup(one, options) as lookup:
            for variant in filter(lookup.takes, one.variants):
                calls = ((case, CallKey(case.id, variant.name, n)) for case in one.cases for n in range(one.repeats))
                counts[variant.name] = sum(lookup.found(variant, *call) is not None for call in calls)
    except StoreError:
        return {}  # a run goes on without the cache, and so does its plan
    return {name: count for name, count in counts.items() if count}


@dataclass(frozen=True, slots=True)
class _Lookup:
    """The cache as a run of a suite would see it."""

    one: Prepared
    rules: Rules
    index: AnswerIndex
    reusing: Reusing
    runs_dir: Path
    media: Media
    refused: str

    def rule(self, variant: Variant) -> str:
        """What forbids a variant to take an answer, empty where nothing does."""
        pinned = self.rules.pinned(variant)
        if isinstance(pinned, str):
            return pinned
        return self.refused or timed_refusal(variant, self.one.gate, self.one.suite.graders)  # type: ignore[arg-type]

    def takes(self, variant: Variant) -> bool:
        """Whether it may take any, and there is any of its model."""
        pinned = self.rules.pinned(variant)
        return not self.rule(variant) and isinstance(pinned, Pinned) and self.index.has(pinned.place, variant.model)

    def request(self, variant: Variant, case: Case, key: CallKey) -> Request:
        """The first request of a call."""
        url = self.rules.target.host(variant).base_url
        return build_request(key, variant, render(variant.prompt, case, self.media), self.one.suite.name, url)

    def found(self, variant: Variant, case: Case, key: CallKey) -> Reused | None:
        """The answer that the call would take."""
        response = self.reusing.find(self.request(variant, case, key), batched=variant.batch)
        return None if response is None else response.reused


@contextmanager
def _lookup(one: Prepared, options: RunOptions) -> Iterator[_Lookup]:
    """Opens the cache for a suite. What is found is not marked as used. Raises `StoreError`."""
    target = planned_target(options.target, one.workspace, one.variants)
    rules = Rules(one.suite.name, target, one.catalog, one.workspace.config)
    directory = runs_dir(one.workspace, options)
    refused = refusal(options, one.gate, one.workspace.config)
    with _index(one.workspace, options) as index:
        takes = Reusable({v.name: found for v in one.variants if isinstance(found := rules.pinned(v), Pinned)})
        reusing = Reusing(index, directory, takes, since_of(one.gate), _raise)
        try:
            media = Media(one.workspace, one.suite.media)
            yield _Lookup(one, rules, index, reusing, directory, media, refused)
        finally:
            reusing.let_go()


def _raise(text: str) -> None:
    raise StoreError(text)


def _explained(lookup: _Lookup, variant: Variant, case: Case, repeat: int) -> ReuseExplained:
    key = CallKey(case.id, variant.name, repeat)
    about = (variant.name, case.id, repeat)
    rule = lookup.rule(variant)
    if rule:
        return ReuseExplained(*about, rule=rule)
    found = lookup.found(variant, case, key)
    if found is not None:
        return ReuseExplained(*about, reused=found)
    request = lookup.request(variant, case, key)
    pinned = lookup.rules.pinned(variant)
    assert isinstance(pinned, Pinned)  # noqa: S101  else a rule forbade it
    near = nearest_request(request, pinned, lookup.runs_dir, batched=variant.batch, since=since_of(lookup.one.gate))
    return ReuseExplained(*about, nearest=near)


def _workspace(cwd: Path) -> Workspace:
    from snapdrift.suites.workspace import find_workspace

    workspace = find_workspace(cwd)
    workspace_catalog(workspace)  # what is wrong with snapdrift.toml is said here too
    return workspace


@contextmanager
def _index(workspace: Workspace, options: RunOptions) -> Iterator[AnswerIndex]:
    directory = runs_dir(workspace, options)
    with AnswerIndex.open(directory.parent / CACHE_NAME) as index:
        index.take_in(directory)
        yield index
