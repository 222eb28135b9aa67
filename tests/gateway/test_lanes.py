"""A lane a model: what waits while it is busy goes through together, and no model waits for another one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlops_dash.domain.access import system
from mlops_dash.errors import Unavailable
from mlops_dash.gateway import lanes
from mlops_dash.gateway.lanes import Lane, Lanes
from mlops_dash.services.scoring import ScoringService
from mlops_dash.store.db import transaction
from mlops_dash.store.tables.registry import ServingRow
from tests import factories
from tests.factories import NOON
from tests.served import MODEL, Served
from tests.services.scoring.test_answering import Cache, ask, body
from tests.services.scoring.test_arms import House

GATEWAY = system("gateway")
OTHER = 'it\'s the "fast" one'


@pytest.fixture
def house(tmp_path: Path, served: Served) -> Iterator[House]:
    made = House(tmp_path, served)
    with transaction(made.context.databases.app) as session:
        session.add(factories.model_row(OTHER))
        session.flush()
        session.add(factories.version_row("1", OTHER, id="other-1", artifact_digest="", source_uri=served.sources["2"]))
        session.flush()
        session.add(
            ServingRow(model=OTHER, version_id="other-1", shadow_version_ids=[], epoch=1, operation_id="o", since=NOON)
        )
    made.models = Cache(served.uri, tmp_path)
    made.scoring = ScoringService(made.context, made.models)
    yield made
    made.context.databases.dispose()


class Gate:
    """Holds a model back until it is opened."""

    def __init__(self, pyfunc: Any) -> None:
        self.entered, self.open = threading.Event(), threading.Event()
        real = pyfunc.predict

        def predict(frame: Any, params: Any = None) -> Any:
            self.entered.set()
            assert self.open.wait(60)
            return real(frame, params)

        pyfunc.predict = predict


def test_what_waits_is_answered_together_and_nobody_waits_for_a_timer(house: House) -> None:
    async def work() -> list[int]:
        lane = Lane(house.scoring, GATEWAY)
        try:
            await lane.answer(ask(house, "warm", body(1)))
            gate = Gate(house.models.made["1"].pyfunc)
            before = len(house.models.calls("1"))
            first = asyncio.create_task(lane.answer(ask(house, "first", body(1))))
            await asyncio.to_thread(gate.entered.wait, 60)
            others = [asyncio.create_task(lane.answer(ask(house, f"b{n}", body(2, seed=n)))) for n in range(8)]
            gone = asyncio.create_task(lane.answer(ask(house, "gone", body(1))))
            await asyncio.sleep(0)  # each has joined the lane
            gone.cancel()
            await asyncio.sleep(0)
            gate.open.set()
            found = await asyncio.gather(first, *others)
            assert {one.status for one in found} == {200}
            assert [one.pending.batch_id for one in found if one.pending] == ["first", *(f"b{n}" for n in range(8))]
            return house.models.calls("1")[before:]
        finally:
            lane.close()

    assert asyncio.run(work()) == [1, 16]


def test_a_slow_model_delays_no_other_one(house: House) -> None:
    async def work() -> None:
        both = Lanes(house.scoring, GATEWAY)
        try:
            await both.answer(ask(house, "warm", body(1)))
            gate = Gate(house.models.made["1"].pyfunc)
            slow = asyncio.create_task(both.answer(ask(house, "slow", body(1))))
            await asyncio.to_thread(gate.entered.wait, 60)
            house.models.made.clear()  # the other one is loaded meanwhile
            quick = house.scoring.ask(factories.SCIENTIST, OTHER, body(1), "application/json", batch_id="quick")
            assert (await both.answer(quick)).status == 200
            assert not slow.done()
            gate.open.set()
            assert (await slow).status == 200
        finally:
            both.close()

    asyncio.run(work())


def test_too_many_that_wait_are_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "MOST_WAITING", 2)

    async def work() -> None:
        lane = Lane(house.scoring, GATEWAY)
        try:
            await lane.answer(ask(house, "warm", body(1)))
            gate = Gate(house.models.made["1"].pyfunc)
            first = asyncio.create_task(lane.answer(ask(house, "first", body(1))))
            await asyncio.to_thread(gate.entered.wait, 60)
            waiting = [asyncio.create_task(lane.answer(ask(house, f"b{n}", body(1)))) for n in range(2)]
            await asyncio.sleep(0)
            with pytest.raises(Unavailable, match=MODEL):
                await lane.answer(ask(house, "more", body(1)))
            gate.open.set()
            assert {one.status for one in await asyncio.gather(first, *waiting)} == {200}
        finally:
            lane.close()

    asyncio.run(work())


def test_a_fault_of_ours_is_told_and_the_lane_lives_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        lane = Lane(house.scoring, GATEWAY)
        real = house.scoring.answer_all

        def broken(*_: object) -> Any:
            raise RuntimeError("a fault")

        try:
            monkeypatch.setattr(house.scoring, "answer_all", broken)
            with pytest.raises(RuntimeError, match="a fault"):
                await lane.answer(ask(house, "a", body(1)))
            monkeypatch.setattr(house.scoring, "answer_all", real)
            assert (await lane.answer(ask(house, "b", body(1)))).status == 200
        finally:
            lane.close()

    asyncio.run(work())
