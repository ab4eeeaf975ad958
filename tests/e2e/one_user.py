"""One user of Weyr, with a data folder and a stack file: types commands, looks at what they left behind."""

import hashlib
import http.client
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import boto3
import psycopg
from botocore.config import Config
from loopback import listens

from weyr.store.home import Home
from weyr.store.place import PostgresUrl, store_place

T = TypeVar("T")
PAUSE = threading.Event()
"""Never set: its `wait` is the pause between two looks."""
WITHIN_S = 120.0
"""Only bounds a hang: what is waited for here takes a few seconds, on two slow cores with neighbours up to forty."""

LOOK_S_MAX = 0.1
"""The longest pause between two looks."""


def until(question: Callable[[], T], what: str, within_s: float = WITHIN_S) -> T:
    """The first answer that is true; fails, saying what was waited for, once the time is up."""
    began = time.monotonic()
    while not (answer := question()):
        waited_s = time.monotonic() - began
        assert waited_s < within_s, f"waited {within_s:g} s in vain: {what}; last answer {answer!r}"
        # Each look takes the server some milliseconds: while something takes long they would be what it does most.
        PAUSE.wait(min(0.02 + waited_s / 20, LOOK_S_MAX))
    return answer


@dataclass(frozen=True)
class Said:
    """What a command printed, and how it ended."""

    status: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


