"""Who answers a question: recordings first, then the behaviour that the profile names. No HTTP in here."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from snapdrift.model import ClientRequestId, Endpoint, Source
from snapdrift.openai_api.catalog import load_catalog
from snapdrift.openai_api.tokens import estimate_input_tokens, estimate_tokens
from snapdrift.standin.answers import AnswerKey
from snapdrift.standin.api_errors import ApiError, model_not_found, recording_not_found
from snapdrift.standin.behaviours import resolve_behaviours
from snapdrift.standin.config import Profile, StandinConfig
from snapdrift.standin.draws import digest
from snapdrift.standin.questions import Question
from snapdrift.standin.recordings import Miss, Recordings
from snapdrift.standin.replies import Finished, Reply, Spent
from snapdrift.standin.simulate import Asked, simulate

_DATE_AT_END = re.compile(r"(\d{4})-(\d\d)-(\d\d)$")


@dataclass(frozen=True, slots=True)
class _Stock:
    recordings: Recordings
    key: AnswerKey


class AnswerService:
    """Answers questions as the configuration says. Raises `ConfigError` when a file that it names cannot be used."""

    def __init__(self, config: StandinConfig) -> None:
        self._config = config
        self._catalog = load_catalog()
        self._behaviours = resolve_behaviours(config.behaviours)
        recordings: dict[tuple[Path, ...], Recordings] = {}
        keys: dict[tuple[Path, ...], AnswerKey] = {}
        self._stocks: dict[str, _Stock] = {}
        for profile in (Profile(), *config.profiles):  # the first is what a suite gets that no profile covers
            if profile.recordings not in recordings:
                recordings[profile.recordings] = Recordings(profile.recordings)
            if profile.answers not in keys:
                keys[profile.answers] = AnswerKey(profile.answers)
            self._stocks[profile.suite] = _Stock(recordings[profile.recordings], keys[profile.answers])
        self._recorded = frozenset(model for found in recordings.values() for model in found.models)
        self._named = frozenset(model for profile in config.profiles for model in profile.models)
        self._arrivals: Counter[bytes] = Counter()

    def snapshot(self, model: str) -> str:
        """The snapshot that a model id is answered as: by the configured aliases, then by the catalogue's."""
        return self._catalog.resolve_alias(self._config.alias.get(model, model))

    def model_ids(self) -> list[str]:
        """Every model that is served."""
        names = {info.name for info in self._catalog.models()} | self._recorded | self._named | set(self._config.alias)
        return sorted(name for name in names if self.serves(name))

    def model_object(self, model: str) -> dict[str, Any]:
        """The `model` object; raises the 404 `ApiError`. `created` is the date in its name, 0 where there is none."""
        if not self.serves(model):
            raise model_not_found(model, None)
        found = _DATE_AT_END.search(model)
        created = int(datetime(*map(int, found.groups()), tzinfo=UTC).timestamp()) if found else 0  # type: ignore[arg-type,misc]
        info = self._catalog.get(model)
        shutdown = info.shutdown.isoformat() if info and info.shutdown else None
        return {"id": model, "object": "model", "created": created, "owned_by": "system", "shutdown_date": shutdown}

    def serves(self, model: str) -> bool:
        """Whether the model is recorded, configured, or in the catalogue and (with a virtual date) not shut down."""
        names = {model, self.snapshot(model)}
        if names & (self._recorded | self._named) or model in self._config.alias:
            return True
        info = self._catalog.get(model)
        gone = info is not None and info.shutdown is not None and self._config.today is not None
        if info is not None and gone:
            return date.fromisoformat(str(self._config.today)) < (info.shutdown or date.max)
        return info is not None

    def answer(self, question: Question, caller: ClientRequestId | None) -> Finished:
        """The answer to a question; raises `ApiError` for an unknown model or a missing recording."""
        if not self.serves(question.model):
            raise model_not_found(question.model, question.endpoint)
        snapshot = self.snapshot(question.model)
        reply = self._reply(question, snapshot, caller)
        written = reply.text + (reply.refusal or "") + "".join(call.arguments for call in reply.tool_calls)
        spent = Spent(estimate_input_tokens(question.body).tokens, estimate_tokens(written).tokens)
        identity = uuid.uuid4().hex
        fingerprint = f"fp_{digest('fingerprint', snapshot, int(identity[0], 16) % 2).hex()[:10]}"
        created = int(datetime.now(UTC).timestamp())
        return Finished(reply, identity, identity[::-1], snapshot, created, spent, fingerprint)

    def tokens_asked_for(self, question: Question) -> int:
        """What counts against the limit of tokens a minute: the prompt, and the cap where there is one."""
        return estimate_input_tokens(question.body).tokens + (question.output_cap or 0)

    def _reply(self, question: Question, snapshot: str, caller: ClientRequestId | None) -> Reply:
        profile = self._config.profile_for(caller.run if caller else None)
        stock = self._stocks[profile.suite]
        models = (question.model, snapshot)
        named = profile.named_behaviour(caller.variant if caller else None, models)
        if stock.recordings:
            found = stock.recordings.find(models, question.last_user_text, caller.repeat if caller else None)
            if isinstance(found, str):
                return Reply(found, source=Source.RECORDED)
            if named is None:
                raise _not_recorded(question, found)
        return self._simulated(question, snapshot, caller, named or self._config.behaviour, (profile, stock.key))

    def _simulated(
        self,
        question: Question,
        snapshot: str,
        caller: ClientRequestId | None,
        behaviour: str,
        source: tuple[Profile, AnswerKey],
    ) -> Reply:
        profile, key = source
        row = key.find(caller.case if caller else None, question.last_user_text, question.text)
        case = row.id if row else caller.case if caller else digest(question.last_user_text.strip()).hex()
        repeat = caller.repeat if caller else self._arrival(question)
        asked = Asked(question, question.model, snapshot, case, repeat, row, profile.template)
        return simulate(self._config.seed, behaviour, self._behaviours[behaviour], key, asked)

    def _arrival(self, question: Question) -> int:
        """Which time it is that this is asked of this model, for callers that do not say."""
        identity = digest(question.model, question.text)
        self._arrivals[identity] += 1
        return self._arrivals[identity] - 1


def _not_recorded(question: Question, miss: Miss) -> ApiError:
    return recording_not_found(question.model, question.last_user_text, miss.known)


def endpoint_path(endpoint: Endpoint) -> str:
    """Where an endpoint is served, below `/v1`."""
    paths: Mapping[Endpoint, str] = {Endpoint.RESPONSES: "/responses", Endpoint.CHAT: "/chat/completions"}
    return paths[endpoint]
