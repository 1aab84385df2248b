"""`Suite`: a suite as loaded, with nothing left to look up in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from snapdrift.acceptances import Acceptance
from snapdrift.errors import StoreError
from snapdrift.model import (
    Alone,
    Case,
    Endpoint,
    Gate,
    MetricGate,
    MetricSpec,
    MustPass,
    OnInconclusive,
    Pair,
    Policy,
    Severity,
    Target,
    Variant,
    sha256,
)
from snapdrift.privacy import Privacy
from snapdrift.references import Reference
from snapdrift.suites.registry import GraderRegistry, ParsedGrader
from snapdrift.suites.sampling import Sample, draw
from snapdrift.suites.workspace import PathError

STORED_FORMAT = "snapdrift.suite/1"
HASH_VERSION = 1


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite that can be planned, run, graded and judged.

    `cases` is the whole dataset in its order; `sample` what the suite takes of it and `gate_samples` what each gate
    does (None: all). `path` and `source` are the file it came from. `seed` orders the calls. `media` are the local
    images and files of all prompts and cases, `fakes` the files of Python fakes: SHA-256 by workspace path.
    `early_stop` ends a run as soon as its gate is resolved; `privacy` is what reports and exports do not show;
    `accepted` are losses that were reviewed and accepted for now; `reference` is the git tree that the baselines of a
    gate are from, None where there is no such.
    """

    name: str
    description: str
    path: str
    source: str
    cases: Sequence[Case]
    dataset_hash: str
    variants: Mapping[str, Variant]
    graders: tuple[ParsedGrader, ...]
    gates: Mapping[str, Gate]
    repeats: int = 1
    sample: Sample | None = None
    gate_samples: Mapping[str, Sample | None] = field(default_factory=dict)
    seed: int = 0
    budget_usd: float | None = None
    budget_per_day: float | None = None
    warnings: tuple[str, ...] = ()
    media: Mapping[str, str] = field(default_factory=dict)
    fakes: Mapping[str, str] = field(default_factory=dict)
    require_calibration: bool = False
    early_stop: bool = False
    privacy: Privacy = field(default_factory=Privacy)
    accepted: tuple[Acceptance, ...] = ()
    reference: Reference | None = None

    @property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """What the graders measure."""
        return tuple(metric for grader in self.graders for metric in grader.metrics)

    @property
    def hash(self) -> str:
        """Identity of everything that can change an answer, a score or a verdict.

        That is: variants (model, endpoint, host, prompt, request, the file of an application), graders (name, version,
        which cases they apply to), dataset, local images and files, fakes, repeats, samples, seed, gates, early
        stopping and whether calibration is required. Not: the suite's name and text, description, budgets, warnings,
        what its reports show, and what is accepted (the same answers are decided again with it).
        """
        stored = self.to_stored()
        for gate in stored["gates"].values():
            del gate["budget_usd"], gate["budget_per_day"]
        judged = ("name", "dataset_hash", "variants", "gates", "repeats", "sample", "gate_samples", "seed")
        # Left out where it is off: suites keep the hash that they had before there was such a thing.
        switched_on = [key for key in ("early_stop", "require_calibration") if stored.get(key)]
        kept = {key: stored[key] for key in (*judged, "media", "fakes", *switched_on)}
        return sha256({**kept, "graders": stored["graders"], "versions": stored["versions"], "hash": HASH_VERSION})

    def cases_for(self, gate: str) -> Sequence[Case]:
        """The cases that are asked under a gate: its sample, or all."""
        sample = self.gate_samples.get(gate, self.sample)
        return self.cases if sample is None else draw(self.cases, sample)

    def repeats_for(self, gate: str) -> int:
        """How often each case is asked under a gate."""
        own = self.gates[gate].repeats
        return self.repeats if own is None else own

    def budget_for(self, gate: str) -> float | None:
        """What a run under a gate may cost, in dollars; None when nothing says."""
        own = self.gates[gate].budget_usd
        return self.budget_usd if own is None else own

    def budget_per_day_for(self, gate: str) -> float | None:
        """What all runs of the suite together may cost on a day under a gate, in dollars; None when nothing says."""
        own = self.gates[gate].budget_per_day
        return self.budget_per_day if own is None else own

    def to_stored(self) -> dict[str, Any]:
        """Plain JSON, without the cases (a run stores them as rows) and with every file that matters inlined."""
        return {
            "format": STORED_FORMAT,
            "name": self.name,
            "description": self.description,
            "path": self.path,
            "source": self.source,
            "dataset_hash": self.dataset_hash,
            "variants": [_stored_variant(variant) for variant in self.variants.values()],
            "graders": [grader.resolved() for grader in self.graders],
            "versions": {grader.name: grader.version for grader in self.graders},
            "gates": {name: _stored_gate(gate) for name, gate in self.gates.items()},
            "repeats": self.repeats,
            "sample": None if self.sample is None else self.sample.to_stored(),
            "gate_samples": {name: s and s.to_stored() for name, s in self.gate_samples.items()},
            "seed": self.seed,
            "budget_usd": self.budget_usd,
            "budget_per_day": self.budget_per_day,
            "warnings": list(self.warnings),
            "media": dict(self.media),
            "fakes": dict(self.fakes),
            "require_calibration": self.require_calibration,
            "early_stop": self.early_stop,
            "privacy": self.privacy.to_stored(),
            "accepted": [asdict(one) for one in self.accepted],
            **({} if self.reference is None else {"reference": self.reference.to_stored()}),
        }


