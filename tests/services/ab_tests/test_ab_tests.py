"""A/B tests on a real log: who answers which row, what stopping keeps, what blind tests hide, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_dash.clock import Clock
from mlops_dash.domain.ab_tests.assigning import to_challenger
from mlops_dash.domain.ab_tests.layers import Layer
from mlops_dash.domain.ab_tests.readings import Reading
from mlops_dash.domain.ab_tests.room import facts_of, waits_for
from mlops_dash.domain.ab_tests.rules import ABTest, NewTest
from mlops_dash.domain.audit import Action
from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.search import Kind
from mlops_dash.domain.words import ABState, ABVerdict, GateState
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed, StoreUnavailable
from mlops_dash.services.ab_tests import ABTestService
from mlops_dash.services.ab_tests.reading import read_test
from mlops_dash.services.access import AccessService
from mlops_dash.services.command import Context
from mlops_dash.services.search import SearchService
from mlops_dash.store import ab_tests as ab_store
from mlops_dash.store import audit, evidence, serving
from mlops_dash.store import prediction_log as log
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.tables.registry import OperationRow, ServingRow
from tests import factories
from tests.factories import LEAD, SCIENTIST, VIEWER, WORKER

MODEL, V1, V2 = "flight-delay", "flight-delay-v1", "flight-delay-v2"
START = datetime(2013, 5, 1, tzinfo=UTC)
A_DAY = 400


class World:
    """A champion v1, another version v2, and a clock that the test turns."""

    def __init__(self, home: Path) -> None:
        self.at = START
        self.context: Context = factories.context(home, clock=Clock(wall=lambda: self.at))
        self.service = ABTestService(self.context)
        with transaction(self.context.databases.app) as session:
            session.add(factories.model_row())
            session.add_all([factories.version_row("1"), factories.version_row("2")])
            session.flush()
            self.serve(session, V1)

    def serve(self, session: object, version_id: str) -> None:
        row = ServingRow(
            model=MODEL, version_id=version_id, shadow_version_ids=[], epoch=1, operation_id="o", since=START
        )
        session.merge(row)  # type: ignore[attr-defined]

    def designed(self, **changes: object) -> ABTest:
        wanted = {
            "question": "Is v2 better?",
            "planned_units": 8_000,
            "min_units": 1_000,
            "guardrails": {"brier": 0.02},
        }
        return self.service.design(SCIENTIST, NewTest(MODEL, V2, **{**wanted, "key": "k", **changes}))  # type: ignore[arg-type]

    def started(self, **changes: object) -> ABTest:
        made = self.designed(**changes)
        return self.service.start(LEAD, made.id, made.revision, reason="go")

    def days(
        self, test: ABTest, days: int, *, better: float, lost: float = 0.0, labelled: float = 1.0, first: int = 0
    ) -> None:  # fmt: skip
        """Traffic as `services.scoring` logs it; v2's scores are pulled to the truth by `better`."""
        rng = np.random.default_rng(7)
        for day in range(first, first + days):
            morning = START + timedelta(days=day)
            ids = [f"{morning:%m%d}-{n}" for n in range(A_DAY)]
            at = [morning + timedelta(minutes=n) for n in range(A_DAY)]
            design = test.design
            drawn = to_challenger(ids, at, key=design.key, share=design.share, unit=design.unit, zone=design.zone)
            late = rng.random(A_DAY) < 0.25
            base = np.clip(0.25 + 0.2 * (late - 0.25) + rng.normal(0, 0.08, A_DAY), 0.02, 0.98)
            own = np.clip(base + better * (late - base), 0.02, 0.98)
            self._log(ids, at, drawn, base, own, late, rng.random(A_DAY) < lost, rng.random(A_DAY) < labelled)
        self.at = START + timedelta(days=first + days)

    def _log(self, ids, at, drawn, base, own, late, lost, labelled) -> None:  # type: ignore[no-untyped-def]
        predictions, scores, labels = [], [], []
        for n, name in enumerate(ids):
            if drawn[n] and lost[n]:
                continue
            us = log.to_us(at[n])
            predictions.append(log.Prediction(MODEL, name, us, "b", n, "", "{}"))
            role = "shadow" if drawn[n] else "champion"
            scores.append(log.Score(MODEL, name, V1, role, "1", us, float(base[n]), us))
            if drawn[n]:
                scores.append(log.Score(MODEL, name, V2, "arm", "2", us, float(own[n]), us))
            if labelled[n]:
                labels.append(log.Label(MODEL, name, float(late[n]), us, us))
        with transaction(self.context.databases.log) as session:
            log.append(session, predictions, scores, marked_us=0)
            log.append_labels(session, labels)

    def now(self) -> Reading:
        found = self.service.room(LEAD).reading
        assert found is not None
        return found

    def word(self) -> ABVerdict:
        found = self.service.room(LEAD).verdict
        assert found is not None
        return found.word

    def actions(self) -> list[str]:
        with reading(self.context.databases.app) as session:
            return [one.action for one in audit.entries(session)]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.context.databases.dispose()


