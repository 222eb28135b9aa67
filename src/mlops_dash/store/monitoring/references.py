"""References of versions (app database)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlmodel import Session, col, select

from mlops_dash.domain.cadence import DAY_CLUSTERS, Cadence, cadence_named
from mlops_dash.store.monitoring.parts import Layout, Part, unpack_all
from mlops_dash.store.tables.monitoring import ReferenceRow
from mlops_dash.store.tables.registry import ModelVersionRow


@dataclass(frozen=True)
class Reference:
    """What a version's live traffic is compared with."""

    id: str
    version_id: str
    model: str
    start: datetime
    end: datetime
    n_rows: int
    kinds: Mapping[str, str]  # feature -> kind, or why it was left out
    cells: Mapping[str, Any]
    baseline: Mapping[str, Any]
    profile: bytes = field(repr=False)
    method: str
    created_at: datetime

    @cached_property
    def layout(self) -> Layout:
        """The cells."""
        return Layout.from_dict(self.cells)

    @property
    def labelled(self) -> bool:
        """Whether its outcomes are known; without them nothing says what a good answer was."""
        return bool(self.baseline.get("labelled", True))

    @property
    def prior(self) -> float | None:
        """What its labels are in one number; None without labels."""
        return None if self.baseline["prior"] is None else float(self.baseline["prior"])

    def usual_loss(self, watch: str) -> float | None:
        """The mean of a watched loss in it; None where it has none, as of a loss that it was recorded without."""
        found: float | None = self.baseline["watches"].get(watch, {}).get("mean")
        return found

    @cached_property
    def windows(self) -> tuple[Part, ...]:
        """The reference's own pieces: days, or hours where it was recorded for those."""
        return unpack_all(self.layout, self.profile)

    @property
    def n_days(self) -> int:
        """On how many days it has rows."""
        return len(set(self.baseline["days"])) if "days" in self.baseline else len(self.windows)

    @property
    def batch_column(self) -> str:
        """Which column names the batch of a row; "" where none does."""
        return self.cadence.column

    @property
    def cluster(self) -> str:
        """Which column names the rows that belong together; "" where none does."""
        return str(self.baseline.get("cluster", ""))

    @property
    def is_grouped(self) -> bool:
        """Whether its intervals go by that column: it has too few days for those."""
        return bool(self.cluster) and self.labelled and self.n_days < DAY_CLUSTERS

    @property
    def cadence(self) -> Cadence:
        """By which windows it is kept."""
        return cadence_named(str(self.baseline.get("window", "day")))

    @property
    def begins(self) -> tuple[datetime, ...]:
        """When its pieces with rows begin, in order; of windows of so many rows each whole one; none where days are."""
        begins = [datetime.fromisoformat(one) for one in self.baseline.get("begins", ())]
        names = self.baseline.get("batches", range(len(begins)))
        firsts = dict(zip(reversed(names), reversed(begins), strict=True))
        return tuple(sorted(firsts.values()))


def save_reference(session: Session, reference: Reference) -> bool:
    """Store a reference; False when the same one is there already."""
    if session.get(ReferenceRow, reference.id) is not None:
        return False
    session.add(
        ReferenceRow(
            id=reference.id,
            version_id=reference.version_id,
            model=reference.model,
            window_start=reference.start,
            window_end=reference.end,
            n_rows=reference.n_rows,
            schema_=dict(reference.kinds),
            cells=dict(reference.cells),
            profile=reference.profile,
            baseline=dict(reference.baseline),
            method=reference.method,
            created_at=reference.created_at,
        )
    )
    return True


def renew(session: Session, reference_id: str, at: datetime) -> None:
    """Make a reference of before the latest one of its version."""
    session.get_one(ReferenceRow, reference_id).created_at = at
    session.flush()


def save_baseline(session: Session, reference: Reference) -> None:
    """Keep what is normal of a reference whose windows were put together anew; its cells and rows are the same."""
    session.get_one(ReferenceRow, reference.id).baseline = dict(reference.baseline)
    session.flush()


def reference(session: Session, version_id: str) -> Reference | None:
    """The latest reference of a version."""
    row = session.exec(
        select(ReferenceRow)
        .where(ReferenceRow.version_id == version_id)
        .order_by(col(ReferenceRow.created_at).desc(), col(ReferenceRow.id))
        .limit(1)
    ).first()
    return None if row is None else _reference(row)


def references(session: Session) -> dict[str, list[Reference]]:
    """Model -> the latest reference of each of its versions."""
    found: dict[str, list[Reference]] = {}
    for made in by_ids(session, [id_ for ids in latest_ids(session).values() for id_ in ids.values()]):
        found.setdefault(made.model, []).append(made)
    return found


def latest_ids(session: Session) -> dict[str, dict[str, str]]:
    """Model -> version id -> the id of its latest reference; their cells and profiles are not read."""
    rows = session.exec(
        select(ReferenceRow.model, ReferenceRow.version_id, ReferenceRow.id).order_by(
            col(ReferenceRow.created_at), col(ReferenceRow.id).desc()
        )
    ).all()
    found: dict[str, dict[str, str]] = {}
    for model, version_id, reference_id in rows:
        found.setdefault(model, {})[version_id] = reference_id
    return found


def by_ids(session: Session, ids: Sequence[str]) -> tuple[Reference, ...]:
    """The references of these ids, whole."""
    rows = session.exec(select(ReferenceRow).where(col(ReferenceRow.id).in_(ids)).order_by(ReferenceRow.id)).all()
    return tuple(_reference(row) for row in rows)


def kinds_of(session: Session, model: str, versions: Sequence[str]) -> dict[str, dict[str, str]]:
    """Version number -> kind by column of its latest reference, for those of these versions that have one."""
    rows = session.exec(
        select(ModelVersionRow.version, ReferenceRow.schema_)
        .join(ModelVersionRow, col(ModelVersionRow.id) == col(ReferenceRow.version_id))
        .where(ReferenceRow.model == model, col(ModelVersionRow.version).in_(versions))
        .order_by(col(ModelVersionRow.incarnation), col(ReferenceRow.created_at), col(ReferenceRow.id).desc())
    ).all()
    return {version: dict(kinds) for version, kinds in rows}


def _reference(row: ReferenceRow) -> Reference:
    return Reference(
        id=row.id,
        version_id=row.version_id,
        model=row.model,
        start=row.window_start,
        end=row.window_end,
        n_rows=row.n_rows,
        kinds=row.schema_,
        cells=row.cells,
        baseline=row.baseline,
        profile=row.profile,
        method=row.method,
        created_at=row.created_at,
    )
