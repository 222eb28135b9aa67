"""Whatever is sent, the gateway answers as its OpenAPI says, and what it accepts can be read back and digested."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from mlops_dash.domain.schema import EARLIEST, LARGEST, LATEST
from mlops_dash.services.command import Context
from mlops_dash.services.monitoring import MonitoringService
from tests.factories import NOON, WORKER
from tests.gateway.test_app import HEADERS, INVOCATIONS, Tokens, furnished, open_client
from tests.served import FEATURES, MODEL, Served, flights

bounded = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))

SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON: SearchStrategy[Any] = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
MOMENT = st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.isoformat())
NAMED: dict[str, SearchStrategy[Any]] = {  # values that come through the first door, besides any other
    "model": st.sampled_from([MODEL, MODEL, "idle"]),
    "version": st.sampled_from(["1", "2"]),
}


def of(schema: dict[str, Any]) -> SearchStrategy[Any]:
    """What the schema describes."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "object" if "properties" in schema:
            parts = {name: NAMED[name] if name in NAMED else of(part) for name, part in schema["properties"].items()}
            needed = {name: parts.pop(name) for name in schema.get("required", ())}
            return st.fixed_dictionaries(needed, optional=parts)
        case "object":
            return st.dictionaries(st.sampled_from(FEATURES) | st.text(max_size=9), SCALAR, max_size=4)
        case "array":
            return st.lists(of(schema["items"]), max_size=3)
        case "number":
            return st.integers() | st.floats(allow_nan=False, allow_infinity=False)
        case "string":
            return MOMENT if schema.get("format") == "date-time" else st.text(max_size=schema.get("maxLength", 20))
    return JSON


@st.composite
def near(draw: st.DrawFn, schema: dict[str, Any]) -> Any:
    """What the schema describes, often with one part of it replaced by anything."""
    whole = {"": draw(of(schema))}
    part: Any = whole
    if draw(st.booleans()):
        return whole[""]
    while True:
        keys = list(part) if isinstance(part, dict) else list(range(len(part)))
        key = draw(st.sampled_from(keys))
        inner = part[key]
        if not isinstance(inner, dict | list) or not inner or draw(st.booleans()):
            part[key] = draw(JSON)
            return whole[""]
        part = inner


def in_path(name: str) -> str:
    """A name as a part of an address; clients take dots that stand alone for the way up."""
    return quote(name, safe="").replace(".", "%2E")