def test_a_better_challenger_is_shipped_and_the_stop_keeps_reading_and_evidence(world: World) -> None:
    test = world.started()
    world.days(test, 12, better=0.35)
    live = world.now()
    assert world.word() is ABVerdict.SHIP
    after = world.service.stop(SCIENTIST, test.id, test.revision, reason="shown")
    room = world.service.room(LEAD)
    assert (after.state, after.stopped_by) == (ABState.STOPPED, SCIENTIST.id)
    assert room.reading == live
    assert room.verdict is not None
    assert room.verdict.word is ABVerdict.SHIP
    with reading(world.context.databases.app) as session:
        kept = evidence.get(session, after.evidence_ids)
        entry = list(audit.entries(session))[-1]
    assert [one.kind for one in kept] == ["ab_test", "ab_guardrail", "ab_paired"]
    assert (kept[0].value, kept[0].low, kept[0].high) == (live.primary.value, live.primary.low, live.primary.high)
    assert kept[0].n == live.units == 12 * A_DAY
    assert (entry.action, entry.evidence_ids, entry.after["verdict"]) == (
        Action.TEST_STOPPED,
        after.evidence_ids,
        "ship",
    )
    assert world.actions() == [Action.TEST_DESIGNED, Action.TEST_STARTED, Action.TEST_STOPPED]


def test_a_pause_is_left_out_and_made_up_for(world: World) -> None:
    test = world.started()
    world.days(test, 4, better=0.3)
    before = world.now()
    paused = world.service.pause(SCIENTIST, test.id, test.revision, reason="the shop is closed")
    assert (paused.paused, paused.state) == (True, ABState.RUNNING)
    assert serving_test(world) is None
    with pytest.raises(Conflict, match="paused already"):
        world.service.pause(SCIENTIST, test.id, paused.revision, reason="again")
    since = world.at
    world.at += timedelta(days=3)
    at = since + timedelta(days=1)
    shadows = [log.Score(MODEL, f"x{n}", V1, "champion", "1", log.to_us(at), 0.9, log.to_us(at)) for n in range(500)]
    rows = [log.Prediction(MODEL, f"x{n}", log.to_us(at), "b", n, "", "{}") for n in range(500)]
    with transaction(world.context.databases.log) as session:
        log.append(session, rows, shadows, marked_us=0)
    with pytest.raises(NotAllowed):
        world.service.resume(SCIENTIST, test.id, paused.revision, reason="open")
    again = world.service.resume(LEAD, test.id, paused.revision, reason="open again")
    assert again.ends_at == START + timedelta(days=21 + 3)
    assert serving_test(world) is not None
    now = world.now()
    assert (now.control.assigned, now.mismatch) == (before.control.assigned, False)
    assert world.actions()[-2:] == [Action.TEST_PAUSED, Action.TEST_RESUMED]


