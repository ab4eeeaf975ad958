"""How many requests fail while everything under them is changed? None of 100,000 should.

`python bench/zero_failed.py` keeps callers asking over kept connections while, again and again, a version takes over
from another, replicas go, the last one goes and one comes again, and each process of the plane is replaced. With
`--kill` processes of the plane are killed as well: what that breaks off is counted by itself, for a client has to
repeat it. Replicas and planes are real processes; replicas stop only once the plane has let go of them, as those of an
endpoint do.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import httptools
import uvloop

from weyr.core.capability import Wanted
from weyr.core.ref import ThingId
from weyr.core.route_limits import RouteLimits, Timeouts
from weyr.core.routes import RouteBody, RouteVersion
from weyr.core.seen import Present, RouteFacts
from weyr.engines.local.planes import Plane
from weyr.engines.local.ports import listening_somewhere
from weyr.engines.local.router import LocalRouter

TOKEN = "bench"
ROUTE = "bench/model"
THING = ThingId.parse("bench:endpoint/model#route")
CALLERS = 24
GRACE_S = 20.0
ANSWER_S = 60.0
"""Who has no answer by then has failed: a request that hangs must not be one that nobody counts."""
REPLICA = """
import asyncio, sys, uvloop
from pathlib import Path
from weyr.wire.message import Response
from weyr.wire.process import listen_unix, stop_signal
from weyr.wire.server import HttpServer
async def main():
    loop = asyncio.get_running_loop()
    def answer(request):
        future = loop.create_future()
        loop.call_later(0.002, lambda: future.cancelled() or future.set_result(Response(200, request.body)))
        return future
    server = HttpServer(answer)
    listener = await listen_unix(server, Path(sys.argv[1]))
    await stop_signal()
    await server.drain([listener], 20)
