"""What a task writes is noticed, whatever others do on its disk."""

import os
from pathlib import Path

from weyr.attempt.limits import Limits
from weyr.attempt.measuring import Measure, disk_detail

MIB = 1 << 20


def fill(path: Path, size: int) -> None:
    """Takes so much of the disk at once, without a byte being written."""
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)


def test_room_that_others_make_hides_no_writer(tmp_path: Path) -> None:
    """The folder is walked only once its disk has less room: a neighbour that removes a gibibyte must not pay for what
    a task writes beyond its bound."""
    work, neighbours = tmp_path / "work", tmp_path / "neighbours"
    work.mkdir()
    fill(neighbours, 1024 * MIB)
    measure = Measure(Limits("job", 99.0, None, {}), None, 0, 8 * MIB, [str(work)])
    measure.begin(0.0)
    neighbours.unlink()

    for look in range(1, 30):
        reason, detail = measure.excess(float(look), [])
        if reason:
            break
        fill(work / str(look), 9 * MIB)
    assert (reason, detail) == ("failed", disk_detail(8 * MIB))
