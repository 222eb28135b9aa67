"""PDF: the page as it is, with its facts attached; a machine without Pango is told what to install."""

from __future__ import annotations

import builtins
import copy
import re
import zlib
from typing import Any

import pytest

from mlops_dash.domain.reports.levels import Level
from mlops_dash.errors import Unavailable
from mlops_dash.ids import canonical_json
from mlops_dash.rendering import pdf, reports
from tests.rendering.facts import FACTS

PAGE = "<style>p{color:var(--ink,#101828)}</style><p>Good morning</p>"


def streams(content: bytes) -> list[bytes]:
    found = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, flags=re.DOTALL)
    made = []
    for one in found:
        try:
            made.append(zlib.decompress(one))
        except zlib.error:
            made.append(one)
    return made


def test_the_facts_are_attached() -> None:
    made = pdf.pdf(PAGE, facts='{"kind":"weekly_review"}')
    assert made.startswith(b"%PDF-")
    assert b"facts.json" in b"".join(streams(made))
    assert b'{"kind":"weekly_review"}' in streams(made)


def test_nothing_is_fetched() -> None:
    made = pdf.pdf('<img src="https://example.org/x.png"><img src="file:///etc/passwd"><p>x</p>', facts="{}")
    assert made.startswith(b"%PDF-")
    assert b"root:" not in b"".join(streams(made))


def test_without_pango_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any, **named: Any) -> Any:
        if name == "weasyprint":
            raise OSError("cannot load library 'libpango-1.0-0'")
        return real(name, *more, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(Unavailable, match="Pango is not installed") as refused:
        pdf.pdf(PAGE, facts="{}")
    assert "libpango" in refused.value.hint


def test_a_persons_words_that_look_like_a_variable_stay_as_they_are() -> None:
    facts = copy.deepcopy(FACTS)
    facts["model"]["title"] = 'Penguins <style>var(--ink)</style> " style="var(--ink)"'
    facts["proposals"][0]["comment"] = "our var(--brand-colour) and var(--ink, #000)"
    facts["inputs"]["columns"][0]["name"] = ' style="var(--ink)"'
    page = reports._page(canonical_json(facts), Level.TECHNICAL, paper=True)
    light = pdf._light(page)
    assert words(light) == words(page)
    assert not [one for one in re.findall(r'style="[^"]*"', re.sub(r">[^<]*<", "><", light)) if "var(" in one]
    assert pdf.pdf(page, facts="{}").startswith(b"%PDF-")


def words(page: str) -> list[str]:
    """What a reader sees or hears of a page."""
    body = page[page.index("<body>") :]
    return re.findall(r">([^<]+)<", body) + re.findall(r'aria-label="([^"]*)"', body)
