"""How do we say to MLflow who we are? As its own client would; where only that knows how, it is asked to."""

from __future__ import annotations

import base64
import netrc
import os
from pathlib import Path

# With any of these only MLflow's own client knows how to talk to the server.
_OWN_WAYS = (
    "MLFLOW_TRACKING_INSECURE_TLS",
    "MLFLOW_TRACKING_SERVER_CERT_PATH",
    "MLFLOW_TRACKING_CLIENT_CERT_PATH",
    "MLFLOW_TRACKING_AWS_SIGV4",
    "MLFLOW_TRACKING_AUTH",
    "MLFLOW_WORKSPACE",
)


def needs_client(host: str) -> bool:
    """Whether only MLflow's client knows how to talk to the server: special ways, or passwords kept in files."""
    if any(os.environ.get(name) for name in _OWN_WAYS) or (Path.home() / ".mlflow" / "credentials").is_file():
        return True
    kept = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
    try:
        return kept.is_file() and netrc.netrc(kept).authenticators(host) is not None
    except (netrc.NetrcParseError, OSError):
        return False


def credentials() -> dict[str, str]:
    """The header that MLflow's own client would send."""
    token = os.environ.get("MLFLOW_TRACKING_TOKEN", "")
    user, password = os.environ.get("MLFLOW_TRACKING_USERNAME", ""), os.environ.get("MLFLOW_TRACKING_PASSWORD", "")
    if user and password:
        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
    return {"Authorization": f"Bearer {token}"} if token else {}
