"""Somebody with a data folder of his own: the `weyr` command, what he asks, and what it came to."""

import contextlib
import http.client
import json
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from honest_stacks import ROOT, Stack

from weyr.cli.connect import reader

MOST_S = 900.0
PICTURE = b"P6 64 64 255\n" + bytes(range(256)) * 48
"""A picture of 64 by 64 dots."""


class Failed(Exception):
    """Why nothing can be said of a stack."""


@dataclass
class Real:
    """What was measured: the bill in millionths by object, latencies in seconds, what failed and why, how long its
    jobs were under way, and how long a core was waited for, as a part of the time."""

    micros: dict[str, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    failed: int = 0
    refused: str = ""
    jobs_s: float | None = None
    waited: float = 0.0


class Crowd:
    """How busy the machine is: every two seconds a little work is timed."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._work_s = self._took_s = 0.0

    def __enter__(self) -> "Crowd":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def waited(self) -> float:
        return 1 - self._work_s / self._took_s if self._took_s else 0.0

    def _look(self) -> None:
        while not self._ended.wait(2.0):
            began, worked = time.perf_counter(), time.thread_time()
            total = 0
            for number in range(300_000):
                total += number
            self._took_s += time.perf_counter() - began
            self._work_s += time.thread_time() - worked


class User:
    """Commands that fail raise `Failed` with what they said."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.sent: dict[int, float] = {}
        """When each upload was begun."""
        self._environment: dict[str, str] = {}

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "weyr.cli.main", "--home", str(self.home), *words]

    def weyr(self, *words: str, is_checked: bool = True) -> str:
        try:
            done = subprocess.run(
                self.command(*words), capture_output=True, text=True, timeout=MOST_S, check=False, cwd=ROOT
            )
        except subprocess.TimeoutExpired as e:
            raise Failed(f"weyr {' '.join(words)} took more than {MOST_S:g} s") from e
        if is_checked and done.returncode:
            raise Failed(f"weyr {' '.join(words)}: {(done.stdout + done.stderr).strip()[-600:]}")
        return done.stdout

    def told(self, *words: str) -> Any:
        return json.loads(self.weyr(*words, "--json"))

    def environment(self) -> dict[str, str]:
        if not self._environment:
            lines = self.weyr("env").splitlines()
            pairs = (line.removeprefix("export ").split("=", 1) for line in lines if "=" in line)
            self._environment = {name: value.strip("'\"") for name, value in pairs}
        return self._environment

    def micros(self) -> dict[str, int]:
        """The bill at this moment: asked without a command, whose start would be on it."""
        rows = reader(self.home).call("GET", "/v1/cost", by="object").get("rows") or []
        return {row["key"].partition(":")[2]: int(row["micros"]) for row in rows}

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(f"file:{self.home / 'store.db'}?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchall()

    def until_applied(self) -> float:
        """When its objects are there: how long the command takes until then is nothing that a stack costs."""
        deadline = time.time() + MOST_S
        while time.time() < deadline:
            if self.rows("SELECT count(*) FROM objects")[0][0]:
                return time.time()
            time.sleep(0.02)
        raise Failed(f"nothing was applied within {MOST_S:g} s")

    def jobs_s(self) -> float | None:
        """How long its jobs were under way, from the first that was asked for to the last that ended."""
        began, ended = self.rows("SELECT min(opened_ms), max(until_ms) FROM meters WHERE kind = 'job'")[0]
        return (ended - began) / 1000 if ended else None


def ask(user: User, stack: Stack, moments: list[float], began: float, real: Real) -> None:
    """Asks at each of its moments, each in its own thread: nobody waits for another's answer."""
    one = uploader(user) if stack.uploaded else asker(user, stack)
    threads = []
    for number, at in enumerate(moments):
        time.sleep(max(0.0, began + at - time.time()))
        threads.append(threading.Thread(target=one, args=(real, number)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    if stack.uploaded:
        real.latencies += until_small(user, real, len(moments))


def asker(user: User, stack: Stack) -> Any:
    environment = user.environment()
    host = environment["WEYR_INFERENCE_URL"].removeprefix("http://").rstrip("/")
    headers = {"Authorization": f"Bearer {environment['WEYR_TOKEN']}", "Content-Type": "application/json"}

    def one(real: Real, _number: int) -> None:
        sent = time.monotonic()
        try:
            connection = http.client.HTTPConnection(host, timeout=60)
            connection.request("POST" if stack.body else "GET", stack.path, stack.body, headers)
            answer = connection.getresponse()
            text = answer.read()
            connection.close()
        except OSError as e:
            real.failed, real.refused = real.failed + 1, str(e)
            return
        if answer.status == 200:
            real.latencies.append(time.monotonic() - sent)
        else:
            real.failed, real.refused = real.failed + 1, f"{answer.status} {text[:300]!r}"

    return one


def store_of(user: User, bucket: str) -> Any:
    from obstore.store import S3Store  # only where there are uploads

    told = user.environment()
    return S3Store(
        bucket, endpoint=told["AWS_ENDPOINT_URL"], region=told["AWS_REGION"], virtual_hosted_style_request=False,
        access_key_id=told["AWS_ACCESS_KEY_ID"], secret_access_key=told["AWS_SECRET_ACCESS_KEY"],
        client_options={"allow_http": True},
    )  # fmt: skip


def uploader(user: User) -> Any:
    import obstore

    photos = store_of(user, "uploads-photos")

    def one(real: Real, number: int) -> None:
        sent = time.time()
        try:
            obstore.put(photos, f"in/{number}.ppm", PICTURE)
        except Exception as e:  # noqa: BLE001 - the library's own, and the bench goes on
            real.failed, real.refused = real.failed + 1, f"{type(e).__name__}: {e}"
            return
        user.sent[number] = sent

    return one


def until_small(user: User, real: Real, count: int) -> list[float]:
    """How long after each upload its small picture was there, by the bucket's own record; waits for the last."""
    thumbs, deadline = store_of(user, "uploads-thumbs"), time.time() + 60.0
    while True:
        made = {entry["path"]: entry["last_modified"].timestamp() for entry in thumbs.list().collect()}
        if len(made) >= count - real.failed or time.time() > deadline:
            break
        time.sleep(0.5)
    real.failed += count - real.failed - len(made)
    return [max(0.0, made[f"{n}.ppm"] - sent) for n, sent in user.sent.items() if f"{n}.ppm" in made]
