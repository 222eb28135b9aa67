"""The only door to Streamlit's session_state, query_params, context and caches.

Everything worth sharing lives in the URL; decisions live in the database; what is kept here may be lost at any time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.shell.cookies import cookie_name
from app.shell.reads import Reads
from mlops_dash import bootstrap, settings
from mlops_dash.bootstrap import Services
from mlops_dash.domain.access import Actor

_DRAWN_FOR = "_drawn_for"

_PAGE, _SHOWN, _LEFT = "_page", "_shown", "_left"  # of the last run: page, its URL, whether `leave` ended it
_MOVED = "_moved"  # whether this run's page is another one than the last run's


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


def drop(prefix: str) -> None:
    """Take all values whose keys begin so out of this browser session."""
    for key in [one for one in st.session_state if str(one).startswith(prefix)]:
        del st.session_state[key]


def param(key: str, default: str = "") -> str:
    """One parameter of the URL."""
    return st.query_params.get(key, default)


def params() -> dict[str, str]:
    """All parameters of the URL."""
    return dict(st.query_params)


def followed() -> bool:
    """Whether the URL has just been followed (`arrive`, the browser's Back) and alone says what the page shows."""
    running = get_script_run_ctx()
    return running is not None and running.is_history_navigation


def moved() -> bool:
    """Whether this run's page is another one than the last run's."""
    return bool(get(_MOVED))


def set_param(key: str, value: str) -> None:
    """Write one parameter of the URL; empty removes it. Not for keys that a widget binds."""
    if value:
        st.query_params[key] = value
    elif key in st.query_params:
        del st.query_params[key]


def set_params(wanted: Mapping[str, str]) -> None:
    """Write some parameters of the URL as one entry of the browser's history; empty removes. Not for bound keys."""
    whole = {key: st.query_params.get_all(key) for key in st.query_params}
    after = {key: values for key, values in whole.items() if key not in wanted}
    after.update({key: [value] for key, value in wanted.items() if value})
    if after != whole:
        st.query_params.from_dict(after)


def forget_params() -> None:
    """Empty the URL."""
    _unbind(params())
    st.query_params.clear()


def leave(wanted: Any, parameters: Mapping[str, str]) -> None:
    """Open a page with these parameters and no others; ends the run.

    Streamlit refuses to set a parameter while a widget of the page that is left is bound to it.
    """
    _unbind({**params(), **parameters})
    put(_LEFT, True)
    st.switch_page(wanted, query_params=dict(parameters))


def arrive(url: str) -> None:
    """Another page than in the last run shows what its URL asks for, before its first widget is drawn.

    Streamlit takes parameters out of the URL when a widget of the last page was bound to one of the same name, and
    widgets keep what they showed before. A URL that asks for nothing leaves them so: the menu keeps the model.
    """
    before, left = get(_PAGE, url), pop(_LEFT, False)
    put(_PAGE, url)
    put(_MOVED, before != url)
    running = get_script_run_ctx()
    if running is None or (before == url and not left):
        return
    exact = left or running.is_history_navigation
    asked = _asked(running.query_string, {} if exact else get(_SHOWN, {}))
    if not asked and not left:
        return
    if {key: st.query_params.get_all(key) for key in st.query_params} != asked:
        st.query_params.from_dict(asked)
    with running.session_state.query_params() as held:
        held.set_initial_query_params_from_current()
    running.is_history_navigation = True  # as after the browser's Back: the URL wins over what widgets held


def stay() -> None:
    """The page stands: remember its URL for `arrive`."""
    put(_SHOWN, params())


def _asked(query: str, carried: Mapping[str, str]) -> dict[str, list[str]]:
    """What a link asked for: the browser adds what the widgets of the last page had in the URL."""
    found = {key: values for key, values in parse_qs(query).items() if not key.startswith("embed")}
    for key in found.keys() - st.query_params.keys():
        if carried.get(key) in found[key]:
            found[key].remove(carried[key])
    return {key: values for key, values in found.items() if values}


def _unbind(parameters: Iterable[str]) -> None:
    running = get_script_run_ctx()
    if running is None:
        return
    with running.session_state.query_params() as held:
        for key in parameters:
            bound = held.get_binding_for_param(key)
            if bound is not None:
                held.unbind_widget(bound.widget_id)


def cookie_secret() -> str:
    """The secret in this browser's session cookie, empty when there is none."""
    return st.context.cookies.get(cookie_name(services().context.settings)) or ""


def actor() -> Actor | None:
    """The person behind this browser's session now, or None when it has ended; the database is asked each time."""
    return services().access.actor_for_session(cookie_secret())


def draw_for(somebody: Actor | None) -> None:
    """Remember for whom the page of this run is drawn, so that what runs without it can compare."""
    put(_DRAWN_FOR, somebody)


def drawn_for() -> Actor | None:
    """For whom the page on the screen was drawn."""
    found: Actor | None = get(_DRAWN_FOR)
    return found


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


def page() -> str:
    """The url of the page on the screen; the start page's is empty."""
    return str(get(_PAGE, ""))


def path() -> str:
    """Path and query of the page on the screen: where a login leads back to."""
    here = urlsplit(st.context.url or "/").path or "/"
    query = urlencode(params())
    return f"{here}?{query}" if query else here


def origin() -> str:
    """Scheme and host as this browser knows us, for links that people send to each other."""
    here = urlsplit(st.context.url or "")
    return f"{here.scheme}://{here.netloc}" if here.netloc else ""
