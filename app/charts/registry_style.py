"""The few style rules of the Registry page: gates, steps, timeline."""

from __future__ import annotations

from app.ui.theme import Tokens


def css(t: Tokens) -> str:
    """The few rules of this page."""
    return f"""
.mi{{font-family:'Material Symbols Rounded';font-size:1.2rem;line-height:1;vertical-align:-.22em;font-weight:400}}
.facts td+td,.facts thead th:nth-child(3){{padding-left:.75rem}}
.gate{{padding:.1rem 0 .2rem}}.gh{{display:flex;gap:.45rem;align-items:center}}.gh b{{font-weight:600}}
.gs{{margin-left:auto;font-size:.9rem;font-weight:600}}
.gm{{display:grid;grid-template-columns:1fr;gap:.15rem;margin:.3rem 0 .35rem 1.65rem}}
.gn,.gr,.gx{{font-size:.86rem;color:{t.muted};line-height:1.35}}.gx{{color:{t.ink}}}.gr{{margin:.2rem 0 0 1.65rem}}
.gt{{position:relative;height:14px}}
.gt:before{{content:'';position:absolute;left:0;right:0;top:6px;height:2px;background:{t.line}}}
.gt i{{position:absolute;display:block}}.gb{{top:4px;height:6px;border-radius:3px;opacity:.55;min-width:3px}}
.gv{{top:2px;width:10px;height:10px;margin-left:-5px;border-radius:50%}}
.gl{{top:-1px;width:2px;height:16px;margin-left:-1px;background:{t.ink}}}
.steps,.tl{{list-style:none!important;margin:0!important;padding:0!important}}
.steps{{display:grid;grid-template-columns:repeat(4,1fr);gap:.75rem}}
.steps li{{margin:0!important;display:grid;font-size:.86rem;color:{t.muted};padding-top:.5rem}}
.steps li{{border-top:2px solid {t.line}}}
.steps li b{{font-weight:500}}.steps li.on{{border-color:{t.good}}}
.steps li.on b{{color:{t.ink}}}.steps .on .pi{{color:{t.good_text}}}
.tl li{{display:flex;gap:.7rem;margin:0!important;padding:.45rem 0;font-size:.93rem}}
.tl li+li{{border-top:1px solid {t.grid}}}
.tl div{{display:grid;gap:.1rem;min-width:0}}.tl b{{font-weight:500}}.ti{{color:{t.muted}}}
.tl div>span,.tl q{{font-size:.86rem;color:{t.muted};overflow-wrap:anywhere}}.tl q{{color:{t.ink}}}
@media(max-width:640px){{.steps{{grid-template-columns:1fr 1fr}}}}
@media(max-width:1100px){{.st-key-review [data-testid="stHorizontalBlock"]>.stColumn:nth-child(2){{order:-1}}}}
"""
