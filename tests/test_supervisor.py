"""The supervisor with tiny real processes: health, restarts, and nothing left behind however it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from mlops_dash.ports import free_port
from mlops_dash.supervisor import ChildSpec, Supervisor

# Says its process id, answers every GET with 200, and ends politely on SIGTERM.
SERVER = """
import http.server, os, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(sys.argv[2])); self.end_headers(); self.wfile.write(str(os.getpid()).encode())
    def log_message(self, *words): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
# Has a child in its session and one in a session of its own, all deaf to SIGTERM.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"
for alone in (False, True):
    print(subprocess.Popen([sys.executable, "-c", deaf], start_new_session=alone).pid, flush=True)
time.sleep(300)
"""


def spec(folder: Path, code: str, *words: str, name: str = "child", health: str | None = None) -> ChildSpec:
    argv = (sys.executable, "-u", "-c", code, *words)
    return ChildSpec(
        name=name, argv=argv, env={"WHO": name}, url="", health_url=health, log_path=folder / f"{name}.log"
    )


def server(folder: Path, name: str = "web", status: int = 200) -> ChildSpec:
    port = free_port(20_000 + os.getpid() % 20_000)
    return spec(folder, SERVER, str(port), str(status), name=name, health=f"http://127.0.0.1:{port}/healthz")


def until(true: Callable[[], object], seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def grandchildren(tmp_path: Path) -> Iterator[Callable[[], list[int]]]:
    """Read the ids that STUBBORN printed; whatever a failing test leaves is ended."""
    log = tmp_path / "child.log"

    def read() -> list[int]:
        until(lambda: log.exists() and len(log.read_text().split()) == 2)
        return [int(word) for word in log.read_text().split()]

    yield read
    for word in log.read_text().split() if log.exists() else []:
        if alive(int(word)):
            os.kill(int(word), signal.SIGKILL)


def test_a_child_is_ready_when_its_health_address_answers(tmp_path: Path, said: list[str]) -> None:
    child = server(tmp_path)
    with Supervisor([child], say=said.append) as supervisor:
        assert supervisor.wait_ready() == ()
        pid = supervisor.pids()["web"]
    assert said[0].startswith("web ")
    assert "ready in" in said[0]
    assert said[-1].startswith("Stopped web in")
    assert not alive(pid)


def test_a_child_that_answers_with_an_error_never_gets_ready(tmp_path: Path, said: list[str]) -> None:
    sick = server(tmp_path, status=500)
    code = Supervisor([sick], say=said.append, ready_seconds=1.0).run()
    assert code == 1
    assert said[0] == f"Not ready after 1 s: web; see {sick.log_path}"


def test_a_child_gets_its_environment_and_its_own_log(tmp_path: Path, said: list[str]) -> None:
    child = spec(tmp_path, "import os, time; print(os.environ['WHO'], flush=True); time.sleep(60)", name="scribe")
    with Supervisor([child], say=said.append):
        until(lambda: child.log_path.read_text() == "scribe\n")


def test_a_killed_child_is_started_again_and_that_is_said(tmp_path: Path, said: list[str]) -> None:
    with Supervisor([server(tmp_path)], say=said.append) as supervisor:
        supervisor.wait_ready()
        first = supervisor.pids()["web"]
        os.kill(first, signal.SIGKILL)
        until(lambda: any("back in" in line for line in said))
        assert supervisor.pids()["web"] != first
    assert any("web stopped (killed by SIGKILL); starting it again in 1 s" in line for line in said)


def test_a_child_that_keeps_crashing_is_given_ever_more_time(tmp_path: Path, said: list[str]) -> None:
    def crashes() -> list[str]:
        return [line for line in said if "stopped (exit code 3)" in line]

    with Supervisor([spec(tmp_path, "raise SystemExit(3)")], say=said.append):
        until(lambda: len(crashes()) >= 2)
    assert "; starting it again in 1 s" in crashes()[0]
    assert "; starting it again in 2 s" in crashes()[1]


def test_a_program_that_does_not_exist_is_said_and_tried_again(tmp_path: Path, said: list[str]) -> None:
    child = ChildSpec("ghost", ("/no/such/program",), {}, "", None, tmp_path / "ghost.log")
    with Supervisor([child], say=said.append) as supervisor:
        assert supervisor.pids() == {}
    assert said[0].startswith("ghost cannot start: /no/such/program: No such file")


def test_stop_reaches_deaf_grandchildren_in_other_sessions(
    tmp_path: Path, said: list[str], grandchildren: Callable[[], list[int]]
) -> None:
    with Supervisor([spec(tmp_path, STUBBORN)], say=said.append, grace_seconds=0.3) as supervisor:
        pids = [*grandchildren(), supervisor.pids()["child"]]
    assert [pid for pid in pids if alive(pid)] == []


def test_a_crash_takes_what_the_child_left_behind_with_it(
    tmp_path: Path, said: list[str], grandchildren: Callable[[], list[int]]
) -> None:
    with Supervisor([spec(tmp_path, STUBBORN)], say=said.append, grace_seconds=0.3) as supervisor:
        same_session, _ = grandchildren()
        os.kill(supervisor.pids()["child"], signal.SIGKILL)
        until(lambda: not alive(same_session))


@contextlib.contextmanager
def run_in_a_process(folder: Path, code: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run a Supervisor with one child in a process of its own; gives it and the child's process id."""
    program = (
        "import sys; from pathlib import Path; from mlops_dash.supervisor import ChildSpec, Supervisor\n"
        "spec = ChildSpec('child', (sys.executable, '-u', '-c', sys.argv[2]), {}, '', None, Path(sys.argv[1]))\n"
        "supervisor = Supervisor([spec], grace_seconds=1.0)\n"
        "raise SystemExit(supervisor.run(lambda: print('pid', supervisor.pids()['child'], flush=True)))\n"
    )
    source = Path(__file__).parents[1] / "src"
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(folder / "child.log"), code],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(source)},
    )  # fmt: skip
    with process:
        try:
            assert process.stdout is not None
            line = next(line for line in process.stdout if line.startswith("pid"))
            yield process, int(line.split()[1])
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything_and_the_exit_code_is_0(
    tmp_path: Path, number: signal.Signals, grandchildren: Callable[[], list[int]]
) -> None:
    with run_in_a_process(tmp_path, STUBBORN) as (process, child):
        pids = [child, *grandchildren()]
        process.send_signal(number)
        output, _ = process.communicate(timeout=15)
    assert process.returncode == 0
    assert "Stopped child in" in output
    assert [pid for pid in pids if alive(pid)] == []


