"""What an archive holds: one variant's answers to the cases of a run, their scores, and where all of it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from snapdrift.model import Response, Score, Variant


@dataclass(frozen=True, slots=True)
class ArchivedGrader:
    """A grader of then: its version (`family/version:settings-hash`), its metrics, and the models that it asked."""

    name: str
    version: str
    metrics: tuple[str, ...]
    judges: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ArchiveHeader:
    """Whose answers an archive holds and how they were made.

    `variant` is as it was asked (without prompt and tools where privacy hides them), `prompt_hash` that of its whole
    prompt. Times are ISO 8601 in UTC: `first_at` and `last_at` of the answers, the others of the run. `models` says
    which models answered and how often, `sources` where answers came from. `planned` and `measured` count calls.
    `media` are the local files of the suite, SHA-256 by path. `answers` is False where their texts were left out;
    `left_out` names what privacy took out. `forced` says why it was archived only because somebody insisted.
    """

    suite: str
    variant: Variant
    prompt_hash: str
    run: str
    gate: str
    started_at: str
    finished_at: str
    first_at: str
    last_at: str
    models: Mapping[str, int]
    sources: Mapping[str, int]
    repeats: int
    cases: int
    planned: int
    measured: int
    graders: tuple[ArchivedGrader, ...]
    suite_hash: str
    dataset_hash: str
    versions: Mapping[str, str] = field(default_factory=dict)
    media: Mapping[str, str] = field(default_factory=dict)
    git_commit: str | None = None
    git_dirty: bool | None = None
    answers: bool = True
    left_out: tuple[str, ...] = ()
    forced: tuple[str, ...] = ()
    why: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class ArchivedAnswer:
    """How a call ended, without its raw body, and its scores, whose version is that of their grader.

    `hmac` is the HMAC-SHA256 of a text that was left out, under a secret that is not in the file.
    """

    response: Response
    scores: tuple[Score, ...] = ()
    hmac: str = ""


@dataclass(frozen=True, slots=True)
class ArchivedCase:
    """A case by its id and the hash of its content, with an answer for each repeat that was planned."""

    id: str
    hash: str
    answers: tuple[ArchivedAnswer, ...]


@dataclass(frozen=True, slots=True)
class Archive:
    """A whole archive; `digest` is the hex SHA-256 of its content."""

    header: ArchiveHeader
    cases: tuple[ArchivedCase, ...]
    digest: str
