"""`log`: old rows of a stranger's model move to cold files, and nothing that rests on them changes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from mlops_dash.bootstrap import Services
from mlops_dash.errors import NotAllowed
from tests.cli.conftest import Run
from tests.cli.test_erase import BO, MODEL, live_rows, trips, watch
from tests.factories import ADMIN, LEAD, VIEWER, WORKER


def told(run: Run, *words: str) -> dict[str, object]:
    code, out, err = run("log", *words, "--json")
    assert code == 0, err
    found: dict[str, object] = json.loads(out)
    return found


def verdicts(house: Services) -> str:
    house.monitoring.profile_dirty_hours(WORKER, model=MODEL, limit=2_000)
    house.monitoring.evaluate(WORKER, MODEL)
    return repr(house.monitoring.room(VIEWER, MODEL).performance)


@pytest.mark.timeout(300)
def test_old_rows_move_and_verdicts_labels_erasure_and_files_go_on(house: Services, run: Run, tmp_path: Path) -> None:
    table = trips()
    watch(run, tmp_path / "trips.parquet", table)
    counted, before, live = house.scoring.counts(ADMIN, MODEL), verdicts(house), live_rows(house)
    dry = told(run, "retain", "--dry-run")
    assert dry["archived"] == {MODEL: 15 * 12}  # 45 days but a third, the reference, and 15
    assert (run("log", "files")[1].strip(), house.scoring.counts(ADMIN, MODEL)) == ("No rows are archived.", counted)

    done = told(run, "retain")
    assert (done["archived"], done["troubles"], done["dry_run"]) == (dry["archived"], {}, False)
    assert told(run, "retain")["archived"] == {}
    (shown,) = told(run, "show")["models"]  # type: ignore[misc]
    assert (shown["hot"], shown["archived"], shown["movable"], shown["files"]) == (15 * 12, 15 * 12, 0, 15 * 3)
    assert (house.scoring.counts(ADMIN, MODEL), verdicts(house), live_rows(house)) == (counted, before, live)

    late = pd.DataFrame({"trip": ["t0183", "t0184"], "took": [99.0, 98.0], "at": [datetime.now(UTC)] * 2})
    late.to_csv(tmp_path / "late.csv", index=False)
    code, _, err = run("labels", str(tmp_path / "late.csv"), "--model", MODEL, "--key", "trip", "--label", "took",
                       "--time", "at")  # fmt: skip
    assert code == 0, err
    assert house.retention.fold_labels(WORKER).labels == 2
    assert (house.retention.fold_labels(WORKER).labels, house.scoring.counts(ADMIN, MODEL)) == (0, counted)

    again = run("watch", str(tmp_path / "trips.parquet"), "--model", MODEL, "--id", "trip", "--task", "regression",
                "--yes", "--json")  # fmt: skip
    assert again[0] == 0, again[2]
    house.retention.fold_labels(WORKER)
    assert house.scoring.counts(ADMIN, MODEL) == counted

    asked = ("--entity", BO, "--column", "customer", "--reason", "asked to")
    erased = json.loads(run("erase", "--model", MODEL, *asked, "--json")[1])
    assert (erased["erased"], house.scoring.counts(ADMIN, MODEL).predictions) == (30, counted.predictions - 30)
    files = sorted((house.context.settings.home / "cold").rglob("prediction-*.parquet"))
    rows = pd.concat([pd.read_parquet(file) for file in files])
    assert (len(files), rows["features"].str.contains("builder").sum()) == (15, 0)
    assert run("log", "files", "--check")[0] == 0
    place = next(path for path in (house.context.settings.home / "cold").rglob("score-*.parquet"))
    place.write_bytes(place.read_bytes()[:-1] + b"x")
    code, out, _ = run("log", "files", "--check")
    assert (code, "1 damaged: put them back from a backup" in out) == (1, True)
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    assert house.retention.overview(VIEWER).next > hour + timedelta(hours=22)


def test_only_an_admin_moves_rows(house: Services) -> None:
    with pytest.raises(NotAllowed, match="may not do log:retain"):
        house.retention.retain(LEAD)


def test_without_a_model_nothing_is_old(house: Services, run: Run) -> None:
    assert run("log", "retain")[1].strip() == "Nothing is old enough."
    assert run("log", "show")[1].startswith("Nothing is logged yet.")
