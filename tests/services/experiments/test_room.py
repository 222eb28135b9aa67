"""What the Experiments page is told: filter, order, groups, baseline, tray, curves, differences."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.experiments.frame import INFO, Reducer, RunFrame, empty
from mlops_dash.domain.experiments.pictures import Axis, Band, Picture
from mlops_dash.domain.experiments.room import RunQuery, column
from mlops_dash.errors import InvalidInput, NotFound, Unavailable
from mlops_dash.services.experiments import ExperimentService, pictures
from mlops_dash.services.experiments.reading import KeptRuns
from mlops_dash.tracking.experiments.search import MlflowRuns
from tests.factories import NOON, VIEWER, WORKER, context
from tests.runs_world import ODD, RunsWorld, awkward


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> RunsWorld:
    home = tmp_path_factory.mktemp("runs")
    shutil.copyfile(mlflow_template, home / "mlflow.db")
    return awkward(f"sqlite:///{home / 'mlflow.db'}", home / "artifacts")


@pytest.fixture
def service(world: RunsWorld, tmp_path: Path) -> Iterator[ExperimentService]:
    made = context(tmp_path, mlflow_uri=world.uri)
    yield ExperimentService(made)
    made.databases.dispose()


def names(frame: object) -> list[str]:
    return list(frame.info["run_name"])  # type: ignore[attr-defined]


def test_the_latest_experiment_is_shown_first_best_run_on_top(world: RunsWorld, service: ExperimentService) -> None:
    room = service.room(VIEWER, RunQuery())
    assert room.experiment is not None
    assert (room.experiment.name, room.experiment.n_runs, len(room.matching)) == ("sweep", 9, 9)
    assert room.source is not None
    assert (room.source.kind, room.source.filling, room.source.stale) == ("database", None, "")
    assert [one.name for one in room.columns] == [
        "metrics.valid_auc", "metrics.valid_log_loss", "params.depth", "params.learning rate", "params.seed",
    ]  # fmt: skip
    assert room.columns[0].direction is Direction.HIGHER
    assert room.columns[1].direction is Direction.LOWER
    assert names(room.rows)[:3] == ["depth-6-seed-3", "depth-6-seed-2", "depth-6-seed-1"]
    assert set(names(room.rows)[-2:]) == {"broken", "empty"}  # NaN and missing come last
    assert room.statuses == {"FINISHED": 7, "FAILED": 1, "RUNNING": 1}


def test_filter_clicks_and_order_narrow_the_table(service: ExperimentService) -> None:
    room = service.room(VIEWER, RunQuery(text="metrics.valid_auc > 0.65", sort="params.seed"))
    assert names(room.matching) == ["depth-6-seed-1", "depth-6-seed-2", "depth-6-seed-3", "child"]
    room = service.room(VIEWER, RunQuery(chosen={"depth": ("3",)}, statuses=("FINISHED",), sort="-params.seed"))
    assert names(room.matching) == ["depth-3-seed-3", "depth-3-seed-2", "depth-3-seed-1"]
    room = service.room(VIEWER, RunQuery(statuses=("RUNNING",)))
    assert names(room.matching) == ["empty"]
    assert room.statuses["FINISHED"] == 7  # what a click on another status would give


def test_a_filter_that_does_not_parse_leaves_the_table_as_it_was(service: ExperimentService) -> None:
    room = service.room(VIEWER, RunQuery(text="params.depth < 4", text_before="params.depth = '3'"))
    assert room.mistake is not None
    assert room.mistake.position == 14
    assert "LIKE" in room.mistake.expected
    assert len(room.matching) == 4


def test_repeats_are_merged_with_mean_interval_and_honest_n(world: RunsWorld, service: ExperimentService) -> None:
    room = service.room(VIEWER, RunQuery(grouped=True, text="run_name != 'child'"))
    assert room.groups is not None
    assert (room.grouping.key, room.grouping.unique) == ("seed", ("out",))
    best, of_auc = room.groups.order[0], room.groups.metrics["valid_auc"]
    assert room.groups.members[best] == tuple(world.ids[f"depth-6-seed-{seed}"] for seed in (3, 2, 1))
    assert of_auc.loc[best, "mean"] == pytest.approx(0.662)
    assert of_auc.loc[best, "sd"] == pytest.approx(0.001)
    half = 4.302653 * 0.001 / math.sqrt(3)
    assert (of_auc.loc[best, "low"], of_auc.loc[best, "high"]) == pytest.approx((0.662 - half, 0.662 + half))
    broken = next(code for code, ids in room.groups.members.items() if world.ids["broken"] in ids)
    assert (of_auc.loc[broken, "n"], of_auc.loc[broken, "n_finite"]) == (1, 0)
    assert math.isnan(of_auc.loc[broken, "mean"])


def test_a_run_without_the_replicate_key_is_its_own_group(world: RunsWorld, service: ExperimentService) -> None:
    room = service.room(VIEWER, RunQuery(grouped=True))
    assert room.groups is not None
    assert (world.ids["empty"],) in room.groups.members.values()
    room = service.room(VIEWER, RunQuery(grouped=True, repeat_key=""))
    assert room.groups is not None
    assert len(room.groups.order) == 9


def test_reducers_take_the_best_and_smallest_of_the_history(world: RunsWorld, service: ExperimentService) -> None:
    reducers = {"valid_auc": Reducer.BEST, "valid_log_loss": Reducer.MIN}
    room = service.room(VIEWER, RunQuery(reducers=reducers))
    at = room.matching.places([world.ids["depth-6-seed-2"]])[0]
    assert room.matching.metric(at, "valid_auc") == pytest.approx(0.712)
    assert room.matching.metric(at, "valid_log_loss") == pytest.approx(0.5)
    lower = {"valid_auc": Direction.LOWER}
    room = service.room(VIEWER, RunQuery(reducers=reducers, directions=lower))
    at = room.matching.places([world.ids["depth-6-seed-2"]])[0]
    assert room.matching.metric(at, "valid_auc") == pytest.approx(0.562)
    assert names(room.rows)[0] == "broken"  # its only finite value is the smallest
    unknown = service.room(VIEWER, RunQuery(reducers=reducers, directions={"valid_auc": None}))
    assert unknown.matching.metric(unknown.matching.places([world.ids["child"]])[0], "valid_auc") == 0.66


def test_a_metric_at_one_step_is_that_of_the_history_by_either_way_of_reading(
    world: RunsWorld, service: ExperimentService, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = RunQuery(experiment=world.experiment, reducers={"valid_auc": Reducer.AT}, steps={"valid_auc": 1})

    def said() -> dict[str, tuple[str, float]]:
        runs = service.room(VIEWER, query, again=True).matching
        return {
            name: (runs.state(at, "valid_auc"), runs.metric(at, "valid_auc")) for at, name in enumerate(names(runs))
        }

    ours = said()
    assert ours["depth-3-seed-1"] == ("value", pytest.approx(0.681))
    assert ours["broken"][0] == "nan"
    assert ours["child"][0] == "missing"  # it logged the metric once, at step 0
    at_step = service._reader.client.histories(
        [world.ids[one] for one in ("depth-3-seed-1", "broken", "child")], ["valid_auc"]
    )
    by_client = at_step[at_step["step"] == 1].set_index("run_id")["value"]
    assert by_client[world.ids["depth-3-seed-1"]] == ours["depth-3-seed-1"][1]
    assert math.isnan(by_client[world.ids["broken"]])
    assert world.ids["child"] not in by_client.index
    monkeypatch.setattr(service._reader, "database", lambda: (None, ""))
    service._reader.whole(world.experiment, ["valid_auc"])
    assert repr(said()) == repr(ours)


def test_epochs_wall_time_and_many_lines_of_curves(mlflow_uri: str, tmp_path: Path) -> None:
    import mlflow
    from mlflow.entities import Metric, Param

    client = mlflow.MlflowClient(mlflow_uri, mlflow_uri)
    for run in range(8):
        made = client.create_run("0", start_time=1_000_000, run_name=f"r{run}").info.run_id
        points = [Metric("auc", 0.5 + step / 100 + run, 1_000_000 + 1_000 * step + run, step) for step in range(6)]
        points += [Metric("Epoch", step // 2, 1_000_000, step) for step in range(6) if step % 2 == 0]
        client.log_batch(made, points, [Param("depth", str(run // 2)), Param("seed", str(run % 2))])
    house = context(tmp_path, mlflow_uri=mlflow_uri)
    service = ExperimentService(house)
    room = service.room(VIEWER, RunQuery(experiment="0", axis=Axis.EPOCH, sort="metrics.auc", curve="auc"))
    assert room.epoch_metric == "Epoch"
    assert len(room.curves) == 6
    assert room.curves[0].x.tolist() == [0, 1, 2]
    assert room.curves[0].y.tolist() == pytest.approx([0.51, 0.53, 0.55])  # the last value of each epoch
    room = service.room(VIEWER, RunQuery(experiment="0", lines=100, curve="auc"))
    assert len(room.curves) == 8
    grouped = RunQuery(experiment="0", grouped=True, axis=Axis.TIME, curve="auc", sort="params.depth", band=Band.SD)
    line = service.room(VIEWER, grouped).curves[0]
    assert len(line.x) == 200  # seconds never coincide: one grid
    assert line.low is not None
    assert line.y[100] - line.low[100] == pytest.approx(1 / math.sqrt(2), rel=1e-3)  # sd of two lines that lie 1 apart
    house.databases.dispose()


def test_importance_and_front_are_of_the_matching_runs(tmp_path: Path) -> None:
    frame = big_frame()
    kept = KeptRuns("0", frame, "", NOON, 0.0, 0.0)
    grouping = kept.grouping(None)
    shown = [column("metrics.auc", RunQuery()), column("metrics.time", RunQuery())]
    query = RunQuery(picture=Picture.IMPORTANCE)
    found = pictures.importance(kept, frame, grouping.codes, shown, grouping, "auc", query)
    assert found is not None
    assert found.why_not == ""
    assert (found.n, found.n_configurations, found.n_bad) == (119, 40, 1)
    assert [one.name for one in found.found if one.beyond][:1] == ["depth"]
    assert pictures.importance(kept, frame, grouping.codes, shown, grouping, "auc", query) is found  # kept
    front = pictures.front(
        frame, frame, grouping.codes, grouping, shown, RunQuery(picture=Picture.PARETO, grouped=True)
    )
    assert front is not None
    ways = (Direction.HIGHER, Direction.LOWER)
    assert (front.metrics, front.ways, front.asked, len(front.on)) == (("auc", "time"), ways, (), 40)
    asked = pictures.front(
        frame,
        frame,
        grouping.codes,
        grouping,
        shown,
        RunQuery(picture=Picture.PARETO, front=("auc", "time"), directions={"auc": None}),
    )
    assert asked is not None
    assert (asked.asked, sum(asked.on), asked.n_bad) == (("auc",), 0, 1)


def big_frame() -> RunFrame:
    """40 configurations of 3 seeds: depth decides the AUC, one run has none."""
    rng, rows = (
        np.random.default_rng(2),
        [(depth, act, seed) for depth in range(10) for act in "abcd" for seed in "123"],
    )
    n = len(rows)
    info = pd.DataFrame({name: [""] * n for name in INFO}, dtype=object)
    info["run_id"] = [f"{at:032x}" for at in range(n)]
    info[["start_time", "end_time"]] = 0.0
    auc = np.array([depth / 10 for depth, _, _ in rows]) + rng.normal(0, 0.01, n)
    auc[5] = np.nan
    metrics = pd.DataFrame({"auc": auc, "time": rng.uniform(1, 2, n)})
    params = pd.DataFrame([[str(depth), act, seed] for depth, act, seed in rows], columns=["depth", "act", "seed"])
    return RunFrame(info, metrics, np.ones((n, 2), dtype=bool), params.astype(object), empty().tags)


def test_the_tray_holds_ids_through_any_filter_and_names_what_is_gone(
    world: RunsWorld, service: ExperimentService
) -> None:
    tray = (world.ids["depth-3-seed-1"], world.ids["deleted"], world.ids["depth-6-seed-1"])
    room = service.room(VIEWER, RunQuery(text="params.depth = '6'", tray=tray, baseline=tray[0]))
    assert names(room.tray) == ["depth-3-seed-1", "depth-6-seed-1"]
    assert room.gone == (world.ids["deleted"],)
    assert names(room.pictured) == ["depth-3-seed-1", "depth-6-seed-1"]
    assert room.base["valid_auc"] == pytest.approx(0.631)
    grouped = service.room(VIEWER, RunQuery(tray=tray, baseline=tray[0], grouped=True))
    assert grouped.base["valid_auc"] == pytest.approx(0.632)  # the mean of its repeats
    assert service.room(VIEWER, RunQuery(baseline=world.ids["deleted"])).baseline == ""


def test_only_differences_hides_what_is_equal_in_all_matching_runs(service: ExperimentService) -> None:
    room = service.room(VIEWER, RunQuery(text="params.depth = '6' and tags.team = 'risk'", differences=True))
    assert room.hidden == ("metrics.valid_log_loss", "params.depth", "params.learning rate")
    assert [one.key for one in room.columns] == ["valid_auc", "seed"]


def test_curves_are_runs_or_the_band_of_their_repeats(world: RunsWorld, service: ExperimentService) -> None:
    tray = tuple(world.ids[f"depth-{depth}-seed-{seed}"] for depth in (3, 6) for seed in (1, 2, 3))
    room = service.room(VIEWER, RunQuery(tray=tray))
    assert len(room.curves) == 6
    assert room.curves[0].x.tolist() == [0, 1, 2]
    assert room.curves[0].low is None
    room = service.room(VIEWER, RunQuery(tray=tray, grouped=True, axis=Axis.TIME))
    assert [one.label for one in room.curves] == ["depth 3", "depth 6"]
    assert room.curves[0].low is not None
    assert room.curves[0].x.tolist() == [0, 0.01, 0.02]
    assert room.curves[0].y[-1] == pytest.approx(0.632)
    assert room.curves[0].low[-1] == pytest.approx(0.631)
    broken = service.room(VIEWER, RunQuery(tray=(world.ids["broken"],)))
    assert broken.curves[0].n_bad == 1


def test_differences_stand_in_blocks(world: RunsWorld, service: ExperimentService) -> None:
    tray = (world.ids["depth-3-seed-1"], world.ids["broken"])
    blocks = {
        one.title: one for one in service.room(VIEWER, RunQuery(tray=tray, picture=Picture.DIFFERENCES)).differences
    }
    rows = {row.name: row for block in blocks.values() for row in block.rows}
    assert rows["depth"].values == ("3", "3")
    assert not rows["depth"].changed
    assert rows["learning rate"].values == (None, "0.1")
    assert rows["valid_auc"].values == ("0.631", "NaN")
    assert rows["valid_log_loss"].values == ("0.53", "∞")
    assert rows[ODD].values == (None, "−∞")
    assert rows["data set and digest"].values == ("flights d1", "flights d2")
    assert blocks["Data"].n_changed == 1


def test_one_run_in_full(world: RunsWorld, service: ExperimentService) -> None:
    detail = service.run(VIEWER, world.ids["child"])
    assert (detail.name, detail.experiment, detail.status) == ("child", "sweep", "FINISHED")
    assert detail.parent == world.ids["depth-6-seed-1"]
    assert detail.metrics == {"valid_auc": 0.66}
    assert detail.artifacts == ()
    with pytest.raises(NotFound, match="deleted"):
        service.run(VIEWER, world.ids["deleted"])


def test_a_pasted_address_leads_to_run_and_experiment(world: RunsWorld, service: ExperimentService) -> None:
    run = world.ids["elsewhere"]
    for text in (run, f"runs:/{run}/model", f"http://mlflow.example/#/experiments/{world.other}/runs/{run}"):
        found = service.locate(VIEWER, text)
        assert found is not None
        assert (found.experiment, found.run) == (world.other, run)
    found = service.locate(VIEWER, f"http://mlflow.example/#/experiments/{world.experiment}")
    assert found is not None
    assert (found.experiment, found.run) == (world.experiment, "")
    assert service.locate(VIEWER, "metrics.valid_auc > 0.5") is None
    with pytest.raises(NotFound):
        service.locate(VIEWER, "0" * 32)


def test_what_mlflow_writes_is_seen_by_the_next_read(mlflow_uri: str, tmp_path: Path) -> None:
    import mlflow

    client = mlflow.MlflowClient(mlflow_uri, mlflow_uri)
    run = client.create_run("0", run_name="before").info.run_id
    made = context(tmp_path, mlflow_uri=mlflow_uri)
    service = ExperimentService(made)
    assert names(service.room(VIEWER, RunQuery(experiment="0")).rows) == ["before"]
    client.update_run(run, name="after")
    assert names(service.room(VIEWER, RunQuery(experiment="0"), again=True).rows) == ["after"]
    made.databases.dispose()


def test_the_index_answers_the_same_where_the_database_may_not_be_read(
    world: RunsWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = context(tmp_path, mlflow_uri=world.uri)
    service, other = ExperimentService(made), ExperimentService(made)
    monkeypatch.setattr(other._reader, "_database", None)
    assert other.read_runs(WORKER) == 0  # nobody has looked at anything yet
    query = RunQuery(
        experiment=world.experiment, text="params.depth = '6'", grouped=True, reducers={"valid_auc": Reducer.MAX}
    )
    ours, theirs = service.room(VIEWER, query), other.room(VIEWER, query)
    assert theirs.source is not None
    assert (theirs.source.kind, theirs.source.filling) == ("index", None)
    assert "MLOPS_DASH_MLFLOW_DATABASE_URL" in theirs.source.why
    assert theirs.matching.ids == ours.matching.ids
    assert [one.y.tolist() for one in theirs.curves] == [one.y.tolist() for one in ours.curves]
    made.databases.dispose()


def test_without_mlflow_the_last_known_runs_stay_or_an_error_says_the_next_step(
    world: RunsWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlops_dash.tracking.experiments.pages import RunPages

    made = context(tmp_path, mlflow_uri="http://127.0.0.1:9")
    service = ExperimentService(made)
    with pytest.raises(Unavailable, match="does not answer") as caught:
        service.room(VIEWER, RunQuery())
    assert "MLFLOW_TRACKING_URI" in caught.value.hint
    with monkeypatch.context() as alive:
        alive.setattr(service._reader, "client", MlflowRuns(world.uri))
        alive.setattr(service._reader.indexer, "_pages", RunPages(world.uri))
        assert len(service.room(VIEWER, RunQuery(experiment=world.experiment)).matching) == 9
    room = service.room(VIEWER, RunQuery(experiment=world.experiment, picture=Picture.PARALLEL), again=True)
    assert len(room.matching) == 9
    assert room.source is not None
    assert "does not answer" in room.source.stale
    made.databases.dispose()


def test_several_experiments_are_one_table_with_their_names(world: RunsWorld, service: ExperimentService) -> None:
    both = f"{world.experiment},{world.other}"
    room = service.room(VIEWER, RunQuery(experiment=both, text="params.depth = '3'", grouped=True))
    assert room.experiment is not None
    assert (room.experiment.id, room.experiment.n_runs) == (both, 10)
    assert room.columns[0].name == "attributes.experiment"
    named = dict(zip(names(room.matching), room.matching.column("attributes.experiment"), strict=True))
    assert (named["elsewhere"], named["depth-3-seed-1"]) == ("other", "sweep")
    assert room.groups is not None
    where = dict(zip(room.matching.ids, room.matching.column("attributes.experiment"), strict=True))
    assert all(len({where[one] for one in members}) == 1 for members in room.groups.members.values())
    by_name = service.room(VIEWER, RunQuery(experiment=both, sort="attributes.experiment"))
    assert names(by_name.matching)[0] == "elsewhere"
    assert service.room(VIEWER, RunQuery(experiment=f"{world.other},999")).experiment is not None


def test_the_export_has_runs_and_groups_as_plain_data(world: RunsWorld, service: ExperimentService) -> None:
    said = service.export(VIEWER, "sweep", text="params.depth IS NOT NULL")
    assert (said["experiment"], said["n_runs"]) == ("sweep", 8)
    broken = next(one for one in said["runs"] if one["name"] == "broken")
    assert broken["metrics"]["valid_auc"] == "NaN"
    assert broken["metrics"]["valid_log_loss"] == "Infinity"
    by_depth = service.export(VIEWER, "sweep", group_by="depth")["groups"]
    six = next(one for one in by_depth if one["params"] == {"depth": "6"})
    assert (six["n"], six["metrics"]["valid_auc"]["n"]) == (4, 4)
    assert six["metrics"]["valid_auc"]["mean"] == pytest.approx((0.661 + 0.662 + 0.663 + 0.66) / 4)
    with pytest.raises(NotFound, match="no experiment"):
        service.export(VIEWER, "nothing")
    with pytest.raises(InvalidInput, match="Position 9"):
        service.export(VIEWER, "sweep", text="metrics.")
    with pytest.raises(InvalidInput, match="parameter"):
        service.export(VIEWER, "sweep", group_by="colour")


def test_a_difference_between_configurations_is_only_what_the_seeds_can_support(
    world: RunsWorld, service: ExperimentService
) -> None:
    room = service.room(
        VIEWER, RunQuery(grouped=True, baseline=world.ids["depth-3-seed-2"], text="run_name LIKE 'depth-%'")
    )
    assert room.groups is not None
    (test,) = room.groups.tests["valid_auc"].values()
    assert not test.beyond  # three seeds move alike: their differences do not vary at all
    assert test.sentence == "not tested: the repeats are identical: no noise to judge by"
    room = service.room(VIEWER, RunQuery(grouped=True, baseline=world.ids["depth-3-seed-2"]))
    assert room.groups is not None
    of_six = next(code for code, ids in room.groups.members.items() if world.ids["child"] in ids)
    of_empty = next(code for code, ids in room.groups.members.items() if world.ids["empty"] in ids)
    assert room.groups.tests["valid_auc"][of_empty].sentence == "not tested: fewer than 3 runs a side: no test"
    assert set(room.groups.tests) == {"valid_auc", "valid_log_loss"}
    assert of_six in room.groups.tests["valid_auc"]
    assert service.room(VIEWER, RunQuery(grouped=True)).groups.tests == {}  # type: ignore[union-attr]


def test_beyond_seed_noise_is_said_with_interval_pairs_and_how_few(mlflow_uri: str, tmp_path: Path) -> None:
    import mlflow

    client = mlflow.MlflowClient(mlflow_uri, mlflow_uri)
    base = ""
    for depth, values in (("3", (0.60, 0.61, 0.62)), ("6", (0.651, 0.659, 0.672)), ("9", (0.61, 0.60, 0.63))):
        for seed, value in enumerate(values):
            run = client.create_run("0", run_name=f"{depth}-{seed}").info.run_id
            client.log_param(run, "depth", depth)
            client.log_param(run, "seed", str(seed))
            client.log_metric(run, "valid_auc", value)
            base = base or run
    made = context(tmp_path, mlflow_uri=mlflow_uri)
    room = ExperimentService(made).room(VIEWER, RunQuery(experiment="0", grouped=True, baseline=base))
    assert room.groups is not None
    said = {room.runs.params["depth"][int(room.grouping.first[code])]: one
            for code, one in room.groups.tests["valid_auc"].items()}  # fmt: skip
    assert said["6"].beyond
    assert said["6"].sentence == (
        "differs on this test set beyond seed noise: +0.0507 [+0.0469, +0.0545], "
        "paired t over 3 equal values of seed, Holm over 2; few runs"
    )
    assert not said["9"].beyond
    assert said["9"].sentence.startswith("cannot be told from seed noise: +0.00333 [")
    made.databases.dispose()
