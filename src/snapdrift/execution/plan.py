"""Which calls are made, and in which order."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from snapdrift.model import Call, CallKey, Case, Variant, canonical_json


def plan_calls(
    cases: Iterable[Case],
    variants: Iterable[Variant],
    repeats: int,
    seed: int,
    prefix_of: Callable[[Case], str | None] | None = None,
) -> tuple[Call, ...]:
    """Every case x variant x repeat once, in the order in which they are asked.

    Each repeat is a round over all cases, in an order of its own; within a round the variants of one case stand next to
    each other, in an order of their own. So what changes over time at the provider meets all variants of a case alike,
    and the repeats of a call lie far apart. An order is that of the hashes of (seed, repeat, name): a random one that
    is the same on every machine, and in which leaving out a case moves no two others.

    `prefix_of` names the beginning of a case's prompt that the provider may hold in its cache. Cases of one prefix run
    back to back; the groups, and the cases within one, stand in the drawn order. A case without one (None) is a group.

    Raises `ValueError` for repeats under 1 and for two cases or variants of one name.
    """
    return tuple(each_call(cases, variants, repeats, seed, prefix_of))


def each_call(
    cases: Iterable[Case],
    variants: Iterable[Variant],
    repeats: int,
    seed: int,
    prefix_of: Callable[[Case], str | None] | None = None,
) -> Iterator[Call]:
    """The same one at a time: a large plan goes into its run file without being in memory.

    Raises what `plan_calls` raises at once, not when the first call is asked for.
    """
    case_ids, prefixes = list[str](), dict[str, str | None]()
    for case in cases:
        case_ids.append(case.id)
        if prefix_of is not None:
            prefixes[case.id] = prefix_of(case)
    _unique(case_ids, "case")
    names = _unique([variant.name for variant in variants], "variant")
    if repeats < 1:
        raise ValueError(f"repeats is {repeats}; at least 1 is needed")
    keys = (
        CallKey(case_id, variant, repeat)
        for repeat in range(repeats)
        for case_id in sorted(case_ids, key=lambda case_id: _place(seed, repeat, case_id, prefixes.get(case_id)))
        for variant in sorted(names, key=lambda name: _draw(seed, repeat, case_id, name))
    )
    return (Call(key, position) for position, key in enumerate(keys))


def plan_units(
    units: Iterable[Sequence[str]], variants: Iterable[Variant], repeats: int, seed: int, first: int = 0
) -> tuple[Call, ...]:
    """Every call about the cases of `units`, in that order: for a run that may end before all are asked.

    All repeats and variants of a case stand next to each other, so that few cases are under way at a time; the variants
    of a repeat in an order of their own, as in `plan_calls`. Positions count from `first`.
    """
    names = _unique([variant.name for variant in variants], "variant")
    keys = (
        CallKey(case_id, variant, repeat)
        for unit in units
        for case_id in unit
        for repeat in range(repeats)
        for variant in sorted(names, key=lambda name: _draw(seed, repeat, case_id, name))
    )
    return tuple(Call(key, first + position) for position, key in enumerate(keys))


def _place(seed: int, repeat: int, case_id: str, prefix: str | None) -> tuple[bytes, str, bytes]:
    """Where a case stands in a round: where its group does, then by itself."""
    own = _draw(seed, repeat, case_id)
    # A place for each case is in memory while a round is drawn: the empty text and the digest are there once.
    return (own, "", own) if prefix is None else (_draw(seed, repeat, "prefix", prefix), prefix, own)


def _draw(*of: int | str) -> bytes:
    return hashlib.sha256(canonical_json(of).encode("utf-8", "surrogatepass")).digest()


def _unique(names: list[str], what: str) -> list[str]:
    if len(set(names)) != len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise ValueError(f"{what} {twice!r} is there twice; each may be planned once")
    return names
