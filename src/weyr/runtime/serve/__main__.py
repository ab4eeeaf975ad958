"""A replica's process: `python -m weyr.runtime.serve`. It listens at once, and is ready when its models are loaded."""

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import uvloop

from weyr.runtime.environment import use_environment
from weyr.runtime.fetch import FetchError, fetch
from weyr.runtime.ring import ring_beside
from weyr.runtime.serve.app import App
from weyr.runtime.serve.batch import Batching
from weyr.runtime.serve.desk import Desk
from weyr.runtime.serve.formats.trust import Loading
from weyr.runtime.serve.load import load
from weyr.runtime.serve.model import Model, Unloadable
from weyr.runtime.serve.shelf import NoRoom, Shelf, Source
from weyr.runtime.serve.tracing import Tracer
from weyr.wire.process import allow_many_files, listen_unix, stop_signal
from weyr.wire.server import HttpServer, Limits

AHEAD = ("http.client", "numpy", "onnxruntime", "sklearn.linear_model", "skops.io", "cloudpickle")
"""What else is loaded where there is time for it, as far as it is installed: before a replica is asked for."""

REHEARSED = bytes.fromhex(
    "08093a330a100a017812017922084964656e746974791201675a0d0a017812080a06080112020a00"
    "620d0a017912080a06080112020a0042040a001011"
)
"""The smallest ONNX file: its output is its input, numbers in a row."""


def rehearse() -> None:
    """Does once what costs a library most of its first time, so that nobody waits for it: a session of ONNX Runtime
    took 20 ms the first time and 1 ms the second, an obstore's list 6 ms and 1 ms."""
    # Whatever goes wrong here goes wrong again with the model, and is told then.
    with contextlib.suppress(Unloadable, FetchError, OSError), tempfile.TemporaryDirectory() as place:
        source = Path(place, "model")
        source.mkdir()
        (source / "model.onnx").write_bytes(REHEARSED)
        load(fetch(f"file://{source}", Path(place), {}), "rehearsal", "0", Loading())
        uvloop.run(asyncio.sleep(0))


def main() -> None:
    """Ends with status 0 after a stop that was asked for, 1 where the model cannot be served."""
    arguments = _parser().parse_args()
    use_environment()
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
    parser = argparse.ArgumentParser(
        prog="python -m weyr.runtime.serve",
        description="Serve models. --source, --name and --version are given once for each.",
    )
    add, batching = parser.add_argument, Batching()
    add("--source", action="append", required=True, help="where a model's files are: s3://bucket/prefix")
    add("--name", action="append", required=True, help="the model's name in /v2/models/NAME")
    add("--version", action="append", required=True, help="the model's version")
    add(
        "--seal",
        action="append",
        default=[],
        help="what a version's files were when it was registered: NAME/VERSION=SEAL",
    )
    cache, door = (os.environ.get(name) for name in ("WEYR_CACHE", "WEYR_SOCKET"))
    add("--cache", type=Path, default=cache, required=not cache, help="the folder that keeps fetched models")
    add("--socket", type=Path, default=door, required=not door, help="the Unix socket to listen on")
    add("--threads", type=int, default=batching.threads, help="calls of one model at once")
    add("--compute-threads", type=int, default=1, help="CPU threads that one call may use")
    add("--handler", default="", help="the class that serves the models, file.py:Class below the working folder")
    add("--allow-code", action="store_true", help="load formats that run code, such as pickles")
    add("--batch-rows", type=int, default=batching.rows_max, help="rows computed in one call, at most")
    add("--batch-delay", type=float, default=0.0, help="seconds that a request waits for others; 0 for none")
    add("--pad", type=float, default=None, help="make requests of different lengths one batch, padded with this value")
    add("--memory-max", type=int, default=0, help="bytes that all models may take; the least used leave. 0: no bound")
    add("--streams", type=int, default=batching.streams, help="generations and calls of programs at once, of one model")
    add(
        "--of",
        action="append",
        default=[],
        help="one of these for the models of one name alone: NAME:batch-rows=8, and batch-delay, pad, threads, streams",
    )
    add("--body-max", type=int, default=Limits().body_max, help="the largest body in bytes")
    add("--grace", type=float, default=30.0, help="seconds for requests under way after SIGTERM")
    return parser


