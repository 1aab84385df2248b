"""Every family of this program by its name, each loaded when a suite names it: of thirty a suite uses a few."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping

from snapdrift.graders.base import Grader

_HOMES: Mapping[str, tuple[str, str]] = {
    "exact": ("exact", "Exact"),
    "contains": ("contains", "Contains"),
    "starts_with": ("affixes", "StartsWith"),
    "ends_with": ("affixes", "EndsWith"),
    "regex": ("regex", "Regex"),
    "number": ("number", "Number"),
    "date": ("date", "Date"),
    "duration": ("duration", "Duration"),
    "choice": ("choice", "Choice"),
    "set": ("set", "SetGrader"),
    "similarity": ("similarity", "Similarity"),
    "count": ("count", "Count"),
    "refusal": ("refusal", "Refusal"),
    "schema": ("schema", "Schema"),
    "json_equal": ("json_equal", "JsonEqual"),
    "path": ("path", "PathGrader"),
    "well_formed": ("well_formed", "WellFormed"),
    "tool_calls": ("tool_calls", "ToolCalls"),
    "trajectory": ("trajectory", "Trajectory"),
    "judge": ("judge", "JudgeGrader"),
    "pairwise": ("pairwise", "PairwiseGrader"),
    "python": ("python_code", "PythonGrader"),
    "all": ("composition", "All"),
    "any": ("composition", "AnyOf"),
    "weighted": ("weighted", "Weighted"),
    "latency": ("operations", "Latency"),
    "first_token": ("operations", "FirstToken"),
    "cost": ("operations", "Cost"),
    "output_tokens": ("operations", "OutputTokens"),
    "finish_reason": ("operations", "FinishReason"),
    "cached_share": ("operations", "CachedShare"),
}
"""The module and the class of each family, in the order of the reference; a new one is a module, named here."""


class _Families(Mapping[str, type[Grader]]):
    """Names are known at once, classes once they are asked for."""

    def __getitem__(self, name: str) -> type[Grader]:
        module, kind = _HOMES[name]
        family: type[Grader] = getattr(importlib.import_module(f"snapdrift.graders.{module}"), kind)
        return family

    def __contains__(self, name: object) -> bool:
        return name in _HOMES

    def __iter__(self) -> Iterator[str]:
        return iter(_HOMES)

    def __len__(self) -> int:
        return len(_HOMES)


BUILT_IN: Mapping[str, type[Grader]] = _Families()
"""The families of this program."""


def all_families() -> tuple[type[Grader], ...]:
    """The classes of all of them, in the order of the reference."""
    return tuple(BUILT_IN.values())
