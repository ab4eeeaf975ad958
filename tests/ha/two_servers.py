"""Two servers on one data folder and one PostgreSQL, and what must hold whatever becomes of the first."""

import json
import subprocess
import sys
import time
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

from one_user import User, until

from weyr.store.place import PostgresUrl

HERE = Path(__file__).parent
TAKEN_OVER_S = 60.0
"""Only bounds a hang. Measured: under a second after a kill and three to four after a stop, on a quiet machine."""

STACK = """
stack: two
buckets: {lake: {}}
jobs:
  steady: {run: "echo steady >> begun; until [ -e finish ]; do sleep 0.1; done"}
"""
MORE = STACK + '  late: {run: "echo late >> begun; until [ -e finish ]; do sleep 0.1; done"}\n'


class Pair:
    """The user, the server that acts first, and the standby."""

    def __init__(self, user: User, store: PostgresUrl) -> None:
        self.user, self.store = user, store
        self.first = 0
        self._child: subprocess.Popen[bytes] | None = None

    def begin(self, stops_at: str = "", through: PostgresUrl | None = None) -> None:
        """Starts the first server, which stops itself at a place or has its own way to the store; then the other."""
        program = (
            [str(HERE / "stopping_server.py"), stops_at, str(self.stop_file)] if stops_at else ["-m", "weyr.server"]
        )
        environment = self.user.environment(WEYR_STORE=(through or self.store).secret_text)
        log = self.user.home / "first.log"
        with log.open("wb") as output:
            self._child = subprocess.Popen(
                [sys.executable, *program, "--home", str(self.user.home)],
                env=environment, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        self.first = self._child.pid
        until(lambda: self.is_served_by(self.first), f"the first server to serve: {log.read_text()}")
        self.user.weyr("server", "start", "--standby", "--store", self.store.secret_text)

    def want(self, text: str) -> None:
        """Applies a stack and does not wait for it, and then until its jobs have begun."""
        until(lambda: self._is_taken(text), "a server to take the stack")
        until(lambda: all(job in self.begun() for job in ("steady", "late") if job in text), "the jobs to begin")

    def _is_taken(self, text: str) -> bool:
        """Whether a server took it. Where one is being exchanged nobody answers, or one that says so: a user would
        try again."""
        with suppress(OSError, ValueError, HTTPException):
            file = str(self.user.write(text))
            status, said = self.user.request("POST", "/v1/plans", {"text": text, "file": file})
            if status < 300:
                status, said = self.user.request("POST", f"/v1/plans/{json.loads(said)['id']}/apply")
            assert status < 300 or status == 503, said
            return status < 300
        return False

    @property
    def stop_file(self) -> Path:
        return self.user.home / "stop-now"

    def is_served_by(self, pid: int) -> bool:
        try:
            return self.user.pid("server") == pid and self.user.request("GET", "/v1/objects")[0] == 200
        except (OSError, ValueError, HTTPException):
            return False

    def take_over_s(self, began: float) -> float:
        """Waits until another server answers; gives how long that took."""

        def is_taken_over() -> bool:
            try:
                return self.user.pid("server") != self.first and self.user.request("GET", "/v1/objects")[0] == 200
            except (OSError, ValueError, HTTPException):
                return False

        until(is_taken_over, "the standby to take over", TAKEN_OVER_S)
        return time.monotonic() - began

    def is_first_alive(self) -> bool:
        assert self._child is not None
        return self._child.poll() is None

    def reap(self) -> None:
        """Takes the first server's exit, which has come."""
        assert self._child is not None
        self._child.wait(90)

    def begun(self) -> list[str]:
        """Which jobs began, each time that one did: they write it down themselves."""
        file = self.user.folder / "begun"
        return sorted(file.read_text().split()) if file.exists() else []

    def check_the_end(self) -> None:
        """The jobs that ran all the while end well, each ran once, and nothing stays."""
        (self.user.folder / "finish").touch()
        for job in ("steady", "late"):
            self.user.until_phase(f"job/{job}", "done")
        assert self.begun() == ["late", "steady"]
        for job in ("steady", "late"):
            told = [event["event"] for event in self.user.events(ref=f"job/{job}")]
            assert (told.count("attempt.started"), told.count("attempt.ended")) == (1, 1), told
        self.user.weyr("down", "--yes")
        self.user.weyr("server", "stop")
        self.user.until_gone()


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped by a signal."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False
