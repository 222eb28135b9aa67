"""Where is a version from, what is in it, and where is it live? Only facts that exist; what is not known says why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mlops_dash.domain.evidence import DAYS, Direction, Evidence
from mlops_dash.domain.experiments.frame import Dataset
from mlops_dash.domain.policies import PromotionPolicy
from mlops_dash.domain.registry.records import Reign, Serving, Version
from mlops_dash.domain.tasks import METRICS

_OURS = ("mlflow.", "mlops_dash.")  # tags that MLflow or we write


@dataclass(frozen=True)
class ModelFile:
    """One file of a version: `size` in bytes, None where the store does not say; `sha256` "" = it was not read."""

    path: str
    size: int | None
    sha256: str = ""


@dataclass(frozen=True)
class Column:
    """One column of a signature."""

    name: str
    kind: str
    required: bool = True


@dataclass(frozen=True)
class Contents:
    """What lies in a version's folder.

    Attributes:
        files: Sorted by path.
        digest: Over paths and bytes of all of them; "" = they were not read.
        inputs: Columns of the signature; None = the model was logged without one.
        outputs: As `inputs`.
        flavours: Sorted.
        packages: Version by package, and of Python; empty = the model says nothing.
        logged_with: MLflow's version; "" = not said.
    """

    files: tuple[ModelFile, ...]
    digest: str
    inputs: tuple[Column, ...] | None
    outputs: tuple[Column, ...] | None
    flavours: tuple[str, ...]
    packages: Mapping[str, str]
    logged_with: str

    @property
    def size(self) -> int:
        """Bytes of the files whose size is known."""
        return sum(one.size or 0 for one in self.files)


@dataclass(frozen=True)
class RunFacts:
    """The run that made a version. `dirty` None = nobody recorded whether the checkout had changes."""

    run_id: str
    name: str
    user: str
    status: str
    started: datetime | None
    ended: datetime | None
    source: str
    commit: str
    branch: str
    dirty: bool | None
    datasets: tuple[Dataset, ...]
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class Registered:
    """What the registry says of a version: `copied_from` names the version it was copied from, "" = none."""

    tags: Mapping[str, str]
    description: str
    source: str
    stage: str
    copied_from: str


@dataclass(frozen=True)
class Place:
    """Somewhere a version answers, or did: until None means now."""

    what: str
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True)
class MetricPoint:
    """One version's own value of a metric; `value` None = not known, `reason` says why."""

    version_id: str
    label: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    n_clusters: int | None = None
    clusters: str = DAYS
    method: str = ""
    window_start: datetime | None = None
    window_end: datetime | None = None
    reason: str = ""
    is_champion: bool = False


@dataclass(frozen=True)
class MetricSeries:
    """A metric across all versions of a model, oldest first.

    Attributes:
        limit: What the policy in force asks of the candidate alone; None = it asks nothing of this metric.
        same_rows: Whether every value was measured on as many rows of the same window.
    """

    metric: str
    points: tuple[MetricPoint, ...]
    limit: float | None
    same_rows: bool
    level: float

    @property
    def champion(self) -> MetricPoint | None:
        """The champion's value, where it is known."""
        return next((one for one in self.points if one.is_champion and one.value is not None), None)

    @property
    def higher_is_better(self) -> bool | None:
        """None where values near zero are best."""
        direction = METRICS[self.metric].direction
        return None if direction is Direction.ZERO else direction is Direction.HIGHER


@dataclass(frozen=True)
class PackageChange:
    """A package that differs from the champion's; "" = it is not there."""

    name: str
    champion: str
    candidate: str


@dataclass(frozen=True)
class Dossier:
    """Everything that is known about one version. Where a part is None, its `why` says why."""

    version: Version
    read_at: datetime
    registered: Registered | None
    registered_why: str
    run: RunFacts | None
    run_why: str
    contents: Contents | None
    contents_why: str
    champion: str  # label of the version its environment is compared with; "" = none, or it is the champion
    environment: tuple[PackageChange, ...] | None  # None = cannot be told
    environment_why: str
    places: tuple[Place, ...]
    series: tuple[MetricSeries, ...]

    @property
    def unread(self) -> str:
        """The one reason for which several parts are not known; "" where each has its own, or nothing is missing."""
        whys = [self.registered_why, self.run_why, self.contents_why, self.environment_why]
        return next((one for one in whys if one and whys.count(one) > 1), "")

    def why(self, part: str) -> str:
        """Why a part is not known; short where the reason stands for several."""
        return "Not read." if part and part == self.unread else part

    @property
    def altered(self) -> bool:
        """Whether the files are not those that were recorded when the version was registered."""
        recorded = self.version.artifact_digest
        return self.contents is not None and bool(recorded and self.contents.digest not in ("", recorded))


