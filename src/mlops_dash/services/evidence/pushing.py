"""How good is a version by rows that its own pipeline scored? No model is loaded: ids, labels and scores are enough.

The rows are kept, so that two versions are compared on the ids that both have. Clusters are days where rows have a
time, else what a column names, else every row is taken to be independent, and the evidence says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.class_probabilities import column_of, probability_columns
from mlops_dash.domain.evidence import DAYS, ROWS, Evidence
from mlops_dash.domain.policies import MonitoringPolicy, PolicyKind, PromotionPolicy
from mlops_dash.domain.pushed import read_evidence
from mlops_dash.domain.registry.records import Version
from mlops_dash.domain.ripeness import with_days
from mlops_dash.domain.sent import MEND
from mlops_dash.domain.sifting import Unfit, unfit_scores
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.errors import InvalidInput, InvalidRow, NotFound
from mlops_dash.ids import digest
from mlops_dash.services.cells import Cells, require_columns
from mlops_dash.services.classes import class_columns, read_scores
from mlops_dash.services.command import Context, Unit, command, read, record
from mlops_dash.services.evidence.comparing import MAX_MISSING_SHARE, Pair, compared
from mlops_dash.services.evidence.measuring import Sample, metrics_of
from mlops_dash.services.evidence.rows import digest_of, prior_and_source
from mlops_dash.services.tables import names_of
from mlops_dash.store import evaluation_rows
from mlops_dash.store import evidence as store
from mlops_dash.store import policies as policy_store
from mlops_dash.store import registry as registry_store
from mlops_dash.store.db import Session, reading, transaction
from mlops_dash.store.evaluation_rows import EvaluationRows

MOST_VALUES = 50  # of a column of slices
SLICE = "slice:"  # how a column of slices is named among the kept rows


@dataclass(frozen=True)
class EvidenceColumns:
    """Which column of a file is what; "" = the file has none."""

    id: str
    label: str
    score: str
    time: str = ""
    cluster: str = ""
    slices: tuple[str, ...] = ()
    zone: str = "UTC"  # of times without one
    scores: tuple[tuple[str, str], ...] = ()  # (class, column of its probability) instead of a score


@dataclass(frozen=True)
class Pushed:
    """What a push came to; `changed` is False when the same rows counted already."""

    version: str
    digest: str
    rows: int
    changed: bool
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True)
class _Rules:
    """By what a model's rows are measured."""

    policy: PromotionPolicy
    watch: MonitoringPolicy
    task: ModelTask


