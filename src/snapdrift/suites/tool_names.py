"""Whether the tools that cases have results for, and graders expect or forbid, are given to some variant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from snapdrift.model import Case, Variant
from snapdrift.suites.registry import ParsedGrader
from snapdrift.suites.wording import did_you_mean, listed, quoted


def unused_results(cases: Sequence[Case], variants: Iterable[Variant]) -> Iterator[str]:
    """A sentence for each tool of `tool_results` that no variant has, with the first case that names it.

    No mistake, as several suites may share a dataset; but if the name is a slip, the calls that the results were meant
    for end as unmatched.
    """
    asked = [variant for variant in variants if variant.endpoint.over_http]
    if not asked:
        return
    known = list(dict.fromkeys(name for variant in asked for name in _functions(variant)))
    first: dict[str, str] = {}
    for case in cases:
        for name in case.tool_results or {}:
            first.setdefault(str(name), case.id)
    otherwise = f"their tools are {listed(known)}" if known else "none has `tools`"
    for name, case_id in first.items():
        if name not in known:
            hint = did_you_mean(name, known, otherwise)
            what = f"`tool_results` has results of {quoted(name)} (case {quoted(case_id)}), a tool that no variant has"
            yield f"{what}: {hint}{'' if hint.endswith('?') else '.'}"


def unknown_tools(graders: Iterable[ParsedGrader], cases: Sequence[Case], variants: Iterable[Variant]) -> Iterator[str]:
    """A sentence for each tool that a grader expects or forbids and no variant has, with the first case it is for.

    Only where the tools are known: a variant with `tools` is among them, and every variant is asked over HTTP.
    """
    asked = list(variants)
    known = list(dict.fromkeys(name for variant in asked for name in _functions(variant)))
    if not known or not all(variant.endpoint.over_http for variant in asked):
        return
    for grader in graders:
        first: dict[str, str] = {}
        for case in cases:
            for name in grader.tools_named(case) if grader.applies(case) else ():
                first.setdefault(name, case.id)
        for name, case_id in first.items():
            if name not in known:
                hint = did_you_mean(name, known, f"their tools are {listed(known)}")
                what = f"grader {grader.name}: {quoted(name)} (case {quoted(case_id)}) is a tool that no variant has"
                yield f"{what}: {hint}{'' if hint.endswith('?') else '.'}"


def _functions(variant: Variant) -> Iterator[str]:
    for tool in variant.request.get("tools") or ():
        if tool.get("type") == "function":
            yield str(tool["name"])
