"""`mlops-dash drift REF CUR`: two files of anybody's, by column, with the public JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.cli.conftest import Run

WORDS = ["Biscoe", 'the "far" one', "O'Dream", "Torgersen"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLOPS_DASH_HOME", str(tmp_path / "home"))
    return tmp_path


def penguins(seed: int, n: int = 3_000) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    return pd.DataFrame({
        "flipper_mm": draw.normal(200, 14, n), "island": draw.choice(WORDS, n, p=[0.4, 0.3, 0.2, 0.1]),
        "nests": draw.integers(0, 4, n), "ringed": draw.random(n) < 0.3, "always": np.zeros(n, dtype=int),
        "tag": [f"{i:07d}" for i in draw.integers(0, 10**6, n)],
        "seen_at": pd.date_range("2026-01-01", periods=n, freq="min"),
    })  # fmt: skip


def drift(
    run: Run, home: Path, old: pd.DataFrame, new: pd.DataFrame, *options: str, end: str = "parquet"
) -> dict[str, Any]:
    for name, frame in (("old", old), ("new", new)):
        path = home / f"{name}.{end}"
        frame.to_parquet(path, index=False) if end == "parquet" else frame.to_csv(path, index=False)
    code, out, err = run("drift", str(home / f"old.{end}"), str(home / f"new.{end}"), "--json", *options)
    assert (code, err) == (0, "")
    said: dict[str, Any] = json.loads(out)
    said["by"] = {feature["name"]: feature for feature in said["features"]}
    return said


def test_nothing_moved_is_stable_and_what_cannot_be_judged_is_named(run: Run, home: Path) -> None:
    said = drift(run, home, penguins(1), penguins(2))
    assert said["verdict"] == "stable"
    assert "5 of 7 columns are stable." in said["reason"]
    assert "2 of 7 columns not judged: tag, seen_at." in said["reason"]
    assert said["by"]["seen_at"]["reason"] == "a time moves on by itself"
    assert said["by"]["tag"]["reason"].startswith("no value is common, as of an id: 2,9")
    assert (said["n_reference"], said["n_current"]) == (3_000, 3_000)
    assert {"name", "kind", "psi", "excess", "psi_low", "psi_high", "noise_floor", "js", "ks", "wasserstein", "p_value",
            "q_value", "missing_reference", "missing_current", "unseen", "verdict", "reason"} <= set(
        said["features"][0])  # fmt: skip
    assert [said["by"][name]["kind"] for name in ("flipper_mm", "island", "nests", "ringed")] == [
        "numeric", "categorical", "numeric", "categorical",
    ]  # fmt: skip
    assert said["by"]["island"]["ks"] is None
    assert any("Day-to-day variation is unknown" in note for note in said["notes"])


@pytest.mark.parametrize("end", ["parquet", "csv"])
def test_what_moved_drifts_whatever_kind_of_file_it_is(run: Run, home: Path, end: str) -> None:
    new = penguins(2).assign(
        flipper_mm=lambda f: f["flipper_mm"] + 20, island=lambda f: f["island"].where(f["island"] != "Biscoe", "Dream")
    )
    said = drift(run, home, penguins(1), new, "--leave-out", "seen_at", end=end)
    moved = {name for name, feature in said["by"].items() if feature["verdict"] == "drift"}
    assert (said["verdict"], moved) == ("drift", {"flipper_mm", "island"})
    flipper = said["by"]["flipper_mm"]
    assert flipper["psi_low"] < flipper["psi"] < flipper["psi_high"]
    assert said["by"]["island"]["unseen"] == pytest.approx(0.4, abs=0.04)
    assert "never seen in the reference" in said["by"]["island"]["reason"]


def test_both_kinds_of_file_give_the_same_numbers(run: Run, home: Path) -> None:
    old, new = (penguins(seed) for seed in (1, 2))
    by_parquet = drift(run, home, old, new)["features"]
    assert drift(run, home, old, new, end="csv")["features"] == by_parquet
    old.to_csv(home / "old.csv", index=False)
    new.replace({"ringed": {True: "true", False: "false"}}).to_parquet(home / "new.parquet", index=False)
    code, out, _ = run("drift", str(home / "old.parquet"), str(home / "new.parquet"), "--json")
    assert (code, json.loads(out)["features"]) == (0, by_parquet)


def test_a_constant_that_changes_a_column_that_empties_or_goes_and_a_gap_are_heard_of(run: Run, home: Path) -> None:
    new = penguins(2).drop(columns=["ringed", "seen_at"]).assign(always=1, wingspan=3.0)
    new["nests"] = new["nests"].where(np.arange(len(new)) % 10 > 0)
    new["flipper_mm"] = np.nan
    said = drift(run, home, penguins(1).drop(columns="seen_at"), new)
    by = said["by"]
    assert {name: feature["verdict"] for name, feature in by.items()} == {
        "flipper_mm": "drift", "island": "stable", "nests": "watch", "ringed": "drift", "always": "drift",
        "tag": "not_computable",
    }  # fmt: skip
    assert "no values any more" in by["flipper_mm"]["reason"]
    assert by["nests"]["reason"].startswith("10.0% missing, 0.0% in the reference")
    assert by["ringed"]["reason"] == "the current file has no such column"
    assert "100.0% other than 0" in by["always"]["reason"]
    assert (said["missing_columns"], said["new_columns"]) == (["ringed"], ["wingspan"])


def test_a_word_in_a_column_of_numbers_is_counted_and_stops_nothing(run: Run, home: Path) -> None:
    new = penguins(2)[["flipper_mm", "island"]].astype({"flipper_mm": object})
    new.loc[5, "flipper_mm"] = "about 200"
    new.loc[6, "flipper_mm"] = "NA"
    said = drift(run, home, penguins(1)[["flipper_mm", "island"]], new, end="csv")
    assert said["verdict"] == "stable"
    assert said["by"]["flipper_mm"]["reason"].startswith("1 of 3,000 are no number, such as 'about 200'")
    assert said["by"]["flipper_mm"]["missing_current"] == pytest.approx(2 / 3_000)


def test_too_few_rows_are_no_verdict(run: Run, home: Path) -> None:
    said = drift(run, home, penguins(1, 200), penguins(2, 90))
    assert said["verdict"] == "not_enough_rows"
    assert "200 of at least 1,000 in the reference" in said["reason"]
    assert {feature["verdict"] for feature in said["features"]} == {"not_computable"}
    said = drift(run, home, penguins(1, 200), penguins(2, 100), "--min-reference-rows", "200")
    assert said["verdict"] == "stable"
    code, _, err = run("drift", str(home / "old.parquet"), str(home / "new.parquet"), "--min-rows", "-1")
    assert (code, "min_rows is -1" in err) == (2, True)


def test_a_pipeline_can_stop_at_a_verdict(run: Run, home: Path) -> None:
    drift(run, home, penguins(1), penguins(2).assign(flipper_mm=0.5))
    files = (str(home / "old.parquet"), str(home / "new.parquet"))
    code, out, _ = run("drift", *files, "--fail-on", "drift")
    assert code == 1
    assert out.splitlines()[0] == (
        "drift: 1 of 7 columns drifted: flipper_mm. 2 of 7 columns not judged: tag, seen_at."
    )
    assert out.splitlines()[1].split()[:2] == ["drift", "flipper_mm"]
    assert run("drift", files[0], files[0], "--fail-on", "watch")[0] == 0


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "holds no rows"), (b"a,b\n", "holds no rows"), (b"a,a\n1,2\n", "two columns 'a'"), (b"a,b\n1\n", "be read"),
     (b"a\n\x81\x8d\n", "be read")],
)  # fmt: skip
def test_what_is_no_table_is_one_sentence(run: Run, home: Path, content: bytes, says: str) -> None:
    (home / "bad.csv").write_bytes(content)
    penguins(1).to_parquet(home / "old.parquet")
    code, out, err = run("drift", str(home / "old.parquet"), str(home / "bad.csv"))
    assert (code, out) == (2, "")
    assert says in err
    assert "Traceback" not in err
    assert run("drift", str(home / "none.csv"), str(home / "bad.csv"))[0] == 2
    assert "no file" in run("drift", str(home / "none.csv"), str(home / "bad.csv"))[2]


def test_a_reader_that_has_read_enough_is_no_incident(home: Path) -> None:
    penguins(1).to_parquet(home / "old.parquet")
    command = [sys.executable, "-m", "mlops_dash.cli", "drift", str(home / "old.parquet"), str(home / "old.parquet")]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False, env=os.environ)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("end", ["parquet", "csv"])
def test_a_changed_type_and_a_column_that_is_no_longer_empty_are_named(run: Run, home: Path, end: str) -> None:
    old = penguins(1).assign(code=penguins(1)["island"], note=None)
    old["weighed"] = [3.5, *[None] * (len(old) - 1)]
    new = penguins(2).assign(code=penguins(2)["nests"] + 7, note=1.5, weighed=4.0, always=1)
    said = drift(run, home, old, new, end=end)["by"]
    assert said["code"]["findings"][0] == "type changed"
    assert said["code"]["reason"].startswith("the column holds numbers now, words in the reference")
    assert said["note"]["findings"] == ["values where there were none"]
    assert said["weighed"]["findings"] == ["values where there were none"]
    assert said["weighed"]["reason"] == "100.0% with a value; in the reference 0.03% have one"
    assert said["always"]["findings"] == ["no longer constant"]
    assert {said[name]["verdict"] for name in ("code", "note", "weighed", "always")} == {"drift"}
    assert said["flipper_mm"]["findings"] == []
    assert said["flipper_mm"]["out_of_range"] < 0.01


def test_all_scores_stand_in_a_line_of_the_text(run: Run, home: Path) -> None:
    for name, seed in (("old", 1), ("new", 2)):
        penguins(seed).to_csv(home / f"{name}.csv", index=False)
    code, out, _ = run("drift", str(home / "old.csv"), str(home / "new.csv"))
    assert code == 0
    (line,) = [one for one in out.splitlines() if " flipper_mm " in one]
    assert all(f" {score} " in line for score in ("PSI", "JS", "KS", "W", "q")), line
