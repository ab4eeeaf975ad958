"""Who but the administrator may call? People and programs get a token and what it may do; it is shown once."""

import re
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request

from weyr.access.identities import ADMIN_NAME
from weyr.core.audit import AuditEvent
from weyr.core.diagnostic import Diagnostic, UserError, did_you_mean
from weyr.core.grants import ADMIN
from weyr.server.answers import NotFound, answering
from weyr.server.doorkeeper import ANONYMOUS, problem
from weyr.server.routes import Handler
from weyr.server.service import Service

NAME = re.compile(r"[\w.@+-]{1,64}")
GRANT = re.compile(r"([a-z0-9]+:[a-z]+):\S{1,200}")
ACTIONS = (
    "api:read", "api:write", "access:write", "ledger:write", "budget:limit",
    "s3:read", "s3:write", "s3:list", "s3:admin",
    "tracking:read", "tracking:write", "inference:call", "inference:read", "inference:admin",
)  # fmt: skip
"""What may be granted; what it is granted to follows: `budget:limit:team/vision`, `api:read:*`."""


def token_handlers(service: Service) -> dict[str, Handler]:
    """Handlers of tokens. Who may give one has `access:write`, and gives no more than he may himself."""

    def put_token(request: Request, body: Any) -> Any:
        name, grants = request.path_params["name"], _grants(body)
        _check(name, grants, request.state.principal.grants)
        issued = service.weyr.access.issue({name: tuple(grants)})[name]
        _note(service, request, name, f"it may {', '.join(grants)}")
        return {"name": name, "grants": grants, "token": issued.token}

    def get_me(request: Request, _body: Any) -> Any:
        principal = request.state.principal
        if principal is None:
            service.refuse(ANONYMOUS, "api:get", request.url.path, "the token is unknown")
            detail = "No token was given, or it is nobody's: it was revoked or replaced, or is another server's."
            return problem(401, Diagnostic("Not authenticated", detail), error_code="UNAUTHENTICATED")
        return {"name": principal.name, "grants": list(principal.grants)}

    def list_tokens(_request: Request, _body: Any) -> Any:
        return {"tokens": [{"name": name, "grants": list(grants)} for name, grants in _people(service)]}

    def delete_token(request: Request, _body: Any) -> Any:
        name = request.path_params["name"]
        if name not in dict(_people(service)):
            raise NotFound(f"{name} has no token.")
        service.weyr.access.revoke([name])
        _note(service, request, name, "its token is revoked")
        return {"ok": True}

    return {
        "get_me": answering(get_me),
        "put_token": answering(put_token),
        "list_tokens": answering(list_tokens),
        "delete_token": answering(delete_token),
    }


def _people(service: Service) -> list[tuple[str, tuple[str, ...]]]:
    """Everybody with a token who is no task."""
    held = [holder.principal for holder in service.weyr.access.holders()]
    return sorted((each.name, each.grants) for each in held if ":" not in each.name)


def _grants(body: Any) -> list[str]:
    grants = body.get("grants") if isinstance(body, dict) else None
    if not isinstance(grants, list) or not grants or not all(isinstance(grant, str) for grant in grants):
        detail = '"grants" is a list of what the token may do, such as ["api:read:*", "budget:limit:team/vision"].'
        raise UserError(Diagnostic("Invalid value", detail))
    return list(dict.fromkeys(grants))


def _check(name: str, grants: Sequence[str], own: Sequence[str]) -> None:
    """Raises: UserError with every problem."""
    problems = []
    if not NAME.fullmatch(name) or name == ADMIN_NAME:
        detail = (
            f"{name[:80]!r} cannot have a token: write up to 64 letters, digits and any of . _ @ + -, but not admin."
        )
        problems.append(Diagnostic("Invalid name", detail))
    for grant in grants:
        found = GRANT.fullmatch(grant)
        if found is None or found[1] not in ACTIONS:
            action = ":".join(grant.split(":")[:2])[:80]
            detail = f"{grant[:200]!r} is nothing to be granted.{did_you_mean(action, ACTIONS)}"
            problems.append(Diagnostic("Unknown right", detail, suggestion="--may budget:limit:team/vision"))
        elif not any(_covers(mine, grant) for mine in own):
            detail = f"You may not {grant} yourself, and give it to nobody."
            problems.append(Diagnostic("Not yours to give", detail))
    if problems:
        raise UserError(*problems)


def _covers(mine: str, given: str) -> bool:
    """Whether all that one grant allows, another one does."""
    if mine in (ADMIN, given):
        return True
    return mine.endswith("*") and given.startswith(mine[:-1])


def _note(service: Service, request: Request, name: str, reason: str) -> None:
    who = str(request.state.principal.name)
    service.audit.append(AuditEvent(service.now(), "server", who, "access:write", f"token/{name}", True, reason))
