"""Stand-ins of runs from Python are born warm, as those of commands that run in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.nursery import WarmProcess


@pytest.fixture(scope="module", autouse=True)
def warm_standins() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("snapdrift.standin.ahead.start_server", WarmProcess)
        yield
