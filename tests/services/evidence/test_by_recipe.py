"""Checks of a recipe look at the recorded files of a version, and only where these may be loaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.recipe_checks import Check, CheckKind
from mlops_dash.domain.retraining import Recipe
from mlops_dash.services.evidence import EvidenceService
from mlops_dash.services.retraining import RetrainingService
from mlops_dash.store import registry, trust
from mlops_dash.store.db import transaction
from mlops_dash.tracking.models.trust import artifact_digest
from tests.factories import ADMIN, NOON, SCIENTIST
from tests.version_world import NAME, VersionWorld, world

LOOKS = """
import os, pathlib
pathlib.Path(os.environ["MLOPS_DASH_CHECK_MODEL"], "metadata", "weights.bin").read_bytes()
pathlib.Path("it ran").touch()
print("result pass", os.environ["MLOPS_DASH_CHECK_MODEL"])
"""


@pytest.fixture
def house(tmp_path: Path, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[VersionWorld]:
    made = world(tmp_path, mlflow_uri)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "look's.py").write_text(LOOKS)
    looks = Check("looks", CheckKind.UNIT, f'{{python}} "{tmp_path}/look\'s.py"')
    RetrainingService(made.context).save_recipe(ADMIN, Recipe("weekly", NAME, "{python} train.py", checks=(looks,)))
    yield made
    made.context.databases.dispose()


def checked(house: VersionWorld) -> tuple[Evidence, bool]:
    """What it said of version 2, and whether it ran at all."""
    (found,) = EvidenceService(house.context).run_checks(SCIENTIST, house.ids["2"], log=house.home / "log")
    ran = house.home / "it ran"
    was = ran.exists()
    ran.unlink(missing_ok=True)
    return found, was


def trusted(house: VersionWorld, digest: str) -> None:
    with transaction(house.context.databases.app) as session:
        trust.put(session, trust.TrustedFiles(digest, NAME, "2", "it's ours", ADMIN.id, NOON))


def test_files_that_nobody_trusts_are_handed_to_no_program(house: VersionWorld) -> None:
    found, ran = checked(house)
    assert (ran, found.value, found.details["passed"]) == (False, None, False)
    assert "is not trusted" in found.reason
    digest = artifact_digest(house.folder("2"))
    trusted(house, digest)
    found, ran = checked(house)
    assert (ran, found.value, found.digests["artifact"]) == (True, 1.0, digest)
    assert str(house.folder("2")) not in found.reason, "a copy, which goes with the check"
    assert not Path(found.reason).exists()


def test_files_that_are_not_the_recorded_ones_are_handed_to_no_program(house: VersionWorld) -> None:
    (house.folder("2") / "metadata" / "weights.bin").write_bytes(b"altered")
    trusted(house, artifact_digest(house.folder("2")))
    found, ran = checked(house)
    assert (ran, found.value) == (False, None)
    assert " was recorded." in found.reason


def test_what_is_said_of_a_version_seen_in_mlflow_is_bound_to_the_files_that_were_looked_at(
    house: VersionWorld,
) -> None:
    with transaction(house.context.databases.app) as session:
        registry.change_version(session, house.ids["2"], artifact_digest="")
    digest = artifact_digest(house.folder("2"))
    trusted(house, digest)
    found, ran = checked(house)
    assert (ran, found.value, found.digests["artifact"]) == (True, 1.0, digest)
