"""A reader who does what a page says: writes files, types commands, compares what they print with what the page shows.

`docs/fences.py` says what the words after a block's language mean. Lines that begin with `snapdrift` run in this
process, everything else in a shell that finds the same `snapdrift`.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer.main
import yaml
from tests.conftest import Snapdrift, clean_environment
from tests.nursery import command_script

from docs.fences import Fence
from snapdrift.cli import app
from snapdrift.exit_codes import ExitCode

READER = {
    "COLUMNS": "98",
    "GIT_CONFIG_GLOBAL": os.devnull,
    **{f"GIT_{who}_{what}": "reader" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}
"""The environment of whoever reads: a terminal as wide as the pages, and a name for commits."""
CLI: Any = typer.main.get_command(app)
VARYING = (
    (re.compile(r"\b20\d{6}-\d{6}-[0-9a-f]{4,}\b"), "RUN"),
    (re.compile(r"\b20\d\d-\d\d-\d\d(T[\d:]+([+-]\d\d:\d\d|Z)?)?\b"), "DATE"),
    (re.compile(r"\b\d+(\.\d+)? ?(ms|s|min|kB|MB)(?!\w)"), "AMOUNT"),
)
"""What another day, or another machine, prints otherwise."""
_SHELL = re.compile(r"[|<>;&`]|\$\(|\$[A-Z?]")
_ASSIGNMENT = re.compile(r"[A-Z_]+=\S*")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, what it printed, and what it said beside it on stderr."""

    code: int
    printed: str
    said: str = ""

    @property
    def output(self) -> str:
        """Both, as a terminal has them."""
        return self.printed + self.said


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a `console` block, and the lines that are shown under it."""

    line: str
    shown: tuple[str, ...]


def commands(text: str) -> list[Command]:
    """Commands begin with `$ `; one that ends in a backslash goes on in the next line, all else is what it prints."""
    found: list[tuple[str, list[str]]] = []
    open_line = False
    for line in text.splitlines():
        if line.startswith("$ ") or open_line:
            if open_line:
                found[-1] = (f"{found[-1][0][:-1].rstrip()} {line.strip()}", [])
            else:
                found.append((line[2:], []))
            open_line = line.endswith("\\")
        else:
            found[-1][1].append(line)
    return [Command(line, tuple(shown)) for line, shown in found]


def without_what_varies(text: str) -> str:
    """A text as words with single blanks between them, and words in the place of ids, dates and amounts."""
    for pattern, word in VARYING:
        text = pattern.sub(word, text)
    return re.sub(r"\s+", " ", text).strip()


def is_shown(shown: tuple[str, ...], output: str) -> bool:
    """Whether the output is what is shown, wherever its lines are broken; `...` stands for any text."""
    pieces = without_what_varies("\n".join(shown)).split("...")
    pattern = ".*?".join(re.escape(piece.strip()) for piece in pieces)
    return re.fullmatch(pattern, without_what_varies(output)) is not None


def arguments_of(line: str) -> list[str]:
    """The words after `snapdrift`, without assignments of the environment before it."""
    words = shlex.split(line, comments=True)
    while words and _ASSIGNMENT.fullmatch(words[0]):
        del words[0]
    return words[1:] if words[:1] == ["snapdrift"] else []


def understood(line: str) -> Any:
    """The command that a line calls, once its words were read as the program reads them; None where it calls none."""
    words = arguments_of(line)
    command = CLI
    while words and hasattr(command, "commands"):
        command = command.commands[words[0]]
        words = words[1:]
    if command is not CLI:
        command.make_context(command.name, list(words))
    return None if command is CLI else command


@dataclass
class Reader:
    """Goes through a page from its first block to its last, in one folder."""

    folder: Path
    snapdrift: Snapdrift
    last: Ended = field(default=Ended(0, ""))

    def follow(self, fence: Fence) -> None:
        """Does what a block says. What is only shown, or takes hours, is at least understood."""
        assert not fence.strange, f"line {fence.line}: {fence.strange} mean nothing (docs/fences.py)"
        if {"shown", "hours"} & set(fence.words):
            self._understand(fence)
        elif fence.language == "console":
            self._type(fence)
        elif fence.language == "sh":
            self._expect(fence, self._shell(f"set -eu\n{fence.text}"), fence.exit_code)
        elif fence.file is not None:
            self._write(fence, fence.file)
        elif fence.language == "python":
            self._expect(fence, self._process([sys.executable, "-"], fence.text), fence.exit_code)
        else:
            assert fence.language == "text", f"line {fence.line}: nothing says what becomes of this block"

    def _understand(self, fence: Fence) -> None:
        if fence.language in {"yaml", "yml"}:
            assert yaml.safe_load(fence.text), f"line {fence.line}"
        for line in fence.text.replace("\\\n", " ").splitlines():
            understood(line.removeprefix("$ "))

    def _write(self, fence: Fence, name: str) -> None:
        path = self.folder / name
        if "excerpt" in fence.words:
            there, wanted = (without_indent(text) for text in (path.read_text(encoding="utf-8"), fence.text))
            assert wanted in there, f"line {fence.line}: these lines do not stand in {name}"
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text(encoding="utf-8") if "append" in fence.words else ""
        path.write_text(before + fence.text, encoding="utf-8")

    def _type(self, fence: Fence) -> None:
        *others, last = commands(fence.text)
        for command in others:
            self._run(fence, command, 0)
        self._run(fence, last, fence.exit_code)

    def _run(self, fence: Fence, command: Command, code: int) -> None:
        if "key" in fence.words:
            self._run_without_key(fence, command)
            return
        self.last = self._ended(command.line)
        self._expect(fence, self.last, code, command.line)
        same = not command.shown or any(is_shown(command.shown, text) for text in (self.last.printed, self.last.output))
        assert same, f"line {fence.line}: `{command.line}` printed\n\n{self.last.output}"

    def _run_without_key(self, fence: Fence, command: Command) -> None:
        """The same on the stand-in, where the command can; else it is at least understood."""
        called = understood(command.line)
        words = arguments_of(command.line)
        if called is None or "--no-wait" in words or "--standin" not in {o for p in called.params for o in p.opts}:
            return
        ended = self._ended(shlex.join(["snapdrift", *words, "--standin"]))
        assert ended.code != ExitCode.ERROR, f"line {fence.line}: `{command.line}` on the stand-in\n\n{ended.output}"

    def _expect(self, fence: Fence, ended: Ended, code: int, line: str = "") -> None:
        said = f"line {fence.line}: {line} ended with {ended.code}, expected {code}\n\n{ended.output}"
        assert ended.code == code, said

    def _ended(self, line: str) -> Ended:
        words = shlex.split(line, comments=True)
        if words[:1] != ["snapdrift"] or _SHELL.search(line):
            return self._shell(f"(exit {self.last.code})\n{line}")
        globbed = [name for word in words[1:] for name in self._names(word)]
        done = self.snapdrift(*globbed, cwd=self.folder, env=READER)
        return Ended(done.returncode, done.stdout, done.stderr)

    def _names(self, word: str) -> list[str]:
        if "*" not in word or word.startswith("/"):
            return [word]
        return sorted(path.relative_to(self.folder).as_posix() for path in self.folder.glob(word)) or [word]

    def _shell(self, text: str) -> Ended:
        return self._process(["bash", "-c", text])

    def _process(self, words: list[str], given: str = "") -> Ended:
        shim = self.folder.parent / "bin" / "snapdrift"
        if not shim.exists():
            command_script(shim)
        path = os.pathsep.join([str(shim.parent), str(Path(sys.executable).parent), os.environ["PATH"]])
        environment = clean_environment({**READER, "PATH": path})
        done = subprocess.run(
            words,
            cwd=self.folder,
            env=environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)


def without_indent(text: str) -> str:
    """The lines of a file without the blanks before and behind them, and without blank lines."""
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())
