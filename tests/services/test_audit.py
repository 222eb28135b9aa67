"""The ledger: filters and pages, and that every kind of tampering is found."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from mlops_dash.domain.access import NOBODY, Role
from mlops_dash.domain.audit import Action, Anchor, Entry, Filter, Verdict, anchor_tag, anchor_text
from mlops_dash.errors import NotAuthenticated, NotFound
from mlops_dash.services.access import AccessService
from mlops_dash.services.audit import AuditService
from mlops_dash.services.command import Context
from mlops_dash.store import audit as store
from mlops_dash.store.db import reading, transaction
from mlops_dash.tracking.registry import MlflowRegistry
from tests import factories
from tests.factories import ADMIN, LEAD, NOON, VIEWER, WORKER


def write(context: Context, count: int, **changes: object) -> list[Entry]:
    """Entries an hour apart, alternating between two actors."""
    made = []
    with transaction(context.databases.app, ledger=True) as session:
        for number in range(count):
            values: dict[str, object] = {
                "key": context.settings.ledger_key,
                "at": NOON + timedelta(hours=number),
                "wall": NOON,
                "actor": (LEAD, ADMIN)[number % 2].id,
                "action": Action.PROPOSAL_APPROVED,
                "object_": f"flight-delay v{number}",
                "model": "flight-delay",
                "before": {"state": "open"},
                "after": {"state": "approved"},
                "reason": "looks right",
                "evidence_ids": ("e1",),
            }
            made.append(store.append(session, **{**values, **changes}))  # type: ignore[arg-type]
    store.write_anchor(context.anchor_path, Anchor(made[-1].number, made[-1].mac), key=context.settings.ledger_key)
    return made


def sql(context: Context, statement: str) -> None:
    with transaction(context.databases.app) as session:
        session.connection().execute(text(statement))


@pytest.fixture
def audit(context: Context) -> AuditService:
    return AuditService(context)


def test_an_empty_ledger_verifies_and_has_no_head(audit: AuditService) -> None:
    verdict = audit.verify(VIEWER)
    assert (verdict.ok, verdict.n_entries, verdict.sentence()) == (True, 0, "ok 0 entries")
    assert audit.head(VIEWER) is None
    assert audit.entries(VIEWER).entries == ()
    assert audit.entries(VIEWER).pages == 1


def test_what_was_written_is_read_back_equal_and_verifies(context: Context, audit: AuditService) -> None:
    made = write(context, 3, after={"n": 1, "rate": 0.1, "list": [1, None, "ü"], "deep": {"b": 1, "a": 2}})
    assert list(audit.entries(VIEWER).entries) == made[::-1]
    assert audit.verify(VIEWER).sentence() == "ok 3 entries"
    assert audit.head(VIEWER) == Anchor(3, made[-1].mac)
    assert audit.entry(VIEWER, 2) == made[1]


def test_keys_that_json_turns_into_text_still_verify(context: Context, audit: AuditService) -> None:
    write(context, 1, after={10: "ten", 9: "nine"})
    assert audit.verify(VIEWER).ok


def test_pages_are_newest_first_and_a_page_too_far_is_the_last(context: Context, audit: AuditService) -> None:
    write(context, 7)
    first = audit.entries(VIEWER, page=1, size=3)
    assert ([entry.number for entry in first.entries], first.total, first.pages) == ([7, 6, 5], 7, 3)
    last = audit.entries(VIEWER, page=99, size=3)
    assert ([entry.number for entry in last.entries], last.number) == ([1], 3)


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (Filter(actor=ADMIN.id), [4, 2]),
        (Filter(action="proposal.approved"), [4, 3, 2, 1]),
        (Filter(action="proposal.rejected"), []),
        (Filter(object="V2"), [3]),
        (Filter(object="%"), []),
        (Filter(model="flight-delay"), [4, 3, 2, 1]),
        (Filter(start=NOON + timedelta(hours=2)), [4, 3]),
        (Filter(end=NOON + timedelta(hours=2)), [2, 1]),
        (Filter(start=NOON, end=NOON), []),
        (Filter(text="LOOKS"), [4, 3, 2, 1]),
        (Filter(text="approved"), [4, 3, 2, 1]),
        (Filter(text="_"), []),
        (Filter(actor=ADMIN.id, start=NOON + timedelta(hours=2)), [4]),
    ],
)
def test_filters_narrow(context: Context, audit: AuditService, wanted: Filter, numbers: list[int]) -> None:
    write(context, 4)
    found = audit.entries(VIEWER, wanted)
    assert [entry.number for entry in found.entries] == numbers
    assert found.total == len(numbers)


def test_choices_are_the_values_that_occur(context: Context, audit: AuditService) -> None:
    write(context, 2)
    known = audit.choices(VIEWER)
    assert known.actors == (ADMIN.id, LEAD.id)
    assert known.actions == ("proposal.approved",)
    assert known.models == ("flight-delay",)


def test_an_entry_that_does_not_exist_is_said(audit: AuditService) -> None:
    with pytest.raises(NotFound, match="no entry 12"):
        audit.entry(VIEWER, 12)


def test_anonymous_people_read_no_ledger(audit: AuditService) -> None:
    for call in (audit.entries, audit.verify, audit.choices, audit.head):
        with pytest.raises(NotAuthenticated):
            call(NOBODY)


TAMPERED = {
    "actor": "UPDATE ledger SET actor = 'user:mallory' WHERE number = 3",
    "action": "UPDATE ledger SET action = 'proposal.rejected' WHERE number = 3",
    "unknown action": "UPDATE ledger SET action = 'no.such' WHERE number = 3",
    "object": "UPDATE ledger SET object = 'flight-delay v9' WHERE number = 3",
    "model": "UPDATE ledger SET model = '' WHERE number = 3",
    "before": "UPDATE ledger SET before = '{}' WHERE number = 3",
    "after": """UPDATE ledger SET after = '{"state":"open"}' WHERE number = 3""",
    "broken JSON": "UPDATE ledger SET after = '{' WHERE number = 3",
    "reason": "UPDATE ledger SET reason = '' WHERE number = 3",
    "evidence": "UPDATE ledger SET evidence_ids = '[]' WHERE number = 3",
    "time": "UPDATE ledger SET at = '2013-06-03 16:00:00.000001' WHERE number = 3",
    "wall time": "UPDATE ledger SET recorded_at_wall = '2020-06-03 16:00:00.000000' WHERE number = 3",
    "seal": "UPDATE ledger SET mac = previous WHERE number = 3",
    "chain": "UPDATE ledger SET previous = mac WHERE number = 3",
    "removed": "DELETE FROM ledger WHERE number = 3",
}


@pytest.mark.parametrize("statement", TAMPERED.values(), ids=TAMPERED.keys())
def test_any_change_of_an_entry_is_found_and_named(context: Context, audit: AuditService, statement: str) -> None:
    write(context, 5)
    sql(context, statement)
    verdict = audit.verify(VIEWER)
    assert not verdict.ok
    assert verdict.bad_number == 3
    assert verdict.sentence().startswith("entry 3 is bad: ")
    assert verdict.n_entries == 2


def test_removal_of_the_last_entries_is_found_by_the_anchor(context: Context, audit: AuditService) -> None:
    write(context, 5)
    sql(context, "DELETE FROM ledger WHERE number > 3")
    verdict = audit.verify(VIEWER)
    assert (verdict.ok, verdict.bad_number) == (False, 5)
    assert "5 were anchored" in verdict.sentence()


def test_a_full_rewrite_with_the_right_key_is_found_by_the_anchor(context: Context, audit: AuditService) -> None:
    write(context, 3)
    sql(context, "DELETE FROM ledger")
    anchored = context.anchor_path.read_text()
    write(context, 3, reason="another story")
    context.anchor_path.write_text(anchored)
    verdict = audit.verify(VIEWER)
    assert (verdict.ok, verdict.bad_number) == (False, 3)
    assert "not the entry that was anchored" in verdict.sentence()


@pytest.fixture
def anchored(context: Context, mlflow_uri: str) -> Context:
    """A real MLflow with the models of a house: one that is ours, one that we know and MLflow does not."""
    registry = MlflowRegistry(mlflow_uri)
    for name in ("another-teams", "flight-delay"):
        registry.create_model(name)
    with transaction(context.databases.app) as session:
        for name in ("a-pushed-model", "flight-delay"):
            session.add(factories.model_row(name))
    return replace(context, registry=registry)


def test_the_head_is_kept_in_mlflow_once_for_each_new_entry(anchored: Context) -> None:
    audit = AuditService(anchored)
    assert not audit.anchor(WORKER)
    write(anchored, 3)
    assert [audit.anchor(WORKER), audit.anchor(WORKER)] == [True, False]

    (name, text_kept) = next(iter(anchored.registry.model_tags(anchor_tag(anchored.settings.ledger_key)).items()))
    head = audit.head(ADMIN)
    assert head is not None
    assert (name, text_kept) == ("flight-delay", anchor_text(anchored.settings.ledger_key, head))
    assert audit.verify(VIEWER) == Verdict(True, 3)

    write(anchored, 1)
    assert audit.verify(VIEWER) == Verdict(True, 4)
    assert audit.anchor(WORKER)


def test_a_server_of_others_gets_no_tag_until_the_settings_say_so(anchored: Context) -> None:
    theirs = replace(anchored, settings=replace(anchored.settings, mlflow_is_ours=False))
    write(theirs, 2)
    audit = AuditService(theirs)
    assert not audit.anchor(WORKER)
    assert theirs.registry.model_tags(anchor_tag(theirs.settings.ledger_key)) == {}
    assert audit.verify(VIEWER) == Verdict(True, 2)  # the file vouches, and a server that is not asked is no doubt
    asked = replace(theirs, settings=replace(theirs.settings, ledger_in_mlflow=True))
    assert AuditService(asked).anchor(WORKER)


def test_removed_entries_are_found_though_the_file_was_adapted(anchored: Context) -> None:
    audit = AuditService(anchored)
    made = write(anchored, 5)
    audit.anchor(WORKER)
    sql(anchored, "DELETE FROM ledger WHERE number > 3")
    anchored.anchor_path.unlink()
    store.write_anchor(anchored.anchor_path, Anchor(3, made[2].mac), key=anchored.settings.ledger_key)

    verdict = audit.verify(VIEWER)

    assert (verdict.ok, verdict.bad_number) == (False, 5)
    assert not audit.anchor(WORKER)  # an older head never replaces a newer one
    assert not audit.verify(VIEWER).ok


def test_removed_entries_are_found_though_file_and_tag_were_rewritten_without_the_key(anchored: Context) -> None:
    audit = AuditService(anchored)
    made = write(anchored, 5)
    audit.anchor(WORKER)
    sql(anchored, "DELETE FROM ledger WHERE number > 3")
    forged = f"3:{made[2].mac}:{made[2].mac}"
    anchored.registry.set_model_tag("flight-delay", anchor_tag(anchored.settings.ledger_key), forged)
    assert audit.verify(VIEWER).bad_number == 5  # the file is where users of MLflow cannot write

    anchored.anchor_path.write_text(forged)

    verdict = audit.verify(VIEWER)
    assert "nothing outside the database vouches for the last entries" in verdict.reason
    assert "does not carry our seal" in verdict.reason


@pytest.mark.parametrize(
    "forged", ["9999:ff", "\u00b2:x", f"{'9' * 5_000}:ff", ":", "1:" + "a" * 64, "\u0663:" + "a" * 64, "-1:ff"]
)
def test_a_tag_that_anybody_wrote_is_a_doubt_until_the_next_head_is_written_over_it(
    anchored: Context, forged: str
) -> None:
    audit = AuditService(anchored)
    write(anchored, 3)
    anchored.registry.set_model_tag("flight-delay", anchor_tag(anchored.settings.ledger_key), forged)
    verdict = audit.verify(VIEWER)
    assert (verdict.ok, verdict.n_entries) == (True, 3)
    assert "does not carry our seal" in verdict.reason
    assert audit.anchor(WORKER)
    assert audit.verify(VIEWER) == Verdict(True, 3)


@pytest.mark.parametrize("forged", [b"9999:ff", "\u00b2:x".encode(), b"9" * 5_000, b"", b"\xff\xfe", b'{"number": 3}'])
def test_a_file_that_anybody_wrote_is_a_doubt_until_the_next_decision(anchored: Context, forged: bytes) -> None:
    audit = AuditService(anchored)
    write(anchored, 3)
    anchored.anchor_path.write_bytes(forged)
    verdict = audit.verify(VIEWER)
    assert verdict.ok
    assert "no head with our seal is in ledger.anchor" in verdict.reason
    assert "nothing outside the database vouches" in verdict.reason
    write(anchored, 1)
    assert audit.verify(VIEWER) == Verdict(True, 4)


def test_no_anchor_where_entries_exist_is_a_warning(anchored: Context) -> None:
    audit = AuditService(anchored)
    assert audit.verify(VIEWER) == Verdict(True, 0)
    write(anchored, 2)
    anchored.anchor_path.unlink()
    verdict = audit.verify(VIEWER)
    assert verdict.ok
    assert "nothing outside the database vouches for the last entries" in verdict.reason


def test_a_file_that_was_rewritten_disagrees_with_mlflow(anchored: Context) -> None:
    audit = AuditService(anchored)
    write(anchored, 3)
    audit.anchor(WORKER)
    sql(anchored, "DELETE FROM ledger")
    anchored.anchor_path.unlink()
    write(anchored, 3, reason="another story")

    verdict = audit.verify(VIEWER)

    assert not verdict.ok
    assert "disagree" in verdict.sentence()


def test_without_mlflow_the_file_alone_is_compared_and_that_is_said(context: Context, audit: AuditService) -> None:
    write(context, 2)
    verdict = audit.verify(VIEWER)
    assert verdict.sentence() == "ok 2 entries"
    assert "MLflow" in verdict.reason


def test_another_key_verifies_nothing(context: Context) -> None:
    write(context, 2)
    other = AuditService(replace(context, settings=replace(context.settings, ledger_key=b"other")))
    assert other.verify(VIEWER).bad_number == 1


def test_entries_newer_than_the_anchor_are_fine(context: Context, audit: AuditService) -> None:
    write(context, 2)
    anchored = context.anchor_path.read_text()
    write(context, 2)
    context.anchor_path.write_text(anchored)
    assert audit.verify(VIEWER).sentence() == "ok 4 entries"


def test_a_long_ledger_is_walked_in_chunks(context: Context, audit: AuditService) -> None:
    write(context, 1_203)
    assert audit.verify(VIEWER).n_entries == 1_203


def race(context: Context, writers: int, each: int) -> None:
    access = AccessService(context)

    def create(writer: int) -> None:
        for number in range(each):
            access.create_user(ADMIN, f"w{writer}-{number}", Role.VIEWER, password=None, reason="race")

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(create, range(writers)))


def assert_one_chain(context: Context, count: int) -> None:
    with reading(context.databases.app) as session:
        numbers = [entry.number for entry in store.entries(session)]
    assert numbers == list(range(1, count + 1))
    assert AuditService(context).verify(VIEWER).sentence() == f"ok {count} entries"
    anchor = store.read_anchor(context.anchor_path, key=context.settings.ledger_key)
    assert anchor is not None
    assert anchor.number == count


def test_writers_at_the_same_time_make_one_chain_without_gaps(tmp_path: Path, database_url: str) -> None:
    context = factories.context(tmp_path, database_url=database_url)
    race(context, writers=4, each=10)
    assert_one_chain(context, 40)
    context.databases.dispose()
