"""The weekly review as a document: its verdict, figures and sections, made from its facts alone."""

from __future__ import annotations

from functools import partial
from typing import Any

from mlops_dash.domain import format as fmt
from mlops_dash.domain.cadence import plural_of
from mlops_dash.domain.monitoring.words import column_name
from mlops_dash.domain.reports import words
from mlops_dash.domain.reports.counted import metric_named, ripe, window_of
from mlops_dash.domain.reports.snapshot import KIND_LABELS, Facts, ReportKind, coverage, number
from mlops_dash.domain.words import AlertState, GateState, Health, ProposalState, look
from mlops_dash.rendering.document import (
    Cell,
    Document,
    Figure,
    badge,
    gate_reason,
    interval_said,
    measured,
    own,
    plain,
    table_of,
)


def document(facts: Facts) -> Document:
    """The review, from the facts of `domain.reports.facts.weekly_facts`."""
    version, model = facts["version"], facts["model"]
    owner = f" · owner {model['owner']}" if model["owner"] else ""
    live = "" if version is None else f"{version['label']} · "
    week = words.week_said(facts)
    return Document(
        kind=KIND_LABELS[ReportKind(facts["kind"])],
        title=model["title"] or model["name"],
        name=model["name"],
        tab=f"{model['name']}, {week}",
        about=f"{live}week of {week} · days in {facts['week']['zone']}{owner} · tier {model['tier']}",
        badge=badge(Health(facts["verdict"]["health"])),
        verdict=words.verdict(facts),
        next_step=own(words.next_step(facts)) if facts["proposals"] else words.next_step(facts),  # names the proposer
        figures=_figures(facts),
        sections=_sections(facts),
        how=words.how(facts),
        brief=_brief(facts),
        verdict_on="Performance",
        next_on="Proposals" if facts["proposals"] else "Alerts",
        brief_on=next((plain(name) for name, _, _ in _proposed(facts)), ""),
    )


def _brief(facts: Facts) -> list[Figure]:
    """The metric, what the labels say, and what decides over the proposal that waits, or else over the live version."""
    data, window = facts["performance"] or {}, window_of(facts)
    first, *others = _figures(facts)
    if (now := data.get("now")) is not None:
        interval = fmt.interval(now["low"], now["high"], data["decimals"], signed=False)
        first = (first[0], first[1], interval_said(interval, f"n {fmt.whole(now['n'])}", ripe(now["n_days"], window)))
    found: list[Figure] = [first, *_labels(facts), *_proposed(facts)]
    live = "" if facts["version"] is None else facts["version"]["label"]
    return [*found, *measured(facts["gates"], live), *others][:3]


def _proposed(facts: Facts) -> list[Figure]:
    return [one for waiting in facts["proposals"] for one in measured(waiting["gates"], waiting["version"])]


def _labels(facts: Facts) -> list[Figure]:
    mean = next((one for one in facts["metrics"] if one["metric"] == "label_mean"), None)
    if mean is not None and mean["value"] is not None:
        told = facts["performance"] or {"decimals": 2, "unit": ""}
        interval = fmt.interval(mean["low"], mean["high"], told["decimals"], signed=False)
        return [("Mean label", number(mean["value"], told), interval_said(interval, f"n {fmt.whole(mean['n'])}"))]
    rate = facts["label_rate"]
    if rate is None or rate["value"] is None:
        return []
    known = rate["low"] is not None and rate["high"] is not None
    interval = f"[{fmt.percent(rate['low'])}, {fmt.percent(rate['high'])}]" if known else fmt.MISSING
    return [("Label rate", fmt.percent(rate["value"]), interval_said(interval, f"n {fmt.whole(rate['n'])}"))]


