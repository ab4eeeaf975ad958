"""What does the server answer? The application: every route of the table with its handler, behind the door."""

import re
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from weyr.core.diagnostic import Diagnostic
from weyr.server import scrape
from weyr.server.answers import answering
from weyr.server.api import API
from weyr.server.bookkeeping import bookkeeping_handlers
from weyr.server.doorkeeper import Doorkeeper, OwnerOnly, guarded, problem
from weyr.server.handlers import service_handlers
from weyr.server.metrics import FORMAT, metrics_text
from weyr.server.mlflow.routes import mlflow_routes
from weyr.server.money import money_handlers
from weyr.server.openapi import document
from weyr.server.reference import page
from weyr.server.routes import Handler, starlette_routes
from weyr.server.service import Service
from weyr.server.story import story_handlers
from weyr.server.tokens import token_handlers
from weyr.server.troubles import TROUBLES, Troubled
from weyr.server.visits import visit_handlers

_REGISTRY = re.compile(r"/mlflow/(registered-models|model-versions)/")


def build_app(service: Service, is_offline: bool = False) -> Starlette:
    """The application over an opened data folder. Offline, whoever can read the folder is its administrator."""
    handlers = {**service_handlers(service), **story_handlers(service), **visit_handlers(service)}
    handlers |= {**money_handlers(service), **_server_handlers(service)}
    handlers |= {**bookkeeping_handlers(service), **token_handlers(service)}
    grants = {route.handler: route.grant for route in API}
    table = {name: guarded(handler, grants.get(name, ""), service.refuse) for name, handler in handlers.items()}

    routes: list[BaseRoute] = [
        *starlette_routes(API, table),
        *mlflow_routes(service.weyr.tracking, service.weyr.artifacts, service.refuse),
    ]
    middleware = [_door(service, is_offline), Middleware(RegistryBell, ring=service.ring_models)]
    troubled = Troubled(service.weyr.home.path)
    handlers_of_errors: dict[Any, Any] = {404: _no_route, 405: _no_route, **dict.fromkeys(TROUBLES, troubled)}
    return Starlette(routes=routes, middleware=middleware, exception_handlers=handlers_of_errors)


class RegistryBell:
    """Rings once a client's change of the model registry is answered, so that a gate judges at once."""

    def __init__(self, app: ASGIApp, ring: Callable[[], None]) -> None:
        self._app, self._ring = app, ring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
        if scope["type"] == "http" and scope["method"] != "GET" and _REGISTRY.search(scope["path"]):
            await run_in_threadpool(self._ring)


def _door(service: Service, is_offline: bool) -> Middleware:
    if is_offline:
        return Middleware(OwnerOnly)
    is_open = frozenset(route.path for route in API if not route.grant)
    authenticate = service.weyr.access.authenticate
    return Middleware(Doorkeeper, authenticate=authenticate, refuse=service.refuse, is_open=is_open)


def _server_handlers(service: Service) -> Mapping[str, Handler]:
    reference = document(version("weyr"), service.url)

    def stop_server(_request: Request, _body: object) -> object:
        service.stop()
        return {"ok": True}

    def text(found: bytes) -> Response:
        return Response(found, headers={"Content-Type": FORMAT})

    def ring(request: Request, _body: object) -> object:
        service.ring_task(request.state.principal.name)
        return {"ok": True}

    return {
        "ring": answering(ring),
        "healthz": answering(lambda _request, _body: {"ok": True}),
        "get_server": answering(lambda _request, _body: service.server()),
        "stop_server": answering(stop_server, status=202),
        "metric_targets": answering(lambda _request, _body: JSONResponse(scrape.targets(service))),
        "plane_metrics": answering(lambda request, _body: text(scrape.plane_metrics(service, **request.path_params))),
        "replica_metrics": answering(
            lambda request, _body: text(scrape.replica_metrics(service, **request.path_params))
        ),
        "metrics": answering(lambda _request, _body: Response(metrics_text(service), headers={"Content-Type": FORMAT})),
        "openapi": answering(lambda _request, _body: JSONResponse(reference)),
        "reference": answering(lambda _request, _body: HTMLResponse(page(reference))),
    }


async def _no_route(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    detail = f"{request.method} {request.url.path} is no route of this server."
    return problem(status, Diagnostic("Not found", detail, suggestion="GET /docs"), error_code="ENDPOINT_NOT_FOUND")
