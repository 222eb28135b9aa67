"""Files: a stranger's file becomes a watched model by clicks, two files are compared, every refusal is a sentence."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from mlops_dash.bootstrap import Services
from tests.app.conftest import OpenPage, words
from tests.factories import NOON, VIEWER

DAYS, A_DAY = 40, 60


def deliveries(*, worse_from: int = DAYS) -> bytes:
    """A regression in minutes; from some day on the model is twenty minutes off."""
    draw = np.random.default_rng(5)
    n = DAYS * A_DAY
    day = np.repeat(np.arange(DAYS), A_DAY)
    km = draw.gamma(4.0, 2.0, n)
    truth = 12 + 3 * km + draw.normal(0, 4, n)
    frame = pd.DataFrame({
        "asked_at": (NOON - pd.Timedelta(days=DAYS + 3)) + pd.to_timedelta(np.arange(n) * 1440 // A_DAY, unit="min"),
        "km": km, "rain": draw.choice(["no", "drizzle", "pouring"], n),
        "minutes": 12 + 3 * km - np.where(day >= worse_from, 20.0, 0.0), "took": truth,
    })  # fmt: skip
    return frame.to_csv(index=False).encode()


def churn(n: int = 3_000) -> pd.DataFrame:
    draw = np.random.default_rng(8)
    p = draw.beta(2, 5, n)
    return pd.DataFrame({
        "at": (NOON - pd.Timedelta(days=40)) + pd.to_timedelta(np.arange(n) * 15, unit="min"),
        "plan": draw.choice(["O'Basic", 'the "big" one'], n), "p": p,
        "outcome": np.where(draw.random(n) < p, "left", "stayed"),
    })  # fmt: skip


def bring(page: AppTest, key: str, name: str, content: bytes) -> AppTest:
    page.file_uploader(key=key).set_value((name, content, "text/csv"))
    return page.run()


def field(page: AppTest, start: str) -> str:
    """The whole key of a field that belongs to this file."""
    return next(str(one.key) for one in [*page.text_input, *page.selectbox] if str(one.key).startswith(start))


def test_a_file_becomes_a_watched_model_by_clicks(house: Services, open_page: OpenPage) -> None:
    page = open_page("files", "scientist")
    assert "A row a prediction" in words(page)
    bring(page, "watch-upload", "it's deliveries.csv", deliveries(worse_from=30))
    assert "No column says what the score is" in page.warning[0].value
    page.selectbox(key=field(page, "watch-score")).set_value("minutes")
    page.selectbox(key=field(page, "watch-label")).set_value("took").run()
    how = page.dataframe[1].value
    assert dict(zip(how["What"], how["Taken from the file"], strict=True))["task"] == "regression"
    assert dict(zip(how["What"], how["Why"], strict=True))["time"] == "the only column of times"
    page.text_input(key=field(page, "watch-model")).set_value("""it's the "fast" one""").run()
    assert house.registry.models(VIEWER) == ()
    page.button(key="watch-begin").click().run()
    assert not page.error
    summary = house.monitoring.summary(VIEWER, """it's the "fast" one""")
    assert summary["verdict"] == "harmed"
    assert (summary["task"], summary["version"]) == ("regression", "1")


def test_the_same_file_again_changes_nothing_and_another_task_is_refused(house: Services, open_page: OpenPage) -> None:
    content = churn().to_csv(index=False).encode()
    for _ in range(2):
        page = bring(open_page("files", "scientist"), "watch-upload", "churn.csv", content)
        page.selectbox(key=field(page, "watch-label")).set_value("outcome").run()
        page.button(key="watch-begin").click().run()
        assert not page.error
    assert [model.name for model in house.registry.models(VIEWER)] == ["churn"]
    page = bring(open_page("files", "scientist"), "watch-upload", "churn.csv", content)
    page.selectbox(key=field(page, "watch-label")).set_value("outcome")
    page.selectbox(key=field(page, "watch-task")).set_value("regression").run()
    assert "is a binary model already" in page.warning[0].value


def test_a_model_that_answers_with_classes_is_watched_too(house: Services, open_page: OpenPage) -> None:
    draw, n = np.random.default_rng(2), 4_500
    names = np.array(["Adelie", 'Chin "strap"', "Gentoo's"])
    truth = draw.integers(0, 3, n)
    said = np.where(draw.random(n) < 0.1, (truth + 1) % 3, truth)
    frame = pd.DataFrame({
        "seen_at": (NOON - pd.Timedelta(days=40)) + pd.to_timedelta(np.arange(n) * 12, unit="min"),
        "flipper": draw.normal(200, 14, n), "answered": names[said], "species": names[truth],
    })  # fmt: skip
    page = bring(open_page("files", "scientist"), "watch-upload", "penguins.csv", frame.to_csv(index=False).encode())
    page.selectbox(key=field(page, "watch-prediction")).set_value("answered")
    page.selectbox(key=field(page, "watch-label")).set_value("species").run()
    page.button(key="watch-begin").click().run()
    assert not page.error
    assert [(model.name, model.task) for model in house.registry.models(VIEWER)] == [("penguins", "multiclass")]
    assert house.monitoring.summary(VIEWER, "penguins")["verdict"] == "ok"


