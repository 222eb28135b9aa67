"""The lines of README.md that a reader copies do what is said beside them."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from mlops_dash import bootstrap
from mlops_dash.bootstrap import Services
from mlops_dash.settings import from_environment
from mlops_dash.store.db import reading
from mlops_dash.store.prediction_log import counts, event_names
from tests.architecture.tree import ROOT
from tests.cli.conftest import Run, run
from tests.gateway.test_app import open_client

__all__ = ["run"]


def blocks_of(heading: str) -> list[tuple[str, str]]:
    """The code below a heading: language and text."""
    found = re.search(
        rf"^### {re.escape(heading)}\n(.*?)^##", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE
    )
    if found is None:
        pytest.fail(f"README.md has no section {heading!r}")
    return re.findall(r"^```(\w*)\n(.*?)^```", found[1], flags=re.DOTALL | re.MULTILINE)


def lines_of(block: str) -> list[list[str]]:
    """The commands of a shell block, in words; a quoted text may go over lines."""
    spoken = re.sub(r"[ \t]+#.*", "", block)
    lexer = shlex.shlex(spoken, posix=True, punctuation_chars="\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t", True, ""
    commands: list[list[str]] = [[]]
    for word in lexer:
        if not word.strip("\n"):
            commands.append([])
        else:
            commands[-1].append(word)
    return [one for one in commands if one]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    monkeypatch.setenv("MLOPS_DASH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("MLOPS_DASH_TOKEN", raising=False)
    made = bootstrap.build(from_environment())
    yield made
    made.close()


def test_your_own_service_logs_by_the_lines_that_stand_there(house: Services, run: Run) -> None:
    (_, shell), (language, program), (_, without) = blocks_of("Your own service, as it answers")
    assert language == "python"
    added, answers, account, installed = lines_of(shell)
    assert run(*added[1:])[0] == 0
    assert run(*answers[1:])[0] == 0
    code, secret, error = run(*account[1:])
    assert code == 0, error
    assert installed == ["pip", "install", "./client"]  # tests/client/test_distribution.py builds and imports it
    assert (ROOT / installed[2] / "pyproject.toml").is_file()
    with open_client(house.context, house.access) as gateway:
        here = str(gateway.base_url).rstrip("/")
        said: dict[str, object] = {"token": secret.strip()}
        exec(compile(program.replace("http://127.0.0.1:8601", here), "README.md", "exec"), said)
        client = said["client"]
        assert client.flush(20)  # type: ignore[attr-defined]
        assert (client.counters.delivered, client.close()) == (3, True)  # type: ignore[attr-defined]
        answers = [curled(words, here, secret.strip()) for words in lines_of(without)]
    assert [one.status_code for one in answers] == [200, 200, 200], [one.text for one in answers]
    with reading(house.context.databases.log) as session:
        kept = counts(session, "queue-minutes")
        events = {one.name: one.events for one in event_names(session, "queue-minutes")}
    assert (kept.predictions, kept.labelled) == (2, 2)
    assert events == {"complaint": 1, "revenue": 1}
    assert "mlops_dash_client" in sys.modules


def curled(words: list[str], here: str, token: str) -> httpx.Response:
    """What curl would send by these words."""
    program, url, dash_h, header, dash_d, body = words
    assert (program, dash_h, dash_d) == ("curl", "-H", "-d")
    name, value = header.replace("$TOKEN", token).split(": ")
    url = url.replace("http://127.0.0.1:8601", here)
    # curl names a form; the gateway reads the body whatever it is called
    kind = "application/x-www-form-urlencoded"
    return httpx.post(url, content=body.encode(), headers={name: value, "Content-Type": kind}, trust_env=False)
