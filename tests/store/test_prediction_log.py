"""The prediction log on SQLite and on Postgres."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from sqlalchemy.engine import Engine
from sqlmodel import text

from mlops_dash.domain.class_probabilities import kept
from mlops_dash.store import prediction_log as log
from mlops_dash.store.db import engine, reading, transaction
from mlops_dash.store.tables.log import LOG

DAY = datetime(2013, 6, 3, tzinfo=UTC)
DAY_US = log.to_us(DAY)
MINUTE = 60_000_000


@pytest.fixture
def database(database_url: str) -> Iterator[Engine]:
    if database_url.startswith("postgresql"):
        first = engine(database_url, schema="public")
        with transaction(first) as session:
            session.connection().execute(text("CREATE SCHEMA log"))
        first.dispose()
    made = engine(database_url, schema="log")
    LOG.create_all(made)
    yield made
    made.dispose()


def row(number: int, *, model: str = "m", at_us: int | None = None, **features: object) -> log.Prediction:
    at = DAY_US + number * 10 * MINUTE if at_us is None else at_us
    return log.Prediction(model, f"r{number}", at, "batch", number, "", json.dumps({"x": float(number), **features}))


def answer(of: log.Prediction, score: float, *, version: str = "1", role: str = "champion") -> log.Score:
    return log.Score(of.model, of.prediction_id, f"id{version}", role, version, of.at_us, score, of.at_us + 1)


def label(of: int, value: float, *, received: int = 0, model: str = "m") -> log.Label:
    return log.Label(model, f"r{of}", value, DAY_US, DAY_US + received * MINUTE)


def append(database: Engine, rows: list[log.Prediction], scores: list[log.Score]) -> log.Appended:
    with transaction(database) as session:
        return log.append(session, rows, scores, marked_us=DAY_US)


def append_labels(database: Engine, *labels: log.Label) -> log.LabelsAppended:
    with transaction(database) as session:
        return log.append_labels(session, labels)


def window(database: Engine, version: str = "1", *, hours: float = 24, **kwargs: object) -> pd.DataFrame:
    with reading(database) as session:
        return log.read_window(session, f"id{version}", DAY, DAY + timedelta(hours=hours), **kwargs)  # type: ignore[arg-type]


def test_times_survive_the_way_through_microseconds() -> None:
    moment = datetime(2013, 3, 10, 6, 59, 59, 999_999, tzinfo=UTC)
    assert log.from_us(log.to_us(moment)) == moment
    with pytest.raises(ValueError, match="no zone"):
        log.to_us(datetime(2013, 1, 1))  # noqa: DTZ001


def test_append_twice_stores_once(database: Engine) -> None:
    rows = [row(i) for i in range(5)]
    scores = [answer(r, 0.5) for r in rows]
    assert append(database, rows, scores) == log.Appended(5, 5)
    assert append(database, rows, scores) == log.Appended(0, 0)
    assert append(database, [*rows, row(5)], [*scores, answer(row(5), 0.1)]) == log.Appended(1, 1)
    assert len(window(database)) == 6


def test_a_known_id_keeps_its_first_features(database: Engine) -> None:
    append(database, [row(1, y="first")], [answer(row(1), 0.5)])
    append(database, [row(1, y="second")], [answer(row(1), 0.9)])
    read = window(database)
    assert read["y"].tolist() == ["first"]
    assert read["score"].tolist() == [0.5]


def test_nothing_is_stored_when_the_transaction_fails(database: Engine) -> None:
    def append_and_fail() -> None:
        with transaction(database) as session:
            log.append(session, [row(1)], [answer(row(1), 0.5)], marked_us=DAY_US)
            raise RuntimeError("later")

    with pytest.raises(RuntimeError, match="later"):
        append_and_fail()
    assert window(database).empty


def test_appending_nothing_is_nothing(database: Engine) -> None:
    assert append(database, [], []) == log.Appended(0, 0)
    assert append_labels(database) == log.LabelsAppended(0, 0, 0, 0)


def test_a_window_is_half_open_and_in_time_order(database: Engine) -> None:
    rows = [row(2), row(0), row(6)]
    append(database, rows, [answer(r, 0.1 * i) for i, r in enumerate(rows)])
    read = window(database, hours=1)
    assert read["prediction_id"].tolist() == ["r0", "r2"]
    assert read["at"].tolist() == [pd.Timestamp(DAY), pd.Timestamp(DAY) + pd.Timedelta(minutes=20)]
    assert str(read["at"].dt.tz) == "UTC"
    assert window(database, hours=0).empty


def test_an_empty_window_has_its_columns(database: Engine) -> None:
    read = window(database)
    assert list(read) == ["prediction_id", "at", "score", "label", "label_received_at", "label_observed_at"]
    assert read["score"].dtype == np.float64
    assert str(read["at"].dtype).endswith("UTC]")


def test_features_come_back_with_their_types(database: Engine) -> None:
    append(
        database,
        [row(0, carrier="AA", hour=7, wind=None), row(1, carrier=None, hour=8, wind=2.5)],
        [answer(row(i), 0.5) for i in range(2)],
    )
    read = window(database)
    assert read["hour"].dtype == np.int64
    assert read["wind"].isna().tolist() == [True, False]
    assert read["carrier"].tolist() == ["AA", None]
    assert "x" not in window(database, features=False)


def test_a_label_revision_wins_and_the_older_one_is_kept(database: Engine) -> None:
    append(database, [row(1)], [answer(row(1), 0.5)])
    assert append_labels(database, label(1, 0.0)) == log.LabelsAppended(new=1, revised=0, unchanged=0, pending=0)
    assert append_labels(database, label(1, 0.0, received=5)) == log.LabelsAppended(0, 0, 1, 0)
    assert append_labels(database, label(1, 1.0, received=9)) == log.LabelsAppended(0, 1, 0, 0)
    assert window(database)["label"].tolist() == [1.0]
    early = window(database, known_at=DAY + timedelta(minutes=8))
    assert early["label"].tolist() == [0.0]
    with reading(database) as session:
        kept = session.connection().execute(text("SELECT revision, value FROM label ORDER BY revision")).all()
    assert [tuple(r) for r in kept] == [(1, 0.0), (2, 1.0)]


def test_one_batch_may_revise_its_own_label(database: Engine) -> None:
    assert append_labels(database, label(1, 0.0), label(1, 1.0), label(1, 1.0)) == log.LabelsAppended(1, 1, 1, 2)


def test_an_old_label_sent_again_after_its_correction_tells_nothing_new(database: Engine) -> None:
    append(database, [row(1)], [answer(row(1), 0.5)])
    corrected = label(1, 1.0)._replace(observed_at_us=DAY_US + 5 * MINUTE)
    append_labels(database, label(1, 0.0), corrected)
    assert append_labels(database, label(1, 0.0, received=9)) == log.LabelsAppended(0, 0, 1, 0)
    assert window(database)["label"].tolist() == [1.0]
    back = label(1, 0.0, received=12)._replace(observed_at_us=DAY_US + 11 * MINUTE)
    assert append_labels(database, back).revised == 1  # observed anew, it is a correction of its own
    assert window(database)["label"].tolist() == [0.0]


def test_a_label_before_its_prediction_waits_and_joins(database: Engine) -> None:
    assert append_labels(database, label(1, 1.0)).pending == 1
    with reading(database) as session:
        assert log.dirty_hours(session, limit=9) == ()
        assert log.counts(session, "m").pending_labels == 1
    append(database, [row(1)], [answer(row(1), 0.5)])
    assert window(database)["label"].tolist() == [1.0]
    with reading(database) as session:
        found = log.counts(session, "m")
    assert (found.predictions, found.labelled, found.pending_labels) == (1, 1, 0)
    assert found.first_at == found.last_at == DAY + timedelta(minutes=10)


def test_counts_of_a_model_without_rows(database: Engine) -> None:
    with reading(database) as session:
        assert log.counts(session, "none") == log.LogCounts(0, 0, 0, None, None)


def test_new_predictions_and_labels_make_hours_dirty(database: Engine) -> None:
    append(database, [row(0), row(1), row(7)], [])
    with transaction(database) as session:
        hours = log.dirty_hours(session, limit=9)
        assert [h.hour for h in hours] == [DAY, DAY + timedelta(hours=1)]
        log.clear_dirty(session, hours)
        assert log.dirty_hours(session, limit=9) == ()
    append(database, [row(0)], [])  # known already
    with reading(database) as session:
        assert log.dirty_hours(session, limit=9) == ()
    append_labels(database, label(7, 1.0))
    append_labels(database, label(7, 1.0))
    with reading(database) as session:
        assert [h.hour for h in log.dirty_hours(session, limit=9, model="m")] == [DAY + timedelta(hours=1)]
        assert log.dirty_hours(session, limit=9, model="other") == ()


def test_a_mark_that_came_while_profiling_is_not_forgotten(database: Engine) -> None:
    append(database, [row(0)], [])
    with reading(database) as session:
        seen = log.dirty_hours(session, limit=9)
    append(database, [row(1)], [])  # the clock stands still: the same `marked_us`
    with transaction(database) as session:
        log.clear_dirty(session, seen)
        assert [h.hour for h in log.dirty_hours(session, limit=9)] == [DAY]


def test_mark_range_marks_hours_with_predictions_only(database: Engine) -> None:
    append(database, [row(0), row(30)], [])
    with transaction(database) as session:
        log.clear_dirty(session, log.dirty_hours(session, limit=9))
        assert log.mark_range(session, "m", DAY, DAY + timedelta(hours=5), marked_us=1) == 1
        assert [h.hour for h in log.dirty_hours(session, limit=9)] == [DAY]


def test_two_roles_of_a_row_are_read_once_and_replayed_ones_never(database: Engine) -> None:
    rows = [row(0), row(1)]
    append(
        database,
        rows,
        [answer(rows[0], 0.5), answer(rows[0], 0.5, role="shadow"), answer(rows[1], 0.7, role="replayed")],
    )
    assert window(database)["prediction_id"].tolist() == ["r0"]
    assert window(database, roles=("replayed",))["prediction_id"].tolist() == ["r1"]


def test_paired_rows_need_both_versions_in_any_role(database: Engine) -> None:
    rows = [row(i) for i in range(3)]
    append(
        database,
        rows,
        [answer(r, 0.5) for r in rows] + [answer(r, 0.9, version="2", role="replayed") for r in rows[1:]],
    )
    append_labels(database, label(2, 1.0))
    with reading(database) as session:
        read = log.read_paired(session, "m", "id1", "id2", DAY, DAY + timedelta(days=1))
    assert read["prediction_id"].tolist() == ["r1", "r2"]
    assert read["score_a"].tolist() == [0.5, 0.5]
    assert read["score_b"].tolist() == [0.9, 0.9]
    assert read["label"].isna().tolist() == [True, False]


def test_probabilities_of_classes_are_kept_beside_the_answer_and_read_by_name(database: Engine) -> None:
    classes = ["cat", "it's a fox"]
    rows = [row(i) for i in range(3)]
    told = [answer(rows[0], 1.0)._replace(probabilities=kept([0.25, 0.75])), answer(rows[1], 0.0)]
    others = [answer(one, 0.0, version="2")._replace(probabilities=kept([0.875, 0.125])) for one in rows[:2]]
    append(database, rows, [*told, *others])
    again = answer(rows[1], 0.0)._replace(probabilities=kept([0.5, 0.5]))
    assert append(database, rows, [again]).scores == 0  # a known answer stays as it is
    read = window(database, classes=classes)
    assert read["probability:it's a fox"].tolist()[:1] == [0.75]
    assert read["probability:cat"].isna().tolist() == [False, True]
    assert "probability:cat" not in window(database)
    with reading(database) as session:
        both = log.read_paired(session, "m", "id1", "id2", DAY, DAY + timedelta(days=1), classes=classes)
    assert both["probability:cat_b"].tolist() == [0.875, 0.875]
    assert both["probability:cat_a"].isna().tolist() == [False, True]


def test_logged_rows_come_in_pages_without_those_already_scored(database: Engine) -> None:
    rows = [row(i, at_us=DAY_US + i // 2) for i in range(6)]
    append(database, rows, [answer(rows[3], 0.5, version="2", role="replayed")])
    seen: list[str] = []
    after: tuple[int, str] | None = None
    with reading(database) as session:
        while True:
            page = log.read_logged(
                session, "m", DAY, DAY + timedelta(days=1), without_version="id2", after=after, limit=2
            )
            if page.empty:
                break
            seen += page["prediction_id"].tolist()
            after = (int(page["at_us"].iloc[-1]), page["prediction_id"].iloc[-1])
    assert seen == ["r0", "r1", "r2", "r4", "r5"]


def test_a_batch_maps_rows_to_ids_and_answers(database: Engine) -> None:
    rows = [row(1), row(0)]
    append(database, rows, [answer(rows[0], 0.5), answer(rows[0], 0.7, version="2", role="shadow")])
    with reading(database) as session:
        first, second = log.batch_rows(session, "batch")
        assert log.batch_rows(session, "unknown") == ()
    assert (first.row, first.prediction_id, first.answers) == (0, "r0", ())
    assert second.answers == (("1", "champion", 0.5), ("2", "shadow", 0.7))


def test_versions_in_a_window_say_who_scored_how_much(database: Engine) -> None:
    rows = [row(i) for i in range(3)]
    append(database, rows, [answer(r, 0.5) for r in rows] + [answer(rows[2], 0.5, version="2", role="shadow")])
    with reading(database) as session:
        read = log.versions_in(session, "m", DAY, DAY + timedelta(days=1))
    assert read[["version", "role", "rows"]].values.tolist() == [["1", "champion", 3], ["2", "shadow", 1]]
    assert read["last_at"].tolist() == [pd.Timestamp(DAY) + pd.Timedelta(minutes=20)] * 2


def test_a_big_batch_of_labels_finds_all_its_ids(database: Engine) -> None:
    rows = [row(i, at_us=DAY_US) for i in range(25_000)]
    append(database, rows, [])
    result = append_labels(database, *(label(i, float(i % 2)) for i in range(25_000)))
    assert result == log.LabelsAppended(25_000, 0, 0, 0)
    again = append_labels(database, *(label(i, 1.0) for i in range(25_000)))
    assert again == log.LabelsAppended(0, 12_500, 12_500, 0)


# --- erasure ----------------------------------------------------------------------------------------------------------


def test_whoever_is_named_by_id_or_input_is_found_and_erased_with_answers_and_labels(database: Engine) -> None:
    rows = [row(number, customer=["ana", "007", 7, 'it\'s "bo"'][number % 4]) for number in range(8)]
    rows.append(log.Prediction("m", "L1,2026-01", DAY_US, "", 0, "", '{"customer":"x"}'))
    rows.append(row(1, model="other", customer="ana"))
    append(database, rows, [answer(one, 0.5) for one in rows])
    with transaction(database) as session:
        log.append_labels(session, [label(number, 1.0) for number in range(8)])
        log.append_labels(session, [label(0, 0.0, received=5), label(99, 1.0)])  # revised; and one that waits
        log.clear_dirty(session, log.dirty_hours(session, limit=100))
    with reading(database) as session:
        assert log.named(session, "m", "ana", column="customer") == log.Named(("r0", "r4"), 2, 3, entity="ana")
        assert log.named(session, "m", "007", column="customer").ids == ("r1", "r5")
        assert log.named(session, "m", "7", column="customer").ids == ("r2", "r6")
        assert log.named(session, "m", 'it\'s "bo"', column="customer").ids == ("r3", "r7")
        assert log.named(session, "m", "L1") == log.Named(("L1,2026-01",), 1, 0, entity="L1")
        assert log.named(session, "m", "r99") == log.Named(("r99",), 0, 1, entity="r99")
        assert log.named(session, "m", "nobody").ids == ()
        assert not log.named(session, "m", "ana", column="custmer").column_seen
        found = log.named(session, "m", "ana", column="customer")
    with transaction(database) as session:
        assert log.erase(session, "m", [*found.ids, "r99"], marked_us=DAY_US) == 2
        assert log.erase(session, "m", found.ids, marked_us=DAY_US) == 0
    with reading(database) as session:
        assert log.named(session, "m", "ana", column="customer").ids == ()
        kept = log.read_window(session, "id1", DAY, DAY + timedelta(days=1))
        assert sorted(kept["prediction_id"]) == ["L1,2026-01", "r1", "r2", "r3", "r5", "r6", "r7"]
        counts = log.counts(session, "m")
        assert (counts.predictions, counts.labelled, counts.pending_labels) == (7, 6, 0)
        assert [one.model for one in log.dirty_hours(session, limit=100)] == ["m"]
        assert log.counts(session, "other").predictions == 1


def test_an_answer_to_a_row_that_was_there_before_has_the_time_of_its_row(database: Engine) -> None:
    append(database, [row(1)], [answer(row(1), 0.5)])
    later = row(1)._replace(at_us=row(1).at_us + 30 * 3_600_000_000)  # a shadow that runs at night, without the time
    append(database, [later], [answer(later, 0.9, version="2", role="shadow")])
    append(database, [], [answer(later, 0.8, version="3", role="shadow")])
    with reading(database) as session:
        times = session.connection().execute(text("SELECT DISTINCT at_us FROM score")).scalars().all()
    assert times == [row(1).at_us]
    assert window(database, "2")["score"].tolist() == [0.9]
    assert window(database, "3")["score"].tolist() == [0.8]


def many(first: int, end: int, *, order: int = 1) -> list[log.Prediction]:
    return [row(number)._replace(prediction_id=f"r{number:06d}") for number in range(first, end)][::order]


@pytest.mark.parametrize("order", [1, -1])
def test_of_many_ids_those_that_are_known_are_found_wherever_they_lie(database: Engine, order: int) -> None:
    append(database, many(100, 300), [])
    with reading(database) as session:
        assert not log.any_known(session, "m", [(one.prediction_id, one.at_us) for one in many(300, 600)[::order]])
        assert not log.any_known(session, "other", [(one.prediction_id, one.at_us) for one in many(100, 300)])
        assert log.any_known(session, "m", [(one.prediction_id, one.at_us) for one in many(299, 600)[::order]])
        assert log.any_known(session, "m", [(one.prediction_id, one.at_us) for one in many(0, 101)[::order]])
        assert not log.any_known(session, "m", [])
        changed = [one._replace(features="{}") for one in many(250, 600)[::order]]
        found = {one.prediction_id for one in log.differing(session, changed, times=True)}
    assert found == {f"r{number:06d}" for number in range(250, 300)}


def test_ids_of_any_letters_are_found_among_many(database: Engine) -> None:
    names = ["Zebra", "apple", "Äpfel", "été", "牛", "\U0001f404", "\uffee", "%s", "'", '"']
    names += [f"n{number}" for number in range(200)]
    rows = [row(place)._replace(prediction_id=name) for place, name in enumerate(names)]
    append(database, rows, [])
    with reading(database) as session:
        for one in rows[:12]:
            others = [(f"between {i}", one.at_us) for i in range(150)]
            assert log.any_known(session, "m", [*others, (one.prediction_id, one.at_us)]), one.prediction_id


def test_labels_beside_their_new_rows_mark_the_hours_that_a_later_label_would(database: Engine) -> None:
    rows = many(0, 300)
    labels = [log.Label("m", one.prediction_id, 1.0, DAY_US, DAY_US) for one in rows]
    apart = [log.Label("m", "r999999", 1.0, DAY_US, DAY_US)]
    with transaction(database) as session:
        log.append(session, rows, [answer(one, 0.5) for one in rows], marked_us=DAY_US)
        told = log.append_labels(session, [*labels, *apart], new_rows=rows)
        again = log.append_labels(session, labels, new_rows=rows)
        revised = log.append_labels(session, [labels[3]._replace(value=0.0), labels[4]])
        hours = {(one.model, one.hour) for one in log.dirty_hours(session, limit=1_000)}
    assert told == log.LabelsAppended(new=301, revised=0, unchanged=0, pending=1)
    assert again == log.LabelsAppended(new=0, revised=0, unchanged=300, pending=0)
    assert revised == log.LabelsAppended(new=0, revised=1, unchanged=1, pending=0)
    assert hours == {("m", DAY + timedelta(hours=hour)) for hour in range(50)}


def test_the_same_label_twice_in_one_batch_is_one(database: Engine) -> None:
    assert append_labels(database, label(1, 1.0), label(1, 1.0), label(1, 0.0)).new == 1
    with reading(database) as session:
        assert not log.keeps_earlier_names(session, "m")
