"""Which files of a folder `merge` takes: the shards of this commit, of each suite those of its newest run.

A folder of runs that is kept from job to job, or pulled, holds other runs too. What is left out of it is told, and why.
A folder never stands for less than it should: where one shard says something else than the others, that is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.errors import OtherFileError, UsageError
from snapdrift.pipeline.provenance import git_facts
from snapdrift.pipeline.shard_notes import NOTE, ShardNote, read_note
from snapdrift.store import RunState, open_run
from snapdrift.store.format import ATTEMPT_STARTED

if TYPE_CHECKING:
    from snapdrift.suites.workspace import Workspace
    from snapdrift.unasked import Unasked

_SHOWN = 3
_COMMIT_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Picked:
    """What a folder comes to: the run files of shards, and the results that took no run."""

    paths: tuple[Path, ...]
    unasked: tuple[Unasked, ...]


@dataclass(frozen=True, slots=True)
class _Said:
    """What a file says of shard `index` of `count` of a suite: that it is a run of a `whole`, or (a `note`) none.

    `when` it was last worked on, ISO 8601; of a run also whether it is `finished`.
    """

    path: Path
    suite: str
    index: int
    count: int
    commit: str | None
    when: str
    finished: bool = True
    whole: str = ""
    note: ShardNote | None = None

    @property
    def age(self) -> tuple[str, str]:
        """By this the newest is told; ids begin with the time."""
        return self.when, self.path.name


@dataclass(slots=True)
class _LeftOut:
    """Files that are not taken, by why."""

    by_reason: dict[str, list[Path]] = field(default_factory=dict)

    def add(self, why: str, paths: Iterable[Path]) -> None:
        for path in paths:
            self.by_reason.setdefault(why, []).append(path)

    def sentences(self) -> Iterator[str]:
        for why, paths in self.by_reason.items():
            more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
            yield f"left out, {why}: {', '.join(map(str, paths[:_SHOWN]))}{more}"


def pick_shards(folders: Sequence[Path], workspace: Workspace, notice: Callable[[str], None]) -> Picked:
    """The shards in folders and the folders in them that make up a run of each suite at the workspace's commit.

    Tells what is left out. Where git knows of no commit, those of the newest run are taken. Raises `UsageError` where
    there are none, and where shards contradict each other; `StoreError` for a file that cannot be read.
    """
    left, commit = _LeftOut(), git_facts(workspace.root).commit
    said = list(_read(folders, left))
    where = ", ".join(map(str, folders))
    try:
        if not said:
            raise UsageError(_nothing(where, left))
        here = [one for one in said if commit is None or one.commit == commit]
        if not here:
            raise UsageError(_other_commits(where, said, commit or ""))
        left.add("of another commit", (one.path for one in said if commit is not None and one.commit != commit))
        suites = {one.suite: None for one in here}
        picked = [_of_suite([one for one in here if one.suite == suite], left) for suite in suites]
    finally:
        for text in left.sentences():
            notice(text)
    taken = [one for each in picked for one in each]
    first = {one.suite: one.note for one in reversed(taken) if one.note is not None}
    return Picked(
        tuple(one.path for one in taken if one.note is None),
        tuple(note.unasked for suite in suites if (note := first.get(suite)) is not None),
    )


def _read(folders: Sequence[Path], left: _LeftOut) -> Iterator[_Said]:
    for path in (path for folder in folders for path in sorted(folder.rglob("*"))):
        if path.suffix == NOTE:
            note = read_note(path)
            yield _Said(path, note.suite, note.index, note.count, note.commit, note.made_at, note=note)
        elif path.suffix == ".db":
            try:
                yield from _read_run(path, left)
            except OtherFileError:  # shards of one run are of one program
                left.add("no run files of this version of snapdrift", [path])


def _read_run(path: Path, left: _LeftOut) -> Iterator[_Said]:
    with open_run(path) as stored:
        header, of = stored.header, stored.header.shard
        if of is None:
            left.add("runs of their own, no shards", [path])
        elif header.redacted:
            left.add("exports, which cannot be merged", [path])
        else:
            when = stored.meta(ATTEMPT_STARTED) or header.started_at
            done = stored.state is RunState.FINISHED
            yield _Said(path, header.suite, of.index, of.count, header.git_commit, when, done, of.whole)


def _nothing(where: str, left: _LeftOut) -> str:
    found = "no shards" if left.by_reason else "no run files"
    return (
        f"{where}: found {found}; expected those that `snapdrift run --shard I/N` made. Did the jobs get as far as "
        "that, and were `.snapdrift/runs/*.db` and `*.unasked` uploaded from them (a hidden folder: "
        "`include-hidden-files`) and downloaded to here?"
    )


def _other_commits(where: str, said: Sequence[_Said], commit: str) -> str:
    others = dict.fromkeys((one.commit or "an unknown commit")[:_COMMIT_SHOWN] for one in said)
    more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    return (
        f"{where}: found shards of {', '.join(list(others)[:_SHOWN])}{more}; expected some of "
        f"{commit[:_COMMIT_SHOWN]}, the commit of this workspace. Run the shards at it, check out theirs, or name "
        "their files"
    )


def _of_suite(said: Sequence[_Said], left: _LeftOut) -> tuple[_Said, ...]:
    """Of one suite at one commit the shards of its newest run, or the notes that there is none."""
    count = max(said, key=lambda one: one.age).count
    left.add("of another number of shards", (one.path for one in said if one.count != count))
    said = [one for one in said if one.count == count]
    last = _last(said, lambda one: one.age)
    notes = [one for one in last if one.note is not None]
    if notes:
        left.add("older", (one.path for one in said if one not in last))
        _require_agreed(last, notes)
        return last
    newest = max(last, key=lambda one: one.age).whole
    left.add("of an older run", (one.path for one in said if one.whole != newest))
    of_run = [one for one in said if one.whole == newest]
    taken = _last(of_run, lambda one: (one.finished, one.age))
    left.add("of a shard that is there anew", (one.path for one in of_run if one not in taken))
    return taken


def _last(said: Iterable[_Said], key: Callable[[_Said], tuple[object, ...]]) -> tuple[_Said, ...]:
    """Of each shard what is last by `key`, by their numbers."""
    found = {one.index: one for one in sorted(said, key=key)}
    return tuple(found[index] for index in sorted(found))


def _require_agreed(last: Sequence[_Said], notes: Sequence[_Said]) -> None:
    """Raises `UsageError` unless each shard notes that nothing of the suite had to be asked, for one gate."""
    first = notes[0]
    count, suite = first.count, first.suite
    runs = [one for one in last if one.note is None]
    if runs:
        raise UsageError(
            f"{suite}: shard {first.index} of {count} had nothing to ask ({first.path}), shard {runs[0].index} was run "
            f"({runs[0].path}); expected all to agree: run them at one commit with the same options, and with "
            "`--changed` see that each job fetches what REF names"
        )
    missing = [str(number) for number in range(1, count + 1) if number not in {one.index for one in notes}]
    if missing:
        raise UsageError(
            f"{suite}: {len(notes)} of {count} shards had nothing to ask; missing: {', '.join(missing)}. Run them with "
            f"`snapdrift run SUITE --shard {missing[0]}/{count}` as the others were, and merge all"
        )
    if len({(one.note.gate, one.note.exit_code) for one in notes if one.note is not None}) > 1:
        raise UsageError(
            f"{suite}: {', '.join(str(one.path) for one in notes)} say of different gates or options that nothing had "
            "to be asked; expected shards of one command"
        )
