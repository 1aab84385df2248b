"""From scores to one decision: what a gate can see, what was seen, and which word and exit code follow.

`sufficiency` is asked before anything is sent; `evaluate` turns everything that was planned and measured into an
`Evaluation`; `words` says it in sentences. `docs/design/verdicts.md` has the rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snapdrift.verdicts.facts import RunFacts

if TYPE_CHECKING:
    from snapdrift.verdicts.evaluation import evaluate
    from snapdrift.verdicts.sensitivity import sufficiency

__all__ = ["RunFacts", "evaluate", "sufficiency"]


def __getattr__(name: str) -> Any:
    """Imports the two functions when first asked for: they need scipy, which the words of a verdict do not."""
    if name == "evaluate":
        from snapdrift.verdicts.evaluation import evaluate

        return evaluate
    if name == "sufficiency":
        from snapdrift.verdicts.sensitivity import sufficiency

        return sufficiency
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
