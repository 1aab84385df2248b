"""What is known of a baseline that is kept answers: whose they are, from when, and which cases pair with them.

A plain, frozen record as in `model`. `pipeline` makes it, a run file keeps it, reports say it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class BaselineKind(StrEnum):
    """Whose answers a gate's baseline has: a variant's that is asked, an archive file's, or an earlier run's."""

    VARIANT = "variant"
    ARCHIVE = "archive"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class Unpaired:
    """The ids of the cases that are left out of the comparison, in the order of their datasets.

    `added` are asked now and have no kept answer, `removed` have one and are no longer in the dataset, `changed` ask or
    expect something else now than when they were answered.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KeptAnswers:
    """Kept answers as a baseline: where they are (`where`, a file or a run's id), and how they were made.

    Times are ISO 8601 in UTC: `first_at` and `last_at` of the answers, `started_at` of their run. `models` says which
    models answered and how often, `sources` where the answers came from. `asked` is the model that was asked for.
    `answers` is False where the texts were left out. `forced` says why they were archived only because somebody
    insisted. `paired` counts the cases that are compared, `repeats` the answers to one; `reused` and `regraded` name
    graders whose judges' verdicts then count, and those whose judges are asked again. `other_prompt` says that the
    suite's variant of that name asks otherwise now.
    """

    where: str
    digest: str
    run: str
    suite: str
    variant: str
    asked: str
    started_at: str
    first_at: str
    last_at: str
    models: Mapping[str, int] = field(default_factory=dict)
    sources: Mapping[str, int] = field(default_factory=dict)
    git_commit: str | None = None
    by: str = ""
    why: str = ""
    forced: tuple[str, ...] = ()
    answers: bool = True
    repeats: int = 1
    paired: int = 0
    unpaired: Unpaired = Unpaired()
    reused: tuple[str, ...] = ()
    regraded: tuple[str, ...] = ()
    other_prompt: bool = False


@dataclass(frozen=True, slots=True)
class BaselineFacts:
    """Which baseline a run was compared with, where that was a question.

    `name` is the variant of the run that is the baseline, `kept` its answers (None: it was asked). `of` is the variant
    that the suite names and `fallback` the file that stands in for it, empty where there is none; `because` says which
    of the two was taken and why.
    """

    kind: BaselineKind
    name: str
    kept: KeptAnswers | None = None
    of: str = ""
    fallback: str = ""
    because: str = ""