def test_the_planned_end_waits_for_the_end_of_a_pause_and_nobody_sees_a_blind_test_meanwhile(world: World) -> None:
    test = world.started(reading="at_end", days=5, min_units=100)
    world.days(test, 4, better=0.35)
    paused = world.service.pause(SCIENTIST, test.id, test.revision, reason="the shop is closed")
    world.at = START + timedelta(days=9)
    room = world.service.room(LEAD)
    assert (room.over, room.verdict.word) == (False, ABVerdict.GO_ON)  # type: ignore[union-attr]
    assert (room.reading.primary.value, facts_of(paused)["ends_at"]) == (None, None)  # type: ignore[union-attr]
    assert waits_for(LEAD, paused, world.at) is None
    again = world.service.resume(LEAD, test.id, paused.revision, reason="open again")
    assert (again.ends_at, facts_of(again)["ends_at"]) == (START + timedelta(days=10), "2013-05-11T00:00:00+00:00")
    world.at = START + timedelta(days=12)
    assert world.service.room(LEAD).over
    assert waits_for(LEAD, again, world.at) is not None


def test_a_ramp_rises_to_the_share_and_none_of_its_rows_is_read(world: World) -> None:
    test = world.started(ramp=(0.05, 0.25), days=10)
    assert test.ends_at == START + timedelta(days=12)
    assert [test.design.share_after(timedelta(days=one)) for one in (0, 1, 2, 9)] == [0.05, 0.25, 0.5, 0.5]
    world.days(test, 2, better=0.3)
    assert world.now().control.assigned == 0
    world.days(test, 8, better=0.3)
    now = world.now()
    assert now.control.assigned + now.challenger.assigned == 6 * A_DAY
    with pytest.raises(InvalidInput, match="does not rise"):
        world.designed(ramp=(0.25, 0.05))


def test_a_test_that_does_harm_is_stopped_by_the_worker_where_its_design_says_so(world: World) -> None:
    quiet = world.started()
    world.days(quiet, 12, better=-0.35)
    assert world.service.watch(WORKER) == ()
    world.service.stop(SCIENTIST, quiet.id, quiet.revision, reason="anew")
    world.at = START
    loud = world.started(auto_stop=True)
    world.at = START + timedelta(days=12)
    (stopped,) = world.service.watch(WORKER)
    assert (stopped.id, stopped.stopped_by) == (loud.id, "system:worker")
    assert stopped.stop_reason.startswith("By itself: ")
    assert stopped.evidence_ids
    assert world.service.watch(WORKER) == ()


def test_harm_is_seen_by_its_own_reading_where_people_are_shown_one_look_at_the_end(world: World) -> None:
    loud = world.started(auto_stop=True, reading="at_end")
    world.days(loud, 4, better=0.0)
    assert world.service.watch(WORKER) == ()
    assert world.now().blind.startswith("One look at the end")
    world.service.stop(SCIENTIST, loud.id, loud.revision, reason="anew")
    world.at = START + timedelta(days=30)
    harmful = world.started(auto_stop=True, reading="at_end", key="z")
    world.days(harmful, 12, better=-0.35, first=30)
    assert world.now().blind.startswith("One look at the end")
    (stopped,) = world.service.watch(WORKER)
    assert (stopped.id, world.service.room(LEAD, stopped.id).verdict.word) == (harmful.id, ABVerdict.STOP_HARM)  # type: ignore[union-attr]
    with pytest.raises(InvalidInput, match="harm cannot be seen before the end"):
        world.designed(unit="day", reading="at_end", days=20, planned_units=20, min_units=5, auto_stop=True)


