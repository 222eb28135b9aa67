"""Around every page: who I am and in which role, what waits for me, where this runs, and THE error boundary."""

from __future__ import annotations

import html
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import streamlit as st

from app.components import address as address_writer
from app.components import ahead, enter, theme_watch
from app.pages import HOME, PAGES, PageRow
from app.shell import address, faces, search, session
from app.shell.counted import PAGE_SECONDS
from app.ui import dialogs, theme, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Actor, Waiting

PageFunction = Callable[[Frame], None]

_QUEUE = 12  # things shown in the queue
STATIC = Path(__file__).parents[1] / "static"


def run() -> None:
    """One run of the app: who is it, which page, draw it inside the boundary."""
    st.set_page_config(
        page_title="mlops-dash", page_icon=str(STATIC / "icon.svg"), layout="wide", initial_sidebar_state="auto"
    )
    mode = session.mode()
    st.html(f"<style>{theme.css(theme.tokens(mode))}</style>")
    st.logo(str(STATIC / f"logo-{mode}.svg"), icon_image=str(STATIC / "icon.svg"), size="large")
    if not faces.bounded(_signed_in):
        st.navigation([st.Page(_nothing, title="mlops-dash", default=True)], position="hidden").run()


def current() -> Frame | None:
    """The frame of this run, or None when the session has ended (the gate let the websocket in while it lived)."""
    services, mode = session.services(), session.mode()
    actor = session.actor()
    session.draw_for(actor)
    if actor is None:
        return None
    return Frame(
        services=services,
        actor=actor,
        now=services.context.clock.now(),
        mode=mode,
        tokens=theme.tokens(mode),
        zone=session.zone(),
        waiting=services.access.waiting(actor),
    )


def _nothing() -> None:
    """The page of a run that has no page: the boundary has already said why."""


def _signed_in() -> None:
    frame = current()
    if frame is None:
        _session_ended()
        return
    pages = {row.url: _page(row, frame) for row in PAGES}
    session.put("_pages", {"": pages[HOME], **pages})
    sections: dict[str, list[Any]] = {}
    for row in PAGES:
        sections.setdefault(row.section, []).append(pages[row.url])
    chosen = st.navigation(sections, expanded=True)
    session.arrive(chosen.url_path)
    address.shown()  # of a run that did not come to its end
    _topbar(frame, chosen.url_path)
    chosen.run()
    _where(frame, "where-foot")
    session.stay()
    address_writer.mount((HOME, "") if chosen.url_path in ("", HOME) else (chosen.url_path,), address.shown())
    theme_watch.mount()
    ahead.mount()
    enter.mount()


def page_function(row: PageRow) -> PageFunction:
    """The page's function; its module is imported when the page is first opened."""
    return cast(PageFunction, importlib.import_module(f"app.views.{row.module}").page)


def _page(row: PageRow, frame: Frame) -> Any:
    def show() -> None:
        frame.actor.require(row.permission)
        page_function(row)(frame)

    def draw() -> None:
        with PAGE_SECONDS.labels(row.url).time():
            faces.bounded(show, grants=lambda: _grants(frame), title=row.title)

    draw.__name__ = row.url
    return st.Page(draw, title=row.title, icon=widgets.icon(row.icon), url_path=row.url, default=row.url == HOME)


def _grants(frame: Frame) -> str:
    names = frame.services.access.admins(frame.actor)
    return f"Roles are given by {' or '.join(names)}, on Audit & admin." if names else ""


def _session_ended() -> None:
    st.navigation([st.Page(_nothing, title="mlops-dash", default=True)], position="hidden").run()
    where = quote(session.path(), safe="")
    st.html(
        "<div class='empty'><b>Your session has ended</b>"
        "<span>Log in again; you come back to this page.</span>"
        f"<p><a href='/login?next={where}' target='_self'>Log in</a></p></div>"
    )


def _topbar(frame: Frame, url: str) -> None:
    with st.container(
        key="topbar", horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", gap="small"
    ):
        _where(frame, "where")
        with st.container(
            horizontal=True, width="content", vertical_alignment="center", gap="small", key="topbar-right"
        ):
            search.mount(frame)
            _waiting(frame, url)
            st.html(_who(frame.actor), width="content")
    for text in dialogs.take_flashes():
        st.success(plain(text), icon=":material/check_circle:")


def _where(frame: Frame, key: str) -> None:
    """Environment, server and clock: in the bar where it has room, else at the foot of the page."""
    context = frame.services.context
    with st.container(horizontal=True, width="content", vertical_alignment="center", gap="small", key=key):
        demo = " demo" if context.settings.demo else ""
        server = context.settings.mlflow_uri.split("//")[-1].split("@")[-1]
        st.html(
            f"<span><b>{html.escape(context.settings.environment)}{demo}</b> · "
            f"MLflow <span class='mono'>{html.escape(server)}</span></span>",
            width="content",
        )
        if context.clock.shifted:
            st.badge(
                f"Demo clock: {frame.instant(frame.now)}",
                icon=":material/history_toggle_off:",
                color="violet",
                help="This world lives on from the end of its data. Times on all pages are its own.",
            )


def _who(actor: Actor) -> str:
    """Name, role and the way out; an account that is named after its role (the demo's) is not called so twice."""
    role = "" if actor.name == str(actor.role) else f"<span class='role'>· {html.escape(str(actor.role))} </span>"
    out = "<a href='/logout' target='_self'>Log out</a>"
    return f"<span class='who'><b>{html.escape(actor.name)}</b> {role}· {out}</span>"


def _waiting(frame: Frame, url: str) -> None:
    n = len(frame.waiting)
    if n == 0:
        st.html("<span class='muted'>Nothing waits for you</span>", width="content")
        return
    with st.popover(f"{n} :gray[waiting for you]", icon=":material/inbox:", type="tertiary", key=f"waiting-{url}"):
        for number, item in enumerate(frame.waiting[:_QUEUE]):
            with st.container(gap=None, key=f"queue-{number}"):
                with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
                    if item.severity is not None:
                        widgets.badge(item.severity)
                    widgets.page_link(item.page, item.title, icon_name=item.icon, key=f"queue-link-{number}",
                                      **dict(item.parameters))  # fmt: skip
                widgets.note(f"{item.why} · {_deadline(frame, item)}")
        if n > _QUEUE:
            widgets.note(f"and {n - _QUEUE} more")


def _deadline(frame: Frame, item: Waiting) -> str:
    """`waits 28 d`, or until when it may be answered."""
    if item.due is None:
        return f"waits for {fmt.duration(frame.now - item.since)}"
    return f"open until {fmt.day(item.due, frame.zone)}, {fmt.until(frame.now, item.due)}"
