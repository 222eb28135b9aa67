"""A number follows from what differs; what nobody recorded is never taken as the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mlops_dash.domain.registry.dossier import Column, Contents, RunFacts
from mlops_dash.domain.registry.records import Version
from mlops_dash.domain.registry.semver import Change, Known, bumped, checked_number, difference
from mlops_dash.errors import InvalidInput
from tests.factories import NOON

LANE = 'the "lane" 车道 <b>'
INPUTS = (Column("waiting", "long"), Column(LANE, "string"))


def known(label: str, **changes: Any) -> Known:
    """A version of a regression in minutes with all that can be recorded."""
    version = Version(
        id=label, model="it's the queue", version=label, incarnation=1, run_id="r", artifact_digest=label * 64,
        source_uri="", training_start=None, training_end=None, data_digest="d" * 64, recipe="weekly", created_at=NOON,
        created_by="ann", note="",
    )  # fmt: skip
    contents = Contents((), label * 64, INPUTS, (Column("minutes", "double"),), ("python_function", "sklearn"),
                        {"numpy": "2.0"}, "3.1")  # fmt: skip
    run = RunFacts("r", "night", "ann", "finished", None, None, "train.py", "c0ffee11", "main", False, (),
                   {"depth": "4", "rate": "0.1"})  # fmt: skip
    of_version = {name: value for name, value in changes.items() if hasattr(version, name)}
    of_contents = {name: value for name, value in changes.items() if hasattr(contents, name)}
    of_run = {name: value for name, value in changes.items() if hasattr(run, name) and name != "run_id"}
    return Known(replace(version, **of_version), replace(contents, **of_contents), replace(run, **of_run))


CHAMPION = known("1")


@pytest.mark.parametrize(
    ("changes", "change", "said"),
    [
        ({"data_digest": "e" * 64}, Change.MAJOR, "other training data (sha256 eeeeeeee instead of dddddddd)"),
        ({"recipe": "hourly"}, Change.MAJOR, "another recipe (hourly instead of weekly)"),
        ({"flavours": ("python_function", "xgboost")}, Change.MAJOR, "another kind of model (python_function, xgboost"),
        ({"inputs": (*INPUTS, Column("rain", "double"))}, Change.MAJOR, "other inputs (rain is new)"),
        ({"inputs": INPUTS[:1]}, Change.MAJOR, f"other inputs ({LANE} is gone)"),
        ({"inputs": (Column("waiting", "double"), INPUTS[1])}, Change.MAJOR, "other inputs (waiting is double)"),
        ({"inputs": INPUTS[::-1]}, Change.MAJOR, "other inputs (in another order)"),
        ({"outputs": (Column("minutes", "long"),)}, Change.MAJOR, "other outputs (minutes is long)"),
        ({"parameters": {"depth": "4", "rate": "0.1", "model": "forest"}}, Change.MAJOR,
         "another model forest instead of not set"),
        ({"parameters": {"depth": "6", "rate": "0.1"}}, Change.MINOR, "other hyper-parameters (depth 6 instead of 4)"),
        ({"commit": "deadbeef"}, Change.PATCH, "other code (commit deadbeef instead of c0ffee11)"),
        ({"packages": {"numpy": "2.1"}}, Change.PATCH, "other packages (numpy)"),
        ({}, Change.PATCH, "the same data, architecture and hyper-parameters"),
        ({"artifact_digest": "1" * 64, "data_digest": "e" * 64}, Change.NONE, "byte for byte"),
    ],
)  # fmt: skip
def test_how_far_a_version_is_from_the_champion(changes: dict[str, Any], change: Change, said: str) -> None:
    found = difference(known("2", **changes), CHAMPION)
    assert found.change is change
    assert said in "; ".join(found.reasons)
    assert not found.why_not


def test_the_farthest_difference_counts_and_smaller_ones_are_told_too() -> None:
    found = difference(known("2", data_digest="e" * 64, parameters={"depth": "6", "rate": "0.1"}), CHAMPION)
    assert found.change is Change.MAJOR
    assert [one.split(" (")[0] for one in found.reasons] == ["other training data", "other hyper-parameters"]


@pytest.mark.parametrize(
    ("own", "why"),
    [
        (known("2", data_digest=""), "What v2 learned from is not recorded."),
        (replace(known("2"), contents=None, why_contents="MLflow does not answer."), "The files of v2 are not known."),
        (replace(known("2"), run=None, why_run="It names no run."), "The hyper-parameters of v2 are not known."),
        (known("2", inputs=None), "v2 was logged without its inputs."),
    ],
)
def test_what_nobody_recorded_is_not_the_same(own: Known, why: str) -> None:
    found = difference(own, CHAMPION)
    assert found.change is None
    assert why in found.why_not
    assert not found.reasons


def test_what_is_not_known_does_not_matter_where_it_could_not_raise_the_number() -> None:
    assert difference(known("2", data_digest="", recipe="hourly"), CHAMPION).change is Change.MAJOR
    silent = replace(known("2", data_digest="e" * 64), run=None, why_run="It names no run.")
    assert difference(silent, CHAMPION).change is Change.MAJOR


def test_other_spans_of_training_are_other_data_where_no_digest_was_kept() -> None:
    own = known("2", data_digest="", training_start=NOON, training_end=NOON)
    other = replace(CHAMPION, version=replace(CHAMPION.version, training_start=NOON, training_end=NOON.replace(hour=1)))
    assert difference(own, other).change is Change.MAJOR
    assert difference(own, replace(other, version=replace(other.version, training_end=NOON))).change is None


def test_a_number_that_is_taken_is_not_given_again() -> None:
    assert bumped("1.0.0", Change.MINOR, ["1.1.0", "1.2.0"]) == "1.3.0"
    assert bumped("1.9.9", Change.PATCH) == "1.9.10"


@pytest.mark.parametrize("text", ["", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.x", "-1.0.0", "<b>1.2.3</b>", "1.2.3\n4"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        checked_number(text)
