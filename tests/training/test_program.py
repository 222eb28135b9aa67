"""A program of somebody else's: started, listened to, and ended whatever it does."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from mlops_dash.errors import Conflict, InvalidInput
from mlops_dash.training.program import argv_of, run
from tests.training.test_contract import ASKED


def start(entry: str) -> tuple[list[tuple[float, str]], str]:
    told: list[tuple[float, str]] = []
    lines: list[str] = []
    run(entry, ASKED, tell=lambda share, text: told.append((share, text)), write=lines.append)
    return told, "".join(lines)


def script(folder: Path, text: str) -> str:
    path = folder / "a train.py"
    path.write_text(text)
    return f"{{python}} '{path}' --rounds {{rounds}} --why {{why}}"


def test_a_placeholder_with_a_quote_stays_one_argument() -> None:
    assert argv_of("python train.py {why} {rounds}", ASKED) == ["python", "train.py", "it's", "3"]


@pytest.mark.parametrize("entry", ["python train.py {nothing}", "python train.py {0}", "python train.py {why"])
def test_a_placeholder_that_is_no_parameter_is_refused(entry: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        argv_of(entry, ASKED)


def test_a_command_reads_its_environment_and_says_its_progress(tmp_path: Path) -> None:
    told, log = start(script(tmp_path, (
        "import os, sys\nprint('progress 0.25 half way there', flush=True)\n"
        "print(sys.argv[1:], os.environ['MLOPS_DASH_RECIPE_JOB'], os.environ['MLFLOW_EXPERIMENT_NAME'])\n"
    )))  # fmt: skip
    assert told == [(0.25, "half way there")]
    assert log == "['--rounds', '3', '--why', \"it's\"] j1 handling\n"


def test_a_command_that_fails_says_its_exit_code(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="ended with exit code 3"):
        start(script(tmp_path, "raise SystemExit(3)"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("input('go on? ')", "EOFError"),  # nobody answers, so it cannot wait for ever
        ("import missing_of_theirs", "ModuleNotFoundError"),
        ("def broken(:", "SyntaxError"),
        ("import os\nos.kill(os.getpid(), 9)", ""),
    ],
)
def test_a_program_that_asks_breaks_or_dies_ends_in_a_sentence_and_its_last_words_are_logged(
    tmp_path: Path, text: str, said: str
) -> None:
    lines: list[str] = []
    with pytest.raises(InvalidInput, match=r"ended with exit code 1|was killed by signal 9"):
        run(script(tmp_path, text), ASKED, tell=lambda share, text: None, write=lines.append)
    assert said in "".join(lines)


def test_a_program_may_change_its_folder_and_take_that_away(tmp_path: Path) -> None:
    here = Path.cwd()
    text = "import os, tempfile\nfolder = tempfile.mkdtemp()\nos.chdir(folder)\nos.rmdir(folder)\nprint('done')"
    assert start(script(tmp_path, text)) == ([], "done\n")
    assert Path.cwd() == here


def test_a_line_without_an_end_is_cut_and_what_follows_is_read(tmp_path: Path) -> None:
    text = "import sys\nsys.stdout.write('x' * 50_000_000)\nprint('\\nprogress 0.5 half')"
    told, log = start(script(tmp_path, text))
    assert (told, len(log)) == ([(0.5, "half")], 10_001)


def test_a_program_that_is_not_there_is_said() -> None:
    with pytest.raises(InvalidInput, match="cannot be started"):
        start("/nowhere/python train.py")
    with pytest.raises(InvalidInput, match="cannot be imported"):
        start("nowhere.train:main")


def test_a_job_that_is_lost_ends_the_program(tmp_path: Path) -> None:
    entry = script(tmp_path, "import time\nprint('progress 0.1 on', flush=True)\ntime.sleep(60)\n")
    before = time.monotonic()

    def lose(share: float, text: str) -> None:
        raise Conflict("epoch 1 was taken over")

    with pytest.raises(Conflict):
        run(entry, ASKED, tell=lose, write=lambda _line: None)
    assert time.monotonic() - before < 50
    assert not [child for child in psutil.Process().children() if str(tmp_path) in " ".join(child.cmdline())]


def test_a_function_is_called_with_the_same_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "depot.py").write_text(
        "def train(environment, tell):\n    tell(0.5, environment['MLOPS_DASH_RECIPE_NAME'])\n"
        "def stumble(environment, tell):\n    raise ValueError('no rows since Tuesday')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert start("depot:train") == ([(0.5, 'weekly "batch"')], "")
    with pytest.raises(InvalidInput, match="failed: ValueError: no rows since Tuesday"):
        start("depot:stumble")
