"""Whether what the cases have results for are functions that some variant is given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from snapdrift.model import Case, Variant
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


def _functions(variant: Variant) -> Iterator[str]:
    for tool in variant.request.get("tools") or ():
        if tool.get("type") == "function":
            yield str(tool["name"])
