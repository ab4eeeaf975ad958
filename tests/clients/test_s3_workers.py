"""Several processes are one store: what one acknowledged all others know, and any of them may die at any moment."""

import http.client
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from s3_plane import S3Plane, running_s3
from s3_shelf import leaks
from s3_writers import Slot, State, Writer, allowed_at, disagreements, observed, prepare

WORKERS = 3
WRITERS = 6
SOON_S = 90.0
ONCE: dict[str, Any] = {"retries": {"max_attempts": 0}}
"""A client that asks again after a broken connection does twice what was done and not acknowledged."""


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[S3Plane]:
    with running_s3(tmp_path, arguments=["--workers", str(WORKERS)]) as plane:
        yield plane


def until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SOON_S
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def worker_of(answer: Any) -> int:
    """Which process answered: its place is the beginning of the request's id."""
    return int(answer["ResponseMetadata"]["RequestId"], 16) >> 48


def clients_of_all(s3: S3Plane) -> dict[int, Any]:
    """A client for each process: it stays with the connection that it has."""
    clients: dict[int, Any] = {}
    kept = []
    deadline = time.monotonic() + SOON_S
    while len(clients) < WORKERS:
        assert time.monotonic() < deadline, f"only {sorted(clients)} answer"
        client = s3.client()
        kept.append(client)
        clients.setdefault(worker_of(client.list_buckets()), client)
    return clients


def gone(pids: list[int]) -> bool:
    """Whether none of these lives; a zombie that nobody has reaped yet does not."""
    return not any(_lives(pid) for pid in pids)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def is_replaced(s3: S3Plane, victim: int) -> bool:
    return victim not in s3.pids and len(s3.pids) == 2 + WORKERS


def any_goes_on(writers: list[Writer], before: list[int]) -> bool:
    return any(len(writer.story) > count + 3 for writer, count in zip(writers, before, strict=True))


def test_each_process_sees_what_another_acknowledged(s3: S3Plane) -> None:
    """Small and large, put and deleted: whoever is asked next knows."""
    clients = list(clients_of_all(s3).values())
    clients[0].create_bucket(Bucket="lake")
    for number in range(60):
        writer, *readers = random.Random(number).sample(clients, WORKERS)
        key, body = f"k{number % 7}", bytes([number]) * (10, 40_000, 2_000_000)[number % 3]
        writer.put_object(Bucket="lake", Key=key, Body=body)
        for reader in readers:
            assert reader.get_object(Bucket="lake", Key=key)["Body"].read() == body
        if number % 4 == 0:
            readers[0].delete_object(Bucket="lake", Key=key)
            with pytest.raises(ClientError, match="NoSuchKey"):
                writer.get_object(Bucket="lake", Key=key)


def test_connections_are_shared_out(s3: S3Plane) -> None:
    """No process idles while another has two connections more."""
    kept = [s3.client() for _ in range(4 * WORKERS)]
    served = [worker_of(client.list_buckets()) for client in kept]
    assert [served.count(place) for place in range(WORKERS)] == [4] * WORKERS


def test_a_worker_that_is_killed_loses_nothing_and_is_replaced(s3: S3Plane) -> None:
    """Writers of all kinds at work, one process killed: what it acknowledged is there, and the others go on."""
    prepare(s3.client())
    held: dict[Slot, State] = {}
    for kill in range(4):
        _, first, *workers = s3.pids
        stop = threading.Event()
        writers = [Writer(f"w{n}", s3.client(**ONCE), kill * 100 + n, stop) for n in range(WRITERS)]
        for writer in writers:
            writer.holds.update({slot: state for slot, state in held.items() if writer.name in slot[1]})
            writer.start()
        stop.wait(0.5 + 0.1 * kill)
        victim = workers[kill % WORKERS]
        before = [len(writer.story) for writer in writers]
        os.kill(victim, signal.SIGKILL)
        until(partial(is_replaced, s3, victim), "no other process in its place")
        until(partial(any_goes_on, writers, before), "the others stand still")
        stop.set()
        for writer in writers:
            writer.join()
        assert first in s3.pids
        found = observed(s3.client())
        wrong = disagreements(found, allowed_at(writers, time.monotonic_ns(), held)) + leaks(s3)
        assert not wrong, f"kill {kill}:\n" + "\n".join(wrong)
        held = found
    assert s3.stop() == 0