def copied_from(source: str) -> str:
    """The registered version that a version was copied from, by its source.

    >>> copied_from("models:/staging-churn/4"), copied_from("models:/m-0f3a"), copied_from("s3://models/a/b")
    ('staging-churn version 4', '', '')
    """
    name, sign, version = source.removeprefix("models:/").rpartition("/")
    return f"{name} version {version}" if source.startswith("models:/") and sign and version.isdecimal() else ""


def people_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that people wrote, by name."""
    return {name: tags[name] for name in sorted(tags) if not name.startswith(_OURS)}


def dirty_of(tags: Mapping[str, str]) -> bool | None:
    """Whether the checkout had changes that were not committed, by the tags of its run; None = nobody recorded it.

    >>> dirty_of({"mlflow.git.dirty": "True"}), dirty_of({"mlops_dash.git_dirty": "false"}), dirty_of({})
    (True, False, None)
    """
    said = next((tags[name] for name in ("mlops_dash.git_dirty", "mlflow.git.dirty") if name in tags), "").lower()
    return {"true": True, "false": False}.get(said)


def package_changes(candidate: Mapping[str, str], champion: Mapping[str, str]) -> tuple[PackageChange, ...]:
    """What differs between two environments, by name.

    >>> package_changes({"numpy": "2.1", "polars": "1.0"}, {"numpy": "2.0"})[0]
    PackageChange(name='numpy', champion='2.0', candidate='2.1')
    """
    names = sorted({*candidate, *champion})
    return tuple(
        PackageChange(name, champion.get(name, ""), candidate.get(name, ""))
        for name in names
        if candidate.get(name, "") != champion.get(name, "")
    )


def places_of(version: Version, serving: Serving | None, reigns: Sequence[Reign], now: datetime) -> tuple[Place, ...]:
    """Where a version answers and did, the latest first."""
    found = [Place("champion", one.since, one.until) for one in reversed(reigns) if one.version_id == version.id]
    if serving is not None and version.id in serving.shadow_version_ids:
        found.insert(0, Place("shadow, scores silently", serving.since))
    return tuple(one for one in found if one.since <= now)


def series_of(
    versions: Sequence[Version], evidences: Iterable[Evidence], champion_id: str | None, policy: PromotionPolicy
) -> tuple[MetricSeries, ...]:
    """Every metric that was measured of a version alone, across all versions; what the policy names comes first.

    Args:
        versions: Of one model, the newest first.
        evidences: About them; only the newest of kind "metric" of a version and metric counts.
        champion_id: The version that is champion now.
        policy: The promotion policy in force, for limits and order.
    """
    newest: dict[tuple[str, str], Evidence] = {}
    ids = {one.subject: one.id for one in versions}
    for one in evidences:
        version_id = one.digests.get("candidate") or ids.get(one.subject, "")
        if one.kind != "metric" or one.metric not in METRICS:
            continue
        known = newest.get((version_id, one.metric))
        if known is None or known.computed_at <= one.computed_at:
            newest[version_id, one.metric] = one
    named = [policy.primary, policy.guardrail, policy.floor_metric]
    metrics = dict.fromkeys([*named, *sorted(metric for _, metric in newest)])
    ordered = list(reversed(versions))
    return tuple(
        _series(metric, ordered, newest, champion_id, policy)
        for metric in metrics
        if any(of == metric for _, of in newest)
    )


def _series(
    metric: str,
    versions: Sequence[Version],
    newest: Mapping[tuple[str, str], Evidence],
    champion_id: str | None,
    policy: PromotionPolicy,
) -> MetricSeries:
    points = tuple(_point(one, newest.get((one.id, metric)), is_champion=one.id == champion_id) for one in versions)
    known = [one for one in points if one.value is not None]
    return MetricSeries(
        metric,
        points,
        policy.floor if metric == policy.floor_metric else None,
        len({(one.n, one.window_start, one.window_end) for one in known}) <= 1,
        next((found.level for one in versions if (found := newest.get((one.id, metric))) is not None), policy.level),
    )


def _point(version: Version, found: Evidence | None, *, is_champion: bool) -> MetricPoint:
    if found is None:
        return MetricPoint(version.id, version.label, reason="It was never measured.", is_champion=is_champion)
    return MetricPoint(
        version.id, version.label, found.value, found.low, found.high, found.n, found.n_clusters, found.clusters,
        found.method, found.window_start, found.window_end, found.reason, is_champion,
    )  # fmt: skip
