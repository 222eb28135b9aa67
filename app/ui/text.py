"""How does somebody's text stand where Streamlit reads Markdown? As the signs it is made of: no link, colour or icon.

Titles of dialogs, buttons, links, badges and messages all read Markdown; names of runs, models and people may hold any
sign. Text in HTML goes through `html.escape` instead, text in a figure through `in_figure`.
"""

from __future__ import annotations

import html
import re

from mlops_dash.domain.words import defined

_SIGNS = re.compile(r"[\\`*\[\]<$~]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)|!(?=\[)")
# Streamlit looks for these after Markdown is read, so a backslash does not stop it; an invisible joiner does.
_LATER = re.compile(r"(:)(?=[^\s\d]|\d+[\w+-]*:)|(www)(?=\.)|(@)(?=\w)", re.IGNORECASE)
_JOINER = "\u2060"


def plain(text: str) -> str:
    r"""The text for a place that reads Markdown, with nothing in it taken as Markdown; on one line.

    >>> plain("run_7: [x] <b> *a* 12:30")
    'run_7: \\[x\\] \\<b> \\*a\\* 12:30'
    """
    said = _SIGNS.sub(lambda sign: f"\\{sign.group()}", " ".join(text.split()))
    said = _LATER.sub(lambda sign: f"{sign.group()}{_JOINER}", said)
    said = re.sub(r"^[#>+=-]", r"\\\g<0>", said)
    return re.sub(r"^\d+(?=[.)])", lambda number: number.group() + _JOINER, said)


def inside_html(text: str) -> str:
    """The text between the tags of our own markup; quotes may stay, they end nothing there.

    >>> inside_html("a < b & 'c'")
    "a &lt; b &amp; 'c'"
    """
    return html.escape(text, quote=False)


def explained(text: str) -> str:
    """The text inside our own markup, with every term of the glossary underlined; pointing or tabbing says its meaning.

    >>> explained("<7 ripe days>").partition(" tabindex")[0]
    "&lt;7 <dfn class='term'"
    """
    return "".join(_term(piece, meaning) if meaning else inside_html(piece) for piece, meaning in defined(text))


def _term(word: str, meaning: str) -> str:
    said = html.escape(meaning)
    return f"<dfn class='term' tabindex='0' data-means='{said}' aria-description='{said}'>{inside_html(word)}</dfn>"


def in_figure(text: str) -> str:
    """The text for a label, name, tick or hover template of Plotly, with nothing in it taken as tag or template.

    Plotly reads a few tags and entities, not all of HTML's: quotes would come out as `&quot;`.

    >>> in_figure("the <b>'fast'</b> %{y} & co")
    "the &lt;b&gt;'fast'&lt;/b&gt; %&#123;y} &amp; co"
    """
    return inside_html(text).replace("%{", "%&#123;")
