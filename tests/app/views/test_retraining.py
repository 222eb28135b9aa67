"""Retraining: its faces for each role and state, its dialogs act, its chart says what happened."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app.charts import hindsight as hindsight_charts
from app.charts import retraining as charts
from app.ui import theme
from mlops_dash.bootstrap import Services
from mlops_dash.demo.flights.train import ENTRY
from mlops_dash.domain.audit import Action, Entry
from mlops_dash.domain.due import following
from mlops_dash.domain.jobs import Task
from mlops_dash.domain.retraining import Recipe, ScheduleDraft
from mlops_dash.domain.starting import ScheduleKind
from mlops_dash.domain.triggers import Guards
from mlops_dash.domain.words import JobState
from mlops_dash.store.db import transaction
from mlops_dash.store.tables.monitoring import AlertRow
from tests.app.conftest import OpenPage, words
from tests.factories import ADMIN, LEAD, NOON, SCIENTIST, VIEWER, WORKER

RECIPE = Recipe("refresh", "flight-delay", ENTRY, {"seed": 1, "parameters": {"max_iter": 80}}, max_attempts=2)
LOG = """2013-06-03T16:00:00Z INFO snapshot rows=336,776
2013-06-03T16:00:05Z WARN wind_gust is missing in 76 % of the rows
2013-06-03T16:00:09Z ERROR it broke
Traceback (most recent call last):
"""


@pytest.fixture
def trained(house: Services) -> Services:
    """A recipe and a weekly schedule; a worker leads."""
    house.retraining.save_recipe(ADMIN, RECIPE)
    house.jobs.lead(WORKER, "w1", seconds=600)
    return house


def run(house: Services, state: JobState | None, *, error: str = "", result: dict[str, str] | None = None) -> str:
    job_id = house.retraining.run_now(LEAD, "refresh", "loss is up since April")
    job = house.jobs.claim(WORKER, "w1")
    assert job is not None
    path = house.jobs.log_path(WORKER, job_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(LOG, encoding="utf-8")
    if state is None:
        house.jobs.progress(WORKER, job_id, job.epoch, "fitting on 206,211 earlier flights", 0.4)
    else:
        house.jobs.finish(WORKER, job_id, job.epoch, state, error=error, result=result)
    return job_id


def weekly(house: Services, **changes: Any) -> str:
    values = {"name": "weekly", "kind": ScheduleKind.CRON, "expression": "0 6 * * 1", "zone": "America/New_York"}
    made = house.retraining.save_schedule(SCIENTIST, ScheduleDraft(**{**values, "recipe": "refresh", **changes}))
    (seen,) = [one for one in house.retraining.schedules(VIEWER) if one.id == made]
    now = house.context.clock.now()
    house.retraining.plan(WORKER, seen, tuple(now + timedelta(hours=2 + 168 * n) for n in range(5)))
    return made


def newest(house: Services) -> Entry:
    return house.audit.entries(ADMIN).entries[0]


def click(page: AppTest, key: str) -> AppTest:
    return page.button(key=key).click().run()


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def test_an_empty_house_says_what_will_be_here_and_that_no_worker_runs(open_page: OpenPage) -> None:
    page = open_page("retraining", "scientist")
    said = words(page)
    assert "Nothing is trained here yet" in said
    assert "No worker has started yet" in said
    assert page.button(key="run-now").disabled
    assert not page.exception


def test_a_recipe_without_a_run_offers_the_first_one(trained: Services, open_page: OpenPage) -> None:
    page = open_page("retraining", "scientist")
    said = words(page)
    assert "Nothing has run yet" in said
    assert "No run to show" in said
    assert "Nothing is planned" in said
    assert "seed 1, max_iter 80" in said or "max_iter 80, seed 1" in said
    assert "No worker" not in said
    assert not page.button(key="run-now").disabled


def test_a_worker_that_fell_silent_is_said(house: Services, open_page: OpenPage) -> None:
    house.retraining.save_recipe(ADMIN, RECIPE)
    house.jobs.lead(WORKER, "w1", seconds=-300)
    assert "No worker has answered for 5 min" in words(open_page("retraining", "viewer"))


def test_a_viewer_sees_everything_and_may_change_nothing(trained: Services, open_page: OpenPage) -> None:
    weekly(trained)
    run(trained, None)
    page = open_page("retraining", "viewer")
    for key in ("run-now", "cancel-run", "edit-recipe-refresh", "try-recipe-refresh"):
        button = page.button(key=key)
        assert button.disabled
        assert "Needs the role scientist" in button.help
    assert "fitting on 206,211 earlier flights" in words(page)


def test_run_now_asks_for_a_reason_and_queues_a_job(trained: Services, open_page: OpenPage) -> None:
    page = click(open_page("retraining", "scientist"), "run-now")
    click(page, "run-now-act")
    assert page.session_state["run-now-error"].startswith("Say why")
    click(page, "run-now")
    assert trained.jobs.recent(VIEWER) == ()
    page.text_area(key="run-now-reason").set_value("what does April change?")
    click(page, "run-now-act")
    (job,) = trained.jobs.recent(VIEWER)
    assert (job.recipe, job.cause) == ("refresh", "asked by scientist: what does April change?")
    assert (newest(trained).action, newest(trained).reason) == (Action.JOB_REQUESTED, "what does April change?")


def test_a_second_run_of_the_model_is_refused_in_the_dialog(trained: Services, open_page: OpenPage) -> None:
    run(trained, None)
    page = click(open_page("retraining", "scientist"), "run-now")
    page.text_area(key="run-now-reason").set_value("me too")
    click(page, "run-now-act")
    assert "is running already" in page.session_state["run-now-error"]


def log_of(page: AppTest) -> str:
    """The text of the log on the page."""
    (found,) = re.findall(r"<pre class='log'[^>]*>(.*?)</pre>", words(page), flags=re.DOTALL)
    return html.unescape(found)


def test_a_running_job_shows_progress_cause_and_log_and_can_be_cancelled(
    trained: Services, open_page: OpenPage
) -> None:
    job_id = run(trained, None)
    page = open_page("retraining", "lead")
    said = words(page)
    assert "1 running" in said
    assert "asked by lead: loss is up since April" in said
    assert "16:00:05 WARN  wind_gust" in log_of(page)
    click(page, "cancel-run")
    page.text_area(key=f"cancel-{job_id}-reason").set_value("wrong recipe")
    click(page, f"cancel-{job_id}-act")
    assert trained.jobs.job(VIEWER, job_id).cancel_requested
    assert newest(trained).action is Action.JOB_CANCEL_REQUESTED


@pytest.mark.parametrize(("level", "lines"), [("All", 4), ("Warnings", 3), ("Errors", 2)])
def test_the_log_is_filtered_by_level_and_keeps_a_traceback_with_its_error(
    trained: Services, open_page: OpenPage, level: str, lines: int
) -> None:
    job_id = run(trained, JobState.FAILED, error="It broke.")
    page = open_page("retraining", "viewer", run=job_id, lvl=level)
    assert len(log_of(page).splitlines()) == lines
    assert log_of(page).endswith("Traceback (most recent call last):")


def test_a_failure_is_the_answer_until_something_better_waits(trained: Services, open_page: OpenPage) -> None:
    run(trained, JobState.FAILED, error="Stopped at 4,310 MiB of memory.")
    page = open_page("retraining", "lead")
    assert "1 failed in the last 24 h" in words(page)
    assert "Stopped at 4,310 MiB" in words(page)
    assert "See the run" in labels(page)
    run(trained, JobState.SUCCEEDED, result={"version_id": "v3-id", "version": "3"})
    page = open_page("retraining", "lead")
    assert "Review v3" in labels(page)
    assert "See the run" not in labels(page)


def test_a_deep_link_opens_the_run_however_old(trained: Services, open_page: OpenPage) -> None:
    old = run(trained, JobState.SUCCEEDED)
    new = run(trained, JobState.FAILED, error="It broke.")
    assert open_page("retraining", "viewer", run=old).selectbox(key="run-pick").value == old
    assert open_page("retraining", "viewer").selectbox(key="run-pick").value == new
    assert open_page("retraining", "viewer", run="nothing").selectbox(key="run-pick").value == new


def test_a_schedule_says_when_it_runs_next_and_why_it_does_not(trained: Services, open_page: OpenPage) -> None:
    made = weekly(trained)
    said = words(open_page("retraining", "viewer"))
    assert "today 18:00, in 2 h" in said
    assert "Mondays at 06:00 (New York)" in said
    trained.retraining.pause(LEAD, made, "labels are late")
    paused = words(open_page("retraining", "viewer"))
    assert "Paused: labels are late" in paused
    assert "1 schedule is paused" in paused


def gantt_of(house: Services, *, zone: str = "UTC") -> charts.Gantt:
    room = house.retraining.room(VIEWER)
    return charts.gantt(room, ahead=timedelta(days=1), zone=zone)


def test_the_chart_puts_the_cause_in_the_row_and_says_its_finding(trained: Services) -> None:
    weekly(trained)
    run(trained, JobState.SUCCEEDED)
    run(trained, JobState.FAILED, error="It broke.")
    run(trained, None)
    data = gantt_of(trained)
    assert [(lane.title, lane.model, lane.cause) for lane in data.lanes] == [
        ("refresh", "flight-delay", "asked by lead: loss is up since April")
    ]
    assert {kind: data.n(kind) for kind in ("finished", "failed", "running", "next")} == {
        "finished": 1, "failed": 1, "running": 1, "next": 1,
    }  # fmt: skip
    assert charts.alt(data) == (
        "Runs of the last 2 d: 1 running now, 1 failed, 1 finished, 1 planned; the next run is today 18:00, in 2 h."
    )
    table = charts.table(data, trained.retraining.room(VIEWER).jobs, "EUR")
    assert list(table["State"]) == ["Next", "Running", "Failed", "Succeeded"]


@pytest.mark.parametrize("mode", theme.MODES)
def test_finished_bars_are_grey_failed_ones_red_and_none_is_thinner_than_six_pixels(
    trained: Services, mode: str
) -> None:
    run(trained, JobState.SUCCEEDED)
    run(trained, JobState.FAILED, error="It broke.")
    tokens = theme.tokens(mode)
    drawn = json.loads(charts.figure(gantt_of(trained), tokens).to_json())
    bars = {trace["marker"]["color"] for trace in drawn["data"] if trace["type"] == "bar"}
    assert bars == {tokens.context, tokens.bad}
    pins = [trace["marker"] for trace in drawn["data"] if trace.get("marker", {}).get("symbol") == "line-ns"]
    assert len(pins) == 2
    assert all(pin["line"]["width"] >= 6 for pin in pins)
    assert "asked by lead" in json.dumps(drawn["layout"]["annotations"])


def test_a_log_line_is_shown_in_the_readers_time() -> None:
    assert charts.log_lines(LOG, least="", zone="America/New_York")[0] == "12:00:00 INFO  snapshot rows=336,776"


def chooses(key: str, option: str) -> Callable[..., str | None]:
    """Streamlit's test harness cannot click a menu: this one always has `option` chosen in the menu `key`."""
    return lambda _label, _options, **given: option if given["key"] == key else None


