"""The organizer's way in: a form, a signed cookie, the one-time link printed at start, and the door that nobody passes without it."""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from html import escape

import anyio.to_thread
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from starlette.datastructures import FormData
from starlette.types import ASGIApp, Receive, Scope, Send

from arena.domain.errors import TooMany
from arena.web.api import services
from arena.web.assets import url
from arena.web.language import language_of
from arena.web.layout import keep_choice
from arena.web.words import words

COOKIE = "arena_organizer"
MAX_AGE_S = 12 * 3600
AUDIENCE = "organizer"

_OPEN = frozenset({"/organizer/login", "/organizer/logout", "/organizer/enter"})
_PAGES = frozenset({"/organizer", "/organizer/"})

_FORM = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · K-AI Arena</title><link rel="stylesheet" href="{style}"></head>
<body class="c-login"><main><h1>{title}</h1>
<form method="post" action="/organizer/login">
<label for="name">{name_label}</label>
<input id="name" name="name" autocomplete="username" required maxlength="64" value="{name}">
<label for="password">{password_label}</label>
<input id="password" name="password" type="password" autocomplete="current-password" required maxlength="200">
{error}
<button type="submit" class="c-button c-primary">{button}</button>
</form>
<p><a class="c-link" href="/organizer/login?lang={other}" lang="{other}" hreflang="{other}">{other_name}</a></p></main></body></html>"""


class Login:
    """Who may see the console."""

    def __init__(self, check: Callable[[str, str], bool], cookie_secrets: Sequence[bytes], *, secure: bool) -> None:
        """`check(name, password)` says whether an organizer may enter; it may be slow, and is called in a thread."""
        self._check = check
        self._keys = [OctKey.import_key(secret) for secret in cookie_secrets]
        self._secure = secure
        self._link = secrets.token_urlsafe(24)
        self.router = APIRouter(prefix="/organizer", include_in_schema=False)
        self.router.add_api_route("/login", self._form, methods=["GET"])
        self.router.add_api_route("/login", self._enter, methods=["POST"])
        self.router.add_api_route("/logout", self._leave, methods=["POST"])
        self.router.add_api_route("/enter", self._by_link, methods=["GET"])

    def one_time_link(self) -> str:
        """The path that lets its first visitor in, once."""
        return f"/organizer/enter?once={self._link}"

    def organizer(self, request: Request) -> str | None:
        """The organizer's name, if this request carries a valid cookie."""
        for key in self._keys:
            try:
                claims = jwt.decode(request.cookies.get(COOKIE, ""), key, algorithms=["HS256"]).claims
                jwt.JWTClaimsRegistry(
                    sub={"essential": True}, exp={"essential": True}, aud={"essential": True, "value": AUDIENCE}
                ).validate(claims)
            except (JoseError, ValueError):
                continue
            return str(claims["sub"])
        return None

    async def _form(self, request: Request) -> HTMLResponse:
        return _page(request)

    async def _enter(self, request: Request) -> Response:
        form: FormData = await request.form()
        name, password = str(form.get("name", ""))[:64], str(form.get("password", ""))[:200]
        try:
            await services(request).admit(request, "login")
        except TooMany as refusal:
            wait = {"retry-after": str(round(refusal.retry_after_s))}
            return _page(request, name, words(language_of(request)).pick(refusal), 429, wait)
        if not await anyio.to_thread.run_sync(self._check, name, password):
            wrong = words(language_of(request)).say("이름이나 비밀번호가 맞지 않습니다.", "Wrong name or password.")
            return _page(request, name, wrong, 401)
        return self._welcome(name)

    async def _by_link(self, once: str = "") -> Response:
        if not self._link or not secrets.compare_digest(once.encode(), self._link.encode()):
            return RedirectResponse("/organizer/login", 303)
        self._link = ""
        return self._welcome("console")

    async def _leave(self) -> Response:
        response = RedirectResponse("/organizer/login", 303)
        response.delete_cookie(COOKIE, path="/")
        return response

    def _welcome(self, name: str) -> Response:
        claims = {"sub": name, "aud": AUDIENCE, "exp": int(time.time()) + MAX_AGE_S}
        response = RedirectResponse("/organizer/", 303)
        response.set_cookie(
            COOKIE,
            jwt.encode({"alg": "HS256"}, claims, self._keys[0]),
            max_age=MAX_AGE_S,
            httponly=True,
            samesite="lax",
            secure=self._secure,
            path="/",
        )
        return response


def _page(
    request: Request, name: str = "", refused: str = "", status: int = 200, headers: Mapping[str, str] | None = None
) -> HTMLResponse:
    """The form in the reader's language; again with what was typed and why, where somebody was refused."""
    language = language_of(request)
    t = words(language)
    html = _FORM.format(
        language=language,
        other="en" if language == "ko" else "ko",
        other_name=t("language"),
        title=t.say("운영자 로그인", "Organizer login"),
        name_label=t.say("이름", "Name"),
        password_label=t.say("비밀번호", "Password"),
        button=t.say("로그인", "Log in"),
        name=escape(name, quote=True),
        error=f'<p role="alert">{escape(refused)}</p>' if refused else "",
        style=url("console.css"),
    )
    answer = HTMLResponse(html, status, {"vary": "accept-language, cookie", **(headers or {})})
    keep_choice(request, answer)
    return answer


class Door:
    """An ASGI middleware before everything under `/organizer`: pages, Gradio's own routes and every act alike.

    Gradio's events can be called by anyone who can reach them, so nobody without the cookie reaches them.
    """

    def __init__(self, app: ASGIApp, login: Login) -> None:
        self._app = app
        self._login = login

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands an organizer on; sends a visitor to the form, and refuses a program."""
        path = scope["path"] if scope["type"] == "http" else ""
        if (path not in _PAGES and not path.startswith("/organizer/")) or path in _OPEN:
            await self._app(scope, receive, send)
            return
        if self._login.organizer(Request(scope)) is not None:
            await self._app(scope, receive, send)
            return
        answer: Response = RedirectResponse("/organizer/login", 303)
        if path not in _PAGES:
            answer = JSONResponse(
                {
                    "type": "about:blank",
                    "title": "organizer_login_needed",
                    "status": 401,
                    "code": "organizer_login_needed",
                    "detail": "운영자 로그인이 필요합니다.",
                    "ko": "운영자 로그인이 필요합니다. 로그인 화면을 여세요: /organizer/login",
                    "en": "An organizer has to log in first: open /organizer/login.",
                },
                401,
                media_type="application/problem+json",
            )
        await answer(scope, receive, send)
