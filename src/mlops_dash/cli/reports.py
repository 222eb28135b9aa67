"""`report`: a report as a file, the list of those that are kept, and checking a file against its facts."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_dash.cli import deliveries, remarks, shares
from mlops_dash.cli.shared import actor, json_flag, services, show, write_bytes
from mlops_dash.domain.access import Actor
from mlops_dash.domain.reports.files import ReportFormat, format_of
from mlops_dash.domain.reports.levels import Level
from mlops_dash.domain.reports.remarks import Remark, RemarkKind, signed
from mlops_dash.domain.reports.snapshot import KIND_LABELS, SCHEMA, Draft, Facts, Report, as_json, sha256_of
from mlops_dash.errors import InvalidInput

if TYPE_CHECKING:
    from mlops_dash.bootstrap import Services


_REMARKS = re.compile(r"<!--remarks-->.*?<!--/remarks-->\n", re.DOTALL)  # people's text is escaped: it holds no "<"


def add_commands(commands: Any) -> None:
    """Register the kinds of report, report list, share, schedule, send, check and their kin."""
    report = commands.add_parser("report", help="make, list or check reports")
    kinds = report.add_subparsers(dest="what", required=True, metavar="WHAT")

    weekly = kinds.add_parser("weekly", help="freeze the review of a week and write it as a file")
    weekly.add_argument("--model", required=True)
    weekly.add_argument("--until", type=_day, help="last day of the week, as 2013-06-01; default: the last judged day")
    _file_arguments(weekly)
    weekly.set_defaults(run=_weekly)

    dossier = kinds.add_parser("dossier", help="what a promotion rests on: gates, approvals, lineage, ledger")
    dossier.add_argument("--model", required=True)
    dossier.add_argument("--version", required=True, help="3 or v3")
    _file_arguments(dossier)
    dossier.set_defaults(
        run=lambda given: _made(given, lambda made, who: made.reports.promotion(who, given.model, given.version))
    )

    ab = kinds.add_parser("ab", help="what an A/B test says")
    ab.add_argument("--test", default="", help="its id; default: the running test, else the newest")
    _file_arguments(ab)
    ab.set_defaults(run=lambda given: _made(given, lambda made, who: made.reports.ab_result(who, given.test)))

    card = kinds.add_parser("card", help="the model card: what people say of a model, and its facts")
    card.add_argument("--model", required=True)
    _file_arguments(card)
    card.set_defaults(run=lambda given: _made(given, lambda made, who: made.reports.card(who, given.model)))

    fleet = kinds.add_parser("fleet", help="every model's verdict and what is due")
    _file_arguments(fleet)
    fleet.set_defaults(run=lambda given: _made(given, lambda made, who: made.reports.fleet(who)))

    listed = kinds.add_parser("list", help="the reports that are kept, newest first")
    json_flag(listed)
    listed.set_defaults(run=_list)

    compare = kinds.add_parser("compare", help="what two kept reports of one kind and model say differently")
    compare.add_argument("one", help="its id, or the first 8 digits or more of its facts' sha256")
    compare.add_argument("other")
    json_flag(compare)
    compare.set_defaults(run=_compare)

    remarks.add_commands(kinds)
    shares.add_commands(kinds)
    deliveries.add_commands(kinds)

    check = kinds.add_parser("check", help="compute a file's hash again: exit 0 kept here, 1 changed or not kept here")
    check.add_argument("file", type=Path, help="the HTML or JSON file, or the facts.json that a PDF carries")
    check.set_defaults(run=_check)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write it as 2013-06-01") from error


def _file_arguments(command: argparse.ArgumentParser) -> None:
    """--out and --format, which the file's ending says too."""
    command.add_argument(
        "--out", required=True, type=Path, help="the file to write: .html, .pdf, .md, .json, .xlsx or .pptx"
    )
    command.add_argument("--format", choices=list(map(str, ReportFormat)), help="default: what the file's ending says")
    command.add_argument(
        "--level", type=Level, choices=list(Level), default=Level.TECHNICAL,
        help="for whom: executive is one page, audit is all; JSON and XLSX always hold all",
    )  # fmt: skip
    json_flag(command)


