"""Migrations make exactly the tables of the code, on SQLite and Postgres, once, even when three processes start."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy.exc import OperationalError
from sqlmodel import text

from mlops_dash.domain.deputies import Deputy
from mlops_dash.domain.registry.records import Approval, Proposal
from mlops_dash.domain.registry.rollouts import Stage
from mlops_dash.domain.reports.remarks import Remark, RemarkKind, standing
from mlops_dash.domain.reports.snapshot import Report, ReportKind, ReportLine, week_ending
from mlops_dash.domain.words import ProposalState
from mlops_dash.errors import StoreUnavailable
from mlops_dash.store import deputies, migrate, registry, remarks, reports
from mlops_dash.store.db import Databases, connect, transaction
from mlops_dash.store.prediction_log import Prediction, append, keeps_earlier_names
from mlops_dash.store.tables.access import UserRow
from mlops_dash.store.tables.jobs import RecipeRow
from tests import factories
from tests.factories import NOON

WEEK = week_ending(date(2013, 6, 1), "America/New_York")
SOURCE = Path(migrate.__file__).parents[2]


@pytest.fixture
def databases(database_url: str, tmp_path: Path) -> Iterator[Databases]:
    log_url = database_url.replace("app.db", "log.db")
    made = connect(factories.settings(tmp_path, database_url=database_url, log_database_url=log_url))
    yield made
    made.dispose()


def test_an_empty_database_is_not_current(databases: Databases) -> None:
    for state in migrate.check(databases):
        assert (state.revision, state.current) == ("", False)
        assert state.differences


def test_the_migrated_schema_equals_the_tables_of_the_code(databases: Databases) -> None:
    migrate.upgrade(databases)
    states = migrate.check(databases)
    assert [state.differences for state in states] == [(), ()]
    assert all(state.current and state.revision == state.head for state in states)


def test_upgrade_again_keeps_what_is_there(databases: Databases) -> None:
    migrate.upgrade(databases)
    with transaction(databases.app) as session:
        session.add(factories.model_row())
    migrate.upgrade(databases)
    with transaction(databases.app) as session:
        assert session.connection().execute(text("SELECT COUNT(*) FROM model")).scalar() == 1


def test_check_names_a_missing_and_a_foreign_column(databases: Databases) -> None:
    migrate.upgrade(databases)
    with transaction(databases.log) as session:
        session.connection().execute(text("ALTER TABLE label ADD COLUMN surprise TEXT"))
        session.connection().execute(text("ALTER TABLE manifest DROP COLUMN sha256"))
    app, log = migrate.check(databases)
    assert app.current
    assert not log.current
    assert any("remove column" in line and "surprise" in line for line in log.differences)
    assert any("add column" in line and "sha256" in line for line in log.differences)


def test_a_database_of_a_newer_version_is_refused(databases: Databases) -> None:
    migrate.upgrade(databases)
    with transaction(databases.app) as session:
        session.connection().execute(text("UPDATE alembic_version_app SET version_num = '9999'"))
    with pytest.raises(StoreUnavailable, match="9999") as caught:
        migrate.upgrade(databases)
    assert "newer mlops-dash" in caught.value.hint


def test_three_processes_that_start_at_once_do_not_collide(databases: Databases, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests import factories\n"
        "from mlops_dash.store import migrate; from mlops_dash.store.db import connect\n"
        "home, app, log = sys.argv[1:]\n"
        "made = connect(factories.settings(Path(home), database_url=app, log_database_url=log))\n"
        "migrate.upgrade(made); print([state.current for state in migrate.check(made)]); made.dispose()\n"
    )
    urls = [engine.url.render_as_string(hide_password=False) for engine in (databases.app, databases.log)]
    environment = {**os.environ, "PYTHONPATH": f"{SOURCE}{os.pathsep}{SOURCE.parent}"}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, tmp_path, *urls],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    answers = [process.communicate(timeout=90) for process in started]
    assert [answer[0].strip() for answer in answers] == ["[True, True]"] * 3, answers


def test_a_read_only_database_is_a_clear_error(tmp_path: Path) -> None:
    made = factories.settings(tmp_path)
    for name in ("app.db", "log.db"):
        with sqlite3.connect(tmp_path / name) as connection:
            connection.execute("CREATE TABLE other (x)")
        connection.close()
    made = factories.settings(
        tmp_path,
        database_url=f"sqlite:///file:{tmp_path / 'app.db'}?mode=ro&uri=true",
        log_database_url=f"sqlite:///file:{tmp_path / 'log.db'}?mode=ro&uri=true",
    )
    databases = connect(made)
    with pytest.raises(StoreUnavailable) as caught:
        migrate.upgrade(databases)
    assert "Make the file writable" in caught.value.hint
    databases.dispose()


def test_a_failed_upgrade_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    databases = connect(factories.settings(tmp_path))
    with transaction(databases.app) as session:
        session.connection().execute(text("CREATE TABLE user_account (x TEXT)"))  # collides in the middle
    with pytest.raises(OperationalError, match="already exists"):
        migrate.upgrade(databases)
    with sqlite3.connect(tmp_path / "app.db") as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    databases.dispose()
    assert tables == {"user_account"}


def test_a_recipe_of_the_time_when_the_runner_knew_the_flights_names_their_program(databases: Databases) -> None:
    migrate.upgrade(databases)
    now = datetime(2026, 3, 1, tzinfo=UTC)
    with transaction(databases.app) as session:
        session.add(RecipeRow(name="old", model="m", entry="flights", parameters={}, updated_at=now))
        session.add(RecipeRow(name="own", model="m", entry="team:train", parameters={}, updated_at=now))
    with databases.app.begin() as connection:  # as it was before: what later revisions added is taken away again
        command.downgrade(migrate._config("app", connection), "0001")
        connection.execute(text("UPDATE recipe SET entry = 'flights' WHERE name = 'old'"))
    migrate.upgrade(databases)
    with transaction(databases.app) as session:
        entries = dict(session.connection().execute(text("SELECT name, entry FROM recipe")).all())
    assert entries == {"old": "mlops_dash.demo.flights.train:train", "own": "team:train"}


def test_models_whose_rows_were_named_before_ids_began_with_their_time_keep_their_names(databases: Databases) -> None:
    migrate.upgrade(databases)
    known = Prediction('Sally\'s "gold"', "r1", 7, "b", 0, "", "{}")
    with databases.log.begin() as connection:
        command.downgrade(migrate._config("log", connection), "0009")
    with transaction(databases.log) as session:
        append(session, [known], [], marked_us=7)
    migrate.upgrade(databases)
    with transaction(databases.log) as session:
        append(session, [known._replace(model="later")], [], marked_us=7)
        assert keeps_earlier_names(session, known.model)
        assert not keeps_earlier_names(session, "later")


def test_proposals_approvals_and_remarks_of_before_deputies_and_withdrawals_are_kept(databases: Databases) -> None:
    """Down to where neither was known, with rows in it, and up again; and all of it twice."""
    migrate.upgrade(databases)
    now, line = factories.NOON, ReportLine("r", ReportKind.CARD, "flight-delay", WEEK, "0" * 64, "user:lead", NOON)
    wish = Proposal(
        "p", "flight-delay", "flight-delay-v1", None, ProposalState.OPEN, 1, "user:scientist", "été", "x", {}, ("e1",),
        None, now, now, stages=(Stage(0.1, minutes=60),),
    )  # fmt: skip
    sign = Remark("s", "r", RemarkKind.SIGN_OFF, "user:lead", "lead", "I stand behind it", now)
    with transaction(databases.app) as session:
        session.add(factories.model_row())
        session.flush()
        session.add(factories.version_row())
        session.flush()
        registry.add_proposal(session, wish)
        registry.put_approval(session, Approval("a", "p", "user:lead", "approve", "", "fine", "b", now))
        reports.add(session, Report(line, {"kind": "card"}))
        remarks.add(session, sign)
    for _ in range(2):
        with databases.app.begin() as connection:
            command.downgrade(migrate._config("app", connection), "0030")
        migrate.upgrade(databases)
        assert all(state.current and not state.differences for state in migrate.check(databases))
    with transaction(databases.app) as session:
        assert registry.proposal(session, "p") == wish
        assert [(one.approver, one.in_name_of) for one in registry.approvals(session, "p")] == [("user:lead", "")]
        assert remarks.remarks(session, "r") == (sign,)
        remarks.add(session, replace(sign, id="w", kind=RemarkKind.WITHDRAWN, text="wrong"))
        remarks.add(session, replace(sign, id="again"))  # what guards one sign-off an account lets go of the first
        assert [one.id for one in standing(remarks.remarks(session, "r"))] == ["again"]


def test_deputies_stand_from_until_or_until_they_are_ended(databases: Databases) -> None:
    migrate.upgrade(databases)
    day = timedelta(days=1)
    made = Deputy("d", "user:ada", "user:ben", NOON, NOON + 2 * day, "on leave", NOON)
    with transaction(databases.app) as session:
        for name in ("ada", "ben"):
            session.add(UserRow(id=f"user:{name}", name=name, role="lead", created_at=NOON))
        session.flush()
        deputies.add(session, made)
        found = {at: deputies.standing(session, NOON + at * day) for at in (-1, 0, 1, 2)}
        assert found == {-1: (), 0: (made,), 1: (made,), 2: ()}
        assert deputies.standing(session, NOON, deputy="user:ben") == (made,)
        assert deputies.standing(session, NOON, deputy="user:ada") == ()
        deputies.end(session, "d", at=NOON + day, by="user:ada")
        assert deputies.standing(session, NOON + day) == ()
        assert deputies.get(session, "d").ended_by == "user:ada"
