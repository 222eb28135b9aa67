"""The facts of a model card: what is known of the model and its live version, and what people say of it."""

from __future__ import annotations

from typing import Any

from mlops_dash.domain.registry.card import FIELDS, Card
from mlops_dash.domain.registry.dossier import Dossier
from mlops_dash.domain.registry.records import RegistryRoom
from mlops_dash.domain.reports.facts import iso, model_facts
from mlops_dash.domain.reports.snapshot import ReportKind
from mlops_dash.domain.tasks import METRICS
from mlops_dash.domain.words import CardState

FORMAT = 1


def card_facts(room: RegistryRoom, card: Card, dossier: Dossier | None) -> dict[str, Any]:
    """The facts, JSON-able.

    Args:
        room: The Registry page's read of the model.
        card: What people say of it.
        dossier: Of the live version; None = none is live.
    """
    version = None if dossier is None else dossier.version
    line = None if version is None else room.line_of(version.id)
    counted = None if line is None else line.through
    columns = None if dossier is None or dossier.contents is None else dossier.contents.inputs
    facts: dict[str, Any] = {
        "kind": str(ReportKind.CARD),
        "format": FORMAT,
        "subject": "card",
        "model": {**model_facts(room), "class_names": list(room.model.class_names),
                  "source": room.model.source},
        "zone": room.zone,
        "card": {
            "revision": card.revision, "state": str(card.state), "filled": card.n_filled, "of": len(FIELDS),
            "edited_by": room.name_of(card.edited_by), "edited_at": iso(card.edited_at),
            "approved_by": room.name_of(card.approved_by) if card.state is CardState.APPROVED else "",
            "approved_at": iso(card.approved_at) if card.state is CardState.APPROVED else None,
            "fields": [
                {"name": name, "label": label, "hint": hint, "text": card.text(name)}
                for name, (label, hint) in FIELDS.items()
            ],
        },
        "version": None if version is None else {
            "label": version.label, "recipe": version.recipe, "artifact": version.artifact_digest,
            "data": version.data_digest, "training_start": iso(version.training_start),
            "training_end": iso(version.training_end),
            "since": None if room.serving is None else iso(room.serving.since),
            "through": "" if counted is None or not counted.of else counted.said(),
        },
        "inputs": None if columns is None else [
            {"name": one.name, "kind": one.kind, "required": one.required} for one in columns
        ],
        "metrics": [] if dossier is None else [
            {"metric": series.metric, "label": METRICS[series.metric].label,
             "decimals": METRICS[series.metric].decimals, "unit": METRICS[series.metric].unit_of(room.label_unit),
             "level": series.level, "value": own.value, "low": own.low, "high": own.high, "n": own.n,
             "n_clusters": own.n_clusters, "clusters": own.clusters, "method": own.method}
            for series in dossier.series
            if (own := series.champion) is not None
        ],
    }  # fmt: skip
    asks = {
        CardState.INCOMPLETE: "write what is missing on the page Registry, tab Card.",
        CardState.COMPLETE: "a second person approves it on the page Registry, tab Card.",
    }
    facts["verdict"] = {
        "concept": "CardState", "word": str(card.state), "said": card.said(), "next": asks.get(card.state, ""),
    }  # fmt: skip
    facts["key"] = {
        "fields written": f"{card.n_filled} of {len(FIELDS)}",
        "revision": str(card.revision),
        "live version": "none" if version is None else version.label,
    }
    return facts
