"""Marks of live versions in a real MLflow store, by its client and by its REST address."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mlops_dash.domain.registry.live import live_mark
from mlops_dash.errors import NotFound
from mlops_dash.tracking.marks import Marks
from tests.runs_server import serving

MODEL = 'it\'s the "fast" one'


@pytest.fixture(params=["client", "rest"])
def marks(request: pytest.FixtureRequest, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Marks]:
    made = Marks(mlflow_uri)
    for number in "123":
        made.create_version(MODEL, source=f"/nowhere/{number}", run_id="")
    if request.param == "client":
        yield made
        return
    with serving(mlflow_uri, monkeypatch) as address:
        yield Marks(address)


@pytest.mark.parametrize("text", ["alias:prod", "stage:Production", 'tag:who=it\'s "live"'])
def test_a_mark_moves_back_and_forth_and_is_on_one_version_alone(marks: Marks, text: str) -> None:
    mark = live_mark(text)
    assert marks.where(MODEL, mark) is None
    for version in ("1", "3", "3", "2"):
        marks.put(MODEL, mark, version)
        assert marks.where(MODEL, mark) == version
        assert [one.version for one in marks.versions(MODEL) if mark.is_on(one)] == [version]


def test_no_mark_writes_nothing(marks: Marks) -> None:
    before = marks.versions(MODEL)
    marks.put(MODEL, live_mark("none"), "1")
    assert marks.where(MODEL, live_mark("none")) is None
    assert marks.versions(MODEL) == before


@pytest.mark.parametrize("text", ["stage:Production", "tag:live=yes"])
def test_a_version_that_is_not_there_is_said(marks: Marks, text: str) -> None:
    with pytest.raises(NotFound):
        marks.put(MODEL, live_mark(text), "9")


def test_a_tag_of_a_model_is_taken_off_again(marks: Marks) -> None:
    marks.set_model_tag(MODEL, "ours", "1")
    marks.set_model_tag(MODEL, "theirs", "2")
    marks.remove_model_tag(MODEL, "ours")
    assert (marks.model_tags("ours"), marks.model_tags("theirs")) == ({}, {MODEL: "2"})
