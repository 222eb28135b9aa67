"""Requests answered together: the same answers and the same log as one by one, with arms, shadows and bad requests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlops_dash.domain.access import system
from mlops_dash.services.scoring import Answered, Asked, ScoringService, following
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.prediction_log import batch_rows, counts
from mlops_dash.store.tables.registry import ServingRow
from mlops_dash.tracking.models.loading import LoadedModel, ModelCache
from tests.factories import NOON, SCIENTIST
from tests.served import MODEL, Served, flights
from tests.services.scoring.test_arms import V1, House

GATEWAY = system("gateway")
JSON = "application/json"


class Counted:
    """MLflow's model, which remembers how many rows it was asked at a time."""

    def __init__(self, pyfunc: Any) -> None:
        self._pyfunc = pyfunc
        self.metadata = pyfunc.metadata
        self.calls: list[int] = []

    def predict(self, frame: Any, params: Any = None) -> Any:
        self.calls.append(len(frame))
        return self._pyfunc.predict(frame, params=params)


class Cache(ModelCache):
    """Models as they come, counted."""

    def __init__(self, uri: str, home: Path) -> None:
        super().__init__(uri, home)
        self.row_by_row = True
        self.made: dict[str, LoadedModel] = {}

    def get(self, name: str, version: str, **options: Any) -> LoadedModel:
        if version not in self.made:
            found = super().get(name, version, **options)
            self.made[version] = replace(found, pyfunc=Counted(found.pyfunc))
        return replace(self.made[version], row_by_row=self.row_by_row)

    def calls(self, version: str) -> list[int]:
        return list(self.made[version].pyfunc.calls)


