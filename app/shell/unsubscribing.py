"""The link by which somebody without an account ends the reports that a schedule sends them.

Opening it changes nothing: programs that look at links open them too. Its button does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.shell import gate, login
from app.shell.incidents import explain
from mlops_dash.domain.access import NOBODY
from mlops_dash.domain.reports.deliveries import UNSUBSCRIBE
from mlops_dash.errors import NotFound

if TYPE_CHECKING:
    from mlops_dash.bootstrap import Services

GetServices = Callable[[], "Services"]
_EVERY = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")  # none falls through to what lies behind the gate


def routes(services: GetServices) -> list[Route]:
    """The route, which is open to who has a link."""
    return [Route(f"{UNSUBSCRIBE}{{token}}", Unsubscribing(services).answer, methods=_EVERY)]


@dataclass(frozen=True)
class Unsubscribing:
    """Takes recipients off; services are asked for at each request, so that a late database is found."""

    services: GetServices

    async def answer(self, request: Request) -> Response:
        """The question, or that it is done, or that the link is none of ours."""
        if request.method not in {*gate.SAFE_METHODS, "POST"}:
            return PlainTextResponse("This link is opened, and its button is pressed.", status_code=405)
        return await run_in_threadpool(self._answer, request.path_params["token"], request.method == "POST")

    def _answer(self, token: str, pressed: bool) -> Response:
        try:
            reports = self.services().reports
            if pressed:
                gone = reports.unsubscribe(NOBODY, token)
                said = f"<p>{escape(gone.recipient)} gets this report no more: {escape(gone.about)}.</p>"
                return login.plain_page("Unsubscribed", said)
            found = reports.subscription(NOBODY, token)
        except NotFound:
            found = None
        except Exception as problem:  # noqa: BLE001 - an entry point: words and an incident id, never a traceback
            told = explain(problem)
            return login.plain_page("Not ready", login.alert(told.sentence()), status=503)
        if found is None:
            said = "<p>No link ends like this one. Copy it whole from the message it came with.</p>"
            return login.plain_page("Nothing is here", said, status=404)
        asked = f"<p>Shall {escape(found.recipient)} get no more of: {escape(found.about)}?</p>"
        button = "<form method='post'><button class='primary' type='submit'>Unsubscribe</button></form>"
        return login.plain_page("Unsubscribe", asked + button)
