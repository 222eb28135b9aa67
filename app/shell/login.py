"""The login: a small server-rendered page without scripts, in the look of the theme, for passwords and one-time links.

Opening a session never follows a foreign `next`, and its cookie cannot be read by scripts.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from app.shell.cookies import cookie_name, cookie_secret, known_name
from app.shell.incidents import explain
from app.shell.proxies import Way, way_of
from app.ui import theme
from mlops_dash.domain.access import NOBODY, Actor, User
from mlops_dash.errors import InvalidInput, MlopsDashError, NotAllowed, Unavailable
from mlops_dash.services.access.sessions import KNOWN_LIFE, SESSION_LIFE
from mlops_dash.settings import LOCAL

if TYPE_CHECKING:
    from mlops_dash.bootstrap import Services

_HERE = Path(__file__).parent
_LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
_POLICY = (
    "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
MAX_FORM_BYTES = 10_000
SESSION_SECONDS, KNOWN_SECONDS = (int(life.total_seconds()) for life in (SESSION_LIFE, KNOWN_LIFE))

GetServices = Callable[[], "Services"]
Opened = tuple[str, Actor]


def routes(services: GetServices) -> list[Route]:
    """The routes that are open to everybody."""
    login = Login(services)
    return [
        Route("/login", login.show, methods=["GET"]),
        Route("/login", login.open, methods=["POST"]),
        Route("/login.css", _style_sheet, methods=["GET"]),
        Route("/logout", login.close, methods=["GET"]),
        Route("/link/{secret}", login.show_link, methods=["GET"]),
        Route("/link/{secret}", login.redeem_link, methods=["POST"]),
        Route("/healthz", login.health, methods=["GET"]),
    ]


def safe_next(wanted: str) -> str:
    """The path to go to after the login: only one of our own, never another host, never the login itself."""
    if not wanted.startswith("/") or len(wanted) > 4_000 or any(ord(c) < 33 or c == "\\" for c in wanted):
        return "/"
    parts = urlsplit(wanted)
    if (
        wanted.startswith("//")
        or parts.scheme
        or parts.netloc
        or parts.path.startswith(("/login", "/logout", "/link/"))
    ):
        return "/"
    return wanted


@dataclass(frozen=True)
class Login:
    """The handlers; services are asked for at each request, so that a late database is found when it comes."""

    services: GetServices

    async def show(self, request: Request) -> Response:
        """The login page, or straight on when there is a session already."""
        return await run_in_threadpool(self._show, request)

    def _show(self, request: Request) -> Response:
        wanted = safe_next(request.query_params.get("next", "/"))
        try:
            if self.services().access.actor_for_session(self._secret(request)) is not None:
                return RedirectResponse(wanted, status_code=303)
            return self._page(request, wanted)
        except Exception as error:  # noqa: BLE001 - an entry point
            return _broken(error)

    def _cookie(self) -> str:
        return cookie_name(self.services().context.settings)

    def _known_cookie(self) -> str:
        return known_name(self.services().context.settings)

    def _secret(self, request: Request) -> str:
        return cookie_secret(request.headers, self._cookie())

    async def open(self, request: Request) -> Response:
        """Check the password, or open a demo account; then go where the person wanted to."""
        form = await form_of(request)
        return await run_in_threadpool(self._open, request, form)

    def _open(self, request: Request, form: dict[str, str]) -> Response:
        wanted, agent = safe_next(form.get("next", "/")), request.headers.get("user-agent", "")
        try:
            access = self.services().access
            if "demo" in form:
                if not self._may_offer_demo(request):
                    raise NotAllowed("Demo accounts open on this machine only.", hint="Log in with a password.")
                opened = access.login_demo(NOBODY, form["demo"], agent)
                return self._welcome(request, opened, wanted)
            opened = access.login(
                NOBODY, form.get("name", ""), form.get("password", ""), agent,
                address=request.client.host if request.client else "",
                known_browser=cookie_secret(request.headers, self._known_cookie()),
            )  # fmt: skip
        except MlopsDashError as error:
            if isinstance(error, Unavailable):
                return _broken(error)
            return self._page(request, wanted, error=error.sentence(), name=form.get("name", ""), status=401)
        except Exception as error:  # noqa: BLE001 - an entry point
            return _broken(error)
        return self._welcome(request, opened, wanted, remember=True)

    async def close(self, request: Request) -> Response:
        """Log out; a link on another site cannot do it."""
        return await run_in_threadpool(self._close, request)

    def _close(self, request: Request) -> Response:
        if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            return RedirectResponse("/", status_code=303)
        try:
            self.services().access.logout(NOBODY, self._secret(request))
        except Exception as error:  # noqa: BLE001 - an entry point
            return _broken(error)
        answer = RedirectResponse("/login", status_code=303)
        answer.delete_cookie(self._cookie(), path="/")
        return answer

    async def show_link(self, request: Request) -> Response:
        """What a one-time link asks for: name and password of the first admin, or a password."""
        return await run_in_threadpool(self._show_link, request, "", 200)

    def _show_link(self, request: Request, error: str, status: int, name: str = "") -> Response:
        secret = request.path_params["secret"]
        try:
            whose = self.services().access.link_is_for(NOBODY, secret)
        except Exception as problem:  # noqa: BLE001 - an entry point
            return _broken(problem)
        if whose is None:
            return plain_page(
                "This link is not valid any more",
                "<p>Links work once, for 24 hours. Ask an admin for a new one; before there is any user, start "
                "<code>mlops-dash up</code> again: it prints a fresh link.</p><p><a href='/login'>Log in</a></p>",
                status=410,
            )
        first = whose == ""
        shown = (
            f"<input type='hidden' name='name' value='{escape(whose)}'>" if not first else _name_field(name or "admin")
        )
        body = (
            f"<form method='post' action='/link/{escape(secret)}'>{alert(error)}{shown}"
            f"{password_field('new-password', 'At least 10 characters; a few words are fine.')}"
            "<button class='primary' type='submit'>Set password and log in</button></form>"
        )
        lead = "Make the first admin of this installation." if first else f"Choose a password for {whose}."
        return plain_page("Welcome", body, lead=lead, status=status)

    async def redeem_link(self, request: Request) -> Response:
        """Use up the link."""
        form = await form_of(request)
        return await run_in_threadpool(self._redeem_link, request, form)

    def _redeem_link(self, request: Request, form: dict[str, str]) -> Response:
        secret, agent = request.path_params["secret"], request.headers.get("user-agent", "")
        name, password = form.get("name", ""), form.get("password", "")
        try:
            access = self.services().access
            if access.link_is_for(NOBODY, secret) == "":
                opened = access.redeem_admin_link(NOBODY, secret, name=name, password=password, user_agent=agent)
            else:
                opened = access.redeem_invite(NOBODY, secret, password=password, user_agent=agent)
        except (InvalidInput, NotAllowed) as error:
            return self._show_link(request, error.sentence(), 422, name)
        except Exception as error:  # noqa: BLE001 - an entry point
            return _broken(error)
        return self._welcome(request, opened, "/", remember=True)

    async def health(self, request: Request) -> Response:
        """Whether this process can serve pages: its database answers."""
        return await run_in_threadpool(self._health)

    def _health(self) -> Response:
        try:
            self.services().access.actor_for_session("health")
        except Exception as error:  # noqa: BLE001 - an entry point
            return JSONResponse({"status": "unavailable", "reason": explain(error).sentence()}, status_code=503)
        return JSONResponse({"status": "ok", "process": "ui"})

    def _welcome(self, request: Request, opened: Opened, wanted: str, *, remember: bool = False) -> Response:
        secure = request.url.scheme == "https" or not self.services().context.settings.on_loopback
        answer = RedirectResponse(wanted, status_code=303)
        answer.set_cookie(
            self._cookie(), opened[0], max_age=SESSION_SECONDS, httponly=True, samesite="lax", secure=secure, path="/"
        )
        if remember:
            name = self._known_cookie()
            known = self.services().access.remember_browser(opened[1], cookie_secret(request.headers, name))
            answer.set_cookie(
                name, known, max_age=KNOWN_SECONDS, httponly=True, samesite="lax", secure=secure, path="/login"
            )
        return answer

    def _may_offer_demo(self, request: Request) -> bool:
        """On this machine; through a proxy only when both were asked for: the demo by `--demo`, the proxy by name."""
        way = way_of(request.scope)
        if way is Way.KNOWN_PROXY:
            return self.services().context.settings.demo_by_flag
        return way is Way.STRAIGHT and _asked_on_loopback(request)

    def _page(self, request: Request, wanted: str, *, error: str = "", name: str = "", status: int = 200) -> Response:
        services = self.services()
        offered = services.access.demo_accounts(NOBODY) if self._may_offer_demo(request) else ()
        settings = services.context.settings
        insecure = not settings.on_loopback and request.url.scheme != "https"
        warning = (
            "This server is reached without HTTPS, so the browser will not keep a session. Put a TLS proxy in front, "
            "and its address into MLOPS_DASH_TRUSTED_PROXIES."
            if insecure
            else ""
        )
        hidden = f"<input type='hidden' name='next' value='{escape(wanted)}'>"
        form = (
            f"<form method='post' action='/login'>{alert(error or warning)}{hidden}"
            f"{_name_field(name, focus=not offered)}"
            f"{password_field('current-password')}<button class='primary' type='submit'>Log in</button></form>"
        )
        lead = "" if settings.environment == LOCAL else settings.environment  # its name where there may be others
        return plain_page("Log in", _demo_form(offered, hidden, focus=not name) + form, lead=lead, status=status)


def _demo_form(offered: tuple[User, ...], hidden: str, *, focus: bool) -> str:
    if not offered:
        return ""
    says = {
        "viewer": "looks at everything, changes nothing",
        "scientist": "answers alerts, retrains, proposes",
        "lead": "approves, promotes, rolls back",
        "admin": "keeps users and tokens",
    }
    first = " autofocus" if focus else ""
    buttons = "".join(
        f"<button class='role' type='submit' name='demo' value='{escape(user.name)}'{first if number == 0 else ''}>"
        f"<b>{escape(user.display_name)}</b><span>{says[user.role]}</span></button>"
        for number, user in enumerate(offered)
    )
    return (
        "<form method='post' action='/login' aria-label='Demo accounts'><p class='hint'>This is the demo on your own "
        f"machine: enter as</p>{hidden}<div class='roles'>{buttons}</div></form>"
        "<p class='or'><span>or with a password</span></p>"
    )


def _asked_on_loopback(request: Request) -> bool:
    """Whether the browser asked for this very machine; a foreign name that leads to it (rebinding) does not count."""
    return (urlsplit(f"//{request.headers.get('host', '')}").hostname or "") in _LOOPBACK_HOSTS


def _name_field(value: str, *, focus: bool = True) -> str:
    autofocus = " autofocus" if focus and not value else ""
    return (
        f"<label for='name'>Name</label><input id='name' name='name' value='{escape(value)}' required maxlength='40' "
        f"autocomplete='username' autocapitalize='none' spellcheck='false'{autofocus}>"
    )


def password_field(purpose: str, hint: str = "") -> str:
    """A labelled field that every password manager knows by its purpose."""
    said = f"<p class='hint' id='password-hint'>{escape(hint)}</p>" if hint else ""
    described = " aria-describedby='password-hint'" if hint else ""
    return (
        "<label for='password'>Password</label><input id='password' name='password' type='password' required "
        f"maxlength='200' autocomplete='{purpose}'{described}>{said}"
    )


def alert(text: str) -> str:
    """What went wrong, above a form; nothing for ""."""
    return f"<p class='alert' role='alert'>{escape(text)}</p>" if text else ""


def _broken(error: Exception) -> Response:
    said = explain(error)
    incident = f"<p class='hint'>Incident <code>{escape(said.incident)}</code></p>" if said.incident else ""
    return plain_page(
        "Not ready",
        f"{alert(said.title)}<p>{escape(said.next_step)}</p>{incident}<p><a href='/'>Try again</a></p>",
        status=503,
    )


def plain_page(title: str, body: str, *, lead: str = "", status: int = 200) -> Response:
    """A small page without scripts, in the look of the theme; `body` is HTML of ours with everything else escaped."""
    template = string.Template((_HERE / "login.html").read_text(encoding="utf-8"))
    lead = f"<p class='lead'>{escape(lead)}</p>" if lead else ""
    return HTMLResponse(
        template.substitute(title=escape(title), lead=lead, body=body),
        status_code=status,
        headers={"content-security-policy": _POLICY, "cache-control": "no-store"},
    )


async def _style_sheet(_request: Request) -> Response:
    text = (_HERE / "login.css").read_text(encoding="utf-8")
    dark = _variables(theme.tokens("dark"))
    sheet = (
        f":root{{{_variables(theme.tokens('light'))}}}\n@media(prefers-color-scheme:dark){{:root{{{dark}}}}}\n{text}"
    )
    return Response(sheet, media_type="text/css", headers={"cache-control": "max-age=300"})


def _variables(t: theme.Tokens) -> str:
    names = ("page", "surface", "card", "ink", "muted", "line", "primary", "selected", "bad_text", "bad_tint")
    return ";".join(f"--{name}:{getattr(t, name)}" for name in names) + f";color-scheme:{t.mode}"


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a small urlencoded form; anything larger has no fields, so it simply will not fit."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            return {}
    try:
        fields = parse_qs(body.decode("utf-8", errors="replace"), keep_blank_values=True, max_num_fields=20)
    except ValueError:  # more fields than any form of ours has
        return {}
    return {key: values[-1] for key, values in fields.items()}
