"""Real models in a real MLflow store: loaded once, checked, refused when they are not ours to trust."""

from __future__ import annotations

import json
import shutil
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
import yaml
from sklearn.cluster import FeatureAgglomeration
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from mlops_dash.domain.tasks import BINARY, task_named
from mlops_dash.errors import BrokenModel, InvalidInput, InvalidRow, Unavailable
from mlops_dash.tracking.models import loading, trust
from mlops_dash.tracking.models.download import download
from mlops_dash.tracking.models.example import score_example
from mlops_dash.tracking.models.loading import LoadedModel, ModelCache
from mlops_dash.tracking.models.protocol import answer
from tests.served import FEATURES, MODEL, Served, flights

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def cache(served: Served, tmp_path: Path) -> ModelCache:
    return ModelCache(served.uri, tmp_path)


@pytest.fixture(scope="module")
def loaded(served: Served, tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return ModelCache(served.uri, tmp_path_factory.mktemp("cache")).get(MODEL, "1")


@pytest.fixture
def files(loaded: LoadedModel, tmp_path: Path) -> Path:
    return Path(shutil.copytree(loaded.folder, tmp_path / "files"))


def rewrite(files: Path, flavour: str, **changes: object) -> Path:
    told = yaml.safe_load((files / "MLmodel").read_text())
    told["flavors"][flavour].update(changes)
    (files / "MLmodel").write_text(yaml.safe_dump(told))
    return files


# --- loading ----------------------------------------------------------------------------------------------------------


def test_a_loaded_model_gives_the_positive_probability(loaded: LoadedModel) -> None:
    rows = flights(50)
    both = loaded.pyfunc.predict(rows)
    np.testing.assert_array_equal(loaded.predict(rows), both[:, 1])
    assert loaded.predict(rows.head(0)).shape == (0,)
    assert loaded.features == FEATURES
    assert loaded.input_example is not None
    assert list(loaded.input_example) == list(FEATURES)
    assert loaded.signature.inputs.input_names() == list(FEATURES)


def test_the_positive_label_chooses_the_column(cache: ModelCache, loaded: LoadedModel) -> None:
    other = cache.get(MODEL, "1", positive_label="0")
    np.testing.assert_allclose(other.predict(flights(9)), 1.0 - loaded.predict(flights(9)))
    with pytest.raises(BrokenModel, match="not the positive label 'late'"):
        cache.get(MODEL, "1", positive_label="late")


def test_a_model_is_loaded_once(cache: ModelCache) -> None:
    first = cache.get(MODEL, "1")
    assert cache.get(MODEL, "1", digest=first.digest) is first


def test_files_that_are_here_need_no_mlflow(cache: ModelCache, served: Served, tmp_path: Path) -> None:
    first = cache.get(MODEL, "1", source_uri=served.sources["1"])
    offline = ModelCache(NOWHERE, tmp_path)
    np.testing.assert_array_equal(
        offline.get(MODEL, "1", digest=first.digest).predict(flights(5)), first.predict(flights(5))
    )
    with pytest.raises(Unavailable):
        offline.get(MODEL, "2", digest="0" * 64)


def test_by_name_and_by_source_are_the_same_files(cache: ModelCache, served: Served) -> None:
    assert cache.get(MODEL, "1").digest == cache.get(MODEL, "1", source_uri=served.sources["1"]).digest


def test_other_files_than_recorded_are_refused(cache: ModelCache) -> None:
    with pytest.raises(BrokenModel, match="was recorded"):
        cache.get(MODEL, "1", digest="0" * 64)


def test_a_changed_copy_is_fetched_anew(cache: ModelCache, served: Served, tmp_path: Path) -> None:
    digest = cache.get(MODEL, "1").digest
    (tmp_path / "models" / digest / "model.skops").write_bytes(b"changed")
    assert ModelCache(served.uri, tmp_path).get(MODEL, "1", digest=digest).digest == digest


def test_a_version_that_does_not_exist_is_broken(cache: ModelCache) -> None:
    with pytest.raises(BrokenModel, match="cannot be fetched"):
        cache.get(MODEL, "77")


def test_the_cache_forgets_the_oldest(served: Served, tmp_path: Path) -> None:
    small = ModelCache(served.uri, tmp_path, capacity=1)
    first = small.get(MODEL, "1")
    small.get(MODEL, "2")
    assert small.get(MODEL, "1", digest=first.digest) is not first


# --- trust ------------------------------------------------------------------------------------------------------------


def test_a_pickle_is_refused_unless_the_setting_allows_it(cache: ModelCache, served: Served, tmp_path: Path) -> None:
    with pytest.raises(BrokenModel, match="pickle, which runs code"):
        cache.get(MODEL, "3")
    allowing = ModelCache(served.uri, tmp_path, allow_pickle=True)
    assert allowing.get(MODEL, "3").predict(flights(4)).shape == (4,)


def test_a_list_that_the_model_brings_itself_is_not_believed(files: Path) -> None:
    rewrite(files, "sklearn", skops_trusted_types=[*loading.TRUSTED_TYPES, "posix.system"])
    with pytest.raises(BrokenModel, match=r"asks to trust posix\.system"):
        loading.require_trusted(files, allow_pickle=False)


def test_a_type_outside_our_list_is_refused(files: Path) -> None:
    skops.io.dump(make_column_selector(pattern="a"), files / "model.skops")
    with pytest.raises(BrokenModel, match=r"untrusted types: .*make_column_selector"):
        loading.require_trusted(files, allow_pickle=False)


@pytest.mark.parametrize(
    ("model", "parameter"),
    [
        (CountVectorizer(input="filename"), "CountVectorizer(input='filename')"),
        (TfidfVectorizer(input="file"), "TfidfVectorizer(input='file')"),
        (
            make_pipeline(HashingVectorizer(input="filename"), LogisticRegression()),
            "HashingVectorizer(input='filename')",
        ),
        (make_pipeline(StandardScaler(), LogisticRegression(), memory="/tmp/x"), "Pipeline(memory='/tmp/x')"),
        (
            ColumnTransformer([("text", FeatureUnion([("words", CountVectorizer(input="filename"))]), "note")]),
            "CountVectorizer(input='filename')",
        ),
        (FunctionTransformer(partial(CountVectorizer(input="file").transform)), "CountVectorizer(input='file')"),
        (FeatureAgglomeration(memory="cache"), "FeatureAgglomeration(memory='cache')"),
    ],
)
def test_a_model_of_trusted_types_that_touches_files_is_refused(model: object, parameter: str) -> None:
    with pytest.raises(BrokenModel) as refused:
        trust.require_no_file_parameters(model)
    assert refused.value.message.endswith(f": {parameter}.")


def test_words_given_as_content_are_no_files(files: Path) -> None:
    trust.require_no_file_parameters(make_pipeline(CountVectorizer(), LogisticRegression(), memory=None))


def test_a_saved_model_that_reads_files_by_name_is_not_loaded(files: Path) -> None:
    wide = ColumnTransformer([("text", CountVectorizer(input="filename", analyzer="char"), "note")])
    skops.io.dump(make_pipeline(wide, LogisticRegression()), files / "model.skops")
    with pytest.raises(BrokenModel, match=r"CountVectorizer\(input='filename'\)"):
        loading.load(files, "digest", allow_pickle=False, task=BINARY, positive_label="1")


@pytest.mark.parametrize("outside", ["../secret.json", "/etc/hostname", "example/../../secret.json", "link.json"])
def test_an_input_example_outside_the_model_is_not_read(files: Path, outside: str) -> None:
    (files.parent / "secret.json").write_text('{"columns": ["key"], "data": [["s3cret"]]}')
    (files / "link.json").symlink_to(files.parent / "secret.json")
    described = yaml.safe_load((files / "MLmodel").read_text())
    described["saved_input_example_info"]["artifact_path"] = outside
    (files / "MLmodel").write_text(yaml.safe_dump(described))
    model = loading.load(files, "digest", allow_pickle=False, task=BINARY, positive_label="1")
    with pytest.raises(BrokenModel, match="outside the model"):
        _ = model.input_example


@pytest.mark.parametrize(
    ("flavour", "changes", "reason"),
    [
        ("python_function", {"loader_module": "os"}, "flavour 'os' is not trusted"),
        ("python_function", {"code": "code"}, "code of its own"),
        ("sklearn", {"code": "code"}, "code of its own"),
        ("sklearn", {"serialization_format": "cloudpickle"}, "cloudpickle, which runs code"),
        ("python_function", {"model_path": "../other.skops"}, "outside itself: '../other.skops'"),
        ("sklearn", {"pickled_model": "nothing.skops"}, "missing"),
    ],
)
def test_a_bent_mlmodel_file_is_refused(files: Path, flavour: str, changes: dict[str, object], reason: str) -> None:
    with pytest.raises(BrokenModel, match=reason):
        loading.require_trusted(rewrite(files, flavour, **changes), allow_pickle=False)


def test_a_classifier_that_answers_with_its_classes_gives_no_probabilities(files: Path) -> None:
    model = loading.load(files, "digest", allow_pickle=False, task=BINARY, positive_label="1")
    with pytest.raises(InvalidInput, match="answers with its classes, not with probabilities") as refused:
        model.scores_of(np.array([0, 1, 1]))
    assert "predict_proba" in refused.value.hint
    assert model.scores_of([0.25, 1.0]).tolist() == [0.25, 1.0]


def test_classes_that_are_words_become_their_places_and_an_unknown_one_none(files: Path) -> None:
    task = task_named("multiclass", ["Gentoo", 'it\'s "Chinstrap"'])
    model = loading.load(files, "digest", allow_pickle=False, task=task)
    answer = np.array(['it\'s "Chinstrap"', "Gentoo", "Emperor"], dtype=object)
    assert model.scores_of(answer).tolist() == [1.0, 0.0, -1.0]
    assert task.why_no_score(-1.0).startswith("the answer is none of this model's classes: Gentoo")
    with pytest.raises(InvalidInput, match="not with one class a row"):
        model.scores_of(np.zeros((3, 2, 2)))


def test_probabilities_of_all_classes_stand_in_the_order_of_the_watched_model(files: Path) -> None:
    backwards = task_named("multiclass", ["1", "0"])  # the model's own order is 0, 1
    model = loading.load(files, "digest", allow_pickle=False, task=backwards)
    assert model.scores_of(np.array([[0.25, 0.75], [0.5, 0.5]])).tolist() == [[0.75, 0.25], [0.5, 0.5]]
    others = loading.load(files, "digest", allow_pickle=False, task=task_named("multiclass", ["Gentoo", "Adélie"]))
    with pytest.raises(InvalidInput, match="2 columns and knows 0, 1, not Gentoo, Adélie"):
        others.scores_of(np.array([[0.25, 0.75]]))
    named = pd.DataFrame({"Adélie": [0.25], "Gentoo": [0.75]})  # an answer may name its columns
    assert others.scores_of(named).tolist() == [[0.75, 0.25]]
    with pytest.raises(InvalidInput, match="knows 0, 1, not"):
        others.scores_of(np.zeros((3, 3)))


@pytest.mark.parametrize("name", ["MLmodel", "model.skops"])
def test_damaged_files_are_broken(files: Path, name: str) -> None:
    (files / name).write_bytes(b"\x00 not what it was")
    with pytest.raises(BrokenModel, match=r"cannot be read|damaged"):
        loading.load(files, "digest", allow_pickle=False, task=BINARY, positive_label="1")


OWN_LOADER = """
class Doubled:
    def predict(self, rows):
        import strangers_late  # only when it is asked

        return strangers_late.doubled(rows["minutes"])


def _load_pyfunc(path):
    return Doubled()
"""


def test_a_regression_with_a_loader_of_its_own_answers_and_its_files_stay_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    monkeypatch.setattr(sys, "path", list(sys.path))
    code = tmp_path / "model" / "code"
    code.mkdir(parents=True)
    (code / "strangers_loader.py").write_text(OWN_LOADER)
    (code / "strangers_late.py").write_text("def doubled(minutes):\n    return 2.0 * minutes\n")
    told = {"flavors": {"python_function": {"loader_module": "strangers_loader", "code": "code"}}}
    (tmp_path / "model" / "MLmodel").write_text(yaml.safe_dump(told))
    digest = loading.artifact_digest(tmp_path / "model")
    model = loading.load(
        tmp_path / "model", digest, allow_pickle=True, task=task_named("regression", ()), positive_label=""
    )
    assert model.predict(pd.DataFrame({"minutes": [4.5, 30.0]})).tolist() == [9.0, 60.0]
    assert loading.artifact_digest(tmp_path / "model") == digest


def test_the_digest_sees_names_and_bytes(tmp_path: Path) -> None:
    with pytest.raises(BrokenModel, match="no files"):
        loading.artifact_digest(tmp_path)
    (tmp_path / "a").write_bytes(b"1")
    first = loading.artifact_digest(tmp_path)
    (tmp_path / "registered_model_meta").write_bytes(b"2")  # no name is left out
    assert loading.artifact_digest(tmp_path) != first
    (tmp_path / "registered_model_meta").unlink()
    assert loading.artifact_digest(tmp_path) == first
    (tmp_path / "a").rename(tmp_path / "b")
    assert loading.artifact_digest(tmp_path) != first


# --- rows -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("hour", "seven", "is not a number"),
        ("hour", "7", "is not a number"),
        ("hour", True, "is not a number"),
        ("wind", float("inf"), "is not finite"),
        ("carrier", 7, "is not a text"),
    ],
)
def test_a_bad_value_is_named_by_row_column_and_reason(
    loaded: LoadedModel, column: str, value: object, reason: str
) -> None:
    rows = flights(4).astype(object)
    rows.loc[2, column] = value
    with pytest.raises(InvalidRow) as caught:
        loaded.predict(rows)
    assert (caught.value.row, caught.value.column, caught.value.reason) == (2, column, reason)


