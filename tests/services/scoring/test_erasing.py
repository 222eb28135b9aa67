"""An erasure leaves no byte of somebody's archived rows, whatever a killed move or a late label left beside them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mlops_dash.bootstrap import Services, build
from mlops_dash.clock import fixed
from mlops_dash.domain.ab_tests.assigning import unit_key
from mlops_dash.domain.ab_tests.rules import NewTest
from mlops_dash.domain.events import Event
from mlops_dash.domain.jobs import NewJob, Task
from mlops_dash.errors import InvalidInput
from mlops_dash.store import jobs, prediction_log
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.prediction_log import Label, Prediction, moving, to_us
from mlops_dash.store.tables.registry import ServingRow
from tests import factories
from tests.factories import LEAD, SCIENTIST, WORKER

ANA = "ana's <b>名</b>"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MODEL = 'Müller\'s "night" load'
DAY_US = to_us(datetime(2026, 1, 20, tzinfo=UTC))


def test_files_that_no_line_of_the_manifest_names_go_with_the_erased(tmp_path: Path) -> None:
    services = build(factories.settings(tmp_path), clock=fixed(NOW))
    services.registry.add_model(SCIENTIST, MODEL, task="regression", source="external", reason="theirs")
    log = services.context.databases.log
    rows = [Prediction(MODEL, f"p{n}", DAY_US + n, "", n, "", json.dumps({"who": f"person-{n}"})) for n in range(4)]
    with transaction(log) as session:
        prediction_log.append(session, rows, [], marked_us=to_us(NOW))
        prediction_log.append_labels(session, [Label(MODEL, "p0", 1.0, DAY_US, DAY_US)])
    assert services.retention.retain(WORKER).moved == {MODEL: 4}
    with transaction(log) as session:  # a correction: the file of labels before is replaced, and stays for its readers
        prediction_log.append_labels(session, [Label(MODEL, "p0", 2.0, DAY_US + 1, to_us(NOW))])
        prediction_log.append(session, [rows[0]._replace(prediction_id="late")], [], marked_us=to_us(NOW))
    assert services.retention.fold_labels(WORKER).labels == 1
    killed = moving.move_day(log, MODEL, DAY_US, now_us=to_us(NOW))
    next(killed)  # its file is written and not named
    killed.close()
    cold = services.context.settings.home / "cold"
    whole = next(path for path in cold.rglob("prediction-*.parquet"))
    (whole.parent / "prediction.0a0b0c0d.tmp").write_bytes(whole.read_bytes())
    assert len(list(cold.rglob("*.*"))) == 5

    about = services.scoring.about(LEAD, MODEL, "person-0", column="who")
    assert services.scoring.erase_rows(LEAD, about) == 2
    left = {one.file.path for one in services.retention.files(LEAD, MODEL)}
    assert {path.relative_to(cold).as_posix() for path in cold.rglob("*.*") if path.is_file()} == left
    assert len(left) == 1  # of the three others
    assert services.retention.overview(LEAD).models[0].archived == 3


def drawn(services: Services, *tests: tuple[str, str]) -> None:
    """A model in minutes with one stopped test for each key and column; one unit's rows, half of them archived."""
    with transaction(services.context.databases.app) as session:
        session.add(factories.model_row(MODEL, task="regression"))
        session.add_all([factories.version_row(one, model=MODEL) for one in ("1", "2")])
        session.flush()
        session.add(
            ServingRow(model=MODEL, version_id=f"{MODEL}-v1", shadow_version_ids=[], operation_id="o", since=NOW)
        )
    for key, column in tests:
        wanted = NewTest(
            MODEL,
            f"{MODEL}-v2",
            question="?",
            planned_units=1_000,
            unit="entity",
            entity=column,
            outcome="mae",
            guardrails={},
            key=key,
        )
        made = services.ab_tests.design(SCIENTIST, wanted)
        services.ab_tests.stop(SCIENTIST, made.id, made.revision, reason="withdrawn")
    log = services.context.databases.log
    features = json.dumps(
        {"load": 1.0}
    )  # the unit is no input: the header said it, or a column the model does not take

    def row(name: str, unit: str, *, key: str, us: int) -> Prediction:
        return Prediction(MODEL, name, us, "", 0, unit_key(key, unit), features)

    with transaction(log) as session:
        old = [row("a1", ANA, key="k", us=DAY_US), row("b1", "bo", key="k", us=DAY_US + 1)]
        prediction_log.append(session, [*old, row("n1", "17", key="k", us=DAY_US + 2)], [], marked_us=to_us(NOW))
    assert services.retention.retain(WORKER).moved == {MODEL: 3}
    with transaction(log) as session:
        hot = [row("a2", ANA, key="k", us=to_us(NOW)), row("a3", ANA, key="other", us=to_us(NOW)),
               row("b2", "bo", key="other", us=to_us(NOW)), row("a4", "", key="k", us=to_us(NOW))]  # fmt: skip
        prediction_log.append(session, hot, [], marked_us=to_us(NOW))
        prediction_log.append_labels(session, [Label(MODEL, "a3", 1.0, to_us(NOW), to_us(NOW))])
        events = [Event(f"e-{who}", who, "revenue", 1.0, NOW) for who in (ANA, "bo", "17")]
        prediction_log.append_events(session, MODEL, events, received=NOW)


