"""The tracking protocol alone, as a process: for client tests and benchmarks without the rest of the server.

Takes `--token NAME=TOKEN=GRANT,GRANT` any number of times, and writes `{"url", "pid"}` to `--info` when it
listens. Files go to `--files` on local disk, or to the S3 plane at `--s3 URL KEY SECRET`.
"""

import argparse
import json
import os
import socket
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import uvicorn
from obstore.store import LocalStore
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from weyr.core.grants import Principal
from weyr.engines.local.artifacts import Bucket, ObjectArtifacts, s3_buckets
from weyr.server.mlflow import mlflow_routes
from weyr.store.database import Database, metadata
from weyr.store.place import store_place
from weyr.store.tables import tracking as _tables  # noqa: F401  its tables are declared by the import
from weyr.tracking.service import Tracking


class BearerTokens:
    """The middleware that the server has: who calls is on the request before a route sees it."""

    def __init__(self, app: ASGIApp, principals: dict[str, Principal]) -> None:
        self._app = app
        self._principals = principals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = dict(scope["headers"]).get(b"authorization", b"").decode()
            scope.setdefault("state", {})["principal"] = self._principals.get(given.removeprefix("Bearer "))
        await self._app(scope, receive, send)


def main() -> None:
    arguments = _arguments()
    principals = {}
    for each in arguments.token:
        name, token, grants = each.split("=", 2)
        principals[token] = Principal(name, tuple(grants.split(",")))
    db = Database(store_place(arguments.data))
    with db.write() as connection:
        metadata.create_all(connection)
    tracking = Tracking(db, time.time, lambda: uuid.uuid4().hex)

    def refuse(principal: str, action: str, resource: str, reason: str) -> None:
        line = json.dumps([principal, action, resource, reason]).encode() + b"\n"
        with (arguments.data / "refusals.jsonl").open("ab") as trail:
            trail.write(line)

    app = BearerTokens(
        Starlette(routes=mlflow_routes(tracking, ObjectArtifacts(_buckets(arguments)), refuse)), principals
    )
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    scratch = arguments.info.with_suffix(".tmp")
    scratch.write_text(json.dumps({"url": url, "pid": os.getpid()}))
    scratch.replace(arguments.info)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[listener])


def _buckets(arguments: argparse.Namespace) -> Callable[[str], Bucket]:
    if arguments.s3:
        return s3_buckets(*arguments.s3)
    files = Path(arguments.files)
    return lambda name: LocalStore(files / name, mkdir=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--info", type=Path, required=True)
    parser.add_argument("--files", type=Path)
    parser.add_argument("--s3", nargs=3, metavar=("URL", "KEY", "SECRET"))
    parser.add_argument("--token", action="append", default=[])
    return parser.parse_args()


if __name__ == "__main__":
    main()
