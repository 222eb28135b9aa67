"""`report share`, `links` and `revoke`: the link is printed once, listed with what became of it, and ended."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from mlops_dash import cli
from mlops_dash.cli import shares as words
from mlops_dash.domain.access import NOBODY
from mlops_dash.domain.reports.shares import ShareFace
from mlops_dash.services.command import Context
from mlops_dash.services.reports import ReportService
from tests import factories
from tests.services.reports_shared import MODEL, shared_report

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def reports(context: Context) -> ReportService:
    shared_report(context)
    return ReportService(context)


@pytest.fixture
def run(context: Context, reports: ReportService, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> Run:  # fmt: skip
    house = SimpleNamespace(context=context, reports=reports)
    monkeypatch.setattr(words, "services", lambda: house)
    monkeypatch.setattr(words, "actor", lambda made: factories.SCIENTIST)

    def call(*said: str) -> tuple[int, str, str]:
        code = cli.main(["report", *said])
        heard = capsys.readouterr()
        return code, heard.out, heard.err

    return call


def test_a_link_is_made_listed_and_revoked(run: Run, reports: ReportService) -> None:
    (line,) = reports.room(factories.VIEWER).lines
    code, out, _ = run("share", line.sha256[:8], "--days", "3", "--reason", "the board", "--json")
    made = json.loads(out)
    assert (code, made["state"], made["opens"], made["password"]) == (0, "open", 0, False)
    secret = made["url"].rpartition("/")[2]
    assert reports.open_share(NOBODY, secret)[0] is ShareFace.OPEN

    listed = json.loads(run("links", "--report", line.id, "--json")[1])
    assert [(one["id"], one["opens"]) for one in listed] == [(made["id"], 1)]
    assert secret not in str(listed)
    assert f"opened 1  Model card of {MODEL}, card  (the board)" in run("links")[1]

    assert run("revoke", made["id"], "--reason", "over")[:2] == (
        0, f"The link to the Model card of {MODEL}, card opens nothing any more.\n",
    )  # fmt: skip
    assert reports.open_share(NOBODY, secret)[0] is ShareFace.OVER
    code, _, error = run("revoke", made["id"], "--reason", "again")
    assert (code, error) == (2, "This link is revoked already. Reload the page.\n")


def test_a_password_is_read_and_never_an_argument(
    run: Run, reports: ReportService, monkeypatch: pytest.MonkeyPatch
) -> None:
    (line,) = reports.room(factories.VIEWER).lines
    monkeypatch.setattr("sys.stdin", io.StringIO("four short words here\n"))
    code, out, _ = run("share", line.id, "--reason", "the board", "--password")
    assert code == 0
    assert "until" in out
    secret = out.split()[0].rpartition("/")[2]
    assert reports.open_share(NOBODY, secret)[0] is ShareFace.LOCKED
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    code, _, error = run("share", line.id, "--reason", "the board", "--password")
    assert (code, error) == (2, "The password is empty. Type one, or leave out --password.\n")


def test_what_cannot_be_is_one_sentence(run: Run) -> None:
    assert run("links")[1] == "No link was made yet. See: report share --help\n"
    assert run("share", "gone", "--reason", "the board")[2].startswith("No report 'gone'.")
    assert run("links", "--report", "gone")[0] == 2
