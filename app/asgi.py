"""The ui process: Streamlit behind our gate, for `streamlit run app/asgi.py` or any ASGI server on `app.asgi:app`.

A server of your own must not read X-Forwarded-* itself (uvicorn: FORWARDED_ALLOW_IPS set to nothing).
"""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from app.shell import (
    cookies,
    files,
    gate,
    incidents,
    login,
    lost,
    metrics,
    proxies,
    session,
    shared,
    unsubscribing,
    warm,
)
from app.ui import assets
from mlops_dash import log, settings
from mlops_dash.errors import InvalidInput


def _knows(secret: str) -> bool:
    return session.services().access.actor_for_session(secret) is not None


def _settings() -> settings.Settings:
    """The settings, or the end of this process in one sentence."""
    try:
        return settings.from_environment()
    except InvalidInput as error:
        sys.stderr.write(f"ui: {error.sentence()}\n")
        raise SystemExit(2) from None


def _script_error(error: Exception) -> bool:
    """The boundary of the frame catches what pages raise; what escapes it is logged here and never shown raw."""
    incidents.explain(error)
    return False


ROUTES = [
    *login.routes(session.services),
    *shared.routes(session.services),
    *unsubscribing.routes(session.services),
    *files.routes(session.services),
    *metrics.routes(session.services),
]
MADE = _settings()
log.configure("ui", MADE.logs)

app = st.App(
    Path(__file__).with_name("main.py"),
    lifespan=warm.lifespan,
    routes=ROUTES,
    middleware=[
        Middleware(proxies.Proxies, trusted=MADE.trusted_proxies),
        Middleware(gate.SecurityHeaders),
        Middleware(
            gate.Gate, cookie=cookies.cookie_name(MADE), knows=_knows, lost=lambda scope: lost.answer(scope, ROUTES)
        ),
        Middleware(assets.Assets),
        # Streamlit leaves the compression of static files to a proxy we may not have.
        Middleware(GZipMiddleware, minimum_size=2_000, compresslevel=5),
    ],
    on_script_error=_script_error,
)