@dataclass
class User:
    """`home` is the data folder, `folder` holds the stack file and is where commands are typed."""

    home: Path
    folder: Path

    # --- typing

    def weyr(self, *words: str, status: int | None = 0, stdin: str = "", within_s: float = 180, **env: str) -> Said:
        """Types a command. It must end with `status`, if one is given, and never with a traceback."""
        done = subprocess.run(
            [sys.executable, "-m", "weyr.cli.main", *words], input=stdin, capture_output=True, text=True,
            timeout=within_s, cwd=self.folder, env=self.environment(**env), check=False,
        )  # fmt: skip
        said = Said(done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in said.text, said.text
        assert status is None or said.status == status, f"weyr {' '.join(words)} ended with {said.status}\n{said.text}"
        return said

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("WEYR_", "PYTEST_"))}
        return {**kept, "NO_COLOR": "1", "PYTHONUTF8": "1", "WEYR_HOME": str(self.home), **more}

    def write(self, text: str, file: str = "weyr.yaml") -> Path:
        path = self.folder / file
        path.write_text(text)
        return path

    def up(self, text: str = "", status: int = 0) -> Said:
        """Brings a stack up from its file, which is written first if its text is given."""
        if text:
            self.write(text)
        return self.weyr("up", "--yes", status=status)

    def asked(self, *words: str) -> Any:
        """The JSON that a reading verb prints."""
        return json.loads(self.weyr(*words, "--json").out)

    # --- asking the server, which is what waiting tests do: it is quicker than a command

    @property
    def token(self) -> str:
        return (self.home / "admin.token").read_text().strip()

    def url(self, process: str = "server") -> str:
        """Where a process says it listens."""
        return str(json.loads((self.home / "run" / f"{process}.json").read_text())["url"])

    def api(self, method: str, path: str, body: object = None, token: str | None = None, at: str = "") -> Any:
        """One request to the server, or to another address; gives the JSON it answered with."""
        status, text = self.request(method, path, body, token, at)
        assert status < 300, f"{method} {path}: {status} {text[:500]}"
        return json.loads(text) if text else None

    def request(
        self, method: str, path: str, body: object = None, token: str | None = None, at: str = ""
    ) -> tuple[int, str]:
        """Status and text of one answer. Raises: OSError, HTTPException where nobody answers."""
        connection = http.client.HTTPConnection((at or self.url()).removeprefix("http://"), timeout=60)
        try:
            given = self.token if token is None else token
            headers = {"Authorization": f"Bearer {given}"} if given else {}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        finally:
            connection.close()

    def s3(self) -> Any:
        """An unmodified boto3 client with the administrator's keys."""
        keys = json.loads((self.home / "credentials.json").read_text())["keys"]
        key, entry = next((key, entry) for key, entry in keys.items() if entry["principal"] == "admin")
        return s3_client(self.url("s3"), key, entry["secret"])

    def row(self, ref: str, stack: str = "") -> dict[str, Any]:
        """One object as the server lists it; empty while it is not there."""
        kind, _, name = ref.partition("/")
        found = self.api("GET", f"/v1/objects?kind={kind}&name={name}&stack={stack}")["objects"]
        return dict(found[0]) if found else {}

    def row_offline(self, ref: str) -> dict[str, Any]:
        """One object as `weyr get` tells it, whether or not a server runs."""
        return dict(self.asked("get", ref)["objects"][0])

    def message(self, ref: str) -> str:
        """All that an object's conditions say."""
        return " ".join(f"{c['reason']}: {c['message']}" for c in self.row(ref).get("conditions", ()))

    def until_phase(self, ref: str, phase: str) -> dict[str, Any]:

        def row() -> dict[str, Any]:
            with suppress(FileNotFoundError):  # a server between two lives has no address
                return self.row(ref)
            return {}

        return until(lambda: found if (found := row()).get("phase") == phase else {}, f"{ref} to be {phase}")

    def look(self) -> None:
        """Has the server look at the stack's things now, as it does for a plan, and not when it would by itself."""
        file = self.folder / "weyr.yaml"
        self.api("POST", "/v1/plans", {"text": file.read_text(), "file": str(file)})

    def events(self, event: str = "", ref: str = "") -> list[dict[str, Any]]:
        """The story, or the part of it that one kind of event or one object makes up."""
        told = self.api("GET", "/v1/events?limit=10000" + (f"&ref={quote(ref)}" if ref else ""))["events"]
        return [e for e in told if event in ("", e["event"])]

    # --- looking at the machine

    def pid(self, process: str) -> int:
        """The process of that name as it wrote itself down."""
        return int(json.loads((self.home / "run" / f"{process}.json").read_text())["pid"])

    def kill(self, process: str) -> int:
        """kill -9, and waits until it is gone; gives the pid that was."""
        pid = self.pid(process)
        os.kill(pid, signal.SIGKILL)
        until(lambda: not is_alive(pid), f"{process} ({pid}) to be dead")
        return pid

    def until_back(self, process: str, killed: int) -> None:
        """Waits for another process of that name: it says where it listens once it does."""

        def is_back() -> bool:
            try:
                pid = self.pid(process)
            except (OSError, ValueError):
                return False
            return pid != killed and is_alive(pid)

        until(is_back, f"{process} to come back")

    def until_gone(self) -> None:
        """Waits until nothing of all that it had is left."""
        until(lambda: not self.remains(), "nothing to be left")

    def processes(self) -> dict[int, str]:
        """Every process whose command line or environment names this data folder or its sockets."""
        marks = [os.fsencode(self.home), os.fsencode(Home(self.home).sockets)]
        found: dict[int, str] = {}
        for entry in os.scandir("/proc"):
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                command, environment = (Path(entry.path, name).read_bytes() for name in ("cmdline", "environ"))
            except OSError:
                continue
            if is_alive(int(entry.name)) and any(mark in command + environment for mark in marks):
                found[int(entry.name)] = command.replace(b"\0", b" ").decode("utf-8", "replace")[:200]
        return found

    def remains(self) -> list[str]:
        """All that must not be there after `weyr down`: processes, ports, mounts, open meters, stray files."""
        left = [f"process {pid}: {command}" for pid, command in self.processes().items()]
        ports = self.home / "ports.json"
        kept: dict[str, int] = json.loads(ports.read_text()) if ports.exists() else {}
        left += [f"port {port} of {name}" for name, port in kept.items() if listens(port)]
        left += [f"mount {line}" for line in Path("/proc/mounts").read_text().splitlines() if str(self.home) in line]
        left += [f"open meter {row}" for row in self.rows("SELECT * FROM meters WHERE closed_ms IS NULL")]
        left += [f"object {row}" for row in self.rows("SELECT stack, kind, name FROM objects")]
        left += [f"thing {row}" for row in self.rows("SELECT stack, kind, name, part FROM things")]
        sockets = Home(self.home).sockets
        left += [f"socket {path.name}" for path in sockets.glob("*.sock")]
        left += [f"folder {sockets}"] * (sockets.exists() and self.home not in sockets.parents)
        tasks = self.home / "tasks"
        left += [f"task folder {path.name}" for path in tasks.glob("*") if not path.name.startswith(".")]
        for path in (tasks / ".archive").glob("*"):
            mark = hashlib.sha256(os.fsencode(tasks / path.name)).hexdigest()[:16]
            left += [f"secret files of {path.name}"] * Path("/dev/shm", f"weyr-{mark}").exists()
        return left

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the store says, read beside whoever writes it."""
        place = store_place(self.home)
        if isinstance(place, PostgresUrl):
            with psycopg.connect(place.secret_text) as session:
                return session.execute(query.encode()).fetchall()
        if not place.exists():
            return []
        connection = sqlite3.connect(place)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def end_everything(self) -> None:
        """Kills what is left of this user's processes, each by its own id: for a test that failed."""
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        until(lambda: not self.processes(), "killed processes to be gone")


def s3_client(url: str, key: str, secret: str) -> Any:
    """An unmodified boto3 client that signs with these keys."""
    config = Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"})
    return boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret,
        config=config,
    )  # fmt: skip


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