class Pushing:
    """Evidence from outside."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def read_file(
        self, actor: Actor, version_id: str, table: pd.DataFrame, columns: EvidenceColumns
    ) -> tuple[pd.DataFrame, tuple[Unfit, ...]]:
        """Read a table as rows for `push`, and what of it cannot be read; stores nothing.

        Raises:
            NotFound: no such version.
            InvalidInput: a column is not there or has two roles, or the labels are more than two classes.
        """
        with reading(self.context.databases.app) as session:
            model = registry_store.model(session, registry_store.version(session, version_id).model)
            task = policy_store.task_of(session, model.name)
        return _rows_of(table, columns, task=task, positive=model.positive_label)

    @read(Permission.ROOM_READ)
    def read_sent(self, actor: Actor, version_id: str, rows: Any) -> pd.DataFrame:
        """Rows for `push` from objects as `domain.pushed.read_evidence` says; stores nothing.

        Raises:
            NotFound: no such version.
            InvalidInput, InvalidRow: a rule is broken.
        """
        sent = read_evidence(rows, now=self.context.clock.now())
        table = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in sent.columns.items()})
        columns = EvidenceColumns(
            "id", "label", "" if sent.scores else "score", time="at" if "at" in table else "", scores=sent.scores,
            cluster="cluster" if "cluster" in table else "", slices=sent.slices,
        )  # fmt: skip
        if "at" in table:
            table["at"] = pd.to_datetime(table["at"], utc=True)
        read, unfit = self.read_file(actor, version_id, table, columns)
        if unfit:
            first = unfit[0]
            value = rows[first.row].get(first.column, table[first.column].iloc[first.row])
            raise InvalidRow(first.row, first.column, value, first.reason, hint=MEND)
        return read

    @command(Permission.MODEL_EDIT, Action.EVIDENCE_PUSHED)
    def push(self, unit: Unit, actor: Actor, version_id: str, rows: pd.DataFrame, *, source: str) -> Pushed:
        """Keep rows that a version scored elsewhere, and measure it on them: what gates and comparisons read.

        The newest push of a version counts; the ledger has all. The same rows again are nothing new. A scientist or
        above may.

        Args:
            unit: The transaction.
            actor: Who pushes.
            version_id: Which version gave these scores.
            rows: From `read_file`: `id`, `label`, `score`, and if known `at`, `cluster`, "slice:..." columns.
            source: Where they are from, as people read it.

        Raises:
            NotFound: no such version.
            InvalidInput: there are no rows.
        """
        if rows.empty:
            raise InvalidInput("There are no rows to measure.", hint="Push rows with an id, a label and a score.")
        session, now = unit.session, unit.now
        version = registry_store.version(session, version_id)
        rules = _rules(session, version.model, now)
        before = evaluation_rows.newest(session, version_id)
        name = _digest(rows)
        if before is not None and before.digest == name and (now - before.pushed_at).days < _age(rules):
            unit.nothing_changed()
            kept = store.about(session, [version.subject], kinds=("metric",))
            return Pushed(version.subject, name, len(rows), False, tuple(_of_push(kept, version, name)))
        evidence = _measured(session, version, rules, rows, name, source=source, now=now)
        store.put(session, evidence)
        evaluation_rows.add(
            session, EvaluationRows(self.context.new_id(), version_id, name, source, rows, now, actor.id)
        )
        alone = [one for one in evidence if one.kind == "metric"]
        unit.audit(
            version.subject,
            model=version.model,
            before={} if before is None else {"rows": before.digest},
            after={"rows": name, "n": len(rows), "source": source, **{one.metric: one.value for one in alone}},
            evidence_ids=tuple(one.id for one in evidence),
        )
        return Pushed(version.subject, name, len(rows), True, tuple(alone))

    @record(Permission.JOB_RUN)
    def compare_pushed(self, actor: Actor, version_id: str, with_version_id: str) -> tuple[Evidence, ...]:
        """Compare two versions on the ids that both pushed, paired by row; gives a difference of every metric.

        Rows whose labels differ, or too many ids of the other version that are missing, give evidence that says so.

        Raises:
            NotFound: a version is not known, or has no pushed rows.
            InvalidInput: they are one version, or of two models.
        """
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            candidate, champion = (registry_store.version(session, one) for one in (version_id, with_version_id))
            if candidate.model != champion.model or candidate.id == champion.id:
                raise InvalidInput(f"{candidate.subject} and {champion.subject} are not two versions of one model.")
            ours, theirs = _pushed(session, candidate), _pushed(session, champion)
            rules, prior = _rules(session, candidate.model, now), store.prior_of(session, champion.id)
        evidence = compared(_pair(candidate, champion, ours, theirs, rules, prior), now)
        with transaction(self.context.databases.app) as session:
            store.put(session, evidence)
        return tuple(evidence)


def _rows_of(
    table: pd.DataFrame, columns: EvidenceColumns, *, task: ModelTask, positive: str
) -> tuple[pd.DataFrame, tuple[Unfit, ...]]:
    of_classes = [column for _, column in columns.scores]
    if bool(of_classes) == bool(columns.score):
        raise InvalidInput("Name a score, or the probability of every class.", hint="Use --score, or --scores.")
    roles = [one for one in (columns.id, columns.label, columns.score, columns.time, *of_classes) if one]
    require_columns(table, [*roles, *columns.slices, *([columns.cluster] if columns.cluster else [])])
    if len(set(roles)) < len(roles):
        raise InvalidInput("One column cannot have two roles.", hint="Name --id, --label, the scores and --time apart.")
    cells = Cells(table, columns.zone)
    read: dict[str, Any] = {"id": cells.names(columns.id)}
    read["label"] = cells.labels(columns.label, task=task, positive=positive, needed=True)
    if columns.scores:
        read |= _probabilities(cells, columns.scores, task)
    else:
        read["score"] = cells.answers(columns.score, task=task)
    if columns.time:
        read["at"] = cells.times(columns.time).array
    if columns.cluster:
        read["cluster"] = cells.names(columns.cluster)
    for name in columns.slices:
        read[SLICE + name] = names_of(table[name]).fillna("(empty)").to_numpy()
    rows = pd.DataFrame(read)
    unfit = {one.row: one for one in cells.said}
    for one in unfit_scores(np.nan_to_num(read["score"]), task=task):
        unfit.setdefault(one.row, replace(one, column=columns.score or of_classes[0]))
    for row in np.flatnonzero(rows["id"].notna() & rows["id"].duplicated()).tolist():
        unfit.setdefault(row, Unfit(row, columns.id, "occurs twice in the file", str(rows["id"][row])))
    rows = rows[~rows.index.isin(unfit)].sort_values("id", ignore_index=True)
    return rows, tuple(unfit[row] for row in sorted(unfit))


def _probabilities(cells: Cells, scores: Sequence[tuple[str, str]], task: ModelTask) -> dict[str, Any]:
    """The probability of every class in the model's order, and the class that is the most probable."""
    given = class_columns(scores, task)
    p = read_scores(cells, list(given.values()))
    answers, _ = task.split(p)
    return {"score": answers, **{column_of(name): p[:, place] for place, name in enumerate(given)}}


def _rules(session: Session, model: str, now: datetime) -> _Rules:
    return _Rules(
        policy_store.active(session, model, PolicyKind.PROMOTION, now).promotion,
        policy_store.active(session, model, PolicyKind.MONITORING, now).monitoring,
        policy_store.task_of(session, model),
    )


def _age(rules: _Rules) -> int:
    """Days after which the same rows count as measured anew."""
    return rules.policy.evidence_max_age_days