def test_all_begin_anew_where_the_one_that_writes_is_killed(s3: S3Plane) -> None:
    """Nobody has to start the plane again, and what was acknowledged is there."""
    keeper, first, *workers = s3.pids
    s3.client().create_bucket(Bucket="lake")
    acknowledged = []
    client = s3.client(**ONCE)
    try:
        for number in range(1000):
            client.put_object(Bucket="lake", Key=f"k{number:05}", Body=b"x" * (number % 3 * 20_000))
            acknowledged.append(f"k{number:05}")
            if number == 40:
                os.kill(first, signal.SIGKILL)
    except (BotoCoreError, ClientError):
        assert len(acknowledged) > 40
    until(lambda: gone([first, *workers]), "an old process serves on")
    until(lambda: len(s3.pids) == 2 + WORKERS, "not all are there again")

    listed = [entry["Key"] for entry in s3.client().list_objects_v2(Bucket="lake")["Contents"]]

    assert listed[: len(acknowledged)] == acknowledged
    assert len(listed) <= len(acknowledged) + 1
    assert (s3.pids[0], leaks(s3)) == (keeper, [])


def test_none_survives_the_process_that_was_started(s3: S3Plane) -> None:
    """Whoever kills the plane by its pid has killed all of it, and starts it again at once on the same port."""
    s3.client().create_bucket(Bucket="lake")
    s3.client().put_object(Bucket="lake", Key="a", Body=b"x" * 100_000)
    for _ in range(3):
        pids = s3.pids
        s3.stop(signal.SIGKILL)
        s3.start()
        until(partial(gone, pids), "a process serves on that nobody can stop")
        assert s3.client().get_object(Bucket="lake", Key="a")["Body"].read() == b"x" * 100_000


def test_a_stop_lets_all_finish(s3: S3Plane) -> None:
    """A body that is still on its way when the plane is told to stop is stored and acknowledged."""
    client = s3.client()
    client.create_bucket(Bucket="lake")

    class Slow:
        """Half of the body, then the stop, then the rest."""

        def __init__(self) -> None:
            self.left = 40
            self.stopping = threading.Thread(target=s3.stop)

        def __len__(self) -> int:
            return 40 * 65_536

        def read(self, size: int = -1) -> bytes:
            if self.left == 20:
                self.stopping.start()
            self.left -= 1
            return b"x" * 65_536 if self.left >= 0 else b""

    body = Slow()
    url = client.generate_presigned_url("put_object", {"Bucket": "lake", "Key": "slow"})
    connection = http.client.HTTPConnection("127.0.0.1", s3.port, timeout=SOON_S)
    connection.putrequest("PUT", url.removeprefix(s3.url))
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders()
    while piece := body.read():
        connection.send(piece)
    assert connection.getresponse().status == 200
    connection.close()
    body.stopping.join()
    s3.start()
    assert s3.client().head_object(Bucket="lake", Key="slow")["ContentLength"] == len(body)


def test_what_is_counted_is_counted_of_all(s3: S3Plane) -> None:
    """The engine sees one plane: requests of all processes, also of those that are no more."""
    clients = clients_of_all(s3)
    before = s3.ask("GET", "/stats")[1]
    assert before["connections"] >= WORKERS
    for client in clients.values():
        for _ in range(5):
            client.list_buckets()
    assert s3.ask("GET", "/stats")[1]["requests"] == before["requests"] + 5 * WORKERS
    old = s3.pids
    os.kill(old[-1], signal.SIGKILL)
    until(lambda: len(s3.pids) == len(old) and s3.pids != old, "no other process in its place")
    assert s3.ask("GET", "/stats")[1]["requests"] >= before["requests"] + 5 * WORKERS
    until(lambda: s3.ask("GET", "/stats")[1]["connections"] < before["connections"], "the dead are still connected")
