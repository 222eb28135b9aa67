"""Tables that people bring: names stay as they are written, and only an empty cell is missing."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from mlops_dash.domain.experiments.why import FileKind, RunFile, SharedFile
from mlops_dash.errors import InvalidInput, NotFound
from mlops_dash.services import tables
from mlops_dash.services.experiments.artifacts import _shown
from mlops_dash.services.experiments.rows import parsed
from mlops_dash.services.experiments.slices import slices_of, told

AWKWARD = [
    "007",
    "7",
    "01",
    "1",
    "NA",
    "None",
    "nan",
    "null",
    "N/A",
    "TRUE",
    "1e3",
    "1_000",
    " a",
    "a ",
    "-",
    "ä",
    "07.0",
]


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_every_awkward_name_is_its_own(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"units.{ending}"
    given = pd.DataFrame({"unit": [*AWKWARD, ""], "spend": range(len(AWKWARD) + 1)})
    if ending == "parquet":
        given.to_parquet(path)
    else:
        given.to_csv(path, index=False, sep="\t" if ending == "tsv" else ",")
    read = tables.read_table(path)
    assert tables.names_of(read["unit"]).tolist() == [*AWKWARD, None]
    assert tables.numbers_of(read["spend"], "spend").tolist() == list(range(len(AWKWARD) + 1))


def test_whole_numbers_beside_a_gap_keep_their_digits() -> None:
    said = {"columns": ["id", "x", "x"], "data": [[2**53 + 1, 1.5, "b"], [None, None, ""]]}
    made = tables.table_of_json(said)
    assert tables.names_of(made["id"]).tolist() == ["9007199254740993", None]
    assert made.iloc[:, 1].dtype == np.float64
    assert tables.names_of(made.iloc[:, 2]).tolist() == ["b", None]


def test_what_is_no_table_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        tables.read_table(tmp_path / "none.csv")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    with pytest.raises(InvalidInput, match=r"broken\.parquet could not be read"):
        tables.read_table(tmp_path / "broken.parquet")
    with pytest.raises(InvalidInput, match="no table of columns"):
        tables.table_of_json([1, 2])
    with pytest.raises(InvalidInput, match="no CSV"):
        tables.names_in_csv(b"", "id")


def test_a_column_becomes_numbers_only_where_nothing_is_lost() -> None:
    given = pd.DataFrame({
        "id": ["007", "8"], "n": ["7", "-8"], "x": ["0.5", None], "price": ["1.50", "2.00"],
        "release": ["1.1", "1.10"], "long": ["12345678901234567890", "1"], "none": ["nan", "1"], "plus": ["+7", "8"],
        "exact": ["0.8444218515250481", "1e-05"], "far": ["1e999", "1"], "mixed": ["7", "seven"],
    })  # fmt: skip
    made = tables.as_written(given)
    kinds = {name: str(kind) for name, kind in made.dtypes.items()}
    assert {name: kind for name, kind in kinds.items() if kind != "object"} == {
        "n": "int64", "x": "float64", "price": "float64", "exact": "float64",
    }  # fmt: skip
    assert made["exact"].tolist() == [0.8444218515250481, 1e-05]
    pd.testing.assert_frame_equal(made.drop(columns=["n", "x", "price", "exact"]),
                                  given.drop(columns=["n", "x", "price", "exact"]))  # fmt: skip


def test_a_word_for_no_number_is_a_gap_only_in_a_column_of_numbers() -> None:
    given = pd.DataFrame({"temp": ["1.5", "NA", "n/a", None], "country": ["NA", "DE", None, "NA"]})
    made = tables.as_written(given, gaps=True)
    assert made["temp"].isna().tolist() == [False, True, True, True]
    assert made["country"].tolist() == given["country"].tolist()


def test_a_file_of_a_run_is_shown_as_it_is_written() -> None:
    shared = SharedFile("customers.csv", FileKind.TABLE, 1)
    shown = _shown(RunFile("r", "label"), b"id,country,n\n007,NA,1\n08,None,2\n", shared)
    assert shown.frame is not None
    assert shown.frame.to_numpy().tolist() == [["007", "NA", 1], ["08", "None", 2]]


def test_row_ids_are_texts_and_none_may_be_missing() -> None:
    given = pd.DataFrame({"row_id": ["007", "7", "None", "NA"], "label": [0, 1, 0, 1], "score": [0.1, 0.2, 0.3, 0.4]})
    assert parsed(given, "x", "r").frame["row_id"].tolist() == ["007", "7", "NA", "None"]
    whole = given.assign(row_id=[1.0, 2.0, 3.0, 4.0])
    assert parsed(whole, "x", "r").digest == parsed(given.assign(row_id=[1, 2, 3, 4]), "x", "r").digest
    with pytest.raises(InvalidInput, match="1 rows without a row id"):
        parsed(given.assign(row_id=["007", "7", None, "NA"]), "x", "r")


def test_classes_called_01_and_1_are_two() -> None:
    words = pd.DataFrame({"label": ["01", "1", "None", "NA"], "prediction": ["1", "1", "None", "None"]})
    kept = parsed(words, "x", "r")
    assert (kept.kind.name, kept.frame["score"].tolist()) == ("classes", [0.0, 1.0, 1.0, 0.0])
    whole = pd.DataFrame({"label": [1.0, 2.0, 3.0], "prediction": [1, 3, 3]})  # 1.0 and 1 are one
    assert parsed(whole, "x", "r").frame["score"].tolist() == [1.0, 0.0, 1.0]


def test_a_slice_called_missing_is_not_the_missing_one() -> None:
    column = pd.Series(["missing", "None", None, "None", "NA"])
    assert told(column).tolist() == ["missing", "None", "(missing)", "None", "NA"]
    names, codes = slices_of(column)
    assert sorted(names) == ["(missing)", "NA", "None", "missing"]
    assert len(set(codes.tolist())) == 4
    many = pd.Series([f"c{n}" for n in range(20)] + ["all others"] * 3)
    names, codes = slices_of(many)
    assert names[0] == "all others"
    assert (names[-1], int((codes == 0).sum())) == ("(all others)", 3)


def test_times_are_cut_to_the_microsecond_that_the_log_keeps() -> None:
    fine = pd.Series(pd.to_datetime(["2026-03-01T06:00:00.123456789Z"]))
    assert fine.iloc[0].nanosecond == 789

    assert tables.instants_of(fine, "at", ZoneInfo("UTC")).iloc[0].nanosecond == 0