def _digest(rows: pd.DataFrame) -> str:
    """Of everything that was pushed."""
    numbers = digest_of(rows.rename(columns={"id": "prediction_id"}), ("score",))
    others = {name: rows[name].astype(str).tolist() for name in sorted({*map(str, rows)} - {"id", "label", "score"})}
    return digest({"numbers": numbers, **others})


def _of_push(kept: Sequence[Evidence], version: Version, name: str) -> list[Evidence]:
    newest = {
        one.metric: one
        for one in kept
        if one.digests.get("candidate") == version.id and one.digests.get("pushed") == name
    }
    return list(newest.values())


def _measured(
    session: Session, version: Version, rules: _Rules, rows: pd.DataFrame, name: str, *, source: str, now: datetime
) -> list[Evidence]:
    """The metrics of all rows, and of every slice."""
    rows, clusters = _clustered(rows, rules.watch)
    prior, base = prior_and_source(store.prior_of(session, version.id), version, rows, rules.task)
    start, end = _window(rows)
    bound = "; ".join(part for part in (source, _independence(clusters), _NOT_KNOWN, base) if part)
    sample = Sample(version, rows, rules.task, rules.policy.level, prior, bound, start, end, clusters)
    evidence = [_as_pushed(one, name) for one in metrics_of(sample, now=now)]
    for column in [one for one in map(str, rows.columns) if one.startswith(SLICE)]:
        groups = rows.groupby(column, sort=True)
        if groups.ngroups > MOST_VALUES:
            raise InvalidInput(
                f"The slice {column.removeprefix(SLICE)!r} has {groups.ngroups} values; the most is {MOST_VALUES}.",
                hint="Name a column with fewer, or group its values first.",
            )
        for value, part in groups:
            spoken = {"slice": column.removeprefix(SLICE), "value": value}
            of_slice = metrics_of(replace(sample, rows=part), now=now)
            evidence += [
                replace(_as_pushed(one, name), kind="slice", details={**one.details, **spoken}) for one in of_slice
            ]
    return evidence


_NOT_KNOWN = "whether the version was trained on them is not known here"


def _as_pushed(one: Evidence, name: str) -> Evidence:
    return replace(one, digests={**one.digests, "pushed": name})


def _clustered(rows: pd.DataFrame, watch: MonitoringPolicy) -> tuple[pd.DataFrame, str]:
    """The rows with `day`, their cluster, and the word for it."""
    if "cluster" in rows:
        return rows.assign(day=rows["cluster"]), "groups"
    if "at" in rows:
        return with_days(rows, watch.zone), DAYS
    return rows.assign(day=rows["id"]), ROWS


def _independence(clusters: str) -> str:
    return "rows taken as independent: no time and no group was named" if clusters == ROWS else f"{clusters} resampled"


def _window(rows: pd.DataFrame) -> tuple[datetime | None, datetime | None]:
    if "at" not in rows:
        return None, None
    return rows["at"].min().to_pydatetime(), rows["at"].max().to_pydatetime() + timedelta(microseconds=1)


def _pushed(session: Session, version: Version) -> EvaluationRows:
    found = evaluation_rows.newest(session, version.id)
    if found is None:
        raise NotFound(
            f"{version.subject} has no pushed rows.",
            hint=f"Push them: mlops-dash evidence push --version {version.version} --rows FILE ...",
        )
    return found


def _pair(
    candidate: Version,
    champion: Version,
    ours: EvaluationRows,
    theirs: EvaluationRows,
    rules: _Rules,
    prior: float | None,
) -> Pair:
    names = [probability_columns(one.rows) for one in (ours, theirs)]
    wanted = ["id", "label", "score", *names[1]]
    both = ours.rows.merge(theirs.rows[wanted], on="id", suffixes=("_a", "_b"))
    shared = names[0] == names[1]
    both = both.rename(columns={"label_a": "label"})
    missing = len(theirs.rows) - len(both)
    other_labels = int((both["label"] != both["label_b"]).sum())
    refusal = ""
    if other_labels:
        refusal = f"not comparable: {other_labels:,} of {len(both):,} ids have another label in the two pushes"
    elif missing / len(theirs.rows) > MAX_MISSING_SHARE:
        refusal = f"not comparable: {missing:,} of {len(theirs.rows):,} ids of {champion.label} are missing"
    rows, clusters = _clustered(both, rules.watch)
    start, end = _window(rows) if len(rows) else (None, None)
    said: Mapping[str, str] = {
        "sources": f"{ours.source} and {theirs.source}",
        "clusters": _independence(clusters),
        "coverage": f"{len(both):,} of {len(theirs.rows):,} ids have both scores",
    }
    return Pair(
        candidate=candidate,
        champion=champion,
        rows=rows.rename(columns={"id": "prediction_id"}),
        start=start,
        end=end,
        policy=rules.policy,
        bound="; ".join(said.values()),
        task=rules.task,
        prior=prior,
        refusal=refusal,
        clusters=clusters,
        probabilities=(tuple(f"{one}_a" for one in names[0]), tuple(f"{one}_b" for one in names[1]))
        if shared
        else ((), ()),
    )
