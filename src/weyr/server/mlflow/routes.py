"""Which URLs speak MLflow? One table for the protocol's calls, one small application that serves it.

The calls are found by a lookup in a table, not by trying a hundred patterns: a training task logs
thousands of times. They run in threads, because they wait for the disk.
"""

import asyncio
import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from weyr.core.artifacts import ArtifactStore
from weyr.core.diagnostic import StoreError
from weyr.server.mlflow import experiment_calls, logged_model_calls, registry_calls, run_calls
from weyr.server.mlflow.artifact_routes import ArtifactRoutes
from weyr.server.mlflow.calls import Call, Endpoint
from weyr.server.mlflow.fields import Fields, fields_of_body, fields_of_query
from weyr.server.mlflow.gate import Gate, Refuse, unheard
from weyr.server.mlflow.sealing import sealed
from weyr.store.database import StatementFailed
from weyr.tracking.errors import ErrorCode, TrackingError
from weyr.tracking.service import Tracking

log = logging.getLogger(__name__)

BODY_BYTES_MAX = 32 << 20
"""A dataset's profile may be 16 MiB; a batch of 1,000 metrics is far less."""

PREFIXES = ("/api", "/ajax-api")


def mlflow_routes(tracking: Tracking, artifacts: ArtifactStore, refuse: Refuse = unheard) -> list[BaseRoute]:
    """The protocol's routes, for an application whose middleware sets `request.state.principal`.

    Takes `refuse`: called with (principal, action, resource, reason) before a 401 or 403 is sent, for the audit.
    """
    gate = Gate(refuse)
    endpoints = (
        *experiment_calls.ENDPOINTS,
        *run_calls.ENDPOINTS,
        *registry_calls.ENDPOINTS,
        *logged_model_calls.ENDPOINTS,
    )
    calls = _Calls(tracking, gate, endpoints, artifacts)
    files = ArtifactRoutes(tracking, artifacts, gate)
    routes: list[BaseRoute] = []
    for prefix in PREFIXES:
        routes += files.routes(prefix)
        routes.append(Route(f"{prefix}/3.0/mlflow/server-info", _server_info))
        routes.append(Mount(f"{prefix}/2.0/mlflow", app=calls))
        routes.append(Mount(f"{prefix}/3.0/mlflow", app=_not_served))
    return routes


class _Calls:
    """An ASGI application over the table of calls."""

    def __init__(self, tracking: Tracking, gate: Gate, endpoints: Iterable[Endpoint], artifacts: ArtifactStore) -> None:
        self._tracking = tracking
        self._artifacts = artifacts
        self._gate = gate
        self._plain: dict[tuple[str, str], Endpoint] = {}
        self._varying: list[tuple[str, re.Pattern[str], Endpoint]] = []
        for endpoint in endpoints:
            for method in endpoint.methods:
                if "{" in endpoint.path:
                    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", endpoint.path)
                    self._varying.append((method, re.compile(pattern), endpoint))
                else:
                    self._plain[method, endpoint.path] = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
        found = self._find(request.method, path)
        if found is None:
            return error_response(_no_such_call(request))
        endpoint, varying = found
        try:
            principal = self._gate.check(request, endpoint.action)
            fields = await _fields(request, endpoint)
            seal_of = partial(sealed, self._artifacts, asyncio.get_running_loop())
            call = Call(self._tracking, principal, fields, varying, self._gate.check_grant, seal_of)
            content = await run_in_threadpool(_answered, endpoint.answer, call)
        except TrackingError as e:
            return error_response(e)
        except UnicodeEncodeError:
            return error_response(TrackingError(ErrorCode.BAD_REQUEST, "A text in the request is not valid Unicode."))
        except StoreError as e:
            return error_response(TrackingError(ErrorCode.TEMPORARILY_UNAVAILABLE, str(e)))
        except (OSError, MemoryError, StatementFailed) as e:
            return error_response(TrackingError(ErrorCode.TEMPORARILY_UNAVAILABLE, str(getattr(e, "orig", e))))
        except Exception:  # The edge: the client must get MLflow's kind of answer also for our own bugs.
            log.exception("mlflow.bug path=%s", path)
            return error_response(_bug())
        return Response(content, media_type="application/json")

    def _find(self, method: str, path: str) -> tuple[Endpoint, Mapping[str, str]] | None:
        endpoint = self._plain.get((method, path))
        if endpoint is not None:
            return endpoint, {}
        for wanted, pattern, each in self._varying:
            match = pattern.fullmatch(path) if wanted == method else None
            if match:
                return each, match.groupdict()
        return None


def error_response(error: TrackingError) -> Response:
    return JSONResponse({"error_code": error.code.name, "message": error.message}, error.code.status)


def _answered(answer: Callable[[Call], object], call: Call) -> bytes:
    return json.dumps(answer(call), separators=(",", ":")).encode()


async def _fields(request: Request, endpoint: Endpoint) -> Fields:
    if request.method == "GET":
        return fields_of_query(request.query_params, endpoint.lists)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise TrackingError(ErrorCode.BAD_REQUEST, f"The request is longer than {BODY_BYTES_MAX} bytes.")
    return fields_of_body(bytes(body))


async def _server_info(_request: Request) -> Response:
    # What the client asks before it tries uploads past the server; ours take any size through it.
    return JSONResponse(
        {
            "store_type": "SqlStore",
            "workspaces_enabled": False,
            "multipart_uploads_enabled": False,
            "multipart_downloads_enabled": False,
        }
    )


async def _not_served(scope: Scope, receive: Receive, send: Send) -> None:
    await error_response(_no_such_call(Request(scope, receive)))(scope, receive, send)


def _no_such_call(request: Request) -> TrackingError:
    return TrackingError(
        ErrorCode.ENDPOINT_NOT_FOUND,
        f"Weyr does not serve {request.method} {request.url.path}. It has MLflow's experiments, runs, logged models, "
        "registered models and artifacts.",
    )


def _bug() -> TrackingError:
    return TrackingError(
        ErrorCode.INTERNAL_ERROR, "This is a fault in Weyr, not in your request. Please report it with logs/server.log."
    )
