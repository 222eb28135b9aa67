"""The promotion dossier as a document: verdict and gates first, then who decided, the roll-out, what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlops_dash.domain import format as fmt
from mlops_dash.domain.reports import words
from mlops_dash.domain.reports.snapshot import KIND_LABELS, Facts, ReportKind
from mlops_dash.domain.words import GateState, ProposalState, look
from mlops_dash.rendering.document import (
    Cell,
    Document,
    Figure,
    badge,
    gate_reason,
    measured,
    own,
    said_badge,
    table_of,
)

_NOT_RECORDED = "not recorded"


def document(facts: Facts) -> Document:
    """The dossier, from the facts of `domain.reports.promotion.promotion_facts`."""
    model, version = facts["model"], facts["version"]
    owner = f" · owner {model['owner']}" if model["owner"] else ""
    number = facts.get("semantic", {}).get("number", "")
    called = version["label"]
    if number:
        called += f" ({number}{'' if facts['semantic']['kept'] else ' proposed'})"
    return Document(
        kind=KIND_LABELS[ReportKind.PROMOTION],
        title=f"{model['title'] or model['name']}, {version['label']}",
        name=model["name"],
        tab=f"{model['name']} {version['label']}",
        about=f"{called} · registered {_when(facts, version['created_at'])}{owner} · tier {model['tier']}",
        badge=said_badge(facts["verdict"]),
        verdict=_verdict(facts),
        next_step=f"Next: {facts['verdict']['next']}" if facts["verdict"]["next"] else "",
        figures=_figures(facts),
        sections=[
            _gates(facts),
            _decision(facts),
            *_discussion(facts),
            _rollout(facts),
            _lineage(facts),
            _evidence(facts),
            _ledger(facts),
        ],
        how=(
            "Numbers are the evidence that the gates were judged on, as it was kept; nothing was measured again.",
            "A limit inside an interval is “cannot tell”, never passed. An overridden gate counts and is called so.",
            "The ledger's entries are linked by keyed hashes: mlops-dash audit verify checks them.",
        ),
        brief=[*measured(facts["gates"]), *_figures(facts)[-2:]][:3],
        verdict_on="Gates",
        next_on="Gates",
    )


def _verdict(facts: Facts) -> Cell:
    """The verdict; one that tells why a proposal was closed holds somebody's words."""
    said = str(facts["verdict"]["said"])
    why = "" if facts["proposal"] is None else facts["proposal"]["close_reason"].rstrip(".")
    return own(said) if why and why in said else said


def _when(facts: Facts, at: str | None) -> str:
    return fmt.instant(words.at(at), facts["zone"]) if at else fmt.MISSING


def _figures(facts: Facts) -> list[Figure]:
    first = next((one for gate in facts["gates"] for one in gate["measures"] if one["value"] is not None), None)
    found: list[Figure] = []
    if first is not None:
        value = words.measure_value({**first, "low": None, "high": None})
        interval = fmt.interval(first["low"], first["high"], first["decimals"], signed=first["difference"])
        limit = words.measure_limit(first)
        found.append((first["label"], value, f"{interval} · limit {limit}" if interval != fmt.MISSING else limit))
    found.append(("Gates passed", facts["through"] or "none", _policy(facts)))
    given = [one for one in facts["approvals"] if one["kind"] == "approve" and one["holds"]]
    names = ", ".join(dict.fromkeys(one["who"] for one in given))
    found.append(
        ("Approvals", f"{len(given)} of {facts['policy']['approvals']}", own(names) if names else "nobody yet")
    )
    return found


def _policy(facts: Facts) -> str:
    number = facts["policy"]["number"]
    return f"policy no. {number}" if number else "the default policy"


