"""How do a run's files come and go? Streamed between the client and the bucket, so that it needs no S3 key.

Only places below an experiment's root are reached: the server holds every key to the object store,
and must not lend them to a caller who names another bucket.
"""

import mimetypes
from collections.abc import Awaitable, Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from weyr.core.artifacts import ArtifactMissing, ArtifactStore, ArtifactStoreSilent, Place
from weyr.server.mlflow.calls import READ, WRITE, Json
from weyr.server.mlflow.encoding import given
from weyr.server.mlflow.gate import Gate
from weyr.tracking.errors import ErrorCode, TrackingError, invalid, missing
from weyr.tracking.places import place_of_path, place_of_uri
from weyr.tracking.service import Tracking

Handler = Callable[[Request], Awaitable[Response]]


class ArtifactRoutes:
    """The routes under `mlflow-artifacts`, and the lists of a run's and a logged model's files."""

    def __init__(self, tracking: Tracking, store: ArtifactStore, gate: Gate) -> None:
        self._tracking = tracking
        self._store = store
        self._gate = gate

    def routes(self, prefix: str) -> list[BaseRoute]:
        files = f"{prefix}/2.0/mlflow-artifacts"
        of_models = f"{prefix}/2.0/mlflow/logged-models/{{model_id}}/artifacts/directories"
        return [
            Route(f"{files}/artifacts", _guarded(self._list)),
            Route(f"{files}/artifacts/{{path:path}}", _guarded(self._get)),
            Route(f"{files}/artifacts/{{path:path}}", _guarded(self._put), methods=["PUT"]),
            Route(f"{files}/artifacts/{{path:path}}", _guarded(self._delete), methods=["DELETE"]),
            Route(f"{files}/mpu/{{rest:path}}", _guarded(self._no_multipart), methods=["POST"]),
            Route(f"{files}/presigned/{{rest:path}}", _guarded(self._no_presigned)),
            Route(f"{prefix}/2.0/mlflow/artifacts/list", _guarded(self._list_of_run)),
            Route(of_models, _guarded(self._list_of_model)),
        ]

    async def _list(self, request: Request) -> Response:
        place = await self._allowed(request, READ, request.query_params.get("path", ""))
        return JSONResponse(await self._entries(place, ""))

    async def _list_of_run(self, request: Request) -> Response:
        self._gate.check(request, READ)
        query = request.query_params
        run_id = query.get("run_id") or query.get("run_uuid")
        if not run_id:
            raise invalid("Missing value for required parameter 'run_id'.")
        head = await run_in_threadpool(self._tracking.run_log.get_head, run_id)
        return await self._listed_below(head.artifact_uri, query.get("path", ""))

    async def _list_of_model(self, request: Request) -> Response:
        self._gate.check(request, READ)
        model = await run_in_threadpool(self._tracking.logged_models.get, request.path_params["model_id"])
        return await self._listed_below(model.artifact_uri, request.query_params.get("artifact_directory_path", ""))

    async def _get(self, request: Request) -> Response:
        place = await self._allowed(request, READ, request.path_params["path"])
        content = await self._store.get(place)
        name = place.key.rpartition("/")[2]
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        # A file that a task wrote must never run as a page of this server's in somebody's browser.
        headers = {
            "content-length": str(content.size_bytes),
            "content-disposition": "attachment",
            "x-content-type-options": "nosniff",
        }
        return StreamingResponse(content.chunks, media_type=kind, headers=headers)

    async def _put(self, request: Request) -> Response:
        place = await self._allowed(request, WRITE, request.path_params["path"])
        await self._store.put(place, request.stream())
        return JSONResponse({})

    async def _delete(self, request: Request) -> Response:
        await self._store.delete(await self._allowed(request, WRITE, request.path_params["path"]))
        return JSONResponse({})

    async def _no_multipart(self, request: Request) -> Response:
        self._gate.check(request, WRITE)
        # The client reads this beginning of the message and sends the file through the server.
        raise TrackingError(
            ErrorCode.NOT_IMPLEMENTED, "Multipart upload is not supported for the current artifact repository"
        )

    async def _no_presigned(self, request: Request) -> Response:
        self._gate.check(request, READ)
        raise TrackingError(ErrorCode.NOT_IMPLEMENTED, "Presigned downloads are not served; read the file itself.")

    async def _allowed(self, request: Request, action: str, path: str) -> Place:
        """The place of a path. Raises TrackingError, written down, unless the caller may and it is a run's."""
        principal = self._gate.check(request, action)
        place = place_of_path(path)
        if not await run_in_threadpool(self._tracking.owns, place):
            message = f"{place.s3_uri} does not belong to any experiment; use the S3 API for it."
            raise self._gate.refusal(principal, action, place.path, "no experiment keeps files there", message)
        return place

    async def _listed_below(self, root_uri: str, path: str) -> Response:
        root = place_of_uri(root_uri)
        if root is None:
            raise invalid(f"The files at {root_uri} are not in a bucket.")
        plain = place_of_path(f"{root.bucket}/{path.strip('/')}").key if path.strip("/") else ""
        return JSONResponse({"root_uri": root_uri, **await self._entries(root.under(plain), plain)})

    async def _entries(self, place: Place, prefix: str) -> Json:
        entries = await self._store.entries(place)
        files = [
            given(path=f"{prefix}/{each.name}" if prefix else each.name)
            | ({"is_dir": True} if each.is_dir else {"is_dir": False, "file_size": each.size_bytes})
            for each in entries
        ]
        return {"files": files} if files else {}


def _guarded(handler: Handler) -> Handler:
    """Answers errors in MLflow's way."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except TrackingError as e:
            return _refusal(e)
        except ArtifactMissing as e:
            return _refusal(missing(f"No such artifact: '{e}'"))
        except ArtifactStoreSilent as e:
            return _refusal(TrackingError(ErrorCode.TEMPORARILY_UNAVAILABLE, f"The object store failed: {e}"))
        except ClientDisconnect:
            return Response(status_code=499)

    return answer


def _refusal(error: TrackingError) -> Response:
    return JSONResponse({"error_code": error.code.name, "message": error.message}, error.code.status)
