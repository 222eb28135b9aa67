"""What loading would run is read from files, and nothing of it runs; trust is of one digest."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import yaml

from mlops_dash.domain.tasks import task_named
from mlops_dash.errors import BrokenModel
from mlops_dash.tracking.models.inside import inside, look
from mlops_dash.tracking.models.loading import ModelCache, load
from tests.pickled import WORDS, save_colours


class Runs:
    """A pickle that runs a command when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.mark}",)


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    """A stranger's model."""
    return save_colours(tmp_path / "colours")


def test_a_scikit_learn_pickle_is_told_by_what_it_imports(colours: Path) -> None:
    found = look(colours)
    assert (found.loader, found.library, found.installed, found.code) == ("mlflow.sklearn", "sklearn", True, False)
    assert "pickle, which runs code when loaded" in found.refused
    ((name, imports),) = found.imports
    assert name == "model.pkl"
    assert "sklearn.linear_model._logistic.LogisticRegression" in imports
    assert "its pickles import from numpy, sklearn" in found.words()


def test_files_whose_digest_is_trusted_answer_and_others_do_not(colours: Path, tmp_path: Path, mlflow_uri: str) -> None:
    digest, task = look(colours).digest, task_named("multiclass", WORDS)
    nobody = ModelCache(mlflow_uri, tmp_path / "nobody")
    with pytest.raises(BrokenModel, match="which runs code when loaded"):
        nobody.get("colours", "1", source_uri=str(colours), digest=digest, task=task)
    trusting = ModelCache(mlflow_uri, tmp_path / "trusting", trusted={digest}.__contains__)
    loaded = trusting.get("colours", "1", source_uri=str(colours), digest=digest, task=task)
    scores = loaded.predict(pd.DataFrame({"hue": [0.1, -2.0], "depth": [0.3, 1.0]}))
    assert {task.word_of(float(one)) for one in scores} <= set(WORDS)
    (colours / "model.pkl").write_bytes((colours / "model.pkl").read_bytes() + b"\n")
    changed = ModelCache(mlflow_uri, tmp_path / "changed", trusted={digest}.__contains__)
    with pytest.raises(BrokenModel, match="digest"):
        changed.get("colours", "1", source_uri=str(colours), digest=digest, task=task)
    with pytest.raises(BrokenModel, match="pickle, which runs code"):  # a version whose digest nobody recorded
        changed.get("colours", "1", source_uri=str(colours), task=task)


def bent(folder: Path, **changes: object) -> Path:
    """The model with other words of its `python_function` flavour."""
    said = yaml.safe_load((folder / "MLmodel").read_text())
    said["flavors"]["python_function"].update(changes)
    (folder / "MLmodel").write_text(yaml.safe_dump(said))
    return folder


def test_the_note_of_a_download_is_neither_counted_nor_loaded(colours: Path, tmp_path: Path, mlflow_uri: str) -> None:
    digest, mark, task = look(colours).digest, tmp_path / "it-ran", task_named("multiclass", WORDS)
    (colours / "registered_model_meta").write_text("model_name: colours\n")
    assert inside(mlflow_uri, str(colours)).digest == digest
    cache = ModelCache(mlflow_uri, tmp_path / "cache", allow_pickle=True)
    folder = cache.get("colours", "1", source_uri=str(colours), digest=digest, task=task).folder
    (folder / "registered_model_meta").write_text("of a copy that an older release made\n")
    again = ModelCache("http://127.0.0.1:9", tmp_path / "cache", allow_pickle=True)
    assert again.get("colours", "1", digest=digest, task=task).digest == digest

    (bent(colours, model_path="registered_model_meta") / "registered_model_meta").write_bytes(pickle.dumps(Runs(mark)))
    with pytest.raises(BrokenModel, match="do not load"):
        cache.get("colours", "1", source_uri=str(colours))
    assert not mark.exists()


def test_a_file_below_that_is_called_like_the_note_is_part_of_the_digest(
    colours: Path, tmp_path: Path, mlflow_uri: str
) -> None:
    below = bent(colours, model_path="inner/registered_model_meta") / "inner" / "registered_model_meta"
    below.parent.mkdir()
    (colours / "model.pkl").rename(below)
    found, mark = inside(mlflow_uri, str(colours)), tmp_path / "it-ran"
    assert "inner/registered_model_meta" in dict(found.files)
    trusting = ModelCache(mlflow_uri, tmp_path / "cache", trusted={found.digest}.__contains__)
    below.write_bytes(pickle.dumps(Runs(mark)))
    with pytest.raises(BrokenModel, match="which runs code"):
        trusting.get("colours", "1", source_uri=str(colours))
    with pytest.raises(BrokenModel, match="was recorded"):
        trusting.get("colours", "1", source_uri=str(colours), digest=found.digest)
    assert not mark.exists()


