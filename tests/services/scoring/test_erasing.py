"""An erasure leaves no byte of somebody's archived rows, whatever a killed move or a late label left beside them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from mlops_dash.bootstrap import build
from mlops_dash.clock import fixed
from mlops_dash.store import prediction_log
from mlops_dash.store.db import transaction
from mlops_dash.store.prediction_log import Label, Prediction, moving, to_us
from tests import factories
from tests.factories import LEAD, SCIENTIST, WORKER

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MODEL = 'Müller\'s "night" load'
DAY_US = to_us(datetime(2026, 1, 20, tzinfo=UTC))


def test_files_that_no_line_of_the_manifest_names_go_with_the_erased(tmp_path: Path) -> None:
    services = build(factories.settings(tmp_path), clock=fixed(NOW))
    services.registry.add_model(SCIENTIST, MODEL, task="regression", source="external", reason="theirs")
    log = services.context.databases.log
    rows = [Prediction(MODEL, f"p{n}", DAY_US + n, "", n, "", json.dumps({"who": f"person-{n}"})) for n in range(4)]
    with transaction(log) as session:
        prediction_log.append(session, rows, [], marked_us=to_us(NOW))
        prediction_log.append_labels(session, [Label(MODEL, "p0", 1.0, DAY_US, DAY_US)])
    assert services.retention.retain(WORKER).moved == {MODEL: 4}
    with transaction(log) as session:  # a correction: the file of labels before is replaced, and stays for its readers
        prediction_log.append_labels(session, [Label(MODEL, "p0", 2.0, DAY_US + 1, to_us(NOW))])
        prediction_log.append(session, [rows[0]._replace(prediction_id="late")], [], marked_us=to_us(NOW))
    assert services.retention.fold_labels(WORKER).labels == 1
    killed = moving.move_day(log, MODEL, DAY_US, now_us=to_us(NOW))
    next(killed)  # its file is written and not named
    killed.close()
    cold = services.context.settings.home / "cold"
    whole = next(path for path in cold.rglob("prediction-*.parquet"))
    (whole.parent / "prediction.0a0b0c0d.tmp").write_bytes(whole.read_bytes())
    assert len(list(cold.rglob("*.*"))) == 5

    about = services.scoring.about(LEAD, MODEL, "person-0", column="who")
    assert services.scoring.erase_rows(LEAD, about) == 2
    left = {one.file.path for one in services.retention.files(LEAD, MODEL)}
    assert {path.relative_to(cold).as_posix() for path in cold.rglob("*.*") if path.is_file()} == left
    assert len(left) == 1  # of the three others
    assert services.retention.overview(LEAD).models[0].archived == 3
