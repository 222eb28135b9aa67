"""Every reader of a text file reads its dialect alike, and says so."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from mlops_dash import cli
from mlops_dash.services.tables import table_of
from mlops_dash.services.two_tables import compare_files
from mlops_dash.store.text_tables import read_text_table

TEXT = 'id;größe;preis;name\n007;1.234,5;2;Zoë\n008;;3;"a;b\nc"\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_both_readers_find_the_same_cells(tmp_path: Path, encoding: str) -> None:
    content = TEXT.encode(encoding)
    (tmp_path / "t.csv").write_bytes(content)
    table, dialect = read_text_table(tmp_path / "t.csv")
    frame = table_of(content, "t.csv")
    assert table.to_pydict() == {
        "id": ["007", "008"], "größe": ["1234.5", None], "preis": ["2", "3"], "name": ["Zoë", "a;b\nc"],
    }  # fmt: skip
    assert frame.astype(object).where(frame.notna(), None).to_dict("list") == table.to_pydict()
    letters = {"cp1252": ", in cp1252", "utf-16": ", in utf-16"}.get(encoding, "")
    assert frame.attrs["read_as"] == dialect.words() == f"separated by semicolons, with decimal commas{letters}"


def test_bytes_that_are_no_letters_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"a,b\n\xff\x00,1\n")
    with pytest.raises((UnicodeDecodeError, pa.ArrowInvalid)):
        read_text_table(tmp_path / "t.csv")


def test_commands_say_how_a_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLOPS_DASH_HOME", str(tmp_path / "home"))
    path = tmp_path / "units.csv"
    frame = pd.DataFrame({"arm": ["a", "b"] * 200, "spend": [1.25, 2.5, 3.75, 5.0] * 100})
    frame.to_csv(path, sep=";", decimal=",", index=False)
    assert cli.main(["ab", str(path), "--variant", "arm", "--metric", "spend", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [arm["mean"] for arm in found["arms"]] == [2.5, 3.75]
    assert found["warnings"] == ["The file is read as separated by semicolons, with decimal commas."]
    frame.to_parquet(tmp_path / "new.parquet")
    verdict = compare_files(path, tmp_path / "new.parquet")
    assert verdict.features[1].column.kind == "numeric"
    assert "units.csv is read as separated by semicolons, with decimal commas." in verdict.notes
