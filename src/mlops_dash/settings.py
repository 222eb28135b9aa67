"""Settings: one frozen object read from the environment once, at the start of a process.

Every variable begins with MLOPS_DASH_ (but MLFLOW_TRACKING_URI, which people already have). README lists them.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlops_dash.errors import InvalidInput

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Settings:
    """Where things live and how processes behave."""

    home: Path  # run-time files: databases, logs, keys, artifacts
    database_url: str  # decisions, registry, jobs, ledger ("app")
    log_database_url: str  # predictions, labels, profiles ("log")
    mlflow_uri: str  # tracking and registry server
    mlflow_is_ours: bool  # started by our supervisor
    mlflow_database: str = ""  # MLflow's own database, to read runs from (never written)
    host: str = LOOPBACK
    ui_port: int = 8501
    gateway_port: int = 8601
    mlflow_port: int = 8701
    worker_port: int = 8801
    ledger_key: bytes = b""  # HMAC key of the ledger; lives outside the database
    demo: bool = False
    environment: str = "local"
    allow_pickle: bool = False
    open_invocations: bool = False  # /invocations without a token, on loopback only
    metronome_seconds: float = 1.0

    @property
    def logs(self) -> Path:
        """Folder of JSON logs and job logs."""
        return self.home / "logs"

    @property
    def mlflow_database_url(self) -> str:
        """MLflow's own database where its tables may be read: configured, ours, or MLflow itself; else ""."""
        if self.mlflow_database or self.mlflow_uri.startswith(("sqlite:", "postgresql")):
            return self.mlflow_database or self.mlflow_uri
        return f"sqlite:///{self.home / 'mlflow.db'}" if self.mlflow_is_ours else ""

    @property
    def on_loopback(self) -> bool:
        """Whether our servers listen on this machine alone."""
        return self.host in {LOOPBACK, "localhost", "::1"}


def checkout_root() -> Path | None:
    """The repository's root when we run from a checkout, else None."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").is_file() and (root / "app").is_dir() else None


def app_root() -> Path:
    """The folder that holds `app`, `.streamlit` and `data`: the checkout, or their copy inside the installed wheel."""
    return checkout_root() or Path(__file__).resolve().parent / "_app"


def data_file(name: str, home: Path) -> Path:
    """Where committed data is, e.g. "data/flights-2013.parquet": with the program, else in the home folder.

    In neither: the name as given, and who reads it says that it is not there.
    """
    given = Path(name)
    return next((place for root in (app_root(), home) if (place := root / given).is_file()), given)


def default_home(environ: Mapping[str, str]) -> Path:
    """MLOPS_DASH_HOME, else data/local of a checkout, else the user's data folder."""
    if environ.get("MLOPS_DASH_HOME"):
        return Path(environ["MLOPS_DASH_HOME"]).expanduser().resolve()
    root = checkout_root()
    if root is not None:
        return root / "data" / "local"
    base = environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "mlops-dash"


def from_environment(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; creates the home folder and the ledger key on first use.

    Raises:
        InvalidInput: a variable has a value that cannot be used.
    """
    env = os.environ if environ is None else environ
    home = default_home(env)
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(
            f"The folder {home} cannot be made: {error.strerror}.",
            hint="Set MLOPS_DASH_HOME to another folder.",
        ) from error
    database_url = env.get("MLOPS_DASH_DATABASE_URL") or f"sqlite:///{home / 'app.db'}"
    log_url = env.get("MLOPS_DASH_LOG_DATABASE_URL") or (
        f"sqlite:///{home / 'log.db'}" if database_url.startswith("sqlite") else database_url
    )
    mlflow_port = _port(env, "MLOPS_DASH_MLFLOW_PORT", 8701)
    outside = env.get("MLFLOW_TRACKING_URI", "")
    return Settings(
        home=home,
        database_url=database_url,
        log_database_url=log_url,
        mlflow_uri=outside or f"http://{LOOPBACK}:{mlflow_port}",
        mlflow_is_ours=not outside or _flag(env, "MLOPS_DASH_MLFLOW_IS_OURS"),
        mlflow_database=env.get("MLOPS_DASH_MLFLOW_DATABASE_URL", ""),
        host=env.get("MLOPS_DASH_HOST", LOOPBACK),
        ui_port=_port(env, "MLOPS_DASH_UI_PORT", 8501),
        gateway_port=_port(env, "MLOPS_DASH_GATEWAY_PORT", 8601),
        mlflow_port=mlflow_port,
        worker_port=_port(env, "MLOPS_DASH_WORKER_PORT", 8801),
        ledger_key=_ledger_key(env, home),
        demo=_flag(env, "MLOPS_DASH_DEMO"),
        environment=env.get("MLOPS_DASH_ENVIRONMENT", "local"),
        allow_pickle=_flag(env, "MLOPS_DASH_ALLOW_PICKLE"),
        open_invocations=_flag(env, "MLOPS_DASH_OPEN_INVOCATIONS"),
    )


def _flag(env: Mapping[str, str], name: str) -> bool:
    value = env.get(name, "").strip().lower()
    if value in {"", "0", "false", "no", "off"}:
        return False
    if value in {"1", "true", "yes", "on"}:
        return True
    raise InvalidInput(f"{name} is {value!r}.", hint="Use 1 or 0.")


def _port(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise InvalidInput(f"{name} is {text!r}.", hint="Use a port from 1 to 65535.")
    return int(text)


def _ledger_key(env: Mapping[str, str], home: Path) -> bytes:
    if env.get("MLOPS_DASH_LEDGER_KEY"):
        return env["MLOPS_DASH_LEDGER_KEY"].encode()
    path = home / "ledger.key"
    if path.is_file():
        return path.read_bytes().strip()
    draft = home / f"ledger.key.{secrets.token_hex(4)}"
    try:
        draft.touch(mode=0o600)
        draft.write_bytes(secrets.token_hex(32).encode())
        os.link(draft, path)  # atomic: of two first starts exactly one key survives
    except FileExistsError:
        pass
    except OSError as error:
        raise InvalidInput(
            f"The ledger key {path} cannot be written: {error.strerror}.",
            hint="Make the folder writable, or set MLOPS_DASH_LEDGER_KEY.",
        ) from error
    finally:
        draft.unlink(missing_ok=True)
    return path.read_bytes().strip()


def python_executable() -> str:
    """The interpreter that child processes use."""
    return sys.executable