def left(services: Services) -> list[str]:
    cold = {one.file.path for one in services.retention.files(LEAD, MODEL)}
    with transaction(services.context.databases.log) as session:
        hot = [name for (name,) in session.connection().exec_driver_sql("SELECT prediction_id FROM prediction")]
    read = (
        pq.read_table(services.context.settings.home / "cold" / path, columns=["prediction_id"])
        for path in cold
        if "prediction-" in path
    )
    return sorted([*hot, *(name for rows in read for name in rows["prediction_id"].to_pylist())])


def test_rows_of_a_tests_unit_go_though_nothing_logged_names_it(tmp_path: Path) -> None:
    services = build(factories.settings(tmp_path), clock=fixed(NOW))
    drawn(services, ("k", "customer"), ("other", "account"))
    about = services.scoring.about(LEAD, MODEL, f" {ANA} ")
    assert (about.rows.ids, about.rows.labels, about.rows.events) == (("a1", "a2", "a3"), 1, 1)
    services.scoring.decide_erasure(LEAD, about, reason="asked for")
    assert services.scoring.erase_rows(LEAD, about) == 3
    assert left(services) == ["a4", "b1", "b2", "n1"]
    again = services.scoring.about(LEAD, MODEL, ANA).rows
    assert (again.ids, again.events) == ((), 0)
    whole = services.scoring.about(LEAD, MODEL, "17.0").rows  # a whole number, with and without a point
    assert (whole.ids, whole.events) == (("n1",), 1)


def test_why_an_erased_row_got_its_answer_goes_with_it(tmp_path: Path) -> None:
    services = build(factories.settings(tmp_path), clock=fixed(NOW))
    drawn(services, ("k", "customer"), ("other", "account"))
    app = services.context.databases.app
    asked = [(MODEL, "a2"), (MODEL, "a3"), (MODEL, "b2"), ("other", "a2")]
    with transaction(app) as session:
        for n, (model, row) in enumerate(asked):
            given = {"row": row, "at": NOW.isoformat(), "lane": str(n)}
            job = NewJob(Task.ROW, NOW, "asked by scientist", SCIENTIST.id, model, arguments=given)
            assert jobs.enqueue(session, job, job_id=f"j{n}", now=NOW)
    running = services.jobs.claim(WORKER, "here")
    assert running is not None
    logs = services.context.settings.logs / "jobs"
    logs.mkdir(parents=True, exist_ok=True)
    for n in range(len(asked)):
        (logs / f"j{n}.log").write_text("about it")
    services.scoring.erase_rows(LEAD, services.scoring.about(LEAD, MODEL, ANA))
    with reading(app) as session:
        left = [one for n in range(len(asked)) if (one := jobs.get(session, f"j{n}")) is not None]
        assert running.id == "j0"
        assert not jobs.mine(session, job_id="j0", epoch=running.epoch)
    assert [(one.model, one.arguments["row"]) for one in left] == asked[2:]
    assert sorted(path.name for path in logs.glob("j?.log")) == ["j2.log", "j3.log"]


def test_a_column_means_the_tests_that_drew_by_it(tmp_path: Path) -> None:
    services = build(factories.settings(tmp_path), clock=fixed(NOW))
    drawn(services, ("k", "customer"), ("other", "account"))
    assert services.scoring.about(LEAD, MODEL, ANA, column="customer").rows.ids == ("a1", "a2")
    assert services.scoring.about(LEAD, MODEL, "bo", column="account").rows.ids == ("b2",)
    with pytest.raises(InvalidInput, match="has an input 'airport'"):
        services.scoring.about(LEAD, MODEL, "nobody", column="airport")
