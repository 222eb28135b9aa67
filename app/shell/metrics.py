"""/metrics of the pages' process, for who has a token: Prometheus has no session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.shell.counted import METRICS
from app.shell.incidents import explain
from mlops_dash.bootstrap import Services
from mlops_dash.domain.access import Permission
from mlops_dash.errors import NotAllowed, NotAuthenticated
from mlops_dash.metrics import CONTENT_TYPE, PATH

GetServices = Callable[[], Services]


def routes(services: GetServices) -> list[Route]:
    """The route; it is in front of the gate and asks for a token itself."""
    return [Route(PATH, Numbers(services).show, methods=["GET"])]


@dataclass(frozen=True)
class Numbers:
    """Gives out the numbers; services are asked for at each request, so that a late database is found."""

    services: GetServices

    async def show(self, request: Request) -> Response:
        """The numbers, or why not, in words."""
        return await run_in_threadpool(self._show, request)

    def _show(self, request: Request) -> Response:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            return PlainTextResponse("This path needs a token: Authorization: Bearer TOKEN.", status_code=401)
        try:
            self.services().access.actor_for_token(secret.strip()).require(Permission.ROOM_READ)
        except NotAuthenticated as error:
            return PlainTextResponse(error.sentence(), status_code=401)
        except NotAllowed as error:
            return PlainTextResponse(error.sentence(), status_code=403)
        except Exception as error:  # noqa: BLE001 - an entry point: words and an incident id, never a traceback
            return PlainTextResponse(explain(error).sentence(), status_code=503)
        return Response(METRICS.text(), media_type=CONTENT_TYPE)
