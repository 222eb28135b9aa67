"""Tables of the `log` database: what was asked, what was answered, what turned out true, and the packed profiles.

Volume lives here, so times are BIGINT microseconds since 1970 UTC (`at_us`), rows are narrow, and every write is
idempotent by primary key.
"""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Text
from sqlmodel import Field, SQLModel

LOG = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class LogTable(SQLModel):
    """Base: all tables of the log database share one MetaData."""

    metadata: ClassVar[MetaData] = LOG


def _us(*, nullable: bool = False) -> Column[int]:
    return Column(BigInteger, nullable=nullable)


class PredictionRow(LogTable, table=True):
    """One request row: its features as JSON, its time, the batch it came in."""

    __tablename__ = "prediction"
    model: str = Field(primary_key=True)
    prediction_id: str = Field(primary_key=True)
    at_us: int = Field(sa_column=_us())
    batch_id: str = Field(default="", index=True)
    row_number: int = 0
    entity_key: str = ""  # keyed HMAC, never the entity itself
    features: str = Field(sa_column=Column(Text, nullable=False))
    __table_args__ = (Index("ix_prediction_model_at", "model", "at_us"),)


class ScoreRow(LogTable, table=True):
    """One answer of one version for one request row; shadows and arms simply are more rows."""

    __tablename__ = "score"
    model: str = Field(primary_key=True)
    prediction_id: str = Field(primary_key=True)
    version_id: str = Field(primary_key=True)  # model_version.id: name + version + incarnation
    role: str = Field(primary_key=True)  # champion | arm | shadow | replayed
    version: str = ""
    at_us: int = Field(sa_column=_us())
    score: float = 0.0
    scored_at_us: int = Field(sa_column=_us())
    # float32 a class in the model's order (domain/class_probabilities.py); NULL where only the answer is known
    probabilities: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    __table_args__ = (Index("ix_score_version_at", "version_id", "at_us"),)


class LabelRow(LogTable, table=True):
    """What turned out true; the latest revision wins, older ones are kept; unknown ids wait here as well."""

    __tablename__ = "label"
    model: str = Field(primary_key=True)
    prediction_id: str = Field(primary_key=True)
    revision: int = Field(primary_key=True, default=1)
    value: float = 0.0
    observed_at_us: int = Field(sa_column=_us())
    received_at_us: int = Field(sa_column=_us())
    __table_args__ = (Index("ix_label_model_received", "model", "received_at_us"),)


class EventRow(LogTable, table=True):
    """What happened to a unit of A/B tests: an amount, or 1; the unit is a user, an account, or a prediction's id."""

    __tablename__ = "event"
    model: str = Field(primary_key=True)
    event_id: str = Field(primary_key=True)
    unit: str
    name: str
    value: float
    at_us: int = Field(sa_column=_us())
    received_at_us: int = Field(sa_column=_us())
    __table_args__ = (
        Index("ix_event_model_name_at", "model", "name", "at_us"),
        Index("ix_event_model_unit", "model", "unit"),
    )


class EventCountRow(LogTable, table=True):
    """How many events of a name are kept; triggers of the database count them as they come and go."""

    __tablename__ = "event_count"
    model: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    n: int = Field(sa_column=_us())


class HourProfileRow(LogTable, table=True):
    """All features and the score x label table of one hour of one version against one reference, packed."""

    __tablename__ = "profile_hour"
    reference_id: str = Field(primary_key=True)
    hour_us: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    version_id: str = ""
    n: int = 0
    n_labelled: int = 0
    packed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    computed_at_us: int = Field(sa_column=_us())


class DayProfileRow(LogTable, table=True):
    """The same, rolled up to one calendar day of the monitor's zone."""

    __tablename__ = "profile_day"
    reference_id: str = Field(primary_key=True)
    day_us: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    version_id: str = ""
    n: int = 0
    n_labelled: int = 0
    packed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    computed_at_us: int = Field(sa_column=_us())


class BatchProfileRow(LogTable, table=True):
    """The rows of one hour that are of one batch, where a column names the batches of a reference."""

    __tablename__ = "profile_batch"
    reference_id: str = Field(primary_key=True)
    hour_us: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    batch: str = Field(primary_key=True)
    version_id: str = ""
    n: int = 0
    n_labelled: int = 0
    first_us: int = Field(sa_column=_us())
    last_us: int = Field(sa_column=_us())
    packed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    computed_at_us: int = Field(sa_column=_us())


