"""A real PostgreSQL for tests: started once for each process of a test run, gone with it, one database per test."""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from loopback import free_port

from weyr.store.place import PostgresUrl

START_S = 90.0
PR_SET_PDEATHSIG = 1
PAUSE = threading.Event()
"""Never set: its `wait` is the pause between two looks."""

SETTINGS = {
    # What the machine would lose in a power cut does not matter to a test; what a kill loses does, and that is nothing.
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "32MB",
    "max_connections": "200",
    "log_min_messages": "fatal",
}


@dataclass
class PostgresServer:
    """One cluster in a folder of its own, on a port of its own."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]
    _numbers: Iterator[int] = field(default_factory=count)

    def new_database(self) -> PostgresUrl:
        """An empty database that nobody else uses."""
        name = f"weyr{next(self._numbers)}"
        with self.session("postgres") as session:
            session.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'".encode())
        return self.url(name)

    def url(self, name: str, port: int | None = None) -> PostgresUrl:
        return PostgresUrl.parse(f"postgresql://weyr:pass-word@127.0.0.1:{port or self.port}/{name}")

    def session(self, name: str) -> psycopg.Connection[tuple[object, ...]]:
        """A session beside whoever uses the database."""
        return psycopg.connect(self.url(name).secret_text, autocommit=True)

    def restart(self) -> None:
        """Stops it as an operator would, sessions and all, and starts it again."""
        self.stop()
        self.start()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(START_S)

    def start(self) -> None:
        self.process = _started(self.folder, self.port)


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A cluster of the newest PostgreSQL that this machine has. It does not outlive this process."""
    folder = Path(tempfile.mkdtemp(prefix="weyr-pg-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
    if os.geteuid() == 0:
        shutil.chown(folder, _account(), _account_group())
    port = free_port()
    arguments = ("-D", str(folder / "data"), "-U", "weyr", "-A", "trust", "--encoding=UTF8", "--locale=C", "--no-sync")
    made = subprocess.run([_binary("initdb"), *arguments], capture_output=True, cwd="/", check=False, **_as())
    assert made.returncode == 0, made.stderr.decode()
    server = PostgresServer(folder, port, _started(folder, port))
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def _started(folder: Path, port: int) -> subprocess.Popen[bytes]:
    settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
    command = [_binary("postgres"), "-D", str(folder / "data"), "-p", str(port), "-k", str(folder), *settings]
    log = (folder / "log").open("ab")
    # A test run that is killed takes it along: SIGINT, on which PostgreSQL ends its sessions and itself.
    process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", preexec_fn=_end_with_parent, **_as())
    log.close()
    deadline = time.monotonic() + START_S
    while True:
        try:
            psycopg.connect(f"postgresql://weyr@127.0.0.1:{port}/postgres", connect_timeout=2).close()
        except psycopg.OperationalError:
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, "PostgreSQL did not start"
            PAUSE.wait(0.02)
        else:
            return process


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)


def _binary(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    on_path = shutil.which(name)
    assert found or on_path, f"{name} is missing: apt-get install postgresql"
    return str(found[-1]) if found else str(on_path)


def _account() -> str:
    """PostgreSQL refuses to be root's."""
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _account_group() -> int:
    return pwd.getpwnam(_account()).pw_gid


def _as() -> dict[str, Any]:
    return {"user": _account(), "group": _account_group(), "extra_groups": []} if os.geteuid() == 0 else {}
