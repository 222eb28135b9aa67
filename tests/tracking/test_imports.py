"""MLflow is imported whole, whoever comes first."""

from __future__ import annotations

import subprocess
import sys

from tests.machine import unmeasured

PROGRAM = """
import threading
from pathlib import Path
from mlops_dash.tracking import imports, registry
from mlops_dash.tracking.experiments import runs

found = []

def ask(act):
    try:
        act()
    except Exception as error:
        found.append(repr(error))

acts = [imports.warm_up, *[lambda n=n: runs.client_for(f"http://127.0.0.1:{n}") for n in range(3)],
        *[registry.MlflowRegistry(f"http://127.0.0.1:{n}")._client for n in range(3)]]
threads = [threading.Thread(target=ask, args=(act,)) for act in acts]
for one in threads:
    one.start()
for one in threads:
    one.join()
print(found)
"""


def test_threads_that_need_mlflow_at_once_all_get_the_whole_of_it() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        env=unmeasured(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr[-2000:]
