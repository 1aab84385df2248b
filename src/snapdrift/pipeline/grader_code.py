"""Functions of the workspace that graders have called: imported once for a command, called while it grades.

Grading goes from answer to answer without waiting, and functions run beside the event loop; so they are called from a
loop of their own, several answers' at a time, and what came back is kept: looks and conclusions see the same results.
"""

from __future__ import annotations

import asyncio
import copy
from collections import Counter
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from snapdrift.errors import UsageError
from snapdrift.graders.needs import CodeCall, CodeResult
from snapdrift.model import canonical_json
from snapdrift.openai_api.errors import AttemptFailed
from snapdrift.pipeline.functions import GivenUp, RaisedInCode, UserFunctions, loop_in_a_thread
from snapdrift.suites.tool_results import PythonFunction

if TYPE_CHECKING:
    from snapdrift.graders.base import Grader
    from snapdrift.suites.workspace import Workspace

AT_ONCE = 4
"""Functions that run at a time: grading is mostly arithmetic, and the user's code may not expect many threads."""
OVERRUNS = AT_ONCE
"""Time-outs in a row after which a function is called no more: each of them may still hold one of the places."""
_Key = tuple[object, ...]


class Functions(Protocol):
    """What calls functions of the workspace: in this process (`UserFunctions`), or elsewhere."""

    def running(self, at_once: int) -> AbstractContextManager[None]:
        """While this lasts functions can be called, at most `at_once` at a time."""

    async def call(
        self,
        target: PythonFunction,
        *arguments: Any,
        named: Mapping[str, Any] | None = None,
        within: float | None = None,
    ) -> Any:
        """What a function returns; raises as `UserFunctions.call`."""


class GraderCode:
    """The functions that the graders of a command call. Without any, a call's result says that there is none."""

    def __init__(self, functions: Functions | None = None, at_once: int = AT_ONCE) -> None:
        self._functions = functions
        self._at_once = at_once
        self._known: dict[_Key, CodeResult] = {}
        self._overruns: Counter[str] = Counter()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turns = asyncio.Semaphore(at_once)

    def __bool__(self) -> bool:
        return self._functions is not None

    @contextmanager
    def running(self) -> Iterator[None]:
        """While this lasts functions can be called."""
        if self._functions is None:
            yield
            return
        with loop_in_a_thread("grading") as loop:
            self._loop = loop
            try:
                with self._functions.running(self._at_once):
                    yield
            finally:
                self._loop = None

    def results(self, calls: Mapping[str, CodeCall]) -> dict[str, CodeResult]:
        """What the calls of one answer returned, by their names."""
        self.call(calls.values())
        return {name: self._known[_key(call)] for name, call in calls.items()}

    def call(self, calls: Iterable[CodeCall]) -> None:
        """Makes those of the calls that are not made yet, several at a time, and waits for them."""
        pending = self._pending(calls)
        if pending:
            self._known.update(self._run(self._all(pending)))

    async def call_beside(self, calls: Iterable[CodeCall]) -> None:
        """As `call`, from an event loop that goes on meanwhile."""
        pending = self._pending(calls)
        if pending and self._loop is not None:
            found = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._all(pending), self._loop))
            self._known.update(found)

    def _pending(self, calls: Iterable[CodeCall]) -> dict[_Key, CodeCall]:
        wanted = {_key(call): call for call in calls}
        return {key: call for key, call in wanted.items() if key not in self._known}

    def _run(self, work: Coroutine[Any, Any, dict[_Key, CodeResult]]) -> dict[_Key, CodeResult]:
        if self._loop is None:
            return asyncio.run(work)
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _all(self, calls: Mapping[_Key, CodeCall]) -> dict[_Key, CodeResult]:
        results = await asyncio.gather(*(self._result(call) for call in calls.values()))
        return dict(zip(calls, results, strict=True))

    async def _result(self, call: CodeCall) -> CodeResult:
        target = PythonFunction.parse(call.target)
        if self._functions is None or self._loop is None or target is None:
            return CodeResult(error=f"{call.target} was not imported when grading began")
        async with self._turns:
            if self._overruns[call.target] >= OVERRUNS:
                return CodeResult(error=f"{call.target} was not called: it overran its time {OVERRUNS} times in a row")
            try:
                arguments = _own_case(call), call.response
                named = copy.deepcopy(dict(call.arguments))
                value = await self._functions.call(target, *arguments, named=named, within=call.timeout_s)
            except GivenUp as error:
                self._overruns[call.target] += 1
                return CodeResult(error=str(error))
            except AttemptFailed as error:
                lines = error.lines if isinstance(error, RaisedInCode) else ()
                self._overruns[call.target] = 0
                return CodeResult(error=str(error), traceback=lines)
            self._overruns[call.target] = 0
            return CodeResult(value)


@contextmanager
def open_code(workspace: Workspace, graders: Iterable[Grader]) -> Iterator[GraderCode]:
    """The functions that the graders call, imported; each file must be what it was when its suite was loaded.

    Raises `UsageError` for what cannot be imported.
    """
    functions: dict[PythonFunction, str | None] = {}
    for grader in graders:
        for file in grader.code.values():
            target = PythonFunction.parse(file.target)
            if target is None:
                raise UsageError(f"grader {grader.name}: found {file.target!r}; expected PATH:FUNCTION")
            if functions.setdefault(target, file.sha256) != file.sha256:
                raise UsageError(f"{target.path} changed while the suites were loaded; run them again")
    code = GraderCode(UserFunctions(workspace, functions) if functions else None)
    with code.running():
        yield code


def _own_case(call: CodeCall) -> Any:
    """A copy of the case: what one function does to it, no other sees."""
    case = call.case
    return replace(case, variables=copy.deepcopy(dict(case.variables)), expected=copy.deepcopy(case.expected))


def _key(call: CodeCall) -> _Key:
    """What a result is remembered by: the answer, the case and what is called."""
    response = call.response
    called = (call.target, canonical_json(dict(call.arguments)))
    return (*called, response.call, response.request_hash, response.answer_hash, call.case.hash)


def calls_of(needs: Sequence[Mapping[str, object]]) -> list[CodeCall]:
    """The calls among what graders need."""
    return [need for wanted in needs for need in wanted.values() if isinstance(need, CodeCall)]
