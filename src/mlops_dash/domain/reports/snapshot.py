"""What a report is: a week of one model as frozen facts under a hash, and how they differ from the same facts now.

The facts are taken from what the Monitoring and Registry pages show; nothing is computed again here. They are plain
JSON, so that their sha256 means the same on every machine. Must not: read a store, know the time, make HTML.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from mlops_dash.domain import format as fmt
from mlops_dash.domain.cadence import plural_of
from mlops_dash.domain.calendar import day_of, day_start
from mlops_dash.domain.registry.gates import through
from mlops_dash.domain.reports.files import ENDINGS, ReportFormat
from mlops_dash.domain.reports.levels import Level
from mlops_dash.domain.reports.remarks import Remark
from mlops_dash.domain.words import Health, look
from mlops_dash.ids import digest

WEEK_DAYS = 7
SCHEMA = "mlops-dash.report"
SCHEMA_VERSION = 1  # of the frame around the facts, which have a `format` of their own; names are only ever added

Facts = Mapping[str, Any]
_AMOUNTS = {"rows", "label coverage", "ripe", "ripe days", "units with an outcome"}


class ReportKind(StrEnum):
    """The kinds of report there are."""

    WEEKLY = "weekly_review"
    PROMOTION = "promotion_dossier"
    AB_RESULT = "ab_result"
    FLEET = "fleet_summary"
    CARD = "model_card"


KIND_LABELS: Mapping[ReportKind, str] = {
    ReportKind.WEEKLY: "Weekly model review",
    ReportKind.PROMOTION: "Promotion dossier",
    ReportKind.AB_RESULT: "A/B result",
    ReportKind.FLEET: "Fleet summary",
    ReportKind.CARD: "Model card",
}
_FILE_WORDS = {
    ReportKind.PROMOTION: "dossier",
    ReportKind.AB_RESULT: "ab",
    ReportKind.FLEET: "summary",
    ReportKind.CARD: "model",
}


@dataclass(frozen=True)
class Week:
    """Seven whole days of a model's zone, half-open [start, end)."""

    start: datetime
    end: datetime
    zone: str

    @property
    def last_day(self) -> date:
        """The last day that belongs to it."""
        return day_of(self.end - timedelta(microseconds=1), self.zone)

    def said(self) -> str:
        """As people say it: `26 May to 1 Jun 2013`."""
        return fmt.period(self.start, self.end, self.zone)

    def holds(self, at: datetime | None) -> bool:
        """Whether a moment lies in it."""
        return at is not None and self.start <= at < self.end


def week_ending(last_day: date, zone: str) -> Week:
    """The week whose last day is `last_day`.

    >>> week_ending(date(2013, 3, 12), "America/New_York").start.isoformat()  # across the change to summer time
    '2013-03-06T05:00:00+00:00'
    """
    first, after = last_day - timedelta(days=WEEK_DAYS - 1), last_day + timedelta(days=1)
    return Week(day_start(first, zone), day_start(after, zone), zone)


@dataclass(frozen=True)
class ReportLine:
    """A report in the list. `model` "" = of no single one; `week` is the time it speaks of."""

    id: str
    kind: ReportKind
    model: str
    week: Week
    sha256: str
    made_by: str
    made_at: datetime
    subject: str = ""  # what it is about where that is no week: "v3", "v2 against v1"

    @property
    def about(self) -> str:
        """What it is about, as people say it."""
        return self.subject or f"week of {self.week.said()}"

    @property
    def of(self) -> str:
        """The model's name, or what stands for it."""
        return self.model or "all models"


@dataclass(frozen=True)
class Report:
    """A frozen snapshot: its facts never change, and `sha256` is the hash of their canonical JSON."""

    line: ReportLine
    facts: Facts

    def file_name(self, kind: ReportFormat = ReportFormat.HTML, level: Level = Level.TECHNICAL) -> str:
        """A name for the file: `flight-delay-week-to-2013-06-01.html`; a level that is not the usual one stands in it.

        JSON and XLSX are the same at every level.
        """
        whole = level is Level.TECHNICAL or kind in (ReportFormat.JSON, ReportFormat.XLSX)
        end = f"{'' if whole else f'-{level}'}.{ENDINGS[kind]}"
        line = self.line
        word = _FILE_WORDS.get(line.kind)
        if word is None:
            return f"{_safe(line.of)}-week-to-{line.week.last_day.isoformat()}{end}"
        about = "" if line.kind is ReportKind.FLEET else f"-{_safe(line.subject)}"
        return f"{_safe(line.of)}-{word}{about}-{day_of(line.made_at, line.week.zone).isoformat()}{end}"


def _safe(text: str) -> str:
    made = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in text).strip(".-")
    return made[:80] or "model"


@dataclass(frozen=True)
class Draft:
    """The facts as they are now, not kept yet; fields as those of `ReportLine`."""

    kind: ReportKind
    model: str
    week: Week
    facts: Facts
    subject: str = ""


@dataclass(frozen=True)
class ModelChoice:
    """A model that can be reviewed, and the last whole day that was judged (None: no day yet)."""

    model: str
    title: str
    zone: str
    last_day: date | None


@dataclass(frozen=True)
class Subjects:
    """What a report can be about: version labels by model, newest first, and (id, name) of A/B tests."""

    versions: Mapping[str, tuple[str, ...]]
    tests: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ReportsRoom:
    """Everything the Reports page shows, from one read."""

    lines: tuple[ReportLine, ...]
    choices: tuple[ModelChoice, ...]
    selected: Report | None  # the one asked for, else the newest
    missing: str  # the id asked for, when no report has it
    since: str  # what has changed since the selected one was made, in one sentence
    changed: bool
    why_not: str  # why this person cannot make one; "" when they can


