"""What git is asked: base branches, merge bases, clones without history, and what leads out of a tree."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.repositories import CLEAR, GitWorkspace

from snapdrift.errors import RepositoryError, StoreError
from snapdrift.git_calls import git_command
from snapdrift.pipeline.provenance import GitFacts, git_facts
from snapdrift.store.state_branch import Git
from snapdrift.suites.repository import Repository

Mistakes = Callable[..., list[str]]
OF_A_FORGE = ("GITHUB_", "CI_", "BITBUCKET_")
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(OF_A_FORGE)}


@pytest.fixture(scope="module")
def git(tmp_path_factory: pytest.TempPathFactory) -> GitWorkspace:
    """`main` has gone on after `edit` left it; the first commit of `edit` is its only one."""
    git = GitWorkspace(tmp_path_factory.mktemp("git") / "repository", cases=3)
    git.commit("on the branch")
    git.git("checkout", "-q", "main")
    git.commit("main goes on")
    git.git("branch", "-q", "release")
    git.git("checkout", "-q", "edit")
    return git


def test_a_branch_is_compared_with_where_it_left_its_base(git: GitWorkspace) -> None:
    found = Repository.around(git.root, ENVIRONMENT).commit("merge-base")
    assert (found.id, found.taken) == (git.git("rev-parse", "main~1"), "main")


def test_the_base_of_a_pull_request_goes_before_the_default_branch(git: GitWorkspace) -> None:
    for name in ("GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "BITBUCKET_PR_DESTINATION_BRANCH"):
        found = Repository.around(git.root, {**ENVIRONMENT, name: "release"}).commit("merge-base")
        assert found.taken == "release", name


def test_a_base_of_a_pull_request_that_is_not_there_is_no_other_branch(git: GitWorkspace) -> None:
    environment = {**ENVIRONMENT, "GITHUB_BASE_REF": "gone"}
    with pytest.raises(RepositoryError, match="GITHUB_BASE_REF names the base branch; found no commit 'gone'"):
        Repository.around(git.root, environment).commit("merge-base")


def test_what_a_hook_of_git_sets_does_not_lead_to_another_repository(
    git: GitWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = GitWorkspace(tmp_path / "other", cases=1)
    environment = {**ENVIRONMENT, "GIT_DIR": str(other.top / ".git"), "GIT_WORK_TREE": str(other.top)}
    assert Repository.around(git.root, environment).commit("HEAD").id == git.git("rev-parse", "HEAD")
    for name in ("GIT_DIR", "GIT_WORK_TREE"):
        monkeypatch.setenv(name, environment[name])
    assert git_facts(git.root).commit == Repository.around(git.root, ENVIRONMENT).commit("HEAD").id


def test_a_branch_that_only_the_remote_has_is_found_there(git: GitWorkspace, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git.git("clone", "-q", str(git.top), str(clone), cwd=tmp_path)
    found = Repository.around(clone / "app", ENVIRONMENT).commit("release")
    assert (found.id, found.taken) == (git.git("rev-parse", "release"), "origin/release")


@pytest.mark.parametrize("ref", ["main", "merge-base"])
def test_a_shallow_clone_says_how_to_fetch_the_history(git: GitWorkspace, tmp_path: Path, ref: str) -> None:
    clone = tmp_path / "clone"
    git.git("clone", "-q", "--depth", "1", f"file://{git.top}", str(clone), cwd=tmp_path)
    with pytest.raises(RepositoryError, match=r"shallow clone.*`fetch-depth: 0` under `actions/checkout`"):
        Repository.around(clone / "app", {**ENVIRONMENT, "GITHUB_BASE_REF": "main"}).commit(ref)


def test_histories_without_a_common_commit_have_no_merge_base(tmp_path: Path) -> None:
    git = GitWorkspace(tmp_path / "repository", cases=1)
    git.git("checkout", "-q", "--orphan", "apart")
    git.commit("another beginning")
    with pytest.raises(RepositoryError, match="no merge base of HEAD and main; expected a branch with a commit"):
        Repository.around(git.root, ENVIRONMENT).commit("merge-base")


def test_a_repository_without_a_commit_has_nothing_to_compare_with(tmp_path: Path) -> None:
    git = GitWorkspace.__new__(GitWorkspace)
    git.top = tmp_path
    git.git("init", "-q")
    with pytest.raises(RepositoryError, match="no commit yet"):
        Repository.around(tmp_path, ENVIRONMENT)


def test_without_git_on_the_path_that_is_what_is_said(git: GitWorkspace, tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="found no git"):
        Repository.around(git.root, {"PATH": str(tmp_path)})


def test_files_of_a_tree_are_read_as_they_were_and_links_and_submodules_refused(tmp_path: Path) -> None:
    git = GitWorkspace(tmp_path / "repository", cases=1)
    (git.root / "linked").symlink_to("prompts")
    git.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(git.top), "app/module")
    commit = git.commit("links")
    git.prompt("something else")
    repository = Repository.around(git.root, ENVIRONMENT)
    identity = repository.entry(commit, "prompts/capital.yaml")
    assert identity is not None
    assert CLEAR.splitlines()[1].encode() in repository.read(identity, 10_000)
    assert repository.entry(commit, "prompts") is None, "a folder is no file"
    assert repository.entry(commit, "prompts/other.yaml") is None
    with pytest.raises(RepositoryError, match="larger than"):
        repository.read(identity, 10)
    for path, what in (("linked/capital.yaml", "a symbolic link"), ("module/app/prompts/capital.yaml", "a submodule")):
        with pytest.raises(RepositoryError, match=f"is {what}; expected a plain file"):
            repository.entry(commit, path)
    with pytest.raises(RepositoryError, match="outside the git repository"):
        repository.entry(commit, "../../elsewhere.yaml")


def test_files_are_compared_by_their_bytes_and_no_filter_of_the_repository_runs(tmp_path: Path) -> None:
    git = GitWorkspace(tmp_path / "repository", cases=1)
    names = ("same", "ends", "other", "large", "gone", "mode", "stray")
    for name in names[:-1]:
        git.write(f"f/{name}.txt", f"{name}\nsecond\n")
    digest = hashlib.sha256(b"a large file").hexdigest()
    git.write("f/large.txt", f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize 12\n")
    commit = git.commit("files")
    ran = tmp_path / "ran"
    git.git("config", "filter.spy.clean", f"touch {ran}; cat")
    git.write(".gitattributes", "*.txt filter=spy\n")
    (git.root / "f/same.txt").write_text("same\nsecond\n")  # written again: git would look into it
    (git.root / "f/ends.txt").write_bytes(b"ends\r\nsecond\r\n")
    git.write("f/other.txt", "other\nSecond\n")
    git.write("f/large.txt", "a large file")
    (git.root / "f/gone.txt").unlink()
    (git.root / "f/mode.txt").unlink()
    (git.root / "f/mode.txt").symlink_to("same.txt")
    git.write("f/stray.txt", "not in git")
    found = Repository.around(git.root, ENVIRONMENT).changed_since(commit, [f"f/{name}.txt" for name in names])
    assert found == {"f/other.txt", "f/gone.txt", "f/mode.txt"}
    assert not ran.exists()


def test_without_an_environment_of_its_own_git_is_not_led_elsewhere_either(
    git: GitWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = git.git("rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert Repository.around(git.root, {}).commit("HEAD").id == head


@pytest.mark.parametrize("ref", ["--all", "main:app", "a b", ""])
def test_a_ref_that_can_name_no_commit_is_told_where_it_is_written(mistakes: Mistakes, good: str, ref: str) -> None:
    (found,) = mistakes(good.replace("{variant: august}", f'{{ref: "{ref}"}}'))
    assert found.startswith("evals/s.yaml:12:19: gate.baseline.ref: ")
    assert found.endswith("expected merge-base, or a branch, a tag or a commit")


@pytest.mark.parametrize("shape", [("objects", "refs"), ("commondir",)])
def test_what_is_committed_in_the_shape_of_a_bare_repository_has_git_run_nothing(
    git: GitWorkspace, tmp_path: Path, shape: tuple[str, ...]
) -> None:
    """Git would take the folder for the repository, and obey the configuration that was committed with it."""
    clone, ran = tmp_path / "clone", tmp_path / "ran"
    git.git("clone", "-q", str(git.top), str(clone), cwd=tmp_path)
    bare = clone / "app"
    store = bare if "objects" in shape else clone / "other"
    for name in ("objects", "refs"):
        (store / name).mkdir(parents=True)
    if store != bare:
        (bare / "commondir").write_text("../other\n")
    (bare / "HEAD").write_text("ref: refs/heads/main\n")
    (store / "config").write_text(f"[core]\nrepositoryformatversion = 0\nworktree = {bare}\nfsmonitor = touch {ran}\n")
    assert git.git("rev-parse", "--absolute-git-dir", cwd=bare) == str(bare.resolve()), "git itself falls for it"
    if store == bare:
        git.git("status", cwd=bare)
        ran.unlink()
    assert git_facts(bare) == GitFacts(None, None)
    with pytest.raises(RepositoryError, match=r"app: found a bare git repository among the files.*remove its HEAD"):
        Repository.around(bare, ENVIRONMENT)
    with pytest.raises(StoreError, match="found a bare git repository"):
        Git(bare).text("fetch", "origin")
    assert not ran.exists()


def test_a_git_that_knows_the_setting_refuses_it_too(git: GitWorkspace, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    git.git("init", "-q", "--bare", str(bare), cwd=tmp_path)
    command = ["git", "-C", str(bare), *git_command(git.root)[3:], "rev-parse", "--git-dir"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "cannot use bare repository" in done.stderr) == (128, True)
