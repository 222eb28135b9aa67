"""Which rows belong together where days are few? Those with one value of a column that is named, such as a customer.

Values are gathered in a fixed number of groups by a hash of their name, so that what is kept of an hour does not grow
with the number of customers. Whole values lie in one group, so groups are as independent as the values are.
"""

from __future__ import annotations

import zlib
from typing import Any, Final

import numpy as np
import pandas as pd

from mlops_dash.domain.batches import batch_names
from mlops_dash.domain.cadence import GROUPS
from mlops_dash.stats.arrays import Ints

TOGETHER: Final = "such as a customer; intervals then go by it where the reference has fewer than 20 days"


NAMELESS: Final = GROUPS  # one more group: nobody knows which of its rows belong together, so all may


def groups_of(names: pd.Series[Any]) -> Ints:
    """The group of each row, 0..GROUPS-1: that of its name; GROUPS of a row without one.

    >>> groups_of(pd.Series(["it's Ana", 7.0, "it's Ana", None])).tolist()
    [22, 26, 22, 40]
    """
    codes, known = pd.factorize(batch_names(names))
    of_name = np.asarray([*(_group(str(name)) for name in known), NAMELESS], dtype=np.int64)
    found: Ints = of_name[codes]  # -1, of no name, is the last
    return found


def _group(name: str) -> int:
    return zlib.crc32(name.encode()) % GROUPS
