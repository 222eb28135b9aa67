"""Storage on Audit & admin: what is in tables and in cold files, how long everything is kept, and what is wrong."""

from __future__ import annotations

import json
from datetime import timedelta

from mlops_dash.bootstrap import Services
from mlops_dash.store import prediction_log, world
from mlops_dash.store.db import transaction
from mlops_dash.store.prediction_log import Prediction, to_us
from tests.app.conftest import OpenPage, words
from tests.factories import ADMIN, SCIENTIST

MODEL = 'it\'s "late"'


def test_nothing_logged_is_said_beside_the_limits(house: Services, open_page: OpenPage) -> None:
    said = words(open_page("audit", "viewer", tab="Storage"))
    assert "Nothing is logged yet" in said
    assert "14 days after they are ripe (MLOPS_DASH_HOT_DAYS)" in said


def test_rows_of_a_model_stand_by_where_they_are(house: Services, open_page: OpenPage) -> None:
    house.registry.add_model(SCIENTIST, MODEL, task="regression", source="external", reason="test")
    now = house.context.clock.now()
    rows = [
        Prediction(MODEL, f"r{day}", to_us(now - timedelta(days=day)), "", 0, "", json.dumps({"x": 1.5}))
        for day in range(30)
    ]
    with transaction(house.context.databases.log) as session:
        prediction_log.append(session, rows, [], marked_us=to_us(now))
    before = open_page("audit", "viewer", tab="Storage").dataframe[0].value.iloc[0]
    assert (before["Hot rows"], before["Old enough to move"], before["Archived rows"]) == ("30", "14", "0")
    house.retention.retain(ADMIN)
    with transaction(house.context.databases.app) as session:
        world.put(session, "retention", {"at": now.isoformat(), "troubles": {MODEL: "A file is damaged."}})
    page = open_page("audit", "viewer", tab="Storage")
    after = page.dataframe[0].value.iloc[0]
    assert (after["Hot rows"], after["Old enough to move"], after["Archived rows"]) == ("16", "0", "14")
    assert "were not moved" in words(page)
