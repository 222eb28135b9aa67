"""Search: every kind is found by name and by id, whatever the case, and letters that SQL knows are plain letters."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import event

from mlops_dash.domain.access import NOBODY, Actor, Role
from mlops_dash.domain.search import PER_KIND, Kind
from mlops_dash.errors import NotAuthenticated
from mlops_dash.services.access import AccessService
from mlops_dash.services.command import Context
from mlops_dash.services.search import SearchService
from mlops_dash.store.db import transaction
from mlops_dash.store.tables.ab_tests import ABTestRow
from mlops_dash.store.tables.jobs import JobRow
from mlops_dash.store.tables.monitoring import AlertRow
from tests.factories import ADMIN, NOON, VIEWER, WORKER, model_row, version_row


@pytest.fixture
def search(context: Context) -> SearchService:
    access = AccessService(context)
    access.ensure_demo_users(WORKER)
    access.create_user(ADMIN, "grace", Role.LEAD, reason="joins")
    with transaction(context.databases.app) as session:
        session.add(model_row())
        session.add(model_row("100%_odd\\name", source="external", owner=""))
        session.add(model_row("Übergabe", owner="o'brien"))
        session.flush()
        for number in range(1, 9):
            made = NOON + timedelta(days=number)
            session.add(version_row(str(number), created_at=made, recipe="refresh", run_id=f"abc{number}f00d"))
        session.flush()
        session.add(
            ABTestRow(
                id="test1", model="flight-delay", control_id="flight-delay-v1", challenger_id="flight-delay-v2",
                design={}, state="running", question="Is v2 better on fog?", designed_by="user:lead", designed_at=NOON,
            )
        )  # fmt: skip
        session.add(job("job1", recipe="refresh", cause="asked by grace: spring"))
        session.add(job("job2", task="evaluate", cause="schedule hourly"))
        session.add(
            AlertRow(
                id="harm", model="flight-delay", kind="harm", state="open", title="ROC AUC fell", cause="temp moved",
                opened_at=NOON, last_seen_at=NOON, evidence_ids=[], body={},
            )
        )  # fmt: skip
    return SearchService(context)


def job(name: str, **changes: object) -> JobRow:
    values: dict[str, object] = {
        "id": name, "task": "retrain", "model": "flight-delay", "arguments": {}, "due_at": NOON, "state": "succeeded",
        "created_at": NOON,
    }  # fmt: skip
    return JobRow(**{**values, **changes})


Find = Callable[..., list[tuple[str, str]]]


@pytest.fixture
def find(search: SearchService) -> Find:
    def go(text: str, actor: Actor = VIEWER) -> list[tuple[str, str]]:
        return [(str(hit.kind), hit.title) for hit in search.find(actor, text)]

    return go


@pytest.mark.parametrize("text", ["flight-delay v3", "FLIGHT-DELAY V3", "  v3   flight ", "abc3f00d", "ABC3F"])
def test_a_version_is_found_by_name_and_by_run_id_whatever_the_case(find: Find, text: str) -> None:
    assert find(text) == [("version", "flight-delay v3")]


def test_every_kind_is_found_and_opens_its_page(search: SearchService) -> None:
    texts = ("Übergabe", "abc8f", "job1", "fog", "AUC fell", "grace")
    hits = {text: search.find(VIEWER, text)[-1] for text in texts}
    opened = {text: (hit.kind, hit.page, dict(hit.parameters)) for text, hit in hits.items()}
    assert opened == {
        "Übergabe": (Kind.MODEL, "registry", {"model": "Übergabe"}),
        "abc8f": (Kind.VERSION, "registry", {"model": "flight-delay", "version": "8"}),
        "job1": (Kind.RUN, "retraining", {"run": "job1"}),
        "fog": (Kind.TEST, "ab", {"test": "test1"}),
        "AUC fell": (Kind.ALERT, "monitoring", {"model": "flight-delay"}),
        "grace": (Kind.PERSON, "audit", {"object": "grace"}),
    }


def test_a_model_from_elsewhere_opens_in_monitoring_and_an_actor_by_decisions(search: SearchService) -> None:
    [odd] = search.find(VIEWER, "odd")
    assert (odd.page, odd.detail) == ("monitoring", "binary · owner nobody")
    [admin] = search.find(VIEWER, "admin")
    assert (admin.kind, dict(admin.parameters)) == (Kind.PERSON, {"actor": "user:admin"})  # they made grace's account


@pytest.mark.parametrize("text", ["100%", "%_odd", "odd\\", "_ODD\\name"])
def test_special_letters_are_plain_letters(find: Find, text: str) -> None:
    assert find(text) == [("model", "100%_odd\\name")]


def test_quotes_are_plain_letters(find: Find) -> None:
    assert find("o'brien") == [("model", "Übergabe")]
    assert find("'; DROP TABLE model; --") == []
    assert find("o'b\x00rien") == [("model", "Übergabe")]  # a NUL, which Postgres refuses, parts words


@pytest.mark.parametrize("text", ["", "   ", "no such thing"])
def test_nothing_is_found_for_nothing(find: Find, text: str) -> None:
    assert find(text) == []


def test_house_keeping_jobs_are_no_runs(find: Find) -> None:
    assert find("hourly") == []


def test_the_exact_name_comes_first_and_no_kind_floods_the_list(find: Find) -> None:
    found = find("flight-delay")
    assert found[0] == ("model", "flight-delay")
    assert [title for kind, title in found if kind == "version"] == [f"flight-delay v{n}" for n in (8, 7, 6, 5, 4)]
    assert len([one for one in found if one[0] == "version"]) == PER_KIND


def test_who_is_not_logged_in_finds_nothing(search: SearchService) -> None:
    with pytest.raises(NotAuthenticated):
        search.find(NOBODY, "flight")


def test_a_keystroke_costs_one_statement(search: SearchService) -> None:
    asked: list[str] = []
    engine = search.context.databases.app

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    search.find(ADMIN, "flight-delay v3")
    event.remove(engine, "before_cursor_execute", note)
    assert len([one for one in asked if one.lstrip().upper().startswith("SELECT")]) == 1
