"""How does the server serve? The API on its door, the loop in its thread, the planes looked after."""

import asyncio
import os
import signal
import socket
import time

import uvicorn

from weyr.access.audit import AuditLog
from weyr.compose.doors import url_of
from weyr.compose.local import Planes, Weyr, open_weyr, payload_carrier, plane_supervisor, task_vigil
from weyr.compose.tenure import Tenure
from weyr.core.diagnostic import EngineError
from weyr.reconcile.ports import Log
from weyr.server.app import build_app
from weyr.server.keeper import Keeper
from weyr.server.live import Live
from weyr.server.log import JsonLog
from weyr.server.measuring import start_measuring
from weyr.server.service import Service
from weyr.server.troubles import as_user_errors
from weyr.server.using import start_using
from weyr.store.database import Database
from weyr.store.home import Home
from weyr.wire.process import write_info


def serve(
    home: Home,
    door: socket.socket,
    planes: Planes,
    is_auto: bool,
    tenure: Tenure | None = None,
    db: Database | None = None,
) -> int:
    """Serves until told to stop. `tenure` and `db` are a shared store's: how long it may act, and the store, open.

    Raises: UserError where the data folder's content cannot be used; StoreError where the store does not answer.
    """
    log = JsonLog()
    url = url_of(door.getsockname()[1])
    with as_user_errors(home.path):
        weyr = open_weyr(home.path, time.time, log, is_serving=True, planes=planes, tenure=tenure, db=db)
        keeper = Keeper(weyr.loop, time.time, log, home.sockets / "doorbell.sock")
        audit = AuditLog(home.audit, "server")
    vigil = task_vigil(weyr, keeper.wake)
    supervisor = plane_supervisor(weyr, log, on_started=lambda name: _plane_started(weyr, keeper, log, name))
    live = Live(lambda: weyr.world, weyr.lock, weyr.ledger, log)
    service = Service(
        weyr, time.time, log, audit, keeper.wake, keeper.mind_clock, url=url, started_at=time.time(), live=live
    )
    server = uvicorn.Server(
        uvicorn.Config(build_app(service), log_level="warning", lifespan="off", timeout_graceful_shutdown=3)
    )
    service.stop = lambda: setattr(server, "should_exit", True)
    service.is_stopping = lambda: bool(server.should_exit)
    for number in (signal.SIGTERM, signal.SIGINT):
        # While uvicorn serves it has handlers of its own; once done it raises the signal again, which by default
        # would end the process here, with the planes of an empty folder left behind.
        signal.signal(number, lambda _number, _frame: service.stop())
    supervisor.start()
    keeper.start()
    vigil.start()
    end_live = live.start(time.time)
    end_measuring = start_measuring(weyr.loop, time.time, log)
    end_using = start_using(lambda: weyr.world, weyr.lock, weyr.db, home.tasks, time.time, log)
    carrier = payload_carrier(weyr, log)
    carrier.start()
    with as_user_errors(home.path):
        asyncio.run(_run(server, door, home, url, is_auto, log))
    log("server.stopping", pid=os.getpid())
    vigil.stop()
    end_live()
    end_measuring()
    end_using()
    carrier.stop()
    keeper.stop()
    supervisor.stop()
    if not weyr.world.stacks:
        # Nothing is left that they serve: nothing may be left of them.
        for plane in weyr.planes.values():
            plane.stop()
        weyr.launcher.stop()
        home.drop_sockets()
    if db is None:
        weyr.close()
    return 0


async def _run(server: uvicorn.Server, door: socket.socket, home: Home, url: str, is_auto: bool, log: Log) -> None:
    """Serves until told to stop, and says when it is ready."""
    serving = asyncio.create_task(server.serve(sockets=[door]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.005)
    if server.started:
        port = door.getsockname()[1]
        write_info(home.info("server"), port, url, auto=is_auto)
        log("server.ready", pid=os.getpid(), port=port, url=url)
    await serving


def _plane_started(weyr: Weyr, keeper: Keeper, log: Log, name: str) -> None:
    """A plane is up: what waits for it is looked at again, and the S3 plane gets the bucket that is ours."""
    if name == "s3":
        try:
            weyr.ensure_system_bucket()
        except EngineError as e:
            log("system_bucket.failed", error=str(e))
    with weyr.lock:
        refs = list(weyr.world.objects)
    keeper.wake(refs)