def _gates(facts: Facts) -> dict[str, Any]:
    section: dict[str, Any] = {"title": "Gates", "said": []}
    if not facts["gates"]:
        return {**section, "said": ["No gate was judged."]}
    rows: list[list[Cell]] = [
        [
            gate["name"] + ("" if gate["required"] else " (not required)"),
            {"badge": "1", **badge(GateState(gate["state"] if gate["state"] == "overridden" else one["state"]))},
            one["label"],
            words.measure_value(one),
            words.measure_limit(one),
            fmt.whole(one["n"]) if one["n"] else fmt.MISSING,
            gate_reason(gate, one),
        ]
        for gate in facts["gates"]
        for one in gate["measures"]
    ]
    heads = ["Gate", "State", "Measure", "Value and interval", "Limit", "n", "Why"]
    against = facts["version"]["against"]
    caption = f"Against {against}, measure by measure" if against else "Measure by measure"
    return {**section, "table": table_of(caption, heads, rows, numeric=(5,))}


def _decision(facts: Facts) -> dict[str, Any]:
    proposal = facts["proposal"]
    if proposal is None:
        return {"title": "Decision", "said": ["Nobody has proposed it."]}
    state = look(ProposalState(proposal["state"])).label.lower()
    said: list[Cell] = [own(f"Proposed by {proposal['proposer']} on {_when(facts, proposal['since'])}; {state}.")]
    if proposal["comment"]:
        said.append(own(f"Why: {proposal['comment']}"))
    if proposal["close_reason"]:
        said.append(own(f"Closed {_when(facts, proposal['closed_at'])}: {proposal['close_reason']}"))
    section: dict[str, Any] = {"title": "Decision", "said": said}
    rows: list[list[Cell]] = [
        [
            own(one["who"]),
            "approved" if one["kind"] == "approve" else f"overrode {one['gate']}",
            _when(facts, one["at"]),
            own(one["comment"] or fmt.MISSING),
            "yes" if one["holds"] else f"no: {one['reason']}",
        ]
        for one in facts["approvals"]
    ]
    if rows:
        heads = ["Who", "What", "When", "Why", "Counts"]
        section["table"] = table_of("Approvals and overrides", heads, rows)
    else:
        said.append("Nobody has approved it.")
    return section


def _discussion(facts: Facts) -> list[dict[str, Any]]:
    """What people said about the proposal, and the files that they attached, by digest; nothing where nobody did."""
    comments = facts.get("comments", [])
    if not comments:
        return []
    rows: list[list[Cell]] = [[own(one["who"]), _when(facts, one["at"]), own(one["text"])] for one in comments]
    section: dict[str, Any] = {
        "title": "Discussion", "said": [], "table": table_of("Comments", ["Who", "When", "What"], rows),
    }  # fmt: skip
    files = [file for one in comments for file in one["files"]]
    section["said"] = [own(f"Attached: {one['name']}, {one['size']:,} bytes, sha256 {one['sha256']}") for one in files]
    return [section]


def _rollout(facts: Facts) -> dict[str, Any]:
    made, section = facts["rollout"], {"title": "Roll-out"}
    if made is None:
        live = facts["verdict"]["concept"] == "OperationState"  # without an operation only a champion has this word
        return {**section, "said": ["How it came live is not recorded." if live else "It was never made live."]}
    rows: list[list[Cell]] = [
        [one["what"], _when(facts, one["at"]) if one["at"] else "not yet"] for one in made.get("steps", [])
    ]
    said: list[Cell] = [own(f"{made['decided_by']} decided ({made['kind']}): {made['reason']}")]
    if made["error"]:
        said.append(f"Last error: {made['error']}")
    said += [
        f"{one['what'].capitalize()} from {_when(facts, one['since'])}"
        + (f" until {_when(facts, one['until'])}." if one["until"] else " on.")
        for one in facts["places"]
    ]
    return {**section, "said": said, "table": table_of("How far it got", ["Step", "When"], rows)}


