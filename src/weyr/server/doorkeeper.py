"""Who is calling, and may they? Asked before every answer; each refusal goes into the audit trail."""

import shlex
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from weyr.core.diagnostic import Diagnostic
from weyr.core.grants import ADMIN, Principal, is_allowed
from weyr.server.routes import Handler
from weyr.stack.plan_json import diagnostic_json

Refuse = Callable[[str, str, str, str], None]
"""Writes a refusal down: principal, action, resource, reason."""

ANONYMOUS = "anonymous"


class Doorkeeper:
    """Puts the caller's principal on the request, and lets nobody else in but to what is open."""

    def __init__(
        self, app: ASGIApp, authenticate: Callable[[str], Principal | None], refuse: Refuse, is_open: frozenset[str]
    ) -> None:
        self._app, self._authenticate, self._refuse, self._open = app, authenticate, refuse, is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            token = _token_of(scope)
            principal = self._authenticate(token) if token else None
            if principal is None and scope["path"] not in self._open:
                reason = "the token is unknown" if token else "no token was given"
                self._refuse(ANONYMOUS, f"api:{scope['method'].lower()}", scope["path"], reason)
                await _unauthenticated(reason)(scope, receive, send)
                return
            scope.setdefault("state", {})["principal"] = principal
        await self._app(scope, receive, send)


class OwnerOnly:
    """For the application inside one process: who can read the data folder is its administrator."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["principal"] = Principal("admin", (ADMIN,))
        await self._app(scope, receive, send)


def guarded(handler: Handler, grant: str, refuse: Refuse) -> Handler:
    """The handler behind its grant; an empty grant lets everybody in."""
    if not grant:
        return handler

    async def answer(request: Request) -> Response:
        principal: Principal = request.state.principal
        if is_allowed(principal.grants, grant, request.url.path):
            return await handler(request)
        refuse(principal.name, grant, request.url.path, "no grant covers it")
        return problem(403, lacking(principal, f"{grant}:{request.url.path}"), error_code="PERMISSION_DENIED")

    return answer


def lacking(principal: Principal, right: str) -> Diagnostic:
    """What to say to one who lacks a right. A person's token is made anew with it: rights are not added to one."""
    detail = f"{principal.name} may not do this: the right {right} is missing."
    if ":" in principal.name:
        return Diagnostic("Not allowed", detail)
    detail += " Who may give tokens gives it with a new token, which takes the place of this one."
    may = " ".join(f"--may {shlex.quote(each)}" for each in (*principal.grants, right))
    return Diagnostic("Not allowed", detail, suggestion=f"weyr token create {principal.name} {may}")


def problem(status: int, *diagnostics: Diagnostic, error_code: str = "BAD_REQUEST") -> JSONResponse:
    """Diagnostics as an answer. `error_code` and `message` are what MLflow's client shows of it."""
    body = {
        "diagnostics": [diagnostic_json(diagnostic) for diagnostic in diagnostics],
        "error_code": error_code,
        "message": diagnostics[0].detail,
    }
    return JSONResponse(body, status)


def _unauthenticated(reason: str) -> Response:
    detail = f"Every call needs a token, and {reason}. The administrator's is in the data folder's admin.token."
    answer = problem(
        401,
        Diagnostic(
            "Not authenticated",
            detail,
            suggestion='curl -H "Authorization: Bearer $(cat ~/.weyr/admin.token)" ...',
        ),
        error_code="UNAUTHENTICATED",
    )
    answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _token_of(scope: Scope) -> str:
    """The bearer token; empty where none was sent."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            return token.strip() if scheme.lower() == "bearer" else ""
    return ""
