"""Settings: one frozen object read from the environment once, at the start of a process.

Every variable begins with MLOPS_DASH_ (but MLFLOW_TRACKING_URI, which people already have). README lists them.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import re
import secrets
import socket
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from mlops_dash.errors import InvalidInput

LOOPBACK = "127.0.0.1"
LOCAL = "local"  # an environment that nobody named
BATCH_ROWS = 128
CURRENCY = "EUR"
HOT_DAYS, COLD_DAYS, PROFILE_DAYS = 14, 400, 1095
_MOST_DAYS = 36_500
_MOST_BATCH_ROWS = 100_000
_MOST_GATEWAYS = 64
DEMO_FLAG = "--demo"  # the value of MLOPS_DASH_DEMO that `up --demo` hands to its processes
_PORTS = {"UI_PORT": 8501, "GATEWAY_PORT": 8601, "MLFLOW_PORT": 8701, "WORKER_PORT": 8801}
VARIABLES = (
    "MLFLOW_TRACKING_URI",
    *(
        f"MLOPS_DASH_{name}"
        for name in (
            "ALLOW_PICKLE", "BATCH_ROWS", "COLD_DAYS", "DATABASE_URL", "DEMO", "ENVIRONMENT", "GATEWAY_PROCESSES",
            "HOME", "HOST", "HOT_DAYS",
            "LEDGER_IN_MLFLOW", "LEDGER_KEY", "LOG_DATABASE_URL", "MAIL_FROM", "MLFLOW_DATABASE_URL", "MLFLOW_IS_OURS",
            "OPEN_INVOCATIONS", "PROFILE_DAYS", "PROTOCOL_TRACES", "PUBLIC_URL", "REPORT_FOLDER", "SMTP", "TOKEN",
            "TRUSTED_PROXIES", "WEBHOOK_NETWORKS",
            *_PORTS,
        )
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """Where things live and how processes behave."""

    home: Path  # run-time files: databases, logs, keys, artifacts
    database_url: str  # decisions, registry, jobs, ledger ("app")
    log_database_url: str  # predictions, labels, profiles ("log")
    mlflow_uri: str  # tracking and registry server
    mlflow_is_ours: bool  # started by our supervisor
    ledger_in_mlflow: bool = False  # a server that is not ours gets a tag with the ledger's head too
    mlflow_database: str = ""  # MLflow's own database, to read runs from (never written)
    host: str = LOOPBACK
    ui_port: int = 8501
    gateway_port: int = 8601
    gateway_processes: int = 1  # behind that one port
    mlflow_port: int = 8701
    worker_port: int = 8801
    ledger_key: bytes = b""  # HMAC key of the ledger; lives outside the database
    demo: bool = False
    demo_by_flag: bool = False  # asked for by `--demo`, not by a variable that may be there by accident
    trusted_proxies: tuple[str, ...] = ()  # networks whose X-Forwarded-* headers are believed
    environment: str = LOCAL
    allow_pickle: bool = False
    open_invocations: bool = False  # /invocations without a token, on loopback only
    protocol_traces: bool = False  # errors of /invocations carry stack traces, as MLflow's own server has them
    batch_rows: int = BATCH_ROWS  # of several requests in one call of a model that answers row by row; 1 = each alone
    batch_rows_of: tuple[tuple[str, int], ...] = ()  # the same by model, whatever it is made of
    metronome_seconds: float = 1.0
    smtp: str = field(default="", repr=False)  # smtp:// or smtps://USER:PASSWORD@HOST:PORT; "" = mail becomes files
    mail_from: str = "mlops-dash@localhost"
    webhook_networks: tuple[str, ...] = ()  # addresses inside the house that web hooks may go to
    public_url: str = ""  # where people open the pages, as messages name it
    report_folder: Path | None = None  # reports that are sent to folders go below it; None = HOME/reports
    hot_days: int = HOT_DAYS  # rows stay in the tables for so long after they are ripe, then go to cold files
    cold_days: int = COLD_DAYS  # cold files, and rows that were kept out, stay for so long
    profile_days: int = PROFILE_DAYS  # profiles and the judgements of their windows stay for so long
    currency: str = CURRENCY  # of what runs cost

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
    def anchors_in_mlflow(self) -> bool:
        """Whether the ledger's head is kept as a tag in MLflow: where the server is ours, or somebody said so."""
        return self.mlflow_is_ours or self.ledger_in_mlflow

    @property
    def reports(self) -> Path:
        """The folder below which reports are put that a schedule sends to a folder."""
        return self.report_folder or self.home / "reports"

    @property
    def pages_url(self) -> str:
        """Where people open the pages, without a slash at the end."""
        return self.public_url.rstrip("/") or f"http://{self.host}:{self.ui_port}"

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

    From here on this process makes files for its owner alone, and what lies in the home is made so.

    Raises:
        InvalidInput: a variable has a value that cannot be used, or the home cannot be written.
    """
    env = os.environ if environ is None else environ
    for name in VARIABLES:
        if not env.get(name, "unset").strip():
            raise InvalidInput(f"{name} is empty.", hint="Give it a value, or unset it.")
    os.umask(0o077)
    home = default_home(env)
    _make_home(home)
    database_url = _database(env, "MLOPS_DASH_DATABASE_URL") or f"sqlite:///{home / 'app.db'}"
    log_url = _database(env, "MLOPS_DASH_LOG_DATABASE_URL") or (
        f"sqlite:///{home / 'log.db'}" if database_url.startswith("sqlite") else database_url
    )
    ports = {name: _port(env, f"MLOPS_DASH_{name}", usual) for name, usual in _PORTS.items()}
    outside = _tracking(env)
    demo_by_flag = env.get("MLOPS_DASH_DEMO") == DEMO_FLAG
    batch_rows, batch_rows_of = _batch_rows(env.get("MLOPS_DASH_BATCH_ROWS", "").strip())
    return Settings(
        home=home,
        database_url=database_url,
        log_database_url=log_url,
        mlflow_uri=outside or f"http://{LOOPBACK}:{ports['MLFLOW_PORT']}",
        mlflow_is_ours=not outside or _flag(env, "MLOPS_DASH_MLFLOW_IS_OURS"),
        ledger_in_mlflow=_flag(env, "MLOPS_DASH_LEDGER_IN_MLFLOW"),
        mlflow_database=_database(env, "MLOPS_DASH_MLFLOW_DATABASE_URL"),
        host=env.get("MLOPS_DASH_HOST", LOOPBACK),
        ui_port=ports["UI_PORT"],
        gateway_port=ports["GATEWAY_PORT"],
        gateway_processes=_gateway_processes(env.get("MLOPS_DASH_GATEWAY_PROCESSES", "").strip()),
        mlflow_port=ports["MLFLOW_PORT"],
        worker_port=ports["WORKER_PORT"],
        ledger_key=_ledger_key(env, home),
        demo=demo_by_flag or _flag(env, "MLOPS_DASH_DEMO"),
        demo_by_flag=demo_by_flag,
        trusted_proxies=_networks(env, "MLOPS_DASH_TRUSTED_PROXIES"),
        environment=env.get("MLOPS_DASH_ENVIRONMENT", LOCAL),
        allow_pickle=_flag(env, "MLOPS_DASH_ALLOW_PICKLE"),
        open_invocations=_flag(env, "MLOPS_DASH_OPEN_INVOCATIONS"),
        protocol_traces=_flag(env, "MLOPS_DASH_PROTOCOL_TRACES"),
        batch_rows=batch_rows,
        batch_rows_of=batch_rows_of,
        smtp=_url(env, "MLOPS_DASH_SMTP", ("smtp", "smtps"), "smtp://USER:PASSWORD@HOST:587"),
        mail_from=_mail_from(env.get("MLOPS_DASH_MAIL_FROM", "").strip()),
        webhook_networks=_networks(env, "MLOPS_DASH_WEBHOOK_NETWORKS"),
        public_url=_url(env, "MLOPS_DASH_PUBLIC_URL", ("http", "https"), "https://mlops.example.com"),
        report_folder=_folder(env, "MLOPS_DASH_REPORT_FOLDER"),
        hot_days=_days(env, "MLOPS_DASH_HOT_DAYS", HOT_DAYS),
        cold_days=_days(env, "MLOPS_DASH_COLD_DAYS", COLD_DAYS),
        profile_days=_days(env, "MLOPS_DASH_PROFILE_DAYS", PROFILE_DAYS),
        currency=_currency(env.get("MLOPS_DASH_CURRENCY", "").strip() or CURRENCY),
    )


def keep_private(path: Path, *, others: int = 0o077) -> None:
    """Take these rights on a file or folder away from everybody but its owner; one of somebody else's is left alone."""
    with contextlib.suppress(OSError):  # gone meanwhile, or a file system without rights
        now = path.lstat()
        if now.st_uid == os.geteuid() and now.st_mode & others and not path.is_symlink():
            path.chmod(now.st_mode & 0o7777 & ~others)


