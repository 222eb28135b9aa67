"""Saved views and notes: who sees what, who may change what, and what the ledger holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_dash.domain.access import Actor, Role
from mlops_dash.domain.audit import Action
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed, NotAuthenticated, NotFound
from mlops_dash.services.command import Context
from mlops_dash.services.experiments import ExperimentService
from mlops_dash.store import audit
from mlops_dash.store.db import reading
from tests.factories import ADMIN, LEAD, SCIENTIST, VIEWER, context

STATE = {"exp": "1", "q": "metrics.`väl/loss` > .5 and params.a = '|'", "cols": '["metrics.auc"]', "base": ""}
RUNS = ("b" * 32, "a" * 32)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Context]:
    found = context(tmp_path)
    yield found
    found.databases.dispose()


@pytest.fixture
def service(made: Context) -> ExperimentService:
    return ExperimentService(made)


def actions(made: Context) -> list[str]:
    with reading(made.databases.app) as session:
        return [one.action for one in audit.entries(session)]


def test_a_view_is_kept_with_its_whole_state(service: ExperimentService, made: Context) -> None:
    kept = service.save_view(SCIENTIST, "  Best   depth ", STATE)
    assert kept.name == "Best depth"
    assert service.view(SCIENTIST, kept.id).state == {name: value for name, value in STATE.items() if value}
    assert actions(made) == [Action.VIEW_SAVED]


def test_a_view_of_ones_own_opens_for_its_owner_only_and_a_shared_one_for_all(service: ExperimentService) -> None:
    own = service.save_view(SCIENTIST, "own", STATE)
    shared = service.save_view(SCIENTIST, "shared", STATE, shared=True)
    assert [one.name for one in service.kept(VIEWER).views] == ["shared"]
    assert [one.name for one in service.kept(SCIENTIST).views] == ["own", "shared"]
    assert service.view(VIEWER, shared.id).state["exp"] == "1"
    with pytest.raises(NotFound):
        service.view(VIEWER, own.id)
    with pytest.raises(NotFound):
        service.change_view(LEAD, own.id, name="mine", shared=True)


def test_the_same_name_is_written_over_and_keeps_its_link(service: ExperimentService) -> None:
    first = service.save_view(SCIENTIST, "sweep", STATE)
    again = service.save_view(SCIENTIST, "sweep", {"exp": "2"}, shared=True)
    assert (again.id, again.state, again.shared) == (first.id, {"exp": "2"}, True)
    other = service.save_view(LEAD, "sweep", STATE)
    assert other.id != first.id


def test_owner_and_admin_rename_share_and_delete_others_do_not(service: ExperimentService, made: Context) -> None:
    view = service.save_view(SCIENTIST, "sweep", STATE, shared=True)
    service.save_view(SCIENTIST, "taken", STATE)
    with pytest.raises(NotAllowed, match="may not change") as caught:
        service.change_view(LEAD, view.id, name="x", shared=True)
    assert "save a copy" in caught.value.hint
    with pytest.raises(Conflict):
        service.change_view(SCIENTIST, view.id, name="taken", shared=True)
    assert service.change_view(ADMIN, view.id, name="renamed", shared=True).name == "renamed"
    assert service.change_view(SCIENTIST, view.id, name="renamed", shared=True).name == "renamed"  # nothing to do
    service.delete_view(SCIENTIST, view.id)
    with pytest.raises(NotFound):
        service.view(SCIENTIST, view.id)
    with pytest.raises(NotFound):
        service.delete_view(SCIENTIST, view.id)
    assert actions(made).count(Action.VIEW_CHANGED) == 1
    assert actions(made).count(Action.VIEW_DELETED) == 1


def test_a_viewer_reads_and_does_not_write(service: ExperimentService) -> None:
    for call in (
        lambda: service.save_view(VIEWER, "x", STATE),
        lambda: service.write_note(VIEWER, RUNS, "x"),
        lambda: service.kept(Actor("anonymous", "nobody", None, "anonymous")),
    ):
        with pytest.raises((NotAllowed, NotAuthenticated)):
            call()
    assert Role.VIEWER is VIEWER.role


def test_notes_stand_on_the_same_runs_in_any_order(service: ExperimentService, made: Context) -> None:
    service.write_note(SCIENTIST, RUNS, " deeper trees win on one split only ")
    service.write_note(LEAD, RUNS[::-1], "seen")
    assert {(one.author, one.text) for one in service.kept(VIEWER, RUNS).notes} == {
        ("user:lead", "seen"), ("user:scientist", "deeper trees win on one split only"),
    }  # fmt: skip
    assert service.kept(VIEWER, [*RUNS, "c" * 32]).notes == ()
    assert service.kept(VIEWER, RUNS[:1]).notes == ()
    assert actions(made).count(Action.NOTE_WRITTEN) == 2


@pytest.mark.parametrize("name", ["", "   ", "x" * 81])
def test_a_name_that_says_nothing_or_too_much_is_refused(service: ExperimentService, name: str) -> None:
    with pytest.raises(InvalidInput, match="needs a name"):
        service.save_view(SCIENTIST, name, STATE)


def test_what_cannot_be_kept_is_refused_in_words(service: ExperimentService) -> None:
    with pytest.raises(InvalidInput, match="too much"):
        service.save_view(SCIENTIST, "x", {"cols": "x" * 30_000})
    with pytest.raises(InvalidInput, match="two runs"):
        service.write_note(SCIENTIST, RUNS[:1], "alone")
    with pytest.raises(InvalidInput, match="1 to 2,000"):
        service.write_note(SCIENTIST, RUNS, "  ")
