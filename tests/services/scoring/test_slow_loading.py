"""A model that loads slowly keeps no other one from being loaded, answered or told."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from mlops_dash.services.command import Context
from mlops_dash.services.scoring.following import LOADING, Following
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.tables.log import HeartbeatRow
from mlops_dash.store.tables.registry import ServingRow
from tests import factories

SLOW, QUICK = "a slow one", 'z\'s "quick" one'


class Model:
    """Stands where a loaded model stands."""

    digest = "d"
    kinds: dict[str, str] = {}  # noqa: RUF012


class Models:
    """A model cache whose first model hangs until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.asked: list[str] = []

    def get(self, name: str, version: str, **_: object) -> Model:
        self.asked.append(name)
        if name == SLOW:
            assert self.go.wait(30)
        return Model()


@pytest.fixture
def models() -> Iterator[Models]:
    made = Models()
    yield made
    made.go.set()


@pytest.fixture
def following(context: Context, models: Models) -> Following:
    with transaction(context.databases.app) as session:
        for name in (SLOW, QUICK):
            session.add(factories.model_row(name))
        session.flush()
        for name in (SLOW, QUICK):
            session.add(factories.version_row("1", name))
        session.flush()
        for name in (SLOW, QUICK):
            session.add(
                ServingRow(model=name, alias="champion", version_id=f"{name}-v1", shadow_version_ids=[], epoch=1,
                           operation_id="op", since=factories.NOON)
            )  # fmt: skip
    return Following(context, models)  # type: ignore[arg-type]


def beats(context: Context) -> dict[str, tuple[str, str]]:
    with reading(context.databases.log) as session:
        rows = [session.get(HeartbeatRow, ("gateway", name)) for name in (SLOW, QUICK)]
    return {row.model: (row.version_id, row.error) for row in rows if row is not None}


def test_the_others_are_loaded_and_told_while_one_hangs(following: Following, models: Models, context: Context) -> None:
    told = {one.model: (one.version, one.error) for one in following.beat("gateway", patience=0.5)}
    assert told == {SLOW: ("", LOADING), QUICK: ("1", "")}
    assert beats(context) == {SLOW: ("", LOADING), QUICK: (f"{QUICK}-v1", "")}
    assert following.live(QUICK).champion.version.version == "1"
    assert [following.peek(one) is not None for one in (SLOW, QUICK, "nobody's")] == [False, True, False]
    following.beat("gateway", patience=0.0)
    assert models.asked.count(SLOW) == 1  # nobody asks a second time meanwhile


def test_it_answers_as_soon_as_it_is_there(following: Following, models: Models, context: Context) -> None:
    following.beat("gateway", patience=0.0)
    models.go.set()
    assert following.live(SLOW).champion.version.version == "1"
    following.beat("gateway")
    assert beats(context)[SLOW] == (f"{SLOW}-v1", "")
    assert models.asked.count(SLOW) == 1
