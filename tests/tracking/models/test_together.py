"""Requests answered by one call get the bytes, and the log the rows, that each would get alone from MLflow."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_dash.stats.arrays import Bools
from mlops_dash.tracking.models import protocol, together
from mlops_dash.tracking.models.loading import LoadedModel, ModelCache
from mlops_dash.tracking.models.together import NotTogether, Rows
from tests.served import MODEL, Served, flights

JSON = "application/json"
NUMBERS = (None, 0, -7, 2**53, -(2**53), 0.1, -0.0, 1e308, 5e-324, 12.5, 1e-7)
WORDS = (None, "AA", "DL", "", "ÅÄ", 'it\'s "so"', "NA", "nan")


@pytest.fixture(scope="module")
def loaded(served: Served, tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return ModelCache(served.uri, tmp_path_factory.mktemp("models")).get(MODEL, "1")


@pytest.fixture(scope="module")
def other(served: Served, tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return ModelCache(served.uri, tmp_path_factory.mktemp("models")).get(MODEL, "2")


def read(loaded: LoadedModel, body: object, kind: str = JSON) -> Rows | None:
    kinds = together.kinds_of(loaded)
    assert kinds is not None
    return together.read(kinds, body if isinstance(body, bytes) else json.dumps(body).encode(), kind)


def records(rows: int, *, seed: int = 0) -> list[dict[str, Any]]:
    return list(json.loads(flights(rows, seed=seed).to_json(orient="records")))


def test_the_served_model_answers_row_by_row(loaded: LoadedModel) -> None:
    assert loaded.row_by_row
    assert together.kinds_of(loaded) == {
        "carrier": ("string", True),
        "hour": ("double", True),
        "wind": ("double", False),
    }


def drawn(rng: random.Random) -> list[dict[str, Any]]:
    rows = range(rng.randint(1, 4))
    return [{"carrier": rng.choice(WORDS), "hour": rng.choice(NUMBERS), "wind": rng.choice(NUMBERS)} for _ in rows]


@pytest.mark.parametrize("seed", range(12))
def test_any_plain_rows_get_the_bytes_and_the_log_the_rows_of_each_alone(loaded: LoadedModel, seed: int) -> None:
    rng = random.Random(seed)
    requests = [drawn(rng) for _ in range(5)]
    bodies = [{"dataframe_records": rows} for rows in requests]
    asked = [read(loaded, body) for body in bodies]
    alone = [protocol.answer(loaded, json.dumps(body).encode(), JSON) for body in bodies]
    for one, said in zip(asked, alone, strict=True):
        assert one is not None
        if said.status != 200:  # e.g. every word is missing: MLflow's own refusal, and ours when asked one by one
            with pytest.raises(Exception, match=r"."):
                together.answer(loaded, [one])
    good = [(one, said) for one, said in zip(asked, alone, strict=True) if one is not None and said.status == 200]
    assert good
    found = together.answer(loaded, [one for one, _ in good])
    assert list(found.bodies) == [said.body for _, said in good]
    first = 0
    for one, said in good:
        rows = found.frame.iloc[first : first + one.rows].reset_index(drop=True)
        assert said.frame is not None
        pd.testing.assert_frame_equal(rows, said.frame)
        assert said.scores is not None
        assert found.scores[first : first + one.rows].tobytes() == said.scores.tobytes()
        first += one.rows


def test_both_forms_are_joined(loaded: LoadedModel) -> None:
    rows = records(3)
    split = json.loads(flights(3).to_json(orient="split", index=False))
    asked = [
        read(loaded, {"dataframe_records": rows}),
        read(loaded, {"dataframe_split": split}, "application/json; charset=UTF-8"),
        read(loaded, {"dataframe_split": {**split, "index": [0, 1, 2]}}),
    ]
    assert asked[0] is not None
    assert asked[0] == asked[1] == asked[2]


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"7", b"[]", b"{}", b"\xff",
        {"dataframe_records": []},
        {"dataframe_records": [7]},
        {"dataframe_records": [{}]},
        {"dataframe_records": [{"carrier": "AA", "wind": 1.0}]},  # a required column is missing
        {"dataframe_records": [{"carrier": "AA", "hour": 1.0, "wind": 1.0, "more": 1}]},
        {"dataframe_records": [{"carrier": 7, "hour": 1.0, "wind": 1.0}]},
        {"dataframe_records": [{"carrier": "AA", "hour": "noon", "wind": 1.0}]},
        {"dataframe_records": [{"carrier": "AA", "hour": True, "wind": 1.0}]},
        {"dataframe_records": [{"carrier": "AA", "hour": 2**53 + 1, "wind": 1.0}]},
        {"dataframe_records": [{"carrier": "AA", "hour": [1.0], "wind": 1.0}]},
        {"dataframe_records": [{"carrier": "AA", "hour": 1.0, "wind": 1.0}], "params": {"x": 1}},
        {"dataframe_records": records(1), "inputs": records(1)},
        {"inputs": records(1)},
        {"instances": records(1)},
        {"dataframe_split": 7},
        {"dataframe_split": {"columns": ["carrier", "hour", "wind"]}},
        {"dataframe_split": {"columns": ["carrier", "hour", "hour"], "data": [["AA", 1.0, 1.0]]}},
        {"dataframe_split": {"columns": ["carrier", "hour", "wind"], "data": [["AA", 1.0]]}},
        {"dataframe_split": {"columns": ["carrier", "hour", "wind"], "data": [["AA", 1.0, 2.0]], "index": ["x"]}},
    ],
)  # fmt: skip
def test_what_is_unusual_is_answered_alone(loaded: LoadedModel, body: object) -> None:
    assert read(loaded, body) is None


@pytest.mark.parametrize("kind", ["text/csv", "", "application/json; charset=latin-1", "application/json; more=1"])
def test_other_content_types_are_answered_alone(loaded: LoadedModel, kind: str) -> None:
    assert read(loaded, {"dataframe_records": records(1)}, kind) is None


def test_a_challenger_answers_its_rows_with_the_same_bytes(loaded: LoadedModel, other: LoadedModel) -> None:
    bodies = [{"dataframe_records": records(rows, seed=rows)} for rows in (1, 3, 2)]
    turns = np.array([False, True, False, True, True, False])
    asked = [one for one in (read(loaded, body) for body in bodies) if one is not None]
    found = together.answer(loaded, asked, challenger=other, route=lambda _rows: turns)
    first, scores = 0, []
    for body, one, own in zip(bodies, asked, found.bodies, strict=True):
        mine = turns[first : first + one.rows]

        def route(_ids: object, _rows: int, mine: Bools = mine) -> Bools:
            return mine

        alone = protocol.answer(loaded, json.dumps(body).encode(), JSON, challenger=protocol.Challenger(other, route))
        assert own == alone.body
        scores += [] if alone.challenger_scores is None else alone.challenger_scores.tolist()
        first += one.rows
    assert found.challenger_scores is not None
    assert found.challenger_scores.tolist() == scores


@pytest.mark.parametrize(
    "answers",
    [
        lambda frame: frame,
        lambda frame: frame["hour"].tolist(),
        lambda frame: np.zeros(len(frame) - 1),
        lambda frame: np.zeros((len(frame), 1, 1)),
        lambda frame: np.array([{"a": 1}] * len(frame), dtype=object),
        lambda frame: np.array(["2013-01-01"] * len(frame), dtype="datetime64[D]"),
    ],
)
def test_anything_but_a_plain_line_a_row_is_a_surprise(loaded: LoadedModel, answers: Any) -> None:
    class Odd:
        metadata = loaded.pyfunc.metadata
        predict = staticmethod(answers)

    rows = read(loaded, {"dataframe_records": records(2)})
    assert rows is not None
    with pytest.raises(NotTogether):
        together.answer(replace(loaded, pyfunc=Odd()), [rows, rows])


def test_words_are_answered_as_words(loaded: LoadedModel) -> None:
    class Words:
        metadata = loaded.pyfunc.metadata

        @staticmethod
        def predict(frame: pd.DataFrame) -> Any:
            return np.where(frame["hour"] > 12, "spät", 'it\'s "early"').astype(object)

    rows = read(loaded, {"dataframe_records": [{"carrier": "AA", "hour": 7, "wind": None}]})
    late = read(loaded, {"dataframe_records": [{"carrier": "AA", "hour": 17, "wind": 1.5}]})
    assert rows is not None
    assert late is not None
    task = replace(loaded, pyfunc=Words(), score_column=None)
    with pytest.raises(Exception, match="numbers"):  # a task of two classes cannot keep words: answered one by one
        together.answer(task, [rows, late])
