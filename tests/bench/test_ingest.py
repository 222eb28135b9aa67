"""`bench ingest`: every side stores every row, over HTTP too, and one that does not is named."""

from __future__ import annotations

import json
import os

import pytest

from mlops_dash import cli
from mlops_dash.bench import ingest
from mlops_dash.errors import Unavailable
from tests.machine import unmeasured


@pytest.fixture(autouse=True)
def untraced(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ.keys() - unmeasured().keys():  # what is timed is not traced
        monkeypatch.delenv(name)


def test_all_sides_store_every_row(capsys: pytest.CaptureFixture[str]) -> None:
    code = cli.main(["bench", "ingest", "--rows", "6000", "--repeats", "1", "--json"])
    said = capsys.readouterr()
    assert code == 0, said.err
    ours, plain, http = json.loads(said.out)
    assert (ours["name"], ours["rows"], plain["name"], plain["ratio"]) == (ingest.OURS, 6_000, ingest.PLAIN, 1.0)
    assert ours["rows_a_second"] == pytest.approx(6_000 / ours["seconds"])
    assert (http["name"], http["rows"], http["ratio"]) == (ingest.HTTP, 6_000, None)
    assert http["peak_mib"] > 50  # of the gateway, which is another process


def test_a_side_that_loses_rows_is_no_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "_OURS", """print('{"predictions": 999, "labels": 1000}')""")
    with pytest.raises(Unavailable, match="mlops-dash ingest stored"):
        ingest.measure(1_000, repeats=1, tell=lambda _: None)


def test_what_cannot_be_measured_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "ingest", "--rows", "0"]) == 2
    assert "1,000 rows or more" in capsys.readouterr().err
