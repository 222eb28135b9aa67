"""Around every page: who I am and in which role, what waits for me, where this runs, and THE error boundary."""

from __future__ import annotations

import html
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import streamlit as st

from app import dialogs, faces, search, session, theme, widgets
from app import format as fmt
from app.components import ahead, theme_watch
from app.incidents import explain
from app.pages import HOME, PAGES, PageRow
from mlops_dash.bootstrap import Services
from mlops_dash.domain.access import Actor, Permission, Waiting

T = TypeVar("T")

_QUEUE = 12  # things shown in the queue
STATIC = Path(__file__).parent / "static"


@dataclass(frozen=True)
class Frame:
    """What a page is given: the verbs, who asks, this world's time, and how the browser shows it."""

    services: Services
    actor: Actor
    now: datetime
    mode: str  # light | dark
    tokens: theme.Tokens
    zone: str  # the browser's time zone, for lists; calendar windows use their model's own zone
    waiting: tuple[Waiting, ...] = ()

    def read(self, make: Callable[[], T], *key: Hashable, shared: bool = False, height: int = 900) -> T:
        """What `make` reads, kept a few seconds; `key` names the read and all its arguments.

        It is kept for this person, or, when it holds nothing of a person, `shared` by all of one role. While it takes
        longer than a moment, a skeleton of the page's `height` in px holds the place.

        When something does not answer, the last facts stay on the page under a line that says so.
        """
        whole = ("" if shared else self.actor.id, self.actor.role, *key)
        with st.skeleton(height=height):
            kept = session.reads().get(whole, self.services.freshness.mark(self.actor), make)
        if kept.failed:
            said = f"Updated {fmt.duration(kept.age)} ago, refresh failed: {kept.failed}"
            if widgets.stale(said, key=f"read-{key[0]}"):
                st.rerun()
        return kept.value

    def may(self, permission: Permission) -> bool:
        """Whether the person on the page has the permission."""
        return self.actor.may(permission)

    def why_not(self, permission: Permission) -> str:
        """Empty when allowed, else the reason for a disabled button."""
        return self.actor.why_not(permission)

    def instant(self, t: datetime | None) -> str:
        """A moment in the browser's zone."""
        return fmt.instant(t, self.zone)

    def ago(self, t: datetime | None) -> str:
        """How long ago in this world's time."""
        return fmt.ago(self.now, t)


def run() -> None:
    """One run of the app: who is it, which page, draw it inside the boundary."""
    st.set_page_config(
        page_title="mlops-dash", page_icon=str(STATIC / "icon.svg"), layout="wide", initial_sidebar_state="auto"
    )
    mode = session.mode()
    st.html(f"<style>{theme.css(theme.tokens(mode))}</style>")
    st.logo(str(STATIC / f"logo-{mode}.svg"), icon_image=str(STATIC / "icon.svg"), size="large")
    if not bounded(_signed_in):
        st.navigation([st.Page(_nothing, title="mlops-dash", default=True)], position="hidden").run()


def current() -> Frame | None:
    """The frame of this run, or None when the session has ended (the gate let the websocket in while it lived)."""
    services, mode = session.services(), session.mode()
    actor = services.access.actor_for_session(session.cookie_secret())
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


def bounded(draw: Callable[..., Any], *args: Any, grants: Callable[[], str] | None = None, title: str = "") -> bool:
    """Run `draw`; an error becomes a sentence with the next step, never a traceback. Returns whether it went well.

    `grants` says who may give the role that a refused person lacks; it is asked only then. `title` heads the face of
    a page that failed before it said its own.
    """
    widgets.headless()
    try:
        draw(*args)
    except Exception as error:  # noqa: BLE001 - the boundary: Streamlit's own stop and rerun are not Exceptions
        said = explain(error)
        grant = grants() if grants is not None and said.kind == "refused" else ""
        faces.show(said, grants=grant, title=title)
        return False
    return True


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
    _topbar(frame, chosen.url_path)
    chosen.run()
    theme_watch.mount()
    ahead.mount()


def _page(row: PageRow, frame: Frame) -> Any:
    def show() -> None:
        frame.actor.require(row.permission)
        row.function()(frame)

    def draw() -> None:
        bounded(show, grants=lambda: _grants(frame), title=row.title)

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
    context = frame.services.context
    with st.container(
        key="topbar", horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", gap="small"
    ):
        with st.container(horizontal=True, width="content", vertical_alignment="center", gap="small", key="where"):
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
        with st.container(
            horizontal=True, width="content", vertical_alignment="center", gap="small", key="topbar-right"
        ):
            search.mount(frame)
            _waiting(frame, url)
            st.html(_who(frame.actor), width="content")
    for text in dialogs.take_flashes():
        st.success(text, icon=":material/check_circle:")


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
    with st.popover(f"{n} waiting for you", icon=":material/inbox:", type="tertiary", key=f"waiting-{url}"):
        for number, item in enumerate(frame.waiting[:_QUEUE]):
            with st.container(gap=None, key=f"queue-{number}"):
                widgets.page_link(item.page, item.title, icon_name=item.icon, **dict(item.parameters))
                widgets.note(f"{item.why} · {_deadline(frame, item)}")
        if n > _QUEUE:
            widgets.note(f"and {n - _QUEUE} more")


def _deadline(frame: Frame, item: Waiting) -> str:
    """`waits 28 d`, or until when it may be answered."""
    if item.due is None:
        return f"waits for {fmt.duration(frame.now - item.since)}"
    return f"open until {fmt.day(item.due, frame.zone)}, {fmt.until(frame.now, item.due)}"
