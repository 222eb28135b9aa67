"""What a fitted model says of itself: which of its input columns it rests on.

Libraries keep it as `feature_importances_` or `coef_`, by the columns that the last step of a pipeline sees. Those are
mapped back to the columns that were given by their names ("cat__kind_barn" is of "kind").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlops_dash.stats.arrays import Floats


def own_importance(
    model: Any, columns: Sequence[str], spreads: Mapping[str, float] | None = None
) -> Mapping[str, float]:
    """Share of each column in [0, 1], summing to 1; empty where the model says nothing, or names cannot be mapped back.

    Coefficients count times the spread of their column where no earlier step changes it; in a pipeline by their size on
    the inputs of the last step, which is comparable where an earlier step scaled them.

    Args:
        model: A fitted estimator, or a pipeline that ends with one.
        columns: The columns it is given.
        spreads: How far the values of each column lie apart, in its own unit; None = alike.

    >>> from sklearn.linear_model import LinearRegression
    >>> fitted = LinearRegression().fit([[0, 0], [1, 0], [0, 1]], [0, 3, 1])
    >>> {name: round(share, 2) for name, share in own_importance(fitted, ["a", "b"]).items()}
    {'a': 0.75, 'b': 0.25}
    >>> own_importance(object(), ["a"])
    {}
    """
    steps = [step for _, step in getattr(model, "steps", [])]
    last = steps[-1] if steps else model
    sizes, in_units = _sizes(last)
    if sizes is None:
        return {}
    scales = (spreads or {}) if in_units and len(steps) < 2 else {}
    names = _names(model, columns, n_steps=len(steps)) if len(steps) > 1 else list(columns)
    if names is None or len(names) != sizes.size:
        return {}
    found = dict.fromkeys(columns, 0.0)
    for name, size in zip(names, sizes.tolist(), strict=True):
        column = _column_of(name, columns)
        if column is None:
            return {}
        found[column] += size * scales.get(column, 1.0)
    whole = sum(found.values())
    return {name: size / whole for name, size in found.items()} if whole > 0 else {}


def _sizes(last: Any) -> tuple[Floats | None, bool]:
    """One number a column that the last step sees, never negative; and whether it is per unit of the column."""
    for name in ("feature_importances_", "coef_"):
        try:
            kept = getattr(last, name, None)
        except (AttributeError, ValueError):  # scikit-learn's properties may refuse (an SVM without a linear kernel)
            kept = None
        if kept is None:
            continue
        values = np.abs(np.asarray(kept, dtype=np.float64))
        values = values.sum(axis=0) if values.ndim == 2 else values
        if values.ndim == 1 and bool(np.isfinite(values).all()):
            return values, name == "coef_"
    return None, False


def _names(model: Any, columns: Sequence[str], *, n_steps: int) -> list[str] | None:
    """What the columns that the last step sees are called."""
    try:
        return [str(one) for one in model[: n_steps - 1].get_feature_names_out(list(columns))]
    except (AttributeError, ValueError, TypeError, NotImplementedError):  # a step without names
        return None


def _column_of(name: str, columns: Sequence[str]) -> str | None:
    """The given column that a name of a pipeline was made of: the longest one that it begins with.

    >>> _column_of("cat__kind_of_barn", ["kind", "kind_of"]), _column_of("num__x", ["x"]), _column_of("pca0", ["x"])
    ('kind_of', 'x', None)
    """
    bare = [name, *([name.split("__", 1)[1]] if "__" in name else [])]
    fit = [one for one in columns for said in bare if said == one or said.startswith(f"{one}_")]
    return max(fit, key=len, default=None)
