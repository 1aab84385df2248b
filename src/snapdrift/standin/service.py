"""Who answers a question: recordings first, then the behaviour that the profile names. No HTTP in here."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from snapdrift.model import ClientRequestId, Endpoint, Source, Usage
from snapdrift.openai_api.catalog import load_catalog
from snapdrift.openai_api.tokens import estimate_tokens
from snapdrift.standin.accounts import Account
from snapdrift.standin.answers import AnswerKey
from snapdrift.standin.api_errors import ApiError, model_not_found, recording_not_found
from snapdrift.standin.attachments import FindFile
from snapdrift.standin.behaviours import resolve_behaviours
from snapdrift.standin.billing import Overbilling
from snapdrift.standin.config import JUDGE_MARK, Profile, StandinConfig
from snapdrift.standin.counting import check_window, input_tokens
from snapdrift.standin.draws import digest
from snapdrift.standin.prompt_cache import PromptCache
from snapdrift.standin.questions import Knowledge, Question, read_question
from snapdrift.standin.recordings import Miss, Recordings
from snapdrift.standin.replies import Finished, Reply, Spent
from snapdrift.standin.responses_wire import SERVED_TIERS
from snapdrift.standin.served_models import ServedModels
from snapdrift.standin.simulate import Asked, simulate
from snapdrift.standin.stored import StoredAnswers


@dataclass(frozen=True, slots=True)
class _Stock:
    recordings: Recordings
    key: AnswerKey


class AnswerService:
    """Answers questions as the configuration says. Raises `ConfigError` when a file that it names cannot be used.

    `clock` gives seconds that only go up; `find_file` is set to where uploaded files are.
    """

    def __init__(self, config: StandinConfig, clock: Callable[[], float] = time.monotonic) -> None:
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
        recorded = [model for found in recordings.values() for model in found.models]
        self.models = ServedModels(config, self._catalog, recorded)
        self.stored = StoredAnswers()
        self.find_file: FindFile = lambda _: None
        self._knowledge = Knowledge(self.models.traits, self.stored, lambda file_id: self.find_file(file_id))
        self._account = Account(config.limits)
        self._overbilling = Overbilling.parse(config.overbill)
        self._cache = PromptCache(clock) if config.prompt_caching else None
        self._arrivals: Counter[str] = Counter()

    def read(self, endpoint: Endpoint, body: Mapping[str, Any]) -> Question:
        """A body as a question; raises `ApiError` where the API would refuse it."""
        return read_question(endpoint, body, self._knowledge)

    def answer(self, question: Question, caller: ClientRequestId | None, tokens: int | None = None) -> Finished:
        """The answer to a question; raises `ApiError` for an unknown model, a used up quota, a missing recording.

        `tokens` is what the question counts as input, where that is known already.
        """
        if not self.models.serves(question.model):
            raise model_not_found(question.model, question.endpoint)
        self._account.check()
        snapshot, info = self.models.snapshot(question.model), self.models.info(question.model)
        tokens = input_tokens(question, info) if tokens is None else tokens
        check_window(question, tokens, info)
        reply = self._reply(question, snapshot, caller)
        written = reply.text + (reply.refusal or "") + "".join(call.name + call.arguments for call in reply.tool_calls)
        thought = reply.reasoning_tokens or 0
        cached = self._cached(snapshot, question, tokens)
        spent = Spent(tokens, estimate_tokens(written).tokens + thought, cached, thought)
        spent = self._overbilling.billed(spent, self._config.seed, question.transcript.identity)
        self._account.charge(self._usd(question, snapshot, spent))
        identity = uuid.uuid4().hex
        fingerprint = f"fp_{digest('fingerprint', snapshot, int(identity[0], 16) % 2).hex()[:10]}"
        created = int(datetime.now(UTC).timestamp())
        return Finished(reply, identity, identity[::-1], snapshot, created, spent, fingerprint)

    def input_tokens(self, question: Question) -> int:
        """What a question counts as input."""
        return input_tokens(question, self.models.info(question.model))

    def _cached(self, snapshot: str, question: Question, tokens: int) -> int:
        """Tokens from the prompt cache; a model without a price for them has none (gpt-4o-2024-05-13)."""
        info = self.models.info(snapshot)
        without = info is not None and info.price is not None and info.price.cached is None
        if self._cache is None or without:
            return 0
        return self._cache.cached_tokens(snapshot, info.image if info else None, question, tokens)

    def _usd(self, question: Question, snapshot: str, spent: Spent) -> float | None:
        usage = Usage(spent.input_tokens, spent.cached_tokens, spent.output_tokens, spent.reasoning_tokens)
        tier = SERVED_TIERS.get(question.body.get("service_tier"))
        return self._catalog.usd(snapshot, usage, service_tier=tier)

    def _reply(self, question: Question, snapshot: str, caller: ClientRequestId | None) -> Reply:
        profile = self._config.profile_for(caller.run if caller else None)
        stock = self._stocks[profile.suite]
        models = (question.model, snapshot)
        variant = caller.variant if caller else None
        asked = "" if JUDGE_MARK in (variant or "") else question.text
        named = profile.named_behaviour(variant, models, asked)
        if stock.recordings.judgements:
            judged = self._judged(stock.recordings, question, caller, named)
            if judged is not None:
                return judged
        if stock.recordings:
            found = stock.recordings.find(models, question.last_user_text, caller.repeat if caller else None)
            if isinstance(found, str):
                return Reply(found, source=Source.RECORDED)
            if named is None:
                raise _not_recorded(question, found)
        return self._simulated(question, snapshot, caller, named or self._config.behaviour, (profile, stock.key))

    def _judged(
        self, recordings: Recordings, question: Question, caller: ClientRequestId | None, named: str | None
    ) -> Reply | None:
        """The recorded judgement that a judge's question asks for; None where it is no judge's.

        One that is not recorded is an error, unless a behaviour is named that judges then.
        """
        schema, vote = question.format.schema, _vote(caller)
        if schema is None:
            return None
        try:
            number = int(vote) - 1 if vote.isdigit() else 0
            text = recordings.judgements.reply(schema, question.text, question.last_user_text, number)
        except KeyError as error:
            if named is None:
                raise _not_recorded(question, Miss(str(error.args[0]))) from None
            return None
        return None if text is None else Reply(text, source=Source.RECORDED)

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
        reasons = self.models.traits(question.model).reasoning
        asked = Asked(question, question.model, snapshot, case, repeat, row, profile.template, reasons, _vote(caller))
        return simulate(self._config.seed, behaviour, self._behaviours[behaviour], key, asked)

    def _arrival(self, question: Question) -> int:
        """Which time it is that this is asked of this model, for callers that do not say."""
        identity = f"{question.model} {question.transcript.identity}"
        self._arrivals[identity] += 1
        return self._arrivals[identity] - 1


def _vote(caller: ClientRequestId | None) -> str:
    """Which of several votes a judge is asked for: what follows the dot of `VARIANT?judge=GRADER.VOTE`."""
    asked = "" if caller is None else caller.variant
    _, judged, grader = asked.rpartition(JUDGE_MARK)
    return grader.partition(".")[2] if judged else ""


def _not_recorded(question: Question, miss: Miss) -> ApiError:
    return recording_not_found(question.model, question.last_user_text, miss.known)


def endpoint_path(endpoint: Endpoint) -> str:
    """Where an endpoint is served, below `/v1`."""
    paths: Mapping[Endpoint, str] = {Endpoint.RESPONSES: "/responses", Endpoint.CHAT: "/chat/completions"}
    return paths[endpoint]
