"""The run index against MLflow's own server over HTTP: equal to the client, incremental, and not shaken by failures."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_dash.bench.experiments import add_curves, fill
from mlops_dash.clock import Clock
from mlops_dash.domain.experiments.comparison import RealQuery
from mlops_dash.domain.experiments.frame import Reducer, RunFrame
from mlops_dash.domain.experiments.index import (
    FIRST_PAGE,
    LOOK_EVERY,
    PASS_EVERY,
    IndexState,
    Point,
    RunPage,
    page_size,
)
from mlops_dash.domain.experiments.pictures import Picture
from mlops_dash.domain.experiments.room import RunQuery
from mlops_dash.errors import InvalidInput, NotAllowed, StoreUnavailable, Unavailable
from mlops_dash.services.experiments import ExperimentService
from mlops_dash.services.experiments.index import Indexer
from mlops_dash.store.experiments.index import RunIndex
from mlops_dash.store.experiments.mlflow_runs import MlflowDatabase
from mlops_dash.tracking.experiments.pages import RunPages
from mlops_dash.tracking.experiments.search import MlflowRuns
from tests.factories import NOON, VIEWER, WORKER, context
from tests.runs_server import serving
from tests.runs_world import ODD, RunsWorld, awkward


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = NOON

    def clock(self) -> Clock:
        return Clock(wall=lambda: self.at)

    def wait(self, how_long: timedelta) -> None:
        self.at += how_long


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> RunsWorld:
    home = tmp_path_factory.mktemp("runs")
    shutil.copyfile(mlflow_template, home / "mlflow.db")
    return awkward(f"sqlite:///{home / 'mlflow.db'}", home / "artifacts")


@pytest.fixture
def world(made_once: RunsWorld, tmp_path: Path) -> RunsWorld:
    """A copy that a test may change."""
    path = tmp_path / "mlflow.db"
    shutil.copyfile(made_once.path, path)
    return replace(made_once, path=path, uri=f"sqlite:///{path}")


@pytest.fixture
def server(world: RunsWorld, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with serving(world.uri, monkeypatch) as address:
        yield address


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def indexer(server: str, tmp_path: Path, hands: Hands) -> Iterator[Indexer]:
    made = context(tmp_path, mlflow_uri=server, mlflow_is_ours=False, clock=hands.clock())
    yield Indexer(made)
    made.databases.dispose()


def assert_equal(ours: RunFrame, theirs: RunFrame) -> None:
    theirs = theirs.take(theirs.places(ours.ids))
    assert len(ours) == len(theirs)
    pd.testing.assert_frame_equal(ours.info, theirs.info)
    pd.testing.assert_frame_equal(ours.metrics, theirs.metrics)
    pd.testing.assert_frame_equal(ours.params, theirs.params)
    pd.testing.assert_frame_equal(ours.tags, theirs.tags)
    np.testing.assert_array_equal(ours.logged, theirs.logged)


def filled(indexer: Indexer, experiment: str) -> IndexState:
    indexer.open(experiment)
    while indexer.step(10.0):
        pass
    found = indexer.index.state(experiment)
    assert found is not None
    return found


def test_the_index_equals_what_the_client_and_the_database_say(world: RunsWorld, indexer: Indexer, server: str) -> None:
    state = filled(indexer, world.experiment)
    assert (state.complete, state.n_runs, state.token) == (True, 9, None)
    ours = indexer.index.frame([world.experiment])
    assert_equal(ours, MlflowRuns(server).frame([world.experiment], most=None))
    assert_equal(ours, MlflowDatabase(world.uri).frame([world.experiment]))
    assert world.ids["deleted"] not in ours.ids
    assert indexer.index.experiment_of(world.ids["child"]) == world.experiment


def test_a_thousand_metric_names_are_read_as_they_are(world: RunsWorld, indexer: Indexer, server: str) -> None:
    import mlflow
    from mlflow.entities import Metric

    client = mlflow.MlflowClient(world.uri, world.uri)
    made = client.create_experiment("wide")
    for run in range(2):
        run_id = client.create_run(made).info.run_id
        points = [Metric(f"layer {at}/grad.norm", at + run / 10, 1_700_000_000_000, 0) for at in range(1_000)]
        client.log_batch(run_id, points)
        client.log_param(run_id, "width", 1_000)
    filled(indexer, made)
    ours = indexer.index.frame([made])
    assert ours.metrics.shape == (2, 1_000)
    assert_equal(ours, MlflowRuns(server).frame([made]))


def test_the_first_page_shows_before_the_rest_is_read(world: RunsWorld, indexer: Indexer) -> None:
    fill(world.path, 450)
    state = indexer.open("0")
    assert (state.n_runs, state.complete) == (FIRST_PAGE, False)
    newest = indexer.index.frame(["0"])
    assert len(newest) == FIRST_PAGE
    assert indexer.open("0").n_runs == FIRST_PAGE  # a second look waits for the worker
    assert filled(indexer, "0").n_runs == 450
    assert indexer.index.frame(["0"]).ids[:FIRST_PAGE] == newest.ids


def test_new_running_changed_and_deleted_runs_are_found(world: RunsWorld, indexer: Indexer, hands: Hands) -> None:
    import mlflow

    before = filled(indexer, world.experiment)
    client = mlflow.MlflowClient(world.uri, world.uri)
    new = client.create_run(world.experiment, run_name="new").info.run_id
    client.log_metric(world.ids["empty"], "valid_auc", 0.7)  # it runs
    client.delete_run(world.ids["depth-3-seed-1"])
    client.set_tag(world.ids["depth-6-seed-2"], "note", "later")  # finished: the API has no trace of it
    hands.wait(LOOK_EVERY)
    after = filled(indexer, world.experiment)
    seen = indexer.index.frame([world.experiment])
    assert new in seen.ids
    assert world.ids["depth-3-seed-1"] not in seen.ids
    (empty,) = seen.places([world.ids["empty"]])
    assert seen.metric(empty, "valid_auc") == 0.7
    assert after.revision > before.revision
    assert after.as_of == hands.at
    hands.wait(PASS_EVERY)
    filled(indexer, world.experiment)
    assert_equal(indexer.index.frame([world.experiment]), MlflowDatabase(world.uri).frame([world.experiment]))


def test_nothing_new_changes_nothing(world: RunsWorld, indexer: Indexer, hands: Hands) -> None:
    before = filled(indexer, world.experiment)
    hands.wait(PASS_EVERY)
    after = filled(indexer, world.experiment)
    assert after.revision == before.revision
    assert after.pass_number == before.pass_number + 1
    assert after.as_of == hands.at


def test_a_run_that_is_gone_for_good_leaves_with_the_next_reading(
    world: RunsWorld, indexer: Indexer, hands: Hands
) -> None:
    import sqlite3

    filled(indexer, world.experiment)
    with sqlite3.connect(world.path) as store:  # what `mlflow gc` does
        for table in ("latest_metrics", "metrics", "params", "tags", "runs"):
            store.execute(f"DELETE FROM {table} WHERE run_uuid = ?", (world.ids["broken"],))
    store.close()
    hands.wait(PASS_EVERY)
    filled(indexer, world.experiment)
    assert world.ids["broken"] not in indexer.index.frame([world.experiment]).ids


def test_a_kill_in_the_middle_goes_on_where_it_was(
    world: RunsWorld, indexer: Indexer, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(world.path, 450)
    indexer.open("0")
    index = RunIndex(tmp_path / "run-index.db", server)  # another process
    state = index.state("0")
    assert state is not None
    assert state.token

    def killed(*_: object, **__: object) -> RunPage:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunIndex, "put_page", killed)
        with pytest.raises(KeyboardInterrupt):
            indexer.step(10.0)
    assert index.state("0") == state
    asked: list[str] = []
    page = RunPages.page

    def counted(self: RunPages, *args: object, **kwargs: object) -> RunPage:
        asked.append(str(kwargs.get("token", "")))
        return page(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(RunPages, "page", counted)
    again = filled(indexer, "0")
    assert asked[0] == state.token
    assert (again.n_runs, again.complete) == (450, True)


def test_a_server_that_is_away_leaves_the_last_known_runs_with_their_age(
    world: RunsWorld, tmp_path: Path, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(world.uri, monkeypatch) as address:
        made = context(tmp_path, mlflow_uri=address, mlflow_is_ours=False, clock=hands.clock())
        indexer = Indexer(made)
        filled(indexer, world.experiment)
    hands.wait(timedelta(minutes=7))
    with pytest.raises(Unavailable):
        indexer.step(10.0)
    state = indexer.open(world.experiment, again=True)
    assert state.n_runs == 9
    assert state.as_of == NOON
    assert "does not answer" in state.trouble
    with pytest.raises(Unavailable):
        indexer.open(world.other)
    made.databases.dispose()


def test_the_page_shows_the_first_runs_while_the_worker_reads_the_rest_and_outlives_the_server(
    world: RunsWorld, tmp_path: Path, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(world.path, 450)
    query = RunQuery(experiment="0", picture=Picture.PARALLEL)
    with serving(world.uri, monkeypatch) as address:
        made = context(tmp_path, mlflow_uri=address, mlflow_is_ours=False, clock=hands.clock())
        page, worker = ExperimentService(made), ExperimentService(made)
        room = page.room(VIEWER, query)
        assert room.source is not None
        assert (room.source.kind, room.source.filling, len(room.runs)) == ("index", FIRST_PAGE, FIRST_PAGE)
        assert page.still_reading(VIEWER, "0") == FIRST_PAGE
        while worker.read_runs(WORKER):
            pass
        assert page.still_reading(VIEWER, "0") is None
        room = page.room(VIEWER, query, again=True)
        assert room.source is not None
        assert (room.source.filling, room.source.passed_at, len(room.runs)) == (None, NOON, 450)
        with pytest.raises(NotAllowed):
            page.read_runs(VIEWER)
    hands.wait(timedelta(hours=1))
    fresh = ExperimentService(made)  # a new process: MLflow is away, the index is not
    room = fresh.room(VIEWER, query, again=True)
    assert room.source is not None
    assert (len(room.runs), room.source.as_of) == (450, NOON)
    assert "does not answer" in room.source.stale
    assert {one.name for one in room.experiments} == {"sweep", "other", "Default"}
    assert fresh.run(VIEWER, room.runs.ids[0]).artifacts_why
    made.databases.dispose()


def test_histories_in_the_index_equal_those_of_the_database(world: RunsWorld, indexer: Indexer) -> None:
    filled(indexer, world.experiment)
    database, keys = MlflowDatabase(world.uri), ["valid_auc", "valid_log_loss", ODD]
    assert indexer.want_histories([world.experiment], keys) == ()  # so few are read at once
    ids = list(world.ids.values())
    found, theirs = indexer.histories(ids, keys), database.histories(ids, keys)
    assert (found.unread, found.why) == (frozenset(), "")
    theirs = theirs[theirs["run_id"] != world.ids["deleted"]]
    theirs = theirs[theirs["run_id"] != world.ids["elsewhere"]]
    pd.testing.assert_frame_equal(found.points, theirs.reset_index(drop=True))
    order = ["run_id", "key"]
    pd.testing.assert_frame_equal(
        indexer.known.extremes([world.experiment], keys).sort_values(order, ignore_index=True),
        database.extremes([world.experiment], keys).sort_values(order, ignore_index=True),
    )
    for step in range(3):
        mine = indexer.known.at_step([world.experiment], "valid_auc", step)
        np.testing.assert_equal(mine, database.at_step([world.experiment], "valid_auc", step))


def test_many_histories_are_read_by_the_worker_while_the_page_shows_those_it_has(
    world: RunsWorld, tmp_path: Path, server: str, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_curves(world.path, fill(world.path, 250), steps=3)
    asked: list[str] = []
    read_points = RunPages._points

    def counted(self: RunPages, run_id: str, key: str, seconds: float) -> tuple[Point, ...]:
        asked.append(run_id)
        return read_points(self, run_id, key, seconds)

    monkeypatch.setattr(RunPages, "_points", counted)
    made = context(tmp_path, mlflow_uri=server, mlflow_is_ours=False, clock=hands.clock())
    page, worker = ExperimentService(made), ExperimentService(made)
    page._reader.whole("0")
    key = str(page.room(VIEWER, RunQuery(experiment="0", picture=Picture.PARALLEL)).runs.metrics.columns[0])
    query = RunQuery(experiment="0", picture=Picture.PARALLEL, reducers={key: Reducer.MIN}, columns=(f"metrics.{key}",))
    room = page.room(VIEWER, query)
    assert room.source is not None
    assert room.source.histories == {key: (0, 250)}
    assert {room.matching.state(at, key) for at in range(250)} == {"missing"}  # never the last value for the smallest
    assert asked == []
    assert page.unread_histories(VIEWER, "0", [key]) == 250
    while worker.read_runs(WORKER):
        pass
    room = page.room(VIEWER, query)
    assert room.source is not None
    assert room.source.histories == {}
    theirs = MlflowDatabase(world.uri).extremes(["0"], [key]).set_index("run_id")["low"]
    np.testing.assert_array_equal(room.matching.metrics[key], theirs.loc[list(room.matching.ids)])
    assert len(asked) == 250
    page.room(VIEWER, query)
    assert len(asked) == 250  # each once
    made.databases.dispose()


def test_only_the_history_of_a_run_that_changed_is_read_again(
    world: RunsWorld, indexer: Indexer, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    filled(indexer, world.experiment)
    client = mlflow.MlflowClient(world.uri, world.uri)
    client.log_metric(world.ids["empty"], "valid_auc", 0.4, step=0)  # it runs
    hands.wait(LOOK_EVERY)
    filled(indexer, world.experiment)
    indexer.want_histories([world.experiment], ["valid_auc"])
    client.log_metric(world.ids["empty"], "valid_auc", 0.9, step=1)
    hands.wait(LOOK_EVERY)
    asked: list[str] = []
    read_points = RunPages._points

    def counted(self: RunPages, run_id: str, key: str, seconds: float) -> tuple[Point, ...]:
        asked.append(run_id)
        return read_points(self, run_id, key, seconds)

    monkeypatch.setattr(RunPages, "_points", counted)
    filled(indexer, world.experiment)  # somebody wants them: the worker keeps them fresh
    assert asked == [world.ids["empty"]]
    found = indexer.known.extremes([world.experiment], ["valid_auc"]).set_index("run_id")
    assert found.loc[world.ids["empty"], ["low", "high"]].tolist() == [0.4, 0.9]
    for step, value in ((2, 3.0), (3, 0.9)):  # the last value is as it was: only its step tells
        client.log_metric(world.ids["empty"], "valid_auc", value, step=step)
    hands.wait(LOOK_EVERY)
    filled(indexer, world.experiment)
    found = indexer.known.extremes([world.experiment], ["valid_auc"]).set_index("run_id")
    assert found.loc[world.ids["empty"], ["low", "high"]].tolist() == [0.4, 3.0]


def test_histories_outlive_the_server_and_leave_with_their_run(
    world: RunsWorld, tmp_path: Path, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    gone = world.ids["depth-3-seed-1"]
    with serving(world.uri, monkeypatch) as address:
        made = context(tmp_path, mlflow_uri=address, mlflow_is_ours=False, clock=hands.clock())
        indexer = Indexer(made)
        filled(indexer, world.experiment)
        indexer.want_histories([world.experiment], ["valid_auc"])
        mlflow.MlflowClient(world.uri, world.uri).delete_run(gone)
        hands.wait(LOOK_EVERY)
        filled(indexer, world.experiment)
    found = indexer.histories(list(world.ids.values()), ["valid_auc"])
    assert gone not in set(found.points["run_id"])
    assert world.ids["child"] in set(found.points["run_id"])
    none = indexer.histories(list(world.ids.values()), ["valid_log_loss"])
    assert len(none.points) == 0
    assert "does not answer" in none.why
    assert world.ids["broken"] in none.unread
    made.databases.dispose()


class Grumpy:
    """Histories of some runs are refused while `refused` holds their ids; counts what is asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.refused: set[str] = set()
        self.asked: list[str] = []
        read_points = RunPages._points

        def points(pages: RunPages, run_id: str, key: str, seconds: float) -> tuple[Point, ...]:
            self.asked.append(run_id)
            if run_id in self.refused:
                raise Unavailable("MLflow answers 500.")
            return read_points(pages, run_id, key, seconds)

        monkeypatch.setattr(RunPages, "_points", points)


