"""The version page's read: facts from MLflow and files, and for each that is missing, why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_dash.domain.experiments.frame import Dataset
from mlops_dash.domain.registry.dossier import PackageChange
from mlops_dash.services.registry import RegistryService
from mlops_dash.tracking.models.trust import artifact_digest
from mlops_dash.tracking.version_files import VersionFiles
from tests.factories import SCIENTIST, VIEWER
from tests.version_world import NAME, VersionWorld, world


@pytest.fixture
def house(tmp_path: Path, mlflow_uri: str) -> Iterator[VersionWorld]:
    made = world(tmp_path, mlflow_uri)
    yield made
    made.context.databases.dispose()


def test_a_version_is_told_by_its_run_files_packages_and_where_it_is_live(house: VersionWorld) -> None:
    house.measured("1", 12.0)
    house.hands.turn(days=3)
    house.measured("2", 11.0)
    found = house.service.dossier(VIEWER, house.ids["2"])

    assert found.run is not None
    assert (found.run.commit, found.run.branch, found.run.dirty) == ("c0ffee2", "main", True)
    assert found.run.datasets == (Dataset("visits", "digest2", "training"),)
    assert (found.run.name, found.run.user, found.run.parameters) == ("night 2", "ann", {"depth": "2"})
    assert found.registered is not None
    assert (found.registered.tags, found.registered.description) == ({"team": "kiosk"}, "the 2. of them")
    contents = found.contents
    assert contents is not None
    assert contents.digest == found.version.artifact_digest == artifact_digest(house.folder("2"))
    assert not found.altered
    assert [one.path for one in contents.files] == [
        "MLmodel",
        "metadata/weights.bin",
        "python_env.yaml",
        "requirements.txt",
    ]
    assert contents.files[1].size == 321
    assert all(len(one.sha256) == 64 for one in contents.files)
    assert contents.inputs is not None
    assert [(one.name, one.kind, one.required) for one in contents.inputs] == [
        ("waiting", "long", True), ('the "lane"', "string", False),
    ]  # fmt: skip
    assert (found.champion, found.environment) == ("v1", (PackageChange("numpy", "2.0", "2.1"),))
    assert found.places == ()
    (series,) = found.series
    assert [(one.label, one.value, one.is_champion) for one in series.points] == [
        ("v1", 12.0, True),
        ("v2", 11.0, False),
    ]
    assert not series.same_rows
    assert series.higher_is_better is False


def test_the_champion_says_since_when_and_what_was_never_measured_is_not_invented(house: VersionWorld) -> None:
    house.measured("2", 11.0)
    found = house.service.dossier(VIEWER, house.ids["1"])
    assert [(one.what, one.until) for one in found.places] == [("champion", None)]
    assert (found.champion, found.environment) == ("", None)
    assert "no other champion" in found.environment_why
    (series,) = found.series
    assert series.champion is None
    assert [(one.value, one.reason) for one in series.points] == [(None, "It was never measured."), (11.0, "")]


def test_what_cannot_be_read_says_why(house: VersionWorld) -> None:
    house.register("3", signature=False, run=False)
    found = house.service.dossier(VIEWER, house.ids["3"])
    assert (found.run, found.run_why) == (None, "It names no run.")
    assert found.contents is not None
    assert found.contents.inputs is None

    for path in sorted(house.folder("1").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    fresh = RegistryService(house.context)  # what was read is kept for a minute
    gone = fresh.dossier(VIEWER, house.ids["1"])
    assert gone.contents is None
    assert "holds no files" in gone.contents_why

    house.context.registry.uri = "http://127.0.0.1:9"
    away = house.service.dossier(VIEWER, house.ids["2"])
    assert (away.registered, away.run) == (None, None)
    assert "does not answer" in away.registered_why
    assert away.version.recipe == "weekly"


def test_files_that_were_altered_are_called_altered(house: VersionWorld) -> None:
    (house.folder("2") / "metadata" / "weights.bin").write_bytes(b"others")
    found = house.service.dossier(VIEWER, house.ids["2"])
    assert found.altered


def test_large_files_are_listed_and_not_read(house: VersionWorld) -> None:
    found = VersionFiles(house.context.registry.uri).contents(str(house.folder("1")), most=100)
    assert (found.digest, {one.sha256 for one in found.files}) == ("", {""})
    assert found.size > 321
    assert found.packages == {"python": "3.11.9", "numpy": "2.0", "scikit-learn": "1.7.2"}
    assert found.flavours == ("python_function", "sklearn")


def test_a_model_that_others_serve_has_no_files_here(house: VersionWorld) -> None:
    theirs = f"{NAME} elsewhere"
    house.service.add_model(SCIENTIST, theirs, source="external", task="regression", reason="theirs")
    version_id = house.service.record_version(SCIENTIST, theirs, "vanilla")
    found = house.service.dossier(VIEWER, version_id)
    assert (found.contents, found.run, found.registered, found.series) == (None, None, None, ())
    assert "Others serve this model" in found.contents_why
