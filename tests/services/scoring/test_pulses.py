"""While a roll-out goes on: which version answers which row, whoever got it keeps it, and what gateways count of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_dash.domain.ab_tests.assigning import draw
from mlops_dash.domain.registry.rollouts import Rollout, Stage
from mlops_dash.domain.words import RolloutState
from mlops_dash.errors import StoreUnavailable
from mlops_dash.services.scoring import Asked, ScoringService, following
from mlops_dash.services.scoring import pulses as pulses_module
from mlops_dash.store import rollouts as store
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.tables.registry import ProposalRow
from tests.factories import LEAD, NOON, SCIENTIST, WORKER
from tests.served import MODEL, Served, flights
from tests.services.scoring.test_arms import IDS, ROWS, V1, V2, House


@pytest.fixture
def house(tmp_path: Path, served: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(following, "STALE_SECONDS", 0.0)
    made = House(tmp_path, served)
    yield made
    made.context.databases.dispose()


def begin(house: House, share: float = 0.3) -> Rollout:
    row = ProposalRow(
        id="p", model=MODEL, version_id=V2, champion_version_id=V1, state="rolling_out", proposer=SCIENTIST.id,
        policy_id="x", gates={}, evidence_ids=[], created_at=NOON, expires_at=NOON,
    )  # fmt: skip
    made = Rollout("r", MODEL, "p", V1, V2, (Stage(share, minutes=60), Stage(0.8, rows=9)), RolloutState.RUNNING, 0,
                   "key", 1, LEAD.id, NOON, "now", NOON, NOON)  # fmt: skip
    with transaction(house.context.databases.app) as session:
        session.add(row)
        session.flush()
        store.add(session, made)
    return made


def change(house: House, **changes: object) -> None:
    with transaction(house.context.databases.app) as session:
        known = store.get(session, "r")
        store.change(session, "r", known.revision, **changes)


def answered_by(house: House, batch: str) -> dict[str, str]:
    ids = [f"{batch}{one}" for one in IDS] if batch != "b" else IDS
    found = house.scoring.score(SCIENTIST, MODEL, flights(ROWS), ids=ids, batch_id=batch)
    return dict(zip(IDS, found.versions, strict=True))


def body() -> bytes:
    rows = flights(ROWS)
    return json.dumps({"dataframe_split": json.loads(rows.to_json(orient="split", index=False))}).encode()


def ask(house: House, batch: str) -> None:
    said = house.scoring.answer(SCIENTIST, MODEL, body(), "application/json", batch_id=batch)
    assert said.pending is not None
    house.scoring.store(SCIENTIST, [said.pending])


def test_its_share_of_the_rows_is_answered_by_it_and_whoever_got_it_keeps_it(house: House) -> None:
    begin(house)
    first = answered_by(house, "b")
    assert first == {name: "2" if draw("key", name) < 0.3 else "1" for name in IDS}
    mine = {name for name, version in first.items() if version == "2"}
    assert 8 < len(mine) < 30
    assert {role for name in mine for role in [house.roles()[name]["2"], house.roles()[name]["1"]]} == {
        "arm", "shadow",
    }  # fmt: skip
    with reading(house.context.databases.log) as log:
        assert store.rows_answered(log, V2, NOON) == len(mine)
    change(house, stage=1)
    live = house.scoring._following.live(MODEL)
    assert live.tried.rollout is not None
    assert mine < {name for name in IDS if draw(live.tried.rollout.key, name) < live.tried.rollout.share}


@pytest.mark.parametrize("state", [RolloutState.STOPPED, RolloutState.DONE])
def test_when_it_is_over_or_the_champion_is_another_all_rows_are_the_champion_s(
    house: House, state: RolloutState
) -> None:
    begin(house)
    assert set(answered_by(house, "b").values()) == {"1", "2"}
    change(house, state=RolloutState.PAUSED)
    assert set(answered_by(house, "p").values()) == {"1", "2"}
    change(house, state=state)
    assert set(answered_by(house, "s").values()) == {"1"}


def test_after_a_rollback_nothing_is_routed(house: House) -> None:
    begin(house)
    house.serve(V2, 2)
    assert set(answered_by(house, "b").values()) == {"2"}
    assert house.scoring._following.live(MODEL).tried.beside is None


def test_calls_and_their_times_are_counted_and_kept(house: House) -> None:
    begin(house)
    for number in range(3):
        ask(house, f"n{number}")
    asked = [Asked(SCIENTIST, MODEL, body(), "application/json", f"t{one}") for one in range(2)]
    assert len([one for said in house.scoring.answer_all(WORKER, MODEL, asked) for one in said]) == 2
    house.scoring.follow(WORKER, "gateway-1")
    again = ScoringService(house.context, house.models)  # the gateway starts again, under the same name
    said = again.answer(SCIENTIST, MODEL, body(), "application/json", batch_id="later")
    assert said.pending is not None
    again.follow(WORKER, "gateway-1")
    with reading(house.context.databases.log) as log:
        calls = store.pulses(log, "r")
    assert calls.failed == 0
    assert calls.asked >= 5
    assert sum(calls.new.values()) == sum(calls.old.values()) < calls.asked  # both timed on the same rows, now and then


def test_calls_of_the_service_alone_are_counted_like_those_of_a_gateway(house: House) -> None:
    begin(house)
    for number in range(4):
        answered_by(house, f"n{number}")
    with reading(house.context.databases.log) as log:
        calls = store.pulses(log, "r")
    assert (calls.asked, calls.failed) == (4, 0)
    assert sum(calls.new.values()) == sum(calls.old.values()) > 0


def test_a_version_that_fails_costs_no_client_an_answer_and_is_counted(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(house)
    house.scoring._following.live(MODEL)  # its files' digest is noted, so it is looked at once more
    live = house.scoring._following.live(MODEL)
    assert live.arm is not None
    mine = live.arm.model

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("no such column")

    broken = type("Broken", (), {"predict": fails, "metadata": mine.pyfunc.metadata})()
    own = replace(live, arm=replace(live.arm, model=replace(mine, pyfunc=broken)))
    monkeypatch.setitem(house.scoring._following._live, MODEL, own)
    ask(house, "f")
    house.scoring.follow(WORKER, "gateway-1")
    with reading(house.context.databases.log) as log:
        calls = store.pulses(log, "r")
        assert store.rows_answered(log, V2, NOON) == 0
    assert (calls.asked, calls.failed, dict(calls.new)) == (1, 1, {})


def test_counts_wait_while_the_log_is_away(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(house)
    ask(house, "w")

    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("The log is away.")

    with monkeypatch.context() as patched:
        patched.setattr(pulses_module.store, "put_pulse", away)
        with pytest.raises(StoreUnavailable):
            house.scoring.follow(WORKER, "gateway-1")
    house.scoring.follow(WORKER, "gateway-1")
    with reading(house.context.databases.log) as log:
        assert store.pulses(log, "r").asked == 1


def test_of_an_a_b_test_nothing_is_counted(house: House) -> None:
    house.start()
    ask(house, "ab")
    house.scoring.follow(WORKER, "gateway-1")
    assert house.scoring._pulses._counted == {}


def test_the_champion_is_never_asked_more_than_a_twentieth_of_its_rows_twice() -> None:
    mine = pulses_module.Pulses("gateway")
    live: Any = SimpleNamespace(tried=SimpleNamespace(rollout=SimpleNamespace(id="r")))
    for own, times in ((10, 500), (2, 1_000), (50, 100)):
        mine._counted.clear()
        assert sum(mine.again(live, 100, own) for _ in range(1_000)) == pytest.approx(times, abs=2)
    test: Any = SimpleNamespace(tried=SimpleNamespace(rollout=None))
    assert not mine.again(test, 100, 1)
