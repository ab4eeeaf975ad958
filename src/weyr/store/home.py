"""Where does everything lie? The data folder: its names, its rights, and who may hold it."""

import fcntl
import hashlib
import os
import shutil
import tempfile
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from weyr.core.diagnostic import Diagnostic, UserError

SOCKET_PATH_MAX = 107
"""Linux keeps 108 bytes for a Unix socket's path, the last of them for the end mark."""

LOCK = "server.lock"
LONGEST_SOCKET_NAME = 60
"""Room for what engines call their sockets inside the socket folder."""


@dataclass(frozen=True, slots=True)
class Home:
    """The names inside one data folder. Nothing here creates anything but `prepare`."""

    path: Path

    @property
    def database(self) -> Path:
        return self.path / "store.db"

    @property
    def credentials(self) -> Path:
        return self.path / "credentials.json"

    @property
    def api_keys(self) -> Path:
        return self.path / "api-keys.json"

    @property
    def route_uses(self) -> Path:
        """What was asked of each route."""
        return self.path / "uses" / "routes"

    @property
    def function_uses(self) -> Path:
        """How often each function was called."""
        return self.path / "uses" / "functions"

    @property
    def limits(self) -> Path:
        """What callers of endpoints have used of their limits."""
        return self.path / "limits.table"

    @property
    def routes(self) -> Path:
        return self.path / "routes.json"

    @property
    def grpc(self) -> Path:
        """Which endpoints are asked over gRPC too."""
        return self.path / "grpc.json"

    @property
    def functions(self) -> Path:
        return self.path / "functions.json"

    @property
    def events(self) -> Path:
        return self.path / "events" / "events.db"

    @property
    def ports(self) -> Path:
        return self.path / "ports.json"

    @property
    def objects(self) -> Path:
        return self.path / "s3"

    @property
    def tasks(self) -> Path:
        return self.path / "tasks"

    @property
    def nodes(self) -> Path:
        return self.path / "nodes"

    @property
    def engines(self) -> Path:
        return self.path / "engines"

    @property
    def cache(self) -> Path:
        return self.path / "cache"

    @property
    def spool(self) -> Path:
        """Payload logs on their way into buckets."""
        return self.path / "spool"

    @property
    def notices(self) -> Path:
        return self.path / "notices"

    @property
    def audit(self) -> Path:
        return self.path / "audit"

    @property
    def run(self) -> Path:
        return self.path / "run"

    def info(self, process: str) -> Path:
        """Where a process says that it runs, and where it listens."""
        return self.run / f"{process}.json"

    def log(self, process: str) -> Path:
        return self.path / "logs" / f"{process}.log"

    @property
    def sockets(self) -> Path:
        """A folder whose path is short enough for sockets: inside the data folder where that fits.

        Else one in the system's folder for temporary files, named after the data folder and its owner.
        """
        inside = self.run / "sockets"
        if len(os.fsencode(inside)) + LONGEST_SOCKET_NAME <= SOCKET_PATH_MAX:
            return inside
        name = hashlib.sha256(os.fsencode(self.path.resolve())).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"weyr-{os.geteuid()}-{name}"

    def identity(self) -> str:
        """A name that no other data folder has, made on first use. Raises: UserError."""
        file = self.path / "folder.id"
        try:
            with suppress(FileExistsError), open(file, "x") as made:
                made.write(f"{uuid.uuid4().hex}\n")
                made.flush()
                os.fsync(made.fileno())
            return file.read_text().strip()
        except OSError as e:
            raise UserError(unusable(self.path, f"{e.filename}: {e.strerror}.")) from e

    def holder(self) -> int | None:
        """The process that took the folder's lock last."""
        try:
            return int((self.run / LOCK).read_text())
        except (OSError, ValueError):
            return None

    def drop_sockets(self) -> None:
        """Removes every socket, those of killed processes too: for when nothing listens any more."""
        if self.path not in self.sockets.parents:
            shutil.rmtree(self.sockets, ignore_errors=True)
            return
        for left in self.sockets.glob("*"):
            if left.is_dir():  # a task's own
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)

    def prepare(self) -> None:
        """Makes the folder and what is missing in it, for its owner alone.

        Raises: UserError where it belongs to somebody else or cannot be written.
        """
        folders = [self.path, self.run, self.path / "logs", self.audit, self.sockets, self.tasks, self.cache]
        for folder in folders:
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                owner = folder.stat().st_uid
            except OSError as e:
                raise UserError(unusable(self.path, f"{e.filename}: {e.strerror}.")) from e
            if owner != os.geteuid():
                raise UserError(_foreign(folder, owner))
        self._check_writable()

    def _check_writable(self) -> None:
        # Asking for the rights is not enough: a read-only mount refuses even root, and only at the write.
        probe = self.run / f".probe-{os.getpid()}"
        try:
            probe.touch()
            probe.unlink()
        except OSError as e:
            raise UserError(unusable(self.path, f"{e.filename}: {e.strerror}.")) from e


class HomeLock:
    """Holds a data folder for one server. The kernel lets go of it when the process dies, however it dies."""

    def __init__(self, home: Home) -> None:
        """Raises: UserError where another process holds the folder."""
        self._file = os.open(home.run / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            holder = os.pread(self._file, 32, 0).decode().strip()
            os.close(self._file)
            raise UserError(_taken(home.path, holder)) from e
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        os.close(self._file)


def unusable(path: Path, why: str) -> Diagnostic:
    """What to say where the data folder cannot be written."""
    detail = f"{why} Weyr keeps everything it knows in {path} and must be able to write there."
    return Diagnostic("The data folder cannot be used", detail, suggestion="weyr --home ~/another-folder server start")


def _foreign(path: Path, owner: int) -> Diagnostic:
    detail = f"{path} belongs to user {owner}, and this is user {os.geteuid()}. What one user runs is not another's."
    return Diagnostic(
        "The data folder belongs to somebody else", detail, suggestion="weyr --home ~/another-folder server start"
    )


def _taken(path: Path, holder: str) -> Diagnostic:
    detail = (
        f"{path} is held by another server (process {holder or 'unknown'}). Two servers on one folder would undo "
        "each other's work."
    )
    return Diagnostic("The data folder is in use", detail, suggestion="weyr server status")
