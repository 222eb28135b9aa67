"""One pass over a table of units gives, for every metric and arm, all that its effect needs.

Units in two arms are left out first; clusters come as sums a cluster. Rows are only fetched for quantiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.arrays import Floats, Ints
from mlops_dash.stats.pair_sums import PairSums
from mlops_dash.store.unit_tables.source import Source, as_text

MOST_ARMS = 20
_MOST_NAMED = 3
_FIRST_ROWS = 1_000
_ILL = 1e-6  # of the squares around the first rows' mean; what is left below that has lost six digits
_CONTAMINATED = 0.5  # share of the mixing that arms drawn within clusters would show


@dataclass(frozen=True)
class Columns:
    """One metric: its outcome (or numerator) and, of a ratio, its denominator; a covariate beside the outcome."""

    top: str
    bottom: str = ""
    covariate: str = ""

    @property
    def second(self) -> str:
        """What is summed beside the outcome."""
        return self.bottom or self.covariate


@dataclass(frozen=True)
class Clusters:
    """Sums of each cluster in each arm, in the order of the clusters' names; zeros where a cluster has no rows.

    Attributes:
        top: Outcome or numerator, float[arms, G].
        bottom: Denominator, or rows with an outcome, float[arms, G].
        second: Covariate, float[arms, G].
        pairs: Rows with outcome and covariate, float[arms, G].
    """

    top: Floats
    bottom: Floats
    second: Floats
    pairs: Floats

    @property
    def held(self) -> Any:
        """Which clusters have rows in which arm, bool[arms, G]."""
        return (self.bottom != 0) | (self.top != 0)

    def ordered(self, arms: Sequence[int]) -> Clusters:
        """The same with the arms in another order."""
        at = list(arms)
        return Clusters(self.top[at], self.bottom[at], self.second[at], self.pairs[at])


@dataclass(frozen=True)
class MetricSums:
    """One metric in all arms.

    Attributes:
        pairs: Sums of each arm.
        missing: Rows of each arm without an outcome.
        binary: Whether every outcome is 0 or 1.
        clusters: Sums a cluster, where rows of one are alike.
    """

    pairs: tuple[PairSums, ...]
    missing: tuple[int, ...]
    binary: bool
    clusters: Clusters | None = None


@dataclass
class Units:
    """Which rows are compared: those with an arm, of units and clusters that stand in one arm where drawn whole.

    Attributes:
        source: The table.
        arms: Arms in the order of their names, as text.
        raw: The same as they are stored.
        where: SQL of the rows.
        cluster: Column within which rows are alike, "" where each row stands for itself.
        drawn: Randomised units of each arm, None where no column names them.
        warnings: What was left out.
    """

    source: Source
    variant: str
    arms: tuple[str, ...] = ()
    raw: tuple[Any, ...] = ()
    where: str = ""
    cluster: str = ""
    drawn: tuple[int, ...] | None = None
    warnings: list[str] = field(default_factory=list)


def units_of(source: Source, variant: str, *, unit: str, cluster: str) -> Units:
    """Choose the rows and find the arms.

    Raises:
        InvalidInput: a row has no unit or cluster, every unit is in two arms, or there are not 2 to 20 arms.
    """
    found = Units(source, variant)
    if source.read_as:
        found.warnings.append(f"The file is read as {source.read_as}.")
    arm = source.name(variant)
    counted = dict(_counts(source, arm, "true"))
    nameless = counted.pop(None, 0)
    if nameless:
        found.warnings.append(f"{nameless:,} rows without a variant are left out.")
    conditions = [f"{arm} IS NOT NULL"] if nameless else ["true"]
    for column, what in ((unit, "unit"), (cluster, "cluster")):
        if column:
            condition = _without_mixed(source, arm, column, what, " AND ".join(conditions), found.warnings)
            conditions += [condition] if condition else []
    found.where = " AND ".join(conditions)
    raw = list(counted if len(conditions) == 1 else dict(_counts(source, arm, found.where)))
    if len(raw) > MOST_ARMS:
        n = _one(source, f"SELECT count(DISTINCT {arm}) FROM units WHERE {found.where}")
        raise InvalidInput(f"There are {n} arms; the most is {MOST_ARMS}.", hint="Check the column of --variant.")
    if len(raw) < 2:
        raise InvalidInput(f"There is {len(raw)} arm; two are needed.", hint="Check the column of --variant.")
    ordered = sorted(zip(as_text(raw), raw, strict=True), key=lambda pair: pair[0])
    found.arms, found.raw = tuple(name for name, _ in ordered), tuple(one for _, one in ordered)
    found.cluster = cluster
    if unit:
        _count_units(found, unit, cluster)
    return found


def _counts(source: Source, arm: str, where: str) -> list[tuple[Any, int]]:
    """Arms and their rows, None among them for rows without one; no more than tell that there are too many."""
    scan = f"SELECT {arm}, count(*) FROM units WHERE {where} GROUP BY 1 ORDER BY {arm} IS NOT NULL"
    return [(row[0], int(row[1])) for row in source.run.execute(f"{scan} LIMIT {MOST_ARMS + 2}").fetchall()]


def _count_units(units: Units, unit: str, cluster: str) -> None:
    source, arm = units.source, units.source.name(units.variant)
    name = source.name(unit)
    rows = source.run.execute(
        f"SELECT {arm}, count(DISTINCT {name}), count(*) FROM units WHERE {units.where} GROUP BY 1"
    ).fetchall()
    counted = {row[0]: (int(row[1]), int(row[2])) for row in rows}
    units.drawn = tuple(counted[raw][0] for raw in units.raw)
    if not cluster and any(different < rows for different, rows in counted.values()):
        units.warnings.append(f"Several rows of one {unit!r}: they count as one cluster.")
        units.cluster = unit


def _without_mixed(source: Source, arm: str, column: str, what: str, where: str, warnings: list[str]) -> str:
    """SQL that leaves out units (and clusters that were drawn whole) in two arms; "" where none is."""
    name = source.name(column)
    if _one(source, f"SELECT count(*) FROM units WHERE {where} AND {name} IS NULL"):
        raise InvalidInput(f"Some rows have no {what} in {column!r}.", hint="Fill it, or leave them out.")
    source.run.execute(
        f"CREATE TEMP TABLE mixed_{what} AS SELECT {name} AS id, count(*) AS n FROM units WHERE {where} "
        f"GROUP BY 1 HAVING min({arm}) <> max({arm})"
    )
    n, rows = source.run.execute(f"SELECT count(*), coalesce(sum(n), 0) FROM mixed_{what}").fetchall()[0]
    if not n or (what == "cluster" and not _drawn_whole(source, arm, name, where, int(n))):
        return ""
    first = source.run.execute(f"SELECT id FROM mixed_{what} ORDER BY CAST(id AS VARCHAR) LIMIT {_MOST_NAMED}")
    names = ", ".join(as_text([row[0] for row in first.fetchall()])) + (", …" if n > _MOST_NAMED else "")
    if rows == _one(source, f"SELECT count(*) FROM units WHERE {where}"):
        raise InvalidInput(f"Every {what} is in two arms.", hint="Check the columns of --variant and of the units.")
    word = f"{what} is" if n == 1 else f"{what}s are"
    warnings.append(f"{n:,} {word} in two arms ({names}): left out with all {int(rows):,} rows.")
    return f"{name} NOT IN (SELECT id FROM mixed_{what})"


def _drawn_whole(source: Source, arm: str, name: str, where: str, mixed: int) -> bool:
    """Whether clusters were drawn whole, a few of them by mistake into two arms.

    Arms drawn within clusters mix them: a cluster of m rows holds both with probability 1 - sum(share^m). Less than
    half of that mixing is no such draw.
    """
    counted = source.run.execute(f"SELECT count(*) FROM units WHERE {where} GROUP BY {arm}").fetchnumpy()
    sizes = source.run.execute(
        f"SELECT m, count(*) AS g FROM (SELECT count(*) AS m FROM units WHERE {where} GROUP BY {name}) GROUP BY m"
    ).fetchnumpy()
    n = np.asarray(next(iter(counted.values())), dtype=np.float64)
    shares = n / n.sum()
    m, groups = np.asarray(sizes["m"], dtype=np.float64), np.asarray(sizes["g"], dtype=np.float64)
    expected = float((groups * (1.0 - (shares[None, :] ** m[:, None]).sum(axis=1))).sum())
    return mixed < _CONTAMINATED * expected


# --- sums -------------------------------------------------------------------------------------------------------------


def sums_of(units: Units, metrics: Sequence[Columns]) -> list[MetricSums]:
    """All metrics of all arms, in one pass where the columns are complete and well scaled, else in a second one.

    Raises:
        InvalidInput: a column is not of numbers.
    """
    source = units.source
    columns = list(dict.fromkeys(name for one in metrics for name in (one.top, one.second) if name))
    for column in columns:
        if source.types[column] == "VARCHAR":
            source.check_numbers(column)
    found = _quick_sums(units, metrics)
    if found is None:
        for column in columns:
            source.check_numbers(column)
        found = _careful_sums(units, metrics)
    return [
        replace(sums, clusters=_cluster_sums(units, one)) if units.cluster else sums
        for sums, one in zip(found, metrics, strict=True)
    ]


def _quick_sums(units: Units, metrics: Sequence[Columns]) -> list[MetricSums] | None:
    """Sums of powers around a mean of the first rows; None where a cell is missing or the numbers are too far apart."""
    source, selected, looks = units.source, [], _look(units, metrics)
    for one, (binary, centre) in zip(metrics, looks, strict=True):
        numbers = _numbers(source, one)
        d = [f"({number} - {at!r})" for number, at in zip(numbers, centre, strict=True)]
        selected += [f"count({number})" for number in numbers] + [f"sum({one})" for one in d]
        selected += [f"sum({one} * {one})" for one in d] + ([f"sum({d[0]} * {d[1]})"] if len(d) > 1 else [])
        selected.append(f"bool_and({numbers[0]} IN (0, 1))" if binary else "false")
    arm = source.name(units.variant)
    rows = source.run.execute(
        f"SELECT {arm}, count(*), {', '.join(selected)} FROM units WHERE {units.where} GROUP BY 1"
    ).fetchall()
    by_arm = {row[0]: row[1:] for row in rows}
    found, at = [], 1
    for one, (_, centre) in zip(metrics, looks, strict=True):
        width = 8 if one.second else 4
        parts = [(int(by_arm[raw][0]), by_arm[raw][at : at + width]) for raw in units.raw]
        pairs = [_complete(n, part, centre) for n, part in parts]
        if any(pair is None for pair in pairs):
            return None
        whole = tuple(pair for pair in pairs if pair is not None)
        found.append(MetricSums(whole, (0,) * len(whole), all(part[-1] for _, part in parts)))
        at += width
    return found


def _numbers(source: Source, one: Columns) -> list[str]:
    return [source.number(name, guarded=False) for name in (one.top, one.second) if name]


def _look(units: Units, metrics: Sequence[Columns]) -> list[tuple[bool, list[float]]]:
    """Of each metric, by the first rows: whether the outcomes are all 0 or 1, and about where its columns lie."""
    numbers = [number for one in metrics for number in _numbers(units.source, one)]
    rows = units.source.run.execute(f"SELECT {', '.join(numbers)} FROM units LIMIT {_FIRST_ROWS}").fetchall()
    columns = iter(np.array(rows, dtype=np.float64).reshape(-1, len(numbers)).T)
    found = []
    for one in metrics:
        known = [column[np.isfinite(column)] for column in (next(columns) for _ in _numbers(units.source, one))]
        binary = bool(np.isin(known[0], (0.0, 1.0)).all())
        centres = [float(column.mean()) if column.size else 0.0 for column in known]
        found.append((binary, [0.0, *centres[1:]] if binary else centres))
    return found


def _complete(n: int, part: Sequence[Any], centre: Sequence[float]) -> PairSums | None:
    """The sums of one arm; None where a row lacks a number, or where rounding would be felt."""
    two = len(centre)
    counts, sums, squares = part[:two], part[two : 2 * two], part[2 * two : 3 * two]
    if any(count != n for count in counts) or not np.isfinite([*sums, *squares]).all():
        return None
    central = [square - total * total / n for total, square in zip(sums, squares, strict=True)]
    if any(square > 0 and left < _ILL * square for left, square in zip(central, squares, strict=True)):
        return None
    means = [at + total / n for at, total in zip(centre, sums, strict=True)]
    if two == 1:
        return PairSums(n, means[0], central[0])
    product = part[6] - sums[0] * sums[1] / n
    return PairSums(n, means[0], central[0], n, means[0], means[1], central[1], product)


_SELECTED = (
    "count({y})", "favg({y})", "var_pop({y})", "regr_count({y}, {z})", "favg({y_of_pairs})", "favg({z_of_pairs})",
    "regr_sxx({y}, {z})", "regr_sxy({y}, {z})", "bool_and({y} IN (0, 1))",
)  # fmt: skip
_ALONE = (
    "count({y})", "favg({y})", "var_pop({y})", "0", "NULL", "NULL", "NULL", "NULL", "bool_and({y} IN (0, 1))",
)  # fmt: skip


def _careful_sums(units: Units, metrics: Sequence[Columns]) -> list[MetricSums]:
    """Welford's way, and each number on its own: rows may lack one."""
    source, selected = units.source, []
    for one in metrics:
        y, z = _expressions(source, one)
        parts = {
            "y": f"({y})", "z": f"({z})", "y_of_pairs": f"CASE WHEN ({z}) IS NOT NULL THEN {y} END",
            "z_of_pairs": f"CASE WHEN ({y}) IS NOT NULL THEN {z} END",
        }  # fmt: skip
        selected += [text.format(**parts) for text in (_SELECTED if one.second else _ALONE)]
    arm, width = source.name(units.variant), len(_SELECTED)
    rows = source.run.execute(
        f"SELECT {arm}, count(*), {', '.join(selected)} FROM units WHERE {units.where} GROUP BY 1"
    ).fetchall()
    by_arm, found = {row[0]: row[1:] for row in rows}, []
    for at in range(len(metrics)):
        held = [by_arm[raw][1 + at * width : 1 + (at + 1) * width] for raw in units.raw]
        pairs = tuple(_pair(part) for part in held)
        missing = tuple(int(by_arm[raw][0]) - pair.n for raw, pair in zip(units.raw, pairs, strict=True))
        found.append(MetricSums(pairs, missing, all(part[-1] is not False for part in held)))
    return found


