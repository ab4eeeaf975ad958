"""Who sees to it that the planes run? A thread that starts what is missing, at once and for as long as it takes."""

import threading
from collections.abc import Callable, Mapping

from weyr.core.diagnostic import EngineError
from weyr.engines.local.planes import Plane

Log = Callable[..., None]

LOOK_EVERY_S = 0.5
RETRY_MAX_S = 30.0


class Supervisor:
    """Keeps planes up; `on_started` is told of each start, the first ones included."""

    def __init__(self, planes: Mapping[str, Plane], log: Log, on_started: Callable[[str], None]) -> None:
        self._planes, self._log, self._on_started = planes, log, on_started
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._keep, args=(name, plane), name=f"keeps {name}", daemon=True)
            for name, plane in planes.items()
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Looks after the planes no more; they go on running."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=20)

    def _keep(self, name: str, plane: Plane) -> None:
        failures = 0
        is_known = False
        while not self._stopping.is_set():
            wait_s = LOOK_EVERY_S
            if not plane.is_wanted:
                is_known = False
            elif plane.running() is None or not is_known:
                try:
                    info = plane.start()
                    is_known, failures = True, 0
                    self._log("plane.running", plane=name, pid=info.pid, url=info.url)
                    self._on_started(name)
                except Exception as e:  # noqa: BLE001 - no process, no disk, no descriptor: later there may be one
                    failures += 1
                    wait_s = min(LOOK_EVERY_S * 2**failures, RETRY_MAX_S)
                    self._log("plane.failed", plane=name, error=str(e) if isinstance(e, EngineError) else repr(e))
            self._stopping.wait(wait_s)