class GroupProfileRow(LogTable, table=True):
    """The labelled rows of one hour that are of one group, where a column says which rows belong together."""

    __tablename__ = "profile_group"
    reference_id: str = Field(primary_key=True)
    hour_us: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    batch: str = Field(primary_key=True)  # "" where windows are no batches
    number: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    packed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    computed_at_us: int = Field(sa_column=_us())


class EarlierNamesRow(LogTable, table=True):
    """Models whose rows without ids were named before such ids began with their time; they go on as they did."""

    __tablename__ = "earlier_names"
    model: str = Field(primary_key=True)


class DirtyHourRow(LogTable, table=True):
    """Hours whose profile is out of date: new predictions or new labels."""

    __tablename__ = "dirty_hour"
    model: str = Field(primary_key=True)
    hour_us: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    marked_us: int = Field(sa_column=_us())


class QuarantineRow(LogTable, table=True):
    """A row, or one value of it, that cannot be digested: which, why, and a sample of the value."""

    __tablename__ = "quarantine"
    model: str = Field(primary_key=True)
    prediction_id: str = Field(primary_key=True)
    version_id: str = Field(primary_key=True)
    column_name: str = Field(primary_key=True)
    reason: str = Field(sa_column=Column(Text, nullable=False))
    sample: str = Field(default="", sa_column=Column(Text, nullable=False))
    logged: bool = True  # whether the row is in the log; else it was kept out when it was answered
    at_us: int = Field(sa_column=_us())
    noted_at_us: int = Field(sa_column=_us())
    __table_args__ = (Index("ix_quarantine_version_at", "version_id", "at_us"),)


class ProfileSeriesRow(LogTable, table=True):
    """In which zone the days of a reference's profiles were cut."""

    __tablename__ = "profile_series"
    reference_id: str = Field(primary_key=True)
    model: str = ""
    version_id: str = ""
    zone: str = ""


class HeartbeatRow(LogTable, table=True):
    """Who serves what: each gateway says which version it answers with (confirms a promotion)."""

    __tablename__ = "serving_heartbeat"
    process: str = Field(primary_key=True)
    model: str = Field(primary_key=True)
    version_id: str = ""
    epoch: int = 0
    at_us: int = Field(sa_column=_us())
    error: str = Field(default="", sa_column=Column(Text, nullable=False))


class RolloutPulseRow(LogTable, table=True):
    """What one run of a gateway counted of a roll-out: calls of the new version, failed ones, times of both."""

    __tablename__ = "rollout_pulse"
    rollout_id: str = Field(primary_key=True)
    source: str = Field(primary_key=True)  # one run of one gateway process: its counts only grow
    asked: int = 0
    failed: int = 0
    new_times: str = Field(default="", sa_column=Column(Text, nullable=False))  # cell:count, with commas between
    old_times: str = Field(default="", sa_column=Column(Text, nullable=False))
    at_us: int = Field(sa_column=_us())


class ManifestRow(LogTable, table=True):
    """A cold parquet file of the prediction log: one table of one model's UTC day. Written only with its rows moved."""

    __tablename__ = "manifest"
    model: str = Field(primary_key=True)
    day_us: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    kind: str = Field(primary_key=True)  # prediction | score | label
    path: str = Field(unique=True)  # below the cold folder
    rows: int = 0
    ids: int = 0  # different prediction ids
    min_at_us: int = Field(sa_column=_us())  # of labels: when they were received
    max_at_us: int = Field(sa_column=_us())
    size: int = Field(sa_column=Column(BigInteger, nullable=False))  # bytes
    sha256: str = ""
    column_names: str = Field(default="", sa_column=Column(Text, nullable=False))  # with commas between
    created_at_us: int = Field(sa_column=_us())


class ArchivedAnswersRow(LogTable, table=True):
    """What a version answered on a day that is archived, so that nobody opens a file to know that it did."""

    __tablename__ = "archived_answers"
    version_id: str = Field(primary_key=True)
    day_us: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    role: str = Field(primary_key=True)
    model: str = Field(index=True)
    rows: int = 0
    labelled: int = 0
    first_us: int = Field(sa_column=_us())
    last_us: int = Field(sa_column=_us())


class LabelWaitingRow(LogTable, table=True):
    """A model that got labels without a prediction among the hot rows: the row may be archived, or yet to come."""

    __tablename__ = "label_waiting"
    model: str = Field(primary_key=True)
    marked_us: int = Field(sa_column=_us())


class ColdHomeRow(LogTable, table=True):
    """One row: what the file `installation` in the folder of this database's cold files says."""

    __tablename__ = "cold_home"
    id: int = Field(default=1, primary_key=True)
    token: str
