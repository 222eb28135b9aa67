"""Events from a file of any team: twice is once, bad rows are named, and what there is can be listed."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from mlops_dash.bootstrap import Services
from tests.cli.conftest import Run
from tests.factories import ADMIN

MINUTES = 'handling "minutes"'


@pytest.fixture
def minutes(house: Services) -> str:
    return house.registry.add_model(ADMIN, MINUTES, task="regression", source="external").name


def orders(n: int = 1_200) -> pd.DataFrame:
    at = pd.Timestamp("2026-03-01T08:00", tz="UTC") + pd.to_timedelta(range(n), unit="min")
    return pd.DataFrame({"order": [f"{one:04d}" for one in range(n)], "who": [f"{one % 7:03d}" for one in range(n)],
                         "when": at.strftime("%Y-%m-%d %H:%M"), "what": ["revenue", "点击"] * (n // 2),
                         "paid": [one / 4 for one in range(n)]})  # fmt: skip


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("ids", [("--id", "order"), ()])
def test_a_file_of_events_is_stored_once(
    run: Run, minutes: str, tmp_path: Path, suffix: str, ids: tuple[str, ...]
) -> None:
    path, table = tmp_path / f"orders.{suffix}", orders()
    table.to_parquet(path) if suffix == "parquet" else table.to_csv(path, index=False)
    words = ("--model", MINUTES, "--unit", "who", "--time", "when", "--name", "what", "--value", "paid", *ids)
    code, out, err = run("events", str(path), *words, "--json")
    assert code == 0, err
    assert json.loads(out) == {"rows": 1_200, "new": 1_200, "known": 0, "refused": False, "problems": []}
    assert json.loads(run("events", str(path), *words, "--json")[1])["known"] == 1_200
    listed = json.loads(run("events", "--json")[1])
    assert [(one["name"], one["events"]) for one in listed] == [("revenue", 600), ("点击", 600)]
    assert "revenue" in run("events", "--model", MINUTES)[1]


def test_a_bad_row_keeps_the_file_out_unless_the_others_are_asked_for(
    house: Services, run: Run, minutes: str, tmp_path: Path
) -> None:
    path, table = tmp_path / "orders.csv", orders(10).astype({"paid": object})
    table.loc[3, "paid"], table.loc[5, "who"] = "much", None
    table.loc[7, "order"] = "0006"  # another event under the same id
    table.to_csv(path, index=False)
    words = ("--model", MINUTES, "--unit", "who", "--time", "when", "--event", "order", "--value", "paid", "--id",
             "order")  # fmt: skip
    code, out, err = run("events", str(path), *words, "--json")
    assert (code, json.loads(out)["refused"], house.scoring.events(ADMIN)) == (2, True, ())
    assert [(one["place"], one["column"]) for one in json.loads(out)["problems"]] == [
        ("line 5", "paid"), ("line 7", "who"), ("line 9", "id"),
    ]  # fmt: skip
    assert "line 5, column 'paid'" in err
    code, out, _ = run("events", str(path), *words, "--on-error", "skip")
    assert (code, out.splitlines()[-1]) == (0, "7 new events of 10 rows. 3 rows left out.")


def test_what_is_missing_is_said(run: Run, minutes: str, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    orders(4).to_csv(path, index=False)
    assert "needs --unit" in run("events", str(path), "--model", MINUTES)[2]
    assert "What happened" in run("events", str(path), "--model", MINUTES, "--unit", "who", "--time", "when")[2]
    assert "no column 'whom'" in run(
        "events", str(path), "--model", MINUTES, "--unit", "whom", "--time", "when", "--event", "x"
    )[2]  # fmt: skip
    assert "No event was sent yet" in run("events")[1]


def test_equal_events_of_two_files_are_one_unless_they_have_ids_and_it_is_said(
    run: Run, minutes: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clicks = pd.DataFrame({"who": ["it's <b>安娜</b>"] * 3, "when": ["2026-03-01 08:00:00"] * 3, "n": ["a", "b", "c"]})
    first, second = tmp_path / "1.csv", tmp_path / "2.csv"
    clicks[:2].to_csv(first, index=False)
    clicks[2:].to_csv(second, index=False)
    words = ("--model", MINUTES, "--unit", "who", "--time", "when", "--event", "点击")
    assert run("events", str(first), *words)[1].strip() == "2 new events of 2 rows."
    out = run("events", str(second), *words)[1]
    assert "0 new events of 1 rows. 1 were known already (without --id a row that equals" in out
    assert run("events", str(first), *words, "--id", "n")[1].startswith("2 new")
    assert run("events", str(second), *words, "--id", "n")[1].startswith("1 new")
    assert run("events", str(second), *words, "--id", "n")[1].strip() == (
        "0 new events of 1 rows. 1 were known already."
    )
    with pytest.raises(SystemExit):
        run("events", "--help")
    said = " ".join(capsys.readouterr().out.split())
    assert "one that also came in an earlier file is taken as sent again" in said
