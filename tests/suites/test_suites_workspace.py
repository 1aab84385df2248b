from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from snapdrift.errors import ConfigError
from snapdrift.suites.config import Config
from snapdrift.suites.workspace import PathError, Workspace, bare_workspace, find_workspace


def found_wrong(workspace: Workspace, text: str) -> str:
    with pytest.raises(PathError) as caught:
        workspace.resolve(text)
    return str(caught.value)


def config_error(tmp_path: Path, text: str, name: str = "snapdrift.toml") -> list[str]:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError) as caught:
        find_workspace(tmp_path)
    return str(caught.value).splitlines()


def test_the_nearest_folder_with_a_configuration_is_the_workspace(tmp_path: Path) -> None:
    inner = tmp_path / "inner" / "evals"
    inner.mkdir(parents=True)
    (tmp_path / "snapdrift.toml").write_text("")
    (tmp_path / "inner" / "pyproject.toml").write_text("[tool.snapdrift]\nstate = 'state'\n")
    workspace = find_workspace(inner / "s.yaml")
    assert (workspace.root, workspace.state_dir) == (tmp_path / "inner", tmp_path / "inner" / "state")


def test_a_project_file_without_our_table_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "snapdrift.toml").write_text("")
    (tmp_path / "sub" / "pyproject.toml").write_text("[project]\nname = 'snapdrift'\n")
    assert find_workspace(tmp_path / "sub").root == tmp_path


@pytest.mark.parametrize("start", ["evals/deep/s.yaml", "evals", "."])
def test_without_a_configuration_the_parent_of_evals_is_the_workspace(tmp_path: Path, start: str) -> None:
    (tmp_path / "evals" / "deep").mkdir(parents=True)
    assert find_workspace(tmp_path / start) == Workspace(tmp_path, Config())


def test_no_workspace_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="put an empty snapdrift"):
        find_workspace(tmp_path)


def test_a_file_inside_the_workspace_is_found(workspace: Workspace) -> None:
    (workspace.root / "a.txt").write_text("\ufeffhé")
    assert (workspace.resolve("evals/../a.txt"), workspace.read("a.txt")) == (workspace.root / "a.txt", "\ufeffhé"[1:])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "an empty path; "),
        ("a\0b", "a path with a NUL; "),
        ("/etc/passwd", "the absolute path /etc/passwd; expected a path relative to the workspace"),
        ("~/x", "the absolute path ~/x; "),
        ("../outside.txt", "../outside.txt leads out of the workspace; "),
        ("evals/../../outside.txt", "evals/../../outside.txt leads out of the workspace; "),
        (".env", "the hidden path .env; "),
        (".git/config", "the hidden path .git/config; "),
        (".GIT/config", "the hidden path .GIT/config; "),
        ("evals/../.git/config", "the hidden path evals/../.git/config; "),
        ("evals", "evals is a folder; expected a file"),
        ("nothing.txt", "no file nothing.txt; expected a file in the workspace"),
        ("tickts.csv", 'no file tickts.csv; did you mean "tickets.csv"?'),
        ("pipe", "pipe is not a regular file; expected a file"),
        ("link-out", "link-out leads out of the workspace; "),
        ("folder-out/outside.txt", "folder-out/outside.txt leads out of the workspace; "),
        ("link-hidden", "link-hidden leads to a hidden file or folder; "),
        ("loop", "loop cannot be followed ("),
        ("a" * 256, "a path with a name of more than 255 bytes; "),
    ],
)
def test_a_path_that_may_not_be_read_is_refused(workspace: Workspace, text: str, expected: str) -> None:
    root = workspace.root
    (root.parent / "outside.txt").write_text("secret")
    (root / ".env").write_text("secret")
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text("secret")
    (root / "tickets.csv").write_text("id\n")
    os.mkfifo(root / "pipe")
    (root / "link-out").symlink_to(root.parent / "outside.txt")
    (root / "folder-out").symlink_to(root.parent)
    (root / "link-hidden").symlink_to(root / ".env")
    (root / "loop").symlink_to(root / "loop")
    assert found_wrong(workspace, text).startswith(expected)


def test_a_symlink_that_stays_inside_is_followed(workspace: Workspace) -> None:
    (workspace.root / "a.txt").write_text("x")
    (workspace.root / "link").symlink_to(workspace.root / "a.txt")
    assert workspace.resolve("link") == workspace.root / "a.txt"


