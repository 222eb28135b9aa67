"""A live version that somebody changes in MLflow: noticed at the next look, put back, or accepted with a reason."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_dash.domain.audit import Action
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed
from mlops_dash.services.registry import RegistryService, freezing
from mlops_dash.store import audit, registry
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.monitoring.alerts import alerts
from mlops_dash.tracking.models.trust import artifact_digest
from mlops_dash.tracking.version_texts import VersionTexts
from tests.factories import LEAD, SCIENTIST, WORKER
from tests.version_world import NAME, VersionWorld, world


@pytest.fixture
def house(tmp_path: Path, mlflow_uri: str) -> Iterator[VersionWorld]:
    made = world(tmp_path, mlflow_uri)
    look(made)
    look(made)
    yield made
    made.context.databases.dispose()


def look(house: VersionWorld) -> None:
    """What the worker does every few seconds; a service that was just started reads all files."""
    house.service = RegistryService(house.context)
    house.service.reconcile(WORKER)
    house.service.watch_files(WORKER)


def alarms(house: VersionWorld) -> list[str]:
    with reading(house.context.databases.app) as session:
        return [one.title for one in alerts(session, NAME) if one.closed_at is None]


def actions(house: VersionWorld) -> list[str]:
    with reading(house.context.databases.app) as session:
        return [str(one.action) for one in audit.entries(session)]


def weights(house: VersionWorld, version: str = "1") -> Path:
    return house.folder(version) / "metadata" / "weights.bin"


def texts(house: VersionWorld) -> VersionTexts:
    return VersionTexts(house.context.registry.uri)


def test_nothing_is_said_of_a_live_version_that_stays_as_it_is(house: VersionWorld) -> None:
    look(house)
    assert alarms(house) == []
    assert house.service.room(LEAD, NAME).outside == ()


def test_a_tag_and_a_description_changed_outside_alarm_once_and_are_put_back(house: VersionWorld) -> None:
    texts(house).set_tag(NAME, "1", "team", "somebody else")
    texts(house).set_tag(NAME, "1", "hint", "<b>new</b>")
    texts(house).describe(NAME, "1", "another text")
    for _ in range(2):
        look(house)
    said = "tag hint added, tag team altered, description altered"
    assert alarms(house) == [f"{NAME} v1 is live and was changed in MLflow: {said}"]
    assert actions(house).count(Action.VERSION_CHANGED) == 1

    with pytest.raises(NotAllowed):
        house.service.restore_version(SCIENTIST, house.ids["1"], reason="mine")
    with pytest.raises(InvalidInput, match="needs a reason"):
        house.service.restore_version(LEAD, house.ids["1"], reason=" ")
    house.service.restore_version(LEAD, house.ids["1"], reason="nobody asked for it")
    for _ in range(2):  # a second time changes nothing
        assert house.service.put_back(LEAD, house.ids["1"]) == ()
    look(house)
    assert alarms(house) == []
    found = house.context.registry.version(NAME, "1")
    assert (dict(found.tags), found.description) == ({"team": "kiosk"}, "the 1. of them")
    assert actions(house)[-1] == Action.VERSION_RESTORED
    with pytest.raises(Conflict, match="as it was when it went live"):
        house.service.restore_version(LEAD, house.ids["1"], reason="again")


def test_an_altered_file_is_put_back_from_the_copy_that_the_gateway_keeps(house: VersionWorld) -> None:
    approved = artifact_digest(house.folder("1"))
    copy = house.context.settings.home / "models" / approved
    weights(house).write_bytes(b"altered")
    look(house)
    assert alarms(house) == [f"{NAME} v1 is live and was changed in MLflow: file metadata/weights.bin altered"]
    (alarm,) = house.service.room(LEAD, NAME).outside
    assert "No copy of the approved files" in alarm.why_not_restore
    with pytest.raises(Conflict, match="No copy of the approved files"):
        house.service.restore_version(LEAD, house.ids["1"], reason="back")

    shutil.copytree(house.folder("1"), copy)
    (copy / "metadata" / "weights.bin").write_bytes(b"weights " * 40 + b"1")
    house.service.restore_version(LEAD, house.ids["1"], reason="back")
    house.service.put_back(LEAD, house.ids["1"])
    assert artifact_digest(house.folder("1")) == approved
    look(house)
    assert alarms(house) == []


def test_a_change_that_is_adopted_is_the_version_from_then_on(house: VersionWorld) -> None:
    weights(house).write_bytes(b"altered")
    texts(house).remove_tag(NAME, "1", "team")
    look(house)
    house.service.adopt_change(LEAD, house.ids["1"], reason="a repair that was agreed by telephone")
    look(house)
    assert alarms(house) == []
    with reading(house.context.databases.app) as session:
        assert registry.version(session, house.ids["1"]).artifact_digest == artifact_digest(house.folder("1"))
        entry = list(audit.entries(session))[-1]
    assert (entry.action, entry.after["changes"]) == (Action.CHANGE_ADOPTED, "adopted")
    weights(house).write_bytes(b"altered again")
    look(house)
    assert len(alarms(house)) == 1


def test_a_version_deleted_in_mlflow_alarms_and_can_only_be_replaced(house: VersionWorld) -> None:
    from mlflow import MlflowClient

    MlflowClient(house.context.registry.uri, house.context.registry.uri).delete_model_version(NAME, "1")
    look(house)
    (title,) = alarms(house)
    assert title == f"{NAME} v1 is live and was changed in MLflow: deleted in MLflow"
    (alarm,) = house.service.room(LEAD, NAME).outside
    assert "roll back" in alarm.why_not_restore
    assert "roll back" in alarm.why_not_adopt


def test_files_are_missed_only_when_two_looks_in_a_row_find_none(
    house: VersionWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freezing, "FILES_SECONDS", 0.0)
    monkeypatch.setattr(freezing, "_PAUSE", 0.0)
    shutil.move(house.folder("1"), house.home / "away")
    house.service = RegistryService(house.context)
    assert house.service.watch_files(WORKER) == ()
    assert house.service.watch_files(WORKER) == (
        f"{NAME} v1 is live and was changed in MLflow: file all files taken away",
    )
    shutil.move(house.home / "away", house.folder("1"))
    house.service.watch_files(WORKER)
    assert alarms(house) == []


def test_a_version_that_is_not_live_may_be_changed(house: VersionWorld) -> None:
    house.register("3")
    weights(house, "3").write_bytes(b"another")
    texts(house).set_tag(NAME, "3", "team", "another")
    look(house)
    assert alarms(house) == []
    weights(house).write_bytes(b"altered")
    look(house)
    assert len(alarms(house)) == 1
    house.live("2")  # another version is champion: nobody waits for the first any more
    look(house)
    assert alarms(house) == []


def test_files_that_were_altered_before_the_first_look_are_found_by_the_recorded_digest(house: VersionWorld) -> None:
    weights(house, "2").write_bytes(b"altered after it was registered")
    house.live("2")
    look(house)
    look(house)
    assert alarms(house) == [f"{NAME} v2 is live and was changed in MLflow: file all files altered"]


def test_an_mlflow_that_does_not_answer_is_no_news_of_files(house: VersionWorld) -> None:
    uri, house.context.registry.uri = house.context.registry.uri, "http://127.0.0.1:9"
    look(house)
    house.context.registry.uri = uri
    assert alarms(house) == []
    with transaction(house.context.databases.app) as session:
        assert registry.serving(session, NAME) is not None
