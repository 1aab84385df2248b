"""The workspace: the folder that a suite's paths are relative to and cannot leave."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from snapdrift.errors import ConfigError, NoWorkspaceError, Problem, SnapdriftError
from snapdrift.suites.config import Config, parse_config, toml_document
from snapdrift.suites.own_folders import require_own_folders, require_way
from snapdrift.suites.registry import Location
from snapdrift.suites.wording import did_you_mean

CONFIG_FILE = "snapdrift.toml"
PROJECT_FILE = "pyproject.toml"
SUITES_FOLDER = "evals"
MAX_TEXT_BYTES = 16 * 2**20
"""The largest suite, prompt, schema or rubric that is read. Datasets have their own, larger bound."""

MAX_NAME = 255
"""Bytes in the name of a file or folder; the usual file systems take no more."""


class PathError(SnapdriftError):
    """A path in a suite names nothing that may be read: what was found, and what was expected."""

    def __init__(self, found: str, expected: str) -> None:
        self.found = found
        self.expected = expected
        super().__init__(f"{found}; {expected}")


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace's root folder (absolute, symlinks resolved) and its configuration."""

    root: Path
    config: Config

    @property
    def state_dir(self) -> Path:
        """Where runs and other state are kept; `.snapdrift` in the root unless configured."""
        return self.root / self.config.state

    def resolve(self, text: str) -> Path:
        """The absolute path of a file named in a suite. Raises `PathError`.

        The path is relative to the root. After symlinks are resolved it must lie inside the root or a folder that
        `snapdrift.toml` declares under `roots`, and neither as written nor as resolved may it name a dotfile or a
        folder of that kind (`.git`, `.env`).
        """
        require_plain(text)
        try:
            found = (self.root / text).resolve()
        except (OSError, RuntimeError) as error:
            raise PathError(f"{text} cannot be followed ({error})", "expected a file inside the workspace") from None
        if found.is_symlink():  # what Python 3.13 makes of a link that leads to itself; before, it raised
            raise PathError(f"{text} cannot be followed (a loop of links)", "expected a file inside the workspace")
        self.require_inside(found, text)
        if not found.is_file():
            raise self._missing(text, found)
        return found

    def own_folder(self, *parts: str) -> Path:
        """A folder below the root that is written into. Raises `ConfigError` where a link on the way leads out."""
        folder = self.root.joinpath(*parts)
        require_way(self.root, folder, self._places)
        return folder

    def require_inside(self, found: Path, text: str) -> None:
        """Raises `PathError` where a path, as resolved of `text`, is outside the workspace, or hidden."""
        inside = self._inside(found)
        if inside is None:
            expected = f"expected a file inside the workspace {self.root.name}/"
            raise PathError(f"{text} leads out of the workspace", f"{expected} (or under `roots` of {CONFIG_FILE})")
        if any(part.startswith(".") for part in inside.parts):
            raise PathError(f"{text} leads to a hidden file or folder", "expected no name that begins with a dot")

    def read(self, text: str) -> str:
        """The text of a file named in a suite. Raises `PathError`."""
        return read_text(self.resolve(text), text)

    def shown(self, path: Path) -> str:
        """How messages name a file: relative to the root where it is inside, with forward slashes."""
        found = path.resolve()
        return found.relative_to(self.root).as_posix() if found.is_relative_to(self.root) else str(path)

    @property
    def _places(self) -> tuple[Path, ...]:
        """The root and the folders that are declared beside it, resolved."""
        return (self.root, *((self.root / extra).resolve() for extra in self.config.roots))

    def _inside(self, found: Path) -> Path | None:
        for root in self._places:
            if found.is_relative_to(root):
                return found.relative_to(root)
        return None

    def _missing(self, text: str, found: Path) -> PathError:
        if found.is_dir():
            return PathError(f"{text} is a folder", "expected a file")
        if found.exists():
            return PathError(f"{text} is not a regular file", "expected a file")
        written = PurePosixPath(text)
        near = sorted(p.name for p in found.parent.iterdir()) if found.parent.is_dir() else []
        names = [str(written.with_name(name)) for name in near if not name.startswith(".")]
        return PathError(f"no file {text}", did_you_mean(text, names, "expected a file in the workspace"))