@pytest.mark.parametrize("way", ["../outside.pkl", "absolute", "model/../../outside.pkl", "..\\outside.pkl"])
@pytest.mark.parametrize("below", [False, True], ids=["top", "data"])
def test_nobodys_trust_reaches_a_file_outside_the_model(
    colours: Path, tmp_path: Path, mlflow_uri: str, way: str, below: bool
) -> None:
    mark, outside = tmp_path / "it-ran", tmp_path / "outside.pkl"
    outside.write_bytes(pickle.dumps(Runs(mark)))
    said = str(outside) if way == "absolute" else way
    if below:  # MLflow reads the MLmodel file of the folder that the first one calls its data
        (colours / "data").mkdir()
        (colours / "data" / "MLmodel").write_bytes((colours / "MLmodel").read_bytes())
        bent(bent(colours, data="data") / "data", model_path=said)
    else:
        bent(colours, model_path=said)
    found = inside(mlflow_uri, str(colours))
    assert "names files outside itself" in found.never
    assert found.refused == found.never
    trusting = ModelCache(mlflow_uri, tmp_path / "cache", trusted={found.digest}.__contains__)
    with pytest.raises(BrokenModel, match="names files outside itself"):
        trusting.get("colours", "1", source_uri=str(colours), digest=found.digest)
    with pytest.raises(BrokenModel, match="names files outside itself"):
        load(colours, found.digest, allow_pickle=True)
    assert not mark.exists()


def test_a_model_that_only_remembers_where_its_files_came_from_is_not_refused(colours: Path) -> None:
    came = {"words": {"path": "artifacts/words.txt", "uri": "/srv/builds/words.txt"}}
    assert look(bent(colours, artifacts=came, model_code_path="/srv/builds/model.py")).never == ""
    came["words"]["path"] = "../words.txt"
    assert "'../words.txt'" in look(bent(colours, artifacts=came)).never


def test_a_pickle_that_runs_a_command_is_listed_and_does_not_run(colours: Path, tmp_path: Path) -> None:
    mark = tmp_path / "it-ran"
    (colours / "model.pkl").write_bytes(pickle.dumps(Runs(mark)))
    (colours / "more.bin").write_bytes(pickle.dumps({"also": Runs(mark)}, protocol=4))
    found = look(colours)
    assert dict(found.imports) == {"model.pkl": ("posix.system",), "more.bin": ("posix.system",)}
    assert not mark.exists()


@pytest.mark.parametrize(
    ("loader", "library"),
    [
        ("mlflow.pytorch", "torch"),
        ("mlflow.spark", "pyspark"),
        ("mlflow.catboost", "catboost"),
        ("mlflow.pyfunc.model", ""),
        ("mlflow.pyfunc.loaders.chat_model", ""),
        ("strangers_loader.of.words", "strangers_loader"),
        ("pandas.core", "pandas"),
    ],
)
def test_the_package_of_a_loader_has_the_name_it_is_installed_by(colours: Path, loader: str, library: str) -> None:
    assert look(bent(colours, loader_module=loader)).library == library


def test_a_loader_that_the_model_brings_needs_no_package(colours: Path) -> None:
    bent(colours, loader_module="strangers_loader.words")
    assert not look(colours).installed
    (colours / "code").mkdir()
    (colours / "code" / "strangers_loader.py").write_text("")
    found = look(bent(colours, code="code"))
    assert (found.library, found.installed, found.code) == ("", True, True)
    assert not look(bent(colours, loader_module="not a..name")).installed


def test_a_pickle_of_any_name_and_age_is_looked_into_where_the_model_names_it(colours: Path, tmp_path: Path) -> None:
    mark = tmp_path / "it-ran"
    (colours / "model.pkl").unlink()
    old = pickle.dumps(Runs(mark), protocol=0)
    (bent(colours, model_path="model.bin") / "model.bin").write_bytes(old[:-1] + b"no end")
    with zipfile.ZipFile(colours / "weights.pth", "w") as archive:
        archive.writestr("weights/data.pkl", pickle.dumps(Runs(mark), protocol=2))
        archive.writestr("weights/data/0", b"\0\1")
    (colours / "trees.cb").write_bytes(b"CBM1\0\0\xff")
    found = look(colours)
    asked = dict(found.imports)
    assert "posix.system" in asked["model.bin"]
    assert asked["weights.pth: weights/data.pkl"] == ("posix.system",)
    assert found.unread == ("trees.cb",)
    assert "import from posix; not all of their bytes could be read; not looked into: trees.cb" in found.words()
    assert not mark.exists()


def test_the_texts_that_every_model_has_are_no_pickles(colours: Path) -> None:
    (colours / "requirements.txt").write_text("certifi\nnumpy\n")
    found = look(colours)
    assert [name for name, _ in found.imports] == ["model.pkl"]
    assert found.unread == ()


def test_another_flavour_names_the_package_it_needs(colours: Path) -> None:
    file = colours / "MLmodel"
    said = yaml.safe_load(file.read_text())
    said["flavors"]["python_function"]["loader_module"] = "mlflow.catboost"
    file.write_text(yaml.safe_dump(said))
    found = look(colours)
    assert (found.library, found.installed, "'mlflow.catboost' is not trusted" in found.refused) == (
        "catboost",
        False,
        True,
    )
