"""`demo --yours` is killed while it types, goes on where it stopped, and ends with three verdicts and a promotion."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlops_dash import bootstrap
from mlops_dash.demo.yours import CANCELLED, DIGITS, MINUTES
from mlops_dash.domain.words import Health
from mlops_dash.settings import from_environment
from tests.factories import ADMIN
from tests.journeys.conftest import environment_of

pytestmark = pytest.mark.timeout(2_400)

_COMMAND = (sys.executable, "-m", "mlops_dash.cli", "demo", "--yours", "--build-only")
_BREAK = f"# {MINUTES}: the team's own service logs"  # the token of its service account is said after this


def test_a_demo_that_was_killed_goes_on_and_ends_with_three_verdicts(tmp_path: Path) -> None:
    home = tmp_path / "home"
    env = environment_of(home)
    began = time.monotonic()
    with (tmp_path / "first.log").open("wb") as file:
        process = subprocess.Popen(_COMMAND, env=env, stdout=file, stderr=file, stdin=subprocess.DEVNULL, cwd=tmp_path)
    try:
        until = time.monotonic() + 1_200
        while _BREAK not in (tmp_path / "first.log").read_text(errors="replace"):
            assert process.poll() is None, (tmp_path / "first.log").read_text(errors="replace")[-3_000:]
            assert time.monotonic() < until
            time.sleep(0.1)
        print(f"demo --yours: killed after {time.monotonic() - began:.0f} s")
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    time.sleep(3)  # the guard of a killed supervisor ends its children

    done = subprocess.run(_COMMAND, env=env, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3_000:]
    print(f"demo --yours: ended after {time.monotonic() - began:.0f} s")
    assert "lines were typed before the break" in done.stdout
    assert re.search(r"ok \d+ entries", done.stdout)
    assert not (home / "yours.json").exists()

    services = bootstrap.build(from_environment({**env, "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}))
    try:
        rows = {one.model: one for one in services.fleet.room(ADMIN).rows}
        assert set(rows) == {CANCELLED, DIGITS, MINUTES}
        assert Health.NOT_KNOWN not in {one.health for one in rows.values()}
        assert (rows[CANCELLED].version, rows[DIGITS].version, rows[MINUTES].version) == ("2", "1", "1")
        assert services.registry.open_proposal(ADMIN, DIGITS) is not None
        assert [one.version.version for one in services.registry.room(ADMIN, CANCELLED).lines] == ["2", "1"]
    finally:
        services.close()
