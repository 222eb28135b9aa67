"""Several classes whose probabilities stand in columns of a file: which is the answer, and what cannot be one?"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from mlops_dash.domain.class_probabilities import column_of, why_no_probabilities
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.errors import InvalidInput
from mlops_dash.services.cells import Cells, require_columns
from mlops_dash.services.tables import names_of
from mlops_dash.stats.arrays import Floats

ANSWER = "the most probable class"  # the column that is made of the probabilities
MOST_PROPOSED = 40  # classes that stand in columns of a file beside each other
_BEFORE, _AFTER = ("probability", "proba", "prob", "score", "p"), ("probability", "proba", "prob", "score")
_ANSWERED = ("prediction", "predicted", "predicted_class", "y_pred", "pred")
_LOOKED_AT = 200  # rows that tell whether columns of numbers are probabilities


def scores_named(words: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """(class, column) of words such as "gentoo=p_gentoo"; the last equals sign parts them.

    >>> scores_named(["it's a=b=p"])
    (("it's a=b", 'p'),)

    Raises:
        InvalidInput: a word names no column, or a class or column is named twice.
    """
    named = []
    for word in words:
        name, sign, column = word.rpartition("=")
        if not sign or not name.strip() or not column.strip():
            raise InvalidInput(f"--scores {word} names no class and column.", hint="Write --scores CLASS=COLUMN.")
        named.append((name, column))
    for place, kind in enumerate(("class", "column")):
        held = [one[place] for one in named]
        twice = next((one for one in held if held.count(one) > 1), None)
        if twice is not None:
            raise InvalidInput(f"The {kind} {twice!r} is named twice by --scores.")
    return tuple(named)


def class_columns(scores: Sequence[tuple[str, str]], task: ModelTask) -> dict[str, str]:
    """The column of every class of a model, in the model's order.

    Raises:
        InvalidInput: the model has no classes in words, one of them has no column, or a class is not known.
    """
    known = list(task.facts.get("classes", ()))
    if not task.in_words:
        raise InvalidInput(f"A {task.name} model has no probabilities of several classes.", hint="Name one score.")
    given = dict(scores)
    for name in (*known, *given):
        if name not in given or (known and name not in known):
            missing = "has no column" if name not in given else f"is none of this model's: {', '.join(known)}"
            raise InvalidInput(f"The class {name!r} {missing}.", hint="Name every class: --scores CLASS=COLUMN")
    return {name: given[name] for name in known or given}


def proposed_scores(table: pd.DataFrame, label: str) -> tuple[tuple[str, str], ...]:
    """(class, column) of three or more classes whose probabilities seem to stand in columns; none where none do.

    Names of columns tell it: `p_setosa`, `proba virginica`, `Versicolor_score`, or the bare word of a label. Every word
    among the labels has its column then, and the columns of a row sum to 1.

    Args:
        table: As `services.tables` reads it.
        label: The column of outcomes; "" where there is none, and the names of the columns alone tell the classes.

    >>> table = pd.DataFrame({"p_cat": [0.2, 0.5], "p_dog": [0.3, 0.5], "p_ant": [0.5, 0.0], "was": ["cat", "dog"]})
    >>> proposed_scores(table, "was")
    (('cat', 'p_cat'), ('dog', 'p_dog'), ('ant', 'p_ant'))
    """
    stems = {str(name): _stem(str(name)) for name in table.columns if str(name) != label}
    words = class_words(table, label)
    if label and not words:
        return ()
    told: dict[str, str] = {}
    for word in words:
        fits = [name for name, stem in stems.items() if _plain(word) in (_plain(name), _plain(stem))]
        if len(fits) != 1 or fits[0] in told.values():
            return ()
        told[word] = fits[0]
    beside = {stem: name for name, stem in stems.items() if stem and name not in told.values() and stem not in told}
    for pairs in (told, {**told, **beside}):  # a class that no label has had yet has a column as well
        if 2 < len(pairs) <= MOST_PROPOSED and _are_probabilities(table, list(pairs.values())):
            return tuple(sorted(pairs.items(), key=lambda pair: list(stems).index(pair[1])))
    return ()


def class_words(table: pd.DataFrame, label: str) -> tuple[str, ...]:
    """The different outcomes in a column, by name; none without a column, or where they are too many to be classes."""
    if label not in table.columns:
        return ()
    words = sorted(set(names_of(table[label]).dropna()))
    return tuple(words) if len(words) <= MOST_PROPOSED else ()


def _stem(name: str) -> str:
    """The class in a column's name such as `p_setosa`; "" where it begins and ends with no word for a probability."""
    parts = re.split(r"[ _.:-]+", name, maxsplit=1)
    if len(parts) == 2 and parts[0].lower() in _BEFORE and parts[1]:
        return parts[1]
    parts = re.split(r"[ _.:-]+(?=[^ _.:-]*$)", name, maxsplit=1)
    return parts[0] if len(parts) == 2 and parts[1].lower() in _AFTER else ""


