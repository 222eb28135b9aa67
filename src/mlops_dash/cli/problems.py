"""Rows of a file that cannot be taken, as people read them: place in the file, column, value, reason."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from mlops_dash.domain.sifting import Unfit
from mlops_dash.services.tables import places_in_file

SHOWN = 10  # --json lists them all


def tell_problems(path: Path, unfit: Sequence[Unfit], *, all_known: bool) -> list[dict[str, str]]:
    """Print the first ten on standard error; gives them all as JSON. `all_known`: whether more of the file was read."""
    places = places_in_file(path, [one.row for one in unfit])
    for place, one in zip(places[:SHOWN], unfit, strict=False):
        value = f" {one.sample}" if one.sample else ""
        print(f"  {place}, column {one.column!r}{value}: {one.reason}", file=sys.stderr)
    if len(unfit) > SHOWN and all_known:
        print(f"  and {len(unfit) - SHOWN:,} more; --json lists them", file=sys.stderr)
    return [
        {"place": place, "column": one.column, "value": one.sample, "reason": one.reason}
        for place, one in zip(places, unfit, strict=True)
    ]
