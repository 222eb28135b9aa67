from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlops_dash import cli
from mlops_dash.bootstrap import Services
from mlops_dash.cli import up
from mlops_dash.domain.access import Role
from mlops_dash.settings import Settings
from mlops_dash.store.db import transaction
from tests.cli.conftest import Run
from tests.factories import ADMIN, model_row, version_row
from tests.tampering import unguarded


def test_db_check_is_fine_after_an_upgrade(house: Services, run: Run) -> None:
    assert run("db", "upgrade")[0] == 0

    code, out, _ = run("db", "check")

    assert (code, out) == (0, "app: ok\nlog: ok\n")


def test_db_check_names_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setenv("MLOPS_DASH_HOME", str(tmp_path / "empty"))

    code, _, error = run("db", "check")

    assert code == 1
    assert "add table: ledger" in error
    assert "mlops-dash db upgrade" in error


def test_audit_verify_says_ok_and_finds_a_changed_entry(
    house: Services, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.access.create_user(ADMIN, "ada", role=Role.LEAD, password="four short words", reason="joins")
    assert run("audit", "verify") == (0, "ok 1 entries\n", "")  # nothing of ours is kept on a server of others
    monkeypatch.setenv("MLOPS_DASH_LEDGER_IN_MLFLOW", "1")
    code, out, said = run("audit", "verify")
    assert (code, out) == (0, "ok 1 entries\n")
    assert "copy of the head in MLflow" in said  # nobody answers there

    with transaction(house.context.databases.app) as session:
        unguarded(session).connection().exec_driver_sql("UPDATE ledger SET reason = 'nothing'")

    code, out, _ = run("audit", "verify")
    assert code == 1
    assert "entry 1 is bad" in out


def test_user_add_role_and_token(house: Services, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Typed:
        @staticmethod
        def isatty() -> bool:
            return False

        @staticmethod
        def readline() -> str:
            return "four short words\n"

    monkeypatch.setattr("sys.stdin", Typed)

    assert run("user", "add", "ada", "--role", "scientist")[0] == 0
    assert run("user", "role", "ada", "lead", "--reason", "leads the team now")[1] == "ada is now lead.\n"
    code, secret, _ = run("user", "token", "ada")

    assert code == 0
    assert house.access.actor_for_token(secret.strip()).role is Role.LEAD


def test_a_token_says_who_types(house: Services, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    house.access.create_user(ADMIN, "vera", role=Role.VIEWER, password="four short words", reason="reads")
    monkeypatch.setenv("MLOPS_DASH_TOKEN", house.access.issue_token(ADMIN, "vera", label="laptop").secret)

    code, _, error = run("user", "role", "vera", "admin", "--reason", "why not")

    assert code == 2
    assert "vera may not do users:edit" in error


def test_a_token_that_is_wrong_is_refused(house: Services, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_DASH_TOKEN", "mld_wrong")

    code, _, error = run("audit", "verify")

    assert code == 2
    assert "Traceback" not in error


def test_gate_of_an_unknown_version_is_an_error_and_exit_3(house: Services, run: Run) -> None:
    with transaction(house.context.databases.app) as session:
        session.add(model_row())

    code, _, error = run("gate", "--model", "flight-delay", "--version", "9")

    assert code == 3
    assert error.strip()
    assert "Traceback" not in error


def test_gate_json_has_the_documented_shape(house: Services, run: Run) -> None:
    with transaction(house.context.databases.app) as session:
        session.add(model_row())
        session.flush()
        session.add(version_row("1"))

    code, out, _ = run("gate", "--model", "flight-delay", "--version", "1", "--json")

    said = json.loads(out)
    assert code == {"pass": 0, "fail": 1, "needs_approval": 2, "error": 3}[said["outcome"]]
    assert {"model", "version", "champion", "outcome", "advisory", "gates"} <= set(said)
    assert {"name", "state", "value", "low", "high", "limit", "n", "method", "reason"} <= set(said["gates"][0])


def test_monitor_json_of_a_model_without_traffic_knows_nothing(house: Services, run: Run) -> None:
    with transaction(house.context.databases.app) as session:
        session.add(model_row())

    code, out, _ = run("monitor", "--model", "flight-delay", "--json")

    said = json.loads(out)
    assert code == 0
    assert {"model", "version", "verdict", "sentence", "windows", "alerts"} <= set(said)
    assert said["verdict"] == "not_known"


def test_a_surprise_is_an_incident_in_the_log_and_never_a_traceback(
    house: Services, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(type(house.audit), "verify", breaks)

    code, _, error = run("audit", "verify")

    incident = error.split("incident ")[1].split(")")[0]
    assert code == 1
    assert "boom" not in error
    log = (house.context.settings.logs / "cli.jsonl").read_text()
    assert incident in log
    assert "RuntimeError: boom" in log


def test_jobs_of_an_empty_house_and_an_unknown_recipe(house: Services, run: Run) -> None:
    assert run("jobs") == (0, "", "")

    code, _, error = run("retrain", "nothing")

    assert code == 2
    assert "nothing" in error


@pytest.mark.parametrize("verb", ["approve", "reject", "promote"])
def test_deciding_without_a_proposal_says_so(house: Services, run: Run, verb: str) -> None:
    with transaction(house.context.databases.app) as session:
        session.add(model_row())

    code, _, error = run(verb, "--model", "flight-delay", "--reason", "because")

    assert code == 2
    assert "proposal" in error.lower()


def test_children_have_distinct_ports_health_and_logs_below_the_home(house: Services) -> None:
    made = up.with_free_ports(house.context.settings)
    children = up.our_children(made)

    assert [child.name for child in children] == ["gateway", "worker", "ui"]
    assert len({child.url for child in children}) == 3
    assert all(child.health_url == f"{child.url}/healthz" for child in children)
    assert all(made.home in child.log_path.parents for child in children)


def test_mlflow_starts_small_on_loopback(house: Services) -> None:
    child = up._mlflow_child(house.context.settings)

    assert child.argv[child.argv.index("--host") + 1] == "127.0.0.1"
    assert child.argv[child.argv.index("--workers") + 1] == "1"
    assert child.env["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_the_demo_refuses_a_foreign_mlflow(house: Services, run: Run) -> None:
    code, _, error = run("up", "--demo")

    assert code == 2
    assert "MLFLOW_TRACKING_URI" in error


def test_the_demo_has_a_home_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLOPS_DASH_HOME", "MLFLOW_TRACKING_URI", "MLOPS_DASH_DEMO", "MLOPS_DASH_MLFLOW_IS_OURS"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    given = Settings(
        home=tmp_path, database_url="sqlite://", log_database_url="sqlite://", mlflow_uri="", mlflow_is_ours=True
    )

    made = up.demo_home(given)

    assert made.home == (tmp_path / "demo").resolve()
    assert made.demo


def test_the_story_is_told_in_order() -> None:
    from mlops_dash.demo.story import FAST, FULL

    for story in (FAST, FULL):
        times = [story.first_at, story.start, story.hasty_at, story.rolled_back_at, story.last_day, story.end]
        assert times == sorted(times)
    assert FULL.end.astimezone(UTC) == datetime(2013, 12, 1, 5, tzinfo=UTC)  # December is left to play
    assert FULL.sweep_runs >= 24


def test_the_table_of_commands_names_what_each_file_registers() -> None:
    for module, names in cli.COMMANDS.items():
        registered = next(
            action for action in cli.parser(names[0])._actions if isinstance(action, argparse._SubParsersAction)
        )
        assert tuple(registered.choices) == names, module


def test_a_command_without_a_database_imports_none() -> None:
    code = "import sys; from mlops_dash import cli; cli.parser('drift'); print('sqlalchemy' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert said.stdout.strip() == "False"
