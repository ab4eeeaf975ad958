"""What do the processes of a plane do? One does everything; or one writes the index and does all that is done beside,
and the others answer requests."""

import asyncio
import logging
import os
import socket
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from weyr.gateway.audit import AuditTrail
from weyr.gateway.s3 import bucket_writes
from weyr.gateway.s3.acceptor import Acceptor
from weyr.gateway.s3.accounts import Accounts
from weyr.gateway.s3.blobs import BlobStore, sync_folder
from weyr.gateway.s3.call import Plane
from weyr.gateway.s3.care.healing import Mender
from weyr.gateway.s3.care.scrub import Scrubber
from weyr.gateway.s3.care.snapshots import Copies
from weyr.gateway.s3.control import Control
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.far_index import Crew, FarIndex, Lines, NearLine
from weyr.gateway.s3.folders.door import mount as mount_folder
from weyr.gateway.s3.http import Site
from weyr.gateway.s3.index import AnyIndex, Index
from weyr.gateway.s3.keeper import READY
from weyr.gateway.s3.keyring import Keyring
from weyr.gateway.s3.lifecycle import Sweeper
from weyr.gateway.s3.logs.delivery import Deliverer
from weyr.gateway.s3.receive import Receiver
from weyr.gateway.s3.remote.mover import EVERY_S, Mover
from weyr.gateway.s3.remote.outside import Outside
from weyr.gateway.s3.remote.own_tiers import url_of
from weyr.gateway.s3.remote.place import PlaceProblem
from weyr.gateway.s3.remote.reach import CACHE, Reach
from weyr.gateway.s3.replication.healer import Replicas
from weyr.gateway.s3.replication.opening import opened
from weyr.gateway.s3.replication.replicator import Replicator
from weyr.gateway.s3.replication.source import key_of
from weyr.gateway.s3.replication.target import Target
from weyr.gateway.s3.service import Service, not_a_request
from weyr.gateway.s3.settings import CannotStart, Settings
from weyr.gateway.s3.shared import Counter, Numbers, Shared
from weyr.gateway.s3.teller import bound, tell_forever
from weyr.wire.epochs import Epochs
from weyr.wire.process import bound_log, follow_log, stop_signal

LOGS = "access"
GRACE_S = 10.0
TIDY_EVERY_S = 5.0
ANEW_S = 5.0

log = logging.getLogger("weyr.s3")

Work = Callable[[], Coroutine[None, None, None]]


@dataclass(frozen=True, slots=True)
class Common:
    """What every process of the plane begins with; it is there before they are forked."""

    settings: Settings
    accounts: Accounts
    keyring: Keyring
    listener: socket.socket
    url: str
    shared: Shared
    log: Path | None


async def alone(common: Common, ready: Callable[[], None]) -> None:
    """Everything in one process."""
    blobs = BlobStore(common.settings.data)
    async with _writing(common, blobs) as (plane, _, _), _answering(common, plane, 0):
        stop = asyncio.ensure_future(stop_signal())
        await asyncio.sleep(0)  # from here on a signal ends us in order
        ready()
        await stop


async def write(common: Common, hand: socket.socket) -> None:
    """The process that writes the index, for the workers that come by `hand`, and does all that is done beside."""
    loop = asyncio.get_running_loop()
    blobs = BlobStore(common.settings.data, Numbers(common.shared))
    common.listener.close()
    async with _writing(common, blobs) as (_, index, crew):
        lines = Lines(hand, lambda name: crew.joined(NearLine(index, blobs, name)), loop)
        hand.send(READY)
        await stop_signal()
        lines.close()


async def answer(common: Common, place: int, name: str, line: socket.socket) -> None:
    """A worker."""
    loop = asyncio.get_running_loop()
    data = common.settings.data
    blobs, index = BlobStore(data, Numbers(common.shared), name), FarIndex(data, loop)
    await loop.create_unix_connection(lambda: index.line, sock=line)
    plane = _plane(common, index, blobs)
    index.flushed = partial(plane.counters.flush, index)
    async with _answering(common, plane, place):
        await stop_signal()
    _close(plane)


@asynccontextmanager
async def _writing(common: Common, blobs: BlobStore) -> AsyncIterator[tuple[Plane, Index, Crew]]:
    """The index is written, the control socket is listened on, and what is done in the background goes on."""
    settings, loop = common.settings, asyncio.get_running_loop()
    try:
        index = Index(settings.data, blobs, loop)
        plane = _plane(common, index, blobs)
        # The names of what was just made must be on disk before anything in them is acknowledged.
        for folder in (settings.data, settings.data.parent):
            with suppress(PermissionError):  # a folder above ours may be closed to us; then its names are not new
                sync_folder(folder)
    except (OSError, sqlite3.Error) as e:
        raise CannotStart(f"{settings.data} cannot be opened: {e}") from e
    targets = _targets(settings, loop)
    index.start()
    await _prepare_outside(plane, settings.reach)
    await _prepare_folders(plane, settings)
    control, crew = None, Crew()
    sites: list[Site] = []
    if settings.control is not None:
        epochs = Epochs((settings.info or settings.control).with_name("epoch"))
        steering = Site(Control(plane, index, common.shared, common.url, epochs, crew).handle, Counter(Shared(1), 0))
        settings.control.unlink(missing_ok=True)
        control = await loop.create_unix_server(steering.connect, path=str(settings.control))
        os.chmod(settings.control, 0o600)
        sites.append(steering)
    copies = Copies(settings.data, lambda: index.commits, plane.clock)
    works = [*_background(plane, index, blobs, settings, sites, targets), copies.run]
    background = [loop.create_task(kept_up(work)) for work in works]
    yield plane, index, crew
    for task in background:
        task.cancel()
    if control is not None:
        control.close()
    for site in sites:
        await site.stop(1.0)
    for target in targets.values():
        target.close()
    _close(plane)
    copies.copy_at_stop()
    if settings.control is not None:
        settings.control.unlink(missing_ok=True)