@pytest.fixture(scope="module")
def house(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    """A home whose version 1 has a reference, so that hours are profiled."""
    made = furnished(served, tmp_path_factory.mktemp("any"))
    rows = flights(300).assign(at=[pd.Timestamp(NOON) - timedelta(hours=hour) for hour in range(300)])
    drawn = np.random.default_rng(3).random(300)
    rows = rows.assign(score=drawn, label=(drawn > 0.4).astype(float))
    MonitoringService(made).record_reference(WORKER, f"{MODEL}-v1", rows)
    yield made
    made.databases.dispose()


@pytest.fixture(scope="module")
def client(house: Context) -> Iterator[httpx.Client]:
    with open_client(house, Tokens(), headers=HEADERS) as opened:
        yield opened


def sound(answer: httpx.Response, described: dict[str, Any]) -> None:
    """An answer that OpenAPI lists, and a refusal says what is wrong."""
    assert str(answer.status_code) in described["responses"], (answer.status_code, answer.text[:500])
    assert "Traceback" not in answer.text
    if answer.status_code >= 400:
        assert answer.text if answer.status_code == 415 else answer.json()["message"]  # MLflow's 415 is a plain line


@bounded
@given(st.data())
def test_every_operation_answers_as_it_is_described(client: httpx.Client, data: st.DataObject) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    method, path = data.draw(st.sampled_from([(method, path) for path, ways in paths.items() for method in ways]))
    described = paths[path][method]
    filled = path.replace("{name}", MODEL).replace("{batch}", in_path(data.draw(st.text(min_size=1))))
    body = described.get("requestBody", {}).get("content", {}).get("application/json", {})
    sent = json.dumps(data.draw(near(body["schema"]))).encode() if body else None
    kind = {"Content-Type": "application/json"} if body else {}
    sound(client.request(method, filled, content=sent, headers=kind), described)


COLUMNS = st.lists(st.sampled_from(FEATURES) | st.text(max_size=5), max_size=4)
TABLE = COLUMNS.flatmap(
    lambda columns: st.fixed_dictionaries(
        {"columns": st.just(columns), "data": st.lists(st.lists(SCALAR, max_size=4), max_size=3)}
    )
)
RECORD = st.dictionaries(st.sampled_from(FEATURES) | st.text(max_size=5), SCALAR, max_size=4)
WHOLE = st.fixed_dictionaries({"carrier": st.sampled_from(["AA", "ZZ", None]), "hour": SCALAR, "wind": SCALAR})
FORMS = st.one_of(
    st.fixed_dictionaries({"dataframe_split": TABLE | JSON}),
    st.fixed_dictionaries({"dataframe_records": st.lists(RECORD, max_size=3) | JSON}),
    st.fixed_dictionaries({"dataframe_records": st.lists(WHOLE, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"instances": st.lists(RECORD | SCALAR, max_size=3) | JSON}),
    st.fixed_dictionaries({"inputs": st.dictionaries(st.sampled_from(FEATURES), st.lists(SCALAR, max_size=3)) | JSON}),
    JSON,
)  # fmt: skip


@bounded
@given(FORMS, st.sampled_from(["", "carrier", "hour", "id"]))
def test_the_protocol_answers_every_form(client: httpx.Client, form: Any, ids_column: str) -> None:
    described = client.get("/openapi.json").json()["paths"]["/models/{name}/invocations"]["post"]
    headers = {"Content-Type": "application/json", "X-Prediction-Ids-Column": ids_column}
    sound(client.post(INVOCATIONS, content=json.dumps(form).encode(), headers=headers), described)


@bounded
@given(
    st.text(max_size=60) | st.lists(WHOLE, max_size=3).map(lambda rows: pd.DataFrame(rows).to_csv(index=False)),
    st.sampled_from(["text/csv", "text/csv; charset=utf-8", "text/csv; charset=latin-1", "text/plain", "x"]),
)
def test_the_protocol_answers_every_csv(client: httpx.Client, text: str, kind: str) -> None:
    described = client.get("/openapi.json").json()["paths"]["/models/{name}/invocations"]["post"]
    sound(client.post(INVOCATIONS, content=text.encode(), headers={"Content-Type": kind}), described)


NAMES = ["a/b", "/", "..", "%2F", "?x=1#y", " ", "2013-06-03T12:00:00+00:00"]  # of batches, as programs make them
WITHIN = st.datetimes(EARLIEST.replace(tzinfo=None), LATEST.replace(tzinfo=None) - timedelta(days=1))
VALUE = st.floats(-LARGEST, LARGEST) | st.integers(-(10**60), 10**60) | SCALAR
ROW = st.fixed_dictionaries(
    {
        "version": st.sampled_from(["1", "1", "2"]),
        "score": st.floats(0, 1) | st.sampled_from([0, 1]),
        "features": st.dictionaries(st.sampled_from(FEATURES) | st.text(max_size=5), VALUE, max_size=4),
    },
    optional={
        "at": WITHIN.map(lambda moment: moment.replace(tzinfo=UTC).isoformat()),
        "role": st.sampled_from(["champion", "arm", "shadow"]),
    },
)


@bounded
@given(st.text(min_size=1, max_size=12) | st.sampled_from(NAMES), st.lists(ROW, min_size=1, max_size=4))
def test_what_is_accepted_can_be_read_back_and_digested(
    client: httpx.Client, house: Context, batch: str, rows: list[dict[str, Any]]
) -> None:
    body = {"model": MODEL, "batch": batch, "predictions": rows}
    answer = client.post("/v1/predictions", content=json.dumps(body).encode())
    assert answer.status_code in {200, 409, 422}, answer.text[:500]
    if answer.status_code != 200:
        return
    names = answer.json()["prediction_ids"]
    kept = client.get(f"/v1/predictions/{in_path(batch)}")
    assert kept.status_code == 200, kept.text[:500]
    assert set(names) <= {row["prediction_id"] for row in kept.json()["rows"]}
    said = client.post(
        "/v1/labels", json={"model": MODEL, "labels": [{"prediction_id": name, "value": 1} for name in names]}
    )
    assert said.status_code == 200, said.text[:500]

    assert MonitoringService(house).profile_dirty_hours(WORKER).left == 0


OPERATIONS = [
    ("post", "/v1/predictions"),
    ("post", "/v1/labels"),
    ("post", "/v1/events"),
    ("get", "/v1/predictions/{batch}"),
]


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_schemathesis_finds_no_answer_that_our_openapi_does_not_describe(
    client: httpx.Client, method: str, path: str
) -> None:
    import schemathesis
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    schema.config.update(base_url=str(client.base_url).rstrip("/"))
    modes = [schemathesis.GenerationMode.POSITIVE]
    if method == "post":  # any text is a batch's name: nothing is wrong there
        modes.append(schemathesis.GenerationMode.NEGATIVE)
    asked: list[int] = []
    for mode in modes:

        @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(case=schema[path][method].as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            answer = case.call_and_validate(
                headers=HEADERS, checks=[not_a_server_error, status_code_conformance, content_type_conformance]
            )
            asked.append(answer.status_code)

        ask()
    assert len(asked) >= 30 * len(modes) // 2
    assert method == "get" or 422 in asked
