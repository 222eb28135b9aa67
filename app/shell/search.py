"""Ctrl-K: what is typed, what is found, and the way there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from app.components import palette
from app.pages import PAGES
from app.shell import session
from app.shell.incidents import explain
from app.ui import live, widgets
from mlops_dash.domain.access import Waiting
from mlops_dash.domain.search import LABELS, LONGEST, Hit, Kind, words
from mlops_dash.domain.words import look

if TYPE_CHECKING:
    from app.ui.context import Frame

KEY = "search"
_WHERE = "models, versions, runs, A/B tests, alerts, people and pages"


def mount(frame: Frame) -> None:
    """Put the search button into the frame; a keystroke reruns nothing else of the page."""
    live.fragment(_search)(frame)


def _search(frame: Frame) -> None:
    query = str(session.get(KEY, {}).get("query") or "").strip()
    opened = palette.mount(KEY, answer(frame, query))
    if opened:
        parts = urlsplit(opened)
        widgets.go_to(parts.path.strip("/"), **dict(parse_qsl(parts.query)))


def answer(frame: Frame, query: str) -> dict[str, Any]:
    """What the dialog shows for a text: groups of hits and the line below them."""
    asked = words(query)
    try:
        hits = frame.services.search.find(frame.actor, query) if asked else ()
    except Exception as error:  # noqa: BLE001 - an entry point: the dialog says what is wrong
        return {"query": query, "groups": [], "said": explain(error).sentence()}
    groups = [] if asked else _waiting(frame)
    for kind, label in LABELS.items():
        groups += _group(
            label, (_entry(hit, frame) for hit in hits if hit.kind is kind and _reachable(frame, hit.page))
        )
    groups += _group("Pages", _pages(frame, asked))
    number = sum(len(group["hits"]) for group in groups)
    if not asked:
        said = f"Type a name or an id to search {_WHERE}."
    elif number:
        said = "Arrow keys choose, Enter opens."
    else:
        said = f"Nothing is called “{query[:LONGEST]}”. Search looks at names and ids of {_WHERE}."
    return {"query": query, "groups": groups, "said": said}


def _group(label: str, hits: Iterable[dict[str, str]]) -> list[dict[str, Any]]:
    kept = list(hits)
    return [{"label": label, "hits": kept}] if kept else []


def _waiting(frame: Frame) -> list[dict[str, Any]]:
    return _group(
        "Waiting for you",
        (
            {"title": one.title, "detail": _why(one), "href": address(one.page, dict(one.parameters))}
            for one in frame.waiting[:5]
        ),
    )


def _why(one: Waiting) -> str:
    return one.why if one.severity is None else f"{look(one.severity).label}. {one.why}"


def _pages(frame: Frame, asked: tuple[str, ...]) -> list[dict[str, str]]:
    return [
        {"title": row.title, "detail": row.section, "href": address(row.url, {})}
        for row in PAGES
        if frame.may(row.permission)
        and all(word.lower() in f"{row.title} {row.section} {row.url}".lower() for word in asked)
    ]


def _reachable(frame: Frame, url: str) -> bool:
    return any(row.url == url and frame.may(row.permission) for row in PAGES)


def _entry(hit: Hit, frame: Frame) -> dict[str, str]:
    dated = hit.kind not in (Kind.MODEL, Kind.PERSON)
    said = " · ".join(one for one in (hit.detail, frame.ago(hit.at) if dated else "") if one)
    return {"title": hit.title, "detail": said, "href": address(hit.page, dict(hit.parameters))}


def address(url: str, parameters: dict[str, str]) -> str:
    """The address of a page with its parameters, as a link on this server."""
    return f"/{url}?{urlencode(parameters)}" if parameters else f"/{url}"