def _plain(word: str) -> str:
    """A word as columns are named by it: letters and digits alone, small."""
    return re.sub(r"\W|_", "", word.casefold())


def _are_probabilities(table: pd.DataFrame, columns: Sequence[str]) -> bool:
    numbers = table[list(columns)].head(_LOOKED_AT).apply(pd.to_numeric, errors="coerce").dropna()
    p = numbers.to_numpy(dtype=np.float64)
    return len(p) > 0 and not any(why_no_probabilities(p))


def read_scores(cells: Cells, columns: Sequence[str], *, needed: bool = True) -> Floats:
    """The probabilities of all classes, float[n, k], NaN in rows that lack one; what cannot be one is noted row by row.

    Args:
        cells: Of the file.
        columns: One a class, in the order of the classes.
        needed: Whether a row must tell them.
    """
    p = np.column_stack([cells.numbers(column, needed=needed) for column in columns])
    cells.note_rows(why_no_probabilities(p), columns[0], p.sum(axis=1))
    return np.where(np.isnan(p).any(axis=1, keepdims=True), np.nan, p)


def says_it_again(table: pd.DataFrame, classes: Sequence[str]) -> tuple[str, ...]:
    """Columns such as `predicted` that hold nothing but these classes: the answer once more, and no input.

    >>> says_it_again(pd.DataFrame({"pred": ["cat", "dog"], "y_pred": ["cat", "cow"]}), ["cat", "dog"])
    ('pred',)
    """
    again = [str(name) for name in table.columns if str(name).lower() in _ANSWERED]
    return tuple(name for name in again if set(names_of(table[name]).dropna()) <= set(classes))


def with_answers(table: pd.DataFrame, scores: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """A table with the most probable class, as a word, and the probabilities under names that tell their class.

    A row in which a probability is missing has no answer. A column such as `predicted` that says the class once more is
    left out: it is no input.

    Raises:
        InvalidInput: a column is not there, or a row's probabilities are none; the row is named.
    """
    columns = [column for _, column in scores]
    require_columns(table, columns)
    if len(columns) < 2:
        raise InvalidInput("One class is named by --scores.", hint="Name every class, or use --score for one of two.")
    if ANSWER in table.columns:
        raise InvalidInput(f"There is a column {ANSWER!r} already.", hint="Rename it.")
    cells = Cells(table, "UTC")
    p = read_scores(cells, columns, needed=False)
    if cells.said:
        first = cells.said[0]
        raise InvalidInput(f"Row {first.row + 1}, column {first.column!r}: {first.reason} ({first.sample}).")
    names = np.array([name for name, _ in scores], dtype=object)
    said = names[np.nan_to_num(p, nan=-1.0).argmax(axis=1)]
    said[np.isnan(p).any(axis=1)] = None
    again = [name for name in says_it_again(table, list(names)) if name not in columns]
    told = pd.DataFrame(p, columns=[column_of(name) for name in names], index=table.index)
    return pd.concat([table.drop(columns=[*columns, *again]).assign(**{ANSWER: said}), told], axis=1)
