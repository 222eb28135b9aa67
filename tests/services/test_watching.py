"""What is each column of a stranger's file, and which kind does an input get?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from mlops_dash.services.tables import read_table
from mlops_dash.services.watching import Roles, propose


def test_numbers_that_pandas_wrote_to_a_csv_are_numbers_again(tmp_path: Path) -> None:
    """With all their digits, with an exponent, with a gap that R calls NA; a customer's number stays a name."""
    draw = np.random.default_rng(3)
    n = 300
    frame = pd.DataFrame({
        "scored_at": pd.date_range("2026-01-01", periods=n, freq="h").astype(str),
        "p": draw.random(n), "churned": np.where(draw.random(n) < 0.3, "yes", "no"),
        "usage": draw.random(n) * 1e-4, "spend": [f"{x:.2f}" for x in draw.random(n) * 90],
        "customer": [f"{i:05d}" for i in range(n)],
    })  # fmt: skip
    frame.loc[4, "spend"] = "NA"
    frame.to_csv(tmp_path / "churn.csv", index=False)
    rows = propose(read_table(tmp_path / "churn.csv"), Roles(label="churned")).rows
    assert {name: str(rows[name].dtype) for name in ("usage", "spend", "customer")} == {
        "usage": "float64", "spend": "float64", "customer": "object",
    }  # fmt: skip
    assert rows["usage"].tolist() == frame["usage"].tolist()
    assert int(rows["spend"].isna().sum()) == 1
