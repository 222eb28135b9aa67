"""The chain of the ledger: what verifies, what does not, and how entries read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_dash.domain.audit import (
    GENESIS,
    Action,
    Anchor,
    Entry,
    Page,
    Verdict,
    body,
    changes,
    sign,
    title,
    verify,
    who,
)
from tests.factories import NOON

KEY = b"a key outside the database"


def chain(count: int, key: bytes = KEY) -> list[Entry]:
    made: list[Entry] = []
    for number in range(1, count + 1):
        unsigned = entry(number=number, previous=made[-1].mac if made else GENESIS)
        made.append(replace(unsigned, mac=sign(key, unsigned)))
    return made


def entry(**changed: object) -> Entry:
    values: dict[str, object] = {
        "number": 1,
        "at": NOON,
        "recorded_at_wall": NOON + timedelta(days=4_000),
        "actor": "user:lead",
        "action": Action.PROPOSAL_APPROVED,
        "object": "flight-delay v3",
        "model": "flight-delay",
        "before": {"state": "open"},
        "after": {"state": "approved"},
        "reason": "looks right",
        "evidence_ids": ("e1",),
        "previous": GENESIS,
        "mac": "",
    }
    return Entry(**{**values, **changed})  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_a_whole_chain_verifies(count: int) -> None:
    entries = chain(count)
    anchor = Anchor(count, entries[-1].mac) if entries else None
    assert verify(KEY, entries, [anchor] if anchor else []) == Verdict(True, count)
    assert verify(KEY, entries, []) == Verdict(True, count)


@given(st.integers(1, 6), st.integers(1, 6), st.data())
def test_any_prefix_gap_or_swap_is_found(count: int, at: int, data: st.DataObject) -> None:
    entries = chain(count)
    anchor = Anchor(count, entries[-1].mac)
    broken = entries[:]
    at = min(at, count) - 1
    change = data.draw(st.sampled_from(["drop", "repeat", "edit", "reseal"]))
    if change == "drop":
        del broken[at]
    elif change == "repeat":
        broken.insert(at, broken[at])
    elif change == "edit":
        broken[at] = replace(broken[at], reason="another story")
    else:
        edited = replace(broken[at], reason="another story")
        broken[at] = replace(edited, mac=sign(b"another key", edited))
    verdict = verify(KEY, broken, [anchor] if anchor else [])
    assert not verdict.ok
    assert "bad" in verdict.sentence()


def test_every_field_is_under_the_seal() -> None:
    (whole,) = chain(1)
    other: dict[str, object] = {
        "number": 2,
        "at": NOON + timedelta(seconds=1),
        "recorded_at_wall": NOON,
        "actor": "user:mallory",
        "action": Action.PROPOSAL_REJECTED,
        "object": "flight-delay v4",
        "model": "",
        "before": {},
        "after": {},
        "reason": "",
        "evidence_ids": (),
        "previous": "f" * 64,
    }
    assert set(other) == set(vars(whole)) - {"mac"}
    for name, value in other.items():
        assert sign(KEY, replace(whole, **{name: value})) != whole.mac  # type: ignore[arg-type]


def test_the_seal_does_not_depend_on_the_order_of_keys() -> None:
    assert body(entry(after={"a": 1, "b": 2})) == body(entry(after={"b": 2, "a": 1}))


def test_a_head_older_than_the_anchor_is_bad_and_a_newer_one_is_fine() -> None:
    entries = chain(5)
    assert verify(KEY, entries[:3], [Anchor(5, entries[4].mac)]).bad_number == 5
    assert verify(KEY, entries, [Anchor(3, entries[2].mac)]).ok


def test_another_entry_where_the_anchor_stands_is_named() -> None:
    verdict = verify(KEY, chain(5), [Anchor(3, "f" * 64)])
    assert verdict.sentence() == "entry 3 is bad: it is not the entry that was anchored outside the database"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {}, ()),
        ({"role": "lead"}, {"role": "viewer"}, (("role", "lead", "viewer"),)),
        ({"role": "lead", "same": 1}, {"role": "lead", "same": 1}, ()),
        ({}, {"user_name": "ada"}, (("user name", "", "ada"),)),
        ({"champion": "v2"}, {}, (("champion", "v2", ""),)),
        ({"on": False}, {"on": True}, (("on", "no", "yes"),)),
        ({"limit": None}, {"limit": 0.5}, (("limit", "none", "0.5"),)),
        ({}, {"list": [1, 2]}, (("list", "", "1, 2"),)),
        ({}, {"ids": []}, (("ids", "", "none"),)),
        ({}, {"gates": {"input_example": "passed", "n": 3}}, (("gates", "", "input example passed, n 3"),)),
    ],
)
def test_changes_read_as_fact_before_after(
    before: Mapping[str, object], after: Mapping[str, object], expected: tuple[tuple[str, str, str], ...]
) -> None:
    assert changes(entry(before=before, after=after)) == expected


def test_every_action_reads_as_words() -> None:
    assert all(title(action)[0].isupper() and "_" not in title(action) for action in Action)
    assert len({title(action) for action in Action}) == len(Action)


def test_people_are_named_and_machines_keep_their_prefix() -> None:
    assert (who("user:ada"), who("system:worker")) == ("ada", "system:worker")


@pytest.mark.parametrize(("total", "pages"), [(0, 1), (1, 1), (20, 1), (21, 2), (40, 2)])
def test_pages_cover_all_entries(total: int, pages: int) -> None:
    assert Page((), total, 1, 20).pages == pages
