"""bootstrap.py: one sentence for what cannot be done, pip's settings in uv's words, and no work twice."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import bootstrap

ROOT = Path(bootstrap.__file__).resolve().parent
UV = "uv==0.9 \\\n    --hash=sha256:bb \\\n    --hash=sha256:cc\n"
LOCK = f"alpha==1.0 \\\n    --hash=sha256:aa\n    # via mlops-dash\n{UV}zeta==2\n"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a lock and a project file that `bootstrap` takes for its own."""
    (tmp_path / "requirements.lock").write_text(LOCK)
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    monkeypatch.setattr(bootstrap, "ROOT", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)
    return tmp_path


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What set-up would have run, in order; nothing is installed."""
    programs: list[list[str]] = []

    def run(title: str, argv: list[str], log: str | None, environment: object = None) -> None:
        programs.append(argv)
        if "venv" in argv:
            python = Path(bootstrap.in_venv("python"))
            python.parent.mkdir(parents=True)
            python.write_text("#!/bin/sh\n")  # runs whatever it is asked to
            python.chmod(0o755)

    monkeypatch.setattr(bootstrap, "say_ran", run)
    monkeypatch.setattr(bootstrap, "pip_settings", lambda pip: {})
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: f"/usr/bin/{name}" if name == "uv" else None)
    monkeypatch.setattr(bootstrap.shutil, "disk_usage", lambda path: usage(free=100 * 2**30))
    return programs


def usage(free: int) -> object:
    return namedtuple("usage", "total used free")(free, 0, free)


# --- the Python that runs it


def test_the_file_can_be_read_by_python_3_6() -> None:
    ast.parse((ROOT / "bootstrap.py").read_text(), feature_version=(3, 6))


@pytest.mark.parametrize("version", [(3, 6, 15), (3, 10, 13), (3, 13, 0), (4, 0, 0)])
def test_another_python_is_refused_with_one_that_runs(version: tuple[int, int, int]) -> None:
    sentence = bootstrap.refuse_python(version, lambda name: name == "python3.11")
    assert sentence == (
        f"mlops-dash needs Python 3.11 or 3.12, and this is {version[0]}.{version[1]}. Try: python3.11 bootstrap.py."
    )


def test_python_3_11_and_3_12_are_taken() -> None:
    assert bootstrap.refuse_python((3, 11, 0), bool) == ""
    assert bootstrap.refuse_python((3, 12, 9), bool) == ""


def test_an_old_python_on_this_machine_says_one_sentence_and_exits_2() -> None:
    old = next(
        (
            python
            for name in ("3.6", "3.7", "3.8", "3.9", "3.10", "3.13", "3.14")
            if (python := runnable(f"python{name}"))
        ),
        None,
    )
    if old is None:
        # No other Python here: the same check, told that this one is old.
        code = "import sys; sys.version_info = (3, 9, 1); sys.argv = ['b', 'test']; exec(open(sys.stdin.read()).read())"
        done = subprocess.run(
            [sys.executable, "-c", code], input="bootstrap.py", cwd=ROOT, capture_output=True, text=True, check=False
        )
    else:
        done = subprocess.run([old, ROOT / "bootstrap.py", "test"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("bootstrap: mlops-dash needs Python 3.11 or 3.12, and this is 3.")
    assert done.stderr.count("\n") == 1


def runnable(name: str) -> str:
    found = shutil.which(name)
    return (
        found if found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0 else ""
    )


# --- what cannot be done


def test_a_full_disk_is_one_sentence_and_exit_2(
    checkout: Path, ran: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap.shutil, "disk_usage", lambda path: usage(free=2**30))
    assert bootstrap.main(["setup"]) == 2
    assert capsys.readouterr().err == (
        f"bootstrap: no disk: 1.0 GiB are free in {checkout}, set-up needs about 4 GiB; make room there.\n"
    )
    assert ran == []


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_python_without_venv_is_one_sentence_and_exit_2(
    checkout: Path,
    ran: list[list[str]],
    module: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == module else object())
    assert bootstrap.main(["setup"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(
        "bootstrap: this Python has no venv or ensurepip; install them (Debian, Ubuntu: apt install python3."
    )
    assert error.count("\n") == 1


def test_half_a_checkout_is_one_sentence_and_exit_2(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "requirements.lock").unlink()
    assert bootstrap.main(["up"]) == 2
    assert "requirements.lock cannot be read" in capsys.readouterr().err


def test_no_network_is_one_sentence_and_exit_2(tmp_path: Path) -> None:
    for name in ("bootstrap.py", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_", "COVERAGE_"))
    }
    environment |= {
        "PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0",
        "PIP_NO_CACHE_DIR": "1", "UV_NO_CACHE": "1", "UV_HTTP_RETRIES": "0", "CI": "",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, tmp_path / "bootstrap.py", "setup"],
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("bootstrap: no network: installing ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / ".venv" / "set-up.json").exists()


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("ERROR: [Errno 28] No space left on device", "no disk: installing ran out of room"),
        ("error: Request failed\n  cause: dns error: failed to look up", "no network: installing got nothing from"),
        (
            "Collecting x\nERROR: No matching distribution found for x==1\nhint: y",
            "installing failed: ERROR: No matching",
        ),
        ("", "installing failed: it said nothing"),
    ],
)
def test_a_failed_program_is_explained_in_one_sentence(output: str, sentence: str) -> None:
    assert bootstrap.explain("installing", output, None).startswith(sentence)


def test_a_word_that_is_no_command_shows_the_usage_and_exits_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert bootstrap.main(["dmeo"]) == 2
    assert "python bootstrap.py demo [--fast]" in capsys.readouterr().err
    assert bootstrap.main(["--help"]) == 0


# --- set-up


def test_the_first_call_makes_venv_installs_by_hash_and_then_ourselves_without_fetching(
    checkout: Path, ran: list[list[str]]
) -> None:
    assert bootstrap.main(["setup"]) == 0
    assert ran[0][1:3] == ["-m", "venv"]
    assert ran[1][0] == "/usr/bin/uv"
    assert ran[1][-3:] == ["--require-hashes", "-r", str(checkout / "requirements.lock")]
    assert ran[2][-4:] == ["--no-build-isolation", "--no-deps", "--editable", str(checkout)]


def test_a_second_call_does_nothing_until_lock_or_project_change(checkout: Path, ran: list[list[str]]) -> None:
    bootstrap.main(["setup"])
    ran.clear()
    bootstrap.main(["setup"])
    assert ran == []
    (checkout / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    bootstrap.main(["setup"])
    assert len(ran) > 0


def test_a_set_up_that_broke_off_is_not_taken_for_finished(
    checkout: Path, ran: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = bootstrap.say_ran

    def breaks(title: str, argv: list[str], log: str | None, environment: object = None) -> None:
        whole(title, argv, log, environment)
        if "venv" not in argv:
            raise bootstrap.Stop("no network.")

    monkeypatch.setattr(bootstrap, "say_ran", breaks)
    assert bootstrap.main(["setup"]) == 2
    monkeypatch.setattr(bootstrap, "say_ran", whole)
    ran.clear()
    assert bootstrap.main(["setup"]) == 0
    assert len(ran) > 1


def test_pip_takes_over_when_uv_fails(checkout: Path, ran: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bootstrap.say_ran

    def uv_fails(title: str, argv: list[str], log: str | None, environment: object = None) -> None:
        if argv[0].endswith("uv"):
            raise bootstrap.Stop("uv is broken.")
        whole(title, argv, log, environment)

    monkeypatch.setattr(bootstrap, "say_ran", uv_fails)
    assert bootstrap.main(["setup"]) == 0
    pip = [argv for argv in ran if "pip" in argv]
    assert [argv[0].endswith("python") for argv in pip] == [True, True]
    assert "--require-hashes" in pip[0]


def test_a_venv_whose_python_does_not_run_is_made_anew(checkout: Path, ran: list[list[str]]) -> None:
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").touch()  # as after a move to another machine: there, but not to be run
    assert bootstrap.main(["setup"]) == 0
    assert ran[0][1:3] == ["-m", "venv"]


def test_uv_alone_is_cut_out_of_the_lock_with_its_hashes() -> None:
    assert bootstrap.locked_lines("uv", LOCK) == UV
    assert "--hash=sha256:" in bootstrap.locked_lines("uv", (ROOT / "requirements.lock").read_text())


# --- pip's settings for uv


def test_pip_settings_are_read_with_the_environment_over_install_over_global() -> None:
    listing = """
