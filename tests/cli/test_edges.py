"""What is mistyped, empty or closed is one sentence with exit 2 or 3: no traceback, no incident, no new folder."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from uvicorn.middleware.proxy_headers import _TrustedHosts

from mlops_dash import cli
from mlops_dash.bootstrap import Services
from mlops_dash.cli import up
from mlops_dash.domain.access import NOBODY
from mlops_dash.settings import app_root
from tests.factories import WORKER


def incidents(house: Services) -> list[str]:
    return [
        line
        for file in house.context.settings.logs.glob("*.jsonl")
        for line in file.read_text().splitlines()
        if '"incident"' in line
    ]


EMPTY = [
    ("gate", "--model", "", "--version", "1"),
    ("gate", "--model", "m", "--version="),
    ("monitor", "--model", " "),
    ("propose", "--model", "", "--version", "", "--reason", ""),
    ("approve", "--model=", "--reason", "x"),
    ("rollback", "--model", "m", "--reason", ""),
    ("retrain", ""),
    ("jobs", "log", ""),
    ("user", "add", ""),
    ("user", "add", "ada", "--display-name", ""),
    ("user", "role", "", "lead", "--reason", "x"),
    ("user", "token", "ada", "--label="),
    ("runs", "--experiment", ""),
    ("runs", "compare", "", "b"),
    ("ab", "", "--variant", "v", "--metric", "m"),
    ("report", "check", ""),
    ("bench", "pages", "--url", ""),
]


@pytest.mark.parametrize("words", EMPTY, ids=" ".join)
def test_an_empty_word_is_one_sentence(
    house: Services, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    code = cli.main(words)
    said = capsys.readouterr()
    assert code == (3 if words[0] == "gate" else 2)
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert "is empty" in said.err
    assert incidents(house) == []


def test_an_option_that_no_command_has_is_exit_2_without_a_word_of_ours(house: Services) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["up", "--tracking-uri", ""])
    assert ended.value.code == 2
    assert incidents(house) == []


@pytest.mark.parametrize(
    ("process", "name", "value", "said"),
    [
        ("cli up", "MLOPS_DASH_DEMO", "", "MLOPS_DASH_DEMO is empty. Give it a value, or unset it."),
        (
            "cli ui",
            "MLOPS_DASH_DATABASE_URL",
            "sqlite:///{tmp}/typo/x.db",
            "typo, which does not exist. Check the path.",
        ),
        ("gateway", "MLFLOW_TRACKING_URI", "", "MLFLOW_TRACKING_URI is empty."),
        (
            "worker",
            "MLOPS_DASH_DATABASE_URL",
            "sqlite:///{tmp}/typo/x.db",
            "typo, which does not exist. Check the path.",
        ),
    ],
)  # which sentence a fault gets, whoever reads the settings: tests/test_settings.py
def test_every_process_says_what_is_wrong_with_its_settings(
    tmp_path: Path, process: str, name: str, value: str, said: str
) -> None:
    module, *words = process.split()
    ended = started(["-m", f"mlops_dash.{module}", *words], tmp_path, {name: value.format(tmp=tmp_path)})
    assert ended.returncode == 2
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "typo").exists()


def test_the_ui_alone_says_what_is_wrong_with_its_settings(tmp_path: Path) -> None:
    ended = started(["-c", "import app.asgi"], tmp_path, {"MLOPS_DASH_DEMO": "", "PYTHONPATH": str(app_root())})
    assert (ended.returncode, ended.stderr) == (2, "ui: MLOPS_DASH_DEMO is empty. Give it a value, or unset it.\n")


def started(words: list[str], home: Path, changes: dict[str, str]) -> subprocess.CompletedProcess[str]:
    ours = {name: text for name, text in os.environ.items() if not name.startswith(("MLOPS_DASH_", "MLFLOW_TRACKING"))}
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=90, check=False,
        env={**ours, "MLOPS_DASH_HOME": str(home / "home"), **changes},
    )  # fmt: skip


def test_the_ui_itself_decides_which_proxies_are_believed(house: Services) -> None:
    """Uvicorn would believe every proxy on this machine."""
    (ui,) = (child for child in up.our_children(house.context.settings) if child.name == "ui")
    assert ui.env["FORWARDED_ALLOW_IPS"] == ""
    assert "10.0.0.5" not in _TrustedHosts(ui.env["FORWARDED_ALLOW_IPS"])
    assert "127.0.0.1" not in _TrustedHosts(ui.env["FORWARDED_ALLOW_IPS"])


# The first admin's link


def added(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    monkeypatch.setattr("sys.stdin", io.StringIO("four short words here\n"))
    assert cli.main(["user", "add", *words]) == 0
    return capsys.readouterr().out


def test_adding_somebody_says_that_the_first_link_is_void(
    house: Services, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = house.access.create_first_admin_link(WORKER)
    said = added(capsys, monkeypatch, "vera")
    assert said.splitlines() == [
        "vera may log in as viewer.",
        "The first administrator's link that `mlops-dash up` printed is void now, since somebody is known.",
        "Nobody is an administrator yet. Run: mlops-dash user add NAME --role admin",
    ]
    assert house.access.link_is_for(NOBODY, str(secret)) is None
    assert added(capsys, monkeypatch, "ada", "--role", "admin") == "ada may log in as admin.\n"


def test_the_first_admin_is_told_once_that_the_link_is_void(
    house: Services, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    house.access.create_first_admin_link(WORKER)
    said = added(capsys, monkeypatch, "ada", "--role", "admin")
    assert said.count("\n") == 2
    assert "is void now" in said
    assert added(capsys, monkeypatch, "bob") == "bob may log in as viewer.\n"


def test_without_a_link_nothing_is_said(
    house: Services, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert added(capsys, monkeypatch, "ada") == "ada may log in as viewer.\n"
