"""Rows from outside: what is accepted, what is refused and how it is said."""

from __future__ import annotations

import json
import math
from collections import Counter
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from mlops_dash.domain import scoring as rules
from mlops_dash.domain.class_probabilities import kept
from mlops_dash.domain.tasks import BINARY, REGRESSION, task_named
from mlops_dash.errors import InvalidInput, InvalidRow

NOW = datetime(2013, 6, 3, 16, tzinfo=UTC)


def row(**changes: object) -> dict[str, object]:
    return {"version": "1", "score": 0.25, "features": {"wind": 3.0}, **changes}


def test_ids_are_kept_in_order_and_numbers_become_text() -> None:
    assert rules.require_ids(["b", 7], column="id") == ("b", "7")


@pytest.mark.parametrize("bad", [None, "", 1.5, True, "x" * 201, "a\x00b", "\ud800"])
def test_an_id_that_cannot_be_kept_is_refused(bad: object) -> None:
    with pytest.raises(InvalidRow) as caught:
        rules.require_ids(["fine", bad], column="flight")
    assert (caught.value.row, caught.value.column) == (1, "flight")


def test_an_id_that_occurs_twice_is_refused_at_its_second_row() -> None:
    with pytest.raises(InvalidRow, match="twice") as caught:
        rules.require_ids(["a", "b", "a"], column="id")
    assert caught.value.row == 2


@pytest.mark.parametrize("earlier", [False, True])
def test_equal_rows_get_different_stable_ids(earlier: bool) -> None:
    first = rules.stable_ids("m", [7, 7, 3_600_000_007], ["{}", "{}", "{}"], earlier=earlier)
    assert len(set(first)) == 3
    assert rules.stable_ids("m", [7, 7], ["{}", "{}"], earlier=earlier) == first[:2]
    assert rules.stable_ids("other", [7], ["{}"], earlier=earlier) != first[:1]


@pytest.mark.parametrize("times", [[1, 2, 3, 4, 5, 6], [1, 2, 2, 2, 3, 3], [2, 2, 2, 2, 2, 2]])
@pytest.mark.parametrize("cut", [1, 3, 5])
def test_rows_in_parts_have_the_ids_of_the_whole(times: list[int], cut: int) -> None:
    rows = ["{}", "{}", "{}", '{"a":1}', "{}", "{}"]
    seen: Counter[tuple[int, str]] = Counter()
    parts = [rules.stable_ids("m", times[a:b], rows[a:b], seen=seen) for a, b in ((0, cut), (cut, 6))]
    assert parts[0] + parts[1] == rules.stable_ids("m", times, rows)


def test_features_are_canonical_and_missing_is_null() -> None:
    columns = {"b": [1, None], "a": ["é\ud800", float("nan")], "t": [NOW, pd.NaT], "flag": [True, False]}
    first, second = rules.features_json(columns)
    assert list(json.loads(first)) == ["a", "b", "flag", "t"]
    assert json.loads(first) == {"a": "é\ud800", "b": 1, "flag": True, "t": NOW.isoformat()}
    assert json.loads(second) == {"a": None, "b": None, "flag": False, "t": None}
    first.encode()  # a lone surrogate is escaped, so any database takes it


def test_what_must_not_be_logged_is_left_out() -> None:
    assert rules.features_json({"a": [1], "ssn": [2]}, do_not_log=["ssn"]) == ('{"a":1}',)
    assert rules.features_json({"ssn": [2, 3]}, do_not_log=["ssn"]) == ("{}", "{}")


@pytest.mark.parametrize("bad", [math.inf, [1], {"a": 1}, b"x"])
def test_a_value_without_json_form_is_refused(bad: object) -> None:
    with pytest.raises(InvalidRow) as caught:
        rules.features_json({"wind": [1.0, bad]})
    assert (caught.value.row, caught.value.column) == (1, "wind")


def test_a_feature_named_like_a_column_of_the_log_is_refused() -> None:
    with pytest.raises(InvalidInput, match="label is taken"):
        rules.features_json({"label": [1]})


def test_a_prediction_from_outside_is_read() -> None:
    sent = row(prediction_id="a", at="2013-06-03T12:00:00-04:00", version=2, role="arm")
    (found,) = rules.read_predictions([sent], now=NOW)
    assert found == rules.OutsideRow("a", NOW, "2", rules.ScoreRole.ARM, 0.25, '{"wind":3.0}')
    (bare,) = rules.read_predictions([row()], now=NOW)
    assert (bare.prediction_id, bare.at, bare.role) == ("", NOW, "champion")


def test_probabilities_of_all_classes_say_the_answer_unless_a_score_does() -> None:
    task = task_named("multiclass", ("cat", "it's a fox", "dog"))
    told = {"dog": 0.25, "cat": 0.375, "it's a fox": 0.375}
    alone, beside = {**row(), "scores": told}, {**row(score="dog"), "scores": told}
    del alone["score"]
    first, second = rules.read_predictions([alone, beside], now=NOW, task=task)
    assert (first.score, second.score) == (0.0, 2.0)  # the first of equal ones
    assert first.probabilities == second.probabilities == kept([0.375, 0.375, 0.25])
    bad = (({"cat": 1.0}, "lacks the class"), ([1], "is not an object"), ({**told, "dog": 1}, "sum to"))
    for scores, reason in bad:
        with pytest.raises(InvalidRow, match=reason) as caught:
            rules.read_predictions([{**row(score="cat"), "scores": scores}], now=NOW, task=task)
        assert caught.value.column == "scores"
    with pytest.raises(InvalidRow, match="answers with one score"):
        rules.read_predictions([{**row(), "scores": told}], now=NOW, task=task_named("binary"))


