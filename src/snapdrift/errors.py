"""What can go wrong, as types a caller may want to catch apart.

Every error that a user can cause derives from `SnapdriftError`; the command line prints its text, never a traceback.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake in a file: where it stands, what was found, what was expected.

    `line` and `column` count from 1; 0 means that the place inside the file is not known.
    `path` is the place in the document (`variants.august.model`), empty for the file as a whole.
    """

    file: str
    line: int
    column: int
    path: str
    found: str
    expected: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        place = f"{self.path}: " if self.path else ""
        return f"{where}: {place}{self.found}; {self.expected}"


class SnapdriftError(Exception):
    """The root of all errors that Snapdrift raises on purpose. `exit_code` is what the command line ends with."""

    exit_code = 2


class UsageError(SnapdriftError):
    """The command line or the Python API was asked for something that makes no sense."""


class NothingFailed(UsageError):  # noqa: N818  who has several suites passes over those that are well
    """What failed in a run was to be asked again, and nothing did."""


class ConfigError(SnapdriftError):
    """`snapdrift.toml`, the workspace or the environment is not usable."""


class SeveralErrors(UsageError):  # noqa: N818  it holds errors; what each is, it says itself
    """Several suites of one command cannot be run: `errors` has what is wrong with each."""

    def __init__(self, errors: Sequence[SnapdriftError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(map(str, errors)))


class NoWorkspaceError(ConfigError):
    """A folder is in no workspace."""


class RepositoryError(SnapdriftError):
    """What git was asked for is not there: git itself, a repository, a commit, a plain file in a tree."""


class DocumentError(SnapdriftError):
    """A file that the user wrote has mistakes: all of them, in the order in which they stand in the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class SuiteError(DocumentError):
    """A suite file, or a file that it names, is not a suite that can be run."""


class DatasetError(DocumentError):
    """A dataset cannot be read as cases."""


class LabelsError(DocumentError):
    """A file of labels has mistakes, or is of other answers than the run has."""


class AcceptancesError(DocumentError):
    """The workspace's acceptances have mistakes, are over, or are of what cannot be accepted."""


class InsufficientError(SnapdriftError):
    """The suite has too few cases for what its gate claims: it could never tell, so nothing was sent.

    `problems` say the same, each at the line of the gate that asks for it.
    """

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__(message)


class NotAvailableError(SnapdriftError):
    """A part of the design that this version does not have yet was asked for."""


class StoreError(SnapdriftError):
    """A run file cannot be opened, found or written."""


class OtherFileError(StoreError):
    """A file is whole, and no run file that this Snapdrift reads: one of another format, or another's database."""


class NewerFormatError(OtherFileError):
    """A run file was written by a newer Snapdrift than this one."""


class RunBusyError(StoreError):
    """Another process is working on the run."""


class CatalogError(SnapdriftError):
    """A fact about a model that is needed is not in the catalogue (a price where a budget is set, say)."""


class IncompleteError(SnapdriftError):
    """The provider stopped answering before there was anything to conclude from."""

    exit_code = 3


class LeftRunning(IncompleteError):  # noqa: N818  it is a state that the user asked for, not an error
    """Batches of a run are under way and nobody waits for them: nothing is concluded yet.

    `finished` are the outcomes of the command's other runs.
    """

    def __init__(self, message: str, finished: Sequence[Any] = ()) -> None:
        self.finished = tuple(finished)
        super().__init__(message)


class NothingToAsk(SnapdriftError):  # noqa: N818  it is a result, not an error
    """No run was made because nothing need be asked: the message says why.

    With `changed`, nothing that the suite is made of changed (`exit_code` 0); or its candidates ask what their
    baselines from git asked, which decides nothing (`exit_code` 5).
    """

    exit_code = 0


class Interrupted(SnapdriftError):  # noqa: N818  it is a state that the user asked for, not an error
    """The user stopped the run; what was answered is stored and the run can be resumed."""

    exit_code = 130
