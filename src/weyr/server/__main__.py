"""The server's process: `python -m weyr.server --home DIR`. It holds the folder, keeps the planes, runs the loop."""

import argparse
import asyncio
import json
import os
import socket
import sys
import time
from pathlib import Path

import uvicorn

from weyr.access.audit import AuditLog
from weyr.compose import Weyr, open_weyr, planes_of, ports_of
from weyr.core.diagnostic import Diagnostic, EngineError, UserError
from weyr.engines.local.ports import HOST, is_free
from weyr.engines.local.processes import start_ticks
from weyr.reconcile.ports import Log
from weyr.server.app import build_app
from weyr.server.keeper import Keeper
from weyr.server.log import JsonLog
from weyr.server.service import Service
from weyr.server.supervisor import Supervisor
from weyr.store.home import Home, HomeLock


def main() -> int:
    """Runs until it is told to stop. Gives 1, with diagnostics on standard error, where it cannot run."""
    arguments = _arguments()
    try:
        home = Home(arguments.home.absolute())
        home.prepare()
        lock = HomeLock(home)
        door, port = _door(home, arguments.port)
    except UserError as e:
        print(e, file=sys.stderr)
        return 1
    try:
        return _serve(home, door, port, arguments.auto)
    except UserError as e:
        print(e, file=sys.stderr)
        return 1
    finally:
        home.info("server").unlink(missing_ok=True)
        lock.release()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m weyr.server")
    parser.add_argument("--home", type=Path, required=True, help="the data folder")
    parser.add_argument("--port", type=int, help="where to listen; 0 for any free port")
    parser.add_argument("--auto", action="store_true", help="started by a command, and to end with the last stack")
    return parser.parse_args()


def _door(home: Home, wanted: int | None) -> tuple[socket.socket, int]:
    """The listening socket. Raises: UserError where the port is taken."""
    if wanted and not is_free(wanted):
        raise UserError(_port_taken(wanted))
    port = ports_of(home, wanted)["server"]
    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((HOST, port))
    except OSError as e:
        door.close()
        raise UserError(_port_taken(port)) from e
    return door, port


def _port_taken(port: int) -> Diagnostic:
    detail = (
        f"Another program listens on {HOST}:{port}. A data folder keeps its port, because running tasks know the "
        "server by it; a new one has to be given by hand."
    )
    return Diagnostic("The port is taken", detail, suggestion="weyr server start --port 0")


def _serve(home: Home, door: socket.socket, port: int, is_auto: bool) -> int:
    log = JsonLog()
    planes = planes_of(home, ports_of(home))
    weyr = open_weyr(home.path, time.time, log, is_serving=True)
    keeper = Keeper(weyr.loop, weyr.lock, time.time, log, home.sockets / "doorbell.sock")
    supervisor = Supervisor(planes, log, on_started=lambda name: _plane_started(weyr, keeper, log, name))
    service = Service(
        weyr, time.time, log, AuditLog(home.audit, "server"), planes, keeper.wake, url=f"http://{HOST}:{port}",
        started_at=time.time(),
    )  # fmt: skip
    server = uvicorn.Server(
        uvicorn.Config(build_app(service), log_level="warning", lifespan="off", timeout_graceful_shutdown=3)
    )
    service.stop = lambda: setattr(server, "should_exit", True)
    supervisor.start()
    keeper.start()
    asyncio.run(_run(server, door, home, port, is_auto, log))
    log("server.stopping", pid=os.getpid())
    keeper.stop()
    supervisor.stop()
    if not weyr.world.stacks:
        # Nothing is left that they serve: nothing may be left of them.
        for plane in planes.values():
            plane.stop()
        weyr.launcher.stop()
    weyr.close()
    return 0


async def _run(server: uvicorn.Server, door: socket.socket, home: Home, port: int, is_auto: bool, log: Log) -> None:
    """Serves until told to stop, and says when it is ready."""
    serving = asyncio.create_task(server.serve(sockets=[door]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.005)
    if server.started:
        info = {"pid": os.getpid(), "started": start_ticks(os.getpid()), "port": port, "url": f"http://{HOST}:{port}"}
        temporary = home.run / f".server.{os.getpid()}.tmp"
        temporary.write_text(json.dumps({**info, "auto": is_auto}))
        os.replace(temporary, home.info("server"))
        log("server.ready", **info)
    await serving


def _plane_started(weyr: Weyr, keeper: Keeper, log: Log, name: str) -> None:
    """A plane is up: what waits for it is looked at again, and the S3 plane gets the bucket that is ours."""
    if name == "s3":
        try:
            weyr.ensure_system_bucket()
        except EngineError as e:
            log("system_bucket.failed", error=str(e))
    keeper.wake(list(weyr.world.objects))


if __name__ == "__main__":
    sys.exit(main())
