"""MLflow's registry through our door: versions, aliases, tags, and a server that does not answer."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from mlops_dash.errors import InvalidInput, NotFound, Unavailable
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


@pytest.fixture
def mlflow_server(mlflow_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """MLflow's own server application on a port of this process, over this test's store."""
    from mlflow.server import app, handlers
    from werkzeug.serving import make_server

    monkeypatch.setenv("_MLFLOW_SERVER_FILE_STORE", mlflow_uri)
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", str(tmp_path / "artifacts"))
    for name in ("_tracking_store", "_model_registry_store"):
        monkeypatch.setattr(handlers, name, None)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    serving.join()
    server.server_close()


def test_over_http_the_same_is_read_and_moved_as_through_mlflows_client(mlflow_uri: str, mlflow_server: str) -> None:
    direct, remote = MlflowRegistry(mlflow_uri), MlflowRegistry(mlflow_server)
    for number in range(1, 4):
        direct.create_version("it's", source=f"/nowhere/{number}", run_id="", tags={"k": "v"}, description="d")
    direct.set_alias("it's", "baseline", "1")
    assert remote.alias("it's", "champion") is None

    remote.set_alias("it's", "champion", "2")

    assert direct.alias("it's", "champion") == remote.alias("it's", "champion") == "2"
    assert remote.versions("it's") == direct.versions("it's")
    assert remote.versions("it's")[1].aliases == ("champion",)
    with pytest.raises(NotFound, match="version 9"):
        remote.set_alias("it's", "champion", "9")
    with pytest.raises(NotFound, match="nobody"):
        remote.versions("nobody")
    with pytest.raises(InvalidInput, match="reserved"):
        remote.set_alias("it's", "v3", "1")


QUOTES = ('it\'s "x"', "it's", 'say "x"', "back\\", "\\'", "' OR name != '")
HOSTILE = (*QUOTES, " pad ", "a;b -- c", "100%_", "tab\tx", "A", "a")


@pytest.mark.parametrize("over_http", [False, True])
def test_a_name_is_only_a_name_whatever_signs_it_holds(mlflow_uri: str, mlflow_server: str, over_http: bool) -> None:
    direct = MlflowRegistry(mlflow_uri)
    registry = MlflowRegistry(mlflow_server) if over_http else direct
    for name in HOSTILE:
        direct.create_version(name, source="/nowhere/a", run_id="")
    for name in HOSTILE:
        registry.set_alias(name, "champion", "1")
        assert [(one.name, one.version, one.aliases) for one in registry.versions(name)] == [(name, "1", ("champion",))]
        assert registry.alias(name, "champion") == "1"
    assert set(registry.models()) == set(HOSTILE)


def test_over_http_many_versions_come_page_by_page(
    mlflow_uri: str, mlflow_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    direct = MlflowRegistry(mlflow_uri)
    for number in range(5):
        direct.create_version("m", source=f"/nowhere/{number}", run_id="")
    monkeypatch.setattr("mlops_dash.tracking.registry._PAGE", 2)
    assert [one.version for one in MlflowRegistry(mlflow_server).versions("m")] == ["5", "4", "3", "2", "1"]


@pytest.mark.parametrize("over_http", [False, True])
def test_a_models_tag_is_found_on_every_model_that_carries_it(
    mlflow_uri: str, mlflow_server: str, over_http: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_dash.tracking.registry._PAGE", 2)
    registry = MlflowRegistry(mlflow_server if over_http else mlflow_uri)
    for number in range(5):
        MlflowRegistry(mlflow_uri).create_model(f"m{number}")
    assert registry.model_tags("house.head") == {}

    registry.set_model_tag("m1", "house.head", "1:a")
    registry.set_model_tag("m4", "house.head", "2:b")
    registry.set_model_tag("m4", "house.head", "3:c")
    registry.set_model_tag("m4", "other", "x")

    assert registry.model_tags("house.head") == {"m1": "1:a", "m4": "3:c"}
    with pytest.raises(NotFound):
        registry.set_model_tag("nobody", "house.head", "1:a")


def test_what_is_not_mlflow_is_said(mlflow_uri: str) -> None:
    """Some other server at that address."""

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if "get" in self.path else 500)
            self.end_headers()
            self.wfile.write(b"<html>hello</html>")

        def log_message(self, format: str, *args: object) -> None:
            """Stay quiet."""

    with HTTPServer(("127.0.0.1", 0), Other) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        registry = MlflowRegistry(f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(Unavailable, match="does not answer with JSON"):
            registry.alias("m", "champion")
        with pytest.raises(Unavailable, match="it answers 500"):
            registry._ask("GET", "model-versions/search", {}, "read the versions")
        server.shutdown()
        serving.join()


def test_a_server_that_is_not_there_is_said_at_once_with_the_next_step() -> None:
    registry = MlflowRegistry("http://127.0.0.1:9")
    began = time.monotonic()
    with pytest.raises(Unavailable, match="does not answer") as caught:
        registry.versions("m")
    assert time.monotonic() - began < 5
    assert "mlops-dash up" in caught.value.hint
    assert registry.reachable() is False


def test_a_server_that_starts_with_us_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    registry, answers = MlflowRegistry("http://127.0.0.1:9"), ["away", "away", ""]
    monkeypatch.setattr(MlflowRegistry, "why_unreachable", lambda self: answers.pop(0))
    registry.wait(30, hint="look at its log")
    assert answers == []
    answers = ["away", "never asked"]
    with pytest.raises(Unavailable, match="away") as caught:
        registry.wait(0, hint="look at its log")
    assert (caught.value.hint, answers) == ("look at its log", ["never asked"])


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


def test_an_answer_that_breaks_off_is_no_answer() -> None:
    class Broken(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "500")
            self.end_headers()
            self.wfile.write(b'{"registered_model": ')

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Broken) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(Unavailable, match="does not answer"):
            MlflowRegistry(f"http://127.0.0.1:{server.server_port}").alias("m", "champion")
        server.shutdown()


@pytest.mark.parametrize(
    ("file", "text", "plain"),
    [
        ("none", "", True),
        (".mlflow/credentials", "[mlflow]\nmlflow_tracking_username = a\n", False),
        (".netrc", "machine mlflow.example login a password b\n", False),
        (".netrc", "machine elsewhere.example login a password b\n", True),
        (".netrc", "no netrc", True),
    ],
)
def test_passwords_in_files_are_left_to_mlflows_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, text: str, *, plain: bool
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.delenv("NETRC", raising=False)
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    (tmp_path / file).chmod(0o600)
    assert MlflowRegistry("http://mlflow.example:5000")._plain is plain
    monkeypatch.setenv("MLFLOW_WORKSPACE", "team")
    assert not MlflowRegistry("http://mlflow.example:5000")._plain
