"""A roll-out on the Registry page: stages are proposed, begun, paused and stopped by clicks; who may not reads why."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from app.charts.rollouts import guards_html, stages_html
from app.ui.theme import tokens
from mlops_dash.clock import wall_now
from mlops_dash.domain.format import percent
from mlops_dash.domain.registry.guards import Calls
from mlops_dash.domain.registry.rollouts import ERRORS, LOSS, TIME, Guard, Rollout, Stage
from mlops_dash.domain.words import GateState, RolloutState
from mlops_dash.store import rollouts, world
from mlops_dash.store.db import transaction
from tests.app.conftest import OpenPage, words
from tests.app.views.test_registry import click, decide, told, told_once
from tests.factories import LEAD, NOON, SCIENTIST, VIEWER, WORKER
from tests.registry_world import MODEL, World

__all__ = ["told", "told_once"]
GOING = Rollout("r", "m", "p", "v1", "v2", (Stage(0.1, minutes=60), Stage(0.5, rows=9)), RolloutState.RUNNING, 0,
                "key", 1, LEAD.id, NOON, "now", NOON, NOON)  # fmt: skip


@pytest.fixture
def staged(told: World) -> World:
    """v3 is proposed with stages, and approved."""
    made = told.service.open_proposal(SCIENTIST, MODEL)
    told.service.withdraw(SCIENTIST, made.id, made.revision, comment="with stages then")
    stages = (Stage(0.1, minutes=60), Stage(0.5, rows=5_000))
    made = told.service.propose(SCIENTIST, told.ids["3"], comment="in steps", stages=stages)
    told.service.approve(LEAD, made.id, made.revision, comment="fine")
    return told


def test_stages_are_proposed_in_the_dialog_and_bad_ones_lose_nothing(told: World, open_page: OpenPage) -> None:
    made = told.service.open_proposal(SCIENTIST, MODEL)
    told.service.withdraw(SCIENTIST, made.id, made.revision, comment="with stages then")
    page = click(open_page("registry", "scientist", model=MODEL, version="3"), "propose")
    key = f"propose-{told.ids['3']}"
    page.text_input(key=f"{key}-stages").set_value("10%:soon")
    page.text_area(key=f"{key}-reason").set_value("in steps")
    page = click(page, f"{key}-act")
    assert "cannot be read" in page.session_state[f"{key}-error"]
    page = click(page, "propose")
    page.text_input(key=f"{key}-stages").set_value("10%:60m, 50%:5000rows")
    page.text_area(key=f"{key}-reason").set_value("in steps")
    click(page, f"{key}-act")
    assert told.service.open_proposal(SCIENTIST, MODEL).stages == (Stage(0.1, minutes=60), Stage(0.5, rows=5_000))


def test_it_is_begun_paused_continued_and_stopped_by_clicks(staged: World, open_page: OpenPage) -> None:
    proposal = staged.service.open_proposal(LEAD, MODEL)
    page = open_page("registry", "lead", model=MODEL, version="3")
    assert "10 % for 1 h, 50 % for 5,000 rows, then all" in words(page)
    decide(page, "roll-out", f"rollout-{proposal.id}-{proposal.revision}", "a quiet morning")
    known = staged.service.rollout(VIEWER, MODEL)
    assert known.state is RolloutState.RUNNING

    page = open_page("registry", "lead", model=MODEL, version="3")
    assert "Stage 1 of 2: 10 % of the rows" in words(page)
    decide(page, "rollout-pause", f"rollout-pause-{known.id}-{known.revision}", "lunch")
    paused = staged.service.rollout(VIEWER, MODEL)
    page = open_page("registry", "lead", model=MODEL, version="3")
    assert "the time stands still" in words(page)
    decide(page, "rollout-continue", f"rollout-continue-{paused.id}-{paused.revision}", "back")
    going = staged.service.rollout(VIEWER, MODEL)
    page = open_page("registry", "lead", model=MODEL, version="3")
    decide(page, "rollout-stop", f"rollout-stop-{going.id}-{going.revision}", "a customer called")
    assert staged.service.rollout(VIEWER, MODEL).end_reason == "a customer called"
    page = open_page("registry", "lead", model=MODEL, proposal=proposal.id)
    assert not page.exception


def test_one_that_its_rule_stopped_stands_there_until_somebody_closes_its_alert(
    staged: World, open_page: OpenPage
) -> None:
    made = staged.service.open_proposal(LEAD, MODEL)
    going = staged.service.begin_rollout(LEAD, made.id, made.revision, "a quiet morning")
    with transaction(staged.context.databases.log) as log:
        rollouts.put_pulse(log, going.id, "gateway-1", Calls(60, 20), at=staged.hands.at)
    staged.service.watch_rollouts(WORKER)
    page = open_page("registry", "viewer", model=MODEL, version="1")  # whichever version is looked at
    assert "Stopped in stage 1 of 2: 20 of 60 calls failed" in words(page)
    assert page.button(key="rollout-seen").disabled
    key = f"rollout-seen-{staged.service.room(VIEWER, MODEL).halted}"
    decide(open_page("registry", "scientist", model=MODEL), "rollout-seen", key, "a column was renamed")
    assert staged.service.room(VIEWER, MODEL).halted == ""
    assert "Stopped in stage 1 of 2" not in words(open_page("registry", "viewer", model=MODEL, version="1"))


def test_who_may_not_reads_why_on_each_button(staged: World, open_page: OpenPage) -> None:
    made = staged.service.open_proposal(LEAD, MODEL)
    staged.service.begin_rollout(LEAD, made.id, made.revision, "now")
    page = open_page("registry", "scientist", model=MODEL, version="3")
    for key in ("rollout-pause", "rollout-stop"):
        button = page.button(key=key)
        assert button.disabled
        assert "Needs the role lead" in button.help


def test_a_stage_without_a_row_says_why_after_some_minutes(staged: World, open_page: OpenPage) -> None:
    proposal = staged.service.open_proposal(LEAD, MODEL)
    staged.service.begin_rollout(LEAD, proposal.id, proposal.revision, "now")
    assert not open_page("registry", "viewer", model=MODEL, version="3").warning
    with transaction(staged.context.databases.app) as opened:
        world.put(opened, world.CLOCK_OFFSET, (NOON - wall_now() + timedelta(minutes=6)).total_seconds())
    [said] = open_page("registry", "viewer", model=MODEL, version="3").warning
    assert said.value.startswith("No row came in 6 min: no gateway logged a row of this model.")


def test_the_stages_say_how_far_each_is() -> None:
    half = stages_html(GOING, NOON + timedelta(minutes=30))
    assert percent(0.5, 0) in half
    assert "no row answered yet" in half
    stopped = stages_html(replace(GOING, state=RolloutState.STOPPED, stage=1), NOON)
    assert ("over" in stopped, "stopped here" in stopped) == (True, True)
    assert "champion" in stages_html(replace(GOING, state=RolloutState.DONE, stage=1), NOON)


def test_guards_show_value_interval_limit_and_n_and_escape_what_they_quote() -> None:
    shown = guards_html(
        [
            Guard(ERRORS, GateState.FAILED, 0.2, 0.1, 0.3, 0.01, 40, "calls", "exact", "No module named <b>x</b>."),
            Guard(TIME, GateState.CANNOT_TELL, 1.5, 0.7, None, 2.0, 9, "calls", "ranks", "Slow?"),
            Guard(LOSS, GateState.WAITING, None, None, None, 0.05, 0, "rows", "bounds", "Not told yet."),
        ],
        tokens("light"),
    )
    assert "No module named &lt;b&gt;x&lt;/b&gt;." in shown
    measured = f"{percent(0.2)} [{percent(0.1)}, {percent(0.3)}]"
    assert f"{measured}; limit at most {percent(0.01)} of the calls; n 40 calls" in shown
    assert "1.50 times [0.70 times, no end]" in shown
    assert "n 0 rows" in shown
