"""Variants that the command's own stand-in has no right answers for, told before anything is asked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from snapdrift.model import Variant

if TYPE_CHECKING:
    from snapdrift.pipeline.options import TargetOptions
    from snapdrift.standin.config import StandinConfig
    from snapdrift.suites.resolved import Suite
    from snapdrift.suites.workspace import Workspace


def unanswered_warning(
    suite: Suite, variants: Iterable[Variant], workspace: Workspace, options: TargetOptions
) -> str | None:
    """Which of a suite's variants the stand-in answers with anything that is well-formed; None where it is none.

    Nobody is warned of what was asked for by `--behaviour` or `--recordings`.
    """
    if not options.standin or options.behaviour or options.recordings:
        return None
    from snapdrift.standin.config import StandinConfig

    config = StandinConfig.from_settings(workspace.config.standin.model_dump(), root=workspace.root)
    names = [f"`{one.name}`" for one in variants if one.endpoint.over_http and _is_left(suite, one, config)]
    if not names:
        return None
    return (
        f"the stand-in has no answers for {' and '.join([', '.join(names[:-1]), names[-1]] if names[1:] else names)} "
        f"of {suite.name}: it answers anything that is well-formed, right or wrong; name a behaviour under "
        f"[standin.suites.{suite.name}]"
    )


def _is_left(suite: Suite, variant: Variant, config: StandinConfig) -> bool:
    """Whether nothing but a default is named for a variant, and that one knows no answers.

    Which phrases of `prompts` occur is known only of each request: where there are any, it is taken to be answered.
    """
    from snapdrift.standin.behaviours import resolve_behaviours
    from snapdrift.standin.config import DEFAULT_BEHAVIOUR

    profile = config.profile_for(f"{suite.name}-")
    if profile.recordings or profile.prompts:
        return False
    snapshot = config.alias.get(variant.model, variant.model)
    named = profile.named_behaviour(variant.name, (variant.model, snapshot))
    if named not in (None, profile.behaviour) or named == DEFAULT_BEHAVIOUR:
        return False  # who names `plausible` wants it
    return not resolve_behaviours(config.behaviours)[named or config.behaviour].answers
