"""HTML to PDF by WeasyPrint: nothing is fetched, the facts are attached, and a machine without Pango says so."""

from __future__ import annotations

import logging
import re

from mlops_dash.errors import Unavailable
from mlops_dash.rendering import tokens

logging.getLogger("weasyprint").setLevel(logging.ERROR)  # it warns of every property that paper has no use for
# Texts are escaped, so what stands between "<" and ">" is a tag of ours, and a quote ends its attribute.
_TAG = re.compile(r"<style>.*?</style>|<[^<>]*>", re.DOTALL)
_STYLE = re.compile(r'\sstyle="[^"]*"')
_VARIABLE = re.compile(r"var\(--([a-z-]+)(?:,[^)]*)?\)")


def pdf(page: str, *, facts: str) -> bytes:
    """The page as PDF, light, with page numbers and bookmarks; `facts` become its attachment facts.json ("" = none).

    Raises:
        Unavailable: Pango is not installed.
    """
    try:
        from weasyprint import HTML, Attachment
        from weasyprint.urls import URLFetcher
    except OSError as error:  # a shared library of Pango is not there
        raise Unavailable(
            "A PDF cannot be made: the library Pango is not installed here.",
            hint="Install it (Debian: libpango-1.0-0 libpangoft2-1.0-0), or take HTML and print it.",
        ) from error
    named = {"name": "facts.json", "description": "The facts of this report"}
    attached = [Attachment(string=facts, **named)] if facts else []
    own = URLFetcher(allowed_protocols={"data"})  # what lies in the page itself; nothing is fetched
    return bytes(HTML(string=_light(page), url_fetcher=own).write_pdf(attachments=attached))


def _light(page: str) -> str:
    """Every variable of a style as its light value, for drawings know no variables on paper; words stay as they are.

    >>> _light('<p style="color:var(--ink)">var(--ink) var(--brand)</p>')
    '<p style="color:#101828">var(--ink) var(--brand)</p>'
    """
    return _TAG.sub(lambda tag: _valued(tag) if tag[0].startswith("<style>") else _STYLE.sub(_valued, tag[0]), page)


def _valued(style: re.Match[str]) -> str:
    return _VARIABLE.sub(lambda name: tokens.LIGHT.get(name[1], name[0]), style[0])