def _figures(facts: Facts) -> list[Figure]:
    """The few numbers at the top: name, value, what belongs to it."""
    data = facts["performance"] or {}
    now = data.get("now")
    rows, inputs, window = facts["rows"], facts["inputs"], window_of(facts)
    found: list[Figure] = []
    if now is None:
        found.append((metric_named(facts) if data else "Performance", words.NOT_KNOWN, "no ripe labels"))
    else:
        interval = fmt.interval(now["low"], now["high"], data["decimals"], signed=False)
        found.append((metric_named(facts), number(now["value"], data), f"{interval} · {ripe(now['n_days'], window)}"))
    share = coverage(facts)
    found.append(
        ("Label coverage", words.NOT_KNOWN if share is None else fmt.percent(share), f"{fmt.whole(rows['n'])} rows")
    )
    moved = f"{len(words.moved_inputs(facts))} of {inputs['watched']}" if inputs["watched"] else words.NOT_KNOWN
    found.append(("Inputs moved", moved, "beyond their usual swing"))
    still = sum(one["state"] != AlertState.CLOSED for one in facts["alerts"])
    found.append(("Open alerts", str(still), fmt.plural(len(facts["proposals"]), "open proposal")))
    return found


def _sections(facts: Facts) -> list[dict[str, Any]]:
    return [
        _happened(facts),
        _performance(facts),
        {"title": "Labels", "said": words.labels(facts), "see": ("Label coverage", "Label coverage", "Evidence")},
        _inputs(facts),
        _alerts(facts),
        _proposals(facts),
        _gates(facts),
        _evidence(facts),
    ]


def _happened(facts: Facts) -> dict[str, Any]:
    zone, found = facts["week"]["zone"], facts["happened"]
    said = [words.served(facts)]
    if not found["events"]:
        return {"title": "What happened", "said": [*said, "Nothing was decided and no alert changed in this week."]}
    if found["more"]:
        said.append(f"{fmt.plural(found['more'], 'earlier event')} of this week not shown; the ledger has them.")
    rows: list[list[Cell]] = [
        [
            fmt.instant(words.at(one["at"]), zone),
            one["what"],
            own(one["about"]),
            own(one["who"]),
            own(one["why"] or fmt.MISSING),
            fmt.MISSING if one["entry"] is None else f"no. {one['entry']}",
        ]
        for one in found["events"]
    ]
    heads = ["When", "What", "About", "Who", "Why", "Ledger"]
    return {"title": "What happened", "said": said, "table": table_of("Events of the week, in order", heads, rows)}


def _performance(facts: Facts) -> dict[str, Any]:
    data, said, window = facts["performance"], words.performance(facts), window_of(facts)
    section: dict[str, Any] = {"title": "Performance", "said": said}
    if data is None:
        return section
    alt = words.performance_alt(facts)
    section["drawn"] = partial(_chart, "performance", data, facts["week"], window, alt=alt)
    section["picture"] = partial(_picture, "performance", data, facts["week"], window)
    section["alt"] = alt
    section["note"] = (
        f"Line: mean of the last {ripe(data['trailing_days'], window)} with its 95 % interval; "
        f"dots: single {plural_of(window)}; "
        "bars: rows, dark where labelled. Marks above: ▼ alert, ◆ retrain, ▲ promotion, ◀ rollback."
    )
    return section


def _chart(kind: str, *shown: Any, width: int, alt: str) -> str:
    from mlops_dash.rendering import charts  # matplotlib costs a second: only who draws pays it

    draw = charts.performance if kind == "performance" else charts.inputs
    return draw(*shown, width=width, alt=alt)


def _picture(kind: str, *shown: Any) -> Any:
    from mlops_dash.rendering import charts

    return charts.picture(kind, *shown)