def test_a_test_that_cannot_be_read_keeps_no_other_from_being_watched(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "it's <b>排队</b>"
    with transaction(world.context.databases.app) as session:
        session.add(factories.model_row(other))
        session.add_all([factories.version_row(one, model=other) for one in ("1", "2")])
        session.flush()
        row = ServingRow(model=other, version_id=f"{other}-v1", shadow_version_ids=[], operation_id="o", since=START)
        session.merge(row)
    wanted = NewTest(other, f"{other}-v2", question="?", planned_units=8_000, auto_stop=True)
    broken = world.service.design(SCIENTIST, wanted)
    world.service.start(LEAD, broken.id, broken.revision, reason="go")
    loud = world.started(auto_stop=True)
    world.days(loud, 12, better=-0.35)
    whole, asked = ab_store.rows_of_arms, []

    def rows(session: object, test: ABTest, *window: datetime) -> object:
        asked.append(test.model)
        if test.model == other:
            raise StoreUnavailable("a cold file is damaged")
        return whole(session, test, *window)  # type: ignore[arg-type]

    monkeypatch.setattr(ab_store, "rows_of_arms", rows)
    listed = ab_store.pending
    monkeypatch.setattr(
        ab_store, "pending", lambda session: sorted(listed(session), key=lambda one: one.model != other)
    )
    with pytest.raises(StoreUnavailable, match="damaged"):
        world.service.watch(WORKER)
    assert asked[0] == other
    with reading(world.context.databases.app) as session:
        assert ab_store.get(session, loud.id).state is ABState.STOPPED
        assert ab_store.get(session, broken.id).state is ABState.RUNNING


def test_two_tests_are_each_read_once_a_minute_on_the_page_and_once_in_ten_by_the_worker(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "it's <b>排队</b>"
    with transaction(world.context.databases.app) as session:
        session.add(factories.model_row(other))
        session.add_all([factories.version_row(one, model=other) for one in ("1", "2")])
        session.flush()
        row = ServingRow(model=other, version_id=f"{other}-v1", shadow_version_ids=[], operation_id="o", since=START)
        session.merge(row)
    theirs = world.service.design(
        SCIENTIST, NewTest(other, f"{other}-v2", question="?", planned_units=8_000, auto_stop=True)
    )
    world.service.start(LEAD, theirs.id, theirs.revision, reason="go")
    ours = world.started(auto_stop=True)
    world.at = START + timedelta(days=3, seconds=5)
    whole, asked = ab_store.rows_of_arms, []

    def rows(session: object, test: ABTest, *window: datetime) -> object:
        asked.append(test.model)
        return whole(session, test, *window)  # type: ignore[arg-type]

    monkeypatch.setattr(ab_store, "rows_of_arms", rows)
    for _ in range(3):
        for one in (ours, theirs):
            world.service.room(LEAD, one.id)
        assert world.service.watch(WORKER) == ()
    assert sorted(asked) == sorted([MODEL, other])
    world.at += timedelta(minutes=2)
    assert world.service.watch(WORKER) == ()
    assert len(asked) == 2
    world.at += timedelta(minutes=9)
    assert world.service.watch(WORKER) == ()
    assert len(asked) == 4


def serving_test(world: World) -> object:
    with reading(world.context.databases.app) as session:
        return serving.states(session)[MODEL].test


def test_the_paired_reading_is_much_narrower_than_the_arms(world: World) -> None:
    test = world.started()
    world.days(test, 10, better=0.1)
    now = world.now()
    assert now.paired is not None
    assert now.paired_rows == now.challenger.outcomes
    widths = [(one.high or 0) - (one.low or 0) for one in (now.paired, now.primary)]
    assert widths[0] < widths[1] / 2
    assert (now.paired.value or 0) < 0  # challenger minus control of a loss: better is below 0


def test_a_worse_challenger_stops_for_harm(world: World) -> None:
    test = world.started()
    world.days(test, 12, better=-0.4)
    assert world.word() is ABVerdict.STOP_HARM
    assert world.now().primary.state is GateState.FAILED


def test_the_same_version_twice_goes_on_and_then_keeps_the_champion(world: World) -> None:
    test = world.started(days=10)
    world.days(test, 9, better=0.0)
    assert world.word() is ABVerdict.GO_ON
    world.at = START + timedelta(days=12)
    assert world.word() is ABVerdict.KEEP


def test_nothing_of_an_outcome_is_shown_before_the_minimum(world: World) -> None:
    test = world.started(min_units=1_500)
    world.days(test, 6, better=0.3)
    now = world.now()
    assert now.units_needed == 1_500
    assert "of 1,500 ripe units in the smaller arm" in now.blind
    assert (now.looks, now.paired, now.primary.value, now.primary.challenger) == ((), None, None, None)
    assert [one.value for one in now.guardrails] == [None]
    assert world.word() is ABVerdict.GO_ON
    world.days(test, 9, better=0.3)
    assert world.now().blind == ""
    assert world.now().looks[0].n_control >= 1_500


def test_one_look_at_the_end_is_blind_until_the_end(world: World) -> None:
    test = world.started(reading="at_end", days=10)
    world.days(test, 10, better=0.35)
    assert world.now().blind.startswith("One look at the end")
    world.at = START + timedelta(days=12)
    now = world.now()
    assert now.blind == ""
    assert now.looks == ()
    assert world.word() is ABVerdict.SHIP


def test_a_test_of_rows_that_is_stopped_before_its_minimum_of_days_or_rows_says_nothing(world: World) -> None:
    for least in ({"min_days": 10}, {"min_units": 2_000}):
        world.at = START
        test = world.started(reading="at_end", **least)
        world.days(test, 6, better=0.35)
        world.service.stop(SCIENTIST, test.id, test.revision, reason="the shop closes")
        room = world.service.room(LEAD, test.id)
        assert (room.verdict.word, room.reading.primary.value) == (ABVerdict.UNDECIDED, None)  # type: ignore[union-attr]


def test_rows_that_vanish_from_one_arm_make_the_test_invalid(world: World) -> None:
    test = world.started()
    world.days(test, 12, better=0.35, lost=0.2)
    assert world.now().mismatch
    assert world.word() is ABVerdict.INVALID
    assert world.service.room(LEAD).may["propose"] != ""


def test_rows_that_the_challenger_could_not_answer_count_in_its_arm(world: World) -> None:
    test = world.started()
    world.days(test, 12, better=0.0)
    with reading(world.context.databases.log) as session:
        rows = ab_store.rows_of_arms(session, test, START, world.at)
    paired = rows.iloc[:0].assign(score_a=[], score_b=[])
    hard = rows["challenger"] & (rows["score"] > rows["score"].quantile(0.99))
    failed = rows.assign(challenger=rows["challenger"] & ~hard)
    whole, found = (read_test(test, one, paired, now=world.at, over=True) for one in (rows, failed))
    assert found.primary == whole.primary
    said = f"{hard.sum()} rows were answered by the other arm; they count in the arm that was drawn."
    assert (whole.notes, found.notes) == ((), (said,))


def test_only_ripe_days_count(world: World) -> None:
    test = world.started()
    world.days(test, 10, better=0.1, labelled=0.9)  # below the coverage that makes a day ripe early
    assert world.now().days == 9  # the last day is younger than 24 hours
    world.at += timedelta(days=1)
    assert world.now().days == 10
    assert world.now().challenger.ripe > world.now().challenger.outcomes


def test_each_look_is_the_reading_that_was_shown_on_that_day(world: World) -> None:
    test = world.started()
    world.days(test, 8, better=0.2)
    early = world.now().looks
    world.days(test, 12, better=0.2)
    assert world.now().looks[: len(early)] == early
    last, now = world.now().looks[-1], world.now().primary
    assert (last.value, last.low, last.high) == (now.value, now.low, now.high)


def test_rows_after_the_planned_end_do_not_count(world: World) -> None:
    test = world.started(days=8)
    world.days(test, 12, better=0.1)
    assert world.now().days == 8
    assert world.now().units == 8 * A_DAY


def test_who_may_do_what(world: World) -> None:
    with pytest.raises(NotAllowed):
        world.service.design(VIEWER, NewTest(MODEL, V2, question="?", planned_units=8_000))
    made = world.designed()
    with pytest.raises(NotAllowed):
        world.service.start(SCIENTIST, made.id, made.revision, reason="go")
    with pytest.raises(NotAllowed):
        world.service.stop(VIEWER, made.id, made.revision, reason="no")
    assert world.service.room(VIEWER).may["stop"] == "Needs the role scientist; you are viewer."


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"question": " "}, "needs a question"),
        ({"outcome": "auc"}, "outcome"),
        ({"share": 0.99}, "share"),
        ({"planned_units": 10}, "planned units"),
        ({"min_units": 50}, "minimum"),
        ({"unit": "day"}, "read every day"),
        ({"guardrails": {"brier": 0.0}}, "guardrail"),
        ({"days": 0}, "days"),
    ],
)
def test_a_design_that_cannot_be_is_refused_with_nothing_stored(world: World, changes: dict, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        world.designed(**changes)
    assert world.service.room(LEAD).tests == ()
    assert world.actions() == []


def test_one_test_a_model_runs_and_the_champion_must_be_the_one_of_the_design(world: World) -> None:
    other = world.designed()
    world.started()
    with pytest.raises(Conflict, match="Another test of this model runs"):
        world.service.start(LEAD, other.id, other.revision, reason="go")
    with transaction(world.context.databases.app) as session:
        world.serve(session, V2)
    with pytest.raises(Conflict, match="champion changed"):
        world.service.start(LEAD, other.id, other.revision, reason="go")
    assert world.service.room(LEAD).champion_moved


def test_tests_of_one_layer_get_different_users_and_a_part_is_free_when_its_test_is_over(world: World) -> None:
    by_user = {"unit": "entity", "entity": "user", "days": 21, "layer": "shop"}
    first = world.started(**by_user, layer_share=0.6)
    assert first.design.layer == Layer("shop", 0.0, 0.6)
    with pytest.raises(Conflict, match=r"no free part of 50 %: .* v2 against v1: 0 to 60 %"):
        world.designed(**by_user, layer_share=0.5)
    second = world.designed(**by_user, layer_share=0.3, hold_out=0.1)
    assert second.design.layer == Layer("shop", 0.6, 0.9, 0.1)
    assert world.service.room(LEAD, second.id).test == second  # as it was stored
    world.service.stop(SCIENTIST, first.id, first.revision, reason="enough")
    again = world.designed(**by_user, layer_share=0.6)
    assert again.design.layer == Layer("shop", 0.0, 0.6, 0.1)
    world.service.start(LEAD, again.id, again.revision, reason="go")
    running = world.service.room(LEAD, again.id).test
    assert running is not None
    world.service.stop(SCIENTIST, again.id, running.revision, reason="enough")
    world.service.stop(SCIENTIST, second.id, second.revision, reason="not needed")
    last = world.designed(**by_user, layer_share=0.9)
    assert last.design.layer == Layer("shop", 0.0, 0.9, 0.1)  # who was in no test is in none now
    assert "layer" not in world.designed().design.as_json()
    with pytest.raises(InvalidInput, match="Only units that a column names"):
        world.designed(layer="other", layer_share=0.05)
    with pytest.raises(InvalidInput, match="the layer needs a name"):
        world.designed(hold_out=0.05)


def test_two_tests_with_the_same_part_do_not_both_start(world: World) -> None:
    first = world.designed(unit="entity", entity="user", layer="shop", layer_share=0.5)
    twin = replace(first, id="twin")
    with transaction(world.context.databases.app) as session:
        ab_store.add(session, twin)
    with pytest.raises(Conflict, match="units of the same part of layer shop"):
        world.service.start(LEAD, first.id, first.revision, reason="go")


def test_a_test_that_changed_meanwhile_is_not_stopped_by_an_old_page(world: World) -> None:
    test = world.started()
    with pytest.raises(Conflict, match="changed since you looked"):
        world.service.stop(LEAD, test.id, test.revision - 1, reason="old page")
    after = world.service.stop(LEAD, test.id, test.revision, reason="enough")
    with pytest.raises(Conflict, match="stopped already"):
        world.service.stop(LEAD, after.id, after.revision, reason="again")


def test_a_test_that_never_started_is_withdrawn_without_evidence(world: World) -> None:
    made = world.designed()
    after = world.service.stop(SCIENTIST, made.id, made.revision, reason="not now")
    assert (after.evidence_ids, after.result, world.service.room(LEAD).reading) == ((), None, None)


def test_the_key_of_the_assignment_stays_out_of_the_ledger(world: World) -> None:
    world.designed(key="secret-key")
    with reading(world.context.databases.app) as session:
        entry = list(audit.entries(session))[-1]
    assert "secret-key" not in str(entry.after)


def test_the_plan_says_what_a_test_can_find(world: World) -> None:
    test = world.started()
    world.days(test, 9, better=0.0)
    world.at = START + timedelta(days=9)
    plan = world.service.plan(LEAD, MODEL)
    assert (plan.champion, [one.label for one in plan.choices]) == ("v1", ["v2"])
    week, fortnight = plan.reach["brier"][:2]
    assert fortnight.one_look == pytest.approx(week.one_look / 2**0.5, rel=1e-6)
    assert fortnight.every_day == pytest.approx(1.3191 * fortnight.one_look, rel=1e-3)


def check(version: str, value: float, reason: str, *, days: float = 0.0) -> Evidence:
    """A check of a version's input example, so many days after the start."""
    return Evidence(
        kind="check", subject=f"{MODEL} v{version}", comparator="", metric="input_example", direction="higher",
        value=value, low=None, high=None, level=1.0, n=1, n_clusters=None, method="m", bound="b", window_start=None,
        window_end=None, digests={"candidate": f"{MODEL}-v{version}", "artifact": f"digest-{version}"},
        code_version="1", computed_at=START + timedelta(days=days), reason=reason,
    )  # fmt: skip


def test_a_version_that_failed_its_check_or_does_not_load_is_no_challenger_and_one_rolled_back_is_not_offered(
    world: World,
) -> None:
    with transaction(world.context.databases.app) as session:
        session.add_all(factories.version_row(version) for version in ("3", "4", "5"))
        session.flush()
        evidence.put(session, [check("3", 1.0, "scored", days=-1), check("3", 0.0, "it needs a column more")])
        evidence.put(session, [check("5", 0.0, "not yet"), check("5", 1.0, "scored", days=1)])
        serving.open_broken(session, "alert", model=MODEL, version="4", cause="a pickle", at=START)
        for number, (kind, version) in enumerate((("promote", "1"), ("promote", "2"), ("rollback", "1"))):
            at = START - timedelta(days=3 - number)
            session.add(
                OperationRow(
                    id=f"o{number}", kind=kind, model=MODEL, to_version_id=f"{MODEL}-v{version}", state="confirmed",
                    actor=LEAD.id, reason="r", decided_at=at, alias_moved_at=at, epoch=number,
                )
            )  # fmt: skip
    plan = world.service.plan(LEAD, MODEL)
    assert [one.label for one in plan.choices] == ["v5"]
    assert sorted(plan.left_out) == [
        "v2 was rolled back",
        "v3 failed its check: it needs a column more",
        "v4 cannot be loaded",
    ]
    asked_for = NewTest(MODEL, f"{MODEL}-v2", question="Was the rollback right?", planned_units=8_000)
    assert world.service.design(SCIENTIST, asked_for).challenger == "v2"
    for version, why in (("3", "column more"), ("4", "cannot be loaded")):
        with pytest.raises(Conflict, match=why):
            world.service.design(
                SCIENTIST, NewTest(MODEL, f"{MODEL}-v{version}", question="Is it better?", planned_units=8_000)
            )


def test_days_as_units_go_whole_to_one_arm(world: World) -> None:
    test = world.started(unit="day", reading="at_end", days=20, planned_units=20, min_units=5)
    world.days(test, 20, better=0.35)
    world.at += timedelta(days=2)
    now = world.now()
    assert now.challenger.assigned + now.control.assigned == 20
    assert "each arm" in now.method
    frame = pd.Series([now.primary.low, now.primary.high])
    assert frame.notna().all()


def test_a_designed_test_waits_for_a_lead_and_a_ripe_one_for_whoever_may_stop_it(world: World) -> None:
    access = AccessService(world.context)
    made = world.designed(days=8)
    assert [one.title for one in access.waiting(LEAD)] == ["Start the test v2 against v1 of flight-delay"]
    assert access.waiting(SCIENTIST) == ()
    running = world.service.start(LEAD, made.id, made.revision, reason="go")
    world.at = START + timedelta(days=8)
    assert access.waiting(LEAD) == ()
    world.at = START + timedelta(days=9)
    (item,) = access.waiting(SCIENTIST)
    assert (item.page, item.parameters) == ("ab", (("test", running.id),))
    assert access.waiting(VIEWER) == ()
    world.service.stop(SCIENTIST, running.id, running.revision, reason="over")
    assert access.waiting(LEAD) == ()


def test_a_test_is_found_by_its_versions_its_question_and_its_state(world: World) -> None:
    made = world.started()
    search = SearchService(world.context)
    for text in ("v2 against v1", "Is v2 better", "a/b running"):
        hits = [one for one in search.find(LEAD, text) if one.kind is Kind.TEST]
        assert [(one.title, one.page, one.parameters) for one in hits] == [
            ("flight-delay v2 against v1", "ab", (("test", made.id),))
        ]
    assert [one for one in search.find(LEAD, "a/b stopped") if one.kind is Kind.TEST] == []
