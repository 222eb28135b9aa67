"""Cold files of the prediction log: a parquet file a model, UTC day and table; a manifest says which are whole.

    cold/churn-1f3a9c20/2026-01-05/score-9c1d0a3b6e57f012.parquet

A file is named after its own digest and never changes: another content is another file. What the manifest does not name
does not count. A file that is missing, or is not the bytes that the manifest tells, is said and never read.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy.engine import Engine
from sqlmodel import Session, col, select

from mlops_dash.errors import StoreUnavailable
from mlops_dash.store.db import cold_folder, holding, reading, transaction
from mlops_dash.store.tables.log import ColdHomeRow, ManifestRow

DAY_US = 86_400_000_000
_PATIENCE = 60  # seconds
_LOCK = 7_201_016
_US, _TEXT, _WHOLE, _NUMBER = pa.int64(), pa.string(), pa.int32(), pa.float64()
SCHEMAS = {
    "prediction": pa.schema([
        ("prediction_id", _TEXT), ("at_us", _US), ("batch_id", _TEXT), ("row_number", _WHOLE), ("entity_key", _TEXT),
        ("features", _TEXT),
    ]),
    "score": pa.schema([
        ("prediction_id", _TEXT), ("version_id", _TEXT), ("role", _TEXT), ("version", _TEXT), ("at_us", _US),
        ("score", _NUMBER), ("scored_at_us", _US), ("probabilities", pa.binary()),
    ]),
    "label": pa.schema([
        ("prediction_id", _TEXT), ("revision", _WHOLE), ("value", _NUMBER), ("observed_at_us", _US),
        ("received_at_us", _US),
    ]),
}  # fmt: skip
KINDS = tuple(SCHEMAS)
TIMES = {"prediction": "at_us", "score": "at_us", "label": "received_at_us"}
KEYS = {
    "prediction": ("prediction_id",),
    "score": ("prediction_id", "version_id", "role"),
    "label": ("prediction_id", "revision"),
}


@dataclass(frozen=True)
class ColdFile:
    """One line of the manifest."""

    model: str
    day_us: int
    kind: str
    path: str
    rows: int
    ids: int
    min_at_us: int
    max_at_us: int
    size: int
    sha256: str
    created_at_us: int

    @property
    def day(self) -> str:
        """The UTC day, as people write it."""
        return day_text(self.day_us)


def day_text(us: int) -> str:
    """The UTC day that a time in microseconds lies in.

    >>> day_text(86_400_000_000)
    '1970-01-02'
    """
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)).date().isoformat()


def days(session: Session, model: str, first_us: int, end_us: int) -> tuple[int, ...]:
    """Days with archived rows of a model that touch [first, end), in order."""
    held = (
        select(ManifestRow.day_us)
        .where(
            ManifestRow.model == model, ManifestRow.kind == "prediction",
            col(ManifestRow.day_us) > first_us - DAY_US, col(ManifestRow.day_us) < end_us,
        )
        .order_by(col(ManifestRow.day_us))
    )  # fmt: skip
    return tuple(session.exec(held).all())


def of_day(session: Session, model: str, day_us: int) -> dict[str, ColdFile]:
    """The files of a model's day, by table."""
    rows = session.exec(select(ManifestRow).where(ManifestRow.model == model, ManifestRow.day_us == day_us)).all()
    return {row.kind: as_file(row) for row in rows}


def of_model(session: Session, model: str = "", *, kinds: Sequence[str] = KINDS) -> tuple[ColdFile, ...]:
    """All files of a model, or of all models, the latest day first."""
    wanted = select(ManifestRow).where(col(ManifestRow.kind).in_(kinds))
    wanted = wanted.where(ManifestRow.model == model) if model else wanted
    rows = session.exec(wanted.order_by(col(ManifestRow.day_us).desc(), ManifestRow.model, ManifestRow.kind)).all()
    return tuple(as_file(row) for row in rows)


@contextmanager
def locked(log: Engine) -> Iterator[None]:
    """Be the only process of this log, and of this folder, that moves or erases rows.

    The lock is `cold/lock`, and on Postgres one of the database too: file systems of hosts may not lock for each other.

    Raises:
        StoreUnavailable: another one does, for longer than a minute; or the folder is not the one of this log, or
            cannot be written.
    """
    with reading(log) as session:
        folder = cold_folder(session)
    until = time.monotonic() + _PATIENCE
    with ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = held.enter_context((folder / "lock").open("a"))
        except OSError as error:
            raise StoreUnavailable(
                f"The folder {folder} cannot be written: {error.strerror}.", hint="Make it writable; nothing was moved."
            ) from error
        while not _flocked(file.fileno()):
            if time.monotonic() >= until:
                raise _busy()
            time.sleep(0.05)
        if not held.enter_context(holding(log, _LOCK, seconds=max(0.0, until - time.monotonic()))):
            raise _busy()
        _check_home(log, folder)
        yield


