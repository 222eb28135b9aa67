"""A stranger's classifier of words, saved as scikit-learn users do by default: a pickle."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd

WORDS = ("dark red", 'it\'s "blue"', "été")


def save_colours(folder: Path) -> Path:
    """Save the model into a new folder; its inputs are `hue` and `depth`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, about its own dependencies
        import mlflow.sklearn
        from mlflow.models import infer_signature
        from sklearn.linear_model import LogisticRegression

        rng = np.random.default_rng(4)
        rows = pd.DataFrame({"hue": rng.normal(size=90), "depth": rng.normal(size=90)})
        fitted = LogisticRegression().fit(rows, np.array(WORDS)[np.arange(90) % 3])
        signature = infer_signature(rows, fitted.predict(rows))
        mlflow.sklearn.save_model(fitted, str(folder), serialization_format="cloudpickle", signature=signature)
    return folder