def _inputs(facts: Facts) -> dict[str, Any]:
    data, said = facts["inputs"], words.inputs(facts)
    section: dict[str, Any] = {"title": "Inputs", "said": said}
    columns = [one for one in data["columns"] if one["psi"] is not None]
    if not columns:
        return section
    section["drawn"] = partial(_chart, "inputs", columns, alt=said[0])
    section["picture"], section["alt"] = partial(_picture, "inputs", columns), said[0]
    section["note"] = (
        "Bar: PSI of the week against the reference; line: its 95 % interval; tick: its usual PSI. "
        "Beyond: farther than it usually swings, in this window alone."
    )
    rows: list[list[Cell]] = [
        [
            own(column_name(one["name"])),
            "beyond" if one["verdict"] in ("watch", "drift") else one["verdict"].replace("_", " "),
            fmt.metric(one["psi"], 2),
            fmt.interval(one["low"], one["high"], 2, signed=False),
            fmt.metric(one["usual"], 2),
            fmt.metric(one["excess"], 2),
            fmt.percent(one["missing"]),
            fmt.whole(one["n"]),
        ]
        for one in columns
    ]
    heads = ["Column", "Verdict", "PSI", "95 % interval", "Usual PSI", "Excess", "Missing", "n"]
    section["table"] = table_of("Columns that moved farthest", heads, rows, numeric=(2, 3, 4, 5, 6, 7))
    return section


def _alerts(facts: Facts) -> dict[str, Any]:
    zone, section = facts["week"]["zone"], {"title": "Alerts", "said": [words.alerts(facts)]}
    rows: list[list[Cell]] = [
        [
            {"badge": "1", **badge(AlertState(one["state"]))},
            one["severity"],
            one["title"],
            one["cause"] or fmt.MISSING,
            fmt.instant(words.at(one["opened_at"]), zone),
            own(one["last_answer"] or one["owner"] or fmt.MISSING),
        ]
        for one in facts["alerts"]
    ]
    if rows:
        heads = ["State", "Severity", "Alert", "Likely cause", "Since", "Answer"]
        return {**section, "table": table_of("Alerts that were open in the week", heads, rows)}
    return section


def _proposals(facts: Facts) -> dict[str, Any]:
    zone, section = facts["week"]["zone"], {"title": "Proposals", "said": [words.proposals(facts)]}
    rows: list[list[Cell]] = [
        [
            one["version"],
            {"badge": "1", **badge(ProposalState(one["state"]))},
            own(one["proposer"]),
            fmt.instant(words.at(one["since"]), zone),
            "; ".join(f"{gate['name']}: {look(GateState(gate['state'])).label.lower()}" for gate in one["gates"]),
            own(one["comment"] or fmt.MISSING),
        ]
        for one in facts["proposals"]
    ]
    if rows:
        heads = ["Version", "State", "Proposed by", "Since", "Gates", "Why"]
        return {**section, "table": table_of("Proposals that wait", heads, rows)}
    return section


def _gates(facts: Facts) -> dict[str, Any]:
    section = {"title": "Gates of the live version", "said": [words.gates(facts)]}
    rows: list[list[Cell]] = [
        [
            gate["name"],
            {"badge": "1", **badge(GateState(one["state"]))},
            one["label"],
            words.measure_value(one),
            words.measure_limit(one),
            gate_reason(gate, one),
        ]
        for gate in facts["gates"]
        for one in gate["measures"]
    ]
    if rows:
        heads = ["Gate", "State", "Measure", "Value and interval", "Limit", "Why"]
        return {**section, "table": table_of("Gates, measure by measure", heads, rows)}
    return section


def _evidence(facts: Facts) -> dict[str, Any]:
    found = words.evidence(facts)
    section: dict[str, Any] = {"title": "Evidence"}
    if not found:
        return {**section, "said": ["Not known: nothing was measured yet."]}
    rows: list[list[Cell]] = [
        [
            one["about"], one["metric"], one["value"], one["interval"], one["n"], one["days"], one["method"],
            one["bound"], {"mono": one["source"]},
        ]
        for one in found
    ]  # fmt: skip
    counted = "Days" if window_of(facts) == "day" else "Over"
    heads = ["About", "Metric", "Value", "95 % interval", "n", counted, "Method", "Bound", "Source"]
    said = [f"{fmt.plural(len(rows), 'number')}, each as it was computed and kept."]
    return {
        **section,
        "said": said,
        "wide": True,
        "table": table_of("Live traffic, the live version and what waits", heads, rows, numeric=(2, 3, 4, 5)),
    }
