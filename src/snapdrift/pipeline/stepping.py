"""The planned calls as requests, and how each goes on: rendered when its turn comes, carried on until it ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from snapdrift.execution.steps import Begun, Onward, Script
from snapdrift.model import CallKey, Case, Conversation, Request, Response, Step, Variant, sha256
from snapdrift.openai_api.requests import build_request
from snapdrift.pipeline.applications import application_request
from snapdrift.pipeline.grading import run_label
from snapdrift.pipeline.targets import Target
from snapdrift.suites.prompts import render
from snapdrift.suites.tool_results import PythonFunction

if TYPE_CHECKING:
    from snapdrift.store import RunWriter, StoredRun
    from snapdrift.suites.media import Media


class PlannedCalls:
    """The calls of a run that are still to be made; what the engine needs to carry on those of several requests."""

    def __init__(self, writer: RunWriter, stored: StoredRun, target: Target, media: Media) -> None:
        self._writer = writer
        self._stored = stored
        self._target = target
        self._media = media
        self._scripts: dict[CallKey, Script] = {}
        self._cases = stored.known_cases()
        self._variants = {variant.name: variant for variant in stored.header.variants}
        self._label = run_label(stored)
        # Variants that say the same stand next to each other in the plan: the last conversation is theirs too.
        self._prompts = {name: sha256(variant.prompt) for name, variant in self._variants.items()}
        self._said: tuple[tuple[str, str], Conversation] | None = None

    def requests(self, *, batched: bool = False) -> Iterator[Request]:
        """The first request of every planned call without a measured answer, in planned order.

        Of variants that go by batch (`batched`), or of the others. A call that a file of outputs has no answer to is
        left out: it stays missing. Which calls these are is settled now, which takes a tenth of a second of a hundred
        thousand; the requests are made as they are asked for.
        """
        return self._requests_of(self._stored.open_calls(), batched=batched)

    def _requests_of(self, calls: Iterator[CallKey], *, batched: bool) -> Iterator[Request]:
        for key in self._cases.ahead(calls, lambda call: call.case_id):
            if self._variants[key.variant].batch is not batched:
                continue
            request = self.request(key)
            if request is not None:
                yield request

    def request(self, key: CallKey) -> Request | None:
        """The first request of a planned call; None for one that a file of outputs has no answer to."""
        variant, case, label = self._variants[key.variant], self._case(key.case_id), self._label
        if not variant.endpoint.over_http:
            if not self._target.applications.has(variant, key):
                return None
            return self._application_request(key, variant, case, label)
        script = self._script(variant, case)
        if script.applies:
            self._scripts[key] = script
        return build_request(key, variant, script.conversation, label, self._target.host(variant).base_url)

    def applies(self, call: CallKey) -> bool:
        """Whether the call may take more than one request; judges' never do."""
        return call in self._scripts

    def begun(self, request: Request) -> Begun | None:
        """How far an earlier process came with a call; its answers stand whatever port a stand-in has now."""
        found = self._stored.begun(request.call)
        if found is None or self._is_forgotten(request.call):
            return None
        return Begun(replace(found.request, base_url=request.base_url), found.response, found.steps)

    async def record_step(self, request: Request, response: Response, steps: tuple[Step, ...]) -> None:
        """Stores the answer to one request of a call."""
        await self._writer.record_step(request, response, steps)

    async def follow(self, request: Request, response: Response, steps: tuple[Step, ...]) -> Onward | Response:
        """What comes after an answer: the next request, or how the call ended."""
        followed = await self._scripts[request.call].follow(request, response, steps)
        if isinstance(followed, Response):
            del self._scripts[request.call]
        return followed

    def _case(self, case_id: str) -> Case:
        return self._cases[case_id]

    def _script(self, variant: Variant, case: Case) -> Script:
        return Script(variant, case, self._conversation(variant, case), partial(self._fake, case))

    def _conversation(self, variant: Variant, case: Case) -> Conversation:
        what = (self._prompts[variant.name], case.id)
        if self._said is None or self._said[0] != what:
            self._said = (what, render(variant.prompt, case, self._media))
        return self._said[1]

    async def _fake(self, case: Case, target: PythonFunction, arguments: Mapping[str, Any]) -> Any:
        return await self._target.applications.fake(target, arguments, case)

    def _application_request(self, key: CallKey, variant: Variant, case: Case, label: str) -> Request:
        conversation = render(variant.prompt, case, self._media) if variant.prompt else None
        return application_request(key, variant, case, conversation, label)

    def _is_forgotten(self, call: CallKey) -> bool:
        """Whether the call chains by ids of answers that are gone: a stand-in of this command remembers no other's."""
        chained = self._scripts[call].variant.request.get("previous_response_id") is True
        return chained and self._target.standin is not None
