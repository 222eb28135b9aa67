"""Where a thing that was found is shown."""

from __future__ import annotations

from mlops_dash.domain.search import Kind, link


def test_a_person_who_decided_leads_to_the_entries_by_the_name_that_the_ledger_writes() -> None:
    assert link(Kind.PERSON, "ada", "1") == ("audit", (("actor", "user:ada"),))
    assert link(Kind.PERSON, "ada", "0") == ("audit", (("object", "ada"),))
