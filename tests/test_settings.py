from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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
    [
        ("MLOPS_DASH_UI_PORT", "eighty"), ("MLOPS_DASH_UI_PORT", "70000"), ("MLOPS_DASH_ALLOW_PICKLE", "perhaps"),
        *(("MLOPS_DASH_BATCH_ROWS", value) for value in ("0", "many", "true", "1.5", "[]", '{"a": 0}', '{"a": "64"}')),
        *(("MLOPS_DASH_GATEWAY_PROCESSES", value) for value in ("0", "65", "two", "-1", "1.5")),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_used_is_named(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(InvalidInput, match=name):
        settings.from_environment({"MLOPS_DASH_HOME": str(tmp_path), name: value})


@pytest.mark.parametrize(
    ("value", "rows", "of"),
    [("1", 1, ()), ("64", 64, ()), ('{"it\'s the \\"fast\\" one": 2, "b, c=d": 1}', 128,
                                   (('it\'s the "fast" one', 2), ("b, c=d", 1)))],
)  # fmt: skip
def test_rows_at_once_are_a_number_or_one_a_model(tmp_path: Path, value: str, rows: int, of: object) -> None:
    made = settings.from_environment({"MLOPS_DASH_HOME": str(tmp_path), "MLOPS_DASH_BATCH_ROWS": value})

    assert (made.batch_rows, made.batch_rows_of) == (rows, of)


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


def test_the_home_is_its_owners_alone_also_when_it_was_there_before(tmp_path: Path) -> None:
    for name in ("fresh", "old"):
        home = tmp_path / name
        if name == "old":
            home.mkdir(mode=0o755)
        settings.from_environment({"MLOPS_DASH_HOME": str(home)})
        assert home.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "address", ["file:///tmp/mlruns", "mlruns", "./mlruns", "htp://nowhere", "http://", "sqlite:////nowhere/x/m.db"]
)
def test_an_address_that_no_server_can_have_is_one_sentence_and_makes_no_folder(tmp_path: Path, address: str) -> None:
    with pytest.raises(InvalidInput, match="MLFLOW_TRACKING_URI"):
        settings.from_environment({"MLOPS_DASH_HOME": str(tmp_path), "MLFLOW_TRACKING_URI": address})
    assert not Path("/nowhere").exists()


@pytest.mark.parametrize("address", ["http://mlflow:5000", "https://u:p@ml.example/x", "postgresql+psycopg2://h/m"])
def test_addresses_of_servers_and_their_databases_are_taken(tmp_path: Path, address: str) -> None:
    made = settings.from_environment({"MLOPS_DASH_HOME": str(tmp_path), "MLFLOW_TRACKING_URI": f" {address} "})
    assert made.mlflow_uri == address


# What is wrong is one sentence


@pytest.mark.parametrize("name", settings.VARIABLES)
@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_variable_is_one_sentence_and_makes_no_folder(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{name} is empty.$"):
        settings.from_environment({"MLOPS_DASH_HOME": str(tmp_path / "home"), name: value})
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("name", ["DATABASE_URL", "LOG_DATABASE_URL", "MLFLOW_DATABASE_URL"])
@pytest.mark.parametrize("driver", ["sqlite", "sqlite+pysqlite"])
def test_a_mistyped_database_path_is_one_sentence_and_makes_no_folder(tmp_path: Path, name: str, driver: str) -> None:
    address = f"{driver}:///{tmp_path}/typo/x.db?timeout=3"
    with pytest.raises(InvalidInput, match=f"MLOPS_DASH_{name} names a file in .*typo, which does not exist"):
        settings.from_environment({"MLOPS_DASH_HOME": str(tmp_path / "home"), f"MLOPS_DASH_{name}": address})
    assert not (tmp_path / "typo").exists()


def test_a_database_where_its_folder_is_may_be_new(tmp_path: Path) -> None:
    address = f'sqlite:///{tmp_path}/mine\'s "new".db'
    made = settings.from_environment({"MLOPS_DASH_HOME": str(tmp_path), "MLOPS_DASH_DATABASE_URL": address})
    assert made.database_url == address


@contextmanager
def somebody_else() -> Iterator[None]:
    """Rights count for everybody but root."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_home_that_cannot_be_written_is_one_sentence() -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        Path(folder).chmod(0o755)
        home = Path(folder, "home")
        home.mkdir()
        (home / "ledger.key").write_text("k" * 64)
        home.chmod(0o555)
        with somebody_else(), pytest.raises(InvalidInput, match=r"The folder .*home cannot be written: Permission"):
            settings.from_environment({"MLOPS_DASH_HOME": str(home)})
        home.chmod(0o755)


@pytest.mark.parametrize("value", ["10.0.0.300", "proxy.example", "10.0.0.1/8", "*"])
def test_proxies_are_addresses_and_networks(tmp_path: Path, value: str) -> None:
    with pytest.raises(InvalidInput, match="MLOPS_DASH_TRUSTED_PROXIES"):
        settings.from_environment({"MLOPS_DASH_HOME": str(tmp_path), "MLOPS_DASH_TRUSTED_PROXIES": value})


def test_proxies_are_listed_with_commas_or_spaces(tmp_path: Path) -> None:
    environ = {"MLOPS_DASH_HOME": str(tmp_path), "MLOPS_DASH_TRUSTED_PROXIES": "127.0.0.1, ::1 10.0.0.0/8"}
    assert settings.from_environment(environ).trusted_proxies == ("127.0.0.1/32", "::1/128", "10.0.0.0/8")


@pytest.mark.parametrize(("value", "by_flag"), [("1", False), ("true", False), (settings.DEMO_FLAG, True)])
def test_the_demo_knows_whether_it_was_asked_for_by_its_flag(tmp_path: Path, value: str, by_flag: bool) -> None:
    made = settings.from_environment({"MLOPS_DASH_HOME": str(tmp_path), "MLOPS_DASH_DEMO": value})
    assert (made.demo, made.demo_by_flag) == (True, by_flag)


# Files are their owner's alone


def test_files_of_this_process_are_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        settings.from_environment({"MLOPS_DASH_HOME": str(tmp_path)})
        (tmp_path / "model.bin").touch()
        (tmp_path / "logs").mkdir()
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o077 for path in tmp_path.rglob("*")] == [0, 0, 0]


def test_what_an_older_version_left_open_is_closed(tmp_path: Path) -> None:
    for name in ("models", "artifacts", "logs"):
        (tmp_path / name).mkdir()
    names = ("app.db", "app.db-wal", "log.db", "ledger.key", "ledger.anchor", "mlflow.db", "logs/ui.jsonl")
    for name in names:
        (tmp_path / name).write_text("k" * 64)
    for path in tmp_path.rglob("*"):
        path.chmod(0o777 if path.is_dir() else 0o666)
    (tmp_path / "link").symlink_to("/etc/hostname")

    settings.from_environment({"MLOPS_DASH_HOME": str(tmp_path)})

    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*") if not path.is_symlink()}
    assert modes == {
        **dict.fromkeys(("models", "artifacts", "logs"), 0o700),
        **dict.fromkeys((Path(name).name for name in names), 0o600),
    }
    assert Path("/etc/hostname").stat().st_mode & 0o044
