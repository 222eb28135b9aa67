"""What people do with alerts: who may, what changes, what the ledger says, and what later windows do to it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mlops_dash.domain.audit import Action
from mlops_dash.domain.words import AlertState, Health
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed, NotFound
from mlops_dash.services.command import Context
from mlops_dash.store import audit
from mlops_dash.store.db import reading
from mlops_dash.store.monitoring import alerts as store
from tests import factories
from tests.services.monitoring.monitoring_world import MODEL, World, world

DAY = timedelta(days=1)


@pytest.fixture
def harmed(context: Context) -> World:
    w = world(context)
    w.reference()
    w.live(10)
    w.live(10, blind=True)
    w.evaluate(later=2 * DAY)
    return w


def the_alert(w: World) -> store.Alert:
    with reading(w.context.databases.app) as session:
        (alert,) = [one for one in store.alerts(session, MODEL) if one.kind == "harm"]
    return alert


def ledger(w: World) -> list[tuple[Action, str, str]]:
    with reading(w.context.databases.app) as session:
        return [(one.action, one.actor, one.reason) for one in audit.entries(session)]


def test_acknowledging_makes_an_owner_and_is_in_the_ledger_once(harmed: World) -> None:
    alert = the_alert(harmed)
    for _ in range(2):
        harmed.monitoring.acknowledge(factories.SCIENTIST, alert.id, "I look into it")
    after = the_alert(harmed)
    assert (after.state, after.owner) == (AlertState.ACKNOWLEDGED, "user:scientist")
    assert ledger(harmed) == [(Action.ALERT_ACKNOWLEDGED, "user:scientist", "I look into it")]
    harmed.live(1, blind=True)
    harmed.evaluate()
    assert the_alert(harmed).state is AlertState.ACKNOWLEDGED  # windows never undo what a person said
    assert harmed.room().alerts[0].last_answer == "scientist: I look into it"


def test_a_snoozed_alert_opens_again_by_itself(harmed: World) -> None:
    alert = the_alert(harmed)
    harmed.monitoring.snooze(factories.SCIENTIST, alert.id, harmed.now + 3 * DAY, "holiday traffic")
    harmed.live(1, blind=True)
    harmed.evaluate()
    assert the_alert(harmed).state is AlertState.SNOOZED
    harmed.live(3, blind=True)
    harmed.evaluate()
    assert the_alert(harmed).state is AlertState.OPEN
    assert ledger(harmed) == [(Action.ALERT_SNOOZED, "user:scientist", "holiday traffic")]


def test_a_closed_alert_stays_closed_while_the_same_stretch_lasts(harmed: World) -> None:
    alert = the_alert(harmed)
    harmed.monitoring.close(factories.SCIENTIST, alert.id, "known, v2 is coming")
    harmed.live(2, blind=True)
    done = harmed.evaluate()
    assert (the_alert(harmed).state, done.opened) == (AlertState.CLOSED, ())
    with pytest.raises(Conflict):
        harmed.monitoring.acknowledge(factories.SCIENTIST, alert.id, "too late")


def test_restarting_the_alarm_begins_anew_and_closes_its_alert(harmed: World) -> None:
    harmed.monitoring.restart_alarm(factories.LEAD, MODEL, "new airport map")
    assert the_alert(harmed).state is AlertState.CLOSED
    harmed.live(4)
    assert harmed.evaluate(later=2 * DAY).health is not Health.HARMED
    assert harmed.room().restarts == 1
    assert ledger(harmed) == [(Action.ALARM_RESTARTED, "user:lead", "new airport map")]
    harmed.live(12, blind=True)
    harmed.evaluate(later=2 * DAY)
    with reading(harmed.context.databases.app) as session:
        states = [one.state for one in store.alerts(session, MODEL) if one.kind == "harm"]
    assert states == [AlertState.OPEN, AlertState.CLOSED]


@pytest.mark.parametrize("verb", ["acknowledge", "close"])
def test_an_answer_needs_a_reason_a_right_and_an_alert(harmed: World, verb: str) -> None:
    alert = the_alert(harmed)
    answer = getattr(harmed.monitoring, verb)
    with pytest.raises(InvalidInput):
        answer(factories.SCIENTIST, alert.id, "  ")
    with pytest.raises(NotAllowed):
        answer(factories.VIEWER, alert.id, "me too")
    with pytest.raises(NotFound):
        answer(factories.SCIENTIST, "nothing", "there")
    assert the_alert(harmed).state is AlertState.OPEN
    assert ledger(harmed) == []


def test_a_snooze_ends_in_the_next_90_days(harmed: World) -> None:
    alert = the_alert(harmed)
    for until in (harmed.now, harmed.now + 91 * DAY):
        with pytest.raises(InvalidInput):
            harmed.monitoring.snooze(factories.SCIENTIST, alert.id, until, "later")
    with pytest.raises(NotAllowed):
        harmed.monitoring.restart_alarm(factories.SCIENTIST, MODEL, "only leads may")
    with pytest.raises(NotFound):
        harmed.monitoring.restart_alarm(factories.LEAD, "unheard-of", "why not")
    assert ledger(harmed) == []
