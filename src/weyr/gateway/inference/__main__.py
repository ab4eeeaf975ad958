"""The inference plane's process: `python -m weyr.gateway.inference`. It goes on serving when the server is down."""

import argparse
import asyncio
import sys
from dataclasses import fields
from pathlib import Path

import uvloop

from weyr.gateway.audit import AuditTrail
from weyr.gateway.credentials import Credentials
from weyr.gateway.inference.callers import Callers
from weyr.gateway.inference.capture import Payloads
from weyr.gateway.inference.control import Control
from weyr.gateway.inference.door import Door
from weyr.gateway.inference.doorbell import Doorbell
from weyr.gateway.inference.metrics import Teller
from weyr.gateway.inference.plane import Bounds, Plane
from weyr.gateway.inference.port import beside, door_of, own_of
from weyr.gateway.inference.table import Table
from weyr.gateway.inference.uses import Uses
from weyr.wire.epochs import Epochs
from weyr.wire.handover import Giver
from weyr.wire.process import BACKLOG, allow_many_files, is_ours, listen_unix, stop_signal, write_info
from weyr.wire.server import HttpServer

PAYLOADS_S = 3.0
"""How long the end of a plane waits for its payload log to be written and its last spans to be sent."""


def main() -> int:
    """Exit status 0 after a stop that was asked for, 1 where the plane could not begin."""
    arguments = _parser().parse_args()
    allow_many_files()
    try:
        uvloop.run(_serve(arguments))
    except OSError as e:
        print(f"the inference plane cannot start: {e}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m weyr.gateway.inference", description="Serve endpoints.")
    parser.add_argument("--routes", type=Path, required=True, help="the routing snapshot to follow")
    parser.add_argument("--credentials", type=Path, required=True, help="who may call")
    parser.add_argument("--api-keys", type=Path, help="who else may call, from outside")
    parser.add_argument("--limits", type=Path, help="where what callers used of their limits is kept")
    parser.add_argument("--uses", type=Path, help="the folder where what was asked of each route is kept")
    parser.add_argument("--audit", type=Path, required=True, help="where refusals are written down")
    parser.add_argument("--control", type=Path, required=True, help="the Unix socket for Weyr itself")
    parser.add_argument("--info", type=Path, required=True, help="where to say that this process listens")
    parser.add_argument("--spool", type=Path, help="where payload logs lie until they are carried away")
    parser.add_argument("--spool-max", type=int, default=256 * 2**20, help="the most bytes that may lie there")
    parser.add_argument("--doorbell", type=Path, default=None, help="whom to tell that somebody waits for a replica")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    for bound in fields(Bounds):
        option = f"--{bound.name.replace('_', '-')}"
        parser.add_argument(option, type=type(bound.default), default=bound.default, help="see Bounds")
    parser.add_argument("--replace", action="store_true", help="take the place of the process that runs, if one does")
    parser.add_argument("--grace", type=float, default=30.0, help="seconds for requests under way after SIGTERM")
    return parser


async def _serve(arguments: argparse.Namespace) -> None:
    table = Table(arguments.routes, Uses(arguments.uses))
    table.reload()
    audit = AuditTrail(arguments.audit, "inference")
    bounds = Bounds(**{bound.name: getattr(arguments, bound.name) for bound in fields(Bounds)})
    callers = Callers(Credentials(arguments.credentials), arguments.api_keys)
    payloads = Payloads(arguments.spool, arguments.spool_max)
    plane = Plane(table, callers, audit, bounds, payloads, arguments.limits)
    plane.doorbell = Doorbell(arguments.doorbell)
    door, before = await door_of(arguments.control, arguments.host, arguments.port, arguments.replace)
    port = door.getsockname()[1]
    plane.teller = teller = Teller(plane, arguments.control, arguments.info)
    if before is not None:
        await teller.inherit()
    else:
        teller.forget()
    public = await plane.loop.create_server(lambda: Door(plane), sock=door, backlog=BACKLOG)
    control_server = HttpServer(Control(plane, Epochs(arguments.info.with_name("epoch")), teller))
    control = await listen_unix(control_server, arguments.control, replaces=before is not None)
    beat = asyncio.create_task(plane.beat())
    keeping = asyncio.create_task(table.uses.run(lambda: table.seen().values()))
    write_info(arguments.info, port, f"http://{arguments.host}:{port}")
    replaced = asyncio.Event()
    giver = Giver(door, own_of(arguments.control), replaced.set)
    if before is not None:
        before.replace()
    try:
        ends = {asyncio.ensure_future(stop_signal()), asyncio.ensure_future(replaced.wait())}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        giver.close()
        public.close()
        telling = asyncio.create_task(teller.keep_telling())
        await plane.drain(arguments.grace, is_followed=replaced.is_set() or bool(beside(arguments.control)))
        keeping.cancel()
        await table.uses.keep(table.seen().values())
        await plane.close(PAYLOADS_S)
        telling.cancel()
        teller.close(is_followed=replaced.is_set())
        await control_server.drain([control], grace_s=0.5)
    finally:
        beat.cancel()
        keeping.cancel()
        giver.close()
        if is_ours(arguments.info):
            arguments.info.unlink(missing_ok=True)
            arguments.control.unlink(missing_ok=True)
        audit.close()


if __name__ == "__main__":
    sys.exit(main())
