"""Predictions and labels of anybody's model come from files: twice is once, and no row is lost without a word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_dash.bootstrap import Services
from mlops_dash.services.scoring.filing import CHUNK
from tests.cli.conftest import Run
from tests.factories import ADMIN

MINUTES, LOANS = "handling-minutes", 'who\'s a "bad" loan'


@pytest.fixture
def minutes(house: Services) -> str:
    """A regression that others serve."""
    return house.registry.add_model(ADMIN, MINUTES, task="regression", source="external").name


@pytest.fixture
def loans(house: Services) -> str:
    """Two classes with words for labels."""
    return house.registry.add_model(ADMIN, LOANS, source="external", positive_label="bad").name


def calls(n: int = 40) -> pd.DataFrame:
    """A call a minute: how long it took, and how long it was said to take."""
    rng = np.random.default_rng(7)
    at = pd.Timestamp("2026-03-01T08:00", tz="UTC") + pd.to_timedelta(np.arange(n), unit="min")
    return pd.DataFrame({"ticket": [f"{one:03d}" for one in range(n)], "when": at.strftime("%Y-%m-%d %H:%M"),
                         "said": rng.normal(12, 3, n).round(2), "took": rng.normal(12, 4, n).round(1),
                         "queue": rng.choice(["07", "NA", "north"], n), "waiting": rng.integers(0, 9, n)})  # fmt: skip


def ingest(run: Run, table: pd.DataFrame, path: Path, *more: str) -> tuple[int, str, str]:
    table.to_parquet(path) if path.suffix == ".parquet" else table.to_csv(path, index=False)
    words = ("--model", MINUTES, "--version", "1", "--time", "when", "--prediction", "said", "--id", "ticket")
    return run("ingest", str(path), *words, *more)


def logged(house: Services, model: str) -> pd.DataFrame:
    """What the log holds of a model, its features as text."""
    with house.context.databases.log.connect() as connection:
        return pd.read_sql(
            "SELECT p.prediction_id AS id, p.features, s.score, l.value AS label FROM prediction p "
            "JOIN score s USING (model, prediction_id) LEFT JOIN label l USING (model, prediction_id) "
            f"WHERE model = '{model.replace(chr(39), chr(39) * 2)}' ORDER BY p.prediction_id",
            connection,
        )


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_is_stored_with_its_names_as_they_are_and_twice_is_once(
    house: Services, run: Run, minutes: str, tmp_path: Path, suffix: str
) -> None:
    path, table = tmp_path / f"calls.{suffix}", calls(CHUNK + 40)
    code, out, err = ingest(run, table, path, "--label", "took", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert (told.pop("waiting"), told.pop("refused"), told.pop("problems")) == (0, False, [])
    assert told == dict.fromkeys(["rows", "predictions", "labels"], CHUNK + 40)
    kept = logged(house, minutes)
    assert kept["id"].tolist() == sorted(table["ticket"])
    assert json.loads(kept["features"][7])["queue"] == table["queue"][7]
    assert [kept["score"][7], kept["label"][7]] == [table["said"][7], table["took"][7]]
    entries = len(house.registry.ledger(ADMIN, minutes))
    again = json.loads(ingest(run, table, path, "--label", "took", "--json")[1])
    assert (again["predictions"], again["labels"]) == (0, 0)
    assert len(house.registry.ledger(ADMIN, minutes)) == entries


def test_the_first_version_whose_rows_come_is_what_answers(
    house: Services, run: Run, minutes: str, tmp_path: Path
) -> None:
    assert ingest(run, calls(), tmp_path / "a.csv")[0] == 0
    serving = house.registry.serving(ADMIN, minutes)
    assert serving is not None
    assert serving.version_id == house.registry.version_id(ADMIN, minutes, "v1")


def test_answers_of_another_version_to_the_same_rows_are_new_predictions(
    house: Services, run: Run, minutes: str, tmp_path: Path
) -> None:
    assert ingest(run, calls(), tmp_path / "a.csv")[0] == 0
    second = calls().assign(said=lambda table: table["said"] + 1)
    code, out, _ = ingest(run, second, tmp_path / "b.csv", "--version", "2")
    assert (code, "40 new predictions and 0 new labels of 40 rows." in out) == (0, True)
    assert "0 new predictions" in ingest(run, second, tmp_path / "b.csv", "--version", "2")[1]
    assert len(logged(house, minutes)) == 80


def test_equal_rows_without_ids_are_all_kept_also_where_a_part_ends(
    house: Services, run: Run, minutes: str, tmp_path: Path
) -> None:
    path = tmp_path / "calls.csv"
    same = pd.concat([calls(1)] * (CHUNK + 5), ignore_index=True).drop(columns="ticket")
    same.to_csv(path, index=False)
    words = ("--model", minutes, "--version", "1", "--time", "when", "--prediction", "said", "--json")
    assert json.loads(run("ingest", str(path), *words)[1])["predictions"] == CHUNK + 5
    assert json.loads(run("ingest", str(path), *words)[1])["predictions"] == 0


def test_a_column_with_a_gap_in_the_next_file_names_the_rows_as_before(
    house: Services, run: Run, minutes: str, tmp_path: Path
) -> None:
    table = calls(30)
    assert ingest(run, table.iloc[:20], tmp_path / "a.csv")[0] == 0
    longer = table.astype({"waiting": "float64"})
    longer.loc[25, "waiting"] = np.nan
    assert json.loads(ingest(run, longer, tmp_path / "b.csv", "--json")[1])["predictions"] == 10


BAD = {
    "when": ("soon", "is no time such as 2026-03-01T06:00Z"),
    "said": ("long", "is no finite number"),
    "took": ("a while", "is no finite number"),
    "ticket": ("", "is empty"),
}


@pytest.mark.parametrize("column", BAD)
def test_a_row_that_cannot_be_taken_is_named_with_its_line_and_keeps_the_file_out(
    house: Services, run: Run, minutes: str, tmp_path: Path, column: str
) -> None:
    value, reason = BAD[column]
    table = calls().astype({"said": object, "took": object})
    table.loc[11, column] = value
    code, out, err = ingest(run, table, tmp_path / "a.csv", "--label", "took")
    assert (code, out.strip()) == (2, "")
    assert f"line 13, column {column!r}" in err
    assert reason in err
    assert "--on-error skip" in err
    assert house.scoring.counts(ADMIN, minutes).predictions == 0


def test_skipping_stores_the_others_and_lists_every_row_that_is_left_out(
    house: Services, run: Run, minutes: str, tmp_path: Path
) -> None:
    table = calls().astype({"said": object})
    table.loc[[3, 30], "said"] = "long"
    table.loc[20, "ticket"] = "000"
    code, out, err = ingest(run, table, tmp_path / "a.csv", "--on-error", "skip", "--json")
    told = json.loads(out)
    assert (code, told["predictions"], told["refused"]) == (0, 37, False)
    assert [(one["place"], one["column"]) for one in told["problems"]] == [
        ("line 5", "said"), ("line 22", "id"), ("line 32", "said"),
    ]  # fmt: skip
    assert "3 rows were left out" in err
    for _ in range(2):  # the same file again sets nothing more aside
        aside = house.monitoring.quarantine(ADMIN, minutes)
        assert {(one.version, one.column, one.rows, one.in_log) for one in aside.groups} == {
            ("1", "said", 2, False), ("1", "id", 1, False),
        }  # fmt: skip
        ingest(run, table, tmp_path / "a.csv", "--on-error", "skip")
    assert ("000", "'000'") in aside.groups[1].samples or ("000", "000") in aside.groups[1].samples


def test_only_ten_bad_rows_are_shown(house: Services, run: Run, minutes: str, tmp_path: Path) -> None:
    table = calls().assign(said="long")
    code, _, err = ingest(run, table, tmp_path / "a.csv")
    assert (code, err.count("line ")) == (2, 10)


def test_an_id_that_is_known_with_another_row_is_a_bad_row(
    house: Services, run: Run, minutes: str, tmp_path: Path
) -> None:
    table = calls()
    assert ingest(run, table, tmp_path / "a.csv")[0] == 0
    table.loc[8, "queue"] = "south"
    code, _, err = ingest(run, table, tmp_path / "a.csv")
    assert (code, "line 10, column 'id' 008: is known with another row of features" in err) == (2, True), err


def test_lines_are_those_of_the_file_with_empty_lines_and_line_breaks_in_cells(
    house: Services, run: Run, minutes: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text('ticket,when,said,queue\n01,2026-03-01 08:00,3,"a\nb"\n\n02,2026-03-01 08:01,long,a\n')
    words = ("--model", minutes, "--version", "1", "--time", "when", "--prediction", "said")
    assert "line 5, column 'said' 'long'" in run("ingest", str(path), *words)[2]


def test_words_as_labels_are_the_positive_class_or_the_other(
    house: Services, run: Run, loans: str, tmp_path: Path
) -> None:
    path = tmp_path / "loans.tsv"
    table = pd.DataFrame({"loan": ["007", "7", "NA"], "at": ["2026-03-01T08:00Z"] * 3, "p": [0.2, 0.9, 0.5],
                          "turned out": ["good", "bad", None], "class": ["good", "bad", "bad"],
                          "rate": [3.5, 4, 5]})  # fmt: skip
    table.to_csv(path, sep="\t", index=False)
    words = (
        "--model",
        loans,
        "--version",
        "1",
        "--time",
        "at",
        "--score",
        "p",
        "--id",
        "loan",
        "--prediction",
        "class",
    )
    assert run("ingest", str(path), *words, "--label", "turned out")[0] == 0
    kept = logged(house, loans).set_index("id")
    assert kept["label"].fillna(-1).to_dict() == {"007": 0.0, "7": 1.0, "NA": -1.0}
    assert json.loads(kept["features"]["7"]) == {"rate": 4}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"truth": ["good", "Bad"] * 20}, "are 3 classes: 'Bad', 'bad', 'good'"),
        ({"p": [0, 1] * 20}, "holds classes (0, 1)"),
        ({"p": [0.5, 1.5] * 20}, "column 'score'"),
    ],
)
def test_what_is_no_probability_or_a_third_class_is_refused(
    house: Services, run: Run, loans: str, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    path = tmp_path / "loans.csv"
    table = pd.DataFrame({"at": ["2026-03-01T08:00Z"] * 40, "p": [0.5] * 40, "truth": ["good", "bad"] * 20,
                          "rate": range(40)}).assign(**change)  # fmt: skip
    table.to_csv(path, index=False)
    words = ("--model", loans, "--version", "1", "--time", "at", "--score", "p", "--label", "truth")
    code, _, err = run("ingest", str(path), *words)
    assert (code, said in err) == (2, True), err
    assert house.scoring.counts(ADMIN, loans).predictions == 0


def test_labels_of_another_file_join_wait_and_are_revised(
    house: Services, run: Run, minutes: str, tmp_path: Path
) -> None:
    path = tmp_path / "truth.csv"
    assert ingest(run, calls().drop(columns="took"), tmp_path / "a.csv")[0] == 0
    table = calls()[["ticket", "took"]].assign(known="2026-03-09")
    table.loc[39, "ticket"] = "1234"
    table.to_csv(path, index=False)
    words = ("labels", str(path), "--model", minutes, "--key", "ticket", "--label", "took", "--time", "known")
    assert "40 new labels of 40 rows; 1 wait for their prediction." in run(*words)[1]
    assert house.scoring.counts(ADMIN, minutes).labelled == 39
    assert json.loads(run(*words, "--json")[1])["labels"] == 0
    pd.concat([table, table.iloc[[0]].assign(took=99.0, known="2026-03-10")]).to_csv(path, index=False)
    assert json.loads(run(*words, "--json")[1])["labels"] == 1
    assert json.loads(run(*words, "--json")[1])["labels"] == 0


def test_labels_join_by_a_business_key_of_several_columns_with_commas_in_them(
    house: Services, run: Run, minutes: str, tmp_path: Path
) -> None:
    table = calls(4).assign(ticket=["a,b", "a", 'it\'s "a"', "a\\"], desk=["c", "b,c", "north", ",c"])
    path, key = tmp_path / "a.csv", ("--id", "ticket,desk")
    assert ingest(run, table.drop(columns="took"), path, *key)[0] == 0
    assert len(set(logged(house, minutes)["id"])) == 4
    assert "desk" not in logged(house, minutes)["features"].iloc[0]
    truth = tmp_path / "truth.csv"
    table[["desk", "ticket", "took"]].assign(known="2026-03-09").to_csv(truth, index=False)
    words = ("labels", str(truth), "--model", minutes, "--label", "took", "--time", "known", "--json", "--key")
    assert run(*words, "ticket,street")[0] == 2
    assert json.loads(run(*words, "ticket, desk")[1])["waiting"] == 0
    assert house.scoring.counts(ADMIN, minutes).labelled == 4
    joined = dict(zip(logged(house, minutes)["id"], logged(house, minutes)["label"], strict=True))
    assert joined["a\\,b,c"] == table["took"].iloc[0]
    assert joined["a,b\\,c"] == table["took"].iloc[1]


def test_a_label_that_cannot_be_taken_keeps_the_file_out_or_is_skipped(
    house: Services, run: Run, minutes: str, tmp_path: Path
) -> None:
    path = tmp_path / "truth.csv"
    calls(3).astype({"took": object}).assign(took=[5, "NA", ""], known="2026-03-09").to_csv(path, index=False)
    words = ("labels", str(path), "--model", minutes, "--key", "ticket", "--label", "took", "--time", "known", "--json")
    code, out, _ = run(*words)
    assert (code, [one["place"] for one in json.loads(out)["problems"]]) == (2, ["line 3", "line 4"])
    code, out, _ = run(*words, "--on-error", "skip")
    assert (code, json.loads(out)["labels"]) == (0, 1)
    assert house.monitoring.quarantine(ADMIN, minutes).rows == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--model", "nobody's", "--version", "1"), "nobody's"),
        (("--model", MINUTES, "--version", "1", "--label", "waiting", "--id", "waiting"), "two roles"),
        (("--model", MINUTES, "--version", "1", "--label", "truth"), "There is no column 'truth'."),
        (("--model", MINUTES, "--version", "1", "--zone", "Mars"), "Mars"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(
    house: Services, run: Run, minutes: str, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    path = tmp_path / "a.csv"
    calls().to_csv(path, index=False)
    code, _, err = run("ingest", str(path), "--time", "when", "--prediction", "said", *words)
    assert (code, said in err, len(err.splitlines())) == (2, True, 1), err