uvloop.run(main())
"""


class Callers:
    """Clients that keep their connections, and open another where the server says that it closes."""

    def __init__(self, port: int, wanted: int) -> None:
        self.outcomes: Counter[str] = Counter()
        self.phase = "steady"
        self._port, self._wanted = port, wanted
        head = f"POST /{ROUTE}/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 2\r\n\r\n"
        self._request = head.encode() + b"{}"

    @property
    def total(self) -> int:
        return sum(self.outcomes.values())

    @property
    def failed(self) -> int:
        return sum(count for cause, count in self.outcomes.items() if not cause.startswith("200"))

    async def run(self) -> None:
        """Until so many have been asked."""
        await asyncio.gather(*(self._ask() for _ in range(CALLERS)))

    async def _ask(self) -> None:
        reader: asyncio.StreamReader | None = None
        writer: asyncio.StreamWriter | None = None
        while self.total < self._wanted:
            try:
                if reader is None or writer is None or reader.at_eof():
                    reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                writer.write(self._request)
                async with asyncio.timeout(ANSWER_S):
                    status, closes = await _answer(reader)
                self.outcomes["200" if status == 200 else f"{status} during {self.phase}"] += 1
                if closes:
                    writer.close()
                    reader = None
            except (OSError, EOFError) as e:
                self.outcomes[f"{type(e).__name__} during {self.phase}"] += 1
                reader = None
        if writer is not None:
            writer.close()


class _Head:
    """What httptools tells of an answer."""

    is_whole = False

    def on_message_complete(self) -> None:
        self.is_whole = True


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """Its status, and whether the connection ends with it. Raises: EOFError, OSError."""
    head = _Head()
    parser = httptools.HttpResponseParser(head)
    while not head.is_whole:
        data = await reader.read(65536)
        if not data:
            raise EOFError
        parser.feed_data(data)
    return parser.get_status_code(), not parser.should_keep_alive()


class World:
    """Planes, replicas and the route between them."""

    def __init__(self, home: Path, processes: int) -> None:
        self.home = home
        digest = hashlib.sha256(TOKEN.encode()).hexdigest()
        credentials = {"principals": {"b": {"grants": [f"inference:call:{ROUTE}"]}}, "tokens": {digest: "b"}}
        (home / "credentials.json").write_text(json.dumps(credentials))
        with listening_somewhere(0) as door:
            self.port = int(door.getsockname()[1])
        names = ["inference", *(f"inference-{n}" for n in range(1, processes))]
        self.planes = [self._plane(name) for name in names]
        self.router = LocalRouter(home / "routes.json", home / "inference.sock", lambda: "")
        self._generation = 0
        self._made = 0
        self.replicas: dict[str, asyncio.subprocess.Process] = {}

    def _plane(self, name: str) -> Plane:
        files = {"routes": "routes.json", "credentials": "credentials.json", "audit": "audit.jsonl", "limits": "limits",
                 "control": f"{name}.sock", "info": f"{name}.json"}  # fmt: skip
        words = [word for option, file in files.items() for word in (f"--{option}", str(self.home / file))]
        arguments = ["weyr.gateway.inference", *words, "--port", str(self.port), "--grace", str(GRACE_S)]
        return Plane(name, arguments, self.home / f"{name}.json", self.home / f"{name}.log")

    async def begin(self) -> str:
        """A replica that listens."""
        self._made += 1
        name = str(self._made)
        path = self.home / f"{name}.sock"
        self.replicas[name] = await asyncio.create_subprocess_exec(sys.executable, "-c", REPLICA, str(path))
        await until(path.exists)
        return name

    async def route(self, *names: str) -> None:
        """Sends requests to these, and stops the others once the plane has let go of them."""
        self._generation += 1
        pairs = tuple((name, str(self.home / f"{name}.sock")) for name in names)
        version = RouteVersion("1", "model", replicas=pairs)
        body = RouteBody(ROUTE, (version,), 30.0, limits=RouteLimits(timeouts=Timeouts(connect_s=5.0)))
        assert not self.router.ensure([Wanted(THING, self._generation, body)])
        leaving = self.replicas.keys() - set(names)
        await until(lambda: self._has_let_go(leaving))
        for name in leaving:
            replica = self.replicas.pop(name)
            replica.terminate()
            await replica.wait()

    def _has_let_go(self, names: set[str]) -> bool:
        seen = self.router.observe([THING])[THING]
        if not isinstance(seen, Present):
            return False
        facts = seen.facts
        assert isinstance(facts, RouteFacts)
        busy = dict(facts.replicas)
        return facts.generation >= self._generation and not any(busy.get(name) for name in names)

    def kill_a_plane(self) -> None:
        """As the kernel does when memory runs out; whoever keeps the planes up starts it again."""
        info = self.planes[0].running()
        assert info
        os.kill(info.pid, signal.SIGKILL)

    async def close(self) -> None:
        for plane in self.planes:
            await asyncio.to_thread(plane.stop)
        for replica in self.replicas.values():
            replica.kill()
            await replica.wait()


async def until(check: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Polls. Raises: TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while not check():
            await asyncio.sleep(0.01)


async def change(world: World, callers: Callers, kills: bool) -> None:
    """One change after the other, for ever."""
    names = [await world.begin(), await world.begin()]
    while True:
        for phase, step in _steps(world, kills).items():
            callers.phase, had = phase, callers.total
            names = await step(names)
            await until(lambda n=had: callers.total > n + 200)  # type: ignore[misc]


def _steps(world: World, kills: bool) -> dict[str, Callable[[list[str]], Awaitable[list[str]]]]:
    async def rollout(names: list[str]) -> list[str]:
        fresh = [await world.begin() for _ in names]
        await world.route(*names, *fresh)
        await world.route(*fresh)
        return fresh

    async def scale_down(names: list[str]) -> list[str]:
        await world.route(names[0])
        return names[:1]

    async def sleep_and_wake(names: list[str]) -> list[str]:
        await world.route()
        fresh = [await world.begin(), await world.begin()]
        await world.route(*fresh)
        return fresh

    async def renew(names: list[str]) -> list[str]:
        for plane in world.planes:
            await asyncio.to_thread(plane.replace)
        return names

    async def kill(names: list[str]) -> list[str]:
        world.kill_a_plane()
        await until(lambda: world.planes[0].running() is None)
        await asyncio.to_thread(world.planes[0].start)
        return names

    steps = {"rollout": rollout, "scale-down": scale_down, "wake-up": sleep_and_wake, "renewal": renew}
    return {**steps, "kill": kill} if kills else steps


async def run(requests: int, processes: int, kills: bool) -> Callers:
    with tempfile.TemporaryDirectory(prefix="weyr-zero") as folder:
        world = World(Path(folder), processes)
        callers = Callers(world.port, requests)
        try:
            for plane in world.planes:
                await asyncio.to_thread(plane.start)
            await world.route(await world.begin())
            changing = asyncio.create_task(change(world, callers, kills))
            asking = asyncio.create_task(callers.run())
            await asyncio.wait({changing, asking}, return_when=asyncio.FIRST_COMPLETED)
            if changing.done():
                changing.result()
            await asking
            changing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await changing
        finally:
            await world.close()
        return callers


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--kill", action="store_true", help="also kill processes of the plane")
    arguments = parser.parse_args()
    began = time.monotonic()
    callers = uvloop.run(run(arguments.requests, arguments.processes, arguments.kill))
    took_s = time.monotonic() - began
    broken = sum(
        count
        for cause, count in callers.outcomes.items()
        if cause.endswith("during kill") and "Error" in cause and not cause.startswith("TimeoutError")
    )
    failed = callers.failed - broken
    for cause, count in callers.outcomes.most_common():
        print(f"{count:8} {cause}")
    rest = f", {broken} broken off by kill -9" if arguments.kill else ""
    print(f"{failed} of {callers.total} requests failed{rest}; {took_s:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