def _lineage(facts: Facts) -> dict[str, Any]:
    one, digests, run = facts["lineage"], facts["digests"], facts["lineage"]["run"]
    rows: list[list[Cell]] = [
        *_number(facts),
        ["Recipe", own(one["recipe"] or _NOT_RECORDED)],
        ["Trained on", fmt.period(words.at(one["training_start"]), words.at(one["training_end"]), facts["zone"])
         if one["training_start"] else _NOT_RECORDED],
        ["Data sha256", {"mono": digests["data"]} if digests["data"] else _NOT_RECORDED],
        ["Files sha256", {"mono": digests["artifact"]} if digests["artifact"] else _NOT_RECORDED],
        ["Source", {"mono": digests["source"]} if digests["source"] else _NOT_RECORDED],
    ]  # fmt: skip
    if one["copied_from"]:
        rows.append(["Copied from", own(one["copied_from"])])
    if run is None:
        rows.append(["Run", one["run_why"]])
    else:
        rows += _run(run)
    if one["packages_changed"] is None:
        rows.append(["Packages", one["environment_why"]])
    else:
        same = f"the same as {one['packages_against']}'s"
        many = f"{fmt.plural(one['packages_changed'], 'package')} differ from {one['packages_against']}'s"
        rows.append(["Packages", many if one["packages_changed"] else same])
    said = ["The files are not those that were registered."] if one["altered"] else []
    return {
        "title": "Where it is from",
        "said": said,
        "table": table_of("Lineage and digests", ["What", "Value"], rows),
    }


def _number(facts: Facts) -> list[list[Cell]]:
    """What the version is called; dossiers that were frozen before numbers began have none."""
    one = facts.get("semantic")
    if one is None:
        return []
    rows: list[list[Cell]] = [["Semantic number", own(one["said"])]]
    if one["by_hand"]:
        proposed = f"{one['proposed']}: {'; '.join(one['reasons'])}" if one["proposed"] else one["why_not"]
        rows.append(["Set by hand", own(f"{one['by']}: {one['reason']}")])
        rows.append(["Its difference says", own(proposed)])
    return rows


def _run(run: Mapping[str, Any]) -> list[list[Cell]]:
    tree = {True: ", with changes that were not committed", False: ", clean", None: ""}[run["dirty"]]
    branch = f" on {run['branch']}" if run["branch"] else ""
    made: list[list[Cell]] = [
        ["Run", own(f"{run['name'] or run['id']}, by {run['by'] or 'nobody recorded'}, {run['status'].lower()}")],
        ["Commit", {"mono": f"{run['commit']}{branch}{tree}"} if run["commit"] else _NOT_RECORDED],
    ]
    return made + [["Data set", own(f"{one['name']} ({one['digest']})")] for one in run["datasets"]]


def _evidence(facts: Facts) -> dict[str, Any]:
    rows: list[list[Cell]] = [
        [
            one["metric"],
            f"{one['subject']}{' against ' + one['comparator'] if one['comparator'] else ''}",
            fmt.metric(one["value"], 4),
            fmt.interval(one["low"], one["high"], 4, signed=one["kind"] == "paired_difference"),
            fmt.whole(one["n"]),
            one["method"] or fmt.MISSING,
            one["bound"] or one["reason"] or fmt.MISSING,
            {"mono": one["id"][:16]},
        ]
        for one in facts["evidence"]
    ]
    if not rows:
        return {"title": "Evidence", "said": ["No evidence is kept about it."]}
    heads = ["Metric", "About", "Value", "Interval", "n", "Method", "Bound", "Evidence"]
    return {
        "title": "Evidence",
        "said": [],
        "wide": True,
        "table": table_of("Rows that the gates rest on", heads, rows, numeric=(2, 3, 4)),
    }


def _ledger(facts: Facts) -> dict[str, Any]:
    rows: list[list[Cell]] = [
        [str(one["number"]), _when(facts, one["at"]), own(one["sentence"]), own(one["why"] or fmt.MISSING)]
        for one in facts["ledger"]
    ]
    if not rows:
        return {"title": "Ledger", "said": ["The ledger holds nothing about it."]}
    heads = ["No.", "When", "Who did what", "Why"]
    more = facts.get("ledger_more", 0)
    said = [f"{fmt.plural(more, 'earlier entry', 'earlier entries')} about it not shown; the ledger has them."]
    return {"title": "Ledger", "said": said if more else [], "table": table_of("In order", heads, rows, numeric=(0,))}
