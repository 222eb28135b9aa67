"""What a model's own code reaches while it is checked: pickles are allowed here, so that the walls stand alone."""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlops_dash.errors import BrokenModel
from mlops_dash.tracking.models import fresh_check
from mlops_dash.tracking.models.fresh_check import check_in_fresh_process, libraries_ready
from tests.served import Served

SECRET = "s3cret-of-the-ledger"
LANDLOCK = ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1) > 0 if sys.platform == "linux" else False
Act = Callable[[str], object]


@pytest.fixture(scope="module", autouse=True)
def ready() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLOPS_DASH_LEDGER_KEY", SECRET)
        patch.setenv("MLFLOW_TRACKING_PASSWORD", SECRET)
        with libraries_ready():
            yield


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a ledger key and a database, beside the program but not of it."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "ledger.key").write_text(SECRET)
    with sqlite3.connect(tmp_path / "home" / "app.db") as database:
        database.execute("create table t (x)")
    database.close()
    return tmp_path / "home"


class Curious(BaseEstimator):  # type: ignore[misc]
    """A model with code of its own: it does something with a path when it is asked, and answers as if nothing were."""

    def __init__(self, act: Act, path: str, *, swallow: bool = False) -> None:
        self.act = act
        self.path = path
        self.swallow = swallow
        self.at_home = os.getpid()  # logging a model asks it as well: it behaves where it was made

    def predict(self, rows: Any) -> Any:
        """Whatever `act` gives, as a number a row."""
        if os.getpid() == self.at_home:
            return [0.0] * len(rows)
        try:
            found = self.act(self.path)
        except OSError:
            if not self.swallow:
                raise
            found = None
        return [float(bool(found))] * len(rows)


def saved(model: Any, folder: Path, example: pd.DataFrame | None = None, **options: Any) -> str:
    """The address of a model's folder, logged as a stranger would: a pickle with its code, or skops."""
    import cloudpickle
    import mlflow.sklearn

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mlflow.sklearn.save_model(
                model, str(folder), input_example=pd.DataFrame({"x": [1.0, 2.0]}) if example is None else example,
                pip_requirements=["mlflow"], **{"serialization_format": "cloudpickle", **options},
            )  # fmt: skip
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    return folder.as_uri()


def by_open(path: str) -> object:
    return Path(path).read_text()


def by_descriptor(path: str) -> object:
    return os.read(os.open(path, os.O_RDONLY), 99)


def by_relative_path(path: str) -> object:
    return by_open(os.path.relpath(path))


def by_open_folder(path: str) -> object:
    return os.read(os.open(f"../{Path(path).name}", os.O_RDONLY, dir_fd=os.open(".", os.O_RDONLY)), 99)


def by_the_process_root(path: str) -> object:
    return by_open(f"/proc/self/root{path}")


def by_a_link(path: str) -> object:
    Path("mine").symlink_to(path)
    return by_open("mine")


def by_copy(path: str) -> object:
    return shutil.copy(path, "mine")


def by_numpy(path: str) -> object:
    return np.fromfile(path, dtype=np.uint8)


def by_memory_map(path: str) -> object:
    return np.memmap(path, dtype=np.uint8, mode="r")[:5]


def by_pandas(path: str) -> object:
    return pd.read_csv(path)


def by_arrow(path: str) -> object:
    import pyarrow

    return pyarrow.OSFile(path).read()


def by_database(path: str) -> object:
    return sqlite3.connect(f"file:{Path(path).with_name('app.db')}?mode=ro", uri=True).execute("select 1 from t")


def by_native_code(path: str) -> object:
    return ctypes.CDLL(None).open(path.encode(), os.O_RDONLY) >= 0


def by_listing(path: str) -> object:
    return list(Path(path).parent.iterdir())


def by_program(path: str) -> object:
    return subprocess.run(["cat", path], capture_output=True, check=True).stdout


def by_shell(path: str) -> object:
    return os.system(f"cat {path}") == 0


def by_fork(path: str) -> object:
    return os.fork() >= 0


def by_network(path: str) -> object:
    return socket.create_connection(("127.0.0.1", 9), 1)


def by_name_service(path: str) -> object:
    return socket.getaddrinfo("localhost", 80)


def by_parents_environment(path: str) -> object:
    return SECRET.encode() in Path(f"/proc/{os.getppid()}/environ").read_bytes() or by_open(
        f"/proc/{os.getppid()}/environ"
    )


def by_parents_end(path: str) -> object:
    return os.kill(os.getppid(), 0) is None


def by_writing(path: str) -> object:
    return Path(path).write_text("mine")


def by_removing(path: str) -> object:
    return Path(path).unlink() is None


def by_moving(path: str) -> object:
    return Path(path).rename("mine")


def by_its_own_model(path: str) -> object:
    return own_description().write_text("other")


def own_description() -> Path:
    """The MLmodel file of the copy, beside the folder that a model may write."""
    beside = Path.cwd().parent / "model"
    return next(place for place in (beside / "MLmodel", beside / "model" / "MLmodel") if place.exists())


