"""A replica's process: `python -m weyr.runtime.serve`. It listens at once, and is ready when its model is loaded."""

import argparse
import asyncio
import contextlib
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import uvloop

from weyr.runtime.fetch import FetchError, fetch
from weyr.runtime.serve.app import App
from weyr.runtime.serve.batch import Batcher
from weyr.runtime.serve.load import load
from weyr.runtime.serve.mlmodel import Unloadable
from weyr.runtime.serve.model import Model
from weyr.wire.process import allow_many_files, listen_unix, stop_signal
from weyr.wire.server import HttpServer, Limits


def main() -> None:
    """Ends with status 0 after a stop that was asked for, 1 where the model cannot be served."""
    arguments = _parser().parse_args()
    allow_many_files()
    try:
        status = uvloop.run(_serve(arguments))
    except OSError as e:
        print(f"the replica cannot start: {e}", file=sys.stderr)
        status = 1
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    # A thread inside a model's library cannot be ended, and nothing that it does matters any more.
    os._exit(status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m weyr.runtime.serve", description="Serve one model.")
    parser.add_argument("--source", required=True, help="where the model's files are: s3://bucket/prefix")
    parser.add_argument("--cache", type=Path, required=True, help="the folder that keeps fetched models")
    parser.add_argument("--name", required=True, help="the model's name in /v2/models/NAME")
    parser.add_argument("--version", required=True, help="the model's version")
    parser.add_argument("--socket", type=Path, required=True, help="the Unix socket to listen on")
    parser.add_argument("--threads", type=int, default=2, help="calls of the model at once")
    parser.add_argument("--body-max", type=int, default=Limits().body_max, help="the largest body in bytes")
    parser.add_argument("--grace", type=float, default=30.0, help="seconds for requests under way after SIGTERM")
    return parser


async def _serve(arguments: argparse.Namespace) -> int:
    app = App(arguments.name, arguments.version)
    server = HttpServer(app, Limits(body_max=arguments.body_max))
    listener = await listen_unix(server, arguments.socket)
    loading = _in_thread(arguments)
    stopping = asyncio.ensure_future(stop_signal())
    try:
        either: set[asyncio.Future[Any]] = {loading, stopping}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            model = loading.result()
            app.batcher = Batcher(model, arguments.threads)
            app.model = model
            await stopping
        app.is_draining = True
        await server.drain([listener], arguments.grace)
    except (FetchError, Unloadable) as e:
        print(f"model {arguments.name} version {arguments.version} cannot be served: {e}", file=sys.stderr)
        return 1
    finally:
        arguments.socket.unlink(missing_ok=True)
    return 0


def _in_thread(arguments: argparse.Namespace) -> asyncio.Future[Model]:
    """Loads the model while the loop answers health checks. The thread does not keep the process alive."""
    loop = asyncio.get_running_loop()
    loaded: asyncio.Future[Model] = loop.create_future()

    def run() -> None:
        try:
            model = _load(arguments)
        except Exception as e:  # noqa: BLE001 - it is raised again where the future is awaited
            loop.call_soon_threadsafe(_settle, loaded, e)
        else:
            loop.call_soon_threadsafe(_settle, loaded, model)

    threading.Thread(target=run, name="load", daemon=True).start()
    return loaded


def _settle(loaded: asyncio.Future[Model], result: Model | Exception) -> None:
    if isinstance(result, Model):
        loaded.set_result(result)
    else:
        loaded.set_exception(result)


def _load(arguments: argparse.Namespace) -> Model:
    began = time.monotonic()
    folder = fetch(arguments.source, arguments.cache, os.environ)
    fetched = time.monotonic()
    model = load(folder, arguments.name, arguments.version)
    took = f"fetched in {fetched - began:.2f} s, loaded in {time.monotonic() - fetched:.2f} s"
    # Whoever reads the log may be gone; the callers are not.
    with contextlib.suppress(OSError):
        print(f"model {model.name} version {model.version} is ready: {took}", flush=True)
    return model


if __name__ == "__main__":
    main()
