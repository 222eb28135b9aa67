"""The address of a page says what the page shows, also what nobody chose: a link opens the same again tomorrow.

Which model is first depends on today's health, so a link without its model would change its meaning. A pick is written
at once and makes an entry in the browser's history: Back undoes it. What a page adds by itself replaces the entry in
which it stands (`app/components/address.py`). Menus are not bound to the URL by Streamlit: it takes a default out of
the address, and a pick that replaces its entry cannot be undone by Back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date

from app.shell import session

_SHOWN, _AT = "_address", "_at_"


def menu(key: str, among: Collection[str], default: str, *, unknown: bool = False) -> str:
    """Where the menu with this key stands, before it is drawn; call it in each run that draws the menu.

    As the URL says when it has just been followed, else as it was left on this page, else, on another page, as its
    menu of the same name was left there.

    Args:
        key: Of the widget and of the URL parameter.
        among: The menu's entries.
        default: Where it stands when nothing was asked for; "" = nothing is chosen.
        unknown: Whether a value that is not `among` the entries is given back, for a page that says so.
    """
    value = _stands(key, among)
    if value not in among and not (unknown and value):
        value = default
    _keep(key, value)
    if value in among or not value:
        session.put(key, value or None)  # each time: with other entries it is another widget, which begins anew
    return value


def text(key: str) -> str:
    """What stands in the text field with this key, before it is drawn."""
    value = _stands(key)
    _set(key, value, value)
    return value


def day(key: str) -> date | None:
    """What stands in the date field with this key, before it is drawn; None for none."""
    try:
        found = date.fromisoformat(_stands(key))
    except ValueError:
        found = None
    _set(key, found.isoformat() if found else "", found)
    return found


def left(key: str) -> str:
    """Where the menu with this key stands or was left, on whichever page; "" when nothing is chosen."""
    if session.followed() or session.get(_at(key)) is None:
        return session.param(key)
    return session.param(key) if session.moved() and session.param(key) else str(session.get(_at(key)))


def picked(key: str, *forgotten: str) -> None:
    """What a menu does when somebody picks: one entry in the history; `forgotten` parameters belonged to the old pick.

    For `on_change`.
    """
    value = str(session.get(key) or "")
    session.put(_at(key), value)
    session.set_params({key: value, **dict.fromkeys(forgotten, "")})


def typed(key: str) -> None:
    """What a text field does when somebody typed: no entry in the history. For `on_change`."""
    session.put(_at(key), str(session.get(key) or ""))


def turn(wanted: Mapping[str, str]) -> None:
    """Stand menus and fields elsewhere, as if that had been picked."""
    for key, value in wanted.items():
        session.put(_at(key), value)
    session.set_params(wanted)


def forget() -> None:
    """Empty the URL and forget where menus were left: the page as it opens by itself."""
    session.drop(_AT)
    session.forget_params()


def show(key: str, value: str) -> None:
    """Say what the page shows under this parameter, asked for or not; "" when it shows nothing of that kind."""
    session.put(_SHOWN, {**session.get(_SHOWN, {}), key: value})


def shown() -> dict[str, str]:
    """What the page of this run shows, by parameter; the next run begins with nothing."""
    found: dict[str, str] = session.pop(_SHOWN, {})
    return found


def _stands(key: str, among: Collection[str] | None = None) -> str:
    held, asked = session.get(_at(key)), session.param(key)
    if session.followed() or held is None:
        return asked
    if session.moved():
        return asked or (held if among is None or held in among else "")
    return str(held)


def _set(key: str, value: str, entry: object) -> None:
    _keep(key, value)
    if session.get(key) != entry:  # else a run would take back what is being typed
        session.put(key, entry)


def _keep(key: str, value: str) -> None:
    session.put(_at(key), value)
    show(key, value)


def _at(key: str) -> str:
    return f"{_AT}{key}"
