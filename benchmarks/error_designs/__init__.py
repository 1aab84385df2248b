"""Designs of which the error rates are simulated: what is drawn, what is asked of it, and what should come out."""

from __future__ import annotations

from error_designs.base import Claim, Design
from error_designs.comparisons import COMPARISONS
from error_designs.operations import OPERATIONS
from error_designs.sequences import SEQUENCES

DESIGNS: tuple[Design, ...] = (*COMPARISONS, *SEQUENCES, *OPERATIONS)

__all__ = ["DESIGNS", "Claim", "Design"]