WAYS = (
    by_open, by_descriptor, by_relative_path, by_open_folder, by_the_process_root, by_a_link, by_copy, by_numpy,
    by_memory_map, by_pandas, by_arrow, by_database, by_native_code, by_listing, by_program, by_shell, by_fork,
    by_network, by_name_service, by_parents_environment, by_parents_end, by_writing, by_removing, by_moving,
    by_its_own_model,
)  # fmt: skip
WITHOUT_INTERPRETER = {by_arrow}  # C++ that opens files itself: only the kernel's wall holds it


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kernel", [True, False], ids=["kernel", "hook"])
def test_a_model_that_reaches_for_what_is_not_its_own_is_refused(
    served: Served, home: Path, tmp_path: Path, way: Act, kernel: bool
) -> None:
    if way in WITHOUT_INTERPRETER and not (kernel and LANDLOCK):
        pytest.skip("native code is the kernel's wall alone")
    key = home / "ledger.key"
    model = saved(Curious(way, str(key)), tmp_path / "model")
    with pytest.raises(BrokenModel, match=r"The model tried to|A model that is checked may not|Permission denied"):
        check_in_fresh_process(served.uri, model, allow_pickle=True, kernel=kernel)
    assert key.read_text() == SECRET


@pytest.mark.parametrize("way", [by_open, by_program, by_network, by_a_link, by_native_code, by_database])
def test_swallowing_the_refusal_does_not_hide_it(served: Served, home: Path, tmp_path: Path, way: Act) -> None:
    model = saved(Curious(way, str(home / "ledger.key"), swallow=True), tmp_path / "model")
    with pytest.raises(BrokenModel, match="The model tried to "):
        check_in_fresh_process(served.uri, model, allow_pickle=True)


def by_environment(path: str) -> object:
    return [name for name, value in os.environ.items() if SECRET in value or path in value or "URI" in name]


def test_its_environment_holds_no_secret_and_no_address(served: Served, home: Path, tmp_path: Path) -> None:
    model = saved(Curious(by_environment, str(home)), tmp_path / "model")
    assert check_in_fresh_process(served.uri, model, allow_pickle=True).reason == "2 example rows scored 0.000 to 0.000"


def by_its_own_folder(path: str) -> object:
    Path("kept").write_text("mine")
    Path("kept").replace("moved")
    return Path("moved").read_text() == "mine" and own_description().read_text()


def test_its_own_files_and_a_folder_to_write_are_its_own(served: Served, tmp_path: Path) -> None:
    model = saved(Curious(by_its_own_folder, ""), tmp_path / "model")
    assert check_in_fresh_process(served.uri, model, allow_pickle=True).reason == "2 example rows scored 1.000 to 1.000"


def by_hoarding(path: str) -> object:
    hoard = []
    while True:
        hoard.append(np.ones(2_000_000))


def test_a_model_that_takes_all_memory_is_ended_at_the_limit(served: Served, tmp_path: Path) -> None:
    model = saved(Curious(by_hoarding, ""), tmp_path / "model")
    limits = replace(fresh_check.LIMITS, memory_mib=700.0)
    with libraries_ready(), pytest.raises(BrokenModel, match=r"held [\d,]+ MiB of memory; a check allows 700 MiB"):
        check_in_fresh_process(served.uri, model, allow_pickle=True, limits=limits)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (make_pipeline(StandardScaler(), LogisticRegression()), "6 example rows answered with 'bad', 'good'"),
        (RandomForestClassifier(5), "6 example rows answered with 'bad', 'good'"),
        (HistGradientBoostingClassifier(max_iter=3), "6 example rows answered with 'bad', 'good'"),
        (LinearRegression(), "6 example rows scored"),
        (KMeans(2, n_init=1), "6 example rows scored 0.000 to 1.000"),
    ],
    ids=lambda one: type(one).__name__ if not isinstance(one, str) else "",
)
def test_a_strangers_model_passes_whatever_it_predicts(served: Served, tmp_path: Path, model: Any, said: str) -> None:
    rows = pd.DataFrame({'Sepal\'s length "cm"': [1.0, 2.0, 3.0, 7.0, 8.0, 9.0] * 10})
    words = np.where(rows.iloc[:, 0] > 5, "good", "bad")
    model.fit(rows, rows.iloc[:, 0] if isinstance(model, LinearRegression) else words)
    address = saved(
        model, tmp_path / "model", rows.head(6), serialization_format="skops",
        skops_trusted_types=list(fresh_check_types()),
    )  # fmt: skip
    found = check_in_fresh_process(served.uri, address)
    assert (found.ok, found.reason.startswith(said)) == (True, True), found


def test_three_classes_with_probabilities_pass(served: Served, tmp_path: Path) -> None:
    rows = pd.DataFrame({"x": np.arange(30.0)})
    model = LogisticRegression().fit(rows, np.repeat(["low", "middle", "high"], 10))
    address = saved(
        model, tmp_path / "model", rows.head(4), serialization_format="skops", pyfunc_predict_fn="predict_proba"
    )
    assert check_in_fresh_process(served.uri, address).reason.startswith("4 example rows scored 0.")


def fresh_check_types() -> tuple[str, ...]:
    """What a model of trees must name, because skops does not trust it by itself."""
    from mlops_dash.tracking.models.trust import TRUSTED_TYPES

    return TRUSTED_TYPES
