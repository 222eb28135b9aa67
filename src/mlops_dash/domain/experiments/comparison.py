"""Is a difference between two sides of runs real? The recorded design decides the test and what may be said.

The table of designs: one row of `CLAIMS` each. What cannot be read from the runs gets the weakest row: seeds on one
fixed split never support "better" (read so, 3 / 5 / 10 seeds err in 28 / 50 / 68 % of equal recipes).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.experiments.comparability import Comparability, Meaning, evaluation_ids
from mlops_dash.domain.experiments.directions import difference_is_good
from mlops_dash.domain.experiments.frame import RunFrame, split_of
from mlops_dash.stats.experiments import MIN_REPEATS
from mlops_dash.stats.run_comparison import RunDifference

ALPHA: Final = 0.05
FEW_RUNS: Final = 4
MOST_SIDES: Final = 12
SPLIT_TAG: Final = "mlops_dash.split"
EVAL_ROWS_TAG: Final = "mlops_dash.eval_rows"
TRAIN_ROWS_TAG: Final = "mlops_dash.train_rows"
FOLD_KEYS: Final = ("fold", "cv_fold")

# Run metrics that can be computed anew of kept rows, by the rest of their name after the split ("valid_auc" -> "auc").
OF_ROWS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("auc", "roc_auc", "auroc", "roc_auc_score"), "auc"),
    **dict.fromkeys(("log_loss", "logloss"), "log_loss"),
    **dict.fromkeys(("brier", "brier_score", "brier_score_loss"), "brier"),
    **dict.fromkeys(("accuracy", "acc", "accuracy_score"), "accuracy"),
    **dict.fromkeys(("mae", "mean_absolute_error"), "mae"),
    **dict.fromkeys(("mse", "mean_squared_error"), "mse"),
    **dict.fromkeys(("rmse", "root_mean_squared_error"), "rmse"),
}  # fmt: skip


class Design(StrEnum):
    """What the runs of two sides share; decides the test."""

    SAME_ROWS = "same_rows"  # one or two models a side, row predictions kept
    SEEDS_ROWS = "seeds_rows"  # three or more runs a side on one split, row predictions kept
    SEEDS = "seeds"  # the same with run metrics only, or a design that is not recorded
    FOLDS = "folds"
    RESPLITS = "resplits"
    FRESH = "fresh"


class Outcome(StrEnum):
    """What a comparison ends in."""

    BETTER = "better"
    WORSE = "worse"
    EQUAL = "equal"
    DIFFERS = "differs"  # beyond noise, but the design or a missing direction forbids better and worse
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True)
class Claim:
    """What a design supports."""

    name: str
    about: str
    supports_better: bool


CLAIMS: Final[Mapping[Design, Claim]] = {
    Design.SAME_ROWS: Claim("the same test rows, one model each", "these models, on rows like these", True),
    Design.SEEDS_ROWS: Claim(
        "repeats on one split, row predictions kept", "the recipe, trained on this training set", True
    ),
    Design.SEEDS: Claim("repeats on one split, run metrics only", "this test set only", False),
    Design.FOLDS: Claim("folds of cross-validation", "the recipe, on data like these", True),
    Design.RESPLITS: Claim("random splits of the same data", "the recipe, on data like these", True),
    Design.FRESH: Claim("fresh training and test data in every run", "the recipe", True),
}

LOOKS: Final[Mapping[Outcome, tuple[str, str, str]]] = {
    Outcome.BETTER: ("trending_up", "Better", "green"),
    Outcome.WORSE: ("trending_down", "Worse", "red"),
    Outcome.EQUAL: ("drag_handle", "Practically equal", "blue"),
    Outcome.DIFFERS: ("difference", "Differs here", "violet"),
    Outcome.CANNOT_TELL: ("help", "Cannot tell", "gray"),
}


@dataclass(frozen=True)
class DesignRead:
    """A design as it was read from the runs, and why this one."""

    design: Design
    why: str
    pair_by: str = "seed"  # seed | rows: what matches the runs of the sides
    test_over_train: float | None = None


@dataclass(frozen=True)
class Side:
    """One side of a comparison."""

    anchor: str  # id of the run that stands for it
    label: str
    ids: tuple[str, ...]
    keys: tuple[str | None, ...]  # replicate key of each run
    note: str = ""  # runs set aside
    version: str = ""  # "v3 (champion)" when its run became a version


@dataclass(frozen=True)
class PairVerdict:
    """One pair, judged: numbers, the test and the sentences that may be printed.

    `improvement` is the difference with the sign of the metric's direction: above 0 the first side is better.
    """

    a: Side
    b: Side
    metric: str
    direction: Direction | None
    design: Design
    why_design: str
    claim: str
    comparable: Comparability
    outcome: Outcome
    sentence: str
    found: RunDifference | None
    margin: float
    p_adjusted: float
    equal_p_adjusted: float
    n_pairs_tested: int
    method: str
    notes: tuple[str, ...] = ()
    need: str = ""
    rows_kept: bool = False

    @property
    def label(self) -> str:
        """The word of the outcome; what one split cannot support is said in it."""
        said = LOOKS[self.outcome][1]
        weak = not CLAIMS[self.design].supports_better
        return f"{said} on this test set" if self.outcome is Outcome.EQUAL and weak else said


@dataclass(frozen=True)
class RealQuery:
    """What is asked beside the page's own query; every field is a parameter of the URL."""

    metric: str = ""  # "" = the first of the table with a direction
    margin: float | None = None  # None = not asked yet: nothing is tested
    data_tag: str = ""  # the tag that names the evaluation data; "" = our digest
    repeats: bool = True  # sides are whole configurations; False = single runs