@pytest.fixture
def house(tmp_path: Path, served: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(following, "STALE_SECONDS", 0.0)
    made = House(tmp_path, served)
    made.models = Cache(served.uri, tmp_path)
    made.scoring = ScoringService(made.context, made.models)
    yield made
    made.context.databases.dispose()


def body(rows: int, *, seed: int = 0, **changes: object) -> bytes:
    records = json.loads(flights(rows, seed=seed).to_json(orient="records"))
    return json.dumps({"dataframe_records": [{**one, **changes} for one in records]}).encode()


def ask(house: House, batch: str, sent: bytes, kind: str = JSON, **options: str) -> Asked:
    return house.scoring.ask(SCIENTIST, MODEL, sent, kind, batch_id=batch, **options)


def answers(house: House, asked: list[Asked]) -> list[Answered | Exception]:
    found = dict(one for said in house.scoring.answer_all(GATEWAY, MODEL, asked) for one in said)
    assert sorted(found) == list(range(len(asked)))
    return [found[place] for place in range(len(asked))]


def plain(answered: Answered | Exception) -> object:
    """What can be compared."""
    if isinstance(answered, Exception):
        return type(answered), str(answered)
    return answered


def mixed(house: House, name: str) -> list[Asked]:
    """Good ones of several sizes, and one of every kind of bad or unusual ones between them."""
    csv = flights(2, seed=9).to_csv(index=False).encode()
    return [
        ask(house, f"{name}a", body(1, seed=1)),
        ask(house, f"{name}b", body(3, seed=2)),
        ask(house, f"{name}c", b"{"),
        ask(house, f"{name}d", body(1, seed=3, hour="noon")),
        ask(house, f"{name}e", body(2, seed=4, carrier=None)),
        ask(house, f"{name}f", body(1, seed=5, more=7)),
        ask(house, f"{name}g", csv, "text/csv"),
        ask(house, f"{name}h", body(1, seed=6, flight="x-1"), ids_column="flight"),
        ask(house, f"{name}i", body(1, seed=7), ids_column="flight"),
        ask(house, f"{name}j", body(1, seed=8)),
    ]


def one_by_one(house: House, asked: list[Asked]) -> list[Answered | Exception]:
    found: list[Answered | Exception] = []
    for one in asked:
        try:
            found.append(
                house.scoring.answer(
                    one.actor, one.model, one.body, one.content_type, batch_id=one.batch_id, ids_column=one.ids_column
                )
            )
        except Exception as error:  # noqa: BLE001 - compared below
            found.append(error)
    return found


@pytest.mark.parametrize("test", [False, True])
@pytest.mark.parametrize("shadow", [False, True])
def test_each_gets_what_it_would_get_alone(house: House, test: bool, shadow: bool) -> None:
    if shadow and not test:
        with transaction(house.context.databases.app) as session:
            session.merge(
                ServingRow(model=MODEL, version_id=V1, shadow_version_ids=[f"{MODEL}-v2"], epoch=2, operation_id="o",
                           since=NOON)
            )  # fmt: skip
    if test:
        house.start()
    asked = mixed(house, "n")
    alone = one_by_one(house, asked)
    together = answers(house, asked)
    assert [plain(one) for one in together] == [plain(one) for one in alone]
    good = [one.pending for one in together if isinstance(one, Answered) and one.pending is not None]
    assert len(good) >= 5
    stored = house.scoring.store(GATEWAY, good)
    assert [one.predictions for one in stored] == [len(one.predictions) for one in good]
    assert [one.scores for one in stored] == [len(one.scores) for one in good]


def test_what_waits_goes_through_the_model_together_and_within_its_bound(house: House) -> None:
    answers(house, [ask(house, "first", body(1))])
    house.scoring = ScoringService(
        replace(house.context, settings=replace(house.context.settings, batch_rows=4)), house.models
    )
    before = len(house.models.calls("1"))
    found = answers(house, [ask(house, f"b{rows}", body(rows, seed=rows)) for rows in (1, 2, 3, 1, 6)])
    assert all(isinstance(one, Answered) and one.status == 200 for one in found)
    assert house.models.calls("1")[before:] == [3, 4, 6]  # rows of one request stay together; a large one goes alone


def test_a_bad_one_fails_alone(house: House) -> None:
    house.scoring.score(SCIENTIST, MODEL, flights(1))
    found = answers(house, [ask(house, "g", body(2)), ask(house, "b", body(1, hour=1e400)), ask(house, "h", body(1))])
    assert [isinstance(one, Answered) and one.status for one in found] == [200, 200, 200]
    assert [isinstance(one, Answered) and bool(one.not_logged) for one in found] == [False, True, False]


def test_a_model_that_need_not_be_row_wise_is_asked_one_by_one(house: House) -> None:
    house.models.row_by_row = False
    answers(house, [ask(house, "first", body(1))])
    assert house.scoring.rows_at_once(GATEWAY, MODEL) == 1
    before = len(house.models.calls("1"))
    answers(house, [ask(house, f"b{n}", body(1, seed=n)) for n in range(3)])
    assert house.models.calls("1")[before:] == [1, 1, 1]


@pytest.mark.parametrize(("rows", "calls"), [(64, [3]), (1, [1, 1, 1])])
def test_the_setting_of_a_model_decides(house: House, rows: int, calls: list[int]) -> None:
    house.models.row_by_row = rows == 1  # whatever it is made of
    settings = replace(house.context.settings, batch_rows_of=((MODEL, rows), ('it\'s the "fast" one', 2)))
    house.scoring = ScoringService(replace(house.context, settings=settings), house.models)
    answers(house, [ask(house, "first", body(1))])
    before = len(house.models.calls("1"))
    answers(house, [ask(house, f"b{n}", body(1, seed=n)) for n in range(3)])
    assert house.models.calls("1")[before:] == calls


def test_a_model_that_gives_another_number_of_answers_is_asked_one_by_one_from_then_on(house: House) -> None:
    first = answers(house, [ask(house, "first", body(1))])
    pyfunc = house.models.made["1"].pyfunc
    real = pyfunc.predict
    pyfunc.predict = lambda frame, params=None: real(frame, params)[: 1 if len(frame) > 1 else None]
    found = answers(house, [ask(house, f"b{n}", body(1)) for n in range(3)])
    assert all(
        isinstance(one, Answered) and one.body == first[0].body for one in found if isinstance(first[0], Answered)
    )
    assert house.scoring.rows_at_once(GATEWAY, MODEL) == 1


def test_the_same_batch_sent_twice_at_once_is_kept_once(house: House) -> None:
    found = answers(house, [ask(house, "b", body(2)), ask(house, "b", body(2))])
    pending = [one.pending for one in found if isinstance(one, Answered) and one.pending is not None]
    stored = house.scoring.store(GATEWAY, pending)
    assert [one.predictions for one in stored] == [2, 0]
    with reading(house.context.databases.log) as session:
        assert len(batch_rows(session, "b")) == 2
        assert counts(session, MODEL).predictions == 2


def test_nobody_approved_is_told_to_each(house: House) -> None:
    with transaction(house.context.databases.app) as session:
        session.delete(session.get_one(ServingRow, (MODEL, "champion")))
    found = answers(house, [ask(house, "a", body(1)), ask(house, "b", body(1))])
    assert [type(one).__name__ for one in found] == ["NothingToServe", "NothingToServe"]
