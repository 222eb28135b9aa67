"""Make ``black_politicians.parquet`` from the public package ``causaldata``.

Answers one question: which rows and columns does the committed file of the field experiment hold. Every row of the
package is one row of the file, in its order.

    pip download causaldata==0.1.5 --no-deps --no-binary :all:     (and unpack it)
    python data/make_black_politicians.py PATH/TO/black_politicians.csv data/black_politicians.parquet

The same input gives the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

FLAGS = ("leg_black", "treat_out", "responded", "nonblacknonwhite", "leg_senator", "leg_democrat", "south")
SHARES = ("blackpercent", "urbanpercent", "statessquireindex")
OTHER = ("totalpop", "medianhhincom", "black_medianhh", "white_medianhh")


def table(rows: pd.DataFrame) -> pa.Table:
    """The columns with their types, in the package's order of rows."""
    fields = [(name, pa.int8()) for name in FLAGS] + [(name, pa.float64()) for name in (*SHARES, *OTHER)]
    return pa.Table.from_pandas(rows[[name for name, _ in fields]], schema=pa.schema(fields), preserve_index=False)


def main() -> None:
    """Read the package's CSV, write the parquet, say what it holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    made = table(pd.read_csv(given.csv))
    pq.write_table(made.replace_schema_metadata(None), given.out, compression="zstd", use_dictionary=False)
    replies = made.to_pandas().groupby("treat_out")["responded"].agg(["size", "mean"])
    print(f"{made.num_rows:,} rows, {given.out.stat().st_size:,} bytes")
    print(f"sha256 {hashlib.sha256(given.out.read_bytes()).hexdigest()}")
    print(replies.round(4).to_string())


if __name__ == "__main__":
    main()
