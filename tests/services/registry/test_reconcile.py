"""The worker's pass: aliases moved outside, confirmation by the gateways, MLflow's versions, expiry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_dash.domain.audit import Action
from mlops_dash.domain.registry.live import live_mark
from mlops_dash.domain.words import OperationState, ProposalState
from mlops_dash.errors import Conflict, InvalidInput
from mlops_dash.services.registry import RegistryService
from mlops_dash.store import registry as store
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.monitoring import alerts
from mlops_dash.store.prediction_log import Prediction, Score, append, to_us
from mlops_dash.tracking.marks import Marks
from tests import factories
from tests.factories import LEAD, SCIENTIST, VIEWER, WORKER
from tests.registry_world import MODEL, World, world
from tests.strangers import Statements


@pytest.fixture
def house(tmp_path: Path, mlflow_uri: str) -> Iterator[World]:
    made = world(tmp_path, mlflow_uri)
    yield made
    made.context.databases.dispose()


def open_alerts(house: World) -> list[tuple[str, str]]:
    with reading(house.context.databases.app) as session:
        return [(one.kind, one.title) for one in alerts.alerts(session, MODEL) if one.closed_at is None]


def served(house: World) -> str:
    serving = house.service.serving(VIEWER, MODEL)
    assert serving is not None
    return serving.version_id


def test_an_alias_moved_outside_raises_an_alarm_and_changes_nothing_served(house: World) -> None:
    house.mlflow.set_alias(MODEL, "champion", "2")

    first = house.service.reconcile(WORKER)
    second = house.service.reconcile(WORKER)

    assert len(first.alarms) == 1
    assert second.alarms == ()
    assert open_alerts(house) == [
        ("alias", "The alias champion of flight-delay points at v2, not at the approved v1"),
    ]
    assert served(house) == house.ids["1"]
    assert house.actions().count(Action.ALIAS_DRIFTED) == 1
    room = house.service.room(LEAD, MODEL)
    assert room.alias_moved_to == "v2"
    assert room.next_action.step == "restore"


def test_restore_points_the_alias_back_and_the_alert_closes(house: World) -> None:
    house.mlflow.set_alias(MODEL, "champion", "2")
    house.service.reconcile(WORKER)
    epoch = house.service.serving(VIEWER, MODEL).epoch  # type: ignore[union-attr]

    operation = house.service.restore_alias(LEAD, MODEL, reason="nobody approved it")
    done = house.service.finish_promotion(LEAD, operation)

    assert done.state is OperationState.CONFIRMED
    assert house.mlflow.alias(MODEL, "champion") == "1"
    assert open_alerts(house) == []
    assert house.service.serving(VIEWER, MODEL).epoch == epoch  # type: ignore[union-attr]
    assert house.actions()[-1] is Action.ALIAS_RESTORED
    assert house.service.reconcile(WORKER).alarms == ()
    with pytest.raises(Conflict, match="points where it should"):
        house.service.restore_alias(LEAD, MODEL, reason="again")


def test_adopt_serves_what_was_moved_outside_and_says_that_no_gate_was_asked(house: World) -> None:
    other = house.proposal()
    house.mlflow.set_alias(MODEL, "champion", "2")
    house.service.reconcile(WORKER)

    house.service.adopt_alias(LEAD, MODEL, version="2", reason="agreed by phone")

    assert served(house) == house.ids["2"]
    assert open_alerts(house) == []
    entry = house.ledger()[-1]
    assert (entry.action, entry.after["gates"], entry.reason) == (Action.ALIAS_ADOPTED, "not asked", "agreed by phone")
    with reading(house.context.databases.app) as session:
        assert store.proposal(session, other.id).state is ProposalState.VOID
    assert house.service.history(VIEWER, MODEL)[-1].kind == "adopt"
    assert house.service.reconcile(WORKER).alarms == ()


def test_adopting_what_the_alias_no_longer_points_at_is_a_conflict(house: World) -> None:
    house.mlflow.set_alias(MODEL, "champion", "2")
    house.service.reconcile(WORKER)
    with pytest.raises(Conflict, match="does not point at version 7"):
        house.service.adopt_alias(LEAD, MODEL, version="7", reason="r")
    assert served(house) == house.ids["1"]


def test_an_alias_moved_back_outside_closes_the_alert(house: World) -> None:
    house.mlflow.set_alias(MODEL, "champion", "2")
    house.service.reconcile(WORKER)
    house.mlflow.set_alias(MODEL, "champion", "1")
    house.service.reconcile(WORKER)
    assert open_alerts(house) == []


def test_a_look_that_our_own_promotion_overtook_is_no_alarm(house: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = house.approved()
    ask = house.context.registry.versions

    def overtaken(name: str) -> object:
        said = ask(name)  # MLflow answers, and before the worker has read it somebody promotes
        if house.service.room(VIEWER, MODEL).champion.label == "v1":  # type: ignore[union-attr]
            house.hands.turn(seconds=1)
            operation = house.service.begin_promotion(LEAD, made.id, made.revision, "now")
            house.service.finish_promotion(LEAD, operation)
        return said

    monkeypatch.setattr(house.context.registry, "versions", overtaken)
    assert house.service.reconcile(WORKER).alarms == ()
    assert served(house) == house.ids["2"]
    assert Action.ALIAS_DRIFTED not in house.actions()
    room = house.service.room(VIEWER, MODEL)
    assert {line.version.label: line.aliases for line in room.lines} == {"v2": ("champion",), "v1": ()}


def test_a_removed_alias_is_an_alarm_too(house: World) -> None:
    house.mlflow._client().delete_registered_model_alias(MODEL, "champion")  # somebody else, with MLflow's own client
    house.service.reconcile(WORKER)
    assert "points at nothing" in open_alerts(house)[0][1]
    assert house.service.room(LEAD, MODEL).why_not["adopt"] == "The alias champion points at nothing."


def test_a_model_without_a_policy_follows_its_alias(tmp_path: Path, mlflow_uri: str) -> None:
    context = factories.context(tmp_path, mlflow_uri=mlflow_uri)
    service = RegistryService(context)
    service.add_model(SCIENTIST, "free")
    for number in ("1", "2"):
        context.registry.create_version("free", source=f"/nowhere/{number}", run_id="")
        context.registry.set_alias("free", "champion", number)
        service.reconcile(WORKER)
        serving = service.serving(VIEWER, "free")
        assert serving is not None
        assert service.version(VIEWER, serving.version_id).version == number
    assert [one.label for one in service.history(VIEWER, "free")] == ["v1", "v2"]
    assert "Not controlled" in service.room(VIEWER, "free").control
    context.databases.dispose()


@pytest.mark.parametrize("live", ["alias:prod", "stage:Production", 'tag:who=it\'s "live"'])
def test_what_says_that_a_version_is_live_is_a_choice_of_the_model(tmp_path: Path, mlflow_uri: str, live: str) -> None:
    context = factories.context(tmp_path, mlflow_uri=mlflow_uri)
    service, marks = RegistryService(context), Marks(mlflow_uri)
    service.add_model(SCIENTIST, "free", live=live)
    for number in ("1", "2"):
        marks.create_version("free", source=f"/nowhere/{number}", run_id="")
        marks.set_alias("free", "champion", number)  # a word like any other here
        service.reconcile(WORKER)
        assert service.serving(VIEWER, "free") is None
    for number in ("2", "1"):
        marks.put("free", live_mark(live), number)
        service.reconcile(WORKER)
        serving = service.serving(VIEWER, "free")
        assert serving is not None
        assert service.version(VIEWER, serving.version_id).version == number
    room = service.room(VIEWER, "free")
    assert live_mark(live).phrase in room.control
    context.databases.dispose()


def test_without_a_mark_nothing_there_is_followed(tmp_path: Path, mlflow_uri: str) -> None:
    context = factories.context(tmp_path, mlflow_uri=mlflow_uri)
    service = RegistryService(context)
    service.add_model(SCIENTIST, "free", live="none")
    context.registry.create_version("free", source="/nowhere/1", run_id="")
    context.registry.set_alias("free", "champion", "1")
    assert service.reconcile(WORKER).alarms == ()
    assert service.serving(VIEWER, "free") is None
    assert "only what is promoted here is served" in service.room(VIEWER, "free").control
    context.databases.dispose()


@pytest.mark.parametrize("live", ["stage:Production", "tag:live=yes"])
def test_a_promotion_moves_the_models_mark_and_its_move_outside_is_an_alarm(house: World, live: str) -> None:
    marks, mark = Marks(house.mlflow.uri), live_mark(live)
    house.service.edit_model(SCIENTIST, MODEL, {"live": live}, reason="as our pipeline does it")
    marks.put(MODEL, mark, "1")
    house.promoted()
    assert (marks.where(MODEL, mark), marks.alias(MODEL, "champion")) == ("2", "1")
    house.hands.turn(seconds=1)
    assert house.service.reconcile(WORKER).alarms == ()
    marks.put(MODEL, mark, "1")
    house.hands.turn(seconds=1)
    assert house.service.reconcile(WORKER).alarms == (f"The {mark.phrase} of {MODEL} was moved outside.",)
    assert served(house) == house.ids["2"]
    operation = house.service.restore_alias(LEAD, MODEL, reason="nobody approved it")
    house.service.finish_promotion(LEAD, operation)
    assert marks.where(MODEL, mark) == "2"
    assert open_alerts(house) == []
    house.hands.turn(seconds=1)
    house.service.reconcile(WORKER)
    room = house.service.room(LEAD, MODEL)
    assert room.mirror.champion_alias == "2"
    assert {line.version.label: line.aliases for line in room.lines} == {"v2": (mark.chip,), "v1": ("champion",)}


def test_a_model_that_others_serve_has_no_mark(house: World) -> None:
    with pytest.raises(InvalidInput, match="Others serve it's theirs"):
        house.service.add_model(SCIENTIST, "it's theirs", source="external", live="stage:Production", reason="r")
    with pytest.raises(InvalidInput, match="is no mark"):
        house.service.edit_model(SCIENTIST, MODEL, {"live": "the newest"}, reason="r")


def test_a_promotion_is_delivered_by_the_first_gateway_and_confirmed_by_all(house: World) -> None:
    operation = house.promoted()
    house.hands.turn(seconds=1)
    house.beat("2", process="a")
    house.beat("1", process="b")
    house.service.reconcile(WORKER)
    assert house.service.operation(VIEWER, operation).state is OperationState.DELIVERED

    house.hands.turn(seconds=2)
    house.beat("2", process="a")
    house.beat("2", process="b")
    done = house.service.reconcile(WORKER)

    assert done.confirmed == (operation,)
    after = house.service.operation(VIEWER, operation)
    assert after.state is OperationState.CONFIRMED
    assert after.delivered_at is not None
    assert after.confirmed_at == house.hands.at
    assert after.delivered_at < after.confirmed_at


def test_a_gateway_that_died_before_does_not_hold_up_the_confirmation(house: World) -> None:
    house.beat("1", process="dead")
    house.hands.turn(minutes=5)
    operation = house.promoted()
    house.hands.turn(seconds=1)
    house.beat("2", process="alive")
    assert house.service.reconcile(WORKER).confirmed == (operation,)


def test_without_a_gateway_the_prediction_log_confirms(house: World) -> None:
    operation = house.promoted()
    house.hands.turn(minutes=1)
    at = to_us(house.hands.at)
    rows = [Prediction(MODEL, "p1", at, "", 0, "", "{}")]
    scores = [Score(MODEL, "p1", house.ids["2"], "champion", "2", at, 0.5, at)]
    with transaction(house.context.databases.log) as session:
        append(session, rows, scores, marked_us=at)
    answered = house.hands.at
    house.hands.turn(days=20)
    assert house.service.reconcile(WORKER).confirmed == (operation,)
    assert house.service.operation(VIEWER, operation).confirmed_at == answered  # not when the worker looked


def test_a_promotion_nobody_confirms_is_an_alarm_that_closes_when_somebody_does(house: World) -> None:
    operation = house.promoted()
    house.hands.turn(minutes=9)
    house.beat("1", error="model v2 is broken")
    assert house.service.reconcile(WORKER).alarms == ()
    house.hands.turn(minutes=1)
    house.beat("1", error="model v2 is broken")
    assert len(house.service.reconcile(WORKER).alarms) == 1
    assert house.service.reconcile(WORKER).alarms == ()
    assert open_alerts(house)[0][0] == "not_confirmed"
    house.hands.turn(seconds=5)
    house.beat("2")
    assert house.service.reconcile(WORKER).confirmed == (operation,)
    assert open_alerts(house) == []


def test_an_unconfirmed_champion_that_was_rolled_back_is_no_alarm_any_more(house: World) -> None:
    house.promoted()
    house.hands.turn(minutes=10)
    house.beat("1")
    house.service.reconcile(WORKER)
    assert [kind for kind, _ in open_alerts(house)] == ["not_confirmed"]
    house.service.finish_promotion(LEAD, house.service.begin_rollback(LEAD, MODEL, "never came up"))
    house.hands.turn(seconds=1)
    house.beat("1")
    house.service.reconcile(WORKER)
    assert open_alerts(house) == []


def test_versions_that_only_mlflow_knows_are_mirrored_and_a_reused_number_is_a_new_life(house: World) -> None:
    house.mlflow.create_version(MODEL, source="/nowhere/3", run_id="", tags={"mlops_dash.recipe": "weekly"})
    house.service.reconcile(WORKER)
    room = house.service.room(VIEWER, MODEL)
    assert [line.version.label for line in room.lines] == ["v3", "v2", "v1"]
    assert room.lines[0].version.recipe == "weekly"
    assert room.mirror.champion_alias == "1"

    first = house.service.version_id(VIEWER, MODEL, "3")
    again = house.service.record_version(WORKER, MODEL, "3", source_uri="/nowhere/3", artifact_digest="d")
    assert again == first
    assert house.service.version(VIEWER, first).artifact_digest == "d"

    client = house.mlflow._client()
    client.delete_registered_model(MODEL)
    for number in ("1", "2"):
        house.mlflow.create_version(MODEL, source=f"/elsewhere/{number}", run_id="")
    house.service.reconcile(WORKER)
    second = house.service.version_id(VIEWER, MODEL, "v1")
    assert second != house.ids["1"]
    assert house.service.version(VIEWER, second).label == "v1 (no. 2)"
    assert served(house) == house.ids["1"]  # the approved files, not the new ones under the old number


def test_a_quiet_pass_costs_as_many_statements_with_fifty_versions_as_with_five(house: World) -> None:
    counted = []
    for last in (5, 50):
        for number in range(len(house.service.room(VIEWER, MODEL).lines) + 1, last + 1):
            house.mlflow.create_version(MODEL, source=f"/nowhere/{number}", run_id="")
        house.service.reconcile(WORKER)
        assert len(house.service.room(VIEWER, MODEL).lines) == last
        with Statements(house.context) as quiet:
            house.service.reconcile(WORKER)
        counted.append(quiet.n)
    assert counted[0] == counted[1]
    assert counted[0] < 40


def test_a_name_with_every_quote_stops_nobody_elses_reconciliation(house: World) -> None:
    names = ["\"both' kinds", " leading and trailing ", "a\\", "z's"]
    for name in names:
        house.mlflow.create_version(name, source="/nowhere/x", run_id="")
        house.service.add_model(SCIENTIST, name, reason="ours")
    house.mlflow.create_version("churn", source="/nowhere/x", run_id="")
    house.service.add_model(SCIENTIST, "churn", reason="ours")
    done = house.service.reconcile(WORKER)
    assert (set(done.mirrored), done.mlflow) == ({*names, "churn", MODEL}, "")
    for name in names:
        assert [one.version.label for one in house.service.room(VIEWER, name).lines] == ["v1"], name


def test_a_model_that_mlflow_refuses_leaves_the_others_theirs(house: World) -> None:
    house.mlflow.create_version("churn", source="/nowhere/x", run_id="")
    for name in ("a/b", "churn"):  # MLflow knows no name with a slash
        house.service.add_model(SCIENTIST, name, reason="ours")
    assert set(house.service.reconcile(WORKER).mirrored) == {"churn", MODEL}
    assert "a/b" in house.service.room(VIEWER, "a/b").mirror.reason


def test_mlflow_away_leaves_the_last_look_with_its_age_and_the_reason(house: World) -> None:
    house.service.reconcile(WORKER)
    seen = house.hands.at
    house.mlflow.uri = "http://127.0.0.1:9"
    house.hands.turn(minutes=9)

    done = house.service.reconcile(WORKER)

    assert "does not answer" in done.mlflow
    room = house.service.room(VIEWER, MODEL)
    assert room.mirror.reachable is False
    assert room.mirror.as_of == seen
    assert room.mirror.aliases["1"] == ("champion",)
    assert "does not answer" in room.mirror.reason


def test_an_expired_proposal_is_closed(house: World) -> None:
    made = house.approved()
    house.hands.turn(days=30)
    assert house.service.reconcile(WORKER).closed == (made.id,)
    with reading(house.context.databases.app) as session:
        after = store.proposal(session, made.id)
    assert after.state is ProposalState.VOID
    assert after.close_reason.startswith("It expired")
    assert house.service.reconcile(WORKER).closed == ()


def test_a_quiet_pass_writes_nothing_into_the_ledger(house: World) -> None:
    house.approved()
    entries = len(house.ledger())
    for _ in range(3):
        house.service.reconcile(WORKER)
    assert len(house.ledger()) == entries
