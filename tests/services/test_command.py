"""The three kinds of service method: what each refuses, undoes and remembers."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from mlops_dash.domain.access import NOBODY, Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.errors import LedgerMissing, NotAllowed, NotAuthenticated
from mlops_dash.services.command import Context, Unit, command, identifies, read, record
from mlops_dash.store import audit, world
from mlops_dash.store.db import reading
from tests.factories import LEAD, SCIENTIST, VIEWER, WORKER


class Notes:
    """A service of the test: keeps one text in the world table."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @command(Permission.POLICY_EDIT, Action.MONITOR_SET)
    def write(self, unit: Unit, actor: Actor, text: str, *, audited: bool = True, fail: bool = False) -> str:
        world.put(unit.session, "note", text)
        if audited:
            unit.audit("note", before={"text": None}, after={"text": text}, reason="because")
        if fail:
            raise RuntimeError("after the entry")
        return text.upper()

    @command(Permission.POLICY_EDIT, Action.MONITOR_SET)
    def write_again(self, unit: Unit, actor: Actor) -> None:
        unit.nothing_changed()

    @read(Permission.ROOM_READ)
    def note(self, actor: Actor) -> str | None:
        with reading(self.context.databases.app) as session:
            return world.get(session, "note")

    @record(Permission.SYSTEM)
    def beat(self, actor: Actor) -> str:
        return "beat"

    @identifies
    def whose(self, secret: str) -> str:
        return f"{secret}'s"


def entries(context: Context) -> list[audit.Entry]:
    with reading(context.databases.app) as session:
        return list(audit.entries(session))


def test_a_command_writes_its_change_and_one_entry_and_returns_the_result(context: Context) -> None:
    assert Notes(context).write(LEAD, "hello") == "HELLO"
    assert Notes(context).note(VIEWER) == "hello"
    (entry,) = entries(context)
    assert (entry.actor, entry.action, entry.object, entry.reason) == (LEAD.id, Action.MONITOR_SET, "note", "because")
    assert entry.after == {"text": "hello"}
    assert entry.at == context.clock.now()


def test_a_command_without_its_ledger_entry_is_undone(context: Context) -> None:
    with pytest.raises(LedgerMissing, match="wrote no ledger entry"):
        Notes(context).write(LEAD, "hello", audited=False)
    assert Notes(context).note(VIEWER) is None
    assert entries(context) == []


def test_an_error_after_the_entry_undoes_the_change_and_the_entry(context: Context) -> None:
    with pytest.raises(RuntimeError, match="after the entry"):
        Notes(context).write(LEAD, "hello", fail=True)
    assert Notes(context).note(VIEWER) is None
    assert entries(context) == []
    assert not context.anchor_path.exists()


def test_a_command_is_refused_before_anything_is_written_when_the_role_is_too_low(context: Context) -> None:
    with pytest.raises(NotAllowed, match=r"scientist may not do policy:edit") as refused:
        Notes(context).write(SCIENTIST, "hello")
    assert "Needs the role lead" in refused.value.hint
    assert entries(context) == []


@pytest.mark.parametrize("method", ["write_again", "note", "beat"])
def test_nobody_gets_nothing(context: Context, method: str) -> None:
    with pytest.raises(NotAuthenticated):
        getattr(Notes(context), method)(NOBODY)


def test_a_repeated_command_that_found_its_work_done_writes_no_entry(context: Context) -> None:
    Notes(context).write_again(LEAD)
    assert entries(context) == []


def test_a_machine_fact_is_refused_to_people_and_leaves_no_entry(context: Context) -> None:
    assert Notes(context).beat(WORKER) == "beat"
    with pytest.raises(NotAllowed):
        Notes(context).beat(LEAD)
    assert entries(context) == []


def test_the_head_is_anchored_outside_the_database_after_every_command(context: Context) -> None:
    for text in ("one", "two"):
        Notes(context).write(LEAD, text)
        head = entries(context)[-1]
        assert audit.read_anchor(context.anchor_path, key=context.settings.ledger_key) == audit.Anchor(
            head.number, head.mac
        )


def test_an_older_head_never_replaces_a_newer_anchor(context: Context) -> None:
    key = context.settings.ledger_key
    audit.write_anchor(context.anchor_path, audit.Anchor(7, "7" * 64), key=key)
    audit.write_anchor(context.anchor_path, audit.Anchor(6, "6" * 64), key=key)
    assert audit.read_anchor(context.anchor_path, key=context.settings.ledger_key) == audit.Anchor(7, "7" * 64)


def test_a_decision_stands_when_its_anchor_cannot_be_written(
    context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    away = replace(context, settings=replace(context.settings, home=context.settings.home / "not" / "there"))
    with caplog.at_level(logging.ERROR):
        assert Notes(away).write(LEAD, "hello") == "HELLO"
    assert "anchor was not written" in caplog.text
    assert [entry.number for entry in entries(context)] == [1]


def test_every_kind_says_what_it_is() -> None:
    kinds = {name: vars(Notes)[name].__mlops_kind__ for name in ("write", "note", "beat", "whose")}
    assert kinds == {"write": "command", "note": "read", "beat": "record", "whose": "read"}
    assert vars(Notes)["write"].__mlops_action__ is Action.MONITOR_SET
    assert vars(Notes)["whose"].__mlops_permission__ is Permission.PUBLIC


def test_who_is_asked_before_there_is_an_actor(context: Context) -> None:
    assert Notes(context).whose("cookie") == "cookie's"
