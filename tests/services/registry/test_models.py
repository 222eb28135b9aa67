"""What is said of a model may change, its rows' meaning may not; an archived one leaves everything but history."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_dash.bootstrap import Services, build
from mlops_dash.clock import fixed
from mlops_dash.domain.audit import Action, Entry
from mlops_dash.domain.registry.records import EXTERNAL
from mlops_dash.domain.search import Kind
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed, NotFound
from tests import factories
from tests.factories import ADMIN, LEAD, NOON, SCIENTIST, VIEWER, WORKER

MODEL = 'it\'s "late"'  # minutes late, a regression that somebody else serves


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Services]:
    """A house with another team's model and its version."""
    built = build(factories.settings(tmp_path), clock=fixed(NOON))
    built.registry.add_model(SCIENTIST, MODEL, task="regression", source=EXTERNAL, owner="team late", reason="test")
    built.registry.serve_elsewhere(SCIENTIST, built.registry.record_version(SCIENTIST, MODEL, "1"), reason="theirs")
    yield built
    built.close()


def row(**changes: object) -> dict[str, object]:
    return {"at": NOON.isoformat(), "version": "1", "score": 12.5, "features": {"distance": 3.0}, **changes}


def push(house: Services) -> None:
    house.scoring.store(SCIENTIST, [house.scoring.prepare_predictions(SCIENTIST, MODEL, [row()])])


def newest(house: Services) -> Entry:
    return house.audit.entries(ADMIN).entries[0]


def test_what_is_said_of_a_model_is_edited_and_the_ledger_says_what_it_was(house: Services) -> None:
    changes = {"title": " Late trains ", "tier": 1, "do_not_log": ["name", " name ", ""]}
    after = house.registry.edit_model(SCIENTIST, MODEL, changes, reason="a better name")
    assert (after.title, after.tier, after.do_not_log, after.owner) == ("Late trains", 1, ("name",), "team late")
    assert house.registry.models(VIEWER) == (after,)
    entry = newest(house)
    assert (entry.action, entry.object, entry.reason) == (Action.MODEL_EDITED, MODEL, "a better name")
    assert entry.before == {"title": MODEL, "tier": 2, "do_not_log": []}
    assert entry.after == {"title": "Late trains", "tier": 1, "do_not_log": ["name"]}


def test_columns_that_are_not_to_be_logged_are_not_stored_from_then_on(house: Services) -> None:
    house.registry.edit_model(SCIENTIST, MODEL, {"do_not_log": ["distance"]}, reason="private")
    pending = house.scoring.prepare_predictions(SCIENTIST, MODEL, [row()])
    assert "distance" not in str(pending.predictions)


def test_the_task_may_change_until_a_row_was_read_by_it(house: Services) -> None:
    assert house.registry.edit_model(SCIENTIST, MODEL, {"task": "binary"}, reason="typo").task == "binary"
    house.registry.edit_model(SCIENTIST, MODEL, {"task": "regression"}, reason="typo")
    push(house)
    for changes in ({"task": "binary"}, {"positive_label": "late"}):
        with pytest.raises(Conflict, match="rows are stored by it"):
            house.registry.edit_model(SCIENTIST, MODEL, changes, reason="r")
    assert house.registry.edit_model(SCIENTIST, MODEL, {"owner": "ops"}, reason="r").owner == "ops"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tier": 9}, "Tier 9 does not exist"),
        ({"title": "  "}, "needs a title"),
        ({"title": "x" * 121}, "121 characters"),
        ({"owner": "a\nb"}, "cannot be printed"),
        ({"task": "clustering"}, "No task is named 'clustering'"),
        ({"source": "mlflow"}, "source cannot be edited"),
        ({"owner": "team late"}, "would change"),
    ],
)
def test_an_edit_that_cannot_be_meant_is_refused(house: Services, changes: dict[str, object], said: str) -> None:
    entry = newest(house)
    with pytest.raises((InvalidInput, Conflict), match=said):
        house.registry.edit_model(SCIENTIST, MODEL, changes, reason="r")
    assert newest(house) == entry


def test_an_archived_model_leaves_pages_and_chores_and_comes_back_as_it_was(house: Services) -> None:
    push(house)
    serving = house.registry.serving(VIEWER, MODEL)
    house.registry.archive_model(LEAD, MODEL, reason="replaced")

    assert house.registry.models(VIEWER) == ()
    assert house.fleet.room(VIEWER).rows == ()
    assert house.monitoring.models(VIEWER) == ()
    assert house.monitoring.grounds(WORKER) == {}
    assert [hit for hit in house.search.find(VIEWER, "late") if hit.kind is Kind.MODEL] == []
    assert [one.archived_at for one in house.registry.all_models(VIEWER)] == [NOON]
    assert newest(house).action == Action.MODEL_ARCHIVED
    with pytest.raises(Conflict, match="is archived"):
        house.registry.add_model(SCIENTIST, MODEL, reason="again")
    with pytest.raises(Conflict, match="is archived"):
        house.registry.edit_model(SCIENTIST, MODEL, {"tier": 1}, reason="r")

    house.registry.restore_model(LEAD, MODEL, reason="needed again")
    assert [one.name for one in house.registry.models(VIEWER)] == [MODEL]
    assert house.registry.serving(VIEWER, MODEL) == serving
    assert newest(house).action == Action.MODEL_RESTORED


def test_an_archived_model_takes_no_rows(house: Services) -> None:
    house.registry.archive_model(LEAD, MODEL, reason="replaced")
    with pytest.raises(Conflict, match="takes no rows"):
        push(house)


def test_who_may_not_promote_may_not_archive(house: Services) -> None:
    with pytest.raises(NotAllowed):
        house.registry.archive_model(SCIENTIST, MODEL, reason="r")
    house.registry.archive_model(LEAD, MODEL, reason="r")
    with pytest.raises(NotAllowed):
        house.registry.restore_model(SCIENTIST, MODEL, reason="r")


def test_nothing_is_archived_twice_without_reason_or_while_a_proposal_waits(house: Services) -> None:
    with pytest.raises(InvalidInput, match="needs a reason"):
        house.registry.archive_model(LEAD, MODEL, reason=" ")
    with pytest.raises(NotFound):
        house.registry.archive_model(LEAD, "chrun", reason="r")
    with pytest.raises(Conflict, match="is not archived"):
        house.registry.restore_model(LEAD, MODEL, reason="r")
    version = house.registry.record_version(SCIENTIST, MODEL, "2")
    house.registry.propose(SCIENTIST, version, comment="better")
    with pytest.raises(Conflict, match=r"proposal of .* is open"):
        house.registry.archive_model(LEAD, MODEL, reason="r")
