"""What do models predict, and what follows from it? One file a task; nothing else in the house asks which task it is.

A further task is one new file and its line in `TASKS`. It derives `ModelTask` and provides:

- words and standards: name, title, metrics, paired, of_probabilities, of_reference, watches, charted, label_metric,
  standards, kept_rows, policy_name, has_base_rate, has_reliability, cost_shares, ab_losses, in_words,
  own_metrics, slice_caution
- answers and labels: score_column, why_no_label
- counting: scale_of, empty, count, restore, and its own `Summary` with n, numbers, counts and addition
- measuring: measure, units, measure_rows, row_loss, row_losses
- sentences: label_sentence

Statistics that it needs go to `stats`; bytes and databases are `store`'s. A test holds this list to the class.
Where not every number can be its score, it says so in why_no_score; where answers are words, it says how they are
numbered (of, facts, why_not_sent, number_of, word_of, words_of), and which probabilities may come with an answer
(why_not_scores, scores_in_order, split). Where not every model can be followed by each of its watches, it says by
which (followed), and why not by the others (not_followed).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from mlops_dash.domain.tasks.binary import Binary
from mlops_dash.domain.tasks.multiclass import MultiClass
from mlops_dash.domain.tasks.regression import Regression
from mlops_dash.domain.tasks.task import Charted, Metric, ModelTask
from mlops_dash.errors import InvalidInput

BINARY: Final = Binary()
REGRESSION: Final = Regression()
MULTICLASS: Final = MultiClass()
TASKS: Final[tuple[ModelTask, ...]] = (BINARY, MULTICLASS, REGRESSION)
METRICS: Final[Mapping[str, Metric]] = {
    metric.key: metric for task in TASKS for metric in (*task.of_probabilities, *task.metrics)
}
CHARTED: Final[Mapping[str, Charted]] = {metric.key: metric for task in TASKS for metric in task.charted}


def is_charted(key: str) -> bool:
    """Whether Monitoring charts a metric with this key, for models of some task.

    >>> is_charted("brier"), is_charted("recall:it's"), is_charted("luck")
    (True, True, False)
    """
    return key in CHARTED or any(key.startswith(task.own_metrics) for task in TASKS if task.own_metrics)


def task_named(name: str, class_names: Sequence[str] = ()) -> ModelTask:
    """The task of this name, of a model with these classes.

    >>> task_named("regression").paired
    ('mae', 'rmse')

    Raises:
        InvalidInput: no task has this name.
    """
    known = {task.name: task for task in TASKS}
    if name not in known:
        raise InvalidInput(f"No task is named {name!r}.", hint=f"Known: {', '.join(known)}.")
    return known[name].of({"classes": class_names})
