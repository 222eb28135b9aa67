"""Files that the browser asks for by address, for who is logged in: a kept report, for the preview and a tab."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from app.shell.cookies import cookie_name
from app.shell.incidents import explain
from mlops_dash.bootstrap import Services
from mlops_dash.domain.reports.levels import Level, level_of
from mlops_dash.errors import InvalidInput, NotFound

GetServices = Callable[[], Services]

# The file needs its own style and nothing else; only our own pages may show it in a frame.
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src 'self'; "
    "frame-ancestors 'self'",
    "x-frame-options": "SAMEORIGIN",
    "cache-control": "private, max-age=600",
}


_IMAGES = "img-src data:"  # the last that the file's own policy allows
# A file that somebody keeps asks nobody for anything; shown by us it has the fonts of the pages around it.
_FONTS = "<style>{}</style>\n</head>".format(
    "".join(
        f"@font-face{{font-family:{name};font-weight:{weights};"
        f"src:url(/app/static/fonts/{file}.woff2) format('woff2')}}"
        for name, file, weights in (
            ("Inter", "inter-latin-wght-normal", "100 900"),
            ("'JetBrains Mono'", "jetbrains-mono-latin-wght-normal", "100 800"),
        )
    )
)


def routes(services: GetServices) -> list[Route]:
    """The routes behind the gate."""
    return [Route("/report/{report_id}.html", Reports(services).show, methods=["GET"])]


def report_path(report_id: str, level: Level = Level.TECHNICAL) -> str:
    """The address of a kept report's file, written for whom."""
    return f"/report/{report_id}.html" + ("" if level is Level.TECHNICAL else f"?level={level}")


def in_our_fonts(text: str) -> str:
    """A report's file as we show it ourselves."""
    return text.replace(_IMAGES, f"{_IMAGES}; font-src 'self'", 1).replace("</head>", _FONTS, 1)


@dataclass(frozen=True)
class Reports:
    """Gives out kept reports; services are asked for at each request, so that a late database is found."""

    services: GetServices

    async def show(self, request: Request) -> Response:
        """The file, or why there is none, in words."""
        return await run_in_threadpool(self._show, request)

    def _show(self, request: Request) -> Response:
        try:
            made = self.services()
            actor = made.access.actor_for_session(request.cookies.get(cookie_name(made.context.settings), ""))
            if actor is None:
                return PlainTextResponse("Log in first.", status_code=401)
            level = level_of(request.query_params.get("level", Level.TECHNICAL))
            text = made.reports.html(actor, request.path_params["report_id"], level)
            return HTMLResponse(in_our_fonts(text), headers=_HEADERS)
        except NotFound as error:
            return PlainTextResponse(error.sentence(), status_code=404)
        except InvalidInput as error:
            return PlainTextResponse(error.sentence(), status_code=400)
        except Exception as error:  # noqa: BLE001 - an entry point: words and an incident id, never a traceback
            return PlainTextResponse(explain(error).sentence(), status_code=500)
