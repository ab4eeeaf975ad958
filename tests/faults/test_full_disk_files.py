"""Each small file that is written whole: on a full disk it is as it was, the caller is told, and no draft is left."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from small_disk import SmallDisk

from weyr.access.audit import AuditLog, recent
from weyr.access.private_files import create_private, replace_private
from weyr.attempt.task_folder import write_json
from weyr.core.audit import AuditEvent
from weyr.core.diagnostic import UserError
from weyr.engines.local.ports import kept_ports
from weyr.gateway.audit import AuditTrail
from weyr.wire.process import write_info

LONG = b"x" * 6_000
"""Two pages: with room for one, a part of it is written."""
WRITERS: dict[str, Callable[[Path], object]] = {
    "a new private file": lambda file: create_private(file, LONG),
    "a private file over another": lambda file: replace_private(file, LONG),
    "the kept ports": lambda file: kept_ports(file, {f"port{n}": 20_000 + n for n in range(400)}),
    "a task's record": lambda file: write_json(str(file.parent), file.name, {"text": LONG.decode()}),
    "where a process listens": lambda file: write_info(file, 1, LONG.decode()),
}


@pytest.mark.parametrize("room", [{"pages": 0}, {"pages": 1}, {"files": 0}], ids=str)
@pytest.mark.parametrize("name", WRITERS)
def test_a_file_is_whole_or_as_it_was(disk: SmallDisk, name: str, room: dict[str, int]) -> None:
    """No page, one of the two it takes, no name."""
    file = disk.path / "file.json"
    (disk.path / "filler").write_bytes(LONG)  # a file system has a page at least, so one is used
    if name != "a new private file":
        file.write_text("{}")
    before = file.read_bytes() if file.exists() else None
    disk.leave(**room)
    with pytest.raises((OSError, UserError), match="No space left"):
        WRITERS[name](file)
    assert (file.read_bytes() if file.exists() else None) == before
    disk.leave()
    assert set(os.listdir(disk.path)) == {"filler"} | ({file.name} if before is not None else set())
    WRITERS[name](file)
    assert file.stat().st_size > 5_000


@pytest.mark.parametrize("made", [AuditLog, None], ids=["server", "plane"])
def test_a_trail_that_finds_no_room_counts_what_it_lost(disk: SmallDisk, made: type[AuditLog] | None) -> None:
    """A decision that finds no room is counted, and one that was cut off spoils none after it."""
    trail = AuditLog(disk.path, "p") if made else AuditTrail(disk.path / "p.jsonl", "p")
    disk.leave(pages=1)
    for n in range(40):
        trail.append(AuditEvent(float(n), "p", "somebody", "read", "r" * 300, False, "no grant"))
    assert 0 < trail.lost < 40
    kept = 40 - trail.lost
    disk.leave()
    trail.append(AuditEvent(99.0, "p", "somebody", "read", "again", False, "no grant"))
    trail.close()
    told = recent(disk.path, 100)
    assert [event.at for event in told] == [*map(float, range(kept)), 99.0]


@pytest.mark.parametrize("words", [("init",), ("plan", "--out", "plan.json")], ids=["init", "plan"])
def test_a_command_that_finds_no_room_says_so(disk: SmallDisk, tmp_path: Path, words: tuple[str, ...]) -> None:
    """It ends with a diagnostic, and leaves no half a file that looks like a whole one."""
    if words[0] == "plan":
        (disk.path / "weyr.yaml").write_text("stack: small\nbuckets: {lake: {}}\n")
    (disk.path / "filler").write_bytes(LONG)
    there = set(os.listdir(disk.path))
    disk.leave(pages=0)
    environment = {**os.environ, "WEYR_HOME": str(tmp_path / "home"), "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "weyr.cli.main", *words], cwd=disk.path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Error:" in done.stderr
    assert "space" in done.stderr
    assert "Traceback" not in done.stderr
    left = set(os.listdir(disk.path)) - there
    assert not left, {name: (disk.path / name).read_text() for name in left}
