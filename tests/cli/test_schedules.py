"""Schedules by command: made, changed, paused, resumed, run, each in the ledger; nonsense in one sentence."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from mlops_dash.bootstrap import Services
from mlops_dash.domain.audit import Action
from mlops_dash.domain.retraining import Recipe
from tests.cli.conftest import Run
from tests.factories import ADMIN

MODEL = 'handling "minutes"'
MONDAYS = ("--cron", "0 6 * * 1", "--zone", "Europe/Berlin")


@pytest.fixture
def theirs(house: Services) -> Services:
    """A house with another team's model and recipe."""
    house.registry.add_model(ADMIN, MODEL, task="regression", reason="test")
    house.retraining.save_recipe(ADMIN, Recipe("weekly", MODEL, "{python} train.py"))
    return house


def listed(run: Run) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("schedule", "list", "--json")[1])
    return found


def test_a_schedule_goes_its_whole_way_and_every_step_is_in_the_ledger(theirs: Services, run: Run) -> None:
    assert run("schedule", "list")[:2] == (0, "There is no schedule yet.\n")
    code, out, _ = run("schedule", "add", "mondays", "--recipe", "weekly", *MONDAYS)
    assert (code, out.splitlines()[0]) == (0, "mondays is saved: Mondays at 06:00 (Berlin).")
    assert len(out.splitlines()) == 6, "with its next five runs"
    assert all(re.fullmatch(r"  \d{1,2} \w{3} \d{4}, 06:00 CES?T", one) for one in out.splitlines()[1:]), out
    (kept,) = listed(run)
    assert (kept["model"], kept["recipe"], kept["state"]) == (MODEL, "weekly", "not planned yet: a worker does")
    assert run("schedule", "edit", "mondays", "--every", "6h", "--rename", "often")[0] == 0
    (after,) = listed(run)
    assert (after["id"], after["name"], after["when"], after["recipe"]) == (kept["id"], "often", "every 6 h", "weekly")
    assert json.loads(run("schedule", "pause", "often", "--reason", "labels are late", "--json")[1])["enabled"] is False
    assert "paused: labels are late" in run("schedule", "list")[1]
    assert run("schedule", "resume", "often", "--reason", "they came")[0] == 0
    _, out, _ = run("schedule", "pause", "often", "--reason", "rest", "--until", "2099-01-31T06:00:01.5+00:00")
    assert out == "often is paused until 31 Jan 2099, 07:00 CET.\n"
    assert "paused until 31 Jan 2099, 07:00 CET: rest" in run("schedule", "list")[1]
    assert "until 2099-01-31T06:00:01.5" in listed(run)[0]["state"]
    assert run("schedule", "resume", "often", "--reason", "they came")[0] == 0
    job = json.loads(run("schedule", "run", "often", "--json")[1])["job"]
    assert theirs.jobs.job(ADMIN, job).recipe == "weekly"
    actions = [entry.action for entry in theirs.audit.entries(ADMIN).entries[:5]]
    assert actions == [
        Action.JOB_REQUESTED, Action.SCHEDULE_RESUMED, Action.SCHEDULE_PAUSED, Action.SCHEDULE_RESUMED,
        Action.SCHEDULE_PAUSED,
    ]  # fmt: skip


def test_triggers_and_what_holds_them_back_are_said_and_kept(theirs: Services, run: Run) -> None:
    words = ("--recipe", "weekly", "--cooldown", "6h", "--runs-a-month", "4")
    code, out, _ = run("schedule", "add", "fresh", "--on-labels", "500", *words, "--dry-run", "--since", "2020-01-31")
    assert code == 0
    assert "when 500 new labels have come, not within 6 h of the last run, at most 4 runs a month" in out
    assert "It would have run 0 times since 2020-01-31." in out
    assert run("schedule", "add", "fresh", "--on-labels", "500", *words)[0] == 0
    (kept,) = listed(run)
    assert (kept["kind"], kept["cooldown_seconds"], kept["runs_a_month"], kept["state"]) == (
        "labels",
        21_600,
        4,
        "waits",
    )
    assert run("schedule", "edit", "fresh", "--cooldown", "0", "--then", "propose")[0] == 0
    (kept,) = listed(run)
    assert (kept["cooldown_seconds"], kept["runs_a_month"], kept["model"], kept["then"]) == (0, 4, MODEL, "propose")
    assert kept["when"].endswith("; proposed when it passes all gates")
    code, out, _ = run("schedule", "add", "file", "--recipe", "weekly", "--on-file", "/data/new", "--dry-run",
                       "--since", "2020-01-31")  # fmt: skip
    assert "Nobody can know how often it would have run before." in out


