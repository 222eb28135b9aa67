"""Trust in files that serve is taken back: the process that holds them lets go, and loads them no more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from mlops_dash.clock import Clock
from mlops_dash.errors import BrokenModel
from mlops_dash.services.command import Context
from mlops_dash.services.scoring import ScoringService, following
from mlops_dash.store import trust
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.tables.registry import ServingRow
from mlops_dash.store.trust import TrustedFiles
from mlops_dash.tracking.models.loading import ModelCache
from mlops_dash.tracking.models.trust import artifact_digest
from tests import factories
from tests.factories import ADMIN, NOON, SCIENTIST, WORKER
from tests.pickled import WORDS, save_colours

MODEL = 'it\'s "colours"'
ROWS = pd.DataFrame({"hue": [0.1, -0.4], "depth": [0.3, 0.2]})


@pytest.fixture
def context(tmp_path: Path, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Context]:
    monkeypatch.setattr(following, "STALE_SECONDS", 0.0)
    made = factories.context(tmp_path, clock=Clock(wall=lambda: NOON), mlflow_uri=mlflow_uri)
    folder = save_colours(tmp_path / "colours")
    digest = artifact_digest(folder)
    with transaction(made.databases.app) as session:
        session.add(factories.model_row(MODEL, task="multiclass", class_names=list(WORDS)))
        session.add(factories.version_row("1", MODEL, artifact_digest=digest, source_uri=str(folder)))
        session.flush()
        row = ServingRow(
            model=MODEL, version_id=f"{MODEL}-v1", shadow_version_ids=[], epoch=1, operation_id="o", since=NOON
        )
        session.add(row)
        trust.put(session, TrustedFiles(digest, MODEL, "1", "our own", ADMIN.id, NOON))
    yield made
    made.databases.dispose()


def scoring_of(context: Context) -> ScoringService:
    def is_trusted(digest: str) -> bool:
        with reading(context.databases.app) as session:
            return trust.is_trusted(session, digest)

    models = ModelCache(context.settings.mlflow_uri, context.settings.home, trusted=is_trusted)
    return ScoringService(context, models)


def withdraw(context: Context) -> None:
    with transaction(context.databases.app) as session:
        [one] = trust.of_model(session, MODEL)
        trust.withdraw(session, one.digest)


def test_a_process_that_serves_them_lets_go(context: Context) -> None:
    scoring = scoring_of(context)
    assert scoring.score(SCIENTIST, MODEL, ROWS, batch_id="before").version == "1"
    withdraw(context)
    [told] = scoring.follow(WORKER, "gateway-1")
    assert (told.version_id, "trust" in told.error) == ("", True)
    with pytest.raises(BrokenModel):
        scoring.score(SCIENTIST, MODEL, ROWS, batch_id="after")


def test_a_request_that_comes_first_is_not_answered_either(context: Context) -> None:
    scoring = scoring_of(context)
    scoring.follow(WORKER, "gateway-1")
    withdraw(context)
    with pytest.raises(BrokenModel):
        scoring.score(SCIENTIST, MODEL, ROWS, batch_id="after")
    body = b'{"dataframe_records": [{"hue": 0.1, "depth": 0.3}]}'
    [asked] = [scoring.ask(SCIENTIST, MODEL, body, "application/json", batch_id="b")]
    [[(_, said)]] = list(scoring.answer_all(WORKER, MODEL, [asked]))
    assert isinstance(said, BrokenModel)


def test_a_new_process_does_not_load_them_and_trust_given_anew_serves_again(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    with reading(context.databases.app) as session:
        [known] = trust.of_model(session, MODEL)
    withdraw(context)
    monkeypatch.setattr(following, "RETRY_BROKEN_SECONDS", 0.0)
    scoring = scoring_of(context)
    with pytest.raises(BrokenModel):
        scoring.score(SCIENTIST, MODEL, ROWS, batch_id="after")
    with transaction(context.databases.app) as session:
        trust.put(session, known)
    assert scoring.score(SCIENTIST, MODEL, ROWS, batch_id="again").version == "1"
