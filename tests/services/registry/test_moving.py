"""Moves of the board: a mark is decided and then put, silence is set at once, and neither makes anything live."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_dash.domain.audit import Action
from mlops_dash.domain.audit_words import sentence
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed, NotFound
from mlops_dash.store import serving as serving_store
from mlops_dash.store.db import reading
from tests import registry_world
from tests.factories import LEAD, SCIENTIST, VIEWER, WORKER
from tests.registry_world import MODEL, World


@pytest.fixture
def house(tmp_path: Path, mlflow_uri: str) -> Iterator[World]:
    made = registry_world.world(tmp_path, mlflow_uri)
    yield made
    made.context.databases.dispose()


def test_a_mark_is_decided_put_seen_on_the_board_and_nothing_goes_live(house: World) -> None:
    entry = house.service.mark_version(SCIENTIST, house.ids["2"], "staging", reason="for the testers")
    assert house.mlflow.alias(MODEL, "staging") is None  # decided, not put yet
    assert house.service.finish_mark(SCIENTIST, entry) == "v2"
    assert house.service.finish_mark(SCIENTIST, entry) == "v2"  # again changes nothing
    assert house.mlflow.alias(MODEL, "staging") == "2"
    assert sentence(house.ledger()[-1]) == f"scientist moved {MODEL} v2 to staging"
    house.hands.turn(seconds=11)
    house.service.reconcile(WORKER)
    assert ("staging", ("v2",)) in house.service.board(VIEWER)[0].marks
    serving = house.service.serving(VIEWER, MODEL)
    assert serving is not None
    assert (serving.version_id, house.mlflow.alias(MODEL, "champion")) == (house.ids["1"], "1")
    assert house.service.room(VIEWER, MODEL).alias_moved_to == ""
    assert house.verified().ok


def test_what_was_decided_otherwise_since_is_not_put_back(house: World) -> None:
    first = house.service.mark_version(SCIENTIST, house.ids["1"], "dev", reason="a look")
    second = house.service.mark_version(SCIENTIST, house.ids["2"], "dev", reason="another")
    house.service.finish_mark(SCIENTIST, second)
    with pytest.raises(Conflict, match="decided otherwise since"):
        house.service.finish_mark(SCIENTIST, first)
    assert house.mlflow.alias(MODEL, "dev") == "2"
    for entry in (1, 10_000):
        with pytest.raises(NotFound, match="No move was decided"):
            house.service.finish_mark(SCIENTIST, entry)


@pytest.mark.parametrize("name", ["champion", "production", "shadow", "v7", "latest", "", "two words", "<b>"])
def test_no_mark_reaches_what_is_live_and_none_that_mlflow_does_not_take(house: World, name: str) -> None:
    before = house.actions()
    with pytest.raises((Conflict, InvalidInput)):
        house.service.mark_version(LEAD, house.ids["2"], name, reason="now")
    assert house.actions() == before


def test_the_live_mark_of_any_name_is_refused_and_so_is_a_model_of_others(house: World) -> None:
    house.service.edit_model(LEAD, MODEL, {"live": "alias:prod"}, reason="ours")
    with pytest.raises(Conflict, match="prod says what is live"):
        house.service.mark_version(LEAD, house.ids["2"], "prod", reason="now")
    with pytest.raises(NotAllowed):
        house.service.mark_version(VIEWER, house.ids["2"], "dev", reason="now")
    with pytest.raises(InvalidInput, match="needs a reason"):
        house.service.mark_version(LEAD, house.ids["2"], "dev", reason=" ")


def test_a_move_that_was_decided_before_its_mark_became_the_live_one_is_not_carried_out(house: World) -> None:
    entry = house.service.mark_version(SCIENTIST, house.ids["2"], "prod", reason="for the testers")
    house.service.edit_model(LEAD, MODEL, {"live": "alias:prod"}, reason="ours")
    with pytest.raises(Conflict, match="prod says what is live"):
        house.service.finish_mark(SCIENTIST, entry)
    assert house.mlflow.alias(MODEL, "prod") is None


def test_a_version_scores_silently_and_no_more_and_gateways_see_it(house: World) -> None:
    def silent() -> list[str]:
        with reading(house.context.databases.app) as session:
            return [one.version for one in serving_store.states(session)[MODEL].shadows]

    assert house.service.score_silently(LEAD, house.ids["2"], on=True, reason="a week beside it") == ("v2",)
    assert silent() == ["2"]
    assert house.actions()[-1] is Action.SHADOW_SET
    with pytest.raises(Conflict, match="scores silently already"):
        house.service.score_silently(LEAD, house.ids["2"], on=True, reason="again")
    assert house.service.score_silently(LEAD, house.ids["2"], on=False, reason="enough") == ()
    assert silent() == []
    with pytest.raises(Conflict, match="does not score silently"):
        house.service.score_silently(LEAD, house.ids["2"], on=False, reason="again")
    with pytest.raises(Conflict, match="is the champion"):
        house.service.score_silently(LEAD, house.ids["1"], on=True, reason="x")
    with pytest.raises(NotAllowed):
        house.service.score_silently(SCIENTIST, house.ids["2"], on=True, reason="x")


def test_silence_is_not_changed_under_a_change_of_champion(house: World) -> None:
    made = house.approved()
    operation = house.service.begin_promotion(LEAD, made.id, made.revision, "now")
    with pytest.raises(Conflict, match="being carried out"):
        house.service.score_silently(LEAD, house.ids["2"], on=True, reason="x")
    house.service.finish_promotion(LEAD, operation)
