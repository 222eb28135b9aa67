"""The bench's own browser: seconds of a cold first page and of the next one, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

from app.shell.cookies import cookie_name
from mlops_dash.domain.access import NOBODY
from tests.browser.conftest import ROOT, Ui

PAGES = [["", "Overview"], ["audit", "Audit & admin"]]
CODE = (
    "import json, sys; from mlops_dash.bench import browser; url, name, value, pages = json.loads(sys.argv[1]);"
    "shown = browser.measure(url, {'name': name, 'value': value}, [tuple(one) for one in pages]);"
    "print(json.dumps({path: [one.first_s, one.next_s] for path, one in shown.items()}))"
)


def test_a_page_is_timed_cold_and_by_the_sidebar(ui: Ui, chromium_path: str) -> None:
    # Playwright allows one synchronous session a process, and the tests' own browser has it.
    secret, _ = ui.services.access.login_demo(NOBODY, "viewer")
    given = json.dumps([ui.url, cookie_name(ui.services.context.settings), secret, PAGES])
    done = subprocess.run([sys.executable, "-c", CODE, given], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    found = json.loads(done.stdout)
    assert sorted(found) == ["", "audit"]
    assert all(0 < seconds < 60 for both in found.values() for seconds in both)
