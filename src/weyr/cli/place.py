"""Where is the server of a data folder, and is it alive? What the folder's small files say.

A process is known by its id and the moment it started, so that a process id that the kernel gave
to somebody else is never taken for the server.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from weyr.core.diagnostic import Diagnostic, UserError

PROCESSES = ("server", "s3", "inference", "functions", "grpc", "launcher")


@dataclass(frozen=True, slots=True)
class Process:
    """A process of Weyr's as it wrote itself down when it was ready."""

    name: str
    pid: int
    started: int
    port: int = 0
    url: str = ""
    is_auto: bool = False

    @property
    def is_alive(self) -> bool:
        """Whether this very process still runs."""
        ticks = start_ticks(self.pid)
        return ticks is not None and (not self.started or ticks == self.started)


def recorded(home: Path, name: str) -> Process | None:
    """What `run/<name>.json` says, whether or not it is still true; None where it says nothing."""
    try:
        fields = json.loads((home / "run" / f"{name}.json").read_text(encoding="utf-8"))
        return Process(
            name,
            int(fields["pid"]),
            int(fields.get("started") or 0),
            int(fields.get("port") or 0),
            str(fields.get("url") or ""),
            bool(fields.get("auto")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def running(home: Path, name: str = "server") -> Process | None:
    """The process of that name if it lives."""
    process = recorded(home, name)
    return process if process is not None and process.is_alive else None


def standbys(home: Path) -> list[Process]:
    """The servers that wait to take over."""
    names = sorted(file.stem for file in (home / "run").glob("standby-*.json"))
    return [process for name in names if (process := running(home, name))]


def start_ticks(pid: int) -> int | None:
    """When a process started, in the kernel's ticks; 0 where the system does not say, None if there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except FileNotFoundError:
        return None if os.path.isdir("/proc/self") else _signalled(pid)
    except OSError:
        return None
    # Field 3 is the state; a zombie has ended, only its parent has not looked yet.
    return None if fields[0] == "Z" else int(fields[19])


def _signalled(pid: int) -> int | None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return 0
    return 0


def admin_token(home: Path) -> str:
    """The administrator's token of a data folder. Raises: UserError where it cannot be read."""
    path = home / "admin.token"
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError as e:
        raise UserError(
            Diagnostic(
                "No admin token",
                f"{path} is missing, so this command cannot prove who calls. The server writes it on its first start.",
                suggestion=f"weyr --home {home} server start",
            )
        ) from e
    except OSError as e:
        raise UserError(
            Diagnostic(
                "The admin token cannot be read",
                f"{path}: {e.strerror}. The data folder belongs to whoever started the server; only they may use it.",
                suggestion=f"ls -ld {home}",
            )
        ) from e