def test_curves_that_could_not_be_read_are_named_and_come_when_they_can(
    world: RunsWorld, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = context(tmp_path, mlflow_uri=server, mlflow_is_ours=False)
    page = ExperimentService(made)
    page._reader.whole(world.experiment)
    grumpy = Grumpy(monkeypatch)
    tray = tuple(world.ids[f"depth-3-seed-{seed}"] for seed in (1, 2, 3))
    query = RunQuery(experiment=world.experiment, tray=tray, curve="valid_auc")
    grumpy.refused = {tray[1], tray[2]}
    room = page.room(VIEWER, query)
    assert [one.run_ids for one in room.curves] == [(tray[0],)]
    assert room.curve_gaps.unread == tray[1:]
    assert page.unread_curves(VIEWER, tray, ["valid_auc"]) == 0  # they rest for a minute: nothing to wait for
    assert "answers 500" in page.room(VIEWER, query).curve_gaps.why
    assert len(grumpy.asked) == 3
    grumpy.refused = set()
    page._reader.indexer._resting.clear()
    room = page.room(VIEWER, query)
    assert len(room.curves) == 3
    assert room.curve_gaps.unread == ()
    made.databases.dispose()


def test_no_verdict_on_runs_whose_histories_are_not_all_read(
    world: RunsWorld, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = context(tmp_path, mlflow_uri=server, mlflow_is_ours=False)
    page = ExperimentService(made)
    page._reader.whole(world.experiment)
    grumpy = Grumpy(monkeypatch)
    tray = tuple(world.ids[f"depth-{depth}-seed-{seed}"] for depth in (3, 6) for seed in (1, 2, 3))
    grumpy.refused = {tray[0]}
    query = RunQuery(experiment=world.experiment, tray=tray, reducers={"valid_auc": Reducer.MAX})
    ask = RealQuery(metric="valid_auc")
    with pytest.raises(Unavailable, match="Histories of 1 of 7 runs are not read yet"):
        page.real(VIEWER, query, ask)
    grumpy.refused = set()
    page._reader.indexer._resting.clear()
    assert page.real(VIEWER, query, ask).sides
    made.databases.dispose()


def test_a_history_that_cannot_be_read_does_not_hold_up_the_others(
    world: RunsWorld, indexer: Indexer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = fill(world.path, 150)
    add_curves(world.path, ids, steps=2)
    filled(indexer, "0")
    grumpy = Grumpy(monkeypatch)
    grumpy.refused = set(ids[:3])
    assert len(indexer.want_histories(["0"], ["m00"])) == 150  # too many for a page
    filled(indexer, "0")
    assert {one.run_id for one in indexer.known.due(["0"], ["m00"])} == set(ids[:3])
    assert sorted(grumpy.asked) == sorted(ids)  # each once: the refused ones rest
    with pytest.raises(Unavailable, match="3 histories of m00"):
        indexer.fill_histories(["0"], ["m00"])


def test_a_server_too_slow_for_its_looks_gives_histories_all_the_same(
    world: RunsWorld, indexer: Indexer, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = fill(world.path, 120)
    add_curves(world.path, ids, steps=2)
    filled(indexer, "0")
    indexer.want_histories(["0"], ["m00"])
    page = RunPages.page

    def slow(self: RunPages, experiment: str, **kwargs: object) -> RunPage:
        hands.wait(LOOK_EVERY)  # the next look is due when this one is over
        return page(self, experiment, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(RunPages, "page", slow)
    indexer.step(3.0)
    assert indexer.known.due(["0"], ["m00"]) == ()


def test_importance_waits_for_histories_and_is_not_kept_from_before(
    world: RunsWorld, tmp_path: Path, server: str
) -> None:
    add_curves(world.path, fill(world.path, 150), steps=2)
    made = context(tmp_path, mlflow_uri=server, mlflow_is_ours=False)
    page = ExperimentService(made)
    page._reader.whole("0")
    query = RunQuery(
        experiment="0", picture=Picture.IMPORTANCE, curve="m00", columns=("metrics.m00",), reducers={"m00": Reducer.MAX}
    )
    before = page.room(VIEWER, query).importance
    page._reader.whole("0", ["m00"])
    after = page.room(VIEWER, query).importance
    assert before is not None
    assert after is not None
    assert (before.n, after.n) == (0, 150)
    made.databases.dispose()


def test_a_page_does_not_ask_a_server_that_hangs_for_its_runs(
    world: RunsWorld, indexer: Indexer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hangs(_: RunPages) -> None:
        raise Unavailable("MLflow does not answer: timed out.")

    monkeypatch.setattr(RunPages, "_look", hangs)
    monkeypatch.setattr(RunPages, "_ask", lambda *_, **__: pytest.fail("it would have waited for this"))
    with pytest.raises(Unavailable, match="timed out"):
        indexer.open(world.experiment)


def test_a_place_the_server_forgot_begins_the_reading_anew(
    world: RunsWorld, indexer: Indexer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(world.path, 250)
    indexer.open("0")
    page = RunPages.page

    def forgetful(self: RunPages, experiment: str, **kwargs: object) -> RunPage:
        if kwargs.get("token"):
            monkeypatch.setattr(RunPages, "page", page)
            raise InvalidInput("invalid page token")
        return page(self, experiment, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(RunPages, "page", forgetful)
    state = filled(indexer, "0")
    assert (state.n_runs, state.complete, state.pass_number) == (250, True, 2)


def test_an_experiment_that_is_refused_does_not_hold_up_the_others(
    world: RunsWorld, indexer: Indexer, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(indexer, world.experiment)
    filled(indexer, world.other)
    page = RunPages.page

    def refused(self: RunPages, experiment: str, **kwargs: object) -> RunPage:
        if experiment == world.other:
            raise Unavailable("MLflow refuses this experiment.")
        return page(self, experiment, **kwargs)  # type: ignore[arg-type]

    hands.wait(LOOK_EVERY)
    monkeypatch.setattr(RunPages, "page", refused)
    with pytest.raises(Unavailable, match="refuses"):
        indexer.step(10.0)
    seen = {one.experiment: one for one in indexer.index.states()}
    assert (seen[world.other].trouble, seen[world.other].as_of) == ("MLflow refuses this experiment.", NOON)
    assert (seen[world.experiment].trouble, seen[world.experiment].as_of) == ("", hands.at)


def test_everything_is_read_again_less_often_where_that_is_much() -> None:
    now = NOON + timedelta(minutes=5)
    state = IndexState("1", 100, 1, True, 1, None, 500, now, NOON, NOON)
    assert state.pass_due(now)
    assert not replace(state, n_runs=10_000).pass_due(now)
    assert replace(state, n_runs=10_000).pass_due(NOON + timedelta(minutes=10))


def test_an_experiment_nobody_looks_at_is_left_alone(world: RunsWorld, indexer: Indexer, hands: Hands) -> None:
    filled(indexer, world.experiment)
    hands.wait(timedelta(hours=2))
    assert indexer.step(5.0) == 0
    indexer.open(world.experiment)
    assert indexer.step(5.0) > 0


def test_an_index_of_another_server_is_not_mixed_in(world: RunsWorld, indexer: Indexer, tmp_path: Path) -> None:
    filled(indexer, world.experiment)
    other = RunIndex(tmp_path / "run-index.db", "http://elsewhere")
    assert other.states() == ()
    assert len(other.frame([world.experiment])) == 0


def test_a_broken_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "run-index.db").write_text("no database " * 100)
    with pytest.raises(StoreUnavailable) as caught:
        RunIndex(tmp_path / "run-index.db", "http://x").states()
    assert "delete it" in caught.value.hint


def test_pages_are_smaller_where_runs_are_wide() -> None:
    assert page_size(FIRST_PAGE, 3.0) == 100
    assert page_size(FIRST_PAGE, 0.5) == 500
    assert not math.isnan(page_size(1, 0.0))
