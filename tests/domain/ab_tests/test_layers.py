"""Parts of a layer: who is in which, that no two meet, and what cannot be had."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from mlops_dash.domain.ab_tests.assigning import draw
from mlops_dash.domain.ab_tests.layers import Layer, part_of
from mlops_dash.errors import Conflict, InvalidInput


def test_parts_are_disjoint_as_wide_as_asked_and_the_hold_out_is_in_none() -> None:
    users = [f"it's {n}" for n in range(20_000)]
    parts: list[tuple[str, Layer]] = []
    for share in (0.3, 0.25, 0.4):
        parts.append((f"t{share}", part_of("shop", share, 0.05, parts)))
    drawn = np.array([[part.draws(one) for one in users] for _, part in parts])
    assert drawn.sum(axis=0).max() == 1
    assert drawn.mean(axis=1) == pytest.approx([0.3, 0.25, 0.4], abs=0.015)
    assert 1 - drawn.any(axis=0).mean() == pytest.approx(0.05, abs=0.006)


def test_the_arm_of_a_user_does_not_follow_from_their_place_in_the_layer() -> None:
    users = [f"u{n}" for n in range(20_000)]
    half = Layer("shop", 0.0, 0.5)
    inside = [one for one in users if half.draws(one)]
    assert np.mean([draw("a test's key", one) < 0.5 for one in inside]) == pytest.approx(0.5, abs=0.02)
    other = Layer("checkout", 0.0, 0.5)
    assert np.mean([other.draws(one) for one in inside]) == pytest.approx(0.5, abs=0.02)


def test_a_gap_is_used_again_and_thirds_add_up() -> None:
    left = [("a", Layer("shop", 0.0, 0.25)), ("c", Layer("shop", 0.5, 1.0))]
    found = part_of("shop", 0.25, 0.0, left)
    assert (found.low, found.high) == (0.25, 0.5)
    parts: list[tuple[str, Layer]] = []
    for n in range(10):
        parts.append((str(n), part_of("shop", 0.1, 0.0, parts)))
    assert all(a.high == b.low for (_, a), (_, b) in pairwise(parts))


@pytest.mark.parametrize(
    ("share", "hold_out", "error", "said"),
    [
        (0.6, 0.0, Conflict, "no free part of 60 %: a: 0 to 50 %; 0 % are held out"),
        (0.5, 0.1, Conflict, "no free part of 50 %"),
        (0.1, 0.6, Conflict, "units that would be held out"),
        (0.0, 0.0, InvalidInput, "share of 0"),
        (1.5, 0.0, InvalidInput, "share of 1.5"),
        (float("nan"), 0.0, InvalidInput, "share of nan"),
        (0.1, 1.0, InvalidInput, "hold-out of 1 "),
        (0.1, -0.1, InvalidInput, "hold-out of -0.1"),
    ],
)
def test_what_cannot_be_had_is_refused(share: float, hold_out: float, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        part_of("shop", share, hold_out, [("a", Layer("shop", 0.0, 0.5))])
