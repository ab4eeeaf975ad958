"""How does the S3 plane run? One start for both: the process beside a stack, and `weyr s3 serve`."""

import asyncio
import fcntl
import gc
import logging
import os
import resource
import signal
import socket
import sqlite3
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import uvloop

from weyr.gateway.audit import AuditTrail
from weyr.gateway.s3 import bucket_writes
from weyr.gateway.s3.accounts import Accounts
from weyr.gateway.s3.blobs import BlobStore, sync_folder
from weyr.gateway.s3.call import REGION, Plane
from weyr.gateway.s3.control import Control
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.http import Site
from weyr.gateway.s3.index import Index
from weyr.gateway.s3.keyring import KeysUnusable, keyring_of
from weyr.gateway.s3.lifecycle import Sweeper
from weyr.gateway.s3.receive import Receiver
from weyr.gateway.s3.remote.outside import Outside
from weyr.gateway.s3.remote.reach import CACHE, NOWHERE, Reach
from weyr.gateway.s3.service import Service
from weyr.gateway.s3.teller import bound, tell_forever
from weyr.wire.epochs import Epochs
from weyr.wire.process import bound_log, write_info

BACKLOG = 2048
KEYS = "keys.json"
GRACE_S = 10.0
TIDY_EVERY_S = 5.0
SWITCH_S = 0.0005
"""Threads hash and commit beside the loop; at Python's own 5 ms each hand-over would show in every answer."""

log = logging.getLogger("weyr.s3")


class CannotStart(Exception):
    """The plane cannot start here; the message is for the user."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the plane keeps its data, and where it listens. `port` 0 takes a free one."""

    data: Path
    audit: Path
    host: str = "127.0.0.1"
    port: int = 0
    region: str = REGION
    control: Path | None = None
    """Unix socket to be steered through."""
    info: Path | None = None
    """File to write pid, port and url to once connections are accepted."""
    keys: Path | None = None
    """File of the keys that wrap those of buckets; `keys.json` among the data where it is not said."""
    named_keys: tuple[str, ...] = ()
    """Names of keys that objects may ask for."""
    sweep_every_s: float = 10.0
    day_s: float = 86_400.0
    """How long a day of a lifecycle rule lasts."""
    webhooks: Mapping[str, str] = field(default_factory=dict)
    """Name → URL of those that buckets may tell of their objects."""
    reach: Reach = NOWHERE
    """The places elsewhere."""
    domains: tuple[str, ...] = ()
    """Under which a host's name begins with a bucket's, beside those of the own machine."""


def serve(settings: Settings, accounts: Accounts, ready: Callable[[str], None]) -> None:
    """Runs until SIGTERM or SIGINT; calls `ready` with the URL once connections are accepted. Raises: CannotStart."""
    sys.setswitchinterval(SWITCH_S)
    _, files_max = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files_max, files_max))
    # What is loaded by now stays for good, so the collector need not look at it again and again.
    gc.freeze()
    os.umask(0o077)
    try:
        uvloop.run(_run(settings, accounts, ready))
    except (OSError, sqlite3.Error) as e:
        raise CannotStart(f"{settings.data} cannot be used: {e}") from e


async def _run(settings: Settings, accounts: Accounts, ready: Callable[[str], None]) -> None:
    loop = asyncio.get_running_loop()
    lock = _locked(settings.data)
    listener = _listener(settings.host, settings.port)
    plane = _plane(settings, accounts, loop)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{host}:{listener.getsockname()[1]}"
    public = Site(Service(plane).handle)
    sites = [public]
    plane.index.start()
    await _prepare_outside(plane, settings.reach)
    control = None
    if settings.control is not None:
        steering = Site(
            Control(plane, public, url, Epochs((settings.info or settings.control).with_name("epoch"))).handle
        )
        sites.append(steering)
        settings.control.unlink(missing_ok=True)
        control = await loop.create_unix_server(steering.connect, path=str(settings.control))
        os.chmod(settings.control, 0o600)
    server = await loop.create_server(public.connect, sock=listener, backlog=BACKLOG)
    background = [
        loop.create_task(Sweeper(plane.index, plane.clock, plane.day_s).run(settings.sweep_every_s)),
        loop.create_task(_tidy(plane, *sites)),
        *(loop.create_task(tell_forever(plane.index, *webhook, plane.clock)) for webhook in settings.webhooks.items()),
    ]
    if settings.info is not None:
        write_info(settings.info, listener.getsockname()[1], url)
    stop = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    log.info("s3.ready url=%s", url)
    ready(url)
    await stop.wait()

    for task in background:
        task.cancel()
    server.close()
    if control is not None:
        control.close()
    for site in sites:
        await site.stop(GRACE_S if site is public else 1.0)
    plane.outside.close()
    plane.receiver.close()
    plane.index.close()
    plane.blobs.close()
    plane.audit.close()
    for path in (settings.info, settings.control):
        if path is not None:
            path.unlink(missing_ok=True)
    os.close(lock)
    log.info("s3.stopped")


async def _prepare_outside(plane: Plane, reach: Reach) -> None:
    """Makes the buckets that are elsewhere, and tidies what is cached of them. Raises: CannotStart."""
    plane.outside.recover()
    for name, place in reach.buckets.items():
        now_ms = int(plane.clock() * 1000)
        try:
            await plane.index.write(
                partial(bucket_writes.mount, name=name, owner=reach.owner, url=place.given, now_ms=now_ms)
            )
        except S3Error as e:
            raise CannotStart(f"The bucket {name} cannot be at {place.url}: {e.message}") from e


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


def _plane(settings: Settings, accounts: Accounts, loop: asyncio.AbstractEventLoop) -> Plane:
    try:
        keyring = keyring_of(settings.keys or settings.data / KEYS, settings.named_keys, settings.data)
        blobs = BlobStore(settings.data)
        index = Index(settings.data, blobs, loop)
        audit = AuditTrail(settings.audit, "s3")
        # The names of what was just made must be on disk before anything in them is acknowledged.
        for folder in (settings.data, settings.data.parent):
            with suppress(PermissionError):  # a folder above ours may be closed to us; then its names are not new
                sync_folder(folder)
    except KeysUnusable as e:
        raise CannotStart(str(e)) from e
    except (OSError, sqlite3.Error) as e:
        raise CannotStart(f"{settings.data} cannot be opened: {e}") from e
    return Plane(
        index,
        blobs,
        Receiver(blobs, loop),
        accounts,
        audit,
        keyring,
        region=settings.region,
        outside=Outside(settings.reach, settings.data / CACHE),
        day_s=settings.day_s,
        webhooks=settings.webhooks,
        domains=settings.domains,
    )


async def _tidy(plane: Plane, *sites: Site) -> None:
    while True:
        await asyncio.sleep(TIDY_EVERY_S)
        bound_log()
        for site in sites:
            site.close_stalled()
        plane.blobs.remove(())  # those that had to stay while somebody copied
        with suppress(OSError, sqlite3.Error, S3Error):  # where the index does not answer, others say so
            await bound(plane.index)
