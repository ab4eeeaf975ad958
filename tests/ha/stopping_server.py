"""The real server, which stops itself (SIGSTOP) once, at a given place, when a file appears.

`stopping_server.py PLACE FILE` and then the server's own arguments. A signal from outside would hit such a place
once in a thousand tries.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from weyr.compose.tenure import TenuredProvider
from weyr.engines.local.launcher_client import LauncherClient
from weyr.server.__main__ import main
from weyr.store.postgres import PostgresServer

PLACES: dict[str, tuple[type, str, bool]] = {
    # Amid a transaction that holds the lock of all writers.
    "amid a write": (PostgresServer, "begin_write", True),
    # After the intent was committed, before the engine is asked and the lease looked at.
    "before an engine is told": (TenuredProvider, "ensure", False),
    # After the lease was looked at: the order is on its way.
    "as an engine is told": (LauncherClient, "_exchange", False),
}


def stop_at(place: str, file: Path) -> None:
    """Makes the process stop at the place, the first time that it gets there with the file in place."""
    owner, name, is_after = PLACES[place]
    real: Callable[..., Any] = getattr(owner, name)

    def stopping(*arguments: Any, **named: Any) -> Any:
        if not is_after:
            stop()
        answer = real(*arguments, **named)
        if is_after:
            stop()
        return answer

    def stop() -> None:
        try:
            file.unlink()
        except FileNotFoundError:
            return
        os.kill(os.getpid(), signal.SIGSTOP)

    setattr(owner, name, stopping)


if __name__ == "__main__":
    stop_at(sys.argv[1], Path(sys.argv[2]))
    del sys.argv[1:3]
    sys.exit(main())
