"""Parts are exact: they add up to the whole, pack and unpack without loss, and belong to their reference's cells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlops_dash.domain.tasks import BINARY
from mlops_dash.domain.tasks.binary import ClassSummary
from mlops_dash.errors import InvalidInput
from mlops_dash.stats.summaries import Moments, count_by
from mlops_dash.store.monitoring.parts import (
    SCORE,
    Layout,
    Part,
    clip_of,
    count_rows,
    empty,
    layout_of,
    pack,
    pack_all,
    total,
    unpack,
    unpack_all,
)


def rows(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    place = rng.choice(list("abc"), n).astype(object)
    frame = pd.DataFrame({"x": rng.normal(size=n), "place": place, "score": rng.uniform(0.01, 0.99, n)})
    frame["label"] = (rng.random(n) < frame["score"]).astype(float)
    frame.loc[frame.index[::7], "label"] = np.nan
    frame.loc[frame.index[::5], "x"] = np.nan
    return frame


@pytest.fixture(scope="module")
def layout() -> Layout:
    return layout_of(rows(4_000, 1), features=["x", "place"], clip=clip_of(0.01), task=BINARY)[0]


def of_classes(part: Part) -> ClassSummary:
    assert isinstance(part.labelled, ClassSummary)
    return part.labelled


def test_parts_add_up_to_the_whole_exactly(layout: Layout) -> None:
    frame = rows(1_200, 2)
    hours = np.arange(1_200, dtype=np.int64) % 24
    whole = count_rows(layout, frame, np.zeros(1_200, dtype=np.int64), 1)[0]
    added = total(layout, count_rows(layout, frame, hours, 24))
    assert (added.counts == whole.counts).all()
    assert (added.n, added.n_labelled) == (1_200, frame["label"].notna().sum())
    days, year = of_classes(added), of_classes(whole)
    assert (days.table == year.table).all()
    assert days.positives == frame["label"].sum()
    assert days.squared == pytest.approx(year.squared)
    for a, b in zip(days.losses, year.losses, strict=True):
        assert (a.n, a.mean, a.m2, a.m3) == pytest.approx((b.n, b.mean, b.m2, b.m3))


def test_a_part_counts_what_the_rows_say(layout: Layout) -> None:
    frame = rows(500, 3)
    part = count_rows(layout, frame, np.zeros(500, dtype=np.int64), 1)[0]
    assert part.histogram(layout, "x").missing == frame["x"].isna().sum()
    assert part.histogram(layout, SCORE).n == 500
    late = frame[frame["label"] == 1.0]
    assert of_classes(part).losses[1].mean == pytest.approx(-np.log(np.maximum(late["score"], 0.01)).mean())
    absent = count_rows(layout, frame.drop(columns="place"), np.zeros(500, dtype=np.int64), 1)[0]
    assert absent.histogram(layout, "place").missing == 500


def test_packing_loses_nothing(layout: Layout) -> None:
    parts = [*count_rows(layout, rows(300, 4), np.arange(300, dtype=np.int64) % 3, 3), empty(layout)]
    for part, back in zip(parts, unpack_all(layout, pack_all(parts)), strict=True):
        assert (back.n, back.labelled.numbers()) == (part.n, part.labelled.numbers())
        assert (back.counts == part.counts).all()
        assert (of_classes(back).table == of_classes(part).table).all()
    assert of_classes(empty(layout)).losses == (Moments.empty(), Moments.empty())
    assert Layout.from_dict(layout.to_dict()) == layout


def test_a_profile_of_other_cells_is_refused(layout: Layout) -> None:
    other = layout_of(rows(4_000, 9), features=["x"], clip=clip_of(0.01), task=BINARY)[0]
    with pytest.raises(InvalidInput, match="its reference"):
        unpack(other, pack(empty(layout)))


def test_no_feature_may_take_the_scores_name() -> None:
    with pytest.raises(InvalidInput):
        layout_of(rows(50, 1).assign(**{SCORE: 1.0}), features=[SCORE], clip=4.6, task=BINARY)


def test_a_column_of_texts_is_counted_as_its_rows_one_by_one_are() -> None:
    frame = rows(3_000, 5)
    frame.loc[frame.index[::9], "place"] = None
    frame.loc[frame.index[::50], "place"] = "never seen"
    layout = layout_of(rows(4_000, 1), features=["x", "place"], clip=clip_of(0.01), task=BINARY)[0]
    groups = np.arange(3_000, dtype=np.int64) % 7
    quick = np.stack([part.counts for part in count_rows(layout, frame, groups, 7)])[:, layout.slices["place"]]
    slow = count_by(layout.columns["place"], frame["place"].tolist(), groups, 7)
    assert (quick == slow).all()
    assert quick[:, -1].sum() == (frame["place"] == "never seen").sum()
