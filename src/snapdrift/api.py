"""What `import snapdrift` offers: the types that a workspace's own Python graders are written with."""

from __future__ import annotations

from snapdrift.graders.user_scores import Score
from snapdrift.model import Case, Response

__all__ = ["Case", "Response", "Score"]
