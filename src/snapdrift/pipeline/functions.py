"""The user's own Python functions: an application, the fake of a tool, a grader. Importing and calling them runs them.

They run beside the event loop, never in it: a function in a thread of its own, a coroutine function in one further
event loop. What they print goes to stderr, for stdout is where results go.
"""

from __future__ import annotations

import asyncio
import codecs
import hashlib
import importlib
import importlib.util
import inspect
import os
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snapdrift.errors import UsageError
from snapdrift.keys import redact
from snapdrift.model import Failure, FailureKind
from snapdrift.openai_api.errors import AttemptFailed
from snapdrift.suites.workspace import PathError

if TYPE_CHECKING:
    from types import ModuleType

    from snapdrift.suites.tool_results import PythonFunction
    from snapdrift.suites.workspace import Workspace

Function = Callable[..., Any]
TIMEOUT_S = 600.0
"""How long one call of a function may take, in seconds: as long as a request."""
_SHOWN = 500
_LINES = 15
_ENDING_S = 5.0


class UserFunctions:
    """Functions of one command, imported when this is made. `at_once` bounds how many of them run at a time.

    A function in a thread cannot be stopped: one that overruns its time-out is given up, and keeps its place among
    the `at_once` until it returns.
    """

    def __init__(
        self, workspace: Workspace, functions: Mapping[PythonFunction, str | None], *, timeout_s: float = TIMEOUT_S
    ) -> None:
        """Imports `functions`, each with the SHA-256 that its file must have (None: any). Raises `UsageError`."""
        self._root = workspace.root
        self._timeout_s = timeout_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._places: asyncio.Semaphore | None = None
        modules: dict[Path, ModuleType] = {}  # functions of one file share what it keeps
        with printing_to_stderr():
            self._functions = {
                target: _load(target, sha256, workspace, modules) for target, sha256 in functions.items()
            }

    @contextmanager
    def running(self, at_once: int) -> Iterator[None]:
        """While this lasts functions can be called, from the running event loop."""
        self._places = asyncio.Semaphore(max(1, at_once))
        if not self._functions:
            yield
            return
        with loop_in_a_thread("applications") as loop:
            self._loop = loop
            try:
                with printing_to_stderr():
                    yield
            finally:
                self._loop = None

    async def call(
        self,
        target: PythonFunction,
        *arguments: Any,
        named: Mapping[str, Any] | None = None,
        within: float | None = None,
    ) -> Any:
        """What the function returns for the arguments and the `named` ones; `within` is another time-out, in seconds.

        Raises `AttemptFailed` of kind `APPLICATION` when it raises, with the exception and the line in the user's own
        code (`RaisedInCode`), and when it takes longer than the time-out (`GivenUp`).
        """
        function, places = self._functions[target], self._places
        function, timeout_s = partial(function, **named) if named else function, within or self._timeout_s
        if places is None:
            raise UsageError("functions can only be called while they are running")
        try:
            async with asyncio.timeout(timeout_s) as bound:
                await places.acquire()
                if inspect.iscoroutinefunction(function):
                    return await self._await(lambda: function(*arguments), places)
                result = await _in_a_thread(function, arguments, places.release)
                if not inspect.iscoroutine(result):
                    return result
                await places.acquire()  # an object whose call is a coroutine: seen only now
                return await self._await(lambda: result, places)
        except AttemptFailed:
            raise
        except TimeoutError as error:
            if not bound.expired():
                raise self._failed(target, error) from None
            raise GivenUp(_failure(f"{target} took longer than {timeout_s:g} s and was given up")) from None
        except _RaisedError as raised:
            raise self._failed(target, raised.error) from None

    async def _await(self, begin: Callable[[], Coroutine[Any, Any, Any]], places: asyncio.Semaphore) -> Any:
        assert self._loop is not None, "there is a loop while functions run"  # noqa: S101  a defect, not a mistake
        future = asyncio.run_coroutine_threadsafe(_kept_apart(begin), self._loop)
        try:
            return await asyncio.wrap_future(future)
        finally:
            places.release()

    def _failed(self, target: PythonFunction, error: BaseException) -> AttemptFailed:
        said = " ".join(str(error).split())
        what = f"{type(error).__name__}: {said}" if said else type(error).__name__
        failure = _failure(f"{target} raised {what} ({_line_of(error, self._root, target)})")
        return RaisedInCode(failure, _lines_of(error, self._root))


class RaisedInCode(AttemptFailed):
    """The user's own code raised; `lines` are those of the traceback that are theirs, and the exception."""

    def __init__(self, failure: Failure, lines: tuple[str, ...]) -> None:
        super().__init__(failure)
        self.lines = lines


class GivenUp(AttemptFailed):
    """The user's own code took longer than it may."""


class _RaisedError(Exception):
    """What a user's function raised, told apart from what our own waiting raises."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        super().__init__()


def application_failure(message: str) -> AttemptFailed:
    """The failure of the user's own code; trying again is left to it."""
    return AttemptFailed(_failure(message))


def _failure(message: str) -> Failure:
    text = redact(message)
    shown = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
    return Failure(FailureKind.APPLICATION, shown, retryable=False)


