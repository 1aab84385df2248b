"""A branch of the workspace's own git repository that keeps its state: written and read without a checkout.

The branch is one commit without a parent, made anew each time, so that what is taken out of it is gone and it does not
grow with every push. It is swapped for the old one only where that is still what was looked at: of two pushes at once
the second looks again. Neither the work tree nor the index nor any hook of the user has a part in it.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from snapdrift.errors import StoreError, UsageError
from snapdrift.git_calls import git_command, git_environment
from snapdrift.store.state_files import MANIFEST, kind_of

DEFAULT_BRANCH = "snapdrift-state"
DEFAULT_REMOTE = "origin"
MESSAGE = "The state of Snapdrift [skip ci]"
_TIMEOUT_S = 900
_RACED = re.compile(
    r"stale info|cannot lock ref|already exists|incorrect old value|failed to update ref|but expected|fetch first",
    re.IGNORECASE,
)
_WHO = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "snapdrift"), ("EMAIL", "snapdrift@localhost"))
}


@dataclass(frozen=True, slots=True)
class Git:
    """Git in one repository, with none of the user's hooks and without a question to anybody."""

    root: Path

    def __call__(
        self,
        *arguments: str,
        given: bytes | None = None,
        index: Path | None = None,
        output: Path | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """Runs a command; `given` is its input, `index` a file of its own, `output` takes what it prints."""
        environment = {**git_environment(os.environ), **_WHO}
        if index is not None:
            environment["GIT_INDEX_FILE"] = str(index)
        try:
            with (output or Path(os.devnull)).open("wb") as file:
                return subprocess.run(  # noqa: S603  no shell; names were checked by git itself
                    git_command(self.root, *arguments),
                    input=given,
                    stdout=subprocess.PIPE if output is None else file,
                    stderr=subprocess.PIPE,
                    env=environment,
                    timeout=_TIMEOUT_S,
                    check=False,
                )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise StoreError(f"git cannot be run ({without_secrets(str(error))})") from error

    def text(self, *arguments: str, given: bytes | None = None, index: Path | None = None) -> str:
        """What a command prints. Raises `StoreError` with git's own words where it fails."""
        done = self(*arguments, given=given, index=index)
        if done.returncode != 0:
            raise StoreError(f"git {arguments[0]} failed: {words_of(done)}")
        return done.stdout.decode("utf-8", "replace").strip()


def words_of(done: subprocess.CompletedProcess[bytes]) -> str:
    """What git said, in one line and without passwords in addresses."""
    said = b"; ".join(line.strip() for line in (done.stderr or b"").splitlines() if line.strip())
    return without_secrets(said.decode("utf-8", "replace"))[:1000] or f"exit code {done.returncode}"


def without_secrets(text: str) -> str:
    """A text whose addresses have no user names and passwords."""
    return re.sub(r"://[^/\s@]*@", "://***@", text)


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch at `remote`, or of the repository itself where that is None."""

    git: Git
    branch: str
    remote: str | None
    largest: int = 95 * 2**20
    """GitHub refuses files over 100 MiB (docs.github.com, "About large files on GitHub", 2026-11-22)."""

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"branch {self.branch}" + (f" of {self.remote}" if self.remote else "")

    @contextmanager
    def look(self, *, to_add: bool) -> Iterator[BranchShelf]:  # noqa: ARG002  looking makes no branch
        """What its last commit holds. Raises `StoreError` for a branch of something else."""
        tip = self._tip()
        files = {} if tip is None else _listed(self.git, tip)
        if tip is not None and MANIFEST not in files:
            raise StoreError(f"{self.name} holds no state of Snapdrift, and is left as it is; name another branch")
        yield BranchShelf(self, tip, files)

    def _tip(self) -> str | None:
        """The branch's last commit, fetched; None where there is no such branch."""
        ref = f"refs/heads/{self.branch}"
        if self.remote is not None:
            there = self.git("ls-remote", "--exit-code", self.remote, ref)
            if there.returncode == 2:
                return None
            if there.returncode != 0:
                raise StoreError(f"{self.name} cannot be looked at: {words_of(there)}")
            ref, source = f"refs/snapdrift/{self.branch}", ref
            how = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--refmap=")
            self.git.text("fetch", *how, self.remote, f"+{source}:{ref}")
        found = self.git("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
        return found.stdout.decode().strip() if found.returncode == 0 else None

    def swap(self, new: str, old: str | None) -> bool:
        """Makes `new` the branch's commit where that is still `old`; False where it is not."""
        ref = f"refs/heads/{self.branch}"
        if self.remote is None:
            done = self.git("update-ref", "-m", MESSAGE, ref, new, old or "0" * len(new))
        else:
            lease = f"--force-with-lease={ref}:{old or ''}"
            done = self.git("push", "--quiet", "--no-verify", lease, self.remote, f"{new}:{ref}")
        if done.returncode == 0:
            return True
        if _RACED.search(words_of(done)):
            return False
        raise StoreError(f"{self.name} cannot be written: {words_of(done)}")


@dataclass(frozen=True, slots=True)
class _Blob:
    sha: str
    size: int


class BranchShelf:
    """The files of one commit of the branch."""

    def __init__(self, branch: Branch, tip: str | None, blobs: Mapping[str, _Blob]) -> None:
        self._branch, self._tip, self._blobs = branch, tip, blobs
        self.files = {path: blob.size for path, blob in blobs.items()}

    def fetch(self, path: str, target: Path) -> None:
        """Copies a file out of the commit."""
        done = self._branch.git("cat-file", "blob", self._blobs[path].sha, output=target)
        if done.returncode != 0:
            raise StoreError(f"{path} of {self._branch.name} cannot be read: {words_of(done)}")

    def replace(self, changed: Mapping[str, Path], removed: frozenset[str]) -> bool:
        """Makes a commit of what stays and what is new, and swaps it in."""
        git = self._branch.git
        paths = "".join(f"{source.resolve()}\n" for source in changed.values()).encode()
        added = git.text("hash-object", "-w", "--no-filters", "--stdin-paths", given=paths).split()
        shas = {path: blob.sha for path, blob in self._blobs.items() if path not in removed}
        shas |= dict(zip(changed, added, strict=True))
        lines = "".join(f"100644 {sha}\t{path}\0" for path, sha in sorted(shas.items())).encode()
        with tempfile.TemporaryDirectory() as folder:
            index = Path(folder) / "index"
            git.text("update-index", "-z", "--index-info", given=lines, index=index)
            tree = git.text("write-tree", index=index)
        commit = git.text("commit-tree", tree, "-m", MESSAGE)
        return self._branch.swap(commit, self._tip)


def open_branch(root: Path, branch: str, remote: str | None) -> Branch:
    """A branch of the repository that `root` is in, at `remote`; None: at `origin`, where there is one.

    Raises `UsageError` where there is no repository, no such remote, or the name cannot be a branch's.
    """
    git = Git(root)
    if git("rev-parse", "--git-dir").returncode != 0:
        raise UsageError(f"{root} is in no git repository; keep the state in a folder: --to DIR")
    if git("check-ref-format", f"refs/heads/{branch}").returncode != 0 or branch.startswith("-"):
        raise UsageError(f"found {branch!r}; expected the name of a branch, as in git-branch:{DEFAULT_BRANCH}")
    remotes = git.text("remote").split()
    if remote is not None and remote not in remotes:
        raise UsageError(f"--remote: found {remote!r}; expected one of {', '.join(remotes) or 'no remote at all'}")
    at = remote or (DEFAULT_REMOTE if DEFAULT_REMOTE in remotes else None)
    if at is None and f"branch refs/heads/{branch}" in git.text("worktree", "list", "--porcelain").splitlines():
        raise UsageError(f"the branch {branch} is checked out; name another one")
    return Branch(git, branch, at)


def _listed(git: Git, commit: str) -> dict[str, _Blob]:
    """The regular files of the names that travel; links, submodules and everything else are not seen."""
    done = git("ls-tree", "-r", "-z", "-l", "--full-tree", commit)
    if done.returncode != 0:
        raise StoreError(f"the commit {commit} cannot be read: {words_of(done)}")
    found = {}
    for entry in done.stdout.decode("utf-8", "replace").split("\0"):
        facts, _, path = entry.partition("\t")
        match facts.split():
            case ["100644", "blob", sha, size] if kind_of(path) is not None:
                found[path] = _Blob(sha, int(size))
    return found