def _make_home(home: Path) -> None:
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(
            f"The folder {home} cannot be made: {error.strerror}.",
            hint="Set MLOPS_DASH_HOME to another folder.",
        ) from error
    try:
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        raise InvalidInput(
            f"The folder {home} cannot be written: {error.strerror}.",
            hint="Make it writable, or set MLOPS_DASH_HOME to another folder.",
        ) from error
    # A folder that is closed closes what lies below it; the loose files of an older version need it each.
    logs = home / "logs"
    for path in (home, *home.iterdir(), *(logs.iterdir() if logs.is_dir() else ())):
        keep_private(path)


def _database(env: Mapping[str, str], name: str) -> str:
    """The address of a database; SQLite would fail late, in a sentence of its own, where the folder is mistyped."""
    address = env.get(name, "").strip()
    file = re.fullmatch(r"sqlite(?:\+\w+)?:///([^?]+)(?:\?.*)?", address)
    if file and file[1] != ":memory:" and not Path(file[1]).parent.is_dir():
        raise InvalidInput(
            f"{name} names a file in {Path(file[1]).parent}, which does not exist.", hint="Check the path."
        )
    return address


def _networks(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_network(one)) for one in re.split(r"[\s,]+", env.get(name, "").strip()) if one)
    except ValueError as error:
        raise InvalidInput(f"{name}: {error}.", hint="Use addresses or networks: 127.0.0.1, 10.0.0.0/8.") from error


