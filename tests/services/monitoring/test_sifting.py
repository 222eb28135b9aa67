"""Counting is total: whatever a logged row holds, it is counted or set aside, and nothing raises."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_dash.domain.tasks import BINARY, REGRESSION
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.services.monitoring.sifting import sift
from mlops_dash.store.monitoring.parts import Layout, clip_of, count_rows, layout_of, pack, unpack

RNG = np.random.default_rng(3)
PAST = pd.DataFrame(
    {
        "x": RNG.normal(size=400),
        "kind": RNG.choice(["flat", "barn"], 400),
        "empty": [None] * 400,
        "score": RNG.random(400),
        "label": (RNG.random(400) < 0.4).astype(float),
    }
)
LAYOUTS = {
    task: layout_of(PAST, features=["x", "kind", "empty"], clip=clip_of(0.01), task=task)[0]
    for task in (BINARY, REGRESSION)
}
VALUE = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["n/a", "nan", "1e5", 10**400, -(10**400), [1], {"a": 1}])
)
NUMBER = st.floats() | st.sampled_from([0.0, 0.5, 1.0, 37.5, 1e300])


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    rows = draw(st.lists(st.tuples(VALUE, VALUE, VALUE, NUMBER, NUMBER), min_size=1, max_size=12))
    frame = pd.DataFrame([dict(zip(("x", "kind", "empty"), row, strict=False)) for row in rows], dtype=object)
    frame["score"] = np.array([row[3] for row in rows], dtype=np.float64)
    frame["label"] = np.array([row[4] for row in rows], dtype=np.float64)
    return frame


@settings(max_examples=150, deadline=None)
@given(frames(), st.sampled_from([BINARY, REGRESSION]))
def test_any_rows_are_counted_or_set_aside_and_their_parts_are_finite(frame: pd.DataFrame, task: ModelTask) -> None:
    layout: Layout = LAYOUTS[task]
    kept, unfit = sift(layout, frame)
    (part,) = count_rows(layout, kept, np.zeros(len(kept), dtype=np.int64), 1)
    gone = {one.row for one in unfit if one.column != "label"}
    assert part.n == len(frame) - len(gone)
    assert len({one.row for one in unfit}) == len(unfit)
    assert np.isfinite(part.labelled.numbers()).all()
    assert unpack(layout, pack(part)).n == part.n


def test_good_rows_are_handed_through_as_they_are() -> None:
    kept, unfit = sift(LAYOUTS[BINARY], PAST)
    assert kept is PAST
    assert unfit == ()


@pytest.mark.parametrize(
    ("column", "value", "counted"),
    [("x", "n/a", 399), ("x", 10**400, 399), ("score", 37.5, 399), ("label", 7.0, 400), ("kind", 12, 400)],
)
def test_one_bad_value_costs_its_row_alone(column: str, value: object, counted: int) -> None:
    frame = PAST.copy().astype({"x": object, "kind": object})
    frame.loc[17, column] = value
    kept, unfit = sift(LAYOUTS[BINARY], frame)
    (part,) = count_rows(LAYOUTS[BINARY], kept, np.zeros(len(kept), dtype=np.int64), 1)
    assert part.n == counted
    assert [(one.row, one.column) for one in unfit] == ([] if column == "kind" else [(17, column)])
