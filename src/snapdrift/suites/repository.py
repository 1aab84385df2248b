"""What git knows of the workspace: commits, the files of a tree, and what is not as it was at one.

Every question is one `git` process, given a list of arguments and no shell. A ref is text of a stranger's until git has
made a commit's id of it: it is handed over behind `--end-of-options` and once; all that follows goes by the id. Trees
are read as the objects that they are, and files are compared with them by their bytes, so no filter, hook, textconv or
file system monitor of a repository runs.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from snapdrift.errors import RepositoryError
from snapdrift.git_calls import BareRepositoryError, git_command, git_environment
from snapdrift.references import MERGE_BASE, SHORT, is_ref

TIMEOUT_S = 60.0
_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_BASE_VARIABLES = ("GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "BITBUCKET_PR_DESTINATION_BRANCH")
"""Where GitHub, GitLab and Bitbucket say which branch a pull request is against; unset, or empty, outside of one."""
_LIKELY = ("origin/HEAD", "origin/main", "origin/master", "main", "master")
"""Where the base branch is looked for, where the environment does not name it."""
NO_HISTORY = (
    "this is a shallow clone, which has only the newest commits: fetch the history "
    "(`fetch-depth: 0` under `actions/checkout`, or `git fetch --unshallow`)"
)
"""What a clone without history is told, wherever that may be why something is not found, or not different."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit: its id, the ref as it was asked for, and the branch or tag that was taken for that."""

    id: str
    ref: str
    taken: str

    @property
    def short(self) -> str:
        """The beginning of its id."""
        return self.id[:SHORT]


