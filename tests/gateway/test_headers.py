"""Whom a request is for, in a header: the very name that its events have, in any script, or a refusal."""

from __future__ import annotations

import json
from pathlib import Path

from mlops_dash.domain.ab_tests.assigning import unit_key
from mlops_dash.domain.ab_tests.rules import NewTest
from mlops_dash.services.ab_tests import ABTestService
from mlops_dash.store.db import reading
from tests.factories import LEAD, SCIENTIST
from tests.gateway.test_app import HEADERS, Tokens, furnished, open_client, split
from tests.served import MODEL, Served

ZOE = 'Zoë\'s <b>"名"</b>'


def test_a_unit_beyond_ascii_is_kept_as_its_events_name_it_and_other_bytes_are_refused(
    served: Served, tmp_path: Path
) -> None:
    home = furnished(served, tmp_path)
    tests = ABTestService(home)
    wanted = NewTest(MODEL, f"{MODEL}-v2", question="?", planned_units=1_000, unit="entity", entity="who", key="k")
    made = tests.design(SCIENTIST, wanted)
    tests.start(LEAD, made.id, made.revision, reason="go")
    path, body = f"/models/{MODEL}/invocations", json.dumps(split(2)).encode()
    with open_client(home, Tokens(), headers={**HEADERS, "Content-Type": "application/json"}) as client:
        assert client.post(path, content=body, headers={b"X-Prediction-Unit": ZOE.encode()}).status_code == 200  # type: ignore[dict-item]
        for bytes_, said in ((ZOE[:3].encode("latin-1"), "is not UTF-8"), (b"x" * 300, "is no name")):
            refused = client.post(path, content=body, headers={b"X-Prediction-Unit": bytes_})  # type: ignore[dict-item]
            assert (refused.status_code, said in refused.json()["message"]) == (422, True)
    with reading(home.databases.log) as session:
        kept = session.connection().exec_driver_sql("SELECT entity_key FROM prediction").scalars().all()
    assert kept == [unit_key("k", ZOE)] * 2
    home.databases.dispose()
