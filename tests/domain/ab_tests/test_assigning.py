"""Arms by user, account, session: uniform, the same in every process, another in every test."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import numpy as np

from mlops_dash.domain.ab_tests.assigning import ENTITY, draw, draw_of, to_challenger, unit_key

NAMES = [f"user '{n}' \"北\"" for n in range(20_000)]
AT = datetime(2026, 3, 1, tzinfo=UTC)


def arms(key: str, share: float, names: list[str]) -> list[bool]:
    ids = [str(n) for n in range(len(names))]
    return to_challenger(ids, [AT] * len(ids), key=key, share=share, unit=ENTITY, zone="UTC", units=names)


def test_units_are_drawn_uniformly_and_apart_from_another_test() -> None:
    drawn = np.array([draw("salt", one) for one in NAMES])
    counts = np.histogram(drawn, bins=20, range=(0, 1))[0]
    assert ((counts - 1_000) ** 2 / 1_000).sum() < 43.8  # chi-square of 19 degrees, .999
    other = np.array([draw("pepper", one) for one in NAMES])
    assert abs(np.corrcoef(drawn, other)[0, 1]) < 0.03
    for share in (0.01, 0.25, 0.5, 0.9):
        got = np.mean(arms("salt", share, NAMES))
        assert abs(got - share) < 4 * (share * (1 - share) / len(NAMES)) ** 0.5


def test_all_rows_of_a_unit_go_to_one_arm_and_a_larger_share_keeps_who_was_in() -> None:
    names = ["ana", "bo", "ana", "", "bo"]
    found = arms("k", 0.5, names)
    assert (found[0], found[1], found[3]) == (found[2], found[4], False)
    small, large = arms("k", 0.05, NAMES), arms("k", 0.25, NAMES)
    assert all(b for a, b in zip(small, large, strict=True) if a)


def test_another_process_draws_the_same() -> None:
    code = (
        "from mlops_dash.domain.ab_tests.assigning import draw, unit_key\n"
        "print(repr(draw('k', \"it's\")), unit_key('k', \"it's\"))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert said == [repr(draw("k", "it's")), unit_key("k", "it's")]
    assert draw_of(said[1]) == draw("k", "it's")
    assert "it's" not in said[1]
