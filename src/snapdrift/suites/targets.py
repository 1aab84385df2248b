"""`target: these_cases`: what it needs, and what it cannot go with, each answered where it is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from snapdrift.suites.gate_keys import Key, gate_keys
from snapdrift.suites.gate_places import gate_places
from snapdrift.suites.gates import ResolvedGate
from snapdrift.suites.loading import Loading
from snapdrift.suites.registry import Location
from snapdrift.suites.suite import SuiteFile
from snapdrift.suites.variants import ResolvedVariant
from snapdrift.suites.wording import quoted

_TARGET: Location = ("target",)


def check_target(
    entry: SuiteFile, gates: Mapping[str, ResolvedGate], variants: Mapping[str, ResolvedVariant], loading: Loading
) -> None:
    """Complains where a claim about these very cases could not be made.

    It rests on what a model varies between the answers to one case, so each gate that compares asks each case at least
    twice, and a file of outputs has to hold as many. Early stopping and topping up are refused: both ask some of the
    cases and say something of all like them.
    """
    if entry.target != "these_cases":
        return
    comparing = [name for name, resolved in gates.items() if resolved.gate.pairs]
    if gates and not comparing and not loading.problems:
        expected = "expected a gate that compares variants: of one variant alone nothing is claimed"
        loading.complain(_TARGET, "these_cases, and no gate compares anything", expected)
    keys = {name: gate_keys(name, gate_places(entry), loading) for name in comparing}
    for location, found in dict.fromkeys(_asked_once(entry, keys)):
        loading.complain(location, found, "expected `repeats: 2` or more, of which these_cases is told")
    if entry.early_stop:
        loading.complain(_TARGET, "these_cases with `early_stop: true`", _instead("stopping early"))
    if any("inconclusive" in key and key["inconclusive"].value == "extend" for key in keys.values()):
        loading.complain(_TARGET, "these_cases with `inconclusive: extend`", _instead("topping up"))
    sides = {side for name in comparing for pair in gates[name].gate.pairs for side in (pair.baseline, pair.candidate)}
    for name, resolved in variants.items():
        if name in sides and resolved.outputs is not None and not _repeated(resolved):
            found = f"{quoted(str(resolved.variant.target))} has one answer to each case"
            loading.complain(("variants", name, "outputs"), found, "expected two or more (`repeat`), for these_cases")


def _asked_once(entry: SuiteFile, gates: Mapping[str, Mapping[str, Key]]) -> Iterator[tuple[Location, str]]:
    """Where it is written, or left out, that the cases of a comparing gate are asked once."""
    for keys in gates.values():
        own = keys.get("repeats")
        if own is not None and own.value < 2:
            yield own.location, "1, with `target: these_cases`"
        elif own is None and entry.repeats is None:
            yield _TARGET, "these_cases, and each case is asked once"
        elif own is None and entry.repeats == 1:
            yield ("repeats",), "1, with `target: these_cases`"


def _instead(what: str) -> str:
    return f"expected one of them: {what} asks only some cases, and is about cases like these"


def _repeated(variant: ResolvedVariant) -> bool:
    return any(repeat > 0 for _, repeat in variant.outputs or ())