def test_a_dry_run_says_the_next_runs_and_stores_nothing(theirs: Services, run: Run) -> None:
    code, out, _ = run("schedule", "add", "mondays", "--recipe", "weekly", *MONDAYS, "--dry-run", "--json")
    said = json.loads(out)
    assert (code, len(said["next"]), said["when"]) == (0, 5, "Mondays at 06:00 (Berlin)")
    assert listed(run) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "s", "--recipe", "weekly", "--cron", "0 6 31 2 *"), "names a day that no month has"),
        (("add", "s", "--recipe", "weekly", "--every", "soon"), "The interval 'soon' cannot be read."),
        (("add", "s", "--recipe", "weekly", "--once", "2001-01-01T00:00+00:00"), "has passed"),
        (("add", "s", "--recipe", "monthly", "--every", "6h"), "There is no recipe 'monthly'."),
        (("add", "s", "--recipe", "weekly", "--every", "6h", "--zone", "Mars"), "The time zone 'Mars' is not known."),
        (("add", "s", "--recipe", "weekly", "--on-labels", "none"), "'none' is no number of labels."),
        (("add", "s", "--recipe", "weekly", "--on-file", "labels.csv"), "is no absolute path."),
        (("add", "s", "--recipe", "weekly", "--every", "6h", "--runs-a-month", "-1"), "That budget cannot be used."),
        (("add", "s", "--recipe", "weekly", "--on-labels", "5", "--since", "soon"), "The date 'soon' cannot be read."),
        (("edit", "s", "--every", "6h"), "There is no schedule 's'."),
        (("pause", "s", "--reason", "x"), "There is no schedule 's'."),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(theirs: Services, run: Run, words: tuple[str, ...], said: str) -> None:
    code, _, err = run("schedule", *words)
    assert (code, said in err, len(err.splitlines())) == (2, True, 1)
    assert listed(run) == []


def test_an_edit_of_nothing_is_said(theirs: Services, run: Run) -> None:
    run("schedule", "add", "mondays", "--recipe", "weekly", *MONDAYS)
    assert "Nothing says what to change." in run("schedule", "edit", "mondays")[2]


def test_hours_and_days_when_nothing_starts_are_said_before_they_are_kept(theirs: Services, run: Run) -> None:
    words = ("--recipe", "weekly", "--cron", "0 23 * * *", "--zone", "Europe/Berlin")
    dark = ("--not-between", "22:00-06:00", "--not-on", "sat, sun, holidays=2026-12-24..2027-01-02")
    code, out, _ = run("schedule", "add", "nightly", *words, *dark, "--in-blackout", "wait", "--dry-run", "--json")
    said = json.loads(out)
    assert code == 0
    assert all(at[11:16] in {"05:00", "04:00"} for at in said["next"]), "at the end of the night"
    assert said["when"].endswith("not on sat, sun, holidays=2026-12-24..2027-01-02 (then it waits)")
    assert run("schedule", "add", "nightly", *words, *dark, "--overlap", "skip")[0] == 0
    (kept,) = listed(run)
    assert (kept["not_between"], kept["overlap"], kept["in_blackout"]) == ("22:00-06:00", "skip", "skip")
    assert run("schedule", "edit", "nightly", "--not-between", "none", "--not-on", "none")[0] == 0
    (kept,) = listed(run)
    assert (kept["not_between"], kept["not_on"], kept["overlap"]) == ("", "", "skip")
    code, _, complaint = run("schedule", "edit", "nightly", "--not-on", "someday")
    assert code == 2
    assert complaint.startswith("The day 'someday' cannot be read.")


def test_one_after_another_and_one_that_is_called(theirs: Services, run: Run) -> None:
    theirs.retraining.save_recipe(ADMIN, Recipe("features", MODEL, "{python} features.py"))
    assert run("schedule", "add", "then", "--recipe", "weekly", "--after", "features")[0] == 0
    code, _, complaint = run("schedule", "add", "round", "--recipe", "features", "--after", "weekly")
    assert code == 2
    assert complaint.startswith("features would start itself again: weekly follows it already.")
    assert run("schedule", "add", "loaded", "--recipe", "weekly", "--on-call")[0] == 0
    assert run("schedule", "call", "loaded", "--dry-run")[1] == "It would start a run now.\n"
    first = json.loads(run("schedule", "call", "loaded", "--key", "march", "--json")[1])
    assert json.loads(run("schedule", "call", "loaded", "--key", "march", "--json")[1])["job"] == first["job"]
    code, _, complaint = run("schedule", "call", "loaded", "--key", "april")
    assert (code, "is queued already" in complaint) == (2, True)
    assert run("schedule", "call", "then")[2].startswith("The schedule then runs after features made a version;")


def test_a_backfill_is_planned_asked_for_listed_and_cancelled(theirs: Services, run: Run) -> None:
    words = ("backfill", "weekly", "--from", "2026-01-31", "--to", "2026-05-01", "--every", "month")
    code, out, _ = run(*words, "--dry-run")
    assert (code, len(out.splitlines())) == (0, 5)
    assert "weekly would make 4 versions; nobody knows how long: the recipe has not run yet." in out
    assert "  as of 2026-02-28 00:00, judged until 2026-03-31 00:00 UTC" in out
    assert run("backfill", "--list")[1] == "There is no backfill yet.\n"
    asked = json.loads(run(*words, "--parallel", "2", "--json")[1])
    assert "weekly" in run("backfill", "--list")[1]
    code, out, _ = run("backfill", "--show", asked["id"])
    assert (code, out) == (1, "0 of 4 versions are trained.\n")
    assert run("backfill", "--cancel", asked["id"], "--reason", "enough")[1] == "4 runs cancelled.\n"
    assert json.loads(run("backfill", "--list", "--json")[1])[0]["finished"] is True
    for wrong in (("backfill",), ("backfill", "weekly"), ("backfill", "weekly", "--from", "soon")):
        assert run(*wrong)[0] == 2, wrong
