"""A shared report: one page for whoever has its link, in front of the gate, with no session, no cookie and no script.

Nothing leads from it anywhere: it holds no address of ours but two fonts. A wrong secret is told apart from a link that
is over by its status alone, and neither says of what.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from app.shell import files, gate, login
from app.shell.incidents import explain
from mlops_dash.domain.access import NOBODY
from mlops_dash.domain.reports.shares import PATH, ShareFace
from mlops_dash.errors import NotAuthenticated

if TYPE_CHECKING:
    from mlops_dash.bootstrap import Services

GetServices = Callable[[], "Services"]

_EVERY = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")  # none falls through to what lies behind the gate
_UNLISTED = {"cache-control": "no-store", "x-robots-tag": "noindex, nofollow, noarchive"}
_HEADERS = {
    **_UNLISTED,
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src 'self'; "
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    "referrer-policy": "no-referrer",  # the address is the key
}


def routes(services: GetServices) -> list[Route]:
    """The routes that are open to who has a link."""
    made = Shared(services)
    return [Route(f"{PATH}{{secret}}", made.answer, methods=_EVERY)]


@dataclass(frozen=True)
class Shared:
    """Gives out shared reports; services are asked for at each request, so that a late database is found."""

    services: GetServices

    async def answer(self, request: Request) -> Response:
        """The report, its form for a password, or that nothing is here. HEAD, as previews ask, counts as no opening.

        The report is the very answer to its password: there is no cookie that would remember it.
        """
        if request.method not in {*gate.SAFE_METHODS, "POST"}:
            return PlainTextResponse("A shared report is only read.", status_code=405)
        form = await login.form_of(request) if request.method == "POST" else {}
        return await run_in_threadpool(self._show, request, form.get("password", ""))

    def _show(self, request: Request, password: str) -> Response:
        secret, error, status = request.path_params["secret"], "", 200
        try:
            reports = self.services().reports
            if request.method == "HEAD":
                face, text = reports.share_face(NOBODY, secret), ""
            else:
                address = request.client.host if request.client else ""
                face, text = reports.open_share(NOBODY, secret, password=password, address=address)
        except NotAuthenticated as refused:
            face, text, error, status = ShareFace.LOCKED, "", refused.sentence(), 401
        except Exception as problem:  # noqa: BLE001 - an entry point: words and an incident id, never a traceback
            return _broken(problem)
        if face is ShareFace.OPEN:
            return HTMLResponse(files.in_our_fonts(text), headers=_HEADERS)
        answer = _locked(error, status) if face is ShareFace.LOCKED else _nothing(face)
        answer.headers.update(_UNLISTED)
        return answer


def _locked(error: str, status: int) -> Response:
    body = (
        f"<form method='post'>{login.alert(error)}"
        f"{login.password_field('off', 'It came apart from the link, from who sent it.')}"
        "<button class='primary' type='submit'>Open the report</button></form>"
    )
    return login.plain_page("A shared report", body, lead="This link asks for a password.", status=status)


def _broken(problem: Exception) -> Response:
    said = explain(problem)
    incident = f"<p class='hint'>Incident <code>{escape(said.incident)}</code></p>" if said.incident else ""
    return login.plain_page(
        "Not ready", f"{login.alert(said.title)}<p>{escape(said.next_step)}</p>{incident}", status=503
    )


def _nothing(face: ShareFace) -> Response:
    if face is ShareFace.OVER:
        said = "<p>This link opens nothing any more. Ask who sent it for a new one.</p>"
        return login.plain_page("This link is over", said, status=410)
    said = "<p>No link ends like this one. Copy it whole from the message it came with.</p>"
    return login.plain_page("Nothing is here", said, status=404)
