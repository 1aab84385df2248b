"""The order in which cases may be looked at before all are there, and a buffer that keeps to it.

A test that is looked at while it grows (`sequential`) needs values whose expectation does not depend on those before:
a random order, drawn before anything is asked, and kept whatever order the answers come back in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
Unit = tuple[str, ...]
"""The cases that are fed as one value: a case, or all cases of a cluster."""


def drawn_order(clusters: Mapping[str, str], seed: int) -> tuple[Unit, ...]:
    """The cases in random order, those of a cluster together; `clusters` has the cluster of each case (or its own id).

    A unit stands where the hash of the seed and its cluster puts it, the same on every machine. What a top-up adds is
    drawn by a call of its own and put behind. Raises `ValueError` for clusters of unequal size: the mean of their means
    is not the mean over cases.
    """
    members: dict[str, list[str]] = {}
    for case, cluster in clusters.items():
        members.setdefault(cluster, []).append(case)
    if members:
        small, large = (choose(members, key=lambda name: len(members[name])) for choose in (min, max))
        if len(members[small]) != len(members[large]):
            raise ValueError(
                f"looking early needs clusters of one size; {small!r} has {len(members[small])} cases and {large!r} "
                f"{len(members[large])}. Make them equal, or ask all cases"
            )

    def place(cluster: str) -> tuple[bytes, str]:
        return hashlib.sha256(f"order:{seed}:{cluster}".encode("utf-8", "surrogatepass")).digest(), cluster

    return tuple(tuple(sorted(members[cluster])) for cluster in sorted(members, key=place))


class CaseBuffer(Generic[T]):
    """Holds answers until their unit is whole and all units before it in the order have been released.

    Fast and short answers come first and are not a random sample of all; released in the drawn order they do no harm.
    `calls` are the calls that every case needs, `done` is how many units of the order have been fed before. An answer
    is put once it is final: a call that ended without one is put as whatever stands for that.
    """

    def __init__(self, order: Sequence[Unit], calls: Collection[Hashable], *, done: int = 0) -> None:
        self._order = order
        self._calls = frozenset(calls)
        self._next = done
        self._unit_of = {case: number for number, unit in enumerate(order) for case in unit}
        self._answers: dict[str, dict[Hashable, T]] = {}
        if len(self._unit_of) != sum(map(len, order)) or not self._calls or not 0 <= done <= len(order):
            raise ValueError("a buffer needs an order in which each case stands once, its calls, and a place in it")

    @property
    def waiting_for(self) -> tuple[tuple[str, Hashable], ...]:
        """The calls of the next unit that have not been put: they hold up everything behind them."""
        cases = self._order[self._next] if self._next < len(self._order) else ()
        return tuple((case, call) for case in cases for call in self._calls - self._answers.get(case, {}).keys())

    def put(self, case: str, call: Hashable, answer: T) -> tuple[dict[str, dict[Hashable, T]], ...]:
        """Takes one answer in; returns the units that it releases, in the drawn order: by case, then by call.

        Raises `ValueError` for a case or call that is not in the order, and for one that was put before.
        """
        number = self._unit_of.get(case)
        if number is None or call not in self._calls:
            raise ValueError(f"call {call!r} of case {case!r} is not in the drawn order")
        if number < self._next or call in self._answers.get(case, {}):
            raise ValueError(f"call {call!r} of case {case!r} has been put already")
        self._answers.setdefault(case, {})[call] = answer
        released = []
        while self._next < len(self._order) and self._whole(self._order[self._next]):
            released.append({case: self._answers.pop(case) for case in self._order[self._next]})
            self._next += 1
        return tuple(released)

    def _whole(self, unit: Unit) -> bool:
        return all(len(self._answers.get(case, {})) == len(self._calls) for case in unit)
