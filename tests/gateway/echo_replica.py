"""A replica that answers with its name, what it was asked and what it was sent: `echo_replica.py SOCKET NAME`."""

import asyncio
import sys
from pathlib import Path
from urllib.parse import parse_qs

import uvloop

from weyr.wire.message import Request, Response, answer
from weyr.wire.process import listen_unix, stop_signal
from weyr.wire.server import HttpServer


def settle(future: asyncio.Future[Response], told: Response) -> None:
    """The caller may have left in the meantime."""
    if not future.cancelled():
        future.set_result(told)


async def after(gate: Path, told: Response) -> Response:
    """Answers once the file is there: a test opens the gate when it has seen what it waits for."""
    while not gate.exists():
        await asyncio.sleep(0.01)
    return told


async def in_turn(slots: asyncio.Semaphore, work_s: float) -> Response:
    """Works when there is a slot for it, first come, first served, and says for how long it had it."""
    async with slots:
        loop = asyncio.get_running_loop()
        began = loop.time()
        done: asyncio.Future[None] = loop.create_future()
        loop.call_later(work_s, done.set_result, None)
        await done
        return answer({"worked_s": loop.time() - began})


async def serve(path: Path, name: str) -> None:
    loop = asyncio.get_running_loop()
    slots = asyncio.Semaphore(2)

    def handle(request: Request) -> Response | asyncio.Future[Response]:
        query = parse_qs(request.target.partition(b"?")[2].decode())
        if request.path == b"/raw":
            return Response(200, request.body, b"application/octet-stream")
        if request.path == b"/fill":
            return Response(200, b"x" * int(query["size"][0]), b"application/octet-stream")
        if "work" in query:
            return loop.create_task(in_turn(slots, float(query["work"][0])))
        headers = {key.decode(): value.decode("latin-1") for key, value in request.headers.items()}
        told = answer(
            {
                "replica": name,
                "method": request.method.decode(),
                "target": request.target.decode(),
                "headers": headers,
                "size": len(request.body),
            }
        )
        if "gate" in query:
            return loop.create_task(after(path.parent / query["gate"][0], told))
        if "wait" not in query:
            return told
        future: asyncio.Future[Response] = loop.create_future()
        loop.call_later(float(query["wait"][0]), settle, future, told)
        return future

    server = HttpServer(handle)
    listener = await listen_unix(server, path)
    await stop_signal()
    await server.drain([listener], grace_s=20)


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), sys.argv[2]))