def test_a_column_for_each_class_is_proposed_and_can_be_chosen(house: Services, open_page: OpenPage) -> None:
    draw, n = np.random.default_rng(2), 4_500
    names = np.array(["Adelie", 'Chin "strap"', "Gentoo's"])
    truth = draw.integers(0, 3, n)
    p = draw.dirichlet([1, 1, 1], n) * 0.3 + np.eye(3)[truth] * 0.7
    frame = pd.DataFrame({
        "at": (NOON - pd.Timedelta(days=45)) + pd.to_timedelta(np.arange(n) * 14, unit="min"),
        "bill": draw.normal(40, 5, n).round(1), "p_adelie": p[:, 0], "p_chin_strap": p[:, 1], "third": p[:, 2],
        "predicted": names[p.argmax(axis=1)], "species": names[truth],
    })  # fmt: skip
    renamed = frame.rename(columns={"third": "p_gentoos"})
    for content, asked in ((renamed, False), (frame, True)):
        page = bring(open_page("files", "scientist"), "watch-upload", "birds.csv", content.to_csv(index=False).encode())
        page.selectbox(key=field(page, "watch-label")).set_value("species").run()
        assert page.checkbox[0].value is not asked
        if asked:
            page.checkbox[0].set_value(True).run()
            assert "has no column" in page.warning[0].value
            each = [one for one in page.selectbox if str(one.key).startswith("watch-each-")]
            assert [one.label for one in each] == ["Adelie", 'Chin "strap"', "Gentoo's"]
            for one, column in zip(each, ("p_adelie", "p_chin_strap", "third"), strict=True):
                page.selectbox(key=one.key).set_value(column)
            page.run()
        assert not page.warning
        told = dict(zip(page.dataframe[1].value["What"], page.dataframe[1].value["Taken from the file"], strict=True))
        assert (told["task"], told["classes"], told["inputs"]) == ("multiclass", "3", "1")
    page.button(key="watch-begin").click().run()
    assert not page.error
    assert house.registry.models(VIEWER)[0].class_names == tuple(names)


def test_a_viewer_reads_what_would_be_watched_and_may_not_begin(house: Services, open_page: OpenPage) -> None:
    page = bring(open_page("files", "viewer"), "watch-upload", "churn.csv", churn().to_csv(index=False).encode())
    page.selectbox(key=field(page, "watch-label")).set_value("outcome").run()
    assert len(page.dataframe) == 2
    button = page.button(key="watch-begin")
    assert button.disabled
    assert "scientist" in button.help


@pytest.mark.parametrize("content", [b"", b"a,b\n", b"PAR1 but not"])
def test_a_file_that_is_no_table_is_one_sentence(house: Services, open_page: OpenPage, content: bytes) -> None:
    name = "bad.parquet" if content.startswith(b"PAR1") else "bad.csv"
    page = bring(open_page("files", "scientist"), "watch-upload", name, content)
    assert len(page.error) == 1
    assert "bad" in page.error[0].value
    assert not page.exception


def test_two_files_are_compared(house: Services, open_page: OpenPage) -> None:
    page = open_page("files", "viewer", do="Compare two files")
    assert "Every column of the reference is looked for" in words(page)
    old, new = churn(), churn().assign(plan="the other")
    buffer = io.BytesIO()
    new.to_parquet(buffer, index=False)
    bring(page, "drift-reference", "old.csv", old.to_csv(index=False).encode())
    bring(page, "drift-current", "new.parquet", buffer.getvalue())
    assert "1 of 4 columns drifted: plan." in words(page)
    table = page.dataframe[0].value
    assert (table["Column"].iloc[0], table["Verdict"].iloc[0]) == ("plan", "drift")
    bring(page, "drift-current", "broken.parquet", b"PAR1")
    assert "broken.parquet could not be read" in page.error[0].value
    assert "/tmp" not in page.error[0].value


def test_batches_that_a_column_names_are_chosen_by_a_click_and_one_that_names_rows_is_refused(
    house: Services, open_page: OpenPage
) -> None:
    frame = churn()
    frame["run"] = [f"run {n // 250}" for n in range(len(frame))]
    frame["row"] = np.arange(len(frame))
    page = bring(open_page("files", "scientist"), "watch-upload", "churn.csv", frame.to_csv(index=False).encode())
    page.selectbox(key=field(page, "watch-label")).set_value("outcome")
    page.selectbox(key=field(page, "watch-window")).set_value("batch:row").run()
    assert "it names rows rather than batches" in page.warning[0].value
    page.selectbox(key=field(page, "watch-window")).set_value("batch:run").run()
    how = page.dataframe[1].value
    assert dict(zip(how["What"], how["Taken from the file"], strict=True))["judged by"] == "the batch in run"
    page.button(key="watch-begin").click().run()
    assert not page.error
    assert {one["batch"] for one in house.monitoring.summary(VIEWER, "churn")["windows"]} == {
        f"run {n}" for n in range(4, 12)
    }
