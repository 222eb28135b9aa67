"""Is a row answered the same, to the last bit, alone and beside others? Only then are requests joined unasked.

Trees compare and add row by row. A linear model is row-wise too, but the matrix product behind it (BLAS) rounds
differently for one row and for many; a model with code of its own may rank the rows of a request. Neither is named.
"""

from __future__ import annotations

from typing import Any, Final

_PARTS: Final[dict[str, str]] = {
    "sklearn.ensemble": (
        "ExtraTreesClassifier ExtraTreesRegressor GradientBoostingClassifier GradientBoostingRegressor "
        "HistGradientBoostingClassifier HistGradientBoostingRegressor RandomForestClassifier RandomForestRegressor"
    ),
    "sklearn.tree": "DecisionTreeClassifier DecisionTreeRegressor ExtraTreeClassifier ExtraTreeRegressor",
    "sklearn.impute": "MissingIndicator SimpleImputer",
    "sklearn.preprocessing": (
        "KBinsDiscretizer MaxAbsScaler MinMaxScaler OneHotEncoder OrdinalEncoder RobustScaler StandardScaler"
    ),
}
_NAMES: Final = frozenset((place, name) for place, names in _PARTS.items() for name in names.split())
_WORDS: Final = frozenset({"passthrough", "drop"})


def answers_row_by_row(model: Any) -> bool:
    """Whether a fitted scikit-learn model is made of parts that treat each row alone and add in one order.

    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> answers_row_by_row(make_pipeline(StandardScaler(), DecisionTreeRegressor()))
    True
    >>> from sklearn.linear_model import LinearRegression
    >>> answers_row_by_row(make_pipeline(StandardScaler(), LinearRegression()))
    False
    """
    if isinstance(model, str):
        return model in _WORDS
    place, name = _name_of(model)
    if (place, name) == ("sklearn.pipeline", "Pipeline"):
        return all(answers_row_by_row(part) for _, part in model.steps)
    if (place, name) == ("sklearn.pipeline", "FeatureUnion"):
        return all(answers_row_by_row(part) for _, part in model.transformer_list)
    if (place, name) == ("sklearn.compose", "ColumnTransformer"):
        # A callable would choose columns by what the first rows hold; fitted, it is replaced by the columns' names.
        parts = getattr(model, "transformers_", ())
        return bool(parts) and all(answers_row_by_row(part) for _, part, _ in parts)
    if (place, name) == ("sklearn.preprocessing", "FunctionTransformer"):  # what "passthrough" becomes when fitted
        return model.func is None
    # Trees of several jobs add in the order in which they end: not the same twice, alone or not.
    return (place, name) in _NAMES and getattr(model, "n_jobs", None) in {None, 1}


def _name_of(model: Any) -> tuple[str, str]:
    """Public module and name of exactly this type: a subclass may do anything."""
    public = [one for one in type(model).__module__.split(".") if not one.startswith("_")]
    return ".".join(public[:2]), type(model).__name__