global.index-url='https://a/simple'
install.index-url='https://b/simple'
:env:.cert='/x.pem'
global.cert='/y.pem'
a line that is no setting
:env:.default-timeout='7'
"""
    assert bootstrap.read_pip_settings(listing) == {"index-url": "https://b/simple", "cert": "/x.pem", "timeout": "7"}


def test_uv_is_told_index_proxy_and_certificate(tmp_path: Path) -> None:
    pip = {
        "index-url": "https://user:secret@mirror.example/simple", "proxy": "http://proxy.example:3128",
        "cert": str(tmp_path / "ca.pem"), "trusted-host": "a.example b.example", "timeout": "15.0", "no-index": "0",
    }  # fmt: skip
    options, variables = bootstrap.uv_settings(pip, {})
    assert variables == {
        "UV_DEFAULT_INDEX": pip["index-url"],
        "HTTPS_PROXY": pip["proxy"],
        "HTTP_PROXY": pip["proxy"],
        "SSL_CERT_FILE": pip["cert"],
        "UV_HTTP_TIMEOUT": "15",
    }
    assert options == ["--allow-insecure-host", "a.example", "--allow-insecure-host", "b.example"]


def test_local_folders_that_do_not_exist_are_not_handed_to_uv(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    pip = {
        "extra-index-url": f"file://{tmp_path}/gone {tmp_path.as_uri()}/wheels https://mirror.example/simple",
        "find-links": f"{tmp_path}/wheels {tmp_path}/gone",
    }
    options, variables = bootstrap.uv_settings(pip, {})
    assert variables["UV_INDEX"] == f"{tmp_path.as_uri()}/wheels https://mirror.example/simple"
    assert variables["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert options == ["--find-links", f"{tmp_path}/wheels"]


def test_what_the_caller_told_uv_itself_wins() -> None:
    pip = {"index-url": "https://a.example/simple", "proxy": "http://p.example", "cert": "/ca.pem", "no-index": "yes"}
    caller = {"UV_DEFAULT_INDEX": "https://b.example", "https_proxy": "http://q.example", "SSL_CERT_FILE": "/mine.pem"}
    options, variables = bootstrap.uv_settings(pip, caller)
    assert variables == {"HTTP_PROXY": "http://p.example"}
    assert options == ["--no-index"]


# --- commands


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """bootstrap on a machine where set-up is done and all parts are there."""
    monkeypatch.setattr(bootstrap, "set_up", lambda: None)
    monkeypatch.setattr(bootstrap, "missing_parts", list)
    return bootstrap


@pytest.mark.parametrize(
    ("words", "handed"),
    [
        (["demo", "--fast"], ["up", "--demo", "--fast"]),
        (["demo", "--yours"], ["demo", "--yours"]),
        (["up", "--system", "--port", "1"], ["up", "--port", "1"]),
    ],
)
def test_demo_and_up_hand_over_to_the_installed_command(
    ready: ModuleType, words: list[str], handed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    monkeypatch.setattr(bootstrap.os, "execv", lambda program, argv: seen.append([program, *argv[1:]]))
    monkeypatch.setattr(subprocess, "call", lambda argv: 0)
    assert bootstrap.main(words) == 0
    assert seen == [[bootstrap.in_venv("mlops-dash"), *handed]]


def calls(monkeypatch: pytest.MonkeyPatch, code: Callable[[list[str]], int]) -> list[list[str]]:
    seen: list[list[str]] = []

    def call(argv: list[str], **_: object) -> int:
        seen.append([Path(argv[0]).name, *argv[1:]])
        return code(argv)

    monkeypatch.setattr(subprocess, "call", call)
    return seen


def test_test_runs_every_check_although_one_fails(
    ready: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = calls(monkeypatch, lambda argv: int(argv[0].endswith("mypy")))
    assert bootstrap.main(["test"]) == 1
    assert [argv[0] for argv in seen] == [
        "ruff",
        "ruff",
        "lint-imports",
        "mypy",
        "coverage",
        "pytest",
        "pytest",
        "coverage",
    ]
    assert seen[-1][-1] == "--fail-under=90"
    output = capsys.readouterr().out
    assert "FAILED" in next(line for line in output.splitlines() if line.endswith("mypy --strict") and "=" not in line)
    assert "Some checks FAILED in " in output


def test_a_check_that_was_killed_is_named_and_fails(
    ready: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls(monkeypatch, lambda argv: -15)
    assert bootstrap.main(["test", "-x"]) == 1
    assert "bootstrap: pytest was killed by signal 15." in capsys.readouterr().out


def test_test_with_arguments_runs_only_pytest_with_them(
    ready: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = calls(monkeypatch, lambda argv: 0)
    assert bootstrap.main(["test", "-k", "ledger"]) == 0
    assert seen == [["pytest", "-k", "ledger"]]
    assert "All checks passed in " in capsys.readouterr().out


# --- system parts


def test_a_missing_part_is_named_with_what_it_costs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap, "missing_parts", lambda: ["PostgreSQL"])
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("MLOPS_DASH_REQUIRE_ALL", raising=False)
    bootstrap.provide_system_parts(system=False)
    assert capsys.readouterr().out == (
        "bootstrap: PostgreSQL is missing: the Postgres tests are skipped (Debian: apt install postgresql)\n"
    )


def test_apt_installs_missing_parts_for_root_only_where_it_is_allowed(
    ran: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: 0)
    monkeypatch.setattr(bootstrap, "missing_parts", lambda: [] if ran else ["Chromium", "PostgreSQL"])
    bootstrap.provide_system_parts(system=False)
    assert ran == []
    bootstrap.provide_system_parts(system=True)
    assert [argv[:2] for argv in ran] == [["apt-get", "update"], ["apt-get", "install"]]
    assert {"chromium", "postgresql"} <= set(ran[1])


def test_a_user_who_is_not_root_never_calls_apt(ran: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(bootstrap, "missing_parts", lambda: ["Pango"])
    bootstrap.provide_system_parts(system=True)
    assert ran == []


# --- running programs


def test_a_program_is_said_with_its_time_and_its_output_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    bootstrap.say_ran("greeting", [sys.executable, "-c", "print('hello')"], str(log))
    assert log.read_text() == "hello\n"
    first, second = capsys.readouterr().out.splitlines()
    assert first == "bootstrap: greeting ..."
    assert second.startswith("bootstrap: greeting: ")


def test_a_program_that_fails_stops_with_its_last_error(tmp_path: Path) -> None:
    code = "print('error: the sky fell'); print('hint: look up'); raise SystemExit(1)"
    with pytest.raises(bootstrap.Stop, match="greeting failed: error: the sky fell"):
        bootstrap.say_ran("greeting", [sys.executable, "-c", code], str(tmp_path / "log"))


def test_the_ci_script_asks_for_everything_and_calls_test() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "MLOPS_DASH_REQUIRE_ALL=1" in script
    assert "bootstrap.py test" in script


def test_compiled_code_is_kept_below_the_venv_where_the_user_forbids_it_beside_the_sources(checkout: Path) -> None:
    forbidden = {"PYTHONDONTWRITEBYTECODE": "1", "PATH": "/bin"}
    bootstrap.keep_bytecode(forbidden)
    assert forbidden == {"PATH": "/bin", "PYTHONPYCACHEPREFIX": str(checkout / ".venv" / "bytecode")}

    allowed = {"PATH": "/bin"}
    bootstrap.keep_bytecode(allowed)
    assert allowed == {"PATH": "/bin"}

    chosen = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": "/elsewhere"}
    bootstrap.keep_bytecode(chosen)
    assert chosen == {"PYTHONPYCACHEPREFIX": "/elsewhere"}