def test_a_missing_column_is_named(loaded: LoadedModel) -> None:
    with pytest.raises(InvalidInput, match="lacks the column hour"):
        loaded.predict(flights(2).drop(columns="hour"))


def test_an_optional_column_may_be_left_out(loaded: LoadedModel) -> None:
    rows = flights(5)
    np.testing.assert_array_equal(loaded.predict(rows.drop(columns="wind")), loaded.predict(rows.assign(wind=np.nan)))


def test_whole_numbers_fit_a_double_and_other_columns_are_left_out(loaded: LoadedModel) -> None:
    rows = flights(3).assign(hour=[1, 2, 3], more="x")
    np.testing.assert_array_equal(loaded.predict(rows), loaded.predict(rows.astype({"hour": float})))


def test_answers_that_are_not_one_number_a_row_are_refused(loaded: LoadedModel) -> None:
    with pytest.raises(InvalidInput, match="shape"):
        loaded.scores_of(np.zeros((2, 2, 2)))
    with pytest.raises(InvalidInput, match="numbers"):
        loaded.scores_of(["late"])
    assert loaded.scores_of(pd.DataFrame({"a": [0.25]})).tolist() == [0.25]


# --- MLflow's protocol ------------------------------------------------------------------------------------------------


def test_the_protocol_answers_and_keeps_what_was_asked(loaded: LoadedModel) -> None:
    rows = flights(3)
    body = json.dumps({"dataframe_split": json.loads(rows.to_json(orient="split"))}).encode()
    said = answer(loaded, body, "application/json")
    assert (said.status, said.media_type) == (200, "application/json")
    assert said.frame is not None
    pd.testing.assert_frame_equal(said.frame, rows, check_dtype=False)
    assert said.scores is not None
    assert [row[1] for row in json.loads(said.body)["predictions"]] == said.scores.tolist()


