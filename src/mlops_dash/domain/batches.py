"""Which batch is a row of? The names in the column that names it, the same for rows of a file, a request or the log."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mlops_dash.domain.written import name_of

LONGEST = 200  # characters of a name
MOST = 100_000  # batches of one reference


def batch_names(column: pd.Series[Any]) -> pd.Series[Any]:
    """Names as text, None where there is none, or one that is too long; a whole number has no point.

    >>> batch_names(pd.Series([20260105.0, " w 2 ", None, ""])).tolist()
    ['20260105', 'w 2', None, None]
    """
    empty = column.isna().to_numpy()
    texts = ["" if gone else name_of(value).strip() for value, gone in zip(column, empty, strict=True)]
    return pd.Series([text if 0 < len(text) <= LONGEST else None for text in texts], index=column.index, dtype=object)
