"""Facts that all processes of an installation share."""

from __future__ import annotations

from datetime import timedelta

from mlops_dash.services.command import Context
from mlops_dash.store import world
from mlops_dash.store.db import reading, transaction


def test_what_was_never_put_is_none(context: Context) -> None:
    with reading(context.databases.app) as session:
        assert world.get(session, "nothing") is None
        assert world.clock_offset(session) == timedelta(0)


def test_the_last_value_counts(context: Context) -> None:
    for value in ({"stage": 1}, {"stage": 2}):
        with transaction(context.databases.app) as session:
            world.put(session, "demo", value)
    with reading(context.databases.app) as session:
        assert world.get(session, "demo") == {"stage": 2}


def test_the_clock_offset_may_point_to_the_past(context: Context) -> None:
    offset = timedelta(days=-4_000, seconds=1.5)
    with transaction(context.databases.app) as session:
        world.put(session, world.CLOCK_OFFSET, offset.total_seconds())
    with reading(context.databases.app) as session:
        assert world.clock_offset(session) == offset
