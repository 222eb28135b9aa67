"""A live test from the shell: designed on users and their revenue, started, read, stopped, for anybody's model."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlops_dash.bootstrap import Services
from mlops_dash.clock import wall_now
from mlops_dash.domain.ab_tests.assigning import draw, unit_key
from mlops_dash.store import ab_tests as store
from mlops_dash.store import prediction_log as log
from mlops_dash.store.db import transaction
from mlops_dash.store.tables.registry import ServingRow
from tests import factories
from tests.cli.conftest import Run
from tests.factories import ADMIN

MODEL = 'queue "minutes"'
USERS, DAYS = 1_200, 12


@pytest.fixture
def queue(house: Services) -> str:
    """A regression that we answer for, with a champion and another version."""
    with transaction(house.context.databases.app) as session:
        session.add(factories.model_row(MODEL, task="regression"))
        session.add_all([factories.version_row(one, model=MODEL) for one in ("1", "2")])
        session.flush()
        session.add(
            ServingRow(model=MODEL, version_id=f"{MODEL}-v1", shadow_version_ids=[], operation_id="o", since=wall_now())
        )
    return MODEL


def design(run: Run, *more: str) -> dict[str, Any]:
    code, out, err = run(
        "ab-test", "design", MODEL, "--challenger", "2", "--question", "Do people spend more?", "--planned-units",
        "1000", "--min-units", "100", "--exposure", "1", "--json", *more,
    )  # fmt: skip
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def play(house: Services, test_id: str, lift: float) -> None:
    """Twelve days of users and their revenue, as if the test had begun then."""
    begun = wall_now() - timedelta(days=DAYS)
    with transaction(house.context.databases.app) as session:
        test = store.get(session, test_id)
        store.change(session, test_id, test.revision, started_at=begun)
    key, rng = test.design.key, np.random.default_rng(2)
    predictions, scores, events = [], [], []
    for n in range(USERS):
        user, at = f"u'{n}", begun + timedelta(days=n * (DAYS - 4) / USERS)
        mine, us = draw(key, user) < test.design.share, log.to_us(at)
        predictions.append(log.Prediction(MODEL, f"p{n}", us, "b", n, unit_key(key, user),
                                          json.dumps({"plan": ["free", '<b>"pro"</b>'][n % 2]})))  # fmt: skip
        version, role = ("2", "arm") if mine else ("1", "champion")
        scores.append(log.Score(MODEL, f"p{n}", f"{MODEL}-v{version}", role, version, us, 12.0, us))
        amount = float(rng.gamma(2.0, 5.0) + lift * mine)
        events.append({"id": f"e{n}", "unit": user, "name": "revenue", "value": amount,
                       "at": (at + timedelta(hours=2)).isoformat()})  # fmt: skip
    with transaction(house.context.databases.log) as session:
        log.append(session, predictions, scores, marked_us=0)
    house.scoring.record_events(ADMIN, MODEL, events)
    with house.context.databases.log.begin() as connection:  # they came when they happened
        connection.exec_driver_sql("UPDATE event SET received_at_us = at_us")


def test_a_test_of_users_is_designed_started_read_and_stopped(house: Services, run: Run, queue: str) -> None:
    made = design(run, "--unit", "customer", "--outcome", "mean:revenue", "--also", "share:revenue", "--cuped",
                  "--auto-stop", "--segment", "plan")  # fmt: skip
    assert (made["state"], made["design"]["outcome"], made["design"]["entity"]) == (
        "designed", "higher:mean:revenue", "customer",
    )  # fmt: skip
    assert "key" not in made["design"]
    short = made["id"][:8]
    code, out, err = run("ab-test", "replay", short)
    assert (code, "v1 answered no row" in out) == (0, True), err
    assert short in run("ab-test", "list")[1]
    code, out, err = run("ab-test", "start", short, "--reason", "go")
    assert (code, "runs" in out) == (0, True), err
    assert "is paused" in run("ab-test", "pause", short, "--reason", "the shop is closed")[1]
    assert json.loads(run("ab-test", "resume", short, "--reason", "open", "--json")[1])["paused"] is False
    play(house, made["id"], lift=4.0)
    shown = json.loads(run("ab-test", "show", "--json")[1])
    assert shown["verdict"]["word"] == "ship"
    assert shown["reading"]["primary"]["low"] < 4.0 < shown["reading"]["primary"]["high"]
    said = run("ab-test", "show", short)[1]
    assert "revenue, sum a unit: +" in said
    assert '  plan = <b>"pro"</b>: ' in said
    code, out, err = run("ab-test", "stop", short, "--reason", "shown", "--json")
    assert (code, json.loads(out)["state"], len(json.loads(out)["evidence_ids"])) == (0, "stopped", 2), err
    words = ("--decision", "keep", "--reason", "the shop moves", "--learned", "it's the morning rush")
    assert "another lead must stand behind it" in run("ab-test", "decide", short, *words)[1]
    assert "two people" in run("ab-test", "second", short, "--reason", "me again")[2]
    (line,) = json.loads(run("ab-test", "archive", "morning", "revenue", "--verdict", "ship", "--json")[1])
    assert (line["outcome"], line["decision"]["settled"]) == ("higher:mean:revenue", False)
    assert "keep the control" in run("ab-test", "archive")[1]
    assert "No such test is over" in run("ab-test", "archive", "evening")[1]


def test_a_regressions_own_loss_is_the_default_and_others_are_refused(house: Services, run: Run, queue: str) -> None:
    assert design(run)["design"]["outcome"] == "mae"
    words = ("ab-test", "design", MODEL, "--challenger", "2", "--question", "?", "--planned-units", "1000")
    assert "no metric of" in run(*words, "--outcome", "brier")[2]
    assert "cannot be measured" in run(*words, "--outcome", "mode:x")[2]
    assert "Write OUTCOME=MARGIN" in run(*words, "--guardrail", "lower:share:complaint")[2]
    assert "by days" in run(*words, "--by-day", "--outcome", "mean:revenue", "--reading", "at_end")[2]
    assert "cannot be read" in run(*words, "--ramp", "0.1;0.2")[2]
    assert "does not rise" in run(*words, "--ramp", "0.2,0.1")[2]
    assert "called unit or challenger" in run(*words, "--segment", "unit")[2]
    assert "one unit" in run(*words, "--by-day", "--unit", "customer")[2]
    assert "No test begins" in run("ab-test", "show", "ffff")[2]


def test_nobody_is_told_an_outcome_while_the_test_is_blind(house: Services, run: Run, queue: str) -> None:
    made = design(run, "--unit", "customer", "--outcome", "mean:revenue", "--min-days", "20")
    run("ab-test", "start", made["id"], "--reason", "go")
    play(house, made["id"], lift=4.0)
    out = run("ab-test", "show", "--json")[1]
    shown = json.loads(out)
    assert (shown["verdict"]["word"], shown["reading"]["primary"]["value"]) == ("go_on", None)
    assert "of 20 ripe days" in shown["verdict"]["reason"]
    assert run("ab-test", "stop", made["id"], "--reason", "enough")[0] == 0
    assert json.loads(run("ab-test", "show", made["id"], "--json")[1])["verdict"]["word"] == "undecided"


def test_a_file_of_events_that_a_running_test_could_count_is_received_when_it_comes(
    house: Services, run: Run, queue: str, tmp_path: Path
) -> None:
    path, now = tmp_path / "paid.csv", wall_now()
    happened = [now - timedelta(days=one) for one in (9, 0.5)]

    def sent(who: str) -> list[bool]:
        """Of each event whether it was received when it happened."""
        rows = [f"{who},{at.isoformat()},7" for at in happened]
        path.write_text("\n".join(["who,when,paid", *rows]), encoding="utf-8")
        words = ("--model", MODEL, "--unit", "who", "--time", "when", "--event", "revenue", "--value", "paid")
        assert run("events", str(path), *words)[0] == 0
        with house.context.databases.log.begin() as connection:
            asked = "SELECT at_us = received_at_us FROM event WHERE unit = ? ORDER BY at_us"
            return [bool(one) for (one,) in connection.exec_driver_sql(asked, (who,))]

    short = design(run, "--unit", "customer", "--outcome", "mean:revenue")["id"][:8]
    assert sent("it's Ana") == [True, True]  # nothing runs: the file tells what was known when
    assert run("ab-test", "start", short, "--reason", "go")[0] == 0
    assert sent("Zoë") == [True, False]  # the test began just now; its exposure is a day