def _weekly(arguments: argparse.Namespace) -> int:
    return _made(arguments, lambda made, who: made.reports.weekly(who, arguments.model, until=arguments.until))


def _made(arguments: argparse.Namespace, draft: Callable[[Services, Actor], Draft]) -> int:
    """Freeze a draft and write it."""
    out: Path = arguments.out
    kind = format_of(out.name, arguments.format)
    if not out.absolute().parent.is_dir():
        raise InvalidInput(f"There is no folder {out.parent}.", hint="Make it first.")
    made = services()
    who = actor(made)
    kept = made.reports.freeze(who, draft(made, who))
    content = made.reports.file(who, kept.line.id, kind, arguments.level).content
    write_bytes(out, content)
    answer = {
        "id": kept.line.id,
        "kind": str(kept.line.kind),
        "model": kept.line.model,
        "about": kept.line.about,
        "week": {"start": kept.line.week.start.isoformat(), "end": kept.line.week.end.isoformat()},
        "sha256": kept.line.sha256,
        "file": str(out),
        "format": str(kind),
        "level": str(arguments.level),
        "bytes": len(content),
    }
    show(answer, as_json=arguments.json, line=f"{out}: {kept.line.about}, facts sha256 {kept.line.sha256}")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    made = services()
    lines = made.reports.room(actor(made)).lines
    answer = [
        {
            "id": one.id,
            "kind": str(one.kind),
            "model": one.model,
            "about": one.about,
            "start": one.week.start.isoformat(),
            "end": one.week.end.isoformat(),
            "sha256": one.sha256,
            "made_by": one.made_by,
            "made_at": one.made_at.isoformat(),
        }
        for one in lines
    ]
    said = [f"{one.sha256[:12]}  {one.of}  {KIND_LABELS[one.kind]}, {one.about}" for one in lines]
    show(answer, as_json=arguments.json, line="\n".join(said) or "No report is kept yet.")
    return 0


def _compare(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    one, other = (made.reports.named(who, name).line.id for name in (arguments.one, arguments.other))
    found = made.reports.compared(who, one, other)
    answer = {
        "first": {"id": found.first.id, "about": found.first.about, "made_at": found.first.made_at.isoformat()},
        "second": {"id": found.second.id, "about": found.second.about, "made_at": found.second.made_at.isoformat()},
        "changes": list(found.changes),
        "sentence": found.sentence,
    }
    said = f"From {found.first.about} to {found.second.about}: {found.sentence}"
    show(answer, as_json=arguments.json, line="\n".join([said, *(f"  {one}" for one in found.changes)]))
    return 0


def _check(arguments: argparse.Namespace) -> int:
    file: Path = arguments.file
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file} cannot be read.", hint="Give the HTML or JSON file of a report.") from error
    if text.lstrip().startswith("{"):
        return _check_json(file, text)
    found = _FactsIn(text)
    facts = found.facts()
    if facts is None and (hashes := re.findall(r"\b[0-9a-f]{64}\b", found.shown)):
        return _check_page(found.source, hashes)
    if facts is None:
        raise InvalidInput(f"{file.name} holds no facts of a report.", hint="Give the HTML or JSON file of a report.")
    sha256 = sha256_of(facts)
    if sha256 not in found.shown:
        print(f"changed: the facts have the hash {sha256}, the file says another")
        return 1
    made = services()
    kept = made.reports.with_hash(actor(made), sha256)
    if kept is not None and not _ours(found.source, kept, made.reports.remarks(actor(made), kept.line.id)):
        who = kept.line.made_by.removeprefix("user:")
        print(
            f"facts ok {sha256}: those of the report by {who}, kept here; the page around them is not what this "
            "version writes: another version made it, or somebody changed it"
        )
        return 1
    return _said(kept, sha256)


