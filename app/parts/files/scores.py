"""One column a class: which column holds the probability of which class, proposed by the columns' names."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.shell import session
from app.ui.text import plain
from mlops_dash.errors import InvalidInput
from mlops_dash.services.classes import class_words, proposed_scores, with_answers

_KEPT = "watch-each-proposed"
Scores = tuple[tuple[str, str], ...]
_HELP = "Where the model gave each class a probability: the most probable one is its answer"


def fields(table: pd.DataFrame, label: str, key: str) -> Scores:
    """(class, column) as chosen; empty where no three classes are known, or the model answered otherwise.

    Args:
        table: The file.
        label: Its column of outcomes; "" where there is none.
        key: Of the file: what is chosen is kept for it.
    """
    key = f"{key}-{label}"
    kept = session.get(_KEPT)
    if kept is None or kept[0] != key:  # a long file is looked through once
        kept = (key, class_words(table, label), dict(proposed_scores(table, label)))
        session.put(_KEPT, kept)
    _, words, proposed = kept
    classes = tuple(dict.fromkeys([*words, *proposed]))
    if len(classes) < 3:
        return ()
    if not st.checkbox("A probability for each class", value=bool(proposed), key=f"watch-each-{key}", help=_HELP):
        return ()
    columns = [str(name) for name in table.columns if str(name) != label]
    found = []
    with st.grid(2, min_column_width=150, gap="small"):
        for name in classes:
            held = proposed.get(name)
            column = st.selectbox(
                plain(name), columns, index=None if held is None else columns.index(held), format_func=plain,
                key=f"watch-each-{key}-{name}", placeholder="which column?",
            )  # fmt: skip
            found.append((name, column or ""))
    return tuple(found)


def answered(table: pd.DataFrame, scores: Scores) -> pd.DataFrame:
    """The file with the most probable class beside the probabilities, which are named by their class.

    Raises:
        InvalidInput: a class has no column or shares it, or a row's probabilities are none.
    """
    for place, (name, column) in enumerate(scores):
        if not column:
            raise InvalidInput(f"The class {name!r} has no column.", hint="Choose the column of its probability.")
        if column in [other for _, other in scores[:place]]:
            raise InvalidInput(f"The column {column!r} is chosen for two classes.", hint="Choose another for one.")
    return with_answers(table, scores)
