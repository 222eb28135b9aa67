"""The Monitoring page of a model that answers with words: its menu, its sentence and its confusion table say words."""

from __future__ import annotations

import html

import pytest

from mlops_dash.bootstrap import Services
from tests.app.conftest import OpenPage, words
from tests.factories import ADMIN
from tests.penguins import MODEL, ODD, SPECIES, penguins, watched


@pytest.mark.timeout(300)
def test_the_page_names_the_species_that_got_worse_and_shows_what_it_is_taken_for(
    house: Services, open_page: OpenPage
) -> None:
    table = penguins(house.context.clock.now(), days=70, worse_from=45)
    watched(house, table)
    page = open_page("monitoring", "lead", metric=f"recall:{ODD}")
    said = words(page)
    assert f"Told right less often than in the reference: {ODD} (recall " in html.unescape(said)
    assert f"Recall of {ODD} against its reference" in html.unescape(said)
    menu = next(one for one in page.selectbox if one.key == "metric-pick").options
    assert menu[:3] == [
        "Right answers, classes as common as in the reference: Recall at the reference's shares",
        "Right answers: Accuracy, days pooled",
        "Finds every class, and rarely wrongly: Macro F1, days pooled",
    ]
    assert menu[-3:] == [f"Finds {name}: Recall of {name}" for name in SPECIES]
    room = house.monitoring.room(ADMIN, MODEL)
    assert room.confusion is not None
    last = table.iloc[-28 * 60 :]
    expected = [
        [int(((last["label"] == true) & (last["score"] == answer)).sum()) for answer in SPECIES] for true in SPECIES
    ]
    assert room.confusion.words == SPECIES
    assert [list(row) for row in room.confusion.counts] == expected
    assert "the last 28 ripe days, by true class and answer" in said
    share = round(24 * expected[2][2] / sum(expected[2]))
    cell = "<td class='count' style='background:color-mix(in srgb,currentColor"
    assert f"{cell} {share}%,transparent)'>{expected[2][2]:,}</td>" in said, "to the right, the fuller the darker"
    assert "Label rate" not in said
    assert "Gentoo (recall" not in said


def test_a_metric_that_no_model_has_shows_the_first_one(house: Services, open_page: OpenPage) -> None:
    watched(house, penguins(house.context.clock.now(), days=34))
    said = html.unescape(words(open_page("monitoring", "lead", metric="recall:Emperor")))
    assert "Recall at the reference's shares against its reference" in said