@dataclass(frozen=True)
class RealRoom:
    """The card "Is it real?": all pairs against one base side."""

    sides: tuple[Side, ...]
    base: int
    metric: str
    metrics: tuple[str, ...]
    direction: Direction | None
    margin: float | None  # None: not asked yet, nothing was tested
    pairs: tuple[PairVerdict, ...]
    tags: tuple[str, ...]  # tags that could name the data version
    data_tag: str
    decimals: int = 3
    contest: tuple[str, str] | None = None  # run ids of challenger and champion, when both are in this experiment


# --- which design -----------------------------------------------------------------------------------------------------

_SHARE = re.compile(r"(?:0?\.(\d+))")


def read_design(a: RunFrame, b: RunFrame, *, rows_kept: bool, means: Meaning) -> DesignRead:
    """Read what the runs of two sides share; unknown is one fixed split with its weak claim.

    Args:
        a: Runs of the first side.
        b: Runs of the second.
        rows_kept: Whether every run's row predictions were read and fit together, and the metric is computed of them.
        means: Which tag names the evaluation data.
    """
    ids_a, ids_b = evaluation_ids(a, means), evaluation_ids(b, means)
    least = min(len(a), len(b))
    if rows_kept:
        if least < MIN_REPEATS:
            return DesignRead(Design.SAME_ROWS, f"fewer than {MIN_REPEATS} runs on a side: their models are compared")
        return DesignRead(Design.SEEDS_ROWS, "all runs were judged on the same rows, and their predictions are kept")
    if None in ids_a or None in ids_b:
        return DesignRead(Design.SEEDS, "the evaluation rows are not recorded, so one fixed split is assumed")
    if len({*ids_a, *ids_b}) == 1:
        return DesignRead(Design.SEEDS, "all runs were judged on the same rows; only run metrics are compared")
    return _of_many_sets(a, b, matched=set(ids_a) == set(ids_b))


