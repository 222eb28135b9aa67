"""Files of a run: over HTTP from MLflow's own route, else through its client; never beyond a size or out of the run."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from mlops_dash.errors import InvalidInput, NotFound, Unavailable
from mlops_dash.tracking.experiments.files import RunFiles

RUN = "a" * 32


class Mlflow(BaseHTTPRequestHandler):
    """Answers as MLflow's server does."""

    def do_GET(self) -> None:  # the name that http.server calls
        asked = urlsplit(self.path)
        said = {name: one[0] for name, one in parse_qs(asked.query).items()}
        if asked.path.endswith("artifacts/list"):
            files = [{"path": "a.txt", "is_dir": False, "file_size": 5}, {"path": "eval", "is_dir": True},
                     {"path": "huge.bin", "is_dir": False, "file_size": 99}, {"path": "lies.bin", "file_size": 3},
                     {"path": "gone.txt", "file_size": 3}]  # fmt: skip
            inside = [{"path": "eval/ä b.csv", "is_dir": False, "file_size": 4}]
            self._send(200, json.dumps({"files": inside if said.get("path") == "eval" else files}).encode())
        elif asked.path == "/get-artifact" and said["path"] != "gone.txt":
            found = {"a.txt": b"hello", "eval/ä b.csv": b"a,b\n", "lies.bin": b"x" * 50}
            self._send(200, found[said["path"]])
        else:
            self._send(404, b"")

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture(scope="module")
def files() -> Iterator[RunFiles]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mlflow)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield RunFiles(f"http://127.0.0.1:{server.server_address[1]}")
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_file_is_read_whole(files: RunFiles) -> None:
    assert files.read(RUN, "a.txt", most=10) == b"hello"
    assert files.read(RUN, "eval/ä b.csv", most=10) == b"a,b\n"


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../other/a.txt", "eval/../../x"])
def test_no_path_leads_out_of_the_run(files: RunFiles, path: str) -> None:
    with pytest.raises(InvalidInput, match="no path"):
        files.read(RUN, path, most=10)


def test_missing_folder_and_large_files_are_refused(files: RunFiles) -> None:
    with pytest.raises(NotFound, match=r"has no file b\.txt"):
        files.read(RUN, "b.txt", most=10)
    with pytest.raises(InvalidInput, match="is a folder"):
        files.read(RUN, "eval", most=10)
    with pytest.raises(InvalidInput, match="at most"):
        files.read(RUN, "huge.bin", most=10)
    with pytest.raises(InvalidInput, match="larger than"):
        files.read(RUN, "lies.bin", most=10)  # more came than the listing said


def test_an_error_of_the_server_is_said(files: RunFiles) -> None:
    with pytest.raises(Unavailable, match="answers 404"):
        files.read(RUN, "gone.txt", most=10)
    with pytest.raises(Unavailable):
        RunFiles("http://127.0.0.1:9").read(RUN, "a.txt", most=10)


def test_a_store_without_a_server_is_read_through_the_client(mlflow_uri: str, tmp_path: Path) -> None:
    import mlflow

    client = mlflow.MlflowClient(mlflow_uri, mlflow_uri)
    made = client.create_experiment("x", artifact_location=(tmp_path / "artifacts").as_uri())
    run = client.create_run(made).info.run_id
    (tmp_path / "a.txt").write_text("hello")
    client.log_artifact(run, str(tmp_path / "a.txt"), "deep")
    assert RunFiles(mlflow_uri).read(run, "deep/a.txt", most=10) == b"hello"
