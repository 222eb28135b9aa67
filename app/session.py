"""The only door to Streamlit's session_state, query_params, context and caches.

Everything worth sharing lives in the URL; decisions live in the database; what is kept here may be lost at any time.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from app.gate import cookie_name
from app.reads import Reads
from mlops_dash import bootstrap, settings
from mlops_dash.bootstrap import Services


@st.cache_resource(show_spinner=False)
def services() -> Services:
    """The services of this process, built once; a failed start is tried again by the next run."""
    return bootstrap.build(settings.from_environment())


@st.cache_resource(show_spinner=False)
def reads() -> Reads:
    """The kept reads of this process."""
    return Reads()


def forget_reads() -> None:
    """Read everything anew: what "Try again" means."""
    reads().clear()


def get(key: str, default: Any = None) -> Any:
    """A value of this browser session, or `default`. A widget's value is kept under the widget's key."""
    return st.session_state.get(key, default)


def put(key: str, value: Any) -> None:
    """Keep a value for this browser session."""
    st.session_state[key] = value


def pop(key: str, default: Any = None) -> Any:
    """Take a value out of this browser session."""
    return st.session_state.pop(key, default)


def param(key: str, default: str = "") -> str:
    """One parameter of the URL."""
    return st.query_params.get(key, default)


def params() -> dict[str, str]:
    """All parameters of the URL."""
    return dict(st.query_params)


def set_param(key: str, value: str) -> None:
    """Write one parameter of the URL; empty removes it. Not for keys that a widget binds."""
    if value:
        st.query_params[key] = value
    elif key in st.query_params:
        del st.query_params[key]


def forget_params() -> None:
    """Empty the URL: the page as it opens by itself."""
    st.query_params.clear()


def cookie_secret() -> str:
    """The secret in this browser's session cookie, empty when there is none."""
    return st.context.cookies.get(cookie_name(services().context.settings)) or ""


def mode() -> str:
    """`light` or `dark`, as the browser shows the page now."""
    return "dark" if st.context.theme.type == "dark" else "light"


def on_phone() -> bool:
    """Whether the browser says that it is a phone's, where a drag must scroll."""
    return "Mobi" in (st.context.headers.get("User-Agent") or "")


def zone() -> str:
    """The browser's time zone, or UTC when it is unknown to us."""
    name = st.context.timezone or "UTC"
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return "UTC"
    return name


def path() -> str:
    """Path and query of the page on the screen: where a login leads back to."""
    here = urlsplit(st.context.url or "/").path or "/"
    query = urlencode(params())
    return f"{here}?{query}" if query else here


def origin() -> str:
    """Scheme and host as this browser knows us, for links that people send to each other."""
    here = urlsplit(st.context.url or "")
    return f"{here.scheme}://{here.netloc}" if here.netloc else ""
