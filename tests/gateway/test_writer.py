"""Group commit at its edges: nobody waits for a writer that has ended."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from mlops_dash.errors import StoreUnavailable
from mlops_dash.gateway.writer import Writer
from mlops_dash.services.scoring import Pending, ScoringService
from tests.factories import WORKER


class Nothing:
    """A scoring service that is never asked."""


def test_a_request_after_the_close_is_refused_at_once() -> None:
    writer = Writer(cast(ScoringService, Nothing()), WORKER)
    writer.start()
    writer.close()
    assert not writer.alive

    async def late() -> None:
        await asyncio.wait_for(writer.store(Pending("credit \"A\" 'B'")), timeout=5)

    with pytest.raises(StoreUnavailable, match="stopping"):
        asyncio.run(late())
