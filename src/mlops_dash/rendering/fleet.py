"""The fleet summary as a document: one verdict, one table of all models, and what is due."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlops_dash.domain import format as fmt
from mlops_dash.domain.reports import words
from mlops_dash.domain.reports.snapshot import KIND_LABELS, Facts, ReportKind
from mlops_dash.domain.words import Health
from mlops_dash.rendering.document import Cell, Document, Figure, badge, interval_said, own, said_badge, table_of


def document(facts: Facts) -> Document:
    """The summary, from the facts of `domain.reports.fleet.fleet_facts`."""
    as_of = fmt.instant(words.at(facts["as_of"]), facts["zone"]) if facts["as_of"] else "nothing judged yet"
    return Document(
        kind=KIND_LABELS[ReportKind.FLEET],
        title="All models",
        name="",
        tab=f"all models, {as_of}",
        about=f"{fmt.plural(len(facts['models']), 'model')} · {'judged up to ' if facts['as_of'] else ''}{as_of}",
        badge=said_badge(facts["verdict"]),
        verdict=facts["verdict"]["said"],
        next_step=facts["verdict"]["next"],
        figures=_figures(facts),
        sections=[_models(facts), _due(facts)],
        how=(
            "Words and numbers are those of the Overview and of each model's Monitoring page.",
            "A metric is the mean over the model's last ripe windows with its 95 % interval; “not known” is never OK.",
        ),
        brief=[*(_of_model(one) for one in facts["models"] if one["value"] is not None), *_figures(facts)][:3],
        verdict_on="Models",
        next_on="What is due",
    )


def _of_model(one: Mapping[str, Any]) -> Figure:
    """A model's number; the facts have the worst model first."""
    interval = fmt.interval(one["low"], one["high"], one["decimals"], signed=False)
    unit = f" {one['unit']}" if one["unit"] else ""
    old = "" if one["current"] else "last known"
    said = interval_said(interval, f"n {fmt.whole(one['n'])}", one["metric"], old)
    return own(one["title"] or one["name"]), fmt.metric(one["value"], one["decimals"]) + unit, said


def _figures(facts: Facts) -> list[Figure]:
    health, coverage = facts["health"], facts["coverage"]
    bad = health.get(str(Health.HARMED), 0) + health.get(str(Health.AT_RISK), 0)
    share = words.NOT_KNOWN if coverage is None else fmt.percent(coverage["labelled"] / coverage["n"])
    rows = "no ripe rows" if coverage is None else f"of {fmt.whole(coverage['n'])} ripe rows"
    return [
        ("Harmed or at risk", f"{bad} of {len(facts['models'])}", "models"),
        (
            "Waiting for a decision",
            str(facts["decisions_open"]),
            f"{fmt.plural(facts['alerts_open'], 'alert')}, {fmt.plural(facts['proposals_open'], 'proposal')}",
        ),
        ("Label coverage", share, rows),
    ]


def _number(one: Mapping[str, Any]) -> str:
    if one["value"] is None:
        return words.NOT_KNOWN
    unit = f" {one['unit']}" if one["unit"] else ""
    interval = fmt.interval(one["low"], one["high"], one["decimals"], signed=False)
    shown = "" if interval == fmt.MISSING else f" {interval}"
    return f"{one['metric']} {fmt.metric(one['value'], one['decimals'])}{unit}{shown}"


def _models(facts: Facts) -> dict[str, Any]:
    if not facts["models"]:
        return {"title": "Models", "said": []}
    rows: list[list[Cell]] = [
        [
            own(one["title"] or one["name"]),
            {"badge": "1", **badge(Health(one["health"]))},
            f"v{one['version']}" if one["version"] else fmt.MISSING,
            _number(one) + ("" if one["current"] or one["value"] is None else ", last known"),
            fmt.metric(one["reference"], one["decimals"]),
            f"{len(one['moved'])} of {one['n_inputs']}" if one["n_inputs"] else words.NOT_KNOWN,
            fmt.day(words.at(one["as_of"]), one["zone"]) if one["as_of"] else fmt.MISSING,
            one["due"] or "nothing",
        ]
        for one in facts["models"]
    ]
    heads = ["Model", "Verdict", "Live", "Number and interval", "Reference", "Inputs moved", "Judged to", "Due"]
    return {
        "title": "Models",
        "said": [],
        "wide": True,
        "table": table_of("The worst first", heads, rows, numeric=(4,)),
    }


def _due(facts: Facts) -> dict[str, Any]:
    rows: list[list[Cell]] = [
        [
            own(one["model"] or fmt.MISSING),
            one["word"],
            one["sentence"],
            one["cause"] or fmt.MISSING,
            one["action"],
            fmt.day(words.at(one["since"]), facts["zone"]),
            own(one["taken_by"].removeprefix("user:") or "nobody yet"),
        ]
        for one in facts["due"]
    ]
    if not rows:
        return {"title": "What is due", "said": ["Nothing is due."]}
    heads = ["Model", "What", "In a sentence", "Likely cause", "To do", "Since", "Taken by"]
    return {"title": "What is due", "said": [], "table": table_of("The worst first", heads, rows)}
