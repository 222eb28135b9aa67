"""A table of units that somebody brings, summed up by DuckDB: `source` opens it, `sums` asks it."""