def suite_from_stored(data: Mapping[str, Any], cases: Sequence[Case], registry: GraderRegistry) -> Suite:
    """The suite that `to_stored` wrote, with the cases that were stored beside it.

    Raises `StoreError` for another format and `InvalidEntryError` for a grader that this version cannot make.
    """
    if data.get("format") != STORED_FORMAT:
        raise StoreError(f"the stored suite has the format {data.get('format')!r}; expected {STORED_FORMAT!r}")
    graders = tuple(
        registry.parse(entry, default_extract=None, read=_no_files, cases=cases) for entry in data["graders"]
    )
    return Suite(
        name=data["name"],
        description=data["description"],
        path=data["path"],
        source=data["source"],
        cases=tuple(cases),
        dataset_hash=data["dataset_hash"],
        variants={stored["name"]: _variant(stored) for stored in data["variants"]},
        graders=graders,
        gates={name: _gate(stored) for name, stored in data["gates"].items()},
        repeats=data["repeats"],
        sample=_sample(data["sample"]),
        gate_samples={name: _sample(stored) for name, stored in data["gate_samples"].items()},
        seed=data["seed"],
        budget_usd=data["budget_usd"],
        budget_per_day=data.get("budget_per_day"),
        warnings=tuple(data["warnings"]),
        media=data.get("media", {}),
        fakes=data.get("fakes", {}),
        require_calibration=data.get("require_calibration", False),
        early_stop=data.get("early_stop", False),
        privacy=Privacy.from_stored(data.get("privacy")),
        accepted=tuple(Acceptance(**stored) for stored in data.get("accepted", ())),
        reference=Reference.from_stored(data.get("reference")),
    )


def _no_files(text: str) -> str:
    raise PathError(f"the file {text} named in a stored suite", "expected its content to be stored")


def _sample(stored: Mapping[str, Any] | None) -> Sample | None:
    return None if stored is None else Sample(**stored)


def _stored_variant(variant: Variant) -> dict[str, Any]:
    return {
        "name": variant.name,
        "model": variant.model,
        "endpoint": variant.endpoint.value,
        "request": dict(variant.request),
        "prompt": dict(variant.prompt),
        "host": variant.host,
        "stream": variant.stream,
        "batch": variant.batch,
        "target": variant.target,
        "max_steps": variant.max_steps,
        "reasons": variant.reasons,
    }


def _variant(stored: Mapping[str, Any]) -> Variant:
    return Variant(**{**stored, "endpoint": Endpoint(stored["endpoint"])})


def _stored_gate(gate: Gate) -> dict[str, Any]:
    return {
        "name": gate.name,
        "pairs": [[pair.baseline, pair.candidate, pair.severity.value] for pair in gate.pairs],
        "metrics": [
            {
                "metric": metric.metric,
                "margin": metric.margin,
                "at_least": metric.at_least,
                "max_increase": metric.max_increase,
                "severity": metric.severity.value,
                "on": metric.on,
            }
            for metric in gate.metrics
        ],
        "policy": gate.policy.value,
        "max_blind": gate.max_blind,
        "discordance": gate.discordance,
        "must_pass": {"tags": list(gate.must_pass.tags), "cases": list(gate.must_pass.cases)},
        "coverage": gate.coverage,
        "inconclusive": gate.inconclusive.value,
        "alias_moved": gate.alias_moved.value,
        "confidence": gate.confidence,
        "budget_usd": gate.budget_usd,
        "budget_per_day": gate.budget_per_day,
        "repeats": gate.repeats,
        "fresh": gate.fresh,
        "target": gate.target.value,
        # Left out where nothing says it, so that suites keep the hash that they had before there was such a thing.
        **({} if gate.max_age_s is None else {"max_age_s": gate.max_age_s}),
        **({} if gate.ref is None else {"ref": gate.ref}),
        **({} if not gate.alone else {"alone": [[one.candidate, one.severity.value] for one in gate.alone]}),
    }


def _gate(stored: Mapping[str, Any]) -> Gate:
    return Gate(
        **{
            **stored,
            "pairs": tuple(Pair(base, candidate, Severity(word)) for base, candidate, word in stored["pairs"]),
            "metrics": tuple(MetricGate(**{**m, "severity": Severity(m["severity"])}) for m in stored["metrics"]),
            "policy": Policy(stored["policy"]),
            "must_pass": MustPass(tuple(stored["must_pass"]["tags"]), tuple(stored["must_pass"]["cases"])),
            "inconclusive": OnInconclusive(stored["inconclusive"]),
            "alias_moved": Severity(stored["alias_moved"]),
            "target": Target(stored.get("target", Target.CASES_LIKE_THESE)),
            "alone": tuple(Alone(candidate, Severity(word)) for candidate, word in stored.get("alone", ())),
        }
    )
