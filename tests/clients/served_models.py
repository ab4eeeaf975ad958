"""The model server's app on a loopback port, in a thread of the test's process, with models made on the spot.

What a protocol answers does not depend on how the model got here; `model_server.py` starts the real process.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from socket import create_connection
from typing import Any

import numpy as np

from weyr.runtime.serve.app import App
from weyr.runtime.serve.batch import Batching
from weyr.runtime.serve.desk import Desk
from weyr.runtime.serve.model import Model
from weyr.runtime.serve.shelf import Shelf, Source
from weyr.runtime.serve.tensor import TensorSpec
from weyr.runtime.serve.tracing import COLLECTOR, Tracer
from weyr.wire.process import listen_unix
from weyr.wire.server import HttpServer, Limits


@dataclass
class Identity:
    """Gives each input back under the name of the output at its place."""

    inputs: tuple[TensorSpec, ...] = (TensorSpec("x", "FP32", (-1, -1)),)
    outputs: tuple[TensorSpec, ...] = (TensorSpec("y", "FP32", (-1, -1)),)
    is_rowwise: bool = True
    platform: str = "identity"
    calls: list[int] = field(default_factory=list)
    before: Callable[[Mapping[str, Any]], None] = lambda inputs: None
    """Run in each call, with its inputs: it may wait, or raise."""

    def warm_up(self) -> None:
        """Nothing to warm."""

    def predict(self, inputs: Mapping[str, Any], outputs: tuple[str, ...]) -> Mapping[str, Any]:
        arrays = list(inputs.values())
        self.calls.append(len(arrays[0]))
        self.before(inputs)
        given = dict(zip((spec.name for spec in self.outputs), arrays, strict=True))
        return {name: given[name] for name in outputs}


class Made:
    """Loads models by calling what makes them. The place of a source is its size in bytes."""

    def __init__(self, make: Mapping[tuple[str, str], Callable[[], Model]]) -> None:
        self.make = make

    def fetch(self, source: Source) -> tuple[Path, int]:
        return Path("/nonexistent"), int(source.place)

    def load(self, source: Source, folder: Path) -> Model:
        return self.make[source.name, source.version]()


def _itself(model: Model) -> Model:
    return model


def shelf_of(models: Sequence[Model], sizes: Mapping[str, int] | None = None, **options: Any) -> Shelf:
    """A shelf of these models, in a running loop."""
    sources = [Source(model.name, model.version, str((sizes or {}).get(model.name, 0))) for model in models]
    return Shelf(sources, Made({(model.name, model.version): partial(_itself, model) for model in models}), **options)


@contextlib.contextmanager
def served(
    models: Sequence[Model],
    batching: Batching | None = None,
    body_max: int = 2**22,
    socket: Path | None = None,
    traces_to: str = "",
) -> Iterator[int]:
    """The models at http://127.0.0.1:PORT, and at a Unix socket where one is given."""
    ready = threading.Event()
    told: dict[str, Any] = {}

    async def serve() -> None:
        stop = asyncio.Event()
        shelf = shelf_of(models, batching=batching)
        desk = Desk(shelf)
        tracer = Tracer.of({COLLECTOR: traces_to}, asyncio.get_running_loop().time())
        server = HttpServer(App(desk, tracer), Limits(body_max=body_max))
        listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
        listeners = [listener, *([await listen_unix(server, socket)] if socket else [])]
        await shelf.fill()
        desk.is_filled = True
        told.update(port=listener.sockets[0].getsockname()[1], loop=asyncio.get_running_loop(), stop=stop)
        ready.set()
        await stop.wait()
        await server.drain(listeners, 1.0)

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(60)
    try:
        yield told["port"]
    finally:
        told["loop"].call_soon_threadsafe(told["stop"].set)
        thread.join(60)
        assert not thread.is_alive()


def ask(port: int, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    """One request with plain sockets' manners: whatever the body is, it is sent as it is."""
    import http.client

    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET" if body is None else "POST", path, body, names)
        response = connection.getresponse()
        return response.status, response.read()


def raw(port: int, sent: bytes) -> bytes:
    """What comes back for these bytes until the server closes."""
    with create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(sent)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
        return b"".join(parts)


def rows(count: int, width: int = 3, dtype: str = "float32") -> Any:
    """Different numbers in each place, float32[count, width] unless said otherwise."""
    return np.arange(count * width).reshape(count, width).astype(dtype)