@contextmanager
def printing_to_stderr() -> Iterator[None]:
    """What is printed meanwhile, by programs that are started too, goes to stderr."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    with redirect_stdout(sys.stderr):
        try:
            kept = os.dup(1)
        except OSError:  # stdout is closed: there is nothing to keep clean
            yield
            return
        try:
            with suppress(OSError):
                os.dup2(2, 1)
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)


async def _in_a_thread(function: Function, arguments: tuple[Any, ...], release: Callable[[], None]) -> Any:
    """Calls a function in a daemon thread: unlike a pool's, one that never returns does not keep the program alive."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def finish(result: Any, error: BaseException | None) -> None:
        release()
        if done.done():
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(_RaisedError(error))

    def work() -> None:
        result, error = None, None
        try:
            result = function(*arguments)
        except BaseException as raised:  # noqa: BLE001  also SystemExit: the user's code must not end the run
            error = raised
        with suppress(RuntimeError):  # the run is over, and nobody waits any more
            loop.call_soon_threadsafe(finish, result, error)

    threading.Thread(target=work, name="application", daemon=True).start()
    return await done


async def _kept_apart(begin: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """What a coroutine of the user's returns. Already making it (`begin`) may raise: where the arguments do not fit."""
    try:
        return await begin()
    except BaseException as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise  # it was we who gave it up, not the user's code
        raise _RaisedError(error) from None


@contextmanager
def loop_in_a_thread(name: str) -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that runs in a thread of that name; what blocks it in the end is left behind with the thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name=name, daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        _end_loop(loop, thread)


def _end_loop(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    async def finish() -> None:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await loop.shutdown_asyncgens()
        loop.stop()

    asyncio.run_coroutine_threadsafe(finish(), loop)
    thread.join(_ENDING_S)
    if not thread.is_alive():
        loop.close()


def _line_of(error: BaseException, root: Path, target: PythonFunction) -> str:
    """The innermost line of the user's own code that an exception passed through."""
    own = _own_frames(error, root)
    return f"{_place(own[-1], root)}" if own else target.path


def _lines_of(error: BaseException, root: Path) -> tuple[str, ...]:
    """The traceback as far as it is the user's own code, the innermost line last, then the exception; without keys."""
    own = [f"{_place(frame, root)} in {frame.name}: {frame.line}" for frame in _own_frames(error, root)]
    last = "".join(traceback.format_exception_only(error)).strip()
    return tuple(redact(line) for line in (*own[-_LINES:], last))


def _own_frames(error: BaseException, root: Path) -> list[traceback.FrameSummary]:
    return [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if (path := Path(frame.filename)).is_relative_to(root)
        and not any(part in ("site-packages", ".venv") for part in path.parts)
    ]


def _place(frame: traceback.FrameSummary, root: Path) -> str:
    return f"{Path(frame.filename).relative_to(root).as_posix()}:{frame.lineno}"


# -------------------------------------------------------------------------------------------------------------- loading


def require_unchanged(path: Path, shown: str, sha256: str | None) -> None:
    """Raises `UsageError` when a file has another SHA-256 than it had when the suite was loaded (None: any)."""
    data = path.read_bytes()
    # A grader is known by its file's text, which has no byte order mark.
    known = {hashlib.sha256(text).hexdigest() for text in (data, data.removeprefix(codecs.BOM_UTF8))}
    if sha256 is not None and sha256 not in known:
        raise UsageError(
            f"{shown} is no longer what it was when the suite was loaded; put it back, or run the suite anew (--fresh)"
        )


def _load(
    target: PythonFunction, sha256: str | None, workspace: Workspace, modules: dict[Path, ModuleType]
) -> Function:
    try:
        path = workspace.resolve(target.path)
    except PathError as error:
        raise UsageError(f"{target}: {error}") from None
    require_unchanged(path, target.path, sha256)
    if path not in modules:
        modules[path] = _module(path, target, workspace.root)
    module = modules[path]
    function = getattr(module, target.function, None)
    if not callable(function):
        found = "is not a function" if hasattr(module, target.function) else "is not there once the file is imported"
        raise UsageError(f"{target}: {target.function} {found}; expected a function")
    return function  # type: ignore[no-any-return]


def _module(path: Path, target: PythonFunction, root: Path) -> ModuleType:
    """The imported file. One in a package is imported as its part, so that its relative imports work."""
    name, folder = _module_name(path)
    for entry in (str(root), str(folder)):
        if entry not in sys.path:
            sys.path.insert(0, entry)
    try:
        module = importlib.import_module(name) if "." in name else _by_file(path)
    except BaseException as error:  # noqa: BLE001  whatever the user's file raises, it is theirs to mend
        said = " ".join(redact(str(error)).split())
        raise UsageError(
            f"{target}: importing it raised {type(error).__name__}: {said} ({_line_of(error, root, target)})"
        ) from None
    if module.__file__ is None or Path(module.__file__).resolve() != path:
        raise UsageError(f"{target}: another module named {name} is imported from {module.__file__}; rename it")
    return module


def _module_name(path: Path) -> tuple[str, Path]:
    """The dotted name of a file and the folder that it is relative to: above the packages that it is in."""
    names, folder = [path.stem], path.parent
    while (folder / "__init__.py").is_file():
        names.insert(0, folder.name)
        folder = folder.parent
    return ".".join(names), folder


def _by_file(path: Path) -> ModuleType:
    """A file that is in no package, imported under a name of its own: its plain one may be another module's."""
    name = f"snapdrift_user_{hashlib.sha256(str(path).encode()).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path.name} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