def _expressions(source: Source, one: Columns) -> tuple[str, str]:
    """SQL of the outcome and of the second number; of a ratio, rows that lack one of both have none."""
    y = source.number(one.top, guarded=True)
    z = source.number(one.second, guarded=True) if one.second else "NULL"
    return (f"CASE WHEN ({z}) IS NOT NULL THEN {y} END" if one.bottom else y), z


def _pair(part: Sequence[Any]) -> PairSums:
    n, mean, variance, pairs, pair_y, pair_z, zz, yz = (np.nan if one is None else one for one in part[:8])
    squares = float(variance) * n if n else np.nan
    return PairSums(int(n), float(mean), squares, int(pairs), float(pair_y), float(pair_z), float(zz), float(yz))


def _cluster_sums(units: Units, one: Columns) -> Clusters:
    source = units.source
    y, z = _expressions(source, one)
    second = f"CASE WHEN ({y}) IS NOT NULL THEN {z} END"
    name, arm = source.name(units.cluster), source.name(units.variant)
    source.run.execute(
        f"CREATE OR REPLACE TEMP TABLE held AS SELECT {name} AS id, {arm} AS arm, sum({y}) AS top, count({y}) AS n, "
        f"coalesce(sum({second}), 0) AS second, count({second}) AS pairs FROM units WHERE {units.where} "
        "GROUP BY 1, 2 HAVING n > 0"
    )
    source.run.execute(
        "CREATE OR REPLACE TEMP TABLE numbered AS SELECT id, row_number() OVER (ORDER BY CAST(id AS VARCHAR)) - 1 AS g "
        "FROM (SELECT DISTINCT id FROM held)"
    )
    n = _one(source, "SELECT count(*) FROM numbered")
    shape = (len(units.raw), n)
    made = {key: np.zeros(shape) for key in ("top", "n", "second", "pairs")}
    for at, raw in enumerate(units.raw):
        part = source.run.execute(
            "SELECT g, top, n, second, pairs FROM held JOIN numbered USING (id) WHERE arm = ?", [raw]
        ).fetchnumpy()
        codes: Ints = np.asarray(part["g"], dtype=np.int64)
        for key, into in made.items():
            into[at, codes] = part[key]
    bottom = made["second"] if one.bottom else made["n"]
    return Clusters(made["top"], bottom, made["second"], made["pairs"])