def _of_many_sets(a: RunFrame, b: RunFrame, *, matched: bool) -> DesignRead:
    said = {one for frame in (a, b) for one in _column(frame, "tags", SPLIT_TAG)}
    kinds = {re.split(r"[-_: ]", (one or "").lower())[0] for one in said}
    folds = next((name for name in FOLD_KEYS if all(name in one.params.columns for one in (a, b))), "")
    if kinds == {"fresh"}:
        return DesignRead(Design.FRESH, f"the tag {SPLIT_TAG} says fresh data in every run", "rows")
    if not matched:
        return DesignRead(Design.SEEDS, "the sides were judged on different sets of rows", "rows")
    if kinds <= {"kfold", "cv", "fold"} or folds:
        k = _folds(said) or len({*_column(a, "params", folds), *_column(b, "params", folds)} - {None})
        if k >= 2:
            return DesignRead(Design.FOLDS, f"{k} folds of the same data", "rows", 1 / (k - 1))
    if kinds <= {"resplit", "random", "shuffle"}:
        share = _test_over_train(a, b, said)
        if share is not None:
            return DesignRead(Design.RESPLITS, f"random splits, n_test/n_train {share:.2g}", "rows", share)
        return DesignRead(
            Design.SEEDS, f"random splits, but how many rows were trained on is not recorded ({TRAIN_ROWS_TAG})", "rows"
        )
    return DesignRead(Design.SEEDS, f"how the evaluation sets were drawn is not recorded ({SPLIT_TAG})", "rows")


def _column(frame: RunFrame, kind: str, name: str) -> list[str | None]:
    return list(frame.column(f"{kind}.{name}"))


def _folds(said: set[str | None]) -> int:
    found = [re.search(r"(\d+)", one or "") for one in said]
    numbers = {int(one[1]) for one in found if one is not None}
    return numbers.pop() if len(numbers) == 1 and len(found) == len(said) else 0


def _test_over_train(a: RunFrame, b: RunFrame, said: set[str | None]) -> float | None:
    pairs = [
        (_number(test), _number(train))
        for frame in (a, b)
        for test, train in zip(
            _column(frame, "tags", EVAL_ROWS_TAG), _column(frame, "tags", TRAIN_ROWS_TAG), strict=True
        )
    ]
    if pairs and all(test > 0 and train > 0 for test, train in pairs):
        return sum(test / train for test, train in pairs) / len(pairs)
    shares = [_SHARE.search(one or "") for one in said]
    told = {float(f"0.{one[1]}") for one in shares if one is not None}
    if len(told) == 1 and len(shares) == len([one for one in shares if one is not None]):
        share = told.pop()
        return share / (1 - share)
    return None


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


def of_rows(metric: str) -> str:
    """The row metric that a run metric's name stands for, "" when it has none.

    >>> of_rows("valid_auc"), of_rows("valid_rows")
    ('auc', '')
    """
    return OF_ROWS.get(split_of(metric)[1].lower(), "")


# --- what it comes to -------------------------------------------------------------------------------------------------


def conclude(
    design: Design,
    comparable: str,
    found: RunDifference,
    *,
    direction: Direction | None,
    margin: float,
    p_adjusted: float,
    equal_p_adjusted: float,
) -> Outcome:
    """Judge one pair.

    Practical equality goes before a difference: one that is real but within the margin is no reason to switch.

    Args:
        design: What the runs share.
        comparable: yes | no | cannot_tell; "no" ends in cannot tell, unknown never in better or worse.
        found: The difference, A minus B.
        direction: Which way is better, or None.
        margin: Differences up to this are practically equal; 0 = none is.
        p_adjusted: Of no difference, after Holm.
        equal_p_adjusted: Of a difference as large as the margin, after Holm.
    """
    if comparable == "no" or not found.computable:
        return Outcome.CANNOT_TELL
    if margin > 0 and equal_p_adjusted < ALPHA:
        return Outcome.EQUAL
    if not p_adjusted < ALPHA:
        return Outcome.CANNOT_TELL
    if direction is None or comparable != "yes" or not CLAIMS[design].supports_better:
        return Outcome.DIFFERS
    good = difference_is_good(found.value, found.value_a, found.value_b, direction)
    return Outcome.DIFFERS if good is None else Outcome.BETTER if good else Outcome.WORSE