def test_an_id_column_is_taken_out(loaded: LoadedModel) -> None:
    rows = flights(2).assign(flight=["a", "b"])
    body = rows.to_csv(index=False).encode()
    said = answer(loaded, body, "text/csv", ids_column="flight")
    assert said.ids == ("a", "b")
    assert said.frame is not None
    assert "flight" not in said.frame
    with pytest.raises(InvalidInput, match="no column 'number'"):
        answer(loaded, body, "text/csv", ids_column="number")


def test_a_bad_request_has_mlflows_words(loaded: LoadedModel) -> None:
    said = answer(loaded, b"[1]", "application/json")
    assert said.status == 400
    assert json.loads(said.body)["error_code"] == "BAD_REQUEST"
    assert said.scores is None


# --- checks -----------------------------------------------------------------------------------------------------------


def test_a_version_without_example_or_signature_does_not_pass(served: Served, tmp_path: Path) -> None:
    check = score_example(download(served.uri, served.sources["4"], tmp_path), allow_pickle=False)
    assert (check.ok, check.reason) == (False, "no input example was logged with this version")
    assert not loading.compare_signatures(served.uri, served.sources["4"], served.sources["1"]).ok


def test_equal_signatures_pass(served: Served) -> None:
    assert loading.compare_signatures(served.uri, served.sources["2"], served.sources["1"]).ok
    alone = loading.compare_signatures(served.uri, served.sources["2"], None)
    assert alone.ok
    assert "no champion" in alone.reason


def test_a_check_without_mlflow_is_unavailable(served: Served) -> None:
    with pytest.raises(Unavailable):
        loading.compare_signatures(NOWHERE, served.sources["2"], None)
