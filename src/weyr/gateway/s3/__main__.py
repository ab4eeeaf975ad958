"""The S3 plane's process: `python -m weyr.gateway.s3 --data DIR --credentials FILE --audit FILE --control SOCKET …`."""

import argparse
import asyncio
import fcntl
import gc
import json
import logging
import os
import resource
import signal
import socket
import sqlite3
import sys
import time
from pathlib import Path

import uvloop

from weyr.gateway.audit import AuditTrail
from weyr.gateway.credentials import Credentials
from weyr.gateway.s3.blobs import BlobStore, sync_folder
from weyr.gateway.s3.call import Plane
from weyr.gateway.s3.control import Control
from weyr.gateway.s3.http import Site
from weyr.gateway.s3.index import Index
from weyr.gateway.s3.lifecycle import sweep_forever
from weyr.gateway.s3.receive import Receiver
from weyr.gateway.s3.service import Service

BACKLOG = 2048
GRACE_S = 10.0
STALLED_CHECK_S = 5.0
SWITCH_S = 0.0005
"""Threads hash and commit beside the loop; at Python's own 5 ms each hand-over would show in every answer."""

log = logging.getLogger("weyr.s3")


class CannotStart(Exception):
    """The plane cannot start here; the message is for the user."""


def main(arguments: list[str] | None = None) -> int:
    """Runs until SIGTERM or SIGINT. Gives 0 after a clean stop, 1 where it could not start."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    sys.setswitchinterval(SWITCH_S)
    options = _parser().parse_args(arguments)
    _, files_max = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files_max, files_max))
    # What is loaded by now stays for good, so the collector need not look at it again and again.
    gc.freeze()
    os.umask(0o077)
    try:
        uvloop.run(_run(options))
    except CannotStart as e:
        print(f"error: The S3 plane cannot start\n  {e}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m weyr.gateway.s3", description="The S3 plane of weyr.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the buckets' data")
    parser.add_argument("--credentials", type=Path, required=True, help="credentials.json: who may call")
    parser.add_argument("--audit", type=Path, required=True, help="file that refusals are appended to")
    parser.add_argument("--control", type=Path, required=True, help="Unix socket to be steered through")
    parser.add_argument("--info", type=Path, required=True, help="file to write pid, port and url to when ready")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one")
    parser.add_argument("--sweep-every-s", type=float, default=10.0, help="how often expired objects are looked for")
    return parser


async def _run(options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    lock = _locked(options.data)
    listener = _listener(options.host, options.port)
    plane = _plane(options, loop)
    url = f"http://{options.host}:{listener.getsockname()[1]}"
    public = Site(Service(plane).handle)
    steering = Site(Control(plane, public, url).handle)
    plane.index.start()
    options.control.unlink(missing_ok=True)
    control = await loop.create_unix_server(steering.connect, path=str(options.control))
    os.chmod(options.control, 0o600)
    server = await loop.create_server(public.connect, sock=listener, backlog=BACKLOG)
    background = [
        loop.create_task(sweep_forever(plane.index, options.sweep_every_s, plane.clock)),
        loop.create_task(_end_stalled(public, steering)),
    ]
    _announce(options.info, url, listener.getsockname()[1])
    log.info("s3.ready url=%s", url)

    stop = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    await stop.wait()

    for task in background:
        task.cancel()
    server.close()
    control.close()
    await public.stop(GRACE_S)
    await steering.stop(1.0)
    plane.receiver.close()
    plane.index.close()
    plane.blobs.close()
    plane.audit.close()
    for path in (options.info, options.control):
        path.unlink(missing_ok=True)
    os.close(lock)
    log.info("s3.stopped")


def _locked(folder: Path) -> int:
    """Takes the data folder for this process alone. Raises: CannotStart."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as e:
        raise CannotStart(f"Another S3 plane has {folder} open. Stop it first.") from e
    except OSError as e:
        raise CannotStart(f"{folder} cannot be written: {e}") from e
    return descriptor


def _listener(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as e:
        raise CannotStart(f"{host}:{port} cannot be listened on: {e.strerror}. Choose another port.") from e
    return listener


def _plane(options: argparse.Namespace, loop: asyncio.AbstractEventLoop) -> Plane:
    try:
        blobs = BlobStore(options.data)
        index = Index(options.data, blobs, loop)
        audit = AuditTrail(options.audit, "s3")
        # The names of what was just made must be on disk before anything in them is acknowledged.
        for folder in (options.data, options.data.parent):
            sync_folder(folder)
    except (OSError, sqlite3.Error) as e:
        raise CannotStart(f"{options.data} cannot be opened: {e}") from e
    return Plane(index, blobs, Receiver(blobs, loop), Credentials(options.credentials), audit)


async def _end_stalled(*sites: Site) -> None:
    while True:
        await asyncio.sleep(STALLED_CHECK_S)
        for site in sites:
            site.close_stalled()


def _announce(path: Path, url: str, port: int) -> None:
    """Says that connections are accepted, in one rename."""
    started = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    text = json.dumps({"pid": os.getpid(), "started": started, "port": port, "url": url, "at": time.time()})
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    os.replace(temporary, path)


if __name__ == "__main__":
    sys.exit(main())