def test_a_feature_named_like_a_probability_is_refused() -> None:
    with pytest.raises(InvalidInput, match="probability:cat is taken"):
        rules.features_json({"probability:cat": [1]})


@pytest.mark.parametrize(
    ("changes", "column", "reason"),
    [
        ({"score": "high"}, "score", "finite number"),
        ({"score": True}, "score", "finite number"),
        ({"score": math.nan}, "score", "finite number"),
        ({"features": [1]}, "features", "not an object"),
        ({"features": {"wind": math.inf}}, "wind", "not finite"),
        ({"features": {"wind": [1]}}, "wind", "neither number"),
        ({"at": "2013-06-03T12:00:00"}, "at", "no zone"),
        ({"at": "yesterday"}, "at", "ISO 8601"),
        ({"at": 7}, "at", "ISO 8601"),
        ({"version": None}, "version", "a text is needed"),
        ({"role": "replayed"}, "role", "not champion"),
        ({"prediction_id": ""}, "prediction_id", "a text is needed"),
        ({"surprise": 1}, "surprise", "not a field"),
    ],
)
def test_a_bad_prediction_is_named(changes: dict[str, object], column: str, reason: str) -> None:
    with pytest.raises(InvalidRow, match=reason) as caught:
        rules.read_predictions([row(prediction_id="a"), row(prediction_id="b") | changes], now=NOW)
    assert (caught.value.row, caught.value.column) == (1, column)
    assert "Nothing was stored" in caught.value.message


@pytest.mark.parametrize("bad", [None, {}, "text"])
def test_a_body_that_is_not_a_list_is_refused(bad: object) -> None:
    with pytest.raises(InvalidInput, match="not a list"):
        rules.read_predictions(bad, now=NOW)


def test_a_row_that_is_not_an_object_is_refused() -> None:
    with pytest.raises(InvalidRow, match="not an object"):
        rules.read_labels([7], now=NOW, task=BINARY)


def test_a_batch_has_a_most() -> None:
    with pytest.raises(InvalidInput, match="100,001 rows"):
        rules.read_labels([{}] * 100_001, now=NOW, task=BINARY)


def test_labels_are_read_and_default_to_now() -> None:
    found = rules.read_labels([{"prediction_id": "a", "value": True}], now=NOW, task=BINARY)
    assert found == (rules.OutsideLabel("a", 1.0, NOW),)


@pytest.mark.parametrize("bad", [2, 0.5, None, "1", math.nan])
def test_a_binary_label_is_0_or_1(bad: object) -> None:
    with pytest.raises(InvalidRow):
        rules.require_label(3, bad, task=BINARY)


def test_a_regressions_label_is_any_finite_number() -> None:
    assert rules.require_label(0, 12.5, task=REGRESSION) == 12.5


def test_scores_must_be_finite() -> None:
    assert rules.require_scores([0.1, 1.0]) == (0.1, 1.0)
    with pytest.raises(InvalidRow, match="no finite number"):
        rules.require_scores([0.1, math.nan])


def test_names_are_printable() -> None:
    assert rules.require_name("b-1", "A batch") == "b-1"
    for bad in ("", "x" * 201, "a\nb"):
        with pytest.raises(InvalidInput, match="A batch"):
            rules.require_name(bad, "A batch")


def test_a_column_of_one_kind_is_written_as_its_values_one_by_one_are() -> None:
    numbers = [1.5, float("nan"), None, -0.0, 3]
    mixed = [np.float64(1.5), float("nan"), None, -0.0, 3]  # numpy's own kinds are looked at one by one
    assert rules.features_json({"wind": numbers}) == rules.features_json({"wind": mixed})
    assert rules.features_json({"wind": numbers})[1:3] == ('{"wind":null}', '{"wind":null}')
    assert rules.features_json({"a": [True, None, "x", 2]}) == ('{"a":true}', '{"a":null}', '{"a":"x"}', '{"a":2}')


@pytest.mark.parametrize("bad", [float("inf"), float("-inf")])
def test_an_infinite_value_is_named_by_its_row_in_a_column_of_numbers(bad: float) -> None:
    with pytest.raises(InvalidRow) as caught:
        rules.features_json({"wind": [1.0, float("nan"), None, bad]})
    assert (caught.value.row, caught.value.column) == (3, "wind")


def test_ids_of_labels_may_come_again_and_a_bad_one_is_named_by_its_row() -> None:
    assert rules.require_texts(["a", "a", 3], column="prediction_id") == ("a", "a", "3")
    for bad in ("", None, True, "x" * 201, "a\n"):
        with pytest.raises(InvalidRow) as caught:
            rules.require_texts(["a", bad], column="prediction_id")
        assert caught.value.row == 1
