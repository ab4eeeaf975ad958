"""The functions plane's process: `python -m weyr.gateway.functions`. It goes on when the server is down."""

import argparse
import asyncio
import logging
import sqlite3
import sys
from pathlib import Path

import uvloop

from weyr.gateway.functions.control import Control
from weyr.gateway.functions.plane import Plane
from weyr.gateway.functions.store import EventStore
from weyr.wire.counters import Counters
from weyr.wire.epochs import Epochs
from weyr.wire.process import allow_many_files, listen_unix, stop_signal, write_info
from weyr.wire.server import HttpServer


def main() -> int:
    """Exit status 0 after a stop that was asked for, 1 where the plane could not begin."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    arguments = _parser().parse_args()
    allow_many_files()
    try:
        uvloop.run(_serve(arguments))
    except (OSError, sqlite3.Error) as e:
        print(f"the functions plane cannot start: {e}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m weyr.gateway.functions", description="Serve functions.")
    parser.add_argument("--functions", type=Path, required=True, help="the file of functions to follow")
    parser.add_argument("--events", type=Path, required=True, help="the file that events wait in")
    parser.add_argument("--uses", type=Path, help="the folder where invocations are counted")
    parser.add_argument("--doorbell", type=Path, required=True, help="whom to tell that a function is wanted")
    parser.add_argument("--control", type=Path, required=True, help="the Unix socket for Weyr itself")
    parser.add_argument("--info", type=Path, required=True, help="where to say that this process runs")
    parser.add_argument("--grace", type=float, default=30.0, help="seconds for calls under way after SIGTERM")
    return parser


async def _serve(arguments: argparse.Namespace) -> None:
    store = EventStore(arguments.events)
    plane = Plane(arguments.functions, store, arguments.doorbell, Counters(arguments.uses))
    server = HttpServer(Control(plane, Epochs(arguments.info.with_name("epoch"))))
    control = await listen_unix(server, arguments.control)
    await plane.reload()
    beat = asyncio.create_task(plane.beat())
    write_info(arguments.info, 0, f"unix:{arguments.control}")
    try:
        await stop_signal()
        await plane.drain(arguments.grace)
        await server.drain([control], grace_s=0.5)
    finally:
        beat.cancel()
        arguments.info.unlink(missing_ok=True)
        arguments.control.unlink(missing_ok=True)
        store.close()


if __name__ == "__main__":
    sys.exit(main())