def _flocked(handle: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _busy() -> StoreUnavailable:
    return StoreUnavailable("Another process moves rows of the log.", hint="Try again in a few minutes.")


def _check_home(log: Engine, folder: Path) -> None:
    """Say where the folder is not the one of this log: its file `installation` and the log's token tie the two.

    A log and a folder that are both without one are tied now, where the folder has nothing that is somebody else's.
    """
    place = folder / "installation"
    with reading(log) as session:
        row = session.get(ColdHomeRow, 1)
        expected = row.token if row else ""
        named = session.exec(select(ManifestRow.path)).all()
    token = place.read_text(encoding="utf-8").strip() if place.is_file() else ""
    if expected and token == expected:
        return
    theirs = any((folder / path).is_file() for path in named) if named else not any(folder.rglob("*.parquet"))
    if expected or token or not theirs:
        raise StoreUnavailable(
            f"The folder {folder} is not the one of this log; nothing was moved or removed.",
            hint="All processes of one installation share HOME/cold, and no two installations do. "
            + (
                f"If this is a copy of it, write {expected} into {place}."
                if expected
                else "If its files are nobody's, move them away."
            ),
        )
    token = secrets.token_hex(16)
    with transaction(log) as session:  # the file within it: both, or neither
        session.add(ColdHomeRow(token=token))
        session.flush()
        draft = place.with_name("installation.tmp")
        draft.write_text(token + "\n", encoding="utf-8")
        draft.replace(place)
        _flush_folder(folder)


def read(session: Session, file: ColdFile, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows of a file, once its bytes are what the manifest says; a column that is younger than it is empty.

    Raises:
        StoreUnavailable: the file is missing or damaged.
    """
    place = cold_folder(session) / file.path
    why = trouble(place, file)
    if why:
        raise StoreUnavailable(
            f"The archived rows of {file.model} of {file.day} cannot be read: {why}.",
            hint=f"Put {place} back from a backup; nothing was changed.",
        )
    found = pq.read_table(place, columns=None if columns is None else list(columns))
    for field in SCHEMAS[file.kind] if columns is None else ():
        if field.name not in found.column_names:
            found = found.append_column(field, pa.nulls(found.num_rows, field.type))
    return found


def trouble(place: Path, file: ColdFile) -> str:
    """What is wrong with a file beside its line of the manifest; "" when it is whole."""
    try:
        state = place.stat()
        found = _digest(str(place), state.st_mtime_ns, state.st_size)
    except OSError as error:
        return f"the file {file.path} is not there ({error.strerror})"
    if found != file.sha256:
        return f"the file {file.path} is damaged, its bytes are not those of the manifest"
    return ""


def write(folder: Path, model: str, day_us: int, kind: str, rows: pa.Table, *, created_at_us: int) -> ColdFile:
    """Write a file for good (flushed, renamed into place, read back), and give the line the manifest shall have.

    Raises:
        StoreUnavailable: the folder cannot be written, or gives back other bytes.
    """
    rows = rows.sort_by([(name, "ascending") for name in KEYS[kind]])
    below = Path(_folder_of(model)) / day_text(day_us)
    draft = folder / below / f"{kind}.{secrets.token_hex(4)}.tmp"
    try:
        draft.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(rows, draft, compression="zstd")
        with draft.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        name = below / f"{kind}-{digest[:16]}.parquet"
        size = draft.stat().st_size
        draft.replace(folder / name)
        _flush_folder(draft.parent)
        whole = pq.read_metadata(folder / name).num_rows == rows.num_rows
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise StoreUnavailable(
            f"The cold file of {model} of {day_text(day_us)} was not written: {error.strerror or error}.",
            hint="Make room, or the folder writable; the rows stay where they are until then.",
        ) from error
    if not whole:
        raise StoreUnavailable(f"The folder {folder} gives back other bytes than were written.", hint="Check the disk.")
    times = pc.min_max(rows[TIMES[kind]])
    return ColdFile(
        model, day_us, kind, name.as_posix(), rows.num_rows, pc.count_distinct(rows["prediction_id"]).as_py(),
        times["min"].as_py(), times["max"].as_py(), size, digest, created_at_us,
    )  # fmt: skip


def keep(session: Session, file: ColdFile) -> None:
    """Name a file in the manifest, in place of what was named for its model, day and table."""
    names = ",".join(SCHEMAS[file.kind].names)
    session.merge(ManifestRow(**file.__dict__, column_names=names))


def sweep(session: Session, *, older_than: datetime) -> int:
    """Remove files that no line of the manifest names and nobody touched since; gives how many."""
    folder = cold_folder(session)
    if not folder.is_dir():
        return 0
    named = set(session.exec(select(ManifestRow.path)).all())
    gone = 0
    for place in sorted(folder.rglob("*.*")):
        with suppress(OSError):  # another sweep was here
            fresh = datetime.fromtimestamp(place.stat().st_mtime, UTC) >= older_than
            if place.is_file() and place.relative_to(folder).as_posix() not in named and not fresh:
                place.unlink()
                gone += 1
    return gone


def replaced(session: Session, files: Sequence[ColdFile], *, at_once: bool = False) -> None:
    """Let go of files that the manifest does not name any more: a reader may have one open, so a sweep takes them.

    With `at_once` (an erasure) they are gone now.
    """
    folder = cold_folder(session)
    for file in files:
        with suppress(FileNotFoundError):
            (folder / file.path).unlink() if at_once else os.utime(folder / file.path)


def as_file(row: ManifestRow) -> ColdFile:
    """A line of the manifest."""
    return ColdFile(
        row.model, row.day_us, row.kind, row.path, row.rows, row.ids, row.min_at_us, row.max_at_us, row.size,
        row.sha256, row.created_at_us,
    )  # fmt: skip


def _folder_of(model: str) -> str:
    """A folder name that any file system takes, and that no other model has."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "_", model).strip(".")[:60]
    return f"{readable}-{hashlib.sha256(model.encode()).hexdigest()[:8]}"


@lru_cache(maxsize=4096)
def _digest(place: str, _changed_ns: int, _size: int) -> str:
    with Path(place).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
