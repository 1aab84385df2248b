"""Which models are served, as what snapshot, and what they take."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, date, datetime
from typing import Any

from snapdrift.openai_api.catalog import Catalog, ModelInfo
from snapdrift.standin.api_errors import model_not_found
from snapdrift.standin.config import StandinConfig
from snapdrift.standin.parameters import ModelTraits

_DATE_AT_END = re.compile(r"(\d{4})-(\d\d)-(\d\d)$")


class ServedModels:
    """The models of the catalogue, of the configuration, and those that are recorded."""

    def __init__(self, config: StandinConfig, catalog: Catalog, recorded: Collection[str]) -> None:
        self._config, self._catalog = config, catalog
        self._recorded = frozenset(recorded)
        self._named = frozenset(model for profile in config.profiles for model in profile.models)
        self._traits: dict[str, ModelTraits] = {}

    def snapshot(self, model: str) -> str:
        """The snapshot that a model id is answered as: by the configured aliases, then by the catalogue's."""
        return self._catalog.resolve_alias(self._config.alias.get(model, model))

    def info(self, model: str) -> ModelInfo | None:
        """The facts about the snapshot that a model id is answered as."""
        return self._catalog.get(self.snapshot(model))

    def traits(self, model: str) -> ModelTraits:
        """What the model takes; where nothing is known of it, whatever GPT-4o does."""
        if model not in self._traits:
            info = self.info(model)
            images = not (info and info.input_modalities) or "image" in info.input_modalities
            known = ModelTraits(bool(info and info.reasoning), info is None or info.json_schema is not False, images)
            self._traits[model] = known
        return self._traits[model]

    def ids(self) -> list[str]:
        """Every model that is served."""
        listed = {info.name for info in self._catalog.models()}
        names = listed | self._recorded | self._named | set(self._config.alias)
        return sorted(name for name in names if self.serves(name))

    def serves(self, model: str) -> bool:
        """Whether the model is recorded, configured, or in the catalogue and (with a virtual date) not shut down."""
        names = {model, self.snapshot(model)}
        if names & (self._recorded | self._named) or model in self._config.alias:
            return True
        info = self._catalog.get(model)
        if info is None or info.shutdown is None or self._config.today is None:
            return info is not None
        return date.fromisoformat(self._config.today) < info.shutdown

    def to_json(self, model: str) -> dict[str, Any]:
        """The `model` object; raises the 404 `ApiError`. `created` is the date in its name, 0 where there is none."""
        if not self.serves(model):
            raise model_not_found(model, None)
        found = _DATE_AT_END.search(model)
        created = int(datetime(*map(int, found.groups()), tzinfo=UTC).timestamp()) if found else 0  # type: ignore[arg-type,misc]
        info = self._catalog.get(model)
        shutdown = info.shutdown.isoformat() if info and info.shutdown else None
        return {"id": model, "object": "model", "created": created, "owned_by": "system", "shutdown_date": shutdown}