def _ours(source: str, kept: Report, remarks: Sequence[Remark]) -> bool:
    """Whether a page is what we write of a report at a level, with what had been said of it at some time.

    What is said later stands at the end; what leaves the house has the sign-offs alone.
    """
    from mlops_dash.rendering import reports as rendering  # it loads Jinja: only who checks a page pays it

    bare, began = _REMARKS.subn("", source)
    page = next((one for one in Level if rendering.html(kept.facts, one) == bare), None)
    if page is None:
        return False
    known = [said[:n] for said in (remarks, signed(remarks)) for n in range(len(said) + 1)]
    return not began or any(rendering.html(kept.facts, page, one) == source for one in known[::-1])


def _check_page(source: str, hashes: Sequence[str]) -> int:
    """A page of the executive level: it names its facts by their hash and does not carry them."""
    made = services()
    who = actor(made)
    kept = next((one for one in (made.reports.with_hash(who, sha256) for sha256 in hashes) if one is not None), None)
    if kept is not None and not _ours(source, kept, made.reports.remarks(who, kept.line.id)):
        print("changed: the page is not what this version writes of these facts, which are kept here")
        return 1
    return _said(kept, hashes[0] if kept is None else kept.line.sha256)


def _check_json(file: Path, text: str) -> int:
    """A report's JSON, or its facts alone."""
    try:
        read = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"{file.name} is no JSON.", hint="Give the HTML or JSON file of a report.") from error
    whole = isinstance(read, dict) and read.get("schema") == SCHEMA
    facts = read.get("facts") if whole else read
    if not isinstance(facts, dict) or "kind" not in facts:
        raise InvalidInput(f"{file.name} holds no facts of a report.", hint="Give the HTML or JSON file of a report.")
    sha256 = sha256_of(facts)
    if whole and read.get("sha256") != sha256:
        print(f"changed: the facts have the hash {sha256}, the file says another")
        return 1
    made = services()
    kept = made.reports.with_hash(actor(made), sha256)
    if whole and kept is not None and not _agrees(read, as_json(kept, _remarks(made, kept))):
        print("changed: its facts are those of a report that is kept here, but what stands around them is not")
        return 1
    return _said(kept, sha256)


def _remarks(made: Services, kept: Report) -> tuple[Remark, ...]:
    return made.reports.remarks(actor(made), kept.line.id)


def _agrees(read: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    """Whether what stands around the facts is ours: names that later versions add are missing from an older file."""
    said_then = read.get("remarks", [])
    later = ours["remarks"]
    signs = [one for one in later if one["kind"] != RemarkKind.COMMENT]
    if said_then not in (later[: len(said_then)], signs[: len(said_then)]):
        return False
    rest = {name: said for name, said in read.items() if name not in ("schema_version", "remarks")}
    return all(ours.get(name) == said for name, said in rest.items())


def _said(kept: Report | None, sha256: str) -> int:
    if kept is None:
        print(f"not kept here: the hash of the facts is {sha256}, but no report of this house has these facts")
        return 1
    who = kept.line.made_by.removeprefix("user:")
    print(f"ok {sha256}: made by {who} on {kept.line.made_at:%Y-%m-%d}, {kept.line.about}")
    return 0


class _FactsIn(HTMLParser):
    """Finds the facts in a report's file, and every text outside them."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source
        self.shown = ""
        self._text = ""
        self._inside = False
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where the facts begin."""
        self._inside = tag == "pre" and ("id", "facts") in attrs

    def handle_endtag(self, tag: str) -> None:
        """Note where they end."""
        self._inside = self._inside and tag != "pre"

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        if self._inside:
            self._text += data
        else:
            self.shown += data

    def facts(self) -> Facts | None:
        """The facts, or None when there are none."""
        try:
            read = json.loads(self._text)
        except ValueError:
            return None
        return read if isinstance(read, dict) else None
