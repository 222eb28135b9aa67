"""The model card as a document: how complete it is, what people say, and the facts of the live version."""

from __future__ import annotations

from typing import Any

from mlops_dash.domain import format as fmt
from mlops_dash.domain.evidence import sample_words
from mlops_dash.domain.reports import words
from mlops_dash.domain.reports.snapshot import KIND_LABELS, Facts, ReportKind
from mlops_dash.rendering.document import Cell, Document, Figure, interval_said, own, said_badge, table_of

_NOT_RECORDED = "not recorded"


def document(facts: Facts) -> Document:
    """The card, from the facts of `domain.reports.card.card_facts`."""
    model, card, version = facts["model"], facts["card"], facts["version"]
    owner = f" · owner {model['owner']}" if model["owner"] else ""
    live = "nothing is live" if version is None else f"{version['label']} is live"
    return Document(
        kind=KIND_LABELS[ReportKind.CARD],
        title=model["title"] or model["name"],
        name=model["name"],
        tab=f"{model['name']}, revision {card['revision']}",
        about=f"{live}{owner} · tier {model['tier']}",
        badge=said_badge(facts["verdict"]),
        verdict=facts["verdict"]["said"],
        next_step=f"Next: {facts['verdict']['next']}" if facts["verdict"]["next"] else "",
        figures=_figures(facts),
        sections=[_said(facts), _measured(facts), _facts(facts), _inputs(facts)],
        how=(
            "The first table is what people wrote; each change of it stands in the ledger with who and why.",
            "Metrics are the kept evidence about the live version; nothing was measured again.",
        ),
        brief=[*_metrics(facts), *_figures(facts)][:3],
        verdict_on="What it is for",
        next_on="What it is for",
    )


def _figures(facts: Facts) -> list[Figure]:
    card = facts["card"]
    return [
        ("Fields written", f"{card['filled']} of {card['of']}", f"revision {card['revision']}"),
        ("Approved by", card["approved_by"] or "nobody yet", _when(facts, card["approved_at"])),
        ("Gates passed", (facts["version"] or {}).get("through") or "none", "of the live version"),
    ]


def _metrics(facts: Facts) -> list[Figure]:
    found: list[Figure] = []
    for one in facts["metrics"]:
        interval = fmt.interval(one["low"], one["high"], one["decimals"], signed=False)
        value = fmt.metric(one["value"], one["decimals"]) + (f" {one['unit']}" if one["unit"] else "")
        found.append((one["label"], value, interval_said(interval, f"n {fmt.whole(one['n'])}", level=one["level"])))
    return found


def _when(facts: Facts, at: str | None) -> str:
    return fmt.instant(words.at(at), facts["zone"]) if at else fmt.MISSING


def _said(facts: Facts) -> dict[str, Any]:
    card = facts["card"]
    rows: list[list[Cell]] = [
        [one["label"], own(one["text"]) if one["text"] else f"Not written yet: {one['hint']}."]
        for one in card["fields"]
    ]
    by = f"Last written by {card['edited_by']}, {_when(facts, card['edited_at'])}" if card["revision"] else "As asked"
    return {"title": "What it is for", "said": [], "table": table_of(by, ["What", "In words"], rows)}


def _measured(facts: Facts) -> dict[str, Any]:
    if not facts["metrics"]:
        return {"title": "How good it is", "said": ["Not known: no evidence about a live version is kept."]}
    rows: list[list[Cell]] = [
        [
            one["label"],
            fmt.metric(one["value"], one["decimals"]) + (f" {one['unit']}" if one["unit"] else ""),
            fmt.interval(one["low"], one["high"], one["decimals"], signed=False),
            sample_words(one["n"], one["n_clusters"], one["clusters"]),
            one["method"] or fmt.MISSING,
        ]
        for one in facts["metrics"]
    ]
    heads = ["Metric", "Value", f"{facts['metrics'][0]['level']:.0%} interval", "Measured on", "Method"]
    return {"title": "How good it is", "said": [], "table": table_of("The live version", heads, rows, numeric=(1, 2))}


def _facts(facts: Facts) -> dict[str, Any]:
    version = facts["version"]
    if version is None:
        return {"title": "Facts", "said": ["No version is live."]}
    start, end = words.at(version["training_start"]), words.at(version["training_end"])
    rows: list[list[Cell]] = [
        ["Version", version["label"]],
        ["Live since", _when(facts, version["since"])],
        ["Recipe", own(version["recipe"] or _NOT_RECORDED)],
        ["Trained on", fmt.period(start, end, facts["zone"]) if start and end else _NOT_RECORDED],
        ["Data sha256", {"mono": version["data"]} if version["data"] else _NOT_RECORDED],
        ["Files sha256", {"mono": version["artifact"]} if version["artifact"] else _NOT_RECORDED],
    ]
    if facts["model"]["class_names"]:
        rows.append(["Classes", own(", ".join(facts["model"]["class_names"]))])
    return {"title": "Facts", "said": [], "table": table_of("The live version", ["What", "Value"], rows)}


def _inputs(facts: Facts) -> dict[str, Any]:
    if facts["inputs"] is None:
        return {"title": "Inputs", "said": ["Not known: the live version has no signature that can be read."]}
    rows: list[list[Cell]] = [
        [own(one["name"]), one["kind"], "yes" if one["required"] else "no"] for one in facts["inputs"]
    ]
    caption = fmt.plural(len(rows), "input")
    return {"title": "Inputs", "said": [], "table": table_of(caption, ["Name", "Type", "Required"], rows)}
