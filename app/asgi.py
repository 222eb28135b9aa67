"""The ui process: Streamlit behind our gate, for `streamlit run app/asgi.py` or any ASGI server on `app.asgi:app`."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from app import assets, files, gate, incidents, login, lost, session, warm
from mlops_dash import log, settings


def _knows(secret: str) -> bool:
    return session.services().access.actor_for_session(secret) is not None


def _script_error(error: Exception) -> bool:
    """The boundary of the frame catches what pages raise; what escapes it is logged here and never shown raw."""
    incidents.explain(error)
    return False


ROUTES = [*login.routes(session.services), *files.routes(session.services)]
MADE = settings.from_environment()
log.configure("ui", MADE.logs)

app = st.App(
    Path(__file__).with_name("main.py"),
    lifespan=warm.lifespan,
    routes=ROUTES,
    middleware=[
        Middleware(gate.SecurityHeaders),
        Middleware(
            gate.Gate, cookie=gate.cookie_name(MADE), knows=_knows, lost=lambda scope: lost.answer(scope, ROUTES)
        ),
        Middleware(assets.Assets),
        # Streamlit leaves the compression of static files to a proxy we may not have.
        Middleware(GZipMiddleware, minimum_size=2_000, compresslevel=5),
    ],
    on_script_error=_script_error,
)
