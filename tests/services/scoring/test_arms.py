"""While a test runs: which version answers which row, in which role, over both doors; and what a failing arm does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_dash.clock import Clock
from mlops_dash.domain.ab_tests.assigning import draw, to_challenger, unit_key
from mlops_dash.domain.ab_tests.layers import OUTSIDE, Layer
from mlops_dash.domain.ab_tests.rules import ABTest, NewTest
from mlops_dash.services.ab_tests import ABTestService
from mlops_dash.services.command import Context
from mlops_dash.services.scoring import ScoringService, following
from mlops_dash.store import prediction_log as log
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.tables.registry import ModelVersionRow, ServingRow
from mlops_dash.tracking.models.loading import ModelCache
from tests import factories
from tests.factories import LEAD, NOON, SCIENTIST, WORKER
from tests.served import MODEL, Served, flights

V1, V2 = f"{MODEL}-v1", f"{MODEL}-v2"
ROWS = 60
IDS = [f"f{n}" for n in range(ROWS)]


class House:
    """v1 serves, v2 is tested against it."""

    def __init__(self, home: Path, served: Served) -> None:
        self.at = NOON
        self.context: Context = factories.context(home, clock=Clock(wall=lambda: self.at), mlflow_uri=served.uri)
        with transaction(self.context.databases.app) as session:
            session.add(factories.model_row())
            for version in ("1", "2"):
                row = factories.version_row(version, artifact_digest="", source_uri=served.sources[version])
                session.add(row)
        self.serve(V1, 1)
        self.models = ModelCache(served.uri, home)
        self.scoring = ScoringService(self.context, self.models)
        self.tests = ABTestService(self.context)

    def serve(self, version_id: str, epoch: int) -> None:
        row = ServingRow(
            model=MODEL, version_id=version_id, shadow_version_ids=[], epoch=epoch, operation_id="o", since=NOON
        )
        with transaction(self.context.databases.app) as session:
            session.merge(row)

    def start(self, **changes: object) -> ABTest:
        wanted = {"question": "?", "planned_units": 1_000, "days": 7, "exposure_hours": 24.0, "key": "k", **changes}
        made = self.tests.design(SCIENTIST, NewTest(MODEL, V2, **wanted))  # type: ignore[arg-type]
        return self.tests.start(LEAD, made.id, made.revision, reason="go")

    def drawn(self, test: ABTest) -> list[bool]:
        design = test.design
        at = [self.at] * ROWS
        return to_challenger(IDS, at, key=design.key, share=design.share, unit=design.unit, zone=design.zone)

    def roles(self) -> dict[str, dict[str, str]]:
        """Row -> version -> role."""
        found: dict[str, dict[str, str]] = {}
        with reading(self.context.databases.log) as session:
            for row in log.batch_rows(session, "b"):
                found[row.prediction_id] = {version: role for version, role, _ in row.answers}
        return found


@pytest.fixture
def house(tmp_path: Path, served: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(following, "STALE_SECONDS", 0.0)
    made = House(tmp_path, served)
    yield made
    made.context.databases.dispose()


def test_each_row_is_answered_by_its_arm_and_the_champion_scores_the_others_silently(house: House) -> None:
    test = house.start()
    rows = flights(ROWS)
    batch = house.scoring.score(SCIENTIST, MODEL, rows, ids=IDS, batch_id="b")
    drawn = house.drawn(test)
    assert 15 < sum(drawn) < 45
    assert batch.versions == tuple("2" if one else "1" for one in drawn)
    assert (batch.version, batch.version_id) == ("", "")
    expected = {"2": "arm", "1": "shadow"}, {"1": "champion"}
    assert house.roles() == {name: expected[0] if one else expected[1] for name, one in zip(IDS, drawn, strict=True)}
    live = house.scoring._following.live(MODEL)
    assert live.arm is not None
    answers = np.where(drawn, live.arm.model.predict(rows), live.champion.model.predict(rows))
    assert batch.scores == pytest.approx(answers.tolist())


def test_the_protocol_answers_byte_for_byte_with_the_arm_of_each_row(house: House) -> None:
    test = house.start()
    rows = flights(ROWS).assign(id=IDS)
    body = json.dumps({"dataframe_split": json.loads(rows.to_json(orient="split", index=False))}).encode()
    said = house.scoring.answer(SCIENTIST, MODEL, body, "application/json", batch_id="b", ids_column="id")
    assert said.pending is not None
    house.scoring.store(SCIENTIST, [said.pending])
    answered = [row[1] for row in json.loads(said.body)["predictions"]]
    assert answered == pytest.approx([one.score for one in said.pending.answers])
    assert [one.version for one in said.pending.answers] == ["2" if one else "1" for one in house.drawn(test)]
    assert said.pending.version == ""  # so the header X-Model-Version is left out
    assert {tuple(sorted(one.items())) for one in house.roles().values()} == {
        (("1", "champion"),),
        (("1", "shadow"), ("2", "arm")),
    }


def test_both_doors_send_a_row_to_the_same_arm(house: House) -> None:
    house.start()
    rows = flights(ROWS)
    scored = house.scoring.score(SCIENTIST, MODEL, rows, batch_id="b")
    body = json.dumps({"dataframe_split": json.loads(rows.to_json(orient="split", index=False))}).encode()
    said = house.scoring.answer(SCIENTIST, MODEL, body, "application/json", batch_id="b")
    assert said.pending is not None
    assert tuple(one.version for one in said.pending.answers) == scored.versions


def test_nothing_is_routed_before_the_start_after_the_end_or_after_a_rollback(house: House) -> None:
    house.tests.design(SCIENTIST, NewTest(MODEL, V2, question="?", planned_units=1_000, key="k"))
    assert set(house.scoring.score(SCIENTIST, MODEL, flights(ROWS), ids=IDS).versions) == {"1"}
    test = house.start()
    early = house.scoring.score(SCIENTIST, MODEL, flights(ROWS), ids=IDS, at=NOON - timedelta(hours=1), batch_id="e")
    assert set(early.versions) == {"1"}
    house.at = NOON + timedelta(days=7)
    late = house.scoring.score(SCIENTIST, MODEL, flights(ROWS), ids=[f"l{one}" for one in IDS])
    assert set(late.versions) == {"1"}
    house.at = NOON + timedelta(days=1)
    assert set(house.scoring.score(SCIENTIST, MODEL, flights(ROWS), ids=IDS, batch_id="m").versions) == {"1", "2"}
    house.serve(V2, 2)
    moved = house.scoring.score(SCIENTIST, MODEL, flights(ROWS), ids=[f"r{one}" for one in IDS])
    assert moved.versions == ("2",) * ROWS
    assert test.control == "v1"


def test_a_stopped_test_gives_every_row_back_to_the_champion(house: House) -> None:
    test = house.start()
    house.at += timedelta(minutes=1)
    house.tests.stop(SCIENTIST, test.id, test.revision, reason="enough")
    batch = house.scoring.score(SCIENTIST, MODEL, flights(ROWS), ids=IDS, batch_id="b")
    assert (set(batch.versions), batch.version) == ({"1"}, "1")


def test_a_challenger_that_does_not_load_leaves_its_rows_to_the_champion(house: House) -> None:
    house.start()
    with transaction(house.context.databases.app) as session:
        session.get_one(ModelVersionRow, V2).artifact_digest = "0" * 64  # its files are not what was approved
    batch = house.scoring.score(SCIENTIST, MODEL, flights(ROWS), ids=IDS, batch_id="b")
    assert set(batch.versions) == {"1"}
    assert set(map(str, house.roles()["f0"].values())) == {"champion"}


def test_a_challenger_that_fails_on_rows_leaves_them_to_the_champion(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.start()
    live = house.scoring._following.live(MODEL)
    assert live.arm is not None

    def fail(*_: object, **__: object) -> None:
        raise ValueError("broken inside")

    monkeypatch.setattr(live.arm.model.pyfunc, "predict", fail)
    assert set(house.scoring.score(SCIENTIST, MODEL, flights(ROWS), ids=IDS).versions) == {"1"}
    rows = pd.DataFrame(flights(5))
    body = json.dumps({"dataframe_split": json.loads(rows.to_json(orient="split", index=False))}).encode()
    said = house.scoring.answer(SCIENTIST, MODEL, body, "application/json", batch_id="b")
    assert said.status == 200
    assert said.pending is not None
    assert said.pending.version == "1"


def test_days_as_units_send_whole_days_to_one_arm(house: House) -> None:
    house.start(unit="day", reading="at_end", planned_units=20, min_units=5, days=30)
    seen = set()
    for day in range(12):
        house.at = NOON + timedelta(days=day, seconds=1)
        batch = house.scoring.score(SCIENTIST, MODEL, flights(3), ids=[f"{day}-{n}" for n in range(3)])
        assert len(set(batch.versions)) == 1
        seen.add(batch.versions[0])
    assert seen == {"1", "2"}


# --- users, accounts, sessions ----------------------------------------------------------------------------------------

CUSTOMERS = [f"it's {n % 12}" for n in range(ROWS)]


def by_customer(house: House, **changes: object) -> ABTest:
    return house.start(unit="entity", entity="customer", min_units=100, **changes)


def kept(house: House) -> dict[str, str]:
    with house.context.databases.log.connect() as connection:
        found = pd.read_sql("SELECT prediction_id, entity_key FROM prediction", connection)
    return dict(zip(found["prediction_id"], found["entity_key"], strict=True))


def test_all_rows_of_a_customer_go_to_one_arm_by_every_door(house: House) -> None:
    test = by_customer(house)
    rows = flights(ROWS).assign(customer=CUSTOMERS)
    expected = ["2" if draw("k", one) < test.design.share else "1" for one in CUSTOMERS]
    assert set(expected) == {"1", "2"}
    body = json.dumps({"dataframe_split": json.loads(rows.to_json(orient="split", index=False))}).encode()
    said = house.scoring.answer(SCIENTIST, MODEL, body, "application/json", batch_id="b")
    assert said.pending is not None
    assert [one.version for one in said.pending.answers] == expected
    house.scoring.store(SCIENTIST, [said.pending])
    assert kept(house) == {f"b-{n}": unit_key("k", one) for n, one in enumerate(CUSTOMERS)}
    frame = flights(ROWS).assign(customer=CUSTOMERS)
    assert house.scoring.score(SCIENTIST, MODEL, frame, batch_id="c").versions == tuple(expected)


def test_users_of_another_test_of_the_layer_are_the_champions_and_count_nowhere(house: House) -> None:
    test = by_customer(house, layer="shop", layer_share=0.5, hold_out=0.05)
    part = test.design.layer
    assert part == Layer("shop", 0.0, 0.5, 0.05)
    rows = flights(ROWS).assign(customer=CUSTOMERS)
    body = json.dumps({"dataframe_split": json.loads(rows.to_json(orient="split", index=False))}).encode()
    said = house.scoring.answer(SCIENTIST, MODEL, body, "application/json", batch_id="b")
    assert said.pending is not None
    mine = [part.draws(one) for one in CUSTOMERS]
    expected = ["2" if own and draw("k", one) < 0.5 else "1" for own, one in zip(mine, CUSTOMERS, strict=True)]
    assert [one.version for one in said.pending.answers] == expected
    assert set(expected) == {"1", "2"}
    assert 0 < sum(mine) < ROWS
    house.scoring.store(SCIENTIST, [said.pending])
    assert kept(house) == {
        f"b-{n}": unit_key("k", one) if own else OUTSIDE
        for n, (own, one) in enumerate(zip(mine, CUSTOMERS, strict=True))
    }
    house.at += timedelta(hours=1)
    found = house.tests.room(LEAD).reading
    assert found is not None
    users = {one for own, one in zip(mine, CUSTOMERS, strict=True) if own}
    assert found.challenger.assigned + found.control.assigned == len(users)
    assert f"{ROWS - sum(mine)} rows are of units outside its part of layer shop" in found.notes[-1]


def test_a_request_says_whom_it_is_for_in_a_header_alone_or_among_others(house: House) -> None:
    by_customer(house)
    rows = json.loads(flights(2).to_json(orient="split", index=False))
    body = json.dumps({"dataframe_split": rows}).encode()
    asked = [
        house.scoring.ask(SCIENTIST, MODEL, body, "application/json", batch_id=f"q{n}", unit=f"it's {n}")
        for n in range(12)
    ]
    house.scoring.serving(SCIENTIST)
    said = {place: one for part in house.scoring.answer_all(WORKER, MODEL, asked) for place, one in part}
    for n in range(12):
        answered = said[n]
        assert not isinstance(answered, Exception)
        assert answered.pending is not None
        arm = "2" if draw("k", f"it's {n}") < 0.5 else "1"
        assert [one.version for one in answered.pending.answers] == [arm, arm]
        assert {one.entity_key for one in answered.pending.predictions} == {unit_key("k", f"it's {n}")}


def test_a_ramp_lets_few_customers_in_and_keeps_them(house: House) -> None:
    by_customer(house, ramp=(0.1, 0.3))
    rows, seen = flights(ROWS).assign(customer=[f"c{n}" for n in range(ROWS)]), []
    for day in range(3):
        house.at = NOON + timedelta(days=day)
        batch = house.scoring.score(SCIENTIST, MODEL, rows, batch_id=f"day{day}")
        seen.append({n for n, one in enumerate(batch.versions) if one == "2"})
        expected = {n for n in range(ROWS) if draw("k", f"c{n}") < (0.1, 0.3, 0.5)[day]}
        assert seen[-1] == expected
    assert seen[0] < seen[1] < seen[2]


def test_a_csv_keeps_the_zeros_of_a_unit(house: House) -> None:
    by_customer(house)
    rows = flights(3).assign(customer=["007", "7", "NA"])
    body = rows.to_csv(index=False).encode()
    said = house.scoring.answer(SCIENTIST, MODEL, body, "text/csv", batch_id="c")
    assert said.pending is not None, said.body
    assert [one.entity_key for one in said.pending.predictions] == [unit_key("k", one) for one in ("007", "7", "NA")]


def test_a_row_without_a_unit_is_the_champions_and_a_number_is_the_same_unit_as_its_text(house: House) -> None:
    by_customer(house, share=0.95)
    frame = flights(4).assign(customer=[17, 17, 18, 19])
    house.scoring.score(SCIENTIST, MODEL, frame, batch_id="n")
    house.scoring.score(SCIENTIST, MODEL, flights(4).assign(customer=[None, "", " ", "17"]), batch_id="e")
    house.scoring.score(SCIENTIST, MODEL, flights(2), batch_id="m")
    found = kept(house)
    assert [found[f"e-{n}"] for n in range(3)] == ["", "", ""]
    assert found["e-3"] == found["n-0"] == unit_key("k", "17")
    assert [found["m-0"], found["m-1"]] == ["", ""]
    with reading(house.context.databases.log) as session:
        roles = {row.prediction_id: {role for _, role, _ in row.answers} for row in log.batch_rows(session, "m")}
    assert roles == {"m-0": {"champion"}, "m-1": {"champion"}}
