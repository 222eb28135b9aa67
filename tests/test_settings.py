from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlops_dash import settings
from mlops_dash.errors import InvalidInput


def test_settings_default_to_sqlite_files_and_loopback(tmp_path: Path) -> None:
    made = settings.from_environment({"MLOPS_DASH_HOME": str(tmp_path / "home")})

    assert made.database_url == f"sqlite:///{tmp_path}/home/app.db"
    assert made.log_database_url == f"sqlite:///{tmp_path}/home/log.db"
    assert made.on_loopback
    assert made.mlflow_is_ours


def test_a_postgres_address_serves_both_databases(tmp_path: Path) -> None:
    url = "postgresql://u@127.0.0.1/x"

    made = settings.from_environment({"MLOPS_DASH_HOME": str(tmp_path), "MLOPS_DASH_DATABASE_URL": url})

    assert (made.database_url, made.log_database_url) == (url, url)


def test_a_foreign_mlflow_is_not_ours_to_start(tmp_path: Path) -> None:
    made = settings.from_environment({"MLOPS_DASH_HOME": str(tmp_path), "MLFLOW_TRACKING_URI": "http://127.0.0.1:5000"})

    assert not made.mlflow_is_ours
    assert made.mlflow_uri == "http://127.0.0.1:5000"


@pytest.mark.parametrize(
    ("name", "value"),
    [("MLOPS_DASH_UI_PORT", "eighty"), ("MLOPS_DASH_UI_PORT", "70000"), ("MLOPS_DASH_ALLOW_PICKLE", "perhaps")],
)
def test_a_value_that_cannot_be_used_is_named(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(InvalidInput, match=name):
        settings.from_environment({"MLOPS_DASH_HOME": str(tmp_path), name: value})


def test_the_ledger_key_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    environ = {"MLOPS_DASH_HOME": str(tmp_path)}
    with ThreadPoolExecutor(8) as pool:
        keys = {made.ledger_key for made in pool.map(lambda _: settings.from_environment(environ), range(8))}

    assert len(keys) == 1
    assert len(keys.pop()) == 64
    assert (tmp_path / "ledger.key").stat().st_mode & 0o077 == 0
    assert [file.name for file in tmp_path.iterdir()] == ["ledger.key"]


def test_a_home_that_cannot_be_made_is_a_clear_sentence(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("x")

    with pytest.raises(InvalidInput, match="cannot be made"):
        settings.from_environment({"MLOPS_DASH_HOME": str(blocker / "home")})


def test_without_a_home_a_checkout_keeps_its_files_under_data_local() -> None:
    root = settings.checkout_root()

    assert root is not None
    assert settings.default_home({}) == root / "data" / "local"
    assert os.path.commonpath([root, Path(__file__)]) == str(root)


def test_the_program_finds_its_pages_and_its_data_wherever_it_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.parquet").touch()

    assert (settings.app_root() / "app" / "asgi.py").is_file()
    assert settings.data_file("data/flights-2013.parquet", tmp_path).is_file()
    assert settings.data_file("mine.parquet", tmp_path) == tmp_path / "mine.parquet"
    assert settings.data_file("nowhere.parquet", tmp_path) == Path("nowhere.parquet")


def test_mlflows_own_database_is_read_where_it_is_ours_or_configured(tmp_path: Path) -> None:
    home = {"MLOPS_DASH_HOME": str(tmp_path)}
    outside = {**home, "MLFLOW_TRACKING_URI": "http://127.0.0.1:5000"}
    configured = {**outside, "MLOPS_DASH_MLFLOW_DATABASE_URL": "postgresql://u@127.0.0.1/mlflow"}

    assert settings.from_environment(home).mlflow_database_url == f"sqlite:///{tmp_path}/mlflow.db"
    assert settings.from_environment(outside).mlflow_database_url == ""
    assert settings.from_environment(configured).mlflow_database_url == "postgresql://u@127.0.0.1/mlflow"
