"""What pictures beside the runs share."""

from __future__ import annotations

import numpy as np

from app.parts.experiments.pieces import told_apart
from mlops_dash.domain.experiments.pictures import Curve


def line(label: str, *ids: str) -> Curve:
    return Curve(label, ids, np.arange(3.0), np.arange(3.0))


def test_runs_of_one_name_are_told_apart_by_their_versions_or_their_ids() -> None:
    lines = [line("it's \"one\"", "aaaaaaaa"), line("it's \"one\"", "bbbbbbbb"), line("two", "cccccccc"),
             line("two", "dddddddd"), line("repeats", "a", "b"), line("alone", "eeeeeeee")]  # fmt: skip
    named = told_apart(lines, {"aaaaaaaa": ("m", "2"), "bbbbbbbb": ("m", "3"), "a": ("m", "4")})
    assert [one.label for one in named] == [
        "it's \"one\" · v2", "it's \"one\" · v3", "two · cccccc", "two · dddddd", "repeats", "alone",
    ]  # fmt: skip
