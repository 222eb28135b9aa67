"""The card Parts of the rows: what is worse with its numbers, what nobody measured, and who may ask."""

from __future__ import annotations

import html

import numpy as np
import pandas as pd

from app.parts.monitoring import fairness, slices
from mlops_dash.bootstrap import Services
from tests.app.conftest import OpenPage, words
from tests.factories import SCIENTIST, VIEWER, WORKER
from tests.penguins import MODEL, PER_DAY, SPECIES, penguins, watched

ISLE = 'it\'s <b>"Dream"</b>'


def island(house: Services) -> pd.DataFrame:
    table = penguins(house.context.clock.now(), days=64)
    table["isle"] = table["isle"].replace("Dream", ISLE)
    wrong = (table["isle"] == ISLE) & (np.random.default_rng(1).random(len(table)) < 0.35)
    wrong &= table.index >= 36 * PER_DAY
    table.loc[wrong, "score"] = [SPECIES[(SPECIES.index(one) + 1) % 3] for one in table.loc[wrong, "label"]]
    return table


def test_the_card_says_that_nobody_measured_and_then_the_worst_part_as_it_is_written(
    house: Services, open_page: OpenPage
) -> None:
    watched(house, island(house))
    page = open_page("monitoring", "viewer")
    assert "Not known in which part of the rows it is worse: nobody has measured them yet." in words(page)
    assert page.button(key="slices-ask").disabled
    assert "Needs the role scientist" in page.button(key="slices-ask").help
    house.registry.edit_model(SCIENTIST, MODEL, {"slices": ["isle"]}, reason="isles differ")
    found = house.monitoring.measure_slices(WORKER, MODEL)
    page = open_page("monitoring", "scientist")
    assert not page.exception
    assert html.escape(found.sentence, quote=False) in words(page)
    assert not page.button(key="slices-ask").disabled
    table = slices.table(found, "UTC", found.parts)
    worst = table.iloc[0]
    assert (worst["Part"], worst["Named by"]) == (f"isle is {ISLE}", "the owner")
    assert worst["More than others, 95 %"].startswith("+0.")
    assert "[+0." in worst["More than others, 95 %"]
    assert {"the owner", "found"} == set(slices.short(found, found.parts)["Named by"])
    house.monitoring.ask_slices(SCIENTIST, MODEL, "once more")
    page = open_page("monitoring", "scientist")
    assert page.button(key="slices-ask").disabled
    assert "A worker is measuring them." in page.button(key="slices-ask").help
    assert house.monitoring.room(VIEWER, MODEL).slices.asked


def test_gaps_between_groups_stand_below_with_the_widest_in_a_sentence(house: Services, open_page: OpenPage) -> None:
    watched(house, island(house))
    assert "Gaps between groups" not in words(open_page("monitoring", "viewer"))
    house.registry.edit_model(SCIENTIST, MODEL, {"groups": ["isle"]}, reason="isles must fare alike")
    page = open_page("monitoring", "viewer")
    assert "Gaps between groups are not known: nobody has measured them yet." in words(page)
    house.monitoring.measure_slices(WORKER, MODEL)
    found = house.monitoring.fairness(VIEWER, MODEL)
    page = open_page("monitoring", "viewer")
    assert not page.exception
    assert html.escape(found.sentence, quote=False) in words(page)
    table = fairness.table(found, found.gaps)
    assert table.iloc[0]["Is"] == "apart"
    assert "[+0." in table.iloc[0]["Gap, 95 %"]
    assert ISLE in table.iloc[0]["Group"] + table.iloc[0]["Beside"]
