"""A check runs in real processes: what it is told, what it says, and how it ends when it will not."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlops_dash.domain.recipe_checks import Check, CheckKind, Said
from mlops_dash.training import launcher, recipe_check
from mlops_dash.training.contract import Request, Window

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
REQUEST = Request(
    tracking_uri="http://127.0.0.1:9", experiment="minutes", model='handling "minutes"', recipe="weekly",
    window=Window(NOON - timedelta(days=9), NOON - timedelta(days=2), NOON), parameters={"depot": "north's"},
    job_id="j1", epoch=1,
)  # fmt: skip


def ran(folder: Path, code: str, **changes: object) -> tuple[Said, str]:
    program = folder / "a check.py"
    program.write_text(code)
    check = Check("fast", CheckKind.LATENCY, f"{{python}} '{program}' {{depot}}", at_most=50.0, timeout_seconds=20)
    check = replace(check, **changes)  # type: ignore[arg-type]
    told = recipe_check.told(check, REQUEST, model="models:/m-1", version="3", run_id="r1", files=folder)
    log = folder / "log" / "j1.log"
    said, _ = recipe_check.run_check(check, REQUEST, told, log=log, python=sys.executable, memory_mib=400)
    return said, log.read_text() if log.is_file() else ""


def test_a_command_is_told_the_version_and_leaves_a_number(tmp_path: Path) -> None:
    (tmp_path / "predictions.parquet").write_bytes(b"rows")
    code = """
import os, sys
told = os.environ
for name in ("MODEL", "VERSION", "RUN", "NAME", "PREDICTIONS", "REFERENCE"):
    print(name, told["MLOPS_DASH_CHECK_" + name])
print(sys.argv[1], told["MLOPS_DASH_RECIPE_MODEL"], told["MLFLOW_RUN_CONTEXT"])
print("result 41.5 n=200")
"""
    said, log = ran(tmp_path, code)
    assert said == Said(41.5, True, 200)
    for line in ("MODEL models:/m-1", "VERSION 3", "RUN r1", "NAME fast", f"{tmp_path}/predictions.parquet"):
        assert f"{line}\n" in log
    assert 'north\'s handling "minutes" {}' in log
    assert "REFERENCE \n" in log


@pytest.mark.parametrize(
    ("code", "changes", "why"),
    [
        ("import time\ntime.sleep(60)", {"timeout_seconds": 1}, "the check allows 1 s"),
        ("held = bytearray(900_000_000)\nimport time\ntime.sleep(60)", {}, "the check allows 400 MiB"),
        ("", {"program": "no-such-program --fast"}, "no-such-program cannot be started"),
        ("", {"program": "no_such_module:fast"}, "cannot be imported: No module named"),
        ("", {"program": "{python} {nothing}"}, "'nothing'"),
        ("print('result 3')\nimport os, signal\nos.kill(os.getpid(), signal.SIGKILL)", {}, ""),
    ],
    ids=["over its time", "over its memory", "no program", "no module", "no such placeholder", "killed"],
)
def test_what_does_not_come_to_its_end_did_not_pass(
    tmp_path: Path, code: str, changes: dict[str, object], why: str
) -> None:
    said, _ = ran(tmp_path, code, **changes)
    assert not said.passed
    assert why in said.not_run


def test_a_function_answers_by_what_it_returns_or_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "their_checks.py").write_text(
        "def cases(environment):\n    return 0.25, 12\n"
        "def fine(environment):\n    assert environment['PATH']\n"
        "def differs(environment):\n    assert 3 == 4, 'birds\\ndiffer'\n"
        "def breaks(environment):\n    raise SystemExit('no rows')\n"
        "def text(environment):\n    return 'soon'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def answer(name: str) -> tuple[int, str]:
        code = recipe_check.main([f"their_checks:{name}", str(tmp_path / "answer")])
        said = (tmp_path / "answer").read_text()
        assert capsys.readouterr().out.splitlines()[-1] == said, "it stands in the log too"
        return code, said

    assert answer("cases") == (0, "result 0.25 n=12")
    assert answer("fine") == (0, "result pass")
    assert answer("differs") == (1, "result fail birds differ")
    assert answer("breaks") == (2, "not run: SystemExit: no rows")
    assert answer("text") == (2, "not run: ValueError: could not convert string to float: 'soon'")
    assert answer("nothing")[0] == 2


@pytest.mark.parametrize(
    ("name", "not_run", "reason"),
    [
        ("no_after_half_a_line", "", ""),
        ("no_by_assertion", "", "2 crates' birds differ"),
        ("no_after_much", "", ""),
        ("gone", "It ended without an answer.", ""),
    ],
)
def test_a_function_that_said_no_or_nothing_is_not_green_whatever_it_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, not_run: str, reason: str
) -> None:
    (tmp_path / "depot_checks.py").write_text(
        "import os, sys\n"
        "def no_after_half_a_line(environment):\n    print('looking at crates', end='')\n    return False\n"
        'def no_by_assertion(environment):\n    assert 3 == 4, "2 crates\' birds differ"\n'
        "def no_after_much(environment):\n    sys.stdout.write('birds\\n' * 9_000)\n    return False\n"
        "def gone(environment):\n    os._exit(0)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(launcher, "LOG_BYTES", 2_000)
    said, log = ran(tmp_path, "", program=f"depot_checks:{name}", at_most=None)
    assert (said.passed, said.not_run) == (False, not_run)
    if not not_run:
        assert (said.value, said.reason) == (0.0, reason)
    assert len(log) < 2_200


def test_a_command_is_heard_when_the_log_is_full_and_however_much_it_prints_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "LOG_BYTES", 2_000)
    code = "print('birds\\n' * 9_000)\nprint('result fail 2 crates')\nprint('bye\\n' * 40_000)"
    said, _ = ran(tmp_path, code, at_most=None)
    assert said == Said(value=0.0, passed=False, reason="2 crates")
    said, _ = ran(tmp_path, "print('birds: ', end='')\nprint('result fail')\nprint('bye')", at_most=None)
    assert (said.passed, said.not_run) == (
        False, "It printed `result fail` among other words: a result has a line of its own.",
    )  # fmt: skip
