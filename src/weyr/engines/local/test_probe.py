"""Who answers is ready, who says no is not, and who is late keeps what was said last, for a while."""

import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from weyr.engines.local.probe import Probes

SOON_S = 0.05
LONG_S = 5.0


class Task:
    """A program that answers one question when it is told to, and otherwise lets people wait."""

    def __init__(self, path: Path) -> None:
        self.asked = {"a": (str(path), "/ready")}
        self.door = socket.socket(socket.AF_UNIX)
        self.door.bind(str(path))
        self.door.listen()

    def answers(self, status: int) -> Thread:
        def once() -> None:
            caller, _ = self.door.accept()
            with caller:
                caller.recv(1000)
                caller.sendall(f"HTTP/1.1 {status} x\r\n\r\n".encode())

        thread = Thread(target=once)
        thread.start()
        return thread


@pytest.fixture
def task(tmp_path: Path) -> Iterator[Task]:
    task = Task(tmp_path / "s")
    yield task
    task.door.close()


def test_an_answer_that_is_late_takes_nobody_out_of_service(task: Task) -> None:
    """On a busy machine an answer may take longer than a look waits; the one before still holds."""
    probes = Probes()
    answering = task.answers(200)
    assert probes.ready(task.asked, LONG_S) == {"a"}
    answering.join()

    assert probes.ready(task.asked, SOON_S) == {"a"}
    assert Probes().ready(task.asked, SOON_S) == set(), "who never answered is not ready"


def test_silence_that_lasts_is_a_no(task: Task) -> None:
    """A program that hangs gets no requests, however seldom it is asked."""
    probes = Probes(late_s=SOON_S / 2)
    answering = task.answers(200)
    assert probes.ready(task.asked, LONG_S) == {"a"}
    answering.join()

    assert [probes.ready(task.asked, SOON_S) for _ in range(2)] == [{"a"}, set()]


@pytest.mark.parametrize("status", [500, 503])
def test_a_no_holds_at_once(task: Task, status: int) -> None:
    """Requests must not go to one that says it cannot take them."""
    probes = Probes()
    for said, expected in ((200, {"a"}), (status, set())):
        answering = task.answers(said)
        assert probes.ready(task.asked, LONG_S) == expected
        answering.join()


def test_a_closed_door_is_a_no(task: Task) -> None:
    """The program has ended: nobody waits for it."""
    probes = Probes()
    answering = task.answers(200)
    assert probes.ready(task.asked, LONG_S) == {"a"}
    answering.join()

    task.door.close()

    assert probes.ready(task.asked, LONG_S) == set()
