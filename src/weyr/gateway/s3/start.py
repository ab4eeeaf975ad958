"""How does the S3 plane run? One start for both: the process beside a stack, and `weyr s3 serve`."""

import errno
import fcntl
import gc
import logging
import os
import resource
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import uvloop

from weyr.gateway.s3.accounts import Accounts
from weyr.gateway.s3.keeper import FirstFailed, Keeper
from weyr.gateway.s3.keyring import KeysUnusable, keyring_of
from weyr.gateway.s3.roles import Common, alone, answer, write
from weyr.gateway.s3.settings import CannotStart, Settings
from weyr.gateway.s3.shared import Shared
from weyr.wire.process import log_file, write_info

__all__ = ["CannotStart", "Settings", "serve", "usual_workers"]

BACKLOG = 2048
KEYS = "keys.json"
WORKERS_MAX = 64
WORKERS_USUAL_MAX = 4
LEFT_S = 1.0
"""How long a process that was killed may still hold the lock or the port."""
SWITCH_S = 0.0005
"""Threads hash and commit beside the loop; at Python's own 5 ms each hand-over would show in every answer."""

log = logging.getLogger("weyr.s3")


def usual_workers() -> int:
    """A worker for each core that we may use, at most four: one takes about 8 MB of its own (2026-11)."""
    return min(WORKERS_USUAL_MAX, len(os.sched_getaffinity(0)))


def serve(settings: Settings, accounts: Accounts, ready: Callable[[str], None]) -> None:
    """Runs until SIGTERM or SIGINT; calls `ready` with the URL once connections are accepted. Raises: CannotStart."""
    sys.setswitchinterval(SWITCH_S)
    _, files_max = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files_max, files_max))
    os.umask(0o077)
    lock = _locked(settings.data)
    listener = _listener(settings.host, settings.port)
    try:
        keyring = keyring_of(settings.keys or settings.data / KEYS, settings.named_keys, settings.data)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        url, shared = f"http://{host}:{listener.getsockname()[1]}", Shared(settings.workers)
        common = Common(settings, accounts, keyring, listener, url, shared, log_file())
        _run(common, lock, lambda: _say_ready(common, ready))
    except KeysUnusable as e:
        raise CannotStart(str(e)) from e
    except (OSError, sqlite3.Error) as e:
        raise CannotStart(f"{settings.data} cannot be used: {e}") from e
    finally:
        listener.close()
        os.close(lock)
    if settings.info is not None:
        settings.info.unlink(missing_ok=True)
    log.info("s3.stopped")


def _run(common: Common, lock: int, ready: Callable[[], None]) -> None:
    if common.settings.workers == 1:
        # What is loaded by now stays for good, so the collector need not look at it again and again.
        gc.freeze()
        uvloop.run(alone(common, ready))
        return

    def worker(place: int, name: str, line: socket.socket) -> None:
        # The lock is held until nobody is left who writes, and by nobody else.
        os.close(lock)
        uvloop.run(answer(common, place, name, line))

    def first(hand: socket.socket) -> None:
        try:
            uvloop.run(write(common, hand))
        except (CannotStart, OSError, sqlite3.Error) as e:
            hand.send(str(e).encode())
            raise

    def ended(place: int) -> None:
        tally = common.shared.of(place)
        tally.connections = 0
        common.shared.put(place, tally)

    try:
        Keeper(first, worker, common.settings.workers, ended).run(ready)
    except FirstFailed as e:
        raise CannotStart(str(e)) from e


def _say_ready(common: Common, ready: Callable[[str], None]) -> None:
    if common.settings.info is not None:
        write_info(common.settings.info, common.listener.getsockname()[1], common.url)
    log.info("s3.ready url=%s", common.url)
    ready(common.url)


def _locked(folder: Path) -> int:
    """Takes the data folder for this process alone. Raises: CannotStart."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        _patiently(lambda: fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB))
    except BlockingIOError as e:
        raise CannotStart(f"Another S3 plane has {folder} open. Stop it first.") from e
    except OSError as e:
        raise CannotStart(f"{folder} cannot be written: {e}") from e
    return descriptor


def _listener(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        _patiently(lambda: listener.bind((host, port)))
        listener.listen(BACKLOG)
    except OSError as e:
        listener.close()
        raise CannotStart(f"{host}:{port} cannot be listened on: {e.strerror}. Choose another port.") from e
    return listener


def _patiently(take: Callable[[], None]) -> None:
    """Takes what the processes of a plane that was just killed may hold for another moment. Raises: OSError."""
    deadline = time.monotonic() + LEFT_S
    while True:
        try:
            return take()
        except OSError as e:
            if e.errno not in (errno.EADDRINUSE, errno.EAGAIN) or time.monotonic() > deadline:
                raise
        threading.Event().wait(0.02)
