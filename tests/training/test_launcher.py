"""Nothing that a run started outlives it: real processes, real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from mlops_dash.processes import Limits
from mlops_dash.training import launcher
from mlops_dash.training.launcher import Ending, Exit, launch

AT = datetime(2014, 1, 1, 5, tzinfo=UTC)
# A grandchild that left the session, lost its parent and ignores SIGTERM: the hardest one to end.
STUBBORN = """
    import os, signal, sys, time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            open(sys.argv[1], "w").write(str(os.getpid()))
            time.sleep(120)
        os._exit(0)
    while not os.path.exists(sys.argv[1]) or not open(sys.argv[1]).read():
        time.sleep(0.01)
    print("INFO started", flush=True)
"""


def run(
    tmp_path: Path, code: str, *arguments: str, stop: Callable[[], bool] = lambda: False, **limits: float
) -> tuple[Exit, str]:
    values = {"timeout_seconds": 60.0, "memory_mib": 2_000.0, "grace_seconds": 0.3, **limits}
    log = tmp_path / "jobs" / "j1.log"
    ended = launch(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        log=log, limits=Limits(**values), should_stop=stop, now=lambda: AT,  # type: ignore[arg-type]
    )  # fmt: skip
    return ended, log.read_text(encoding="utf-8")


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def written(path: Path) -> int:
    wait_for(lambda: path.exists() and path.read_text() != "")
    return int(path.read_text())


def test_output_and_errors_of_the_whole_run_are_logged_with_their_time(tmp_path: Path) -> None:
    ended, log = run(tmp_path, "import sys; print('INFO über'); print('WARN two', file=sys.stderr)")
    assert (ended.ending, ended.code, ended.ok) == (Ending.EXITED, 0, True)
    assert log.splitlines() == ["2014-01-01T05:00:00Z INFO über", "2014-01-01T05:00:00Z WARN two"]
    assert ended.sentence.startswith("Finished after")


def test_a_second_run_appends_to_the_log(tmp_path: Path) -> None:
    run(tmp_path, "print('one')")
    _, log = run(tmp_path, "print('two')")
    assert [line.split()[1] for line in log.splitlines()] == ["one", "two"]


def test_the_exit_code_is_the_commands_own(tmp_path: Path) -> None:
    ended, _ = run(tmp_path, "raise SystemExit(3)")
    assert (ended.ending, ended.code, ended.ok) == (Ending.EXITED, 3, False)
    assert "code 3" in ended.sentence


def test_a_command_ended_by_a_signal_says_which(tmp_path: Path) -> None:
    ended, _ = run(tmp_path, "import os; os.kill(os.getpid(), 9)")
    assert (ended.ending, ended.code) == (Ending.EXITED, -9)
    assert "SIGKILL" in ended.sentence


def test_a_run_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    ended, _ = run(tmp_path, "import time; print('INFO begun', flush=True); time.sleep(60)", timeout_seconds=1.0)
    assert (ended.ending, ended.code) == (Ending.TIMED_OUT, None)
    assert "allows 1 s" in ended.sentence
    assert ended.seconds < 20


def test_memory_is_counted_over_the_whole_tree(tmp_path: Path) -> None:
    code = """
        import subprocess, sys, time
        eat = "import time; held = bytearray(90_000_000); held[::4096] = b'x' * len(held[::4096]); time.sleep(60)"
        for _ in range(2):
            subprocess.Popen([sys.executable, "-c", eat])
        time.sleep(60)
    """
    ended, _ = run(tmp_path, code, memory_mib=150.0)
    assert ended.ending is Ending.OUT_OF_MEMORY
    assert ended.peak_mib > 150
    assert "allows 150 MiB" in ended.sentence


def test_stopping_ends_even_a_grandchild_that_hid_itself_and_ignores_sigterm(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    code = STUBBORN + "    time.sleep(120)\n"
    ended, _ = run(tmp_path, code, str(pid_file), stop=lambda: pid_file.exists() and written(pid_file) > 0)
    assert ended.ending is Ending.STOPPED
    assert not lives(written(pid_file))


def test_a_run_that_succeeds_leaves_no_process_behind_either(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    ended, log = run(tmp_path, STUBBORN, str(pid_file))
    assert ended.ok
    assert "INFO started" in log
    assert not lives(written(pid_file))


def test_kill_9_of_the_worker_ends_the_whole_tree(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    worker = """
        import sys
        from pathlib import Path
        from mlops_dash.training.launcher import launch
        from mlops_dash.processes import Limits
        launch([sys.executable, "-c", sys.argv[1], sys.argv[2]], log=Path(sys.argv[3]),
               limits=Limits(60, 2000, grace_seconds=0.3), should_stop=lambda: False)
    """
    stubborn = textwrap.dedent(STUBBORN) + "time.sleep(120)\n"
    path = str(Path(launcher.__file__).resolve().parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(worker), stubborn, str(pid_file), str(tmp_path / "log")],
        env={**os.environ, "PYTHONPATH": path},
    )
    hidden = written(pid_file)
    tree = [hidden, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))]
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for(lambda: not any(lives(pid) for pid in tree))


def test_a_killed_guard_leaves_nothing_behind(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    killed = threading.Event()

    def kill_the_guard() -> bool:
        if pid_file.exists() and not killed.is_set():
            for child in psutil.Process().children():
                if "mlops_dash.training.launcher" in child.cmdline():
                    killed.set()
                    child.kill()
        return False

    code = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(120)"
    ended, _ = run(tmp_path, code, str(pid_file), stop=kill_the_guard)
    assert not ended.ok
    assert not lives(written(pid_file))


def test_threads_are_limited_and_the_log_cannot_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "LOG_BYTES", 2_000)
    code = "import os; print('INFO', os.environ['OMP_NUM_THREADS']); [print('x' * 100) for _ in range(500)]"
    ended, log = run(tmp_path, code, threads=1)
    assert ended.ok
    assert log.splitlines()[0].endswith("INFO 1")
    assert "the log is full" in log.splitlines()[-1]
    assert len(log) < 2_200


def test_a_line_without_an_end_is_cut_and_is_held_by_nobody(tmp_path: Path) -> None:
    before = psutil.Process().memory_info().rss
    code = """
        import sys
        for _ in range(300):
            sys.stdout.write("x" * 1_000_000)
        sys.stdout.write("\\nINFO done\\n")
    """
    ended, log = run(tmp_path, code)
    assert ended.ok
    assert [len(line.partition(" ")[2]) for line in log.splitlines()] == [launcher.LINE_BYTES, len("INFO done")]
    assert psutil.Process().memory_info().rss - before < 100_000_000, "300 MB went through"
