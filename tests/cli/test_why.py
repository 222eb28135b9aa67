"""`mlops-dash why MODEL`: the ranking in words and as JSON, and what cannot be measured said as a sentence."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from mlops_dash.bootstrap import Services
from mlops_dash.domain.access import Actor
from mlops_dash.domain.audit import Action
from mlops_dash.services.scoring.again import Again
from mlops_dash.stats.arrays import Floats
from mlops_dash.store import audit
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.tables.registry import ModelRow
from tests import penguins
from tests.cli.conftest import Run


def test_the_ranking_of_a_model_that_others_serve(house: Services, run: Run) -> None:
    table = penguins.penguins(house.context.clock.now(), days=60)
    table.loc[table.index[40 * penguins.PER_DAY :], "bill"] += 12.0
    penguins.watched(house, table)
    code, out, _ = run("why", penguins.MODEL)
    assert code == 0
    assert out.startswith("bill: moved; nothing got worse for sure; excess PSI ")
    assert "ranked by drift alone" in out.lower()
    told = json.loads(run("why", penguins.MODEL, "--json")[1])
    assert told["model"] == penguins.MODEL
    assert [one["column"] for one in told["ranked"]] == ["bill"]
    assert told["importance"]["by"] == "unknown"
    rows = json.loads(run("why", penguins.MODEL, "--rows", "bill", "--json")[1])["rows"]
    assert rows["rows"][0]["answer"] in penguins.SPECIES
    assert rows["median_now"] > rows["median_before"] + 9
    assert "rows of the first windows, of the other cells:" in run("why", penguins.MODEL, "--rows", "bill")[1]
    code, out, _ = run("why", penguins.MODEL, "--measure", "--json")
    assert code == 0
    assert "others serve this model" in json.loads(out)["importance"]["why"]
    with reading(house.context.databases.app) as session:
        (entry,) = [one for one in audit.entries(session) if one.action == Action.WHY_REQUESTED]
    assert (entry.model, entry.object, entry.reason) == (penguins.MODEL, "v1", "asked on the command line")
    assert run("why", penguins.MODEL, "--measure", "--reason", " ")[0] == 2
    code, _, err = run("why", penguins.MODEL, "--row", rows["rows"][0]["row"])
    assert (code, "others serve this model" in err) == (2, True)
    assert "holds no row 'nobody'" in run("why", penguins.MODEL, "--row", "nobody")[2]
    for wrong in ("noon", "0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59.999999+00:00", "9999-12-31"):
        with pytest.raises(SystemExit):
            run("why", penguins.MODEL, "--row", "x", "--at", wrong)


def test_a_row_is_explained_with_its_base_its_columns_and_its_sum(
    house: Services, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    penguins.watched(house, penguins.penguins(house.context.clock.now(), days=45))
    with transaction(house.context.databases.app) as session:
        session.get_one(ModelRow, penguins.MODEL).source = "mlflow"

    def by_the_bill(_again: Again, _actor: Actor, _model: str, _version_id: str, asked: pd.DataFrame) -> Floats:
        return np.asarray(asked["bill"] > 40.0, dtype=np.float64)

    monkeypatch.setattr(Again, "answer_again", by_the_bill)
    row = json.loads(run("why", penguins.MODEL, "--rows", "bill", "--json")[1])["rows"]["rows"][0]["row"]
    code, out, _ = run("why", penguins.MODEL, "--row", row, "--json")
    told = json.loads(out)
    assert (code, told["model"], told["row"]["row"]) == (0, penguins.MODEL, row)
    found = told["row"]
    assert found["base"] + sum(one["amount"] for one in found["columns"]) == pytest.approx(found["total"])
    said = run("why", penguins.MODEL, "--row", row)[1]
    assert "mean of the reference rows" in said
    assert "bill = " in said
    assert said.rstrip().endswith("rows of the first windows.")


def test_of_nothing_nothing_is_told(house: Services, run: Run) -> None:
    code, _, err = run("why", "nobody")
    assert code == 2
    assert "No model nobody" in err
    penguins.begin(house, penguins.penguins(house.context.clock.now(), days=30))
    assert "No window of it is judged yet" in run("why", penguins.MODEL)[1]


def test_a_classifier_is_estimated_at_every_judgement_and_not_by_a_model_of_its_loss(house: Services, run: Run) -> None:
    penguins.watched(house, penguins.penguins(house.context.clock.now(), days=40))
    code, _, err = run("estimate", penguins.MODEL)
    assert code == 2
    assert f"Nothing of {penguins.MODEL} is estimated by a model of its loss." in err
    assert "Classifiers are estimated at every judgement" in err
