"""Whom does a verb ask? The running server, one it starts, or the data folder itself."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from weyr.cli.client import Client, HttpClient, ServerGone
from weyr.cli.persons import person_of
from weyr.cli.place import PROCESSES, Process, recorded, running
from weyr.cli.screen import say
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.store.home import Home

START_TIMEOUT_S = 30.0
RIVAL_TIMEOUT_S = 5.0
"""As long as a standby takes to become the server."""
STOP_TIMEOUT_S = 60.0
"""Longer than the longest grace that the server gives a plane to finish what it is doing (30 s)."""
POLL_S = 0.02
LOG_TAIL_LINES = 12


def reader(home: Path) -> Client:
    """Somebody to ask who starts nothing: the server if it runs or is named, else the data folder."""
    server = answering(home)
    if server is not None:
        return server
    # The application and all below it is loaded only where no server answers for it.
    client: Client = import_module("weyr.cli.offline").offline_client(home)
    return client


def answering(home: Path) -> HttpClient | None:
    """The server that a person's token is for, else the one that runs on the data folder; None where none does."""
    person = person_of(home)
    if person is not None:
        return HttpClient(person.server, home, person)
    server = running(home)
    return HttpClient(server, home) if server is not None else None


def writer(home: Path) -> HttpClient:
    """The running server. Raises: UserError where none runs."""
    server = answering(home)
    if server is None:
        raise UserError(
            Diagnostic(
                "No server runs",
                f"This command needs a running server, and none runs on {home}.",
                suggestion="weyr server start",
            )
        )
    return server


def ensured(home: Path, is_auto: bool) -> tuple[HttpClient, bool]:
    """The server, started if it was missing, and whether it was. Raises: UserError, with the end of its log."""
    server = answering(home)
    if server is not None:
        return server, False
    return HttpClient(start(home, is_auto), home), True


@dataclass(frozen=True, slots=True)
class StartOptions:
    """How a server is started; what is empty is as it was the last time, or as it is for everybody."""

    port: int | None = None
    store: str = ""
    is_standby: bool = False
    lease_s: float | None = None
    listen: str = ""
    inference_processes: int | None = None

    def words(self) -> list[str]:
        lease = [] if self.lease_s is None else ["--lease", str(self.lease_s)]
        return [
            *([] if self.port is None else ["--port", str(self.port)]),
            *(["--listen", self.listen] if self.listen else []),
            *([] if (count := self.inference_processes) is None else ["--inference-processes", str(count)]),
            *(["--standby"] if self.is_standby else []),
            *(["--remember"] if self.store else []),
            *lease,
        ]

    def environment(self) -> dict[str, str]:
        """The store's address may hold a password, and everybody can read a command line."""
        return {**os.environ, **({"WEYR_STORE": self.store} if self.store else {})}


AS_ALWAYS = StartOptions()


def start(home: Path, is_auto: bool, options: StartOptions = AS_ALWAYS) -> Process:
    """Starts the server detached and waits until it answers. An automatic one goes when the last stack goes.
    A standby is waited for until it stands by.

    Raises: UserError where the folder cannot be used, and where it ends or is not ready in time.
    """
    # Looked at before its log is opened: nothing is written into a folder that is somebody else's.
    Home(home).prepare()
    log = home / "logs" / "server.log"
    began = time.monotonic()
    try:
        before = log.stat().st_size if log.exists() else 0
        with log.open("ab") as output:
            child = subprocess.Popen(
                [sys.executable, "-m", "weyr.server", "--home", str(home), *(["--auto"] if is_auto else []),
                 *options.words()],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd="/",
                env=options.environment(),
            )  # fmt: skip
    except OSError as e:
        raise UserError(
            Diagnostic(
                "The data folder cannot be used",
                f"{e.filename or home}: {e.strerror}. Weyr keeps everything it knows there and must be able to write.",
                suggestion="weyr --home ~/another-folder server start",
            )
        ) from e
    deadline = began + START_TIMEOUT_S
    while time.monotonic() < deadline:
        server = running(home, f"standby-{child.pid}" if options.is_standby else "server")
        if options.is_standby and server is None:
            server = acting if (acting := running(home)) and acting.pid == child.pid else None
        if server is not None:
            return server
        if child.poll() is not None:
            # It may have given way to another that somebody starts at this moment: that one is as good.
            deadline = min(deadline, time.monotonic() + RIVAL_TIMEOUT_S)
        time.sleep(POLL_S)
    if child.poll() is not None:
        raise _did_not_start(log, before, f"It ended with status {child.returncode} before it was ready.")
    child.terminate()
    raise _did_not_start(log, before, f"It was not ready after {START_TIMEOUT_S:.0f} s and was stopped.")


def stop(client: HttpClient, home: Path) -> None:
    """Stops the server and waits until it and what stops with it are gone. Raises: UserError if it stays."""
    watched = [p for name in PROCESSES if (p := running(home, name))]
    client.call("POST", "/v1/server/stop")
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while client.server.is_alive:
        if time.monotonic() > deadline:
            raise UserError(
                Diagnostic(
                    "The server does not stop",
                    f"Process {client.server.pid} still runs {STOP_TIMEOUT_S:.0f} s after it was asked to stop. "
                    f"Its log is {home / 'logs' / 'server.log'}.",
                    suggestion=f"kill {client.server.pid}",
                )
            )
        time.sleep(POLL_S)
    _say_what_stays([p for p in watched if p.name != "server" and p.is_alive])


def end(process: Process) -> None:
    """Ends a process that has nothing to finish, and waits until it is gone."""
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while process.is_alive and time.monotonic() < deadline:
        time.sleep(POLL_S)


def leftovers(home: Path) -> list[Process]:
    """Processes of Weyr's that live although no server does."""
    return [p for name in PROCESSES if name != "server" and (p := running(home, name))]


def server_of(client: Client) -> HttpClient:
    """The client as one of a server. Raises: ServerGone for one that has none."""
    if isinstance(client, HttpClient):
        return client
    raise ServerGone("No server runs")


def _say_what_stays(processes: list[Process]) -> None:
    if processes:
        names = ", ".join(f"{p.name} ({p.pid})" for p in processes)
        say(f"Still running, as their stacks do: {names}.")


def _did_not_start(log: Path, before: int, what: str) -> UserError:
    try:
        with log.open("rb") as file:
            file.seek(before)
            said = file.read()[-8192:].decode("utf-8", "replace").strip().splitlines()
    except OSError:
        said = []
    told = _told(said)
    if told is not None:
        return UserError(told)
    tail = "\n".join(said[-LOG_TAIL_LINES:])
    said_text = f" The end of its log:\n{tail}" if tail else " It said nothing."
    return UserError(
        Diagnostic("The server did not start", f"{what}{said_text}", suggestion=f"less {log}"),
    )


def _told(lines: list[str]) -> Diagnostic | None:
    """The diagnostic that the server ended with, if its log ends with one: two lines and perhaps a next step."""
    begin = next((i for i in reversed(range(len(lines))) if lines[i].startswith("fatal: ")), None)
    if begin is None:
        return None
    rest = [line.strip() for line in lines[begin + 1 :]]
    steps = [line.removeprefix("try: ") for line in rest if line.startswith("try: ")]
    detail = " ".join(line for line in rest if not line.startswith("try: "))
    return Diagnostic(lines[begin].removeprefix("fatal: "), detail, suggestion=steps[0] if steps else "")


__all__ = ["answering", "ensured", "leftovers", "reader", "recorded", "server_of", "start", "stop", "writer"]
