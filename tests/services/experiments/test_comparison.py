"""Is it real? Sides, designs, verdicts, slices, flipped rows and files, on a store made by the real client."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.experiments.comparison import Design, Outcome, RealQuery, RealRoom
from mlops_dash.domain.experiments.frame import Reducer
from mlops_dash.domain.experiments.room import RunQuery
from mlops_dash.domain.experiments.why import FileKind, Flip
from mlops_dash.domain.registry.records import Serving
from mlops_dash.errors import InvalidInput, NotFound
from mlops_dash.services.experiments import ExperimentService
from mlops_dash.services.experiments.rows import aligned, parsed
from mlops_dash.store import registry as registry_store
from mlops_dash.store.db import transaction
from tests.factories import NOON, VIEWER, context, model_row, version_row
from tests.real_world import N, RealWorld, compared, rows


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> RealWorld:
    home = tmp_path_factory.mktemp("real")
    shutil.copyfile(mlflow_template, home / "mlflow.db")
    return compared(f"sqlite:///{home / 'mlflow.db'}", home)


@pytest.fixture
def service(world: RealWorld, tmp_path: Path) -> Iterator[ExperimentService]:
    made = context(tmp_path, mlflow_uri=world.uri)
    yield ExperimentService(made)
    made.databases.dispose()


ASK = RealQuery(metric="valid_auc", margin=0.01)


def query(world: RealWorld, *names: str, **changes: object) -> RunQuery:
    tray = tuple(world.ids[one] for one in names)
    asked = RunQuery(experiment=world.experiment, tray=tray, baseline=tray[-1] if tray else "")
    return replace(asked, **changes)  # type: ignore[arg-type]


def real(service: ExperimentService, world: RealWorld, *names: str, ask: RealQuery = ASK) -> RealRoom:
    return service.real(VIEWER, query(world, *names), ask)


def test_nothing_is_tested_before_the_margin_was_said(service: ExperimentService, world: RealWorld) -> None:
    room = real(service, world, "good-1", "fair-2", ask=replace(ASK, margin=None))
    assert (len(room.sides), room.pairs, room.margin) == (2, (), None)
    assert (room.metric, "valid_accuracy" in room.metrics) == ("valid_auc", True)


def test_repeats_with_kept_rows_end_in_better_about_the_recipe(service: ExperimentService, world: RealWorld) -> None:
    room = real(service, world, "good-3", "fair-2")
    (pair,) = room.pairs
    assert (pair.design, pair.outcome, pair.comparable.state) == (Design.SEEDS_ROWS, Outcome.BETTER, "yes")
    assert pair.a.ids == tuple(world.ids[f"good-{seed}"] for seed in "1234")
    assert pair.found is not None
    assert (pair.found.n_rows, pair.found.n_clusters, pair.found.n_pairs) == (N, 20, 4)
    assert pair.sentence.startswith("good is better than fair") or "model good is better" in pair.sentence
    assert real(service, world, "fair-2", "good-3").pairs[0].outcome is Outcome.WORSE


def test_twins_are_practically_equal_within_a_wide_margin_only(service: ExperimentService, world: RealWorld) -> None:
    assert real(service, world, "twin-1", "fair-1", ask=replace(ASK, margin=0.05)).pairs[0].outcome is Outcome.EQUAL
    narrow = real(service, world, "twin-1", "fair-1", ask=replace(ASK, margin=0.0001)).pairs[0]
    assert narrow.outcome is Outcome.CANNOT_TELL
    assert "it takes about" in narrow.need or "No number of further" in narrow.need


def test_single_runs_are_compared_as_models(service: ExperimentService, world: RealWorld) -> None:
    (pair,) = real(service, world, "good-1", "fair-2", ask=replace(ASK, repeats=False)).pairs
    assert (pair.design, pair.outcome, pair.a.label) == (Design.SAME_ROWS, Outcome.BETTER, "good-1")


def test_without_rows_seeds_never_say_better(service: ExperimentService, world: RealWorld) -> None:
    (pair,) = real(service, world, "bare-1", "fair-1").pairs
    assert (pair.design, pair.outcome) == (Design.SEEDS, Outcome.DIFFERS)
    assert any("kept no evaluation rows" in one for one in pair.notes)
    (other,) = real(service, world, "good-1", "fair-1", ask=replace(ASK, metric="valid_size")).pairs
    assert other.design is Design.SEEDS
    assert any("cannot be computed of labels and scores" in one for one in other.notes)


def test_rows_are_used_only_if_they_give_what_the_run_logged(service: ExperimentService, world: RealWorld) -> None:
    asked = query(world, "good-1", "fair-1", reducers={"valid_auc": Reducer.MAX})
    (pair,) = service.real(VIEWER, asked, ASK).pairs
    assert pair.design is Design.SEEDS
    assert any("the rows are of the last" in one for one in pair.notes)


def test_other_evaluation_rows_are_refused(service: ExperimentService, world: RealWorld) -> None:
    (pair,) = real(service, world, "other-1", "fair-1").pairs
    assert (pair.comparable.state, pair.outcome, pair.found) == ("no", Outcome.CANNOT_TELL, None)
    assert "were not tested" in pair.sentence


def test_unknown_data_is_weak_until_the_user_names_the_tag(service: ExperimentService, world: RealWorld) -> None:
    (pair,) = real(service, world, "unsaid-low-1", "unsaid-1").pairs
    assert (pair.design, pair.comparable.state, pair.outcome) == (Design.SEEDS, "cannot_tell", Outcome.DIFFERS)
    room = real(service, world, "good-1", "other-1", ask=replace(ASK, data_tag="data_version"))
    assert "data_version" in room.tags
    assert room.pairs[0].comparable.state == "no"  # v1 against v2


def test_folds_are_paired_by_their_rows_with_the_nadeau_bengio_error(
    service: ExperimentService, world: RealWorld
) -> None:
    (pair,) = real(service, world, "cv-good-0", "cv-fair-0", ask=replace(ASK, margin=0.0)).pairs
    assert (pair.design, pair.comparable.state, pair.outcome) == (Design.FOLDS, "yes", Outcome.BETTER)
    assert pair.found is not None
    assert (pair.found.n_runs, pair.found.df) == (5, 4)


def test_pairs_of_one_card_are_a_family(service: ExperimentService, world: RealWorld) -> None:
    alone = real(service, world, "twin-1", "fair-1").pairs[0]
    family = real(service, world, "good-1", "twin-1", "fair-1")
    twin = next(one for one in family.pairs if one.a.ids == alone.a.ids)
    assert (twin.n_pairs_tested, len(family.pairs)) == (2, 2)
    assert twin.p_adjusted >= alone.p_adjusted
    assert "Holm over 2 pairs" in twin.method


def test_repeats_of_one_configuration_are_one_side(service: ExperimentService, world: RealWorld) -> None:
    assert len(real(service, world, "good-1", "good-2").sides) == 1
    assert len(real(service, world, "good-1", "good-2", ask=replace(ASK, repeats=False)).sides) == 2


def test_champion_and_challenger_are_named_and_offered(service: ExperimentService, world: RealWorld) -> None:
    with transaction(service.context.databases.app) as session:
        session.add(model_row())
        session.flush()
        session.add(version_row("1", run_id=world.ids["fair-1"]))
        session.add(version_row("2", run_id=world.ids["good-2"]))
        session.flush()
        registry_store.put_serving(
            session, Serving("flight-delay", "champion", "flight-delay-v1", (), 1, "op", NOON)
        )  # fmt: skip
    room = service.real(VIEWER, query(world, "good-1", "fair-3", baseline=""), ASK)
    assert room.contest == (world.ids["good-2"], world.ids["fair-1"])
    assert [one.version for one in room.sides] == ["v2", "v1 (champion)"]
    assert room.base == 1  # without a baseline the champion is it


# --- why --------------------------------------------------------------------------------------------------------------


def test_slices_sum_to_the_difference_of_the_verdict(service: ExperimentService, world: RealWorld) -> None:
    asked = query(world, "good-1", "fair-1")
    verdict = service.real(VIEWER, asked, ASK).pairs[0]
    why = service.why(VIEWER, asked, ASK, world.ids["good-1"])
    assert (why.column, why.columns) == ("origin", ("day", "origin", "distance"))
    assert verdict.found is not None
    assert sum(one.value for one in why.parts) == pytest.approx(verdict.found.value)
    assert (why.low, why.high) == pytest.approx(verdict.found.interval(0.95))
    assert {one.name: one.n for one in why.parts} == {"JFK": 266, "EWR": 134}
    assert "slices of origin can be told from 0" in why.finding
    quarters = service.why(VIEWER, asked, ASK, world.ids["good-1"], "distance")
    assert len(quarters.parts) == 4
    assert quarters.parts[0].name.startswith("up to")
    days = service.why(VIEWER, asked, ASK, world.ids["good-1"], "day")
    assert (len(days.parts), days.parts[-1].name) == (12, "all others")


def test_without_rows_there_is_no_why_but_a_reason(service: ExperimentService, world: RealWorld) -> None:
    why = service.why(VIEWER, query(world, "bare-1", "fair-1"), ASK, world.ids["bare-1"])
    assert "kept no evaluation rows" in why.why_not
    flips = service.flips(VIEWER, query(world, "bare-1", "fair-1"), ASK, world.ids["bare-1"])
    assert "kept no evaluation rows" in flips.why_not
    with pytest.raises(NotFound, match="one side only"):
        service.why(VIEWER, query(world, "good-1"), ASK, world.ids["good-1"])


def test_flipped_rows_are_counted_and_paged(service: ExperimentService, world: RealWorld) -> None:
    asked, anchor = query(world, "good-1", "fair-1"), world.ids["good-1"]
    first = service.flips(VIEWER, asked, ASK, anchor, seed="seed 2")
    good, fair = rows(1.2, 2), rows(0.7, 2)
    right = [(one["score"] >= 0.5) == one["label"].astype(bool) for one in (good, fair)]
    assert (first.only_a, first.only_b) == (int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum()))
    assert first.both_right + first.only_a + first.only_b + first.both_wrong == N
    assert first.rows is not None
    assert list(first.rows.columns) == ["row_id", "label", "A", "B", "day", "origin", "distance"]
    change = (first.rows["A"] - first.rows["B"]).abs()
    assert change.is_monotonic_decreasing
    assert len(first.rows) == min(25, first.only_a)
    last = service.flips(VIEWER, asked, ASK, anchor, seed="seed 2", page=99)
    assert (last.page, last.n_pages) == (first.n_pages, first.n_pages)
    only = service.flips(VIEWER, asked, ASK, anchor, seed="seed 2", column="origin", value="EWR", which=Flip.ONLY_A)
    assert only.rows is not None
    assert set(only.rows["origin"]) == {"EWR"}
    assert 0 < only.n < first.n
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        service.flips(VIEWER, asked, ASK, anchor, threshold=1.5)


# --- files ------------------------------------------------------------------------------------------------------------


def test_the_same_file_of_several_runs_side_by_side(service: ExperimentService, world: RealWorld) -> None:
    asked = query(world, "good-1", "fair-1", "good-2", "bare-1")
    room = service.files(VIEWER, asked, "report.json")
    assert {one.path: one.n_runs for one in room.files}["report.json"] == 3
    assert [bool(one.why) for one in room.shown] == [False, False, True, True]  # seed 2 is broken, bare has none
    assert "no JSON" in room.shown[2].why
    assert room.differences == (("model", "good", "fair", "", ""),)
    notes = service.files(VIEWER, asked, "notes.txt")
    assert notes.diff is not None
    assert notes.diff[world.ids["fair-1"]] == ""
    assert "-seed 1\n+seed 2" in notes.diff[world.ids["good-2"]]
    pictures = service.files(VIEWER, asked, "plots/confusion.png")
    assert (pictures.kind, pictures.equal) == (FileKind.IMAGE, False)
    assert pictures.shown[0].image is not None
    assert pictures.shown[2].why == "This is no image that can be shown."
    table = service.files(VIEWER, query(world, "good-1", "fair-1"), "importance.csv")
    assert (table.equal, table.shown[0].n_rows) == (True, 2)
    other = service.files(VIEWER, asked, "model.pkl")
    assert all(one.why for one in other.shown)


def test_files_beyond_their_size_are_not_read(
    service: ExperimentService, world: RealWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_dash.services.experiments.artifacts.LARGEST", dict.fromkeys(FileKind, 10))
    room = service.files(VIEWER, query(world, "good-1", "fair-1"), "notes.txt")
    assert "at most" in room.shown[0].why


# --- the command line's read ------------------------------------------------------------------------------------------


def test_compare_is_the_verdict_of_the_page(service: ExperimentService, world: RealWorld) -> None:
    page = real(service, world, "good-3", "fair-2").pairs[0]
    line = service.compare(VIEWER, [world.ids["good-3"]], [world.ids["fair-2"]], margin=0.01, metric="valid_auc")
    assert (line.sentence, line.found, line.outcome) == (page.sentence, page.found, page.outcome)
    alone = service.compare(
        VIEWER, [world.ids["good-3"]], [world.ids["fair-2"]], margin=0.01, metric="valid_auc", repeats=False,
        direction=Direction.LOWER,
    )  # fmt: skip
    assert (alone.design, alone.outcome) == (Design.SAME_ROWS, Outcome.WORSE)
    some = service.compare(
        VIEWER, [world.ids[f"good-{n}"] for n in "123"], [world.ids["fair-2"]], margin=0, metric="valid_auc"
    )  # fmt: skip
    assert (len(some.a.ids), len(some.b.ids), some.a.label) == (3, 4, "3 runs")


def test_compare_refuses_what_makes_no_pair(service: ExperimentService, world: RealWorld) -> None:
    one, other = [world.ids["good-1"]], [world.ids["good-2"]]
    with pytest.raises(InvalidInput, match="one configuration"):
        service.compare(VIEWER, one, other, margin=0)
    with pytest.raises(InvalidInput, match="two sides"):
        service.compare(VIEWER, one, one, margin=0)
    with pytest.raises(InvalidInput, match="share no metric 'nothing'"):
        service.compare(VIEWER, one, [world.ids["fair-1"]], margin=0, metric="nothing")
    with pytest.raises(NotFound):
        service.compare(VIEWER, one, ["0" * 32], margin=0)


# --- rows -------------------------------------------------------------------------------------------------------------


def test_rows_of_mlflows_own_table_are_read_by_their_names() -> None:
    said = pd.DataFrame({"age": [1, 2, 3], "target": ["a", "b", "a"], "outputs": ["a", "a", "a"]})
    kept = parsed(said, "eval_results_table.json", "r" * 32)
    assert (kept.kind.name, kept.by_position) == ("classes", True)
    assert kept.frame["score"].tolist() == [1.0, 0.0, 1.0]
    numbers = pd.DataFrame({"y": [1.5, 2.5], "prediction": [1.0, 3.0]})
    assert parsed(numbers, "x", "r" * 32).kind.name == "regression"
    with pytest.raises(InvalidInput, match="known as prediction"):
        parsed(said.drop(columns="outputs"), "x", "r" * 32)
    with pytest.raises(InvalidInput, match="row ids twice"):
        parsed(said.assign(row_id="same"), "x", "r" * 32)
    with pytest.raises(InvalidInput, match="missing labels"):
        parsed(numbers.assign(y=[1.0, float("nan")]), "x", "r" * 32)


def test_rows_are_laid_over_each_other_by_id_with_what_is_lost_said() -> None:
    whole = rows(1.0, 1)
    shuffled = whole.sample(frac=1, random_state=0)
    same = aligned({"a": parsed(whole, "x", "a"), "b": parsed(shuffled, "x", "b")})
    assert same.note == ""
    assert (same.scores["a"] == same.scores["b"]).all()
    part = aligned({"a": parsed(whole, "x", "a"), "b": parsed(whole.iloc[2:], "x", "b")})
    assert part.note == "2 of 400 rows left out: not in every run"
    with pytest.raises(InvalidInput, match="40 of 400 row ids"):
        aligned({"a": parsed(whole, "x", "a"), "b": parsed(whole.iloc[40:], "x", "b")})
    changed = whole.assign(label=[1 - whole["label"].iloc[0], *whole["label"].iloc[1:]])
    with pytest.raises(InvalidInput, match="labels of 1 rows differ"):
        aligned({"a": parsed(whole, "x", "a"), "b": parsed(changed, "x", "b")})
    places = whole.drop(columns="row_id")
    with pytest.raises(InvalidInput, match="inputs differ"):
        aligned({"a": parsed(places, "x", "a"), "b": parsed(places.assign(origin="LGA"), "x", "b")})


def test_a_time_column_gives_the_days() -> None:
    timed = rows(1.0, 1).drop(columns="day").assign(at="2024-03-01T12:00:00Z")
    assert aligned({"a": parsed(timed, "x", "a")}).day is not None
    assert aligned({"a": parsed(timed.assign(at="not a time"), "x", "a")}).day is None