def _tracking(env: Mapping[str, str]) -> str:
    """The address of an MLflow server or of its database; "" when none is given."""
    address = env.get("MLFLOW_TRACKING_URI", "").strip()
    if not address:
        return ""
    if re.match(r"https?://[^/\s]+", address) or re.match(r"(postgresql|mysql|mssql)(\+\w+)?://", address):
        return address
    if not address.startswith("sqlite:///"):
        raise InvalidInput(
            f"MLFLOW_TRACKING_URI is {address[:200]!r}.",
            hint="Use http://host:port of a server, or its database (sqlite:///, postgresql://). A folder of files is "
            "not read: run `mlflow server` over it.",
        )
    folder = Path(address.removeprefix("sqlite:///")).parent
    if not folder.is_dir():
        raise InvalidInput(
            f"MLFLOW_TRACKING_URI names a database in {folder}, which does not exist.", hint="Check the path."
        )
    return address


def _url(env: Mapping[str, str], name: str, schemes: tuple[str, ...], example: str) -> str:
    """A URL of one of these schemes with a host; "" when none is given. It is not repeated: it may hold a password."""
    text = env.get(name, "").strip()
    try:
        parsed = urlsplit(text)
        fine = parsed.scheme in schemes and bool(parsed.hostname) and parsed.port != 0
    except ValueError:
        fine = False
    if text and not fine:
        raise InvalidInput(f"{name} is no address that can be used.", hint=f"Use for example {example}.")
    return text


def _currency(text: str) -> str:
    if not re.fullmatch(r"[A-Z]{2,5}|[$€£¥]", text):
        raise InvalidInput(f"MLOPS_DASH_CURRENCY is {text!r}.", hint="Use letters such as EUR or USD.")
    return text


def _folder(env: Mapping[str, str], name: str) -> Path | None:
    """A folder that is there; None when none is named."""
    text = env.get(name, "").strip()
    if text and not Path(text).is_dir():
        raise InvalidInput(f"{name} names {text}, which is no folder.", hint="Make it first.")
    return Path(text).resolve() if text else None


def _mail_from(text: str) -> str:
    if text and not re.fullmatch(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+", text):
        raise InvalidInput("MLOPS_DASH_MAIL_FROM is no e-mail address.", hint="Use name@host.")
    return text or "mlops-dash@localhost"


def _flag(env: Mapping[str, str], name: str) -> bool:
    value = env.get(name, "").strip().lower()
    if value in {"", "0", "false", "no", "off"}:
        return False
    if value in {"1", "true", "yes", "on"}:
        return True
    raise InvalidInput(f"{name} is {value!r}.", hint="Use 1 or 0.")


def _batch_rows(text: str) -> tuple[int, tuple[tuple[str, int], ...]]:
    """One number for all models, or a JSON object of numbers by model."""
    try:
        said = json.loads(text) if text else BATCH_ROWS
    except ValueError:
        said = None
    of_all, by_model = (BATCH_ROWS, said) if isinstance(said, dict) else (said, {})
    for rows in (of_all, *by_model.values()):
        if type(rows) is not int or not 1 <= rows <= _MOST_BATCH_ROWS:
            raise InvalidInput(
                f"MLOPS_DASH_BATCH_ROWS is {text[:200]!r}.",
                hint=f"Use a number from 1 (each request alone) to {_MOST_BATCH_ROWS:,}, or a JSON object of them by "
                'model: {"flight-delay": 64}.',
            )
    return int(of_all or 1), tuple(by_model.items())


def _gateway_processes(text: str) -> int:
    if not text:
        return 1
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_GATEWAYS:
        raise InvalidInput(
            f"MLOPS_DASH_GATEWAY_PROCESSES is {text[:200]!r}.", hint=f"Use a number from 1 to {_MOST_GATEWAYS}."
        )
    if int(text) > 1 and not hasattr(socket, "SO_REUSEPORT"):
        raise InvalidInput("Several gateways cannot share one port on this system.", hint="Use 1.")
    return int(text)


def _days(env: Mapping[str, str], name: str, usual: int) -> int:
    text = env.get(name, "").strip()
    if text and (not text.isdecimal() or not 1 <= int(text) <= _MOST_DAYS):
        raise InvalidInput(f"{name} is {text[:200]!r}.", hint=f"Use whole days, from 1 to {_MOST_DAYS:,}.")
    return int(text) if text else usual


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
