"""`report schedule`, `send`, `deliveries` and `resend`: made, listed, changed, sent and ended by words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from mlops_dash import cli
from mlops_dash.cli import deliveries as words
from mlops_dash.domain.reports.plans import Plan
from mlops_dash.services.command import Context
from mlops_dash.services.reports import ReportService
from mlops_dash.services.retraining import RetrainingService
from tests import factories
from tests.factories import VIEWER, WORKER
from tests.services.reports_shared import MODEL, shared_report

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def house(context: Context) -> SimpleNamespace:
    shared_report(context)
    return SimpleNamespace(context=context, reports=ReportService(context), retraining=RetrainingService(context))


@pytest.fixture
def run(house: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setattr(words, "services", lambda: house)
    monkeypatch.setattr(words, "actor", lambda made: factories.SCIENTIST)

    def call(*said: str) -> tuple[int, str, str]:
        code = cli.main(["report", *said])
        heard = capsys.readouterr()
        return code, heard.out, heard.err

    return call


def test_a_schedule_is_made_listed_edited_paused_run_and_removed(run: Run, house: SimpleNamespace) -> None:
    add = ("schedule", "add", "board", "--kind", "card", "--model", MODEL, "--cron", "0 7 * * 1",
           "--zone", "Europe/Vienna", "--to", "ada@example.com", "--to", "folder:board", "--format", "pdf",
           "--only-changed")  # fmt: skip
    code, out, error = run(*add, "--json")
    made = json.loads(out)
    assert (code, error) == (0, "")
    assert made["when"] == "Mondays at 07:00 (Vienna)"
    assert made["next"][0] == "2013-06-10T05:00:00+00:00"
    assert (made["to"], made["formats"], made["only_changed"]) == (["ada@example.com", "folder:board"], ["pdf"], True)
    assert run(*add)[0] == 2, "the name is taken"

    code, out, _ = run(
        "schedule", "edit", "board", "--every", "7d", "--to", "folder:board", "--format", "json", "--always"
    )
    assert code == 0
    assert out.startswith(f"board: Model card of {MODEL} to folder:board, every 7 d.")
    assert re.fullmatch(r"  \d{1,2} Jun 2013, \d\d:\d\d CEST", out.splitlines()[1]), out
    (kept,) = house.retraining.schedules(VIEWER)
    plan = Plan.of(kept.arguments)
    assert (plan.only_changed, plan.owner) == (False, "scientist")
    house.reports.prepare(WORKER, "job", "schedule board", kept.arguments)
    house.reports.deliver(WORKER)
    (listed,) = json.loads(run("schedule", "list", "--json")[1])
    assert (listed["last"]["state"], listed["last"]["recipient"]) == ("sent", "folder:board")
    assert "last sent" in run("schedule", "list")[1]

    assert "sends nothing for now" in run("schedule", "pause", "board", "--reason", "rest")[1]
    assert "paused: rest" in run("schedule", "list")[1]
    assert run("schedule", "resume", "board", "--reason", "go on")[0] == 0
    assert run("schedule", "run", "board", "--reason", "to try")[0] == 0
    assert run("schedule", "remove", "board", "--reason", "over")[1] == "board is gone.\n"
    assert run("schedule", "list")[1] == "No report is sent by a schedule yet.\n"
    assert run("schedule", "pause", "board", "--reason", "x")[2].startswith("No schedule 'board' sends a report.")


def test_a_recipient_gets_the_level_that_is_said_and_keeps_it_through_an_edit(run: Run, house: SimpleNamespace) -> None:
    add = ("schedule", "add", "board", "--kind", "card", "--model", MODEL, "--every", "7d",
           "--to", "ada@example.com as executive", "--to", "risk@example.com as audit, team@example.com")  # fmt: skip
    made = json.loads(run(*add, "--json")[1])
    levels = {"ada@example.com": "executive", "risk@example.com": "audit"}
    assert (made["to"], made["levels"]) == ([*levels, "team@example.com"], levels)
    assert json.loads(run("schedule", "edit", "board", "--every", "1d", "--json")[1])["levels"] == levels
    assert "ada@example.com as executive, risk@example.com as audit" in run("schedule", "list")[1]
    (kept,) = house.retraining.schedules(VIEWER)
    house.reports.prepare(WORKER, "job", "schedule board", kept.arguments)
    sent = json.loads(run("deliveries", "--json")[1])
    assert {one["recipient"]: one["level"] for one in sent} == {**levels, "team@example.com": "technical"}


def test_a_kept_report_is_sent_and_sent_again_and_the_log_says_so(run: Run, house: SimpleNamespace) -> None:
    (line,) = house.reports.room(VIEWER).lines
    code, out, _ = run("send", line.sha256[:8], "--to", "folder:board", "--reason", "she asked", "--json")
    (sent,) = json.loads(out)
    assert (code, sent["state"], sent["formats"]) == (0, "sent", ["html"])
    (logged,) = json.loads(run("deliveries", "--json")[1])
    assert logged["id"] == sent["id"]
    assert "folder:board" in run("deliveries")[1]
    code, _, error = run("resend", sent["id"], "--reason", "again")
    assert (code, error) == (2, "This delivery is sent. Reload the page.\n")


@pytest.mark.parametrize("wrong", [
    ("schedule", "add", "x", "--kind", "weekly", "--cron", "0 7 * * 1", "--to", "a@b.org"),
    ("schedule", "add", "x", "--kind", "fleet", "--cron", "0 7 * *", "--to", "a@b.org"),
    ("schedule", "add", "x", "--kind", "fleet", "--every", "soon", "--to", "a@b.org"),
    ("schedule", "add", "x", "--kind", "fleet", "--every", "7d", "--to", "ada"),
    ("schedule", "add", "x", "--kind", "fleet", "--every", "7d", "--to", "channel:none"),
    ("send", "gone", "--to", "a@b.org", "--reason", "why"),
    ("resend", "gone", "--reason", "why"),
])  # fmt: skip
def test_what_cannot_be_is_one_sentence_and_changes_nothing(
    run: Run, house: SimpleNamespace, wrong: tuple[str, ...]
) -> None:
    code, out, error = run(*wrong)
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert house.retraining.schedules(VIEWER) == ()
    assert house.reports.deliveries(VIEWER) == ()