def _sources(arguments: argparse.Namespace) -> list[Source]:
    """Raises: ValueError where the three are not given equally often, or a version twice."""
    if not len(arguments.source) == len(arguments.name) == len(arguments.version):
        raise ValueError("--source, --name and --version belong together: give each once for each model")
    of = zip(arguments.name, arguments.version, arguments.source, strict=True)
    seals: dict[str, str] = dict(word.rpartition("=")[::2] for word in arguments.seal)
    sources = [Source(name, version, place, seals.pop(f"{name}/{version}", "")) for name, version, place in of]
    if seals:
        raise ValueError(f"a seal of what is not served: {', '.join(seals)}")
    if len({(source.name, source.version) for source in sources}) < len(sources):
        raise ValueError("a version of a model is there twice")
    return sources


_OF_MODEL: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "batch-rows": ("rows_max", int),
    "batch-delay": ("delay_s", float),
    "pad": ("pad", float),
    "threads": ("threads", int),
    "streams": ("streams", int),
}


def _of_model(words: Sequence[str], of_all: Batching, names: Sequence[str]) -> dict[str, Batching]:
    """How models of certain names are batched. Raises: ValueError where that is not said, or of what is not served."""
    found: dict[str, Batching] = {}
    for word in words:
        name, _, said = word.rpartition(":")
        flag, _, value = said.partition("=")
        if name not in names or flag not in _OF_MODEL:
            raise ValueError(f"--of {word}: no model and flag of that name")
        field, number = _OF_MODEL[flag]
        found[name] = replace(found.get(name, of_all), **{field: number(value)})
    return found


async def _serve(arguments: argparse.Namespace) -> int:
    how = arguments
    batching = Batching(how.batch_rows, how.batch_delay, how.pad, threads=how.threads, streams=how.streams)
    try:
        loading = Loading(arguments.compute_threads, arguments.allow_code, arguments.handler)
        of_model = _of_model(arguments.of, batching, arguments.name)
        shelf = Shelf(
            _sources(arguments), Registered(arguments.cache, loading), batching, arguments.memory_max, of_model
        )
    except ValueError as e:
        print(f"the replica cannot start: {e}", file=sys.stderr)
        return 1
    desk = Desk(shelf)
    tracer = Tracer.of(os.environ, asyncio.get_running_loop().time())
    server = HttpServer(App(desk, tracer), Limits(body_max=arguments.body_max))
    listener = await listen_unix(server, arguments.socket)
    filling = asyncio.ensure_future(shelf.fill())
    stopping = asyncio.ensure_future(stop_signal())
    try:
        either: set[asyncio.Future[Any]] = {filling, stopping}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            filling.result()
            desk.is_filled = True
            ring_beside()
            await stopping
        desk.is_draining = True
        await server.drain([listener], arguments.grace)
    except (FetchError, Unloadable, NoRoom) as e:
        print(f"no model can be served: {e}", file=sys.stderr)
        return 1
    finally:
        arguments.socket.unlink(missing_ok=True)
    return 0


class Registered:
    """Loads models from their registry's bucket, through the cache of this machine."""

    def __init__(self, cache: Path, loading: Loading) -> None:
        self._cache = cache
        self._loading = loading
        self._fetched_s = 0.0

    def fetch(self, source: Source) -> tuple[Path, int]:
        began = time.monotonic()
        try:
            # A folder on this machine is nobody's registry: what is in it may change.
            registered = f"{source.name}/{source.version}" if source.place.startswith("s3://") else ""
            folder = fetch(source.place, self._cache, os.environ, registered, source.seal)
        except FetchError as e:
            _tell(f"model {source.name} version {source.version} cannot be served: {e}", sys.stderr)
            raise
        self._fetched_s = time.monotonic() - began
        return folder, sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

    def load(self, source: Source, folder: Path) -> Model:
        began = time.monotonic()
        try:
            model = load(folder, source.name, source.version, self._loading)
        except Unloadable as e:
            _tell(f"model {source.name} version {source.version} cannot be served: {e}", sys.stderr)
            raise
        took = f"fetched in {self._fetched_s:.2f} s, loaded in {time.monotonic() - began:.2f} s"
        _tell(f"model {model.name} version {model.version} is ready: {took}", sys.stdout)
        return model


def _tell(line: str, where: TextIO) -> None:
    # Whoever reads the log may be gone; the callers are not.
    with contextlib.suppress(OSError):
        print(line, file=where, flush=True)


if __name__ == "__main__":
    main()
