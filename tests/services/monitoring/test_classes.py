"""A model that answers with words: words at every door, numbers in the log, days that add up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from mlops_dash import bootstrap
from mlops_dash.bootstrap import Services
from mlops_dash.domain.monitoring.readings import SCORE
from mlops_dash.errors import InvalidInput, InvalidRow
from mlops_dash.settings import from_environment
from mlops_dash.store import prediction_log
from mlops_dash.store.db import reading
from mlops_dash.store.monitoring import references
from mlops_dash.store.monitoring.parts import count_rows, pack, total, unpack
from tests.factories import ADMIN, SCIENTIST, WORKER
from tests.penguins import MODEL, ODD, PER_DAY, SPECIES, begin, known, numbered, penguins, sent


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Services]:
    made = bootstrap.build(
        from_environment({"MLOPS_DASH_HOME": str(tmp_path), "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"})
    )
    yield made
    made.close()


@pytest.fixture
def table(house: Services) -> pd.DataFrame:
    return penguins(house.context.clock.now(), days=40)


def test_days_add_up_to_the_table_of_all_rows(house: Services, table: pd.DataFrame) -> None:
    version_id = begin(house, table.iloc[: 30 * PER_DAY])
    with reading(house.context.databases.app) as session:
        reference = references.reference(session, version_id)
    assert reference is not None
    layout = reference.layout
    live = table.iloc[30 * PER_DAY :].reset_index(drop=True)
    numbers = {name: float(number) for number, name in enumerate(SPECIES)}
    live = live.assign(score=live["score"].map(numbers), label=live["label"].map(numbers))
    live.loc[live.index[::7], "label"] = np.nan
    parts = count_rows(layout, live, np.arange(len(live)) % 10, 10)
    whole = total(layout, [unpack(layout, pack(part)) for part in parts])
    labelled = live.dropna()
    expected = confusion_matrix(labelled["label"], labelled["score"])
    assert whole.labelled.counts()[:9].reshape(3, 3).tolist() == expected.tolist()
    assert (whole.n, whole.n_labelled) == (len(live), len(labelled))
    assert layout.columns[SCORE].labels[:3] == ("Adélie", "Gentoo", ODD)  # the drift of answers speaks in words


def test_the_reference_keeps_the_metrics_of_its_rows_as_evidence(house: Services, table: pd.DataFrame) -> None:
    rows = table.iloc[: 30 * PER_DAY]
    version_id = begin(house, rows)
    kept = {one.metric: one.value for one in house.evidence.about(ADMIN, version_id)}
    assert kept["accuracy"] == pytest.approx(accuracy_score(rows["label"], rows["score"]))
    assert kept["macro_f1"] == pytest.approx(f1_score(rows["label"], rows["score"], average="macro"))
    measured = house.evidence.measure(WORKER, version_id, numbered(rows), bound="hold-out of the island")
    assert {one.metric: one.value for one in measured} == pytest.approx(kept)


def test_two_versions_are_compared_by_accuracy_and_macro_f1_on_the_same_rows(
    house: Services, table: pd.DataFrame
) -> None:
    first = begin(house, table.iloc[: 30 * PER_DAY])
    second = house.registry.record_version(WORKER, MODEL, "2")
    live = table.iloc[30 * PER_DAY :]
    better = live.assign(score=np.where(np.arange(len(live)) % 2, live["label"], live["score"]))
    house.scoring.record_predictions(ADMIN, MODEL, sent(live))
    shadow = [{**one, "version": "2", "role": "shadow"} for one in sent(better)]
    house.scoring.record_predictions(ADMIN, MODEL, shadow)
    house.scoring.record_labels(ADMIN, MODEL, known(live), received_at=live["at"].tolist())
    start, end = live["at"].min().to_pydatetime(), house.context.clock.now()
    found = {(one.kind, one.metric): one for one in house.evidence.compare(WORKER, MODEL, second, first, start, end)}
    gain = accuracy_score(better["label"], better["score"]) - accuracy_score(live["label"], live["score"])
    assert found["paired_difference", "accuracy"].value == pytest.approx(gain)
    assert (found["paired_difference", "accuracy"].low or 0.0) > 0
    assert found["metric", "macro_f1"].value == pytest.approx(
        f1_score(better["label"], better["score"], average="macro")
    )


# --- the doors --------------------------------------------------------------------------------------------------------


def test_words_go_in_as_words_and_come_out_as_words(house: Services, table: pd.DataFrame) -> None:
    begin(house, table.iloc[: 30 * PER_DAY])
    live = table.iloc[-3:]
    stored = house.scoring.record_predictions(ADMIN, MODEL, sent(live), batch_id="noon")
    assert stored.predictions == 3
    assert [row.answers[0][2] for row in house.scoring.batch(ADMIN, "noon")] == live["score"].tolist()
    with reading(house.context.databases.log) as log:
        rows = prediction_log.batch_rows(log, "noon")
    assert [SPECIES[int(row.answers[0][2])] for row in rows] == live["score"].tolist()


@pytest.mark.parametrize("word", ["Emperor", "adélie", 0, 1.0, True, None, "", ["Gentoo"]])
def test_what_is_no_class_is_refused_with_its_row_and_nothing_is_stored(
    house: Services, table: pd.DataFrame, word: object
) -> None:
    begin(house, table.iloc[: 30 * PER_DAY])
    rows = sent(table.iloc[-3:])
    rows[1]["score"] = word
    with pytest.raises(InvalidRow, match="is none of this model's classes: Adélie, Gentoo, it's"):
        house.scoring.record_predictions(ADMIN, MODEL, rows)
    labels = [{"prediction_id": "bird-1", "value": word}]
    with pytest.raises(InvalidRow, match="is none of this model's classes"):
        house.scoring.prepare_labels(ADMIN, MODEL, labels)
    assert house.scoring.counts(ADMIN, MODEL).predictions == 0


def test_a_reference_with_an_unknown_class_is_refused(house: Services, table: pd.DataFrame) -> None:
    with pytest.raises(InvalidInput, match="'Emperor' is none of this model's classes"):
        begin(house, table.iloc[: 30 * PER_DAY].assign(label="Emperor"))


@pytest.mark.parametrize(
    ("task", "names", "said"),
    [
        ("multiclass", (), "0 classes are named"),
        ("multiclass", ("Gentoo",), "1 classes are named"),
        ("multiclass", ("Gentoo", "Gentoo"), "is named twice"),
        ("multiclass", ("Gentoo", " "), "is blank"),
        ("binary", ("Gentoo", "Adélie"), "has no list of classes"),
    ],
)
def test_a_model_is_added_only_with_classes_that_can_be_told_apart(
    house: Services, task: str, names: tuple[str, ...], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        house.registry.add_model(SCIENTIST, MODEL, task=task, class_names=names, reason="test")
    assert house.registry.models(ADMIN) == ()
