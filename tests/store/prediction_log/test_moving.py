"""Moving rows to cold files and reading them from there, on SQLite and on Postgres; killed between every two steps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy.engine import Engine
from sqlmodel import text

from mlops_dash.domain.class_probabilities import kept
from mlops_dash.errors import Conflict, StoreUnavailable
from mlops_dash.store import prediction_log as log
from mlops_dash.store.db import engine, reading, transaction
from mlops_dash.store.prediction_log import cold, moving
from mlops_dash.store.tables.log import LOG

DAY = datetime(2026, 1, 5, tzinfo=UTC)
DAY_US = log.to_us(DAY)
HOUR = log.HOUR_US
NOW_US = log.to_us(datetime(2026, 3, 1, tzinfo=UTC))
MODEL = 'l\'été "α" / week'  # a stranger's name


@pytest.fixture
def database(database_url: str, tmp_path: Path) -> Iterator[Engine]:
    if database_url.startswith("postgresql"):
        first = engine(database_url, schema="public")
        with transaction(first) as session:
            session.connection().execute(text("CREATE SCHEMA log"))
        first.dispose()
    made = engine(database_url, schema="log").execution_options(mlops_dash_cold=str(tmp_path / "cold"))
    LOG.create_all(made)
    yield made
    made.dispose()


def row(number: int, *, day: int = 0) -> log.Prediction:
    at = DAY_US + day * cold.DAY_US + number % 24 * HOUR
    return log.Prediction(
        MODEL, f"r{day}-{number}", at, "batch", number, "", json.dumps({"x": number, "who": f"p{number}"})
    )


def answer(of: log.Prediction, *, version: str = "1", role: str = "champion") -> log.Score:
    return log.Score(of.model, of.prediction_id, f"id{version}", role, version, of.at_us, of.row_number / 10, of.at_us)


def label(of: log.Prediction, value: float, *, observed: int = 1) -> log.Label:
    return log.Label(of.model, of.prediction_id, value, of.at_us + observed, NOW_US + observed)


def fill(database: Engine, *, days: int = 3, rows: int = 10) -> list[log.Prediction]:
    made = [row(number, day=day) for day in range(days) for number in range(rows)]
    with transaction(database) as session:
        log.append(session, made, [answer(one) for one in made], marked_us=NOW_US)
        log.append_labels(session, [label(one, 1.0) for one in made[::2]])
        session.connection().execute(text("DELETE FROM dirty_hour"))
    return made


def archive(database: Engine, day: int = 0) -> list[str]:
    return list(moving.move_day(database, MODEL, DAY_US + day * cold.DAY_US, now_us=NOW_US))


def window(database: Engine, version: str = "1", *, days: int = 3) -> pd.DataFrame:
    with reading(database) as session:
        return log.read_window(session, f"id{version}", DAY, DAY + timedelta(days=days))


def hot(database: Engine) -> dict[str, int]:
    with reading(database) as session:
        return {
            table: int(session.connection().execute(text(f"SELECT COUNT(*) FROM {table}")).scalar_one())
            for table in ("prediction", "score", "label")
        }


def dirty(database: Engine) -> list[int]:
    with reading(database) as session:
        return [log.to_us(one.hour) for one in log.dirty_hours(session, limit=1000)]


def paths(tmp_path: Path) -> set[str]:
    return {str(one.relative_to(tmp_path / "cold")) for one in (tmp_path / "cold").rglob("*.*")}


def test_reads_are_the_same_before_and_after_a_day_is_archived(database: Engine) -> None:
    fill(database)
    with transaction(database) as session:
        log.append(session, [], [answer(row(n), version="2", role="shadow") for n in range(5)], marked_us=NOW_US)
    hours = [DAY + timedelta(hours=n) for n in (1, 30)]

    def everything() -> list[object]:
        with reading(database) as session:
            return [
                window(database).to_dict("records"),
                log.read_window(session, "id1", DAY, DAY + timedelta(days=3), hours=hours).to_dict("records"),
                log.read_window(session, "id1", DAY, DAY + timedelta(days=3), features=False).to_dict("records"),
                log.read_paired(session, MODEL, "id1", "id2", DAY, DAY + timedelta(days=3)).to_dict("records"),
                log.read_logged(session, MODEL, DAY, DAY + timedelta(days=3), without_version="id2").to_dict("records"),
                log.rows_by_hour(session, ["id1", "id2"], hours, roles=["champion", "shadow"]),
                log.span_of(session, "id1"),
                log.labelled_days(session, "id1"),
                log.counts(session, MODEL),
                log.rows_scored(session, "id1", DAY + timedelta(hours=3), DAY + timedelta(days=2)),
                log.first_answer_since(session, "id1", DAY + timedelta(hours=2), role="champion"),
                log.every_nth_label(session, MODEL, n=2, since=DAY, limit=50),
            ]

    before = str(everything())
    archive(database, 0)
    archive(database, 1)
    assert hot(database) == {"prediction": 10, "score": 10, "label": 5}
    assert str(everything()) == before
    archive(database, 2)
    assert hot(database) == {"prediction": 0, "score": 0, "label": 0}
    assert str(everything()) == before


def test_probabilities_of_classes_are_archived_and_a_file_from_before_tells_none(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [row(number, day=day) for day in range(2) for number in range(4)]
    told = [answer(one)._replace(probabilities=kept([0.25, 0.75])) for one in made]
    with transaction(database) as session:
        log.append(session, made, told, marked_us=NOW_US)
    with monkeypatch.context() as before:
        before.setitem(cold.SCHEMAS, "score", cold.SCHEMAS["score"].remove(7))  # as files were before the column
        archive(database, 0)
    archive(database, 1)
    with reading(database) as session:
        read = log.read_window(session, "id1", DAY, DAY + timedelta(days=2), classes=["cat", "it's a fox"])
    assert read["probability:it's a fox"].isna().tolist() == [True] * 4 + [False] * 4
    assert read["probability:it's a fox"].tolist()[4:] == [0.75] * 4


def test_pages_of_logged_rows_go_over_the_edge_of_the_archive(database: Engine) -> None:
    made = fill(database)
    archive(database, 0)
    read: list[str] = []
    after = None
    while True:
        with reading(database) as session:
            page = log.read_logged(session, MODEL, DAY, DAY + timedelta(days=3), after=after, limit=4)
        if page.empty:
            break
        read += page["prediction_id"].tolist()
        after = (int(page["at_us"].iloc[-1]), page["prediction_id"].iloc[-1])
    assert read == [one.prediction_id for one in made]


@pytest.mark.parametrize("after", range(5))
def test_a_move_that_is_killed_after_any_step_loses_and_doubles_nothing(database: Engine, after: int) -> None:
    fill(database, days=1)
    expected = window(database)
    steps = moving.move_day(database, MODEL, DAY_US, now_us=NOW_US)
    for _ in range(after):
        next(steps)
    steps.close()
    pd.testing.assert_frame_equal(window(database), expected)
    archive(database)
    assert hot(database) == {"prediction": 0, "score": 0, "label": 0}
    pd.testing.assert_frame_equal(window(database), expected)
    with reading(database) as session:
        assert log.counts(session, MODEL).predictions == 10
        assert {one.kind: one.rows for one in cold.of_model(session, MODEL)} == {
            "prediction": 10,
            "score": 10,
            "label": 5,
        }


def test_a_second_move_finds_nothing_to_do(database: Engine, tmp_path: Path) -> None:
    fill(database, days=1)
    archive(database)
    before = paths(tmp_path)
    assert archive(database) == ["files written", "named in the manifest"]
    assert paths(tmp_path) == before


def test_rows_that_are_sent_again_after_they_were_archived_change_nothing(database: Engine) -> None:
    made = fill(database)
    archive(database)
    with transaction(database) as session:
        again = log.append(session, made, [answer(one) for one in made], marked_us=NOW_US)
    assert (again, dirty(database)) == (log.Appended(0, 0), [])
    other = made[0]._replace(features=json.dumps({"x": 99}))
    with reading(database) as session:
        assert log.first_differing(session, [other], times=True) == log.Differing("r0-0", "row of features")
    assert len(window(database)) == 30


def test_late_rows_and_answers_of_an_archived_day_are_read_at_once_and_join_its_files(database: Engine) -> None:
    fill(database)
    archive(database)
    late = row(11)
    with transaction(database) as session:
        log.append(session, [late], [answer(late), answer(row(3), version="2", role="replayed")], marked_us=NOW_US)
    assert len(window(database, days=1)) == 11
    with reading(database) as session:
        paired = log.read_paired(session, MODEL, "id1", "id2", DAY, DAY + timedelta(days=1))
        assert paired["prediction_id"].tolist() == ["r0-3"]
        assert [one.day_us for one in moving.old_days(session, MODEL, DAY_US + cold.DAY_US)] == [DAY_US]
    archive(database)
    assert (len(window(database, days=1)), hot(database)["score"]) == (11, 20)
    with reading(database) as session:
        assert len(log.read_paired(session, MODEL, "id1", "id2", DAY, DAY + timedelta(days=1))) == 1


def test_a_late_label_reaches_an_archived_row_and_its_hour_is_counted_anew(database: Engine) -> None:
    made = fill(database)
    archive(database)
    with transaction(database) as session:
        told = log.append_labels(session, [label(made[3], 0.0), label(made[4], 0.0, observed=2), label(made[2], 1.0)])
    assert (told.pending, dirty(database)) == (3, [])
    with reading(database) as session:
        assert moving.labels_waiting(session) == (MODEL,)
    assert moving.fold_labels(database, MODEL, now_us=NOW_US) == 2  # that of made[2] says what was known
    assert hot(database)["label"] == 10
    read = window(database, days=1).set_index("prediction_id")["label"]
    assert (read["r0-3"], read["r0-4"], read["r0-2"]) == (0.0, 0.0, 1.0)
    assert set(dirty(database)) >= {made[3].at_us // HOUR * HOUR, made[4].at_us // HOUR * HOUR}
    with reading(database) as session:
        assert moving.labels_waiting(session) == ()
        before = log.read_window(session, "id1", DAY, DAY + timedelta(days=1), known_at=log.from_us(NOW_US + 1))
    assert before.set_index("prediction_id")["label"]["r0-4"] == 1.0  # the revision before is kept


def test_a_late_label_reads_no_features_and_its_answers_are_still_counted(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = fill(database)
    archive(database)
    with transaction(database) as session:
        log.append_labels(session, [label(made[3], 0.0)])
    asked, read_table = [], pq.read_table

    def spy(place: Path, columns: list[str] | None = None) -> pa.Table:
        asked.append((place.name.split("-")[0], columns))
        return read_table(place, columns=columns)

    with monkeypatch.context() as patch:
        patch.setattr(pq, "read_table", spy)
        assert moving.fold_labels(database, MODEL, now_us=NOW_US) == 1
    assert {kind for kind, columns in asked if columns is None} == {"label"}
    assert not any("features" in columns for _, columns in asked if columns is not None)
    with reading(database) as session:
        counted = text("SELECT rows, labelled FROM archived_answers")
        assert session.connection().execute(counted).one() == (10, 6)  # five labels were there before


def test_a_label_of_a_row_that_nobody_knows_waits_for_it(database: Engine) -> None:
    fill(database, days=1)
    archive(database)
    with transaction(database) as session:
        log.append_labels(session, [label(row(99), 1.0)])
    assert moving.fold_labels(database, MODEL, now_us=NOW_US) == 0
    with transaction(database) as session:
        log.append(session, [row(99)], [answer(row(99))], marked_us=NOW_US)
    assert window(database, days=1).set_index("prediction_id")["label"]["r0-99"] == 1.0


def test_a_damaged_file_is_said_and_nothing_is_moved_onto_it(database: Engine, tmp_path: Path) -> None:
    fill(database, days=2)
    archive(database)
    with transaction(database) as session:
        log.append(session, [row(11)], [answer(row(11))], marked_us=NOW_US)
    with reading(database) as session:
        file = cold.of_day(session, MODEL, DAY_US)["score"]
    place = tmp_path / "cold" / file.path
    whole = place.read_bytes()
    place.write_bytes(whole[:-7] + b"damaged")
    with pytest.raises(StoreUnavailable, match="damaged, its bytes are not those of the manifest"):
        window(database)
    with pytest.raises(StoreUnavailable, match="2026-01-05"):
        archive(database)
    assert hot(database)["prediction"] == 11
    place.unlink()
    with pytest.raises(StoreUnavailable, match="is not there"):
        window(database)
    place.write_bytes(whole)
    assert len(window(database)) == 21


def test_two_that_move_one_day_at_once_do_not_overwrite_each_other(database: Engine) -> None:
    fill(database, days=1)
    first = moving.move_day(database, MODEL, DAY_US, now_us=NOW_US)
    next(first)
    late = row(11)
    with transaction(database) as session:
        log.append(session, [late], [answer(late)], marked_us=NOW_US)
    archive(database)
    with pytest.raises(Conflict, match="Another process moves"):
        list(first)
    assert len(window(database)) == 11


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_labels_and_corrections_that_arrive_while_their_day_moves_are_folded_into_its_files(
    database: Engine, steps: int
) -> None:
    made = fill(database, days=1)
    move = moving.move_day(database, MODEL, DAY_US, now_us=NOW_US)
    for _ in range(steps):
        next(move)
    with transaction(database) as session:
        log.append_labels(session, [label(made[3], 0.0), label(made[4], 0.0, observed=2)])
    list(move)
    with reading(database) as session:
        assert moving.labels_waiting(session) == (MODEL,)
    assert moving.fold_labels(database, MODEL, now_us=NOW_US) == 2
    read = window(database, days=1).set_index("prediction_id")["label"]
    assert (read["r0-3"], read["r0-4"], read["r0-2"], hot(database)["label"]) == (0.0, 0.0, 1.0, 0)


def test_a_move_without_late_labels_marks_nothing(database: Engine) -> None:
    fill(database, days=1)
    archive(database)
    with reading(database) as session:
        assert moving.labels_waiting(session) == ()


def test_an_erasure_writes_cold_files_anew_and_leaves_no_byte_of_them(database: Engine, tmp_path: Path) -> None:
    made = fill(database)
    archive(database)
    archive(database, 1)
    with reading(database) as session:
        assert log.named(session, MODEL, "p4", column="who").ids == ("r0-4", "r1-4", "r2-4")
        named = log.named(session, MODEL, "r0-4")
        before = {one.path: one for one in cold.of_model(session, MODEL)}
    assert (named.ids, named.predictions, named.labels) == (("r0-4",), 1, 1)
    assert moving.erase_archived(database, MODEL, named.ids, marked_us=NOW_US) == 1
    assert moving.erase_archived(database, MODEL, named.ids, marked_us=NOW_US) == 0
    with reading(database) as session:
        after = {one.path for one in cold.of_model(session, MODEL)}
        assert log.named(session, MODEL, "r0-4").ids == ()
    assert paths(tmp_path) == after
    assert len(after - set(before)) == 3
    assert "r0-4" not in window(database)["prediction_id"].tolist()
    assert (len(window(database)), dirty(database)) == (29, [made[4].at_us // HOUR * HOUR])


def test_the_last_row_that_is_erased_takes_its_files_with_it(database: Engine, tmp_path: Path) -> None:
    fill(database, days=1, rows=1)
    archive(database)
    assert moving.erase_archived(database, MODEL, ["r0-0"], marked_us=NOW_US) == 1
    assert (paths(tmp_path), len(window(database))) == (set(), 0)
    with reading(database) as session:
        assert (cold.of_model(session), log.span_of(session, "id1")) == ((), None)


def test_files_are_let_go_by_the_age_of_day_and_archiving(database: Engine, tmp_path: Path) -> None:
    fill(database)
    archive(database)
    assert moving.forget_files(database, before_us=NOW_US) == ()  # archived at NOW: new here
    with reading(database) as session:
        assert len(moving.files_to_forget(session, before_us=NOW_US + 1)) == 3
        assert len(cold.of_model(session)) == 3
    assert len(moving.forget_files(database, before_us=NOW_US + 1)) == 3
    with reading(database) as session:
        assert cold.of_model(session) == ()
    assert len(paths(tmp_path)) == 3  # a reader may have one open
    with reading(database) as session:
        assert cold.sweep(session, older_than=datetime.now(UTC) + timedelta(minutes=1)) == 3
    assert paths(tmp_path) == set()
