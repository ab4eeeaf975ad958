"""What was counted is counted once, whoever is killed and whenever."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from weyr.wire import counters
from weyr.wire.counters import CELLS, SLOTS, SUFFIX, Counted, Counters, fold, read_counts

THING = "digits:endpoint/digits#route"
COUNTS_ON = """
import sys
from pathlib import Path
from weyr.wire.counters import Counters
counter = Counters(Path(sys.argv[1])).of(sys.argv[2], 1.0)
while True:
    counter.cells[0] += 1
    counter.cells[1] += 1
    sys.stdout.write("counted\\n")
    sys.stdout.flush()
"""


def counted(folder: Path, thing: str = THING, since: float = 1.0) -> Counted:
    return read_counts(folder).get((thing, since), Counted())


def test_a_killed_process_keeps_each_count_that_it_made(tmp_path: Path) -> None:
    """A count is there from the moment it is made; the kill at any later moment neither loses nor doubles it."""
    told = 0
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", COUNTS_ON, str(tmp_path), THING], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for _ in range(50):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        told += 50 + len(process.stdout.read().splitlines())
        process.wait(30)
        process.stdout.close()
        now = counted(tmp_path)
        assert told <= now.cells[0] <= told + 3, "each that was told, and at most one more of each process"
        assert now.cells[0] - now.cells[1] in range(4)
        assert not now.is_open
        fold(tmp_path, lambda _key: True, 2.0)
        assert counted(tmp_path) == now, "once more, from where it is kept"
        told = now.cells[0]
    assert [path.name for path in tmp_path.iterdir()] == ["kept.json"]


def test_who_lives_is_left_alone_and_open_until_it_says_otherwise(tmp_path: Path) -> None:
    counter = Counters(tmp_path).of(THING, 1.0)
    counter.cells[2] += 7

    fold(tmp_path, lambda _key: True, 2.0)

    assert counted(tmp_path) == Counted((0, 0, 7, 0, 0, 0, 0, 0), is_open=True)
    counter.close()
    assert not counted(tmp_path).is_open


def test_one_that_comes_again_is_another(tmp_path: Path) -> None:
    here = Counters(tmp_path)
    for since in (1.0, 2.5):
        here.of(THING, since).cells[0] += 3

    assert {key: value.cells[0] for key, value in read_counts(tmp_path).items()} == {(THING, 1.0): 3, (THING, 2.5): 3}


def test_a_kill_while_files_are_put_together_adds_none_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept names the files that are in it, so that one which is still there is passed over."""
    process = subprocess.run(
        [sys.executable, "-c", COUNTS_ON.replace("while True:", "for _ in range(9):"), str(tmp_path), THING],
        check=True, capture_output=True,
    )  # fmt: skip
    assert process.returncode == 0
    (file,) = tmp_path.glob(f"*{SUFFIX}")
    left = file.read_bytes()
    fold(tmp_path, lambda _key: True, 2.0)
    file.write_bytes(left)

    assert counted(tmp_path).cells[0] == 9
    fold(tmp_path, lambda _key: True, 2.0)
    assert counted(tmp_path).cells[0] == 9
    assert not file.exists()


def test_what_is_long_over_is_forgotten_and_what_is_needed_is_not(tmp_path: Path) -> None:
    code = COUNTS_ON.replace("while True:", "for _ in range(2):")
    for thing in (THING, "digits:service/site#route"):
        subprocess.run([sys.executable, "-c", code, str(tmp_path), thing], check=True, capture_output=True)

    fold(tmp_path, lambda key: key[0] == THING, counters.KEPT_S + 2.0)

    assert set(read_counts(tmp_path)) == {(THING, 1.0)}


def test_more_things_than_a_file_has_room_for_take_another(tmp_path: Path) -> None:
    here = Counters(tmp_path)
    made = [here.of(f"digits:endpoint/e{number}#route", 1.0) for number in range(SLOTS + 3)]
    for counter in made:
        counter.cells[CELLS - 1] += 1

    assert len(read_counts(tmp_path)) == SLOTS + 3
    assert {each.cells[CELLS - 1] for each in read_counts(tmp_path).values()} == {1}
    assert len(list(tmp_path.glob(f"*{SUFFIX}"))) == 2


def test_what_cannot_be_filed_is_counted_and_filed_later(tmp_path: Path) -> None:
    """A full disk must not end the plane, nor lose what it counts while it lives."""
    folder = tmp_path / "counts"
    folder.write_text("in the way")
    here = Counters(folder)
    counter = here.of(THING, 1.0)
    counter.cells[0] += 5
    os.unlink(folder)
    here.house()
    counter.cells[0] += 1

    assert counted(folder) == Counted((6, 0, 0, 0, 0, 0, 0, 0), is_open=True)
