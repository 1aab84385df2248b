"""A baseline that is a git tree: which commit it is, what differs there, and how each candidate stands to it.

Plain and frozen, as the records of `model`. `docs/design/prompt_changes.md` says how they come about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

MERGE_BASE = "merge-base"
"""The ref that means: where this branch left the branch that it is to be merged into."""
SHORT = 8
"""Characters of a commit's id as people read it."""


class Standing(StrEnum):
    """How a candidate stands to the tree: only `COMPARED` ones have a baseline that is asked."""

    COMPARED = "compared"
    UNCHANGED = "unchanged"
    NEW_SUITE = "new_suite"
    NEW_VARIANT = "new_variant"
    NO_MODEL = "no_model"
    NO_MODEL_THERE = "no_model_there"

    @property
    def without_baseline(self) -> bool:
        """Whether the tree has nothing to compare the candidate with."""
        return self not in (Standing.COMPARED, Standing.UNCHANGED)


class FileChange(StrEnum):
    """What became of a file since the tree."""

    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"


REF_LIMIT = 100
"""Characters of a ref that is taken for one."""


def is_ref(text: str) -> bool:
    """Whether a text may name a commit at all: it is handed to git, and stands in the names of variants."""
    plain = text.isprintable() and " " not in text and ":" not in text and not text.startswith("-")
    return plain and 0 < len(text) <= REF_LIMIT


def baseline_name(candidate: str, ref: str) -> str:
    """What the variant is named that a candidate is compared with: `november@main`."""
    return f"{candidate}@{ref}"


@dataclass(frozen=True, slots=True)
class FileDifference:
    """A file that prompts, requests or tools are made of, by its path in the workspace."""

    path: str
    change: FileChange


@dataclass(frozen=True, slots=True)
class Against:
    """A candidate, and the variant of the tree that it is compared with (`baseline`; None where there is none).

    `differs` names what is not as it was (`prompt.instructions`, `request.temperature`, `model`), `difference` are the
    lines of a unified diff of all that; `cut` how many lines of it are left out.
    """

    candidate: str
    standing: Standing
    baseline: str | None = None
    differs: tuple[str, ...] = ()
    difference: tuple[str, ...] = ()
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Reference:
    """The tree: `ref` as it was asked for, `taken` the branch or tag that was found for it, `commit` its id.

    For `merge-base`, `taken` is the branch with which HEAD has it in common. `suite_path` is the suite's file there,
    None where it has none; `files` are those that differ.
    """

    ref: str
    taken: str
    commit: str
    suite_path: str | None
    files: tuple[FileDifference, ...]
    candidates: tuple[Against, ...]

    @property
    def short(self) -> str:
        """The beginning of the commit's id."""
        return self.commit[:SHORT]

    @property
    def name(self) -> str:
        """The tree as people read it: `main (1a2b3c4d)`, `the merge base with origin/main (1a2b3c4d)`."""
        if self.ref == MERGE_BASE:
            return f"the merge base with {self.taken} ({self.short})"
        return f"{self.taken} ({self.short})"

    def with_standing(self, *standings: Standing) -> tuple[str, ...]:
        """The candidates that stand so."""
        return tuple(one.candidate for one in self.candidates if one.standing in standings)

    def without_texts(self) -> Reference:
        """The same without the words of prompts: which files and settings differ, and not how."""
        return replace(self, candidates=tuple(replace(one, difference=(), cut=0) for one in self.candidates))

    def to_stored(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any] | None) -> Reference | None:
        """The inverse of `to_stored`; None of a run whose baseline is no git tree."""
        if stored is None:
            return None
        return cls(
            ref=str(stored["ref"]),
            taken=str(stored["taken"]),
            commit=str(stored["commit"]),
            suite_path=None if stored["suite_path"] is None else str(stored["suite_path"]),
            files=tuple(FileDifference(str(one["path"]), FileChange(one["change"])) for one in stored["files"]),
            candidates=tuple(map(_against, stored["candidates"])),
        )


def _against(stored: Mapping[str, Any]) -> Against:
    return Against(
        candidate=str(stored["candidate"]),
        standing=Standing(stored["standing"]),
        baseline=None if stored["baseline"] is None else str(stored["baseline"]),
        differs=tuple(map(str, stored["differs"])),
        difference=tuple(map(str, stored["difference"])),
        cut=int(stored["cut"]),
    )


# --------------------------------------------------------------------------------------------------------- in sentences

_NAMED = 5


def reference_sentences(reference: Reference) -> tuple[str, ...]:
    """What the run is compared with, and what is compared with nothing: the same words wherever it is said."""
    said = []
    compared = [one for one in reference.candidates if one.standing is Standing.COMPARED]
    if compared:
        files = len(reference.files)
        said.append(
            f"Compared with {_differing(compared)} at {reference.name}; "
            f"{files} file{'' if files == 1 else 's'} differ{'s' if files == 1 else ''}: {_paths(reference)}."
        )
    for standing, words in _WORDS.items():
        names = reference.with_standing(standing)
        if names:
            said.append(words.format(names=_names(names), at=reference.name, verb="is" if len(names) == 1 else "are"))
    return tuple(said)


_WORDS = {
    Standing.UNCHANGED: "{names} {verb} asked exactly what was asked at {at}: nothing to compare.",
    Standing.NEW_SUITE: "No baseline yet for {names}: the suite is not at {at}.",
    Standing.NEW_VARIANT: "No baseline yet for {names}: the suite has no such variant at {at}.",
    Standing.NO_MODEL: "No baseline for {names}: it asks no model, and only what is asked of one is taken from {at}.",
    Standing.NO_MODEL_THERE: "No baseline for {names}: at {at} it asked no model.",
}


def _differing(compared: list[Against]) -> str:
    """What is not as it was, in a word: the prompt, the request, or the model."""
    kinds = dict.fromkeys(place.partition(".")[0] for one in compared for place in one.differs)
    named = [word for word in ("prompt", "request", "model") if word in kinds]
    others = [kind for kind in kinds if kind not in named]
    words = named or others[:1]
    return "the " + (words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}")


def _paths(reference: Reference) -> str:
    shown = [
        f"`{one.path}`" + ("" if one.change is FileChange.CHANGED else f" ({one.change.value})")
        for one in reference.files[:_NAMED]
    ]
    more = len(reference.files) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _names(names: tuple[str, ...]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_NAMED])
    return shown + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
