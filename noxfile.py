"""What a developer runs: `nox` checks everything, `nox -s tests -- -k name` a part of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "coverage", "demo", "docs", "build"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_external_run = True

PYPROJECT = nox.project.load_toml("pyproject.toml")
# One more than there are cores: a worker whose test waits for a server leaves its core to another.
WORKERS = str(min(4, 1 + (os.cpu_count() or 1)))


def install(session: nox.Session, group: str) -> None:
    session.install("--quiet", *nox.project.dependency_groups(PYPROJECT, group))


def in_parallel(session: nox.Session) -> list[str]:
    """Workers for a run of everything; a part that is named runs in one process, where a debugger works."""
    return [] if session.posargs else ["-n", WORKERS, "--dist", "worksteal"]


@nox.session
def tests(session: nox.Session) -> None:
    """The whole test suite, browser tests included where Chromium is installed."""
    install(session, "test")
    session.install("--quiet", "--editable", ".")
    session.run("pytest", *in_parallel(session), *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """The test suite and which branches it takes: tracing makes it half as long again, so it stands apart."""
    install(session, "test")
    session.install("--quiet", "--editable", ".")
    session.run("coverage", "erase")
    examples = {"SNAPDRIFT_EXAMPLES": "150"}
    session.run("coverage", "run", "-m", "pytest", *in_parallel(session), *session.posargs, env=examples)
    session.run("coverage", "combine", "--quiet")
    limit = [] if session.posargs else ["--fail-under", "88"]
    session.run("coverage", "report", "--skip-covered", "--precision=1", *limit)


@nox.session
def browser(session: nox.Session) -> None:
    """The tests that drive a real Chromium; unlike `tests` it fails where there is none."""
    install(session, "test")
    session.install("--quiet", "--editable", ".")
    if not (os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")):
        session.error("no Chromium found: install it (Debian: apt-get install chromium) or set CHROMIUM to its path")
    session.run("pytest", "-m", "browser", *session.posargs)


@nox.session
def kills(session: nox.Session) -> None:
    """A run that is killed 100 times at random moments; the test suite has ten of them."""
    install(session, "test")
    session.install("--quiet", "--editable", ".")
    session.run("pytest", "tests/faults/test_faults_kills.py", *session.posargs, env={"SNAPDRIFT_KILLS": "100"})


@nox.session
def soak(session: nox.Session) -> None:
    """100,000 calls, two attempts in a hundred of which fail, and figures of memory and files; takes many minutes."""
    session.install("--quiet", "--editable", ".")
    session.run("python", "benchmarks/soak.py", *session.posargs)


@nox.session
def ray(session: nox.Session) -> None:
    """The engine `ray` on a real Ray, which `tests` skips: it is large to install and slow to start."""
    install(session, "test")
    session.install("--quiet", "--editable", ".[ray]")
    session.run("python", "-c", "import ray")  # the tests would skip without it
    session.run("pytest", "tests/pipeline/test_pipeline_ray.py", *session.posargs)


@nox.session
def plugin(session: nox.Session) -> None:
    """The bundled suites as items of pytest, alone and by several workers; some end red on purpose."""
    install(session, "test")
    session.install("--quiet", "--editable", ".")
    for more in ([], ["-n", WORKERS]):
        session.run("pytest", "--snapdrift", "evals/", "--standin", *more, *session.posargs, success_codes=[1])


@nox.session
def accept(session: nox.Session) -> None:
    """Writes the golden files of the reports anew; `git diff tests/reports/golden` is to be read before a commit."""
    install(session, "test")
    session.install("--quiet", "--editable", ".")
    session.run("pytest", "-k", "accepted", "tests/reports", *session.posargs, env={"SNAPDRIFT_ACCEPT": "1"})


@nox.session
def lint(session: nox.Session) -> None:
    """Style, import layers, dependencies that are declared but unused or used but undeclared, and workflows."""
    install(session, "lint")
    session.install("--quiet", "--editable", ".")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports")
    session.run("deptry", "src")
    session.run("zizmor", "--offline", "--quiet", "action.yml", "ci", ".github")


@nox.session
def types(session: nox.Session) -> None:
    """mypy in strict mode over the package, its tests and this file."""
    install(session, "types")
    session.install("--quiet", "nox", "--editable", ".")
    session.run("mypy")


@nox.session
def demo(session: nox.Session) -> None:
    """The bundled suites, end to end on the stand-in, from an installed package."""
    session.install("--quiet", "--editable", ".")
    session.run("snapdrift", "demo", *session.posargs)


def fuzz_minutes(session: nox.Session) -> float:
    """How long to go on."""
    given = session.posargs or ["--minutes", "20"]
    if len(given) != 2 or given[0] != "--minutes" or not re.fullmatch(r"\d{1,5}(\.\d+)?", given[1]):
        session.error(f"found {' '.join(given)!r}; expected `-- --minutes N`, N a number of minutes")
    return float(given[1])


@nox.session
def fuzz(session: nox.Session) -> None:
    """Hostile files and answers, others every time, for `-- --minutes N` (20); meant for a nightly schedule."""
    minutes = fuzz_minutes(session)
    install(session, "test")
    session.install("--quiet", "--editable", ".")
    ends = time.monotonic() + 60 * minutes
    while time.monotonic() < ends:
        session.run("pytest", "-x", "tests/fuzz", env={"SNAPDRIFT_FUZZ_EXAMPLES": "300"})


@nox.session
def docs(session: nox.Session) -> None:
    """The site, into site/: any warning fails it, a link or an anchor that leads nowhere too. `-- serve` shows it."""
    install(session, "docs")
    session.install("--quiet", "--editable", ".")
    session.run("python", "docs/generate.py", "--check")
    # Not with --quiet: it also hides warnings from the count that --strict fails by.
    words = session.posargs or ["build", "--strict"]
    session.run("mkdocs", *words, env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def screenshots(session: nox.Session) -> None:
    """Pictures of the report in five states, for a person to look at: reports/example/."""
    install(session, "test")
    session.install("--quiet", "--editable", ".")
    session.run("python", "docs/screenshots.py", *session.posargs)


def interpreters() -> list[str]:
    """A Python of each minor version from 3.11 on, where the machine has one: by its name, or one that pyenv keeps."""
    found: dict[tuple[int, ...], str] = {}
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    named = (shutil.which(f"python3.{minor}") for minor in range(11, 20))
    for program in (sys.executable, *named, *map(str, sorted(kept.glob("3.*/bin/python")))):
        if program is None:
            continue
        told = subprocess.run(
            [program, "--version"], capture_output=True, text=True, check=False
        )  # a shim may be empty
        version = re.match(r"Python (3)\.(\d+)\.\d+$", told.stdout.strip())
        if version and int(version[2]) >= 11:
            found.setdefault((3, int(version[2])), program)
    return [found[version] for version in sorted(found)]


@nox.session
def build(session: nox.Session) -> None:
    """Wheel and sdist, installed into a clean environment of every Python from 3.11 on that is found.

    The demo runs from the wheel, away from the repository, on the oldest; `-- --all` runs it on each.
    """
    session.install("--quiet", "build")
    out = Path(session.create_tmp()).resolve() / "dist"
    shutil.rmtree(out, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(out), silent=True)
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    outside = out.parent / "outside"
    shutil.rmtree(outside, ignore_errors=True)
    outside.mkdir()
    session.chdir(outside)
    there = interpreters()
    for program in there:
        python = clean_environment(session, program, outside / "venv")
        session.run(python, "-m", "pip", "install", "--quiet", str(wheel), external=True, silent=True)
        snapdrift = str(Path(python).with_name("snapdrift"))
        # A demo takes a minute; what it cannot do without is imported by the schema of suites.
        whole = program == there[0] or session.posargs == ["--all"]
        words = ["demo", "--quiet"] if whole else ["schema", "--builtin"]
        session.run(snapdrift, *words, external=True, silent=not whole)
    session.run(python, "-m", "pip", "uninstall", "--quiet", "--yes", "snapdrift", external=True)
    session.run(python, "-m", "pip", "install", "--quiet", "--no-deps", str(sdist), external=True, silent=True)
    session.run(python, "-m", "snapdrift", "schema", "--builtin", external=True, silent=True)
    session.log(f"the wheel was installed by {', '.join(there)}; the sdist by the last of them")


def clean_environment(session: nox.Session, program: str, folder: Path) -> str:
    """An environment of this interpreter with nothing in it, and the Python in it."""
    session.run(program, "-m", "venv", "--clear", str(folder), external=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    session.run(str(python), "--version", external=True)
    return str(python)
