"""Evidence: the same rows for both, ripe days only, days as clusters, and a reason for what cannot be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from mlops_dash.clock import fixed
from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.errors import InvalidInput, NotAllowed, NotFound
from mlops_dash.services.command import Context
from mlops_dash.services.evidence import EvidenceService
from mlops_dash.services.policies import PolicyService
from mlops_dash.stats.comparison import paired_difference
from mlops_dash.store import evidence
from mlops_dash.store.db import transaction
from mlops_dash.store.prediction_log import Label, Prediction, Score, append, append_labels, to_us
from mlops_dash.store.tables.monitoring import ReferenceRow
from tests.factories import ADMIN, LEAD, NOON, VIEWER, WORKER, model_row, version_row

MODEL = "flight-delay"
START = NOON.replace(hour=0) - timedelta(days=40)
DAYS, A_DAY = 30, 60
END = START + timedelta(days=DAYS)
V1, V2 = f"{MODEL}-v1", f"{MODEL}-v2"


@pytest.fixture
def rows() -> pd.DataFrame:
    """Rows of 30 days: v2's scores follow the labels, v1's hardly."""
    random = np.random.default_rng(5)
    n = DAYS * A_DAY
    label = (random.random(n) < 0.3).astype(float)
    at = [START + timedelta(days=i // A_DAY, minutes=20 * (i % A_DAY)) for i in range(n)]
    good = np.clip(0.3 + 0.4 * (label - 0.3) + random.normal(0, 0.1, n), 0.01, 0.99)
    poor = np.clip(0.3 + 0.05 * (label - 0.3) + random.normal(0, 0.1, n), 0.01, 0.99)
    return pd.DataFrame({"id": [f"p{i}" for i in range(n)], "at": at, "label": label, "v1": poor, "v2": good})


@pytest.fixture
def house(context: Context, rows: pd.DataFrame) -> Context:
    """Both versions have scored everything; all labels came."""
    with transaction(context.databases.app) as session:
        session.add(model_row())
        session.flush()
        for number in ("1", "2"):
            session.add(version_row(number, training_end=START))
    log(context, rows, labels=rows["label"].notna())
    return context


def log(
    context: Context, rows: pd.DataFrame, *, labels: Sequence[bool], versions: Sequence[str] = ("v1", "v2")
) -> None:
    roles = {"v1": "champion", "v2": "replayed"}
    predictions, scores, known = [], [], []
    for (row_id, at, label, v1, v2), labelled in zip(rows.itertuples(index=False), labels, strict=True):
        us = to_us(at.to_pydatetime())
        predictions.append(Prediction(MODEL, row_id, us, "b", 0, "", "{}"))
        for name, score in (("v1", v1), ("v2", v2)):
            if name in versions and np.isfinite(score):
                scores.append(Score(MODEL, row_id, f"{MODEL}-{name}", roles[name], name[1:], us, float(score), us))
        if labelled:
            known.append(Label(MODEL, row_id, label, us, us))
    with transaction(context.databases.log) as session:
        append(session, predictions, scores, marked_us=0)
        append_labels(session, known)


def compare(context: Context, start: datetime = START, end: datetime = END) -> dict[tuple[str, str], Evidence]:
    found = EvidenceService(context).compare(WORKER, MODEL, V2, V1, start, end)
    return {(one.kind, one.metric): one for one in found}


def zone(context: Context, name: str) -> None:
    service = PolicyService(context)
    made = service.propose(LEAD, MODEL, PolicyKind.MONITORING, {"zone": name}, reason="r")
    service.activate(ADMIN, made.id, reason="r")


def test_a_difference_is_candidate_minus_champion_in_the_metrics_own_unit(house: Context, rows: pd.DataFrame) -> None:
    found = compare(house)
    day = rows["at"].dt.strftime("%Y-%m-%d")
    oracle = paired_difference(
        rows["label"], rows["v2"], rows["v1"], day, metric="brier", direction="lower_is_better", level=0.95
    )
    brier = found["paired_difference", "brier"]
    assert brier.value == pytest.approx(-oracle.value)
    assert (brier.low, brier.high) == (pytest.approx(-oracle.high), pytest.approx(-oracle.low))
    assert brier.high is not None
    assert brier.high < 0  # better is lower
    auc = found["paired_difference", "auc"]
    assert auc.low is not None
    assert auc.low > 0  # better is higher
    assert (brier.subject, brier.comparator) == ("flight-delay v2", "flight-delay v1")
    assert (brier.n, brier.n_clusters) == (DAYS * A_DAY, DAYS)
    assert brier.details == {"candidate": pytest.approx(oracle.value_a), "champion": pytest.approx(oracle.value_b)}
    assert brier.digests["candidate"] == V2
    assert brier.digests["champion"] == V1
    assert "1,800 of 1,800 rows have both scores" in brier.bound


def test_all_four_metrics_are_compared_and_the_candidate_is_measured_alone(house: Context) -> None:
    metrics = {"auc", "base_rate_free_loss", "brier", "log_loss"}
    found = compare(house)
    assert {metric for kind, metric in found if kind == "paired_difference"} == metrics
    assert {metric for kind, metric in found if kind == "metric"} == metrics
    auc = found["metric", "auc"]
    assert auc.low is not None
    assert auc.value == found["paired_difference", "auc"].details["candidate"]
    assert all(one.state == "ok" for one in found.values())


def test_evidence_is_kept_and_can_be_read_again_unchanged(house: Context) -> None:
    found = compare(house)
    service = EvidenceService(house)
    ids = [one.id for one in found.values()]
    assert service.get(VIEWER, ids) == tuple(found.values())
    assert {one.id for one in service.about(VIEWER, V2)} == set(ids)
    assert compare(house) == found  # the same facts are the same rows
    assert len(service.about(VIEWER, V2)) == len(ids)
    with pytest.raises(NotFound, match="No evidence"):
        service.get(VIEWER, ["nothing"])


def test_days_are_those_of_the_monitors_zone(house: Context) -> None:
    utc = compare(house)["paired_difference", "brier"]
    zone(house, "Pacific/Auckland")
    assert utc.n_clusters == DAYS
    assert compare(house)["paired_difference", "brier"].n_clusters == DAYS + 1


def test_rows_without_the_challengers_score_are_said_and_too_many_of_them_stop_the_comparison(
    context: Context, rows: pd.DataFrame
) -> None:
    with transaction(context.databases.app) as session:
        session.add(model_row())
        session.flush()
        for number in ("1", "2"):
            session.add(version_row(number, training_end=START))
    rows.loc[:17, "v2"] = np.nan  # 1 %
    log(context, rows, labels=rows["label"].notna())
    few = compare(context)["paired_difference", "brier"]
    assert few.state == "ok"
    assert "1,782 of 1,800 rows have both scores" in few.bound

    late = compare(context, START, START + timedelta(days=5))["paired_difference", "brier"]
    assert late.state == "not_computable"
    assert late.reason == "not comparable: 18 of 300 rows lack a score of v2"
    assert (late.value, late.low, late.high) == (None, None, None)


def test_a_window_that_a_version_was_trained_on_is_not_comparable(house: Context) -> None:
    early = compare(house, START - timedelta(days=1), END)["paired_difference", "auc"]
    assert early.state == "not_computable"
    assert "before the training of v2 ended" in early.reason


def test_a_day_is_taken_whole_or_not_at_all(context: Context, rows: pd.DataFrame) -> None:
    """The fast labels of a young day would be a choice of easy rows."""
    with transaction(context.databases.app) as session:
        session.add(model_row())
        session.flush()
        for number in ("1", "2"):
            session.add(version_row(number))
    last = rows["at"] >= END - timedelta(days=1)
    labels = ~last | (np.arange(len(rows)) % 2 == 0)  # half of the last day's labels came
    log(context, rows, labels=labels)
    at_end = replace(context, clock=fixed(END))
    assert compare(at_end)["paired_difference", "auc"].n == (DAYS - 1) * A_DAY
    a_day_later = replace(context, clock=fixed(END + timedelta(days=1)))
    assert compare(a_day_later)["paired_difference", "auc"].n == (DAYS - 1) * A_DAY + A_DAY // 2


def test_the_base_rate_is_that_of_the_champions_reference(house: Context) -> None:
    own = compare(house)["paired_difference", "base_rate_free_loss"]
    assert "of these rows: v1 has no reference" in own.bound
    reference = ReferenceRow(
        id="r1", version_id=V1, model=MODEL, window_start=START, window_end=END, n_rows=1, schema_={}, cells={},
        profile=b"", baseline={"prior": 0.21}, method="", created_at=NOON,
    )  # fmt: skip
    with transaction(house.databases.app) as session:
        session.add(reference)
    found = compare(house)["paired_difference", "base_rate_free_loss"]
    assert "base rate 0.210 of the reference of v1" in found.bound
    assert found.value != own.value


def test_nothing_logged_is_not_computable_and_not_an_error(house: Context) -> None:
    found = compare(house, NOON, NOON + timedelta(days=1))
    assert {one.state for one in found.values()} == {"not_computable"}
    assert {one.n for one in found.values()} == {0}


def test_versions_of_other_models_and_empty_windows_are_refused(house: Context) -> None:
    service = EvidenceService(house)
    with pytest.raises(InvalidInput, match="is empty"):
        service.compare(WORKER, MODEL, V2, V1, END, START)
    with pytest.raises(InvalidInput, match="are not two versions of"):
        service.compare(WORKER, MODEL, V1, V1, START, END)
    with pytest.raises(NotFound, match="No version"):
        service.compare(WORKER, MODEL, "none", V1, START, END)
    with pytest.raises(NotAllowed):
        service.compare(VIEWER, MODEL, V2, V1, START, END)


def test_a_version_alone_is_measured_on_rows_that_came_with_it(house: Context, rows: pd.DataFrame) -> None:
    given = rows.rename(columns={"v2": "score"})[["at", "score", "label"]]
    found = EvidenceService(house).measure(WORKER, V2, given, bound="out of fold by day")
    auc = next(one for one in found if one.metric == "auc")
    assert (auc.kind, auc.n, auc.n_clusters, auc.state) == ("metric", DAYS * A_DAY, DAYS, "ok")
    assert auc.bound.startswith("out of fold by day")
    assert auc.window_start == START
    with pytest.raises(InvalidInput, match="missing"):
        EvidenceService(house).measure(WORKER, V2, given.drop(columns="label"), bound="")


def test_a_check_that_mlflow_cannot_answer_is_not_a_pass(house: Context) -> None:
    found = EvidenceService(house).check_version(WORKER, V2)
    assert [(one.metric, one.state, one.value) for one in found] == [
        ("signature", "not_computable", None),
        ("input_example", "not_computable", None),
    ]
    assert all("does not answer" in one.reason for one in found)


def test_a_check_while_mlflow_is_away_does_not_hide_the_earlier_answer_about_the_same_files(house: Context) -> None:
    service = EvidenceService(house)
    known = service.check_version(WORKER, V2)[0]
    fine = replace(known, value=1.0, state="ok", reason="")
    with transaction(house.databases.app) as session:
        evidence.put(session, [fine])
    service.check_version(WORKER, V2)
    kept = [one for one in service.about(WORKER, V2) if one.kind == "check" and one.metric == "signature"]
    assert [one.value for one in kept].count(1.0) == 1
    assert len(kept) == 2  # the first try, before anything was known, and the answer
