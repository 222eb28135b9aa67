"""A policy before it is saved: over the recorded history of a stranger's minutes, beside the one in force."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mlops_dash.domain.audit import Action
from mlops_dash.errors import InvalidInput, NotAllowed, NotFound
from mlops_dash.services.command import Context
from mlops_dash.services.monitoring import rehearsing
from mlops_dash.store import audit
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.tables.registry import ModelRow, PolicyVersionRow
from tests.factories import SCIENTIST, VIEWER
from tests.services.monitoring.monitoring_world import MODEL, V1, world
from tests.services.monitoring.test_regression import POLICY, Minutes

DAY = timedelta(days=1)


@pytest.fixture
def made(context: Context) -> Minutes:
    base = world(context)
    minutes = Minutes(base.context, base.monitoring)
    context.clock.wall = lambda: minutes.now
    with transaction(context.databases.app) as session:
        session.get_one(ModelRow, MODEL).task = "regression"
        row = session.get_one(PolicyVersionRow, "policy")
        row.body, row.digest = POLICY.as_json(), POLICY.digest
    minutes.reference(V1)
    minutes.live(15)
    minutes.worse = 12.0
    minutes.live(15)
    minutes.evaluate(2 * DAY)
    return minutes


def test_the_policy_in_force_replayed_calls_what_it_called(made: Minutes) -> None:
    found = made.monitoring.replay_policy(VIEWER, MODEL, POLICY.as_json())
    assert found.now == found.then
    assert len(found.drops) == 1
    assert found.now.alarms["harm"] == sum(one.kind == "harm" for one in made.room().alerts) == 1
    assert found.now.caught[0] is not None
    assert found.now.false == 0


def test_a_deaf_policy_misses_the_drop_and_nothing_is_stored(made: Minutes) -> None:
    before = made.room()
    found = made.monitoring.replay_policy(VIEWER, MODEL, {**POLICY.as_json(), "harm_tolerance_share": 4.0})
    assert (found.now.caught[0] is not None, found.then.caught) == (True, (None,))
    assert "Of 1 real drop it would have caught 0, 1 as it is." in found.sentence
    assert made.room() == before


def test_both_policies_are_replayed_over_one_stretch_of_time(made: Minutes, monkeypatch: pytest.MonkeyPatch) -> None:
    weekly = {**POLICY.as_json(), "window": "week", "label_delay_hours": 96.0}
    found = made.monitoring.replay_policy(VIEWER, MODEL, weekly)
    assert (found.windows, found.end - found.start >= 30 * DAY) == (32, True)
    monkeypatch.setattr(rehearsing, "MOST_WINDOWS", 10)
    seen: list[tuple[int, timedelta]] = []
    judge = rehearsing.judge

    def judged(version, cut, policy, days, kept, **more):  # type: ignore[no-untyped-def]
        seen.append((len(days), days[-1].end - days[0].start))
        return judge(version, cut, policy, days, kept, **more)

    monkeypatch.setattr(rehearsing, "judge", judged)
    short = made.monitoring.replay_policy(VIEWER, MODEL, weekly)
    assert short.windows == 10
    assert short.end - short.start <= 11 * DAY
    (days, _), (weeks, whole) = seen
    assert days == 10
    assert 1 <= weeks <= 2
    assert whole <= 11 * DAY


def test_what_cannot_be_replayed_is_a_sentence(made: Minutes) -> None:
    ask = made.monitoring.replay_policy
    with pytest.raises(NotFound, match="No model nobody"):
        ask(VIEWER, "nobody", {})
    with pytest.raises(InvalidInput, match="alpha"):
        ask(VIEWER, MODEL, {"alpha": 7})
    with pytest.raises(InvalidInput, match="cannot be judged by the hour"):
        ask(VIEWER, MODEL, {**POLICY.as_json(), "window": "hour"})
    with pytest.raises(InvalidInput, match="cut into days of UTC"):
        ask(VIEWER, MODEL, {**POLICY.as_json(), "zone": "Europe/Berlin"})


def test_an_alert_is_called_useful_or_noise_and_counted(made: Minutes) -> None:
    (alert,) = [one for one in made.room().alerts if one.kind == "harm"]
    rate = made.monitoring.rate
    with pytest.raises(NotAllowed):
        rate(VIEWER, alert.id, "noise", "no")
    with pytest.raises(InvalidInput, match="useful or noise, not 'meh'"):
        rate(SCIENTIST, alert.id, "meh", "no")
    with pytest.raises(InvalidInput, match="reason is missing"):
        rate(SCIENTIST, alert.id, "noise", " ")
    with pytest.raises(NotFound):
        rate(SCIENTIST, "none", "noise", "no")
    rate(SCIENTIST, alert.id, "noise", "a test of ours")
    rate(SCIENTIST, alert.id, "useful", "it was real")
    rate(SCIENTIST, alert.id, "useful", "it was real")
    made.evaluate()  # the next judgement keeps it
    assert [one.feedback for one in made.room().alerts if one.kind == "harm"] == ["useful"]
    with reading(made.context.databases.app) as session:
        assert sum(one.action == Action.ALERT_RATED for one in audit.entries(session)) == 2
    found = made.monitoring.replay_policy(VIEWER, MODEL, POLICY.as_json())
    assert (found.useful, found.noise) == (1, 0)