def require_plain(text: str) -> None:
    """Raises `PathError` for what no path in a suite may be as it is written: empty, absolute, hidden, overlong."""
    if not text.strip() or "\0" in text:
        raise PathError("an empty path" if not text.strip() else "a path with a NUL", "expected a file's path")
    written = PurePosixPath(text)
    if any(len(part.encode("utf-8", "replace")) > MAX_NAME for part in written.parts):
        raise PathError(f"a path with a name of more than {MAX_NAME} bytes", "expected a file's path")
    if written.is_absolute() or Path(text).is_absolute() or text.startswith("~"):
        raise PathError(f"the absolute path {text}", "expected a path relative to the workspace")
    if any(part.startswith(".") and part != ".." for part in written.parts):
        raise PathError(f"the hidden path {text}", "expected no file or folder whose name begins with a dot")


def read_text(path: Path, shown: str) -> str:
    """The UTF-8 text of a file (a byte order mark is dropped). Raises `PathError`."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_TEXT_BYTES + 1)
    except OSError as error:
        raise PathError(f"{shown} cannot be read ({error.strerror})", "expected a readable file") from None
    if len(data) > MAX_TEXT_BYTES:
        raise PathError(f"{shown} is larger than {MAX_TEXT_BYTES // 2**20} MB", "expected a smaller file")
    return decoded(data, shown)


def decoded(data: bytes, shown: str) -> str:
    """Bytes of a file as the UTF-8 text that they are (a byte order mark is dropped). Raises `PathError`."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PathError(f"{shown} is not UTF-8 (line {line})", "expected text in UTF-8") from None


def find_workspace(start: Path) -> Workspace:
    """The workspace that `start` (a file or a folder) belongs to.

    The nearest folder upwards with `snapdrift.toml`, or with `[tool.snapdrift]` in `pyproject.toml`; else the parent
    of the nearest `evals/` that `start` is in or beside. Raises `NoWorkspaceError` when there is none, and
    `ConfigError` when its configuration has mistakes, and where what is written into it would go elsewhere.
    """
    folders = list(_upwards(start.resolve()))
    for folder in folders:
        config = _read_config(folder)
        if config is not None:
            return _writable(Workspace(folder, config))
    for folder in folders:
        if folder.name == SUITES_FOLDER:
            return _writable(Workspace(folder.parent, Config()))
        if (folder / SUITES_FOLDER).is_dir():
            return _writable(Workspace(folder, Config()))
    raise NoWorkspaceError(
        f"no workspace at {start}: neither {CONFIG_FILE}, [tool.snapdrift] in {PROJECT_FILE} nor a folder "
        f"{SUITES_FOLDER}/ here or above; put an empty {CONFIG_FILE} in the folder that holds {SUITES_FOLDER}/"
    )


def bare_workspace(folder: Path) -> Workspace:
    """A folder that is no workspace as if it were one, without a configuration: for what needs none.

    Raises `ConfigError` where what is written into it would go elsewhere.
    """
    return _writable(Workspace(folder.resolve(), Config()))


def config_problem(root: Path, location: Location, found: str, expected: str) -> Problem:
    """A mistake in the configuration of the workspace at `root` that shows only after it was read: where it stands."""
    for name, table in ((CONFIG_FILE, ()), (PROJECT_FILE, ("tool", "snapdrift"))):
        if (root / name).is_file():
            document = toml_document(_read_toml(root / name), name, None)
            return document.problem((*table, *location), found, expected)
    return Problem(CONFIG_FILE, 0, 0, ".".join(map(str, location)), found, expected)


def _writable(workspace: Workspace) -> Workspace:
    roots = [(workspace.root / extra).resolve() for extra in workspace.config.roots]
    require_own_folders(workspace.root, workspace.state_dir, roots)
    return workspace


def _upwards(start: Path) -> Iterator[Path]:
    folder = start if start.is_dir() else start.parent
    yield folder
    yield from folder.parents


def _read_config(folder: Path) -> Config | None:
    """The configuration that the folder declares, None when it declares none."""
    own, project = folder / CONFIG_FILE, folder / PROJECT_FILE
    if own.is_file():
        return parse_config(_read_toml(own), CONFIG_FILE)
    if project.is_file() and "snapdrift" in (text := _read_toml(project)):
        try:
            tool = tomllib.loads(text).get("tool", {})
        except tomllib.TOMLDecodeError:
            return None  # another program's file: its own tools tell what is wrong with it
        if isinstance(tool, dict) and "snapdrift" in tool:
            return parse_config(text, PROJECT_FILE, table=("tool", "snapdrift"))
    return None


def _read_toml(path: Path) -> str:
    try:
        return read_text(path, path.name)
    except PathError as error:
        raise ConfigError(str(error)) from None
