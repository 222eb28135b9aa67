"""`mlops-dash why MODEL`: the ranking in words and as JSON, and what cannot be measured said as a sentence."""

from __future__ import annotations

import json

from mlops_dash.bootstrap import Services
from mlops_dash.domain.audit import Action
from mlops_dash.store import audit
from mlops_dash.store.db import reading
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
