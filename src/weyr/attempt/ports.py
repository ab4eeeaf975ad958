"""Where does a task listen? At ports that it is told, so that replicas of one program can share a machine."""

import json
import random
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FIRST, LAST = 20_000, 32_000
"""Below the range from which Linux takes the ports of outgoing connections: a task may listen some time later."""
TRIES = 100


def port_env(ports: Sequence[int]) -> dict[str, str]:
    """Where the task is to listen: $PORT, and all of them where it has several."""
    return {"PORT": str(ports[0]), "WEYR_PORTS": ",".join(map(str, ports))} if ports else {}


def unused_port() -> int:
    """A port for a task to listen on, that nobody listens on now. Raises: OSError where none is found."""
    for port in random.sample(range(FIRST, LAST), TRIES):
        if is_free(port):
            return port
    raise OSError(f"none of {TRIES} ports tried between {FIRST} and {LAST} is free")


class Rendezvous:
    """Where the first members of gangs on this machine listen: a port for each, which nobody had when it was chosen.

    Takes a file of its own. Made anew for each batch of orders, before which the ports of gangs are free again whose
    first member has no folder any more; so a member that is ordered again comes to the port of the others.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._kept = {name: kept for name, kept in self._read().items() if Path(kept["member"]).is_dir()}

    def port_of(self, name: str, member: Path, at: Sequence[int]) -> int:
        """The port of the gang: the first of `at` that is free where it has none yet. `member` is a member's folder.

        Raises: OSError where none of them is.
        """
        if name not in self._kept:
            taken = {int(kept["port"]) for kept in self._kept.values()}
            port = next((port for port in at if port not in taken and is_free(port)), None)
            if port is None:
                raise OSError(f"none of the {len(at)} ports that {name} could meet at is free")
            self._kept[name] = {"port": port, "member": str(member)}
            new = self._file.with_suffix(".new")
            new.write_text(json.dumps(self._kept))
            new.replace(self._file)
        return int(self._kept[name]["port"])

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            kept: dict[str, dict[str, Any]] = json.loads(self._file.read_text())
        except (FileNotFoundError, ValueError):
            return {}  # nobody is meeting yet; a file that a power cut spoilt is of gangs that it ended
        return kept


def is_free(port: int) -> bool:
    """Whether nobody listens at this port now."""
    with socket.socket() as door:
        try:
            door.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
