"""`bench pages`: one row a page with finite numbers, a process that ends with it, and words where nothing is known."""

from __future__ import annotations

import json
import math
import os
import subprocess
from pathlib import Path

import psutil
import pytest

from app.pages import PAGES
from mlops_dash import bootstrap, cli
from mlops_dash.bench import browser, pages
from mlops_dash.bench.pages import Crowd, PageCost, PagesBench
from mlops_dash.errors import Unavailable
from mlops_dash.settings import app_root, from_environment
from tests.factories import WORKER
from tests.machine import unmeasured

ROW = PageCost("audit", "Audit & admin", 31.4, (28.0, 40.2), 21.6, None, None, face="")


def bench_of(*rows: PageCost, crowd: Crowd | None = None, without: str = "") -> PagesBench:
    return PagesBench(rows, crowd, without, 2, (1.25, 8.0), pages.TARGETS)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLOPS_DASH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLOPS_DASH_DEMO", "1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    measured = os.environ.keys() - unmeasured().keys()  # what is timed is not traced
    for name in ("MLOPS_DASH_DATABASE_URL", "MLOPS_DASH_LOG_DATABASE_URL", pages.SESSION, *measured):
        monkeypatch.delenv(name, raising=False)
    made = bootstrap.build(from_environment())
    made.access.ensure_demo_users(WORKER)
    made.close()
    return tmp_path / "home"


def test_the_command_prints_one_row_a_page_with_finite_numbers_and_stops_what_it_started(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(browser, "why_not", lambda: "this test has no browser")
    monkeypatch.setattr(pages, "PEOPLE_SECONDS", 6.0)
    monkeypatch.delenv("MLOPS_DASH_DEMO")  # a demo's home is one by its accounts, in whatever shell

    code = cli.main(["bench", "pages", "--users", "2", "--json"])
    said = capsys.readouterr()
    assert code == 0, said.err
    answer = json.loads(said.out)
    assert [one["url"] for one in answer["pages"]] == [row.url for row in PAGES]
    for one in answer["pages"]:
        assert all(math.isfinite(one[name]) and one[name] > 0 for name in ("server_ms", "kilobytes"))
        assert one["first_s"] is None
    faces = {one["url"]: one["face"] for one in answer["pages"] if one["face"]}
    assert set(faces) <= {"experiments"}, faces  # MLflow does not answer in this test
    assert answer["browser"] == "this test has no browser"
    assert answer["crowd"]["people"] == 2
    assert answer["crowd"]["clicks"] >= 2
    assert 0 < answer["crowd"]["p50_s"] <= answer["crowd"]["p95_s"]
    assert answer["targets"] == dict(pages.TARGETS)
    left = [one.cmdline() for one in psutil.Process().children(recursive=True)]
    assert not [words for words in left if "streamlit" in words]


def test_the_table_names_targets_and_what_was_not_measured() -> None:
    text = bench_of(ROW, without="Playwright is not installed").table()
    assert "Audit & admin" in text
    assert "28-40" in text
    assert "21.6" in text
    assert "first, next: not measured, Playwright is not installed." in text
    assert "150 / 250" in text
    assert "Machine: 2 cores; load 1.2 at the start, 8.0 at the end." in text


def test_the_table_says_how_the_crowd_was_measured_and_which_page_failed() -> None:
    text = bench_of(
        PageCost("x", "Broken", 1.0, (1.0, 1.0), 1.0, 2.5, 0.25, face="MLflow is away"),
        crowd=Crowd(20, 300, 40.0, 0.31, 1.27),
    ).table()
    assert "20 people: p95 1.27 s, median 0.31 s of 300 clicks in 40 s (target 1.5 s)." in text
    assert "websocket clients" in text
    assert "2.50    0.25  shows: MLflow is away" in text


def test_a_ui_that_does_not_answer_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_ask", lambda *_: {"cookie": "c", "found": []})
    with pytest.raises(Unavailable, match="does not answer"):
        pages.measure(from_environment(), app_root(), "secret", url="http://127.0.0.1:9")


def test_a_measurement_that_stops_says_its_last_word(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = subprocess.CompletedProcess([], 1, "", "Traceback\nValueError: no such page")
    monkeypatch.setattr(pages.subprocess, "run", lambda *_, **__: done)
    with pytest.raises(Unavailable, match="ValueError: no such page"):
        pages.measure(from_environment(), app_root(), "secret")


@pytest.mark.parametrize(
    ("demo", "users", "said"), [("0", "0", "logged in"), ("1", "-1", "-1 users"), ("1", "999", "999 users")]
)
def test_a_mistake_is_one_sentence(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], demo: str, users: str, said: str
) -> None:
    monkeypatch.setenv("MLOPS_DASH_DEMO", demo)
    code = cli.main(["bench", "pages", "--users", users])
    assert code == 2
    assert said in capsys.readouterr().err