def _background(
    plane: Plane,
    index: Index,
    blobs: BlobStore,
    settings: Settings,
    sites: list[Site],
    targets: Mapping[str, Target],
) -> Iterator[Work]:
    """All that goes on beside the answering. There is one process that does it, that which writes the index."""
    yield partial(Sweeper(index, plane.clock, plane.day_s).run, settings.sweep_every_s)
    yield Scrubber(index, blobs, plane.clock, settings.scrub_every_s).run
    yield partial(_tidy, index, blobs, sites)
    yield Deliverer(plane, plane.logs, plane.logs_every_s).run
    for name, url in settings.webhooks.items():
        yield partial(tell_forever, index, name, url, plane.clock)
    yield Mover(plane, min(EVERY_S, settings.sweep_every_s)).run
    yield Replicator(plane, targets).run
    yield Mender(index, blobs, Replicas(index, targets), partial(key_of, plane)).run


async def kept_up(work: Work, anew_s: float = ANEW_S) -> None:
    """Begins what goes on beside the answering anew where a fault of ours ended it: nobody waits for it, so that, say,
    nothing would expire any more and nobody would know."""
    while True:
        try:
            return await work()
        except Exception:  # the edge of a task
            log.exception("s3.bug in %r, which begins anew", work)
        await asyncio.sleep(anew_s)


def _targets(settings: Settings, loop: asyncio.AbstractEventLoop) -> dict[str, Target]:
    try:
        return opened(settings.replicas, settings.remote_environment, settings.reach.keys, settings.data, loop)
    except PlaceProblem as e:
        raise CannotStart(f"{e}.") from e


@asynccontextmanager
async def _answering(common: Common, plane: Plane, place: int) -> AsyncIterator[None]:
    """Connections are taken and requests answered."""
    counter = Counter(common.shared, place)
    site = Site(Service(plane, place).handle, counter, not_a_request)
    acceptor = Acceptor(common.listener, site)
    beside = [partial(_tidy_site, common, plane, site), partial(plane.counters.run, plane.index)]
    tasks = [asyncio.get_running_loop().create_task(kept_up(work)) for work in beside]
    yield
    for task in tasks:
        task.cancel()
    acceptor.close()
    await site.stop(GRACE_S)
    await plane.counters.flush(plane.index)


def _plane(common: Common, index: AnyIndex, blobs: BlobStore) -> Plane:
    settings = common.settings
    return Plane(
        index,
        blobs,
        Receiver(blobs, asyncio.get_running_loop()),
        common.accounts,
        AuditTrail(settings.audit, "s3"),
        common.keyring,
        region=settings.region,
        outside=Outside(settings.reach, settings.data / CACHE, partial(url_of, index)),
        folders=settings.folders,
        day_s=settings.day_s,
        webhooks=settings.webhooks,
        replicas=settings.replicas,
        domains=settings.domains,
        logs=settings.data / LOGS,
        logs_every_s=settings.logs_every_s,
    )


def _close(plane: Plane) -> None:
    plane.outside.close()
    plane.receiver.close()
    plane.index.close()
    plane.blobs.close()
    plane.audit.close()


async def _tidy(index: Index, blobs: BlobStore, sites: list[Site]) -> None:
    while True:
        await asyncio.sleep(TIDY_EVERY_S)
        bound_log()
        for site in sites:
            site.close_stalled()
        blobs.remove(())  # those that had to stay while somebody copied
        with suppress(OSError, sqlite3.Error, S3Error):  # where the index does not answer, others say so
            await bound(index)


async def _tidy_site(common: Common, plane: Plane, site: Site) -> None:
    while True:
        await asyncio.sleep(TIDY_EVERY_S)
        follow_log(common.log)
        site.close_stalled()
        plane.blobs.remove(())
        site.count.audit_lost = plane.audit.lost


async def _prepare_folders(plane: Plane, settings: Settings) -> None:
    """Makes the buckets that are folders of plain files. Raises: CannotStart."""
    for name, path in settings.folders.items():
        now_ms, owner = int(plane.clock() * 1000), settings.reach.owner
        try:
            await plane.index.write(partial(mount_folder, name=name, owner=owner, path=str(path), now_ms=now_ms))
        except S3Error as e:
            raise CannotStart(f"The bucket {name} cannot be the folder {path}: {e.message}") from e


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
