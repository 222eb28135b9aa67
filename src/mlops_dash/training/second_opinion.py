"""The door to alibi-detect: what do its detectors say of the same rows? A second opinion beside our own.

Importing it takes seconds and most of a gigabyte, so only a job or a command does, inside the functions below.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from typing import Any

import numpy as np

from mlops_dash.domain.detectors import DETECTORS, licence_words
from mlops_dash.errors import InvalidInput, Unavailable
from mlops_dash.stats.arrays import Bools, Floats

LEAST_ROWS = 100
MOST_MISSING = 0.20  # of a column, on either side; alibi's detectors cannot read a missing value
_SEED = 20_130_101


@dataclass(frozen=True)
class Opinion:
    """What one detector says.

    Attributes:
        detector: Its name in `DETECTORS`.
        drift: Its yes or no; None where it could not be asked.
        p_value: The smallest of its p-values.
        threshold: Below which one of them is drift.
        columns: Which columns it calls drifted; of a test of all columns together none.
        n_reference: Rows it read.
        n_current: Rows it read.
        left_out: Columns it could not be given.
        reason: Why it could not be asked, with the next step; "" when it was.
    """

    detector: str
    drift: bool | None
    p_value: float | None = None
    threshold: float | None = None
    columns: tuple[str, ...] = ()
    n_reference: int = 0
    n_current: int = 0
    left_out: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class _Sides:
    """What a detector is given: complete rows only."""

    reference: Floats
    current: Floats
    names: tuple[str, ...]
    levels: tuple[int, ...]  # places of the columns of names
    left_out: tuple[str, ...]


def licence() -> str:
    """What the licence of the installed version allows; that it is not installed, else."""
    try:
        found = metadata("alibi-detect")
    except PackageNotFoundError:
        return f"alibi-detect is not installed: {_INSTALL}"
    return licence_words(found["Version"], str(found.json.get("license_expression") or found.json.get("license") or ""))


_INSTALL = "pip install alibi-detect==0.13.0"


def opinion_of(
    detector: str, reference: Floats, current: Floats, names: Sequence[str], levels: Sequence[bool], *, alpha: float
) -> Opinion:
    """Ask one detector; whatever goes wrong is said, with the next step, and nothing is raised for it.

    Args:
        detector: One of `DETECTORS`.
        reference: Shape (n, columns); a missing value is NaN, a level its number.
        current: Shape (m, columns).
        names: Of the columns.
        levels: Which of them hold levels.
        alpha: Its false alarms in a window without change.

    Raises:
        InvalidInput: there is no such detector.
    """
    if detector not in DETECTORS:
        raise InvalidInput(f"There is no detector {detector!r}.", hint=f"Known: {', '.join(DETECTORS)}.")
    sides = _complete(reference, current, names, levels)
    try:
        held = _only(sides, detector)
        n = (held.reference.shape[0], held.current.shape[0])
        if min(n) < LEAST_ROWS or not held.names:
            few = f"{min(n)} complete rows on one side, at least {LEAST_ROWS}" if held.names else "no column for it"
            return Opinion(detector, None, n_reference=n[0], n_current=n[1], left_out=held.left_out, reason=few)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            said = _ASKED[detector](held, alpha)["data"]
    except Unavailable as error:
        return Opinion(detector, None, left_out=sides.left_out, reason=error.sentence())
    except Exception as error:  # noqa: BLE001 - somebody else's library: its failure is a state, not ours
        why = f"alibi-detect failed: {type(error).__name__}: {str(error)[:200]}"
        return Opinion(detector, None, left_out=sides.left_out, reason=f"{why}. Ask another detector.")
    p = np.atleast_1d(np.asarray(said["p_val"], dtype=np.float64))
    threshold = float(np.min(said["threshold"]))
    flagged = tuple(name for name, one in zip(held.names, p.tolist(), strict=False) if one < threshold)
    return Opinion(
        detector, bool(said["is_drift"]), float(np.nanmin(p)), threshold,
        flagged if p.size == len(held.names) and p.size > 1 else (), *n, held.left_out,
    )  # fmt: skip


def _complete(reference: Floats, current: Floats, names: Sequence[str], levels: Sequence[bool]) -> _Sides:
    gone = [max(float(np.isnan(side[:, at]).mean()) if side.shape[0] else 1.0 for side in (reference, current))
            for at in range(len(names))]  # fmt: skip
    kept = [at for at, share in enumerate(gone) if share <= MOST_MISSING]
    whole = [side[:, kept][_known(side[:, kept])] for side in (reference, current)]
    return _Sides(
        whole[0], whole[1], tuple(names[at] for at in kept),
        tuple(place for place, at in enumerate(kept) if levels[at]),
        tuple(name for at, name in enumerate(names) if at not in kept),
    )  # fmt: skip


def _known(rows: Floats) -> Bools:
    return np.asarray(np.isfinite(rows).all(axis=1))


def _only(sides: _Sides, detector: str) -> _Sides:
    """The columns that a detector can read."""
    if detector not in ("ks", "cvm", "chisquare"):
        return sides
    wants_levels = detector == "chisquare"
    kept = [at for at in range(len(sides.names)) if (at in sides.levels) is wants_levels]
    dropped = tuple(name for at, name in enumerate(sides.names) if at not in kept)
    return _Sides(
        sides.reference[:, kept], sides.current[:, kept], tuple(sides.names[at] for at in kept),
        tuple(range(len(kept))) if wants_levels else (), (*sides.left_out, *dropped),
    )  # fmt: skip


def _module() -> Any:
    if importlib.util.find_spec("alibi_detect") is None:
        raise Unavailable("alibi-detect is not installed.", hint=f"Install it where the worker runs: {_INSTALL}")
    import alibi_detect.cd

    return alibi_detect.cd


def _categories(sides: _Sides) -> dict[int, list[int]]:
    """The levels of each column of names, on either side: alibi takes those of the reference alone by itself."""
    both = np.vstack([sides.reference, sides.current])
    return {at: [int(level) for level in np.unique(both[:, at])] for at in sides.levels}


def _tabular(sides: _Sides, alpha: float) -> Any:
    cd = _module()
    return cd.TabularDrift(
        sides.reference, p_val=alpha, categories_per_feature=_categories(sides) or None
    ).predict(sides.current, drift_type="batch")  # fmt: skip


def _ks(sides: _Sides, alpha: float) -> Any:
    return _module().KSDrift(sides.reference, p_val=alpha).predict(sides.current, drift_type="batch")


def _cvm(sides: _Sides, alpha: float) -> Any:
    return _module().CVMDrift(sides.reference, p_val=alpha).predict(sides.current, drift_type="batch")


def _chisquare(sides: _Sides, alpha: float) -> Any:
    cd = _module()
    return cd.ChiSquareDrift(
        sides.reference, p_val=alpha, categories_per_feature=_categories(sides)
    ).predict(sides.current, drift_type="batch")  # fmt: skip


def _classifier(sides: _Sides, alpha: float) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=15, early_stopping=False, random_state=_SEED)
    detector = _module().ClassifierDrift(
        sides.reference, model, p_val=alpha, backend="sklearn", preds_type="probs", train_size=0.5, seed=_SEED,
    )  # fmt: skip
    return detector.predict(sides.current)


def _mmd(sides: _Sides, alpha: float) -> Any:
    if importlib.util.find_spec("torch") is None:
        how = "Install it where the worker runs (pip install torch), or ask another detector."
        raise Unavailable("MMDDrift needs PyTorch, which is not installed.", hint=how)
    cd = _module()
    most = 2_000  # its cost grows with the square
    rng = np.random.default_rng(_SEED)
    small = [side if side.shape[0] <= most else side[np.sort(rng.choice(side.shape[0], most, replace=False))]
             for side in (sides.reference, sides.current)]  # fmt: skip
    spread = np.where(small[0].std(axis=0) > 0, small[0].std(axis=0), 1.0)
    scaled = [((side - small[0].mean(axis=0)) / spread).astype(np.float32) for side in small]
    return cd.MMDDrift(scaled[0], p_val=alpha, backend="pytorch").predict(scaled[1])


_ASKED: dict[str, Callable[[_Sides, float], Any]] = {
    "tabular": _tabular, "classifier": _classifier, "ks": _ks, "chisquare": _chisquare, "cvm": _cvm, "mmd": _mmd,
}  # fmt: skip
