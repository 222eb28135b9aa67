"""Semantic numbers over a real MLflow store: proposed, kept at the promotion, set by hand; never written to MLflow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from mlops_dash.domain.audit import Action
from mlops_dash.domain.audit_words import sentence
from mlops_dash.domain.registry.semver import Change
from mlops_dash.domain.reports.files import ReportFormat
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed
from mlops_dash.rendering import reports as rendering
from mlops_dash.services.audit import AuditService
from mlops_dash.services.reports import ReportService
from mlops_dash.store.db import transaction
from tests import registry_world
from tests.factories import LEAD, SCIENTIST, VIEWER
from tests.registry_world import World
from tests.version_world import NAME, VersionWorld, world


@pytest.fixture
def made(tmp_path: Path, mlflow_uri: str) -> Iterator[VersionWorld]:
    house = world(tmp_path, mlflow_uri)
    yield house
    house.context.databases.dispose()


@pytest.fixture
def town(tmp_path: Path, mlflow_uri: str) -> Iterator[World]:
    """Versions of another model, each trained on other data, of which v2 may be promoted."""
    found = registry_world.world(tmp_path, mlflow_uri)
    yield found
    found.context.databases.dispose()


def test_a_version_is_called_by_what_differs_from_the_champion(made: VersionWorld) -> None:
    first = made.service.semantic_number(VIEWER, made.ids["1"])
    assert (first.number, first.said()) == ("1.0.0", "1.0.0: the first that is champion.")
    second = made.service.semantic_number(VIEWER, made.ids["2"])
    assert (second.number, second.change, second.against, second.base) == ("1.1.0", Change.MINOR, "v1", "1.0.0")
    assert second.said() == ("1.1.0 proposed, MINOR against v1 (1.0.0): other hyper-parameters (depth 2 instead of 1).")


def test_without_its_run_the_number_is_not_known_and_says_why(made: VersionWorld) -> None:
    found = made.service.semantic_number(VIEWER, made.register("3", run=False))
    assert (found.number, found.change) == ("", None)
    assert found.said() == "Not known: The hyper-parameters of v3 are not known. It names no run."


def test_somebody_calls_it_otherwise_and_the_ledger_says_why(made: VersionWorld) -> None:
    with pytest.raises(NotAllowed):
        made.service.set_number(VIEWER, made.ids["2"], "3.0.0", reason="marketing")
    with pytest.raises(InvalidInput, match="needs a reason"):
        made.service.set_number(SCIENTIST, made.ids["2"], "3.0.0", reason=" ")
    made.service.set_number(SCIENTIST, made.ids["2"], "v3.0.0", reason="the kiosk's <b>third</b> year")
    found = made.service.semantic_number(VIEWER, made.ids["2"])
    assert (found.number, found.proposed, found.said()) == ("3.0.0", "1.1.0", "3.0.0, set by hand.")
    entry = AuditService(made.context).entries(VIEWER).entries[0]
    assert (entry.action, entry.reason) == (Action.VERSION_NUMBERED, "the kiosk's <b>third</b> year")
    assert sentence(entry) == f"scientist called {NAME} v2 3.0.0"
    with pytest.raises(Conflict, match="the number of v2"):
        made.service.set_number(LEAD, made.ids["1"], "3.0.0", reason="mine")
    number = AuditService(made.context).entries(VIEWER).entries[0].number
    made.service.set_number(SCIENTIST, made.ids["2"], "3.0.0", reason="again")
    assert AuditService(made.context).entries(VIEWER).entries[0].number == number, "nothing changed"


def test_the_number_is_kept_when_it_becomes_champion_and_the_next_is_counted_from_it(town: World) -> None:
    found = town.service.semantic_number(VIEWER, town.ids["2"])
    assert (found.number, found.change) == ("2.0.0", Change.MAJOR)
    town.promoted("2")
    kept = town.service.semantic_number(VIEWER, town.ids["2"])
    assert kept.number == "2.0.0"
    assert kept.kept is not None
    assert (kept.kept.reasons, kept.kept.against) == (found.reasons, "v1")
    assert kept.said().startswith("2.0.0, kept when it became champion: other training data")
    first = town.service.semantic_number(VIEWER, town.ids["1"])
    assert first.said() == "1.0.0, kept when it became champion: no champion before it."
    town.hands.turn(days=1)
    third = town.service.semantic_number(VIEWER, town.register("3", end=town.hands.at))
    assert (third.number, third.base) == ("3.0.0", "2.0.0")


def test_a_champion_from_before_numbers_began_gets_the_one_that_the_next_is_counted_from(town: World) -> None:
    with transaction(town.context.databases.app) as session:
        session.connection().exec_driver_sql("DELETE FROM version_number")
    town.promoted("2")
    first, second = (town.service.semantic_number(VIEWER, town.ids[one]) for one in ("1", "2"))
    assert first.said() == "1.0.0, kept when it became champion: it was champion when numbers began."
    assert second.number == "2.0.0"


def test_a_number_that_somebody_set_before_the_promotion_stays(town: World) -> None:
    town.service.set_number(SCIENTIST, town.ids["2"], "7.0.0", reason="the board counts so")
    town.promoted("2")
    kept = town.service.semantic_number(VIEWER, town.ids["2"]).kept
    assert kept is not None
    assert (kept.number, kept.by_hand) == ("7.0.0", True)


def test_a_promotion_stands_though_its_number_cannot_be_told(town: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the disk is gone")

    monkeypatch.setattr("mlops_dash.services.registry.lineage.Lineage.contents", broken)
    town.promoted("2")
    monkeypatch.undo()
    found = town.service.semantic_number(VIEWER, town.ids["2"])
    assert found.kept is None
    assert found.said() == "Not known: it is champion and was never given one."


def test_nothing_is_written_to_mlflow(made: VersionWorld) -> None:
    client = MlflowClient(made.context.registry.uri, made.context.registry.uri)
    before = [dict(client.get_model_version(NAME, one).tags) for one in ("1", "2")]
    made.service.set_number(SCIENTIST, made.ids["2"], "3.0.0", reason="ours")
    made.service.semantic_number(VIEWER, made.ids["2"])
    assert [dict(client.get_model_version(NAME, one).tags) for one in ("1", "2")] == before


def test_the_dossier_says_what_it_is_called_and_why(made: VersionWorld) -> None:
    reports = ReportService(made.context)
    draft = reports.promotion(VIEWER, NAME, "2")
    text = rendering.html(draft.facts)
    assert "v2 (1.1.0 proposed) · registered" in text
    assert "MINOR against v1 (1.0.0): other hyper-parameters (depth 2 instead of 1)" in text
    made.service.set_number(SCIENTIST, made.ids["2"], "3.0.0", reason="the <b>third</b> year")
    kept = reports.freeze(SCIENTIST, reports.promotion(VIEWER, NAME, "2"))
    said = rendering.written(kept, ReportFormat.MARKDOWN).decode()
    assert "3.0.0, set by hand." in said
    assert "Its difference says | 1.1.0" in said
    assert "<b>third" not in rendering.html(kept.facts)
    older = {name: value for name, value in draft.facts.items() if name != "semantic"}
    assert "Semantic number" not in rendering.html(older), "a dossier that was frozen before numbers began still opens"