@dataclass(frozen=True)
class Compared:
    """Two snapshots, the earlier one first; each change as `label coverage 97.0 % → 99.0 %`."""

    first: ReportLine
    second: ReportLine
    changes: tuple[str, ...]
    sentence: str


def sha256_of(facts: Facts) -> str:
    """The hash that names the facts: sha256 of their canonical JSON."""
    return digest(facts)


def as_json(report: Report, remarks: Sequence[Remark] = ()) -> dict[str, Any]:
    """The report for other programs: schema, what it is, what was said of it, and the facts whose hash is `sha256`."""
    line = report.line
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "kind": str(line.kind),
        "id": line.id,
        "model": line.model,
        "start": line.week.start.isoformat(),
        "end": line.week.end.isoformat(),
        "zone": line.week.zone,
        "subject": line.subject,
        "sha256": line.sha256,
        "made_by": line.made_by,
        "made_at": line.made_at.isoformat(),
        "remarks": [
            {"kind": str(one.kind), "name": one.name, "text": one.text, "at": one.at.isoformat()} for one in remarks
        ],
        "facts": dict(report.facts),
    }


# --- the same week now ------------------------------------------------------------------------------------------------


def changes_since(then: Facts, now: Facts) -> tuple[str, ...]:
    """What a reader would see differently: `label coverage 97.0 % → 99.0 %`; empty when the key facts are the same."""
    if "key" in then:  # kinds beside the weekly review name their key facts themselves
        old, new = then["key"], now["key"]
        return tuple(f"{name} {old.get(name)} → {new[name]}" for name in new if old.get(name) != new[name])
    before, after = _key_facts(then), _key_facts(now)
    ripe = f"ripe {plural_of(now.get('cadence', {}).get('window', 'day'))}"
    said = [
        f"{ripe if name == 'ripe' else name} {before[name]} → {after[name]}"
        for name in before
        if before[name] != after[name]
    ]
    (label, value), (label_now, value_now) = _told_metric(then), _told_metric(now)
    if label != label_now:
        said.append(f"{label} {value} → {label_now} {value_now}")
    elif value != value_now:
        said.append(f"{label} {value} → {value_now}")
    return tuple(said)


def since_sentence(then: Facts, now: Facts) -> str:
    """One line on how a frozen snapshot stands to the live view."""
    if sha256_of(then) == sha256_of(now):
        return "Nothing has changed since: computed now it has the same hash."
    if sha256_of(then) == sha256_of({name: said for name, said in now.items() if name in then}):
        return "Nothing that it says has changed since; a report that is made now says more."
    changed = changes_since(then, now)
    if not changed:
        return "Details have changed since (for example a closed alert or a late label); the key numbers are the same."
    return f"Numbers have changed since: {'; '.join(changed)}."


def compared(first: Report, second: Report) -> Compared:
    """What two reports of one kind and model say differently."""
    changes = changes_since(first.facts, second.facts)
    if sha256_of(first.facts) == sha256_of(second.facts):
        sentence = "Both hold the same facts."
    elif changes:
        sentence = f"{fmt.plural(len(changes), 'key number')} differ{'s' if len(changes) == 1 else ''}."
    else:
        sentence = "Details differ; the key numbers are the same."
    return Compared(first.line, second.line, changes, sentence)


def standing(facts: Facts) -> dict[str, Any]:
    """What a report says that somebody would act on, without amounts, which grow by themselves."""
    gates = sorted([one["name"], one["state"]] for one in facts.get("gates", ()))
    if "key" in facts:
        key = {name: said for name, said in facts["key"].items() if name not in _AMOUNTS}
        if facts.get("kind") != ReportKind.FLEET:
            return {**key, "gates": gates}
        # as many may be harmed as before, and be others
        models = sorted([one["name"], one["version"], one["health"]] for one in facts["models"])
        due = sorted([one["model"], one["word"], one["action"]] for one in facts["due"])
        return {**key, "models": models, "due": due}
    kept = {name: said for name, said in _key_facts(facts).items() if name not in _AMOUNTS}
    alerts = sorted(one["title"] for one in facts["alerts"] if one["closed_at"] is None)
    return {**kept, "gates": gates, "moved": sorted(facts["inputs"]["moved"]), "alerts": alerts}


def _key_facts(facts: Facts) -> dict[str, str]:
    rows = facts["rows"]
    open_alerts = sum(alert["closed_at"] is None for alert in facts["alerts"])
    return {
        "health": look(Health(facts["verdict"]["health"])).label,
        "live version": (facts["version"] or {}).get("label", "none"),
        "rows": fmt.whole(rows["n"]),
        "label coverage": fmt.percent(coverage(facts)),
        "ripe": str(rows["ripe_days"]),
        "columns moved": str(len(facts["inputs"]["moved"])),
        "open alerts": str(open_alerts),
        "open proposals": str(len(facts["proposals"])),
        "gates passed": through((gate["state"], gate["required"]) for gate in facts["gates"]).said(),
    }


def _told_metric(facts: Facts) -> tuple[str, str]:
    """The metric that the review speaks about, and its value."""
    told = facts["performance"] or {}
    now = told.get("now") or {}
    return str(told.get("label", "performance")), number(now.get("value"), told)


def number(value: float | None, told: Mapping[str, Any]) -> str:
    """A value of the metric that is told, with its decimals and unit: `9.82 min`."""
    unit = told.get("unit", "")
    return fmt.metric(value, told.get("decimals", 3)) + (f" {unit}" if unit and value is not None else "")


def coverage(facts: Facts) -> float | None:
    """The share of the week's rows that have their label; None without rows."""
    rows = facts["rows"]
    return rows["labelled"] / rows["n"] if rows["n"] else None