def test_killing_the_supervisor_ends_children_and_grandchildren(
    tmp_path: Path, grandchildren: Callable[[], list[int]]
) -> None:
    with run_in_a_process(tmp_path, STUBBORN) as (process, child):
        pids = [child, *grandchildren()]
        process.kill()
    until(lambda: not any(alive(pid) for pid in pids))


def test_a_killed_guard_is_replaced(tmp_path: Path, said: list[str]) -> None:
    me = psutil.Process()

    def guards() -> list[int]:
        found = []
        for child in me.children():
            with contextlib.suppress(psutil.Error):  # one that has just ended
                found += [child.pid] if any(word.endswith("supervisor.py") for word in child.cmdline()) else []
        return found

    with Supervisor([server(tmp_path)], say=said.append) as supervisor:
        supervisor.wait_ready()
        (first,) = guards()
        os.kill(first, signal.SIGKILL)
        until(lambda: guards() and guards() != [first])
    assert guards() == []


def test_request_stop_ends_run_from_another_thread(tmp_path: Path, said: list[str]) -> None:
    supervisor = Supervisor([server(tmp_path)], say=said.append)
    code = supervisor.run(on_ready=lambda: threading.Timer(0.1, supervisor.request_stop).start())
    assert code == 0


def test_two_children_of_one_name_are_refused(tmp_path: Path) -> None:
    twins = [spec(tmp_path, "pass"), spec(tmp_path, "pass")]
    with pytest.raises(ValueError, match="must differ"):
        Supervisor(twins)
