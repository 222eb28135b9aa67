"""MLflow's registry through our door: versions, aliases, tags, and a server that does not answer."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from mlops_dash.errors import NotFound, Unavailable
from mlops_dash.tracking.registry import MlflowRegistry


def test_versions_come_newest_first_with_their_aliases_tags_and_runs(mlflow_uri: str) -> None:
    registry = MlflowRegistry(mlflow_uri)
    registry.create_version("m", source="/nowhere/a", run_id="", tags={"k": "v"})
    registry.create_version("m", source="/nowhere/b", run_id="")
    registry.set_alias("m", "champion", "1")
    registry.set_alias("m", "baseline", "1")

    found = registry.versions("m")

    assert [(one.version, one.aliases) for one in found] == [("2", ()), ("1", ("baseline", "champion"))]
    assert found[1].tags == {"k": "v"}
    assert found[1].source == "/nowhere/a"
    assert found[1].created_at.tzinfo is not None
    assert registry.models() == ("m",)


def test_an_alias_moves_and_the_same_move_again_changes_nothing(mlflow_uri: str) -> None:
    registry = MlflowRegistry(mlflow_uri)
    registry.create_version("m", source="/nowhere/a", run_id="")
    registry.create_version("m", source="/nowhere/b", run_id="")
    assert registry.alias("m", "champion") is None
    for _ in range(2):
        registry.set_alias("m", "champion", "2")
        assert registry.alias("m", "champion") == "2"
    assert registry.version("m", "2").aliases == ("champion",)
    registry.delete_alias("m", "champion")
    assert registry.alias("m", "champion") is None


def test_tags_are_set_on_one_version(mlflow_uri: str) -> None:
    registry = MlflowRegistry(mlflow_uri)
    registry.create_version("m", source="/nowhere/a", run_id="")
    registry.set_tags("m", "1", {"mlops_dash.proposal": "p1", "other": "x"})
    assert registry.version("m", "1").tags == {"mlops_dash.proposal": "p1", "other": "x"}


def test_registering_a_model_twice_leaves_it_as_it_is(mlflow_uri: str) -> None:
    registry = MlflowRegistry(mlflow_uri)
    registry.create_model("m")
    registry.create_model("m")
    assert registry.models() == ("m",)


@pytest.mark.parametrize("call", ["versions", "alias", "version"])
def test_what_mlflow_does_not_know_is_not_found(mlflow_uri: str, call: str) -> None:
    registry = MlflowRegistry(mlflow_uri)
    arguments = {"versions": ("nobody",), "alias": ("nobody", "champion"), "version": ("nobody", "1")}[call]
    with pytest.raises(NotFound, match="nobody"):
        getattr(registry, call)(*arguments)


def test_a_server_that_is_not_there_is_said_at_once_with_the_next_step() -> None:
    registry = MlflowRegistry("http://127.0.0.1:9")
    began = time.monotonic()
    with pytest.raises(Unavailable, match="does not answer") as caught:
        registry.versions("m")
    assert time.monotonic() - began < 5
    assert "mlops-dash up" in caught.value.hint
    assert registry.reachable() is False


def test_a_server_that_hangs_is_given_up_within_five_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        taken: list[socket.socket] = []
        taking = threading.Thread(target=lambda: taken.append(listening.accept()[0]), daemon=True)
        taking.start()
        registry = MlflowRegistry(f"http://127.0.0.1:{listening.getsockname()[1]}")
        began = time.monotonic()
        assert "does not answer" in registry.why_unreachable()
        assert time.monotonic() - began < 5
        taking.join()
        for connection in taken:
            connection.close()


def test_importing_the_room_does_not_import_mlflow() -> None:
    code = "import sys; import mlops_dash.tracking.registry; sys.exit('mlflow' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], check=False, env=environment).returncode == 0
