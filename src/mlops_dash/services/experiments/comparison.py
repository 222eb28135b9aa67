"""Is it real? Sides out of the compare tray, the design read from what they share, one verdict a pair.

The same evaluator answers the page and `mlops-dash runs compare`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mlops_dash.domain.experiments import comparison as domain
from mlops_dash.domain.experiments import comparison_words as words
from mlops_dash.domain.experiments.comparability import EVALUATION_TAG, Comparability, Meaning, evaluation_ids, judge
from mlops_dash.domain.experiments.comparison import CLAIMS, Design, DesignRead, Outcome, PairVerdict, Side
from mlops_dash.domain.experiments.frame import Floats, Reducer, RunFrame, RunStatus, varies
from mlops_dash.domain.experiments.groups import REPLICATE_KEYS, Grouping, grouped, label, telling
from mlops_dash.domain.experiments.room import Column
from mlops_dash.errors import InvalidInput
from mlops_dash.services.experiments.rows import Aligned, RowReader, aligned
from mlops_dash.stats.families import holm
from mlops_dash.stats.run_comparison import (
    RunDifference,
    metric_of_rows,
    noise_of_test_set,
    of_resamples,
    of_rows,
    of_runs,
)

_LOGGED_ALIKE = 1e-3  # a run's own number and the one of its rows may differ by rounding


@dataclass(frozen=True, eq=False)
class Rows:
    """Kept rows of a pair, fit to compute one metric; or why there are none."""

    aligned: Aligned | None
    metric: str  # of `stats.run_comparison.ROW_METRICS`
    why_not: str = ""


@dataclass(frozen=True, eq=False)
class _Tested:
    """A pair before Holm."""

    a: Side
    b: Side
    read: DesignRead
    comparable: Comparability
    found: RunDifference | None
    rows: Rows
    notes: tuple[str, ...]


def sides(
    runs: RunFrame, grouping: Grouping, tray: Sequence[str], *, repeats: bool, versions: Mapping[str, str]
) -> tuple[Side, ...]:
    """What may be compared: the configurations of the tray's runs with all their repeats, or the runs themselves.

    Args:
        runs: All runs of the experiment, newest first.
        grouping: Their groups of repeats.
        tray: Run ids; unknown ones are left out.
        repeats: Whole configurations instead of single runs.
        versions: What to call runs that became a version.
    """
    places = runs.places(list(dict.fromkeys(tray)))
    ids = runs.ids
    if not repeats or not grouping.key:
        names = [str(runs.info["run_name"].iloc[at]) or ids[at][:8] for at in places]
        return tuple(
            Side(
                run_id, name if names.count(name) == 1 else f"{name} {run_id[:4]}", (run_id,),
                (_key(runs, grouping, at),), version=versions.get(run_id, ""),
            )
            for name, at in zip(names, places, strict=True)
            for run_id in [ids[at]]
        )[: domain.MOST_SIDES]  # fmt: skip
    codes = list(dict.fromkeys(int(grouping.codes[at]) for at in places))[: domain.MOST_SIDES]
    names_by = telling(runs, grouping, codes)
    return tuple(_configuration(runs, grouping, code, places, names_by, versions) for code in codes)


def repeated(runs: RunFrame, grouping: Grouping) -> tuple[RunFrame, Grouping]:
    """Groups over all replicate keys together, when runs vary several (seed and fold), with their joint key as column.

    The table groups by one key; for a comparison a fold of a seed is a repeat too, never a configuration.
    """
    params = runs.params
    names = [str(one) for one in params.columns if str(one).lower() in REPLICATE_KEYS and varies(params[one])]
    if len(names) < 2:
        return runs, grouping
    texts = [[f"{name} {value}" for name, value in zip(names, row, strict=True) if value is not None]
             for row in params[names].itertuples(index=False)]  # fmt: skip
    joint = pd.Series([", ".join(one) or None for one in texts], dtype=object)
    name = " and ".join(names)
    found = grouped(replace(runs, params=params.drop(columns=names).assign(**{name: joint})), name)
    return replace(runs, params=params.assign(**{name: joint})), found


def _key(runs: RunFrame, grouping: Grouping, at: int) -> str | None:
    return None if not grouping.key else runs.params[grouping.key].iloc[at]


def _configuration(
    runs: RunFrame,
    grouping: Grouping,
    code: int,
    tray: Sequence[int],
    names: Sequence[str],
    versions: Mapping[str, str],
) -> Side:
    ids = runs.ids
    members = [int(at) for at in np.flatnonzero(grouping.codes == code)]
    ended = [at for at in members if runs.info["status"].iloc[at] == RunStatus.FINISHED]
    kept: dict[str, int] = {}
    for at in ended or members:  # newest first
        kept.setdefault(str(_key(runs, grouping, at)) if _key(runs, grouping, at) is not None else ids[at], at)
    again, open_ = len(ended or members) - len(kept), len(members) - len(ended or members)
    said = [f"{again} older with the same {grouping.key} set aside"] if again else []
    said += [f"{open_} not finished set aside"] if open_ else []
    anchor = next(at for at in tray if grouping.codes[at] == code)
    chosen = sorted(kept.values(), key=lambda at: str(_key(runs, grouping, at)))
    version = next((versions[ids[at]] for at in chosen if ids[at] in versions), "")
    return Side(
        ids[anchor], label(runs, grouping, code, names), tuple(ids[at] for at in chosen),
        tuple(_key(runs, grouping, at) for at in chosen), "; ".join(said), version,
    )  # fmt: skip


def verdicts(
    runs: RunFrame,
    made: Sequence[Side],
    base: int,
    column: Column,
    *,
    margin: float,
    means: Meaning,
    key: str,
    reader: RowReader,
) -> tuple[PairVerdict, ...]:
    """Judge every other side against the base side, Holm over the pairs.

    Args:
        runs: All runs of the experiment, the metric by its reducer.
        made: The sides.
        base: Which of them the others are compared with.
        column: The metric.
        margin: Differences up to this are practically equal.
        means: Which tag names the evaluation data.
        key: The replicate key, for words.
        reader: Reads kept rows.
    """
    other = [one for at, one in enumerate(made) if at != base]
    tested = [_tested(runs, one, made[base], column, means=means, reader=reader) for one in other]
    blank = RunDifference(math.nan, math.nan, math.nan, math.nan, math.nan)
    every = [one.found or blank for one in tested]
    adjusted = holm([one.p_value() for one in every])
    equal = holm([one.equal_p(margin) for one in every])
    n = sum(bool(one.computable) for one in every)
    return tuple(
        _verdict(one, found, column, margin, adjusted[at], equal[at], n, key)
        for at, (one, found) in enumerate(zip(tested, every, strict=True))
    )


def _verdict(
    one: _Tested, found: RunDifference, column: Column, margin: float, p: float, equal_p: float, n: int, key: str
) -> PairVerdict:
    design, state = one.read.design, one.comparable.state
    outcome = domain.conclude(
        design, state, found, direction=column.direction, margin=margin, p_adjusted=p, equal_p_adjusted=equal_p
    )
    digits = words.digits_of([found.error])
    said = words.sentence(
        outcome, design, one.a.label, one.b.label, column.key, found, margin, digits=digits, comparable=state
    )
    if outcome is Outcome.CANNOT_TELL and found.computable and found.p_value() < domain.ALPHA:
        said += f" Alone it would differ, but not as one of {n} pairs (Holm)."
    day = one.rows.aligned is not None and one.rows.aligned.day is not None
    unit = "days" if day else "rows"
    need = (
        words.need(design, found, margin, unit=unit, n_tests=n)
        if outcome is Outcome.CANNOT_TELL and state != "no"
        else ""
    )
    return PairVerdict(
        a=one.a, b=one.b, metric=column.key, direction=column.direction, design=design, why_design=one.read.why,
        claim=CLAIMS[design].about, comparable=one.comparable, outcome=outcome, sentence=said, found=one.found,
        margin=margin, p_adjusted=p, equal_p_adjusted=equal_p, n_pairs_tested=n,
        method=words.method(design, found, key=key, unit=unit, n_tests=n),
        notes=_notes(one, found, p, outcome), need=need, rows_kept=one.rows.aligned is not None,
    )  # fmt: skip


def _notes(one: _Tested, found: RunDifference, p: float, outcome: Outcome) -> tuple[str, ...]:
    said = list(one.notes)
    if outcome is Outcome.EQUAL and p < domain.ALPHA:
        said.append("The difference is beyond chance, but within the margin")
    if one.read.design is not Design.SAME_ROWS and found.computable and found.n_runs <= domain.FEW_RUNS:
        said.append(f"Few runs: {found.n_runs} a side")
    if found.computable and found.reason:
        said.append(found.reason[0].upper() + found.reason[1:])
    return tuple(said)


def _tested(
    runs: RunFrame, a: Side, b: Side, column: Column, *, means: Meaning, reader: RowReader
) -> _Tested:  # fmt: skip
    first, second = (runs.take(runs.places(list(side.ids))) for side in (a, b))
    both = runs.take(runs.places([*a.ids, *b.ids]))
    rows = rows_of(both, column, reader, means)
    read = domain.read_design(first, second, rows_kept=rows.aligned is not None, means=means)
    ids = [evaluation_ids(one, means) for one in (first, second)]
    sets = read.pair_by == "rows" and (set(ids[0]) == set(ids[1]) or read.design is Design.FRESH)
    digest = "" if rows.aligned is None else rows.aligned.digest
    comparable = judge(both, means, from_rows=digest, matched_sets=sets)
    notes = [f"{side.label}: {side.note}" for side in (a, b) if side.note]
    notes += [f"Row predictions not used: {rows.why_not}"] if rows.why_not else []
    notes += [rows.aligned.note] if rows.aligned is not None and rows.aligned.note else []
    if comparable.state == "no":
        return _Tested(a, b, read, comparable, None, rows, tuple(notes))
    values = [one.metrics[column.key].to_numpy(dtype=np.float64) for one in (first, second)]
    total = int(sum((~np.isfinite(one)).sum() for one in values))
    if rows.aligned is None and total:
        notes.append(f"{total} of {len(both)} runs without a finite {column.key}")
    found = _difference(a, b, values, ids, read, rows)
    noise = _noise(both, column, found, read)
    return _Tested(a, b, read, comparable, found, rows, tuple(notes + ([noise] if noise else [])))


def _difference(
    a: Side, b: Side, values: Sequence[Floats], ids: Sequence[Sequence[str | None]], read: DesignRead, rows: Rows
) -> RunDifference:
    if rows.aligned is not None:
        kept = rows.aligned
        return of_rows(
            rows.metric, kept.labels, kept.of(a.ids), kept.of(b.ids),
            None if kept.day is None else kept.day.to_numpy(dtype=str), keys_a=a.keys, keys_b=b.keys,
            models_only=read.design is Design.SAME_ROWS,
        )  # fmt: skip
    if read.pair_by == "seed":
        return of_runs(values[0], values[1], a.keys, b.keys)
    (x, names_x), (y, names_y) = (_by_set(one, names) for one, names in zip(values, ids, strict=True))
    if read.test_over_train is None:
        return of_runs(x, y, names_x, names_y)
    shared = [name for name in names_x if name in names_y]
    left, right = (np.array([one[names.index(name)] for name in shared]) for one, names in ((x, names_x), (y, names_y)))
    fine = np.isfinite(left) & np.isfinite(right)
    return of_resamples(left[fine], right[fine], test_over_train=read.test_over_train)


def _by_set(values: Floats, names: Sequence[str | None]) -> tuple[Floats, list[str | None]]:
    """The mean of the runs on each evaluation set: seeds on one set are no further sets."""
    unique = list(dict.fromkeys(names))
    found = [values[[at for at, one in enumerate(names) if one == name]] for name in unique]
    finite = [one[np.isfinite(one)] for one in found]
    return np.array([one.mean() if len(one) else math.nan for one in finite]), unique


def _noise(both: RunFrame, column: Column, found: RunDifference, read: DesignRead) -> str:
    """Of accuracies with run metrics only: what the test set alone would do to the difference."""
    if read.design is not Design.SEEDS or domain.of_rows(column.key) != "accuracy":
        return ""
    said = {one for one in both.column(f"tags.{domain.EVAL_ROWS_TAG}") if one is not None}
    n = int(said.pop()) if len(said) == 1 and str(next(iter(said))).isdecimal() else 0
    if not n or not (0 <= found.value_a <= 1 and 0 <= found.value_b <= 1):
        return ""
    noise = noise_of_test_set(found.value_a, found.value_b, n)
    return f"The noise of a test set of {n:,} rows alone: a standard error up to {noise:.2g}"


# --- kept rows --------------------------------------------------------------------------------------------------------


def rows_of(runs: RunFrame, column: Column, reader: RowReader, means: Meaning) -> Rows:
    """The kept rows of some runs when the metric can be computed of them and gives what the runs logged."""
    metric = domain.of_rows(column.key)
    if not metric:
        return Rows(None, "", f"{column.key} cannot be computed of labels and scores")
    if column.reducer is not Reducer.LAST:
        return Rows(None, metric, f"{column.key} is shown by its {column.reducer} value, the rows are of the last")
    ids = evaluation_ids(runs, means)
    if len(set(ids) - {None}) > 1:
        return Rows(None, metric)  # folds, splits, or other rows: `read_design` and `judge` say which
    found = shared_rows(runs, reader)
    if found.aligned is None:
        return Rows(None, metric, found.why_not)
    kind = found.aligned.kind
    if metric not in kind.metrics:
        return Rows(None, metric, f"{column.key} cannot be computed of rows of this kind ({kind.name})")
    return _as_logged(runs, column, found.aligned, metric)


def _as_logged(runs: RunFrame, column: Column, kept: Aligned, metric: str) -> Rows:
    """Use the rows only if they give the numbers that the runs logged; log-loss with our clip or scikit-learn's."""
    said = runs.metrics[column.key].to_numpy(dtype=np.float64)
    wrong = ""
    for one in (metric, "log_loss_raw") if metric == "log_loss" else (metric,):
        computed = np.array([metric_of_rows(one, kept.labels, kept.scores[run_id]) for run_id in runs.ids])
        off = np.abs(computed - said) > np.maximum(_LOGGED_ALIKE * np.abs(said), _LOGGED_ALIKE / 2)
        if not off.any():
            return Rows(kept, one)
        at = int(np.argmax(off))
        wrong = wrong or (
            f"those of {runs.info['run_name'].iloc[at] or runs.ids[at][:8]} give {column.key} {computed[at]:.4g}, "
            f"the run logged {said[at]:.4g}"
        )
    return Rows(None, metric, wrong)


def shared_rows(runs: RunFrame, reader: RowReader) -> Rows:
    """The kept rows of some runs laid over each other, whatever metric is asked of them."""
    open_ = [run_id for run_id, status in zip(runs.ids, runs.info["status"], strict=True) if status == "RUNNING"]
    if open_:
        return Rows(None, "", f"{len(open_)} of {len(runs)} runs have not ended")
    found, why = reader.read(runs.ids)
    if why:
        first = next(iter(why.values())).partition(". ")[0].rstrip(".")[:200]
        return Rows(None, "", first if len(why) == 1 else f"{first}, and {len(why) - 1} more")
    tags = dict(zip(runs.ids, runs.column(f"tags.{EVALUATION_TAG}"), strict=True))
    other = [run_id for run_id, one in found.items() if tags[run_id] not in {None, one.digest}]
    if other:
        return Rows(None, "", f"those of {len(other)} runs are not the rows that their digest names")
    try:
        return Rows(aligned({one: found[one] for one in runs.ids}), "")
    except InvalidInput as error:
        return Rows(None, "", error.message.rstrip("."))