@dataclass(frozen=True, slots=True)
class Repository:
    """The git repository around a workspace. `prefix` is the workspace's folder in it, empty or ending in a slash."""

    root: Path
    prefix: str
    shallow: bool
    env: Mapping[str, str]

    @classmethod
    def around(cls, root: Path, env: Mapping[str, str]) -> Repository:
        """The repository that holds the workspace at `root`. Raises `RepositoryError` where there is none, or no git.

        `env` is the process environment, of which the base branch's name is read and which git runs in.
        """
        empty = cls(root, "", shallow=False, env=env)
        inside = empty._git("rev-parse", "--is-inside-work-tree")
        if inside.returncode or inside.stdout.strip() != b"true":
            raise RepositoryError(f"{root.name}/ is in no git repository{_said(inside)}; expected one to compare with")
        found = empty._git("rev-parse", "--show-prefix", "--is-shallow-repository")
        if found.returncode:
            raise RepositoryError(f"git cannot tell where {root.name}/ is in its repository{_said(found)}")
        prefix, _, shallow = os.fsdecode(found.stdout).rstrip("\n").rpartition("\n")
        repository = cls(root, prefix, shallow == "true", env)
        if repository._id("HEAD") is None:
            raise RepositoryError("the git repository has no commit yet; expected one to compare with")
        return repository

    def commit(self, ref: str) -> Commit:
        """The commit that a ref names: `merge-base`, or whatever git takes for one. Raises `RepositoryError`.

        A branch that is only at the remote (`main` after a checkout of a pull request) is found there.
        """
        if ref == MERGE_BASE:
            return self.merge_base(ref)
        for name in (ref, f"origin/{ref}"):
            found = self._id(name)
            if found is not None:
                return Commit(found, ref, name)
        raise self._missing(ref)

    def merge_base(self, ref: str) -> Commit:
        """Where HEAD left the branch `ref`; with `merge-base` the branch that it is to be merged into."""
        base = self._base_branch() if ref == MERGE_BASE else self.commit(ref)
        found = self._git("merge-base", "--end-of-options", "HEAD", base.id)
        common = os.fsdecode(found.stdout).strip()
        if found.returncode or not _ID.fullmatch(common):
            why = NO_HISTORY if self.shallow else "expected a branch with a commit in common"
            raise RepositoryError(f"found no merge base of HEAD and {base.taken}{_said(found)}; {why}")
        return Commit(common, ref, base.taken)

    def entry(self, commit: str, path: str) -> str | None:
        """The id of the file at a path of the workspace, in a commit; None where it has no such file.

        Raises `RepositoryError` for a path that leads through a link or into a submodule: what is behind them is not in
        the tree.
        """
        within = self._within(path)
        if within is None:
            raise RepositoryError(f"{path} is outside the git repository, so nobody knows what it was")
        full = PurePosixPath(within)
        for place in (full, *[parent for parent in full.parents if parent.parts]):
            kind = self._kind(commit, str(place))
            if kind is None:
                continue
            mode, identity = kind
            if mode in _STRANGE:
                raise RepositoryError(f"{commit[:SHORT]}:{place} is {_STRANGE[mode]}; expected a plain file")
            return identity if place == full and mode != _FOLDER else None
        return None

    def read(self, identity: str, limit: int) -> bytes:
        """The content of a file of a tree. Raises `RepositoryError` where it is larger than `limit` bytes."""
        size = self._git("cat-file", "-s", identity)
        if size.returncode:
            raise RepositoryError(f"git cannot read {identity[:SHORT]}{_said(size)}")
        if int(size.stdout) > limit:
            raise RepositoryError(f"larger than {limit // 2**20} MB")
        content = self._git("cat-file", "blob", identity)
        if content.returncode:
            raise RepositoryError(f"git cannot read {identity[:SHORT]}{_said(content)}")
        return content.stdout

    def changed_since(self, commit: str, paths: Iterable[str]) -> frozenset[str]:
        """Those of the paths of the workspace whose files git tracks and that are not as they were at a commit."""
        from snapdrift.suites.sameness import is_as_it_was

        asked = {full: path for path in paths if (full := self._within(path)) is not None}
        there = self._blobs(commit, sorted(asked))
        changed = {
            asked[full]
            for full, (mode, identity) in there.items()
            if not is_as_it_was(self.root / asked[full], mode, identity, partial(self._small, identity))
        }
        return self.tracked(asked[full] for full in asked if full not in there) | changed

    def _blobs(self, commit: str, paths: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Mode and id of those paths of the repository that are files at a commit."""
        found: dict[str, tuple[str, str]] = {}
        for place in range(0, len(paths), _AT_ONCE):
            answer = self._git("ls-tree", "-z", "--full-tree", commit, "--", *paths[place : place + _AT_ONCE])
            if answer.returncode:
                raise RepositoryError(f"git cannot read the tree of {commit[:SHORT]}{_said(answer)}")
            for entry in filter(None, os.fsdecode(answer.stdout).split("\0")):
                facts, _, name = entry.partition("\t")
                mode, kind, identity = facts.split(" ")
                if kind == "blob":
                    found[name] = (mode, identity)
        return found

    def _small(self, identity: str) -> bytes | None:
        """A blob that may be a pointer; None of a larger one."""
        from snapdrift.suites.sameness import POINTER_BYTES

        try:
            return self.read(identity, POINTER_BYTES)
        except RepositoryError:
            return None

    def tracked(self, paths: Iterable[str]) -> frozenset[str]:
        """Those of the paths of the workspace that git tracks."""
        return self._named(("ls-files", "-z", "--full-name"), paths)

    def _named(self, command: Sequence[str], paths: Iterable[str]) -> frozenset[str]:
        """Those of the paths that a command of git names when it is asked about them."""
        asked = {found: path for path in paths if (found := self._within(path)) is not None}
        named: set[str] = set()
        for place in range(0, len(asked), _AT_ONCE):
            some = [asked[full] for full in sorted(asked)[place : place + _AT_ONCE]]
            answer = self._git(*command, "--", *some)
            if answer.returncode:
                raise RepositoryError(f"git {command[0]} failed{_said(answer)}")
            named.update(os.fsdecode(answer.stdout).split("\0"))
        return frozenset(path for full, path in asked.items() if full in named)

    def _within(self, path: str) -> str | None:
        """The path from the top of the repository, None where it leads out of it."""
        full = os.path.normpath(self.prefix + path)
        return None if full.startswith("..") else full

    def files_beside(self, commit: str, path: str) -> tuple[str, ...]:
        """The names of the plain files that a commit has in the folder of a path of the workspace."""
        folder = str(PurePosixPath(self.prefix + path).parent)
        where = "" if folder == "." else f"{folder}/"
        found = self._git("ls-tree", "-z", "--full-tree", commit, *(["--", where] if where else []))
        entries = (entry.partition("\t") for entry in os.fsdecode(found.stdout).split("\0") if entry)
        return tuple(PurePosixPath(name).name for facts, _, name in entries if facts.startswith("100"))

    def _base_branch(self) -> Commit:
        """The branch that this one is to be merged into: as the forge says, else what the remote or this clone has."""
        said = next((name for name in _BASE_VARIABLES if self.env.get(name, "").strip()), "")
        named = self.env.get(said, "").strip()
        wanted = (f"origin/{named}", named) if named else _LIKELY
        for name in wanted:
            found = self._id(name)
            if found is not None:
                return Commit(found, MERGE_BASE, name)
        if named:
            raise self._missing(named, f"{said} names the base branch; ")
        why = NO_HISTORY if self.shallow else "name it: `--baseline-ref REF`, or `baseline: {ref: REF}`"
        raise RepositoryError(f"found no base branch ({', '.join(_LIKELY)}); {why}")

    def _missing(self, ref: str, said: str = "") -> RepositoryError:
        shown = repr(ref if is_ref(ref) else ref[:40])
        expected = "expected a branch, a tag or a commit of this repository"
        return RepositoryError(f"{said}found no commit {shown}; {NO_HISTORY if self.shallow else expected}")

    def _id(self, ref: str) -> str | None:
        """The id of the commit that a ref names, None where it names none or is no ref."""
        if not is_ref(ref.removeprefix("origin/")):
            return None
        found = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        said = os.fsdecode(found.stdout).strip()
        return said if found.returncode == 0 and _ID.fullmatch(said) else None

    def _kind(self, commit: str, path: str) -> tuple[str, str] | None:
        """Mode and id of what a commit has at a path of the repository."""
        found = self._git("ls-tree", "-z", "--full-tree", commit, "--", path)
        if found.returncode:
            raise RepositoryError(f"git cannot read the tree of {commit[:SHORT]}{_said(found)}")
        for entry in os.fsdecode(found.stdout).split("\0"):
            facts, _, name = entry.partition("\t")
            if name == path:
                mode, _, identity = facts.split(" ")
                return mode, identity
        return None

    def _git(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(  # noqa: S603  a fixed program, a list of arguments, no shell
                git_command(self.root, *arguments),
                capture_output=True,
                stdin=subprocess.DEVNULL,
                env=git_environment(self.env or os.environ),
                timeout=TIMEOUT_S,
                check=False,
            )
        except BareRepositoryError as error:
            raise RepositoryError(str(error)) from None
        except FileNotFoundError:
            raise RepositoryError(
                "found no git on this machine; expected it on the PATH, to read a tree with"
            ) from None
        except subprocess.TimeoutExpired:
            raise RepositoryError(f"git {arguments[0]} did not answer within {TIMEOUT_S:g} s") from None


_FOLDER = "040000"
_STRANGE = {"120000": "a symbolic link", "160000": "a submodule"}
_AT_ONCE = 500
"""Paths that are handed to one process: the system bounds the length of a command."""


def _said(found: subprocess.CompletedProcess[bytes]) -> str:
    """What git said of a failure, for brackets behind it."""
    lines = found.stderr.decode("utf-8", "replace").strip().splitlines()
    first = "".join(char if char.isprintable() else " " for char in lines[0][:300]) if lines else ""
    how = "; `git config --global --add safe.directory FOLDER` trusts it" if "dubious ownership" in first else ""
    return f" (git: {first.removeprefix('fatal: ')}{how})" if first else ""
