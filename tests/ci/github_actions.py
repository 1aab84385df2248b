"""A composite action run as GitHub's runner runs one: its steps in order, their conditions, environment and outputs.

What the runner does with a step's output is done too: workflow commands are read, and are not while `stop-commands`
holds. Steps with `uses:` are noted with their inputs, and end well; nothing is fetched.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from tests.nursery import command_script

ROOT = Path(__file__).parents[2]
_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|&&|\|\||==|!=|!|\(|\)|[A-Za-z_][\w.-]*)")
_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}")


@dataclass
class Step:
    """What a step came to."""

    outcome: str
    outputs: dict[str, str] = field(default_factory=dict)
    log: str = ""
    inputs: dict[str, str] = field(default_factory=dict)


@dataclass
class Job:
    """What an action came to: `commands` are the workflow commands that the runner obeyed, as (name, rest)."""

    steps: dict[str, Step] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    commands: list[tuple[str, str]] = field(default_factory=list)
    summary: str = ""
    failed: bool = False

    def log(self) -> str:
        return "\n".join(step.log for step in self.steps.values())

    def annotations(self, level: str) -> list[str]:
        return [rest for name, rest in self.commands if name == level]


@dataclass(frozen=True)
class Cut:
    """What befalls a step while it runs: `befall` is given its process, and returns what GitHub calls its outcome."""

    step: str
    befall: Callable[[subprocess.Popen[str]], str | None]


@dataclass
class Runner:
    """A machine with a checkout: `github` and `env` are what GitHub gives a job."""

    checkout: Path
    temp: Path
    github: dict[str, Any]
    env: dict[str, str]

    def run(self, action: Path, inputs: Mapping[str, str], cut: Cut | None = None) -> Job:
        """Runs the action in a file with these inputs, the others at their defaults."""
        written = yaml.safe_load(action.read_text(encoding="utf-8"))
        unknown = inputs.keys() - written["inputs"].keys()
        assert not unknown, unknown
        job = Job()
        context: dict[str, Any] = {"github": self.github, "env": self.env, "inputs": {}, "steps": job.steps}
        for name, entry in written["inputs"].items():
            context["inputs"][name] = inputs.get(name, _filled(str(entry.get("default", "")), context, job))
        for number, step in enumerate(written["runs"]["steps"]):
            name = step.get("id", f"step-{number}")
            if not _holds(step.get("if", "success()"), context, job):
                job.steps[name] = Step("skipped")
            elif "uses" in step:
                given = {key: _filled(str(text), context, job) for key, text in step.get("with", {}).items()}
                job.steps[name] = Step("success", {"artifact-url": "https://files.example/7"}, inputs=given)
            else:
                befall = cut.befall if cut is not None and cut.step == name else None
                job.steps[name] = self._shell(step, context, job, action.parent, befall)
                job.failed |= job.steps[name].outcome in ("failure", "cancelled")
        job.outputs = {name: _filled(o["value"], context, job) for name, o in written["outputs"].items()}
        return job

    def _shell(
        self,
        step: dict[str, Any],
        context: dict[str, Any],
        job: Job,
        folder: Path,
        befall: Callable[[subprocess.Popen[str]], str | None] | None,
    ) -> Step:
        assert step["shell"] == "bash"
        given, summary = self.temp / "output", self.temp / "summary"
        for file in (given, summary):
            file.write_text("")
        told = {name: _filled(str(text), context, job) for name, text in step.get("env", {}).items()}
        env = {
            **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "PYTHONPATH", "LANG")},
            **self.env,
            "GITHUB_OUTPUT": str(given),
            "GITHUB_STEP_SUMMARY": str(summary),
            "GITHUB_ACTION_PATH": str(folder),
            "RUNNER_TEMP": str(self.temp),
            **told,
        }
        process = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.checkout / _filled(step["working-directory"], context, job),
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        outcome = None if befall is None else befall(process)
        log, _ = process.communicate(timeout=300)
        job.commands += obeyed(log)
        job.summary += summary.read_text()
        outputs = outputs_in(given.read_text())
        return Step(outcome or ("success" if process.returncode == 0 else "failure"), outputs, log)


def obeyed(log: str) -> Iterator[tuple[str, str]]:
    """The workflow commands in a step's output, as far as the runner reads them."""
    stopped = ""
    for line in log.splitlines():
        found = re.match(r"\s*::([\w-]+)(.*)", line)
        if found is None:
            continue
        if stopped:
            stopped = "" if line.strip() == f"::{stopped}::" else stopped
        elif found[1] == "stop-commands":
            stopped = found[2].removeprefix("::")
        else:
            yield found[1], found[2].strip()


def outputs_in(text: str) -> dict[str, str]:
    """The outputs in a file that a step wrote them to, each between delimiters of its own."""
    outputs, lines = {}, iter(text.splitlines())
    for line in lines:
        name, _, end = line.partition("<<")
        value = []
        while (each := next(lines)) != end:
            value.append(each)
        outputs[name] = "\n".join(value)
    return outputs


def _filled(text: str, context: dict[str, Any], job: Job) -> str:
    """A text with the values of its expressions in it."""
    return _EXPRESSION.sub(lambda found: _text(_Expression(found[1], context, job).value()), text)


def _holds(condition: str, context: dict[str, Any], job: Job) -> bool:
    """Whether a step runs: one that does not ask for `always()` only while nothing has failed."""
    asked = condition if "always()" in condition else f"success() && ({condition})"
    return bool(_Expression(asked, context, job).value())


def _text(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


class _Expression:
    """The part of GitHub's expressions that the actions use."""

    def __init__(self, text: str, context: dict[str, Any], job: Job) -> None:
        self._tokens = _TOKEN.findall(text)
        assert "".join(self._tokens).replace(" ", "") == text.replace(" ", ""), text
        self._context, self._job = context, job

    def value(self) -> Any:
        left = self._both()
        while self._takes("||"):
            right = self._both()
            left = left or right
        return left

    def _both(self) -> Any:
        left = self._equal()
        while self._takes("&&"):
            right = self._equal()
            left = left and right
        return left

    def _equal(self) -> Any:
        left = self._one()
        for sign, same in (("==", True), ("!=", False)):
            if self._takes(sign):
                return (_text(left) == _text(self._one())) is same
        return left

    def _one(self) -> Any:
        if self._takes("!"):
            return not self._one()
        if self._takes("("):
            value = self.value()
            assert self._takes(")")
            return value
        token = self._tokens.pop(0)
        if token[0] == "'":
            return token[1:-1].replace("''", "'")
        if self._takes("("):
            assert self._takes(")")
            return {"always": True, "success": not self._job.failed}[token]
        return self._named(token)

    def _named(self, name: str) -> Any:
        value: Any = self._context
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else getattr(value, part, None)
        return value

    def _takes(self, token: str) -> bool:
        if self._tokens and self._tokens[0] == token:
            self._tokens.pop(0)
            return True
        return False


def command_on_path(folder: Path) -> str:
    """A PATH on which `snapdrift` is this checkout's, carried out by warm processes."""
    command_script(folder / "snapdrift")
    return f"{folder}:{os.environ['PATH']}"
