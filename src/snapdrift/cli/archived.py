"""How an archive is told: what is in it, and that it was written."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.cli import tables
from snapdrift.cli.readable import readable

if TYPE_CHECKING:
    from snapdrift.pipeline.archive_command import Archived
    from snapdrift.store.archive_records import Archive


def written(made: Archived) -> str:
    """What `archive` ends with, and how a suite names the file."""
    header = made.archive.header
    size = f"{made.size / 2**20:.1f} MB" if made.size >= 2**20 else f"{made.size / 2**10:.1f} kB"
    named = f"{{archive: {made.named}}}"
    beside = f"{{variant: {header.variant.name}, fallback: {named}}}"
    whose = f"{header.measured:,} answers of {header.variant.name} ({header.variant.model}) to {header.cases:,} cases"
    how = f"compare with it: `baseline: {named}`, or beside the variant `baseline: {beside}`"
    lines = [f"{made.path}: {whose}, {size}", *_marks(made.archive), f"{how}; a path is from the workspace's folder"]
    return readable("\n".join(lines)) + "\n"


def told(archive: Archive, path: Path) -> str:
    """What is in an archive, for a person."""
    header = archive.header
    models = ", ".join(f"{model} {number:,}" for model, number in header.models.items()) or "none named"
    sources = ", ".join(f"{number:,} {source}" for source, number in header.sources.items()) or "none"
    commit = header.git_commit or "none"
    if header.git_dirty:
        commit += " with uncommitted changes"
    counted = f"{header.measured:,} of {header.planned:,} calls, {header.cases:,} cases, repeats {header.repeats}"
    lines = [
        f"{path}: archive of `{header.variant.name}` of the suite {header.suite}",
        f"  asked      {header.variant.model}, {header.variant.endpoint.value}; answered as {models}",
        f"  answers    {counted}; {sources}",
        f"  received   {header.first_at} to {header.last_at}",
        f"  run        {header.run}, gate {header.gate}, commit {commit}",
        f"  why        {header.why or 'not said'}",
        f"  by         {header.by or 'not said'}",
        f"  sha256     {archive.digest}",
        *_marks(archive),
    ]
    rows = [[metric, f"{n:,}", f"{mean:.4f}", version] for metric, n, mean, version in _levels(archive)]
    table = tables.table(("metric", "scores", "mean", "grader"), {1, 2}, rows) if rows else ""
    return readable("\n".join(lines)) + "\n" + (readable(table) + "\n" if table else "")


def as_json(archive: Archive, path: Path | None = None) -> str:
    """The header and the levels as JSON."""
    from snapdrift.store import codec

    levels = [{"metric": m, "scores": n, "mean": mean, "grader": version} for m, n, mean, version in _levels(archive)]
    where = {} if path is None else {"path": str(path)}
    told = {**where, "sha256": archive.digest, **codec.to_json(archive.header), "metrics": levels}
    return json.dumps(told, indent=1) + "\n"


def _marks(archive: Archive) -> Iterator[str]:
    """What has to be known wherever the answers are used."""
    header = archive.header
    yield from (f"  archived by force: {reason}" for reason in header.forced)
    if "recorded" in header.sources:
        yield "  recorded: replayed by a stand-in from a recording, no model was asked in that run"
    if not header.answers:
        hashed = any(answer.hmac for case in archive.cases for answer in case.answers)
        how = "left out, hashed with a secret salt" if hashed else "left out"
        yield f"  texts of answers are {how} (privacy: {', '.join(header.left_out)}); scores of then are compared"


def _levels(archive: Archive) -> list[tuple[str, int, float, str]]:
    """Each metric's scores, their mean, and the version of the grader that gave them."""
    values: dict[str, list[float]] = defaultdict(list)
    for case in archive.cases:
        for answer in case.answers:
            for score in answer.scores:
                if score.value is not None:
                    values[score.metric].append(score.value)
    versions = {metric: grader.version for grader in archive.header.graders for metric in grader.metrics}
    return [(m, len(of), sum(of) / len(of), versions[m]) for m, of in values.items()]
