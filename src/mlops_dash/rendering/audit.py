"""The ledger for other programs and auditors: CSV, JSON, and the pack as one zip file, the same bytes each time."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

from mlops_dash.domain.audit import Entry, who
from mlops_dash.domain.audit_words import sentence
from mlops_dash.rendering.tables import harmless

COLUMNS = ("number", "at", "recorded_at_wall", "who", "action", "object", "model", "sentence", "reason", "before",
           "after", "evidence_ids", "previous", "mac")  # fmt: skip
_WHEN = (1980, 1, 1, 0, 0, 0)  # of every file in a pack: the moment of making it is no fact of it


def entries_csv(entries: Sequence[Entry]) -> bytes:
    """One line an entry, oldest first; texts that a spreadsheet would run are made harmless."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in entries:
        row = entry_json(one)
        writer.writerow(
            [
                cell if isinstance(cell, int) else harmless(cell if isinstance(cell, str) else _json(cell))
                for cell in (row[name] for name in COLUMNS)
            ]
        )
    return text.getvalue().encode("utf-8-sig")


def entries_json(entries: Sequence[Entry]) -> bytes:
    """All fields of every entry, oldest first."""
    return (json.dumps([entry_json(one) for one in entries], indent=1, ensure_ascii=False) + "\n").encode()


def entry_json(entry: Entry) -> dict[str, Any]:
    """An entry with its sentence."""
    return {
        "number": entry.number,
        "at": entry.at.isoformat(),
        "recorded_at_wall": entry.recorded_at_wall.isoformat(),
        "who": who(entry.actor),
        "action": str(entry.action),
        "object": entry.object,
        "model": entry.model,
        "sentence": sentence(entry),
        "reason": entry.reason,
        "before": dict(entry.before),
        "after": dict(entry.after),
        "evidence_ids": list(entry.evidence_ids),
        "previous": entry.previous,
        "mac": entry.mac,
    }


def pack(facts: Mapping[str, Any], entries: Sequence[Entry], attached: Mapping[str, bytes] | None = None) -> bytes:
    """The auditor's pack: a text to begin with, each change with its evidence, the ledger, the sha256 of each file.

    `attached` are files that people attached to proposals, by their paths in the pack.
    """
    files = {
        "README.md": _readme(facts, entries).encode(),
        "changes.json": _pretty(facts["changes"]),
        "reconciliation.json": _pretty(facts["reconciliation"]),
        "verification.json": _pretty(facts["verification"]),
        "ledger.csv": entries_csv(entries),
        "ledger.json": entries_json(entries),
        **{f"evidence/{key}.json": _pretty(body) for key, body in facts["evidence"].items()},
        **(attached or {}),
    }
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in sorted({**files, "SHA256SUMS": sums.encode()}.items()):
            made.writestr(zipfile.ZipInfo(name, _WHEN), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _readme(facts: Mapping[str, Any], entries: Sequence[Entry]) -> str:
    found, of = facts["reconciliation"], ", ".join(facts["models"]) or "no model"
    lines = [
        f"# What was put live, {facts['start'][:10]} to {facts['last_day']}",
        "",
        f"Models: {_text(of)}. Days are UTC. {found['sentence']}",
        f"Ledger: {facts['verification']['sentence']}" + _but(facts["verification"]["reason"]),
        "",
        "MLflow keeps no history of what was live: counted are moves made here and those seen to be made elsewhere.",
        "",
        *[f"- Unexplained: {_text(one)}." for one in found["unexplained"]],
        "",
        f"## {len(facts['changes'])} changes",
        "",
    ]
    for one in facts["changes"]:
        lines += _change(one)
    lines += ["", "## Decisions", "", "| No. | When | Who did what | Why |", "| ---: | --- | --- | --- |"]
    lines += [
        f"| {one.number} | {one.at:%Y-%m-%d %H:%M} | {_text(sentence(one))} | {_text(one.reason) or '-'} |"
        for one in entries
    ]
    lines += ["", "`SHA256SUMS` names every file: `sha256sum -c SHA256SUMS`.", ""]
    return "\n".join(lines)


def _change(one: Mapping[str, Any]) -> list[str]:
    gates = ", ".join(f"{name} {str(state).replace('_', ' ')}" for name, state in one["gates"].items())
    people = [
        f"{_text(_approver(given))} ({given['kind']}{' of ' + given['gate'] if given['gate'] else ''})"
        for given in one["approvals"]
    ]
    proposer = "" if one["proposal"] is None else f" Proposed by {_text(who(one['proposal']['proposer']))}."
    said = (
        f"- **{_text(one['version'])}** ({one['kind']}) in place of {_text(one['replaced']) or 'nothing'}, decided "
        f"{one['decided_at'][:16]} by {_text(who(one['decided_by']))}: {_text(one['reason'])}.{proposer} "
        f"Gates: {gates or 'not asked'}. Approvals: {', '.join(people) or 'none'}. "
        f"Evidence: {len(one['evidence'])}. Ledger: {one['ledger']['decided'] or '-'} and "
        f"{one['ledger']['finished'] or '-'}."
    )
    files = [(file, comment["by"]) for comment in one["thread"] for file in comment["files"]]
    return [said, *(_attached(file, by) for file, by in files)]


def _approver(given: Mapping[str, Any]) -> str:
    absent = given.get("in_name_of")
    return f"{who(given['approver'])} for {who(absent)}" if absent else who(given["approver"])


def _attached(file: Mapping[str, Any], by: str) -> str:
    where = f"`{file['file']}`" if file["file"] else "**not in this pack: its bytes are not what was attached**"
    return f"  - Attached by {_text(who(by))}: {_text(file['name'])}, {where}, sha256 {file['sha256'][:16]}."


def _but(reason: str) -> str:
    return f". But {reason}." if reason else "."


def _text(text: str) -> str:
    """Foreign text inside Markdown: nothing of it is markup, a table's bars included."""
    flat = " ".join(text.split())
    for sign in "\\`*_[]<>|#":
        flat = flat.replace(sign, f"\\{sign}")
    return flat


def _pretty(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, default=str) + "\n").encode()


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
