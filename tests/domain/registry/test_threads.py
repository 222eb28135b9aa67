"""Whom a comment names, what may be attached, and who still has to answer."""

from __future__ import annotations

import hashlib

import pytest

from mlops_dash.domain.registry.threads import (
    Comment,
    Mention,
    check_files,
    comment_text,
    mention_waits,
    mentioned,
    waits_for,
)
from mlops_dash.errors import InvalidInput
from tests.factories import LEAD, NOON, SCIENTIST

PEOPLE = {"lead": LEAD.id, "j.smith": "user:j.smith"}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("@lead please", (LEAD.id,)), ("please, @LEAD.", (LEAD.id,)), ("(@j.smith)", ("user:j.smith",)),
        ("@j.smith.", ("user:j.smith",)), ("lead@house.example", ()), ("@@lead", ()), ("@nobody", ()), ("@", ()),
        ("@lead @lead @j.smith", (LEAD.id, "user:j.smith")), ("at @10:30", ()), ("<b>@lead</b>", (LEAD.id,)),
    ],
)  # fmt: skip
def test_people_are_named_by_their_login(text: str, named: tuple[str, ...]) -> None:
    assert mentioned(text, PEOPLE) == named


def test_files_are_hashed_named_without_folders_and_held_to_their_size() -> None:
    [(name, content, sha256)] = check_files([('C:\\plots\\it\'s "late".png', b"x")], already=0)
    assert (name, content, sha256) == ('it\'s "late".png', b"x", hashlib.sha256(b"x").hexdigest())
    assert check_files([("../../etc/passwd", b"x")], already=0)[0][0] == "passwd"
    assert check_files([("a\x00b\n.txt", b"x")], already=0)[0][0] == "a_b_.txt"
    for bad in (("..", b"x"), ("", b"x"), ("x" * 121, b"x"), ("empty", b""), ("large", b"x" * 1_048_577)):
        with pytest.raises(InvalidInput):
            check_files([bad], already=0)
    assert check_files([("just", b"x" * 1_048_576)], already=9)
    with pytest.raises(InvalidInput, match="it has 9"):
        check_files([("a", b"x"), ("b", b"x")], already=9)


def test_an_empty_or_endless_comment_is_refused() -> None:
    assert comment_text("  so  ", []) == "so"
    for bad in (" \n", "x" * 2_001):
        with pytest.raises(InvalidInput):
            comment_text(bad, [])


def test_a_mention_stands_until_the_person_says_something() -> None:
    first = Comment("1", "p", SCIENTIST.id, NOON, "@lead?", (LEAD.id,))
    other = Comment("2", "p", SCIENTIST.id, NOON, "and more")
    answer = Comment("3", "p", LEAD.id, NOON, "yes")
    assert waits_for(LEAD, [first, other]) == first
    assert waits_for(LEAD, [first, other, answer]) is None
    assert waits_for(LEAD, [answer, first]) == first
    assert waits_for(SCIENTIST, [first]) is None
    waiting = mention_waits(Mention("m", "2", "p", SCIENTIST.id, "@lead?", NOON))
    assert (waiting.title, waiting.why) == ("You are named: m v2", "scientist: @lead?")