def third_moment(units: Units, one: Columns, raw: Any, *, centre: float, theta: float, second: float) -> float:
    """Sum of cubes of one arm's outcome around `centre`, a covariate's part taken out where theta is not 0."""
    y, z = _expressions(units.source, one)
    adjusted = f"({y}) - {theta!r} * (coalesce({z}, {second!r}) - {second!r})" if theta else f"({y})"
    arm = units.source.name(units.variant)
    found = units.source.run.execute(
        f"SELECT sum(pow({adjusted} - {centre!r}, 3)) FROM units WHERE {units.where} AND {arm} = ?", [raw]
    ).fetchall()[0][0]
    return float("nan") if found is None else float(found)


def outcomes(units: Units, one: Columns, raw: Any) -> Floats:
    """The known outcomes of one arm, float[n]; of a quantile, which has no sums."""
    y, _ = _expressions(units.source, one)
    arm = units.source.name(units.variant)
    column = units.source.run.execute(
        f"SELECT {y} AS y FROM units WHERE {units.where} AND {arm} = ? AND ({y}) IS NOT NULL", [raw]
    ).fetchnumpy()["y"]
    return np.asarray(column, dtype=np.float64)


def _one(source: Source, text: str) -> int:
    return int(source.run.execute(text).fetchall()[0][0])
