"""Which cookie carries a session of this installation, and which secret does a request bring in it?"""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from mlops_dash.ids import sha256_text
from mlops_dash.settings import Settings


def cookie_name(settings: Settings) -> str:
    """The name of this installation's session cookie.

    Browsers share cookies between ports of a host, so the name carries a digest of where the database is: two
    installations on one machine do not log each other's people out, and replicas on one database agree.
    """
    parts = urlsplit(settings.database_url)
    place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return f"mlops_dash_{sha256_text(place)[:8]}"


def known_name(settings: Settings) -> str:
    """The name of the cookie of a browser that somebody has logged in from before; it opens nothing."""
    return f"{cookie_name(settings)}_known"


def cookie_secret(headers: Headers, name: str) -> str:
    """The secret in the cookie called `name`, empty when there is none."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return morsel.value if morsel is not None else ""
