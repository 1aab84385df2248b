"""Which of two lists' items belong together: as many pairs as can be, each item in one pair at most."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

Fits = Callable[[int, int], bool]
"""Whether an item of the first list, by its place, goes with one of the second."""


def paired(wanted: int, found: int, fits: Fits) -> list[int | None]:
    """For each item of the first list the place of its partner in the second, in any order; None without one.

    A maximum matching by augmenting paths (Berge 1957). Taking the first that fits would not do: where "fits" is not
    equality, one item may fit several others, and another item only one of those.
    """
    partner: list[int | None] = [None] * wanted
    taken_by: dict[int, int] = {}
    fitting: dict[int, list[int]] = {}
    for start in range(wanted):
        came_from: dict[int, int] = {}
        waiting = deque([start])
        free: int | None = None
        while waiting and free is None:
            item = waiting.popleft()
            if item not in fitting:
                fitting[item] = [place for place in range(found) if fits(item, place)]
            for place in fitting[item]:
                if place in came_from:
                    continue
                came_from[place] = item
                if place not in taken_by:
                    free = place
                    break
                waiting.append(taken_by[place])
        while free is not None:
            item = came_from[free]
            taken_by[free], partner[item], free = item, free, partner[item]
            if item == start:
                break
    return partner


def paired_in_order(wanted: int, found: int, fits: Fits) -> list[int | None]:
    """As `paired`, but partners stand in the same order in both lists: a longest common subsequence."""
    longest = [[0] * (found + 1) for _ in range(wanted + 1)]
    together = [[fits(item, place) for place in range(found)] for item in range(wanted)]
    for item in reversed(range(wanted)):
        for place in reversed(range(found)):
            with_both = 1 + longest[item + 1][place + 1] if together[item][place] else 0
            longest[item][place] = max(with_both, longest[item + 1][place], longest[item][place + 1])
    partner: list[int | None] = [None] * wanted
    item = place = 0
    while item < wanted and place < found:
        if together[item][place] and longest[item][place] == 1 + longest[item + 1][place + 1]:
            partner[item] = place
            item, place = item + 1, place + 1
        elif longest[item + 1][place] >= longest[item][place + 1]:
            item += 1
        else:
            place += 1
    return partner
