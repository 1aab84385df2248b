"""The cases of a dataset without an object for each: their content as bytes, made into a case when one is looked at.

A case of three texts takes some 700 bytes as objects of Python, and here little more than its texts. So a dataset of
fifty thousand cases takes a few megabytes, however many commands and steps hold on to it.
"""

from __future__ import annotations

import marshal
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from snapdrift.model import Case


class CaseList(Sequence[Case]):
    """Cases in their order, each made anew by a look at it; a list equals another, or a tuple, that has equal cases.

    What a case holds is plain data (texts, numbers, truth values, None, lists and mappings of them), as datasets have.
    """

    def __init__(self, cases: Iterable[Case] = ()) -> None:
        self._content, self._ends = bytearray(), array("q", [0])
        for case in cases:
            self.append(case)

    def append(self, case: Case) -> None:
        """Adds a case behind those there are. Only who makes the list does so."""
        results = None if case.tool_results is None else dict(case.tool_results)
        fields = (case.id, dict(case.variables), case.expected, case.tags, case.cluster, results)
        self._content += marshal.dumps(fields)
        self._ends.append(len(self._content))

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, place: int) -> Case: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Case]: ...

    def __getitem__(self, place: int | slice) -> Case | Sequence[Case]:
        if isinstance(place, slice):
            return tuple(self._case(number) for number in range(*place.indices(len(self))))
        number = place + len(self) if place < 0 else place
        if not 0 <= number < len(self):
            raise IndexError(f"case {place} of {len(self)}")
        return self._case(number)

    def __iter__(self) -> Iterator[Case]:
        return map(self._case, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CaseList | tuple):
            return NotImplemented
        return len(self) == len(other) and all(one == another for one, another in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return hash((len(self), bytes(self._content)))

    def __repr__(self) -> str:
        return f"CaseList of {len(self)}"

    def _case(self, number: int) -> Case:
        content = self._content[self._ends[number] : self._ends[number + 1]]
        return Case(*marshal.loads(content))  # noqa: S302  this object wrote it, into its own memory
