"""The page /docs: our OpenAPI description as plain HTML. FastAPI's own page would load scripts from outside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
_STYLE = """
:root{color-scheme:light dark;--line:light-dark(#d9dde3,#333a45);--soft:light-dark(#f4f6f8,#1b2028);
--accent:light-dark(#1f5fbf,#8ab4f8)}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:2rem 1rem;
background:light-dark(#fff,#12161c);color:light-dark(#1b2028,#e6e9ee)}
h1{font-size:1.6rem;margin:0 0 .5rem}
section{border:1px solid var(--line);border-radius:8px;margin:1.5rem 0;padding:1rem}
h2{font-size:1.05rem;margin:0;overflow-wrap:anywhere}h2 b{color:var(--accent);margin-right:.5rem}
h3{font-size:.9rem;margin:1rem 0 .25rem}pre{background:var(--soft);padding:.75rem;border-radius:6px;overflow-x:auto;
font-size:.85rem}code{font-family:ui-monospace,monospace}dt{font-weight:600;margin-top:.5rem}dd{margin:0}
.open{font-size:.8rem;border:1px solid var(--line);border-radius:999px;padding:.1rem .5rem;margin-left:.5rem}
a{color:var(--accent)}
"""


def page(openapi: Mapping[str, Any]) -> str:
    """The whole page, self-contained."""
    info = openapi["info"]
    operations = "".join(
        _operation(method, path, operation)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    )
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(info['title'])}</title><style>{_STYLE}</style>"
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{_text(info.get('description', ''))}</p>"
        "<p>The same for machines: <a href='/openapi.json'>/openapi.json</a></p>"
        f"{operations}</html>"
    )


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    is_open = operation.get("security") == []
    badge = "<span class='open'>no token needed</span>" if is_open else ""
    parts = [f"<section><h2><b>{escape(method.upper())}</b><code>{escape(path)}</code>{badge}</h2>"]
    parts.append(f"<p>{_text(operation.get('summary', ''))}. {_text(operation.get('description', ''))}</p>")
    parameters = operation.get("parameters", [])
    if parameters:
        parts.append("<h3>Path, query and headers</h3><dl>")
        for one in parameters:
            parts.append(f"<dt><code>{escape(one['name'])}</code> ({escape(one['in'])})</dt>")
            parts.append(f"<dd>{_text(one.get('description', ''))}</dd>")
        parts.append("</dl>")
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(f"<h3>Body, {escape(kind)}</h3>")
        if "example" in content:
            parts.append(_json(content["example"]))
        if content.get("schema", {}).get("properties"):
            parts.append(f"<details><summary>Schema</summary>{_json(content['schema'])}</details>")
    parts.append("<h3>Answers</h3><dl>")
    for status, answer in sorted(operation.get("responses", {}).items()):
        parts.append(f"<dt>{escape(str(status))}</dt><dd>{_text(answer.get('description', ''))}")
        example = answer.get("content", {}).get("application/json", {}).get("example")
        parts.append(f"{_json(example) if example is not None else ''}</dd>")
    parts.append("</dl></section>")
    return "".join(parts)


def _text(words: str) -> str:
    return escape(words.strip())


def _json(value: Any) -> str:
    return f"<pre><code>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</code></pre>"
