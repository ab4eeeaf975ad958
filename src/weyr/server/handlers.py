"""Which function answers which route? Thin ones: they read the request and call the service."""

import re
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from weyr.access.identities import ADMIN_NAME
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.ref import NAME, Ref
from weyr.core.units import seconds_of
from weyr.reconcile.admission import Caller
from weyr.server import views
from weyr.server.answers import Conflict, NotFound, answering, number
from weyr.server.live_views import live_json
from weyr.server.routes import Handler
from weyr.server.service import Service

OWNER = re.compile(r"[\w.@+-]{1,64}")


def service_handlers(service: Service) -> dict[str, Handler]:
    """Handlers of plans, objects, runs, money, secrets and audit."""

    def create_plan(request: Request, body: Any) -> Any:
        if isinstance(body, dict) and body.get("remove"):
            return service.make_removal(_text(body, "stack"), _caller(request, body))
        usage = body.get("usage") or "" if isinstance(body, dict) else ""
        usage_file = _text(body, "usage_file") if usage else ""
        may_pass = isinstance(body, dict) and body.get("over_budget") is True
        return service.make_plan(
            _text(body, "text"), _text(body, "file"), _text(body, "usage") if usage else "", usage_file, may_pass,
            _caller(request, body),
        )  # fmt: skip

    def get_plan(request: Request, _body: Any) -> Any:
        return service.plan_view(service.plan(request.path_params["plan"]), _caller(request, request.query_params))

    def apply_plan(request: Request, body: Any) -> Any:
        return service.apply(request.path_params["plan"], _caller(request, body))

    def list_objects(request: Request, _body: Any) -> Any:
        query = request.query_params
        return service.objects(query.get("stack", ""), query.get("kind", ""), query.get("name", ""))

    def why(request: Request, _body: Any) -> Any:
        return service.why(_ref(request.query_params.get("ref", ""), {}))

    def order(_request: Request, body: Any) -> Any:
        return service.order(_ref(_text(body, "ref"), body), _text(body, "verb"))

    def reclaim(_request: Request, body: Any) -> Any:
        return service.reclaim(
            _ref(_text(body, "ref"), body), _seconds(body.get("notice_s", 5)), str(body.get("node", ""))
        )

    def list_runs(request: Request, _body: Any) -> Any:
        found = service.weyr.tracking.runs(request.query_params.get("stack") or None)
        return {"runs": [views.run_json(run) for run in found]}

    def get_run(request: Request, _body: Any) -> Any:
        detail = service.weyr.tracking.run(request.path_params["run"])
        if detail is None:
            raise NotFound(f"There is no run {request.path_params['run']}.")
        return views.run_detail_json(detail)

    def live_endpoints(request: Request, _body: Any) -> Any:
        query = request.query_params
        if service.live is None:
            raise Conflict("No server runs, and nobody watches endpoints.")
        return live_json(service.live, query.get("stack", ""), query.get("name", ""))

    def list_secrets(request: Request, _body: Any) -> Any:
        stack = request.query_params.get("stack") or None
        found = service.weyr.secrets.list(stack)
        return {"secrets": [{"stack": s.ref.stack, "name": s.ref.name, "version": s.version} for s in found]}

    def put_secret(request: Request, body: Any) -> Any:
        return service.set_secret(_secret_ref(request.path_params), _text(body, "value"))

    def delete_secret(request: Request, _body: Any) -> Any:
        return service.delete_secret(_secret_ref(request.path_params))

    def get_advice(request: Request, _body: Any) -> Any:
        idle_s = _seconds(request.query_params.get("idle") or "1h", "idle")
        return service.advice(request.query_params.get("stack", ""), idle_s)

    def put_team(request: Request, body: Any) -> Any:
        members = body.get("members") if isinstance(body, dict) else None
        if not isinstance(members, list) or not all(isinstance(m, str) and OWNER.fullmatch(m) for m in members):
            raise UserError(Diagnostic("Invalid value", '"members" is a list of names, up to 64 characters each.'))
        return service.set_team(request.path_params["team"], members)

    def list_audit(request: Request, _body: Any) -> Any:
        limit = number("limit", request.query_params.get("limit"), default=200, at_most=10_000)
        return {"events": [views.audit_json(event) for event in service.recent_audit(limit)]}

    return {
        "create_plan": answering(create_plan),
        "get_plan": answering(get_plan),
        "apply_plan": answering(apply_plan),
        "list_stacks": answering(lambda _request, _body: service.stacks()),
        "list_objects": answering(list_objects),
        "why": answering(why),
        "order": answering(order, status=202),
        "reclaim": answering(reclaim, status=202),
        "list_runs": answering(list_runs),
        "get_run": answering(get_run),
        "get_advice": answering(get_advice),
        "live_endpoints": answering(live_endpoints),
        "list_secrets": answering(list_secrets),
        "put_secret": answering(put_secret),
        "delete_secret": answering(delete_secret),
        "list_teams": answering(lambda _request, _body: service.teams()),
        "put_team": answering(put_team),
        "list_audit": answering(list_audit),
    }


def _text(body: Any, field: str) -> str:
    value = body.get(field) if isinstance(body, dict) else None
    if not isinstance(value, str) or not value:
        raise UserError(Diagnostic("Missing field", f'The body needs "{field}", a text.'))
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise UserError(Diagnostic("Invalid text", f'"{field}" holds half of a surrogate pair.'))
    return value


def _caller(request: Request, told: Any) -> Caller:
    return Caller(_owner(request, told), tuple(request.state.principal.grants))


def _owner(request: Request, body: Any) -> str:
    """Whose what is applied is: the caller's, by its token. The administrator may say for whom it asks."""
    principal = str(request.state.principal.name)
    told = body.get("for") if isinstance(body, Mapping) else None
    if principal != ADMIN_NAME or told is None:
        return "" if principal == ADMIN_NAME else principal
    if not isinstance(told, str) or not OWNER.fullmatch(told):
        raise UserError(Diagnostic("Invalid value", '"for" is the name of a person or a team, up to 64 characters.'))
    return told


def _seconds(value: object, field: str = "notice_s") -> float:
    try:
        return seconds_of(value if isinstance(value, str | int | float) else str(value))
    except ValueError as e:
        raise UserError(Diagnostic("Invalid value", f"{field}: {e}.")) from e


def _ref(text: str, body: Mapping[str, Any]) -> Ref:
    try:
        ref = Ref.parse(text, str(body.get("stack", "")))
    except ValueError as e:
        raise UserError(Diagnostic("Invalid address", f"{e}.")) from e
    if not ref.stack:
        detail = f"{text} does not say which stack it belongs to."
        raise UserError(Diagnostic("Invalid address", detail, suggestion=f"digits:{text}"))
    return ref


def _secret_ref(path: Mapping[str, str]) -> Ref:
    for part in (path["stack"], path["name"]):
        if not NAME.fullmatch(part):
            raise UserError(Diagnostic("Invalid name", f"{part!r} cannot be the name of a stack or a secret."))
    return Ref(path["stack"], "secret", path["name"])
