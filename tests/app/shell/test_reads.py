"""Kept reads: made once, made anew when their mark or their age says so, and shown on when a refresh fails."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from app.shell.reads import MOST, SECONDS, Reads
from mlops_dash.bootstrap import Services
from mlops_dash.domain.access import Role
from mlops_dash.errors import NotFound, StoreUnavailable
from mlops_dash.store.db import transaction
from mlops_dash.store.tables.monitoring import AlertRow
from tests.app.conftest import OpenPage, words
from tests.factories import ADMIN, NOON, VIEWER, model_row


@dataclass
class Hands:
    at: float = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def reads(hands: Hands) -> Reads:
    return Reads(clock=hands)


class Made:
    """Counts how often something was read; it can be told to fail."""

    def __init__(self) -> None:
        self.times = 0
        self.error: Exception | None = None

    def __call__(self) -> int:
        if self.error is not None:
            raise self.error
        self.times += 1
        return self.times


def test_a_read_is_made_once_while_its_mark_stays(reads: Reads, hands: Hands) -> None:
    made = Made()
    assert [reads.get("room", 1, made).value for _ in range(3)] == [1, 1, 1]
    hands.at = SECONDS - 0.1
    assert reads.get("room", 1, made).age == pytest.approx(SECONDS - 0.1)
    assert reads.get("room", 2, made).value == 2
    hands.at += SECONDS
    assert reads.get("room", 2, made).value == 3


def test_keys_do_not_mix(reads: Reads) -> None:
    made = Made()
    assert [reads.get(("room", who), 1, made).value for who in ("viewer", "lead", "viewer")] == [1, 2, 1]


def test_old_facts_stay_with_the_reason_when_a_refresh_fails(reads: Reads, hands: Hands) -> None:
    made = Made()
    reads.get("room", 1, made)
    hands.at, made.error = 540.0, StoreUnavailable("The log database is away.")
    kept = reads.get("room", 2, made)
    assert (kept.value, kept.age, kept.failed) == (1, 540.0, "The log database is away.")
    made.error = None
    assert reads.get("room", 2, made).failed == ""


def test_without_old_facts_and_for_other_errors_the_error_is_the_answer(reads: Reads) -> None:
    made = Made()
    made.error = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable):
        reads.get("room", 1, made)
    made.error = None
    reads.get("room", 1, made)
    made.error = NotFound("No such version.")
    with pytest.raises(NotFound):
        reads.get("room", 2, made)


def test_try_again_reads_anew(reads: Reads) -> None:
    made = Made()
    reads.get("room", 1, made)
    reads.clear()
    assert reads.get("room", 1, made).value == 2


def test_only_so_many_reads_are_kept(reads: Reads) -> None:
    made = Made()
    for key in range(MOST + 1):
        reads.get(key, 1, made)
    assert reads.get(MOST, 1, made).value == MOST + 1
    assert reads.get(0, 1, made).value == MOST + 2


def test_twenty_who_ask_at_once_wait_for_one_read() -> None:
    reads, made, gate = Reads(), Made(), threading.Event()

    def slow() -> int:
        gate.wait(5)
        return made()

    found: list[int] = []
    people = [threading.Thread(target=lambda: found.append(reads.get("room", 1, slow).value)) for _ in range(20)]
    for one in people:
        one.start()
    gate.set()
    for one in people:
        one.join()
    assert found == [1] * 20


def test_the_mark_moves_with_decisions_and_with_machine_facts(house: Services) -> None:
    seen = [house.freshness.mark(VIEWER)]
    assert house.freshness.mark(VIEWER) == seen[0]
    house.access.create_user(ADMIN, "ada", Role.LEAD, reason="joins")
    seen.append(house.freshness.mark(VIEWER))
    with transaction(house.context.databases.app) as opened:
        opened.add(alert := AlertRow(id="a", model="m", kind="harm", state="open", title="t", cause="c", opened_at=NOON,
                                     last_seen_at=NOON, evidence_ids=[], body={}))  # fmt: skip
    seen.append(house.freshness.mark(VIEWER))
    with transaction(house.context.databases.app) as opened:
        opened.get_one(AlertRow, alert.id).last_seen_at = NOON + timedelta(hours=1)
    seen.append(house.freshness.mark(VIEWER))
    assert len(set(seen)) == 4


def test_a_page_whose_refresh_fails_shows_its_last_facts_and_says_so(
    house: Services, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with transaction(house.context.databases.app) as opened:
        opened.add(model_row())
    assert "flight-delay" in words(open_page("registry", "viewer"))

    def away(*_: Any) -> Any:
        raise StoreUnavailable("The log database is away.", hint="Start it.")

    monkeypatch.setattr(house.registry, "room", away, raising=False)
    house.access.create_user(ADMIN, "ada", Role.LEAD, reason="joins")  # the mark moves, so the page must read anew
    page = open_page("registry", "viewer")
    assert "flight-delay" in words(page)
    assert "refresh failed: The log database is away." in words(page)
    assert "Updated under 1 s ago" in words(page) or " s ago, refresh failed" in words(page)
    assert page.button(key="retry-read-registry")
    assert not page.error
