"""An answer with a column a class: which column is which class of the watched model?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.errors import InvalidInput
from mlops_dash.stats.arrays import Floats


def of_each_class(answer: Any, known: Sequence[Any], task: ModelTask) -> Floats:
    """The probabilities of all classes, float[rows, k], in the order of the watched model's own names.

    Args:
        answer: Of a model, with a row a row asked and a column a class; a frame may name its columns by the classes.
        known: The classes that the model itself knows, in the order of its columns; empty where it does not say.
        task: Of the watched model, with its classes.

    >>> from mlops_dash.domain.tasks import task_named
    >>> of_each_class([[0.25, 0.75]], ["dog", "cat"], task_named("multiclass", ["cat", "dog"])).tolist()
    [[0.75, 0.25]]

    Raises:
        InvalidInput: these are other classes than the watched model's, or no numbers.
    """
    names, values = list(task.facts.get("classes", ())), np.asarray(answer)
    named = [list(answer.columns)] if isinstance(answer, pd.DataFrame) else []
    for classes in (*named, list(known)):
        places = [task.number_of(one) for one in classes]
        if len(places) == values.shape[1] and sorted(places) == list(range(len(names))):
            try:
                return np.asarray(values, dtype=np.float64)[:, np.argsort(places)]
            except (TypeError, ValueError) as error:
                raise InvalidInput("The model does not answer with numbers for its classes.") from error
    told = ", ".join(map(str, known or (named[0] if named else ()))) or "no classes by name"
    raise InvalidInput(
        f"The model answers with {values.shape[1]} columns and knows {told}, not {', '.join(names)}, so its scores "
        "cannot be logged.",
        hint="Watch it with the classes that it tells apart, in words as it has them.",
    )
