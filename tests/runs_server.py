"""A real MLflow server in a thread of this process: what the run index is read from, over HTTP."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def serving(store: str, monkeypatch: pytest.MonkeyPatch, *, port: int = 0) -> Iterator[str]:
    """The address of MLflow's own web application on the store; gone at the end."""
    monkeypatch.setenv("_MLFLOW_SERVER_FILE_STORE", store)
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", store.removeprefix("sqlite:///") + "-artifacts")
    from mlflow.server import app, handlers
    from werkzeug.serving import make_server

    # Each search for runs tries to import MLflow's own login, which this installation has not.
    monkeypatch.setitem(sys.modules, "mlflow.server.auth", None)
    monkeypatch.setattr(handlers, "_tracking_store", None)
    monkeypatch.setattr(handlers, "_model_registry_store", None)
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
