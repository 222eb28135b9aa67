"""All that is registered at somebody's MLflow, read over HTTP with nothing but reading requests."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_dash.tracking.catalogue import RegistryCatalogue
from mlops_dash.tracking.registry import MlflowRegistry

MODEL = 'it\'s "late"'
MINUTES = json.dumps([{"type": "double", "required": True}])


def logged(folder: Path, outputs: str) -> str:
    """Where a version's MLmodel file lies, as a plain client leaves it."""
    folder.mkdir()
    (folder / "MLmodel").write_text(
        "flavors:\n  python_function: {loader_module: mlflow.sklearn}\n  lightgbm: {}\n"
        f"signature:\n  inputs: '[]'\n  outputs: '{outputs}'\n"
    )
    return folder.as_uri()


@pytest.fixture
def asked(mlflow_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[str]]]:
    """MLflow's own server over this test's store, and the requests that it got."""
    from mlflow.server import app, handlers
    from werkzeug.serving import WSGIRequestHandler, make_server

    requests: list[str] = []

    class Noting(WSGIRequestHandler):
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            requests.append(f"{self.command} {self.path.partition('?')[0]}")

    monkeypatch.setenv("_MLFLOW_SERVER_FILE_STORE", mlflow_uri)
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", str(tmp_path / "artifacts"))
    for name in ("_tracking_store", "_model_registry_store"):
        monkeypatch.setattr(handlers, name, None)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Noting)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}", requests
    server.shutdown()
    serving.join()
    server.server_close()


def test_every_model_is_told_with_what_it_seems_to_predict_and_nothing_is_written(
    mlflow_uri: str, asked: tuple[str, list[str]], tmp_path: Path
) -> None:
    direct = MlflowRegistry(mlflow_uri)
    direct.create_version(MODEL, source="/nowhere/1", run_id="")
    direct.create_version(MODEL, source=logged(tmp_path / "late", MINUTES), run_id="")
    direct.set_alias(MODEL, "live", "1")
    direct.set_model_tag(MODEL, "team", "trains")
    direct.create_version("churn", source="/nowhere/churn", run_id="", tags={"task": "binary"})
    direct.create_model("empty")
    uri, requests = asked

    churn, empty, late = RegistryCatalogue(uri).offered()

    assert (late.name, late.version, late.aliases, late.tags) == (MODEL, "2", {"live": "1"}, {"team": "trains"})
    assert (late.task, late.why, late.flavour, late.signature) == ("regression", "one number a row", "lightgbm", True)
    assert late.owner == "trains"
    assert (churn.task, churn.why, churn.flavour, churn.signature) == ("binary", "tag task", "", None)
    assert (empty.version, empty.task, empty.why) == ("", "", "it has no version yet")
    assert requests
    assert [one for one in requests if not one.startswith("GET ") and not one.endswith("/search")] == []


def test_stages_name_their_newest_version(mlflow_uri: str) -> None:
    direct = MlflowRegistry(mlflow_uri)
    for number in ("1", "2", "3"):
        direct.create_version(MODEL, source=f"/nowhere/{number}", run_id="")
    with direct._asking("stage") as client:
        for number in ("1", "2"):
            with pytest.warns(FutureWarning):
                client.transition_model_version_stage(MODEL, number, "Production")
    [late] = RegistryCatalogue(mlflow_uri).offered()
    assert late.stages == {"Production": "2"}
