"""Marks that a live version carries: how they are written, and which version carries one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from mlops_dash.domain.registry.live import NONE, LiveMark, live_mark
from mlops_dash.errors import InvalidInput


@dataclass(frozen=True)
class Seen:
    version: str
    aliases: tuple[str, ...] = ()
    stage: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


SEEN = [
    Seen("10", stage="Production", tags={"live": "yes"}), Seen("9", ("prod",), "Production", {"live": "no"}),
    Seen("2", tags={"live": "yes"}), Seen("1", ("champion",)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("alias:prod", "9"),
        ("alias:champion", "1"),
        ("alias:nobody", None),
        ("stage:production", "10"),
        ("stage:Staging", None),
        ("tag:live=yes", "10"),
        ("tag:live=", None),
        ("none", None),
    ],
)
def test_the_newest_version_that_carries_the_mark_is_live(text: str, version: str | None) -> None:
    mark = live_mark(text)
    assert mark.points_at(SEEN) == version
    assert live_mark(str(mark)) == mark


def test_a_tag_may_hold_any_text() -> None:
    mark = live_mark('tag:who=it\'s the "fast" one=v2')
    assert (mark.name, mark.value) == ("who", 'it\'s the "fast" one=v2')
    assert mark.phrase == 'tag who=it\'s the "fast" one=v2'
    assert live_mark(NONE) == LiveMark(NONE)


@pytest.mark.parametrize(
    "text",
    ["", "champion", "alias:", "alias:v3", "alias:latest", "alias:it's", "stage:Shelf", "stage:None", "tag:live",
     "tag:=x",
     "alias:a=b", "none:x", "tag:a=\nb", "alias:" + "a" * 300],
)  # fmt: skip
def test_what_is_no_mark_is_refused_with_what_is_one(text: str) -> None:
    with pytest.raises(InvalidInput, match="is no mark") as refused:
        live_mark(text)
    assert "stage:Production" in refused.value.hint
