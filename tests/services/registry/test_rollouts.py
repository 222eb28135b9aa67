"""A staged roll-out by its arrows: begun, taken further, paused, stopped, finished; and a crash between any two."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlops_dash.domain.ab_tests.rules import NewTest
from mlops_dash.domain.audit import Action
from mlops_dash.domain.notices import ChannelKind, Route
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.domain.registry.guards import Calls
from mlops_dash.domain.registry.proposals import why_not_in_stages
from mlops_dash.domain.registry.records import Proposal
from mlops_dash.domain.registry.rollouts import Rollout, Stage
from mlops_dash.domain.words import AlertState, GateState, OperationState, ProposalState, RolloutState
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed, NotFound
from mlops_dash.services.ab_tests import ABTestService
from mlops_dash.services.notices import NoticeService
from mlops_dash.services.policies import PolicyService
from mlops_dash.services.registry import RegistryService
from mlops_dash.services.registry import rollouts as rollouts_module
from mlops_dash.services.retention import RetentionService
from mlops_dash.store import prediction_log, rollouts
from mlops_dash.store import registry as store
from mlops_dash.store import serving as serving_store
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.monitoring.alerts import alerts
from mlops_dash.store.prediction_log import Label, Prediction, Score, to_us
from tests import registry_world
from tests.factories import ADMIN, LEAD, LEAD_TOO, SCIENTIST, VIEWER, WORKER
from tests.registry_world import MODEL, World

STAGES = (Stage(0.1, minutes=60), Stage(0.5, rows=20))


class Died(BaseException):
    """The process is gone, whatever it was doing."""


class House:
    """v1 serves; v2 is approved to be rolled out in two stages."""

    def __init__(self, world: World) -> None:
        self.world, self.service, self.sent = world, world.service, 0

    def approved(self, stages: tuple[Stage, ...] = STAGES) -> Proposal:
        made = self.service.propose(SCIENTIST, self.world.ids["2"], comment="better in May", stages=stages)
        return self.service.approve(LEAD, made.id, made.revision, comment="fine")

    def begun(self) -> Rollout:
        made = self.approved()
        return self.service.begin_rollout(LEAD, made.id, made.revision, "a quiet morning")

    def answers(
        self, rows: int, *, labelled: bool = False, new: float = 0.8, old: float = 0.8, counted: bool = True
    ) -> None:
        """The new version answers rows at this time, the champion silently beside it."""
        at = to_us(self.world.hands.at)
        names = [f"r{self.sent + one}" for one in range(rows)]
        self.sent += rows
        asked = [Prediction(MODEL, name, at, "b", number, "", "{}") for number, name in enumerate(names)]
        given = [
            Score(MODEL, name, self.world.ids[version], role, version, at, score + 1e-5 * number, at, None)
            for number, name in enumerate(names)
            for version, role, score in (("2", "arm", new), ("1", "shadow", old))
        ]
        with transaction(self.world.context.databases.log) as log:
            prediction_log.append(log, asked, given, marked_us=at)
            if counted:
                with reading(self.world.context.databases.app) as session:
                    known = rollouts.open_of(session, MODEL)
                assert known is not None
                rollouts.put_pulse(log, known.id, "gateway-0", Calls(self.sent, 0), at=self.world.hands.at)
            if labelled:
                labels = [Label(MODEL, name, float(n % 5 > 0), at, at) for n, name in enumerate(names)]
                prediction_log.append_labels(log, labels)

    def look(self) -> Rollout:
        self.service.watch_rollouts(WORKER)
        return self.service.rollout(VIEWER, MODEL)

    def state(self, proposal_id: str) -> ProposalState:
        with reading(self.world.context.databases.app) as session:
            return store.proposal(session, proposal_id).state

    def served(self) -> tuple[str, str | None, float]:
        """Champion, who answers beside it, and of which share, as a gateway reads it."""
        with reading(self.world.context.databases.app) as session:
            state = serving_store.states(session)[MODEL]
        assert state.champion is not None
        beside = None if state.beside is None else state.beside.version
        return state.champion.version, beside, 0.0 if state.rollout is None else state.rollout.share

    def true(self) -> None:
        """One champion, the same for the ledger, MLflow and the gateways, and a ledger that hangs together."""
        champion = self.served()[0]
        assert self.world.mlflow.alias(MODEL, "champion") == champion
        told = [one for one in self.world.ledger() if one.action == Action.PROMOTION_FINISHED]
        told = [one for one in told if "failed" not in one.after]
        assert told[-1].after["champion"] == f"v{champion}"
        assert self.world.verified().ok


@pytest.fixture
def house(tmp_path: Path, mlflow_uri: str) -> Iterator[House]:
    made = registry_world.world(tmp_path, mlflow_uri)
    yield House(made)
    made.context.databases.dispose()


def test_it_goes_from_stage_to_stage_and_then_becomes_champion(house: House) -> None:
    begun = house.begun()
    assert house.served() == ("1", "2", 0.1)
    assert house.state(begun.proposal_id) is ProposalState.ROLLING_OUT
    house.answers(3)
    assert house.look().stage == 0  # rows, but not its hour yet
    house.world.hands.turn(minutes=61)
    second = house.look()
    assert (second.stage, second.key, second.rows) == (1, begun.key, 0)
    assert house.served() == ("1", "2", 0.5)

    house.answers(19)
    assert house.look().state is RolloutState.RUNNING
    house.answers(1)
    assert house.look().state is RolloutState.FINISHING
    assert house.served() == ("1", "2", 0.5)  # nobody is sent back for the seconds until it is champion
    house.service.reconcile(WORKER)
    assert house.service.rollout(VIEWER, MODEL).state is RolloutState.DONE
    assert house.state(begun.proposal_id) is ProposalState.PROMOTED
    assert house.served() == ("2", None, 0.0)
    house.true()
    entries = house.world.ledger()[-4:]
    assert [one.action for one in entries] == [
        Action.ROLLOUT_STARTED, Action.ROLLOUT_ADVANCED, Action.ROLLOUT_ADVANCED, Action.PROMOTION_FINISHED,
    ]  # fmt: skip
    assert entries[0].after["approved_by"] == [LEAD.id]
    assert entries[0].evidence_ids == entries[2].evidence_ids != ()
    assert entries[2].after["gates"] == entries[0].after["gates"]
    assert entries[-1].after["decided_by"] == LEAD.id  # carried out by the worker, decided by a person


def test_a_stage_does_not_end_while_no_gateway_counted_a_call(house: House) -> None:
    house.begun()
    house.answers(3, counted=False)
    house.world.hands.turn(hours=2)
    waiting = house.look()
    assert (waiting.stage, waiting.rows) == (0, 3)
    assert "nothing was judged yet" in waiting.said(house.world.hands.at)
    house.answers(1)
    assert house.look().stage == 1


def test_pausing_stops_the_time_and_going_on_takes_it_up(house: House) -> None:
    begun = house.begun()
    house.answers(1)
    house.world.hands.turn(minutes=50)
    paused = house.service.pause_rollout(LEAD, begun.id, begun.revision, reason="the night shift has gone")
    house.world.hands.turn(hours=12)
    assert house.look().state is RolloutState.PAUSED
    assert house.served() == ("1", "2", 0.1)
    house.service.continue_rollout(LEAD_TOO, paused.id, paused.revision, reason="back")
    house.world.hands.turn(minutes=9)
    assert house.look().stage == 0
    house.world.hands.turn(minutes=2)
    assert house.look().stage == 1
    assert house.world.actions()[-3:] == [
        Action.ROLLOUT_PAUSED, Action.ROLLOUT_CONTINUED, Action.ROLLOUT_ADVANCED,
    ]  # fmt: skip


def test_a_stop_gives_all_rows_back_and_closes_the_proposal(house: House) -> None:
    begun = house.begun()
    house.service.stop_rollout(LEAD, begun.id, begun.revision, reason="a customer called")
    assert house.served() == ("1", None, 0.0)
    assert house.state(begun.proposal_id) is ProposalState.VOID
    house.true()
    last = house.world.ledger()[-1]
    assert (last.action, last.reason) == (Action.ROLLOUT_STOPPED, "a customer called")
    assert (last.before["share"], last.after["share"], last.after["champion"]) == (0.1, 0.0, "v1")
    again = house.begun()
    assert again.id != begun.id


def forbidden(house: House, known: Rollout) -> list[str]:
    """Which buttons are refused now."""
    refused = []
    verbs = (house.service.pause_rollout, house.service.continue_rollout, house.service.stop_rollout)
    before = len(house.world.ledger())
    for name, verb in zip(("pause", "continue", "stop"), verbs, strict=True):
        if known.state is RolloutState.RUNNING and name != "continue":
            continue
        if known.state is RolloutState.PAUSED and name != "pause":
            continue
        with pytest.raises(Conflict):
            verb(LEAD, known.id, known.revision, reason="now")
        refused.append(name)
    assert len(house.world.ledger()) == before
    return refused


def test_each_forbidden_arrow_is_refused_and_changes_nothing(house: House) -> None:
    running = house.begun()
    assert forbidden(house, running) == ["continue"]
    paused = house.service.pause_rollout(LEAD, running.id, running.revision, reason="wait")
    assert forbidden(house, paused) == ["pause"]
    stopped = house.service.stop_rollout(LEAD, paused.id, paused.revision, reason="no")
    assert forbidden(house, stopped) == ["pause", "continue", "stop"]
    entries = len(house.world.ledger())
    for verb in (house.service.advance_rollout, house.service.halt_rollout):
        more = () if verb == house.service.advance_rollout else ("late",)
        assert verb(WORKER, stopped.id, stopped.revision, *more).state is RolloutState.STOPPED
    assert len(house.world.ledger()) == entries


def test_while_it_is_made_champion_and_afterwards_no_button_is_open(house: House) -> None:
    known = house.begun()
    house.answers(1)
    house.world.hands.turn(hours=2)
    house.look()
    house.answers(20)
    finishing = house.look()
    assert finishing.state is RolloutState.FINISHING
    assert forbidden(house, finishing) == ["pause", "continue", "stop"]
    house.service.reconcile(WORKER)
    assert forbidden(house, house.service.rollout(VIEWER, MODEL)) == ["pause", "continue", "stop"]
    assert known.id == finishing.id


def test_who_looked_too_early_or_may_not_is_refused(house: House) -> None:
    begun = house.begun()
    with pytest.raises(NotAllowed):
        house.service.stop_rollout(SCIENTIST, begun.id, begun.revision, reason="no")
    with pytest.raises(InvalidInput, match="needs a reason"):
        house.service.stop_rollout(LEAD, begun.id, begun.revision, reason=" ")
    house.service.pause_rollout(LEAD, begun.id, begun.revision, reason="first")
    with pytest.raises(Conflict, match="changed since you looked"):
        house.service.stop_rollout(LEAD_TOO, begun.id, begun.revision, reason="second")
    with pytest.raises(NotAllowed):
        house.service.watch_rollouts(LEAD)


def test_it_begins_only_with_stages_approvals_open_gates_and_nothing_else_on(house: House) -> None:
    made = house.service.propose(SCIENTIST, house.world.ids["2"], comment="x", stages=STAGES)
    with pytest.raises(Conflict, match="0 of 1 approvals"):
        house.service.begin_rollout(LEAD, made.id, made.revision, "now")
    made = house.service.approve(LEAD, made.id, made.revision)
    with pytest.raises(Conflict, match="rolled out in stages"):
        house.service.begin_promotion(LEAD, made.id, made.revision, "all at once")
    begun = house.service.begin_rollout(LEAD, made.id, made.revision, "now")
    with pytest.raises(Conflict):
        house.service.begin_rollout(LEAD_TOO, made.id, made.revision + 1, "me too")
    tests = ABTestService(house.world.context)
    test = tests.design(SCIENTIST, NewTest(MODEL, house.world.ids["2"], question="?", planned_units=1_000))
    with pytest.raises(Conflict, match="roll-out of flight-delay is going on"):
        tests.start(LEAD, test.id, test.revision, reason="go")
    with pytest.raises(Conflict, match="proposal of flight-delay is open"):
        house.service.archive_model(LEAD, MODEL, reason="gone")
    house.service.stop_rollout(LEAD, begun.id, begun.revision, reason="enough")
    plain = house.approved(())
    with pytest.raises(Conflict, match="has no stages"):
        house.service.begin_rollout(LEAD, plain.id, plain.revision, "now")


def test_what_has_no_champion_or_is_served_elsewhere_has_no_stages(house: House) -> None:
    with reading(house.world.context.databases.app) as session:
        model, champion = store.model(session, MODEL), store.champion(session, MODEL)
    assert why_not_in_stages(model, champion) == ""
    assert "no champion" in why_not_in_stages(model, None)
    name = 'it\'s "theirs"'
    house.service.add_model(SCIENTIST, name, source="external", task="regression", reason="theirs")
    version = house.service.record_version(WORKER, name, "1")
    with pytest.raises(Conflict, match="Others serve this model"):
        house.service.propose(SCIENTIST, version, comment="x", stages=STAGES)
    with pytest.raises(NotFound, match="ever rolled out"):
        house.service.rollout(VIEWER, name)


@pytest.mark.parametrize("paused", [False, True])
def test_calls_that_fail_stop_it_by_themselves(house: House, paused: bool) -> None:
    begun = house.begun()
    if paused:
        house.service.pause_rollout(LEAD, begun.id, begun.revision, reason="wait")
    with transaction(house.world.context.databases.log) as log:
        rollouts.put_pulse(log, begun.id, "gateway-1", Calls(40, 0), at=house.world.hands.at)
    house.look()
    with transaction(house.world.context.databases.log) as log:
        rollouts.put_pulse(log, begun.id, "gateway-2", Calls(40, 12), at=house.world.hands.at)
    stopped = house.look()
    assert (stopped.state, stopped.ended_by) == (RolloutState.STOPPED, WORKER.id)
    assert "12 of 80 calls failed" in stopped.end_reason
    assert house.served() == ("1", None, 0.0)
    last = house.world.ledger()[-1]
    assert (last.action, last.after["guards"]["errors"]) == (Action.ROLLOUT_HALTED, "failed")
    house.true()


def failing(house: House) -> Rollout:
    """A roll-out whose new version fails in a third of the calls, as the worker then sees it."""
    begun = house.begun()
    with transaction(house.world.context.databases.log) as log:
        rollouts.put_pulse(log, begun.id, "gateway-1", Calls(60, 20), at=house.world.hands.at)
    return house.look()


def test_a_stop_by_the_rule_opens_an_alert_that_channels_are_told(house: House) -> None:
    context = house.world.context
    notices = NoticeService(context)
    notices.add(ADMIN, "on call", ChannelKind.EMAIL, "on.call@example.com", Route(), reason="test")
    stopped = failing(house)
    with reading(context.databases.app) as session:
        [told] = [one for one in alerts(session, MODEL) if one.kind == "rollout"]
    assert (told.severity, told.version, told.state) == ("warning", "2", AlertState.OPEN)
    assert told.title == f"The roll-out of {MODEL} v2 was stopped by its rule"
    assert "stage 1 of 2" in told.cause
    assert "20 of 60 calls failed" in told.cause
    assert notices.gather(WORKER) == 1
    assert [(one.kind, one.title) for one in notices.log(VIEWER)] == [("rollout", told.title)]
    assert "/registry?model=" in notices.log(VIEWER)[0].link
    known = house.service.room(VIEWER, MODEL, "2").rollout  # and the page shows how it ended
    assert known is not None
    assert known.id == stopped.id
    assert house.service.room(VIEWER, MODEL, "1").halted == told.id  # whichever version is looked at

    house.world.hands.turn(minutes=1)
    made = house.approved()
    house.service.begin_rollout(LEAD, made.id, made.revision, "mended")
    with reading(context.databases.app) as session:
        assert [one.closed_at for one in alerts(session, MODEL) if one.kind == "rollout"] == [house.world.hands.at]


def test_a_second_stop_of_the_same_version_is_an_alert_of_its_own(house: House) -> None:
    first = failing(house)
    house.world.hands.turn(minutes=1)
    assert failing(house).id != first.id
    with reading(house.world.context.databases.app) as session:
        found = [one for one in alerts(session, MODEL) if one.kind == "rollout"]
    assert [one.closed_at is None for one in found] == [True, False]


def test_the_limits_are_those_of_the_policy_that_it_was_approved_with(house: House) -> None:
    policies = PolicyService(house.world.context)
    made = policies.propose(LEAD, MODEL, PolicyKind.PROMOTION, {"rollout_most_failed": 0.5}, reason="it fails a lot")
    policies.activate(ADMIN, made.id, reason="agreed")
    house.world.hands.turn(minutes=1)
    going = failing(house)  # 20 of 60 calls
    assert going.state is RolloutState.RUNNING
    assert {one.name: one.limit for one in going.guards}["errors"] == 0.5
    opened = next(one for one in house.world.ledger() if "stops" in one.after)
    assert opened.after["stops"].startswith("more than 50")

    house.world.hands.turn(minutes=1)
    stricter = policies.propose(LEAD, MODEL, PolicyKind.PROMOTION, {"rollout_most_failed": 0.1}, reason="enough")
    policies.activate(ADMIN, stricter.id, reason="agreed")
    house.world.hands.turn(minutes=1)
    stopped = house.look()  # by what it was approved on, not by limits that nobody approved it with
    assert "approvals do not hold any more" in stopped.end_reason
    assert {one.name: one.limit for one in stopped.guards}["errors"] == 0.5


def test_a_stop_by_a_person_is_no_alert_and_one_without_a_failed_guard_a_notice(house: House) -> None:
    begun = house.begun()
    house.service.stop_rollout(LEAD, begun.id, begun.revision, reason="enough")
    with reading(house.world.context.databases.app) as session:
        assert not [one for one in alerts(session, MODEL) if one.kind == "rollout"]
    house.world.hands.turn(minutes=1)
    house.begun()
    house.world.measured("2", "1", low=0.001, high=0.02)
    house.look()
    with reading(house.world.context.databases.app) as session:
        assert [one.severity for one in alerts(session, MODEL) if one.kind == "rollout"] == ["notice"]


def test_a_version_that_does_not_load_stops_it(house: House) -> None:
    house.begun()
    with transaction(house.world.context.databases.app) as session:
        serving_store.open_broken(
            session, "alert", model=MODEL, version="2", cause="No module named zebra.", at=house.world.hands.at
        )
    assert "It does not load: No module named zebra." in house.look().end_reason


def test_a_loss_that_rises_on_ripe_rows_stops_it_and_young_rows_do_not(house: House) -> None:
    house.begun()
    house.answers(800, labelled=True, new=0.2, old=0.8)
    young = house.look()
    assert young.guards[-1].state is GateState.WAITING
    house.world.hands.turn(hours=25)
    stopped = house.look()
    assert stopped.state is RolloutState.STOPPED
    assert "above the champion's on 800 ripe rows" in stopped.end_reason


def test_losses_that_take_long_to_read_are_not_read_at_every_look(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollouts_module, "LONG_SECONDS", -1.0)  # whatever it takes is long
    monkeypatch.setattr(rollouts_module, "RARER", 1e9)
    house.begun()
    house.answers(800, labelled=True, new=0.2, old=0.8)
    assert house.look().guards[-1].state is GateState.WAITING
    house.world.hands.turn(minutes=59)
    assert house.look().guards[-1].n == 0
    house.world.hands.turn(hours=25)  # the stage may end: it is read, whatever it takes
    stopped = house.look()
    assert (stopped.state, stopped.guards[-1].n) == (RolloutState.STOPPED, 800)


def test_what_it_rests_on_may_not_change_under_it(house: House) -> None:
    house.begun()
    house.world.hands.turn(minutes=5)
    house.world.measured("2", "1", low=0.001, high=0.02)
    assert "approvals do not hold any more" in house.look().end_reason
    house.true()


def test_an_adopted_alias_ends_it(house: House) -> None:
    begun = house.begun()
    third = house.world.register("3", end=house.world.hands.at)
    house.world.mlflow.set_alias(MODEL, "champion", "3")
    house.service.reconcile(WORKER)
    house.service.adopt_alias(LEAD, MODEL, version="3", reason="it is an emergency")
    assert house.served() == ("3", None, 0.0)  # at once, before anybody looked
    assert "champion changed" in house.look().end_reason
    assert house.state(begun.proposal_id) is ProposalState.VOID
    assert house.service.serving(VIEWER, MODEL).version_id == third  # type: ignore[union-attr]


def steps(house: House, monkeypatch: pytest.MonkeyPatch, dies_in: str) -> None:
    """Walk the whole roll-out; in one step the process dies inside the transaction, and everything is done again."""
    made = house.approved()
    if dies_in == "begin":
        _dies(monkeypatch, lambda: house.service.begin_rollout(LEAD, made.id, made.revision, "now"), "stages_said")
        assert house.state(made.id) is ProposalState.APPROVED
        assert house.served() == ("1", None, 0.0)
    house.service = RegistryService(house.world.context)  # a new process
    begun = house.service.begin_rollout(LEAD, made.id, made.revision, "now")
    house.answers(1)
    house.world.hands.turn(hours=2)
    if dies_in == "advance":
        _dies(monkeypatch, house.look, "_guards_said")
        assert house.service.rollout(VIEWER, MODEL).stage == 0
    house.look()
    house.answers(20)
    if dies_in == "finish":
        _dies(monkeypatch, house.look, "begun")
        assert house.service.rollout(VIEWER, MODEL).state is RolloutState.RUNNING
    assert house.look().state is RolloutState.FINISHING
    assert house.served()[0] == "1"
    assert house.look().state is RolloutState.FINISHING  # looking again does nothing
    if dies_in == "alias":
        with monkeypatch.context() as patched:
            patched.setattr(type(house.world.mlflow), "alias", _die)
            with pytest.raises(Died):
                house.service.reconcile(WORKER)
        assert house.world.mlflow.alias(MODEL, "champion") == "2"
        assert house.served()[0] == "1"
    RegistryService(house.world.context).reconcile(WORKER)
    assert begun.id == house.service.rollout(VIEWER, MODEL).id


def _die(*arguments: object, **named: object) -> None:
    raise Died


def _dies(monkeypatch: pytest.MonkeyPatch, act: object, where: str) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(rollouts_module, where, _die)
        with pytest.raises(Died):
            act()  # type: ignore[operator]


@pytest.mark.parametrize("dies_in", ["begin", "advance", "finish", "alias"])
def test_a_crash_between_any_two_steps_leaves_one_champion_and_a_true_ledger(
    house: House, monkeypatch: pytest.MonkeyPatch, dies_in: str
) -> None:
    steps(house, monkeypatch, dies_in)
    assert house.served() == ("2", None, 0.0)
    assert house.service.rollout(VIEWER, MODEL).state is RolloutState.DONE
    house.true()
    counted = house.world.actions()
    assert counted.count(Action.ROLLOUT_STARTED) == 1
    assert counted.count(Action.ROLLOUT_ADVANCED) == 2
    assert counted.count(Action.PROMOTION_FINISHED) == 2  # v1's and this one


def test_a_crash_within_a_stop_leaves_it_running_and_nothing_in_the_ledger(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = house.begun()
    before = len(house.world.ledger())
    _dies(
        monkeypatch,
        lambda: house.service.stop_rollout(LEAD, begun.id, begun.revision, reason="no"),
        "_guards_said",
    )
    assert house.served() == ("1", "2", 0.1)
    assert house.state(begun.proposal_id) is ProposalState.ROLLING_OUT
    assert len(house.world.ledger()) == before
    house.service.stop_rollout(LEAD, begun.id, begun.revision, reason="no")
    house.true()


def test_a_version_gone_from_mlflow_at_the_end_stops_it(house: House) -> None:
    house.begun()
    house.answers(1)
    house.world.hands.turn(hours=2)
    house.look()
    house.answers(20)
    house.look()
    house.world.mlflow._client().delete_model_version(MODEL, "2")
    house.service.reconcile(WORKER)
    ended = house.service.rollout(VIEWER, MODEL)
    assert ended.state is RolloutState.STOPPED
    with reading(house.world.context.databases.app) as session:
        assert store.operations(session, MODEL)[-1].state is OperationState.FAILED
    house.true()


def test_one_that_cannot_be_judged_keeps_no_other_from_being_stopped(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begun = house.begun()
    gone = replace(begun, id="islands", model='the "gone" one')
    monkeypatch.setattr(rollouts_module.store, "all_open", lambda _: (gone, begun))
    with transaction(house.world.context.databases.log) as log:
        rollouts.put_pulse(log, begun.id, "gateway-1", Calls(80, 12), at=house.world.hands.at)
    assert house.look().state is RolloutState.STOPPED
    assert "was not judged" in caplog.text


def test_a_rollback_in_a_stage_is_refused_and_says_what_takes_the_new_version_away(house: House) -> None:
    begun = house.begun()
    with pytest.raises(Conflict, match="stop that first"):
        house.service.begin_rollback(LEAD, MODEL, "customers call")
    assert "stop that first" in house.service.room(LEAD, MODEL, "2").why_not["rollback"]
    assert house.served() == ("1", "2", 0.1)
    house.service.stop_rollout(LEAD, begun.id, begun.revision, reason="customers call")
    assert "stop that first" not in house.service.room(LEAD, MODEL, "2").why_not["rollback"]


def test_two_lookers_take_a_step_once(house: House) -> None:
    begun = house.begun()
    house.answers(1)
    house.world.hands.turn(hours=2)
    known = house.service.rollout(VIEWER, MODEL)
    house.look()
    again = house.service.advance_rollout(WORKER, begun.id, known.revision)
    assert (again.stage, house.world.actions().count(Action.ROLLOUT_ADVANCED)) == (1, 1)


def test_old_rows_stay_while_it_goes_on(house: House) -> None:
    begun = house.begun()
    with reading(house.world.context.databases.app) as session:
        assert [one.id for one in rollouts.all_open(session)] == [begun.id]
    house.world.hands.turn(days=40)
    until = RetentionService(house.world.context)._old_before(house.world.hands.at)
    assert until[MODEL] <= begun.started_at
