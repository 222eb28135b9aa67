"""Whatever a client sends, it is told what is wrong with it: never a 500, and nothing of the batch is stored."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from mlops_dash.domain.schema import LARGEST
from mlops_dash.services.command import Context
from tests.gateway.test_app import INVOCATIONS, client, home, made_elsewhere, split, tokens, total
from tests.served import MODEL

__all__ = ["client", "home", "tokens"]  # fixtures

HUGE = 10**400
DEEP = "[" * 3_000 + "]" * 3_000
ROW = {"version": "1", "score": 0.5, "features": {"hour": 7.0}}

PREDICTIONS: dict[str, str] = {
    "a score of 401 digits": json.dumps({**ROW, "score": HUGE}),
    "a feature of 401 digits": json.dumps({**ROW, "features": {"hour": HUGE}}),
    "a feature beyond what can be summed": json.dumps({**ROW, "features": {"hour": LARGEST * 10}}),
    "a score of 4,301 digits": json.dumps(ROW).replace("0.5", "9" * 4_301),
    "NaN": json.dumps({**ROW, "score": float("nan")}),
    "a list as role": json.dumps({**ROW, "role": []}),
    "an object as role": json.dumps({**ROW, "role": {}}),
    "the first year east of Greenwich": json.dumps({**ROW, "at": "0001-01-01T00:00:00+14:00"}),
    "the last year west of Greenwich": json.dumps({**ROW, "at": "9999-12-31T23:59:59-14:00"}),
    "the year 1000": json.dumps({**ROW, "at": "1000-01-01T00:00:00Z"}),
    "the first hour of 1970": json.dumps({**ROW, "at": "1970-01-01T00:00:00Z"}),
    "a time that is a list": json.dumps({**ROW, "at": []}),
    "a feature nested 3,000 deep": json.dumps({**ROW, "features": {"hour": 0}}).replace("0}", DEEP + "}"),
    "a row nested 3,000 deep": DEEP,
    "a column name of a megabyte": json.dumps({**ROW, "x" * 1_000_000: 1}),
    "a version that is a list": json.dumps({**ROW, "version": []}),
    "a surrogate as id": json.dumps({**ROW, "prediction_id": "\ud800"}),
}
LABELS: dict[str, str] = {
    "a value of 401 digits": json.dumps({"prediction_id": "a", "value": HUGE}),
    "a value of 4,301 digits": json.dumps({"prediction_id": "a", "value": 0.5}).replace("0.5", "9" * 4_301),
    "a value that is a list": json.dumps({"prediction_id": "a", "value": []}),
    "observed in the year 9999": json.dumps(
        {"prediction_id": "a", "value": 1, "observed_at": "9999-12-31T23:59:59-14:00"}
    ),
    "an id nested 3,000 deep": json.dumps({"prediction_id": 0, "value": 1}).replace("0,", DEEP + ","),
}


def refused(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 422, answer.text[:500]
    body: dict[str, Any] = answer.json()
    assert body["message"]
    assert len(answer.content) < 5_000  # a client's megabyte is not sent back
    return body


@pytest.mark.parametrize("kind", PREDICTIONS)
def test_a_prediction_that_cannot_be_counted_is_refused_with_its_place(
    client: httpx.Client,
    home: Context,
    kind: str,
) -> None:
    rows = f"[{json.dumps(made_elsewhere(1)[0])}, {PREDICTIONS[kind]}]"
    body = refused(client.post("/v1/predictions", content=f'{{"model": "{MODEL}", "predictions": {rows}}}'.encode()))
    assert body.get("row", 1) == 1
    assert total(home) == 0


@pytest.mark.parametrize("kind", LABELS)
def test_a_label_that_cannot_be_counted_is_refused(client: httpx.Client, kind: str) -> None:
    refused(client.post("/v1/labels", content=f'{{"model": "{MODEL}", "labels": [{LABELS[kind]}]}}'.encode()))


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"inputs": {"carrier": "AA", "hour": 7.0, "wind": 3.0}}),
        json.dumps({"dataframe_records": [{"carrier": "AA", "hour": HUGE, "wind": 3.0}]}),
        json.dumps({"dataframe_records": [{"carrier": "AA", "hour": 0, "wind": 3.0}]}).replace("0,", "9" * 4_301 + ","),
        f'{{"inputs": {DEEP}}}',
        DEEP,
    ],
)
def test_the_protocol_answers_hostile_bodies_without_an_incident(client: httpx.Client, body: str) -> None:
    answer = client.post(INVOCATIONS, content=body.encode(), headers={"Content-Type": "application/json"})
    assert answer.status_code in {200, 400, 422}, answer.text[:500]


def test_errors_of_the_protocol_carry_no_stack_trace(client: httpx.Client) -> None:
    answer = client.post(INVOCATIONS, json={"dataframe_records": [{"carrier": "AA", "hour": "noon", "wind": 1.0}]})
    assert answer.status_code == 400
    assert "stack_trace" not in answer.json()
    assert "Traceback" not in answer.text


def test_a_known_id_with_another_row_is_a_conflict_and_the_same_row_is_counted(
    client: httpx.Client,
    home: Context,
) -> None:
    asked = split(2)
    asked["dataframe_split"]["columns"].append("id")
    for number, row in enumerate(asked["dataframe_split"]["data"]):
        row.append(f"order-{number}")
    headers = {"X-Prediction-Ids-Column": "id"}
    assert "X-Prediction-Known" not in client.post(INVOCATIONS, json=asked, headers=headers).headers
    again = client.post(INVOCATIONS, json=asked, headers=headers)
    assert (again.status_code, again.headers["X-Prediction-Known"]) == (200, "2")
    asked["dataframe_split"]["data"][1][asked["dataframe_split"]["columns"].index("hour")] += 1.0
    other = client.post(INVOCATIONS, json=asked, headers=headers)
    assert other.status_code == 409
    assert "order-1" in other.json()["message"]
    assert total(home) == 2


def test_a_known_id_at_another_time_is_a_conflict(client: httpx.Client) -> None:
    row = {**made_elsewhere(1)[0], "prediction_id": "p", "at": "2013-06-03T12:00:00Z"}
    assert client.post("/v1/predictions", json={"model": MODEL, "predictions": [row]}).status_code == 200
    assert client.post("/v1/predictions", json={"model": MODEL, "predictions": [row]}).json()["known"] == 1
    row["at"] = "2013-06-03T13:00:00Z"
    assert client.post("/v1/predictions", json={"model": MODEL, "predictions": [row]}).status_code == 409
