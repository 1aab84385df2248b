"""What a command has told already, so that preparing its suites once more does not tell it again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snapdrift.pipeline.options import RunOptions
    from snapdrift.unasked import Unasked


class Said:
    """What was told before a baseline turned out to be gone: preparing the suites again says the same of them again."""

    def __init__(self) -> None:
        self._said: set[str | Unasked] = set()

    def kept(self, options: RunOptions) -> RunOptions:
        """Tells all, and remembers it."""

        def notice(text: str) -> None:
            self._said.add(text)
            options.notice(text)

        def settled(result: Unasked) -> None:
            self._said.add(result)
            options.settled(result)

        return replace(options, notice=notice, settled=settled)

    def once(self, options: RunOptions) -> RunOptions:
        """Tells what was not told yet."""

        def notice(text: str) -> None:
            if text not in self._said:
                options.notice(text)

        def settled(result: Unasked) -> None:
            if result not in self._said:
                options.settled(result)

        return replace(options, notice=notice, settled=settled)