def test_an_extra_root_may_be_read_and_its_neighbour_may_not(tmp_path: Path) -> None:
    for name in ("ws", "shared", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.txt").write_text(name)
    (tmp_path / "ws" / "snapdrift.toml").write_text('roots = ["../shared"]\n')
    workspace = find_workspace(tmp_path / "ws")
    assert workspace.read("../shared/x.txt") == "shared"
    assert "leads out of the workspace" in found_wrong(workspace, "../other/x.txt")


def test_a_file_that_is_not_utf8_is_told_with_its_line(workspace: Workspace) -> None:
    (workspace.root / "x.txt").write_bytes(b"a\n\xff")
    with pytest.raises(PathError, match=r"x\.txt is not UTF-8 \(line 2\)"):
        workspace.read("x.txt")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("state = \n", ["snapdrift.toml:1:9: not TOML: Invalid value; expected valid TOML"]),
        ("a = [1\n", ["snapdrift.toml:2:1: not TOML: "]),
        ("# x\nhots = 1\n", ['snapdrift.toml:2:1: hots: unknown key; did you mean "hosts"?']),
        ("concurrency = 0\n", ["snapdrift.toml:1:1: concurrency: 0; expected more than 0"]),
        (
            '[hosts."my-proxy"]\nbase_url = "ftp://x"\nkey_env = "sk-123"\n',
            [
                'snapdrift.toml:2:1: hosts.my-proxy.base_url: "ftp://x"; expected a URL',
                'snapdrift.toml:3:1: hosts.my-proxy.key_env: "sk-123"; expected the name of an environment variable',
            ],
        ),
        (
            '[hosts.x]\nbase_url = "https://x"\nkey_env = "OPENAI_API_KEY"\n',
            ['snapdrift.toml:3:1: hosts.x.key_env: "OPENAI_API_KEY"; expected a variable of its own'],
        ),
        ("[hosts.x]\n", ["snapdrift.toml:1:2: hosts.x.base_url: missing; expected this key"]),
        ("[standin.suites.a]\nvariant = {}\n", ["snapdrift.toml:2:1: standin.suites.a.variant: unknown key; did you"]),
        (
            "api_key_cmd = []\n",
            ["snapdrift.toml:1:1: api_key_cmd: an empty list; expected a command that prints the key"],
        ),
        ('api_key_cmd = "pass \'"\n', ["snapdrift.toml:1:1: api_key_cmd: "]),
        ("[limits.gpt-4o]\nrequests_per_minute = 5\n", ["snapdrift.toml:2:1: limits.gpt-4o.requests_per_minute: "]),
        ("[limits]\ntier = 9\n", ["snapdrift.toml:2:1: limits.tier: 9; expected 1 or 2 or 3 or 4 or 5"]),
        ("[limits]\nteir = 3\n", ["snapdrift.toml:2:1: limits.teir: 3; expected a mapping"]),
    ],
)
def test_a_mistake_in_the_configuration_is_told_with_its_line(tmp_path: Path, text: str, expected: list[str]) -> None:
    found = config_error(tmp_path, text)
    assert [line.startswith(start) for line, start in zip(found, expected, strict=True)] == [True] * len(expected)


def test_a_mistake_in_a_project_file_is_told_there(tmp_path: Path) -> None:
    found = config_error(tmp_path, "[tool.snapdrift]\nstat = 'x'\n", "pyproject.toml")
    assert found == ['pyproject.toml:2:1: tool.snapdrift.stat: unknown key; did you mean "state"?']


def test_the_stand_ins_settings_are_read(tmp_path: Path) -> None:
    (tmp_path / "snapdrift.toml").write_text(
        '[standin]\nalias = {gpt-4o = "gpt-4o-2024-11-20"}\nseed = 7\n'
        '[standin.suites."triage-*"]\nrecordings = "r.jsonl"\nvariants = {august = "fenced"}\n'
    )
    standin = find_workspace(tmp_path).config.standin
    suite = standin.suites["triage-*"]
    assert (standin.alias["gpt-4o"], standin.seed) == ("gpt-4o-2024-11-20", 7)
    assert (suite.recordings, suite.variants) == (["r.jsonl"], {"august": "fenced"})


def test_prices_are_laid_over_the_facts_of_their_model(tmp_path: Path) -> None:
    (tmp_path / "snapdrift.toml").write_text(
        '[models."m"]\ncontext_window = 9\nprice = {input = 1, output = 2}\n[prices."m"]\ninput = 3\n'
    )
    overrides = find_workspace(tmp_path).config.catalog_overrides
    assert overrides == {"m": {"context_window": 9, "price": {"input": 3, "output": 2}}}