def test_a_schedule_that_cannot_fire_changes_nothing_and_keeps_what_was_typed(
    trained: Services, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = weekly(trained)
    monkeypatch.setattr(st, "menu_button", chooses(f"change-{made}", "Edit…"))
    page = open_page("retraining", "scientist")
    page.text_input(key=f"schedule-{made}-cron").set_value("0 25 * * *")
    click(page, f"schedule-{made}-act")
    assert trained.retraining.schedules(VIEWER)[0].expression == "0 6 * * 1"
    assert page.text_input(key=f"schedule-{made}-cron").value == "0 25 * * *"
    monkeypatch.setattr(st, "menu_button", chooses(f"change-{made}", "Edit…"))
    page.text_input(key=f"schedule-{made}-cron").set_value("0 7 * * 2").run()
    assert "Next runs: tomorrow 11:00, in 19 h; Tue" in words(page), "said before it is saved"
    click(page, f"schedule-{made}-act")
    (after,) = trained.retraining.schedules(VIEWER)
    assert (after.id, after.expression) == (made, "0 7 * * 2")
    assert newest(trained).action is Action.SCHEDULE_SAVED


def test_a_recipe_is_edited_as_lines_or_json_and_nonsense_is_refused(trained: Services, open_page: OpenPage) -> None:
    page = click(open_page("retraining", "scientist"), "edit-recipe-refresh")
    page.text_area(key="recipe-refresh-parameters").set_value("{seed: 1}")
    click(page, "recipe-refresh-act")
    assert "not JSON" in page.session_state["recipe-refresh-error"]
    click(page, "edit-recipe-refresh")
    page.text_area(key="recipe-refresh-parameters").set_value("seed = 7\nwhy = it's late")
    click(page, "recipe-refresh-act")
    kept = trained.retraining.recipe(VIEWER, "refresh")
    assert (kept.parameters, kept.entry) == ({"seed": 7, "why": "it's late"}, ENTRY)
    assert "recipe-refresh-program" not in {field.key for field in page.text_input}, "which program is for admins"


MINUTES = 'handling "minutes"'


def test_a_lead_says_what_an_hour_costs_and_the_run_and_the_recipe_tell_the_cost(
    trained: Services, open_page: OpenPage
) -> None:
    page = click(open_page("retraining", "scientist"), "edit-recipe-refresh")
    assert "recipe-refresh-price" not in {field.key for field in page.number_input}, "price and budget are for leads"
    page = click(open_page("retraining", "lead"), "edit-recipe-refresh")
    page.number_input(key="recipe-refresh-price").set_value(3600.0)
    page.number_input(key="recipe-refresh-money").set_value(1_000_000.0)
    click(page, "recipe-refresh-act")
    kept = trained.retraining.recipe(VIEWER, "refresh")
    assert (kept.price_per_hour, kept.money_a_month) == (3600.0, 1_000_000.0)
    job_id = run(trained, JobState.SUCCEEDED)
    said = words(open_page("retraining", "viewer", run=job_id))
    assert "EUR of 1,000,000.00 EUR this month so far (1 run)" in said
    assert "EUR" in said.partition("asked by")[2].partition("EUR of")[0], "the run's own cost"


def test_a_recipe_is_checked_by_a_click_and_what_is_missing_stands_under_the_run(
    house: Services, open_page: OpenPage
) -> None:
    house.registry.add_model(ADMIN, MINUTES, task="regression", reason="test")
    house.retraining.save_recipe(ADMIN, Recipe("weekly", MINUTES, "{python} train.py"))
    page = click(open_page("retraining", "scientist"), "try-recipe-weekly")
    page.number_input(key="try-recipe-weekly-days").set_value(3)
    click(page, "try-recipe-weekly-ask-act")
    job = house.jobs.claim(WORKER, "w1")
    assert job is not None
    assert (job.task, job.arguments["days"]) == (Task.TRY_RECIPE, 3)
    window = {"start": "2026-02-01T00:00:00+00:00", "end": "2026-02-04T00:00:00+00:00"}
    tried = {"ok": False, "missing": ["Its run has no logged <model>."], "advice": ["No reference."], "seconds": 4.2,
             "peak_mib": 310.0, "window": window}  # fmt: skip
    house.jobs.finish(WORKER, job.id, job.epoch, JobState.SUCCEEDED, result={"tried": tried})
    page = open_page("retraining", "viewer", run=job.id)
    assert [one.value for one in page.error] == ["Missing: Its run has no logged \\<model>."]
    said = words(page)
    assert [one.value for one in page.info] == ["No reference."]
    assert "Tried on 2026-02-01 to 2026-02-04: 4 s, 310 MiB at most. Nothing is registered." in said


def test_an_admin_makes_a_recipe_of_a_strangers_model_and_a_scientist_runs_it_with_another_depth(
    house: Services, open_page: OpenPage
) -> None:
    house.registry.add_model(ADMIN, MINUTES, task="regression", reason="test")
    assert open_page("retraining", "scientist").button(key="new-recipe").help.startswith("Needs the role admin")
    page = click(open_page("retraining", "admin"), "new-recipe")
    assert page.selectbox(key="recipe-new-model").value == MINUTES, "the only one there is"
    page.text_input(key="recipe-new-name").set_value("weekly")
    page.text_input(key="recipe-new-program").set_value("{python} '/srv/our team/train.py' {depth}")
    page.text_area(key="recipe-new-parameters").set_value('depth = 6\nfast = true\nrate = 0.001\ndepots = ["north"]')
    page.number_input(key="recipe-new-timeout").set_value(60)
    page.text_area(key="recipe-new-checks").set_value(
        "- {name: fast, kind: latency, program: 'team.c:fast', at_most: 5}"
    )
    click(page, "recipe-new-act")
    assert [one.limit for one in house.retraining.recipe(VIEWER, "weekly").checks] == [5.0]
    made = house.retraining.recipe(VIEWER, "weekly")
    assert (made.model, made.timeout_seconds) == (MINUTES, 60)
    assert made.parameters == {"depth": 6, "fast": True, "rate": 0.001, "depots": ["north"]}
    assert newest(house).action is Action.RECIPE_SAVED

    page = click(open_page("retraining", "scientist"), "run-now")
    assert page.checkbox(key="run-now-weekly-fast").value is True
    page.number_input(key="run-now-weekly-depth").set_value(8)
    page.text_area(key="run-now-weekly-depots").set_value("north, south")
    page.text_area(key="run-now-reason").set_value("deeper")
    click(page, "run-now-act")
    assert "depots is a list" in page.session_state["run-now-error"]
    click(page, "run-now")
    page.number_input(key="run-now-weekly-depth").set_value(8)
    page.text_area(key="run-now-weekly-depots").set_value('["north", "south"]')
    page.text_area(key="run-now-reason").set_value("deeper")
    click(page, "run-now-act")
    (job,) = house.jobs.recent(VIEWER)
    assert job.parameters == {"depth": 8, "depots": ["north", "south"]}
    assert job.cause == 'asked by scientist: deeper (with depots = ["north", "south"], depth = 8)'
    assert newest(house).after["parameters"] == job.parameters


def test_a_new_recipe_never_overwrites_one_of_its_name(trained: Services, open_page: OpenPage) -> None:
    trained.registry.add_model(ADMIN, MINUTES, task="regression", reason="test")
    page = click(open_page("retraining", "admin"), "new-recipe")
    page.text_input(key="recipe-new-name").set_value("refresh")
    page.text_input(key="recipe-new-program").set_value("other:program")
    click(page, "recipe-new-act")
    assert "There is a recipe refresh already." in page.session_state["recipe-new-error"]
    assert trained.retraining.recipe(VIEWER, "refresh").entry == ENTRY


def test_the_form_of_a_run_follows_the_recipe_that_is_chosen(trained: Services, open_page: OpenPage) -> None:
    trained.retraining.save_recipe(ADMIN, Recipe("weekly", MINUTES, "team:train", {"depth": 6}))
    page = click(open_page("retraining", "scientist"), "run-now")
    page.selectbox(key="run-now-recipe").set_value("refresh")
    click(page, "run-now")  # the harness draws the whole page: the dialog is opened again
    assert {str(one.key) for one in page.number_input} == {"run-now-refresh-seed"}
    page.selectbox(key="run-now-recipe").set_value("weekly")
    click(page, "run-now")
    assert {str(one.key) for one in page.number_input} == {"run-now-weekly-depth"}


@pytest.mark.parametrize(
    ("kind", "fields", "expression"),
    [
        ("By the clock…", {"cron": "0 6 * * *"}, "0 6 * * *"),
        ("Every so often…", {"hours": 6.0}, "21600"),
        ("When new labels have come…", {"labels": 250, "cooldown": 6.0, "budget": 4}, "250"),
        ("When an alert opens…", {}, "harm"),
        ("When a program calls…", {"cooldown": 1.0}, "call"),
    ],
)
def test_a_new_schedule_of_each_kind_is_made_in_its_dialog(
    trained: Services, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch, kind: str, fields: dict[str, Any],
    expression: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(st, "menu_button", chooses("new-schedule", kind))
    page = open_page("retraining", "scientist")
    key = next(one.key for one in page.text_input if str(one.key).endswith("-name")).removesuffix("-name")
    page.text_input(key=f"{key}-name").set_value("new one")
    if "cron" in fields:
        page.text_input(key=f"{key}-cron").set_value(fields["cron"])
    for name in fields.keys() - {"cron"}:
        page.number_input(key=f"{key}-{name}").set_value(fields[name])
    click(page, f"{key}-act")
    (made,) = trained.retraining.schedules(VIEWER)
    assert "then" not in made.arguments
    assert made.guards == Guards(round(fields.get("cooldown", 0) * 3600), fields.get("budget", 0))
    assert (made.name, made.expression, made.recipe, made.model) == ("new one", expression, "refresh", "flight-delay")


def test_a_schedule_is_paused_until_a_day_and_resumed(
    trained: Services, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = weekly(trained)
    monkeypatch.setattr(st, "menu_button", chooses(f"change-{made}", "Pause…"))
    page = open_page("retraining", "lead")
    page.date_input(key=f"pause-{made}-on").set_value(date(2013, 6, 10))
    page.text_area(key=f"pause-{made}-reason").set_value("labels are late")
    click(page, f"pause-{made}-act")
    (paused,) = trained.retraining.schedules(VIEWER)
    assert (paused.enabled, paused.paused_until) == (False, datetime(2013, 6, 10, 6, tzinfo=UTC))
    monkeypatch.setattr(st, "menu_button", chooses(f"change-{made}", "Resume…"))
    page = open_page("retraining", "lead")
    page.text_area(key=f"resume-{made}-reason").set_value("they came")
    click(page, f"resume-{made}-act")
    (resumed,) = trained.retraining.schedules(VIEWER)
    assert resumed.enabled
    assert (newest(trained).action, newest(trained).reason) == (Action.SCHEDULE_RESUMED, "they came")


def backfilled(house: Services) -> str:
    """Three versions of a regression as of past days: the relation changes in the second window."""
    house.registry.add_model(ADMIN, MINUTES, task="regression", reason="test")
    house.retraining.save_recipe(ADMIN, Recipe("weekly", MINUTES, "{python} train.py"))
    asked = {"first": "2013-04-01", "until": "2013-05-31", "every": "20d"}
    backfill_id = house.retraining.backfill(SCIENTIST, "weekly", "how often?", **asked)
    first = datetime(2013, 4, 1, 9, tzinfo=UTC)
    for number, base in enumerate((10.0, 10.0, 40.0)):
        job = house.jobs.claim(WORKER, "w1")
        assert job is not None
        version = house.registry.record_version(WORKER, MINUTES, f"b{number}", note="as of a past day")
        sent = [
            {
                "prediction_id": f"h{day}-{one}",
                "version": f"b{number}",
                "score": base + one % 2,
                "features": {"crates": one},
                "at": (first + timedelta(days=day, minutes=one)).isoformat(),
            }
            for day in range(20 * number, 60)
            for one in range(6)
        ]
        house.scoring.record_predictions(WORKER, MINUTES, sent)
        done = {"version_id": version, "version": f"b{number}", "trained_until": job.due_at.isoformat()}
        house.jobs.finish(WORKER, job.id, job.epoch, JobState.SUCCEEDED, result=done)
    known = [
        (f"h{day}-{one}", (10.0 if day < 30 else 40.0) + one % 3, first + timedelta(days=day, hours=2))
        for day in range(60)
        for one in range(6)
    ]
    labels = pd.DataFrame(known, columns=["prediction_id", "value", "observed_at"])
    house.scoring.record_labels(WORKER, MINUTES, labels)
    return backfill_id


def test_how_often_to_retrain_is_answered_on_the_page_from_the_rows_after_each_training(
    house: Services, open_page: OpenPage
) -> None:
    house.jobs.lead(WORKER, "w1", seconds=600)
    backfill_id = backfilled(house)
    found = house.retraining.hindsight(VIEWER, backfill_id)
    assert [one.versions for one in found.ways] == [("b0",) * 3, ("b0", "b1", "b2"), ("b0", "b0", "b2")]
    assert [(one.readings[2].n, one.readings[2].n_clusters) for one in found.ways] == [(120, 20)] * 3
    never, each, alarm = (one.readings[2].value for one in found.ways)
    assert never == pytest.approx(30.5, abs=0.6)
    assert each == alarm == pytest.approx(0.8, abs=0.6)
    assert found.sentence.startswith("Retraining helps. On alarm needs 1 training instead of 2, and these rows do not")
    page = open_page("retraining", "viewer", model=MINUTES)
    assert "3 of 3 versions are trained" in words(page)
    assert page.button(key="backfill").disabled
    click(page, f"hindsight-{backfill_id}-read")
    said = words(page)
    assert found.sentence in said
    assert "On alarm: 1 training, better than never by" in said
    drawn = json.loads(hindsight_charts.figure(found, "MAE", "UTC", theme.tokens("dark")).to_json())
    assert [trace["name"] for trace in drawn["data"]] == ["Never", "Each time", "On alarm"]
    assert len(hindsight_charts.table(found, "UTC")) == 12


def test_a_backfill_is_asked_for_with_its_plan_before_it_starts_and_cancelled_as_a_whole(
    trained: Services, open_page: OpenPage
) -> None:
    assert "No backfill yet" in words(open_page("retraining", "viewer"))
    page = click(open_page("retraining", "scientist"), "backfill")
    assert "6 versions, nobody knows how long: it has not run yet." in words(page)
    page.text_area(key="backfill-ask-reason").set_value("how often?")
    click(page, "backfill-ask-act")
    (known,) = trained.retraining.backfills(VIEWER)
    assert (known.recipe, known.words) == ("refresh", "0 of 6 versions are trained")
    page = click(open_page("retraining", "lead"), "backfill-cancel")
    page.text_area(key=f"backfill-cancel-{known.id}-reason").set_value("enough")
    click(page, f"backfill-cancel-{known.id}-act")
    (after,) = trained.retraining.backfills(VIEWER)
    assert after.count(JobState.CANCELLED) == 6
    assert newest(trained).action is Action.BACKFILL_CANCELLED


def test_harm_without_a_run_is_said_with_where_to_look(trained: Services, open_page: OpenPage) -> None:
    assert "No run answers this yet" not in words(open_page("retraining", "viewer"))
    with transaction(trained.context.databases.app) as session:
        session.add(
            AlertRow(
                id="a1", model="air-time", version="a", kind="harm", state="open", title="MAE is up", body={},
                opened_at=NOON, last_seen_at=NOON, evidence_ids=[],
            )
        )  # fmt: skip
    assert "**air-time**: MAE is up. No run answers this yet." in words(open_page("retraining", "viewer"))


def test_an_unknown_model_in_the_url_is_said_and_no_empty_page_is_shown(trained: Services, open_page: OpenPage) -> None:
    page = open_page("retraining", "viewer", model="nobody")
    assert "No model nobody." in words(page)
    assert "Nothing has run yet" not in words(page)
    assert page.button(key="face-clear")
    assert "No model" not in words(open_page("retraining", "viewer", model="flight-delay"))


def test_hours_and_days_when_nothing_starts_are_filled_in_and_the_next_runs_follow_them(
    trained: Services, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = weekly(trained, expression="0 */6 * * *", zone="UTC")
    monkeypatch.setattr(st, "menu_button", chooses(f"change-{made}", "Edit…"))
    page = open_page("retraining", "scientist")
    key = f"schedule-{made}"
    page.text_input(key=f"{key}-between").set_value("17:00-07:00")
    page.text_input(key=f"{key}-on-days").set_value("sat, sun").run()
    assert "Next runs: tomorrow 12:00" in words(page)
    page.selectbox(key=f"{key}-dark").set_value("wait").run()
    assert "Next runs: tomorrow 07:00" in words(page)
    page.selectbox(key=f"{key}-overlap").set_value("queue-one")
    click(page, f"{key}-act")
    (after,) = trained.retraining.schedules(VIEWER)
    assert after.guards == Guards(overlap="queue-one", not_between="17:00-07:00", not_on="sat, sun", in_blackout="wait")
    assert newest(trained).after["not_between"] == "17:00-07:00"


def test_a_schedule_says_once_when_it_runs(trained: Services, open_page: OpenPage) -> None:
    for name, cron in (("daily", "0 6 * * *"), ("weekly", "0 7 * * 1")):
        trained.retraining.save_schedule(
            SCIENTIST, ScheduleDraft(name=name, kind=ScheduleKind.CRON, expression=cron, zone="UTC", recipe="refresh")
        )  # fmt: skip
    for one in trained.retraining.schedules(WORKER):
        trained.retraining.plan(WORKER, one, following(one, trained.context.clock.now()))
    slots = trained.retraining.room(SCIENTIST, ahead=timedelta(days=31)).slots[:6]
    assert len({one.schedule_id for one in slots}) < len(slots)
    said = words(open_page("retraining", "viewer"))
    for why in {one.why for one in slots}:
        assert said.count(f":gray[{why}]") == 1
