"""Does a model answer its own input example, whatever it predicts? Numbers must be finite, words must be there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlops_dash.errors import BrokenModel, InvalidInput
from mlops_dash.tracking.models.loading import Check, load
from mlops_dash.tracking.models.trust import artifact_digest

FRESH = "loaded and scored in a fresh process"
_SHOWN_ANSWERS, _SHOWN_CHARACTERS = 5, 40


def score_example(folder: Path, *, allow_pickle: bool) -> Check:
    """Load a model from its files and ask it for its input example (what the fresh process runs).

    No task is asked for: a new version may belong to a model whose classes nobody has named yet.

    Raises:
        BrokenModel: it cannot be loaded, or fails on its own example.
    """
    loaded = load(folder, artifact_digest(folder), allow_pickle=allow_pickle)
    example = loaded.input_example
    if example is None or example.empty:
        return Check(False, "no input example was logged with this version", FRESH)
    try:
        fitted = loaded.conform(example)
    except InvalidInput as error:
        return Check(False, f"the input example does not fit the signature: {error.message}", FRESH)
    try:
        answer = loaded.pyfunc.predict(fitted)
    except Exception as error:  # the model is foreign code: it may fail in any way
        raise BrokenModel(f"The model failed on its own input example: {error}") from error
    return _judged(answer, len(example))


def _judged(answer: Any, rows: int) -> Check:
    values = np.asarray(answer)
    if values.ndim == 0 or len(values) != rows:
        return Check(False, f"the model answered {rows} example rows with the shape {values.shape}", FRESH)
    counted = f"{rows} example row{'s' if rows > 1 else ''}"
    numbers = _numbers(values)
    if numbers is None:
        if pd.isna(values).any():
            return Check(False, "the input example got an answer that is missing", FRESH)
        return Check(True, f"{counted} answered with {_listed(values)}", FRESH)
    if not np.isfinite(numbers).all():
        return Check(False, "the input example got a score that is not a finite number", FRESH)
    return Check(True, f"{counted} scored {numbers.min():.3f} to {numbers.max():.3f}", FRESH)


def _numbers(values: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """The answer as numbers; None where it is words (or anything else that is no number)."""
    texts = values.dtype.kind in "SUMm" or any(isinstance(one, str | bytes) for one in values.ravel())
    if texts:
        return None
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError):
        return None


def _listed(values: np.ndarray[Any, Any]) -> str:
    words = sorted({str(one) for one in values.ravel()})
    shown = ", ".join(repr(word[:_SHOWN_CHARACTERS]) for word in words[:_SHOWN_ANSWERS])
    return f"{shown} and {len(words) - _SHOWN_ANSWERS} more" if len(words) > _SHOWN_ANSWERS else shown
