"""The Monitoring page of a regression: every number of its chart carries the unit of the label."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.charts import monitoring as charts
from app.theme import tokens
from mlops_dash.bootstrap import Services
from mlops_dash.domain.monitoring import ABSOLUTE_ERROR, RANKING
from mlops_dash.store.db import transaction
from mlops_dash.store.tables_app import ModelRow, PolicyVersionRow
from tests.pages.conftest import OpenPage, words
from tests.services.monitoring_world import MODEL, world
from tests.services.test_regression import POLICY, Minutes


@pytest.fixture
def harmed(house: Services) -> Minutes:
    """Nine good days, then two weeks with 12 minutes too much."""
    base = world(house.context)
    made = Minutes(base.context, house.monitoring)
    house.context.clock.offset_source = None
    house.context.clock.wall = lambda: made.now
    with transaction(house.context.databases.app) as session:
        session.get_one(ModelRow, MODEL).task = "regression"
        row = session.get_one(PolicyVersionRow, "policy")
        row.body, row.digest = POLICY.as_json(), POLICY.digest
    made.reference()
    made.live(9)
    made.worse = 12.0
    made.live(14)
    made.evaluate(timedelta(days=1))
    return made


def test_the_page_says_minutes_and_never_a_rate_of_labels(harmed: Minutes, open_page: OpenPage) -> None:
    page = open_page("monitoring", "lead")
    said = words(page)
    assert "MAE (min) against its reference" in said
    assert "min above its reference" in said
    assert "min too high on average" in said
    assert "Label rate" not in said
    assert next(one for one in page.selectbox if one.key == "metric-pick").options == [
        "MAE", "RMSE, days pooled", "Bias, prediction − label", "Mean label",
    ]  # fmt: skip


def test_a_metric_of_a_classifier_in_the_address_shows_the_mae(harmed: Minutes, open_page: OpenPage) -> None:
    assert "MAE (min) against its reference" in words(open_page("monitoring", "lead", metric="auc"))


def test_chart_table_and_sentence_carry_the_unit(harmed: Minutes) -> None:
    data = harmed.room().performance
    assert data is not None
    table = charts.performance_table(data, "UTC")
    ripe = table[table["State"] == "ripe"].iloc[0]
    assert ripe["Day alone"].endswith(" min")
    assert ripe["Last 7 ripe days"].endswith(" min")
    assert ripe["95 % interval"].startswith("[")
    assert "min" not in ripe["95 % interval"]
    assert " min, +" in charts.performance_alt(data)
    assert "beyond its bound" in charts.performance_alt(data)
    figure = charts.performance_figure(data, "UTC", tokens("light"))
    notes = [note.text for note in figure.layout.annotations]
    assert any(note.startswith("harm bound<br>") and note.endswith(" min") for note in notes)
    assert any("%{y:.2f} min" in (trace.hovertemplate or "") for trace in figure.data)


def test_errors_are_better_when_lower_and_rounded_to_hundredths() -> None:
    assert not ABSOLUTE_ERROR.higher
    assert (ABSOLUTE_ERROR.decimals, RANKING.decimals) == (2, 3)
