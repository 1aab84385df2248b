"""How what is asked differs from a git tree, ready to be laid out: the lines of a unified diff with their kinds."""

from __future__ import annotations

from dataclasses import dataclass

from snapdrift.references import Against, Reference

_KINDS = {"+": "added", "-": "removed", "@": "place"}


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of a unified diff, with its sign; `kind` is added, removed, place or same."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class AskedChange:
    """One difference, and the pairs (baseline, candidate) that differ so; `cut` counts the lines that are left out.

    Without `lines` the texts of prompts are not shown.
    """

    pairs: tuple[tuple[str, str], ...]
    differs: tuple[str, ...]
    lines: tuple[DiffLine, ...]
    cut: int


def changes_of(reference: Reference) -> tuple[AskedChange, ...]:
    """The differences of the candidates that have a baseline, each once, in the order of the candidates."""
    alike: dict[tuple[tuple[str, ...], tuple[str, ...], int], list[Against]] = {}
    for one in reference.candidates:
        if one.baseline is not None:
            # The first two lines name the pair, and the model is another for each: what follows may be the same.
            alike.setdefault((one.differs, one.difference[2:], one.cut), []).append(one)
    return tuple(
        AskedChange(
            pairs=tuple((str(one.baseline), one.candidate) for one in group),
            differs=differs,
            lines=tuple(DiffLine(_KINDS.get(text[:1], "same"), text) for text in lines),
            cut=cut,
        )
        for (differs, lines, cut), group in alike.items()
    )
