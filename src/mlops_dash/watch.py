"""How does a file of predictions become a watched model? The verbs of several nouns in their order.

The command line and the page both begin here, so they cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from mlops_dash.bootstrap import Services
from mlops_dash.domain.access import Actor, system
from mlops_dash.domain.calendar import zone_of
from mlops_dash.domain.class_probabilities import probability_columns
from mlops_dash.domain.file_windows import said_of
from mlops_dash.domain.monitoring.room import AS_SERVED, ReferenceFacts
from mlops_dash.domain.registry.records import EXTERNAL
from mlops_dash.domain.sifting import in_numbers
from mlops_dash.errors import Conflict, InvalidInput, NotFound
from mlops_dash.services.scoring import FileRows
from mlops_dash.services.watching import Proposal, Roles

_PROCESS = "watch"


@dataclass(frozen=True)
class Ask:
    """What somebody said of a file.

    Attributes:
        file: Its name, for the ledger.
        model: Whose predictions these are.
        version: Which version answered them.
        roles: Columns, task and zone as far as they are named.
        reference_until: A day or time as text; "" for the first third of the rows.
    """

    file: str
    model: str
    version: str
    roles: Roles
    reference_until: str = ""


@dataclass(frozen=True)
class Watched:
    """What came of it.

    Attributes:
        stored: Predictions that were not known before.
        summary: As `mlops-dash monitor --json`.
    """

    stored: int
    summary: Mapping[str, Any]


def roles_of(services: Services, actor: Actor, ask: Ask) -> Roles:
    """What was said; of a model that is watched already, what stands.

    Raises:
        Conflict: it contradicts what the model is, or where its reference ends.
        InvalidInput: the end of the reference is no day.
    """
    given, until = ask.roles, None
    model = next((one for one in services.registry.models(actor) if one.name == ask.model), None)
    known = None if model is None else _reference(services, actor, ask)
    if model is not None:
        if given.positive not in ("", model.positive_label) or given.task not in ("", model.task):
            raise Conflict(
                f"{model.name} is a {model.task} model already, positive class {model.positive_label!r}.",
                hint="Leave --task and --positive out, or choose another name with --model.",
            )
        if given.window not in ("", model.cadence):
            raise Conflict(
                f"{model.name} is judged by {said_of(model.cadence)} already.",
                hint="Change that first: mlops-dash model edit NAME --window week --reason TEXT",
            )
        if given.cluster not in ("", model.cluster):
            raise Conflict(
                f"Rows of {model.name} belong together by {model.cluster or 'no column'} already.",
                hint="Change that first: mlops-dash model edit NAME --cluster COLUMN --reason TEXT",
            )
        given = replace(
            given, cluster=model.cluster, window=model.cadence, task=model.task, positive=model.positive_label,
            class_names=model.class_names,
        )  # fmt: skip
    if ask.reference_until:
        try:
            until = datetime.fromisoformat(ask.reference_until)
        except ValueError as error:
            raise InvalidInput(f"{ask.reference_until!r} is no day.", hint="Write it as 2026-03-01.") from error
        until = until if until.tzinfo else until.replace(tzinfo=zone_of(given.zone))
        if known is not None and until != known.end:
            raise Conflict(
                f"The reference of version {ask.version} ends on {known.end:%Y-%m-%d} already.",
                hint="Leave --reference-until out, or name another --version.",
            )
    return replace(given, reference_until=known.end if known else until, known=known is not None)


def watch(
    services: Services, actor: Actor, ask: Ask, proposal: Proposal, *,
    progress: Callable[[int, int], None] | None = None,
) -> Watched:  # fmt: skip
    """Add the model and version where they are new, keep reference and rows, and judge. Again: only new rows count.

    Args:
        services: Of this installation.
        actor: Who asks; a scientist or above.
        ask: What was said.
        proposal: What was made of it and agreed to.
        progress: Is told rows done and rows in all.

    Raises:
        Conflict: the model is another one already.
        InvalidInput: a row cannot be taken; nothing was stored of the rows then.
        NotAllowed: the actor may not.
    """
    version_id = _version(services, actor, ask, proposal)
    if _reference(services, actor, ask) is None:
        services.monitoring.record_reference(
            actor, version_id, in_numbers(proposal.reference, proposal.task), method=AS_SERVED
        )
    stored = _store(services, actor, ask, proposal, progress)
    while services.monitoring.profile_dirty_hours(system(_PROCESS), model=ask.model).left:
        pass
    services.monitoring.evaluate(system(_PROCESS), ask.model)
    return Watched(stored, services.monitoring.summary(actor, ask.model))


def _reference(services: Services, actor: Actor, ask: Ask) -> ReferenceFacts | None:
    """What the version is compared with already; None for another version than the one that answers."""
    room = services.monitoring.room(actor, ask.model)
    return room.reference if room.version == ask.version else None


def _version(services: Services, actor: Actor, ask: Ask, proposal: Proposal) -> str:
    """The version's id; the model and the version are added when they are new."""
    name, reason = ask.model, f"watched from {ask.file}"
    model = next((one for one in services.registry.models(actor) if one.name == name), None)
    if model is None:
        model = services.registry.add_model(
            actor, name, task=proposal.task.name, source=EXTERNAL, reason=reason,
            positive_label=proposal.positive or "1", class_names=proposal.class_names, cadence=proposal.window,
            cluster=proposal.cluster,
        )  # fmt: skip
    if model.source != EXTERNAL or model.task != proposal.task.name:
        raise Conflict(
            f"{name} is a {model.task} model from {model.source} already.", hint="Choose another name with --model."
        )
    try:
        version_id = services.registry.version_id(actor, name, ask.version)
    except NotFound:
        version_id = services.registry.record_version(actor, name, ask.version, note=reason)
    serving = services.registry.serving(actor, name)
    if serving is None or serving.version_id != version_id:
        services.registry.serve_elsewhere(actor, version_id, reason=reason)
    return version_id


def _store(
    services: Services, actor: Actor, ask: Ask, proposal: Proposal, progress: Callable[[int, int], None] | None
) -> int:
    """Predictions with their labels; gives how many predictions were new."""
    live = in_numbers(proposal.live, proposal.task)
    roles = live[["at", "id", "score", "label"]].assign(number=range(len(live)), label_at=live["at"])
    told = live[probability_columns(live)]
    rows = FileRows(roles, live[list(proposal.features)], rows=len(live), probabilities=told)
    filed = services.scoring.file_rows(actor, ask.model, ask.version, rows, skip=False, progress=progress)
    if filed.refused:
        first = filed.unfit[0]
        raise InvalidInput(
            f"A row of {ask.file} cannot be taken: column {first.column!r} {first.reason} ({first.sample}).",
            hint="Nothing was stored. mlops-dash ingest lists every such row, and can skip them.",
        )
    return filed.predictions
