"""What the whole suite shares: recorded outputs beside the checkout, the command line, and a browser."""

from __future__ import annotations

import gc
import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from tests.nursery import WarmProcess, command_script

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# A slow machine is no failure: no test asserts a time, so neither does hypothesis. The examples are others every time;
# `nox -s coverage` tries more of them at night.
settings.register_profile("snapdrift", deadline=None, max_examples=int(os.environ.get("SNAPDRIFT_EXAMPLES", "40")))
settings.load_profile("snapdrift")

# A runner started in the background ignores Ctrl-C, one started by `nohup` the terminal's end, and so would every
# process started here: the tests send both.
for _number, _usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _usual)

# As the command line has it: threads for our small arrays take half a second of processor time in every process.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Coverage is that of the workers. Measuring what they start (stand-ins, mostly) would double what that takes.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.pop("COVERAGE_PROCESS_CONFIG", None)

REPOSITORY = Path(__file__).parents[1]

# Python told to keep no compiled code would compile all modules and templates anew in every worker and in everything
# that the tests start, hundreds of times: it is kept, but where caches of tests are and not beside the sources.
if sys.dont_write_bytecode:
    sys.dont_write_bytecode, sys.pycache_prefix = False, str(REPOSITORY / ".pytest_cache" / "bytecode")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix

SHARED = REPOSITORY.parent / "shared"

# As the command line has it too; what collecting ten thousand tests makes is hardly ever garbage.
gc.set_threshold(20_000, 20, 20)


def pytest_collection_finish() -> None:
    """Tests and modules stay to the end: no search for cycles looks at them again, which took it half a second."""
    gc.collect()
    gc.freeze()


Snapdrift = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real recorded outputs, which is not part of the repository."""
    if not (SHARED / "real" / "gsm").is_dir():
        pytest.skip("NO RECORDED OUTPUTS: ../shared/real is not beside this checkout, so this test proves nothing here")
    return SHARED


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without anything that could reach a provider, and without the CI that the tests may run in."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "GITHUB_"))}
    return {**kept, "PYTHONUNBUFFERED": "1", "COLUMNS": "160", "NO_COLOR": "1", **(extra or {})}


@pytest.fixture(scope="session", autouse=True)
def warm_standins() -> Iterator[Callable[..., object]]:
    """Every stand-in that is started in this process is born warm; gives what starts one otherwise."""
    from snapdrift.standin import ahead

    otherwise = ahead.start_server
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ahead, "start_server", WarmProcess)
        yield otherwise


@pytest.fixture(scope="session")
def snapdrift_command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that is `snapdrift`, for whoever starts it as a process of its own: it is carried out by a warm one."""
    return command_script(tmp_path_factory.mktemp("bin") / "snapdrift")


@pytest.fixture(scope="session")
def snapdrift_process(snapdrift_command: Path) -> Snapdrift:
    """Runs `snapdrift ARGUMENTS` as a process of its own, in `cwd`."""

    def run(
        *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None, timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [snapdrift_command, *map(str, arguments)],
            cwd=cwd,
            env=clean_environment(env),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def snapdrift() -> Snapdrift:
    """Runs `snapdrift ARGUMENTS` in `cwd`, in this process: the same entry point, without seconds of imports."""

    def run(
        *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        from snapdrift.cli import main

        argv = ["snapdrift", *map(str, arguments)]
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
        code: object = 0
        imported = set(sys.modules)
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr(sys, "argv", argv)
            patch.setattr(sys, "path", sys.path[:])
            patch.chdir(cwd)
            wanted = clean_environment(env)
            for name in set(os.environ) - set(wanted):
                patch.delenv(name)
            for name, value in wanted.items():
                patch.setenv(name, value)
            try:
                main()
            except SystemExit as ended:
                code = ended.code
        for name in set(sys.modules) - imported:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(cwd)):
                del sys.modules[name]  # an application of that workspace; another test has its own under this name
        texts = [stream.buffer.getvalue().decode() for stream in (out, err)]
        return subprocess.CompletedProcess(argv, code if isinstance(code, int) else 0, *texts)

    return run


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless Chromium, or a loud skip.

    Ended with its module: Playwright keeps an event loop running, in which no other test can start one of its own.
    """
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not executable:
        pytest.skip("NO BROWSER TEST WAS RUN: no `chromium` on the PATH and CHROMIUM does not name one")
    from playwright.sync_api import sync_playwright

    quiet = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    arguments = [*quiet.split(), "--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=arguments)
        yield browser
        browser.close()
