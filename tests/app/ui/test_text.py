"""Somebody's text where Markdown is read: as it is written, and nothing else."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from app.ui.text import in_figure, plain

EVIL = "[x](http://evil) <b>a</b> $x$ :red[y]"
JOINER = "\u2060"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("churn-eu_2 v3, 12:30", "churn-eu_2 v3, 12:30"),
        (EVIL, rf"\[x\](http:{JOINER}//evil) \<b>a\</b> \$x\$ :{JOINER}red\[y\]"),
        ("a_b *c* `h` ~~d~~", r"a_b \*c\* \`h\` \~\~d\~\~"),
        ("_low_ ![i](u) &lt; \\", r"\_low\_ \!\[i\](u) \&lt; \\"),
        (":material/home: :100: :+1:", f":{JOINER}material/home: :{JOINER}100: :{JOINER}+1:"),
        ("www.evil.com me@evil.com", f"www{JOINER}.evil.com me@{JOINER}evil.com"),
        ("# head", r"\# head"),
        ("- item\n\n    code", r"\- item code"),
        ("1. first", f"1{JOINER}. first"),
    ],
)
def test_nothing_in_a_text_is_taken_as_markdown(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_buttons_badges_and_drawers_show_a_hostile_name_as_text() -> None:
    def page() -> None:
        from app.ui import widgets
        from mlops_dash.domain.words import Health

        name = "[x](http://evil) <b>a</b> $x$ :red[y]"
        widgets.action_button(name, key="act", why_not=name)
        widgets.badge(Health.OK, name)

    at = AppTest.from_function(page, default_timeout=30).run()
    assert not at.exception
    button = at.button(key="act")
    assert (button.label, button.help) == (plain(EVIL), plain(EVIL))
    assert EVIL not in " ".join(one.value for one in at.markdown)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('it\'s the "fast" one', 'it\'s the "fast" one'),
        ('<a href="http://evil">x</a>', '&lt;a href="http://evil"&gt;x&lt;/a&gt;'),
        ("AT&amp;T %{y}", "AT&amp;amp;T %&#123;y}"),
    ],
)
def test_nothing_in_a_text_is_taken_as_a_tag_or_template_of_a_figure(text: str, shown: str) -> None:
    assert in_figure(text) == shown


def test_cells_and_heads_of_a_small_table_are_shown_as_they_are_written() -> None:
    def page() -> None:
        import pandas as pd

        from app.ui import widgets

        name = "[x](http://evil) <b>a</b> $x$ :red[y]"
        widgets.table(pd.DataFrame({name: [name, None], "rows": [12, 3]}))

    at = AppTest.from_function(page, default_timeout=30).run()
    assert not at.exception
    shown = at.table[0].value
    assert list(shown.columns) == [plain(EVIL), "rows"]
    assert shown.iloc[0, 0] == plain(EVIL)
    assert list(shown["rows"]) == [12, 3]
