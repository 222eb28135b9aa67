"""A picked row is asked about by a click, and its answer stands as bars that add up."""

from __future__ import annotations

import html
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app.charts.monitoring import contributions as chart
from app.parts.monitoring import contributions
from app.shell import session
from app.ui import live, theme
from mlops_dash.bootstrap import Services
from mlops_dash.domain.access import NOBODY
from mlops_dash.domain.monitoring.contributions import SHARE, Added, RowContributions
from mlops_dash.domain.words import JobState
from mlops_dash.store.db import transaction
from mlops_dash.store.tables.registry import ModelRow
from tests import penguins
from tests.app.conftest import words
from tests.factories import NOON, SCIENTIST, WORKER

ISLE = 'it\'s <b>"Dream"</b>'


def by_the_bill(_version_id: str, rows: pd.DataFrame) -> np.ndarray:  # type: ignore[type-arg]
    long = (rows["bill"].to_numpy(dtype=np.float64) > 40.0) & (rows["isle"] == ISLE).to_numpy()
    return np.where(long[:, None], [0.1, 0.7, 0.2], [0.8, 0.1, 0.1])


def _page() -> None:
    from types import SimpleNamespace

    from app.parts.monitoring import contributions
    from app.shell import frame
    from tests.penguins import MODEL

    now = frame.current()
    assert now is not None
    room: Any = SimpleNamespace(model=MODEL)
    contributions.panel(now, room)


def opened(house: Services, monkeypatch: pytest.MonkeyPatch, row: tuple[str, str] | None) -> AppTest:
    secret, _ = house.access.login_demo(NOBODY, "scientist")
    monkeypatch.setattr(session, "cookie_secret", lambda: secret)
    page = AppTest.from_function(_page, default_timeout=30)
    page.session_state[contributions.PICKED] = row
    return page.run()


def test_a_picked_row_is_asked_about_and_its_answer_stands_as_bars(
    house: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks: list[float] = []
    ticking = live.ticking

    def counted(seconds: float) -> Any:
        ticks.append(seconds)
        return ticking(seconds)

    monkeypatch.setattr(live, "ticking", counted)
    table = penguins.penguins(house.context.clock.now(), days=45)
    table["isle"] = table["isle"].replace("Dream", ISLE)
    penguins.watched(house, penguins.with_probabilities(table))
    with transaction(house.context.databases.app) as opened_session:
        opened_session.get_one(ModelRow, penguins.MODEL).source = "mlflow"
    assert "Pick a row" in words(opened(house, monkeypatch, None))
    one = house.monitoring.column_rows(SCIENTIST, penguins.MODEL, "isle").moved[0]
    row = (one["row"], one["at"])
    page = opened(house, monkeypatch, row)
    assert "Nobody has asked yet." in words(page)
    page.button(key="row-ask").click().run()
    assert not page.exception
    job = house.jobs.claim(WORKER, "here")
    assert job is not None
    page = opened(house, monkeypatch, row)
    assert "A worker is about to answer." in words(page)
    assert page.button(key="row-ask").disabled
    found = house.monitoring.explain_row(WORKER, penguins.MODEL, one["row"], by_the_bill)
    before = list(ticks)
    assert before, "while a worker is about to answer it is looked for"
    house.jobs.finish(WORKER, job.id, job.epoch, JobState.SUCCEEDED, result=found.without_values().as_json())
    page = opened(house, monkeypatch, row)
    assert not page.exception
    assert html.escape(f"isle = {one['isle']}", quote=False) in words(page).replace("\\", "")
    assert "and all bars add up to" in words(page)
    assert ticks == before, "what is there is not looked for every two seconds"


def told(columns: int, unit: str = "min") -> RowContributions:
    added = tuple(Added(f"c{at}", (-1.0) ** at * (columns - at), None, None, str(at)) for at in range(columns))
    return RowContributions("r1", NOON, "3", "answer", unit, "41", 20.0, 20.0 + sum(one.amount for one in added),
                            added, True, 200, "the reference")  # fmt: skip


def test_bars_and_base_add_up_also_where_small_columns_are_one_bar() -> None:
    for columns in (0, 1, 13, 40):
        found = told(columns)
        drawn = chart.bars(found)
        assert len(drawn) == min(columns, 13)
        assert found.base + sum(one.amount for one in drawn) == pytest.approx(found.total)
        figure = chart.figure(found, theme.tokens("dark"))
        assert len(figure.data[0].x) == len(drawn)
        assert len(chart.table(found)) == columns + 2
    assert chart.bars(told(40))[-1].column == "(28 other columns)"
    assert chart.axis(told(1)) == "adds to the answer (min)"
    assert chart.axis(told(1, SHARE)) == "adds to the answer"


def test_intervals_are_drawn_where_orders_were() -> None:
    found = told(1)
    assert chart.figure(found, theme.tokens("light")).data[0].error_x.visible is False
    sampled = RowContributions(**{**vars(found), "added": (Added("x", 2.0, 1.5, 2.5, "<b>'x'</b>"),), "exact": False})
    figure = chart.figure(sampled, theme.tokens("light"))
    drawn = figure.data[0]
    assert (drawn.error_x.visible, list(drawn.error_x.array), list(drawn.error_x.arrayminus)) == (True, [0.5], [0.5])
    assert "&lt;b&gt;" in figure.layout.yaxis.ticktext[0]
    assert chart.table(sampled)["95 %"].tolist()[1] == "[+1.500, +2.500]"


def test_two_columns_whose_names_begin_alike_have_a_bar_each() -> None:
    long = "mean_waiting_minutes_of_the_last_hour_in_queue_"
    added = (Added(f"{long}north", 0.3), Added(f"{long}south", -0.2), Added("it's", 0.1))
    found = RowContributions("r", NOON, "2", "probability of late", SHARE, "late", 0.2, 0.4, added, True, 50, "rows")
    drawn = chart.figure(found, theme.tokens("light"))
    assert len(set(drawn.data[0].y)) == 3
    assert list(drawn.data[0].x) == [0.1, -0.2, 0.3]
    assert len(drawn.layout.yaxis.ticktext) == len(drawn.layout.yaxis.tickvals) == 3
