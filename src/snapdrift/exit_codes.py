"""What the process ends with. Apart from the records, so that `--help` need not wait for them."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process ends with. `ERROR` and `INTERRUPTED` never come with a `verdict.json`."""

    PASSED = 0
    REGRESSION = 1
    ERROR = 2
    INCOMPLETE = 3
    INCONCLUSIVE = 4
    NOT_GATED = 5
    INTERRUPTED = 130


_CODE_PRECEDENCE = (
    ExitCode.INTERRUPTED,
    ExitCode.ERROR,
    ExitCode.REGRESSION,
    ExitCode.INCOMPLETE,
    ExitCode.INCONCLUSIVE,
    ExitCode.NOT_GATED,
    ExitCode.PASSED,
)


def combine_exit_codes(codes: list[ExitCode]) -> ExitCode:
    """The exit code of a command over several suites: the gravest one. No codes at all is an error, never a pass."""
    return next((code for code in _CODE_PRECEDENCE if code in codes), ExitCode.ERROR)