def linked(tmp_path: Path, name: str, to: str, config: str = "") -> Path:
    """A workspace in which `name` is a link; an `outside` folder and file lie beside it."""
    root = tmp_path / "workspace"
    for folder in (tmp_path / "outside", root / "evals", root / ".git", (root / name).parent):
        folder.mkdir(parents=True, exist_ok=True)
    (root / "snapdrift.toml").write_text(config)
    (root / name).symlink_to(to)
    return root


OUT = [
    (".snapdrift", "../outside", "declare where it leads as `state`"),
    (".snapdrift", ".git", "as `state`"),
    ("kept", "../outside", "as `state`"),
    (".snapdrift/verdicts.jsonl", "../../bashrc", r"what is in \.snapdrift/ to stay there"),
    (".snapdrift/runs", "../../outside", "to stay there"),
    (".snapdrift/runs/a.db", "../../../outside/a.db", "to stay there"),
    (".snapdrift/runs/a.lock", "../../.git/config", "to stay there"),
    (".snapdrift/watch/x/deep.json", "/etc/passwd", "to stay there"),
    ("reports", "../outside", "declare where it leads under `roots`"),
    ("reports/capitals", "../../outside", "what is in reports/ to stay there"),
    ("reports/capitals/latest", "/var/lib", "to stay there"),
    ("reports/capitals", "../.git", "to stay there"),
]


@pytest.mark.parametrize(("name", "to", "said"), OUT)
def test_no_link_leads_what_is_written_out_of_the_workspace(tmp_path: Path, name: str, to: str, said: str) -> None:
    root = linked(tmp_path, name, to, 'state = "kept"' if name == "kept" else "")
    with pytest.raises(ConfigError, match=rf"^{re.escape(name)} is a link that leads to .*{said}"):
        find_workspace(root / "evals")


@pytest.mark.parametrize(
    ("name", "to", "config"),
    [
        (".snapdrift", "../outside", 'state = "../outside"'),
        ("reports", "../outside", 'roots = ["../outside"]'),
        ("reports", "pages", ""),
        ("reports/capitals/latest", "20261127-120000-abcd", ""),
        ("reports/templates", "../../outside", ""),
        ("reports/templates/js", "../../../outside", ""),
    ],
)
def test_links_that_stay_or_whose_place_is_declared_are_fine(tmp_path: Path, name: str, to: str, config: str) -> None:
    root = linked(tmp_path, name, to, config)
    assert find_workspace(root / "evals").root == root


def test_no_link_on_the_way_to_a_declared_state_leads_out(tmp_path: Path) -> None:
    root = linked(tmp_path, "var", "../outside", 'state = "var/kept"')
    with pytest.raises(ConfigError, match=r"^var is a link that leads to .*as `state` in snapdrift\.toml"):
        find_workspace(root)


def test_a_state_that_is_declared_outside_is_where_it_is_said_to_be(tmp_path: Path) -> None:
    root = linked(tmp_path, "unused", "evals", 'state = "../outside/kept"')
    assert find_workspace(root).state_dir == root / "../outside/kept"


@pytest.mark.parametrize("name", [".snapdrift", ".snapdrift/runs/loop", "reports", "reports/loop"])
def test_a_link_that_leads_to_itself_is_named(tmp_path: Path, name: str) -> None:
    root = linked(tmp_path, name, Path(name).name)
    with pytest.raises(ConfigError, match=rf"^{re.escape(name)} is a link that leads to itself; expected "):
        find_workspace(root)


def test_folders_in_the_state_may_be_nested_as_deep_as_a_file_system_lets_them(tmp_path: Path) -> None:
    root = linked(tmp_path, ".snapdrift/unused", "a")
    nested = [Path(f"{root}/.snapdrift" + "/a" * depth) for depth in range(1, 1501)]
    for folder in nested:
        folder.mkdir()
    try:
        assert find_workspace(root).root == root
    finally:
        for folder in reversed(nested):  # who clears temporary folders does not go as deep
            folder.rmdir()


def test_a_place_below_the_workspace_is_its_own_unless_a_link_leads_out(tmp_path: Path) -> None:
    workspace = find_workspace(linked(tmp_path, "reports/templates", "../../outside"))
    assert workspace.own_folder("reports", "capitals") == workspace.root / "reports" / "capitals"
    with pytest.raises(ConfigError, match=r"^reports/templates is a link that leads to .*under `roots` in snapdrift"):
        workspace.own_folder("reports", "templates")


def test_a_folder_that_is_no_workspace_is_written_into_under_the_same_rule(tmp_path: Path) -> None:
    root = linked(tmp_path, "reports", "../outside")
    with pytest.raises(ConfigError, match=r"^reports is a link"):
        bare_workspace(root)
