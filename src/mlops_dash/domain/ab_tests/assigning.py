"""Who answers which row of a test: a unit's own number, drawn by a key of the test, decides its arm for ever.

A unit is a row, a day, or whatever a column of the rows names: a user, an account, a session. The number is a keyed
hash, so the same unit gets the same arm in every process, after every restart, and another one in another test.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

ROW, DAY, ENTITY = "row", "day", "entity"
UNITS: Final = {ROW: "each row", DAY: "each day", ENTITY: "each value of a column"}
_SPACE: Final = 2.0**64


def draw(key: str, unit: str) -> float:
    """A number in [0, 1) that only key and unit decide.

    >>> draw("k", "UA1-EWR-20130510") == draw("k", "UA1-EWR-20130510") != draw("other", "UA1-EWR-20130510")
    True
    """
    return int.from_bytes(_mac(key, unit)[:8], "big") / _SPACE


def unit_key(key: str, unit: str) -> str:
    """What the log keeps of a unit instead of its name, 32 hexadecimal digits; "" of none.

    >>> len(unit_key("k", "it's Ana")), unit_key("k", "") == "", unit_key("k", "bo") != unit_key("other", "bo")
    (32, True, True)
    """
    return _mac(key, unit)[:16].hex() if unit else ""


def draw_of(kept: str) -> float:
    """The number of a unit, from what the log keeps of it.

    >>> draw_of(unit_key("k", "it's Ana")) == draw("k", "it's Ana")
    True
    """
    return int(kept[:16], 16) / _SPACE


def to_challenger(
    ids: Sequence[str],
    at: Sequence[datetime],
    *,
    key: str,
    share: float,
    unit: str,
    zone: str,
    units: Sequence[str] = (),
) -> list[bool]:
    """For each row whether the challenger answers it: its unit's number lies below the share.

    Args:
        ids: The rows' ids.
        at: When each was asked.
        key: Of the test.
        share: Of the units, answered by the challenger.
        unit: ROW, DAY or ENTITY.
        zone: Of the days.
        units: With ENTITY the unit of each row; the champion answers a row without one.

    >>> at = [datetime(2013, 5, 10, 16, tzinfo=ZoneInfo("UTC"))] * 4
    >>> to_challenger(["a", "b", "c", "d"], at, key="k", share=.5, unit=DAY, zone="UTC") in ([True] * 4, [False] * 4)
    True
    >>> to_challenger(["a", "b"], at[:2], key="k", share=1.0, unit=ENTITY, zone="UTC", units=["ana", ""])
    [True, False]
    """
    if unit == ROW:
        return [draw(key, one) < share for one in ids]
    if unit == ENTITY:
        drawn = {one: bool(one) and draw(key, one) < share for one in set(units)}
        return [drawn[one] for one in units]
    local = ZoneInfo(zone)
    days = [f"{moment.astimezone(local):%Y-%m-%d}" for moment in at]
    drawn = {day: draw(key, day) < share for day in set(days)}
    return [drawn[day] for day in days]


def _mac(key: str, unit: str) -> bytes:
    return hmac.digest(key.encode(), unit.encode(), "sha256")
